/* The crash matrix: whole nodes over a simulated disk and store, stopped before and behind every
 * durable step (base/steps.h), with what was not synced lost, kept, or torn, and with the step's
 * first call failing while later ones succeed. Then they start again, and must hold what was
 * answered, be the fold of a committed prefix, and keep the laws (steps/box.h, steps/writer.h).
 *
 *   crash_matrix_test [one | three]              runs of one node, of three, or all
 *   QUOIN_PLAN="RUN STEP PASSING STRIKE CRASH"   only this one: what a failure prints
 *   QUOIN_LOG=1                                  with the nodes' logs
 *
 * A run is the same every time up to where its plan strikes, so the first one, in which nothing
 * strikes, tells how often each step is passed. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/mutants.h"
#include "kv_memory.h"
#include "steps/box.h"
#include "steps/forming.h"

enum {
    CALM_TICKS_MAX = 1500,
    NEW_NODE = 9, /* a learner that never comes */
    FAILURES_SHOWN = 10,
};

static const char *const STRIKES[] = {"before", "after", "fail"};
static const char *const CRASHES[] = {"lose", "keep", "tear"};

/* ---- runs ---- */

/* The log's thread of the last of three stands still for 90 of each 120 ms, so that nothing of it
 * can be taken for durable because it is always quick. */
static void tick(struct box *box)
{
    if (box->count > 1)
        box->machines[box->count - 1].holds_wal = box->ticks % 12 < 9;
    if (box->broken[0] == 0)
        box_tick(box);
}

static void write_for(struct box *box, int ticks)
{
    for (int i = 0; i < ticks; i++) {
        writer_send(&box->writer);
        tick(box);
    }
}

typedef bool condition_fn(const struct box *box);

static void wait_until(struct box *box, condition_fn *condition, const char *what)
{
    for (int i = 0; i < CALM_TICKS_MAX && box->broken[0] == 0; i++) {
        if (condition(box))
            return;
        tick(box);
    }
    box_violate(box, "this did not come within %d ticks: %s", CALM_TICKS_MAX, what);
}

static bool is_answered(const struct box *box)
{
    return box_serves(box) && writer_is_idle(&box->writer);
}

static bool is_level(const struct box *box)
{
    return is_answered(box) && box_is_level(box);
}

static void change(struct box *box, enum raft_change_kind kind, uint64_t node)
{
    struct member member = {.node = node};
    struct member self = {.node = 1};
    struct raft_change wanted = {.kind = kind, .node = node};
    if (!box_serves(box))
        return;
    enum raft_err err = shard_change_members(box_shard(box, 0), box->machines[0].now.boot_us,
                                             wanted, &member, &self);
    (void)err; /* one that was made already, or is still under way, is refused */
}

static bool is_stopped_in_order(const struct box *box)
{
    return box->machines[0].node == NULL;
}

/* SHUTDOWN, which flushes everything; the plan may strike in it. */
static void stop_in_order(struct box *box)
{
    struct machine *machine = &box->machines[0];
    wait_until(box, is_answered, "an answer to everything");
    if (box->broken[0] != 0)
        return;
    node_request_shutdown(machine->node);
    for (int i = 0; i < CALM_TICKS_MAX && !is_stopped_in_order(box); i++) {
        machine->now.boot_us += BOX_TICK_US;
        machine_run_jobs(machine);
        if (machine->is_stopped || !machine_turn(machine))
            box_crash(box, 0, machine->has_struck ? machine->plan.crash : SIM_CRASH_LOSE);
    }
}

/* Answered, then the power goes: all of it is there. */
static void end_run(struct box *box)
{
    wait_until(box, is_answered, "an answer to everything");
    for (int i = 0; i < box->count; i++)
        box_crash(box, i, SIM_CRASH_LOSE);
    wait_until(box, is_answered, "reading back");
    write_for(box, 5);
    wait_until(box, is_level, "everybody has applied and flushed everything");
    if (box->broken[0] == 0)
        box_compare(box);
}

static void run_alone(struct box *box)
{
    write_for(box, 40);
    change(box, RAFT_ADD_LEARNER, NEW_NODE);
    write_for(box, 20);
    box_crash(box, 0, SIM_CRASH_KEEP);
    write_for(box, 20);
    if (box->machines[0].node != NULL) /* one flush fails */
        kv_memory_fail(box->machines[0].kv, KV_MEMORY_FAULT_WRITE_IO, false);
    write_for(box, 20);
    change(box, RAFT_REMOVE, NEW_NODE);
    write_for(box, 20);
    box_crash(box, 0, SIM_CRASH_TEAR);
    write_for(box, 10);
    sim_disk_fail(box->machines[0].disk, SIM_FAULT_ALLOCATE_FULL, false);
    write_for(box, 20);
    stop_in_order(box);
    write_for(box, 20);
    end_run(box);
}

