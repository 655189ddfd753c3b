#include "server/info_server.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "os/memory.h"
#include "server/connection_commands.h"
#include "server/refusal.h"
#include "server/state.h"

typedef unsigned long long ull; /* what printf prints a uint64_t as */

enum { HUMAN_SIZE = 32 };

/* "1.50M" as Redis writes sizes for people. */
static const char *human(uint64_t size, char out[static HUMAN_SIZE])
{
    static const char units[] = "KMGTP";
    if (size < 1024) {
        (void)snprintf(out, HUMAN_SIZE, "%lluB", (ull)size);
        return out;
    }
    double value = (double)size / 1024;
    size_t unit = 0;
    while (value >= 1024 && unit + 2 < sizeof(units)) {
        value /= 1024;
        unit++;
    }
    (void)snprintf(out, HUMAN_SIZE, "%.2f%c", value, units[unit]);
    return out;
}

static void append_size(struct buf *out, const char *name, uint64_t size)
{
    char text[HUMAN_SIZE];
    buf_printf(out, "%s:%llu\r\n%s_human:%s\r\n", name, (ull)size, name, human(size, text));
}

static uint64_t uptime_s(const struct server *server)
{
    return (server->now.boot_us - server->started_us) / 1000000;
}

static void append_process(struct buf *out, const struct server *server)
{
    char path[512];
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
    path[size > 0 ? size : 0] = '\0';
    buf_printf(out, "process_id:%ld\r\nprocess_supervised:no\r\nrun_id:%s\r\ntcp_port:%lld\r\n",
               (long)getpid(), server->run_id, (long long)server->config->port);
    buf_printf(out,
               "server_time_usec:%llu\r\nuptime_in_seconds:%llu\r\nuptime_in_days:%llu\r\n"
               "hz:%lld\r\nconfigured_hz:%lld\r\nlru_clock:%llu\r\n",
               (ull)server->now.wall_us, (ull)uptime_s(server), (ull)(uptime_s(server) / 86400),
               (long long)server->config->hz, (long long)server->config->hz,
               (ull)(server->now.wall_us / 1000000 & 0xffffff));
    buf_printf(out, "executable:%s\r\nconfig_file:%s\r\nio_threads_active:0\r\n", path,
               server->config->path == NULL ? "" : server->config->path);
}

