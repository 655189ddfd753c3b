/* ZRANDMEMBER and ZSCAN. */
#include "base/number.h"
#include "commands/collection.h"
#include "commands/zset_commands.h"
#include "commands/zset_range.h"

static void sample(const struct value *zset, uint64_t random, struct zset_item *item)
{
    struct zset_walk walk = zset_walk(zset, random % zset->count, 1, false);
    bool is_there = zset_next(&walk, item);
    ASSERT(is_there);
}

static void reply_repeating(struct call *c, const struct value *zset, uint64_t count,
                            bool with_scores)
{
    struct prng prng = prng_init(c->random);
    struct zset_item item;
    zset_reply_begin(c, count, with_scores);
    for (; count > 0; count--) {
        sample(zset, prng_next(&prng), &item);
        zset_reply_item(c, &item, with_scores);
    }
}

static void draw_distinct(struct call *c, const struct value *zset, uint64_t count,
                          bool with_scores)
{
    struct prng prng = prng_init(c->random);
    struct seen seen;
    struct zset_item item;
    seen_init(&seen, count);
    while (count > 0) {
        sample(zset, prng_next(&prng), &item);
        if (!seen_add(&seen, item.member.data))
            continue;
        zset_reply_item(c, &item, with_scores);
        count--;
    }
    seen_fini(&seen);
}

static void reply_distinct(struct call *c, const struct value *zset, uint64_t count,
                           bool with_scores)
{
    struct zset_item item;
    if (count > zset->count)
        count = zset->count;
    zset_reply_begin(c, count, with_scores);
    if (collection_draws(zset->count, count) && !zset_is_packed(zset)) {
        draw_distinct(c, zset, count, with_scores);
        return;
    }
    struct selection selection = {prng_init(c->random), zset->count, count};
    struct zset_walk walk = zset_walk(zset, 0, zset->count, false);
    while (zset_next(&walk, &item)) {
        if (selection_takes(&selection))
            zset_reply_item(c, &item, with_scores);
    }
}

static void reply_one(struct call *c)
{
    const struct value *zset;
    struct zset_item item;
    if (!call_find_value(c, c->argv[1], TYPE_ZSET, &zset))
        return;
    if (zset == NULL) {
        reply_null(&c->reply);
        return;
    }
    sample(zset, c->random, &item);
    reply_bulk(&c->reply, item.member);
}

void zset_zrandmember(struct call *c)
{
    int64_t count;
    const struct value *zset;
    if (c->argc == 2) {
        reply_one(c);
        return;
    }
    bool with_scores = c->argc == 4 && call_is_word(c, 3, "withscores");
    if (!collection_random_count(c, 2, false, &count))
        return;
    if (c->argc > 4 || (c->argc == 4 && !with_scores)) {
        call_error_syntax(c);
        return;
    }
    if (!collection_random_count(c, 2, with_scores, &count) ||
        !call_find_value(c, c->argv[1], TYPE_ZSET, &zset))
        return;
    if (zset == NULL || count == 0)
        reply_array(&c->reply, 0);
    else if (count < 0)
        reply_repeating(c, zset, (uint64_t)-count, with_scores);
    else
        reply_distinct(c, zset, (uint64_t)count, with_scores);
}

/* ---- ZSCAN ---- */

struct zset_visit {
    struct call *c;
    const struct collection_scan *scan;
    size_t count;
};

static void visit(void *context, const struct zset_item *item)
{
    struct zset_visit *visit = context;
    char text[NUMBER_DOUBLE_SIZE_MAX];
    if (!collection_scan_matches(visit->scan, item->member))
        return;
    reply_bulk(&visit->c->reply, item->member);
    reply_bulk(&visit->c->reply, bytes_of(text, number_format_double(text, item->score)));
    visit->count += 2;
}

void zset_zscan(struct call *c)
{
    struct collection_scan scan;
    const struct value *zset;
    if (!collection_scan_cursor(c, &scan) || !call_find_value(c, c->argv[1], TYPE_ZSET, &zset))
        return;
    if (zset == NULL) {
        collection_scan_empty(c);
        return;
    }
    if (!collection_scan_options(c, &scan, false))
        return;
    struct buf *home = c->reply.out;
    struct buf items = {0};
    struct zset_visit each = {.c = c, .scan = &scan};
    c->reply.out = &items;
    uint64_t next = collection_scan_ends(&scan)
                        ? 0
                        : zset_scan(zset, scan.cursor, (uint64_t)scan.count, visit, &each);
    c->reply.out = home;
    collection_scan_reply(c, next, each.count, buf_bytes(&items));
    buf_free(&items);
}
