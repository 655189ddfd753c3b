/* Law L7 as a property: hot memory of a leader and of a follower against plain models. Commands,
 * closed entries, applies, loads in steps, page-outs, lost leaderships and restarts come in any
 * order; at every moment the leader shows everything that was executed, the follower what is
 * applied, and the rows alone are enough to make either again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/prng.h"
#include "hot_box.h"
#include "keyspace/head_row.h"
#include "keyspace/slot.h"
#include "store/row_key.h"

enum {
    DATABASES = 3,
    KEYS = 12,
    QUEUE_MAX = 6,
    LOADS_MAX = 3,
    VALUE_MAX = 12000,
    STEPS = 2500,
};

#define SEED 77

struct expected {
    bool is_present;
    int64_t expire_ms;
    uint64_t index; /* of the entry that last changed the key */
    struct buf bytes;
};

struct database {
    uint32_t ksid;
    struct expected keys[KEYS];
};

struct model {
    struct database databases[DATABASES];
    uint64_t map_index;
    uint64_t newest; /* entry with the newest change */
};

struct closed {
    uint64_t index;
    struct buf rows;
    struct model after;
};

struct world {
    struct prng prng;
    struct hot *leader;
    struct hot *follower;
    uint64_t term;
    uint64_t next_index;
    struct model executed;
    struct model logged; /* as of the newest closed entry */
    struct model applied;
    struct row_map log;  /* fold of all closed entries */
    struct row_map rows; /* fold of the applied ones */
    struct closed queue[QUEUE_MAX];
    size_t queued;
    bool is_touched[DATABASES][KEYS]; /* in the open entry */
    bool is_flushed[DATABASES];
    struct hot_box_load loads[LOADS_MAX];
    size_t load_count;
    struct row_map past; /* some earlier state of rows, and what was applied since */
    uint64_t past_index;
    struct buf since;
    struct buf since_sizes;
};

/* ---- models ---- */

static void model_free(struct model *model)
{
    for (int d = 0; d < DATABASES; d++) {
        for (int k = 0; k < KEYS; k++)
            buf_free(&model->databases[d].keys[k].bytes);
    }
    *model = (struct model){0};
}

static void model_copy(struct model *to, const struct model *from)
{
    model_free(to);
    *to = *from;
    for (int d = 0; d < DATABASES; d++) {
        for (int k = 0; k < KEYS; k++) {
            to->databases[d].keys[k].bytes = (struct buf){0};
            buf_append(&to->databases[d].keys[k].bytes,
                       buf_bytes(&from->databases[d].keys[k].bytes));
        }
    }
}

static void model_clear(struct database *database)
{
    for (int k = 0; k < KEYS; k++) {
        buf_free(&database->keys[k].bytes);
        database->keys[k] = (struct expected){0};
    }
}

static int64_t count(const struct database *database, bool is_expiring)
{
    int64_t count = 0;
    for (int k = 0; k < KEYS; k++) {
        const struct expected *value = &database->keys[k];
        count += value->is_present && (!is_expiring || value->expire_ms != 0);
    }
    return count;
}

/* Short, empty, long and tagged names. */
static struct bytes name_of(int key)
{
    static const char LONG_NAME[300] = "a name that is longer than others";
    static const char *const NAMES[KEYS] = {"",   "a",  "b",  "{a}b", "{a}c", "counter",
                                            "k6", "k7", "k8", "k9",   "{}",   LONG_NAME};
    return key == KEYS - 1 ? bytes_of(LONG_NAME, sizeof(LONG_NAME)) : bytes_of_string(NAMES[key]);
}

static uint64_t order_of(int key)
{
    static const uint64_t MASK = ROW_KEY_HASH_MAX;
    struct bytes name = name_of(key);
    return (uint64_t)slot_of_key(name) << 48 | (hash_bytes(name, SEED) >> 16 & MASK);
}

/* ---- comparing ---- */

