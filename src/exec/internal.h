/* Between the files of exec/. */
#pragma once

#include "base/log.h"
#include "base/prng.h"
#include "commands/call.h"
#include "exec/exec.h"
#include "exec/executor.h"
#include "exec/fiber.h"
#include "keyspace/hot.h"
#include "os/worker.h"
#include "router/router.h"
#include "shard/shard.h"

enum {
    EXEC_ENTRY_CLOSE_SIZE = 1 << 20, /* an open entry of this size closes before the turn ends */
    EXEC_TERM_RUNS = 32,             /* changes of leadership that gates may look back over */
    EXEC_ADDRESS_SIZE = 288,
};

/* Where a request stands.
 *
 *   NEW --> (done)                               most
 *   NEW --> QUEUED --> READY --> NEW             its shard is suspended, not serving, or full
 *   NEW --> LOADING --> READY --> NEW            its keys are being loaded
 *   NEW --> RUNNING --> READY --> RUNNING ...    on a fiber that waits for a load or a read
 *   NEW --> PARKED --> NEW                       it waits for a key to change (block.c) */
enum request_state {
    REQUEST_NEW = 0,
    REQUEST_QUEUED,
    REQUEST_LOADING,
    REQUEST_RUNNING,
    REQUEST_READY,
    REQUEST_PARKED,
};

struct load;

/* Entries from `first` on were applied in this term, up to the next run. */
struct term_run {
    uint64_t term;
    uint64_t first;
};

struct exec_shard {
    struct exec *exec;
    struct shard *shard;
    struct hot *hot;
    uint32_t id;
    uint64_t lead_term;             /* that hot memory works for; 0: none */
    char leader[EXEC_ADDRESS_SIZE]; /* where it is, when it is known and not here; else "" */
    uint64_t leaderless_since_us;   /* boot time; 0: a leader is known */
    uint64_t lost_at_us;            /* when the lead was lost last */
    struct term_run terms[EXEC_TERM_RUNS];
    int term_count;
    struct run *holder;     /* the run that has the shard for itself: nobody else executes */
    bool serves_woken;      /* exec_serve_woken is under way */
    bool awaits_key;        /* the holder is inside a command that has objects in its hands */
    uint32_t errand_count;  /* helpers that may be reading values of it: none is freed */
    struct list queue;      /* requests that wait for the shard */
    struct list loads;      /* under way */
    uint64_t now_us;        /* the time of the log in this turn */
    bool read_is_confirmed; /* in this turn (L9) */
    bool is_asked;          /* read_is_confirmed was decided in this turn */
    uint64_t round_seen;    /* quorum round whose end the queue was woken for */

    /* Housekeeping reads, one of each at a time. */
    struct expiry_scan *expiry;
    struct filter_scan *filter;
};

/* What a run depends on, beyond the shard it ran on: one gate a shard. */
struct exec {
    struct exec_shard *shards;
    uint32_t shard_count;
    const struct command_table *table;
    struct worker *readers;
    struct worker *freer;
    struct worker *couriers;
    struct log *log;
    struct fiber_pool *fibers;
    struct list ready;          /* requests to go on with */
    struct list finished;       /* requests that were parked, done */
    struct list parked;         /* requests that wait for keys */
    uint64_t parked_count;      /* those that were and are looked at again included */
    struct request **deadlines; /* of parked requests: a heap */
    size_t deadline_count, deadline_capacity;
    struct list runs;      /* on fibers, under way */
    struct list next_turn; /* and those that go on in the next turn */
    struct run *spanning; /* the one transaction that holds a shard and reads the others, or NULL */
    struct list
        stranded;        /* loads that could not start: LevelDB is not open, or the queue is full */
    struct list errands; /* under way, and not waited for any more */
    struct turn_time now;
    bool lacks_time; /* now.wall_us is our clock alone: no stamp may come from it (L10) */
    struct prng prng;
    struct call_env env; /* env.context is the run under way, NULL for a plain command */
    struct exec_gate *gates;
    struct exec_limits limits;
    bool expires_actively;
    bool wants_flush;    /* DEBUG RELOAD waits for everything to be in LevelDB */
    const char *refusal; /* why writes are refused now, or NULL */
    struct exec_counters counters;
};

/* A request on a fiber. */
struct run {
    struct list link; /* exec->runs */
    struct exec *exec;
    struct request *request;
    struct fiber *fiber;
    struct call call;
    struct exec_shard *shard; /* NULL: all shards */
    bool is_exclusive;        /* holds its shards until it ends */
    bool has_ended;
    bool is_cancelled;       /* a shard of it is not led any more: it ends without another change */
    struct exec_shard *lost; /* that one */
    const char *lost_text;   /* of its reply then; NULL: it has not begun, ask elsewhere */
    size_t reply_from;       /* where its reply begins in the request's buffer */
    uint64_t changes_from;   /* end of the shard's ring when it began: beyond are its changes */
    struct exec_gate *gates; /* by shard: newest entry the reply depends on; index 0: none */
};

/* One request waiting for one load. */
struct load_waiter {
    struct list in_load;
    struct list in_request;
    struct request *request;
    struct load *load;
    bool is_done;
};

/* ---- run.c: from a request to its reply ---- */
void exec_make_ready(struct exec *exec, struct request *request);

enum exec_result exec_proceed(struct exec *exec, struct request *request);

/* From inside a fiber: goes on in the next turn, for what nobody wakes it for (a flush, LevelDB
 * being opened again). */
