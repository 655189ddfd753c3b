/* One turn: the phases in their order. Nothing in here blocks. */
#include <stdio.h>
#include <unistd.h>

#include "node/internal.h"

enum {
    WAIT_MAX_US = 100000,
    WAIT_SHORT_US = 1000,
    SETTLE_MAX_US = 10000000,
    FLUSH_SHARE_MIN = 1 << 20,
};

/* ---- poll ---- */

static int64_t wait_us(struct node *node)
{
    if (exec_has_work(node->exec))
        return 0;
    int64_t wait = server_wait_us(node->server);
    if (wait < 0 || wait > WAIT_MAX_US)
        wait = WAIT_MAX_US;
    for (uint32_t id = 0; id < node->shard_count && wait > 0; id++) {
        struct raft *raft = shard_raft(node->shards[id]);
        uint64_t deadline = raft_deadline(raft);
        if (shard_is_frozen(node->shards[id]))
            continue; /* the job that it waits for wakes the loop */
        if (raft_has_ready(raft) || deadline <= node->now.boot_us)
            return 0;
        if (deadline - node->now.boot_us < (uint64_t)wait)
            wait = (int64_t)(deadline - node->now.boot_us);
    }
    uint64_t deadline = exec_next_deadline_us(node->exec);
    if (node->peers != NULL && peers_deadline(node->peers) < deadline)
        deadline = peers_deadline(node->peers);
    if (deadline <= node->now.boot_us)
        return 0;
    if (deadline - node->now.boot_us < (uint64_t)wait)
        wait = (int64_t)(deadline - node->now.boot_us);
    bool is_short = node->stopping != NODE_NOT_STOPPING || exec_waits_a_turn(node->exec);
    return is_short && wait > WAIT_SHORT_US ? WAIT_SHORT_US : wait;
}

struct net_events node_poll(struct node *node, bool may_wait)
{
    if (node->loop == NULL)
        return (struct net_events){0};
    return net_poll(node->loop, may_wait ? wait_us(node) : 0);
}

/* Takes what made the descriptor readable, or the next poll would not sleep. */
static void clear(int fd)
{
    uint8_t taken[256];
    ssize_t size = read(fd, taken, sizeof(taken));
    (void)size; /* nothing there: an earlier turn has taken it */
}

static void look_at_events(struct node *node, struct net_events events)
{
    for (size_t i = 0; i < events.count; i++) {
        const struct net_source *source = events.events[i].source;
        if (source != &node->wake && source != &node->stop)
            continue;
        clear(source->fd);
        if (source == &node->stop)
            node_request_shutdown(node);
    }
}

/* ---- receive: what the helpers finished ---- */

static void store_job_done(struct node *node, struct job *job)
{
    uint32_t id = (uint32_t)job->kind >> FSM_JOB_SHARD_SHIFT;
    struct buf error = {0};
    shard_job_done(node->shards[id], job, &error);
    if (error.size > 0)
        log_write(node->log, LOG_LEVEL_WARNING, "Flushing shard %u: %.*s", id, (int)error.size,
                  (const char *)error.data);
    buf_free(&error);
}

void node_take_done_jobs(struct node *node)
{
    struct job *job;
    while ((job = worker_take_done(node->wal_worker)) != NULL) {
        wal_job_done(node->wal, job);
        node->wal_moved_us = 0;
    }
    while ((job = worker_take_done(node->store_worker)) != NULL)
        store_job_done(node, job);
    while ((job = worker_take_done(node->readers)) != NULL) {
        if ((job->kind & ((1 << FSM_JOB_SHARD_SHIFT) - 1)) == FSM_JOB_EXPORT)
            store_job_done(node, job);
        else
            exec_job_done(node->exec, job);
    }
    while ((job = worker_take_done(node->freer)) != NULL)
        exec_job_done(node->exec, job);
    while ((job = worker_take_done(node->couriers)) != NULL)
        exec_job_done(node->exec, job);
}

/* ---- the shards' phases ---- */

static void tick_shards(struct node *node)
{
    for (uint32_t id = 0; id < node->shard_count; id++)
        shard_tick(node->shards[id], node->now.boot_us);
}

static void submit_wal(struct node *node)
{
    wal_tick(node->wal, node->now.boot_us);
    (void)wal_submit(node->wal, node->wal_worker);
}

static void promise_shards(struct node *node)
{
    for (uint32_t id = 0; id < node->shard_count; id++)
        shard_promise(node->shards[id], node->now.boot_us);
}

/* The budget of unflushed bytes is the node's: many shards get a part of it each. */
static uint64_t flush_share(const struct node *node)
{
    uint64_t share = node->config->flush_bytes * 4 / (node->shard_count + 3);
    return share > FLUSH_SHARE_MIN ? share : FLUSH_SHARE_MIN;
}