static void check_value(struct hot *hot, int d, int k, const struct model *model,
                        const struct row_map *rows)
{
    struct keyspace *keyspace = hot->databases[d];
    const struct expected *value = &model->databases[d].keys[k];
    if (value->is_present && keyspace->filter_is_whole)
        assert_true(filter_may_have(keyspace->filter, order_of(k)) || value->index > hot->released);
    struct object *object = hot_box_find(hot, keyspace, name_of(k), HOT_VALUE, rows);
    assert_int_equal(object != NULL, value->is_present);
    if (object == NULL)
        return;
    char scratch[STRING_INT_TEXT_MAX];
    struct bytes bytes = string_value(object, scratch);
    assert_int_equal(bytes.size, value->bytes.size);
    assert_true(bytes_equal(bytes, buf_bytes(&value->bytes)));
    assert_int_equal(object_expire_ms(object), value->expire_ms);
    assert_true(bytes_equal(object_key(object), name_of(k)));
}

static void check_counts(const struct hot *hot, const struct model *model)
{
    hot_check(hot);
    for (int d = 0; d < DATABASES; d++) {
        assert_int_equal(hot->databases[d]->id, model->databases[d].ksid);
        assert_int_equal(hot->databases[d]->keys, count(&model->databases[d], false));
        assert_int_equal(hot->databases[d]->expiring, count(&model->databases[d], true));
    }
}

static bool is_loading(const struct world *world, int d, int k)
{
    for (size_t i = 0; i < world->load_count; i++) {
        const struct hot_box_load *load = &world->loads[i];
        if (load->keyspace == world->leader->databases[d] && bytes_equal(load->key, name_of(k)))
            return true;
    }
    return false;
}

static void check_gate(const struct world *world, int d, int k)
{
    const struct hot *hot = world->leader;
    uint64_t key_index = world->executed.databases[d].keys[k].index;
    uint64_t expected = world->executed.map_index;
    if (key_index > expected)
        expected = key_index;
    const struct object *object = table_find(&hot->databases[d]->table, order_of(k), name_of(k));
    assert_int_equal(hot_gate(hot, hot->databases[d], object),
                     expected > hot->released ? expected : 0);
    uint64_t newest = world->executed.newest;
    assert_int_equal(hot_gate_all(hot), newest > hot->released ? newest : 0);
}

static void check_all(struct world *world)
{
    check_counts(world->leader, &world->executed);
    check_counts(world->follower, &world->applied);
    for (int d = 0; d < DATABASES; d++) {
        for (int k = 0; k < KEYS; k++) {
            check_gate(world, d, k);
            if (!is_loading(world, d, k))
                check_value(world->leader, d, k, &world->executed, &world->rows);
            check_value(world->follower, d, k, &world->applied, &world->rows);
        }
    }
    hot_check(world->leader);
    hot_check(world->follower);
}

/* ---- the rows of one entry ---- */

static void check_key_op(const struct world *world, const struct row *row,
                         const struct row_key *key, bool is_seen[DATABASES][KEYS])
{
    for (int d = 0; d < DATABASES; d++) {
        for (int k = 0; k < KEYS; k++) {
            if (world->executed.databases[d].ksid != key->ksid ||
                !bytes_equal(key->name, name_of(k)))
                continue;
            bool was = !world->is_flushed[d] && world->logged.databases[d].keys[k].is_present;
            bool is = world->executed.databases[d].keys[k].is_present;
            assert_false(is_seen[d][k]);
            is_seen[d][k] = true;
            assert_true(world->is_touched[d][k]);
            assert_int_equal(row->op, !is ? ROW_DELETE : was ? ROW_PUT : ROW_PUT_NEW);
            assert_true(is || was);
            return;
        }
    }
    fail_msg("a K row of a key that was not touched");
}

static int rank_of(uint8_t kind)
{
    static const char ORDER[] = "MNGETK";
    const char *at = strchr(ORDER, kind);
    assert_non_null(at);
    return kind == 'G' || kind == 'E' || kind == 'T' ? 2 : (int)(at - ORDER);
}

