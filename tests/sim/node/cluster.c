#include "cluster.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "node/internal.h"

enum {
    MILLION = 1000000,
    CALM_US_MAX = 120000000, /* everything must be well again within this */
    SPREAD_US = 200000,      /* of the clocks at the start */
    DRIFT_PPM_MAX = 500,
};

/* ---- telling ---- */

void cluster_violation(struct cluster *cluster, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("not ok - sim_node --seed %llu: %.3f s: ", (unsigned long long)cluster->seed,
           (double)cluster->now_us / 1e6);
    (void)vprintf(format, args);
    printf("\n");
    va_end(args);
    (void)fflush(stdout);
    exit(1);
}

void cluster_trace(const struct cluster *cluster, const char *format, ...)
{
    if (!cluster->is_traced)
        return;
    va_list args;
    va_start(args, format);
    printf("# %9.3f ", (double)cluster->now_us / 1e6);
    (void)vprintf(format, args);
    printf("\n");
    va_end(args);
}

/* ---- drawing ---- */

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

static struct cluster_options draw_options(struct prng *prng)
{
    static const uint64_t steps_us[] = {1000, 4000, 10000, 20000};
    static const uint64_t downs_us[] = {50000, 1000000, 5000000};
    static const uint64_t pauses_us[] = {200000, 1000000, 4000000};
    static const uint64_t turns[] = {1000000, 1000000, 600000};
    return (struct cluster_options){
        .crash = draw_rate(prng, 3000),
        .kill = draw_rate(prng, 3000),
        .pause = draw_rate(prng, 5000),
        .transfer = draw_rate(prng, 10000),
        .turn_chance = (uint32_t)draw_of(prng, turns, COUNT_OF(turns)),
        .step_us_max = draw_of(prng, steps_us, COUNT_OF(steps_us)),
        .down_us_max = draw_of(prng, downs_us, COUNT_OF(downs_us)),
        .pause_us_max = draw_of(prng, pauses_us, COUNT_OF(pauses_us)),
    };
}

static struct wires_options draw_wires(struct prng *prng)
{
    static const uint64_t delays_us[] = {200, 2000, 20000, 100000};
    static const uint64_t cuts_us[] = {200000, 1500000, 8000000, 12000000};
    static const uint64_t redials_us[] = {20000, 200000, 1000000};
    return (struct wires_options){
        .delay_us_max = draw_of(prng, delays_us, COUNT_OF(delays_us)),
        .cut = draw_rate(prng, 5000),
        .cut_one_way = draw_rate(prng, 5000),
        .isolate = draw_rate(prng, 5000),
        .flap = draw_rate(prng, 50000),
        .exile = draw_rate(prng, 1500),
        .reset = draw_rate(prng, 10000),
        .cut_us_max = draw_of(prng, cuts_us, COUNT_OF(cuts_us)),
        .redial_us_max = draw_of(prng, redials_us, COUNT_OF(redials_us)),
    };
}

static struct caller_options draw_caller(struct prng *prng)
{
    static const uint64_t sends[] = {1000000, 300000, 30000};
    static const uint64_t patiences_us[] = {500000, 3000000, 20000000, 20000000};
    static const uint64_t thinks_us[] = {1000, 100000, 4000000};
    return (struct caller_options){
        .send = (uint32_t)draw_of(prng, sends, COUNT_OF(sends)),
        .depth_max =
            (uint32_t)prng_between(prng, 1, prng_chance(prng, MILLION / 2) ? 2 : CALLER_DEPTH_MAX),
        .leave = draw_rate(prng, 5000),
        .go_wrong = draw_rate(prng, 300000),
        .patience_us = draw_of(prng, patiences_us, COUNT_OF(patiences_us)),
        .think_us_max = draw_of(prng, thinks_us, COUNT_OF(thinks_us)),
        .only_reads = prng_chance(prng, MILLION / 3),
    };
}

/* As for one node, but for what would only hide what several do to each other. */
static struct world_options draw_world(struct prng *prng, int node_count, uint32_t shards)
{
    static const uint64_t tails[] = {0, 0, 2000, 100000, 16 << 20};
    struct world_options options = world_draw_options(prng);
    options.shards = shards;
    options.appendfsync = CONFIG_FSYNC_ALWAYS;
    options.crash = options.kill = options.crash_after_reply = options.long_pause = 0;
    options.wal_fault /= 4;
    options.clock_jump_us_max = 20000000;
    options.log_tail = draw_of(prng, tails, COUNT_OF(tails));
    options.flush_bytes = 64 << 20;
    options.power_cut = draw_rate(prng, 2000);
    options.lose_rows = node_count >= 3 ? draw_rate(prng, 300000) : 0;
    options.reads_need_quorum = prng_chance(prng, MILLION / 4);
    return options;
}

