/* One node alone, or three that form a shard, in machines whose clocks go together, without sockets
 * and threads, and a writer at the first of them; it leads, since the others are kept unwilling, so
 * that a run is the same up to where the plan strikes. A machine that stops is started again. */
#pragma once

#include "machine.h"
#include "writer.h"

enum {
    BOX_MACHINES_MAX = 3,
    BOX_TICK_US = 10000,
};

struct box {
    int count;
    struct machine machines[BOX_MACHINES_MAX];
    bool is_wanted[BOX_MACHINES_MAX];    /* it is to be up */
    uint64_t promised[BOX_MACHINES_MAX]; /* what the leader was told that its log holds */
    uint64_t incarnation;                /* of links */
    struct writer writer;
    uint64_t ticks, stops;
    uint64_t tick_us;
    bool may_lose_rows[BOX_MACHINES_MAX]; /* its rows were taken away */
    char broken[512];                     /* what was violated; "": nothing */
};

void box_init(struct box *box, int count);
void box_fini(struct box *box); /* ends the machines */

/* tick_us for everybody: starts who is to be up, jobs, a turn each, links, the writer's replies. */
void box_tick(struct box *box);

/* Ends a machine; it is started again by the next tick when it is wanted. */
void box_crash(struct box *box, int at, enum sim_crash how);

struct shard *box_shard(const struct box *box, int at); /* NULL: it is down */
bool box_serves(const struct box *box);                 /* the first machine leads */

void box_violate(struct box *box, const char *format, ...) PRINTF_LIKE(2, 3);

/* All machines are up, have applied and flushed the same, and garbage is swept. */
bool box_is_level(const struct box *box);
/* Then: all hold the same rows. */
void box_compare(struct box *box);
