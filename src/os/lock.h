/* One process per data directory: flock on DIR/LOCK, which also tells the holder's process id.
 * The kernel drops the lock when the holder ends, however it ends. */
#pragma once

#include "base/assert.h"
#include "base/buf.h"

enum lock_err {
    LOCK_OK = 0,
    LOCK_HELD, /* another process has it; the error names its id */
    LOCK_IO,   /* the file cannot be made or locked; the error says why */
};

struct lock;

/* The directory must exist. Gives *out on LOCK_OK; else appends one line without end to error.
 * Waits up to 100 ms for a holder that is just ending. */
MUST_USE enum lock_err lock_take(const char *dir, struct lock **out, struct buf *error);

void lock_release(struct lock *lock); /* leaves the file, empty; NULL is legal */