static void draw_members(struct cluster *cluster)
{
    cluster->members.count = (uint32_t)cluster->node_count;
    for (int i = 0; i < cluster->node_count; i++) {
        struct member *member = &cluster->members.at[i];
        *member = (struct member){.node = (uint64_t)i + 1,
                                  .is_voter = true,
                                  .store_id = prng_next(&cluster->prng) | 1,
                                  .port = (uint16_t)(7001 + i),
                                  .peer_port = (uint16_t)(17001 + i)};
        (void)snprintf(member->host, sizeof(member->host), "10.0.0.%d", i + 1);
    }
}

static void begin_nodes(struct cluster *cluster)
{
    struct prng *prng = &cluster->prng;
    struct world_options options = draw_world(prng, cluster->node_count, cluster->shards);
    /* Of a quorum of three clocks the one in the middle is right if one of them is wrong. */
    cluster->jumps = cluster->node_count > 1;
    for (int i = 0; i < cluster->node_count; i++) {
        struct cluster_node *node = &cluster->nodes[i];
        world_init_member(&node->world, cluster->seed, cluster->is_traced, i + 1, &options,
                          &cluster->members);
        node->drift_ppm = (int32_t)prng_below(prng, 2 * DRIFT_PPM_MAX) - DRIFT_PPM_MAX;
        node->world.now.wall_us += prng_below(prng, SPREAD_US);
        node->world.now.boot_us += prng_below(prng, 100000000);
        if (i >= cluster->jumps && cluster->node_count > 1)
            node->world.options.clock_jump = 0;
    }
}

static void begin(struct cluster *cluster, uint64_t seed, bool is_traced)
{
    static const uint64_t counts[] = {1, 3, 3, 3, 3, 3, 3, 5};
    *cluster = (struct cluster){.seed = seed, .is_traced = is_traced, .now_us = 1};
    cluster->prng = prng_init(seed * 0x9e3779b97f4a7c15 + 3);
    struct prng *prng = &cluster->prng;
    cluster->node_count = (int)draw_of(prng, counts, COUNT_OF(counts));
    cluster->shards = (uint32_t)prng_between(prng, 1, CLUSTER_SHARDS_MAX);
    cluster->options = draw_options(prng);
    draw_members(cluster);
    begin_nodes(cluster);
    cluster->wires =
        (struct wires){.options = draw_wires(prng), .prng = prng, .count = cluster->node_count};
    cluster->active_count = (int)prng_between(prng, 1, CLUSTER_THINGS_MAX);
    for (int i = 0; i < cluster->active_count; i++)
        cluster->active[i] = history_new_thing(&cluster->history, prng);
    cluster->caller_count = (int)prng_between(prng, 2, CLUSTER_CALLERS_MAX);
    for (int i = 0; i < cluster->caller_count; i++) {
        struct caller_options options = draw_caller(prng);
        caller_init(&cluster->callers[i], cluster, i, prng_next(prng), &options);
    }
    cluster_trace(cluster, "%d nodes, %u shards, %d callers", cluster->node_count, cluster->shards,
                  cluster->caller_count);
}

/* ---- starts and ends ---- */

/* On the node's own clocks, which go on while it is down. */
static uint64_t time_since(struct cluster *cluster, struct cluster_node *node)
{
    uint64_t passed = cluster->now_us - node->turned_at_us;
    int64_t drift = (int64_t)passed * node->drift_ppm / MILLION;
    node->turned_at_us = cluster->now_us;
    return (uint64_t)((int64_t)passed + drift);
}

static void start(struct cluster *cluster, int at)
{
    struct cluster_node *node = &cluster->nodes[at];
    uint64_t passed = time_since(cluster, node);
    node->world.now.boot_us += passed;
    node->world.now.wall_us += passed;
    world_open(&node->world);
    node->is_running = true;
    node->paused_until_us = 0;
    wires_set(&cluster->wires, at, node->world.node->peers);
    cluster_note_open(cluster, at);
}

/* One shard of one node at a time: the others have the rows. */
static void lose_rows(struct cluster *cluster, int at)
{
    struct world *world = &cluster->nodes[at].world;
    for (int i = 0; i < cluster->node_count; i++) {
        if (cluster->nodes[i].world.lost_rows > 0)
            return;
    }
    if (cluster->is_quiet || !prng_chance(&cluster->prng, world->options.lose_rows))
        return;
    if (!world_lose_rows(world, (uint32_t)prng_below(&cluster->prng, cluster->shards)))
        return;
    world->lost_rows = 1;
    cluster_trace(cluster, "fault: node %d loses the rows of a shard", at + 1);
}

