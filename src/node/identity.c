#include "node/identity.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"

enum { HEX_SIZE = 16 };

#define HEADER     "quoin-id 1\n"
#define HEADER_ANY BYTES_LITERAL("quoin-id ")

static char *path_of(const char *dir)
{
    struct buf path = {0};
    buf_printf(&path, "%s/quoin.id", dir);
    buf_append_u8(&path, 0);
    return (char *)path.data;
}

static void format(const struct identity *identity, struct buf *out)
{
    buf_printf(
        out, HEADER "store %016llx\ncluster %016llx\nseed %016llx\nnode %016llx\nshards %016llx\n",
        (unsigned long long)identity->store_id, (unsigned long long)identity->cluster_id,
        (unsigned long long)identity->seed, (unsigned long long)identity->node_id,
        (unsigned long long)identity->shards);
    buf_printf(out, "sum %016llx\n", (unsigned long long)hash_bytes(buf_bytes(out), 0));
}

static bool take_hex(struct bytes *rest, const char *name, uint64_t *value)
{
    struct bytes label = bytes_of_string(name);
    if (rest->size < label.size + HEX_SIZE + 2 || !bytes_start_with(*rest, label) ||
        rest->data[label.size] != ' ' || rest->data[label.size + 1 + HEX_SIZE] != '\n')
        return false;
    *value = 0;
    for (size_t i = 0; i < HEX_SIZE; i++) {
        uint8_t c = rest->data[label.size + 1 + i];
        if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
            return false;
        *value = *value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *rest =
        bytes_of(rest->data + label.size + HEX_SIZE + 2, rest->size - label.size - HEX_SIZE - 2);
    return true;
}

static bool parse(struct bytes text, struct identity *out)
{
    struct bytes rest = text;
    struct bytes header = BYTES_LITERAL(HEADER);
    uint64_t sum;
    if (!bytes_start_with(rest, header))
        return false;
    rest = bytes_of(rest.data + header.size, rest.size - header.size);
    if (!take_hex(&rest, "store", &out->store_id) ||
        !take_hex(&rest, "cluster", &out->cluster_id) || !take_hex(&rest, "seed", &out->seed) ||
        !take_hex(&rest, "node", &out->node_id) || !take_hex(&rest, "shards", &out->shards))
        return false;
    size_t summed = text.size - rest.size;
    return take_hex(&rest, "sum", &sum) && rest.size == 0 &&
           sum == hash_bytes(bytes_of(text.data, summed), 0);
}

static enum identity_err judge(const char *path, struct bytes text, struct identity *out,
                               struct buf *error)
{
    if (bytes_start_with(text, HEADER_ANY) && !bytes_start_with(text, BYTES_LITERAL(HEADER))) {
        buf_printf(error, "%s: written by a newer version of quoin", path);
        return IDENTITY_NEWER_FORMAT;
    }
    if (parse(text, out))
        return IDENTITY_OK;
    buf_printf(error, "%s: damaged: not what was written (%zu bytes)", path, text.size);
    return IDENTITY_DAMAGED;
}

enum identity_err identity_read(struct disk *disk, const char *dir, struct identity *out,
                                struct buf *error)
{
    char *path = path_of(dir);
    struct buf text = {0};
    enum identity_err result;
    enum disk_err err = disk_read_file(disk, path, &text);
    if (err == DISK_OK) {
        result = judge(path, buf_bytes(&text), out, error);
    } else if (err == DISK_ABSENT) {
        result = IDENTITY_ABSENT;
    } else {
        buf_printf(error, "%s: %s", path, disk_err_text(err));
        result = IDENTITY_DISK;
    }
    buf_free(&text);
    mem_free(path);
    return result;
}

enum identity_err identity_write(struct disk *disk, const char *dir,
                                 const struct identity *identity, struct buf *error)
{
    char *path = path_of(dir);
    struct buf text = {0};
    format(identity, &text);
    enum disk_err err = disk_replace_file(disk, dir, path, buf_bytes(&text));
    if (err != DISK_OK)
        buf_printf(error, "%s: %s", path, disk_err_text(err));
    buf_free(&text);
    mem_free(path);
    return err == DISK_OK ? IDENTITY_OK : IDENTITY_DISK;
}
