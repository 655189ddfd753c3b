/* Law L7 as a property over all types: an object is the fold of its rows. Real commands run on the
 * hot memory of a leader; entries close, are applied or lost, objects are dropped and come back,
 * encodings' thresholds move, leaderships change. What a value was right behind the command that
 * changed it last is what it is whenever and wherever it is looked at: on the leader, on a follower
 * that applied the same rows with its objects loaded or not, on a replica made of rows alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "commands/call.h"
#include "commands/generic_commands.h"
#include "commands/string_commands.h"
#include "hot_box.h"
#include "keyspace/slot.h"
#include "random_commands.h"

enum { QUEUE_MAX = 5, STEPS = 20000, SEEDS = 10 };

#define SEED 77

struct expected {
    bool is_present;
    uint8_t type;
    int64_t expire_ms;
    uint64_t state;
};

struct model {
    struct expected keys[RANDOM_KEYS];
};

struct closed {
    uint64_t index;
    struct buf rows;
    struct model after;
};

struct world {
    struct prng prng;
    struct hot *leader, *follower;
    struct command_table *table;
    struct call_env env;
    struct random_command command;
    struct buf reply;
    int64_t now_ms;
    uint64_t term, next_index;
    struct model executed, applied;
    struct row_map log;  /* fold of all closed entries */
    struct row_map rows; /* fold of the applied ones */
    struct closed queue[QUEUE_MAX];
    size_t queued;
    struct row_map past; /* some earlier state of rows, and what was applied since */
    uint64_t past_index;
    struct buf since, since_sizes;
    uint64_t runs, changes; /* commands, and those that changed something */
    const char *command_name;
};

/* ---- what a value is ---- */

/* Content, and what else its K row says but the object id. Whether the head of a hash knows when
 * its next field dies or an earlier time depends on its past. */
static uint64_t state_of(const struct object *object)
{
    char scratch[STRING_INT_TEXT_MAX];
    if (object->type == TYPE_STRING)
        return hash_bytes(string_value(object, scratch), 1);
    const struct value *value = object_pointer(object);
    const struct type *type = type_of(object->type);
    uint64_t state = type->digest(value) ^ value->count;
    type->check(value);
    if (type->encode_head == NULL || object->type == TYPE_HASH)
        return state;
    struct buf head = {0};
    type->encode_head(value, &head);
    state = hash_bytes(buf_bytes(&head), state);
    buf_free(&head);
    return state;
}

static struct expected look_at(struct hot *hot, int key, const struct row_map *rows)
{
    struct object *object = hot_box_find(hot, hot->databases[0], random_key(key), HOT_VALUE, rows);
    if (object == NULL)
        return (struct expected){.is_present = false};
    return (struct expected){.is_present = true,
                             .type = object->type,
                             .expire_ms = object_expire_ms(object),
                             .state = state_of(object)};
}

static void expect(const struct world *world, struct expected found, int key,
                   const struct model *model, const char *who)
{
    struct expected expected = model->keys[key];
    bool is_same = found.is_present == expected.is_present && found.type == expected.type &&
                   found.expire_ms == expected.expire_ms && found.state == expected.state;
    if (is_same)
        return;
    struct bytes name = random_key(key);
    fail_msg("%s: '%.*s' (%s) is not what it was; %llu commands, the last %s", who, (int)name.size,
             (const char *)name.data, type_name(expected.type), (unsigned long long)world->runs,
             world->command_name);
}

static void check_hot(const struct world *world, struct hot *hot, const struct model *model,
                      const char *who)
{
    for (int key = 0; key < RANDOM_KEYS; key++)
        expect(world, look_at(hot, key, &world->rows), key, model, who);
    hot_check(hot);
}

/* A replica made of the applied rows alone, with thresholds of its own. */
static void check_rows(struct world *world);

/* ---- commands ---- */

static bool never_cold(struct call *c, uint64_t order, struct bytes key, bool needs_value)
{
    (void)c;
    (void)order;
    (void)key;
    (void)needs_value;
    fail_msg("a key is cold in the middle of a command");
    return false;
}