static void crash(struct cluster *cluster, int at, bool loses)
{
    struct cluster_node *node = &cluster->nodes[at];
    for (int i = 0; i < cluster->caller_count; i++) {
        if (cluster->callers[i].client != NULL && cluster->callers[i].home == at)
            caller_hang_up(&cluster->callers[i]);
    }
    wires_set(&cluster->wires, at, NULL);
    world_crash(&node->world, loses);
    node->is_running = false;
    node->start_at_us = cluster->now_us;
    if (!cluster->is_quiet)
        node->start_at_us += prng_below(&cluster->prng, cluster->options.down_us_max);
    if (loses)
        lose_rows(cluster, at);
}

/* ---- steps ---- */

static void note_rows_again(struct cluster_node *node, uint32_t shards)
{
    for (uint32_t id = 0; node->world.lost_rows > 0 && id < shards; id++) {
        if (shard_has_lost_rows(node->world.node->shards[id]))
            return;
    }
    node->world.lost_rows = 0;
}

static void turn(struct cluster *cluster, int at)
{
    struct cluster_node *node = &cluster->nodes[at];
    uint64_t passed = time_since(cluster, node);
    wires_deliver(&cluster->wires, at);
    bool is_well = world_turn_after(&node->world, passed);
    cluster_note_wall(cluster, at);
    if (!is_well || world_is_dying(&node->world)) {
        crash(cluster, at, true);
        return;
    }
    cluster->wires.is_paused[at] = false;
    wires_collect(&cluster->wires, at);
    cluster_look_at(cluster, at);
    note_rows_again(node, cluster->shards);
}

static bool draws(struct cluster *cluster, uint32_t rate)
{
    return !cluster->is_quiet && prng_chance(&cluster->prng, rate);
}

/* Half of the time out of reach, too: what came before is all that it finds when it goes on. */
static void stand_still(struct cluster *cluster, int at)
{
    uint64_t us = prng_below(&cluster->prng, cluster->options.pause_us_max);
    cluster->nodes[at].paused_until_us = cluster->now_us + us;
    cluster->wires.is_paused[at] = true;
    if (prng_chance(&cluster->prng, MILLION / 2))
        wires_isolate(&cluster->wires, at, us + prng_below(&cluster->prng, 500000));
    cluster_trace(cluster, "fault: node %d stands still for %llu us", at + 1,
                  (unsigned long long)us);
}

static void transfer(struct cluster *cluster)
{
    uint32_t id = (uint32_t)prng_below(&cluster->prng, cluster->shards);
    int leader = cluster_leader(cluster, id);
    uint64_t to = prng_below(&cluster->prng, (uint64_t)cluster->node_count) + 1;
    if (leader < 0 || (uint64_t)leader + 1 == to)
        return;
    struct world *world = &cluster->nodes[leader].world;
    enum raft_err err = raft_transfer(shard_raft(world->node->shards[id]), world->now.boot_us, to);
    cluster_trace(cluster, "shard %u is to be led by node %llu%s", id, (unsigned long long)to,
                  err == RAFT_OK ? "" : ": refused");
}

static void step_node(struct cluster *cluster, int at)
{
    struct cluster_node *node = &cluster->nodes[at];
    if (!node->is_running) {
        if (!node->stays_down && cluster->now_us >= node->start_at_us)
            start(cluster, at);
        return;
    }
    if (draws(cluster, cluster->options.crash)) {
        crash(cluster, at, true);
    } else if (draws(cluster, cluster->options.kill)) {
        crash(cluster, at, false);
    } else if (draws(cluster, cluster->options.pause)) {
        stand_still(cluster, at);
    }
    bool is_paused = cluster->now_us < node->paused_until_us;
    if (node->is_running && !is_paused &&
        (cluster->is_quiet || prng_chance(&cluster->prng, cluster->options.turn_chance)))
        turn(cluster, at);
}

static void step(struct cluster *cluster)
{
    cluster->steps++;
    cluster->now_us += prng_below(&cluster->prng, cluster->options.step_us_max) + 1;
    cluster->wires.target = cluster_leader(cluster, (uint32_t)(cluster->steps % cluster->shards));
    wires_step(&cluster->wires, cluster->now_us);
    if (draws(cluster, cluster->options.transfer))
        transfer(cluster);
    for (int i = 0; i < cluster->node_count; i++)
        step_node(cluster, i);
    for (int i = 0; i < cluster->caller_count; i++)
        caller_step(&cluster->callers[i]);
}

/* ---- the calm ---- */

static bool has_lost_rows(const struct cluster *cluster)
{
    for (int i = 0; i < cluster->node_count; i++) {
        if (cluster->nodes[i].world.lost_rows > 0)
            return true;
    }
    return false;
}

/* A minority may stay away for good: the others must do without, unless one of them has lost its
 * rows: it does not lead, and those who can may lack what only it and the one away have. */
