/* A client of a simulated cluster: asks a node for acts on shared things, several at once, follows
 * MOVED, loses patience, and writes down what it asked and was told (history.h).
 *
 * What an error says is believed: MOVED, CLUSTERDOWN, TRYAGAIN, MISCONF and EXECABORT mean that
 * nothing happened; INDETERMINATE and a lost connection leave it open. */
#pragma once

#include "thing.h"

enum { CALLER_DEPTH_MAX = 8, CALLER_THINGS_MAX = 6 };

struct caller_options {
    uint32_t send;            /* per million, each step */
    uint32_t depth_max;       /* acts under way */
    uint32_t leave, go_wrong; /* per million: hangs up; asks any node */
    uint64_t patience_us;
    uint64_t think_us_max; /* between WATCH and EXEC */
    bool only_reads;       /* nothing of its own holds up what it is told */
};

struct caller_due {
    enum { DUE_ACT, DUE_WATCH, DUE_LAST } kind;
    size_t thing, op;
    struct act act;
    int replies; /* still to come */
    bool had_error;
    uint64_t since_us;
};

struct cluster;

struct caller {
    struct cluster *cluster;
    int number;
    struct caller_options options;
    struct prng prng;
    struct client *client; /* NULL: not connected */
    int home;              /* position of the node */
    int moved_to;          /* where it was sent; -1: nowhere */
    struct buf unsent, received;
    struct caller_due due[CALLER_DEPTH_MAX];
    uint32_t due_count;

    bool holds_watch; /* WATCH and GET are answered, EXEC follows */
    size_t watch_thing;
    struct act swap;
    uint64_t thinks_until_us;

    bool is_last; /* reads everything once more */
    size_t last_thing;
    int last_step;
    uint64_t replies;
};

void caller_init(struct caller *caller, struct cluster *cluster, int number, uint64_t seed,
                 const struct caller_options *options);
void caller_fini(struct caller *caller);

void caller_step(struct caller *caller);
void caller_hang_up(struct caller *caller); /* before its node ends, too */

bool caller_is_idle(const struct caller *caller);
/* From now on it asks nothing but the last reads, of its share of the things. */
void caller_read_back(struct caller *caller);
bool caller_has_read_back(const struct caller *caller);
