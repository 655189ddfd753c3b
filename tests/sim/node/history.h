/* Everything that clients of a simulated cluster asked and were told, thing by thing, and whether
 * it is linearizable: whether each operation can have happened at one moment between its call and
 * its return, in an order in which every answer is what the model answers. An operation whose
 * outcome nobody knows may have happened at any moment after its call, or never; one that was
 * refused ("did not happen") is not in the history, and neither are reads without an answer.
 *
 * The search is that of Wing and Gong (1993) with the memory of Lowe (2017): a set of done
 * operations with the state they lead to is looked into once. */
#pragma once

#include "thing.h"

struct history_op {
    struct act act;
    struct outcome *outcome; /* NULL: not known */
    uint64_t called;         /* moments are numbered through the whole history */
    uint64_t returned;       /* UINT64_MAX: never */
    int caller;
};

struct history_thing {
    struct thing thing;
    struct history_op *ops;
    size_t count, capacity;
    int acts; /* drawn so far */
};

struct history {
    struct history_thing *things;
    size_t count, capacity;
    uint64_t moment;
    uint64_t known, refused;
    uint64_t unknown, indeterminate; /* the connection was lost; the node said so */
    uint64_t undecided;              /* things whose search became too long */
};

void history_free(struct history *history);

size_t history_new_thing(struct history *history, struct prng *prng); /* its position */

/* A call now; returns the operation's number within the thing. */
size_t history_call(struct history *history, size_t thing, int caller, const struct act *act);
void history_return(struct history *history, size_t thing, size_t op,
                    const struct outcome *outcome);
void history_refuse(struct history *history, size_t thing, size_t op); /* it did not happen */

/* Position of a thing whose history is not linearizable; SIZE_MAX: all are. */
size_t history_check(struct history *history);

void history_describe(const struct history_thing *thing, size_t op, struct buf *out);
