#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/foreign.h"
#include "config/value.h"
#include "os/text_file.h"

struct fixture {
    struct config config;
    struct config_messages messages;
    char dir[64];
    char path[96];
};

static int open_fixture(void **state)
{
    struct fixture *f = mem_zero(sizeof(*f));
    config_init(&f->config);
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/config_test_XXXXXX");
    if (mkdtemp(f->dir) == NULL)
        return -1;
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    struct buf command = {0};
    buf_printf(&command, "rm -rf %s", f->dir);
    buf_append_u8(&command, '\0');
    int result = system((const char *)command.data);
    buf_free(&command);
    config_fini(&f->config);
    config_messages_free(&f->messages);
    mem_free(f);
    return result;
}

/* Writes a file of the fixture's folder and returns its path, valid until the next call. */
static const char *write_file(struct fixture *f, const char *name, const char *text)
{
    (void)snprintf(f->path, sizeof(f->path), "%s/%s", f->dir, name);
    FILE *file = fopen(f->path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return f->path;
}

static void check_ok(struct fixture *f, enum config_err err)
{
    if (err != CONFIG_OK)
        fail_msg("refused: %.*s", (int)f->messages.error.size,
                 (const char *)f->messages.error.data);
}

static void load(struct fixture *f, const char *text)
{
    check_ok(f, config_load_text(&f->config, "quoin.conf", bytes_of_string(text), &f->messages));
}

static void check_text(const struct buf *buf, const char *expected)
{
    if (!bytes_equal(buf_bytes(buf), bytes_of_string(expected)))
        fail_msg("'%.*s' is not '%s'", (int)buf->size, (const char *)buf->data, expected);
}

static void check_refused(struct fixture *f, const char *text, const char *expected)
{
    enum config_err err =
        config_load_text(&f->config, "quoin.conf", bytes_of_string(text), &f->messages);
    assert_int_equal(err, CONFIG_BAD);
    check_text(&f->messages.error, expected);
}

static void check_is_default(const struct config *config)
{
    struct config initial;
    size_t count = 0;
    const struct config_directive *directives = config_directives(&count);
    config_init(&initial);
    for (size_t i = 0; i < count; i++) {
        if (!config_value_is_equal(&directives[i], config, &initial))
            fail_msg("%s is not at its default", directives[i].name);
    }
    config_fini(&initial);
}

static void defaults_are_safe(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(f->config.appendfsync, CONFIG_FSYNC_ALWAYS);
    assert_int_equal(f->config.port, 6379);
    assert_true(f->config.protected_mode);
    assert_int_equal(f->config.bind.count, 2);
    assert_string_equal(f->config.bind.items[0], "127.0.0.1");
    assert_string_equal(f->config.bind.items[1], "-::1");
    assert_string_equal(f->config.dir, "./data");
    assert_int_equal(f->config.enable_debug_command, CONFIG_DEBUG_NO);
    assert_int_equal(f->config.loglevel, LOG_LEVEL_NOTICE);
    assert_int_equal(f->config.shards, 1);
    assert_true(f->config.proto_max_bulk_len == 512ULL << 20);
    assert_true(f->config.client_output_buffer_limit[CONFIG_CLIENT_PUBSUB].hard == 32 << 20);
    assert_null(f->config.path);
}

static void the_shipped_file_gives_the_defaults_and_names_every_directive(void **state)
{
    struct fixture *f = *state;
    struct buf text = {0};
    size_t count = 0;
    const struct config_directive *directives = config_directives(&count);
    assert_true(text_file_read("conf/quoin.conf", &text));
    check_ok(f, config_load_file(&f->config, "conf/quoin.conf", &f->messages));
    check_is_default(&f->config);
    assert_int_equal(f->messages.notes.size, 0);
    buf_append_u8(&text, '\0');
    for (size_t i = 0; i < count; i++) {
        char line[80];
        (void)snprintf(line, sizeof(line), "\n%s ", directives[i].name);
        if (strstr((const char *)text.data, line) == NULL)
            fail_msg("conf/quoin.conf does not name %s", directives[i].name);
    }
    buf_free(&text);
}

static void every_kind_of_value_is_read(void **state)
{
    struct fixture *f = *state;
    load(f, "# a comment\n\n  \t\n"
            "PORT 7000\r\n"
            "bind 10.0.0.1 '-::1' \"*\"\n"
            "  requirepass \"a b\\x21\"  \n"
            "protected-mode no\n"
            "appendfsync EverySec\n"
            "unixsocketperm 770\n"
            "maxmemory 3gb\n"
            "disk-reserve 7%\n"
            "slowlog-log-slower-than -1\n"
            "client-output-buffer-limit slave 1kb 2k 3\n"
            "lua-time-limit 17\n"
            "hash-max-ziplist-entries 9\n"
            "notify-keyspace-events KEA\n"
            "logfile ''");
    struct config *config = &f->config;
    assert_int_equal(config->port, 7000);
    assert_int_equal(config->bind.count, 3);
    assert_string_equal(config->bind.items[2], "*");
    assert_string_equal(config->requirepass, "a b!");
    assert_false(config->protected_mode);
    assert_int_equal(config->appendfsync, CONFIG_FSYNC_EVERYSEC);
    assert_int_equal(config->unixsocketperm, 0770);
    assert_true(config->maxmemory == 3ULL << 30);
    assert_true(config->disk_reserve.unit == CONFIG_PERCENT && config->disk_reserve.value == 7);
    assert_int_equal(config->slowlog_log_slower_than_us, -1);
    struct config_output_limit *limits = config->client_output_buffer_limit;
    assert_int_equal(limits[CONFIG_CLIENT_REPLICA].hard, 1024);
    assert_int_equal(limits[CONFIG_CLIENT_REPLICA].soft, 2000);
    assert_int_equal(limits[CONFIG_CLIENT_REPLICA].soft_seconds, 3);
    assert_true(limits[CONFIG_CLIENT_PUBSUB].hard == 32 << 20);
    assert_int_equal(config->busy_reply_threshold_ms, 17);
    assert_int_equal(config->hash_max_listpack_entries, 9);
    assert_true(config_notifies(config, 'K') && config_notifies(config, 'x'));
    assert_false(config_notifies(config, 'm') || config_notifies(config, 'A'));
}

static void the_last_of_several_counts(void **state)
{
    struct fixture *f = *state;
    load(f, "port 1\nbind a b\nport 2\nbind \"\"\n");
    assert_int_equal(f->config.port, 2);
    assert_int_equal(f->config.bind.count, 0);
}

static void errors_name_file_line_directive_and_value(void **state)
{
    struct fixture *f = *state;
    check_refused(f, "\n\nmaxmemory abc\n", "quoin.conf:3: maxmemory: 'abc' is not a size");
    check_refused(f, "prot 1", "quoin.conf:1: prot: there is no such directive");
    check_refused(f, "port x", "quoin.conf:1: port: 'x' is not a whole number");
    check_refused(f, "port", "quoin.conf:1: port: one value is expected");
    check_refused(f, "port 1 2", "quoin.conf:1: port: one value is expected");
    check_refused(f, "daemonize 1", "quoin.conf:1: daemonize: '1' is neither yes nor no");
    check_refused(f, "appendfsync x",
                  "quoin.conf:1: appendfsync: 'x' is not one of: always, everysec, no");
    check_refused(f, "unixsocketperm 800",
                  "quoin.conf:1: unixsocketperm: '800' is not an octal number, such as 700");
    check_refused(f, "dir \"a", "quoin.conf:1: unbalanced quotes");
    check_refused(f, "dir a\"b\"c", "quoin.conf:1: unbalanced quotes");
}

static void values_with_a_zero_byte_are_refused(void **state)
{
    struct fixture *f = *state;
    struct bytes text = BYTES_LITERAL("dir \"a\\x00b\"\n");
    assert_int_equal(config_load_text(&f->config, "q", text, &f->messages), CONFIG_BAD);
    assert_true(bytes_equal(buf_bytes(&f->messages.error),
                            BYTES_LITERAL("q:1: dir: 'a\0b' holds a 0 byte")));
    text = BYTES_LITERAL("bind a \"\\x00\"\n");
    assert_int_equal(config_load_text(&f->config, "q", text, &f->messages), CONFIG_BAD);
}

static void known_but_unsupported_values_say_why(void **state)
{
    struct fixture *f = *state;
    check_refused(f, "maxmemory-policy allkeys-lru",
                  "quoin.conf:1: maxmemory-policy: 'allkeys-lru' is refused: eviction is not "
                  "supported so far; noeviction is the only policy");
    check_refused(f, "databases 32", "quoin.conf:1: databases: '32' is not 16, the only value");
    check_refused(f, "tls-port 6380",
                  "quoin.conf:1: tls-port: refused: TLS is for links between nodes only so far "
                  "(tls-cluster)");
    check_refused(f, "user default off",
                  "quoin.conf:1: user: refused: access control lists are not supported so far");
    check_refused(f, "replicaof 10.0.0.1 6379",
                  "quoin.conf:1: replicaof: refused: replication is by Raft; see RAFT ADD");
    check_refused(f, "rename-command FLUSHALL \"\"",
                  "quoin.conf:1: rename-command: refused: commands cannot be renamed");
}

static void numbers_are_limited(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name;
        const char *accepted[3];
        const char *refused;
    } limits[] = {
        {"port", {"0", "65534", "65535"}, "65536"},
        {"port", {"0", "1", "2"}, "-1"},
        {"shards", {"1", "1023", "1024"}, "1025"},
        {"shards", {"1", "2", "3"}, "0"},
        {"maxclients", {"1", "4294967294", "4294967295"}, "4294967296"},
        {"unixsocketperm", {"0", "776", "777"}, "1000"},
        {"proto-max-bulk-len", {"1mb", "1048577", "9223372036854775807"}, "9223372036854775808"},
        {"proto-max-bulk-len", {"1048576", "1048577", "2mb"}, "1048575"},
        {"entry-max", {"1mb", "1006632959", "960mb"}, "1006632961"},
        {"disk-reserve", {"99%", "100%", "auto"}, "101%"},
        {"hz", {"1", "499", "500"}, "501"},
        {"slowlog-log-slower-than", {"-1", "0", "9223372036854775807"}, "-2"},
    };
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        char line[80];
        for (size_t n = 0; n < 3; n++) {
            (void)snprintf(line, sizeof(line), "%s %s", limits[i].name, limits[i].accepted[n]);
            load(f, line);
        }
        (void)snprintf(line, sizeof(line), "%s %s", limits[i].name, limits[i].refused);
        assert_int_equal(config_load_text(&f->config, "q", bytes_of_string(line), &f->messages),
                         CONFIG_BAD);
    }
    check_refused(f, "port 65536", "quoin.conf:1: port: '65536' is not between 0 and 65535");
    check_refused(f, "unixsocketperm 1000",
                  "quoin.conf:1: unixsocketperm: '1000' is not between 0 and 777");
}

