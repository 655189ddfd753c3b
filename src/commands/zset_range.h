/* Ranges of sorted sets as arguments give them, and as ranks. */
#pragma once

#include "commands/call.h"
#include "types/zset.h"

enum zset_range_kind { ZSET_BY_RANK, ZSET_BY_SCORE, ZSET_BY_LEX };

struct zset_range {
    enum zset_range_kind kind;
    int64_t start, stop; /* by rank: as given */
    double min, max;
    bool min_excluded, max_excluded;
    struct bytes lex_min, lex_max; /* without their first byte */
    int lex_min_end, lex_max_end;  /* -1: "-", 1: "+", 0: a text */
};

/* Parses two arguments; min_at is where the lower end stands. Replies on false. */
bool zset_range_parse(struct call *c, enum zset_range_kind kind, int min_at, int max_at,
                      struct zset_range *range);

/* The members of the range: ranks [*from, *from + count). By rank, is_reverse counts from the end
 * and the ranks are those of a reverse walk. */
uint64_t zset_range_ranks(const struct value *zset, const struct zset_range *range, bool is_reverse,
                          uint64_t *from);

/* Takes LIMIT off a range of `count` members from `from` on in the direction of the walk. */
uint64_t zset_range_limit(uint64_t count, int64_t offset, int64_t limit, uint64_t *from);

/* Sets key to the result, or deletes it when that is empty; replies how many. Takes the value. */
void zset_store(struct call *c, struct bytes key, struct value *zset, const char *event);

/* One member, with its score in a pair of its own in RESP3. */
void zset_reply_item(struct call *c, const struct zset_item *item, bool with_scores);
void zset_reply_begin(struct call *c, uint64_t count, bool with_scores);
