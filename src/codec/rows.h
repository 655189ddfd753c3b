/* Rows: absolute puts and deletes of LevelDB keys, as they stand inside a log entry.
 *
 *   rows  := row*
 *   row   := op:u8 key_size:le32 value_size:le32 key value        (value_size 0 in a delete)
 *   op    := 1 put | 2 put of a key that did not exist before | 3 delete
 *
 * Op 2 is op 1 for the store; the keyspace's filter counts on it. Key at most ROWS_KEY_MAX bytes.
 */
#pragma once

#include "base/assert.h"
#include "base/buf.h"

enum row_op {
    ROW_PUT = 1,
    ROW_PUT_NEW = 2,
    ROW_DELETE = 3,
};

enum {
    ROWS_HEADER_SIZE = 9,
    ROWS_KEY_MAX = 70 * 1024,
};

struct row {
    enum row_op op;
    struct bytes key;
    struct bytes value; /* empty for a delete */
};

enum rows_err {
    ROWS_OK = 0,
    ROWS_END, /* no row is left */
    ROWS_BAD, /* the bytes are not rows: truncated, unknown op, sizes out of range (L11) */
};

void rows_append(struct buf *out, enum row_op op, struct bytes key, struct bytes value);

/* Appends a put whose value of value_size bytes the caller fills in: returns where it goes (valid
 * until the buffer grows). */
uint8_t *rows_append_space(struct buf *out, enum row_op op, struct bytes key, size_t value_size);

/* Takes the first row off *rest; row borrows from it. On ROWS_END and ROWS_BAD rest is unchanged.
 */
MUST_USE enum rows_err rows_next(struct bytes *rest, struct row *row);
