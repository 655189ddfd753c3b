/* The store over real LevelDB: what the twin in memory cannot show. Files, locks, damage, opening
 * times, threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/endian.h"
#include "base/mem.h"
#include "codec/rows.h"
#include "store/kv_leveldb.h"
#include "store/store.h"

enum { PATH_SIZE = 256 };

struct fixture {
    char root[PATH_SIZE];
    char dir[PATH_SIZE + 16];
    struct kv_env *env;
    struct store *store;
    struct buf error;
};

static void path_in(const struct fixture *fixture, const char *name, char out[2 * PATH_SIZE])
{
    int size = snprintf(out, 2 * PATH_SIZE, "%s/%s", fixture->dir, name);
    assert_in_range(size, 1, 2 * PATH_SIZE - 1);
}

static enum store_err open_as(struct fixture *fixture, uint64_t identity, uint32_t shard,
                              bool create)
{
    struct store_options options = {.dir = fixture->dir,
                                    .disk = disk_real(),
                                    .env = fixture->env,
                                    .identity = identity,
                                    .shard = shard,
                                    .open_files_max = 100,
                                    .create = create};
    return store_open(&fixture->store, &options, &fixture->error);
}

static void must_open(struct fixture *fixture)
{
    enum store_err err = open_as(fixture, 7, 1, true);
    if (err != STORE_OK)
        fail_msg("%.*s", (int)fixture->error.size, (const char *)fixture->error.data);
}

static void assert_error_names(const struct fixture *fixture, const char *part)
{
    char text[1024] = {0};
    size_t size = fixture->error.size < sizeof(text) - 1 ? fixture->error.size : sizeof(text) - 1;
    memcpy(text, fixture->error.data, size);
    if (strstr(text, part) == NULL)
        fail_msg("'%s' does not name '%s'", text, part);
}

static int setup(void **state)
{
    struct fixture *fixture = mem_zero(sizeof(*fixture));
    (void)snprintf(fixture->root, sizeof(fixture->root), "/tmp/quoin-leveldb-XXXXXX");
    if (mkdtemp(fixture->root) == NULL)
        return 1;
    (void)snprintf(fixture->dir, sizeof(fixture->dir), "%s/shard", fixture->root);
    fixture->env = kv_leveldb_new(disk_real(), 1 << 20);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    store_free(fixture->store);
    kv_leveldb_free(fixture->env);
    buf_free(&fixture->error);
    char line[PATH_SIZE + 16];
    (void)snprintf(line, sizeof(line), "rm -rf %s", fixture->root);
    int result = system(line);
    mem_free(fixture);
    return result;
}

static void apply_rows(struct store *store, uint32_t first, uint32_t count, size_t value_size)
{
    struct buf payload = {0};
    put_le64(buf_extend(&payload, ENTRY_STAMP_SIZE), first);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t key[5] = {'E'};
        put_be32(key + 1, first + i);
        uint8_t *value = rows_append_space(&payload, ROW_PUT, bytes_of(key, 5), value_size);
        for (size_t at = 0; at < value_size; at++)
            value[at] = (uint8_t)(at * (first + i + 1) + (at >> 3));
    }
    struct entry *entry = entry_new(ENTRY_ROWS, payload.data, payload.size);
    entry->index = store_applied(store).applied_index + 1;
    entry->term = 1;
    store_apply(store, entry);
    entry_release(entry);
}

static enum store_err flush(struct store *store)
{
    struct store_flush job = {0};
    assert_true(store_flush_begin(store, &job));
    job.job.run(&job.job);
    enum store_err err = store_flush_end(store, &job);
    store_flush_fini(&job);
    return err;
}

/* Runs what is due until nothing is. */
static int do_all_work(struct store *store)
{
    int jobs = 0;
    for (struct job *job = store_work(store, 1); job != NULL; job = store_work(store, 1)) {
        job->run(job);
        store_work_done(store, job);
        jobs++;
    }
    return jobs;
}

static enum store_err count_rows(struct store *store, size_t *count)
{
    struct store_read read = {.from = BYTES_LITERAL("E"),
                              .to = BYTES_LITERAL("F"),
                              .rows_max = 100000,
                              .bytes_max = 1 << 28};
    assert_true(store_read_begin(store, &read));
    read.job.run(&read.job);
    *count = read.row_count;
    enum store_err err = store_read_end(store, &read);
    store_read_fini(&read);
    return err;
}

