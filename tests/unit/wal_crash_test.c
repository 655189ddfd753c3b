/* Random logs and random crashes against a model.
 *
 * The model keeps the state of all groups after each batch. Batches are atomic and in order, so
 * what is found after a crash must be the state after some batch: not before the last promised one
 * (mode ALWAYS) or the last synced one (the other modes), not after the last one submitted. */
#include "wal_box.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/hash.h"

enum {
    GROUPS = 3,
    LOG_MAX = 400, /* entries of a group above its base */
    STATES_MAX = 4000,
};

struct model_entry {
    uint64_t term;
    uint64_t hash; /* of kind and payload */
};

struct model_group {
    struct wal_hard_state hard;
    struct wal_position base;
    struct wal_position mark;
    uint64_t members; /* the seed they are made from; 0 for none */
    uint64_t last;
    struct model_entry entries[LOG_MAX]; /* base.index + 1 first */
};

struct model {
    struct model_group groups[GROUPS];
};

struct world {
    struct box box;
    struct prng prng;
    struct model now;       /* with what collects */
    struct model *states;   /* states[n]: after batch n of this opening; 0: as recovered */
    uint64_t submitted;     /* last batch handed over, ever tried */
    uint64_t seed_of_entry; /* makes payloads distinct */
    uint64_t opens, crashes, checks, truncations, copies, resets, fulls, cuts;
};

static uint64_t draw(struct world *world, uint64_t min, uint64_t max)
{
    return prng_between(&world->prng, min, max);
}

static bool chance(struct world *world, uint32_t percent)
{
    return prng_chance(&world->prng, percent * 10000);
}

static uint64_t hash_of(const struct entry *entry)
{
    return hash_bytes(bytes_of(entry->payload, entry->size), entry->kind);
}

static struct model_entry *model_at(struct model_group *group, uint64_t index)
{
    assert_true(index > group->base.index && index <= group->last);
    return &group->entries[index - group->base.index - 1];
}

static uint64_t term_at(struct model_group *group, uint64_t index)
{
    if (index == group->base.index)
        return group->base.term;
    return model_at(group, index)->term;
}

/* ---- what a test does to both ---- */

static void put_entry(struct world *world, uint32_t number, uint64_t index, uint64_t term,
                      struct entry *entry)
{
    struct model_group *group = &world->now.groups[number];
    group->last = index;
    *model_at(group, index) = (struct model_entry){term, hash_of(entry)};
    wal_append(world->box.wal, number, entry);
}

static size_t draw_size(struct world *world)
{
    if (chance(world, 2))
        return (size_t)draw(world, 5000, 40000);
    return (size_t)(chance(world, 20) ? draw(world, 500, 3000) : draw(world, 25, 120));
}

static void append_new(struct world *world, uint32_t number, uint64_t index, uint64_t term)
{
    struct entry *entry = box_entry(index, term, draw_size(world), ++world->seed_of_entry);
    put_entry(world, number, index, term, entry);
    entry_release(entry);
}

static bool has_room(const struct model_group *group)
{
    return group->last - group->base.index < LOG_MAX - 8;
}

static void do_append(struct world *world, uint32_t number)
{
    struct model_group *group = &world->now.groups[number];
    uint64_t count = draw(world, 1, 6);
    uint64_t term = term_at(group, group->last) + (chance(world, 10) ? 1 : 0);
    for (uint64_t i = 0; i < count && has_room(group); i++)
        append_new(world, number, group->last + 1, term == 0 ? 1 : term);
}

static void do_truncate(struct world *world, uint32_t number)
{
    struct model_group *group = &world->now.groups[number];
    if (group->last == group->mark.index)
        return;
    uint64_t index = draw(world, group->mark.index + 1, group->last);
    uint64_t old = term_at(group, index);
    append_new(world, number, index, chance(world, 20) && old > 1 ? old - 1 : old + 1);
    world->truncations++;
}

/* Entries of the log again, as they are: found in the recovery, or made anew from nothing is not
 * possible, so only recovered ones are copied. */
static void do_copy(struct world *world, uint32_t number, uint64_t first, uint64_t last)
{
    struct model_group *group = &world->now.groups[number];
    const struct wal_group_state *found = box_group(&world->box, number);
    for (size_t i = 0; i < found->entry_count; i++) {
        struct entry *entry = found->entries[i];
        if (entry->index < first || entry->index > last || entry->index <= group->base.index ||
            entry->index > group->last)
            continue;
        struct model_entry *known = model_at(group, entry->index);
        if (known->term != entry->term || known->hash != hash_of(entry))
            continue;
        wal_append(world->box.wal, number, entry);
        world->copies++;
    }
}

/* All of them, or a part in the middle, which does not free what stands around it. */
static void do_copy_some(struct world *world, uint32_t number)
{
    const struct model_group *group = &world->now.groups[number];
    uint64_t first = draw(world, group->base.index, group->last);
    bool all = chance(world, 30);
    do_copy(world, number, all ? 0 : first, all ? UINT64_MAX : first + draw(world, 0, 5));
}

