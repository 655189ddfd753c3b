/* What the families of collections share: options of the SCAN kind, random choices, the error texts
 * of counts. */
#pragma once

#include "base/prng.h"
#include "commands/call.h"

/* HSCAN, SSCAN, ZSCAN: cursor, then [MATCH pattern] [COUNT count] from argument 3 on. */
struct collection_scan {
    uint64_t cursor;
    int64_t count;
    struct bytes pattern;
    bool has_pattern;
    bool no_values; /* HSCAN NOVALUES */
};

/* Redis looks at the cursor before the key and at the options after it. On false an error was
 * replied. */
bool collection_scan_cursor(struct call *c, struct collection_scan *scan);
bool collection_scan_options(struct call *c, struct collection_scan *scan, bool takes_no_values);
bool collection_scan_matches(const struct collection_scan *scan, struct bytes name);
/* A cursor that no collection gives: the scan is over. */
bool collection_scan_ends(const struct collection_scan *scan);

/* [cursor, [items]]; items: the replies of `count` of them. */
void collection_scan_reply(struct call *c, uint64_t next, size_t count, struct bytes items);
void collection_scan_empty(struct call *c); /* the reply of a key that is not there */

/* A count that may be negative and doubled: HRANDFIELD, ZRANDMEMBER, SRANDMEMBER. */
bool collection_random_count(struct call *c, int position, bool is_doubled, int64_t *count);

/* A timeout in seconds, rounded up to milliseconds; 0: for ever. */
bool collection_timeout(struct call *c, int position, int64_t *timeout_ms);

/* numkeys key [key ...] END [COUNT count], as LMPOP and ZMPOP have it; ends: the two words. */
struct collection_mpop {
    int first, count; /* arguments that are keys */
    int64_t elements;
};

bool collection_mpop(struct call *c, int numkeys_at, const char *const ends[2], int *which,
                     struct collection_mpop *mpop);

/* Addresses seen: choosing different elements of a large collection by drawing again. */
struct seen {
    uintptr_t *slots;
    size_t mask;
};

void seen_init(struct seen *seen, size_t count_max);
void seen_fini(struct seen *seen);
bool seen_add(struct seen *seen, const void *address); /* false: it was there */

/* Choosing `wanted` of `total` while walking over all: whether the next one is among them. */
struct selection {
    struct prng prng;
    uint64_t left, wanted;
};

bool selection_takes(struct selection *selection);

/* A draw is cheaper than a walk when few of many are wanted. */
static inline bool collection_draws(uint64_t total, uint64_t wanted)
{
    return total > 1024 && wanted < total / 4;
}
