/* Whole nodes under drawn faults, each run from one seed: one node, or several that are a cluster.
 *
 *   sim_node --seeds FROM:COUNT                 many runs; one TAP line
 *   sim_node --seed N                           one, with a trace
 *   sim_node --mutant NAME --seeds FROM:COUNT   with a planted bug: must fail
 *   sim_node --mutants --seeds FROM:COUNT       every planted bug; one TAP line each, ok when found
 *
 * Real turns (node_turn) over a simulated disk, store, clock, network and helpers; clients without
 * sockets. A seed draws its own number of nodes, configuration, mix of requests and rate of each
 * fault (swarm testing), runs a phase in which anything may fail, then one without faults, in which
 * all must be well again in bounded time. What is checked: node/alone.h, node/cluster.h.
 * Planted bugs (base/mutants.h) need -DNODE_MUTANTS. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mutants.h"
#include "base/number.h"
#include "base/prng.h"
#include "node/alone.h"
#include "node/cluster.h"

enum { ALONE_PER_MILLION = 300000 };

static uint64_t seed_under_way; /* for the handler of SIGABRT only */

static bool draws_one_node(uint64_t seed)
{
#ifdef NODE_MUTANTS
    /* A planted bug is looked for where it belongs. */
    if (node_mutant_planted != NODE_MUTANT_none)
        return node_mutant_planted < NODE_MUTANT_step_down_keeps_ahead;
#endif
    struct prng prng = prng_init(seed * 0x9e3779b97f4a7c15 + 2);
    return prng_chance(&prng, ALONE_PER_MILLION);
}

static void run_seed(uint64_t seed, bool is_traced)
{
    if (draws_one_node(seed))
        alone_run(seed, is_traced);
    else
        cluster_run(seed, is_traced);
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
