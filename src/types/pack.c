/* The bytes go to disk inside K rows and rows of streams, so this format never changes; its grammar
 * is in store/FORMAT.md:
 *
 *   bytes := entry*
 *   entry := head data back
 *   head  := integer 0..127 | string of up to 63 | of up to 4095 bytes | of any size
 *          | integer in 1, 2, 3, 4 or 8 bytes | integer 128..4223
 *   back  := size of head and data, for the way back
 *
 * The shortest form is the only one. */
#include "types/pack.h"

#include "base/endian.h"
#include "base/mem.h"
#include "base/number.h"

enum {
    HEAD_STRING = 0x80,
    HEAD_STRING_12 = 0xc0,
    HEAD_STRING_32 = 0xd0,
    HEAD_INT_WIDE = 0xd0, /* | bytes */
    HEAD_INT_12 = 0xe0,
    INT_12_FROM = 128,
    INT_12_TO = 128 + 4095,
    STRING_6_MAX = 63,
    STRING_12_MAX = 4095,
    HEAD_SIZE_MAX = 9,
    BACK_SIZE_MAX = 5,
};

struct pack {
    uint32_t size; /* of data, in use */
    uint32_t count;
    uint8_t data[];
};

/* An entry, decoded. */
struct entry {
    bool is_int;
    int64_t number;
    struct bytes text;  /* of a string */
    uint32_t body_size; /* head and data */
    uint32_t size;      /* with the back length */
};

/* ---- encoding ---- */

struct head {
    uint8_t bytes[HEAD_SIZE_MAX];
    uint32_t size;
};

static uint32_t back_size(uint32_t body_size)
{
    uint32_t size = 1;
    for (; body_size > 127; body_size >>= 7)
        size++;
    return size;
}

static void put_back(uint8_t *at, uint32_t body_size)
{
    uint32_t size = back_size(body_size);
    for (uint32_t i = 0; i < size; i++) {
        uint8_t more = i + 1 < size ? 0x80 : 0; /* the first byte is read last */
        at[size - 1 - i] = (uint8_t)((body_size >> (7 * i) & 0x7f) | more);
    }
}

static uint32_t int_width(int64_t value)
{
    if (value >= INT8_MIN && value <= INT8_MAX)
        return 1;
    if (value >= INT16_MIN && value <= INT16_MAX)
        return 2;
    if (value >= -(1 << 23) && value < 1 << 23)
        return 3;
    return value >= INT32_MIN && value <= INT32_MAX ? 4 : 8;
}

static struct head int_head(int64_t value)
{
    if (value >= 0 && value < INT_12_FROM)
        return (struct head){.bytes = {(uint8_t)value}, .size = 1};
    if (value >= INT_12_FROM && value <= INT_12_TO) {
        uint32_t rest = (uint32_t)(value - INT_12_FROM);
        return (struct head){.bytes = {(uint8_t)(HEAD_INT_12 | rest >> 8), (uint8_t)rest},
                             .size = 2};
    }
    uint32_t width = int_width(value);
    struct head head = {.bytes = {(uint8_t)(HEAD_INT_WIDE | width)}, .size = 1 + width};
    for (uint32_t i = 0; i < width; i++)
        head.bytes[1 + i] = (uint8_t)((uint64_t)value >> (8 * i));
    return head;
}

static struct head string_head(uint32_t size)
{
    if (size <= STRING_6_MAX)
        return (struct head){.bytes = {(uint8_t)(HEAD_STRING | size)}, .size = 1};
    if (size <= STRING_12_MAX)
        return (struct head){.bytes = {(uint8_t)(HEAD_STRING_12 | size >> 8), (uint8_t)size},
                             .size = 2};
    struct head head = {.bytes = {HEAD_STRING_32}, .size = 5};
    put_le32(head.bytes + 1, size);
    return head;
}

/* Head of the entry for a text, and what of the text follows it. */
static struct head head_of(struct bytes text, struct bytes *data)
{
    int64_t value;
    ASSERT(text.size <= PACK_ENTRY_MAX);
    *data = bytes_of(NULL, 0);
    if (text.size <= PACK_INT_TEXT_MAX && number_parse_i64(text, &value))
        return int_head(value);
    *data = text;
    return string_head((uint32_t)text.size);
}

size_t pack_entry_size(struct bytes text)
{
    struct bytes data;
    struct head head = head_of(text, &data);
    uint32_t body_size = head.size + (uint32_t)data.size;
    return body_size + back_size(body_size);
}

/* ---- decoding: `left` bytes are there ---- */

static int64_t wide_int(const uint8_t *at, uint32_t width)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < width; i++)
        value |= (uint64_t)at[i] << (8 * i);
    uint32_t shift = 64 - 8 * width;
    return (int64_t)(value << shift) >> shift;
}

static bool decode_string(const uint8_t *at, size_t left, uint32_t head_size, uint32_t size,
                          struct entry *entry)
{
    if (left < head_size || size > PACK_ENTRY_MAX || size > left - head_size)
        return false;
    *entry = (struct entry){.text = bytes_of(at + head_size, size), .body_size = head_size + size};
    return true;
}

