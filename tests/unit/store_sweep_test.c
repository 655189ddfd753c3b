/* Sweeping: what a flushed G row names goes, in slices, and nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/endian.h"
#include "base/mem.h"
#include "base/prng.h"
#include "codec/rows.h"
#include "kv_memory.h"
#include "sim_disk.h"
#include "store/row_key.h"
#include "store/store.h"
#include "store/sweep.h"

enum { META_ROWS = 3 };

struct fixture {
    struct disk *disk;
    struct kv_env *env;
    struct store *store;
    struct buf payload; /* of the entry being made */
};

static const char generation_path[] = "data/0/gen-00000001";

static void open_store(struct fixture *fixture)
{
    struct store_options options = {
        .dir = "data/0", .disk = fixture->disk, .env = fixture->env, .identity = 7, .create = true};
    struct buf error = {0};
    assert_int_equal(store_open(&fixture->store, &options, &error), STORE_OK);
    buf_free(&error);
}

static int setup(void **state)
{
    struct fixture *fixture = mem_zero(sizeof(*fixture));
    fixture->disk = sim_disk_new();
    fixture->env = kv_memory_new();
    open_store(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    store_free(fixture->store);
    kv_memory_free(fixture->env);
    sim_disk_free(fixture->disk);
    buf_free(&fixture->payload);
    mem_free(fixture);
    return 0;
}

static void begin_entry(struct fixture *fixture)
{
    fixture->payload = (struct buf){0};
    put_le64(buf_extend(&fixture->payload, ENTRY_STAMP_SIZE), 1);
}

static void end_entry(struct fixture *fixture)
{
    struct entry *entry = entry_new(ENTRY_ROWS, fixture->payload.data, fixture->payload.size);
    fixture->payload = (struct buf){0};
    entry->index = store_applied(fixture->store).applied_index + 1;
    store_apply(fixture->store, entry);
    entry_release(entry);
}

/* Takes the key's memory. */
static void put(struct fixture *fixture, struct buf key, struct bytes value)
{
    rows_append(&fixture->payload, ROW_PUT, buf_bytes(&key), value);
    buf_free(&key);
}

static void put_elements(struct fixture *fixture, uint64_t object, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t element[4];
        struct buf key = {0};
        put_be32(element, i);
        row_key_append_element(&key, object, bytes_of(element, sizeof(element)));
        put(fixture, key, BYTES_LITERAL("value"));
    }
}

/* A K row; object 0: the value is inline. */
static void put_key(struct fixture *fixture, uint32_t ksid, uint32_t number, uint64_t object)
{
    uint8_t name[4];
    uint8_t value[10] = {1, object == 0 ? 0 : ROW_VALUE_HAS_OBJECT};
    struct buf key = {0};
    put_be32(name, number);
    put_le64(value + 2, object);
    row_key_append_key(&key, ksid, (uint16_t)(number % ROW_KEY_SLOTS), number, bytes_of(name, 4));
    put(fixture, key, bytes_of(value, object == 0 ? 2 : 10));
}

static void put_keyspace(struct fixture *fixture, uint32_t ksid)
{
    struct buf key = {0};
    row_key_append_keyspace(&key, ksid);
    put(fixture, key, BYTES_LITERAL("counts"));
}

static void drop_object(struct fixture *fixture, uint64_t object)
{
    struct buf key = {0};
    row_key_append_sweep_object(&key, object);
    put(fixture, key, (struct bytes){0});
}

static void drop_keyspace(struct fixture *fixture, uint32_t ksid)
{
    struct buf key = {0};
    row_key_append_sweep_keyspace(&key, ksid);
    put(fixture, key, (struct bytes){0});
}

static void flush(struct fixture *fixture)
{
    struct store_flush job = {0};
    assert_true(store_flush_begin(fixture->store, &job));
    job.job.run(&job.job);
    assert_int_equal(store_flush_end(fixture->store, &job), STORE_OK);
    store_flush_fini(&job);
}

static bool do_work(struct fixture *fixture)
{
    struct job *job = store_work(fixture->store, UINT64_C(1) << 40);
    if (job == NULL)
        return false;
    job->run(job);
    store_work_done(fixture->store, job);
    return true;
}

