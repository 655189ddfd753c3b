/* The directory lock and the memory figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/lock.h"
#include "os/memory.h"

static char *make_dir(void)
{
    char *dir = mem_alloc(256);
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(dir, 256, "%s/os_process_XXXXXX", tmp == NULL ? "/tmp" : tmp);
    assert_non_null(mkdtemp(dir));
    return dir;
}

static void join(char *out, const char *dir, const char *name)
{
    (void)snprintf(out, 512, "%s/%s", dir, name);
}

static void remove_all(char *dir, const char *const *names, size_t count)
{
    char path[512];
    for (size_t i = 0; i < count; i++) {
        join(path, dir, names[i]);
        assert_int_equal(remove(path), 0);
    }
    assert_int_equal(rmdir(dir), 0);
    mem_free(dir);
}

static void a_second_lock_is_refused_and_names_the_holder(void **state)
{
    (void)state;
    static const char *const files[] = {"LOCK"};
    char *dir = make_dir();
    struct lock *lock = NULL;
    struct lock *second = NULL;
    struct buf error = {0};
    assert_int_equal(lock_take(dir, &lock, &error), LOCK_OK);
    assert_int_equal(error.size, 0);
    assert_int_equal(lock_take(dir, &second, &error), LOCK_HELD);
    assert_null(second);
    buf_append_u8(&error, 0);
    char holder[64];
    (void)snprintf(holder, sizeof(holder), "held by process %ld", (long)getpid());
    assert_non_null(strstr((char *)error.data, holder));
    lock_release(lock);
    assert_int_equal(lock_take(dir, &second, &error), LOCK_OK);
    lock_release(second);
    lock_release(NULL);
    buf_free(&error);
    remove_all(dir, files, COUNT_OF(files));
}

static void a_lock_ends_with_its_process(void **state)
{
    (void)state;
    static const char *const files[] = {"LOCK"};
    char *dir = make_dir();
    struct buf error = {0};
    pid_t child = fork();
    if (child == 0) {
        struct lock *lock = NULL;
        _exit(lock_take(dir, &lock, &error) == LOCK_OK ? 0 : 1); /* without release */
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct lock *lock = NULL;
    assert_int_equal(lock_take(dir, &lock, &error), LOCK_OK);
    lock_release(lock);
    buf_free(&error);
    remove_all(dir, files, COUNT_OF(files));
}

static void a_lock_in_no_directory_says_why(void **state)
{
    (void)state;
    struct lock *lock = NULL;
    struct buf error = {0};
    assert_int_equal(lock_take("/nonexistent/dir", &lock, &error), LOCK_IO);
    assert_null(lock);
    buf_append_u8(&error, 0);
    assert_string_equal((char *)error.data, "/nonexistent/dir/LOCK: No such file or directory");
    buf_free(&error);
}

static void put_file(const char *dir, const char *name, const char *text)
{
    char path[512];
    join(path, dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void put_dir(const char *dir, const char *name)
{
    char path[512];
    join(path, dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static uint64_t limit_of(const char *dir, const char *list)
{
    char path[512];
    join(path, dir, "list");
    put_file(dir, "list", list);
    return memory_cgroup_limit_in(path, dir);
}

static void the_smallest_cgroup_limit_on_the_way_up_binds(void **state)
{
    (void)state;
    static const char *const made[] = {"a/b/memory.max",
                                       "a/memory.max",
                                       "memory/c/memory.limit_in_bytes",
                                       "memory/c",
                                       "memory",
                                       "a/b",
                                       "a",
                                       "list"};
    char *dir = make_dir();
    put_dir(dir, "a");
    put_dir(dir, "a/b");
    put_dir(dir, "memory");
    put_dir(dir, "memory/c");
    put_file(dir, "a/b/memory.max", "max\n");
    put_file(dir, "a/memory.max", "1073741824\n");
    put_file(dir, "memory/c/memory.limit_in_bytes", "9223372036854771712\n");
    assert_true(limit_of(dir, "0::/a/b\n") == 1073741824);
    assert_true(limit_of(dir, "0::/a/b/gone/deeper") == 1073741824);
    assert_true(limit_of(dir, "0::/\n") == UINT64_MAX);
    assert_true(limit_of(dir, "3:cpu,memory:/c\n0::/\n") == UINT64_MAX);
    put_file(dir, "memory/c/memory.limit_in_bytes", "5000000\n");
    assert_true(limit_of(dir, "3:cpu,memory:/c\n0::/a\n") == 5000000);
    assert_true(limit_of(dir, "3:cpu,memoryless:/c\n") == UINT64_MAX);
    assert_true(limit_of(dir, "") == UINT64_MAX);
    assert_true(limit_of(dir, "garbage\n:::\n0:x\n0::relative") == UINT64_MAX);
    put_file(dir, "a/memory.max", "-5");
    assert_true(limit_of(dir, "0::/a\n") == UINT64_MAX);
    put_file(dir, "a/memory.max", "99999999999999999999999");
    assert_true(limit_of(dir, "0::/a\n") == UINT64_MAX);
    remove_all(dir, made, COUNT_OF(made));
}

static void memory_figures_are_plausible(void **state)
{
    (void)state;
    uint64_t physical = memory_physical_bytes();
    uint64_t usable = memory_usable_bytes();
    uint64_t resident = memory_resident_bytes();
    assert_true(physical > ((uint64_t)1 << 24));
    assert_true(usable > 0 && usable <= physical);
    assert_true(resident > 100000 && resident < physical);
}

static void the_allocator_tells_its_figures_or_that_it_has_none(void **state)
{
    (void)state;
    enum { SIZE = 8 << 20 };
    struct memory_allocator before;
    struct memory_allocator after;
    bool known = memory_allocator(&before);
    char *block = mem_alloc(SIZE);
    memset(block, 1, SIZE);
    assert_int_equal(memory_allocator(&after), known);
    assert_int_equal(memory_purge(), known);
    assert_int_equal(memory_purge_in_background(), known);
    if (known)
        assert_true(after.allocated >= before.allocated + SIZE &&
                    after.resident >= after.allocated);
    else
        assert_true(after.allocated == 0 && after.resident == 0);
    mem_free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_lock_is_refused_and_names_the_holder),
        cmocka_unit_test(a_lock_ends_with_its_process),
        cmocka_unit_test(a_lock_in_no_directory_says_why),
        cmocka_unit_test(the_smallest_cgroup_limit_on_the_way_up_binds),
        cmocka_unit_test(memory_figures_are_plausible),
        cmocka_unit_test(the_allocator_tells_its_figures_or_that_it_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
