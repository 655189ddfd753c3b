#include "machine.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mutants.h"
#include "kv_memory.h"
#include "os/clock.h"
#include "shard/internal.h"
#include "store/store_state.h"

enum {
    WALL_START_S = 1700000000,
    SEGMENT_SIZE = 16 << 10, /* below what operators may set: segments turn over all the time */
};

int node_mutant_planted;

static _Thread_local struct machine *entered;

#define STEP_NAME(name) #name,
static const char *const step_names[] = {DURABLE_STEPS_LIST(STEP_NAME)};

const char *durable_step_name(enum durable_step step)
{
    return step_names[step];
}

/* ---- laws that are seen at the step itself ---- */

/* L2: a flush brings LevelDB to an index that the log holds synced, and never back. */
static const char *judge_flush(const struct shard *shard)
{
    const struct store *store = shard->fsm.store;
    if (store->frozen.meta.index > shard->synced_index)
        return "L2: a flush goes beyond what the log holds synced";
    if (store->frozen.meta.index < store->flushed.index)
        return "L3: a flush takes the applied index back";
    return NULL;
}

/* L3: flushed >= mark >= base, each durable before the next. */
static const char *judge_mark(const struct shard *shard)
{
    if (shard->marking.index > shard->fsm.store->flushed.index)
        return "L3: a mark goes beyond what is flushed";
    return shard->marking.index <= shard->mark.index ? "L3: a mark does not move on" : NULL;
}

static const char *judge_base(const struct shard *shard)
{
    return wal_synced(shard->wal) < shard->mark_batch
               ? "L3: the log is compacted before the mark is durable"
               : NULL;
}

static const char *judge_compaction(const struct shard *shard)
{
    return wal_synced(shard->wal) < shard->mark_batch
               ? "L3: entries leave memory before the base is durable"
               : NULL;
}

/* L5: the old generation goes only when the log's reset is durable. */
static const char *judge_reset(const struct shard *shard)
{
    return wal_synced(shard->wal) < shard->reset_batch
               ? "L5: the old generation goes before the reset is durable"
               : NULL;
}

static const char *judge(const struct shard *shard, enum durable_step step)
{
    if (step == DURABLE_STEP_flush_written)
        return judge_flush(shard);
    if (step == DURABLE_STEP_mark_put)
        return judge_mark(shard);
    if (step == DURABLE_STEP_base_put)
        return judge_base(shard);
    if (step == DURABLE_STEP_base_counted)
        return judge_compaction(shard);
    if (step == DURABLE_STEP_reset_counted)
        return judge_reset(shard);
    return NULL;
}

/* ---- the hooks ---- */

static void stop(struct machine *machine, bool keeps_write)
{
    machine->is_stopped = true;
    sim_disk_cut_power_after(machine->disk, 0);
    kv_memory_fail(machine->kv, keeps_write ? KV_MEMORY_FAULT_POWER_KEPT : KV_MEMORY_FAULT_POWER,
                   true);
}

static void fail_once(struct machine *machine, const struct plan *plan)
{
    machine->had_fault = true;
    sim_disk_fail(machine->disk, SIM_FAULT_STEP_IO, false);
    kv_memory_fail(machine->kv,
                   plan->crash == SIM_CRASH_KEEP ? KV_MEMORY_FAULT_WRITE_IO_KEPT
                                                 : KV_MEMORY_FAULT_WRITE_IO,
                   false);
}

static bool is_due(const struct machine *machine, const struct plan *plan, enum durable_step step)
{
    return plan->passing != 0 && plan->step == step && machine->counts[step] == plan->passing;
}

static void begin_step(struct machine *machine, const struct plan *plan, enum durable_step step)
{
    if (!is_due(machine, plan, step))
        return;
    machine->has_struck |= plan == &machine->plan;
    if (plan->strike == STRIKE_BEFORE)
        stop(machine, plan->crash == SIM_CRASH_KEEP);
    else if (plan->strike == STRIKE_FAIL)
        fail_once(machine, plan);
}

static void end_step(struct machine *machine, const struct plan *plan, enum durable_step step)
{
    if (!is_due(machine, plan, step) || machine->is_stopped)
        return;
    if (plan->strike == STRIKE_AFTER)
        stop(machine, false);
    if (plan->strike != STRIKE_FAIL)
        return;
    /* A step that does nothing with the disk cannot fail. */
    sim_disk_fail(machine->disk, SIM_FAULT_NONE, false);
    kv_memory_fail(machine->kv, KV_MEMORY_FAULT_NONE, false);
}

static uint64_t calls_of(const struct machine *machine)
{
    struct kv_memory_counts counts = kv_memory_counts(machine->kv);
    return sim_disk_steps(machine->disk) + counts.writes + counts.opens;
}

void durable_step_begins(enum durable_step step)
{
    struct machine *machine = entered;
    if (machine == NULL || machine->is_stopped)
        return;
    machine->counts[step]++;
    machine->began[step] = calls_of(machine);
    if (machine->node != NULL && machine->node->shard_count == 1 && machine->broken == NULL)
        machine->broken = judge(machine->node->shards[0], step);
    if (machine->on_step != NULL)
        machine->on_step(machine, step, false);
    begin_step(machine, &machine->plan, step);
    begin_step(machine, &machine->scripted, step);
}

void durable_step_ends(enum durable_step step)
{
    struct machine *machine = entered;
    if (machine == NULL || machine->is_stopped)
        return;
    if (machine->on_step != NULL)
        machine->on_step(machine, step, true);
    machine->does_something[step] |= calls_of(machine) != machine->began[step];
    end_step(machine, &machine->plan, step);
    end_step(machine, &machine->scripted, step);
}

void machine_enter(struct machine *machine)
{
    entered = machine;
}

