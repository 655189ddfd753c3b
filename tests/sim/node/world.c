#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "exec/internal.h"
#include "kv_memory.h"
#include "node/internal.h"
#include "sim_disk.h"

enum {
    MILLION = 1000000,
    CLOCK_JUMP_US_HOURS = 1,
    OPEN_DEATHS_MAX = 20,
    WALL_START_S = 1700000000,
};

/* ---- telling ---- */

void world_violation(struct world *world, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("not ok - sim_node --seed %llu: node %d turn %llu: ", (unsigned long long)world->seed,
           world->number, (unsigned long long)world->turns);
    (void)vprintf(format, args);
    printf("\n");
    va_end(args);
    (void)fflush(stdout);
    exit(1);
}

void world_trace(const struct world *world, const char *format, ...)
{
    if (!world->is_traced)
        return;
    va_list args;
    va_start(args, format);
    if (world->number == 0)
        printf("# %6llu ", (unsigned long long)world->turns);
    else
        printf("# %9.3f node %d ", (double)world->now.boot_us / 1e6, world->number);
    (void)vprintf(format, args);
    printf("\n");
    va_end(args);
}

/* ---- drawing ---- */

/* A rate: off as often as not, otherwise of any order of magnitude up to max. */
static uint32_t draw_rate(struct prng *prng, uint32_t max)
{
    if (prng_chance(prng, MILLION / 2))
        return 0;
    return max >> prng_below(prng, 6);
}

static uint64_t draw_of(struct prng *prng, const uint64_t *choices, size_t count)
{
    return choices[prng_below(prng, count)];
}

struct world_options world_draw_options(struct prng *prng)
{
    static const uint64_t shards[] = {1, 1, 1, 2, 4, 64};
    static const uint64_t fsyncs[] = {CONFIG_FSYNC_ALWAYS, CONFIG_FSYNC_ALWAYS, CONFIG_FSYNC_ALWAYS,
                                      CONFIG_FSYNC_EVERYSEC, CONFIG_FSYNC_NO};
    static const uint64_t segments[] = {64 << 10, 128 << 10, 1 << 20, 8 << 20};
    static const uint64_t memories[] = {1, 1, 20000, 100000, 1000000, 0};
    static const uint64_t ages[] = {1, 5, 50, 500, 10000};
    static const uint64_t turns_us[] = {50, 500, 2000, 20000};
    static const uint64_t jobs[] = {1000000, 1000000, 700000, 300000, 100000};
    return (struct world_options){
        .shards = (uint32_t)draw_of(prng, shards, COUNT_OF(shards)),
        .appendfsync = (int)draw_of(prng, fsyncs, COUNT_OF(fsyncs)),
        .segment_size = draw_of(prng, segments, COUNT_OF(segments)),
        .maxmemory = draw_of(prng, memories, COUNT_OF(memories)),
        .flush_age_ms = (int64_t)draw_of(prng, ages, COUNT_OF(ages)),
        .crash = draw_rate(prng, 10000),
        .kill = draw_rate(prng, 10000),
        .crash_after_reply = draw_rate(prng, 20000),
        .die_in_open = draw_rate(prng, MILLION / 2),
        .kv_write = draw_rate(prng, 20000),
        .kv_read = draw_rate(prng, 10000),
        .kv_open = draw_rate(prng, 20000),
        .disk_full = draw_rate(prng, 3000),
        .wal_fault = draw_rate(prng, 3000),
        .slow = draw_rate(prng, 10000),
        .clock_jump = draw_rate(prng, 10000),
        .long_pause = draw_rate(prng, 5000),
        .job_chance = (uint32_t)draw_of(prng, jobs, COUNT_OF(jobs)),
        .check = draw_rate(prng, 200000),
        .turn_us_max = draw_of(prng, turns_us, COUNT_OF(turns_us)),
        .clock_jump_us_max = 3600ULL * 1000000 * CLOCK_JUMP_US_HOURS,
    };
}

/* ---- the machine ---- */

