#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/prng.h"
#include "config/config.h"
#include "config/directive.h"
#include "os/text_file.h"

struct fixture {
    struct config config;
    struct config_messages messages;
    struct buf text;
    struct buf error;
    char dir[64];
    char path[96];
    char link[96];
    char other[96];
};

static int open_fixture(void **state)
{
    struct fixture *f = mem_zero(sizeof(*f));
    config_init(&f->config);
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/rewrite_test_XXXXXX");
    if (mkdtemp(f->dir) == NULL)
        return -1;
    (void)snprintf(f->path, sizeof(f->path), "%s/quoin.conf", f->dir);
    (void)snprintf(f->link, sizeof(f->link), "%s/link.conf", f->dir);
    (void)snprintf(f->other, sizeof(f->other), "%s/other.conf", f->dir);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    (void)unlink(f->path);
    (void)unlink(f->link);
    (void)unlink(f->other);
    int result = rmdir(f->dir); /* fails when a temporary file was left */
    config_fini(&f->config);
    config_messages_free(&f->messages);
    buf_free(&f->text);
    buf_free(&f->error);
    mem_free(f);
    return result;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void load(struct fixture *f, const char *text)
{
    assert_int_equal(
        config_load_text(&f->config, "quoin.conf", bytes_of_string(text), &f->messages), CONFIG_OK);
}

static void set(struct fixture *f, const char *name, const char *value)
{
    struct bytes pair[2] = {bytes_of_string(name), bytes_of_string(value)};
    assert_int_equal(config_set(&f->config, pair, 1, &f->error), CONFIG_OK);
}

static void check_rewritten(struct fixture *f, const char *old_text, const char *expected)
{
    buf_clear(&f->text);
    assert_int_equal(config_rewrite_text(&f->config, "quoin.conf", bytes_of_string(old_text),
                                         &f->text, &f->error),
                     CONFIG_OK);
    if (!bytes_equal(buf_bytes(&f->text), bytes_of_string(expected)))
        fail_msg("wrote:\n%.*s", (int)f->text.size, (const char *)f->text.data);
}

static void a_file_that_says_it_already_stays_byte_for_byte(void **state)
{
    struct fixture *f = *state;
    const char *text = "# mine\n\nmaxmemory   1GB\n  requirepass 'a b' \nport 6379\nsave 60 1\n"
                       "lua-time-limit 7\nbind \"127.0.0.1 -::1\"\n";
    load(f, text);
    check_rewritten(f, text, text);
    check_rewritten(f, "",
                    "# Written by CONFIG REWRITE\nrequirepass \"a b\"\nmaxmemory 1gb\n"
                    "busy-reply-threshold 7\n");
}

static void the_shipped_file_stays_byte_for_byte(void **state)
{
    struct fixture *f = *state;
    struct buf text = {0};
    assert_true(text_file_read("conf/quoin.conf", &text));
    buf_append_u8(&text, '\0');
    check_rewritten(f, (const char *)text.data, (const char *)text.data);
    buf_free(&text);
}

static void changed_values_are_written_where_they_stood(void **state)
{
    struct fixture *f = *state;
    const char *text = "# a\ntimeout 1 \n# b\nmaxmemory 1gb\nhz 10\n";
    load(f, text);
    set(f, "timeout", "2");
    set(f, "maxmemory", "1536mb");
    set(f, "requirepass", "x\ny");
    set(f, "notify-keyspace-events", "KEA");
    check_rewritten(f, text,
                    "# a\ntimeout 2\n# b\nmaxmemory 1536mb\nhz 10\n# Written by CONFIG REWRITE\n"
                    "requirepass \"x\\ny\"\nnotify-keyspace-events AKE\n");
}

static void a_value_back_at_its_default_is_still_written_where_it_stood(void **state)
{
    struct fixture *f = *state;
    load(f, "timeout 5\n");
    set(f, "timeout", "0");
    check_rewritten(f, "timeout 5\n", "timeout 0\n");
    check_rewritten(f, "", "");
}

static void repeated_lines_become_one(void **state)
{
    struct fixture *f = *state;
    const char *text = "timeout 1\n# x\ntimeout 2\ntimeout 3\n";
    load(f, text);
    check_rewritten(f, text, "timeout 3\n# x\n");
    load(f, "client-output-buffer-limit normal 1 1 1\n");
    check_rewritten(f,
                    "client-output-buffer-limit normal 1 1 1\ntimeout 3\n"
                    "client-output-buffer-limit pubsub 1 1 1\n",
                    "client-output-buffer-limit normal 1 1 1\ntimeout 3\n");
}

static void the_heading_is_written_once(void **state)
{
    struct fixture *f = *state;
    set(f, "timeout", "1");
    check_rewritten(f, "hz 10\n", "hz 10\n# Written by CONFIG REWRITE\ntimeout 1\n");
    set(f, "maxclients", "9");
    check_rewritten(f, "hz 10\n# Written by CONFIG REWRITE\ntimeout 1\n",
                    "hz 10\n# Written by CONFIG REWRITE\ntimeout 1\nmaxclients 9\n");
}

static void a_last_line_without_end_gets_one(void **state)
{
    struct fixture *f = *state;
    set(f, "timeout", "1");
    check_rewritten(f, "# x", "# x\n# Written by CONFIG REWRITE\ntimeout 1\n");
}

static void lines_that_mean_nothing_here_stay(void **state)
{
    struct fixture *f = *state;
    check_rewritten(f, "save 60 1\r\nappendonly yes\n", "save 60 1\r\nappendonly yes\n");
}

static void check_file(const char *path, const char *expected)
{
    struct buf text = {0};
    assert_true(text_file_read(path, &text));
    assert_true(bytes_equal(buf_bytes(&text), bytes_of_string(expected)));
    buf_free(&text);
}

static void without_a_file_there_is_nothing_to_rewrite(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(config_rewrite(&f->config, &f->error), CONFIG_BAD);
    assert_true(bytes_equal(buf_bytes(&f->error),
                            BYTES_LITERAL("ERR The server is running without a config file")));
}

static void the_file_is_replaced_with_its_permissions_and_through_links(void **state)
{
    struct fixture *f = *state;
    struct stat status;
    write_file(f->path, "timeout 1\n");
    assert_int_equal(chmod(f->path, 0604), 0);
    assert_int_equal(symlink("quoin.conf", f->link), 0);
    assert_int_equal(config_load_file(&f->config, f->link, &f->messages), CONFIG_OK);
    set(f, "timeout", "2");
    assert_int_equal(config_rewrite(&f->config, &f->error), CONFIG_OK);
    check_file(f->path, "timeout 2\n");
    assert_int_equal(stat(f->path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0604);
    assert_int_equal(lstat(f->link, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_true(text_file_replace(f->link, BYTES_LITERAL("hz 9\n")));
    check_file(f->path, "hz 9\n");
    assert_int_equal(lstat(f->link, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
}

static void a_value_overridden_by_an_include_is_said_again_at_the_end(void **state)
{
    struct fixture *f = *state;
    write_file(f->path, "timeout 1\ninclude other.conf\n");
    write_file(f->other, "timeout 2\nhz 20\n");
    assert_int_equal(config_load_file(&f->config, f->path, &f->messages), CONFIG_OK);
    assert_int_equal(f->config.timeout, 2);
    set(f, "timeout", "3");
    set(f, "hz", "10");
    assert_int_equal(config_rewrite(&f->config, &f->error), CONFIG_OK);
    check_file(f->path, "timeout 3\ninclude other.conf\n# Written by CONFIG REWRITE\ntimeout 3\n"
                        "hz 10\n");
    check_file(f->other, "timeout 2\nhz 20\n");
}

static void a_file_that_cannot_be_loaded_any_more_is_left_alone(void **state)
{
    struct fixture *f = *state;
    write_file(f->path, "timeout 1\n");
    assert_int_equal(config_load_file(&f->config, f->path, &f->messages), CONFIG_OK);
    write_file(f->path, "timeout 1\nnonsense 5\n");
    set(f, "timeout", "2");
    assert_int_equal(config_rewrite(&f->config, &f->error), CONFIG_BAD);
    check_file(f->path, "timeout 1\nnonsense 5\n");
    assert_int_equal(unlink(f->path), 0);
    buf_clear(&f->error);
    assert_int_equal(config_rewrite(&f->config, &f->error), CONFIG_BAD);
    assert_true(bytes_equal(buf_bytes(&f->error),
                            BYTES_LITERAL("ERR Rewriting config file: No such file or directory")));
}

/* A random line about a random directive; sometimes with a value that is refused. */
static void append_random_line(struct prng *prng, struct buf *text)
{
    static const char *const values[] = {"yes", "no",     "0",    "1",  "2mb", "100", "\"a b\"",
                                         "''",  "always", "auto", "5%", "KEA", "-1",  "64kb"};
    size_t count = 0;
    const struct config_directive *directives = config_directives(&count);
    const struct config_directive *directive = &directives[prng_below(prng, count)];
    buf_printf(text, "%s %s\n", directive->name, values[prng_below(prng, COUNT_OF(values))]);
}

static void any_configuration_reads_back_from_any_file_rewritten_for_it(void **state)
{
    struct fixture *f = *state;
    struct prng prng = prng_init(8);
    int rewritten = 0;
    for (int round = 0; round < 4000; round++) {
        struct buf old_text = {0};
        struct buf line = {0};
        for (uint64_t i = prng_below(&prng, 6); i > 0; i--) { /* a file of valid lines */
            buf_clear(&line);
            append_random_line(&prng, &line);
            struct config trial;
            config_init(&trial);
            if (config_load_text(&trial, "q", buf_bytes(&line), &f->messages) == CONFIG_OK)
                buf_append(&old_text, buf_bytes(&line));
            config_fini(&trial);
        }
        buf_clear(&line);
        append_random_line(&prng, &line);
        if (config_load_text(&f->config, "q", buf_bytes(&line), &f->messages) == CONFIG_OK)
            rewritten++;
        buf_clear(&f->text);
        enum config_err err =
            config_rewrite_text(&f->config, "q", buf_bytes(&old_text), &f->text, &f->error);
        assert_int_equal(err, CONFIG_OK); /* which includes that it reads back */
        struct buf again = {0};
        err = config_rewrite_text(&f->config, "q", buf_bytes(&f->text), &again, &f->error);
        assert_int_equal(err, CONFIG_OK);
        assert_true(bytes_equal(buf_bytes(&again), buf_bytes(&f->text)));
        buf_free(&again);
        buf_free(&old_text);
        buf_free(&line);
    }
    assert_true(rewritten > 500);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_that_says_it_already_stays_byte_for_byte),
        TEST(the_shipped_file_stays_byte_for_byte),
        TEST(changed_values_are_written_where_they_stood),
        TEST(a_value_back_at_its_default_is_still_written_where_it_stood),
        TEST(repeated_lines_become_one),
        TEST(the_heading_is_written_once),
        TEST(a_last_line_without_end_gets_one),
        TEST(lines_that_mean_nothing_here_stay),
        TEST(without_a_file_there_is_nothing_to_rewrite),
        TEST(the_file_is_replaced_with_its_permissions_and_through_links),
        TEST(a_value_overridden_by_an_include_is_said_again_at_the_end),
        TEST(a_file_that_cannot_be_loaded_any_more_is_left_alone),
        TEST(any_configuration_reads_back_from_any_file_rewritten_for_it),
    };
    return cmocka_run_group_tests_name("config_rewrite", tests, NULL, NULL);
}
