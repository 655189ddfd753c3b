/* Directives of Redis 7.2 that mean nothing here. Most are accepted, with a note, so that a file
 * written for Redis can be used; those whose silent loss would be dangerous (access rules, TLS,
 * replication of another kind) are refused unless they ask for what is so anyway. */
#pragma once

#include "base/assert.h"
#include "base/bytes.h"

enum config_foreign_verdict {
    CONFIG_FOREIGN_IGNORED, /* any value is accepted */
    CONFIG_FOREIGN_ONLY,    /* only `value` is accepted */
    CONFIG_FOREIGN_REFUSED, /* no value is */
};

struct config_foreign {
    const char *name;
    const char
        *value; /* what CONFIG GET answers: the truth here, or Redis's default; NULL: nothing */
    enum config_foreign_verdict verdict;
    const char *why; /* ends "ignored: …" or "refused: …" */
};

const struct config_foreign *config_foreign_directives(size_t *count);

/* Without case. NULL when Redis 7.2 has no such directive either. */
const struct config_foreign *config_find_foreign(struct bytes name);

/* Whether a directive with these words behind it is accepted. */
MUST_USE bool config_foreign_accepts(const struct config_foreign *foreign,
                                     const struct bytes *words, size_t word_count);
