/* ZUNION, ZINTER, ZDIFF, their STORE forms, ZINTERCARD. Sets take part with scores of 1. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/number.h"
#include "commands/zset_commands.h"
#include "commands/zset_range.h"
#include "types/set.h"

enum algebra { UNION, INTERSECTION, DIFFERENCE };
enum aggregate { SUM, LEAST, GREATEST };

struct source {
    const struct value *value; /* a set or a sorted set; NULL: no such key */
    double weight;
    int at; /* among the arguments */
};

struct algebra_call {
    enum algebra algebra;
    struct source *sources;
    int count;
    enum aggregate aggregate;
    bool with_scores;
    int64_t limit;
};

/* ---- sources ---- */

static uint64_t size_of(const struct source *source)
{
    return source->value == NULL ? 0 : source->value->count;
}

static bool score_in(const struct source *source, struct bytes member, double *score)
{
    if (source->value == NULL)
        return false;
    if (source->value->type == TYPE_ZSET)
        return zset_score(source->value, member, score);
    *score = 1;
    return set_has(source->value, member);
}

struct source_walk {
    const struct source *source;
    struct zset_walk walk;
    uint64_t cursor;
    struct zset_item item;
    struct set_item set_item;
};

static void begin_walk(struct source_walk *walk, const struct source *source)
{
    *walk = (struct source_walk){.source = source};
    if (source->value != NULL && source->value->type == TYPE_ZSET)
        walk->walk = zset_walk(source->value, 0, source->value->count, false);
}

static bool next(struct source_walk *walk, struct bytes *member, double *score)
{
    if (walk->source->value == NULL)
        return false;
    if (walk->source->value->type == TYPE_ZSET) {
        if (!zset_next(&walk->walk, &walk->item))
            return false;
        *member = walk->item.member;
        *score = walk->item.score;
        return true;
    }
    if (!set_next(walk->source->value, &walk->cursor, &walk->set_item))
        return false;
    *member = walk->set_item.member;
    *score = 1;
    return true;
}

/* ---- scores ---- */

static double weighted(const struct source *source, double score)
{
    double product = source->weight * score;
    return isnan(product) ? 0 : product; /* 0 times infinity */
}

/* b may be no number, which LEAST and GREATEST pass over. */
static double combine(enum aggregate aggregate, double a, double b)
{
    switch (aggregate) {
    case SUM:
        return isnan(a + b) ? 0 : a + b; /* infinity less infinity */
    case LEAST:
        return b < a ? b : a;
    case GREATEST:
        return b > a ? b : a;
    }
    UNREACHABLE();
}

/* ---- the algebra ---- */

static void unite(const struct algebra_call *call, struct edit *result)
{
    for (int i = 0; i < call->count; i++) {
        struct source_walk walk;
        struct bytes member;
        double score, old;
        begin_walk(&walk, &call->sources[i]);
        while (next(&walk, &member, &score)) {
            score = weighted(&call->sources[i], score);
            if (zset_score(result->value, member, &old))
                score = combine(call->aggregate, old, score);
            (void)zset_put(result, member, score);
        }
    }
}

static int compare_sources(const void *a, const void *b)
{
    const struct source *first = a, *second = b;
    uint64_t first_size = size_of(first), second_size = size_of(second);
    if (first_size != second_size)
        return first_size < second_size ? -1 : 1;
    return first->at - second->at;
}

/* Smallest first, as Redis takes them: the last digits of a sum depend on the order. */
static void sort_sources(struct algebra_call *call)
{
    qsort(call->sources, (size_t)call->count, sizeof(*call->sources), compare_sources);
}

/* False when one of them does not have the member. As in Redis, 0 times infinity counts as 0 only
 * in the first. */
static bool score_in_all(const struct algebra_call *call, struct bytes member, double *sum)
{
    for (int i = 0; i < call->count; i++) {
        double score;
        if (!score_in(&call->sources[i], member, &score))
            return false;
        *sum = i == 0 ? weighted(&call->sources[i], score)
                      : combine(call->aggregate, *sum, call->sources[i].weight * score);
    }
    return true;
}

static void intersect(const struct algebra_call *call, struct edit *result)
{
    struct source_walk walk;
    struct bytes member;
    double score, sum = 0;
    begin_walk(&walk, &call->sources[0]);
    while (next(&walk, &member, &score)) {
        if (score_in_all(call, member, &sum))
            (void)zset_put(result, member, sum);
    }
}

static void subtract(const struct algebra_call *call, struct edit *result)
{
    struct source_walk walk;
    struct bytes member;
    double score, ignored;
    begin_walk(&walk, &call->sources[0]);
    while (next(&walk, &member, &score)) {
        bool is_elsewhere = false;
        for (int i = 1; i < call->count && !is_elsewhere; i++)
            is_elsewhere = score_in(&call->sources[i], member, &ignored);
        if (!is_elsewhere)
            (void)zset_put(result, member, score);
    }
}

static struct value *compute(struct call *c, const struct algebra_call *call)
{
    struct edit result = edit_detached(TYPE_ZSET, c->types);
    switch (call->algebra) {
    case UNION:
        unite(call, &result);
        break;
    case INTERSECTION:
        intersect(call, &result);
        break;
    case DIFFERENCE:
        subtract(call, &result);
        break;
    }
    return result.value;
}

/* ---- arguments ---- */