/* How members reach each other is of no importance here, but each must be named alike. */
static void name_cluster(const struct world *world, struct buf *text)
{
    buf_printf(text, "node %d\ncluster-secret simulated\ncluster ", world->number);
    for (uint32_t i = 0; i < world->members.count; i++)
        buf_printf(text, "%s%llu=%s:%u", i > 0 ? "," : "",
                   (unsigned long long)world->members.at[i].node, world->members.at[i].host,
                   world->members.at[i].port);
    buf_append_string(text, "\n");
}

static void set_config(struct world *world)
{
    struct config *config = &world->config;
    config_init(config);
    static const char text[] = "dir " WORLD_DIR "\nenable-debug-command yes\ndisk-reserve 0\n";
    struct config_messages messages = {0};
    struct buf lines = {0};
    buf_append_string(&lines, text);
    if (world->number != 0)
        name_cluster(world, &lines);
    if (config_load_text(config, "simulator", buf_bytes(&lines), &messages) != CONFIG_OK)
        world_violation(world, "configuration: %.*s", (int)messages.error.size,
                        (const char *)messages.error.data);
    config_messages_free(&messages);
    buf_free(&lines);
    config->shards = world->options.shards;
    config->appendfsync = world->options.appendfsync;
    /* Below what operators may set, so that segments turn over and memory is short all the time. */
    config->wal_segment_size = world->options.segment_size;
    config->flush_age_ms = world->options.flush_age_ms;
    config->maxmemory = world->options.maxmemory;
    if (world->number == 0)
        return;
    config->log_tail = world->options.log_tail;
    config->flush_bytes = world->options.flush_bytes;
    config->read_lease = !world->options.reads_need_quorum;
}

static void trace_options(const struct world *world)
{
    const struct world_options *o = &world->options;
    world_trace(
        world,
        "shards %u appendfsync %d segment %llu maxmemory %llu flush-age %lld job %u turn %llu us",
        o->shards, o->appendfsync, (unsigned long long)o->segment_size,
        (unsigned long long)o->maxmemory, (long long)o->flush_age_ms, o->job_chance,
        (unsigned long long)o->turn_us_max);
    world_trace(
        world,
        "crash %u kill %u after-reply %u in-open %u kv-write %u kv-read %u kv-open %u full %u "
        "wal-fault %u slow %u jump %u pause %u",
        o->crash, o->kill, o->crash_after_reply, o->die_in_open, o->kv_write, o->kv_read,
        o->kv_open, o->disk_full, o->wal_fault, o->slow, o->clock_jump, o->long_pause);
}

static void make_machine(struct world *world, bool is_traced)
{
    set_config(world);
    bool is_logging = log_init(&world->log, is_traced ? LOG_LEVEL_NOTICE : LOG_LEVEL_NOTHING, NULL);
    ASSERT(is_logging);
    world->disk = sim_disk_new();
    world->kv = kv_memory_new();
    world->now = (struct turn_time){.boot_us = 5000000, .wall_us = WALL_START_S * 1000000ULL};
    world->latest_ms = (int64_t)(world->now.wall_us / 1000);
    trace_options(world);
}

void world_init(struct world *world, uint64_t seed, bool is_traced)
{
    *world = (struct world){.seed = seed, .is_traced = is_traced};
    world->prng = prng_init(seed * 0x9e3779b97f4a7c15 + 1);
    world->options = world_draw_options(&world->prng);
    make_machine(world, is_traced);
}

/* Forming a cluster needs sockets: its outcome is written down beforehand. */
static void write_identity(struct world *world)
{
    struct buf error = {0};
    struct identity identity = {
        .store_id = world->members.at[world->number - 1].store_id,
        .cluster_id = world->seed | 1,
        .seed = world->seed | 1,
        .node_id = (uint64_t)world->number,
        .shards = world->options.shards,
        .members = world->members,
    };
    if (disk_make_dir(world->disk, WORLD_DIR) != DISK_OK ||
        identity_write(world->disk, WORLD_DIR, &identity, &error) != IDENTITY_OK)
        world_violation(world, "no identity: %.*s", (int)error.size, (const char *)error.data);
    buf_free(&error);
}

