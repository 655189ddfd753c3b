#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "commands/acl_category.h"
#include "commands/command.h"

enum { KEYS_MAX = 8 };

static const struct command config_subcommands[] = {
    {.name = "get", .arity = -3},
    {.name = "set", .arity = -4},
    {.name = NULL},
};

static const struct command rows[] = {
    {.name = "get", .arity = 2},
    {.name = "getrange", .arity = 4},
    {.name = "config", .arity = -2, .subcommands = config_subcommands},
    {.name = "restore-asking", .arity = -4},
    {.name = "bitfield_ro", .arity = -2},
    {.name = NULL},
};

static struct command_table *table_of(const struct command *family)
{
    struct command_table *table = command_table_new();
    command_table_add(table, family);
    return table;
}

static const struct command *find(const struct command_table *table, const char *name)
{
    return command_table_find(table, bytes_of_string(name));
}

static void a_command_is_found_whatever_its_case(void **state)
{
    (void)state;
    struct command_table *table = table_of(rows);
    assert_ptr_equal(find(table, "get"), &rows[0]);
    assert_ptr_equal(find(table, "GeT"), &rows[0]);
    assert_ptr_equal(find(table, "GETRANGE"), &rows[1]);
    assert_ptr_equal(find(table, "Restore-Asking"), &rows[3]);
    assert_ptr_equal(find(table, "BITFIELD_RO"), &rows[4]);
    command_table_free(table);
}

/* The hash folds '\r' and '-', 0x7f and '_' into one: the comparison must not. */
static void a_name_that_only_resembles_a_command_is_not_found(void **state)
{
    (void)state;
    struct command_table *table = table_of(rows);
    assert_null(find(table, ""));
    assert_null(find(table, "g"));
    assert_null(find(table, "ge"));
    assert_null(find(table, "gett"));
    assert_null(find(table, "getrang"));
    assert_null(find(table, "restore\rasking"));
    assert_null(find(table, "bitfield\x7fro"));
    assert_null(command_table_find(table, bytes_of("get\0", 4)));
    assert_null(command_table_find(table, bytes_of(NULL, 0)));
    command_table_free(table);
}

static void an_empty_table_finds_nothing(void **state)
{
    (void)state;
    struct command_table *table = command_table_new();
    assert_int_equal(command_table_count(table), 0);
    assert_null(find(table, "get"));
    command_table_free(table);
    command_table_free(NULL);
}

static void a_table_keeps_hundreds_of_rows_in_the_order_of_insertion(void **state)
{
    (void)state;
    enum { ROWS = 600, NAME_SIZE = 16 };
    char *names = test_malloc((size_t)ROWS * NAME_SIZE);
    struct command *many = test_calloc(ROWS + 1, sizeof(many[0]));
    for (size_t i = 0; i < ROWS; i++) {
        many[i].name = names + i * NAME_SIZE;
        (void)snprintf(names + i * NAME_SIZE, NAME_SIZE, "cmd%zu", i);
    }
    struct command_table *table = table_of(many);
    assert_int_equal(command_table_count(table), ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        assert_ptr_equal(find(table, many[i].name), &many[i]);
        assert_ptr_equal(command_table_at(table, i), &many[i]);
    }
    assert_null(find(table, "cmd600"));
    command_table_free(table);
    test_free(many);
    test_free(names);
}

static const struct command *resolve(const char *first, const char *second,
                                     const struct command **container)
{
    struct command_table *table = table_of(rows);
    struct bytes argv[2] = {bytes_of_string(first), bytes_of_string(second == NULL ? "" : second)};
    const struct command *found =
        command_table_resolve(table, argv, second == NULL ? 1 : 2, container);
    command_table_free(table);
    return found;
}

