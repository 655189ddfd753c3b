/* Clusters of raft cores under drawn faults, each from one seed.
 *
 *   sim_raft --seeds FROM:COUNT                 many clusters; one TAP line
 *   sim_raft --seed N                           one cluster, with a trace
 *   sim_raft --mutant NAME --seeds FROM:COUNT   the same with a planted bug: must fail
 *   sim_raft --mutants --seeds FROM:COUNT       every planted bug; one TAP line each, ok when found
 *
 * A seed draws its own cluster and its own rate of each fault, many of them 0 (swarm testing, Groce
 * et al. 2012): fixed rates never meet what needs one fault often and another not at all. Then
 * comes a safety phase in which anything may fail, and a liveness phase without faults in which the
 * group must commit something new and everybody must learn it in bounded time. The checkers are
 * raft_net's. Compiled with -DRAFT_MUTANTS; without --mutant the hooks are all false. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "raft/mutants.h"
#include "raft_net.h"
#include "raft_net_faults.h"

enum {
    MILLION = 1000000,
    LIVENESS_ELECTIONS_MAX = 80, /* the bound of the liveness phase, in election_max_us */
    ENTRIES_MAX = 600,
    NEVER = -1,
};

struct sim {
    struct raft_net *net;
    struct prng prng;
    struct raft_faults options;
    uint64_t action_due_us;
    uint32_t actions_left;
    raft_term watched_term;                              /* the newest with a leader */
    uint64_t ambush_due_us;                              /* UINT64_MAX: none */
    bool is_cut[RAFT_NET_NODES_MAX][RAFT_NET_NODES_MAX]; /* from, to */
    bool is_healthy;                                     /* liveness phase */
    uint64_t events;
};

struct sim_run {
    uint64_t first, count;
    int mutant;
    bool is_traced;
    bool each_mutant;
};

/* ---- clocks ---- */

static void set_drift(struct sim *sim, uint32_t n)
{
    struct raft_net_node *node = &sim->net->nodes[n];
    int32_t bound = (int32_t)sim->options.drift_ppm;
    node->clock_base_us = raft_net_clock(sim->net, n);
    node->clock_since_us = sim->net->now_us;
    node->drift_ppm = bound * ((int32_t)prng_below(&sim->prng, 3) - 1);
}

/* When, in the net's time, the node's clock reaches what it waits for. */
static uint64_t wake_us(const struct sim *sim, uint32_t n)
{
    const struct raft_net_node *node = &sim->net->nodes[n];
    if (node->raft == NULL)
        return UINT64_MAX;
    uint64_t deadline = raft_deadline(node->raft);
    if (deadline == UINT64_MAX)
        return UINT64_MAX;
    if (deadline <= raft_net_clock(sim->net, n))
        return sim->net->now_us;
    uint64_t wait = deadline - node->clock_base_us;
    uint64_t rate = (uint64_t)(MILLION + node->drift_ppm);
    return node->clock_since_us + (wait * MILLION + rate - 1) / rate + 1;
}

/* ---- health ---- */

static bool is_well(const struct sim *sim, raft_node id)
{
    uint32_t n = raft_net_position(sim->net, id);
    if (n == RAFT_NET_NODES_MAX)
        return false;
    return !sim->net->nodes[n].promises_lost && !sim->net->nodes[n].rows_lost;
}

/* More than half of the voters would be well if `but` were not: the group can go on some day. */
static bool can_live(const struct sim *sim, const struct raft_members *members, raft_node but)
{
    uint32_t voters = 0, well = 0;
    for (uint32_t i = 0; i < members->count; i++) {
        if (!members->at[i].is_voter)
            continue;
        voters++;
        well += members->at[i].id != but && is_well(sim, members->at[i].id);
    }
    return well * 2 > voters;
}

/* Whatever configuration may still come to count. */
static bool all_can_live(const struct sim *sim, raft_node but)
{
    const struct raft_net *net = sim->net;
    for (uint32_t i = 1; i < net->config_count; i++)
        if (!can_live(sim, &net->configs[i], but))
            return false;
    return true;
}

/* ---- scheduling ---- */

