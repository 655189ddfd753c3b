/* Every row of every command table against tests/lib/commands_golden.tsv: name, arity and flags as
 * Redis 7.2 declares them; positions of keys and ACL categories as COMMAND INFO of a Redis 7.0.15
 * server tells them ('?' for commands that came later); of still newer commands (DELEX, DELIFEQ,
 * DIGEST, MSETEX, XACKDEL, XCFGSET, XDELEX) all of it as their pages at redis.io and valkey.io have
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "commands/acl_category.h"
#include "commands/command.h"
#include "commands/command_reply.h"
#include "exec/exec.h"
#include "server/acl_commands.h"
#include "server/admin_commands.h"
#include "server/client_commands.h"
#include "server/cluster_commands.h"
#include "server/config_commands.h"
#include "server/connection_commands.h"
#include "server/slowlog_commands.h"
#include "server/transaction_commands.h"
#include "server/wait_commands.h"

static const char golden_path[] = "tests/lib/commands_golden.tsv";

static const struct command *const tables[] = {
    string_commands,        generic_commands,      introspection_commands, exec_keys_commands,
    exec_flush_commands,    exec_debug_commands,   acl_commands,           admin_commands,
    client_commands,        config_commands,       connection_commands,    slowlog_commands,
    transaction_commands,   set_commands,          zset_commands,          list_commands,
    stream_commands,        bitmap_commands,       geo_commands,           hyperloglog_commands,
    generic_value_commands, hash_commands,         cluster_commands,       raft_commands,
    wait_commands,          exec_migrate_commands,
};

/* Rows that differ from Redis on purpose, and commands that it does not have. */
static const struct difference {
    const char *name;
    const char *column; /* "row": not in Redis at all */
    const char *reason;
} differences[] = {
    {"raft", "row", "of Quoin alone"},          {"raft|add", "row", "of Quoin alone"},
    {"raft|help", "row", "of Quoin alone"},     {"raft|info", "row", "of Quoin alone"},
    {"raft|members", "row", "of Quoin alone"},  {"raft|promote", "row", "of Quoin alone"},
    {"raft|remove", "row", "of Quoin alone"},   {"raft|snapshot", "row", "of Quoin alone"},
    {"raft|transfer", "row", "of Quoin alone"}, {NULL, NULL, NULL},
};

enum { FIELD_COUNT = 7, FIELD_SIZE_MAX = 128, GOLDEN_ROWS_MAX = 512, ROW_TEXT_MAX = 1024 };

static const char *const columns[FIELD_COUNT] = {"name", "arity", "flags",     "first",
                                                 "last", "step",  "categories"};

/* Bits in the order of the alphabet, as the golden file has the words. */
static const struct {
    const char *name;
    uint32_t flag;
} flag_names[] = {
    {"admin", CMD_ADMIN},
    {"allow_busy", CMD_ALLOW_BUSY},
    {"asking", CMD_ASKING},
    {"blocking", CMD_BLOCKING},
    {"denyoom", CMD_DENYOOM},
    {"fast", CMD_FAST},
    {"loading", CMD_LOADING},
    {"may_replicate", CMD_MAY_REPLICATE},
    {"no_async_loading", CMD_NO_ASYNC_LOADING},
    {"no_auth", CMD_NO_AUTH},
    {"no_mandatory_keys", CMD_NO_MANDATORY_KEYS},
    {"no_multi", CMD_NO_MULTI},
    {"noscript", CMD_NOSCRIPT},
    {"protected", CMD_PROTECTED},
    {"pubsub", CMD_PUBSUB},
    {"readonly", CMD_READONLY},
    {"sentinel", CMD_SENTINEL},
    {"skip_monitor", CMD_SKIP_MONITOR},
    {"skip_slowlog", CMD_SKIP_SLOWLOG},
    {"stale", CMD_STALE},
    {"touches_arbitrary_keys", CMD_TOUCHES_ARBITRARY_KEYS},
    {"write", CMD_WRITE},
};