static void check_entry(const struct world *world, struct bytes rows)
{
    bool is_seen[DATABASES][KEYS] = {{false}};
    struct row row;
    int rank = 0;
    while (rows_next(&rows, &row) == ROWS_OK) {
        struct row_key key;
        assert_true(row_key_decode(row.key, &key));
        assert_true(rank_of(row.key.data[0]) >= rank);
        rank = rank_of(row.key.data[0]);
        if (key.kind == ROW_KIND_KEY)
            check_key_op(world, &row, &key, is_seen);
    }
    for (int d = 0; d < DATABASES; d++) {
        for (int k = 0; k < KEYS; k++) {
            bool was = !world->is_flushed[d] && world->logged.databases[d].keys[k].is_present;
            bool is = world->executed.databases[d].keys[k].is_present;
            assert_int_equal(is_seen[d][k], world->is_touched[d][k] && (was || is));
        }
    }
}

static void check_count_rows(const struct world *world)
{
    struct hot *hot = hot_box_restore(&world->log, SEED, 0);
    check_counts(hot, &world->executed);
    hot_free(hot);
}

/* ---- commands on the leader ---- */

static void open_entry(struct world *world)
{
    if (!world->leader->is_open)
        hot_open(world->leader, world->next_index);
}

/* The object as far as `need`; false when its load goes on for a while, so that no command runs. */
static bool find(struct world *world, int d, int k, enum hot_need need, struct object **object)
{
    struct keyspace *keyspace = world->leader->databases[d];
    if (is_loading(world, d, k))
        return false;
    if (world->load_count < LOADS_MAX && prng_chance(&world->prng, 400000) &&
        hot_find(world->leader, keyspace, order_of(k), name_of(k), need, object) == HOT_COLD) {
        hot_box_load_begin(&world->loads[world->load_count++], world->leader, keyspace, order_of(k),
                           name_of(k), *object, need == HOT_VALUE);
        return false;
    }
    (void)hot_box_find(world->leader, keyspace, name_of(k), need, &world->rows);
    enum hot_found found = hot_find(world->leader, keyspace, order_of(k), name_of(k), need, object);
    assert_int_equal(found == HOT_PRESENT, world->executed.databases[d].keys[k].is_present);
    return true;
}

static void touched(struct world *world, int d, int k)
{
    world->is_touched[d][k] = true;
    world->executed.databases[d].keys[k].index = world->next_index;
    world->executed.newest = world->next_index;
}

static size_t draw_size(struct prng *prng)
{
    static const size_t EDGES[] = {0,    1,    20,   44,   1023, 1024, 1025, 2047,
                                   2048, 2049, 4095, 4096, 4097, 8192, 9000};
    if (prng_chance(prng, 500000))
        return EDGES[prng_below(prng, sizeof(EDGES) / sizeof(EDGES[0]))];
    return prng_below(prng, prng_chance(prng, 500000) ? 60 : 6000);
}

static void draw_bytes(struct prng *prng, size_t size, struct buf *out)
{
    buf_clear(out);
    uint8_t *at = buf_extend(out, size);
    uint64_t word = prng_next(prng);
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(word >> (i % 8 * 8)) ^ (uint8_t)(i >> 3);
    if (size > 0 && size < 20 && prng_chance(prng, 500000)) {
        for (size_t i = 0; i < size; i++)
            at[i] = (uint8_t)('1' + at[i] % 9); /* often an integer */
    }
}

static int64_t draw_expiry(struct prng *prng)
{
    return prng_chance(prng, 500000) ? 0 : (int64_t)prng_between(prng, 1, 4);
}

static void do_set(struct world *world, int d, int k)
{
    struct object *object;
    if (!find(world, d, k, HOT_HEAD, &object))
        return;
    struct expected *value = &world->executed.databases[d].keys[k];
    draw_bytes(&world->prng, draw_size(&world->prng), &value->bytes);
    value->expire_ms = draw_expiry(&world->prng);
    value->is_present = true;
    open_entry(world);
    (void)hot_set_string(world->leader, world->leader->databases[d], order_of(k), name_of(k),
                         object, buf_bytes(&value->bytes), value->expire_ms);
    touched(world, d, k);
}

