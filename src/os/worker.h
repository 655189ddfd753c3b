/* Helper threads for calls that block. A job goes in, is run on some thread of the group, and comes
 * out done; the loop is woken through an eventfd. Nothing else is shared.
 *
 * A job belongs to the worker from worker_submit until worker_take_done returns it. Jobs of a
 * group with one thread run in submission order and finish in that order.
 *
 * In a manual worker (simulator, unit tests) no thread exists: worker_run_one runs the oldest
 * waiting job on the caller's thread, so the schedule is the caller's choice. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/assert.h"

struct job {
    void (*run)(struct job *job); /* on the helper thread; touches only what the job holds */
    struct job *next;             /* the worker's */
    int kind;                     /* the submitter's: tells done jobs apart */
};

struct worker;

/* Starts `threads` threads named `name` (at most 15 characters). At most queue_max jobs wait or
 * stand done. wake_fd is an eventfd that gets 1 added whenever a job is done; -1 for none. */
struct worker *worker_new(const char *name, int threads, size_t queue_max, int wake_fd);
struct worker *worker_new_manual(size_t queue_max);

/* Waits for running and waiting jobs to end, joins the threads. Done jobs that were not taken are
 * left to their owner. NULL is legal. */
void worker_free(struct worker *worker);

/* False, and nothing changes, when queue_max jobs are inside. */
MUST_USE bool worker_submit(struct worker *worker, struct job *job);

/* The oldest done job, or NULL. Loop thread only. */
struct job *worker_take_done(struct worker *worker);

size_t
worker_inside(const struct worker *worker); /* submitted and not yet taken; loop thread only */

/* Manual workers only. worker_run_at runs the waiting job at position (0 is the oldest). */
size_t worker_waiting(const struct worker *worker);
bool worker_run_one(struct worker *worker);
bool worker_run_at(struct worker *worker, size_t position);