struct row {
    char fields[FIELD_COUNT][FIELD_SIZE_MAX];
};

struct golden {
    struct row *rows;
    size_t count;
};

static void split(const char *line, struct row *row)
{
    for (int i = 0; i < FIELD_COUNT; i++) {
        size_t size = strcspn(line, "\t\n");
        assert_true(size < FIELD_SIZE_MAX);
        memcpy(row->fields[i], line, size);
        row->fields[i][size] = '\0';
        assert_int_equal(line[size], i == FIELD_COUNT - 1 ? '\n' : '\t');
        line += size + 1;
    }
}

static int golden_load(void **state)
{
    struct golden *golden = test_calloc(1, sizeof(*golden));
    golden->rows = test_calloc(GOLDEN_ROWS_MAX, sizeof(golden->rows[0]));
    FILE *file = fopen(golden_path, "re");
    if (file == NULL) {
        print_error("cannot read %s: run from the top of the tree\n", golden_path);
        return -1;
    }
    char line[ROW_TEXT_MAX];
    while (fgets(line, sizeof(line), file) != NULL) {
        assert_true(golden->count < GOLDEN_ROWS_MAX);
        split(line, &golden->rows[golden->count++]);
    }
    (void)fclose(file);
    *state = golden;
    return 0;
}

static int golden_free(void **state)
{
    struct golden *golden = *state;
    test_free(golden->rows);
    test_free(golden);
    return 0;
}

static const struct row *golden_find(const struct golden *golden, const char *name)
{
    for (size_t i = 1; i < golden->count; i++) {
        if (strcmp(golden->rows[i].fields[0], name) == 0)
            return &golden->rows[i];
    }
    return NULL;
}

static const struct difference *find_difference(const char *name, const char *column)
{
    for (const struct difference *d = differences; d->name != NULL; d++) {
        if (strcmp(d->name, name) == 0 && strcmp(d->column, column) == 0)
            return d;
    }
    return NULL;
}

static void add_word(char *out, const char *word)
{
    size_t size = strlen(out);
    int added = snprintf(out + size, FIELD_SIZE_MAX - size, size == 0 ? "%s" : ",%s", word);
    assert_true(added > 0 && size + (size_t)added < FIELD_SIZE_MAX);
}

