/* One whole node under drawn faults, each run from one seed.
 *
 *   sim_node --seeds FROM:COUNT                 many nodes; one TAP line
 *   sim_node --seed N                           one, with a trace
 *   sim_node --mutant NAME --seeds FROM:COUNT   with a planted bug: must fail
 *   sim_node --mutants --seeds FROM:COUNT       every planted bug; one TAP line each, ok when found
 *
 * Real turns (node_turn) over a simulated disk, store, clock and helpers; clients without sockets.
 * A seed draws its own configuration, mix of requests and rate of each fault (swarm testing), runs
 * a phase in which anything may fail, then one without faults, in which all must be answered in a
 * bounded number of turns and garbage must be gone. What is checked: owner.h, world.h, shared.h.
 * Planted bugs (base/mutants.h) need -DNODE_MUTANTS. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/mutants.h"
#include "base/number.h"
#include "node/owner.h"
#include "node/shared.h"

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

static uint64_t seed_under_way; /* for the handler of SIGABRT only */

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

static void run_seed(uint64_t seed, bool is_traced)
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

/* ---- the program ---- */

/* A simulated crash in the middle of a run loses what the run's frames own, as a real one does. */
const char *__asan_default_options(void); // NOLINT
const char *__asan_default_options(void)  // NOLINT
{
    return "detect_leaks=0";
}

static void on_abort(int signal_number)
{
    (void)signal_number;
    char line[128];
    int size = snprintf(line, sizeof(line), "not ok - sim_node --seed %llu: an assertion failed\n",
                        (unsigned long long)seed_under_way);
    if (write(STDOUT_FILENO, line, (size_t)size) < 0)
        _exit(2);
    _exit(1);
}

static bool parse_seeds(const char *text, uint64_t *first, uint64_t *count)
{
    const char *colon = strchr(text, ':');
    *count = 1;
    if (colon == NULL)
        return number_parse_u64(bytes_of_string(text), first);
    return number_parse_u64(bytes_of(text, (size_t)(colon - text)), first) &&
           number_parse_u64(bytes_of_string(colon + 1), count);
}

struct arguments {
    uint64_t first, count;
    bool is_one;
    bool each_mutant;
};

static void run_seeds(const struct arguments *arguments)
{
    for (uint64_t seed = arguments->first; seed < arguments->first + arguments->count; seed++) {
        seed_under_way = seed;
        run_seed(seed, arguments->is_one);
    }
    printf("ok - sim_node: %llu seeds from %llu\n", (unsigned long long)arguments->count,
           (unsigned long long)arguments->first);
}

#ifdef NODE_MUTANTS
int node_mutant_planted;

#define MUTANT_NAME(name) #name,
static const char *const mutant_names[] = {"none", NODE_MUTANTS_LIST(MUTANT_NAME)};

static bool plant(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(mutant_names); i++) {
        if (strcmp(name, mutant_names[i]) == 0) {
            node_mutant_planted = (int)i;
            return true;
        }
    }
    return false;
}

/* In a process of its own, since the bug ends it; what it says is not for TAP. */
static bool is_found(const struct arguments *arguments, size_t mutant)
{
    fflush(stdout);
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0) {
        node_mutant_planted = (int)mutant;
        dup2(STDERR_FILENO, STDOUT_FILENO);
        signal(SIGSEGV, on_abort);
        run_seeds(arguments);
        exit(0);
    }
    int status = 0;
    pid_t ended = waitpid(child, &status, 0);
    ASSERT(ended == child);
    return status != 0;
}

static int run_each_mutant(const struct arguments *arguments)
{
    bool found_all = true;
    printf("1..%zu\n", COUNT_OF(mutant_names) - 1);
    for (size_t i = 1; i < COUNT_OF(mutant_names); i++) {
        bool found = is_found(arguments, i);
        printf("%s %zu - the simulator finds %s\n", found ? "ok" : "not ok", i, mutant_names[i]);
        found_all &= found;
    }
    return found_all ? 0 : 1;
}
#else
static bool plant(const char *name)
{
    (void)name;
    return false;
}

static int run_each_mutant(const struct arguments *arguments)
{
    (void)arguments;
    fprintf(stderr, "sim_node was built without -DNODE_MUTANTS\n");
    return 2;
}
#endif

static bool parse(int argc, char **argv, struct arguments *arguments)
{
    int at = 1;
    if (at < argc && strcmp(argv[at], "--mutants") == 0) {
        arguments->each_mutant = true;
        at++;
    } else if (at + 1 < argc && strcmp(argv[at], "--mutant") == 0) {
        if (!plant(argv[at + 1]))
            return false;
        at += 2;
    }
    if (at + 2 != argc)
        return false;
    arguments->is_one = strcmp(argv[at], "--seed") == 0;
    return (arguments->is_one || strcmp(argv[at], "--seeds") == 0) &&
           parse_seeds(argv[at + 1], &arguments->first, &arguments->count);
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    if (!parse(argc, argv, &arguments)) {
        fprintf(stderr,
                "usage: sim_node [--mutants | --mutant NAME] --seeds FROM:COUNT | --seed N\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGABRT, on_abort);
    if (arguments.each_mutant)
        return run_each_mutant(&arguments);
    run_seeds(&arguments);
    printf("1..1\n");
    return 0;
}