/* ---- the machine ---- */

static void set_config(struct machine *machine, const char *cluster)
{
    char text[512];
    struct config_messages messages = {0};
    int size = snprintf(text, sizeof(text),
                        "dir %s\nnode %llu\ncluster-secret the-secret-of-the-crash-matrix\n"
                        "disk-reserve 0\nlog-tail 0\n%s%s%s",
                        machine->dir, (unsigned long long)machine->node_id,
                        cluster[0] != 0 ? "cluster " : "", cluster, cluster[0] != 0 ? "\n" : "");
    ASSERT(size > 0 && (size_t)size < sizeof(text));
    config_init(&machine->config);
    enum config_err err =
        config_load_text(&machine->config, "matrix", bytes_of_string(text), &messages);
    if (err != CONFIG_OK)
        fprintf(stderr, "%.*s\n", (int)messages.error.size, (const char *)messages.error.data);
    ASSERT(err == CONFIG_OK);
    config_messages_free(&messages);
    machine->config.shards = 1;
    machine->config.wal_segment_size = SEGMENT_SIZE;
    machine->config.flush_age_ms = 30;
}

void machine_init(struct machine *machine, uint64_t node_id, const char *cluster)
{
    *machine = (struct machine){.node_id = node_id, .prng = prng_init(node_id)};
    (void)snprintf(machine->dir, sizeof(machine->dir), "/tmp/quoin-steps-XXXXXX");
    char *made = mkdtemp(machine->dir);
    ASSERT(made != NULL);
    machine->disk = sim_disk_new();
    machine->kv = kv_memory_new();
    machine->now = (struct turn_time){.boot_us = 5000000, .wall_us = WALL_START_S * 1000000ULL};
    set_config(machine, cluster);
    bool is_logging = log_init(
        &machine->log, getenv("QUOIN_LOG") != NULL ? LOG_LEVEL_DEBUG : LOG_LEVEL_NOTHING, NULL);
    ASSERT(is_logging);
    machine->config.loglevel = (int)atomic_load(&machine->log.level);
}

static void remove_dir(const char *dir)
{
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/LOCK", dir);
    (void)remove(path);
    int removed = remove(dir);
    ASSERT(removed == 0); /* nothing but the lock was written to the real disk */
}

void machine_fini(struct machine *machine)
{
    ASSERT(machine->node == NULL);
    kv_memory_free(machine->kv);
    sim_disk_free(machine->disk);
    config_fini(&machine->config);
    log_fini(&machine->log);
    remove_dir(machine->dir);
}

void machine_write_identity(struct machine *machine, const struct members *founders)
{
    struct members copy = *founders;
    struct buf error = {0};
    struct identity identity = {
        .store_id = members_find(&copy, machine->node_id)->store_id,
        .cluster_id = 77,
        .seed = 78,
        .node_id = machine->node_id,
        .shards = 1,
        .members = *founders,
    };
    enum disk_err made = disk_make_dir(machine->disk, machine->dir);
    enum identity_err err = identity_write(machine->disk, machine->dir, &identity, &error);
    ASSERT(made == DISK_OK && err == IDENTITY_OK);
}

static struct turn_time read_clocks(void *context)
{
    struct machine *machine = context;
    if (machine->has_sockets)
        machine->now.boot_us = clock_boot_us();
    return machine->now;
}

bool machine_open(struct machine *machine, struct buf *error)
{
    struct node_options options = {
        .config = &machine->config,
        .log = &machine->log,
        .disk = machine->disk,
        .kv = machine->kv,
        .has_lock = true,
        .has_sockets = machine->has_sockets,
        .stop_fd = -1,
        .seed = machine->node_id * 1000 + machine->opens,
        .read_clocks = read_clocks,
        .clock_context = machine,
    };
    machine_enter(machine);
    machine->opens++;
    bool is_open = node_open(&machine->node, &options, error);
    machine_enter(NULL);
    return is_open && !machine->is_stopped;
}

void machine_crash(struct machine *machine, enum sim_crash how)
{
    ASSERT(entered == NULL); /* what the end of the process does is nobody's step */
    sim_disk_cut_power_after(machine->disk, 0);
    kv_memory_fail(machine->kv, KV_MEMORY_FAULT_POWER, true);
    node_close(machine->node);
    machine->node = NULL;
    sim_disk_crash(machine->disk, &machine->prng, how);
    kv_memory_crash(machine->kv);
    machine->is_stopped = false;
    machine->had_fault = false;
}

static bool run_job(struct machine *machine)
{
    struct node *node = machine->node;
    if (!machine->holds_wal && worker_run_one(node->wal_worker))
        return true;
    return worker_run_one(node->store_worker) || worker_run_one(node->readers) ||
           worker_run_one(node->freer);
}

void machine_run_jobs(struct machine *machine)
{
    machine_enter(machine);
    while (!machine->is_stopped && run_job(machine))
        continue;
    machine_enter(NULL);
}

bool machine_turn(struct machine *machine)
{
    machine_enter(machine);
    enum node_state state = node_turn(machine->node, node_poll(machine->node, false));
    machine_enter(NULL);
    return state == NODE_RUNNING && !machine->is_stopped;
}

const char *machine_check(const struct machine *machine)
{
    if (machine->broken != NULL)
        return machine->broken;
    struct shard_status s = shard_status(machine->node->shards[0]);
    /* Rows that are lost are below the mark until they are installed again (L4). */
    bool has_rows = !shard_has_lost_rows(machine->node->shards[0]);
    if (s.base > s.mark || (has_rows && s.mark > s.flushed) || s.flushed > s.applied)
        return "L3: base, mark, flushed, applied are out of order";
    if (s.applied > s.commit || s.commit > s.last)
        return "L6: applied, commit, last are out of order";
    return NULL;
}
