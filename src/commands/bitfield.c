/* BITFIELD: a list of reads and writes of integers at any bit, in one command. */
#include "base/mem.h"
#include "base/number.h"
#include "commands/bitmap_commands.h"
#include "commands/call.h"
#include "commands/string_commands.h"
#include "types/bits.h"

enum field_kind { FIELD_GET, FIELD_SET, FIELD_INCRBY };

struct field_step {
    enum field_kind kind;
    struct bit_field field;
    int64_t value; /* of SET and INCRBY */
    enum bit_overflow overflow;
};

struct field_steps {
    struct field_step *list;
    size_t count, writes;
    uint64_t size; /* that the string must have for the writes */
    enum bit_overflow overflow;
};

static bool parse_overflow(struct call *c, int position, enum bit_overflow *overflow)
{
    static const struct {
        const char *word;
        enum bit_overflow overflow;
    } words[] = {{"WRAP", BIT_WRAP}, {"SAT", BIT_SATURATE}, {"FAIL", BIT_FAIL}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!call_is_word(c, position, words[i].word))
            continue;
        *overflow = words[i].overflow;
        return true;
    }
    call_error(c, "ERR Invalid OVERFLOW type specified");
    return false;
}

static bool parse_type(struct call *c, int position, struct bit_field *field)
{
    struct bytes text = c->argv[position];
    int64_t width = 0;
    bool is_signed = text.size > 0 && text.data[0] == 'i';
    bool is_good = (is_signed || (text.size > 0 && text.data[0] == 'u')) &&
                   number_parse_i64(bytes_of(text.data + 1, text.size - 1), &width) && width >= 1 &&
                   width <= (is_signed ? 64 : 63);
    if (!is_good) {
        call_error(c, "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not "
                      "supported but i64 is.");
        return false;
    }
    *field = (struct bit_field){.width = (uint8_t)width, .is_signed = is_signed};
    return true;
}

static bool parse_arguments(struct call *c, int at, struct field_steps *steps,
                            struct field_step *step)
{
    if (!parse_type(c, at + 1, &step->field) ||
        !bitmap_offset(c, at + 2, step->field.width, &step->field.offset))
        return false;
    if (step->kind == FIELD_GET)
        return true;
    if (!call_int(c, at + 3, &step->value))
        return false;
    uint64_t size = step->field.offset / 8 + bit_field_bytes(step->field);
    steps->size = size > steps->size ? size : steps->size;
    steps->writes++;
    return true;
}

/* One operation or OVERFLOW: the position after it, or 0 after an error reply. */
static int parse_step(struct call *c, int at, struct field_steps *steps)
{
    static const struct {
        const char *word;
        enum field_kind kind;
        int arguments;
    } words[] = {{"GET", FIELD_GET, 2}, {"SET", FIELD_SET, 3}, {"INCRBY", FIELD_INCRBY, 3}};
    int left = c->argc - at - 1;
    if (call_is_word(c, at, "OVERFLOW") && left >= 1)
        return parse_overflow(c, at + 1, &steps->overflow) ? at + 2 : 0;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!call_is_word(c, at, words[i].word) || left < words[i].arguments)
            continue;
        struct field_step *step = &steps->list[steps->count];
        *step = (struct field_step){.kind = words[i].kind, .overflow = steps->overflow};
        steps->count++;
        return parse_arguments(c, at, steps, step) ? at + 1 + words[i].arguments : 0;
    }
    call_error_syntax(c);
    return 0;
}

static bool parse_steps(struct call *c, struct field_steps *steps)
{
    int at = 2;
    while (at > 0 && at < c->argc)
        at = parse_step(c, at, steps);
    return at > 0;
}

/* Every write logs a chunk or two, and never more than all of the string. */
static bool reserve(struct call *c, const struct field_steps *steps, size_t old_size)
{
    uint64_t new_size = steps->size > old_size ? steps->size : old_size;
    uint64_t written = (uint64_t)steps->writes * 2 * STRING_CHUNK_SIZE;
    return string_reserve_part(c, old_size, new_size,
                               (size_t)(written < new_size ? written : new_size));
}

/* Writes give the key its full size first, even when all of them fail to fit, as in Redis. */
static void grow(struct call *c, size_t old_size, uint64_t new_size, bool exists)
{
    static const uint8_t zero = 0;
    if (!exists)
        call_set_string(c, c->argv[1], bytes_of(NULL, 0), CALL_NO_EXPIRE);
    if (new_size > old_size)
        call_write_string(c, c->argv[1], (size_t)new_size - 1, bytes_of(&zero, 1));
}

static void write_field(struct call *c, struct bytes value, struct bit_field field, int64_t number)
{
    uint8_t bytes[BIT_FIELD_BYTES_MAX];
    size_t first = (size_t)(field.offset / 8), size = bit_field_bytes(field);
    ASSERT(first + size <= value.size);
    memcpy(bytes, value.data + first, size);
    bit_field_put(bytes, field, number);
    if (memcmp(bytes, value.data + first, size) != 0)
        call_write_string(c, c->argv[1], first, bytes_of(bytes, size));
}

static void run_step(struct call *c, const struct field_step *step)
{
    char scratch[STRING_INT_TEXT_MAX];
    const struct object *object = call_find(c, c->argv[1]);
    struct bytes value = object == NULL ? bytes_of(NULL, 0) : string_value(object, scratch);
    int64_t old = bit_field_get(value, step->field), new = old;
    bool adds = step->kind == FIELD_INCRBY;
    if (step->kind == FIELD_GET) {
        reply_int(&c->reply, old);
    } else if (!bit_field_add(step->field, adds ? old : step->value, adds ? step->value : 0,
                              step->overflow, &new)) {
        reply_null(&c->reply);
    } else {
        reply_int(&c->reply, adds ? new : old);
        if (object != NULL) /* NULL: it could not be read, and the reply becomes an error */
            write_field(c, value, step->field, new);
    }
}

static void run_steps(struct call *c, const struct field_steps *steps)
{
    struct object *object;
    if (!call_find_string(c, c->argv[1], &object))
        return;
    size_t old_size = string_size(object);
    uint64_t changes = c->changes;
    if (steps->writes > 0 && !reserve(c, steps, old_size))
        return;
    if (steps->writes > 0)
        grow(c, old_size, steps->size, object != NULL);
    reply_array(&c->reply, steps->count);
    for (size_t i = 0; i < steps->count; i++)
        run_step(c, &steps->list[i]);
    if (c->changes > changes)
        call_notify(c, '$', "setbit", c->argv[1]);
}

static void run(struct call *c, bool may_write)
{
    struct field_steps steps = {.overflow = BIT_WRAP};
    steps.list = mem_alloc((size_t)c->argc * sizeof(*steps.list));
    if (!parse_steps(c, &steps))
        ASSERT(c->has_failed);
    else if (steps.writes > 0 && !may_write)
        call_error(c, "ERR BITFIELD_RO only supports the GET subcommand");
    else
        run_steps(c, &steps);
    mem_free(steps.list);
}

void bitmap_bitfield(struct call *c)
{
    run(c, true);
}

void bitmap_bitfield_ro(struct call *c)
{
    run(c, false);
}

uint32_t bitmap_bitfield_key_flags(const struct bytes *argv, int argc)
{
    for (int i = 2; i < argc; i++) {
        if (bytes_is_word(argv[i], "GET") && i + 2 < argc)
            i += 2;
        else if (bytes_is_word(argv[i], "OVERFLOW") && i + 1 < argc)
            i++;
        else
            return KEY_RW | KEY_ACCESS | KEY_UPDATE;
    }
    return KEY_RO | KEY_ACCESS;
}