/* RAFT SNAPSHOT: until the mark has reached what was applied then. */
static bool wants_mark(struct node *node, uint32_t id)
{
    uint64_t *wanted = &node->marks_wanted[id];
    if (*wanted != 0 && shard_status(node->shards[id]).mark >= *wanted)
        *wanted = 0;
    return *wanted != 0;
}

static void flush_shards(struct node *node)
{
    uint32_t pinning = UINT32_MAX;
    uint64_t first, last;
    uint64_t wal_max = 2 * node->config->flush_bytes + 4 * node->config->wal_segment_size;
    /* A shard with little to flush must not keep old segments of all: its turn comes early. */
    bool is_long = wal_size_bytes(node->wal) > wal_max &&
                   wal_oldest_pinning_group(node->wal, &pinning, &first, &last);
    bool is_wanted = node->stopping == NODE_FLUSHING || exec_wants_flush(node->exec);
    for (uint32_t id = 0; id < node->shard_count; id++) {
        struct fsm_flush_policy policy = {
            .bytes_max = flush_share(node),
            .age_ms = (uint64_t)node->config->flush_age_ms,
            .is_wanted = is_wanted || (is_long && id == pinning) || wants_mark(node, id) ||
                         node_install_wants_flush(node, id),
        };
        shard_flush(node->shards[id], &policy, node->now.boot_us / 1000, node->store_worker);
    }
}

static void log_shard_start(const struct node *node, uint32_t id, const struct shard_status *status)
{
    struct buf line = {0};
    buf_printf(&line, "Cold start of shard %u: %s", id, shard_start_text(status->start));
    if (status->start == SHARD_START_REPLAYED)
        buf_printf(&line, " %llu entries above %llu", (unsigned long long)status->start_replayed,
                   (unsigned long long)status->start_applied);
    if (status->replay_us > 0)
        buf_printf(&line, " within %llu ms", (unsigned long long)status->replay_us / 1000);
    log_write(node->log, LOG_LEVEL_NOTICE, "%.*s, LevelDB opened in %llu ms", (int)line.size,
              (const char *)line.data, (unsigned long long)node->shard_open_us[id] / 1000);
    buf_free(&line);
}

/* A line for each shard whose start was more than opening, one for all others. */
static void log_cold_start(const struct node *node)
{
    uint32_t quiet = 0;
    for (uint32_t id = 0; id < node->shard_count; id++) {
        struct shard_status status = shard_status(node->shards[id]);
        if (status.start == SHARD_START_FRESH || status.start == SHARD_START_SKIPPED)
            quiet++;
        else
            log_shard_start(node, id, &status);
    }
    if (quiet > 0)
        log_write(node->log, LOG_LEVEL_NOTICE, "Cold start: %u of %u shards had nothing to replay",
                  quiet, node->shard_count);
}

/* It serves, or knows who does. */
static bool has_leaders(const struct node *node)
{
    for (uint32_t id = 0; id < node->shard_count; id++) {
        uint64_t leader = raft_leader(shard_raft(node->shards[id]));
        bool is_us = leader == node->identity.node_id;
        if (leader == 0 || (is_us && !shard_is_serving(node->shards[id])))
            return false;
    }
    return true;
}

static void note_ready(struct node *node)
{
    if (node->is_ready || !has_leaders(node))
        return;
    node->is_ready = true;
    node->open_us = node->now.boot_us - node->start_us;
    log_cold_start(node);
    log_write(node->log, LOG_LEVEL_NOTICE,
              "Ready to accept connections on port %lld, %.3f s after the start",
              (long long)node->config->port, (double)node->open_us / 1e6);
}

/* ---- stopping ---- */

static bool all_flushed(const struct node *node)
{
    for (uint32_t id = 0; id < node->shard_count; id++) {
        if (!fsm_is_clean(shard_fsm(node->shards[id])) || fsm_is_busy(shard_fsm(node->shards[id])))
            return false;
    }
    return true;
}

static bool can_flush(const struct node *node)
{
    for (uint32_t id = 0; id < node->shard_count; id++) {
        const char *text;
        if (store_error(shard_fsm(node->shards[id])->store, &text) != STORE_OK)
            return false;
    }
    return node->refusal[0] == 0 && !node->is_hurried;
}

/* A run that waits for LevelDB to be opened again may wait for ever; nothing of it was answered. */
static bool settles_no_more(const struct node *node)
{
    return node->now.boot_us - node->stopping_since_us >= SETTLE_MAX_US;
}

