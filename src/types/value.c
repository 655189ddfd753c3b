#include "types/value.h"

#include "base/endian.h"
#include "base/hash.h"
#include "codec/rows.h"

enum {
    ELEMENT_PREFIX_SIZE = 9, /* 'E' object:be64, store/FORMAT.md */
    NAME_SHORT = 0,
    NAME_LONG = 1,
    DIGEST_SIZE = 16,
    COUNT_SIZE = 4,
};

/* Fixed for ever: digests are in row keys. */
#define DIGEST_SEED_LOW  UINT64_C(0x71756f696e6c6f77)
#define DIGEST_SEED_HIGH UINT64_C(0x71756f696e686967)

struct type_env type_env_default(uint64_t hash_seed)
{
    return (struct type_env){
        .hash_seed = hash_seed,
        .hash_max_listpack_entries = 512,
        .hash_max_listpack_value = 64,
        .list_max_listpack_size = -2,
        .set_max_intset_entries = 512,
        .set_max_listpack_entries = 128,
        .set_max_listpack_value = 64,
        .zset_max_listpack_entries = 128,
        .zset_max_listpack_value = 64,
        .stream_node_max_bytes = 4096,
        .stream_node_max_entries = 100,
    };
}

/* ---- element rows ---- */

static void append_row(struct buf *rows, enum row_op op, uint64_t object_id, struct bytes element,
                       struct bytes value)
{
    ASSERT(object_id != 0 && ELEMENT_PREFIX_SIZE + element.size <= ROWS_KEY_MAX);
    size_t key_size = ELEMENT_PREFIX_SIZE + element.size;
    uint8_t *at = buf_extend(rows, ROWS_HEADER_SIZE + key_size + value.size);
    at[0] = (uint8_t)op;
    put_le32(at + 1, (uint32_t)key_size);
    put_le32(at + 5, (uint32_t)value.size);
    at += ROWS_HEADER_SIZE;
    at[0] = 'E';
    put_be64(at + 1, object_id);
    if (element.size > 0)
        memcpy(at + ELEMENT_PREFIX_SIZE, element.data, element.size);
    if (value.size > 0)
        memcpy(at + key_size, value.data, value.size);
}

void value_put_row(struct buf *rows, uint64_t object_id, struct bytes element, struct bytes value)
{
    append_row(rows, ROW_PUT, object_id, element, value);
}

struct edit edit_detached(enum object_type type, const struct type_env *env)
{
    return (struct edit){.value = type_of((uint8_t)type)->create(env), .env = env};
}

void edit_put(struct edit *edit, struct bytes element, struct bytes value)
{
    if (edit->rows != NULL)
        append_row(edit->rows, ROW_PUT, edit->value->object_id, element, value);
}

void edit_delete(struct edit *edit, struct bytes element)
{
    if (edit->rows != NULL)
        append_row(edit->rows, ROW_DELETE, edit->value->object_id, element, bytes_of(NULL, 0));
}

/* ---- names ---- */

static void append_digest(struct buf *out, struct bytes name)
{
    uint8_t *at = buf_extend(out, DIGEST_SIZE);
    put_le64(at, hash_bytes(name, DIGEST_SEED_LOW));
    put_le64(at + 8, hash_bytes(name, DIGEST_SEED_HIGH));
}

void value_encode_name(uint8_t prefix, struct bytes name, struct buf *element, struct buf *value)
{
    buf_append_u8(element, prefix);
    if (name.size <= VALUE_NAME_SHORT_MAX) {
        buf_append_u8(element, NAME_SHORT);
        buf_append(element, name);
        return;
    }
    buf_append_u8(element, NAME_LONG);
    append_digest(element, name);
    put_le32(buf_extend(value, sizeof(uint32_t)), (uint32_t)name.size);
    buf_append(value, name);
}