static bool is_across_a_cut(const struct sim *sim, const struct raft_message *message)
{
    uint32_t from = raft_net_position(sim->net, message->from);
    uint32_t to = raft_net_position(sim->net, message->to);
    return from == RAFT_NET_NODES_MAX || to == RAFT_NET_NODES_MAX || sim->is_cut[from][to];
}

static void schedule_messages(struct sim *sim)
{
    struct raft_net *net = sim->net;
    const struct raft_faults *options = &sim->options;
    for (uint32_t i = net->message_count; i > 0 && net->messages[i - 1].due_us == 0; i--) {
        uint64_t delay = prng_between(&sim->prng, 50, options->delay_max_us);
        if (sim->is_healthy)
            delay = prng_between(&sim->prng, 50, 2000);
        else if (prng_chance(&sim->prng, options->slow))
            delay += prng_below(&sim->prng, options->slow_max_us);
        net->messages[i - 1].due_us = net->now_us + delay;
        net->messages[i - 1].was_open = !is_across_a_cut(sim, &net->messages[i - 1].message);
    }
}

static void schedule_batches(struct sim *sim)
{
    for (uint32_t n = 0; n < sim->net->node_count; n++) {
        struct raft_net_node *node = &sim->net->nodes[n];
        uint64_t max = sim->is_healthy ? 2000 : sim->options.store_max_us;
        for (uint32_t i = 0; i < node->batch_count; i++)
            if (node->batches[i].due_us == 0)
                node->batches[i].due_us = sim->net->now_us + prng_between(&sim->prng, 20, max);
    }
}

static bool is_lost(struct sim *sim, const struct raft_net_message *slot)
{
    if (sim->is_healthy)
        return false;
    bool is_cut = is_across_a_cut(sim, &slot->message);
    if (is_cut && !(sim->options.keeps_what_flies && slot->was_open))
        return true;
    return prng_chance(&sim->prng, sim->options.drop);
}

static void deliver(struct sim *sim, uint32_t at)
{
    struct raft_net *net = sim->net;
    if (is_lost(sim, &net->messages[at])) {
        raft_net_drop(net, at);
        return;
    }
    bool has_room = net->message_count < RAFT_NET_MESSAGES_MAX;
    if (!sim->is_healthy && has_room && prng_chance(&sim->prng, sim->options.duplicate))
        raft_net_duplicate(net, at);
    raft_net_deliver(net, at);
}

/* ---- actions ---- */

static uint32_t any_node(struct sim *sim)
{
    return (uint32_t)prng_below(&sim->prng, sim->net->node_count);
}

static bool is_up(const struct sim *sim, uint32_t n)
{
    return sim->net->nodes[n].raft != NULL;
}

static bool is_serving(const struct sim *sim, uint32_t n)
{
    return is_up(sim, n) && raft_serving(sim->net->nodes[n].raft);
}

/* In some seeds rather the leader than any node, in others like any other. */
static uint32_t any_victim(struct sim *sim)
{
    int32_t leader = raft_net_leader(sim->net);
    bool is_leader = leader >= 0 && prng_chance(&sim->prng, sim->options.leader_bias);
    return is_leader ? (uint32_t)leader : any_node(sim);
}

static void split(struct sim *sim)
{
    uint32_t side = (uint32_t)prng_next(&sim->prng);
    for (uint32_t a = 0; a < sim->net->node_count; a++)
        for (uint32_t b = 0; b < sim->net->node_count; b++)
            if ((side >> a & 1) != (side >> b & 1))
                sim->is_cut[a][b] = true;
}

static void isolate(struct sim *sim, uint32_t n, bool from, bool to)
{
    for (uint32_t b = 0; b < sim->net->node_count; b++) {
        sim->is_cut[n][b] = sim->is_cut[n][b] || from;
        sim->is_cut[b][n] = sim->is_cut[b][n] || to;
    }
}

static void cut_link(struct sim *sim, uint32_t a, uint32_t b)
{
    uint64_t ways = prng_between(&sim->prng, 1, 3);
    sim->is_cut[a][b] = sim->is_cut[a][b] || (ways & 1) != 0;
    sim->is_cut[b][a] = sim->is_cut[b][a] || (ways & 2) != 0;
}

/* Each direction of each link by itself: who hears whom forms any graph. */
static void cut_any_links(struct sim *sim)
{
    uint32_t chance = (uint32_t)prng_below(&sim->prng, MILLION);
    for (uint32_t a = 0; a < sim->net->node_count; a++)
        for (uint32_t b = 0; b < sim->net->node_count; b++)
            sim->is_cut[a][b] = prng_chance(&sim->prng, chance);
}