static void ignore_event(struct call *c, char event_class, const char *event, struct bytes key)
{
    (void)c;
    (void)event_class;
    (void)event;
    (void)key;
}

static void open_entry(struct world *world)
{
    if (!world->leader->is_open)
        hot_open(world->leader, world->next_index);
}

static bool dies_by_itself(const struct world *world, int key)
{
    struct object *object = hot_box_find(world->leader, world->leader->databases[0],
                                         random_key(key), HOT_HEAD, &world->rows);
    int64_t due_ms = object == NULL ? 0 : hot_due_ms(object);
    return due_ms != 0 && due_ms <= world->now_ms;
}

static void load_keys(struct world *world, const struct command *command)
{
    const struct random_command *drawn = &world->command;
    bool needs_values = call_needs_values(command, drawn->argv, drawn->argc);
    for (int i = 0; i < drawn->key_count; i++)
        (void)hot_box_find(world->leader, world->leader->databases[0], random_key(drawn->keys[i]),
                           needs_values ? HOT_VALUE : HOT_HEAD, &world->rows);
}

/* An error changes nothing; what was due may go all the same. */
static void note_changes(struct world *world, const struct call *c, const bool *was_due)
{
    const struct random_command *drawn = &world->command;
    for (int i = 0; i < drawn->key_count; i++) {
        int key = drawn->keys[i];
        struct expected found = look_at(world->leader, key, &world->rows);
        if (c->has_failed && !was_due[i])
            expect(world, found, key, &world->executed, "a command that failed");
    }
    for (int i = 0; i < drawn->key_count; i++)
        world->executed.keys[drawn->keys[i]] = look_at(world->leader, drawn->keys[i], &world->rows);
}

static void run_command(struct world *world)
{
    const struct command *container;
    struct random_command *drawn = &world->command;
    bool was_due[RANDOM_KEYS_IN_ONE_MAX];
    world->now_ms += prng_chance(&world->prng, 300000);
    random_command_draw(drawn, &world->prng, world->now_ms);
    const struct command *command =
        command_table_resolve(world->table, drawn->argv, drawn->argc, &container);
    assert_non_null(command);
    world->command_name = command->name;
    for (int i = 0; i < drawn->key_count; i++)
        was_due[i] = dies_by_itself(world, drawn->keys[i]);
    load_keys(world, command);
    open_entry(world);
    buf_clear(&world->reply);
    struct call c = {.argv = drawn->argv,
                     .argc = drawn->argc,
                     .command = command,
                     .table = world->table,
                     .reply = {.out = &world->reply, .protocol = 3},
                     .now_ms = world->now_ms,
                     .now_us = world->now_ms * 1000,
                     .random = prng_next(&world->prng),
                     .types = &world->leader->env,
                     .hot = world->leader,
                     .keyspace = world->leader->databases[0],
                     .env = &world->env,
                     .entry_size_max = 1 << 24};
    call_run(&c);
    assert_true(world->reply.size > 0);
    world->runs++;
    world->changes += c.changes > 0;
    note_changes(world, &c, was_due);
}

/* What the expiry of exec/ does with a key that is due. */
static void expire(struct world *world)
{
    int key = (int)prng_below(&world->prng, RANDOM_KEYS);
    struct keyspace *keyspace = world->leader->databases[0];
    if (!dies_by_itself(world, key))
        return;
    struct object *object =
        hot_box_find(world->leader, keyspace, random_key(key), HOT_VALUE, &world->rows);
    open_entry(world);
    if (object_expire_ms(object) == hot_due_ms(object))
        hot_delete_expired(world->leader, keyspace, object);
    else
        hot_expire_elements(world->leader, keyspace, object, world->now_ms);
    world->command_name = "expiry";
    world->executed.keys[key] = look_at(world->leader, key, &world->rows);
}

/* ---- entries ---- */

static void close_entry(struct world *world)
{
    if (!world->leader->is_open || world->queued == QUEUE_MAX)
        return;
    struct closed *closed = &world->queue[world->queued];
    *closed = (struct closed){.index = world->next_index, .after = world->executed};
    hot_close(world->leader, &closed->rows);
    if (closed->rows.size == 0)
        return;
    row_map_fold(&world->log, buf_bytes(&closed->rows));
    if (prng_chance(&world->prng, 100000))
        hot_box_check_rows(&world->log);
    world->queued++;
    world->next_index++;
}