static bool decode_long(struct bytes digest, struct bytes row_value, struct bytes *name,
                        struct bytes *rest)
{
    if (digest.size != DIGEST_SIZE || row_value.size < sizeof(uint32_t))
        return false;
    uint32_t size = get_le32(row_value.data);
    struct bytes after =
        bytes_of(row_value.data + sizeof(uint32_t), row_value.size - sizeof(uint32_t));
    if (size <= VALUE_NAME_SHORT_MAX || size > after.size)
        return false;
    *name = bytes_of(after.data, size);
    *rest = bytes_of(after.data + size, after.size - size);
    struct buf expected = {0};
    append_digest(&expected, *name);
    bool is_same = bytes_equal(buf_bytes(&expected), digest);
    buf_free(&expected);
    return is_same;
}

bool value_decode_name(struct bytes element, struct bytes row_value, uint8_t *prefix,
                       struct bytes *name, struct bytes *rest)
{
    if (element.size < 2)
        return false;
    *prefix = element.data[0];
    struct bytes tail = bytes_of(element.data + 2, element.size - 2);
    if (element.data[1] == NAME_LONG)
        return decode_long(tail, row_value, name, rest);
    *name = tail;
    *rest = row_value;
    return element.data[1] == NAME_SHORT && tail.size <= VALUE_NAME_SHORT_MAX;
}

/* ---- types ---- */

static const struct type *const TYPES[TYPE_COUNT] = {
    [TYPE_LIST] = &list_type, [TYPE_SET] = &set_type,       [TYPE_ZSET] = &zset_type,
    [TYPE_HASH] = &hash_type, [TYPE_STREAM] = &stream_type,
};

const struct type *type_of(uint8_t object_type)
{
    return object_type < TYPE_COUNT ? TYPES[object_type] : NULL;
}

const char *type_name(uint8_t object_type)
{
    if (object_type == TYPE_STRING)
        return "string";
    const struct type *type = type_of(object_type);
    return type == NULL ? "none" : type->name;
}

enum object_type type_by_name(struct bytes name)
{
    for (uint8_t type = TYPE_STRING; type < TYPE_COUNT; type++) {
        if ((type == TYPE_STRING || TYPES[type] != NULL) && bytes_is_word(name, type_name(type)))
            return (enum object_type)type;
    }
    return TYPE_NONE;
}

static const struct type *type_in(const struct value *value)
{
    const struct type *type = type_of(value->type);
    ASSERT(type != NULL);
    return type;
}

size_t value_memory(const struct value *value)
{
    return type_in(value)->memory(value);
}

uint64_t value_rows_size(const struct value *value)
{
    return value_memory(value) + (uint64_t)value->count * VALUE_ROW_OVERHEAD;
}

int64_t value_due_ms(const struct value *value)
{
    const struct type *type = type_in(value);
    return type->due_ms == NULL ? 0 : type->due_ms(value);
}

void value_free(struct value *value)
{
    if (value != NULL)
        type_in(value)->free(value);
}

bool value_is_gone(const struct value *value)
{
    return value->count == 0 && !type_in(value)->may_be_empty;
}

/* ---- K rows ---- */

void value_encode(const struct value *value, struct buf *out)
{
    const struct type *type = type_in(value);
    if (value->object_id == 0) {
        type->encode_inline(value, out);
        return;
    }
    put_le64(buf_extend(out, sizeof(uint64_t)), value->object_id);
    put_le32(buf_extend(out, COUNT_SIZE), value->count);
    if (type->encode_head != NULL)
        type->encode_head(value, out);
}

static struct value *decode_head(const struct type *type, uint64_t object_id, struct bytes bytes)
{
    if (bytes.size < COUNT_SIZE)
        return NULL;
    struct value *value = type->create_head();
    value->object_id = object_id;
    value->count = get_le32(bytes.data);
    struct bytes rest = bytes_of(bytes.data + COUNT_SIZE, bytes.size - COUNT_SIZE);
    bool is_good = !value_is_gone(value) &&
                   (type->decode_head == NULL ? rest.size == 0 : type->decode_head(value, rest));
    if (is_good)
        return value;
    value_free(value);
    return NULL;
}

struct value *value_decode(uint8_t object_type, uint64_t object_id, struct bytes bytes,
                           const struct type_env *env)
{
    const struct type *type = type_of(object_type);
    if (type == NULL)
        return NULL;
    if (object_id != 0)
        return decode_head(type, object_id, bytes);
    return bytes.size > VALUE_INLINE_MAX ? NULL : type->decode_inline(bytes, env);
}
