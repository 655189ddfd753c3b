/* SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP. Errors in arguments come before the key is looked at, as
 * since Redis 7.2. */
#include "base/mem.h"
#include "base/number.h"
#include "commands/bitmap_commands.h"
#include "commands/call.h"
#include "commands/string_commands.h"
#include "types/bits.h"

bool bitmap_offset(struct call *c, int position, unsigned step, uint64_t *offset)
{
    struct bytes text = c->argv[position];
    bool counts_steps = step > 0 && text.size > 0 && text.data[0] == '#';
    int64_t value = 0;
    if (counts_steps)
        text = bytes_of(text.data + 1, text.size - 1);
    bool is_good = number_parse_i64(text, &value) && value >= 0 &&
                   (!counts_steps || !__builtin_mul_overflow(value, (int64_t)step, &value));
    uint64_t size_max =
        c->env->string_size_max < OBJECT_STRING_MAX ? c->env->string_size_max : OBJECT_STRING_MAX;
    if (!is_good || (uint64_t)value / 8 >= size_max) {
        call_error(c, "ERR bit offset is not an integer or out of range");
        return false;
    }
    *offset = (uint64_t)value;
    return true;
}

static struct bytes value_of(const struct object *object, char *scratch)
{
    return object == NULL ? bytes_of(NULL, 0) : string_value(object, scratch);
}

static int bit_at(struct bytes value, uint64_t offset)
{
    if (offset / 8 >= value.size)
        return 0;
    return value.data[offset / 8] >> (7 - offset % 8) & 1;
}

/* ---- single bits ---- */

void bitmap_getbit(struct call *c)
{
    uint64_t offset;
    struct object *object;
    char scratch[STRING_INT_TEXT_MAX];
    if (bitmap_offset(c, 2, 0, &offset) && call_find_string(c, c->argv[1], &object))
        reply_int(&c->reply, bit_at(value_of(object, scratch), offset));
}

/* Only the byte is written, so that of a long string one chunk goes to the log. */
static void put_bit(struct call *c, struct bytes value, uint64_t offset, bool bit, bool exists)
{
    size_t at = (size_t)(offset / 8);
    uint8_t mask = (uint8_t)(0x80 >> offset % 8);
    uint8_t byte = at < value.size ? value.data[at] : 0;
    byte = (uint8_t)(bit ? byte | mask : byte & ~mask);
    if (!exists)
        call_set_string(c, c->argv[1], bytes_of(NULL, 0), CALL_NO_EXPIRE);
    call_write_string(c, c->argv[1], at, bytes_of(&byte, 1));
    call_notify(c, '$', "setbit", c->argv[1]);
}

void bitmap_setbit(struct call *c)
{
    uint64_t offset;
    int64_t bit;
    struct object *object;
    char scratch[STRING_INT_TEXT_MAX];
    if (!bitmap_offset(c, 2, 0, &offset) ||
        !call_int_range(c, 3, 0, 1, &bit, "ERR bit is not an integer or out of range"))
        return;
    if (!call_find_string(c, c->argv[1], &object))
        return;
    struct bytes value = value_of(object, scratch);
    uint64_t needed = offset / 8 + 1, new_size = needed > value.size ? needed : value.size;
    if (!string_reserve_part(c, value.size, new_size, 1))
        return;
    int old = bit_at(value, offset);
    if (needed > value.size || old != bit) /* else nothing changes, for WATCH neither */
        put_bit(c, value, offset, bit == 1, object != NULL);
    reply_int(&c->reply, old);
}

/* ---- counting and searching ---- */

/* What stands after the key: start and end, in bytes or bits; negative ones from the end. */
struct span {
    int64_t start, end;
    bool has_start, has_end;
    bool in_bits;
};

static bool parse_unit(struct call *c, int at, struct span *span)
{
    span->in_bits = call_is_word(c, at, "BIT");
    if (at >= c->argc || span->in_bits || call_is_word(c, at, "BYTE"))
        return true;
    call_error_syntax(c);
    return false;
}

/* start, end and unit from `at` on. Replies on false: BITPOS finds fault with the unit before the
 * end, BITCOUNT after it, as in Redis. */
static bool parse_span(struct call *c, int at, bool is_unit_first, struct span *span)
{
    *span = (struct span){.start = 0, .end = -1, .has_start = at < c->argc};
    span->has_end = at + 1 < c->argc;
    if (c->argc > at + 3) {
        call_error_syntax(c);
        return false;
    }
    if (span->has_start && !call_int(c, at, &span->start))
        return false;
    if (is_unit_first && !parse_unit(c, at + 2, span))
        return false;
    if (span->has_end && !call_int(c, at + 1, &span->end))
        return false;
    return is_unit_first || parse_unit(c, at + 2, span);
}

static int64_t from_end(int64_t position, int64_t count)
{
    if (position >= 0)
        return position;
    return position < -count ? 0 : count + position;
}

