/* The pulse: while the loop is inside one long turn, a helper thread tells the peers that this node
 * lives and what it leads, so that one long command does not topple its leaders. It is the one
 * place where a thread shares more with the loop than a job queue: the control links, under one
 * mutex, each time for a non-blocking write.
 *
 * Who is frozen (SIGSTOP, a dead machine) sends no pulse; whose loop hangs sends none any more
 * after busy_max_us. */
#pragma once

#include <stdatomic.h>

#include "cluster/link.h"

struct pulse {
    pthread_mutex_t mutex; /* recursive; guards what follows and the links' shared part */
    struct link *links[PEERS_MAX];
    size_t link_count;
    struct buf payload; /* of a PULSE frame: what we lead as of the last turn's end */

    _Atomic uint64_t turn_us; /* boot time of the last turn */
    _Atomic uint64_t sent;
    uint64_t tick_us;
    uint64_t busy_max_us; /* 0: no pulses */

    bool has_thread;
    pthread_t thread;
    pthread_mutex_t stop_mutex;
    pthread_cond_t stop_cond;
    bool is_stopping;
};

void pulse_init(struct pulse *pulse, uint64_t tick_us, uint64_t busy_max_us, uint64_t boot_us);
MUST_USE bool pulse_start(struct pulse *pulse); /* false, with errno: no thread */
void pulse_fini(struct pulse *pulse);           /* joins the thread; no link is left */

/* From now on the link is shared, until it is taken out. */
void pulse_add(struct pulse *pulse, struct link *link);
void pulse_take_out(struct pulse *pulse, struct link *link); /* not inside: nothing */

void pulse_set_payload(struct pulse *pulse, struct bytes payload);

/* One tick: sends when the last turn is older than a tick and a half, and younger than busy_max. */
void pulse_beat(struct pulse *pulse, uint64_t boot_us);
