#include "raft_net_faults.h"

#include <inttypes.h>
#include <stdio.h>

/* A rate: off as often as not, otherwise of any order of magnitude up to max. */
static uint32_t draw_rate(struct prng *prng, uint32_t max)
{
    if (prng_chance(prng, 500000))
        return 0;
    return max >> prng_below(prng, 6);
}

static uint64_t draw_of(struct prng *prng, const uint64_t *choices, size_t count)
{
    return choices[prng_below(prng, count)];
}

static uint32_t draw_any_rate(struct prng *prng)
{
    static const uint64_t rates[] = {10000, 25000, 60000};
    return (uint32_t)draw_of(prng, rates, COUNT_OF(rates));
}

static uint64_t draw_any_delay(struct prng *prng)
{
    static const uint64_t delays[] = {5000, 15000, 40000};
    return draw_of(prng, delays, COUNT_OF(delays));
}

static struct raft_faults draw_all(struct prng *prng)
{
    static const uint64_t delays[] = {300, 2000, 15000, 40000, 100000};
    static const uint64_t stores[] = {100, 2000, 20000, 80000};
    static const uint64_t slots[] = {5000, 10000, 30000};
    static const uint64_t slows[] = {100000, 300000, 1000000};
    /* Few as well: who is cut off can win an election only while nothing new is written. */
    static const uint64_t proposals[] = {3000, 20000, 100000, 500000};
    static const uint64_t drifts[] = {0, 10000, 200000};
    return (struct raft_faults){
        .drop = draw_rate(prng, 300000),
        .duplicate = draw_rate(prng, 100000),
        .slow = draw_rate(prng, 300000),
        .delay_max_us = draw_of(prng, delays, COUNT_OF(delays)),
        .slow_max_us = draw_of(prng, slows, COUNT_OF(slows)),
        .leader_bias = draw_rate(prng, 800000),
        .keeps_what_flies = prng_chance(prng, 500000),
        .link_bias = draw_rate(prng, 800000),
        .ambush = draw_rate(prng, 800000),
        .restart_at_once = draw_rate(prng, 1000000),
        .store_max_us = draw_of(prng, stores, COUNT_OF(stores)),
        .action_us = draw_of(prng, slots, COUNT_OF(slots)),
        .propose = (uint32_t)draw_of(prng, proposals, COUNT_OF(proposals)),
        .read = draw_rate(prng, 400000),
        .partition = draw_rate(prng, 150000),
        .heal = 20000 + draw_rate(prng, 200000),
        .crash = draw_rate(prng, 100000),
        .restart = 50000 + draw_rate(prng, 400000),
        .change = draw_rate(prng, 300000),
        .transfer = draw_rate(prng, 100000),
        .compact = draw_rate(prng, 50000),
        .apply = 200000 + (uint32_t)prng_below(prng, 800000),
        .lose_rows = draw_rate(prng, 10000),
        .lose_promises = draw_rate(prng, 5000),
        .unreachable = draw_rate(prng, 20000),
        .electable = draw_rate(prng, 5000),
        .drift_ppm = (uint32_t)draw_of(prng, drifts, COUNT_OF(drifts)),
        .actions = 100 + (uint32_t)prng_below(prng, 200),
    };
}

static struct raft_faults without_faults(struct raft_faults options)
{
    options.drop = options.duplicate = options.slow = options.partition = options.crash = 0;
    options.change = options.transfer = options.compact = options.unreachable = 0;
    options.lose_rows = options.lose_promises = options.electable = options.ambush = 0;
    options.delay_max_us = options.store_max_us = 2000;
    options.action_us = 5000;
    options.actions = 400;
    return options;
}

/* Who may believe to lead. Few writes, so that who is cut off can still win. */
static struct raft_faults about_leases(struct prng *prng, struct raft_faults theme)
{
    theme.propose = 5000;
    theme.read = 600000;
    theme.partition = draw_any_rate(prng);
    theme.heal = draw_any_rate(prng);
    theme.link_bias = prng_chance(prng, 500000) ? 800000 : 0;
    theme.leader_bias = 600000;
    theme.slow = prng_chance(prng, 500000) ? (uint32_t)prng_below(prng, 400000) : 0;
    theme.slow_max_us = 200000;
    theme.transfer = draw_rate(prng, 50000);
    theme.drift_ppm = prng_chance(prng, 500000) ? 200000 : 0;
    return theme;
}

/* What a voter promised in its life before: the two others of a leader's quorum meet without it. */
static struct raft_faults about_restarts(struct prng *prng, struct raft_faults theme)
{
    theme.voters = 3;
    theme.propose = 3000;
    theme.link_bias = 1000000;
    theme.partition = 30000;
    theme.heal = draw_any_rate(prng);
    theme.crash = 60000;
    theme.leader_bias = 0;
    theme.restart_at_once = 1000000;
    theme.drift_ppm = 0;
    return theme;
}