void world_init_member(struct world *world, uint64_t seed, bool is_traced, int number,
                       const struct world_options *options, const struct members *members)
{
    *world = (struct world){.seed = seed, .is_traced = is_traced, .number = number};
    world->prng = prng_init((seed + 1) * 0x9e3779b97f4a7c15 + (uint64_t)number);
    world->options = *options;
    world->members = *members;
    make_machine(world, is_traced);
    write_identity(world);
}

void world_fini(struct world *world)
{
    kv_memory_free(world->kv);
    sim_disk_free(world->disk);
    config_fini(&world->config);
    log_fini(&world->log);
}

static struct turn_time read_clocks(void *context)
{
    const struct world *world = context;
    return world->now;
}

/* ---- opening ---- */

static bool try_open(struct world *world)
{
    struct node_options options = {
        .config = &world->config,
        .log = &world->log,
        .disk = world->disk,
        .kv = world->kv,
        .stop_fd = -1,
        .seed = prng_next(&world->prng),
        .read_clocks = read_clocks,
        .clock_context = world,
    };
    struct buf error = {0};
    bool is_open = node_open(&world->node, &options, &error);
    if (!is_open)
        world_trace(world, "node_open: %.*s", (int)error.size, (const char *)error.data);
    buf_free(&error);
    return is_open;
}

static void power_cycle(struct world *world, enum sim_crash how)
{
    sim_disk_crash(world->disk, &world->prng, how);
    kv_memory_crash(world->kv);
    world->has_wal_fault = false;
    world->slow_until_us = 0;
    world->dies_at_us = 0;
}

void world_open(struct world *world)
{
    for (int deaths = 0;; deaths++) {
        bool dies = !world->is_quiet && deaths < OPEN_DEATHS_MAX &&
                    prng_chance(&world->prng, world->options.die_in_open);
        if (dies)
            sim_disk_cut_power_after(world->disk,
                                     sim_disk_steps(world->disk) + prng_below(&world->prng, 30));
        bool is_open = try_open(world);
        if (is_open && !dies)
            break;
        if (!is_open && !dies)
            world_violation(world, "the node refuses to open");
        world_trace(world, "dies while opening");
        node_close(world->node);
        world->node = NULL;
        power_cycle(world, SIM_CRASH_DRAW);
    }
    world->opens++;
    memset(world->stamps, 0, sizeof(world->stamps));
    world_trace(world, "open");
}

/* ---- crashes ---- */

void world_crash(struct world *world, bool loses)
{
    world_trace(world, loses ? "power goes" : "killed");
    /* Nothing that the closing does changes what the dead process left. */
    sim_disk_cut_power_after(world->disk, sim_disk_steps(world->disk));
    kv_memory_fail(world->kv, KV_MEMORY_FAULT_WRITE_IO, true);
    node_close(world->node);
    world->node = NULL;
    power_cycle(world, loses ? (enum sim_crash)prng_below(&world->prng, SIM_CRASH_DRAW + 1)
                             : SIM_CRASH_KEEP);
    world->crashes += loses;
    world->kills += !loses;
    if (loses && prng_chance(&world->prng, MILLION / 2))
        world->now.boot_us = 5000000; /* the machine started anew */
    if (world->full_until_us != 0) {
        sim_disk_set_capacity(world->disk, UINT64_MAX);
        world->full_until_us = 0;
    }
}

bool world_lose_rows(struct world *world, uint32_t shard)
{
    char path[128];
    (void)snprintf(path, sizeof(path), WORLD_DIR "/shard-%04u/CURRENT", shard);
    struct bytes current = sim_disk_content(world->disk, path);
    if (current.size < 2)
        return false;
    (void)snprintf(path, sizeof(path), WORLD_DIR "/shard-%04u/%.*s", shard, (int)current.size - 1,
                   (const char *)current.data);
    return prng_chance(&world->prng, MILLION / 2) ? kv_memory_lose(world->kv, path)
                                                  : kv_memory_damage(world->kv, path);
}

/* ---- faults ---- */

static bool draws(struct world *world, uint32_t rate)
{
    return prng_chance(&world->prng, rate);
}

