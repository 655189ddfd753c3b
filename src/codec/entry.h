/* A Raft log entry: made once by the leader, then shared without copying by the log, the WAL and
 * the row buffer, which all point into its memory. Reference counts change on the loop only; a
 * helper thread borrows under a reference that the loop holds for it.
 *
 *   payload := stamp_us:le64 rows          (kind ROWS; rows as in codec/rows.h)
 *   payload :=                             (kind NOOP)
 *   payload := members                     (kind MEMBERS; codec/members.h)
 *
 * Retry identity (home, incarnation, seat, sequence, reply) travels as an ordinary S row. */
#pragma once

#include "base/bytes.h"

enum entry_kind {
    ENTRY_NOOP = 1,
    ENTRY_ROWS = 2,
    ENTRY_MEMBERS = 3,
};

enum { ENTRY_STAMP_SIZE = 8 };

struct entry {
    uint64_t index; /* set when proposed */
    uint64_t term;
    uint32_t refs;
    uint8_t kind; /* enum entry_kind; foreign values are refused when read */
    size_t size;  /* of the payload */
    uint8_t *payload;
};

/* An entry as it came from elsewhere, not kept yet. */
struct entry_view {
    uint64_t term;
    uint8_t kind; /* kind and payload are what entry_is_valid allows */
    struct bytes payload;
};

/* Takes the memory of payload (from mem_alloc, or NULL when size is 0). One reference. */
struct entry *entry_new(enum entry_kind kind, uint8_t *payload, size_t size);
struct entry *entry_retain(struct entry *entry); /* returns entry */
void entry_release(struct entry *entry);         /* frees at 0; NULL is legal */

/* Time and rows of a ROWS entry. The payload was checked when it was made or read. */
uint64_t entry_stamp_us(const struct entry *entry);
struct bytes entry_rows(const struct entry *entry);

/* True when kind and payload are what the grammar above allows, each row included. O(size). */
bool entry_is_valid(uint8_t kind, struct bytes payload);
