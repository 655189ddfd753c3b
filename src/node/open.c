/* Building the server: the data directory, recovery, threads, sockets; and taking it apart. */
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/prng.h"
#include "base/steps.h"
#include "node/formation.h"
#include "os/filesystem.h"
#include "os/memory.h"
#include "store/kv_leveldb.h"

enum {
    EVENTS_MAX = 1024,
    QUEUE_MAX = 16384,           /* jobs of one worker group */
    WRITE_BUFFER_SUM = 64 << 20, /* LevelDB's memory, all shards together */
    WRITE_BUFFER_MIN = 256 << 10,
    WRITE_BUFFER_MAX = 4 << 20,
    OPEN_FILES_SUM = 4096,
    OPEN_FILES_MIN = 64,
    BACKLOG_FLUSHES = 6, /* writes wait when so many times the flush size is not flushed */
    BACKLOG_MIN = 64 << 20,
    MEMORY_SHARE_PERCENT = 60,
    COURIERS = 4, /* servers that keys are sent to at once */
};

/* ---- configuration ---- */

uint64_t node_memory_budget(const struct node *node)
{
    if (node->config->maxmemory != 0)
        return node->config->maxmemory;
    return memory_usable_bytes() / 100 * MEMORY_SHARE_PERCENT;
}

static struct type_env types_of(const struct config *config)
{
    return (struct type_env){
        .hash_max_listpack_entries = config->hash_max_listpack_entries,
        .hash_max_listpack_value = config->hash_max_listpack_value,
        .list_max_listpack_size = config->list_max_listpack_size,
        .set_max_intset_entries = config->set_max_intset_entries,
        .set_max_listpack_entries = config->set_max_listpack_entries,
        .set_max_listpack_value = config->set_max_listpack_value,
        .zset_max_listpack_entries = config->zset_max_listpack_entries,
        .zset_max_listpack_value = config->zset_max_listpack_value,
        .stream_node_max_bytes = config->stream_node_max_bytes,
        .stream_node_max_entries = config->stream_node_max_entries,
    };
}

static struct exec_limits limits_of(const struct node *node)
{
    uint64_t backlog = node->config->flush_bytes * BACKLOG_FLUSHES / node->shard_count;
    return (struct exec_limits){
        .entry_size_max = node->config->entry_max,
        .string_size_max = node->config->proto_max_bulk_len,
        .hll_sparse_max = node->config->hll_sparse_max_bytes,
        .memory_max = node_memory_budget(node),
        .reads_need_quorum = !node->config->read_lease,
        .backlog_max = backlog > BACKLOG_MIN ? backlog : BACKLOG_MIN,
        .types = types_of(node->config),
    };
}

static enum wal_sync sync_of(const struct config *config)
{
    switch ((enum config_appendfsync)config->appendfsync) {
    case CONFIG_FSYNC_ALWAYS:
        return WAL_SYNC_ALWAYS;
    case CONFIG_FSYNC_EVERYSEC:
        return WAL_SYNC_EVERYSEC;
    case CONFIG_FSYNC_NO:
        return WAL_SYNC_NO;
    }
    UNREACHABLE();
}

void node_apply_config(struct node *node)
{
    exec_set_limits(node->exec, limits_of(node));
    if (wal_sync_mode(node->wal) != sync_of(node->config))
        wal_set_sync(node->wal, sync_of(node->config));
    log_set_level(node->log, (enum log_level)node->config->loglevel);
}

static void config_changed(void *context)
{
    node_apply_config(context);
}

/* ---- the data directory ---- */

static bool make_dir(struct node *node, const char *path, struct buf *error)
{
    enum disk_err err = disk_make_dir(node->disk, path);
    if (err == DISK_OK)
        return true;
    buf_printf(error, "%s: %s", path, disk_err_text(err));
    return false;
}

static bool list_has(struct node *node, const char *dir, const char *prefix)
{
    struct buf names = {0};
    bool has = false;
    (void)node->disk->ops->list_dir(node->disk, dir, &names);
    for (size_t at = 0; at < names.size; at += strlen((const char *)names.data + at) + 1)
        has |= strncmp((const char *)names.data + at, prefix, strlen(prefix)) == 0;
    buf_free(&names);
    return has;
}

