#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

struct place {
    char dir[64];
    char path[96];
    char old_path[96];
};

static struct place make_place(void)
{
    struct place place = {.dir = "/tmp/log_test_XXXXXX"};
    assert_non_null(mkdtemp(place.dir));
    (void)snprintf(place.path, sizeof(place.path), "%s/log", place.dir);
    (void)snprintf(place.old_path, sizeof(place.old_path), "%s/old", place.dir);
    return place;
}

static void drop_place(const struct place *place)
{
    (void)unlink(place->path);
    (void)unlink(place->old_path);
    assert_int_equal(rmdir(place->dir), 0);
}

static size_t read_text(const char *path, char *out, size_t size_max)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t size = fread(out, 1, size_max - 1, file);
    (void)fclose(file);
    out[size] = '\0';
    return size;
}

static void a_line_has_pid_role_time_level_and_message(void **state)
{
    (void)state;
    struct place place = make_place();
    struct log log;
    char text[4096];
    assert_true(log_init(&log, LOG_LEVEL_DEBUG, place.path));
    errno = EPERM;
    log_write(&log, LOG_LEVEL_NOTICE, "ready on %d", 6379);
    assert_int_equal(errno, EPERM);
    log_set_role(&log, 'S');
    log_write(&log, LOG_LEVEL_WARNING, "low");
    log_fini(&log);
    (void)read_text(place.path, text, sizeof(text));
    int pid = 0, day = 0, year = 0, hour = 0, minute = 0, second = 0, ms = 0, size = 0;
    char month[4];
    int got = sscanf(text, "%d:M %2d %3s %4d %2d:%2d:%2d.%3d * ready on 6379\n%n", &pid, &day,
                     month, &year, &hour, &minute, &second, &ms, &size);
    assert_int_equal(got, 8);
    assert_int_equal(pid, getpid());
    assert_true(year >= 2024 && ms < 1000 && size > 0);
    assert_non_null(strstr(text + size, " # low\n"));
    assert_non_null(strstr(text + size, ":S "));
    drop_place(&place);
}

static void lines_below_the_level_are_not_written(void **state)
{
    (void)state;
    struct place place = make_place();
    struct log log;
    char text[4096];
    assert_true(log_init(&log, LOG_LEVEL_NOTICE, place.path));
    log_write(&log, LOG_LEVEL_DEBUG, "a");
    log_write(&log, LOG_LEVEL_VERBOSE, "b");
    log_write(&log, LOG_LEVEL_NOTICE, "c");
    log_set_level(&log, LOG_LEVEL_VERBOSE);
    log_write(&log, LOG_LEVEL_VERBOSE, "d");
    log_set_level(&log, LOG_LEVEL_NOTHING);
    log_write(&log, LOG_LEVEL_WARNING, "e");
    log_fini(&log);
    (void)read_text(place.path, text, sizeof(text));
    assert_null(strstr(text, " a\n"));
    assert_null(strstr(text, " b\n"));
    assert_non_null(strstr(text, " * c\n"));
    assert_non_null(strstr(text, " - d\n"));
    assert_null(strstr(text, " e\n"));
    drop_place(&place);
}

static void foreign_control_bytes_cannot_forge_a_line(void **state)
{
    (void)state;
    struct place place = make_place();
    struct log log;
    char text[4096];
    assert_true(log_init(&log, LOG_LEVEL_DEBUG, place.path));
    log_write(&log, LOG_LEVEL_NOTICE, "user '%s'", "x\r\n1:M forged\x1b[2J");
    log_fini(&log);
    size_t size = read_text(place.path, text, sizeof(text));
    assert_non_null(strstr(text, "user 'x??1:M forged?[2J'\n"));
    assert_ptr_equal(strchr(text, '\n'), text + size - 1);
    drop_place(&place);
}