static void a_subcommand_is_resolved_through_its_container(void **state)
{
    (void)state;
    const struct command *container;
    assert_ptr_equal(resolve("CONFIG", "Get", &container), &config_subcommands[0]);
    assert_ptr_equal(container, &rows[2]);
    assert_ptr_equal(resolve("get", "config", &container), &rows[0]);
    assert_null(container);
}

static void an_unknown_subcommand_names_its_container(void **state)
{
    (void)state;
    const struct command *container;
    assert_null(resolve("config", "gets", &container));
    assert_ptr_equal(container, &rows[2]);
    assert_null(resolve("nosuch", "get", &container));
    assert_null(container);
}

static void a_container_alone_is_itself_and_fails_by_its_arity(void **state)
{
    (void)state;
    const struct command *container;
    const struct command *found = resolve("config", NULL, &container);
    assert_ptr_equal(found, &rows[2]);
    assert_null(container);
    assert_false(command_arity_fits(found, 1));
}

static void arity_is_exact_or_a_minimum(void **state)
{
    (void)state;
    struct command exact = {.arity = 3}, minimum = {.arity = -3};
    assert_false(command_arity_fits(&exact, 2));
    assert_true(command_arity_fits(&exact, 3));
    assert_false(command_arity_fits(&exact, 4));
    assert_false(command_arity_fits(&minimum, 2));
    assert_true(command_arity_fits(&minimum, 3));
    assert_true(command_arity_fits(&minimum, 4));
}

static uint32_t flags_by_arguments(const struct bytes *argv, int argc)
{
    (void)argv;
    return argc > 2 ? KEY_RW : KEY_OW;
}

/* Splits text at blanks and checks the positions, written as "1 2 5"; "-1" for a refusal. */
static void check_keys(const struct command *command, const char *text, const char *expected)
{
    struct bytes argv[16];
    int argc = 0;
    while (*text != '\0') {
        size_t size = strcspn(text, " ");
        argv[argc++] = bytes_of(text, size);
        text += size + (text[size] == ' ');
    }
    struct command_key keys[KEYS_MAX];
    int count = command_keys(command, argv, argc, keys, KEYS_MAX);
    char found[64] = "-1";
    size_t size = 0;
    if (count >= 0)
        found[0] = '\0';
    for (int i = 0; i < count; i++)
        size += (size_t)snprintf(found + size, sizeof(found) - size, i == 0 ? "%d" : " %d",
                                 keys[i].position);
    assert_string_equal(found, expected);
}

#define INDEX_RANGE(index, last_key, key_step)                                                     \
    {                                                                                              \
        .begin = KEY_BEGIN_INDEX, .begin_index = (index), .last = (last_key), .step = (key_step)   \
    }

static void keys_of_a_range_stand_between_its_ends(void **state)
{
    (void)state;
    struct command one = {.key_specs = {INDEX_RANGE(1, 0, 1)}};
    struct command all = {.key_specs = {INDEX_RANGE(1, -1, 1)}};
    struct command pairs = {.key_specs = {INDEX_RANGE(1, -1, 2)}};
    struct command but_last = {.key_specs = {INDEX_RANGE(1, -2, 1)}};
    struct command two_specs = {.key_specs = {INDEX_RANGE(1, 0, 1), INDEX_RANGE(2, 0, 1)}};
    struct command none = {.name = "ping"};
    check_keys(&one, "get a b", "1");
    check_keys(&all, "mget a b c", "1 2 3");
    check_keys(&pairs, "mset a 1 b 2", "1 3");
    check_keys(&pairs, "mset a 1 b", "1 3");
    check_keys(&but_last, "blpop a b 0", "1 2");
    check_keys(&two_specs, "rename a b", "1 2");
    check_keys(&none, "ping a", "");
}

static void a_range_that_the_arguments_do_not_fill_is_refused(void **state)
{
    (void)state;
    struct command one = {.key_specs = {INDEX_RANGE(1, 0, 1)}};
    struct command two = {.key_specs = {INDEX_RANGE(1, 1, 1)}};
    struct command all = {.key_specs = {INDEX_RANGE(1, -1, 1)}};
    check_keys(&one, "get", "-1");
    check_keys(&two, "rename a", "-1");
    check_keys(&all, "mget", "-1");
}