static uint64_t nonzero(struct prng *prng)
{
    uint64_t number = prng_next(prng);
    return number != 0 ? number : 1;
}

/* Alone, a node is a cluster from its first moment; one of several waits to belong to one. */
static bool mint_identity(struct node *node, struct buf *error)
{
    const struct config *config = node->config;
    if (list_has(node, config->dir, "wal") || list_has(node, config->dir, "shard-")) {
        buf_printf(error, "%s/quoin.id: missing beside data: whose data this is cannot be told",
                   config->dir);
        return false;
    }
    struct prng prng = prng_init(node->options.seed);
    bool is_alone = config->cluster[0] == 0;
    node->identity = (struct identity){
        .store_id = nonzero(&prng),
        .cluster_id = is_alone ? nonzero(&prng) : 0,
        .seed = nonzero(&prng),
        .node_id = config->node != 0 ? (uint64_t)config->node : SHARD_NODE_ID,
        .shards = (uint64_t)config->shards,
    };
    if (is_alone) {
        node->identity.members.count = 1;
        node_self(node, &node->identity.members.at[0]);
    }
    enum identity_err err = DURABLE_STEP(
        identity_written, identity_write(node->disk, config->dir, &node->identity, error));
    return err == IDENTITY_OK;
}

static bool fits_config(const struct node *node, struct buf *error)
{
    const struct config *config = node->config;
    if (config->node != 0 && (uint64_t)config->node != node->identity.node_id) {
        buf_printf(error, "%s is the data of node %llu, the configuration says node %lld",
                   config->dir, (unsigned long long)node->identity.node_id,
                   (long long)config->node);
        return false;
    }
    if (node->identity.cluster_id == 0 || node->identity.shards == (uint64_t)config->shards)
        return true;
    buf_printf(
        error,
        "%s holds %llu shards, the configuration says shards %lld: the number is fixed at the "
        "first start",
        config->dir, (unsigned long long)node->identity.shards, (long long)config->shards);
    return false;
}

/* A first start that names others must say which of them this is. */
static bool is_listed(struct node *node, struct buf *error)
{
    struct members listed;
    if (!cluster_list_parse(node->config->cluster, &listed, error))
        return false;
    if (node->config->cluster[0] == 0)
        return true;
    if (node->config->node != 0 && members_find(&listed, (uint64_t)node->config->node) != NULL)
        return true;
    if (node->config->node == 0)
        buf_append_string(error, "cluster: needs the directive node, which of them this one is");
    else
        buf_printf(error, "cluster: does not list node %lld, which this one is",
                   (long long)node->config->node);
    return false;
}

static bool open_identity(struct node *node, struct buf *error)
{
    switch (identity_read(node->disk, node->config->dir, &node->identity, error)) {
    case IDENTITY_OK:
        return fits_config(node, error);
    case IDENTITY_ABSENT:
        return is_listed(node, error) && mint_identity(node, error);
    case IDENTITY_NEWER_FORMAT:
    case IDENTITY_DAMAGED:
    case IDENTITY_DISK:
        return false;
    }
    UNREACHABLE();
}

static bool open_dir(struct node *node, struct buf *error)
{
    if (!make_dir(node, node->config->dir, error))
        return false;
    if (node->options.has_lock &&
        DURABLE_STEP(lock_taken, lock_take(node->config->dir, &node->lock, error)) != LOCK_OK)
        return false;
    node->disk_size = node->options.has_lock ? filesystem_size_bytes(node->config->dir) : 0;
    return open_identity(node, error);
}

/* ---- recovery ---- */

/* The log is made before the first shard: shards without a log have lost their promises (L4). Asked
 * before opening the log, which would make a new one. */
static bool log_is_gone(struct node *node, struct buf *error)
{
    if (!list_has(node, node->config->dir, "shard-") || list_has(node, node->wal_dir, ""))
        return false;
    buf_printf(error, "%s: the write-ahead log is gone, but shards are there: promises lost",
               node->wal_dir);
    if (node->identity.members.count != 1)
        shard_say_what_to_run(node->identity.node_id, error);
    return true;
}

