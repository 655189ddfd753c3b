/* BITFIELD: integers of any width at any bit of a string. */
#include "base/mem.h"
#include "base/number.h"
#include "commands/bitmap.h"
#include "commands/bitmap_commands.h"
#include "types/bits.h"

enum operation { GET, SET, INCRBY };

struct step {
    enum operation operation;
    struct bit_field field;
    enum bit_overflow overflow;
    int64_t value;
};

/* "i1" to "i64", "u1" to "u63". */
static bool parse_type(struct call *c, int at, struct bit_field *field)
{
    struct bytes text = c->argv[at];
    int64_t width;
    bool is_good = text.size > 1 && (text.data[0] == 'i' || text.data[0] == 'u') &&
                   number_parse_i64(bytes_of(text.data + 1, text.size - 1), &width);
    field->is_signed = text.size > 0 && text.data[0] == 'i';
    if (is_good && width >= 1 && width <= (field->is_signed ? 64 : 63)) {
        field->width = (uint8_t)width;
        return true;
    }
    call_error(c, "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not "
                  "supported but i64 is.");
    return false;
}

static bool parse_overflow(struct call *c, int at, enum bit_overflow *overflow)
{
    static const char *const WORDS[] = {"wrap", "sat", "fail"};
    for (int i = 0; i < 3; i++) {
        if (call_is_word(c, at, WORDS[i])) {
            *overflow = (enum bit_overflow)i;
            return true;
        }
    }
    call_error(c, "ERR Invalid OVERFLOW type specified");
    return false;
}

/* One operation at *at, which moves behind it. */
static bool parse_step(struct call *c, int *at, struct step *step)
{
    int left = c->argc - *at - 1;
    if (call_is_word(c, *at, "get") && left >= 2) {
        step->operation = GET;
    } else if (call_is_word(c, *at, "set") && left >= 3) {
        step->operation = SET;
    } else if (call_is_word(c, *at, "incrby") && left >= 3) {
        step->operation = INCRBY;
    } else {
        call_error_syntax(c);
        return false;
    }
    if (!parse_type(c, *at + 1, &step->field) ||
        !bitmap_offset(c, *at + 2, step->field.width, &step->field.offset))
        return false;
    if (step->operation != GET && !call_int(c, *at + 3, &step->value))
        return false;
    *at += step->operation == GET ? 3 : 4;
    return true;
}

/* All operations; -1 after an error. */
static int parse_steps(struct call *c, struct step *steps, bool is_read_only)
{
    enum bit_overflow overflow = BIT_WRAP;
    int count = 0;
    bool has_write = false;
    for (int at = 2; at < c->argc;) {
        if (call_is_word(c, at, "overflow") && at + 1 < c->argc) {
            if (!parse_overflow(c, at + 1, &overflow))
                return -1;
            at += 2;
            continue;
        }
        if (!parse_step(c, &at, &steps[count]))
            return -1;
        steps[count].overflow = overflow;
        has_write |= steps[count].operation != GET;
        count++;
    }
    if (!has_write || !is_read_only)
        return count;
    call_error(c, "ERR BITFIELD_RO only supports the GET subcommand");
    return -1;
}

/* Reads the bytes that a field touches; those beyond the end are 0. */
static bool read_field(struct call *c, struct bit_field field, uint8_t out[BIT_FIELD_BYTES_MAX],
                       int64_t *value)
{
    char scratch[STRING_INT_TEXT_MAX];
    struct bytes bytes;
    if (!bitmap_find(c, c->argv[1], scratch, &bytes))
        return false;
    size_t from = (size_t)(field.offset / 8), size = bit_field_bytes(field);
    memset(out, 0, BIT_FIELD_BYTES_MAX);
    if (from < bytes.size)
        memcpy(out, bytes.data + from, bytes.size - from < size ? bytes.size - from : size);
    *value = bit_field_get(bytes, field);
    return true;
}

/* False after an error. */
static bool run_step(struct call *c, const struct step *step, uint64_t *changes)
{
    uint8_t bytes[BIT_FIELD_BYTES_MAX];
    int64_t old, fresh;
    if (!read_field(c, step->field, bytes, &old))
        return false;
    if (step->operation == GET) {
        reply_int(&c->reply, old);
        return true;
    }
    bool is_set = step->operation == SET;
    if (!bit_field_add(step->field, is_set ? step->value : old, is_set ? 0 : step->value,
                       step->overflow, &fresh)) {
        reply_null(&c->reply);
        return true;
    }
    bit_field_put(bytes, step->field, fresh);
    size_t from = (size_t)(step->field.offset / 8), size = bit_field_bytes(step->field);
    if (!bitmap_write(c, c->argv[1], from, bytes_of(bytes, size)))
        return false;
    ++*changes;
    reply_int(&c->reply, is_set ? old : fresh);
    return true;
}

/* As in Redis the string reaches to the end of the furthest field that may be written, whatever
 * OVERFLOW FAIL refuses; whether there is room is seen to before anything changes. */
static bool grow(struct call *c, const struct step *steps, int count)
{
    uint64_t end = 0;
    for (int i = 0; i < count; i++) {
        uint64_t its = steps[i].field.offset / 8 + bit_field_bytes(steps[i].field);
        if (steps[i].operation != GET && its > end)
            end = its;
    }
    if (end == 0)
        return true;
    char scratch[STRING_INT_TEXT_MAX];
    struct bytes bytes;
    if (!bitmap_find(c, c->argv[1], scratch, &bytes))
        return false;
    static const uint8_t ZERO = 0;
    return bytes.size >= end || bitmap_write(c, c->argv[1], (size_t)end - 1, bytes_of(&ZERO, 1));
}

static void run(struct call *c, bool is_read_only)
{
    struct object *object;
    uint64_t changes = 0;
    struct step *steps = mem_zero((size_t)c->argc * sizeof(*steps));
    int count = parse_steps(c, steps, is_read_only);
    if (count >= 0 && call_find_string(c, c->argv[1], &object) && grow(c, steps, count)) {
        reply_array(&c->reply, (size_t)count);
        for (int i = 0; i < count && run_step(c, &steps[i], &changes);)
            i++;
        if (changes > 0)
            call_notify(c, '$', "setbit", c->argv[1]);
    }
    mem_free(steps);
}

void bitmap_bitfield(struct call *c)
{
    run(c, false);
}

void bitmap_bitfield_ro(struct call *c)
{
    run(c, true);
}

uint32_t bitmap_bitfield_key_flags(const struct bytes *argv, int argc)
{
    for (int i = 2; i < argc; i++) {
        if (bytes_is_word(argv[i], "set") || bytes_is_word(argv[i], "incrby"))
            return KEY_RW | KEY_UPDATE | KEY_ACCESS;
    }
    return KEY_RO | KEY_ACCESS;
}