static void sizes_have_the_units_of_redis(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        uint64_t size;
    } sizes[] = {{"0", 0},           {"7b", 7},        {"1k", 1000},
                 {"1KB", 1024},      {"2m", 2000000},  {"2Mb", 2097152},
                 {"1g", 1000000000}, {"1gB", 1 << 30}, {"8589934591gb", 8589934591ULL << 30}};
    static const char *const refused[] = {
        "gb",           "1tb", "1 gb", "-1",   "1.5gb",
        "1gbx",         "",    "kb1",  "0x10", "18446744073709551616",
        "17179869184gb"};
    char line[80];
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        (void)snprintf(line, sizeof(line), "maxmemory \"%s\"", sizes[i].text);
        load(f, line);
        assert_true(f->config.maxmemory == sizes[i].size);
    }
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        (void)snprintf(line, sizeof(line), "maxmemory \"%s\"", refused[i]);
        assert_int_equal(config_load_text(&f->config, "q", bytes_of_string(line), &f->messages),
                         CONFIG_BAD);
    }
}

static void lists_and_lines_are_limited(void **state)
{
    struct fixture *f = *state;
    for (int count = CONFIG_LIST_MAX - 1; count <= CONFIG_LIST_MAX + 1; count++) {
        struct buf line = {0};
        buf_append_string(&line, "bind");
        for (int i = 0; i < count; i++)
            buf_append_string(&line, " a");
        enum config_err err = config_load_text(&f->config, "q", buf_bytes(&line), &f->messages);
        assert_int_equal(err, count <= CONFIG_LIST_MAX ? CONFIG_OK : CONFIG_BAD);
        buf_free(&line);
    }
    for (int count = CONFIG_WORDS_MAX - 1; count <= CONFIG_WORDS_MAX + 1; count++) {
        struct buf line = {0};
        buf_append_string(&line, "save");
        for (int i = 1; i < count; i++)
            buf_append_string(&line, " 1");
        enum config_err err = config_load_text(&f->config, "q", buf_bytes(&line), &f->messages);
        assert_int_equal(err, count <= CONFIG_WORDS_MAX ? CONFIG_OK : CONFIG_BAD);
        buf_free(&line);
    }
    check_text(&f->messages.error, "q:1: too many words");
}