static bool open_wal(struct node *node, struct buf *error)
{
    struct buf path = {0}, note = {0};
    buf_printf(&path, "%s/wal", node->config->dir);
    buf_append_u8(&path, 0);
    node->wal_dir = (char *)path.data;
    if (log_is_gone(node, error))
        return false;
    struct wal_options options = {
        .dir = node->wal_dir,
        .group_count = node->shard_count,
        .segment_size = node->config->wal_segment_size,
        .sync = sync_of(node->config),
        .store_id = node->identity.store_id,
    };
    enum wal_err err = wal_open(&node->wal, node->disk, &options, &node->recovery, &note, error);
    if (note.size > 0)
        log_write(node->log, LOG_LEVEL_WARNING, "Recovery: %.*s", (int)note.size,
                  (const char *)note.data);
    buf_free(&note);
    return err == WAL_OK;
}

static size_t clamp(size_t value, size_t min, size_t max)
{
    return value < min ? min : value > max ? max : value;
}

static uint64_t measure_us(const struct node *node)
{
    return node->options.measure_us == NULL ? 0 : node->options.measure_us();
}

/* Of one that formed its shards alone and was never joined, nobody else has the rows. */
static bool has_others(const struct node *node, uint32_t id)
{
    struct members marked;
    const struct buf *bytes = &node->recovery->groups[id].members;
    return node->identity.members.count != 1 ||
           (bytes->size > 0 && members_decode(buf_bytes(bytes), &marked) && marked.count > 1);
}

static bool open_shard(struct node *node, uint32_t id, struct buf *error)
{
    struct buf dir = {0}, members = {0};
    members_append(&members, &node->identity.members);
    buf_printf(&dir, "%s/shard-%04u", node->config->dir, id);
    buf_append_u8(&dir, 0);
    struct shard_options options = {
        .id = id,
        .node_id = node->identity.node_id,
        .seed = node->options.seed + id,
        .wal = node->wal,
        .recovered = &node->recovery->groups[id],
        .wal_is_fresh = node->recovery->fresh,
        .has_others = has_others(node, id),
        .tail_max = node->config->log_tail / node->shard_count,
        .apply_backlog_max = limits_of(node).backlog_max,
        .boot_us = node->now.boot_us,
        .wall_us = node->now.wall_us,
        .store =
            {
                .dir = (const char *)dir.data,
                .disk = node->disk,
                .env = node->kv,
                .identity = node->identity.cluster_id,
                .shard = id,
                .write_buffer_size =
                    clamp(WRITE_BUFFER_SUM / node->shard_count, WRITE_BUFFER_MIN, WRITE_BUFFER_MAX),
                .open_files_max = (uint32_t)clamp(OPEN_FILES_SUM / node->shard_count,
                                                  OPEN_FILES_MIN, OPEN_FILES_SUM),
                /* A generation is made only together with the log: later its absence is a loss
                   (L4). */
                .create = node->recovery->groups[id].hard.term == 0,
                .members = buf_bytes(&members),
            },
    };
    uint64_t before_us = measure_us(node);
    bool is_open = shard_open(&node->shards[id], &options, error);
    node->shard_open_us[id] = measure_us(node) - before_us;
    buf_free(&dir);
    buf_free(&members);
    return is_open;
}

static bool open_shards(struct node *node, struct buf *error)
{
    node->shards = mem_zero(node->shard_count * sizeof(struct shard *));
    node->shard_open_us = mem_zero(node->shard_count * sizeof(uint64_t));
    for (uint32_t id = 0; id < node->shard_count; id++) {
        if (!open_shard(node, id, error))
            return false;
    }
    wal_recovery_free(node->recovery);
    node->recovery = NULL;
    return true;
}

/* ---- helpers, clients ---- */

