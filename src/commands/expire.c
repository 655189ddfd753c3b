/* Times to live: EXPIRE and its kin, TTL and its kin, PERSIST. */
#include "commands/expire_time.h"
#include "commands/generic_commands.h"

struct conditions {
    bool only_without; /* NX */
    bool only_with;    /* XX */
    bool only_later;   /* GT */
    bool only_earlier; /* LT */
};

static bool parse_condition(struct call *c, int at, struct conditions *conditions)
{
    if (call_is_word(c, at, "NX"))
        conditions->only_without = true;
    else if (call_is_word(c, at, "XX"))
        conditions->only_with = true;
    else if (call_is_word(c, at, "GT"))
        conditions->only_later = true;
    else if (call_is_word(c, at, "LT"))
        conditions->only_earlier = true;
    else {
        struct bytes word = c->argv[at];
        call_error(c, "ERR Unsupported option %.*s", (int)(word.size < 128 ? word.size : 128),
                   (const char *)word.data);
        return false;
    }
    return true;
}

static bool parse_conditions(struct call *c, struct conditions *conditions)
{
    *conditions = (struct conditions){.only_without = false};
    for (int i = 3; i < c->argc; i++) {
        if (!parse_condition(c, i, conditions))
            return false;
    }
    bool compares = conditions->only_later || conditions->only_earlier;
    if (conditions->only_without && (conditions->only_with || compares)) {
        call_error(c, "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if (conditions->only_later && conditions->only_earlier) {
        call_error(c, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    return true;
}

/* A key without expiry lives for ever: nothing is later, everything is earlier. */
static bool conditions_hold(const struct conditions *conditions, int64_t old_ms, int64_t new_ms)
{
    if (conditions->only_without && old_ms != 0)
        return false;
    if (conditions->only_with && old_ms == 0)
        return false;
    if (conditions->only_later && (old_ms == 0 || new_ms <= old_ms))
        return false;
    return !(conditions->only_earlier && old_ms != 0 && new_ms >= old_ms);
}

/* A time that is over deletes the key, and that is what the event says. */
static void change_expire(struct call *c, struct bytes key, int64_t expire_ms)
{
    bool is_over = expire_ms <= c->now_ms;
    if (is_over)
        (void)call_delete(c, key);
    else
        call_set_expire(c, key, expire_ms);
    call_notify(c, 'g', is_over ? "del" : "expire", key);
}

/* Room for the K row, which is written again with its short value. */
static bool reserve_row(struct call *c, struct bytes key)
{
    return call_reserve(c, key.size + STRING_INLINE_MAX);
}

static void set_expire(struct call *c, enum expire_unit unit, enum expire_base base)
{
    struct bytes key = c->argv[1];
    struct conditions conditions;
    int64_t expire_ms;
    if (!parse_conditions(c, &conditions) || !expire_time(c, 2, unit, base, &expire_ms))
        return;
    const struct object *object = call_find_head(c, key);
    if (object == NULL || !conditions_hold(&conditions, call_expire_ms(c, object), expire_ms)) {
        reply_int(&c->reply, 0);
        return;
    }
    if (!reserve_row(c, key))
        return;
    change_expire(c, key, expire_ms);
    reply_int(&c->reply, 1);
}

void expire_expire(struct call *c)
{
    set_expire(c, EXPIRE_SECONDS, EXPIRE_FROM_NOW);
}

void expire_pexpire(struct call *c)
{
    set_expire(c, EXPIRE_MILLISECONDS, EXPIRE_FROM_NOW);
}

void expire_expireat(struct call *c)
{
    set_expire(c, EXPIRE_SECONDS, EXPIRE_FROM_EPOCH);
}

void expire_pexpireat(struct call *c)
{
    set_expire(c, EXPIRE_MILLISECONDS, EXPIRE_FROM_EPOCH);
}

/* -2: no key, -1: no expiry; else what is left, or with EXPIRE_FROM_EPOCH when. Seconds are
 * rounded. */
static void reply_life(struct call *c, enum expire_unit unit, enum expire_base base)
{
    const struct object *object = call_find_head(c, c->argv[1]);
    int64_t expire_ms = object == NULL ? 0 : call_expire_ms(c, object);
    if (expire_ms == 0) {
        reply_int(&c->reply, object == NULL ? -2 : -1);
        return;
    }
    int64_t ms = base == EXPIRE_FROM_NOW ? expire_ms - c->now_ms : expire_ms;
    if (ms < 0)
        ms = 0;
    int64_t seconds = ms / 1000 + (ms % 1000 >= 500);
    reply_int(&c->reply, unit == EXPIRE_SECONDS ? seconds : ms);
}

void expire_ttl(struct call *c)
{
    reply_life(c, EXPIRE_SECONDS, EXPIRE_FROM_NOW);
}

void expire_pttl(struct call *c)
{
    reply_life(c, EXPIRE_MILLISECONDS, EXPIRE_FROM_NOW);
}

void expire_expiretime(struct call *c)
{
    reply_life(c, EXPIRE_SECONDS, EXPIRE_FROM_EPOCH);
}

void expire_pexpiretime(struct call *c)
{
    reply_life(c, EXPIRE_MILLISECONDS, EXPIRE_FROM_EPOCH);
}

void expire_persist(struct call *c)
{
    struct bytes key = c->argv[1];
    const struct object *object = call_find_head(c, key);
    if (object == NULL || call_expire_ms(c, object) == 0) {
        reply_int(&c->reply, 0);
        return;
    }
    if (!reserve_row(c, key))
        return;
    call_set_expire(c, key, CALL_NO_EXPIRE);
    call_notify(c, 'g', "persist", key);
    reply_int(&c->reply, 1);
}