static void store_created_empty_opens_again_with_its_members(void **state)
{
    struct fixture *fixture = *state;
    struct store_options options = {.dir = fixture->dir,
                                    .disk = disk_real(),
                                    .env = fixture->env,
                                    .identity = 7,
                                    .shard = 1,
                                    .create = true,
                                    .members = BYTES_LITERAL("n1 n2 n3")};
    assert_int_equal(store_open(&fixture->store, &options, &fixture->error), STORE_OK);
    assert_string_equal(store_generation(fixture->store), "gen-00000001");
    store_free(fixture->store);
    assert_int_equal(open_as(fixture, 7, 1, false), STORE_OK);
    struct store_meta meta = store_flushed(fixture->store);
    assert_int_equal(meta.applied_index, 0);
    assert_int_equal(meta.applied_term, 0);
    assert_true(bytes_equal(meta.members, BYTES_LITERAL("n1 n2 n3")));
}

static void store_that_is_open_is_locked_for_others(void **state)
{
    struct fixture *fixture = *state;
    must_open(fixture);
    struct store *first = fixture->store;
    assert_int_equal(open_as(fixture, 7, 1, false), STORE_LOCKED);
    assert_null(fixture->store);
    assert_error_names(fixture, "gen-00000001");
    fixture->store = first;
}

static void store_of_another_cluster_or_shard_is_refused(void **state)
{
    struct fixture *fixture = *state;
    must_open(fixture);
    store_free(fixture->store);
    assert_int_equal(open_as(fixture, 8, 1, true), STORE_FOREIGN);
    assert_error_names(fixture, "gen-00000001");
    assert_int_equal(open_as(fixture, 7, 2, true), STORE_FOREIGN);
    assert_int_equal(open_as(fixture, 7, 1, true), STORE_OK);
}

/* The last .ldb or .log file of the generation. */
static void newest_file(const struct fixture *fixture, const char *end, char out[2 * PATH_SIZE])
{
    char path[2 * PATH_SIZE];
    path_in(fixture, "gen-00000001", path);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    char newest[64] = {0};
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (strstr(entry->d_name, end) != NULL && strcmp(entry->d_name, newest) > 0)
            (void)snprintf(newest, sizeof(newest), "%.63s", entry->d_name);
    }
    (void)closedir(dir);
    assert_true(newest[0] != 0);
    int size = snprintf(out, 2 * PATH_SIZE, "%.380s/%s", path, newest);
    assert_in_range(size, 1, 2 * PATH_SIZE - 1);
}

