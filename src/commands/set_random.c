/* SPOP, SRANDMEMBER, SSCAN. */
#include "commands/collection.h"
#include "commands/set_commands.h"
#include "types/set.h"

/* ---- SPOP ---- */

/* Takes a random member out and replies it. */
static void pop_one(struct call *c, struct edit *edit, uint64_t random)
{
    struct set_item item;
    set_sample(edit->value, random, &item);
    reply_bulk(&c->reply, item.member);
    (void)set_remove(edit, item.member);
}

static void pop_single(struct call *c)
{
    const struct value *set;
    struct edit edit;
    if (!call_find_value(c, c->argv[1], TYPE_SET, &set))
        return;
    if (set == NULL) {
        reply_null(&c->reply);
        return;
    }
    if (!call_edit(c, c->argv[1], TYPE_SET, &edit))
        return;
    pop_one(c, &edit, c->random);
    call_notify(c, 's', "spop", c->argv[1]);
    call_edit_end(c, c->argv[1], &edit, true);
}

static void reply_all(struct call *c, const struct value *set)
{
    struct set_item item;
    for (uint64_t cursor = 0; set_next(set, &cursor, &item);)
        reply_bulk(&c->reply, item.member);
}

static void pop_all(struct call *c, const struct value *set)
{
    reply_set(&c->reply, set->count);
    reply_all(c, set);
    call_notify(c, 's', "spop", c->argv[1]);
    (void)call_delete(c, c->argv[1]);
    call_notify(c, 'g', "del", c->argv[1]);
}

static void pop_some(struct call *c, uint64_t count)
{
    struct edit edit;
    struct prng prng = prng_init(c->random);
    if (!call_edit(c, c->argv[1], TYPE_SET, &edit))
        return;
    reply_set(&c->reply, count);
    for (; count > 0; count--)
        pop_one(c, &edit, prng_next(&prng));
    call_notify(c, 's', "spop", c->argv[1]);
    call_edit_end(c, c->argv[1], &edit, true);
}

void set_spop(struct call *c)
{
    int64_t count;
    const struct value *set;
    if (c->argc > 3) {
        call_error_syntax(c);
        return;
    }
    if (c->argc == 2) {
        pop_single(c);
        return;
    }
    if (!call_int_range(c, 2, 0, INT64_MAX, &count,
                        "ERR value is out of range, must be positive") ||
        !call_find_value(c, c->argv[1], TYPE_SET, &set))
        return;
    if (set == NULL || count == 0)
        reply_set(&c->reply, 0);
    else if ((uint64_t)count >= set->count)
        pop_all(c, set);
    else
        pop_some(c, (uint64_t)count);
}

/* ---- SRANDMEMBER ---- */

static void reply_repeating(struct call *c, const struct value *set, uint64_t count)
{
    struct prng prng = prng_init(c->random);
    struct set_item item;
    reply_array(&c->reply, count);
    for (; count > 0; count--) {
        set_sample(set, prng_next(&prng), &item);
        reply_bulk(&c->reply, item.member);
    }
}

static void draw_distinct(struct call *c, const struct value *set, uint64_t count)
{
    struct prng prng = prng_init(c->random);
    struct seen seen;
    struct set_item item;
    seen_init(&seen, count);
    while (count > 0) {
        set_sample(set, prng_next(&prng), &item);
        if (!seen_add(&seen, item.member.data))
            continue;
        reply_bulk(&c->reply, item.member);
        count--;
    }
    seen_fini(&seen);
}

static void reply_distinct(struct call *c, const struct value *set, uint64_t count)
{
    struct set_item item;
    if (count > set->count)
        count = set->count;
    reply_array(&c->reply, count);
    if (collection_draws(set->count, count) && set_is_table(set)) {
        draw_distinct(c, set, count);
        return;
    }
    struct selection selection = {prng_init(c->random), set->count, count};
    for (uint64_t cursor = 0; set_next(set, &cursor, &item);) {
        if (selection_takes(&selection))
            reply_bulk(&c->reply, item.member);
    }
}

static void reply_one(struct call *c)
{
    const struct value *set;
    struct set_item item;
    if (!call_find_value(c, c->argv[1], TYPE_SET, &set))
        return;
    if (set == NULL) {
        reply_null(&c->reply);
        return;
    }
    set_sample(set, c->random, &item);
    reply_bulk(&c->reply, item.member);
}

void set_srandmember(struct call *c)
{
    int64_t count;
    const struct value *set;
    if (c->argc > 3) {
        call_error_syntax(c);
        return;
    }
    if (c->argc == 2) {
        reply_one(c);
        return;
    }
    if (!collection_random_count(c, 2, false, &count) ||
        !call_find_value(c, c->argv[1], TYPE_SET, &set))
        return;
    if (set == NULL || count == 0)
        reply_array(&c->reply, 0);
    else if (count < 0)
        reply_repeating(c, set, (uint64_t)-count);
    else
        reply_distinct(c, set, (uint64_t)count);
}

/* ---- SSCAN ---- */

struct set_visit {
    struct call *c;
    const struct collection_scan *scan;
    size_t count;
};

static void visit(void *context, const struct set_item *item)
{
    struct set_visit *visit = context;
    if (!collection_scan_matches(visit->scan, item->member))
        return;
    reply_bulk(&visit->c->reply, item->member);
    visit->count++;
}

void set_sscan(struct call *c)
{
    struct collection_scan scan;
    const struct value *set;
    if (!collection_scan_cursor(c, &scan) || !call_find_value(c, c->argv[1], TYPE_SET, &set))
        return;
    if (set == NULL) {
        collection_scan_empty(c);
        return;
    }
    if (!collection_scan_options(c, &scan, false))
        return;
    struct buf *home = c->reply.out;
    struct buf items = {0};
    struct set_visit each = {.c = c, .scan = &scan};
    c->reply.out = &items;
    uint64_t next = collection_scan_ends(&scan)
                        ? 0
                        : set_scan(set, scan.cursor, (uint64_t)scan.count, visit, &each);
    c->reply.out = home;
    collection_scan_reply(c, next, each.count, buf_bytes(&items));
    buf_free(&items);
}
