/* Ranges: ZRANGE and all its older forms, ZCOUNT, ZREMRANGEBY*. */
#include "commands/zset_range.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "commands/zset_commands.h"

/* ---- arguments ---- */

/* As strtod reads a text up to its first zero byte: an empty one is 0, one too large infinite. */
static bool parse_bound(struct bytes text, double *value, bool *is_excluded)
{
    *is_excluded = text.size > 0 && text.data[0] == '(';
    size_t skipped = *is_excluded ? 1 : 0, size = text.size - skipped;
    char *copy = mem_alloc(size + 1), *end;
    if (size > 0)
        memcpy(copy, text.data + skipped, size);
    copy[size] = 0;
    *value = strtod(copy, &end);
    bool is_good = *end == 0 && !isnan(*value);
    mem_free(copy);
    return is_good;
}

/* "-", "+", "[text" or "(text". */
static bool parse_lex(struct bytes text, struct bytes *rest, int *end, bool *is_excluded)
{
    if (text.size == 0)
        return false;
    *end = text.data[0] == '-' ? -1 : text.data[0] == '+' ? 1 : 0;
    *is_excluded = text.data[0] == '(';
    *rest = bytes_of(text.data + 1, text.size - 1);
    if (*end != 0)
        return text.size == 1;
    return *is_excluded || text.data[0] == '[';
}

bool zset_range_parse(struct call *c, enum zset_range_kind kind, int min_at, int max_at,
                      struct zset_range *range)
{
    *range = (struct zset_range){.kind = kind};
    switch (kind) {
    case ZSET_BY_RANK:
        return call_int(c, min_at, &range->start) && call_int(c, max_at, &range->stop);
    case ZSET_BY_SCORE:
        if (parse_bound(c->argv[min_at], &range->min, &range->min_excluded) &&
            parse_bound(c->argv[max_at], &range->max, &range->max_excluded))
            return true;
        call_error(c, "ERR min or max is not a float");
        return false;
    case ZSET_BY_LEX:
        if (parse_lex(c->argv[min_at], &range->lex_min, &range->lex_min_end,
                      &range->min_excluded) &&
            parse_lex(c->argv[max_at], &range->lex_max, &range->lex_max_end, &range->max_excluded))
            return true;
        call_error(c, "ERR min or max not valid string range item");
        return false;
    }
    UNREACHABLE();
}

/* ---- ranks ---- */

static uint64_t rank_range(uint64_t size, int64_t start, int64_t stop, uint64_t *from)
{
    int64_t count = (int64_t)size;
    start += start < 0 ? count : 0;
    stop += stop < 0 ? count : 0;
    start = start < 0 ? 0 : start;
    stop = stop >= count ? count - 1 : stop;
    *from = 0;
    if (start > stop || start >= count)
        return 0;
    *from = (uint64_t)start;
    return (uint64_t)(stop - start + 1);
}

static struct zset_bound lex_bound(double score, struct bytes text, int end, bool is_after)
{
    struct zset_bound bound = {.score = score, .which = ZSET_AT_MEMBER, .member = text};
    if (end != 0)
        bound.which = end < 0 ? ZSET_BEFORE_ALL : ZSET_AFTER_ALL;
    bound.is_after = is_after;
    return bound;
}

/* By name only makes sense among equal scores: that of the first is taken for all. */
static double common_score(const struct value *zset)
{
    struct zset_walk walk = zset_walk(zset, 0, 1, false);
    struct zset_item item;
    bool is_there = zset_next(&walk, &item);
    ASSERT(is_there);
    return item.score;
}

uint64_t zset_range_ranks(const struct value *zset, const struct zset_range *range, bool is_reverse,
                          uint64_t *from)
{
    if (range->kind == ZSET_BY_RANK)
        return rank_range(zset->count, range->start, range->stop, from);
    struct zset_bound lower, upper;
    if (range->kind == ZSET_BY_SCORE) {
        lower = (struct zset_bound){
            .score = range->min, .which = range->min_excluded ? ZSET_AFTER_ALL : ZSET_BEFORE_ALL};
        upper = (struct zset_bound){
            .score = range->max, .which = range->max_excluded ? ZSET_BEFORE_ALL : ZSET_AFTER_ALL};
    } else {
        double score = common_score(zset);
        lower = lex_bound(score, range->lex_min, range->lex_min_end, range->min_excluded);
        upper = lex_bound(score, range->lex_max, range->lex_max_end, !range->max_excluded);
    }
    uint64_t begin = zset_position(zset, &lower), end = zset_position(zset, &upper);
    if (end <= begin)
        end = begin;
    *from = is_reverse ? zset->count - end : begin;
    return end - begin;
}