static void broken_output_limits_change_nothing(void **state)
{
    struct fixture *f = *state;
    static const char *const refused[] = {"normal",
                                          "normal 1 2",
                                          "normal 1 2 3 pubsub",
                                          "foo 1 2 3",
                                          "normal -1 2 3",
                                          "pubsub 1 2 3 normal 1 x 3",
                                          "pubsub 1 2 3 normal 1 2 x"};
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        char line[80];
        (void)snprintf(line, sizeof(line), "client-output-buffer-limit %s", refused[i]);
        assert_int_equal(config_load_text(&f->config, "q", bytes_of_string(line), &f->messages),
                         CONFIG_BAD);
    }
    check_is_default(&f->config);
}

static void directives_of_redis_are_accepted_with_a_note(void **state)
{
    struct fixture *f = *state;
    load(f, "save 900 1\nsave \"\"\nappendonly no\ntls-port 0\nactivedefrag yes\n");
    check_is_default(&f->config);
    check_text(&f->messages.notes,
               "quoin.conf:1: save: ignored: there are no RDB files; every write is in the log\n"
               "quoin.conf:2: save: ignored: there are no RDB files; every write is in the log\n"
               "quoin.conf:3: appendonly: ignored: the log of Raft takes the place of the "
               "append-only file\n"
               "quoin.conf:5: activedefrag: ignored: memory is managed in another way\n");
}