/* SHUTDOWN waits until everything proposed is durable; the flush after it only makes the next start
 * quick, so a disk that cannot take it, or a second signal, does not keep the process alive. */
static enum node_state step_stopping(struct node *node)
{
    struct server_shutdown request = server_shutdown_request(node->server);
    node->is_hurried |= request.is_now;
    if (request.is_requested && node->stopping == NODE_NOT_STOPPING) {
        log_write(node->log, LOG_LEVEL_WARNING, "Shutting down");
        node->stopping = NODE_SETTLING;
    }
    if (node->stopping == NODE_SETTLING && !node->has_handed_over) {
        node->has_handed_over = true;
        node_hand_over_all(node);
    }
    if (node->stopping != NODE_NOT_STOPPING)
        exec_give_up_errands(node->exec);
    if (node->stopping != NODE_NOT_STOPPING && node->stopping_since_us == 0)
        node->stopping_since_us = node->now.boot_us;
    bool is_settled = exec_is_settled(node->exec) && !node_is_handing_over(node);
    if (node->stopping == NODE_SETTLING && (is_settled || settles_no_more(node))) {
        node->stopping = NODE_FLUSHING;
        wal_request_sync(node->wal);
    }
    if (node->stopping != NODE_FLUSHING || wal_is_busy(node->wal))
        return NODE_RUNNING;
    if (can_flush(node) && !all_flushed(node))
        return NODE_RUNNING;
    if (wal_synced(node->wal) < wal_written(node->wal))
        return NODE_RUNNING;
    server_flush_output(node->server);
    return NODE_STOPPED;
}

static bool has_failed(struct node *node)
{
    const char *text;
    if (!wal_failed(node->wal, &text))
        return false;
    (void)snprintf(node->failure, sizeof(node->failure), "write-ahead log: %s", text);
    return true;
}

/* What came in, and then the clock that will judge it (L9). */
static void receive(struct node *node, struct net_events events)
{
    if (node->peers != NULL) /* before clients are freed, whose sources stand in the same events */
        peers_receive(node->peers, events);
    if (node->stopping == NODE_NOT_STOPPING) /* else only what was received is still answered */
        server_receive(node->server, events);
    node->now = node->options.read_clocks(node->options.clock_context);
    node_hear_peers(node);
    exec_set_time_known(node->exec, node_agree_on_time(node));
}

static uint64_t measure_us(const struct node *node)
{
    return node->options.measure_us == NULL ? 0 : node->options.measure_us();
}

static void note_turn(struct node *node, uint64_t begin_us)
{
    server_note_turn(node->server, measure_us(node) - begin_us);
}

/* The turn. The clock is read after the input it will judge (L9); proposals meet the WAL before
 * promises are looked at; nothing leaves before its entry is applied (L1). */
enum node_state node_turn(struct node *node, struct net_events events)
{
    uint64_t begin_us = measure_us(node);
    look_at_events(node, events);
    node_take_done_jobs(node);
    if (has_failed(node))
        return NODE_FAILED;
    receive(node, events);

    tick_shards(node);
    node_collect(node);
    promise_shards(node);
    exec_follow_leadership(node->exec, node->now);
    node_follow_cluster(node);
    exec_begin_turn(node->exec, node->now);
    exec_apply(node->exec);
    server_execute(node->server, node->now);
    exec_housekeeping(node->exec);
    exec_propose(node->exec);
    node_collect(node);
    submit_wal(node);
    node_send(node);
    exec_apply(node->exec);
    flush_shards(node);
    server_release(node->server);
    server_write(node->server);
    exec_end_turn(node->exec);

    node_watch_space(node);
    note_ready(node);
    note_turn(node, begin_us);
    return step_stopping(node);
}

const char *node_failure(const struct node *node)
{
    return node->failure;
}

size_t node_waiting_jobs(const struct node *node)
{
    return worker_waiting(node->wal_worker) + worker_waiting(node->store_worker) +
           worker_waiting(node->readers) + worker_waiting(node->freer) +
           worker_waiting(node->couriers);
}

void node_run_job(struct node *node, size_t position)
{
    struct worker *const workers[] = {node->wal_worker, node->store_worker, node->readers,
                                      node->freer, node->couriers};
    for (size_t i = 0; i < COUNT_OF(workers); i++) {
        size_t waiting = worker_waiting(workers[i]);
        if (position >= waiting) {
            position -= waiting;
            continue;
        }
        /* One thread each for WAL and store: their jobs run in order. Readers may overtake. */
        bool ran = workers[i] == node->readers ? worker_run_at(workers[i], position)
                                               : worker_run_one(workers[i]);
        ASSERT(ran);
        return;
    }
}
