/* What INFO says of log, rows and memory. */
#include "node/internal.h"

typedef unsigned long long ull;

static void info_keyspace(struct buf *out, void *context)
{
    const struct node *node = context;
    for (int i = 0; i < 16; i++) {
        struct exec_database_counts counts = exec_database_counts(node->exec, i);
        if (counts.keys > 0)
            buf_printf(out, "db%d:keys=%lld,expires=%lld,avg_ttl=0,in_memory=%lld\r\n", i,
                       (long long)counts.keys, (long long)counts.expiring,
                       (long long)counts.in_memory);
    }
}

static void info_stats(struct buf *out, void *context)
{
    const struct node *node = context;
    struct exec_counters counters = exec_counters(node->exec);
    buf_printf(
        out,
        "expired_keys:%llu\r\nevicted_keys:0\r\nkeyspace_hits:%llu\r\nkeyspace_misses:%llu\r\n"
        "keys_changed:%llu\r\ncold_loads:%llu\r\ncold_load_errors:%llu\r\n"
        "suspended_runs:%llu\r\npaged_out_objects:%llu\r\n",
        (ull)counters.expired_keys, (ull)counters.keyspace_hits, (ull)counters.keyspace_misses,
        (ull)counters.changes, (ull)counters.loads, (ull)counters.load_errors,
        (ull)counters.suspensions, (ull)counters.paged_out);
}

static void info_memory(struct buf *out, void *context)
{
    const struct node *node = context;
    uint64_t buffers = 0;
    for (uint32_t id = 0; id < node->shard_count; id++)
        buffers += store_buffer_memory(shard_fsm(node->shards[id])->store);
    buf_printf(out,
               "hot_memory:%llu\r\nhot_memory_budget:%llu\r\nfilter_memory:%llu\r\n"
               "row_buffer_memory:%llu\r\n",
               (ull)exec_hot_memory(node->exec), (ull)node_memory_budget(node),
               (ull)exec_filter_memory(node->exec), (ull)buffers);
}

static const char *sync_name(enum wal_sync sync)
{
    switch (sync) {
    case WAL_SYNC_ALWAYS:
        return "always";
    case WAL_SYNC_EVERYSEC:
        return "everysec";
    case WAL_SYNC_NO:
        return "no";
    }
    UNREACHABLE();
}

static void info_wal(struct buf *out, const struct node *node)
{
    struct wal_counters wal = wal_counters(node->wal);
    buf_printf(
        out,
        "appendfsync:%s\r\nweakest_appendfsync:%s\r\nwal_size:%llu\r\nwal_batches:%llu\r\n"
        "wal_entries:%llu\r\nwal_bytes_written:%llu\r\nwal_syncs:%llu\r\nwal_sync_us:%llu\r\n"
        "wal_sync_us_max:%llu\r\nwal_segments_made:%llu\r\nwal_segments_reused:%llu\r\n"
        "wal_segments_removed:%llu\r\nwal_is_full:%d\r\n",
        sync_name(wal_sync_mode(node->wal)), sync_name(wal_sync_mode(node->wal)),
        (ull)wal_size_bytes(node->wal), (ull)wal.batches, (ull)wal.entries, (ull)wal.bytes,
        (ull)wal.syncs, (ull)wal.sync_us, (ull)wal.sync_us_max, (ull)wal.segments_made,
        (ull)wal.segments_reused, (ull)wal.segments_removed, wal_is_full(node->wal) ? 1 : 0);
}

static void add_store(struct store_counters *sum, struct store_counters more)
{
    sum->flushes += more.flushes;
    sum->flush_errors += more.flush_errors;
    sum->flushed_rows += more.flushed_rows;
    sum->flushed_bytes += more.flushed_bytes;
    sum->reads += more.reads;
    sum->read_errors += more.read_errors;
    sum->reopens += more.reopens;
    sum->swept_rows += more.swept_rows;
}

static void info_persistence(struct buf *out, void *context)
{
    const struct node *node = context;
    struct store_counters store = {0};
    uint64_t waiting = 0;
    for (uint32_t id = 0; id < node->shard_count; id++) {
        add_store(&store, store_counters(shard_fsm(node->shards[id])->store));
        waiting += store_buffered_bytes(shard_fsm(node->shards[id])->store);
    }
    info_wal(out, node);
    buf_printf(
        out,
        "unflushed_bytes:%llu\r\nflushes:%llu\r\nflush_errors:%llu\r\nflushed_rows:%llu\r\n"
        "flushed_bytes:%llu\r\nstore_reads:%llu\r\nstore_read_errors:%llu\r\nstore_reopens:%llu\r\n"
        "swept_rows:%llu\r\ndisk_free:%llu\r\ndisk_reserve:%llu\r\nwrites_refused:%d\r\n",
        (ull)waiting, (ull)store.flushes, (ull)store.flush_errors, (ull)store.flushed_rows,
        (ull)store.flushed_bytes, (ull)store.reads, (ull)store.read_errors, (ull)store.reopens,
        (ull)store.swept_rows, (ull)node->disk_free,
        (ull)config_disk_reserve(node->config, node->disk_size), node->refusal[0] != 0);
}

void node_add_info(struct node *node)
{
    server_add_info(node->server, "memory", info_memory, node);
    server_add_info(node->server, "persistence", info_persistence, node);
    server_add_info(node->server, "stats", info_stats, node);
    server_add_info(node->server, "raft", node_info_raft, node);
    server_add_info(node->server, "keyspace", info_keyspace, node);
}
