/* Two nodes that form a cluster over loopback sockets, each in a thread of its own, as they do when
 * they are started for the first time. A machine that stops meanwhile is started again. */
#pragma once

#include "machine.h"

struct forming {
    struct machine machines[2]; /* of nodes 1, which founds, and 2 */
    _Atomic int open_count;     /* of threads that are done with starting, well or not */
    char broken[256];           /* what was violated; "": nothing */
};

void forming_init(struct forming *forming);

/* Until both are open and belong to one cluster of the same two members. */
void forming_run(struct forming *forming);

void forming_fini(struct forming *forming);
