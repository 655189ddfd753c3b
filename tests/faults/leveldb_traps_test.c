/* LevelDB's two traps, with the real library, and that the store steps around both (L2).
 *
 * This program puts itself between libleveldb and the system: open, write, fsync, fdatasync, close,
 * rename defined here come before the C library's. Of each file under the watched directory it
 * knows how much was synced; a simulated power cut is a copy of the directory in which each file
 * ends there. It can hold back files of one kind, and let one write fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <leveldb/c.h>

#include "base/endian.h"
#include "codec/rows.h"
#include "store/kv_leveldb.h"
#include "store/store.h"

enum { FILES_MAX = 256, FDS_MAX = 1024, PATH_SIZE = 256 };

/* A file under the watched directory, by its inode so that a rename changes nothing. */
struct watched {
    dev_t device;
    ino_t inode;
    uint64_t synced;
};

/* Interposed functions have no other way to their state: this is the harness, not the product. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t released;
    char dir[PATH_SIZE]; /* "": nothing is watched */
    struct watched files[FILES_MAX];
    size_t file_count;
    int fds[FDS_MAX]; /* position in files + 1 */
    bool tables_held; /* whoever makes a table file waits */
    int fail_errno;   /* the next write to a log file fails with it, once; 0: none */
    int failed_writes;
} harness = {.lock = PTHREAD_MUTEX_INITIALIZER, .released = PTHREAD_COND_INITIALIZER};

static void *next_function(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL)
        abort();
    return found;
}

#define NEXT(name, type) ((type)(uintptr_t)next_function(name))

static bool ends_with(const char *path, const char *end)
{
    size_t size = strlen(path);
    size_t end_size = strlen(end);
    return size >= end_size && strcmp(path + size - end_size, end) == 0;
}

static bool is_watched(const char *path)
{
    return harness.dir[0] != 0 && strncmp(path, harness.dir, strlen(harness.dir)) == 0;
}

static int file_of(int fd)
{
    return fd >= 0 && fd < FDS_MAX ? harness.fds[fd] - 1 : -1;
}

/* With the lock. A file that is new to us has nothing synced. */
static void watch(int fd)
{
    struct stat stat;
    if (fd < 0 || fd >= FDS_MAX || fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode))
        return;
    size_t at = 0;
    while (at < harness.file_count &&
           (harness.files[at].inode != stat.st_ino || harness.files[at].device != stat.st_dev))
        at++;
    if (at == FILES_MAX)
        abort();
    if (at == harness.file_count)
        harness.files[harness.file_count++] =
            (struct watched){.device = stat.st_dev, .inode = stat.st_ino};
    if (stat.st_size == 0)
        harness.files[at].synced = 0; /* made anew: inode numbers come again */
    harness.fds[fd] = (int)at + 1;
}

static int open_watched(const char *path, int flags, mode_t mode, const char *name)
{
    bool is_mine = is_watched(path) && (flags & (O_WRONLY | O_RDWR)) != 0;
    pthread_mutex_lock(&harness.lock);
    while (is_mine && harness.tables_held && ends_with(path, ".ldb"))
        pthread_cond_wait(&harness.released, &harness.lock);
    pthread_mutex_unlock(&harness.lock);
    int fd = NEXT(name, int (*)(const char *, int, ...))(path, flags, mode);
    pthread_mutex_lock(&harness.lock);
    if (is_mine)
        watch(fd);
    else if (fd >= 0 && fd < FDS_MAX)
        harness.fds[fd] = 0;
    pthread_mutex_unlock(&harness.lock);
    return fd;
}