static void no_directive_has_two_meanings(void **state)
{
    (void)state;
    size_t count = 0;
    size_t foreign_count = 0;
    const struct config_directive *directives = config_directives(&count);
    const struct config_foreign *foreign = config_foreign_directives(&foreign_count);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(config_find_directive(bytes_of_string(directives[i].name)),
                         &directives[i]);
        assert_null(config_find_foreign(bytes_of_string(directives[i].name)));
        if (directives[i].alias != NULL)
            assert_null(config_find_foreign(bytes_of_string(directives[i].alias)));
    }
    for (size_t i = 0; i < foreign_count; i++) {
        struct bytes name = bytes_of_string(foreign[i].name);
        assert_ptr_equal(config_find_foreign(name), &foreign[i]);
        bool is_refused = strncmp(foreign[i].why, "refused: ", 9) == 0;
        assert_true(is_refused == (foreign[i].verdict != CONFIG_FOREIGN_IGNORED));
    }
}

static void includes_start_at_the_folder_of_their_file(void **state)
{
    struct fixture *f = *state;
    (void)snprintf(f->path, sizeof(f->path), "%s/[sub]", f->dir);
    assert_int_equal(mkdir(f->path, 0700), 0);
    (void)write_file(f, "[sub]/b.conf", "port 2\ninclude c*.conf\n");
    (void)write_file(f, "[sub]/c1.conf", "timeout 1\n");
    (void)write_file(f, "[sub]/c2.conf", "timeout 2\n");
    const char *path =
        write_file(f, "a.conf", "port 1\ninclude [sub]/none*\ninclude '[[]sub]/b*'\n");
    check_ok(f, config_load_file(&f->config, path, &f->messages));
    assert_int_equal(f->config.port, 2);
    assert_int_equal(f->config.timeout, 2);
    assert_non_null(strstr(f->config.path, "/a.conf"));
}

