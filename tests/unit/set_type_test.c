/* Sets against an array of what is in: random edits in all three forms, and the ways to rows and
 * back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/prng.h"
#include "type_box.h"
#include "types/set.h"

enum { NAMES = 400, NAME_MAX = 1100 };

struct world {
    struct prng prng;
    struct type_box box;
    bool is_in[NAMES];
    uint32_t count, names;
    bool are_numbers; /* all names: an intset stays one */
};

/* Numbers of all widths, texts, the empty one, a binary one, too long for a pack or a row's key. */
static struct bytes name_of(const struct world *world, uint32_t name, char text[NAME_MAX])
{
    static const int64_t WIDE[] = {32767, 32768, -32769, 2147483648, INT64_MAX, INT64_MIN};
    int64_t wide = WIDE[name / 20 % 6], nearer = 7 * (int64_t)(name / 120);
    int64_t number = name % 20 != 9 ? (int64_t)name - 100
                     : wide > 0     ? wide - nearer
                                    : wide + nearer;
    int size;
    if (world->are_numbers || name % 3 == 0)
        size = snprintf(text, NAME_MAX, "%lld", (long long)number);
    else
        size = snprintf(text, NAME_MAX, "member:%u", name);
    if (world->are_numbers)
        return bytes_of(text, (size_t)size);
    if (name == 1)
        return bytes_of(text, 0);
    if (name == 2)
        text[3] = '\0';
    int padded = name == 4 ? 64 : name == 5 ? 65 : name == 7 ? 1024 : name == 8 ? 1025 : size;
    memset(text + size, 'x', (size_t)(padded - size));
    return bytes_of(text, (size_t)padded);
}

static void change(struct world *world)
{
    char text[NAME_MAX];
    uint32_t name = (uint32_t)prng_below(&world->prng, world->names);
    struct edit edit = type_box_begin(&world->box);
    if (prng_chance(&world->prng, 600000)) {
        assert_int_equal(set_add(&edit, name_of(world, name, text)), !world->is_in[name]);
        world->count += !world->is_in[name];
        world->is_in[name] = true;
    } else {
        assert_int_equal(set_remove(&edit, name_of(world, name, text)), world->is_in[name]);
        world->count -= world->is_in[name];
        world->is_in[name] = false;
    }
    type_box_end(&world->box, &edit);
    assert_int_equal(world->box.value->count, world->count);
}

static uint32_t number_of(const struct world *world, struct bytes member)
{
    char text[NAME_MAX];
    for (uint32_t name = 0; name < world->names; name++) {
        if (bytes_equal(name_of(world, name, text), member))
            return name;
    }
    fail_msg("a member that was never added");
    return 0;
}

static void check_members(struct world *world)
{
    bool is_seen[NAMES] = {false};
    struct set_item item;
    uint32_t count = 0;
    for (uint64_t cursor = 0; set_next(world->box.value, &cursor, &item); count++) {
        uint32_t name = number_of(world, item.member);
        assert_true(world->is_in[name] && !is_seen[name]);
        is_seen[name] = true;
    }
    assert_int_equal(count, world->count);
}

static void check_one(struct world *world)
{
    char text[NAME_MAX];
    struct set_item item;
    uint32_t name = (uint32_t)prng_below(&world->prng, world->names);
    assert_int_equal(set_has(world->box.value, name_of(world, name, text)), world->is_in[name]);
    if (world->count == 0)
        return;
    set_sample(world->box.value, prng_next(&world->prng), &item);
    assert_true(set_has(world->box.value, item.member));
}

static struct type_env other_env(void)
{
    struct type_env env = type_env_default(1);
    env.set_max_intset_entries = env.set_max_listpack_entries = 0;
    return env;
}

static void random_edits_agree_with_an_array(void **state)
{
    (void)state;
    struct type_env other = other_env();
    for (uint64_t seed = 1; seed <= 24; seed++) {
        struct world world = {.prng = prng_init(seed), .are_numbers = seed % 3 == 0};
        struct type_env env = type_env_default(seed);
        if (seed % 4 == 1)
            env.set_max_intset_entries = env.set_max_listpack_entries = 5;
        world.names = seed % 5 == 0 ? 20 : NAMES;
        type_box_init(&world.box, TYPE_SET, &env);
        uint64_t rows_from = prng_below(&world.prng, 1500);
        for (uint64_t step = 0; step < 1500; step++) {
            change(&world);
            check_one(&world);
            if (step == rows_from)
                type_box_get_rows(&world.box);
            if (step % 100 == 0) {
                check_members(&world);
                type_box_check(&world.box, &other);
            }
        }
        check_members(&world);
        type_box_fini(&world.box);
    }
}