/* The bits that a span means in a value; from > to when there are none. */
static struct bit_range span_in(const struct span *span, size_t size)
{
    int64_t count = (int64_t)size * (span->in_bits ? 8 : 1);
    int64_t start = from_end(span->start, count), end = from_end(span->end, count);
    if (end >= count)
        end = count - 1;
    if (start > end || count == 0)
        return (struct bit_range){1, 0};
    if (span->in_bits)
        return (struct bit_range){(uint64_t)start, (uint64_t)end};
    return (struct bit_range){(uint64_t)start * 8, (uint64_t)end * 8 + 7};
}

void bitmap_bitcount(struct call *c)
{
    struct span span;
    struct object *object;
    char scratch[STRING_INT_TEXT_MAX];
    if (c->argc == 3) {
        call_error_syntax(c);
        return;
    }
    if (!parse_span(c, 2, false, &span) || !call_find_string(c, c->argv[1], &object))
        return;
    struct bytes value = value_of(object, scratch);
    struct bit_range range = span_in(&span, value.size);
    if (span.start < 0 && span.end < 0 && span.start > span.end) /* both may mean the first byte */
        range = (struct bit_range){1, 0};
    reply_int(&c->reply, (int64_t)bits_count_range(value, range));
}

/* Looking for a clear bit, a string goes on with zeros behind its end unless an end was given. */
void bitmap_bitpos(struct call *c)
{
    int64_t bit;
    struct span span;
    struct object *object;
    char scratch[STRING_INT_TEXT_MAX];
    uint64_t position;
    if (!call_int(c, 2, &bit))
        return;
    if (bit != 0 && bit != 1) {
        call_error(c, "ERR The bit argument must be 1 or 0.");
        return;
    }
    if (!parse_span(c, 3, true, &span) || !call_find_string(c, c->argv[1], &object))
        return;
    struct bytes value = value_of(object, scratch);
    struct bit_range range = span_in(&span, value.size);
    if (object == NULL)
        reply_int(&c->reply, bit == 0 ? 0 : -1);
    else if (bits_find(value, range, bit == 1, &position))
        reply_int(&c->reply, (int64_t)position);
    else if (bit == 0 && !span.has_end && range.from <= range.to)
        reply_int(&c->reply, (int64_t)value.size * 8);
    else
        reply_int(&c->reply, -1);
}

/* ---- BITOP ---- */

static bool parse_operation(struct call *c, enum bits_operation *operation)
{
    static const struct {
        const char *word;
        enum bits_operation operation;
    } words[] = {{"AND", BITS_AND}, {"OR", BITS_OR}, {"XOR", BITS_XOR}, {"NOT", BITS_NOT}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!call_is_word(c, 1, words[i].word))
            continue;
        *operation = words[i].operation;
        if (*operation != BITS_NOT || c->argc == 4)
            return true;
        call_error(c, "ERR BITOP NOT must be called with a single source key.");
        return false;
    }
    call_error_syntax(c);
    return false;
}

/* All sources are strings. A key found expired is deleted here, so that afterwards looking the keys
 * up changes nothing and their values stay where they are. */
static bool check_sources(struct call *c)
{
    struct object *object;
    for (int i = 3; i < c->argc; i++) {
        if (!call_find_string(c, c->argv[i], &object))
            return false;
    }
    return true;
}

/* A short integer's text stands in scratch, one for each source. Returns the longest size. */
static size_t collect(struct call *c, struct bytes *sources, char (*scratch)[STRING_INT_TEXT_MAX])
{
    size_t longest = 0;
    for (int i = 3; i < c->argc; i++) {
        struct bytes value = value_of(call_find(c, c->argv[i]), scratch[i - 3]);
        sources[i - 3] = value;
        longest = value.size > longest ? value.size : longest;
    }
    return longest;
}

static void store(struct call *c, struct bytes result)
{
    struct bytes key = c->argv[2];
    if (result.size > 0) {
        call_set_string(c, key, result, CALL_NO_EXPIRE);
        call_notify(c, '$', "set", key);
    } else if (call_delete(c, key)) {
        call_notify(c, 'g', "del", key);
    }
}

void bitmap_bitop(struct call *c)
{
    enum bits_operation operation;
    if (!parse_operation(c, &operation) || !check_sources(c))
        return;
    size_t count = (size_t)c->argc - 3;
    struct bytes *sources = mem_alloc(count * sizeof(*sources));
    char(*scratch)[STRING_INT_TEXT_MAX] = mem_alloc(count * sizeof(*scratch));
    struct buf result = {0};
    size_t size = collect(c, sources, scratch);
    if (call_reserve(c, c->argv[2].size + size)) {
        if (size > 0)
            bits_combine(operation, sources, count, buf_extend(&result, size), size);
        store(c, buf_bytes(&result));
        reply_int(&c->reply, (int64_t)size);
    }
    buf_free(&result);
    mem_free(scratch);
    mem_free(sources);
}
