/* A compact sequence of byte strings in one allocation: small hashes, sets and sorted sets, nodes
 * of lists. Integers are kept as integers, so "1234567" takes 4 bytes and not 8. It can be walked
 * from both ends.
 *
 * A position is an offset, valid until the next change; PACK_END stands behind the last entry.
 * Functions that change take the pack and return where it is now (it may move). Sizes: an entry at
 * most PACK_ENTRY_MAX bytes of text, the whole at most PACK_SIZE_MAX (ASSERT; callers convert long
 * before). Finding by content or number is O(n), everything else O(1) plus a memmove. */
#pragma once

#include "base/assert.h"
#include "base/bytes.h"

enum {
    PACK_ENTRY_MAX = 1 << 24,
    PACK_SIZE_MAX = 1 << 30,
    PACK_INT_TEXT_MAX = 20, /* scratch for pack_get */
};

#define PACK_END UINT32_MAX

typedef uint32_t pack_position;

struct pack;

struct pack *pack_new(void);
void pack_free(struct pack *pack); /* NULL is legal */
struct pack *pack_copy(const struct pack *pack);

uint32_t pack_count(const struct pack *pack); /* entries, O(1) */
size_t pack_size(const struct pack *pack);    /* bytes of all entries as pack_bytes gives them */
size_t pack_memory(const struct pack *pack);  /* bytes really taken */

/* Bytes that an entry with this text takes. */
size_t pack_entry_size(struct bytes text);

pack_position pack_first(const struct pack *pack);                  /* PACK_END when empty */
pack_position pack_last(const struct pack *pack);                   /* PACK_END when empty */
pack_position pack_next(const struct pack *pack, pack_position at); /* PACK_END behind the last */
pack_position pack_prev(const struct pack *pack,
                        pack_position at); /* PACK_END before the first;
                                            * at may be PACK_END: the last */

/* The entry number `index`, from the nearer end; index < 0 counts from the end (-1: the last).
 * PACK_END when there is none. O(n). */
pack_position pack_at(const struct pack *pack, int64_t index);

/* The entry as text; an integer is written to scratch, which the result then borrows. */
struct bytes pack_get(const struct pack *pack, pack_position at, char *scratch);

/* True, and *value set, when the entry is kept as an integer (its text is canonical). */
bool pack_get_int(const struct pack *pack, pack_position at, int64_t *value);

bool pack_entry_equals(const struct pack *pack, pack_position at, struct bytes text);

/* The first entry from `from` on that has this text, looking at every (skip+1)-th one: skip 1 finds
 * among the fields of field-value pairs. PACK_END when there is none. O(n). */
pack_position pack_find(const struct pack *pack, pack_position from, struct bytes text,
                        uint32_t skip);

/* Before `at` (PACK_END: at the end). The text may not lie in the pack. */
MUST_USE struct pack *pack_insert(struct pack *pack, pack_position at, struct bytes text);
MUST_USE struct pack *pack_append(struct pack *pack, struct bytes text);
MUST_USE struct pack *pack_prepend(struct pack *pack, struct bytes text);
MUST_USE struct pack *pack_replace(struct pack *pack, pack_position at, struct bytes text);

/* Removes `count` entries from `at` on, fewer when the end comes first. What stood behind them then
 * stands at `at`; ask pack_here, for nothing may. */
MUST_USE struct pack *pack_remove(struct pack *pack, pack_position at, uint32_t count);

/* The position after a removal: PACK_END when no entry is left there. */
pack_position pack_here(const struct pack *pack, pack_position at);

/* Moves the entries from `at` on to a new pack, which is returned. */
MUST_USE struct pack *pack_split(struct pack **pack, pack_position at);

/* The entries as bytes, for a row; pack_from_bytes checks them whole, and copies (L11): NULL when
 * they are no pack of `count` entries. count is not part of the bytes. */
struct bytes pack_bytes(const struct pack *pack);
MUST_USE struct pack *pack_from_bytes(struct bytes bytes, uint32_t count);
