/* SINTER, SUNION, SDIFF and their STORE forms; SINTERCARD. */
#include "base/mem.h"
#include "commands/call.h"
#include "commands/set_commands.h"
#include "types/set.h"

enum algebra { INTERSECTION, UNION, DIFFERENCE };

/* The sets of `count` keys; a key that is not there is NULL. */
struct inputs {
    const struct value **sets;
    int count;
    bool has_missing;
};

/* False after WRONGTYPE: every key is looked at, also behind one that is not there. */
static bool find_inputs(struct call *c, int first, int count, struct inputs *inputs)
{
    *inputs = (struct inputs){.count = count};
    inputs->sets = mem_alloc((size_t)count * sizeof(struct value *));
    for (int i = 0; i < count; i++) {
        if (!call_find_value(c, c->argv[first + i], TYPE_SET, &inputs->sets[i])) {
            mem_free(inputs->sets);
            return false;
        }
        inputs->has_missing |= inputs->sets[i] == NULL;
    }
    return true;
}

static bool is_in_all(const struct inputs *inputs, struct bytes member)
{
    for (int i = 0; i < inputs->count; i++) {
        if (!set_has(inputs->sets[i], member))
            return false;
    }
    return true;
}

static bool is_in_later(const struct inputs *inputs, struct bytes member)
{
    for (int i = 1; i < inputs->count; i++) {
        if (inputs->sets[i] != NULL && set_has(inputs->sets[i], member))
            return true;
    }
    return false;
}

static const struct value *smallest(const struct inputs *inputs)
{
    const struct value *least = inputs->sets[0];
    for (int i = 1; i < inputs->count; i++) {
        if (inputs->sets[i]->count < least->count)
            least = inputs->sets[i];
    }
    return least;
}

static void intersect(const struct inputs *inputs, struct edit *result)
{
    struct set_item item;
    if (inputs->has_missing)
        return;
    const struct value *least = smallest(inputs);
    for (uint64_t cursor = 0; set_next(least, &cursor, &item);) {
        if (is_in_all(inputs, item.member))
            (void)set_add(result, item.member);
    }
}

static void unite(const struct inputs *inputs, struct edit *result)
{
    struct set_item item;
    for (int i = 0; i < inputs->count; i++) {
        for (uint64_t cursor = 0;
             inputs->sets[i] != NULL && set_next(inputs->sets[i], &cursor, &item);)
            (void)set_add(result, item.member);
    }
}

static void subtract(const struct inputs *inputs, struct edit *result)
{
    struct set_item item;
    for (uint64_t cursor = 0;
         inputs->sets[0] != NULL && set_next(inputs->sets[0], &cursor, &item);) {
        if (!is_in_later(inputs, item.member))
            (void)set_add(result, item.member);
    }
}

/* A set that belongs to no key yet. NULL after an error reply. */
static struct value *compute(struct call *c, enum algebra algebra, int first)
{
    static void (*const DO[])(const struct inputs *, struct edit *) = {intersect, unite, subtract};
    struct inputs inputs;
    if (!find_inputs(c, first, c->argc - first, &inputs))
        return NULL;
    struct edit result = edit_detached(TYPE_SET, c->types);
    DO[algebra](&inputs, &result);
    mem_free(inputs.sets);
    return result.value;
}

static void reply_result(struct call *c, enum algebra algebra)
{
    struct value *set = compute(c, algebra, 1);
    struct set_item item;
    if (set == NULL)
        return;
    reply_set(&c->reply, set->count);
    for (uint64_t cursor = 0; set_next(set, &cursor, &item);)
        reply_bulk(&c->reply, item.member);
    value_free(set);
}

static void store_result(struct call *c, enum algebra algebra, const char *event)
{
    struct value *set = compute(c, algebra, 2);
    if (set == NULL)
        return;
    if (!call_reserve_value(c, set)) {
        value_free(set);
        return;
    }
    int64_t count = set->count;
    if (count > 0) {
        call_set_value(c, c->argv[1], set, CALL_NO_EXPIRE);
        call_notify(c, 's', event, c->argv[1]);
    } else {
        value_free(set);
        if (call_delete(c, c->argv[1]))
            call_notify(c, 'g', "del", c->argv[1]);
    }
    reply_int(&c->reply, count);
}

void set_sinter(struct call *c)
{
    reply_result(c, INTERSECTION);
}

void set_sunion(struct call *c)
{
    reply_result(c, UNION);
}

void set_sdiff(struct call *c)
{
    reply_result(c, DIFFERENCE);
}

void set_sinterstore(struct call *c)
{
    store_result(c, INTERSECTION, "sinterstore");
}

void set_sunionstore(struct call *c)
{
    store_result(c, UNION, "sunionstore");
}

void set_sdiffstore(struct call *c)
{
    store_result(c, DIFFERENCE, "sdiffstore");
}

/* ---- SINTERCARD ---- */

static bool parse_intercard(struct call *c, int64_t *key_count, int64_t *limit)
{
    *limit = 0;
    if (!call_int_range(c, 1, 1, INT64_MAX, key_count, "ERR numkeys should be greater than 0"))
        return false;
    if (*key_count > c->argc - 2) {
        call_error(c, "ERR Number of keys can't be greater than number of args");
        return false;
    }
    for (int i = 2 + (int)*key_count; i < c->argc; i += 2) {
        if (!call_is_word(c, i, "limit") || i + 1 == c->argc) {
            call_error_syntax(c);
            return false;
        }
        if (!call_int_range(c, i + 1, 0, INT64_MAX, limit, "ERR LIMIT can't be negative"))
            return false;
    }
    return true;
}

void set_sintercard(struct call *c)
{
    int64_t key_count, limit, count = 0;
    struct inputs inputs;
    struct set_item item;
    if (!parse_intercard(c, &key_count, &limit) || !find_inputs(c, 2, (int)key_count, &inputs))
        return;
    const struct value *least = inputs.has_missing ? NULL : smallest(&inputs);
    for (uint64_t cursor = 0; least != NULL && set_next(least, &cursor, &item);) {
        count += is_in_all(&inputs, item.member);
        if (limit != 0 && count == limit)
            break;
    }
    mem_free(inputs.sets);
    reply_int(&c->reply, count);
}
