#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "config/config.h"
#include "config/value.h"

struct fixture {
    struct config config;
    struct buf text;
};

static int open_fixture(void **state)
{
    struct fixture *f = mem_zero(sizeof(*f));
    config_init(&f->config);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    config_fini(&f->config);
    buf_free(&f->text);
    mem_free(f);
    return 0;
}

enum { WORDS_MAX = 16 };

static size_t words_of(const char *const *texts, struct bytes *words)
{
    size_t count = 0;
    for (; texts[count] != NULL; count++)
        words[count] = bytes_of_string(texts[count]);
    return count;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* CONFIG GET, as "name=value;" for each answer. */
static void check_get(struct fixture *f, const char *const *patterns, const char *expected)
{
    struct bytes words[WORDS_MAX];
    size_t count = words_of(patterns, words);
    size_t cursor = 0;
    const char *name = NULL;
    struct buf value = {0};
    buf_clear(&f->text);
    while (config_get_next(&f->config, words, count, &cursor, &name, &value)) {
        buf_printf(&f->text, "%s=", name);
        buf_append(&f->text, buf_bytes(&value));
        buf_append_u8(&f->text, ';');
        buf_clear(&value);
    }
    buf_free(&value);
    if (!bytes_equal(buf_bytes(&f->text), bytes_of_string(expected)))
        fail_msg("got %.*s", (int)f->text.size, (const char *)f->text.data);
}

static enum config_err set(struct fixture *f, const char *const *texts)
{
    struct bytes words[WORDS_MAX];
    size_t count = words_of(texts, words);
    assert_int_equal(count % 2, 0);
    buf_clear(&f->text);
    return config_set(&f->config, words, count / 2, &f->text);
}

static void check_set(struct fixture *f, const char *const *texts)
{
    assert_int_equal(set(f, texts), CONFIG_OK);
    assert_int_equal(f->text.size, 0);
}

/* Refused with this text, and nothing at all has changed. */
static void check_refused(struct fixture *f, const char *const *texts, const char *expected)
{
    struct config before;
    size_t count = 0;
    const struct config_directive *directives = config_directives(&count);
    config_init(&before);
    for (size_t i = 0; i < count; i++)
        config_value_copy(&directives[i], &before, &f->config);
    assert_int_equal(set(f, texts), CONFIG_BAD);
    if (!bytes_equal(buf_bytes(&f->text), bytes_of_string(expected)))
        fail_msg("got %.*s", (int)f->text.size, (const char *)f->text.data);
    for (size_t i = 0; i < count; i++)
        assert_true(config_value_is_equal(&directives[i], &before, &f->config));
    config_fini(&before);
}

static void get_answers_patterns_each_name_once(void **state)
{
    struct fixture *f = *state;
    check_get(f, WORDS("port"), "port=6379;");
    check_get(f, WORDS("PORT", "p?rt", "port"), "port=6379;");
    check_get(f, WORDS("timeout", "maxmemory"), "timeout=0;maxmemory=0;");
    check_get(f, WORDS("lfu-*"), "lfu-log-factor=10;lfu-decay-time=1;");
    check_get(f, WORDS("nosuch", ""), "");
    check_get(f, WORDS("hash-max-*-value"),
              "hash-max-listpack-value=64;hash-max-ziplist-value=64;");
    check_get(f, WORDS("lua-time-limit"), "lua-time-limit=5000;");
}

static void get_answers_every_kind_as_redis_does(void **state)
{
    struct fixture *f = *state;
    check_get(f, WORDS("bind"), "bind=127.0.0.1 -::1;");
    check_get(f, WORDS("protected-mode"), "protected-mode=yes;");
    check_get(f, WORDS("proto-max-bulk-len"), "proto-max-bulk-len=536870912;");
    check_get(f, WORDS("appendfsync"), "appendfsync=always;");
    check_get(f, WORDS("client-output-buffer-limit"),
              "client-output-buffer-limit=normal 0 0 0 slave 268435456 67108864 60 "
              "pubsub 33554432 8388608 60;");
    check_get(f, WORDS("disk-reserve"), "disk-reserve=auto;");
    check_set(f, WORDS("disk-reserve", "5%"));
    check_get(f, WORDS("disk-reserve"), "disk-reserve=5%;");
    check_get(f, WORDS("list-max-listpack-size"), "list-max-listpack-size=-2;");
}

static void get_tells_the_truth_about_directives_of_redis(void **state)
{
    struct fixture *f = *state;
    check_get(f, WORDS("save"), "save=;");
    check_get(f, WORDS("appendonly"), "appendonly=yes;");
    check_get(f, WORDS("tls-port"), "tls-port=0;");
    check_get(f, WORDS("user", "rename-command"), "");
}

static void get_of_a_star_answers_everything(void **state)
{
    struct fixture *f = *state;
    struct bytes star = BYTES_LITERAL("*");
    size_t cursor = 0;
    size_t answers = 0;
    const char *name = NULL;
    struct buf value = {0};
    while (config_get_next(&f->config, &star, 1, &cursor, &name, &value))
        answers++;
    assert_true(answers > 190); /* Redis 7.0 answers 192 */
    buf_free(&value);
}

static void set_changes_several_at_once(void **state)
{
    struct fixture *f = *state;
    check_set(f,
              WORDS("timeout", "7", "MAXMEMORY", "1gb", "requirepass", "a b\"c", "save", "60 1"));
    check_get(f, WORDS("timeout", "maxmemory", "requirepass", "save"),
              "timeout=7;requirepass=a b\"c;maxmemory=1073741824;save=;");
    check_set(f, WORDS("hash-max-ziplist-entries", "3"));
    check_get(f, WORDS("hash-max-listpack-entries"), "hash-max-listpack-entries=3;");
}

static void set_of_one_client_class_leaves_the_others(void **state)
{
    struct fixture *f = *state;
    check_set(f, WORDS("client-output-buffer-limit", "normal 1mb 2mb 3"));
    check_set(f, WORDS("client-output-buffer-limit", "replica 0 0 0  pubsub 1 2 4"));
    check_get(f, WORDS("client-output-buffer-limit"),
              "client-output-buffer-limit=normal 1048576 2097152 3 slave 0 0 0 pubsub 1 2 4;");
}

static void set_leaves_what_is_borrowed_from_other_directives(void **state)
{
    struct fixture *f = *state;
    const char *borrowed = f->config.dir;
    check_set(f, WORDS("timeout", "7", "requirepass", "x"));
    assert_ptr_equal(f->config.dir, borrowed);
}

static void unknown_names_are_refused_before_all_else(void **state)
{
    struct fixture *f = *state;
    check_refused(f, WORDS("hz", "20", "nosuch", "1"),
                  "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'");
    check_refused(f, WORDS("port", "1", "nosuch", "1"),
                  "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'");
    check_refused(f, WORDS("user", "default off"),
                  "ERR Unknown option or number of arguments for CONFIG SET - 'user'");
    check_refused(f, WORDS("include", "x"),
                  "ERR Unknown option or number of arguments for CONFIG SET - 'include'");
}

#define FAILED(name, why) "ERR CONFIG SET failed (possibly related to argument '" name "') - " why

static void set_is_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    check_refused(f, WORDS("timeout", "7", "maxmemory", "10mb", "maxclients", "abc"),
                  FAILED("maxclients", "argument couldn't be parsed into an integer"));
    check_refused(f, WORDS("requirepass", "x", "loglevel", "foo"),
                  FAILED("loglevel", "argument(s) must be one of the following: debug, verbose, "
                                     "notice, warning, nothing"));
}