static void apply_entry(struct world *world, bool was_executed)
{
    if (world->queued == 0)
        return;
    struct closed closed = world->queue[0];
    world->queued--;
    memmove(world->queue, world->queue + 1, world->queued * sizeof(world->queue[0]));
    row_map_fold(&world->rows, buf_bytes(&closed.rows));
    if (was_executed)
        hot_release(world->leader, closed.index, buf_bytes(&closed.rows));
    else
        hot_apply(world->leader, closed.index, buf_bytes(&closed.rows));
    hot_apply(world->follower, closed.index, buf_bytes(&closed.rows));
    buf_append(&world->since, buf_bytes(&closed.rows));
    buf_append(&world->since_sizes, bytes_of(&closed.rows.size, sizeof(size_t)));
    world->applied = closed.after;
    buf_free(&closed.rows);
}

static void check_rows(struct world *world)
{
    struct hot *hot = hot_box_restore(&world->rows, SEED, 0);
    struct type_env env = type_env_default(0);
    if (prng_chance(&world->prng, 500000))
        env.hash_max_listpack_entries = env.set_max_listpack_entries =
            env.zset_max_listpack_entries = env.set_max_intset_entries = 0;
    hot_set_env(hot, &env);
    check_hot(world, hot, &world->applied, "a replica of rows alone");
    hot_free(hot);
}

static void check_all(struct world *world)
{
    check_hot(world, world->leader, &world->executed, "the leader");
    check_hot(world, world->follower, &world->applied, "the follower");
    check_rows(world);
}

/* ---- what happens to memory ---- */

static void move_thresholds(struct world *world, struct hot *hot)
{
    static const int64_t ENTRIES[] = {0, 3, 30, 128, 512};
    static const int64_t LIST_SIZES[] = {-2, -1, 1, 4, 64};
    static const uint64_t NODE_BYTES[] = {0, 64, 4096};
    struct type_env env = type_env_default(0);
    struct prng *prng = &world->prng;
    env.hash_max_listpack_entries = ENTRIES[prng_below(prng, 5)];
    env.set_max_listpack_entries = ENTRIES[prng_below(prng, 5)];
    env.set_max_intset_entries = ENTRIES[prng_below(prng, 5)];
    env.zset_max_listpack_entries = ENTRIES[prng_below(prng, 5)];
    env.list_max_listpack_size = LIST_SIZES[prng_below(prng, 5)];
    env.stream_node_max_entries = ENTRIES[1 + prng_below(prng, 4)];
    env.stream_node_max_bytes = NODE_BYTES[prng_below(prng, 3)];
    hot_set_env(hot, &env);
}

/* Another leader has the entries, or it never had them. */
static void step_down(struct world *world)
{
    hot_drop_ahead(world->leader);
    world->executed = world->applied;
    while (world->queued > 0 && prng_chance(&world->prng, 500000)) {
        struct closed *last = &world->queue[--world->queued];
        world->next_index = last->index;
        buf_free(&last->rows);
    }
    world->command_name = "a lost leadership";
    while (world->queued > 0) {
        if (prng_chance(&world->prng, 300000)) {
            world->executed = world->applied;
            check_all(world);
        }
        apply_entry(world, false);
    }
    world->executed = world->applied;
    row_map_copy(&world->log, &world->rows);
    check_all(world);
    if (prng_chance(&world->prng, 500000)) {
        struct hot *other = world->leader;
        world->leader = world->follower;
        world->follower = other;
    }
    hot_set_term(world->leader, ++world->term);
}

/* An empty replica that replays the log from an earlier state, looking at some keys as it goes; it
 * then is the follower. */
