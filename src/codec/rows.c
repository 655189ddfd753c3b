#include "codec/rows.h"

#include "base/endian.h"

uint8_t *rows_append_space(struct buf *out, enum row_op op, struct bytes key, size_t value_size)
{
    ASSERT(key.size > 0 && key.size <= ROWS_KEY_MAX);
    ASSERT(value_size <= UINT32_MAX && (op != ROW_DELETE || value_size == 0));
    uint8_t *at = buf_extend(out, ROWS_HEADER_SIZE + key.size + value_size);
    at[0] = (uint8_t)op;
    put_le32(at + 1, (uint32_t)key.size);
    put_le32(at + 5, (uint32_t)value_size);
    memcpy(at + ROWS_HEADER_SIZE, key.data, key.size);
    return at + ROWS_HEADER_SIZE + key.size;
}

void rows_append(struct buf *out, enum row_op op, struct bytes key, struct bytes value)
{
    uint8_t *at = rows_append_space(out, op, key, value.size);
    if (value.size > 0)
        memcpy(at, value.data, value.size);
}

enum rows_err rows_next(struct bytes *rest, struct row *row)
{
    if (rest->size == 0)
        return ROWS_END;
    if (rest->size < ROWS_HEADER_SIZE)
        return ROWS_BAD;
    uint8_t op = rest->data[0];
    size_t key_size = get_le32(rest->data + 1);
    size_t value_size = get_le32(rest->data + 5);
    if (op < ROW_PUT || op > ROW_DELETE || key_size == 0 || key_size > ROWS_KEY_MAX)
        return ROWS_BAD;
    if (rest->size - ROWS_HEADER_SIZE < key_size + value_size ||
        (op == ROW_DELETE && value_size > 0))
        return ROWS_BAD;
    const uint8_t *key = rest->data + ROWS_HEADER_SIZE;
    row->op = (enum row_op)op;
    row->key = bytes_of(key, key_size);
    row->value = bytes_of(key + key_size, value_size);
    *rest = bytes_of(key + key_size + value_size,
                     rest->size - ROWS_HEADER_SIZE - key_size - value_size);
    return ROWS_OK;
}