static void immutable_and_repeated_names_are_refused(void **state)
{
    struct fixture *f = *state;
    check_refused(f, WORDS("databases", "16"), FAILED("databases", "can't set immutable config"));
    check_refused(f, WORDS("hz", "20", "shards", "2"),
                  FAILED("shards", "can't set immutable config"));
    check_refused(f, WORDS("hz", "20", "HZ", "30"), FAILED("HZ", "duplicate parameter"));
    check_refused(f, WORDS("lua-time-limit", "1", "busy-reply-threshold", "2"),
                  FAILED("busy-reply-threshold", "duplicate parameter"));
    check_refused(f, WORDS("save", "", "save", ""), FAILED("save", "duplicate parameter"));
}

static void bad_values_are_refused_in_the_words_of_redis(void **state)
{
    struct fixture *f = *state;
    check_refused(f, WORDS("protected-mode", "maybe"),
                  FAILED("protected-mode", "argument must be 'yes' or 'no'"));
    check_refused(f, WORDS("maxmemory", "abc"),
                  FAILED("maxmemory", "argument must be a memory value"));
    check_refused(f, WORDS("maxmemory", "-1"),
                  FAILED("maxmemory", "argument must be a memory value"));
    check_refused(f, WORDS("tcp-keepalive", "-1"),
                  FAILED("tcp-keepalive", "argument must be between 0 and 2147483647 inclusive"));
    check_refused(f, WORDS("maxclients", "0"),
                  FAILED("maxclients", "argument must be between 1 and 4294967295 inclusive"));
    check_refused(f, WORDS("proto-max-bulk-len", "10"),
                  FAILED("proto-max-bulk-len",
                         "argument must be between 1048576 and 9223372036854775807 inclusive"));
    check_refused(
        f, WORDS("appendfsync", "x"),
        FAILED("appendfsync", "argument(s) must be one of the following: always, everysec, no"));
    check_refused(f, WORDS("maxmemory-policy", "allkeys-lru"),
                  FAILED("maxmemory-policy",
                         "eviction is not supported so far; noeviction is the only policy"));
    check_refused(f, WORDS("disk-reserve", "5x"),
                  FAILED("disk-reserve", "argument must be a memory or percent value"));
    check_refused(f, WORDS("disk-reserve", "101%"),
                  FAILED("disk-reserve", "percentage argument must be less or equal to 100"));
    check_refused(
        f, WORDS("notify-keyspace-events", "Q"),
        FAILED("notify-keyspace-events", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."));
    check_refused(f, WORDS("client-output-buffer-limit", "normal 1 2"),
                  FAILED("client-output-buffer-limit",
                         "Wrong number of arguments in buffer limit configuration."));
    check_refused(f, WORDS("client-output-buffer-limit", "foo 1 2 3"),
                  FAILED("client-output-buffer-limit",
                         "Invalid client class specified in buffer limit configuration."));
    check_refused(
        f, WORDS("client-output-buffer-limit", "normal 1 x 3"),
        FAILED("client-output-buffer-limit",
               "Error in hard, soft or soft_seconds setting in buffer limit configuration."));
    check_refused(
        f, WORDS("tls-port", "6380"),
        FAILED("tls-port", "refused: TLS is for links between nodes only so far (tls-cluster)"));
}

static void event_letters_are_answered_in_the_order_of_redis(void **state)
{
    struct fixture *f = *state;
    static const char *const letters[][2] = {
        {"KEA", "AKE"}, {"Kg$lshzxetd", "AK"}, {"Knm", "nKm"}, {"Ex", "xE"},
        {"", ""},       {"AKEmn", "AnKEm"},    {"$g", "g$"}};
    for (size_t i = 0; i < COUNT_OF(letters); i++) {
        char expected[64];
        check_set(f, WORDS("notify-keyspace-events", letters[i][0]));
        struct buf text = {0};
        buf_printf(&text, "notify-keyspace-events=%s;", letters[i][1]);
        assert_true(text.size < sizeof(expected));
        memcpy(expected, text.data, text.size);
        expected[text.size] = '\0';
        buf_free(&text);
        check_get(f, WORDS("notify-keyspace-events"), expected);
    }
}

static void the_disk_reserve_follows_the_disk(void **state)
{
    struct fixture *f = *state;
    const uint64_t mb = 1 << 20;
    assert_true(config_disk_reserve(&f->config, 1000 * mb) == 50 * mb);
    assert_true(config_disk_reserve(&f->config, 1000000 * mb) == 256 * mb);
    assert_true(config_disk_reserve(&f->config, 0) == 256 * mb);
    check_set(f, WORDS("disk-reserve", "10%"));
    assert_true(config_disk_reserve(&f->config, 1000000 * mb) == 100000 * mb);
    assert_true(config_disk_reserve(&f->config, 0) == 256 * mb);
    check_set(f, WORDS("disk-reserve", "1gb"));
    assert_true(config_disk_reserve(&f->config, 1000 * mb) == 1024 * mb);
    check_set(f, WORDS("disk-reserve", "0"));
    assert_true(config_disk_reserve(&f->config, 1000 * mb) == 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(get_answers_patterns_each_name_once),
        TEST(get_answers_every_kind_as_redis_does),
        TEST(get_tells_the_truth_about_directives_of_redis),
        TEST(get_of_a_star_answers_everything),
        TEST(set_changes_several_at_once),
        TEST(set_of_one_client_class_leaves_the_others),
        TEST(set_leaves_what_is_borrowed_from_other_directives),
        TEST(unknown_names_are_refused_before_all_else),
        TEST(set_is_all_or_nothing),
        TEST(immutable_and_repeated_names_are_refused),
        TEST(bad_values_are_refused_in_the_words_of_redis),
        TEST(event_letters_are_answered_in_the_order_of_redis),
        TEST(the_disk_reserve_follows_the_disk),
    };
    return cmocka_run_group_tests_name("config_set", tests, NULL, NULL);
}