/* Promises before syncs: a power cut may take what was answered, from the end and without a hole,
 * and what LevelDB holds must be in the log all the same (L2). */
static void run_everysec(struct box *box)
{
    box->machines[0].config.appendfsync = CONFIG_FSYNC_EVERYSEC;
    box->writer.may_forget = true;
    run_alone(box);
}

/* ---- three nodes ---- */

enum { LAST = 2 }; /* the node that is taken down and has its rows installed */

static void take_down(struct box *box)
{
    box->is_wanted[LAST] = false;
    if (box->machines[LAST].node != NULL)
        box_crash(box, LAST, SIM_CRASH_KEEP);
}

static bool is_out_of_reach(const struct box *box)
{
    return is_answered(box) && shard_status(box_shard(box, 0)).base > box->promised[LAST];
}

/* It comes back when the leader's log has gone on without it. */
static void bring_back(struct box *box)
{
    write_for(box, 10);
    wait_until(box, is_out_of_reach, "the leader's log begins behind what the last node has");
    box->is_wanted[LAST] = true;
    write_for(box, 20);
    wait_until(box, is_level, "the last node has what the others have");
}

/* The next install finds CURRENT's directory refusing a sync: it is taken back and comes again. */
static void fail_next_install(struct box *box)
{
    struct machine *machine = &box->machines[LAST];
    machine->scripted = (struct plan){DURABLE_STEP_install_published,
                                      machine->counts[DURABLE_STEP_install_published] + 1,
                                      STRIKE_FAIL, SIM_CRASH_LOSE};
}

/* Durably: without it no generation is the valid one. */
static void remove_current(struct machine *machine)
{
    char dir[96], path[128];
    (void)snprintf(dir, sizeof(dir), "%s/shard-0000", machine->dir);
    (void)snprintf(path, sizeof(path), "%s/CURRENT", dir);
    enum disk_err err = machine->disk->ops->remove(machine->disk, path);
    ASSERT(err == DISK_OK || err == DISK_ABSENT);
    err = machine->disk->ops->sync_dir(machine->disk, dir);
    ASSERT(err == DISK_OK);
}

static void lose_rows(struct box *box)
{
    char path[160];
    struct shard *shard = box_shard(box, LAST);
    if (shard == NULL)
        return; /* it was stopped just now */
    (void)snprintf(path, sizeof(path), "%s/shard-0000/%s", box->machines[LAST].dir,
                   store_generation(shard_fsm(shard)->store));
    take_down(box);
    box->may_lose_rows[LAST] = true;
    (void)kv_memory_lose(box->machines[LAST].kv, path);
    remove_current(&box->machines[LAST]);
}

static void run_three(struct box *box)
{
    wait_until(box, is_answered, "a leader");
    write_for(box, 30);
    change(box, RAFT_DEMOTE, LAST + 1); /* and its leader makes it a voter again */
    write_for(box, 40);
    take_down(box);
    bring_back(box);
    take_down(box);
    fail_next_install(box);
    bring_back(box);
    lose_rows(box);
    fail_next_install(box);
    bring_back(box);
    box->may_lose_rows[LAST] = false;
    end_run(box);
}

/* ---- a set of plans ---- */

struct run_kind {
    const char *name;
    int count, victim;
    void (*run)(struct box *box); /* NULL: two nodes form a cluster */
};

static const struct run_kind RUNS[] = {
    {"alone", 1, 0, run_alone},     {"everysec", 1, 0, run_everysec}, {"leader", 3, 0, run_three},
    {"member", 3, LAST, run_three}, {"founder", 2, 0, NULL},          {"joiner", 2, 1, NULL},
};

/* For the handler of SIGABRT. */
static char plan_under_way[128];

