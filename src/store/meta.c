#include "store/meta.h"

#include <inttypes.h>

#include "base/endian.h"
#include "store/row_key.h"

enum {
    FORMAT_VERSION = 1,
    APPLIED_SIZE = 24,
    IDENTITY_SIZE = 16,
};

/* Keys with their kind byte. */
static const struct bytes applied_key = {(const uint8_t *)"Mapplied", 8};
static const struct bytes identity_key = {(const uint8_t *)"Midentity", 9};
static const struct bytes members_key = {(const uint8_t *)"Mmembers", 8};
static const struct bytes installed_key = {(const uint8_t *)"Minstalled", 10};

void meta_free(struct meta *meta)
{
    buf_free(&meta->members);
    *meta = (struct meta){0};
}

void meta_copy(struct meta *to, const struct meta *from)
{
    struct buf members = to->members;
    buf_clear(&members);
    buf_append(&members, buf_bytes(&from->members));
    *to = *from;
    to->members = members;
}

struct store_meta meta_view(const struct meta *meta)
{
    return (struct store_meta){.applied_index = meta->index,
                               .applied_term = meta->term,
                               .stamp_us = meta->stamp_us,
                               .installed_index = meta->installed,
                               .members = buf_bytes(&meta->members)};
}

bool meta_owns_key(struct bytes key)
{
    if (key.data[0] != ROW_KIND_META)
        return false;
    return bytes_equal(key, applied_key) || bytes_equal(key, identity_key) ||
           bytes_equal(key, members_key) || bytes_equal(key, installed_key);
}

void meta_put(struct kv *kv, struct kv_batch *batch, const struct meta *meta)
{
    uint8_t applied[APPLIED_SIZE];
    put_le64(applied, meta->index);
    put_le64(applied + 8, meta->term);
    put_le64(applied + 16, meta->stamp_us);
    kv->ops->batch_put(batch, applied_key, bytes_of(applied, sizeof(applied)));
    kv->ops->batch_put(batch, members_key, buf_bytes(&meta->members));
}

void meta_put_installed(struct kv *kv, struct kv_batch *batch, uint64_t index)
{
    uint8_t value[sizeof(uint64_t)];
    put_le64(value, index);
    kv->ops->batch_put(batch, installed_key, bytes_of(value, sizeof(value)));
}

void meta_put_identity(struct kv *kv, struct kv_batch *batch, const struct meta_identity *identity)
{
    uint8_t value[IDENTITY_SIZE];
    put_le32(value, FORMAT_VERSION);
    put_le32(value + 4, identity->shard);
    put_le64(value + 8, identity->identity);
    kv->ops->batch_put(batch, identity_key, bytes_of(value, sizeof(value)));
}

enum store_err store_err_of(enum kv_err err)
{
    switch (err) {
    case KV_OK:
        return STORE_OK;
    case KV_ABSENT:
        return STORE_LOST;
    case KV_LOCKED:
        return STORE_LOCKED;
    case KV_DAMAGED:
        return STORE_DAMAGED;
    case KV_FULL:
        return STORE_FULL;
    case KV_IO:
        return STORE_IO;
    }
    UNREACHABLE();
}

static enum store_err read_row(struct kv *kv, const char *path, struct bytes key, struct buf *out,
                               struct buf *error)
{
    bool found = false;
    buf_clear(out);
    enum kv_err err = kv->ops->get(kv, NULL, key, out, &found, error);
    if (err != KV_OK)
        return store_err_of(err);
    if (found)
        return STORE_OK;
    buf_printf(error, "%s: the row M %.*s is missing", path, (int)key.size - 1,
               (const char *)key.data + 1);
    return STORE_LOST;
}

/* Absent in a generation that no install made. */
static enum store_err read_installed(struct kv *kv, struct meta *out, struct buf *error)
{
    struct buf value = {0};
    bool found = false;
    enum kv_err err = kv->ops->get(kv, NULL, installed_key, &value, &found, error);
    out->installed = err == KV_OK && found && value.size == 8 ? get_le64(value.data) : 0;
    buf_free(&value);
    return err == KV_OK ? STORE_OK : store_err_of(err);
}

static enum store_err check_identity(const char *path, struct bytes value,
                                     const struct meta_identity *own, struct buf *error)
{
    uint32_t version = value.size < 4 ? 0 : get_le32(value.data);
    if (version > FORMAT_VERSION) {
        buf_printf(error, "%s: format %u is newer than this program's %d", path, version,
                   FORMAT_VERSION);
        return STORE_NEWER_FORMAT;
    }
    if (version == 0 || value.size != IDENTITY_SIZE) {
        buf_printf(error, "%s: the row M identity is not one", path);
        return STORE_LOST;
    }
    uint32_t shard = get_le32(value.data + 4);
    uint64_t identity = get_le64(value.data + 8);
    if (identity == own->identity && shard == own->shard)
        return STORE_OK;
    buf_printf(error,
               "%s: belongs to shard %u of cluster %016" PRIx64
               ", not to shard %u of cluster %016" PRIx64,
               path, shard, identity, own->shard, own->identity);
    return STORE_FOREIGN;
}

static enum store_err parse_applied(const char *path, struct bytes value, struct meta *out,
                                    struct buf *error)
{
    if (value.size != APPLIED_SIZE) {
        buf_printf(error, "%s: the row M applied has %zu bytes", path, value.size);
        return STORE_LOST;
    }
    out->index = get_le64(value.data);
    out->term = get_le64(value.data + 8);
    out->stamp_us = get_le64(value.data + 16);
    return STORE_OK;
}

enum store_err meta_read(struct kv *kv, const char *path, const struct meta_identity *identity,
                         struct meta *out, struct buf *error)
{
    struct buf value = {0};
    enum store_err err = read_row(kv, path, identity_key, &value, error);
    if (err == STORE_OK)
        err = check_identity(path, buf_bytes(&value), identity, error);
    if (err == STORE_OK)
        err = read_row(kv, path, applied_key, &value, error);
    if (err == STORE_OK)
        err = parse_applied(path, buf_bytes(&value), out, error);
    if (err == STORE_OK)
        err = read_row(kv, path, members_key, &out->members, error);
    if (err == STORE_OK)
        err = read_installed(kv, out, error);
    buf_free(&value);
    return err;
}
