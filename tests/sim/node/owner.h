/* A client that alone uses two databases, so that what they must hold is known exactly: every reply
 * is compared, and after a crash the databases must be the fold of a prefix of what it sent, shard
 * by shard, that includes what was promised to it. */
#pragma once

#include "model.h"
#include "op.h"
#include "world.h"

struct owner_options {
    int tags;
    uint32_t depth_max;   /* requests under way */
    bool is_alone;        /* may FLUSHALL */
    uint32_t weights[32]; /* of kinds of requests, see generate.c; some are 0 */
    uint32_t large;       /* per million: values of many chunks */
};

struct owner {
    struct world *world;
    struct owner_options options;
    struct prng prng;
    int number;
    struct client *client; /* NULL: not connected */
    struct buf unsent, received;

    struct model acked; /* fold of everything answered */
    struct model base;  /* before ops[0]; only under appendfsync everysec and no */
    struct op **ops;    /* answered ones (only when base is kept), then those under way */
    size_t op_count, op_capacity;
    size_t acked_count;
    size_t required;   /* of them, known to be synced */
    uint64_t serial;   /* makes values different */
    int sent_database; /* selected by what was sent */
    int watching;      /* steps of a WATCH left to send; 0: none */
    int watched;

    bool is_scanning;
    uint64_t scan_cursor;
    bool scan_seen[MODEL_KEYS_MAX];
    int64_t scan_earliest_ms;

    /* Reading everything back after a restart. */
    bool is_verifying;
    bool is_known[MODEL_DATABASES][MODEL_KEYS_MAX];
    struct verify_step {
        int database, key; /* key MODEL_NO_KEY: SELECT */
    } * steps;
    size_t step_count, step_at;
    struct model actual;
    uint64_t replies, refusals;
};

void owner_init(struct owner *owner, struct world *world, int number,
                const struct owner_options *options);
void owner_fini(struct owner *owner);

void owner_disconnect(struct owner *owner); /* before the node ends */
void owner_verify(struct owner *owner);     /* a new node: connects and begins to read back */

/* Sends more, if the draw says so. */
void owner_send(struct owner *owner);
/* Sends what the node would not take before, takes replies and judges them; their number. */
size_t owner_receive(struct owner *owner);
/* After each turn: what is under way may have been run at its time. */
void owner_note_time(struct owner *owner);
/* Everything answered so far survives anything. */
void owner_note_synced(struct owner *owner);
/* Before the node ends: what may be gone after a crash that loses (or not). */
void owner_note_crash(struct owner *owner, bool loses);

bool owner_is_idle(const struct owner *owner);                 /* nothing under way, verified */
void owner_end_with(struct owner *owner, const char *command); /* one more request */

/* generate.c: the next request, or NULL. */
struct op *owner_draw(struct owner *owner);