/* All, or those of one node. */
static void heal_links(struct sim *sim)
{
    if (prng_chance(&sim->prng, 500000)) {
        memset(sim->is_cut, 0, sizeof(sim->is_cut));
        return;
    }
    uint32_t n = any_node(sim);
    for (uint32_t b = 0; b < sim->net->node_count; b++)
        sim->is_cut[n][b] = sim->is_cut[b][n] = false;
}

static void act_on_links(struct sim *sim)
{
    if (prng_chance(&sim->prng, sim->options.heal))
        heal_links(sim);
    if (!prng_chance(&sim->prng, sim->options.partition))
        return;
    uint32_t n = any_victim(sim);
    if (prng_chance(&sim->prng, sim->options.link_bias)) {
        cut_link(sim, n, any_node(sim));
        return;
    }
    switch (prng_below(&sim->prng, 5)) {
    case 0:
        split(sim);
        return;
    case 1:
        isolate(sim, n, true, true);
        return;
    case 2:
        isolate(sim, n, true, false);
        return;
    case 3:
        isolate(sim, n, false, true);
        return;
    default:
        cut_any_links(sim);
        return;
    }
}

static void act_on_crashes(struct sim *sim)
{
    struct prng *prng = &sim->prng;
    uint32_t n = any_victim(sim);
    if (is_up(sim, n) && prng_chance(prng, sim->options.crash)) {
        raft_net_crash(sim->net, n, (uint32_t)prng_below(prng, 3));
        if (prng_chance(prng, sim->options.restart_at_once))
            raft_net_start(sim->net, n);
    }
    n = any_node(sim);
    if (is_up(sim, n) || !prng_chance(prng, sim->options.restart))
        return;
    set_drift(sim, n);
    raft_net_start(sim->net, n);
}

static void act_on_disks(struct sim *sim)
{
    struct raft_net *net = sim->net;
    uint32_t n = any_node(sim);
    struct raft_net_node *node = &net->nodes[n];
    if (is_up(sim, n)) {
        if (node->promises_lost && prng_chance(&sim->prng, 20000))
            raft_net_replace(net, n);
        return;
    }
    if (node->promises_lost)
        return;
    if (prng_chance(&sim->prng, sim->options.lose_rows * 20) && all_can_live(sim, node->id))
        raft_net_lose_rows(net, n);
    if (prng_chance(&sim->prng, sim->options.lose_promises * 20) && all_can_live(sim, node->id))
        raft_net_lose_promises(net, n);
}

static void act_as_client(struct sim *sim)
{
    struct prng *prng = &sim->prng;
    for (uint32_t n = 0; n < sim->net->node_count; n++) {
        bool has_room = sim->net->nodes[n].last < ENTRIES_MAX; /* the rest is for liveness */
        if (has_room && is_serving(sim, n) && prng_chance(prng, sim->options.propose))
            (void)raft_net_propose(sim->net, n);
        if (is_up(sim, n) && prng_chance(prng, sim->options.read))
            (void)raft_net_read(sim->net, n, prng_chance(prng, 500000));
        if (is_up(sim, n) && prng_chance(prng, sim->options.apply))
            raft_net_apply(sim->net, n);
        if (is_up(sim, n) && prng_chance(prng, sim->options.compact))
            raft_net_compact(sim->net, n, prng_below(prng, 6));
    }
}

/* What the members would be; false when there is nothing to change. */
static bool foresee(struct raft_members *members, enum raft_change_kind kind, raft_node id)
{
    for (uint32_t i = 0; i < members->count; i++) {
        if (members->at[i].id != id)
            continue;
        if (kind == RAFT_REMOVE)
            members->at[i] = members->at[--members->count];
        else
            members->at[i].is_voter = kind == RAFT_PROMOTE;
        return true;
    }
    return kind == RAFT_ADD_LEARNER;
}

/* Rather towards as many voters as the group was formed with, so that it neither dwindles nor
 * stands still. */
