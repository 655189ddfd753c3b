/* The commands between MULTI and EXEC, copied out of the query buffer into one run of memory.
 *
 *   (none) --MULTI--> open --refused command--> broken
 *   open | broken --EXEC, DISCARD, RESET, disconnect--> (none) */
#pragma once

#include "base/buf.h"
#include "exec/exec.h"

struct transaction {
    bool is_broken;   /* a command was refused while queueing: EXEC will refuse too */
    bool is_sealed;   /* args hold pointers instead of offsets */
    struct buf bytes; /* the arguments' bytes, one after another */
    struct buf args;  /* struct bytes each; until sealed, data is an offset into bytes */
    struct buf queue; /* struct queued each; until sealed, argv is unset */
    int count;
    uint32_t flags; /* enum command_flag of all that is queued */
};

struct transaction *transaction_new(void);
void transaction_free(struct transaction *transaction); /* NULL is legal */

/* Copies the arguments. A broken transaction keeps nothing: it will not run. */
void transaction_queue(struct transaction *transaction, const struct command *command,
                       const struct bytes *argv, int argc);

/* Refuses to run from now on and gives the memory back. */
void transaction_break(struct transaction *transaction);

/* The queue as exec takes it; valid until transaction_free. Nothing can be queued afterwards. Never
 * NULL, count may be 0. */
const struct queued *transaction_seal(struct transaction *transaction);

size_t transaction_memory(const struct transaction *transaction);
