/* Sorted sets: members with a score, in the order of (score, member).
 *
 * In memory: member, score pairs in order in a pack (zset-max-listpack-*); beyond that a table of
 * elements (value: the score) and an index by rank (types/ranked.h).
 *
 * Rows (store/FORMAT.md): E 0x00 member -> score:le64       the bits of the double
 *     inline := count:le16 pack                     score: an integer, or 0xff and its bits, le */
#pragma once

#include "types/value.h"

enum { ZSET_SCRATCH = 24 };

/* A member; the view is valid until the next change. */
struct zset_item {
    struct bytes member;
    double score;
    char scratch[ZSET_SCRATCH];
};

bool zset_score(const struct value *value, struct bytes member, double *score);

/* True when the member is new. The score is no NaN. */
bool zset_put(struct edit *edit, struct bytes member, double score);
bool zset_remove(struct edit *edit, struct bytes member); /* false: it was not there */

/* About so many members are going to be put into this value, which has none: makes room for them.
 */
void zset_expect(struct edit *edit, uint64_t count);

/* Removes `count` members from rank `from` on; both in range. */
void zset_remove_ranks(struct edit *edit, uint64_t from, uint64_t count);

/* How many stand before the member, which is there. */
uint64_t zset_rank(const struct value *value, struct bytes member);

/* A place in the order: in front of the first member that is not below. */
struct zset_bound {
    double score;
    enum { ZSET_BEFORE_ALL, ZSET_AT_MEMBER, ZSET_AFTER_ALL } which; /* of equal score */
    struct bytes member;                                            /* ZSET_AT_MEMBER */
    bool is_after;                                                  /* behind that member itself */
};

/* How many members stand before the bound. */
uint64_t zset_position(const struct value *value, const struct zset_bound *bound);

/* A walk by rank in either direction; valid until the next change. */
struct zset_walk {
    const struct value *value;
    const void *leaf; /* of a table */
    uint64_t at;      /* place in the leaf; position in the pack */
    uint64_t left;    /* members still to come */
    bool is_reverse;
};

/* From rank `from` (from the other end when is_reverse) `count` members: both in range. */
struct zset_walk zset_walk(const struct value *value, uint64_t from, uint64_t count,
                           bool is_reverse);
bool zset_next(struct zset_walk *walk, struct zset_item *item);

/* A step of ZSCAN: calls visit for at least `count` members; returns the next cursor, 0 at the end.
 * A small set gives all, in order. */
uint64_t zset_scan(const struct value *value, uint64_t cursor, uint64_t count,
                   void (*visit)(void *context, const struct zset_item *item), void *context);

bool zset_is_packed(const struct value *value);
