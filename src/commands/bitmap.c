/* Bits of strings: SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP. */
#include "commands/bitmap.h"

#include "base/mem.h"
#include "base/number.h"
#include "commands/bitmap_commands.h"
#include "commands/string_commands.h"
#include "types/bits.h"

bool bitmap_offset(struct call *c, int at, uint8_t width, uint64_t *offset)
{
    struct bytes text = c->argv[at];
    bool is_scaled = width > 0 && text.size > 0 && text.data[0] == '#';
    int64_t value;
    if (is_scaled)
        text = bytes_of(text.data + 1, text.size - 1);
    bool is_good = number_parse_i64(text, &value) && value >= 0;
    if (is_good && is_scaled)
        is_good = !__builtin_mul_overflow(value, (int64_t)width, &value);
    uint64_t bytes_max =
        c->env->string_size_max < OBJECT_STRING_MAX ? c->env->string_size_max : OBJECT_STRING_MAX;
    if (is_good && (uint64_t)value >> 3 < bytes_max) {
        *offset = (uint64_t)value;
        return true;
    }
    call_error(c, "ERR bit offset is not an integer or out of range");
    return false;
}

bool bitmap_write(struct call *c, struct bytes key, size_t offset, struct bytes bytes)
{
    struct object *object;
    if (!call_find_string(c, key, &object))
        return false;
    bool exists = object != NULL;
    size_t old_size = string_size(object), end = offset + bytes.size;
    size_t growth = end > old_size ? end - old_size : 0;
    if (!call_check_string_size(c, end) ||
        !call_reserve(c, key.size + growth + bytes.size + STRING_INLINE_MAX))
        return false;
    if (!exists)
        call_set_string(c, key, bytes_of(NULL, 0), CALL_NO_EXPIRE);
    call_write_string(c, key, offset, bytes);
    return true;
}

bool bitmap_find(struct call *c, struct bytes key, char *scratch, struct bytes *bytes)
{
    struct object *object;
    *bytes = bytes_of(NULL, 0);
    if (!call_find_string(c, key, &object))
        return false;
    if (object != NULL)
        *bytes = string_value(object, scratch);
    return true;
}

static uint8_t mask_of(uint64_t offset)
{
    return (uint8_t)(0x80 >> offset % 8);
}

void bitmap_setbit(struct call *c)
{
    uint64_t offset;
    int64_t bit;
    char scratch[STRING_INT_TEXT_MAX];
    struct bytes bytes;
    if (!bitmap_offset(c, 2, 0, &offset) ||
        !call_int_range(c, 3, 0, 1, &bit, "ERR bit is not an integer or out of range") ||
        !bitmap_find(c, c->argv[1], scratch, &bytes))
        return;
    size_t at = (size_t)(offset / 8);
    uint8_t old = at < bytes.size ? bytes.data[at] : 0;
    uint8_t fresh = bit != 0 ? old | mask_of(offset) : old & (uint8_t)~mask_of(offset);
    bool is_change = at >= bytes.size || fresh != old;
    if (is_change && !bitmap_write(c, c->argv[1], at, bytes_of(&fresh, 1)))
        return;
    if (is_change)
        call_notify(c, '$', "setbit", c->argv[1]);
    reply_int(&c->reply, (old & mask_of(offset)) != 0);
}

void bitmap_getbit(struct call *c)
{
    uint64_t offset;
    char scratch[STRING_INT_TEXT_MAX];
    struct bytes bytes;
    if (!bitmap_offset(c, 2, 0, &offset) || !bitmap_find(c, c->argv[1], scratch, &bytes))
        return;
    size_t at = (size_t)(offset / 8);
    reply_int(&c->reply, at < bytes.size && (bytes.data[at] & mask_of(offset)) != 0);
}

/* ---- ranges ---- */

struct range_arguments {
    int64_t start, end;
    bool has_start, has_end, is_bits;
};

/* [start [end [BYTE|BIT]]] from argument `at` on. */
static bool parse_range(struct call *c, int at, bool needs_end, struct range_arguments *range)
{
    *range = (struct range_arguments){.end = -1};
    range->has_start = at < c->argc;
    range->has_end = at + 1 < c->argc;
    if ((needs_end && range->has_start && !range->has_end) || at + 3 < c->argc) {
        call_error_syntax(c);
        return false;
    }
    if (range->has_start && !call_int(c, at, &range->start))
        return false;
    if (at + 2 < c->argc) {
        range->is_bits = call_is_word(c, at + 2, "bit");
        if (!range->is_bits && !call_is_word(c, at + 2, "byte")) {
            call_error_syntax(c);
            return false;
        }
    }
    return !range->has_end || call_int(c, at + 1, &range->end);
}