static void do_set_int(struct world *world, int d, int k)
{
    struct object *object;
    struct expected *value = &world->executed.databases[d].keys[k];
    if (!find(world, d, k, HOT_VALUE, &object) || !value->is_present)
        return;
    int64_t number = (int64_t)prng_next(&world->prng) >> prng_below(&world->prng, 60);
    buf_clear(&value->bytes);
    buf_printf(&value->bytes, "%lld", (long long)number);
    open_entry(world);
    (void)hot_set_int(world->leader, world->leader->databases[d], object, number);
    touched(world, d, k);
}

static void do_write(struct world *world, int d, int k)
{
    struct object *object;
    struct expected *value = &world->executed.databases[d].keys[k];
    if (!find(world, d, k, HOT_VALUE, &object) || !value->is_present ||
        value->bytes.size > VALUE_MAX)
        return;
    struct buf bytes = {0};
    draw_bytes(&world->prng, 1 + draw_size(&world->prng), &bytes);
    size_t offset = prng_chance(&world->prng, 300000)
                        ? value->bytes.size
                        : prng_below(&world->prng, value->bytes.size + 200);
    size_t end = offset + bytes.size;
    if (end > value->bytes.size) {
        size_t more = end - value->bytes.size;
        memset(buf_extend(&value->bytes, more), 0, more);
    }
    memcpy(value->bytes.data + offset, bytes.data, bytes.size);
    open_entry(world);
    (void)hot_write_string(world->leader, world->leader->databases[d], object, offset,
                           buf_bytes(&bytes));
    buf_free(&bytes);
    touched(world, d, k);
}

static void do_expire(struct world *world, int d, int k)
{
    struct object *object;
    struct expected *value = &world->executed.databases[d].keys[k];
    if (!find(world, d, k, HOT_HEAD, &object) || !value->is_present)
        return;
    value->expire_ms = draw_expiry(&world->prng);
    open_entry(world);
    (void)hot_set_expire(world->leader, world->leader->databases[d], object, value->expire_ms);
    touched(world, d, k);
}

static void do_delete(struct world *world, int d, int k)
{
    struct object *object;
    struct expected *value = &world->executed.databases[d].keys[k];
    if (!find(world, d, k, HOT_HEAD, &object) || !value->is_present)
        return;
    open_entry(world);
    hot_delete(world->leader, world->leader->databases[d], object);
    buf_free(&value->bytes);
    *value = (struct expected){0};
    touched(world, d, k);
}

static void do_rename(struct world *world, int d, int from)
{
    int to = (int)prng_below(&world->prng, KEYS);
    struct expected *values = world->executed.databases[d].keys;
    struct object *object, *target;
    if (to == from || !find(world, d, to, HOT_HEAD, &target) ||
        !find(world, d, from, HOT_HEAD, &object) || !values[from].is_present)
        return;
    struct keyspace *keyspace = world->leader->databases[d];
    open_entry(world);
    if (values[to].is_present)
        hot_delete(world->leader, keyspace, target);
    target = table_find(&keyspace->table, order_of(to), name_of(to));
    hot_rename(world->leader, keyspace, object, order_of(to), name_of(to), target);
    buf_free(&values[to].bytes);
    values[to] = values[from];
    values[from] = (struct expected){0};
    touched(world, d, from);
    touched(world, d, to);
}

/* Loads of a keyspace that goes are abandoned by the caller of hot_flush_database. */
static void abandon_loads(struct world *world, const struct keyspace *keyspace)
{
    size_t kept = 0;
    for (size_t i = 0; i < world->load_count; i++) {
        if (world->loads[i].keyspace == keyspace)
            buf_free(&world->loads[i].value);
        else
            world->loads[kept++] = world->loads[i];
    }
    world->load_count = kept;
}

static void do_flush(struct world *world, int d)
{
    open_entry(world);
    const struct keyspace *old = hot_flush_database(world->leader, d);
    abandon_loads(world, old);
    model_clear(&world->executed.databases[d]);
    world->executed.databases[d].ksid = world->leader->databases[d]->id;
    world->executed.map_index = world->executed.newest = world->next_index;
    memset(world->is_touched[d], 0, sizeof(world->is_touched[d]));
    world->is_flushed[d] = true;
}