static void a_limit_takes_a_part_of_what_is_left(void **state)
{
    (void)state;
    struct command xread = {.key_specs = {{.begin = KEY_BEGIN_KEYWORD,
                                           .begin_index = 1,
                                           .begin_keyword = "STREAMS",
                                           .last = -1,
                                           .step = 1,
                                           .limit = 2}}};
    check_keys(&xread, "xread count 2 streams a b 0 0", "4 5");
    check_keys(&xread, "xread STREAMS a 0", "2");
    check_keys(&xread, "xread streams", "-1");
    check_keys(&xread, "xread count 2", "");
}

static void a_keyword_with_a_negative_start_is_looked_for_backwards(void **state)
{
    (void)state;
    struct command migrate = {.key_specs = {{.begin = KEY_BEGIN_KEYWORD,
                                             .begin_index = -2,
                                             .begin_keyword = "KEYS",
                                             .last = -1,
                                             .step = 1}}};
    check_keys(&migrate, "migrate keys x keys a b", "4 5");
    check_keys(&migrate, "migrate h p x", "");
    check_keys(&migrate, "keys a", ""); /* the name itself is no keyword */
}

static void counted_keys_follow_their_count(void **state)
{
    (void)state;
    struct command eval = {.key_specs = {{.begin = KEY_BEGIN_INDEX,
                                          .begin_index = 2,
                                          .find = KEY_FIND_KEYNUM,
                                          .first_key = 1,
                                          .keynum_step = 1}}};
    check_keys(&eval, "eval s 2 a b c", "3 4");
    check_keys(&eval, "eval s 3 a b c", "3 4 5");
    check_keys(&eval, "eval s 0 a", "");
    check_keys(&eval, "eval s 0", "");
    check_keys(&eval, "eval s 4 a b c", "-1");
    check_keys(&eval, "eval s -1 a", "-1");
    check_keys(&eval, "eval s x a", "-1");
    check_keys(&eval, "eval s 9223372036854775807 a", "-1");
    check_keys(&eval, "eval s", "-1");
}

static void an_unknown_place_gives_no_keys(void **state)
{
    (void)state;
    struct command begin = {.key_specs = {{.begin = KEY_BEGIN_UNKNOWN}}};
    struct command end = {
        .key_specs = {{.begin = KEY_BEGIN_INDEX, .begin_index = 1, .find = KEY_FIND_UNKNOWN}}};
    check_keys(&begin, "sort a", "");
    check_keys(&end, "sort a", "");
}

static void keys_beyond_the_room_are_counted_but_not_written(void **state)
{
    (void)state;
    struct command all = {.key_specs = {INDEX_RANGE(1, -1, 1)}};
    struct bytes argv[5] = {{NULL, 0}};
    struct command_key keys[4] = {{-7, 0}, {-7, 0}, {-7, 0}, {-7, 0}};
    assert_int_equal(command_keys(&all, argv, 5, keys, 3), 4);
    assert_int_equal(keys[2].position, 3);
    assert_int_equal(keys[3].position, -7);
    assert_int_equal(command_keys(&all, argv, 5, NULL, 0), 4);
}

static void flags_of_a_key_may_vary_with_the_arguments(void **state)
{
    (void)state;
    struct command command = {.key_specs = {INDEX_RANGE(1, 0, 1)}, .key_flags = flags_by_arguments};
    struct bytes argv[3] = {{NULL, 0}};
    struct command_key key;
    command.key_specs[0].flags = KEY_RW | KEY_ACCESS | KEY_VARIABLE_FLAGS;
    assert_int_equal(command_keys(&command, argv, 2, &key, 1), 1);
    assert_int_equal(key.flags, KEY_OW);
    assert_int_equal(command_keys(&command, argv, 3, &key, 1), 1);
    assert_int_equal(key.flags, KEY_RW);
    command.key_flags = NULL;
    assert_int_equal(command_keys(&command, argv, 3, &key, 1), 1);
    assert_int_equal(key.flags, KEY_RW | KEY_ACCESS | KEY_VARIABLE_FLAGS);
}