static bool decode_body(const uint8_t *at, size_t left, struct entry *entry)
{
    if (left < 1)
        return false;
    uint8_t head = at[0], low = head & 0x0f;
    if (head < HEAD_STRING) {
        *entry = (struct entry){.is_int = true, .number = head, .body_size = 1};
        return true;
    }
    if (head < HEAD_STRING_12)
        return decode_string(at, left, 1, head & STRING_6_MAX, entry);
    if (head < HEAD_STRING_32)
        return left >= 2 && decode_string(at, left, 2, (uint32_t)low << 8 | at[1], entry);
    if (head == HEAD_STRING_32)
        return left >= 5 && decode_string(at, left, 5, get_le32(at + 1), entry);
    if (head >= HEAD_INT_12) {
        *entry = (struct entry){.is_int = true, .body_size = 2};
        if (left >= 2)
            entry->number = INT_12_FROM + ((int64_t)low << 8 | at[1]);
        return left >= 2 && head < 0xf0;
    }
    bool is_width = (low >= 1 && low <= 4) || low == 8;
    if (!is_width || left < 1u + low)
        return false;
    *entry = (struct entry){.is_int = true, .number = wide_int(at + 1, low), .body_size = 1u + low};
    return true;
}

static struct entry entry_at(const struct pack *pack, pack_position at)
{
    struct entry entry;
    ASSERT(at < pack->size);
    bool is_good = decode_body(pack->data + at, pack->size - at, &entry);
    ASSERT(is_good);
    entry.size = entry.body_size + back_size(entry.body_size);
    return entry;
}

/* The body size that stands before `end`, and in how many bytes. */
static uint32_t read_back(const uint8_t *end, uint32_t *size)
{
    uint32_t body_size = 0, shift = 0;
    *size = 0;
    uint8_t byte;
    do {
        byte = end[-1 - (int)*size];
        body_size |= (uint32_t)(byte & 0x7f) << shift;
        shift += 7;
        (*size)++;
    } while ((byte & 0x80) != 0 && *size < BACK_SIZE_MAX);
    return body_size;
}

/* ---- the pack ---- */

struct pack *pack_new(void)
{
    struct pack *pack = mem_alloc(sizeof(*pack));
    pack->size = pack->count = 0;
    return pack;
}

void pack_free(struct pack *pack)
{
    mem_free(pack);
}

struct pack *pack_copy(const struct pack *pack)
{
    struct pack *copy = mem_alloc(sizeof(*copy) + pack->size);
    memcpy(copy, pack, sizeof(*copy) + pack->size);
    return copy;
}

uint32_t pack_count(const struct pack *pack)
{
    return pack->count;
}

size_t pack_size(const struct pack *pack)
{
    return pack->size;
}

size_t pack_memory(const struct pack *pack)
{
    return mem_size(pack);
}

pack_position pack_first(const struct pack *pack)
{
    return pack->size == 0 ? PACK_END : 0;
}

pack_position pack_last(const struct pack *pack)
{
    return pack_prev(pack, PACK_END);
}

pack_position pack_next(const struct pack *pack, pack_position at)
{
    at += entry_at(pack, at).size;
    return at == pack->size ? PACK_END : at;
}

pack_position pack_prev(const struct pack *pack, pack_position at)
{
    if (at == PACK_END)
        at = pack->size;
    if (at == 0)
        return PACK_END;
    uint32_t size;
    uint32_t body_size = read_back(pack->data + at, &size);
    ASSERT(body_size + size <= at);
    return at - body_size - size;
}

pack_position pack_at(const struct pack *pack, int64_t index)
{
    int64_t count = pack->count;
    if (index < 0)
        index += count;
    if (index < 0 || index >= count)
        return PACK_END;
    pack_position at;
    if (index < count / 2) {
        for (at = 0; index > 0; index--)
            at = pack_next(pack, at);
    } else {
        at = pack_last(pack);
        for (index = count - 1 - index; index > 0; index--)
            at = pack_prev(pack, at);
    }
    return at;
}

struct bytes pack_get(const struct pack *pack, pack_position at, char *scratch)
{
    struct entry entry = entry_at(pack, at);
    if (!entry.is_int)
        return entry.text;
    return bytes_of(scratch, number_format_i64(scratch, entry.number));
}

bool pack_get_int(const struct pack *pack, pack_position at, int64_t *value)
{
    struct entry entry = entry_at(pack, at);
    if (entry.is_int)
        *value = entry.number;
    return entry.is_int;
}

bool pack_entry_equals(const struct pack *pack, pack_position at, struct bytes text)
{
    struct entry entry = entry_at(pack, at);
    int64_t value;
    if (!entry.is_int)
        return bytes_equal(entry.text, text);
    return text.size <= PACK_INT_TEXT_MAX && number_parse_i64(text, &value) &&
           value == entry.number;
}

