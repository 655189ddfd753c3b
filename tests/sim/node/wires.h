/* The network between simulated nodes: the bytes of each link in order, later, or never.
 *
 * A link is a connection: while it is up its bytes arrive whole and in order, however late; it
 * loses bytes only by breaking, and what was under way then is gone. Its ends learn of that at
 * different times. A cut holds bytes back in one direction, but for those that have arrived and
 * that the node has not read yet, since it stands still; when it lasts, the nodes give the link up
 * themselves. A link that broke is made anew a while later, with a new incarnation at each end, one
 * end after the other. */
#pragma once

#include "base/buf.h"
#include "base/prng.h"
#include "node/node.h"

enum { WIRES_NODES_MAX = 5 };

struct peers;

struct wires_options {
    uint64_t delay_us_max;
    uint32_t cut, cut_one_way, isolate, flap, reset; /* per million steps */
    uint32_t exile; /* isolated so long that replies are given up */
    uint64_t cut_us_max;
    uint64_t redial_us_max;
};

struct wires_segment {
    uint64_t at_us;
    size_t size;
};

/* One direction of a link. */
struct wires_pipe {
    struct buf bytes;
    struct wires_segment *segments;
    size_t count, capacity;
    uint64_t last_at_us;
    size_t arrived; /* bytes at the front that the other machine has, read or not */
};

struct wires_end {
    bool is_up;
    uint64_t change_at_us; /* goes up or down then; 0: no change is due */
    struct wires_pipe out;
};

struct wire {
    bool is_made; /* a connection exists, though an end may not know it yet */
    uint64_t redial_at_us;
    struct wires_end ends[2]; /* of the node with the smaller number, and the other */
};

struct wires {
    struct wires_options options;
    struct prng *prng;
    int count;
    struct peers *peers[WIRES_NODES_MAX]; /* NULL: no process */
    bool is_paused[WIRES_NODES_MAX];
    uint64_t now_us;
    uint64_t incarnation;
    bool is_quiet;                                           /* no new faults */
    uint64_t cut_until_us[WIRES_NODES_MAX][WIRES_NODES_MAX]; /* from, to */
    struct wire wires[WIRES_NODES_MAX][WIRES_NODES_MAX][4];  /* [a][b], a < b */
    int target; /* a node that faults prefer: one that leads; -1: none */
    uint64_t breaks, cuts;
};

void wires_fini(struct wires *wires);

/* A process began (with its links down) or is gone, with what it had not sent. */
void wires_set(struct wires *wires, int node, struct peers *peers);

/* Time passes: faults are drawn, links break and are made. */
void wires_step(struct wires *wires, uint64_t now_us);

/* Nothing gets to the node or away from it for so long. */
void wires_isolate(struct wires *wires, int node, uint64_t us);

void wires_deliver(struct wires *wires, int node); /* before its turn: what arrived */
void wires_collect(struct wires *wires, int node); /* after its turn: what it sent */

void wires_calm(struct wires *wires); /* no fault from now on, and cuts end */
