/* Elements in the order of (score, key), with their ranks: the index of a large sorted set. A
 * B+tree whose inner nodes count what is below them, so that rank, place of a rank, insertion and
 * removal are O(log n). Borrows the elements; the score is kept beside each pointer.
 *
 * Scores are no NaN; equal ones are told apart by the keys (memcmp order). */
#pragma once

#include "types/elements.h"

struct ranked;

struct ranked_entry {
    double score;
    struct element *element;
};

/* A place between entries: in front of the first that is not below (score, member). */
struct ranked_bound {
    double score;
    enum { RANKED_BEFORE_ALL, RANKED_AT_MEMBER, RANKED_AFTER_ALL } which; /* of equal score */
    struct bytes member;                                                  /* RANKED_AT_MEMBER */
    bool is_after; /* behind (score, member) itself instead */
};

struct ranked *ranked_new(void);
void ranked_free(struct ranked *ranked); /* not the elements; NULL is legal */

/* From entries in any order, which are sorted in place. O(n log n). */
struct ranked *ranked_build(struct ranked_entry *entries, size_t count);

uint64_t ranked_count(const struct ranked *ranked);
size_t ranked_memory(const struct ranked *ranked); /* O(1) */

void ranked_insert(struct ranked *ranked, struct ranked_entry entry); /* it is not there */
void ranked_remove(struct ranked *ranked, struct ranked_entry entry); /* it is there (ASSERT) */

/* How many entries stand before the bound. */
uint64_t ranked_position(const struct ranked *ranked, const struct ranked_bound *bound);

/* A walk; valid until the next change. */
struct ranked_cursor {
    const struct ranked_leaf *leaf; /* NULL: past either end */
    uint32_t at;
};

struct ranked_cursor ranked_at(const struct ranked *ranked, uint64_t rank); /* rank <= count */
struct ranked_entry ranked_get(const struct ranked_cursor *cursor);
void ranked_next(struct ranked_cursor *cursor);
void ranked_prev(struct ranked_cursor *cursor);

void ranked_check(const struct ranked *ranked); /* every invariant; O(n) */