/* ---- forms ---- */

static void add_numbers(struct edit *edit, int from, int count)
{
    char text[16];
    for (int i = from; i < from + count; i++)
        assert_true(set_add(edit, bytes_of(text, (size_t)snprintf(text, sizeof(text), "%d", i))));
}

static void expect_encoding(const struct edit *edit, const char *encoding)
{
    set_type.check(edit->value);
    assert_string_equal(set_type.encoding(edit->value), encoding);
}

static void a_form_holds_up_to_its_limit_and_no_more(void **state)
{
    (void)state;
    struct type_env env = type_env_default(1);
    struct edit numbers = edit_detached(TYPE_SET, &env);
    add_numbers(&numbers, 0, 511);
    expect_encoding(&numbers, "intset");
    add_numbers(&numbers, 511, 1);
    expect_encoding(&numbers, "intset");
    add_numbers(&numbers, 512, 1);
    expect_encoding(&numbers, "hashtable");
    value_free(numbers.value);

    struct edit few = edit_detached(TYPE_SET, &env);
    assert_true(set_add(&few, BYTES_LITERAL("a")));
    add_numbers(&few, 0, 127);
    expect_encoding(&few, "listpack");
    add_numbers(&few, 127, 1);
    expect_encoding(&few, "hashtable");
    value_free(few.value);
}

struct visit {
    uint8_t times[3000];
};

static void visit(void *context, const struct set_item *item)
{
    struct visit *visit = context;
    char text[8] = {0};
    assert_true(item->member.size < sizeof(text));
    memcpy(text, item->member.data, item->member.size);
    visit->times[strtoul(text, NULL, 10)]++;
}

static void a_scan_gives_every_member_once_while_nothing_changes(void **state)
{
    (void)state;
    struct type_env env = type_env_default(7);
    static const int COUNTS[] = {1, 512, 3000};
    for (size_t i = 0; i < COUNT_OF(COUNTS); i++) {
        struct edit edit = edit_detached(TYPE_SET, &env);
        struct visit seen = {{0}};
        uint64_t cursor = 0, steps = 0;
        add_numbers(&edit, 0, COUNTS[i]);
        do {
            cursor = set_scan(edit.value, cursor, 10, visit, &seen);
            steps++;
        } while (cursor != 0);
        for (int at = 0; at < COUNTS[i]; at++)
            assert_int_equal(seen.times[at], 1);
        assert_true(set_is_table(edit.value) ? steps > 5 : steps == 1);
        value_free(edit.value);
    }
}

/* ---- damage ---- */

static void rows_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct type_env env = type_env_default(1);
    struct row_map rows = {0};
    struct buf out = {0};
    static const uint8_t two[] = {2, 0, 0, 0}, three[] = {3, 0, 0, 0};
    value_put_row(&out, TYPE_BOX_ID, bytes_of("\0\0a", 3), bytes_of(NULL, 0));
    value_put_row(&out, TYPE_BOX_ID, bytes_of("\0\0b", 3), bytes_of(NULL, 0));
    row_map_fold(&rows, buf_bytes(&out));
    struct value *good = type_box_load(TYPE_SET, bytes_of(two, 4), &rows, &env);
    assert_non_null(good);
    value_free(good);
    assert_null(type_box_load(TYPE_SET, bytes_of(three, 4), &rows, &env)); /* one is missing */
    buf_append_u8(&rows.items[1].value, 0);
    assert_null(type_box_load(TYPE_SET, bytes_of(two, 4), &rows, &env)); /* a value */
    rows.items[1].value.size = 0;
    rows.items[1].key.data[9] = 1;
    assert_null(type_box_load(TYPE_SET, bytes_of(two, 4), &rows, &env)); /* another kind */
    rows.items[1].key.data[9] = 0;
    rows.items[1].key.data[10] = 2;
    assert_null(type_box_load(TYPE_SET, bytes_of(two, 4), &rows, &env)); /* no form of name */
    rows.items[1].key.data[10] = 0;
    rows.items[1].key.data[11] = 'a';
    assert_null(type_box_load(TYPE_SET, bytes_of(two, 4), &rows, &env)); /* a member twice */
    row_map_free(&rows);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_edits_agree_with_an_array),
        cmocka_unit_test(a_form_holds_up_to_its_limit_and_no_more),
        cmocka_unit_test(a_scan_gives_every_member_once_while_nothing_changes),
        cmocka_unit_test(rows_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
