/* Making and driving an exec: what the composition root sees beside exec.h. The phases are those of
 * a turn (node/turn.c). */
#pragma once

#include "base/log.h"
#include "base/turn_time.h"
#include "exec/exec.h"
#include "os/worker.h"
#include "shard/shard.h"
#include "types/value.h"

struct exec_limits {
    uint64_t entry_size_max;  /* entry-max */
    uint64_t string_size_max; /* proto-max-bulk-len */
    uint64_t hll_sparse_max;
    uint64_t memory_max;    /* paging budget in bytes, all shards together */
    uint64_t backlog_max;   /* unflushed bytes of a shard at which its writes wait */
    bool reads_need_quorum; /* read-lease no: a lease is not enough, each read waits for a round */
    struct type_env types;  /* thresholds of encodings; the hash seed is not used */
};

struct exec_options {
    struct shard **shards; /* borrowed for ever */
    uint32_t shard_count;
    const struct command_table *table; /* for COMMAND inside a transaction; borrowed */
    uint64_t hash_seed;                /* of the cluster */
    uint64_t seed;                     /* of choices */
    struct worker *readers;
    struct worker *freer;
    struct worker *couriers; /* speak to other servers (MIGRATE) */
    struct log *log;
    struct exec_limits limits;
};

/* Reads what LevelDB knows of databases and counts (blocking, a few rows of each shard). False:
 * rows cannot be read, error says which. */
MUST_USE bool exec_new(struct exec **out, const struct exec_options *options, struct buf *error);
void exec_free(struct exec *exec); /* no job or run is under way; NULL is legal */

/* The process ends: runs that wait in the middle never go on, and are not answered. Their requests
 * are forgotten. */
void exec_abandon_runs(struct exec *exec);

/* The process ends soon: what helpers do for runs, and could take long, is given up. */
void exec_give_up_errands(struct exec *exec);

void exec_set_limits(struct exec *exec, struct exec_limits limits);

/* Not NULL: writes get this error, as long as it is set ("MISCONF …"). Borrowed. */
void exec_refuse_writes(struct exec *exec, const char *error);

/* After the core has spoken, before anything else runs: what a lost leadership leaves behind goes
 * (L9). */
void exec_follow_leadership(struct exec *exec, struct turn_time now);

/* Changes that are not proposed yet have the shard's next index: nothing else may take it. They are
 * there between turns, too, when a run waits in the middle of them. */
bool exec_holds_entry(const struct exec *exec, uint32_t shard);

/* False: what time it is (L10) is not known, nothing is served. True at the start. */
void exec_set_time_known(struct exec *exec, bool is_known);

/* The newest entry that what was executed so far on the shard is in, the open one included; 0: it
 * is not led here. False: it was not led here since that boot time either. */
MUST_USE bool exec_newest_index(const struct exec *exec, uint32_t shard, uint64_t since_us,
                                uint64_t *index);

/* Where a shard is led when not here: "host:port" as MOVED names it, or "": nobody knows. */
void exec_set_leader(struct exec *exec, uint32_t shard, const char *address);

/* The shard's rows were replaced by an install as of index; rows: its M and N rows. */
void exec_reinstalled(struct exec *exec, uint32_t shard, uint64_t index, struct bytes rows);

void exec_begin_turn(struct exec *exec, struct turn_time now); /* after input; before exec_run */
void exec_housekeeping(struct exec *exec);                     /* expiry, filters, stranded loads */
void exec_propose(struct exec *exec);                   /* every shard closes its open entry */
void exec_apply(struct exec *exec);                     /* committed entries; gates open */
void exec_end_turn(struct exec *exec);                  /* paging, garbage */
void exec_job_done(struct exec *exec, struct job *job); /* of any of the workers */

bool exec_has_work(const struct exec *exec);   /* something is ready: do not sleep */
bool exec_is_settled(const struct exec *exec); /* nothing proposed is unapplied, no run, no load */

/* Boot time at which a request's waiting ends; UINT64_MAX: none waits with a deadline. */
uint64_t exec_next_deadline_us(const struct exec *exec);

bool exec_waits_a_turn(
    const struct exec *exec); /* a run looks again in the next turn: sleep briefly */
bool exec_wants_flush(const struct exec *exec); /* flush now, whatever waits */

/* DEBUG SET-ACTIVE-EXPIRE */
void exec_set_active_expiry(struct exec *exec, bool is_on);

struct exec_counters {
    uint64_t keyspace_hits, keyspace_misses, expired_keys;
    uint64_t loads, load_errors; /* cold keys brought back */
    uint64_t suspensions;        /* runs that waited in the middle */
    uint64_t paged_out;
    uint64_t changes; /* keys changed */
};
struct exec_counters exec_counters(const struct exec *exec);

struct exec_database_counts {
    int64_t keys, expiring, in_memory;
};
struct exec_database_counts exec_database_counts(const struct exec *exec, int database);
uint64_t exec_hot_memory(const struct exec *exec);
uint64_t exec_filter_memory(const struct exec *exec);
void exec_reset_counters(struct exec *exec);