static void fill_server(struct buf *out, void *ctx)
{
    const struct server *server = ctx;
    struct utsname system;
    bool is_known = uname(&system) == 0;
    buf_printf(out, "redis_version:%s\r\nquoin_version:%s\r\n", SERVER_REDIS_VERSION,
               SERVER_QUOIN_VERSION);
    buf_printf(out,
               "redis_git_sha1:00000000\r\nredis_git_dirty:0\r\nredis_build_id:0\r\n"
               "redis_mode:%s\r\n",
               server->config->cluster_enabled ? "cluster" : "standalone");
    buf_printf(out, "os:%s %s %s\r\narch_bits:64\r\nmonotonic_clock:POSIX clock_gettime\r\n",
               is_known ? system.sysname : "?", is_known ? system.release : "?",
               is_known ? system.machine : "?");
    buf_printf(out,
               "multiplexing_api:epoll\r\natomicvar_api:c11-builtin\r\ngcc_version:%d.%d.%d\r\n",
               __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
    append_process(out, server);
}

struct client_sums {
    uint64_t input_max;
    uint64_t output_max;
    uint64_t memory;
    uint64_t watching;
};

/* O(clients): INFO is the one that asks for it. */
static struct client_sums sum_clients(const struct server *server)
{
    struct client_sums sums = {0};
    struct list *node, *after;
    LIST_FOR_EACH(node, after, &server->clients)
    {
        const struct client *client = CONTAINER_OF(node, struct client, all_link);
        uint64_t unsent = output_unsent(&client->output);
        if (client->query.size > sums.input_max)
            sums.input_max = client->query.size;
        if (unsent > sums.output_max)
            sums.output_max = unsent;
        sums.memory += client_memory(client);
        sums.watching += !list_is_empty(&client->watches.watches);
    }
    return sums;
}

static void fill_clients(struct buf *out, void *ctx)
{
    const struct server *server = ctx;
    struct client_sums sums = sum_clients(server);
    buf_printf(out,
               "connected_clients:%zu\r\ncluster_connections:0\r\nmaxclients:%lld\r\n"
               "client_recent_max_input_buffer:%llu\r\nclient_recent_max_output_buffer:%llu\r\n"
               "blocked_clients:%llu\r\ntracking_clients:0\r\npubsub_clients:0\r\n"
               "watching_clients:%llu\r\nclients_in_timeout_table:0\r\n"
               "total_blocking_keys:0\r\ntotal_blocking_keys_on_nokey:0\r\n",
               server->client_count, (long long)server->config->maxclients, (ull)sums.input_max,
               (ull)sums.output_max, (ull)(exec_parked_count(server->exec) + server->wait_count),
               (ull)sums.watching);
}

static double ratio(uint64_t a, uint64_t b)
{
    return b == 0 ? 1 : (double)a / (double)b;
}

static void append_fragmentation(struct buf *out, const struct memory_allocator *allocator,
                                 uint64_t resident)
{
    buf_printf(out,
               "allocator_allocated:%llu\r\nallocator_active:%llu\r\nallocator_resident:%llu\r\n"
               "allocator_frag_ratio:%.2f\r\nallocator_frag_bytes:%llu\r\n"
               "mem_fragmentation_ratio:%.2f\r\nmem_fragmentation_bytes:%lld\r\n",
               (ull)allocator->allocated, (ull)allocator->active, (ull)allocator->resident,
               ratio(allocator->active, allocator->allocated),
               (ull)(allocator->active - allocator->allocated),
               ratio(resident, allocator->allocated),
               (long long)resident - (long long)allocator->allocated);
}

static void fill_memory(struct buf *out, void *ctx)
{
    struct server *server = ctx;
    struct memory_allocator allocator;
    uint64_t resident = memory_resident_bytes();
    bool is_jemalloc = memory_allocator(&allocator);
    uint64_t used = is_jemalloc ? allocator.allocated : resident;
    if (used > server->memory_peak)
        server->memory_peak = used;
    append_size(out, "used_memory", used);
    append_size(out, "used_memory_rss", resident);
    append_size(out, "used_memory_peak", server->memory_peak);
    buf_printf(out, "used_memory_peak_perc:%.2f%%\r\n", 100 * ratio(used, server->memory_peak));
    append_size(out, "total_system_memory", memory_physical_bytes());
    append_size(out, "maxmemory", server->config->maxmemory);
    buf_printf(out,
               "maxmemory_policy:noeviction\r\nused_memory_lua:0\r\nused_memory_scripts:0\r\n");
    append_fragmentation(out, &allocator, resident);
    buf_printf(out, "mem_clients_normal:%llu\r\nmem_clients_slaves:0\r\nmem_allocator:%s\r\n",
               (ull)sum_clients(server).memory, is_jemalloc ? "jemalloc" : "libc");
}

/* What tools look for to learn that data is kept. There is neither an RDB file nor an AOF. */
static void fill_persistence(struct buf *out, void *ctx)
{
    (void)ctx;
    buf_printf(out, "loading:0\r\nasync_loading:0\r\nrdb_changes_since_last_save:0\r\n"
                    "rdb_bgsave_in_progress:0\r\nrdb_last_bgsave_status:ok\r\naof_enabled:1\r\n"
                    "aof_rewrite_in_progress:0\r\naof_last_bgrewrite_status:ok\r\n"
                    "aof_last_write_status:ok\r\n");
}

static void fill_stats(struct buf *out, void *ctx)
{
    const struct server *server = ctx;
    const struct stats *stats = &server->stats;
    struct stats_rates rates = stats_rates(stats);
    buf_printf(out,
               "total_connections_received:%llu\r\ntotal_commands_processed:%llu\r\n"
               "instantaneous_ops_per_sec:%llu\r\ntotal_net_input_bytes:%llu\r\n"
               "total_net_output_bytes:%llu\r\ninstantaneous_input_kbps:%.2f\r\n"
               "instantaneous_output_kbps:%.2f\r\nrejected_connections:%llu\r\n",
               (ull)stats->connections, (ull)stats->commands, (ull)rates.commands,
               (ull)stats->bytes_in, (ull)stats->bytes_out, rates.kilobytes_in, rates.kilobytes_out,
               (ull)stats->rejected_connections);
    buf_printf(out,
               "eventloop_cycles:%llu\r\neventloop_duration_sum:%llu\r\n"
               "eventloop_duration_max:%llu\r\n",
               (ull)stats->turns, (ull)stats->turns_us, (ull)stats->turn_us_max);
    buf_printf(out,
               "sync_full:0\r\nsync_partial_ok:0\r\nsync_partial_err:0\r\npubsub_channels:0\r\n"
               "pubsub_patterns:0\r\nlatest_fork_usec:0\r\ntotal_error_replies:%llu\r\n"
               "protocol_errors:%llu\r\nclient_query_buffer_limit_disconnections:%llu\r\n"
               "client_output_buffer_limit_disconnections:%llu\r\nclient_timeouts:%llu\r\n",
               (ull)stats->error_replies, (ull)stats->protocol_errors,
               (ull)stats->query_limit_closes, (ull)stats->output_limit_closes,
               (ull)stats->timeout_closes);
}

/* Every node takes writes: to plain clients it is a master. The truth per shard is in "raft". */
static void fill_replication(struct buf *out, void *ctx)
{
    const struct server *server = ctx;
    buf_printf(out,
               "role:master\r\nconnected_slaves:0\r\nmaster_failover_state:no-failover\r\n"
               "master_replid:%s\r\nmaster_repl_offset:0\r\n",
               server->run_id);
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void fill_cpu(struct buf *out, void *ctx)
{
    (void)ctx;
    struct rusage self = {0}, children = {0}, thread = {0};
    (void)getrusage(RUSAGE_SELF, &self);
    (void)getrusage(RUSAGE_CHILDREN, &children);
    (void)getrusage(RUSAGE_THREAD, &thread);
    buf_printf(out, "used_cpu_sys:%.6f\r\nused_cpu_user:%.6f\r\n", seconds(self.ru_stime),
               seconds(self.ru_utime));
    buf_printf(out, "used_cpu_sys_children:%.6f\r\nused_cpu_user_children:%.6f\r\n",
               seconds(children.ru_stime), seconds(children.ru_utime));
    buf_printf(out, "used_cpu_sys_main_thread:%.6f\r\nused_cpu_user_main_thread:%.6f\r\n",
               seconds(thread.ru_stime), seconds(thread.ru_utime));
}

static void append_command(struct buf *out, const struct command_stats *of)
{
    if (of->calls == 0 && of->rejected == 0)
        return;
    buf_append_string(out, "cmdstat_");
    refusal_append_name(of->command, of->container, out);
    buf_printf(
        out, ":calls=%llu,usec=%llu,usec_per_call=%.2f,rejected_calls=%llu,failed_calls=%llu\r\n",
        (ull)of->calls, (ull)of->usec, of->calls == 0 ? 0 : (double)of->usec / (double)of->calls,
        (ull)of->rejected, (ull)of->failed);
}

static void fill_commandstats(struct buf *out, void *ctx)
{
    const struct server *server = ctx;
    struct list *node, *after;
    LIST_FOR_EACH(node, after, &server->stats.commands_used)
    append_command(out, CONTAINER_OF(node, struct command_stats, link));
}

static void fill_errorstats(struct buf *out, void *ctx)
{
    const struct server *server = ctx;
    for (size_t i = 0; i < server->stats.error_count; i++) {
        const struct error_stats *error = &server->stats.errors[i];
        buf_printf(out, "errorstat_%s:count=%llu\r\n", error->code, (ull)error->count);
    }
}

static void fill_cluster(struct buf *out, void *ctx)
{
    const struct server *server = ctx;
    buf_printf(out, "cluster_enabled:%d\r\n", server->config->cluster_enabled ? 1 : 0);
}

void info_server_register(struct info *info, struct server *server)
{
    info_add(info, "server", fill_server, server);
    info_add(info, "clients", fill_clients, server);
    info_add(info, "memory", fill_memory, server);
    info_add(info, "persistence", fill_persistence, server);
    info_add(info, "stats", fill_stats, server);
    info_add(info, "replication", fill_replication, server);
    info_add(info, "cpu", fill_cpu, server);
    info_add(info, "commandstats", fill_commandstats, server);
    info_add(info, "errorstats", fill_errorstats, server);
    info_add(info, "cluster", fill_cluster, server);
}
