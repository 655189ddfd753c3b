/* Judging logs that LevelDB itself wrote: whole, torn in the last batch, damaged before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/prng.h"
#include "store/kv_leveldb.h"
#include "store/leveldb_log.h"

enum { BATCHES_MAX = 8, PATH_SIZE = 128 };

/* A log and where each of its batches ends. */
struct made_log {
    char dir[PATH_SIZE];
    char db[PATH_SIZE + 8];
    char path[PATH_SIZE + 32];
    struct kv_env *env;
    struct buf content;
    size_t ends[BATCHES_MAX + 1]; /* ends[0] is 0 */
    size_t batches;
};

static void write_batch(struct kv *kv, struct prng *prng, size_t size)
{
    struct buf value = {0};
    struct buf error = {0};
    for (size_t i = 0; i < size; i++)
        buf_append_u8(&value, (uint8_t)prng_next(prng));
    struct kv_batch *batch = kv->ops->batch_new(kv);
    kv->ops->batch_put(batch, BYTES_LITERAL("k"), buf_bytes(&value));
    assert_int_equal(kv->ops->write(kv, batch, &error), KV_OK);
    kv->ops->batch_free(batch);
    buf_free(&value);
}

static void read_log(struct made_log *log)
{
    assert_int_equal(disk_read_file(disk_real(), log->path, &log->content), DISK_OK);
}

/* Sizes from a few bytes to several blocks, so that batches share blocks and span them. */
static void make_log(struct made_log *log, uint64_t seed)
{
    struct prng prng = prng_init(seed);
    *log = (struct made_log){.dir = "/tmp/quoin-log-XXXXXX"};
    assert_non_null(mkdtemp(log->dir));
    (void)snprintf(log->db, sizeof(log->db), "%s/db", log->dir);
    (void)snprintf(log->path, sizeof(log->path), "%s/000003.log", log->db);
    log->env = kv_leveldb_new(disk_real(), 1 << 20);
    const struct kv_options options = {.create = true};
    struct kv *kv = NULL;
    struct buf error = {0};
    assert_int_equal(log->env->ops->open(log->env, log->db, &options, &kv, &error), KV_OK);
    log->batches = prng_between(&prng, 1, BATCHES_MAX);
    for (size_t i = 1; i <= log->batches; i++) {
        size_t max = prng_below(&prng, 2) == 0 ? 300 : 100000;
        write_batch(kv, &prng, prng_between(&prng, 1, max));
        read_log(log);
        log->ends[i] = log->content.size;
    }
    kv->ops->close(kv);
    buf_free(&error);
}

static void free_log(struct made_log *log)
{
    char line[PATH_SIZE + 16];
    (void)snprintf(line, sizeof(line), "rm -rf %s", log->dir);
    assert_int_equal(system(line), 0);
    kv_leveldb_free(log->env);
    buf_free(&log->content);
}

static size_t batch_of(const struct made_log *log, size_t offset)
{
    size_t batch = 1;
    while (offset >= log->ends[batch])
        batch++;
    return batch;
}

/* Where a batch's record ends; the trailer of a block may lie between it and the next. */
static void assert_end_is(const struct made_log *log, size_t end, size_t batches)
{
    assert_int_equal(end, log->ends[batches]);
}

static void log_that_leveldb_wrote_is_whole_at_any_length(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct made_log log;
        make_log(&log, seed);
        size_t end;
        assert_int_equal(leveldb_log_judge(buf_bytes(&log.content), &end), LEVELDB_LOG_WHOLE);
        assert_end_is(&log, end, log.batches);
        size_t step = 1 + log.content.size / 100;
        for (size_t size = 0; size < log.content.size; size += step) {
            struct bytes cut = bytes_of(log.content.data, size);
            assert_int_equal(leveldb_log_judge(cut, &end), LEVELDB_LOG_WHOLE);
            assert_end_is(&log, end, batch_of(&log, size) - 1);
        }
        free_log(&log);
    }
}

/* One byte is other than it was. In a trailer between blocks nobody looks. */
static void log_with_one_bad_byte_is_torn_in_the_last_batch_and_damaged_before(void **state)
{
    (void)state;
    struct prng prng = prng_init(9);
    size_t torn = 0;
    size_t damaged = 0;
    for (uint64_t seed = 11; seed <= 26; seed++) {
        struct made_log log;
        make_log(&log, seed);
        for (int i = 0; i < 40; i++) {
            size_t at = prng_below(&prng, log.content.size);
            log.content.data[at] ^= (uint8_t)prng_between(&prng, 1, 255);
            size_t batch = batch_of(&log, at);
            size_t end;
            enum leveldb_log_end judged = leveldb_log_judge(buf_bytes(&log.content), &end);
            if (judged == LEVELDB_LOG_WHOLE) {
                /* The trailer, or a size that now points behind the end of the file. */
                assert_true(end == log.ends[log.batches] || batch == log.batches);
            } else {
                bool last = batch == log.batches;
                assert_int_equal(judged, last ? LEVELDB_LOG_TORN : LEVELDB_LOG_DAMAGED);
                assert_end_is(&log, end, batch - 1);
                torn += last;
                damaged += !last;
            }
            read_log(&log);
        }
        free_log(&log);
    }
    assert_true(torn > 50 && damaged > 50);
}

static enum kv_err try_open(struct made_log *log, struct buf *error)
{
    const struct kv_options options = {0};
    struct kv *kv = NULL;
    buf_clear(error);
    enum kv_err err = log->env->ops->open(log->env, log->db, &options, &kv, error);
    if (err == KV_OK)
        kv->ops->close(kv);
    return err;
}

static void overwrite(const struct made_log *log)
{
    FILE *file = fopen(log->path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(log->content.data, 1, log->content.size, file), log->content.size);
    assert_int_equal(fclose(file), 0);
}

static size_t zero_some(struct made_log *log, size_t batch)
{
    size_t from = log->ends[batch - 1] + (log->ends[batch] - log->ends[batch - 1]) / 3;
    size_t size = (log->ends[batch] - from) / 2;
    size = size > 4096 ? 4096 : size;
    memset(log->content.data + from, 0, size);
    return size;
}

/* What a power cut may leave: a page of zeros inside the last batch. */
static void leveldb_opens_over_zeros_in_the_last_batch_and_refuses_them_before(void **state)
{
    (void)state;
    struct buf error = {0};
    size_t cuts = 0;
    for (uint64_t seed = 31; seed <= 46; seed++) {
        struct made_log log;
        make_log(&log, seed);
        if (zero_some(&log, log.batches) > 0) {
            overwrite(&log);
            assert_int_equal(try_open(&log, &error), KV_OK);
            cuts += error.size > 0;
        }
        free_log(&log);
        make_log(&log, seed);
        if (log.batches > 1 && zero_some(&log, log.batches - 1) > 0) {
            overwrite(&log);
            assert_int_equal(try_open(&log, &error), KV_DAMAGED);
            buf_append_u8(&error, 0);
            assert_non_null(strstr((const char *)error.data, "000003.log: a bad record behind"));
            assert_int_equal(try_open(&log, &error), KV_DAMAGED); /* nothing was changed */
        }
        free_log(&log);
    }
    assert_true(cuts >= 8);
    buf_free(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_that_leveldb_wrote_is_whole_at_any_length),
        cmocka_unit_test(log_with_one_bad_byte_is_torn_in_the_last_batch_and_damaged_before),
        cmocka_unit_test(leveldb_opens_over_zeros_in_the_last_batch_and_refuses_them_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