static bool watch_stop(struct node *node)
{
    node->stop = (struct net_source){
        .fd = node->options.stop_fd, .kind = NODE_SOURCE_STOP, .what = NET_READABLE};
    return node->stop.fd < 0 || loop_add(node->loop, &node->stop);
}

static bool open_loop(struct node *node, struct buf *error)
{
    node->wake.fd = -1;
    if (!node->options.has_threads && !node->options.has_sockets)
        return true;
    node->wake = (struct net_source){.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
                                     .kind = NODE_SOURCE_WAKE,
                                     .what = NET_READABLE};
    node->loop = node->wake.fd < 0 ? NULL : loop_new(EVENTS_MAX);
    if (node->loop != NULL && loop_add(node->loop, &node->wake) && watch_stop(node))
        return true;
    buf_append_string(error, "the kernel refuses an epoll or event descriptor");
    return false;
}

static struct worker *new_worker(struct node *node, const char *name, int threads)
{
    return node->options.has_threads ? worker_new(name, threads, QUEUE_MAX, node->wake.fd)
                                     : worker_new_manual(QUEUE_MAX);
}

static void open_workers(struct node *node)
{
    node->wal_worker = new_worker(node, "quoin-wal", 1);
    node->store_worker = new_worker(node, "quoin-store", 1);
    node->readers = new_worker(node, "quoin-read", (int)node->config->reader_threads);
    node->freer = new_worker(node, "quoin-free", 1);
    node->couriers = new_worker(node, "quoin-courier", COURIERS);
}

static void open_table(struct node *node)
{
    node->table = command_table_new();
    command_table_add(node->table, string_commands);
    command_table_add(node->table, set_commands);
    command_table_add(node->table, zset_commands);
    command_table_add(node->table, list_commands);
    command_table_add(node->table, stream_commands);
    command_table_add(node->table, bitmap_commands);
    command_table_add(node->table, geo_commands);
    command_table_add(node->table, hyperloglog_commands);
    command_table_add(node->table, generic_value_commands);
    command_table_add(node->table, hash_commands);
    command_table_add(node->table, generic_commands);
    command_table_add(node->table, introspection_commands);
    command_table_add(node->table, exec_keys_commands);
    command_table_add(node->table, exec_flush_commands);
    command_table_add(node->table, exec_migrate_commands);
    command_table_add(node->table, exec_debug_commands);
    server_register_commands(node->table);
}

static bool open_exec(struct node *node, struct buf *error)
{
    struct exec_options options = {
        .shards = node->shards,
        .shard_count = node->shard_count,
        .table = node->table,
        .hash_seed = node->identity.seed,
        .seed = node->options.seed,
        .readers = node->readers,
        .freer = node->freer,
        .couriers = node->couriers,
        .log = node->log,
        .limits = limits_of(node),
    };
    return exec_new(&node->exec, &options, error);
}

static bool open_server(struct node *node, struct buf *error)
{
    struct server_options options = {
        .config = node->config,
        .table = node->table,
        .exec = node->exec,
        .log = node->log,
        .loop = node->options.has_sockets ? node->loop : NULL,
        .measure_us = node->options.measure_us,
        .seed = node->options.seed,
    };
    node->server = server_new(&options);
    node_add_info(node);
    node_add_operator(node);
    node_add_durability(node);
    server_on_config(node->server, config_changed, node);
    const char *why;
    if (!node->options.has_sockets || server_listen(node->server, &why))
        return true;
    buf_append_string(error, why);
    return false;
}

static bool belong(struct node *node, struct buf *error)
{
    if (node->identity.cluster_id != 0)
        return true;
    if (node->loop == NULL || node->peers == NULL) {
        buf_append_string(error, "cluster: forming one needs sockets");
        return false;
    }
    return node_form(node, error);
}

static bool open_all(struct node *node, struct buf *error)
{
    if (!open_dir(node, error))
        return false;
    if (node->kv == NULL) {
        node->kv = kv_leveldb_new(node->disk, node->config->block_cache_size);
        node->owns_kv = true;
    }
    if (!open_loop(node, error) || !node_open_peers(node, error) || !belong(node, error))
        return false;
    if (!open_wal(node, error) || !open_shards(node, error))
        return false;
    node->told = mem_zero(node->shard_count * sizeof(*node->told));
    node->marks_wanted = mem_zero(node->shard_count * sizeof(*node->marks_wanted));
    node_open_installs(node);
    open_workers(node);
    open_table(node);
    return open_exec(node, error) && open_server(node, error);
}