void exec_wait_a_turn(struct run *run);
void exec_wake_queue(struct exec_shard *es);
void exec_prepare_call(struct exec_shard *es, struct call *c, struct request *request);
void exec_open_entry(struct exec_shard *es);
void exec_close_entry(struct exec_shard *es);
bool exec_shard_is_free(const struct exec_shard *es); /* led here, serving, nobody holds it */
bool exec_shard_has_news(struct exec_shard *es);      /* who waits in its queue may go on now */

/* From inside a fiber: gives way until exec_make_ready takes the request up again. */
void exec_yield(struct run *run);
/* From inside a fiber: until the load is over. False: it failed. */
MUST_USE bool exec_wait_for_load(struct run *run, struct load *load);
void exec_depend(struct run *run, const struct exec_shard *es, uint64_t index);

/* ---- leadership.c ---- */
bool exec_leads(const struct exec_shard *es);
/* Not led here, and requests need not wait to be told so. */
bool exec_knows_what_to_say(const struct exec_shard *es);
void exec_reply_elsewhere(struct exec_shard *es, int slot, struct reply *reply);
int exec_slot_of(const struct command *command, const struct bytes *argv, int argc);
void exec_note_applied(struct exec_shard *es, const struct entry *entry);

/* ---- transaction.c ---- */
enum route_result { ROUTE_ONE, ROUTE_ALL, ROUTE_CROSS_SLOT };
enum route_result exec_route(struct exec *exec, struct request *request, uint32_t *shard);
void exec_transaction_main(struct run *run);
bool exec_has_write(const struct request *request);

/* True for a transaction that reads shards beyond its own (KEYS, SCAN). */
bool exec_spans_shards(const struct exec *exec, const struct request *request);

/* Starts loads for the cold keys of the request (queued commands and watched keys included). False:
 * it waits for them. */
bool exec_load_keys(struct exec_shard *es, struct request *request);

/* ---- load.c ---- */
struct load *exec_load(struct exec_shard *es, struct keyspace *keyspace, uint64_t order,
                       struct bytes key, struct object *object, bool needs_value);
void exec_wait_for(struct load *load, struct request *request); /* load may be NULL: done already */
void exec_stop_waiting(
    struct request *request); /* it runs, or is gone: what it had loaded is unpinned */
void exec_abandon_loads(struct exec_shard *es, const struct keyspace *keyspace); /* NULL: all */
void exec_start_stranded(struct exec *exec);
bool exec_load_job_done(struct exec *exec, struct job *job);

/* ---- block.c ---- */

/* The run said call_block: the request waits for its keys, with its first place and deadline. */
enum exec_result exec_park(struct exec_shard *es, struct request *request, const struct call *c);
void exec_unpark(struct exec *exec, struct request *request); /* it is answered or gone */
void exec_serve_woken(struct exec_shard *es);                 /* not inside a run */
void exec_finish(struct exec *exec, struct request *request); /* done: comes by exec_take_done */
void exec_end_waits(struct exec *exec);                       /* whose time is over */
struct request *exec_take_finished(struct exec *exec);

/* ---- walk.c: reads of ranges from inside a fiber ---- */

struct walk_rows {
    struct buf rows; /* codec/rows.h */
    bool is_complete;
    struct buf next; /* where to go on when not complete */
};

struct walk {
    struct store_read read;
    struct run *run;
    struct exec_shard *es;
    bool is_done;
};

/* Rows [from, to) of the shard, at most rows_max, as of the moment when exec_walk_begin returns;
 * what memory knows beyond them is to be copied before exec_walk_finish, which suspends the run.
 * False: the read failed (and was logged). The result is the caller's. from and to are borrowed
 * until then. */
void exec_walk_begin(struct walk *walk, struct run *run, struct exec_shard *es, struct bytes from,
                     struct bytes to, size_t rows_max);
MUST_USE bool exec_walk_finish(struct walk *walk, struct walk_rows *result);
void walk_rows_free(struct walk_rows *result);
bool exec_walk_job_done(struct exec *exec, struct job *job);

/* ---- errand.c: work on helper threads from inside a fiber ---- */

/* Suspends the run with its shard while a thread of the worker runs aside; of hot memory it may
 * read values from HOT_GARBAGE_SIZE on. False: cancelled meanwhile, and aside is not the caller's
 * any more. */
MUST_USE bool exec_run_aside(struct run *run, struct worker *worker, struct call_aside *aside);
bool exec_errand_job_done(struct exec *exec, struct job *job);
void exec_free_errands(struct exec *exec); /* the workers are gone */

/* ---- expiry.c, filter_scan.c ---- */
void exec_step_expiry(struct exec_shard *es);
bool exec_expiry_job_done(struct exec *exec, struct job *job);
void exec_step_filter(struct exec_shard *es);
bool exec_filter_job_done(struct exec *exec, struct job *job);
void exec_expiry_free(struct exec_shard *es);
void exec_filter_free(struct exec_shard *es);
void exec_filter_restart(struct exec_shard *es); /* the rows it has read are not the shard's */

enum exec_job {
    EXEC_JOB_LOAD = 0x71,
    EXEC_JOB_WALK = 0x72,
    EXEC_JOB_EXPIRY = 0x73,
    EXEC_JOB_FILTER = 0x74,
    EXEC_JOB_FREE = 0x75,
    EXEC_JOB_ERRAND = 0x76,
};

static inline struct run *run_of(const struct call *c)
{
    return c->env->context;
}
