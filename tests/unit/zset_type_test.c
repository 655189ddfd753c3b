/* Sorted sets against a sorted array: random edits in both forms, and the ways to rows and back. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/endian.h"
#include "base/prng.h"
#include "row_map.h"
#include "types/zset.h"

enum { ID = 77, NAMES = 700, NAME_MAX = 1100, ROW_PREFIX = 9 };

struct pair {
    uint32_t name;
    double score;
};

struct world {
    struct prng prng;
    struct type_env env;
    struct value *value;
    struct row_map rows;
    struct pair pairs[NAMES]; /* in order */
    uint32_t count;
    uint32_t names; /* how many different ones */
    char texts[NAMES][NAME_MAX + 1];
    struct bytes members[NAMES];
};

/* Numbers, texts, the empty one, binary ones, too long for a pack, too long for a row's key. */
static struct bytes make_name(struct world *world, uint32_t name)
{
    char *text = world->texts[name];
    int size = snprintf(text, NAME_MAX, name % 3 == 0 ? "%u" : "member:%u", name);
    if (name == 1)
        return bytes_of(text, 0);
    if (name % 50 == 2)
        text[2] = '\0';
    size_t padded = name % 97 == 5 ? 64 : name % 97 == 6 ? 65 : name % 97 == 7 ? NAME_MAX : 0;
    if (padded == 0)
        return bytes_of(text, (size_t)size);
    memset(text + size, 'x', padded - (size_t)size);
    return bytes_of(text, padded);
}

static int order_of(const struct world *world, struct pair a, struct pair b)
{
    if (a.score != b.score)
        return a.score < b.score ? -1 : 1;
    return bytes_compare(world->members[a.name], world->members[b.name]);
}

static bool find_pair(const struct world *world, uint32_t name, uint32_t *at)
{
    for (*at = 0; *at < world->count; ++*at) {
        if (world->pairs[*at].name == name)
            return true;
    }
    return false;
}

static void drop_pairs(struct world *world, uint32_t from, uint32_t count)
{
    memmove(world->pairs + from, world->pairs + from + count,
            (world->count - from - count) * sizeof(struct pair));
    world->count -= count;
}

static void put_pair(struct world *world, struct pair pair)
{
    uint32_t at;
    if (find_pair(world, pair.name, &at))
        drop_pairs(world, at, 1);
    for (at = 0; at < world->count && order_of(world, world->pairs[at], pair) < 0;)
        at++;
    memmove(world->pairs + at + 1, world->pairs + at, (world->count - at) * sizeof(struct pair));
    world->pairs[at] = pair;
    world->count++;
}

static double draw_score(struct world *world)
{
    static const double EDGES[] = {0.0,    INFINITY, -INFINITY, 9e15,  -9e15, 9.1e15,
                                   1e-300, 0.1,      1e300,     127.0, 128.0, 4503599627370496.5};
    if (prng_chance(&world->prng, 100000))
        return EDGES[prng_below(&world->prng, COUNT_OF(EDGES))];
    if (prng_chance(&world->prng, 300000))
        return (double)prng_below(&world->prng, 1000000) / 64 - 5000;
    return (double)prng_below(&world->prng, 20) - 5;
}

/* ---- edits ---- */

static void fold(struct world *world, struct buf *out)
{
    row_map_fold(&world->rows, buf_bytes(out));
    buf_free(out);
}

static struct edit begin(struct world *world, struct buf *out)
{
    return (struct edit){.value = world->value,
                         .rows = world->value->object_id == 0 ? NULL : out,
                         .env = &world->env};
}

static void put(struct world *world)
{
    struct buf out = {0};
    struct edit edit = begin(world, &out);
    struct pair pair = {(uint32_t)prng_below(&world->prng, world->names), draw_score(world)};
    uint32_t at;
    bool is_new = !find_pair(world, pair.name, &at);
    assert_int_equal(zset_put(&edit, world->members[pair.name], pair.score), is_new);
    put_pair(world, pair);
    world->value = edit.value;
    fold(world, &out);
}

static void take(struct world *world)
{
    struct buf out = {0};
    struct edit edit = begin(world, &out);
    uint32_t name = (uint32_t)prng_below(&world->prng, world->names), at;
    bool is_there = find_pair(world, name, &at);
    assert_int_equal(zset_remove(&edit, world->members[name]), is_there);
    if (is_there)
        drop_pairs(world, at, 1);
    world->value = edit.value;
    fold(world, &out);
}