static size_t rows_left(const struct fixture *fixture)
{
    return kv_memory_rows(fixture->env, generation_path) - META_ROWS;
}

/* Works and flushes until nothing is pending; returns the flushes it took. No slice may delete more
 * rows than its limit. */
static size_t sweep_all(struct fixture *fixture)
{
    size_t flushes = 0;
    while (store_sweep_pending(fixture->store) || store_flush_due(fixture->store, SIZE_MAX)) {
        size_t before = rows_left(fixture);
        (void)do_work(fixture);
        if (!store_flush_due(fixture->store, SIZE_MAX))
            continue;
        flush(fixture);
        flushes++;
        assert_true(flushes < 1000);
        assert_true(before - rows_left(fixture) <= SWEEP_SLICE_ROWS + 1 ||
                    before < rows_left(fixture));
    }
    return flushes;
}

static void sweep_of_a_big_object_takes_slices_and_spares_its_neighbours(void **state)
{
    struct fixture *fixture = *state;
    begin_entry(fixture);
    put_elements(fixture, 41, 3);
    put_elements(fixture, 42, 3 * SWEEP_SLICE_ROWS + 5);
    put_elements(fixture, 43, 3);
    drop_object(fixture, 42);
    end_entry(fixture);
    (void)sweep_all(fixture);
    assert_int_equal(rows_left(fixture), 0); /* not flushed: nothing to be seen, nothing swept */
    flush(fixture);
    assert_true(store_sweep_pending(fixture->store));
    assert_int_equal(sweep_all(fixture), 4);
    assert_int_equal(rows_left(fixture), 6);
    assert_int_equal(store_counters(fixture->store).swept_rows, 3 * SWEEP_SLICE_ROWS + 6);
    assert_int_equal(store_applied(fixture->store).applied_index, 1); /* no entry came of it */
}

static void sweep_at_exactly_one_slice_more_or_less(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t more = 0; more <= 2; more++) {
        begin_entry(fixture);
        put_elements(fixture, 50 + more, SWEEP_SLICE_ROWS - 1 + more);
        drop_object(fixture, 50 + more);
        end_entry(fixture);
        flush(fixture);
        size_t flushes = sweep_all(fixture);
        assert_int_equal(flushes, more <= 1 ? 1 : 2);
        assert_int_equal(rows_left(fixture), 0);
    }
}

static void sweep_of_many_small_objects_needs_few_slices(void **state)
{
    struct fixture *fixture = *state;
    begin_entry(fixture);
    for (uint64_t object = 1; object <= 300; object++) {
        put_elements(fixture, object, 5);
        drop_object(fixture, object);
    }
    end_entry(fixture);
    flush(fixture);
    assert_int_equal(sweep_all(fixture), 1); /* 300 * (5 rows + 1 G row) = 1800 */
    assert_int_equal(rows_left(fixture), 0);
}

static void sweep_of_a_keyspace_takes_its_big_objects_along(void **state)
{
    struct fixture *fixture = *state;
    begin_entry(fixture);
    put_keyspace(fixture, 5);
    put_keyspace(fixture, 6);
    for (uint32_t i = 0; i < 3000; i++)
        put_key(fixture, 5, i, i % 10 == 0 ? 1000 + i : 0);
    for (uint32_t i = 0; i < 3000; i += 10)
        put_elements(fixture, 1000 + i, 7);
    put_key(fixture, 6, 1, 9999);
    put_elements(fixture, 9999, 2);
    drop_keyspace(fixture, 5);
    end_entry(fixture);
    flush(fixture);
    (void)sweep_all(fixture);
    assert_int_equal(rows_left(fixture), 4); /* N and K of 6, two elements */
    assert_false(store_sweep_pending(fixture->store));
}

static void sweep_goes_on_after_a_crash_at_any_slice(void **state)
{
    struct fixture *fixture = *state;
    struct prng prng = prng_init(3);
    begin_entry(fixture);
    for (uint32_t i = 0; i < 5000; i++)
        put_key(fixture, 5, i, i % 100 == 0 ? 1000 + i : 0);
    for (uint32_t i = 0; i < 5000; i += 100)
        put_elements(fixture, 1000 + i, 100);
    put_key(fixture, 6, 1, 0);
    drop_keyspace(fixture, 5);
    end_entry(fixture);
    flush(fixture);
    for (int crashes = 0; crashes < 4; crashes++) {
        uint64_t steps = prng_between(&prng, 1, 4);
        for (uint64_t i = 0; i < steps; i++) {
            (void)do_work(fixture);
            if (i + 1 < steps && store_flush_due(fixture->store, SIZE_MAX))
                flush(fixture);
        }
        kv_memory_crash(fixture->env);
        store_free(fixture->store);
        open_store(fixture);
    }
    (void)sweep_all(fixture);
    assert_int_equal(rows_left(fixture), 1);
}