static void fail_kv(struct world *world)
{
    static const enum kv_memory_fault writes[] = {
        KV_MEMORY_FAULT_WRITE_IO, KV_MEMORY_FAULT_WRITE_IO_KEPT, KV_MEMORY_FAULT_WRITE_FULL};
    if (draws(world, world->options.kv_write)) {
        enum kv_memory_fault fault = writes[prng_below(&world->prng, COUNT_OF(writes))];
        world->had_full |= fault == KV_MEMORY_FAULT_WRITE_FULL;
        kv_memory_fail(world->kv, fault, false);
        world_trace(world, "fault: one write of the store");
    }
    if (draws(world, world->options.kv_read)) {
        world->had_read_fault = true;
        kv_memory_fail(world->kv, KV_MEMORY_FAULT_READ_IO, false);
        world_trace(world, "fault: one read of the store");
    }
    if (draws(world, world->options.kv_open)) {
        bool is_full = prng_chance(&world->prng, MILLION / 2);
        world->had_full |= is_full;
        kv_memory_fail(world->kv, is_full ? KV_MEMORY_FAULT_OPEN_FULL : KV_MEMORY_FAULT_OPEN_IO,
                       false);
        world_trace(world, "fault: one opening of the store");
    }
}

static void fail_disk(struct world *world)
{
    if (draws(world, world->options.wal_fault)) {
        bool is_sync = prng_chance(&world->prng, MILLION / 2);
        sim_disk_fail(world->disk, is_sync ? SIM_FAULT_SYNC_IO : SIM_FAULT_WRITE_IO, false);
        world->has_wal_fault = true;
        world_trace(world, "fault: the log's next %s", is_sync ? "sync" : "write");
    }
    if (world->full_until_us == 0 && draws(world, world->options.disk_full)) {
        world->had_full = true;
        world->full_until_us = world->now.boot_us + prng_below(&world->prng, 500000) + 1;
        sim_disk_set_capacity(world->disk,
                              sim_disk_used(world->disk) + prng_below(&world->prng, 100000));
        world_trace(world, "fault: the disk is full");
    }
    if (draws(world, world->options.slow)) {
        world->slow_until_us = world->now.boot_us + prng_below(&world->prng, 300000);
        world_trace(world, "fault: helpers stand still");
    }
}

static void end_full(struct world *world)
{
    if (world->full_until_us == 0 || world->now.boot_us < world->full_until_us)
        return;
    sim_disk_set_capacity(world->disk, UINT64_MAX);
    world->full_until_us = 0;
    world_trace(world, "the disk has room again");
}

static void advance_clocks(struct world *world, uint64_t step)
{
    world->now.boot_us += step;
    world->now.wall_us += step;
    world->latest_ms += (int64_t)(step / 1000) + 1;
    if (draws(world, world->options.clock_jump)) {
        uint64_t most = world->options.clock_jump_us_max;
        world->now.wall_us = world->now.wall_us - most + prng_below(&world->prng, 2 * most);
        world_trace(world, "the clock jumps");
    }
    if ((int64_t)(world->now.wall_us / 1000) > world->latest_ms)
        world->latest_ms = (int64_t)(world->now.wall_us / 1000);
}

static void run_jobs(struct world *world)
{
    if (world->now.boot_us < world->slow_until_us && !world->is_quiet)
        return;
    if (world_is_dying(world)) /* as the disk, so LevelDB */
        kv_memory_fail(world->kv, KV_MEMORY_FAULT_WRITE_IO, true);
    for (size_t left = node_waiting_jobs(world->node); left > 0; left--) {
        size_t waiting = node_waiting_jobs(world->node);
        if (waiting > 0 && (world->is_quiet || draws(world, world->options.job_chance)))
            node_run_job(world->node, (size_t)prng_below(&world->prng, waiting));
    }
}

void world_calm(struct world *world)
{
    world->is_quiet = true;
    kv_memory_fail(world->kv, KV_MEMORY_FAULT_NONE, false);
    if (!world->has_wal_fault)
        sim_disk_fail(world->disk, SIM_FAULT_NONE, false);
    if (world->full_until_us != 0)
        sim_disk_set_capacity(world->disk, UINT64_MAX);
    world->full_until_us = 0;
}