static void swap_bytes(void *a, void *b, size_t size)
{
    void *hold = mem_alloc(size);
    memcpy(hold, a, size);
    memcpy(a, b, size);
    memcpy(b, hold, size);
    mem_free(hold);
}

static void do_swap(struct world *world, int a)
{
    int b = (a + 1) % DATABASES;
    open_entry(world);
    hot_swap_databases(world->leader, a, b);
    swap_bytes(&world->executed.databases[a], &world->executed.databases[b],
               sizeof(struct database));
    /* What was logged and touched moves along with the keyspaces. */
    swap_bytes(&world->logged.databases[a], &world->logged.databases[b], sizeof(struct database));
    swap_bytes(world->is_touched[a], world->is_touched[b], sizeof(world->is_touched[a]));
    swap_bytes(&world->is_flushed[a], &world->is_flushed[b], sizeof(bool));
    world->executed.map_index = world->executed.newest = world->next_index;
}

static void run_command(struct world *world)
{
    static const struct {
        void (*run)(struct world *world, int d, int k);
        uint64_t weight;
    } COMMANDS[] = {{do_delete, 4},  {do_expire, 5}, {do_rename, 4},
                    {do_set_int, 4}, {do_write, 9},  {do_set, 12}};
    int d = (int)prng_below(&world->prng, DATABASES);
    int k = (int)prng_below(&world->prng, KEYS);
    uint64_t drawn = prng_below(&world->prng, 40);
    if (drawn < 2) {
        if (drawn == 0)
            do_flush(world, d);
        else
            do_swap(world, d);
        return;
    }
    drawn -= 2;
    size_t at = 0;
    while (drawn >= COMMANDS[at].weight)
        drawn -= COMMANDS[at++].weight;
    COMMANDS[at].run(world, d, k);
    check_gate(world, d, k);
}

/* ---- entries ---- */

static void close_entry(struct world *world)
{
    if (!world->leader->is_open || world->queued == QUEUE_MAX)
        return;
    struct closed *closed = &world->queue[world->queued];
    *closed = (struct closed){.index = world->next_index};
    hot_close(world->leader, &closed->rows);
    if (closed->rows.size == 0)
        return;
    check_entry(world, buf_bytes(&closed->rows));
    row_map_fold(&world->log, buf_bytes(&closed->rows));
    hot_box_check_rows(&world->log);
    check_count_rows(world);
    model_copy(&closed->after, &world->executed);
    model_copy(&world->logged, &world->executed);
    memset(world->is_touched, 0, sizeof(world->is_touched));
    memset(world->is_flushed, 0, sizeof(world->is_flushed));
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
    model_copy(&world->applied, &closed.after);
    model_free(&closed.after);
    buf_free(&closed.rows);
}

static void step_load(struct world *world)
{
    if (world->load_count == 0)
        return;
    size_t at = prng_below(&world->prng, world->load_count);
    struct hot_box_load *load = &world->loads[at];
    uint64_t what = prng_below(&world->prng, 6);
    if (what < 2) {
        hot_box_load_read(load, &world->rows);
        return;
    }
    if (what == 2)
        hot_box_load_cancel(load, world->leader);
    else
        hot_box_load_end(load, world->leader, &world->rows);
    world->loads[at] = world->loads[--world->load_count];
}

/* ---- losing and changing leadership ---- */

static void forget_gates(struct model *model)
{
    model->map_index = model->newest = 0;
    for (int d = 0; d < DATABASES; d++) {
        for (int k = 0; k < KEYS; k++)
            model->databases[d].keys[k].index = 0;
    }
}

static void drop_entries(struct world *world)
{
    while (world->queued > 0) {
        struct closed *closed = &world->queue[--world->queued];
        world->next_index = closed->index;
        model_free(&closed->after);
        buf_free(&closed->rows);
    }
}

