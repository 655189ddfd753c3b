/* Members and scores of sorted sets. */
#include "types/zset.h"

#include <math.h>

#include "base/mem.h"
#include "base/number.h"
#include "commands/call.h"
#include "commands/zset_commands.h"

static bool find_zset(struct call *c, const struct value **zset)
{
    return call_find_value(c, c->argv[1], TYPE_ZSET, zset);
}

/* ---- ZADD ---- */

struct zadd {
    bool nx, xx, gt, lt, ch, incr;
    int first; /* argument of the first score */
    int count; /* pairs */
    double *scores;
};

static bool parse_flag(const struct call *c, int at, struct zadd *zadd)
{
    const struct {
        const char *word;
        bool *flag;
    } words[] = {{"nx", &zadd->nx}, {"xx", &zadd->xx}, {"gt", &zadd->gt},
                 {"lt", &zadd->lt}, {"ch", &zadd->ch}, {"incr", &zadd->incr}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (call_is_word(c, at, words[i].word))
            return *words[i].flag = true;
    }
    return false;
}

static const char *flags_fault(const struct zadd *zadd)
{
    if (zadd->nx && zadd->xx)
        return "ERR XX and NX options at the same time are not compatible";
    if ((zadd->gt && zadd->nx) || (zadd->lt && zadd->nx) || (zadd->gt && zadd->lt))
        return "ERR GT, LT, and/or NX options at the same time are not compatible";
    if (zadd->incr && zadd->count > 1)
        return "ERR INCR option supports a single increment-element pair";
    return NULL;
}

static bool parse_zadd(struct call *c, struct zadd *zadd)
{
    zadd->first = 2;
    while (zadd->first < c->argc && parse_flag(c, zadd->first, zadd))
        zadd->first++;
    int left = c->argc - zadd->first;
    zadd->count = left / 2;
    if (left % 2 != 0 || left == 0) {
        call_error_syntax(c);
        return false;
    }
    const char *fault = flags_fault(zadd);
    if (fault != NULL) {
        call_error(c, "%s", fault);
        return false;
    }
    zadd->scores = mem_alloc((size_t)zadd->count * sizeof(double));
    for (int i = 0; i < zadd->count; i++) {
        if (!number_parse_double(c->argv[zadd->first + 2 * i], &zadd->scores[i])) {
            call_error_not_float(c);
            mem_free(zadd->scores);
            return false;
        }
    }
    return true;
}

enum outcome { NOTHING, ADDED, UPDATED, UNCHANGED, NOT_A_NUMBER };

/* One pair; *score is what the member has afterwards. */
static enum outcome add_member(struct edit *edit, const struct zadd *zadd, struct bytes member,
                               double *score)
{
    double old;
    if (!zset_score(edit->value, member, &old)) {
        if (zadd->xx)
            return NOTHING;
        (void)zset_put(edit, member, *score);
        return ADDED;
    }
    if (zadd->nx)
        return NOTHING;
    if (zadd->incr)
        *score += old;
    if (isnan(*score))
        return NOT_A_NUMBER;
    if ((zadd->gt && *score <= old) || (zadd->lt && *score >= old))
        return NOTHING;
    if (*score == old)
        return UNCHANGED;
    (void)zset_put(edit, member, *score);
    return UPDATED;
}

static void reply_incr(struct call *c, enum outcome outcome, double score)
{
    if (outcome == NOT_A_NUMBER)
        call_error(c, "ERR resulting score is not a number (NaN)");
    else if (outcome == NOTHING)
        reply_null(&c->reply);
    else
        reply_double(&c->reply, score);
}

static void add_members(struct call *c, struct zadd *zadd)
{
    struct edit edit;
    int64_t added = 0, updated = 0;
    enum outcome outcome = NOTHING;
    double score = 0;
    if (!call_edit(c, c->argv[1], TYPE_ZSET, &edit))
        return;
    for (int i = 0; i < zadd->count; i++) {
        score = zadd->scores[i];
        outcome = add_member(&edit, zadd, c->argv[zadd->first + 2 * i + 1], &score);
        added += outcome == ADDED;
        updated += outcome == UPDATED;
    }
    call_edit_end(c, c->argv[1], &edit, added + updated > 0);
    if (added + updated > 0)
        call_notify(c, 'z', zadd->incr ? "zincr" : "zadd", c->argv[1]);
    if (zadd->incr)
        reply_incr(c, outcome, score);
    else
        reply_int(&c->reply, zadd->ch ? added + updated : added);
}

void zset_zadd(struct call *c)
{
    struct zadd zadd = {0};
    if (!parse_zadd(c, &zadd))
        return;
    add_members(c, &zadd);
    mem_free(zadd.scores);
}

void zset_zincrby(struct call *c)
{
    double delta;
    struct zadd zadd = {.incr = true, .first = 2, .count = 1, .scores = &delta};
    if (number_parse_double(c->argv[2], &delta))
        add_members(c, &zadd);
    else
        call_error_not_float(c);
}

/* ---- the rest ---- */

void zset_zrem(struct call *c)
{
    struct edit edit;
    int64_t removed = 0;
    if (!call_edit(c, c->argv[1], TYPE_ZSET, &edit))
        return;
    for (int i = 2; i < c->argc && edit.value->count > 0; i++)
        removed += zset_remove(&edit, c->argv[i]);
    if (removed > 0)
        call_notify(c, 'z', "zrem", c->argv[1]);
    call_edit_end(c, c->argv[1], &edit, removed > 0);
    reply_int(&c->reply, removed);
}

void zset_zcard(struct call *c)
{
    const struct value *zset;
    if (find_zset(c, &zset))
        reply_int(&c->reply, zset == NULL ? 0 : (int64_t)zset->count);
}

static void reply_score(struct call *c, const struct value *zset, struct bytes member)
{
    double score;
    if (zset != NULL && zset_score(zset, member, &score))
        reply_double(&c->reply, score);
    else
        reply_null(&c->reply);
}

void zset_zscore(struct call *c)
{
    const struct value *zset;
    if (find_zset(c, &zset))
        reply_score(c, zset, c->argv[2]);
}

void zset_zmscore(struct call *c)
{
    const struct value *zset;
    if (!find_zset(c, &zset))
        return;
    reply_array(&c->reply, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++)
        reply_score(c, zset, c->argv[i]);
}

static void reply_rank(struct call *c, bool is_reverse)
{
    const struct value *zset;
    double score;
    bool with_score = c->argc == 4 && call_is_word(c, 3, "withscore");
    if (c->argc > 4) {
        call_error(c, "ERR wrong number of arguments for '%s' command", c->command->name);
        return;
    }
    if (c->argc == 4 && !with_score) {
        call_error_syntax(c);
        return;
    }
    if (!find_zset(c, &zset))
        return;
    if (zset == NULL || !zset_score(zset, c->argv[2], &score)) {
        if (with_score)
            reply_null_array(&c->reply);
        else
            reply_null(&c->reply);
        return;
    }
    uint64_t rank = zset_rank(zset, c->argv[2]);
    if (with_score)
        reply_array(&c->reply, 2);
    reply_int(&c->reply, (int64_t)(is_reverse ? zset->count - 1 - rank : rank));
    if (with_score)
        reply_double(&c->reply, score);
}

void zset_zrank(struct call *c)
{
    reply_rank(c, false);
}

void zset_zrevrank(struct call *c)
{
    reply_rank(c, true);
}