static enum raft_change_kind draw_change(struct sim *sim, const struct raft_members *members)
{
    static const enum raft_change_kind kinds[] = {RAFT_ADD_LEARNER, RAFT_PROMOTE, RAFT_DEMOTE,
                                                  RAFT_REMOVE};
    uint32_t voters = 0;
    for (uint32_t i = 0; i < members->count; i++)
        voters += members->at[i].is_voter;
    if (prng_chance(&sim->prng, 300000))
        return kinds[prng_below(&sim->prng, COUNT_OF(kinds))];
    bool grows = voters < sim->net->options.voter_count;
    return kinds[(grows ? 0 : 2) + prng_below(&sim->prng, 2)];
}

static void act_on_members(struct sim *sim, uint32_t n)
{
    struct raft_members members = raft_membership(sim->net->nodes[n].raft)->members;
    enum raft_change_kind kind = draw_change(sim, &members);
    raft_node id = sim->net->nodes[any_node(sim)].id;
    if (kind != RAFT_ADD_LEARNER && members.count > 0)
        id = members.at[prng_below(&sim->prng, members.count)].id;
    if (foresee(&members, kind, id) && can_live(sim, &members, 0))
        (void)raft_net_change(sim->net, n, kind, id);
}

static void act_as_operator(struct sim *sim)
{
    struct prng *prng = &sim->prng;
    for (uint32_t n = 0; n < sim->net->node_count; n++) {
        if (!is_up(sim, n) || raft_role(sim->net->nodes[n].raft) != RAFT_LEADER)
            continue;
        if (prng_chance(prng, sim->options.change))
            act_on_members(sim, n);
        if (is_up(sim, n) && prng_chance(prng, sim->options.transfer))
            (void)raft_net_transfer(sim->net, n, sim->net->nodes[any_node(sim)].id);
        if (prng_chance(prng, sim->options.unreachable))
            raft_unreachable(sim->net->nodes[n].raft, sim->net->nodes[any_node(sim)].id);
    }
    uint32_t n = any_node(sim);
    if (is_up(sim, n) && prng_chance(prng, sim->options.electable))
        raft_set_electable(sim->net->nodes[n].raft, prng_chance(prng, 500000));
}

/* An install whose stream was lost is given up by whoever ran it. */
static void give_up_installs(struct sim *sim)
{
    struct raft_net *net = sim->net;
    for (uint32_t n = 0; n < net->node_count; n++)
        for (uint32_t m = 0; m < net->node_count; m++)
            if (is_up(sim, n) && prng_chance(&sim->prng, 20000))
                raft_install_abandoned(net->nodes[n].raft, raft_net_clock(net, n),
                                       net->nodes[m].id);
}

static void act(struct sim *sim)
{
    sim->action_due_us = sim->net->now_us + 1 + prng_below(&sim->prng, 2 * sim->options.action_us);
    sim->actions_left--;
    act_on_links(sim);
    act_on_crashes(sim);
    act_on_disks(sim);
    act_as_client(sim);
    act_as_operator(sim);
    give_up_installs(sim);
}

/* Leaders are struck soon after they won, when their log is on few disks: what goes wrong later
 * begins there, and faults at any time rarely hit it. */
static void lie_in_wait(struct sim *sim)
{
    int32_t leader = raft_net_leader(sim->net);
    if (leader < 0 || raft_term_now(sim->net->nodes[leader].raft) <= sim->watched_term)
        return;
    sim->watched_term = raft_term_now(sim->net->nodes[leader].raft);
    /* Before its first messages arrive, or while they are answered. */
    uint64_t span_us = sim->options.delay_max_us * (prng_chance(&sim->prng, 500000) ? 1 : 5);
    if (prng_chance(&sim->prng, sim->options.ambush))
        sim->ambush_due_us = sim->net->now_us + prng_below(&sim->prng, span_us);
}

static void strike(struct sim *sim)
{
    sim->ambush_due_us = UINT64_MAX;
    int32_t leader = raft_net_leader(sim->net);
    if (leader < 0)
        return;
    uint32_t n = (uint32_t)leader;
    if (prng_chance(&sim->prng, sim->options.link_bias)) {
        cut_link(sim, n, any_node(sim));
        return;
    }
    switch (prng_below(&sim->prng, 3)) {
    case 0:
        raft_net_crash(sim->net, n, (uint32_t)prng_below(&sim->prng, 3));
        return;
    case 1:
        isolate(sim, n, true, prng_chance(&sim->prng, 500000));
        return;
    default:
        isolate(sim, n, true, true);
        return;
    }
}