static void calm(struct cluster *cluster)
{
    bool may_stay_away = prng_chance(&cluster->prng, MILLION / 4) && !has_lost_rows(cluster);
    int away = may_stay_away ? (cluster->node_count - 1) / 2 : 0;
    cluster->is_quiet = true;
    wires_calm(&cluster->wires);
    for (int i = 0; i < cluster->node_count; i++) {
        struct cluster_node *node = &cluster->nodes[i];
        if (i < away && node->is_running)
            crash(cluster, i, true);
        node->stays_down = i < away;
        node->paused_until_us = 0;
        node->start_at_us = cluster->now_us;
        world_calm(&node->world);
    }
    cluster_trace(cluster, "calm, %d away", away);
}

typedef bool cluster_test_fn(const struct cluster *cluster);

static void trace_shards(const struct cluster *cluster)
{
    for (int i = 0; i < cluster->node_count; i++) {
        for (uint32_t id = 0; cluster->nodes[i].is_running && id < cluster->shards; id++) {
            struct shard *shard = cluster->nodes[i].world.node->shards[id];
            struct shard_status s = shard_status(shard);
            cluster_trace(cluster,
                          "node %d shard %u: term %llu base %llu mark %llu flushed %llu applied "
                          "%llu commit %llu last %llu%s%s",
                          i + 1, id, (unsigned long long)s.term, (unsigned long long)s.base,
                          (unsigned long long)s.mark, (unsigned long long)s.flushed,
                          (unsigned long long)s.applied, (unsigned long long)s.commit,
                          (unsigned long long)s.last, shard_is_serving(shard) ? " serves" : "",
                          shard_has_lost_rows(shard) ? " lost rows" : "");
        }
    }
}

static void wait_for(struct cluster *cluster, cluster_test_fn *test, const char *what)
{
    uint64_t until_us = cluster->now_us + CALM_US_MAX;
    while (!test(cluster)) {
        if (cluster->now_us <= until_us) {
            step(cluster);
            continue;
        }
        trace_shards(cluster);
        cluster_violation(cluster, "without faults, %s takes more than %d s", what,
                          CALM_US_MAX / MILLION);
    }
}

static bool callers_are_idle(const struct cluster *cluster)
{
    for (int i = 0; i < cluster->caller_count; i++) {
        if (!caller_is_idle(&cluster->callers[i]))
            return false;
    }
    return true;
}

static bool all_is_read_back(const struct cluster *cluster)
{
    for (int i = 0; i < cluster->caller_count; i++) {
        if (!caller_has_read_back(&cluster->callers[i]))
            return false;
    }
    return true;
}

static void read_back(struct cluster *cluster)
{
    for (int i = 0; i < cluster->caller_count; i++)
        caller_read_back(&cluster->callers[i]);
    wait_for(cluster, all_is_read_back, "reading back");
}

static void end_well(struct cluster *cluster)
{
    calm(cluster);
    wait_for(cluster, callers_are_idle, "an answer");
    wait_for(cluster, cluster_has_converged, "to agree");
    read_back(cluster);
    for (int i = 0; i < cluster->node_count; i++)
        cluster->nodes[i].world.config.flush_age_ms = 1;
    wait_for(cluster, cluster_is_flushed, "a flush of everything");
    cluster_compare_rows(cluster);
    for (int i = 0; i < cluster->node_count; i++) {
        if (cluster->nodes[i].is_running)
            crash(cluster, i, true);
    }
    read_back(cluster);
    cluster_check_history(cluster);
}

static void fini(struct cluster *cluster)
{
    for (int i = 0; i < cluster->caller_count; i++) {
        caller_hang_up(&cluster->callers[i]);
        caller_fini(&cluster->callers[i]);
    }
    for (int i = 0; i < cluster->node_count; i++) {
        if (cluster->nodes[i].is_running)
            node_close(cluster->nodes[i].world.node);
        world_fini(&cluster->nodes[i].world);
    }
    cluster_forget_facts(cluster);
    wires_fini(&cluster->wires);
    history_free(&cluster->history);
}

void cluster_run(uint64_t seed, bool is_traced)
{
    struct cluster *cluster = mem_zero(sizeof(*cluster));
    begin(cluster, seed, is_traced);
    uint64_t steps = prng_between(&cluster->prng, 500, 3000);
    while (cluster->steps < steps)
        step(cluster);
    end_well(cluster);
    const struct history *history = &cluster->history;
    cluster_trace(cluster,
                  "done: %llu acts known, %llu unknown, %llu indeterminate, %llu refused, %zu "
                  "things, %llu undecided; "
                  "%llu terms, %llu installs, %llu breaks",
                  (unsigned long long)history->known, (unsigned long long)history->unknown,
                  (unsigned long long)history->indeterminate, (unsigned long long)history->refused,
                  history->count, (unsigned long long)history->undecided,
                  (unsigned long long)cluster->elections, (unsigned long long)cluster->installs,
                  (unsigned long long)cluster->wires.breaks);
    fini(cluster);
    mem_free(cluster);
}