/* Whose entries survive: leaders come and go with entries on few disks. It takes four of them to
 * overwrite what one committed wrongly, and with more voters more must miss what was written. */
static struct raft_faults about_logs(struct prng *prng, struct raft_faults theme)
{
    theme.voters = 3;
    theme.keeps_what_flies = false;
    theme.actions = 1000;
    theme.propose = 50000;
    theme.delay_max_us = draw_any_delay(prng);
    theme.drop = draw_rate(prng, 300000);
    theme.ambush = 800000;
    theme.leader_bias = 600000;
    theme.crash = draw_rate(prng, 50000);
    theme.restart = 200000;
    theme.partition = 10000;
    theme.heal = draw_any_rate(prng);
    return theme;
}

/* Whose majority counts: changes on their way while leaders come and go. Majorities of an even
 * number overlap least with those of one less. */
static struct raft_faults about_members(struct prng *prng, struct raft_faults theme)
{
    theme.voters = 4;
    theme.keeps_what_flies = false;
    theme.actions = 1000;
    theme.propose = 5000;
    theme.change = 900000;
    theme.delay_max_us = draw_any_delay(prng);
    theme.drop = prng_chance(prng, 500000) ? 150000 : 0;
    theme.ambush = 600000;
    theme.leader_bias = 300000;
    theme.link_bias = 500000;
    theme.partition = draw_any_rate(prng);
    theme.heal = draw_any_rate(prng);
    theme.crash = draw_rate(prng, 50000);
    theme.restart_at_once = 500000;
    return theme;
}

/* Two thirds of the seeds are about one thing: what one rule forbids needs a few faults to meet
 * within one election timeout, and every other fault is in the way. */
struct raft_faults raft_faults_draw(struct prng *prng)
{
    struct raft_faults all = draw_all(prng), none = without_faults(all);
    switch (prng_below(prng, 12)) {
    case 0:
    case 1:
        return about_leases(prng, none);
    case 2:
    case 3:
        return about_restarts(prng, none);
    case 4:
    case 5:
        return about_logs(prng, none);
    case 6:
    case 7:
        return about_members(prng, none);
    default:
        return all;
    }
}

struct raft_net_options raft_faults_draw_net(struct prng *prng, const struct raft_faults *faults,
                                             uint64_t seed)
{
    static const uint64_t sizes[] = {1, 2, 3, 3, 3, 3, 3, 4, 4, 5, 5, 7};
    uint32_t drawn = (uint32_t)draw_of(prng, sizes, COUNT_OF(sizes));
    uint32_t voters = faults->voters != 0 ? faults->voters : drawn;
    uint32_t nodes = voters + (prng_chance(prng, 500000) ? (uint32_t)prng_below(prng, 3) : 0);
    struct raft_config config = raft_net_config();
    static const uint64_t entries[] = {1, 1, 2, RAFT_NET_ENTRIES_MAX};
    static const uint64_t windows[] = {1, 2, 8};
    config.heartbeat_us = prng_between(prng, 20000, 45000);
    config.append_entries_max = (uint32_t)draw_of(prng, entries, COUNT_OF(entries));
    config.inflight_max = (uint32_t)draw_of(prng, windows, COUNT_OF(windows));
    config.term_runs_max = prng_chance(prng, 100000) ? 8 : 256;
    config.clock_drift_ppm = faults->drift_ppm;
    return (struct raft_net_options){
        .node_count = nodes,
        .voter_count = voters,
        .config = config,
        .seed = seed,
        .applies_at_once = prng_chance(prng, 500000),
    };
}

void raft_faults_trace(const struct raft_faults *faults, const struct raft_net_options *net)
{
    printf(
        "# %u nodes, %u voters, %u entries, window %u; drop %u duplicate %u slow %u delay %" PRIu64
        " store %" PRIu64
        " drift %u; propose %u partition %u heal %u crash %u restart %u at once %u"
        " leader %u change %u transfer %u compact %u rows %u promises %u; %u actions of %" PRIu64
        " us\n",
        net->node_count, net->voter_count, net->config.append_entries_max, net->config.inflight_max,
        faults->drop, faults->duplicate, faults->slow, faults->delay_max_us, faults->store_max_us,
        faults->drift_ppm, faults->propose, faults->partition, faults->heal, faults->crash,
        faults->restart, faults->restart_at_once, faults->leader_bias, faults->change,
        faults->transfer, faults->compact, faults->lose_rows, faults->lose_promises,
        faults->actions, faults->action_us);
}