bool node_open(struct node **out, const struct node_options *options, struct buf *error)
{
    struct node *node = mem_zero(sizeof(*node));
    node->options = *options;
    node->config = options->config;
    node->log = options->log;
    node->disk = options->disk;
    node->kv = options->kv;
    node->shard_count = (uint32_t)options->config->shards;
    node->now = options->read_clocks(options->clock_context);
    node->start_us = node->now.boot_us;
    *out = NULL;
    if (!open_all(node, error)) {
        node_close(node);
        return false;
    }
    *out = node;
    return true;
}

static size_t jobs_inside(const struct node *node)
{
    return worker_inside(node->wal_worker) + worker_inside(node->store_worker) +
           worker_inside(node->readers) + worker_inside(node->freer) +
           worker_inside(node->couriers);
}

static void run_waiting_jobs(struct node *node)
{
    while (!node->options.has_threads && node_waiting_jobs(node) > 0)
        node_run_job(node, 0);
}

/* Jobs end first: they point into what is freed next. A run that has begun ends too, unless it
 * waits for what only a turn could bring (LevelDB opened again), or the disk does not answer. */
static void drain(struct node *node)
{
    enum { ROUNDS_MAX = 20000, IDLE_ROUNDS_MAX = 64, ROUND_US = 100 };
    int idle_rounds = 0;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        idle_rounds = jobs_inside(node) > 0 ? 0 : idle_rounds + 1;
        run_waiting_jobs(node);
        node_take_done_jobs(node);
        while (exec_take_done(node->exec) != NULL)
            continue;
        bool has_work = exec_has_work(node->exec) || exec_waits_a_turn(node->exec);
        if (jobs_inside(node) == 0 && (!has_work || idle_rounds >= IDLE_ROUNDS_MAX))
            return;
        exec_begin_turn(node->exec, node->now);
        if (node->options.has_threads)
            (void)usleep(ROUND_US);
    }
}

static void close_workers(struct node *node)
{
    if (node->exec != NULL)
        exec_give_up_errands(node->exec);
    if (node->server != NULL)
        drain(node);
    worker_free(node->wal_worker);
    worker_free(node->store_worker);
    worker_free(node->readers);
    worker_free(node->freer);
    worker_free(node->couriers);
    if (node->exec != NULL)
        exec_abandon_runs(node->exec);
}

void node_close(struct node *node)
{
    if (node == NULL)
        return;
    close_workers(node);
    server_free(node->server);
    exec_free(node->exec);
    node_close_installs(node);
    peers_close(node->peers);
    for (uint32_t id = 0; node->shards != NULL && id < node->shard_count; id++)
        shard_close(node->shards[id]);
    mem_free(node->shards);
    mem_free(node->shard_open_us);
    wal_recovery_free(node->recovery);
    wal_free(node->wal);
    mem_free(node->wal_dir);
    mem_free(node->told);
    mem_free(node->marks_wanted);
    command_table_free(node->table);
    loop_free(node->loop);
    if (node->loop != NULL || node->wake.fd > 0)
        (void)close(node->wake.fd);
    if (node->owns_kv)
        kv_leveldb_free(node->kv);
    lock_release(node->lock);
    mem_free(node);
}

void node_request_shutdown(struct node *node)
{
    node->is_hurried |= node->stopping != NODE_NOT_STOPPING;
    log_write(node->log, LOG_LEVEL_WARNING, "Received a signal to stop%s",
              node->is_hurried ? " again, not waiting for flushes" : ", shutting down");
    if (node->stopping == NODE_NOT_STOPPING)
        node->stopping = NODE_SETTLING;
}

struct server *node_server(struct node *node)
{
    return node->server;
}

bool node_is_ready(const struct node *node)
{
    return node->is_ready;
}