static void an_include_that_is_missing_is_an_error_at_its_line(void **state)
{
    struct fixture *f = *state;
    check_refused(f, "port 1\ninclude /nonexistent/x.conf\n",
                  "quoin.conf:2: include: /nonexistent/x.conf: No such file or directory");
    check_refused(f, "include", "quoin.conf:1: include: one path is expected");
    check_refused(f, "include ''", "quoin.conf:1: include: one path is expected");
    check_refused(f, "include /tmp", "quoin.conf:1: include: /tmp: Invalid argument");
    check_refused(f, "include /dev/zero", "quoin.conf:1: include: /dev/zero: Invalid argument");
    load(f, "include /nonexistent/*.conf\n");
}

static void an_error_in_an_included_file_names_that_file(void **state)
{
    struct fixture *f = *state;
    char expected[160];
    (void)write_file(f, "b.conf", "\nport x\n");
    (void)snprintf(expected, sizeof(expected), "%s:2: port: 'x' is not a whole number", f->path);
    const char *path = write_file(f, "a.conf", "include b.conf\n");
    assert_int_equal(config_load_file(&f->config, path, &f->messages), CONFIG_BAD);
    check_text(&f->messages.error, expected);
    assert_null(f->config.path);
}

static void includes_nest_up_to_their_limit(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i <= CONFIG_INCLUDE_DEPTH_MAX; i++) {
        char name[32];
        char text[64];
        (void)snprintf(name, sizeof(name), "%d.conf", i);
        (void)snprintf(text, sizeof(text), "include %d.conf\n", i + 1);
        (void)write_file(f, name, text);
    }
    (void)write_file(f, "17.conf", "timeout 17\n");
    (void)write_file(f, "1.conf", "include 2.conf\n");
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/2.conf", f->dir);
    check_ok(f, config_load_file(&f->config, path, &f->messages));
    (void)snprintf(path, sizeof(path), "%s/1.conf", f->dir);
    check_ok(f, config_load_file(&f->config, path, &f->messages));
    assert_int_equal(f->config.timeout, 17);
    (void)snprintf(path, sizeof(path), "%s/0.conf", f->dir);
    assert_int_equal(config_load_file(&f->config, path, &f->messages), CONFIG_BAD);
    const char *loop = write_file(f, "loop.conf", "include loop.conf\ninclude loop.conf\n");
    assert_int_equal(config_load_file(&f->config, loop, &f->messages), CONFIG_BAD);
}

static void a_missing_or_too_large_file_is_an_error(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(config_load_file(&f->config, "/nonexistent/q", &f->messages), CONFIG_BAD);
    check_text(&f->messages.error, "/nonexistent/q: No such file or directory");
    const char *path = write_file(f, "big", "#");
    assert_int_equal(truncate(path, TEXT_FILE_MAX + 1), 0);
    assert_int_equal(config_load_file(&f->config, path, &f->messages), CONFIG_BAD);
    assert_non_null(strstr((const char *)f->messages.error.data, "File too large"));
    struct buf text = {0};
    assert_int_equal(truncate(path, TEXT_FILE_MAX), 0);
    assert_true(text_file_read(path, &text));
    assert_int_equal(text.size, TEXT_FILE_MAX);
    buf_free(&text);
}

/* --- The command line ------------------------------------------------------------------------- */

