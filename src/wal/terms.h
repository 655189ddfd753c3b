/* The term of each index of a group's log, as runs: terms change rarely. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct wal_term_run {
    uint64_t first; /* up to the next run's first, or the last index */
    uint64_t term;
};

/* Zeroed is valid and empty. */
struct wal_terms {
    struct wal_term_run *items; /* ascending by first */
    size_t count;
    size_t capacity;
};

void wal_terms_free(struct wal_terms *terms);
void wal_terms_clear(struct wal_terms *terms);

/* From first on the term is this one; whatever was known at and above first is forgotten. */
void wal_terms_set(struct wal_terms *terms, uint64_t first, uint64_t term);

/* The term at an index at or above the first known one. O(runs), newest first. */
uint64_t wal_terms_at(const struct wal_terms *terms, uint64_t index);

/* Runs that end at or below base are forgotten. */
void wal_terms_compact(struct wal_terms *terms, uint64_t base);