static bool find_sources(struct call *c, int first, struct algebra_call *call)
{
    for (int i = 0; i < call->count; i++) {
        const struct object *object = call_find(c, c->argv[first + i]);
        if (object != NULL && object->type != TYPE_ZSET && object->type != TYPE_SET) {
            call_error_wrong_type(c);
            return false;
        }
        call->sources[i] = (struct source){
            .value = object == NULL ? NULL : object_pointer(object),
            .weight = 1,
            .at = i,
        };
    }
    return true;
}

static bool parse_weights(struct call *c, int at, struct algebra_call *call)
{
    for (int i = 0; i < call->count; i++) {
        if (!number_parse_double(c->argv[at + i], &call->sources[i].weight)) {
            call_error(c, "ERR weight value is not a float");
            return false;
        }
    }
    return true;
}

static bool parse_aggregate(struct call *c, int at, struct algebra_call *call)
{
    static const char *const WORDS[] = {"sum", "min", "max"};
    for (int i = 0; i < 3; i++) {
        if (call_is_word(c, at, WORDS[i])) {
            call->aggregate = (enum aggregate)i;
            return true;
        }
    }
    call_error_syntax(c);
    return false;
}

struct options {
    bool takes_weights, takes_scores, takes_limit;
};

static bool parse_options(struct call *c, int at, struct options takes, struct algebra_call *call)
{
    while (at < c->argc) {
        if (takes.takes_weights && c->argc - at >= call->count + 1 &&
            call_is_word(c, at, "weights")) {
            if (!parse_weights(c, at + 1, call))
                return false;
            at += 1 + call->count;
        } else if (takes.takes_weights && at + 1 < c->argc && call_is_word(c, at, "aggregate")) {
            if (!parse_aggregate(c, at + 1, call))
                return false;
            at += 2;
        } else if (takes.takes_scores && call_is_word(c, at, "withscores")) {
            call->with_scores = true;
            at++;
        } else if (takes.takes_limit && at + 1 < c->argc && call_is_word(c, at, "limit")) {
            if (!call_int_range(c, at + 1, 0, INT64_MAX, &call->limit,
                                "ERR LIMIT can't be negative"))
                return false;
            at += 2;
        } else {
            call_error_syntax(c);
            return false;
        }
    }
    return true;
}

/* Keys first, then options, as Redis looks at them. On true the sources are the caller's to free.
 */
static bool parse(struct call *c, int numkeys_at, struct options takes, struct algebra_call *call)
{
    int64_t count;
    if (!call_int(c, numkeys_at, &count))
        return false;
    if (count < 1) {
        call_error(c, "ERR at least 1 input key is needed for '%s' command", c->command->name);
        return false;
    }
    if (count > c->argc - numkeys_at - 1) {
        call_error_syntax(c);
        return false;
    }
    call->count = (int)count;
    call->sources = mem_alloc((size_t)count * sizeof(*call->sources));
    if (find_sources(c, numkeys_at + 1, call) &&
        parse_options(c, numkeys_at + 1 + call->count, takes, call)) {
        if (call->algebra != DIFFERENCE)
            sort_sources(call);
        return true;
    }
    mem_free(call->sources);
    return false;
}

/* ---- commands ---- */

static void reply_result(struct call *c, enum algebra algebra)
{
    struct algebra_call call = {.algebra = algebra};
    struct options takes = {.takes_weights = algebra != DIFFERENCE, .takes_scores = true};
    struct zset_item item;
    if (!parse(c, 1, takes, &call))
        return;
    struct value *result = compute(c, &call);
    mem_free(call.sources);
    struct zset_walk walk = zset_walk(result, 0, result->count, false);
    zset_reply_begin(c, result->count, call.with_scores);
    while (zset_next(&walk, &item))
        zset_reply_item(c, &item, call.with_scores);
    value_free(result);
}

static void store_result(struct call *c, enum algebra algebra, const char *event)
{
    struct algebra_call call = {.algebra = algebra};
    struct options takes = {.takes_weights = algebra != DIFFERENCE};
    if (!parse(c, 2, takes, &call))
        return;
    struct value *result = compute(c, &call);
    mem_free(call.sources);
    zset_store(c, c->argv[1], result, event);
}

void zset_zunion(struct call *c)
{
    reply_result(c, UNION);
}

void zset_zinter(struct call *c)
{
    reply_result(c, INTERSECTION);
}

void zset_zdiff(struct call *c)
{
    reply_result(c, DIFFERENCE);
}

void zset_zunionstore(struct call *c)
{
    store_result(c, UNION, "zunionstore");
}

void zset_zinterstore(struct call *c)
{
    store_result(c, INTERSECTION, "zinterstore");
}

void zset_zdiffstore(struct call *c)
{
    store_result(c, DIFFERENCE, "zdiffstore");
}

void zset_zintercard(struct call *c)
{
    struct algebra_call call = {.algebra = INTERSECTION};
    struct options takes = {.takes_limit = true};
    struct source_walk walk;
    struct bytes member;
    double score, sum;
    int64_t count = 0;
    if (!parse(c, 1, takes, &call))
        return;
    begin_walk(&walk, &call.sources[0]);
    while ((call.limit == 0 || count < call.limit) && next(&walk, &member, &score))
        count += score_in_all(&call, member, &sum);
    mem_free(call.sources);
    reply_int(&c->reply, count);
}
