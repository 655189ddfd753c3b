#include "node/identity.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/number.h"

enum { VERSION = 2, HEX_SIZE = 16 };

#define HEADER_1   "quoin-id 1\n"
#define HEADER     "quoin-id 2\n"
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
    struct buf members = {0};
    members_append(&members, &identity->members);
    buf_append_string(out, "members ");
    for (size_t i = 0; i < members.size; i++)
        buf_printf(out, "%02x", members.data[i]);
    buf_append_string(out, "\n");
    buf_free(&members);
    buf_printf(out, "sum %016llx\n", (unsigned long long)hash_bytes(buf_bytes(out), 0));
}

static bool hex_digit(uint8_t c, uint8_t *value)
{
    bool is_letter = c >= 'a' && c <= 'f';
    *value = (uint8_t)(is_letter ? c - 'a' + 10 : c - '0');
    return is_letter || (c >= '0' && c <= '9');
}

static bool take_members(struct bytes *rest, struct members *out)
{
    struct bytes label = BYTES_LITERAL("members ");
    const uint8_t *end = rest->size == 0 ? NULL : memchr(rest->data, '\n', rest->size);
    if (end == NULL || !bytes_start_with(*rest, label))
        return false;
    struct bytes text = bytes_of(rest->data + label.size, (size_t)(end - rest->data) - label.size);
    struct buf bytes = {0};
    bool is_good = text.size % 2 == 0 && text.size > 0;
    for (size_t i = 0; is_good && i < text.size; i += 2) {
        uint8_t high = 0, low = 0;
        is_good = hex_digit(text.data[i], &high) && hex_digit(text.data[i + 1], &low);
        buf_append_u8(&bytes, (uint8_t)(high << 4 | low));
    }
    is_good = is_good && members_decode(buf_bytes(&bytes), out);
    buf_free(&bytes);
    *rest = bytes_of(end + 1, rest->size - (size_t)(end + 1 - rest->data));
    return is_good;
}

static bool take_hex(struct bytes *rest, const char *name, uint64_t *value)
{
    struct bytes label = bytes_of_string(name);
    if (rest->size < label.size + HEX_SIZE + 2 || !bytes_start_with(*rest, label) ||
        rest->data[label.size] != ' ' || rest->data[label.size + 1 + HEX_SIZE] != '\n')
        return false;
    *value = 0;
    for (size_t i = 0; i < HEX_SIZE; i++) {
        uint8_t digit;
        if (!hex_digit(rest->data[label.size + 1 + i], &digit))
            return false;
        *value = *value << 4 | digit;
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
    bool is_first = bytes_start_with(rest, BYTES_LITERAL(HEADER_1));
    if (!is_first && !bytes_start_with(rest, header))
        return false;
    rest = bytes_of(rest.data + header.size, rest.size - header.size);
    if (!take_hex(&rest, "store", &out->store_id) ||
        !take_hex(&rest, "cluster", &out->cluster_id) || !take_hex(&rest, "seed", &out->seed) ||
        !take_hex(&rest, "node", &out->node_id) || !take_hex(&rest, "shards", &out->shards))
        return false;
    bool has_members = is_first ? members_decode(bytes_of(NULL, 0), &out->members)
                                : take_members(&rest, &out->members);
    if (!has_members)
        return false;
    size_t summed = text.size - rest.size;
    return take_hex(&rest, "sum", &sum) && rest.size == 0 &&
           sum == hash_bytes(bytes_of(text.data, summed), 0);
}

/* A number above ours, whole: a first line that was cut short is damage. */
static bool is_newer(struct bytes text)
{
    uint64_t version;
    struct bytes any = HEADER_ANY;
    const uint8_t *end = text.size == 0 ? NULL : memchr(text.data, '\n', text.size);
    if (end == NULL || !bytes_start_with(text, any))
        return false;
    size_t size = (size_t)(end - text.data) - any.size;
    return number_parse_u64(bytes_of(text.data + any.size, size), &version) && version > VERSION;
}

static enum identity_err judge(const char *path, struct bytes text, struct identity *out,
                               struct buf *error)
{
    if (is_newer(text)) {
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
