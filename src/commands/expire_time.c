#include "commands/expire_time.h"

static bool refuse(struct call *c)
{
    call_error(c, "ERR invalid expire time in '%s' command", c->command->name);
    return false;
}

static bool to_unix_ms(struct call *c, int64_t value, enum expire_unit unit, enum expire_base base,
                       int64_t *expire_ms)
{
    if (unit == EXPIRE_SECONDS && __builtin_mul_overflow(value, INT64_C(1000), &value))
        return refuse(c);
    if (base == EXPIRE_FROM_NOW && __builtin_add_overflow(value, c->now_ms, &value))
        return refuse(c);
    *expire_ms = value;
    return true;
}

bool expire_time(struct call *c, int position, enum expire_unit unit, enum expire_base base,
                 int64_t *expire_ms)
{
    int64_t value;
    return call_int(c, position, &value) && to_unix_ms(c, value, unit, base, expire_ms);
}

bool expire_time_positive(struct call *c, int position, enum expire_unit unit,
                          enum expire_base base, int64_t *expire_ms)
{
    int64_t value;
    if (!call_int(c, position, &value))
        return false;
    if (value <= 0)
        return refuse(c);
    return to_unix_ms(c, value, unit, base, expire_ms);
}