static void on_abort(int signal_number)
{
    (void)signal_number;
    static const char text[] = "# an assertion failed with QUOIN_PLAN=";
    (void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
    (void)!write(STDOUT_FILENO, plan_under_way, strlen(plan_under_way));
    (void)!write(STDOUT_FILENO, "\n", 1);
    _exit(1);
}

struct result {
    uint32_t counts[DURABLE_STEP_COUNT];
    bool does_something[DURABLE_STEP_COUNT];
    bool has_struck;
    char broken[512];
};

static struct result result_of(const struct machine *machine, const char *broken)
{
    struct result result = {.has_struck = machine->has_struck};
    memcpy(result.counts, machine->counts, sizeof(result.counts));
    memcpy(result.does_something, machine->does_something, sizeof(result.does_something));
    (void)snprintf(result.broken, sizeof(result.broken), "%s", broken);
    return result;
}

static struct result run_forming(const struct run_kind *kind, const struct plan *plan)
{
    struct forming forming;
    forming_init(&forming);
    forming.machines[kind->victim].plan = *plan;
    forming_run(&forming);
    struct result result = result_of(&forming.machines[kind->victim], forming.broken);
    forming_fini(&forming);
    return result;
}

static struct result run_box(const struct run_kind *kind, const struct plan *plan)
{
    struct box *box = mem_zero(sizeof(*box));
    box_init(box, kind->count);
    box->machines[kind->victim].plan = *plan;
    kind->run(box);
    struct result result = result_of(&box->machines[kind->victim], box->broken);
    box_fini(box);
    mem_free(box);
    return result;
}

static struct result run_plan(const struct run_kind *kind, const struct plan *plan)
{
    (void)snprintf(plan_under_way, sizeof(plan_under_way), "\"%s %s %u %s %s\"", kind->name,
                   durable_step_name(plan->step), plan->passing, STRIKES[plan->strike],
                   CRASHES[plan->crash]);
    return kind->run == NULL ? run_forming(kind, plan) : run_box(kind, plan);
}

/* The first, one in the middle and the last. */
static size_t passings_of(uint32_t count, uint32_t *passings)
{
    const uint32_t candidates[] = {1, (count + 1) / 2, count};
    size_t found = 0;
    for (size_t i = 0; i < COUNT_OF(candidates); i++) {
        bool is_new = candidates[i] >= 1 && candidates[i] <= count &&
                      (found == 0 || candidates[i] > passings[found - 1]);
        if (is_new)
            passings[found++] = candidates[i];
    }
    return found;
}

static int judge_plan(const struct run_kind *kind, const struct plan *plan)
{
    struct result result = run_plan(kind, plan);
    if (!result.has_struck)
        (void)snprintf(result.broken, sizeof(result.broken), "the plan did not strike");
    if (result.broken[0] == 0)
        return 0;
    printf("# QUOIN_PLAN=%s: %s\n", plan_under_way, result.broken);
    return 1;
}

/* A step that does nothing with the disk has one side and cannot fail; and after a failed call the
 * node may not even end, so that it does not matter how often what is unsynced is torn. */
static bool is_worth_it(const struct result *first, const struct plan *plan)
{
    if (!first->does_something[plan->step])
        return plan->strike == STRIKE_AFTER;
    return plan->strike != STRIKE_FAIL || plan->crash != SIM_CRASH_TEAR;
}

static int try_passing(const struct run_kind *kind, const struct result *first,
                       enum durable_step step, uint32_t passing, int *tried)
{
    int failures = 0;
    for (int strike = STRIKE_BEFORE; strike <= STRIKE_FAIL; strike++) {
        for (int crash = SIM_CRASH_LOSE; crash <= SIM_CRASH_TEAR; crash++) {
            struct plan plan = {step, passing, (enum strike)strike, (enum sim_crash)crash};
            if (!is_worth_it(first, &plan))
                continue;
            failures += judge_plan(kind, &plan);
            ++*tried;
        }
    }
    return failures;
}

/* first: a run in which nothing struck. */
static int try_step(const struct run_kind *kind, const struct result *first, enum durable_step step,
                    int *tried)
{
    uint32_t passings[3];
    int failures = 0;
    size_t passing_count = passings_of(first->counts[step], passings);
    for (size_t i = 0; i < passing_count; i++)
        failures += try_passing(kind, first, step, passings[i], tried);
    return failures;
}

static const struct run_kind *kind_named(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(RUNS); i++) {
        if (strcmp(RUNS[i].name, name) == 0)
            return &RUNS[i];
    }
    fail_msg("no run is called %s", name);
    return NULL;
}

static struct result run_unharmed(const char *name)
{
    struct result result = run_plan(kind_named(name), &(struct plan){0});
    if (result.broken[0] != 0)
        fail_msg("without a strike, %s: %s", name, result.broken);
    return result;
}

static void try_all(const char *name)
{
    struct result first = run_unharmed(name);
    int failures = 0, tried = 0;
    for (size_t step = 0; step < DURABLE_STEP_COUNT && failures < FAILURES_SHOWN; step++)
        failures += try_step(kind_named(name), &first, (enum durable_step)step, &tried);
    printf("# %s: %d stops and failures tried\n", name, tried);
    assert_int_equal(failures, 0);
}

/* ---- tests ---- */

static void every_step_of_the_table_is_passed(void **state)
{
    (void)state;
    uint32_t counts[DURABLE_STEP_COUNT] = {0};
    int missing = 0;
    for (size_t i = 0; i < COUNT_OF(RUNS); i++) {
        struct result result = run_unharmed(RUNS[i].name);
        for (size_t step = 0; step < DURABLE_STEP_COUNT; step++)
            counts[step] += result.counts[step];
    }
    for (size_t step = 0; step < DURABLE_STEP_COUNT; step++) {
        if (counts[step] > 0)
            continue;
        printf("# nothing passes %s\n", durable_step_name((enum durable_step)step));
        missing++;
    }
    assert_int_equal(missing, 0);
}