static void do_rewrite_oldest(struct world *world)
{
    uint32_t number = 0;
    uint64_t first = 0;
    uint64_t last = 0;
    if (wal_oldest_pinning_group(world->box.wal, &number, &first, &last))
        do_copy(world, number, first, chance(world, 50) ? last : (first + last) / 2);
}

static void do_hard_state(struct world *world, uint32_t number)
{
    struct wal_hard_state *hard = &world->now.groups[number].hard;
    hard->term += draw(world, 0, 1);
    hard->vote = draw(world, 0, 5);
    wal_put_hard_state(world->box.wal, number, *hard);
}

static void do_mark(struct world *world, uint32_t number)
{
    struct model_group *group = &world->now.groups[number];
    uint64_t index = draw(world, group->mark.index, group->last);
    group->mark = (struct wal_position){index, term_at(group, index)};
    group->members = ++world->seed_of_entry;
    wal_put_mark(world->box.wal, number, group->mark,
                 bytes_of(&group->members, sizeof(group->members)));
}

static void do_base(struct world *world, uint32_t number)
{
    struct model_group *group = &world->now.groups[number];
    uint64_t index = draw(world, group->base.index, group->mark.index);
    uint64_t gone = index - group->base.index;
    group->base = (struct wal_position){index, term_at(group, index)};
    memmove(group->entries, group->entries + gone, (LOG_MAX - gone) * sizeof(*group->entries));
    wal_put_base(world->box.wal, number, group->base);
}

static void do_reset(struct world *world, uint32_t number)
{
    struct model_group *group = &world->now.groups[number];
    uint64_t index = draw(world, group->mark.index, group->last + 20);
    group->base = group->mark = (struct wal_position){index, draw(world, 1, 9)};
    group->members = ++world->seed_of_entry;
    group->last = index;
    wal_put_reset(world->box.wal, number, group->base,
                  bytes_of(&group->members, sizeof(group->members)));
    world->resets++;
}

static void do_something(struct world *world)
{
    uint32_t number = (uint32_t)prng_below(&world->prng, GROUPS);
    uint64_t what = prng_below(&world->prng, 100);
    if (what < 50)
        do_append(world, number);
    else if (what < 60)
        do_truncate(world, number);
    else if (what < 66)
        do_hard_state(world, number);
    else if (what < 76)
        do_mark(world, number);
    else if (what < 90)
        do_base(world, number);
    else if (what < 91)
        do_reset(world, number);
    else if (what < 95)
        do_copy_some(world, number);
    else
        do_rewrite_oldest(world);
}

/* ---- driving ---- */

static void submit(struct world *world)
{
    uint64_t number = wal_collecting(world->box.wal);
    assert_true(number < STATES_MAX);
    if (!wal_submit(world->box.wal, world->box.worker))
        return;
    if (wal_collecting(world->box.wal) == number)
        return; /* a sync, a chore, a retry */
    world->states[number] = world->now;
    world->submitted = number;
}

static void drive(struct world *world)
{
    struct box *box = &world->box;
    const char *text = NULL;
    if (chance(world, 60))
        submit(world);
    if (chance(world, 70))
        (void)worker_run_one(box->worker);
    struct job *job = chance(world, 70) ? worker_take_done(box->worker) : NULL;
    if (job != NULL)
        wal_job_done(box->wal, job);
    if (chance(world, 3))
        wal_request_sync(box->wal);
    wal_tick(box->wal, draw(world, 0, 1) * 2000000 + world->seed_of_entry * 1000);
    assert_true(wal_promised(box->wal) <= wal_written(box->wal));
    assert_true(wal_synced(box->wal) <= wal_written(box->wal));
    assert_true(wal_written(box->wal) <= world->submitted);
    if (wal_is_full(box->wal) && chance(world, 50)) {
        world->fulls++;
        wal_retry(box->wal);
    }
    if (wal_failed(box->wal, &text))
        assert_non_null(text);
}

static void maybe_break(struct world *world)
{
    static const enum sim_fault faults[] = {SIM_FAULT_WRITE_FULL, SIM_FAULT_ALLOCATE_FULL};
    if (chance(world, 3))
        sim_disk_fail(world->box.disk, faults[draw(world, 0, 1)], false);
}

/* ---- comparing ---- */

static bool position_equal(struct wal_position a, struct wal_position b)
{
    return a.index == b.index && a.term == b.term;
}

static bool group_equal(const struct wal_group_state *found, const struct model_group *model)
{
    struct bytes members = bytes_of(&model->members, model->members == 0 ? 0 : sizeof(uint64_t));
    if (found->hard.term != model->hard.term || found->hard.vote != model->hard.vote ||
        !position_equal(found->base, model->base) || !position_equal(found->mark, model->mark) ||
        !bytes_equal(buf_bytes(&found->members), members) ||
        found->entry_count != model->last - model->base.index)
        return false;
    for (size_t i = 0; i < found->entry_count; i++)
        if (found->entries[i]->index != model->base.index + 1 + i ||
            found->entries[i]->term != model->entries[i].term ||
            hash_of(found->entries[i]) != model->entries[i].hash)
            return false;
    return true;
}