static enum config_err load_args(struct fixture *f, const char *const *args)
{
    char *argv[16] = {(char *)(uintptr_t) "quoin-server"};
    int argc = 1;
    for (; args[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)args[argc - 1];
    return config_load_args(&f->config, argc, argv, &f->messages);
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void options_override_the_file(void **state)
{
    struct fixture *f = *state;
    const char *path = write_file(f, "q.conf", "port 1\ntimeout 5\n");
    check_ok(f, load_args(f, ARGS(path, "--port", "7000", "--bind", "10.0.0.1", "10.0.0.2",
                                  "--save", "", "--maxmemory 1gb", "--timeout 7")));
    assert_int_equal(f->config.port, 7000);
    assert_int_equal(f->config.timeout, 7);
    assert_int_equal(f->config.bind.count, 2);
    assert_true(f->config.maxmemory == 1 << 30);
    assert_non_null(f->config.path);
}

static void a_value_may_look_like_an_option(void **state)
{
    struct fixture *f = *state;
    check_ok(f, load_args(f, ARGS("--requirepass", "--secret", "--port", "1")));
    assert_string_equal(f->config.requirepass, "--secret");
    assert_int_equal(f->config.port, 1);
    check_ok(f, load_args(f, ARGS("--save", "--port", "2")));
    assert_int_equal(f->config.port, 2);
    check_ok(f, load_args(f, ARGS("--port", "3", "--save")));
    check_ok(f, load_args(f, ARGS("--save", "60", "1", "--port", "4")));
    assert_int_equal(f->config.port, 4);
    check_ok(f, load_args(f, ARGS("--slowlog-log-slower-than", "-1")));
    assert_int_equal(f->config.slowlog_log_slower_than_us, -1);
}

static void check_args_refused(struct fixture *f, const char *const *args, const char *expected)
{
    assert_int_equal(load_args(f, args), CONFIG_BAD);
    check_text(&f->messages.error, expected);
}

static void broken_command_lines_are_refused(void **state)
{
    struct fixture *f = *state;
    check_args_refused(f, ARGS("--port"), "command line: port: one value is expected");
    check_args_refused(f, ARGS("--port", "x"), "command line: port: 'x' is not a whole number");
    check_args_refused(f, ARGS("--nosuch", "x"),
                       "command line: nosuch: there is no such directive");
    check_args_refused(f, ARGS("--port=7"), "command line: port=7: there is no such directive");
    check_args_refused(f, ARGS("-p", "7"), "command line: -p: expected --directive value");
    check_args_refused(f, ARGS("--"), "command line: a directive's name is expected after --");
    check_args_refused(f, ARGS("/nonexistent/q"), "/nonexistent/q: No such file or directory");
}

static void help_and_version_are_asked_for(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load_args(f, ARGS("--help")), CONFIG_HELP);
    assert_int_equal(load_args(f, ARGS("-h")), CONFIG_HELP);
    assert_int_equal(load_args(f, ARGS("--version")), CONFIG_VERSION);
    assert_int_equal(load_args(f, ARGS("-v")), CONFIG_VERSION);
    struct buf help = {0};
    size_t count = 0;
    const struct config_directive *directives = config_directives(&count);
    config_append_help(&help);
    buf_append_u8(&help, '\0');
    for (size_t i = 0; i < count; i++)
        assert_non_null(strstr((const char *)help.data, directives[i].help));
    buf_free(&help);
}

static void a_dash_reads_standard_input(void **state)
{
    struct fixture *f = *state;
    int ends[2];
    int saved = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "port 9\ntimeout 4\n", 17), 17);
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    const char *path = write_file(f, "q.conf", "port 1\nhz 20\n");
    check_ok(f, load_args(f, ARGS(path, "-", "--timeout", "6")));
    assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(close(saved), 0);
    assert_int_equal(f->config.port, 9);
    assert_int_equal(f->config.hz, 20);
    assert_int_equal(f->config.timeout, 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_safe),
        TEST(the_shipped_file_gives_the_defaults_and_names_every_directive),
        TEST(every_kind_of_value_is_read),
        TEST(the_last_of_several_counts),
        TEST(errors_name_file_line_directive_and_value),
        TEST(values_with_a_zero_byte_are_refused),
        TEST(known_but_unsupported_values_say_why),
        TEST(numbers_are_limited),
        TEST(sizes_have_the_units_of_redis),
        TEST(lists_and_lines_are_limited),
        TEST(broken_output_limits_change_nothing),
        TEST(directives_of_redis_are_accepted_with_a_note),
        TEST(no_directive_has_two_meanings),
        TEST(includes_start_at_the_folder_of_their_file),
        TEST(an_include_that_is_missing_is_an_error_at_its_line),
        TEST(an_error_in_an_included_file_names_that_file),
        TEST(includes_nest_up_to_their_limit),
        TEST(a_missing_or_too_large_file_is_an_error),
        TEST(options_override_the_file),
        TEST(a_value_may_look_like_an_option),
        TEST(broken_command_lines_are_refused),
        TEST(help_and_version_are_asked_for),
        TEST(a_dash_reads_standard_input),
    };
    return cmocka_run_group_tests_name("config_load", tests, NULL, NULL);
}
