/* Counters: strings that hold an integer or a floating-point number. */
#include <math.h>

#include "base/number.h"
#include "commands/call.h"
#include "commands/string_commands.h"

static void create_number(struct call *c, struct bytes key, int64_t value)
{
    char text[NUMBER_INTEGER_SIZE_MAX];
    size_t size = number_format_i64(text, value);
    call_set_string(c, key, bytes_of(text, size), CALL_NO_EXPIRE);
}

static void add(struct call *c, int64_t delta)
{
    struct bytes key = c->argv[1];
    struct object *object;
    int64_t value = 0;
    if (!call_find_string(c, key, &object))
        return;
    if (object != NULL && !string_to_int(object, &value)) {
        call_error_not_integer(c);
        return;
    }
    if (__builtin_add_overflow(value, delta, &value)) {
        call_error(c, "ERR increment or decrement would overflow");
        return;
    }
    if (!call_reserve(c, key.size + NUMBER_INTEGER_SIZE_MAX))
        return;
    if (object != NULL)
        call_set_int(c, key, value);
    else
        create_number(c, key, value);
    call_notify(c, '$', "incrby", key);
    reply_int(&c->reply, value);
}

void string_incr(struct call *c)
{
    add(c, 1);
}

void string_decr(struct call *c)
{
    add(c, -1);
}

void string_incrby(struct call *c)
{
    int64_t delta;
    if (call_int(c, 2, &delta))
        add(c, delta);
}

void string_decrby(struct call *c)
{
    int64_t delta;
    if (!call_int(c, 2, &delta))
        return;
    if (delta == INT64_MIN)
        call_error(c, "ERR decrement would overflow");
    else
        add(c, -delta);
}

/* The number that a key holds; 0 for none. Replies on false. */
static bool stored_float(struct call *c, const struct object *object, long double *value)
{
    char scratch[STRING_INT_TEXT_MAX];
    *value = 0;
    if (object == NULL || number_parse_long_double(string_value(object, scratch), value))
        return true;
    call_error_not_float(c);
    return false;
}

void string_incrbyfloat(struct call *c)
{
    struct bytes key = c->argv[1];
    struct object *object;
    long double value, delta;
    if (!call_find_string(c, key, &object) || !stored_float(c, object, &value) ||
        !call_float(c, 2, &delta))
        return;
    value += delta;
    if (isnan(value) || isinf(value)) {
        call_error(c, "ERR increment would produce NaN or Infinity");
        return;
    }
    char text[NUMBER_LONG_DOUBLE_SIZE_MAX];
    struct bytes result = bytes_of(text, number_format_long_double(text, value));
    if (!call_reserve(c, key.size + result.size))
        return;
    call_set_string(c, key, result, CALL_KEEP_EXPIRE);
    call_notify(c, '$', "incrbyfloat", key);
    reply_bulk(&c->reply, result);
}