static void a_node_alone_survives_a_stop_at_every_step(void **state)
{
    (void)state;
    try_all("alone");
}

static void promises_before_syncs_leave_no_hole_and_no_contradiction(void **state)
{
    (void)state;
    try_all("everysec");
}

static void a_leader_of_three_survives_a_stop_at_every_step(void **state)
{
    (void)state;
    try_all("leader");
}

static void a_member_that_is_installed_survives_a_stop_at_every_step(void **state)
{
    (void)state;
    try_all("member");
}

/* Formed is formed: whoever is stopped at writing it down, both come to belong to one cluster. The
 * steps of a start are tried with the other runs. */
static void two_nodes_form_one_cluster_whoever_is_stopped_at_it(void **state)
{
    (void)state;
    int failures = 0, tried = 0;
    static const char *const names[] = {"founder", "joiner"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct result first = run_unharmed(names[i]);
        failures += try_step(kind_named(names[i]), &first, DURABLE_STEP_cluster_adopted, &tried);
    }
    assert_int_equal(failures, 0);
    assert_int_equal(tried, 2 * 8);
}

/* ---- does the matrix bite? ---- */

/* In a process of its own, since an assertion may end it; what it says is not for the report. */
static bool is_found(const char *run, enum node_mutant mutant)
{
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        (void)dup2(null, STDOUT_FILENO);
        (void)dup2(null, STDERR_FILENO);
        int tried = 0;
        node_mutant_planted = (int)mutant;
        struct result first = run_plan(kind_named(run), &(struct plan){0});
        int failures = first.broken[0] != 0;
        for (size_t step = 0; step < DURABLE_STEP_COUNT && failures == 0; step++)
            failures += try_step(kind_named(run), &first, (enum durable_step)step, &tried);
        _exit(failures != 0);
    }
    int status = 0;
    pid_t ended = waitpid(child, &status, 0);
    assert_int_equal(ended, child);
    return status != 0;
}

static void planted_bugs_of_durability_are_found(void **state)
{
    (void)state;
    const enum node_mutant mutants[] = {
        NODE_MUTANT_promise_before_sync,     NODE_MUTANT_flush_ahead_of_log,
        NODE_MUTANT_failed_flush_counts,     NODE_MUTANT_mark_before_flush,
        NODE_MUTANT_counts_are_not_restored,
    };
    for (size_t i = 0; i < COUNT_OF(mutants); i++) {
        if (!is_found("everysec", mutants[i]) && !is_found("alone", mutants[i]))
            fail_msg("planted bug %d is not found", (int)mutants[i]);
    }
}

/* ---- one plan by hand ---- */

static int number_of(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, words[i]) == 0)
            return (int)i;
    }
    return 0;
}

static int run_one(const char *text)
{
    char run[16], step[32], strike[16], crash[16];
    struct plan plan = {0};
    if (sscanf(text, "%15s %31s %u %15s %15s", run, step, &plan.passing, strike, crash) != 5)
        return 2;
    while (plan.step + 1 < DURABLE_STEP_COUNT && strcmp(durable_step_name(plan.step), step) != 0)
        plan.step++;
    plan.strike = (enum strike)number_of(strike, STRIKES, COUNT_OF(STRIKES));
    plan.crash = (enum sim_crash)number_of(crash, CRASHES, COUNT_OF(CRASHES));
    return judge_plan(kind_named(run), &plan);
}

int main(int argc, char **argv)
{
    const char *plan = getenv("QUOIN_PLAN");
    const struct CMUnitTest one[] = {
        cmocka_unit_test(every_step_of_the_table_is_passed),
        cmocka_unit_test(a_node_alone_survives_a_stop_at_every_step),
        cmocka_unit_test(promises_before_syncs_leave_no_hole_and_no_contradiction),
        cmocka_unit_test(two_nodes_form_one_cluster_whoever_is_stopped_at_it),
        cmocka_unit_test(planted_bugs_of_durability_are_found),
    };
    const struct CMUnitTest three[] = {
        cmocka_unit_test(a_leader_of_three_survives_a_stop_at_every_step),
        cmocka_unit_test(a_member_that_is_installed_survives_a_stop_at_every_step),
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    if (plan != NULL)
        return run_one(plan);
    int failed = 0;
    if (argc < 2 || strcmp(argv[1], "one") == 0)
        failed += cmocka_run_group_tests(one, NULL, NULL);
    if (argc < 2 || strcmp(argv[1], "three") == 0)
        failed += cmocka_run_group_tests(three, NULL, NULL);
    return failed;
}
