#include "alone.h"

#include "base/mem.h"
#include "owner.h"
#include "shared.h"

enum {
    MILLION = 1000000,
    OWNERS_MAX = 7,
    CALM_TURNS_MAX = 60000,
    SWEEP_TURNS_MAX = 20000,
    ROWS_PER_SHARD = 17 + 8, /* counts of each database, the map, what the store itself keeps */
};

struct sim {
    struct world world;
    struct owner owners[OWNERS_MAX];
    int owner_count;
    struct shared shared;
    uint64_t turns;
    uint32_t send;
};

/* ---- drawing ---- */

static struct owner_options draw_owner(struct sim *sim)
{
    struct prng *prng = &sim->world.prng;
    struct owner_options options = {
        .tags = (int)prng_between(prng, 1, prng_chance(prng, MILLION / 3) ? MODEL_TAGS_MAX : 4),
        .depth_max = (uint32_t)prng_between(prng, 1, prng_chance(prng, MILLION / 2) ? 3 : 16),
        .is_alone = sim->owner_count == 1 && sim->shared.count == 0,
        .large = prng_chance(prng, MILLION / 3) ? 20000 : 0,
    };
    for (size_t i = 0; i < COUNT_OF(options.weights); i++)
        options.weights[i] = prng_chance(prng, MILLION / 3) ? 0 : 1U << prng_below(prng, 5);
    return options;
}

static void begin(struct sim *sim, uint64_t seed, bool is_traced)
{
    world_init(&sim->world, seed, is_traced);
    struct prng *prng = &sim->world.prng;
    sim->owner_count = (int)prng_between(prng, 1, prng_chance(prng, MILLION / 2) ? 2 : OWNERS_MAX);
    shared_init(&sim->shared, &sim->world,
                prng_chance(prng, MILLION / 3) ? 0
                                               : (int)prng_between(prng, 1, SHARED_CLIENTS_MAX));
    for (int i = 0; i < sim->owner_count; i++) {
        struct owner_options options = draw_owner(sim);
        owner_init(&sim->owners[i], &sim->world, i, &options);
    }
    sim->turns = prng_between(prng, 200, sim->world.options.shards > 8 ? 1000 : 3000);
    sim->send = prng_chance(prng, MILLION / 2) ? MILLION : 200000;
}

/* ---- restarts ---- */

static void start(struct sim *sim)
{
    world_open(&sim->world);
    for (int i = 0; i < sim->owner_count; i++)
        owner_verify(&sim->owners[i]);
    shared_connect(&sim->shared);
}

static void restart(struct sim *sim, bool loses)
{
    for (int i = 0; i < sim->owner_count; i++) {
        owner_note_crash(&sim->owners[i], loses);
        owner_disconnect(&sim->owners[i]);
    }
    shared_disconnect(&sim->shared);
    if (loses && sim->world.options.appendfsync != CONFIG_FSYNC_ALWAYS)
        shared_note_loss(&sim->shared);
    world_crash(&sim->world, loses);
    start(sim);
}

/* ---- turns ---- */

static bool receive_all(struct sim *sim)
{
    size_t count = 0;
    bool is_synced = world_is_synced(&sim->world);
    for (int i = 0; i < sim->owner_count; i++) {
        owner_note_time(&sim->owners[i]);
        if (sim->world.is_quiet || prng_chance(&sim->world.prng, 900000))
            count += owner_receive(&sim->owners[i]);
        if (is_synced)
            owner_note_synced(&sim->owners[i]);
    }
    count += shared_receive(&sim->shared);
    return count > 0;
}

static void one_turn(struct sim *sim)
{
    struct world *world = &sim->world;
    if (!world_turn(world)) {
        restart(sim, true);
        return;
    }
    bool has_replies = receive_all(sim);
    if (world->is_quiet)
        return;
    if (prng_chance(&world->prng, world->options.crash) ||
        (has_replies && prng_chance(&world->prng, world->options.crash_after_reply)))
        restart(sim, true);
    else if (prng_chance(&world->prng, world->options.kill))
        restart(sim, false);
}

static bool is_idle(const struct sim *sim)
{
    for (int i = 0; i < sim->owner_count; i++) {
        if (!owner_is_idle(&sim->owners[i]))
            return false;
    }
    return shared_is_idle(&sim->shared);
}

static void run_until_idle(struct sim *sim, const char *what)
{
    for (int i = 0; i < CALM_TURNS_MAX; i++) {
        if (is_idle(sim))
            return;
        one_turn(sim);
    }
    world_violation(&sim->world, "without faults, %s is not answered after %d turns", what,
                    CALM_TURNS_MAX);
}

/* Everything is flushed away: what was named for sweeping must go, every row of it. */
static void check_garbage(struct sim *sim)
{
    struct world *world = &sim->world;
    size_t rows_max = (size_t)world->options.shards * ROWS_PER_SHARD;
    owner_end_with(&sim->owners[0], "FLUSHALL");
    run_until_idle(sim, "FLUSHALL");
    world->config.flush_age_ms = 1;
    world->now.wall_us += 20ULL * 365 * 86400 * MILLION; /* expiry hints are due, too */
    for (int i = 0; i < SWEEP_TURNS_MAX && world_rows(world) > rows_max; i++)
        one_turn(sim);
    if (world_rows(world) > rows_max)
        world_violation(world, "garbage: %zu rows are left when everything was flushed",
                        world_rows(world));
}

void alone_run(uint64_t seed, bool is_traced)
{
    struct sim *sim = mem_zero(sizeof(*sim));
    begin(sim, seed, is_traced);
    start(sim);
    while (sim->world.turns < sim->turns) {
        for (int i = 0; i < sim->owner_count; i++) {
            if (prng_chance(&sim->world.prng, sim->send))
                owner_send(&sim->owners[i]);
        }
        shared_send(&sim->shared);
        one_turn(sim);
    }
    world_calm(&sim->world);
    run_until_idle(sim, "a request");
    restart(sim, true);
    run_until_idle(sim, "reading back");
    check_garbage(sim);
    world_check(&sim->world);
    for (int i = 0; i < sim->owner_count; i++)
        owner_disconnect(&sim->owners[i]);
    shared_disconnect(&sim->shared);
    node_close(sim->world.node);
    uint64_t replies = sim->shared.replies;
    shared_fini(&sim->shared);
    for (int i = 0; i < sim->owner_count; i++) {
        replies += sim->owners[i].replies;
        owner_fini(&sim->owners[i]);
    }
    world_trace(&sim->world,
                "done: %llu replies, %llu opens, %llu crashes, %llu kills, %llu failures",
                (unsigned long long)replies, (unsigned long long)sim->world.opens,
                (unsigned long long)sim->world.crashes, (unsigned long long)sim->world.kills,
                (unsigned long long)sim->world.failures);
    world_fini(&sim->world);
    mem_free(sim);
}