bool world_is_dying(const struct world *world)
{
    return world->dies_at_us != 0 && sim_disk_steps(world->disk) >= world->power_steps;
}

/* The power goes after some more steps of the disk: in the middle of a batch, of an install. */
static void cut_power(struct world *world)
{
    if (world->dies_at_us != 0 || world->options.power_cut == 0 ||
        !draws(world, world->options.power_cut))
        return;
    world->power_steps = sim_disk_steps(world->disk) + prng_below(&world->prng, 60);
    sim_disk_cut_power_after(world->disk, world->power_steps);
    world->dies_at_us = world->now.boot_us + 1;
    world->has_wal_fault = true;
    world_trace(world, "fault: the power will go");
}

static uint64_t draw_step(struct world *world)
{
    uint64_t step = prng_below(&world->prng, world->options.turn_us_max) + 1;
    if (draws(world, world->options.long_pause))
        step += prng_below(&world->prng, 3000000);
    return step;
}

bool world_turn(struct world *world)
{
    return world_turn_after(world, 0);
}

bool world_turn_after(struct world *world, uint64_t step_us)
{
    world->turns++;
    if (!world->is_quiet) {
        fail_kv(world);
        fail_disk(world);
        cut_power(world);
    }
    run_jobs(world);
    advance_clocks(world, step_us > 0 ? step_us : draw_step(world));
    end_full(world);
    enum node_state state = node_turn(world->node, (struct net_events){0});
    if (state == NODE_FAILED) {
        world->failures++;
        world_trace(world, "node failed: %s", node_failure(world->node));
        if (!world->has_wal_fault)
            world_violation(world, "the node failed without a fault: %s",
                            node_failure(world->node));
        return false;
    }
    ASSERT(state == NODE_RUNNING);
    if (draws(world, world->options.check))
        world_check(world);
    return true;
}

/* ---- checks ---- */

static void check_shard(struct world *world, struct shard *shard)
{
    struct shard_status s = shard_status(shard);
    uint32_t id = shard_id(shard);
    if (s.applied > s.commit || s.commit > s.last)
        world_violation(world, "shard %u: applied %llu, commit %llu, last %llu are out of order",
                        id, (unsigned long long)s.applied, (unsigned long long)s.commit,
                        (unsigned long long)s.last);
    bool is_in_order = s.base <= s.mark && s.mark <= s.flushed && s.flushed <= s.applied;
    if (!is_in_order && !shard_has_lost_rows(shard))
        world_violation(world, "L3: shard %u: base %llu, mark %llu, flushed %llu, applied %llu", id,
                        (unsigned long long)s.base, (unsigned long long)s.mark,
                        (unsigned long long)s.flushed, (unsigned long long)s.applied);
    uint64_t stamp = store_applied(shard_fsm(shard)->store).stamp_us;
    if (stamp < world->stamps[id])
        world_violation(world, "L10: shard %u: the stamp goes back by %llu us", id,
                        (unsigned long long)(world->stamps[id] - stamp));
    world->stamps[id] = stamp;
}

void world_check(struct world *world)
{
    world->checks++;
    for (uint32_t id = 0; id < world->node->shard_count; id++) {
        check_shard(world, world->node->shards[id]);
        hot_check(world->node->exec->shards[id].hot);
    }
}

bool world_is_synced(const struct world *world)
{
    const struct wal *wal = world->node->wal;
    return wal_synced(wal) == wal_written(wal) && !wal_is_busy(wal) &&
           wal_collected_bytes(wal) == 0;
}

size_t world_rows(const struct world *world)
{
    size_t rows = 0;
    for (uint32_t id = 0; id < world->node->shard_count; id++) {
        char path[128];
        (void)snprintf(path, sizeof(path), WORLD_DIR "/shard-%04u/%s", id,
                       store_generation(shard_fsm(world->node->shards[id])->store));
        rows += kv_memory_rows(world->kv, path);
    }
    return rows;
}