/* ---- the loop ---- */

struct sim_event {
    uint64_t at_us;
    enum { EVENT_ACT, EVENT_AMBUSH, EVENT_MESSAGE, EVENT_STORE, EVENT_WAKE } kind;
    uint32_t which;
};

static struct sim_event earlier(struct sim_event a, struct sim_event b)
{
    return b.at_us < a.at_us ? b : a;
}

static struct sim_event next_event(const struct sim *sim)
{
    const struct raft_net *net = sim->net;
    struct sim_event next = {sim->action_due_us, EVENT_ACT, 0};
    next = earlier(next, (struct sim_event){sim->ambush_due_us, EVENT_AMBUSH, 0});
    for (uint32_t i = 0; i < net->message_count; i++)
        next = earlier(next, (struct sim_event){net->messages[i].due_us, EVENT_MESSAGE, i});
    for (uint32_t n = 0; n < net->node_count; n++) {
        const struct raft_net_node *node = &net->nodes[n];
        next = earlier(next, (struct sim_event){wake_us(sim, n), EVENT_WAKE, n});
        if (node->raft != NULL && node->batch_count > 0)
            next = earlier(next, (struct sim_event){node->batches[0].due_us, EVENT_STORE, n});
    }
    return next;
}

static void run_event(struct sim *sim, void (*do_act)(struct sim *sim))
{
    schedule_messages(sim);
    schedule_batches(sim);
    struct sim_event event = next_event(sim);
    if (event.at_us > sim->net->now_us)
        sim->net->now_us = event.at_us;
    sim->events++;
    switch (event.kind) {
    case EVENT_ACT:
        do_act(sim);
        return;
    case EVENT_AMBUSH:
        strike(sim);
        return;
    case EVENT_MESSAGE:
        deliver(sim, event.which);
        return;
    case EVENT_STORE:
        (void)raft_net_store(sim->net, event.which);
        return;
    case EVENT_WAKE:
        raft_net_tick(sim->net, event.which);
        return;
    }
}

/* ---- liveness ---- */

static void heal(struct sim *sim)
{
    struct raft_net *net = sim->net;
    sim->is_healthy = true;
    sim->ambush_due_us = UINT64_MAX;
    net->options.applies_at_once = true;
    memset(sim->is_cut, 0, sizeof(sim->is_cut));
    for (uint32_t n = 0; n < net->node_count; n++) {
        if (!is_up(sim, n))
            raft_net_start(net, n);
        raft_set_electable(net->nodes[n].raft, true);
    }
    sim->action_due_us = net->now_us;
}

static void act_in_health(struct sim *sim)
{
    struct raft_net *net = sim->net;
    sim->action_due_us = net->now_us + net->options.config.heartbeat_us;
    for (uint32_t n = 0; n < net->node_count; n++) {
        raft_net_apply(net, n);
        raft_net_compact(net, n, 5);
        raft_net_collect(net, n);
    }
    give_up_installs(sim);
}

static bool knows(const struct sim *sim, raft_node id, raft_index index)
{
    uint32_t n = raft_net_position(sim->net, id);
    if (n == RAFT_NET_NODES_MAX || sim->net->nodes[n].promises_lost)
        return true; /* nothing can be asked of it */
    const struct raft_net_node *node = &sim->net->nodes[n];
    return !node->rows_lost && raft_applied_index(node->raft) >= index;
}

/* A leader serves, and each of its members that can has applied all that the safety phase left and
 * something new. */
static bool has_converged(const struct sim *sim, raft_index through)
{
    int32_t leader = raft_net_leader(sim->net);
    if (leader < 0 || !is_serving(sim, (uint32_t)leader))
        return false;
    const struct raft *raft = sim->net->nodes[leader].raft;
    const struct raft_members *members = &raft_membership(raft)->members;
    if (raft_commit_index(raft) <= through || raft_last_index(raft) != raft_commit_index(raft))
        return false;
    for (uint32_t i = 0; i < members->count; i++)
        if (!knows(sim, members->at[i].id, raft_commit_index(raft)))
            return false;
    return true;
}