uint64_t zset_range_limit(uint64_t count, int64_t offset, int64_t limit, uint64_t *from)
{
    if (offset < 0 || (uint64_t)offset >= count)
        return 0;
    *from += (uint64_t)offset;
    count -= (uint64_t)offset;
    return limit >= 0 && (uint64_t)limit < count ? (uint64_t)limit : count;
}

/* ---- replies ---- */

void zset_reply_begin(struct call *c, uint64_t count, bool with_scores)
{
    reply_array(&c->reply, with_scores && c->reply.protocol == 2 ? 2 * count : count);
}

void zset_reply_item(struct call *c, const struct zset_item *item, bool with_scores)
{
    if (with_scores && c->reply.protocol == 3)
        reply_array(&c->reply, 2);
    reply_bulk(&c->reply, item->member);
    if (with_scores)
        reply_double(&c->reply, item->score);
}

/* ---- ZRANGE ---- */

/* What a form of ZRANGE takes from its name and what from its options. */
struct form {
    enum zset_range_kind kind;
    bool takes_kind; /* BYSCORE, BYLEX, REV */
    bool is_reverse;
    bool is_store;
};

struct zrange {
    struct zset_range range;
    enum zset_range_kind kind;
    bool is_reverse, with_scores, has_limit, has_kind, has_rev;
    int64_t offset, limit;
};

/* One option at *at, which moves behind it. */
static bool parse_option(struct call *c, const struct form *form, int *at, struct zrange *zrange)
{
    if (!form->is_store && call_is_word(c, *at, "withscores")) {
        zrange->with_scores = true;
    } else if (call_is_word(c, *at, "limit") && *at + 2 < c->argc) {
        zrange->has_limit = true;
        if (!call_int(c, *at + 1, &zrange->offset) || !call_int(c, *at + 2, &zrange->limit))
            return false;
        *at += 2;
    } else if (form->takes_kind && !zrange->has_rev && call_is_word(c, *at, "rev")) {
        zrange->is_reverse = zrange->has_rev = true;
    } else if (form->takes_kind && !zrange->has_kind && call_is_word(c, *at, "bylex")) {
        zrange->kind = ZSET_BY_LEX;
        zrange->has_kind = true;
    } else if (form->takes_kind && !zrange->has_kind && call_is_word(c, *at, "byscore")) {
        zrange->kind = ZSET_BY_SCORE;
        zrange->has_kind = true;
    } else {
        call_error_syntax(c);
        return false;
    }
    *at += 1;
    return true;
}

static bool parse_zrange(struct call *c, const struct form *form, struct zrange *zrange)
{
    int first = form->is_store ? 3 : 2;
    *zrange = (struct zrange){.kind = form->kind, .is_reverse = form->is_reverse, .limit = -1};
    for (int at = first + 2; at < c->argc;) {
        if (!parse_option(c, form, &at, zrange))
            return false;
    }
    /* A limit of -1 is none, whatever the offset; so does Redis take it. */
    zrange->has_limit = zrange->has_limit && zrange->kind != ZSET_BY_RANK;
    if (zrange->limit != -1 && zrange->kind == ZSET_BY_RANK) {
        call_error(c, "ERR syntax error, LIMIT is only supported in combination with either "
                      "BYSCORE or BYLEX");
        return false;
    }
    if (zrange->with_scores && zrange->kind == ZSET_BY_LEX) {
        call_error(c, "ERR syntax error, WITHSCORES not supported in combination with BYLEX");
        return false;
    }
    bool is_swapped = zrange->is_reverse && zrange->kind != ZSET_BY_RANK;
    return zset_range_parse(c, zrange->kind, is_swapped ? first + 1 : first,
                            is_swapped ? first : first + 1, &zrange->range);
}

/* The walk over what was asked for, and its length. */
static struct zset_walk walk_of(const struct value *zset, const struct zrange *zrange)
{
    uint64_t from = 0;
    uint64_t count = zset_range_ranks(zset, &zrange->range, zrange->is_reverse, &from);
    if (zrange->has_limit)
        count = zset_range_limit(count, zrange->offset, zrange->limit, &from);
    return zset_walk(zset, count == 0 ? 0 : from, count, zrange->is_reverse);
}