static void flip_bytes(const char *path, long offset, size_t count)
{
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    uint8_t bytes[256];
    assert_true(count <= sizeof(bytes));
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    assert_int_equal(fread(bytes, 1, count, file), count);
    for (size_t i = 0; i < count; i++)
        bytes[i] ^= 0x5a;
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

static void store_reports_bit_rot_in_a_table_instead_of_reading_on(void **state)
{
    struct fixture *fixture = *state;
    must_open(fixture);
    apply_rows(fixture->store, 0, 5000, 400);
    assert_int_equal(flush(fixture->store), STORE_OK);
    assert_true(do_all_work(fixture->store) > 0);
    assert_true(store_counters(fixture->store).push_outs == 1);
    store_free(fixture->store);
    char table[2 * PATH_SIZE];
    newest_file(fixture, ".ldb", table);
    flip_bytes(table, 1000, 100);
    must_open(fixture);
    size_t count = 0;
    assert_int_equal(count_rows(fixture->store, &count), STORE_DAMAGED);
    assert_false(store_is_open(fixture->store));
    const char *text;
    assert_int_equal(store_error(fixture->store, &text), STORE_DAMAGED);
    assert_non_null(strstr(text, "gen-00000001"));
}

static void store_refuses_to_open_over_a_missing_table(void **state)
{
    struct fixture *fixture = *state;
    must_open(fixture);
    apply_rows(fixture->store, 0, 5000, 400);
    assert_int_equal(flush(fixture->store), STORE_OK);
    (void)do_all_work(fixture->store);
    store_free(fixture->store);
    char table[2 * PATH_SIZE];
    newest_file(fixture, ".ldb", table);
    assert_int_equal(unlink(table), 0);
    assert_int_equal(open_as(fixture, 7, 1, true), STORE_DAMAGED);
    assert_error_names(fixture, strrchr(table, '/') + 1);
    assert_null(fixture->store);
}

static void store_refuses_bit_rot_in_the_log_that_leveldb_would_replay(void **state)
{
    struct fixture *fixture = *state;
    must_open(fixture);
    for (uint32_t i = 0; i < 3; i++) {
        apply_rows(fixture->store, i * 100, 100, 40);
        assert_int_equal(flush(fixture->store), STORE_OK);
    }
    store_free(fixture->store);
    char log[2 * PATH_SIZE];
    newest_file(fixture, ".log", log);
    flip_bytes(log, 8000, 8); /* in the second batch; the third stands behind it */
    assert_int_equal(open_as(fixture, 7, 1, true), STORE_DAMAGED);
    assert_error_names(fixture, "gen-00000001");
}

/* Opens a copy of the shard whose newest log ends at size: it must be as of the first entry. */
static void open_torn_copy(struct fixture *fixture, off_t size)
{
    char line[4 * PATH_SIZE];
    (void)snprintf(line, sizeof(line), "rm -rf %s-copy && cp -r %s %s-copy", fixture->dir,
                   fixture->dir, fixture->dir);
    assert_int_equal(system(line), 0);
    struct fixture copy = *fixture;
    copy.store = NULL;
    size_t end = strlen(copy.dir);
    assert_in_range(end, 1, sizeof(copy.dir) - 6);
    memcpy(copy.dir + end, "-copy", 6);
    char log[2 * PATH_SIZE];
    newest_file(&copy, ".log", log);
    assert_int_equal(truncate(log, size), 0);
    must_open(&copy);
    assert_int_equal(store_applied(copy.store).applied_index, 1);
    size_t count = 0;
    assert_int_equal(count_rows(copy.store, &count), STORE_OK);
    assert_int_equal(count, 100);
    store_free(copy.store);
    fixture->error = copy.error;
}

static void store_with_a_torn_last_batch_opens_as_of_the_one_before(void **state)
{
    struct fixture *fixture = *state;
    must_open(fixture);
    apply_rows(fixture->store, 0, 100, 40);
    assert_int_equal(flush(fixture->store), STORE_OK);
    char log[2 * PATH_SIZE];
    newest_file(fixture, ".log", log);
    struct stat before;
    struct stat after;
    assert_int_equal(stat(log, &before), 0);
    apply_rows(fixture->store, 100, 2000, 40);
    assert_int_equal(flush(fixture->store), STORE_OK);
    assert_int_equal(stat(log, &after), 0);
    store_free(fixture->store);
    fixture->store = NULL;
    for (off_t size = after.st_size - 1; size > before.st_size; size -= 9973)
        open_torn_copy(fixture, size);
    open_torn_copy(fixture, before.st_size);
}

static void store_pushes_leveldb_memory_out_after_a_flush_of_more_than_a_megabyte(void **state)
{
    struct fixture *fixture = *state;
    must_open(fixture);
    (void)do_all_work(fixture->store); /* the first look for garbage */
    apply_rows(fixture->store, 0, 1000, 1000);
    assert_int_equal(flush(fixture->store), STORE_OK);
    assert_int_equal(do_all_work(fixture->store), 0); /* 1,020,008 bytes: not above 1 MiB */
    apply_rows(fixture->store, 1000, 100, 1000);
    assert_int_equal(flush(fixture->store), STORE_OK);
    assert_int_equal(do_all_work(fixture->store), 1);
    assert_int_equal(store_counters(fixture->store).push_outs, 1);
    char log[2 * PATH_SIZE];
    struct stat stat_of_log;
    newest_file(fixture, ".log", log);
    assert_int_equal(stat(log, &stat_of_log), 0);
    assert_int_equal(stat_of_log.st_size, 0);
    assert_true(store_disk_bytes(fixture->store) > 500 * 1000);
}

/* ---- threads: jobs on real workers while the loop goes on ---- */

struct traffic {
    struct store *store;
    struct worker *flusher;
    struct worker *readers;
    struct store_flush flush;
    bool flush_under_way;
    struct job *work;
    struct store_read reads[8];
    bool read_under_way[8];
    uint64_t expected[8]; /* rows in the range when the read began */
    uint64_t checked;
};

static void take_flusher_jobs(struct traffic *traffic)
{
    for (struct job *job = worker_take_done(traffic->flusher); job != NULL;
         job = worker_take_done(traffic->flusher)) {
        if (job == traffic->work) {
            store_work_done(traffic->store, job);
            traffic->work = NULL;
        } else {
            assert_int_equal(store_flush_end(traffic->store, &traffic->flush), STORE_OK);
            traffic->flush_under_way = false;
        }
    }
}

static void take_reads(struct traffic *traffic)
{
    for (struct job *job = worker_take_done(traffic->readers); job != NULL;
         job = worker_take_done(traffic->readers)) {
        struct store_read *read = CONTAINER_OF(job, struct store_read, job);
        size_t at = (size_t)(read - traffic->reads);
        assert_int_equal(store_read_end(traffic->store, read), STORE_OK);
        assert_true(read->complete);
        assert_int_equal(read->row_count, traffic->expected[at]);
        traffic->read_under_way[at] = false;
        traffic->checked++;
    }
}

static void start_reads(struct traffic *traffic, uint64_t rows)
{
    for (size_t i = 0; i < COUNT_OF(traffic->reads); i++) {
        if (traffic->read_under_way[i])
            continue;
        struct store_read *read = &traffic->reads[i];
        read->from = BYTES_LITERAL("E");
        read->to = BYTES_LITERAL("F");
        read->rows_max = 1 << 20;
        read->bytes_max = 1 << 28;
        traffic->expected[i] = rows;
        traffic->read_under_way[i] = true;
        assert_true(store_read_begin(traffic->store, read));
        assert_true(worker_submit(traffic->readers, &read->job));
    }
}

static void start_flush_and_work(struct traffic *traffic, uint64_t now_ms)
{
    if (!traffic->flush_under_way && store_flush_due(traffic->store, 20000)) {
        assert_true(store_flush_begin(traffic->store, &traffic->flush));
        assert_true(worker_submit(traffic->flusher, &traffic->flush.job));
        traffic->flush_under_way = true;
    }
    if (traffic->work == NULL) {
        traffic->work = store_work(traffic->store, now_ms);
        if (traffic->work != NULL)
            assert_true(worker_submit(traffic->flusher, traffic->work));
    }
}

static void store_reads_on_threads_see_one_moment_while_flushes_run(void **state)
{
    struct fixture *fixture = *state;
    must_open(fixture);
    struct traffic *traffic = mem_zero(sizeof(*traffic));
    traffic->store = fixture->store;
    traffic->flusher = worker_new("flusher", 1, 16, -1);
    traffic->readers = worker_new("reader", 2, 16, -1);
    for (uint32_t turn = 0; turn < 1000; turn++) {
        apply_rows(fixture->store, turn * 5, 5, 100);
        start_reads(traffic, turn * 5 + 5);
        start_flush_and_work(traffic, turn);
        take_flusher_jobs(traffic);
        take_reads(traffic);
    }
    while (worker_inside(traffic->flusher) + worker_inside(traffic->readers) > 0) {
        take_flusher_jobs(traffic);
        take_reads(traffic);
    }
    assert_true(traffic->checked >= 8);
    assert_true(store_counters(fixture->store).flushes > 0);
    worker_free(traffic->flusher);
    worker_free(traffic->readers);
    store_flush_fini(&traffic->flush);
    for (size_t i = 0; i < COUNT_OF(traffic->reads); i++)
        store_read_fini(&traffic->reads[i]);
    mem_free(traffic);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(store_created_empty_opens_again_with_its_members),
        TEST(store_that_is_open_is_locked_for_others),
        TEST(store_of_another_cluster_or_shard_is_refused),
        TEST(store_reports_bit_rot_in_a_table_instead_of_reading_on),
        TEST(store_refuses_to_open_over_a_missing_table),
        TEST(store_refuses_bit_rot_in_the_log_that_leveldb_would_replay),
        TEST(store_with_a_torn_last_batch_opens_as_of_the_one_before),
        TEST(store_pushes_leveldb_memory_out_after_a_flush_of_more_than_a_megabyte),
        TEST(store_reads_on_threads_see_one_moment_while_flushes_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