static void take_ranks(struct world *world)
{
    struct buf out = {0};
    struct edit edit = begin(world, &out);
    uint32_t from = (uint32_t)prng_below(&world->prng, world->count + 1u);
    uint32_t count = (uint32_t)prng_below(&world->prng, world->count - from + 1u);
    if (count > 8 && !prng_chance(&world->prng, 50000))
        count = 8;
    zset_remove_ranks(&edit, from, count);
    drop_pairs(world, from, count);
    world->value = edit.value;
    fold(world, &out);
}

/* ---- what must hold ---- */

static void check_walk(struct world *world, bool is_reverse)
{
    struct zset_walk walk = zset_walk(world->value, 0, world->count, is_reverse);
    struct zset_item item;
    for (uint32_t i = 0; i < world->count; i++) {
        struct pair pair = world->pairs[is_reverse ? world->count - 1 - i : i];
        assert_true(zset_next(&walk, &item));
        assert_true(bytes_equal(item.member, world->members[pair.name]));
        assert_true(item.score == pair.score);
    }
    assert_false(zset_next(&walk, &item));
}

static void check_part(struct world *world)
{
    bool is_reverse = prng_chance(&world->prng, 500000);
    uint64_t from = prng_below(&world->prng, world->count + 1u);
    uint64_t count = prng_below(&world->prng, world->count - from + 1);
    struct zset_walk walk = zset_walk(world->value, from, count, is_reverse);
    struct zset_item item;
    for (uint64_t i = from; i < from + count; i++) {
        struct pair pair = world->pairs[is_reverse ? world->count - 1 - i : i];
        assert_true(zset_next(&walk, &item));
        assert_true(bytes_equal(item.member, world->members[pair.name]));
    }
    assert_false(zset_next(&walk, &item));
}

static void check_member(struct world *world)
{
    uint32_t name = (uint32_t)prng_below(&world->prng, world->names), at;
    double score;
    bool is_there = find_pair(world, name, &at);
    assert_int_equal(zset_score(world->value, world->members[name], &score), is_there);
    if (!is_there)
        return;
    assert_true(score == world->pairs[at].score);
    assert_int_equal(zset_rank(world->value, world->members[name]), at);
}

/* The bound stands anywhere, on a member or not. */
static void check_position(struct world *world)
{
    uint32_t name = (uint32_t)prng_below(&world->prng, world->names);
    struct zset_bound bound = {.score = draw_score(world), .member = world->members[name]};
    bound.which = (int)prng_below(&world->prng, 3) == 0   ? ZSET_BEFORE_ALL
                  : (int)prng_below(&world->prng, 2) == 0 ? ZSET_AT_MEMBER
                                                          : ZSET_AFTER_ALL;
    bound.is_after = prng_chance(&world->prng, 500000);
    struct pair pair = {name, bound.score};
    uint64_t before = 0;
    for (uint32_t i = 0; i < world->count; i++) {
        struct pair each = world->pairs[i];
        int order = order_of(world, each, pair);
        if (each.score != bound.score)
            before += each.score < bound.score;
        else if (bound.which == ZSET_AT_MEMBER)
            before += bound.is_after ? order <= 0 : order < 0;
        else
            before += bound.which == ZSET_AFTER_ALL;
    }
    assert_int_equal(zset_position(world->value, &bound), before);
}

static void check_equal(const struct value *a, const struct value *b)
{
    zset_type.check(b);
    assert_int_equal(a->count, b->count);
    assert_true(zset_type.digest(a) == zset_type.digest(b));
}

static struct value *load(const struct row_map *rows, uint32_t count, const struct type_env *env)
{
    struct value *value = zset_type.create_head();
    value->object_id = ID;
    value->count = count;
    zset_type.load_begin(&value, env);
    bool is_good = true;
    for (size_t i = 0; is_good && i < rows->count; i++) {
        struct bytes key = buf_bytes(&rows->items[i].key);
        struct bytes element = bytes_of(key.data + ROW_PREFIX, key.size - ROW_PREFIX);
        assert_int_equal(get_be64(key.data + 1), ID);
        is_good = zset_type.load_row(&value, element, buf_bytes(&rows->items[i].value), env);
    }
    if (is_good && zset_type.load_end(&value, env))
        return value;
    zset_type.free(value);
    return NULL;
}

/* Through its rows into either form; the loaded one goes on. */
static void check_rows(struct world *world)
{
    struct row_map emitted = {0};
    struct buf out = {0};
    zset_type.emit(world->value, &out);
    row_map_fold(&emitted, buf_bytes(&out));
    buf_free(&out);
    assert_true(row_map_equal(&emitted, &world->rows));
    row_map_free(&emitted);

    struct type_env tables = world->env;
    tables.zset_max_listpack_entries = 0;
    struct value *large = load(&world->rows, world->count, &tables);
    struct value *same = load(&world->rows, world->count, &world->env);
    assert_non_null(large);
    assert_non_null(same);
    check_equal(world->value, large);
    check_equal(world->value, same);
    assert_true(world->count == 0 || !zset_is_packed(large));
    zset_type.free(large);
    zset_type.free(world->value);
    world->value = same;
}

