#include "types/string.h"

#include "base/endian.h"
#include "base/mem.h"
#include "base/number.h"
#include "codec/rows.h"

enum {
    ELEMENT_KEY_SIZE = 13, /* 'E' object:be64 chunk:be32, store/FORMAT.md */
    WORD_BITS = 64,
};

struct bytes string_value(const struct object *object, char *scratch)
{
    ASSERT(object->type == TYPE_STRING && object->state == OBJECT_LOADED);
    if (object->encoding == ENCODING_EMBEDDED)
        return bytes_of(object_tail_const(object), object->value_size);
    if (object->encoding == ENCODING_INT) {
        int64_t value;
        memcpy(&value, object_tail_const(object), sizeof(value));
        return bytes_of(scratch, number_format_i64(scratch, value));
    }
    ASSERT(object->encoding == ENCODING_RAW);
    const struct string_raw *raw = object_pointer(object);
    return bytes_of(raw->data, raw->size);
}

bool string_to_int(const struct object *object, int64_t *value)
{
    if (object->encoding == ENCODING_INT) {
        memcpy(value, object_tail_const(object), sizeof(*value));
        return true;
    }
    char scratch[STRING_INT_TEXT_MAX];
    return number_parse_i64(string_value(object, scratch), value);
}

struct string_raw *string_raw_new(struct bytes value, size_t capacity)
{
    ASSERT(capacity >= value.size && capacity <= UINT32_MAX);
    struct string_raw *raw = mem_zero(sizeof(*raw));
    raw->capacity = (uint32_t)(capacity > 0 ? capacity : 1);
    raw->data = mem_alloc(raw->capacity);
    raw->size = (uint32_t)value.size;
    if (value.size > 0)
        memcpy(raw->data, value.data, value.size);
    return raw;
}

void string_raw_free(struct string_raw *raw)
{
    if (raw == NULL)
        return;
    mem_free(raw->data);
    mem_free(raw->dirty);
    mem_free(raw);
}

static uint32_t chunks_of(size_t size)
{
    return (uint32_t)((size + STRING_CHUNK_SIZE - 1) / STRING_CHUNK_SIZE);
}

static void raw_grow(struct string_raw *raw, size_t size)
{
    ASSERT(size <= UINT32_MAX);
    if (size > raw->capacity) {
        /* Doubling makes appending O(1); from 1 MiB on a quarter more wastes less. */
        size_t spare = size < (1 << 20) ? size : size / 4;
        size_t capacity = size + spare;
        raw->capacity = (uint32_t)(capacity > UINT32_MAX ? UINT32_MAX : capacity);
        raw->data = mem_realloc(raw->data, raw->capacity);
    }
    memset(raw->data + raw->size, 0, size - raw->size);
    raw->size = (uint32_t)size;
}

static void dirty_reserve(struct string_raw *raw, uint32_t chunks)
{
    uint32_t words = (chunks + WORD_BITS - 1) / WORD_BITS;
    if (words <= raw->dirty_words)
        return;
    raw->dirty = mem_realloc(raw->dirty, words * sizeof(uint64_t));
    memset(raw->dirty + raw->dirty_words, 0, (words - raw->dirty_words) * sizeof(uint64_t));
    raw->dirty_words = words;
}

void string_raw_mark(struct string_raw *raw, size_t from, size_t to)
{
    ASSERT(from <= to && to <= raw->size);
    if (from == to)
        return;
    uint32_t last = (uint32_t)((to - 1) / STRING_CHUNK_SIZE);
    dirty_reserve(raw, last + 1);
    for (uint32_t chunk = (uint32_t)(from / STRING_CHUNK_SIZE); chunk <= last; chunk++) {
        uint64_t bit = 1ULL << (chunk % WORD_BITS);
        raw->dirty_count += (raw->dirty[chunk / WORD_BITS] & bit) == 0;
        raw->dirty[chunk / WORD_BITS] |= bit;
    }
}

void string_raw_write(struct string_raw *raw, size_t offset, struct bytes bytes)
{
    ASSERT(raw->data != NULL);
    size_t end = offset + bytes.size;
    size_t changed_from = offset < raw->size ? offset : raw->size;
    if (end > raw->size)
        raw_grow(raw, end);
    memcpy(raw->data + offset, bytes.data, bytes.size);
    string_raw_mark(raw, changed_from, end);
}

void string_raw_clean(struct string_raw *raw)
{
    mem_free(raw->dirty);
    raw->dirty = NULL;
    raw->dirty_words = 0;
    raw->dirty_count = 0;
}

static void element_key(uint8_t key[ELEMENT_KEY_SIZE], uint64_t object_id, uint32_t chunk)
{
    key[0] = 'E';
    put_be64(key + 1, object_id);
    put_be32(key + 9, chunk);
}

static void emit_chunk(const struct string_raw *raw, uint32_t chunk, struct buf *rows)
{
    size_t from = (size_t)chunk * STRING_CHUNK_SIZE;
    size_t size = raw->size - from < STRING_CHUNK_SIZE ? raw->size - from : STRING_CHUNK_SIZE;
    uint8_t key[ELEMENT_KEY_SIZE];
    element_key(key, raw->object_id, chunk);
    rows_append(rows, ROW_PUT, bytes_of(key, sizeof(key)), bytes_of(raw->data + from, size));
}

void string_raw_emit(struct string_raw *raw, struct buf *rows)
{
    ASSERT(raw->object_id != 0 && raw->data != NULL && raw->size >= raw->logged_size);
    string_raw_mark(raw, raw->logged_size, raw->size); /* also what became chunked just now */
    for (uint32_t word = 0; word < raw->dirty_words; word++) {
        for (uint64_t bits = raw->dirty[word]; bits != 0; bits &= bits - 1)
            emit_chunk(raw, word * WORD_BITS + (uint32_t)__builtin_ctzll(bits), rows);
    }
    raw->logged_size = raw->size;
    string_raw_clean(raw);
}

size_t string_raw_emit_size(const struct string_raw *raw)
{
    uint32_t grown = chunks_of(raw->size) - raw->logged_size / STRING_CHUNK_SIZE;
    size_t row_size = ROWS_HEADER_SIZE + ELEMENT_KEY_SIZE + STRING_CHUNK_SIZE;
    return ((size_t)raw->dirty_count + grown) * row_size;
}

void string_raw_emit_deletes(uint64_t object_id, uint32_t logged_size, struct buf *rows)
{
    uint8_t key[ELEMENT_KEY_SIZE];
    for (uint32_t chunk = 0; chunk < chunks_of(logged_size); chunk++) {
        element_key(key, object_id, chunk);
        rows_append(rows, ROW_DELETE, bytes_of(key, sizeof(key)), bytes_of(NULL, 0));
    }
}

bool string_raw_load_chunk(struct string_raw *raw, struct bytes element, struct bytes value)
{
    if (element.size != sizeof(uint32_t))
        return false;
    uint64_t from = (uint64_t)get_be32(element.data) * STRING_CHUNK_SIZE;
    if (from >= raw->size || value.size > raw->size - from || value.size > STRING_CHUNK_SIZE)
        return false;
    bool is_last = raw->size - from <= STRING_CHUNK_SIZE;
    if (value.size != (is_last ? raw->size - from : STRING_CHUNK_SIZE))
        return false;
    memcpy(raw->data + from, value.data, value.size);
    return true;
}

size_t string_raw_memory(const struct string_raw *raw)
{
    return mem_size(raw) + mem_size(raw->data) + mem_size(raw->dirty);
}