static void replay(struct world *world)
{
    struct hot *hot = hot_box_restore(&world->past, SEED, world->past_index);
    struct bytes rest = buf_bytes(&world->since);
    for (size_t at = 0; at < world->since_sizes.size; at += sizeof(size_t)) {
        size_t size;
        memcpy(&size, world->since_sizes.data + at, sizeof(size_t));
        (void)look_at(hot, (int)prng_below(&world->prng, RANDOM_KEYS), &world->past);
        hot_apply(hot, ++world->past_index, bytes_of(rest.data, size));
        row_map_fold(&world->past, bytes_of(rest.data, size));
        rest = bytes_of(rest.data + size, rest.size - size);
    }
    assert_true(row_map_equal(&world->past, &world->rows));
    hot_free(world->follower);
    world->follower = hot;
    buf_clear(&world->since);
    buf_clear(&world->since_sizes);
    check_hot(world, hot, &world->applied, "a replica that replayed the log");
}

static void look_at_one(struct world *world)
{
    int key = (int)prng_below(&world->prng, RANDOM_KEYS);
    expect(world, look_at(world->follower, key, &world->rows), key, &world->applied,
           "the follower");
    key = (int)prng_below(&world->prng, RANDOM_KEYS);
    expect(world, look_at(world->leader, key, &world->rows), key, &world->executed, "the leader");
}

static void step(struct world *world)
{
    struct hot *any = prng_chance(&world->prng, 700000) ? world->leader : world->follower;
    uint64_t what = prng_below(&world->prng, 1000);
    any->clock++;
    if (what < 640)
        run_command(world);
    else if (what < 720)
        close_entry(world);
    else if (what < 800)
        apply_entry(world, true);
    else if (what < 860)
        (void)hot_page_out(any, prng_below(&world->prng, 60000), 8, prng_next(&world->prng));
    else if (what < 880)
        hot_drop_clean(any);
    else if (what < 950)
        look_at_one(world);
    else if (what < 975)
        expire(world);
    else if (what < 985)
        move_thresholds(world, any);
    else if (what < 990)
        check_all(world);
    else if (what < 996)
        step_down(world);
    else
        replay(world);
}

/* ---- running ---- */

static struct world *world_new(uint64_t seed)
{
    struct world *world = mem_zero(sizeof(*world));
    world->prng = prng_init(seed);
    world->leader = hot_new(SEED);
    world->follower = hot_new(SEED);
    world->term = world->next_index = 1;
    world->now_ms = 1000;
    world->env = (struct call_env){.await_key = never_cold,
                                   .notify = ignore_event,
                                   .string_size_max = 1 << 24,
                                   .hll_sparse_max = 100};
    world->command_name = "none";
    world->table = command_table_new();
    command_table_add(world->table, string_commands);
    command_table_add(world->table, set_commands);
    command_table_add(world->table, zset_commands);
    command_table_add(world->table, list_commands);
    command_table_add(world->table, stream_commands);
    command_table_add(world->table, bitmap_commands);
    command_table_add(world->table, hyperloglog_commands);
    command_table_add(world->table, generic_value_commands);
    command_table_add(world->table, hash_commands);
    command_table_add(world->table, generic_commands);
    hot_set_term(world->leader, 1);
    return world;
}

static void world_free(struct world *world)
{
    hot_free(world->leader);
    hot_free(world->follower);
    command_table_free(world->table);
    random_command_free(&world->command);
    for (size_t i = 0; i < world->queued; i++)
        buf_free(&world->queue[i].rows);
    row_map_free(&world->log);
    row_map_free(&world->rows);
    row_map_free(&world->past);
    buf_free(&world->reply);
    buf_free(&world->since);
    buf_free(&world->since_sizes);
    mem_free(world);
}

static void run(uint64_t seed)
{
    struct world *world = world_new(seed);
    for (int i = 0; i < STEPS; i++)
        step(world);
    check_all(world);
    step_down(world);
    replay(world);
    assert_true(world->changes > world->runs / 3); /* else the commands are drawn badly */
    world_free(world);
}

static void a_value_is_the_fold_of_its_rows_whatever_happens(void **state)
{
    (void)state;
    const char *one = getenv("VALUE_SEED");
    if (one != NULL) {
        run(strtoull(one, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        print_message("seed %llu (VALUE_SEED replays it)\n", (unsigned long long)seed);
        run(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_the_fold_of_its_rows_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