/* The bits of the range; false when it is empty. */
static bool resolve(struct bytes bytes, const struct range_arguments *range, struct bit_range *bits)
{
    int64_t total = (int64_t)(range->is_bits ? bytes.size * 8 : bytes.size);
    int64_t start = range->start, end = range->end;
    start += start < 0 ? total : 0;
    end += end < 0 ? total : 0;
    start = start < 0 ? 0 : start;
    end = end < 0 ? 0 : end >= total ? total - 1 : end;
    if (start > end || total == 0)
        return false;
    uint64_t unit = range->is_bits ? 1 : 8;
    *bits = (struct bit_range){(uint64_t)start * unit, ((uint64_t)end + 1) * unit - 1};
    return true;
}

void bitmap_bitcount(struct call *c)
{
    struct range_arguments range;
    struct bit_range bits;
    char scratch[STRING_INT_TEXT_MAX];
    struct bytes bytes;
    if (!parse_range(c, 2, true, &range) || !bitmap_find(c, c->argv[1], scratch, &bytes))
        return;
    bool is_backwards = range.start < 0 && range.end < 0 && range.start > range.end;
    reply_int(&c->reply, !is_backwards && resolve(bytes, &range, &bits)
                             ? (int64_t)bits_count_range(bytes, bits)
                             : 0);
}

/* Behind the end of a string there are zeros, unless the end was given. */
static int64_t find_bit(struct bytes bytes, bool bit, const struct range_arguments *range)
{
    struct bit_range bits;
    uint64_t position;
    if (!resolve(bytes, range, &bits))
        return -1;
    if (bits_find(bytes, bits, bit, &position))
        return (int64_t)position;
    return bit || range->has_end ? -1 : (int64_t)bits.to + 1;
}

void bitmap_bitpos(struct call *c)
{
    int64_t bit;
    struct range_arguments range;
    char scratch[STRING_INT_TEXT_MAX];
    struct bytes bytes;
    struct object *object;
    if (!call_int(c, 2, &bit))
        return;
    if (bit != 0 && bit != 1) {
        call_error(c, "ERR The bit argument must be 1 or 0.");
        return;
    }
    if (!parse_range(c, 3, false, &range) || !call_find_string(c, c->argv[1], &object))
        return;
    if (object == NULL) {
        reply_int(&c->reply, bit == 0 ? 0 : -1);
        return;
    }
    if (!bitmap_find(c, c->argv[1], scratch, &bytes))
        return;
    reply_int(&c->reply, find_bit(bytes, bit == 1, &range));
}

/* ---- BITOP ---- */

static bool parse_operation(struct call *c, enum bits_operation *operation)
{
    static const char *const WORDS[] = {"and", "or", "xor", "not"};
    for (int i = 0; i < 4; i++) {
        if (!call_is_word(c, 1, WORDS[i]))
            continue;
        *operation = (enum bits_operation)i;
        if (*operation != BITS_NOT || c->argc == 4)
            return true;
        call_error(c, "ERR BITOP NOT must be called with a single source key.");
        return false;
    }
    call_error_syntax(c);
    return false;
}

/* The sources: views, scratch memory of integers beside them. */
struct sources {
    struct bytes *bytes;
    char (*scratch)[STRING_INT_TEXT_MAX];
    size_t count, size_max;
};

static bool find_sources(struct call *c, struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        if (!bitmap_find(c, c->argv[3 + i], sources->scratch[i], &sources->bytes[i]))
            return false;
        if (sources->bytes[i].size > sources->size_max)
            sources->size_max = sources->bytes[i].size;
    }
    return true;
}

static void store_result(struct call *c, enum bits_operation operation,
                         const struct sources *sources)
{
    struct bytes key = c->argv[2];
    size_t size = sources->size_max;
    if (size == 0) {
        if (call_delete(c, key))
            call_notify(c, 'g', "del", key);
        reply_int(&c->reply, 0);
        return;
    }
    if (!call_reserve(c, key.size + size))
        return;
    uint8_t *result = mem_alloc(size);
    bits_combine(operation, sources->bytes, sources->count, result, size);
    call_set_string(c, key, bytes_of(result, size), CALL_NO_EXPIRE);
    mem_free(result);
    call_notify(c, '$', "set", key);
    reply_int(&c->reply, (int64_t)size);
}

void bitmap_bitop(struct call *c)
{
    enum bits_operation operation;
    if (!parse_operation(c, &operation))
        return;
    struct sources sources = {.count = (size_t)c->argc - 3};
    sources.bytes = mem_alloc(sources.count * sizeof(*sources.bytes));
    sources.scratch = mem_alloc(sources.count * sizeof(*sources.scratch));
    if (find_sources(c, &sources))
        store_result(c, operation, &sources);
    mem_free(sources.bytes);
    mem_free(sources.scratch);
}