/* The text is encoded once and compared as bytes: equal texts have equal heads. */
pack_position pack_find(const struct pack *pack, pack_position from, struct bytes text,
                        uint32_t skip)
{
    struct bytes data;
    struct head head = head_of(text, &data);
    uint32_t body_size = head.size + (uint32_t)data.size, skipped = skip;
    pack_position at = from == PACK_END ? pack->size : from;
    while (at < pack->size) {
        struct entry entry = entry_at(pack, at);
        const uint8_t *body = pack->data + at;
        if (skipped == skip && entry.body_size == body_size &&
            memcmp(body, head.bytes, head.size) == 0 &&
            (data.size == 0 || memcmp(body + head.size, data.data, data.size) == 0))
            return at;
        skipped = skipped == skip ? 0 : skipped + 1;
        at += entry.size;
    }
    return PACK_END;
}

/* ---- changing ---- */

/* Makes the bytes [at, at+old) into [at, at+fresh); what follows moves. */
static struct pack *reshape(struct pack *pack, uint32_t at, uint32_t old, uint32_t fresh)
{
    uint32_t size = pack->size - old + fresh;
    ASSERT(size <= PACK_SIZE_MAX && at + old <= pack->size);
    size_t room = mem_size(pack), needed = sizeof(*pack) + size;
    if (needed > room)
        pack = mem_realloc(pack, needed);
    memmove(pack->data + at + fresh, pack->data + at + old, pack->size - at - old);
    pack->size = size;
    if (needed < room / 2 && room > 64)
        pack = mem_realloc(pack, needed);
    return pack;
}

static struct pack *put(struct pack *pack, uint32_t at, uint32_t old, struct bytes text)
{
    struct bytes data;
    struct head head = head_of(text, &data);
    uint32_t body_size = head.size + (uint32_t)data.size;
    pack = reshape(pack, at, old, body_size + back_size(body_size));
    memcpy(pack->data + at, head.bytes, head.size);
    if (data.size > 0)
        memcpy(pack->data + at + head.size, data.data, data.size);
    put_back(pack->data + at + body_size, body_size);
    return pack;
}

struct pack *pack_insert(struct pack *pack, pack_position at, struct bytes text)
{
    pack = put(pack, at == PACK_END ? pack->size : at, 0, text);
    pack->count++;
    return pack;
}

struct pack *pack_append(struct pack *pack, struct bytes text)
{
    return pack_insert(pack, PACK_END, text);
}

struct pack *pack_prepend(struct pack *pack, struct bytes text)
{
    return pack_insert(pack, 0, text);
}

struct pack *pack_replace(struct pack *pack, pack_position at, struct bytes text)
{
    return put(pack, at, entry_at(pack, at).size, text);
}

struct pack *pack_remove(struct pack *pack, pack_position at, uint32_t count)
{
    if (at == PACK_END)
        return pack;
    uint32_t end = at;
    for (; count > 0 && end < pack->size; count--) {
        end += entry_at(pack, end).size;
        pack->count--;
    }
    return reshape(pack, at, end - at, 0);
}

pack_position pack_here(const struct pack *pack, pack_position at)
{
    return at < pack->size ? at : PACK_END;
}

struct pack *pack_split(struct pack **pack, pack_position at)
{
    struct pack *first = *pack;
    uint32_t from = at == PACK_END ? first->size : at, size = first->size - from;
    struct pack *second = mem_alloc(sizeof(*second) + size);
    second->size = size;
    second->count = 0;
    if (size > 0)
        memcpy(second->data, first->data + from, size);
    for (uint32_t i = 0; i < size; i += entry_at(second, i).size)
        second->count++;
    first->count -= second->count;
    *pack = reshape(first, from, size, 0);
    return second;
}

/* ---- as bytes ---- */

struct bytes pack_bytes(const struct pack *pack)
{
    return bytes_of(pack->data, pack->size);
}

/* Whether the entry is in the form that its text gets. */
static bool is_canonical(const uint8_t *at, const struct entry *entry)
{
    struct bytes data;
    struct head head = entry->is_int ? int_head(entry->number) : head_of(entry->text, &data);
    return memcmp(at, head.bytes, head.size) == 0;
}

static bool is_entry(const uint8_t *at, size_t left, struct entry *entry)
{
    if (!decode_body(at, left, entry))
        return false;
    entry->size = entry->body_size + back_size(entry->body_size);
    uint8_t back[BACK_SIZE_MAX];
    put_back(back, entry->body_size);
    return entry->size <= left && is_canonical(at, entry) &&
           memcmp(at + entry->body_size, back, entry->size - entry->body_size) == 0;
}

struct pack *pack_from_bytes(struct bytes bytes, uint32_t count)
{
    if (bytes.size > PACK_SIZE_MAX)
        return NULL;
    uint32_t seen = 0;
    for (size_t at = 0; at < bytes.size; seen++) {
        struct entry entry;
        if (!is_entry(bytes.data + at, bytes.size - at, &entry))
            return NULL;
        at += entry.size;
    }
    if (seen != count)
        return NULL;
    struct pack *pack = mem_alloc(sizeof(*pack) + bytes.size);
    pack->size = (uint32_t)bytes.size;
    pack->count = count;
    if (bytes.size > 0)
        memcpy(pack->data, bytes.data, bytes.size);
    return pack;
}