static void write_flags(const struct command *command, char *out)
{
    out[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(flag_names); i++) {
        if ((command->flags & flag_names[i].flag) != 0)
            add_word(out, flag_names[i].name);
    }
    if (out[0] == '\0')
        add_word(out, "-");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void write_categories(const struct command *command, char *out)
{
    const char *names[ACL_CATEGORY_COUNT];
    size_t count = 0;
    uint32_t categories = acl_categories_of(command);
    for (int i = 0; i < ACL_CATEGORY_COUNT; i++) {
        if ((categories & (uint32_t)1 << i) != 0)
            names[count++] = acl_category_name(i);
    }
    qsort(names, count, sizeof(names[0]), by_name);
    out[0] = '\0';
    for (size_t i = 0; i < count; i++)
        add_word(out, names[i]);
}

/* The row as the golden file would have it. */
static struct row row_of(const struct command *container, const struct command *command)
{
    struct row row;
    struct command_key_range range = command_key_range(command);
    (void)command_full_name(row.fields[0], container, command);
    (void)snprintf(row.fields[1], FIELD_SIZE_MAX, "%d", command->arity);
    write_flags(command, row.fields[2]);
    (void)snprintf(row.fields[3], FIELD_SIZE_MAX, "%d", range.first);
    (void)snprintf(row.fields[4], FIELD_SIZE_MAX, "%d", range.last);
    (void)snprintf(row.fields[5], FIELD_SIZE_MAX, "%d", range.step);
    write_categories(command, row.fields[6]);
    return row;
}

/* Counts what differs and is not listed, and what is listed and does not differ. */
static int check_row(const struct golden *golden, const struct command *container,
                     const struct command *command)
{
    struct row ours = row_of(container, command);
    const char *name = ours.fields[0];
    const struct row *theirs = golden_find(golden, name);
    int wrong = 0;
    if ((theirs == NULL) != (find_difference(name, "row") != NULL)) {
        print_error("%s: is %s golden row\n", name, theirs == NULL ? "without a" : "listed with a");
        wrong++;
    }
    for (int i = 1; theirs != NULL && i < FIELD_COUNT; i++) {
        bool differs =
            strcmp(theirs->fields[i], "?") != 0 && strcmp(theirs->fields[i], ours.fields[i]) != 0;
        if (differs == (find_difference(name, columns[i]) != NULL))
            continue;
        print_error("%s: %s is %s, Redis has %s\n", name, columns[i], ours.fields[i],
                    theirs->fields[i]);
        wrong++;
    }
    return wrong;
}

static void the_golden_file_has_the_columns_that_are_compared(void **state)
{
    const struct golden *golden = *state;
    assert_true(golden->count > 300);
    for (int i = 0; i < FIELD_COUNT; i++)
        assert_string_equal(golden->rows[0].fields[i], columns[i]);
}

static void every_row_is_as_in_redis_or_listed_with_a_reason(void **state)
{
    int wrong = 0;
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        for (const struct command *row = tables[i]; row->name != NULL; row++) {
            wrong += check_row(*state, NULL, row);
            const struct command *sub = row->subcommands;
            for (; sub != NULL && sub->name != NULL; sub++)
                wrong += check_row(*state, row, sub);
        }
    }
    assert_int_equal(wrong, 0);
}

static void check_complete(const struct command *command)
{
    assert_non_null(command->summary);
    assert_non_null(command->since);
    assert_non_null(command->complexity);
    assert_true(command->function != NULL || command->subcommands != NULL);
    assert_true(command->replaced_by == NULL || command->deprecated_since != NULL);
}

/* A key argument must name a key spec that exists, and what has parts must list them. */
static void check_arguments(const struct command *command, const struct argument *argument)
{
    for (; argument != NULL && argument->name != NULL; argument++) {
        bool has_parts = argument->type == ARG_ONEOF || argument->type == ARG_BLOCK;
        assert_int_equal(argument->parts != NULL, has_parts);
        if (argument->type == ARG_KEY) {
            assert_in_range(argument->key_spec, 0, COMMAND_KEY_SPECS_MAX - 1);
            assert_int_not_equal(command->key_specs[argument->key_spec].begin, KEY_BEGIN_NONE);
        }
        check_arguments(command, argument->parts);
    }
}

static void every_row_is_documented_and_its_arguments_fit_its_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        for (const struct command *row = tables[i]; row->name != NULL; row++) {
            check_complete(row);
            check_arguments(row, row->arguments);
            const struct command *sub = row->subcommands;
            for (; sub != NULL && sub->name != NULL; sub++) {
                check_complete(sub);
                check_arguments(sub, sub->arguments);
            }
        }
    }
}

static void every_family_fits_into_one_table(void **state)
{
    (void)state;
    struct command_table *table = command_table_new();
    for (size_t i = 0; i < COUNT_OF(tables); i++)
        command_table_add(table, tables[i]);
    for (size_t i = 0; i < command_table_count(table); i++) {
        const struct command *row = command_table_at(table, i);
        assert_ptr_equal(command_table_find(table, bytes_of_string(row->name)), row);
    }
    command_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_golden_file_has_the_columns_that_are_compared),
        cmocka_unit_test(every_row_is_as_in_redis_or_listed_with_a_reason),
        cmocka_unit_test(every_row_is_documented_and_its_arguments_fit_its_keys),
        cmocka_unit_test(every_family_fits_into_one_table),
    };
    return cmocka_run_group_tests(tests, golden_load, golden_free);
}