static void no_function(struct call *call)
{
    (void)call;
}

static void categories_follow_flags_group_and_extra(void **state)
{
    (void)state;
    struct command get = {.group = GROUP_STRING, .flags = CMD_READONLY | CMD_FAST};
    struct command config = {.group = GROUP_SERVER, .flags = CMD_ADMIN | CMD_NOSCRIPT};
    struct command wait = {.group = GROUP_GENERIC, .acl_extra = "-@keyspace @connection"};
    struct command eval_ro = {.group = GROUP_SCRIPTING, .flags = CMD_READONLY};
    assert_int_equal(acl_categories_of(&get), ACL_READ | ACL_STRING | ACL_FAST);
    assert_int_equal(acl_categories_of(&config), ACL_ADMIN | ACL_DANGEROUS | ACL_SLOW);
    assert_int_equal(acl_categories_of(&wait), ACL_CONNECTION | ACL_SLOW);
    assert_int_equal(acl_categories_of(&eval_ro), ACL_SCRIPTING | ACL_SLOW);
}

static void a_container_has_the_categories_of_its_group_only_with_a_function(void **state)
{
    (void)state;
    struct command object = {.group = GROUP_GENERIC, .subcommands = config_subcommands};
    assert_int_equal(acl_categories_of(&object), ACL_SLOW);
    object.function = no_function;
    assert_int_equal(acl_categories_of(&object), ACL_SLOW | ACL_KEYSPACE);
}

static void every_category_is_found_by_its_name(void **state)
{
    (void)state;
    for (int i = 0; i < ACL_CATEGORY_COUNT; i++)
        assert_int_equal(acl_category_find(bytes_of_string(acl_category_name(i))), 1 << i);
    assert_int_equal(acl_category_find(BYTES_LITERAL("SortedSet")), ACL_SORTEDSET);
    assert_int_equal(acl_category_find(BYTES_LITERAL("all")), 0);
    assert_int_equal(acl_category_find(BYTES_LITERAL("@read")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_is_found_whatever_its_case),
        cmocka_unit_test(a_name_that_only_resembles_a_command_is_not_found),
        cmocka_unit_test(an_empty_table_finds_nothing),
        cmocka_unit_test(a_table_keeps_hundreds_of_rows_in_the_order_of_insertion),
        cmocka_unit_test(a_subcommand_is_resolved_through_its_container),
        cmocka_unit_test(an_unknown_subcommand_names_its_container),
        cmocka_unit_test(a_container_alone_is_itself_and_fails_by_its_arity),
        cmocka_unit_test(arity_is_exact_or_a_minimum),
        cmocka_unit_test(keys_of_a_range_stand_between_its_ends),
        cmocka_unit_test(a_range_that_the_arguments_do_not_fill_is_refused),
        cmocka_unit_test(a_limit_takes_a_part_of_what_is_left),
        cmocka_unit_test(a_keyword_with_a_negative_start_is_looked_for_backwards),
        cmocka_unit_test(counted_keys_follow_their_count),
        cmocka_unit_test(an_unknown_place_gives_no_keys),
        cmocka_unit_test(keys_beyond_the_room_are_counted_but_not_written),
        cmocka_unit_test(flags_of_a_key_may_vary_with_the_arguments),
        cmocka_unit_test(categories_follow_flags_group_and_extra),
        cmocka_unit_test(a_container_has_the_categories_of_its_group_only_with_a_function),
        cmocka_unit_test(every_category_is_found_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
