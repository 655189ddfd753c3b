#include "keyspace/head_row.h"

#include "base/endian.h"
#include "store/row_key.h"
#include "types/string.h"
#include "types/value.h"

enum {
    VALUE_FIXED_SIZE = 2, /* type, flags */
    EXPIRY_PREFIX_SIZE = 15,
    KEY_SPACE = HEAD_ROW_PREFIX_SIZE + OBJECT_KEY_MAX,
};

#define HASH_MASK ((1ULL << 48) - 1)

static void put_place(uint8_t *out, uint32_t ksid, uint64_t order)
{
    out[0] = ROW_KIND_KEY;
    put_be32(out + 1, ksid);
    put_be64(out + 5, order); /* slot:be16 hash:be48 side by side */
}

/* Row header, key prefix and client key, with room for the value; returns where the value goes. */
static uint8_t *append_key(struct buf *rows, enum row_op op, uint32_t ksid,
                           const struct object *object, size_t value_size)
{
    struct bytes key = object_key(object);
    size_t key_size = HEAD_ROW_PREFIX_SIZE + key.size;
    uint8_t *at = buf_extend(rows, ROWS_HEADER_SIZE + key_size + value_size);
    at[0] = (uint8_t)op;
    put_le32(at + 1, (uint32_t)key_size);
    put_le32(at + 5, (uint32_t)value_size);
    put_place(at + ROWS_HEADER_SIZE, ksid, object->order);
    memcpy(at + ROWS_HEADER_SIZE + HEAD_ROW_PREFIX_SIZE, key.data, key.size);
    return at + ROWS_HEADER_SIZE + key_size;
}

/* Types other than strings encode themselves, behind a header whose size is filled in afterwards.
 */
static void append_value_head(struct buf *rows, enum row_op op, uint32_t ksid,
                              const struct object *object)
{
    const struct value *value = object_pointer(object);
    size_t begin = rows->size;
    (void)append_key(rows, op, ksid, object, 0);
    size_t value_begin = rows->size;
    buf_append_u8(rows, object->type);
    buf_append_u8(rows, (uint8_t)((object->has_expire ? ROW_VALUE_HAS_EXPIRE : 0) |
                                  (value->object_id != 0 ? ROW_VALUE_HAS_OBJECT : 0)));
    if (object->has_expire)
        put_le64(buf_extend(rows, 8), (uint64_t)object_expire_ms(object));
    value_encode(value, rows);
    put_le32(rows->data + begin + 5, (uint32_t)(rows->size - value_begin));
}

void head_row_append(struct buf *rows, enum row_op op, uint32_t ksid, const struct object *object)
{
    if (op == ROW_DELETE) {
        (void)append_key(rows, op, ksid, object, 0);
        return;
    }
    ASSERT(object_is_present(object));
    if (object->type != TYPE_STRING) {
        append_value_head(rows, op, ksid, object);
        return;
    }
    char scratch[STRING_INT_TEXT_MAX];
    const struct string_raw *raw = object->encoding == ENCODING_RAW ? object_pointer(object) : NULL;
    bool is_chunked = raw != NULL && raw->object_id != 0;
    struct bytes inlined = is_chunked ? bytes_of(NULL, 0) : string_value(object, scratch);
    ASSERT(inlined.size <= STRING_INLINE_MAX);
    size_t size =
        VALUE_FIXED_SIZE + (object->has_expire ? 8U : 0U) + (is_chunked ? 16U : inlined.size);
    uint8_t *at = append_key(rows, op, ksid, object, size);
    *at++ = object->type;
    *at++ = (uint8_t)((object->has_expire ? ROW_VALUE_HAS_EXPIRE : 0) |
                      (is_chunked ? ROW_VALUE_HAS_OBJECT : 0));
    if (object->has_expire) {
        put_le64(at, (uint64_t)object_expire_ms(object));
        at += 8;
    }
    if (is_chunked) {
        put_le64(at, raw->object_id);
        put_le64(at + 8, raw->size);
    } else if (inlined.size > 0) {
        memcpy(at, inlined.data, inlined.size);
    }
}

void head_row_append_expiry(struct buf *rows, enum row_op op, uint32_t ksid,
                            const struct object *object, int64_t due_ms)
{
    struct bytes key = object_key(object);
    size_t key_size = EXPIRY_PREFIX_SIZE + key.size;
    uint8_t *at = buf_extend(rows, ROWS_HEADER_SIZE + key_size);
    at[0] = (uint8_t)op;
    put_le32(at + 1, (uint32_t)key_size);
    put_le32(at + 5, 0);
    at += ROWS_HEADER_SIZE;
    at[0] = ROW_KIND_EXPIRY;
    put_be64(at + 1, (uint64_t)due_ms);
    put_be32(at + 9, ksid);
    put_be16(at + 13, (uint16_t)(object->order >> 48));
    memcpy(at + EXPIRY_PREFIX_SIZE, key.data, key.size);
}

static bool take_le64(struct bytes *rest, uint64_t *value)
{
    if (rest->size < sizeof(*value))
        return false;
    *value = get_le64(rest->data);
    *rest = bytes_of(rest->data + sizeof(*value), rest->size - sizeof(*value));
    return true;
}

bool head_decode(struct bytes value, struct head *head)
{
    if (value.size < VALUE_FIXED_SIZE ||
        (value.data[0] != TYPE_STRING && type_of(value.data[0]) == NULL) ||
        (value.data[1] & ~(ROW_VALUE_HAS_EXPIRE | ROW_VALUE_HAS_OBJECT)) != 0)
        return false;
    uint8_t flags = value.data[1];
    *head = (struct head){.type = value.data[0]};
    struct bytes rest = bytes_of(value.data + VALUE_FIXED_SIZE, value.size - VALUE_FIXED_SIZE);
    uint64_t expire_ms = 0;
    if ((flags & ROW_VALUE_HAS_EXPIRE) != 0 &&
        (!take_le64(&rest, &expire_ms) || expire_ms == 0 || expire_ms > INT64_MAX))
        return false;
    head->expire_ms = (int64_t)expire_ms;
    if (head->type != TYPE_STRING) {
        bool has_object = (flags & ROW_VALUE_HAS_OBJECT) != 0;
        bool is_good = !has_object || (take_le64(&rest, &head->object_id) && head->object_id != 0);
        head->inlined = rest;
        return is_good;
    }
    if ((flags & ROW_VALUE_HAS_OBJECT) == 0) {
        head->inlined = rest;
        head->size = rest.size;
        return rest.size <= STRING_INLINE_MAX;
    }
    return take_le64(&rest, &head->object_id) && take_le64(&rest, &head->size) && rest.size == 0 &&
           head->object_id != 0 && head->size > STRING_INLINE_MAX &&
           head->size <= OBJECT_STRING_MAX;
}