static void check_inline(struct world *world)
{
    struct buf out = {0};
    size_t size = zset_type.inline_size(world->value);
    if (size > VALUE_INLINE_MAX || world->count == 0)
        return;
    zset_type.encode_inline(world->value, &out);
    assert_int_equal(out.size, size);
    struct value *twin = zset_type.decode_inline(buf_bytes(&out), &world->env);
    assert_non_null(twin);
    check_equal(world->value, twin);
    zset_type.free(twin);
    buf_free(&out);
}

static void check_all(struct world *world)
{
    zset_type.check(world->value);
    assert_int_equal(world->value->count, world->count);
    check_walk(world, false);
    check_walk(world, true);
    struct value *twin = zset_type.copy(world->value);
    assert_int_equal(twin->object_id, 0);
    check_equal(world->value, twin);
    zset_type.free(twin);
    check_inline(world);
    if (world->value->object_id != 0 && world->count > 0)
        check_rows(world);
}

static void get_rows(struct world *world)
{
    struct buf out = {0};
    world->value->object_id = ID;
    zset_type.emit(world->value, &out);
    fold(world, &out);
}

static struct world *world_new(uint64_t seed)
{
    static const int64_t LIMITS[] = {0, 4, 128};
    struct world *world = calloc(1, sizeof(*world));
    world->prng = prng_init(seed);
    world->env = type_env_default(seed);
    world->env.zset_max_listpack_entries = LIMITS[seed % 3];
    world->names = seed % 4 == 0 ? 30 : NAMES;
    for (uint32_t name = 0; name < NAMES; name++)
        world->members[name] = make_name(world, name);
    world->value = zset_type.create(&world->env);
    return world;
}

static void world_free(struct world *world)
{
    zset_type.free(world->value);
    row_map_free(&world->rows);
    free(world);
}

static void random_edits_agree_with_a_sorted_array(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        struct world *world = world_new(seed);
        uint64_t rows_from = prng_below(&world->prng, 400);
        for (uint64_t step = 0; step < 3000; step++) {
            uint64_t what = prng_below(&world->prng, step / 700 % 2 == 0 ? 10 : 5);
            if (what >= 2)
                put(world);
            else if (what == 1)
                take(world);
            else
                take_ranks(world);
            if (step >= rows_from && world->value->object_id == 0)
                get_rows(world);
            check_member(world);
            check_position(world);
            check_part(world);
            if (step % 100 == 0)
                check_all(world);
        }
        check_all(world);
        world_free(world);
    }
}

/* ---- forms ---- */

static struct value *with_members(const struct type_env *env, uint32_t count, size_t name_size)
{
    struct edit edit = edit_detached(TYPE_ZSET, env);
    char text[128];
    memset(text, 'm', sizeof(text));
    for (uint32_t i = 0; i < count; i++) {
        put_be32((uint8_t *)text, i);
        (void)zset_put(&edit, bytes_of(text, name_size), i);
    }
    return edit.value;
}

static void expect_encoding(const struct type_env *env, uint32_t count, size_t name_size,
                            const char *encoding)
{
    struct value *value = with_members(env, count, name_size);
    assert_string_equal(zset_type.encoding(value), encoding);
    zset_type.free(value);
}

static void a_set_is_small_up_to_both_limits(void **state)
{
    (void)state;
    struct type_env env = type_env_default(1);
    expect_encoding(&env, 127, 10, "listpack");
    expect_encoding(&env, 128, 10, "listpack");
    expect_encoding(&env, 129, 10, "skiplist");
    expect_encoding(&env, 1, 63, "listpack");
    expect_encoding(&env, 1, 64, "listpack");
    expect_encoding(&env, 1, 65, "skiplist");
}

static void zero_has_a_sign_only_in_a_large_set(void **state)
{
    (void)state;
    struct type_env env = type_env_default(1);
    struct edit small = edit_detached(TYPE_ZSET, &env);
    env.zset_max_listpack_entries = 0;
    struct edit large = edit_detached(TYPE_ZSET, &env);
    double score;
    (void)zset_put(&large, BYTES_LITERAL("a"), -0.0);
    env.zset_max_listpack_entries = 128;
    (void)zset_put(&small, BYTES_LITERAL("a"), -0.0);
    assert_true(zset_score(small.value, BYTES_LITERAL("a"), &score) && !signbit(score));
    assert_true(zset_score(large.value, BYTES_LITERAL("a"), &score) && signbit(score));
    check_equal(small.value, large.value);
    zset_type.free(small.value);
    zset_type.free(large.value);
}