static void a_line_is_cut_at_its_limit(void **state)
{
    (void)state;
    struct place place = make_place();
    struct log log;
    char text[4096];
    char message[LOG_LINE_MAX + 2];
    assert_true(log_init(&log, LOG_LEVEL_DEBUG, place.path));
    log_write(&log, LOG_LEVEL_NOTICE, "%s", "");
    size_t prefix = read_text(place.path, text, sizeof(text)) - 1;
    size_t full = LOG_LINE_MAX - prefix - 1; /* the longest message that is not cut */
    for (size_t size = full - 1; size <= full + 1; size++) {
        memset(message, 'm', size);
        message[size] = '\0';
        assert_int_equal(truncate(place.path, 0), 0);
        log_write(&log, LOG_LEVEL_NOTICE, "%s", message);
        size_t written = read_text(place.path, text, sizeof(text));
        assert_int_equal(written, prefix + (size > full ? full : size) + 1);
        assert_int_equal(text[written - 1], '\n');
    }
    log_fini(&log);
    drop_place(&place);
}

static void reopening_follows_a_rotation(void **state)
{
    (void)state;
    struct place place = make_place();
    struct log log;
    char text[4096];
    assert_true(log_init(&log, LOG_LEVEL_DEBUG, place.path));
    log_write(&log, LOG_LEVEL_NOTICE, "one");
    assert_int_equal(rename(place.path, place.old_path), 0);
    log_write(&log, LOG_LEVEL_NOTICE, "two");
    assert_true(log_reopen(&log));
    log_write(&log, LOG_LEVEL_NOTICE, "three");
    log_fini(&log);
    (void)read_text(place.old_path, text, sizeof(text));
    assert_true(strstr(text, "one") != NULL && strstr(text, "two") != NULL);
    assert_null(strstr(text, "three"));
    (void)read_text(place.path, text, sizeof(text));
    assert_true(strstr(text, "two") == NULL && strstr(text, "three") != NULL);
    drop_place(&place);
}

static void a_file_that_cannot_be_opened_is_reported_and_stderr_is_used(void **state)
{
    (void)state;
    struct log log;
    assert_false(log_init(&log, LOG_LEVEL_NOTHING, "/nonexistent/dir/log"));
    assert_int_equal(errno, ENOENT);
    assert_int_equal(log.fd, STDERR_FILENO);
    assert_true(log_reopen(&log));
    log_fini(&log);
    assert_true(log_init(&log, LOG_LEVEL_NOTHING, ""));
    assert_int_equal(log.fd, STDERR_FILENO);
    log_fini(&log);
}

static void *write_lines(void *argument)
{
    for (int i = 0; i < 500; i++)
        log_write(argument, LOG_LEVEL_NOTICE, "0123456789012345678901234567890123456789");
    return NULL;
}

static void lines_of_several_threads_do_not_mix(void **state)
{
    (void)state;
    struct place place = make_place();
    struct log log;
    pthread_t threads[2];
    assert_true(log_init(&log, LOG_LEVEL_DEBUG, place.path));
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &log), 0);
    for (int i = 0; i < 20; i++)
        assert_true(log_reopen(&log));
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    log_fini(&log);
    FILE *file = fopen(place.path, "re");
    assert_non_null(file);
    char line[256];
    int count = 0;
    for (; fgets(line, sizeof(line), file) != NULL; count++)
        assert_non_null(strstr(line, " * 0123456789012345678901234567890123456789\n"));
    assert_int_equal(count, 1000);
    (void)fclose(file);
    drop_place(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_pid_role_time_level_and_message),
        cmocka_unit_test(lines_below_the_level_are_not_written),
        cmocka_unit_test(foreign_control_bytes_cannot_forge_a_line),
        cmocka_unit_test(a_line_is_cut_at_its_limit),
        cmocka_unit_test(reopening_follows_a_rotation),
        cmocka_unit_test(a_file_that_cannot_be_opened_is_reported_and_stderr_is_used),
        cmocka_unit_test(lines_of_several_threads_do_not_mix),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