static bool all_equal(const struct wal_recovery *found, const struct model *model)
{
    for (uint32_t i = 0; i < GROUPS; i++)
        if (!group_equal(&found->groups[i], &model->groups[i]))
            return false;
    return true;
}

static uint64_t find_state(const struct world *world, uint64_t min, uint64_t max)
{
    for (uint64_t n = max + 1; n-- > min;)
        if (all_equal(world->box.recovery, &world->states[n]))
            return n;
    fail_msg("no state between batch %llu and %llu was found again", (unsigned long long)min,
             (unsigned long long)max);
    return 0;
}

/* Opens, with the power failing at some step of the opening now and then. */
static void open_in_the_end(struct world *world)
{
    struct box *box = &world->box;
    while (chance(world, 30)) {
        sim_disk_cut_power_after(box->disk, draw(world, 0, 25));
        enum wal_err err = box_try_open(box);
        assert_true(err == WAL_OK || err == WAL_DISK);
        if (err == WAL_OK)
            box_drop(box); /* before the disk forgets its handles */
        sim_disk_crash(box->disk, &world->prng, SIM_CRASH_DRAW);
    }
    box_open(box);
    world->opens++;
    world->cuts += box_note(box)[0] != 0;
}

static void crash_and_check(struct world *world, bool power)
{
    struct box *box = &world->box;
    uint64_t kept =
        box->options.sync == WAL_SYNC_ALWAYS ? wal_promised(box->wal) : wal_synced(box->wal);
    uint64_t promised = wal_promised(box->wal);
    if (!power) /* the process dies, the kernel lives: nothing written is lost */
        kept = promised > kept ? promised : kept;
    sim_disk_cut_power_after(box->disk, 0); /* a job that waits finds nothing but errors */
    box_drop(box);
    sim_disk_crash(box->disk, &world->prng, power ? SIM_CRASH_DRAW : SIM_CRASH_KEEP);
    world->crashes += power;
    open_in_the_end(world);
    uint64_t found = find_state(world, kept, world->submitted);
    struct model state = world->states[found];
    world->now = world->states[0] = state;
    world->submitted = 0;
    world->checks++;
    if (chance(world, 30)) { /* opening is idempotent */
        open_in_the_end(world);
        assert_true(all_equal(box->recovery, &state));
    }
}

static void live(struct world *world)
{
    uint64_t turns = draw(world, 5, 300);
    bool cut_inside = chance(world, 50);
    if (cut_inside)
        sim_disk_cut_power_after(world->box.disk, draw(world, 1, turns));
    for (uint64_t i = 0; i < turns; i++) {
        if (chance(world, 60))
            do_something(world);
        if (!cut_inside)
            maybe_break(world);
        drive(world);
    }
    crash_and_check(world, cut_inside || chance(world, 80));
}

static void run_seed(uint64_t seed, struct world *world)
{
    static const uint64_t sizes[] = {4096, 8192, 16384, 65536};
    world->prng = prng_init(seed);
    box_init(&world->box, GROUPS, sizes[draw(world, 0, 3)]);
    world->box.options.sync = (enum wal_sync)draw(world, 0, 2);
    memset(&world->now, 0, sizeof(world->now));
    world->states[0] = world->now;
    world->submitted = 0;
    box_open(&world->box);
    uint64_t lives = draw(world, 2, 8);
    for (uint64_t i = 0; i < lives; i++)
        live(world);
    box_fini(&world->box);
}

/* WAL_CRASH_SEED=n replays one seed, WAL_CRASH_RUNS=n runs more of them. */
static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void random_logs_survive_random_crashes(void **state)
{
    (void)state;
    struct world *world = mem_zero(sizeof(*world));
    world->states = mem_alloc(STATES_MAX * sizeof(*world->states));
    uint64_t first = number_from("WAL_CRASH_SEED", 1);
    uint64_t runs = getenv("WAL_CRASH_SEED") != NULL ? 1 : number_from("WAL_CRASH_RUNS", 150);
    for (uint64_t seed = first; seed < first + runs; seed++) {
        if (getenv("WAL_CRASH_VERBOSE") != NULL)
            print_message("seed %llu\n", (unsigned long long)seed);
        run_seed(seed, world);
    }
    print_message("%llu checks: %llu crashes, %llu opens, %llu torn tails, %llu truncations, "
                  "%llu copies, %llu resets, %llu times full\n",
                  (unsigned long long)world->checks, (unsigned long long)world->crashes,
                  (unsigned long long)world->opens, (unsigned long long)world->cuts,
                  (unsigned long long)world->truncations, (unsigned long long)world->copies,
                  (unsigned long long)world->resets, (unsigned long long)world->fulls);
    if (runs >= 100)
        assert_true(world->cuts > 10 && world->copies > 100 && world->resets > 10 &&
                    world->fulls > 10);
    mem_free(world->states);
    mem_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_logs_survive_random_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
