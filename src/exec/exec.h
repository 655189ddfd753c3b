/* Runs requests on shards: routes by key, loads what is cold, keeps order on a suspended shard,
 * turns changes into one open entry per shard and turn, and says which gates a reply waits at.
 *
 * The home (server/) owns the request, its arguments and the reply buffer until exec_run says DONE
 * or exec_take_done returns it. All on the loop. */
#pragma once

#include "base/list.h"
#include "codec/resp_reply.h"
#include "commands/command.h"
#include "keyspace/waiters.h"

struct call;
struct exec;
struct client;
struct run;

/* A reply may leave once the entry (shard, term, index) is committed and applied. */
struct exec_gate {
    uint32_t shard;
    uint64_t term;
    uint64_t index;
};

/* A queued command of a transaction. The home owns the memory. */
struct queued {
    const struct command *command;
    const struct bytes *argv;
    int argc;
};

/* The keys a connection watches. */
struct watch_set {
    struct list watches;
    bool is_dirty; /* one of them was touched since it was watched */
};

/* Of a request that waits for keys to change. */
struct request_block {
    struct waiter waiter;
    uint64_t deadline_us; /* boot time; UINT64_MAX: none */
    size_t deadline_at;   /* its place in the heap */
    uint32_t shard;
    bool is_waiting; /* it is registered; it may be running again, though */
    bool is_timed_out;
    struct buf state; /* what the command wants to find again */
    struct exec_gate gate;
};

/* What exec keeps with a request while it waits; the home only provides the space, zeroed. */
struct request_wait {
    struct list link;  /* in a queue of exec's */
    struct list loads; /* what it waits for */
    struct run *run;   /* its fiber, when it has begun on one */
    struct request_block block;
    uint32_t state;                 /* enum request_state of exec/internal.h */
    uint32_t confirmed_shards;      /* below it all are confirmed, of a request for all */
    uint64_t read_round, read_term; /* the quorum round that a read without a lease waits for */
    bool has_load_failed;
};

struct request {
    /* The home fills in. */
    const struct command *command;
    const struct bytes *argv;
    int argc;
    int database; /* after EXEC with SELECT inside, and after SELECT: the one that holds now */
    struct client *client;
    struct reply reply;         /* where the answer goes, appended */
    const struct queued *queue; /* EXEC: what was queued; NULL otherwise */
    int queue_count;
    struct watch_set *watches; /* EXEC: checked at the moment of execution; NULL: none */

    /* exec fills in, valid when the request is done. */
    struct exec_gate *gates; /* exec's memory, valid until the next exec_run or exec_take_done */
    int gate_count;          /* 0: the reply may leave at once */
    bool has_failed;         /* the reply is an error */
    uint64_t changes;        /* keys changed */

    struct request_wait wait;
};

enum exec_result {
    EXEC_DONE,    /* the reply stands in the buffer */
    EXEC_WAITING, /* exec keeps the request: it comes back by exec_take_done, or exec_cancel ends it
                   */
};

/* Runs one request whose command is not CMD_HOME (EXEC included). Name, arity, authentication and
 * the connection's state were checked by the home. */
enum exec_result exec_run(struct exec *exec, struct request *request);

/* The next request that waited and is now done, or NULL. */
struct request *exec_take_done(struct exec *exec);

/* The client of a waiting request is gone. True: the request is forgotten. False: its run has begun
 * and still ends (a transaction is not cut in half); request, arguments and reply buffer must stay
 * until exec_take_done returns it. */
MUST_USE bool exec_cancel(struct exec *exec, struct request *request);

/* A request that waits for a key to change, as BLPOP does. Unblocking answers it as if its time
 * were over, or with the error; false when it does not wait. The answer comes by exec_take_done. */
bool exec_is_parked(const struct request *request);
bool exec_unblock(struct exec *exec, struct request *request, const char *error);
uint64_t exec_parked_count(const struct exec *exec);

/* What a reply that waits at a gate may do. A gate of a leadership that is over opens when its
 * entry is committed after all. */
enum exec_gate_state {
    EXEC_GATE_CLOSED,   /* wait */
    EXEC_GATE_OPEN,     /* leave */
    EXEC_GATE_REPLACED, /* another leader's entry stands there: nothing happened, nor will it */
    EXEC_GATE_UNKNOWN,  /* nobody could be asked in time, or any more */
};
enum exec_gate_state exec_gate_state(const struct exec *exec, struct exec_gate gate);

static inline bool exec_gate_is_open(const struct exec *exec, struct exec_gate gate)
{
    return exec_gate_state(exec, gate) == EXEC_GATE_OPEN;
}

/* True, with MOVED as the reply, when the keys' shard is led elsewhere as far as is known. For
 * commands that a home only notes (MULTI, WATCH); exec_run answers so by itself. */
bool exec_is_elsewhere(struct exec *exec, const struct command *command, const struct bytes *argv,
                       int argc, struct reply *reply);

/* WATCH: marks set->is_dirty when the key changes from now on; a key that exists and expires
 * counts. The set is initialised with list_init. exec_unwatch empties it and clears the mark. */
void exec_watch(struct exec *exec, struct watch_set *set, int database, struct bytes key);
void exec_unwatch(struct exec *exec, struct watch_set *set);

/* Commands that exec itself implements because they span shards or wait: KEYS, SCAN, RANDOMKEY,
 * DBSIZE; FLUSHDB, FLUSHALL, SWAPDB; MIGRATE; DEBUG. Each ends with name NULL. */
extern const struct command exec_keys_commands[];
extern const struct command exec_flush_commands[];
extern const struct command exec_migrate_commands[];
extern const struct command exec_debug_commands[];

/* For rows of the container CLUSTER, with the flags of KEYS: counts and lists what a slot that is
 * led here holds; MOVED for another. */
void exec_count_keys_in_slot(struct call *c);
void exec_get_keys_in_slot(struct call *c);