static void dump(const struct sim *sim)
{
    for (uint32_t n = 0; n < sim->net->node_count; n++) {
        const struct raft_net_node *node = &sim->net->nodes[n];
        if (node->raft == NULL)
            continue;
        fprintf(stderr,
                "#  node %" PRIu64 " role %d term %" PRIu64 " leader %" PRIu64 " base %" PRIu64
                " stored %" PRIu64 " last %" PRIu64 " commit %" PRIu64 " applied %" PRIu64
                "%s%s members:",
                node->id, (int)raft_role(node->raft), raft_term_now(node->raft),
                raft_leader(node->raft), raft_base_index(node->raft), raft_stored_index(node->raft),
                raft_last_index(node->raft), raft_commit_index(node->raft),
                raft_applied_index(node->raft), node->rows_lost ? " rows lost" : "",
                node->promises_lost ? " promises lost" : "");
        const struct raft_members *members = &raft_membership(node->raft)->members;
        for (uint32_t i = 0; i < members->count; i++)
            fprintf(stderr, " %" PRIu64 "%s", members->at[i].id,
                    members->at[i].is_voter ? "" : "l");
        fputc('\n', stderr);
    }
}

static void run_liveness(struct sim *sim)
{
    struct raft_net *net = sim->net;
    heal(sim);
    raft_index through = net->committed_last;
    bool has_proposed = false;
    uint64_t end_us = net->now_us + LIVENESS_ELECTIONS_MAX * net->options.config.election_max_us;
    while (!has_proposed || !has_converged(sim, through)) {
        if (net->now_us > end_us) {
            fprintf(stderr, "# no progress in health after %" PRIu64 " us, committed %" PRIu64 "\n",
                    net->now_us, net->committed_last);
            dump(sim);
            abort();
        }
        run_event(sim, act_in_health);
        int32_t leader = raft_net_leader(net);
        if (has_proposed || leader < 0 || !is_serving(sim, (uint32_t)leader))
            continue;
        has_proposed = raft_net_propose(net, (uint32_t)leader) != 0;
    }
}

/* ---- seeds ---- */

static uint64_t run_seed(struct raft_net *net, uint64_t seed, int mutant, bool is_traced)
{
    struct sim sim = {.net = net, .prng = prng_init(seed), .ambush_due_us = UINT64_MAX};
    sim.options = raft_faults_draw(&sim.prng);
    struct raft_net_options options = raft_faults_draw_net(&sim.prng, &sim.options, seed);
    options.config.mutant = mutant;
    options.is_traced = is_traced;
    if (is_traced)
        raft_faults_trace(&sim.options, &options);
    raft_net_begin(net, &options);
    for (uint32_t n = 0; n < net->node_count; n++)
        set_drift(&sim, n);
    sim.actions_left = sim.options.actions;
    sim.action_due_us = net->now_us + 2 * prng_below(&sim.prng, options.config.election_max_us);
    while (sim.actions_left > 0) {
        run_event(&sim, act);
        lie_in_wait(&sim);
    }
    run_liveness(&sim);
    return sim.events;
}

/* Not a parameter because a signal handler has none: which seed runs, for the last line. */
static char replay_line[160];

static void on_abort(int signal)
{
    (void)signal;
    ssize_t written = write(STDOUT_FILENO, replay_line, strlen(replay_line));
    _exit(written < 0 ? 2 : 1);
}

static const char *const mutant_names[] = {"none",
#define MUTANT_NAME(name) #name,
                                           RAFT_MUTANTS_LIST(MUTANT_NAME)
#undef MUTANT_NAME
};