static mode_t mode_of(int flags, va_list list)
{
    return (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_of(flags, list);
    va_end(list);
    return open_watched(path, flags, mode, "open");
}

int open64(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_of(flags, list);
    va_end(list);
    return open_watched(path, flags, mode, "open64");
}

static bool is_log(int fd)
{
    char link[64];
    char path[PATH_SIZE] = {0};
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return readlink(link, path, sizeof(path) - 1) > 0 && ends_with(path, ".log");
}

/* Half of the bytes reach the file, as when a disk fills up; then one error. */
ssize_t write(int fd, const void *data, size_t size)
{
    ssize_t (*next)(int, const void *, size_t) =
        NEXT("write", ssize_t(*)(int, const void *, size_t));
    pthread_mutex_lock(&harness.lock);
    bool fails = harness.fail_errno != 0 && file_of(fd) >= 0 && is_log(fd);
    int reason = harness.fail_errno;
    if (fails) {
        harness.fail_errno = 0;
        harness.failed_writes++;
    }
    pthread_mutex_unlock(&harness.lock);
    if (!fails)
        return next(fd, data, size);
    (void)next(fd, data, size / 2);
    errno = reason;
    return -1;
}

static int sync_watched(int fd, const char *name)
{
    int result = NEXT(name, int (*)(int))(fd);
    struct stat stat;
    pthread_mutex_lock(&harness.lock);
    int at = file_of(fd);
    if (result == 0 && at >= 0 && fstat(fd, &stat) == 0)
        harness.files[at].synced = (uint64_t)stat.st_size;
    pthread_mutex_unlock(&harness.lock);
    return result;
}

int fdatasync(int fd)
{
    return sync_watched(fd, "fdatasync");
}

int fsync(int fd)
{
    return sync_watched(fd, "fsync");
}

int close(int fd)
{
    pthread_mutex_lock(&harness.lock);
    if (fd >= 0 && fd < FDS_MAX)
        harness.fds[fd] = 0;
    pthread_mutex_unlock(&harness.lock);
    return NEXT("close", int (*)(int))(fd);
}

static void hold_tables(bool held)
{
    pthread_mutex_lock(&harness.lock);
    harness.tables_held = held;
    pthread_cond_broadcast(&harness.released);
    pthread_mutex_unlock(&harness.lock);
}

static void fail_next_log_write(int reason)
{
    pthread_mutex_lock(&harness.lock);
    harness.fail_errno = reason;
    pthread_mutex_unlock(&harness.lock);
}

static void shell(const char *format, const char *a, const char *b)
{
    char line[3 * PATH_SIZE];
    int size = snprintf(line, sizeof(line), format, a, b);
    assert_in_range(size, 1, sizeof(line) - 1);
    assert_int_equal(system(line), 0);
}

static void start_watching(char dir[PATH_SIZE])
{
    (void)snprintf(dir, PATH_SIZE, "/tmp/quoin-traps-XXXXXX");
    assert_non_null(mkdtemp(dir));
    memcpy(harness.dir, dir, PATH_SIZE);
    harness.file_count = 0;
    harness.failed_writes = 0;
}

static void stop_watching(const char *dir, const char *after)
{
    harness.dir[0] = 0;
    shell("rm -rf %s %s", dir, after);
}

/* The bytes of a file that survive a power cut: those before the last sync. Files that this process
 * never opened for writing do not occur. */
static uint64_t surviving_size(const char *path)
{
    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    for (size_t i = 0; i < harness.file_count; i++) {
        if (harness.files[i].inode == file.st_ino && harness.files[i].device == file.st_dev)
            return harness.files[i].synced;
    }
    return (uint64_t)file.st_size;
}

static void cut_files(const char *from, const char *to)
{
    DIR *dir = opendir(from);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char source[2 * PATH_SIZE + 8];
        char target[2 * PATH_SIZE + 8];
        (void)snprintf(source, sizeof(source), "%s/%s", from, entry->d_name);
        (void)snprintf(target, sizeof(target), "%s/%s", to, entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        if (entry->d_type == DT_DIR)
            cut_files(source, target);
        else
            assert_int_equal(truncate(target, (off_t)surviving_size(source)), 0);
    }
    (void)closedir(dir);
}

/* The power fails now: `after` gets what a new boot would find. */
static void cut_power(const char *dir, char after[PATH_SIZE])
{
    int size = snprintf(after, PATH_SIZE, "%s-after", dir);
    assert_in_range(size, 1, PATH_SIZE - 1);
    shell("cp -r %s %s", dir, after);
    cut_files(dir, after);
}

static size_t count_logs(const char *store_dir)
{
    char path[2 * PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/gen-00000001", store_dir);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    size_t count = 0;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        count += ends_with(entry->d_name, ".log");
    (void)closedir(dir);
    return count;
}

/* ---- the load: batch i puts key i with 1 KB ---- */

enum { VALUE_SIZE = 1024, WRITE_BUFFER_SIZE = 64 * 1024, BATCHES = 100 };

static void batch_key(uint32_t number, uint8_t key[5])
{
    key[0] = 'E';
    put_be32(key + 1, number);
}

/* Naive use: the library's defaults and only the last batch synced. */
static leveldb_t *naive_open(const char *dir, char **error)
{
    leveldb_options_t *options = leveldb_options_create();
    leveldb_options_set_create_if_missing(options, 1);
    leveldb_options_set_write_buffer_size(options, WRITE_BUFFER_SIZE);
    leveldb_t *db = leveldb_open(options, dir, error);
    leveldb_options_destroy(options);
    return db;
}

/* Returns the library's word for it. */
static bool naive_put(leveldb_t *db, uint32_t number, bool synced)
{
    uint8_t key[5];
    char value[VALUE_SIZE];
    memset(value, 'v', sizeof(value));
    batch_key(number, key);
    leveldb_writeoptions_t *options = leveldb_writeoptions_create();
    leveldb_writeoptions_set_sync(options, synced);
    char *error = NULL;
    leveldb_put(db, options, (const char *)key, sizeof(key), value, sizeof(value), &error);
    leveldb_writeoptions_destroy(options);
    bool ok = error == NULL;
    leveldb_free(error);
    return ok;
}

static bool naive_has(leveldb_t *db, uint32_t number)
{
    uint8_t key[5];
    batch_key(number, key);
    leveldb_readoptions_t *options = leveldb_readoptions_create();
    size_t size = 0;
    char *error = NULL;
    char *value = leveldb_get(db, options, (const char *)key, sizeof(key), &size, &error);
    leveldb_readoptions_destroy(options);
    assert_null(error);
    leveldb_free(value);
    return value != NULL;
}

static leveldb_t *naive_reopen(const char *dir)
{
    char *error = NULL;
    leveldb_t *db = naive_open(dir, &error);
    assert_null(error); /* it opens without complaint: that is the trap */
    return db;
}

/* ---- the same load through the store ---- */

static struct store *store_of(const char *dir, struct kv_env *env)
{
    struct store_options options = {.dir = dir,
                                    .disk = disk_real(),
                                    .env = env,
                                    .identity = 1,
                                    .write_buffer_size = WRITE_BUFFER_SIZE,
                                    .create = true};
    struct store *store = NULL;
    struct buf error = {0};
    if (store_open(&store, &options, &error) != STORE_OK)
        fail_msg("%.*s", (int)error.size, (const char *)error.data);
    buf_free(&error);
    return store;
}

static void store_put(struct store *store, uint32_t number)
{
    uint8_t key[5];
    uint8_t value[VALUE_SIZE] = {0};
    struct buf payload = {0};
    batch_key(number, key);
    put_le64(buf_extend(&payload, ENTRY_STAMP_SIZE), number);
    rows_append(&payload, ROW_PUT, bytes_of(key, sizeof(key)), bytes_of(value, sizeof(value)));
    struct entry *entry = entry_new(ENTRY_ROWS, payload.data, payload.size);
    entry->index = store_applied(store).applied_index + 1;
    entry->term = 1;
    store_apply(store, entry);
    entry_release(entry);
}

static enum store_err store_flush_now(struct store *store)
{
    struct store_flush flush = {0};
    assert_true(store_flush_begin(store, &flush));
    flush.job.run(&flush.job);
    enum store_err err = store_flush_end(store, &flush);
    store_flush_fini(&flush);
    return err;
}

static bool store_has(struct store *store, uint32_t number)
{
    uint8_t key[5];
    batch_key(number, key);
    struct bytes name = bytes_of(key, sizeof(key));
    struct store_read read = {.keys = &name, .key_count = 1};
    assert_true(store_read_begin(store, &read));
    read.job.run(&read.job);
    assert_int_equal(store_read_end(store, &read), STORE_OK);
    bool found = read.rows.data[0] == ROW_PUT;
    store_read_fini(&read);
    return found;
}

static void do_work(struct store *store)
{
    struct job *job = store_work(store, UINT64_C(1) << 40);
    if (job == NULL)
        return;
    job->run(job);
    store_work_done(store, job);
}

/* ---- first trap: a log file rotated away is closed without sync ---- */

static void leveldb_loses_unsynced_batches_from_the_middle_of_history(void **state)
{
    (void)state;
    char dir[PATH_SIZE];
    char after[PATH_SIZE];
    start_watching(dir);
    leveldb_t *db = naive_reopen(dir);
    assert_true(naive_put(db, 0, true));
    hold_tables(true); /* the background thread is slow, as on any busy disk */
    for (uint32_t i = 1; i < BATCHES; i++)
        assert_true(naive_put(db, i, false));
    assert_true(naive_put(db, BATCHES, true));
    cut_power(dir, after);
    hold_tables(false);
    leveldb_close(db);

    db = naive_reopen(after);
    assert_true(naive_has(db, 0));
    assert_true(naive_has(db, BATCHES));
    uint32_t missing = 0;
    for (uint32_t i = 1; i < BATCHES; i++)
        missing += !naive_has(db, i);
    assert_in_range(missing, 1, BATCHES - 1); /* a hole with a later batch behind it */
    leveldb_close(db);
    stop_watching(dir, after);
}

static void store_flushes_survive_a_power_cut_without_a_hole(void **state)
{
    (void)state;
    char dir[PATH_SIZE];
    char after[PATH_SIZE];
    start_watching(dir);
    struct kv_env *env = kv_leveldb_new(disk_real(), 1 << 20);
    struct store *store = store_of(dir, env);
    hold_tables(true);
    for (uint32_t i = 0; i < BATCHES; i++) {
        store_put(store, i);
        /* The third flush rotates to a new log; a second rotation would wait for the held table. */
        if (i % 33 == 32)
            assert_int_equal(store_flush_now(store), STORE_OK);
    }
    uint64_t durable = store_flushed(store).applied_index;
    assert_int_equal(durable, 99);
    assert_int_equal(count_logs(dir), 2);
    cut_power(dir, after);
    hold_tables(false);
    store_free(store);

    store = store_of(after, env);
    assert_int_equal(store_applied(store).applied_index, durable);
    for (uint32_t i = 0; i < BATCHES; i++)
        assert_int_equal(store_has(store, i), i < durable);
    store_free(store);
    kv_leveldb_free(env);
    stop_watching(dir, after);
}

/* ---- second trap: after one failed write everything looks well ---- */

static void naive_fails_once(int reason)
{
    char dir[PATH_SIZE];
    char after[PATH_SIZE];
    start_watching(dir);
    leveldb_t *db = naive_reopen(dir);
    for (uint32_t i = 0; i < 5; i++)
        assert_true(naive_put(db, i, true));
    fail_next_log_write(reason);
    assert_false(naive_put(db, 5, true));
    assert_int_equal(harness.failed_writes, 1);
    for (uint32_t i = 6; i < 20; i++)
        assert_true(naive_put(db, i, true)); /* "OK, synced" */
    cut_power(dir, after);
    leveldb_close(db);

    db = naive_reopen(after);
    for (uint32_t i = 0; i < 5; i++)
        assert_true(naive_has(db, i));
    for (uint32_t i = 5; i < 20; i++)
        assert_false(naive_has(db, i)); /* 14 synced batches are gone */
    leveldb_close(db);
    stop_watching(dir, after);
}

static void leveldb_drops_synced_batches_behind_a_torn_record(void **state)
{
    (void)state;
    naive_fails_once(ENOSPC);
    naive_fails_once(EIO);
}

static void store_fails_once(int reason, enum store_err expected)
{
    char dir[PATH_SIZE];
    char after[PATH_SIZE];
    start_watching(dir);
    struct kv_env *env = kv_leveldb_new(disk_real(), 1 << 20);
    struct store *store = store_of(dir, env);
    for (uint32_t i = 0; i < 20; i++) {
        store_put(store, i);
        if (i == 5)
            fail_next_log_write(reason);
        enum store_err err = store_flush_now(store);
        assert_int_equal(err, i == 5 ? expected : STORE_OK);
        if (i != 5)
            continue;
        assert_false(store_is_open(store));
        do_work(store);
        assert_true(store_is_open(store));
        assert_int_equal(store_flushed(store).applied_index, 5);
    }
    assert_int_equal(harness.failed_writes, 1);
    assert_int_equal(store_counters(store).reopens, 1);
    cut_power(dir, after);
    store_free(store);

    store = store_of(after, env);
    assert_int_equal(store_applied(store).applied_index, 20);
    for (uint32_t i = 0; i < 20; i++)
        assert_true(store_has(store, i));
    store_free(store);
    kv_leveldb_free(env);
    stop_watching(dir, after);
}

static void store_opens_again_after_a_failed_write_and_loses_nothing(void **state)
{
    (void)state;
    store_fails_once(ENOSPC, STORE_FULL);
    store_fails_once(EIO, STORE_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leveldb_loses_unsynced_batches_from_the_middle_of_history),
        cmocka_unit_test(store_flushes_survive_a_power_cut_without_a_hole),
        cmocka_unit_test(leveldb_drops_synced_batches_behind_a_torn_record),
        cmocka_unit_test(store_opens_again_after_a_failed_write_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