static void step_down(struct world *world)
{
    while (world->load_count > 0)
        hot_box_load_cancel(&world->loads[--world->load_count], world->leader);
    hot_drop_ahead(world->leader);
    check_counts(world->leader, &world->applied);
    model_copy(&world->executed, &world->applied);
    if (prng_chance(&world->prng, 500000))
        drop_entries(world); /* another leader never had them */
    while (world->queued > 0) {
        if (prng_chance(&world->prng, 300000)) {
            forget_gates(&world->executed);
            check_all(world);
        }
        apply_entry(world, false);
        model_copy(&world->executed, &world->applied);
    }
    forget_gates(&world->executed);
    model_copy(&world->logged, &world->executed);
    row_map_copy(&world->log, &world->rows);
    memset(world->is_touched, 0, sizeof(world->is_touched));
    memset(world->is_flushed, 0, sizeof(world->is_flushed));
    check_all(world);
    if (prng_chance(&world->prng, 500000))
        swap_bytes(&world->leader, &world->follower, sizeof(struct hot *));
    hot_set_term(world->leader, ++world->term);
}

/* An empty replica that replays the log from an earlier state; it then is the follower. */
static void replay(struct world *world)
{
    struct hot *hot = hot_box_restore(&world->past, SEED, world->past_index);
    struct bytes rest = buf_bytes(&world->since);
    for (size_t at = 0; at < world->since_sizes.size; at += sizeof(size_t)) {
        size_t size;
        memcpy(&size, world->since_sizes.data + at, sizeof(size_t));
        hot_apply(hot, ++world->past_index, bytes_of(rest.data, size));
        row_map_fold(&world->past, bytes_of(rest.data, size));
        rest = bytes_of(rest.data + size, rest.size - size);
        for (int d = 0; d < DATABASES; d++) {
            if (!hot->databases[d]->filter_is_whole && prng_chance(&world->prng, 100000))
                hot_box_fill_filter(hot->databases[d], &world->past);
        }
    }
    assert_true(row_map_equal(&world->past, &world->rows));
    check_counts(hot, &world->applied);
    hot_free(world->follower);
    world->follower = hot;
    buf_clear(&world->since);
    buf_clear(&world->since_sizes);
}

static void step(struct world *world)
{
    struct hot *any = prng_chance(&world->prng, 700000) ? world->leader : world->follower;
    uint64_t what = prng_below(&world->prng, 200);
    any->clock++;
    if (what < 110)
        run_command(world);
    else if (what < 130)
        close_entry(world);
    else if (what < 150)
        apply_entry(world, true);
    else if (what < 165)
        step_load(world);
    else if (what < 185)
        (void)hot_page_out(any, prng_below(&world->prng, 20000), 8, prng_next(&world->prng));
    else if (what < 190)
        hot_drop_clean(any);
    else if (what < 191)
        step_down(world);
    else if (what < 192)
        replay(world);
    else if (what < 199)
        check_counts(world->leader, &world->executed);
    else
        check_all(world);
}

static void run(uint64_t seed)
{
    struct world *world = mem_zero(sizeof(*world));
    world->prng = prng_init(seed);
    world->leader = hot_new(SEED);
    world->follower = hot_new(SEED);
    world->term = world->next_index = 1;
    hot_set_term(world->leader, 1);
    for (int d = 0; d < DATABASES; d++)
        world->executed.databases[d].ksid = world->leader->databases[d]->id;
    model_copy(&world->logged, &world->executed);
    model_copy(&world->applied, &world->executed);
    for (int i = 0; i < STEPS; i++)
        step(world);
    check_all(world);
    step_down(world);
    replay(world);
    check_all(world);
    hot_free(world->leader);
    hot_free(world->follower);
    model_free(&world->executed);
    model_free(&world->logged);
    model_free(&world->applied);
    row_map_free(&world->log);
    row_map_free(&world->rows);
    row_map_free(&world->past);
    buf_free(&world->since);
    buf_free(&world->since_sizes);
    mem_free(world);
}

static void hot_memory_is_the_fold_of_its_rows_whatever_happens(void **state)
{
    (void)state;
    const char *one = getenv("HOT_SEED");
    if (one != NULL) {
        run(strtoull(one, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= 12; seed++) {
        print_message("seed %llu (HOT_SEED replays it)\n", (unsigned long long)seed);
        run(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hot_memory_is_the_fold_of_its_rows_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