static void sweep_survives_a_failed_flush_of_its_slice(void **state)
{
    struct fixture *fixture = *state;
    begin_entry(fixture);
    put_elements(fixture, 7, 100);
    drop_object(fixture, 7);
    end_entry(fixture);
    flush(fixture);
    assert_true(do_work(fixture));
    kv_memory_fail(fixture->env, KV_MEMORY_FAULT_WRITE_IO, false);
    struct store_flush job = {0};
    assert_true(store_flush_begin(fixture->store, &job));
    job.job.run(&job.job);
    assert_int_equal(store_flush_end(fixture->store, &job), STORE_IO);
    store_flush_fini(&job);
    assert_int_equal(rows_left(fixture), 101);
    (void)sweep_all(fixture);
    assert_int_equal(rows_left(fixture), 0);
}

static void sweep_sees_names_that_become_durable_behind_its_back(void **state)
{
    struct fixture *fixture = *state;
    begin_entry(fixture);
    put_elements(fixture, 900, SWEEP_SLICE_ROWS + 1);
    drop_object(fixture, 900);
    end_entry(fixture);
    flush(fixture);
    assert_true(do_work(fixture)); /* the first slice of 900 */
    begin_entry(fixture);
    put_elements(fixture, 100, 3); /* sorts before what is being swept */
    drop_object(fixture, 100);
    end_entry(fixture);
    flush(fixture);
    (void)sweep_all(fixture);
    assert_int_equal(rows_left(fixture), 0);
}

static void sweep_leaves_alone_what_it_does_not_understand(void **state)
{
    struct fixture *fixture = *state;
    begin_entry(fixture);
    rows_append(&fixture->payload, ROW_PUT, BYTES_LITERAL("G?"), (struct bytes){0});
    put_elements(fixture, 8, 2);
    put_elements(fixture, 9, 2);
    drop_object(fixture, 9);
    drop_keyspace(fixture, 3); /* which has no rows */
    struct buf key = {0};
    row_key_append_key(&key, 4, 0, 0, BYTES_LITERAL("short"));
    put(fixture, key, bytes_of("\x01\x02", 2)); /* says it has an object, and has none */
    drop_keyspace(fixture, 4);
    end_entry(fixture);
    flush(fixture);
    (void)sweep_all(fixture);
    assert_int_equal(rows_left(fixture), 3); /* "G?" and the elements of 8 */
}

static void sweep_of_an_entry_that_puts_the_name_again_keeps_the_name(void **state)
{
    struct fixture *fixture = *state;
    begin_entry(fixture);
    put_elements(fixture, 9, 2);
    drop_object(fixture, 9);
    end_entry(fixture);
    flush(fixture);
    assert_true(do_work(fixture));
    begin_entry(fixture);
    put_elements(fixture, 9, 1);
    drop_object(fixture, 9);
    end_entry(fixture);
    flush(fixture); /* the slice's deletes ride here: the entry's rows win */
    assert_int_equal(rows_left(fixture), 2);
    (void)sweep_all(fixture);
    assert_int_equal(rows_left(fixture), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sweep_of_a_big_object_takes_slices_and_spares_its_neighbours),
        TEST(sweep_at_exactly_one_slice_more_or_less),
        TEST(sweep_of_many_small_objects_needs_few_slices),
        TEST(sweep_of_a_keyspace_takes_its_big_objects_along),
        TEST(sweep_goes_on_after_a_crash_at_any_slice),
        TEST(sweep_survives_a_failed_flush_of_its_slice),
        TEST(sweep_sees_names_that_become_durable_behind_its_back),
        TEST(sweep_leaves_alone_what_it_does_not_understand),
        TEST(sweep_of_an_entry_that_puts_the_name_again_keeps_the_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