static void count_visit(void *context, const struct zset_item *item)
{
    assert_true(item->score >= 0);
    ++*(uint32_t *)context;
}

static void a_scan_gives_every_member(void **state)
{
    (void)state;
    struct type_env env = type_env_default(7);
    static const uint32_t COUNTS[] = {1, 128, 129, 5000};
    for (size_t i = 0; i < COUNT_OF(COUNTS); i++) {
        struct value *value = with_members(&env, COUNTS[i], 10);
        uint32_t visited = 0, steps = 0;
        uint64_t cursor = 0;
        do {
            cursor = zset_scan(value, cursor, 10, count_visit, &visited);
            steps++;
        } while (cursor != 0);
        assert_int_equal(visited, COUNTS[i]);
        assert_true(zset_is_packed(value) ? steps == 1 : steps > 5);
        zset_type.free(value);
    }
}

/* ---- damage ---- */

static struct row_map rows_of_three(const struct type_env *env)
{
    struct row_map rows = {0};
    struct buf out = {0};
    struct value *value = with_members(env, 3, 8);
    value->object_id = ID;
    zset_type.emit(value, &out);
    row_map_fold(&rows, buf_bytes(&out));
    buf_free(&out);
    zset_type.free(value);
    return rows;
}

static void expect_damage(struct row_map *rows, uint32_t count, const struct type_env *env)
{
    struct type_env tables = *env;
    tables.zset_max_listpack_entries = 0;
    assert_null(load(rows, count, env));
    assert_null(load(rows, count, &tables));
}

static void rows_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct type_env env = type_env_default(1);
    struct row_map rows = rows_of_three(&env);
    struct value *good = load(&rows, 3, &env);
    assert_non_null(good);
    zset_type.free(good);
    expect_damage(&rows, 2, &env);
    expect_damage(&rows, 4, &env);

    struct buf *score = &rows.items[1].value;
    uint8_t *prefix = &rows.items[1].key.data[ROW_PREFIX];
    double nan = NAN;
    uint8_t before[8];
    assert_int_equal(score->size, sizeof(before));
    memcpy(before, score->data, sizeof(before));
    memcpy(score->data, &nan, sizeof(nan));
    expect_damage(&rows, 3, &env); /* not a number */
    memcpy(score->data, before, sizeof(before));
    score->size--;
    expect_damage(&rows, 3, &env); /* too short */
    score->size++;
    *prefix = 1;
    expect_damage(&rows, 3, &env); /* an element of another kind */
    *prefix = 0;
    rows.items[1].key.data[ROW_PREFIX + 1] = 9;
    expect_damage(&rows, 3, &env); /* no form of name */
    rows.items[1].key.data[ROW_PREFIX + 1] = 0;
    memcpy(rows.items[1].key.data, rows.items[0].key.data, rows.items[0].key.size);
    expect_damage(&rows, 3, &env); /* a member twice */
    row_map_free(&rows);
}

/* Any one byte changed, any end cut off: refused, or a sorted set all the same. */
static void inline_bytes_that_are_no_sorted_set_are_refused(void **state)
{
    (void)state;
    struct type_env env = type_env_default(1);
    struct value *value = with_members(&env, 9, 6);
    struct buf bytes = {0};
    uint32_t refused = 0;
    zset_type.encode_inline(value, &bytes);
    for (size_t size = 0; size < bytes.size; size++)
        assert_null(zset_type.decode_inline(bytes_of(bytes.data, size), &env));
    for (size_t at = 0; at < bytes.size * 256; at++) {
        uint8_t *byte = &bytes.data[at / 256], before = *byte;
        *byte = (uint8_t)at;
        struct value *other = zset_type.decode_inline(buf_bytes(&bytes), &env);
        if (other != NULL) {
            zset_type.check(other);
            zset_type.free(other);
        }
        refused += other == NULL;
        *byte = before;
    }
    assert_true(refused > bytes.size * 64);
    buf_free(&bytes);
    zset_type.free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_edits_agree_with_a_sorted_array),
        cmocka_unit_test(a_set_is_small_up_to_both_limits),
        cmocka_unit_test(zero_has_a_sign_only_in_a_large_set),
        cmocka_unit_test(a_scan_gives_every_member),
        cmocka_unit_test(rows_that_do_not_fit_are_refused),
        cmocka_unit_test(inline_bytes_that_are_no_sorted_set_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