static double seconds_since(const struct timespec *start, clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static void run_seeds(const struct sim_run *run)
{
    struct raft_net *net = raft_net_new();
    struct timespec start;
    uint64_t events = 0, committed = 0, reads = 0, leases = 0;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    for (uint64_t seed = run->first; seed < run->first + run->count; seed++) {
        bool has_mutant = run->mutant != RAFT_MUTANT_none;
        snprintf(replay_line, sizeof(replay_line),
                 "not ok 1 - sim_raft seed %" PRIu64 " (replay: sim_raft --seed %" PRIu64 "%s%s)\n",
                 seed, seed, has_mutant ? " --mutant " : "",
                 has_mutant ? mutant_names[run->mutant] : "");
        events += run_seed(net, seed, run->mutant, run->is_traced);
        committed += net->committed_last;
        reads += net->reads_answered;
        leases += net->lease_checks;
    }
    double seconds = seconds_since(&start, CLOCK_PROCESS_CPUTIME_ID);
    raft_net_free(net);
    printf("# %" PRIu64 " events, %" PRIu64 " entries committed, %" PRIu64 " reads, %" PRIu64
           " lease checks, %.0f clusters/s of CPU\n",
           events, committed, reads, leases, (double)run->count / seconds);
    printf("ok 1 - sim_raft seeds %" PRIu64 "..%" PRIu64 "\n", run->first,
           run->first + run->count - 1);
}

/* ---- planted bugs ---- */

static bool finds_mutant(const struct sim_run *run, int mutant, uint64_t *seed)
{
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0)
        return false;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        bool is_quiet =
            freopen("/dev/null", "w", stderr) != NULL && dup2(pipe_ends[1], STDOUT_FILENO) >= 0;
        struct sim_run one = {.first = run->first, .count = run->count, .mutant = mutant};
        if (is_quiet)
            run_seeds(&one);
        fflush(stdout);
        _exit(0);
    }
    close(pipe_ends[1]);
    char line[sizeof(replay_line)] = {0};
    ssize_t size = read(pipe_ends[0], line, sizeof(line) - 1);
    close(pipe_ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    bool is_found = size > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 1;
    return is_found && sscanf(line, "not ok 1 - sim_raft seed %" SCNu64, seed) == 1;
}

static int run_each_mutant(const struct sim_run *run)
{
    int missed = 0;
    for (int mutant = 1; mutant < (int)COUNT_OF(mutant_names); mutant++) {
        struct timespec start;
        uint64_t seed = 0;
        clock_gettime(CLOCK_MONOTONIC, &start);
        bool is_found = finds_mutant(run, mutant, &seed);
        if (is_found)
            printf("ok %d - sim_raft kills %s with seed %" PRIu64 " # %.1f s\n", mutant,
                   mutant_names[mutant], seed, seconds_since(&start, CLOCK_MONOTONIC));
        else
            printf("not ok %d - sim_raft misses %s # %.1f s\n", mutant, mutant_names[mutant],
                   seconds_since(&start, CLOCK_MONOTONIC));
        missed += !is_found;
    }
    return missed == 0 ? 0 : 1;
}

/* ---- arguments ---- */

static int find_mutant(const char *name)
{
    for (int i = 0; i < (int)COUNT_OF(mutant_names); i++)
        if (strcmp(mutant_names[i], name) == 0)
            return i;
    return NEVER;
}

static bool parse_seeds(const char *text, struct sim_run *run)
{
    char *end = NULL;
    run->first = strtoull(text, &end, 10);
    if (end == text || *end != ':')
        return false;
    const char *count = end + 1;
    run->count = strtoull(count, &end, 10);
    return end != count && *end == '\0' && run->count > 0;
}

static bool parse(int argc, char **argv, struct sim_run *run)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--mutants") == 0) {
            run->each_mutant = true;
            continue;
        }
        i++;
        if (strcmp(argv[i - 1], "--seeds") == 0) {
            if (!parse_seeds(value, run))
                return false;
        } else if (strcmp(argv[i - 1], "--seed") == 0) {
            run->first = strtoull(value, NULL, 10);
            run->count = 1;
            run->is_traced = true;
        } else if (strcmp(argv[i - 1], "--mutant") == 0) {
            run->mutant = find_mutant(value);
            if (run->mutant < 0)
                return false;
        } else {
            return false;
        }
    }
    return run->count > 0;
}

int main(int argc, char **argv)
{
    struct sim_run run = {0};
    if (!parse(argc, argv, &run)) {
        fprintf(stderr,
                "usage: sim_raft [--mutants | --mutant NAME] --seeds FROM:COUNT | --seed N\n"
                "mutants:");
        for (size_t i = 1; i < COUNT_OF(mutant_names); i++)
            fprintf(stderr, " %s", mutant_names[i]);
        fputc('\n', stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* a trace is whole when its last event aborts */
    signal(SIGABRT, on_abort);
    if (run.each_mutant)
        return run_each_mutant(&run);
    run_seeds(&run);
    return 0;
}
