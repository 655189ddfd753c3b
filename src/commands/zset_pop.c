/* ZPOPMIN, ZPOPMAX, ZMPOP and the forms that wait. */
#include "commands/collection.h"
#include "commands/zset_commands.h"
#include "types/zset.h"

static void notify_pop(struct call *c, bool is_max, struct bytes key)
{
    call_notify(c, 'z', is_max ? "zpopmax" : "zpopmin", key);
}

/* Takes `count` members off the end of a set and replies each by `reply`. The key is there. */
static void pop(struct call *c, struct bytes key, bool is_max, uint64_t count,
                void (*reply)(struct call *c, const struct zset_item *item))
{
    struct edit edit;
    struct zset_item item;
    if (!call_edit(c, key, TYPE_ZSET, &edit))
        return;
    struct zset_walk walk = zset_walk(edit.value, 0, count, is_max);
    while (zset_next(&walk, &item))
        reply(c, &item);
    zset_remove_ranks(&edit, is_max ? edit.value->count - count : 0, count);
    notify_pop(c, is_max, key);
    call_edit_end(c, key, &edit, true);
}

static void reply_flat(struct call *c, const struct zset_item *item)
{
    reply_bulk(&c->reply, item->member);
    reply_double(&c->reply, item->score);
}

static void reply_pair(struct call *c, const struct zset_item *item)
{
    reply_array(&c->reply, 2);
    reply_flat(c, item);
}

static void pop_from_one(struct call *c, bool is_max)
{
    int64_t count = 1;
    const struct value *zset;
    if (c->argc > 3) {
        call_error_syntax(c);
        return;
    }
    if ((c->argc == 3 && !call_int_range(c, 2, 0, INT64_MAX, &count,
                                         "ERR value is out of range, must be positive")) ||
        !call_find_value(c, c->argv[1], TYPE_ZSET, &zset))
        return;
    if (zset == NULL || count == 0) {
        reply_array(&c->reply, 0);
        return;
    }
    if ((uint64_t)count > zset->count)
        count = zset->count;
    bool has_pairs = c->argc == 3 && c->reply.protocol == 3;
    reply_array(&c->reply, has_pairs ? (size_t)count : 2 * (size_t)count);
    pop(c, c->argv[1], is_max, (uint64_t)count, has_pairs ? reply_pair : reply_flat);
}

void zset_zpopmin(struct call *c)
{
    pop_from_one(c, false);
}

void zset_zpopmax(struct call *c)
{
    pop_from_one(c, true);
}

/* The first of the keys that has members; false after WRONGTYPE. *at stays 0 when there is none. */
static bool first_with_members(struct call *c, int first, int count, int *at)
{
    const struct value *zset;
    *at = 0;
    for (int i = first; i < first + count && *at == 0; i++) {
        if (!call_find_value(c, c->argv[i], TYPE_ZSET, &zset))
            return false;
        if (zset != NULL)
            *at = i;
    }
    return true;
}

/* ---- the forms that wait ---- */

static void pop_or_wait(struct call *c, bool is_max)
{
    int64_t timeout_ms;
    int at;
    if (!collection_timeout(c, c->argc - 1, &timeout_ms) ||
        !first_with_members(c, 1, c->argc - 2, &at))
        return;
    if (at != 0) {
        reply_array(&c->reply, 3);
        reply_bulk(&c->reply, c->argv[at]);
        pop(c, c->argv[at], is_max, 1, reply_flat);
    } else if (!call_block(c, timeout_ms, bytes_of(NULL, 0))) {
        reply_null_array(&c->reply);
    }
}

void zset_bzpopmin(struct call *c)
{
    pop_or_wait(c, false);
}

void zset_bzpopmax(struct call *c)
{
    pop_or_wait(c, true);
}

/* ---- ZMPOP ---- */

struct zmpop {
    struct collection_mpop keys;
    bool is_max;
};

static bool parse_zmpop(struct call *c, int numkeys_at, struct zmpop *zmpop)
{
    static const char *const ENDS[] = {"min", "max"};
    int which;
    if (!collection_mpop(c, numkeys_at, ENDS, &which, &zmpop->keys))
        return false;
    zmpop->is_max = which == 1;
    return true;
}

/* False when there is nothing to pop and nothing was replied. */
static bool pop_from_first(struct call *c, const struct zmpop *zmpop)
{
    const struct value *zset;
    int at;
    if (!first_with_members(c, zmpop->keys.first, zmpop->keys.count, &at))
        return true;
    if (at == 0 || !call_find_value(c, c->argv[at], TYPE_ZSET, &zset))
        return false;
    uint64_t count = (uint64_t)zmpop->keys.elements;
    if (count > zset->count)
        count = zset->count;
    reply_array(&c->reply, 2);
    reply_bulk(&c->reply, c->argv[at]);
    reply_array(&c->reply, count);
    pop(c, c->argv[at], zmpop->is_max, count, reply_pair);
    return true;
}

void zset_zmpop(struct call *c)
{
    struct zmpop zmpop;
    if (parse_zmpop(c, 1, &zmpop) && !pop_from_first(c, &zmpop))
        reply_null_array(&c->reply);
}

void zset_bzmpop(struct call *c)
{
    struct zmpop zmpop;
    int64_t timeout_ms;
    if (!parse_zmpop(c, 2, &zmpop) || !collection_timeout(c, 1, &timeout_ms))
        return;
    if (!pop_from_first(c, &zmpop) && !call_block(c, timeout_ms, bytes_of(NULL, 0)))
        reply_null_array(&c->reply);
}
