/* One simulated machine with a node on it, in a build that tells of durable steps: it can be
 * stopped on either side of any of them, with what is not synced lost, kept, or torn.
 *
 * Stopping is done by taking the power away: from then on the disk and the store refuse everything,
 * and whoever drives the machine ends it (machine_crash) as soon as the job or turn under way is
 * over. So nothing that is done after the stop is kept or heard of. */
#pragma once

#include "base/prng.h"
#include "base/steps.h"
#include "config/config.h"
#include "node/internal.h"
#include "sim_disk.h"

enum strike {
    STRIKE_BEFORE, /* the machine stops before the call; what it had begun may be there */
    STRIKE_AFTER,  /* the machine stops behind the call */
    STRIKE_FAIL,   /* the first thing the call does fails, later ones succeed */
};

/* What is to happen at the passing-th time that a step is passed, from 1. */
struct plan {
    enum durable_step step;
    uint32_t passing; /* 0: nothing happens */
    enum strike strike;
    enum sim_crash crash; /* what becomes of unsynced bytes when the machine ends by it */
};

struct machine {
    uint64_t node_id;
    char dir[64]; /* of the node; on the real disk only its LOCK is there */
    struct disk *disk;
    struct kv_env *kv;
    struct config config;
    struct log log;
    struct node *node; /* NULL: it is down */
    struct turn_time now;
    struct prng prng;
    uint64_t opens;
    bool has_sockets; /* then it runs in real time */

    struct plan plan;
    struct plan scripted; /* a failure that belongs to the run, whatever the plan */
    uint32_t counts[DURABLE_STEP_COUNT];
    uint64_t began[DURABLE_STEP_COUNT]; /* what disk and store had done when it was begun last */
    bool does_something[DURABLE_STEP_COUNT]; /* with the disk or the store */
    bool has_struck;
    bool is_stopped;    /* the power is off */
    bool holds_wal;     /* the log\'s thread stands still */
    bool had_fault;     /* a call failed since it was opened: the node may fail */
    const char *broken; /* a law that was seen broken at a step; NULL: none */
    void (*on_step)(struct machine *machine, enum durable_step step, bool is_over);
    void *context; /* of on_step */
};

const char *durable_step_name(enum durable_step step);

/* cluster: the directive, "" for a node alone. */
void machine_init(struct machine *machine, uint64_t node_id, const char *cluster);
void machine_fini(struct machine *machine); /* it is down */

/* The identity of a cluster's member, as forming it would have written it. */
void machine_write_identity(struct machine *machine, const struct members *founders);

/* The steps that this thread takes from now on are this machine's; NULL: nobody's. */
void machine_enter(struct machine *machine);

/* False: it stopped, failed or refused; why is in error. Either way the driver goes on with
 * machine_crash or node_turn. */
MUST_USE bool machine_open(struct machine *machine, struct buf *error);

/* Ends the node, which may be NULL, and starts the hardware anew. Clients are gone before. */
void machine_crash(struct machine *machine, enum sim_crash how);

/* Waiting jobs, in order, until none waits or the machine stopped. */
void machine_run_jobs(struct machine *machine);

/* One turn. False: the node failed, or the machine stopped. */
MUST_USE bool machine_turn(struct machine *machine);

/* Between turns: the order of base, mark, flushed, applied, commit, last. NULL: it holds. */
const char *machine_check(const struct machine *machine);
