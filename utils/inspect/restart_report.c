/* What a start would do: the start itself, over a disk that forgets and copies of LevelDB, without
 * sockets, threads or a lock. So what is told here cannot differ from what happens. */
#include <stdio.h>

#include "base/mem.h"
#include "config/config.h"
#include "report.h"
#include "scratch.h"
#include "node/internal.h"
#include "os/clock.h"

static struct turn_time read_clocks(void *context)
{
    (void)context;
    return (struct turn_time){.boot_us = clock_boot_us(), .wall_us = clock_wall_us()};
}

static bool load_config(const struct report *report, struct config *config, struct buf *error)
{
    char program[] = "quoin-inspect", dir[] = "--dir", shards[] = "--shards";
    char count[16];
    uint32_t shard_count = report->shard_count > 0 ? report->shard_count : 1;
    (void)snprintf(count, sizeof(count), "%u", shard_count);
    char *const words[] = {program, dir, (char *)(size_t)report->dir, shards, count, NULL};
    struct config_messages messages = {0};
    enum config_err err = config_load_args(config, COUNT_OF(words) - 1, words, &messages);
    if (err != CONFIG_OK)
        buf_append(error, buf_bytes(&messages.error));
    config_messages_free(&messages);
    return err == CONFIG_OK;
}

static void take_shards(struct report *report, const struct node *node)
{
    report->restart.shards = mem_zero((size_t)node->shard_count * sizeof(*report->restart.shards));
    for (uint32_t id = 0; id < node->shard_count; id++)
        report->restart.shards[id] = shard_status(node->shards[id]);
}

static void start(struct report *report, struct config *config, struct log *log)
{
    struct restart_report *restart = &report->restart;
    struct node_options options = {
        .config = config,
        .log = log,
        .disk = report->disk,
        .kv = report->env,
        .stop_fd = -1,
        .seed = 1,
        .read_clocks = read_clocks,
        .measure_us = clock_boot_us,
    };
    struct node *node = NULL;
    restart->starts = node_open(&node, &options, &restart->error);
    if (restart->starts)
        take_shards(report, node);
    node_close(node);
}

void report_restart(struct report *report)
{
    struct config config;
    struct log log;
    config_init(&config);
    if (!log_init(&log, LOG_LEVEL_NOTHING, "/dev/null"))
        buf_append_string(&report->restart.error, "/dev/null cannot be opened");
    else if (report->waits_for_cluster)
        report->restart.starts = true; /* it would look for the others, which is not ours to do */
    else if (load_config(report, &config, &report->restart.error))
        start(report, &config, &log);
    scratch_correct(report->env, &report->restart.error);
    config_fini(&config);
    log_fini(&log);
}