static void reply_range(struct call *c, struct form form)
{
    struct zrange zrange;
    const struct value *zset;
    struct zset_item item;
    if (!parse_zrange(c, &form, &zrange) || !call_find_value(c, c->argv[1], TYPE_ZSET, &zset))
        return;
    if (zset == NULL) {
        reply_array(&c->reply, 0);
        return;
    }
    struct zset_walk walk = walk_of(zset, &zrange);
    zset_reply_begin(c, walk.left, zrange.with_scores);
    while (zset_next(&walk, &item))
        zset_reply_item(c, &item, zrange.with_scores);
}

void zset_zrange(struct call *c)
{
    reply_range(c, (struct form){.kind = ZSET_BY_RANK, .takes_kind = true});
}

void zset_zrevrange(struct call *c)
{
    reply_range(c, (struct form){.kind = ZSET_BY_RANK, .is_reverse = true});
}

void zset_zrangebyscore(struct call *c)
{
    reply_range(c, (struct form){.kind = ZSET_BY_SCORE});
}

void zset_zrevrangebyscore(struct call *c)
{
    reply_range(c, (struct form){.kind = ZSET_BY_SCORE, .is_reverse = true});
}

void zset_zrangebylex(struct call *c)
{
    reply_range(c, (struct form){.kind = ZSET_BY_LEX});
}

void zset_zrevrangebylex(struct call *c)
{
    reply_range(c, (struct form){.kind = ZSET_BY_LEX, .is_reverse = true});
}

void zset_zrangestore(struct call *c)
{
    struct form form = {.kind = ZSET_BY_RANK, .takes_kind = true, .is_store = true};
    struct zrange zrange;
    const struct value *zset;
    struct zset_item item;
    if (!parse_zrange(c, &form, &zrange) || !call_find_value(c, c->argv[2], TYPE_ZSET, &zset))
        return;
    struct edit result = edit_detached(TYPE_ZSET, c->types);
    struct zset_walk walk = {0};
    if (zset != NULL)
        walk = walk_of(zset, &zrange);
    while (zset_next(&walk, &item))
        (void)zset_put(&result, item.member, item.score);
    zset_store(c, c->argv[1], result.value, "zrangestore");
}

void zset_store(struct call *c, struct bytes key, struct value *zset, const char *event)
{
    int64_t count = zset->count;
    if (count > 0 && !call_reserve_value(c, zset)) {
        value_free(zset);
        return;
    }
    if (count > 0) {
        call_set_value(c, key, zset, CALL_NO_EXPIRE);
        call_notify(c, 'z', event, key);
    } else {
        value_free(zset);
        if (call_delete(c, key))
            call_notify(c, 'g', "del", key);
    }
    reply_int(&c->reply, count);
}

/* ---- counting and removing ---- */

static void reply_count(struct call *c, enum zset_range_kind kind)
{
    struct zset_range range;
    const struct value *zset;
    uint64_t from;
    if (zset_range_parse(c, kind, 2, 3, &range) && call_find_value(c, c->argv[1], TYPE_ZSET, &zset))
        reply_int(&c->reply,
                  zset == NULL ? 0 : (int64_t)zset_range_ranks(zset, &range, false, &from));
}

void zset_zcount(struct call *c)
{
    reply_count(c, ZSET_BY_SCORE);
}

void zset_zlexcount(struct call *c)
{
    reply_count(c, ZSET_BY_LEX);
}

static void remove_range(struct call *c, enum zset_range_kind kind, const char *event)
{
    struct zset_range range;
    struct edit edit;
    uint64_t from = 0, count = 0;
    if (!zset_range_parse(c, kind, 2, 3, &range) || !call_edit(c, c->argv[1], TYPE_ZSET, &edit))
        return;
    if (edit.value->count > 0)
        count = zset_range_ranks(edit.value, &range, false, &from);
    if (count > 0) {
        zset_remove_ranks(&edit, from, count);
        call_notify(c, 'z', event, c->argv[1]);
    }
    call_edit_end(c, c->argv[1], &edit, count > 0);
    reply_int(&c->reply, (int64_t)count);
}

void zset_zremrangebyrank(struct call *c)
{
    remove_range(c, ZSET_BY_RANK, "zremrangebyrank");
}

void zset_zremrangebyscore(struct call *c)
{
    remove_range(c, ZSET_BY_SCORE, "zremrangebyscore");
}

void zset_zremrangebylex(struct call *c)
{
    remove_range(c, ZSET_BY_LEX, "zremrangebylex");
}
