/* The store's directory, protocol after errors, limits of flushes and reads; over the twin of
 * LevelDB and the simulated disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "base/endian.h"
#include "base/mem.h"
#include "codec/rows.h"
#include "kv_memory.h"
#include "sim_disk.h"
#include "store/row_key.h"
#include "store/store.h"

struct fixture {
    struct disk *disk;
    struct kv_env *env;
    struct store *store;
    struct buf error;
    uint64_t now_ms;
};

static int setup(void **state)
{
    struct fixture *fixture = mem_zero(sizeof(*fixture));
    fixture->disk = sim_disk_new();
    fixture->env = kv_memory_new();
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    store_free(fixture->store);
    kv_memory_free(fixture->env);
    sim_disk_free(fixture->disk);
    buf_free(&fixture->error);
    mem_free(fixture);
    return 0;
}

static enum store_err open_store(struct fixture *fixture, bool create)
{
    struct store_options options = {.dir = "data/0",
                                    .disk = fixture->disk,
                                    .env = fixture->env,
                                    .identity = 7,
                                    .create = create};
    return store_open(&fixture->store, &options, &fixture->error);
}

static void must_open(struct fixture *fixture)
{
    enum store_err err = open_store(fixture, true);
    if (err != STORE_OK)
        fail_msg("%.*s", (int)fixture->error.size, (const char *)fixture->error.data);
}

static void reopen(struct fixture *fixture)
{
    store_free(fixture->store);
    must_open(fixture);
}

static void assert_error_has(const struct fixture *fixture, const char *part)
{
    char text[512] = {0};
    assert_true(fixture->error.size < sizeof(text));
    memcpy(text, fixture->error.data, fixture->error.size);
    if (strstr(text, part) == NULL)
        fail_msg("'%s' does not say '%s'", text, part);
}

static void write_current(struct fixture *fixture, const char *text)
{
    assert_int_equal(
        disk_replace_file(fixture->disk, "data/0", "data/0/CURRENT", bytes_of_string(text)),
        DISK_OK);
}

/* ---- entries ---- */

struct rows {
    struct buf payload;
};

static struct rows rows_begin(void)
{
    struct rows rows = {{0}};
    put_le64(buf_extend(&rows.payload, ENTRY_STAMP_SIZE), 1000);
    return rows;
}

static void apply(struct store *store, enum entry_kind kind, struct buf payload)
{
    struct entry *entry = entry_new(kind, payload.data, payload.size);
    entry->index = store_applied(store).applied_index + 1;
    entry->term = 3;
    store_apply(store, entry);
    entry_release(entry);
}

static void apply_put(struct store *store, const char *key, const char *value)
{
    struct rows rows = rows_begin();
    rows_append(&rows.payload, ROW_PUT, bytes_of_string(key), bytes_of_string(value));
    apply(store, ENTRY_ROWS, rows.payload);
}

static void apply_delete(struct store *store, const char *key)
{
    struct rows rows = rows_begin();
    rows_append(&rows.payload, ROW_DELETE, bytes_of_string(key), (struct bytes){0});
    apply(store, ENTRY_ROWS, rows.payload);
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

static bool do_work(struct fixture *fixture)
{
    struct job *job = store_work(fixture->store, fixture->now_ms);
    if (job == NULL)
        return false;
    job->run(job);
    store_work_done(fixture->store, job);
    return true;
}

static void run_read(struct store *store, struct store_read *read)
{
    assert_true(store_read_begin(store, read));
    read->job.run(&read->job);
    assert_int_equal(store_read_end(store, read), STORE_OK);
}

/* "key=value " of each row of the range. */
static void read_text(struct store *store, struct store_read *read, struct buf *text)
{
    run_read(store, read);
    struct bytes rest = buf_bytes(&read->rows);
    struct row row;
    while (rows_next(&rest, &row) == ROWS_OK)
        buf_printf(text, "%.*s=%.*s ", (int)row.key.size, (const char *)row.key.data,
                   (int)row.value.size, (const char *)row.value.data);
}

static void assert_range(struct store *store, const char *from, const char *to, size_t rows_max,
                         size_t bytes_max, const char *expected, const char *next)
{
    struct store_read read = {.from = bytes_of_string(from),
                              .to = bytes_of_string(to),
                              .rows_max = rows_max,
                              .bytes_max = bytes_max};
    struct buf text = {0};
    read_text(store, &read, &text);
    buf_append_u8(&text, 0);
    assert_string_equal((const char *)text.data, expected);
    assert_int_equal(read.complete, next == NULL);
    if (next != NULL)
        assert_true(bytes_equal(buf_bytes(&read.next), bytes_of_string(next)));
    buf_free(&text);
    store_read_fini(&read);
}

/* ---- the directory ---- */

static void store_without_a_directory_is_absent_unless_created(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(open_store(fixture, false), STORE_ABSENT);
    assert_null(fixture->store);
    assert_error_has(fixture, "data/0");
    must_open(fixture);
    assert_string_equal(store_generation(fixture->store), "gen-00000001");
    assert_true(bytes_equal(sim_disk_content(fixture->disk, "data/0/CURRENT"),
                            BYTES_LITERAL("gen-00000001\n")));
    assert_false(sim_disk_exists(fixture->disk, "data/0/CREATING"));
}

static void store_directories_have_names_that_a_crash_cannot_take(void **state)
{
    struct fixture *fixture = *state;
    must_open(fixture);
    assert_true(sim_disk_dir_is_synced(fixture->disk, "data/0"));
    assert_true(sim_disk_dir_is_synced(fixture->disk, "data/0/gen-00000001"));
}

static void store_that_lost_current_is_never_created_anew(void **state)
{
    struct fixture *fixture = *state;
    must_open(fixture);
    store_free(fixture->store);
    assert_int_equal(fixture->disk->ops->remove(fixture->disk, "data/0/CURRENT"), DISK_OK);
    assert_int_equal(open_store(fixture, true), STORE_LOST);
    assert_error_has(fixture, "data/0/CURRENT is missing although gen-00000001 exists");
    assert_int_equal(kv_memory_rows(fixture->env, "data/0/gen-00000001"), 3);
}

static void store_refuses_a_current_that_names_nothing(void **state)
{
    struct fixture *fixture = *state;
    static const char *const contents[] = {"",
                                           "gen-00000001",
                                           "gen-0000001\n",
                                           "gen-000000001\n",
                                           "gen-0000000x\n",
                                           "gen-00000001\n\n",
                                           "Gen-00000001\n",
                                           "../gen-000001\n"};
    must_open(fixture);
    store_free(fixture->store);
    for (size_t i = 0; i < COUNT_OF(contents); i++) {
        write_current(fixture, contents[i]);
        assert_int_equal(open_store(fixture, true), STORE_LOST);
        assert_error_has(fixture, "data/0/CURRENT");
    }
    write_current(fixture, "gen-00000002\n");
    assert_int_equal(open_store(fixture, true), STORE_LOST);
    assert_error_has(fixture, "names gen-00000002, which does not exist");
    write_current(fixture, "gen-00000001\n");
    must_open(fixture);
}

static void store_deletes_a_generation_that_current_does_not_name(void **state)
{
    struct fixture *fixture = *state;
    must_open(fixture);
    store_free(fixture->store);
    const struct kv_options options = {.create = true};
    struct kv *half = NULL;
    const char *path = "data/0/gen-00000002";
    assert_int_equal(fixture->disk->ops->make_dir(fixture->disk, path), DISK_OK);
    assert_int_equal(fixture->env->ops->open(fixture->env, path, &options, &half, &fixture->error),
                     KV_OK);
    half->ops->close(half);
    must_open(fixture);
    assert_string_equal(store_generation(fixture->store), "gen-00000001");
    assert_false(kv_memory_lose(fixture->env, path));
    assert_true(kv_memory_rows(fixture->env, "data/0/gen-00000001") > 0);
}

/* Power fails after each step of the disk in turn; the next start must always succeed. */
static void store_creation_may_be_cut_short_anywhere(void **state)
{
    struct fixture *fixture = *state;
    struct prng prng = prng_init(5);
    bool created = false;
    for (uint64_t steps = 0; !created; steps++) {
        assert_true(steps < 100);
        sim_disk_free(fixture->disk);
        kv_memory_free(fixture->env);
        fixture->disk = sim_disk_new();
        fixture->env = kv_memory_new();
        sim_disk_cut_power_after(fixture->disk, sim_disk_steps(fixture->disk) + steps);
        created = open_store(fixture, true) == STORE_OK;
        kv_memory_crash(fixture->env);
        sim_disk_crash(fixture->disk, &prng, SIM_CRASH_DRAW);
        store_free(fixture->store);
        must_open(fixture);
        assert_int_equal(store_flushed(fixture->store).applied_index, 0);
        assert_false(sim_disk_exists(fixture->disk, "data/0/CREATING"));
        store_free(fixture->store);
        fixture->store = NULL;
    }
}

/* Puts one M row behind the store's back. */
static void tamper(struct fixture *fixture, const char *key, const uint8_t *value, size_t size)
{
    struct kv *kv = NULL;
    const struct kv_options options = {0};
    assert_int_equal(fixture->env->ops->open(fixture->env, "data/0/gen-00000001", &options, &kv,
                                             &fixture->error),
                     KV_OK);
    struct kv_batch *batch = kv->ops->batch_new(kv);
    if (value == NULL)
        kv->ops->batch_delete(batch, bytes_of_string(key));
    else
        kv->ops->batch_put(batch, bytes_of_string(key), bytes_of(value, size));
    assert_int_equal(kv->ops->write(kv, batch, &fixture->error), KV_OK);
    kv->ops->batch_free(batch);
    kv->ops->close(kv);
}

static void store_refuses_newer_formats_and_missing_meta(void **state)
{
    struct fixture *fixture = *state;
    must_open(fixture);
    store_free(fixture->store);
    uint8_t identity[16] = {0};
    put_le64(identity + 8, 7);
    put_le32(identity, 2);
    tamper(fixture, "Midentity", identity, 16);
    assert_int_equal(open_store(fixture, true), STORE_NEWER_FORMAT);
    assert_error_has(fixture, "gen-00000001: format 2 is newer");
    put_le32(identity, 1);
    tamper(fixture, "Midentity", identity, 15);
    assert_int_equal(open_store(fixture, true), STORE_LOST);
    tamper(fixture, "Midentity", identity, 16);
    tamper(fixture, "Mapplied", identity, 16);
    assert_int_equal(open_store(fixture, true), STORE_LOST);
    assert_error_has(fixture, "M applied");
    tamper(fixture, "Mapplied", NULL, 0);
    assert_int_equal(open_store(fixture, true), STORE_LOST);
    assert_error_has(fixture, "M applied is missing");
}

static void store_meta_is_written_as_the_format_document_says(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t expected[24] = {5, [8] = 3, [16] = 0xe8, [17] = 3};
    must_open(fixture);
    for (int i = 0; i < 4; i++)
        apply(fixture->store, ENTRY_NOOP, (struct buf){0});
    apply_put(fixture->store, "Ka", "1"); /* index 5, term 3, stamp 1000 */
    assert_int_equal(flush(fixture->store), STORE_OK);
    struct bytes key = BYTES_LITERAL("Mapplied");
    struct store_read read = {.keys = &key, .key_count = 1};
    run_read(fixture->store, &read);
    struct bytes rest = buf_bytes(&read.rows);
    struct row row;
    assert_int_equal(rows_next(&rest, &row), ROWS_OK);
    assert_true(bytes_equal(row.value, bytes_of(expected, sizeof(expected))));
    store_read_fini(&read);
}

/* ---- applying and flushing ---- */

static void store_ignores_rows_of_its_own_names_in_entries(void **state)
{
    struct fixture *fixture = *state;
    must_open(fixture);
    apply_put(fixture->store, "Mapplied", "forged");
    apply_put(fixture->store, "Midentity", "forged");
    apply_delete(fixture->store, "Mmembers");
    apply_put(fixture->store, "Mdatabases", "map");
    assert_int_equal(store_counters(fixture->store).refused_rows, 3);
    assert_int_equal(flush(fixture->store), STORE_OK);
    reopen(fixture);
    assert_int_equal(store_applied(fixture->store).applied_index, 4);
    assert_int_equal(store_applied(fixture->store).applied_term, 3);
    assert_range(fixture->store, "Md", "Me", 10, 1000, "Mdatabases=map ", NULL);
}

static void store_flush_is_due_at_its_bytes_and_not_one_below(void **state)
{
    struct fixture *fixture = *state;
    must_open(fixture);
    apply_put(fixture->store, "Ka", "1234567890");
    size_t size = store_buffered_bytes(fixture->store);
    assert_int_equal(size, ENTRY_STAMP_SIZE + ROWS_HEADER_SIZE + 12);
    assert_true(store_flush_due(fixture->store, size - 1));
    assert_true(store_flush_due(fixture->store, size));
    assert_false(store_flush_due(fixture->store, size + 1));
    struct store_flush job = {0};
    assert_true(store_flush_begin(fixture->store, &job));
    assert_int_equal(job.applied_index, 1);
    assert_false(store_flush_due(fixture->store, 0));
    struct store_flush second = {0};
    assert_false(store_flush_begin(fixture->store, &second));
    assert_int_equal(store_buffered_bytes(fixture->store), size);
    job.job.run(&job.job);
    assert_int_equal(store_flush_end(fixture->store, &job), STORE_OK);
    assert_int_equal(store_buffered_bytes(fixture->store), 0);
    store_flush_fini(&job);
}

static void store_flush_covers_what_was_applied_when_it_began(void **state)
{
    struct fixture *fixture = *state;
    must_open(fixture);
    apply_put(fixture->store, "Ka", "1");
    struct store_flush job = {0};
    assert_true(store_flush_begin(fixture->store, &job));
    apply_put(fixture->store, "Ka", "2");
    apply_put(fixture->store, "Kb", "2");
    job.job.run(&job.job);
    assert_int_equal(store_flush_end(fixture->store, &job), STORE_OK);
    store_flush_fini(&job);
    assert_int_equal(store_flushed(fixture->store).applied_index, 1);
    reopen(fixture);
    assert_int_equal(store_applied(fixture->store).applied_index, 1);
    assert_range(fixture->store, "K", "L", 10, 1000, "Ka=1 ", NULL);
}

static void store_frees_flushed_entries_a_few_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    must_open(fixture);
    struct entry *first = entry_new(ENTRY_ROWS, mem_zero(ENTRY_STAMP_SIZE), ENTRY_STAMP_SIZE);
    first->index = 1;
    store_apply(fixture->store, first);
    for (int i = 0; i < 5000; i++)
        apply_put(fixture->store, "Kk", "v");
    assert_int_equal(flush(fixture->store), STORE_OK);
    assert_int_equal(first->refs, 2); /* the oldest goes last */
    size_t memory = store_buffer_memory(fixture->store);
    assert_true(memory > 5000 * sizeof(struct entry));
    apply_put(fixture->store, "Kk", "v");
    assert_true(store_buffer_memory(fixture->store) < memory);
    for (int i = 0; i < 5; i++)
        (void)do_work(fixture);
    assert_int_equal(first->refs, 1);
    entry_release(first);
}

/* ---- after an error ---- */

static void store_drains_readers_before_it_opens_again(void **state)
{
    struct fixture *fixture = *state;
    must_open(fixture);
    while (do_work(fixture))
        ;
    apply_put(fixture->store, "Ka", "1");
    struct store_read read = {.rows_max = 10, .bytes_max = 100};
    assert_true(store_read_begin(fixture->store, &read));
    kv_memory_fail(fixture->env, KV_MEMORY_FAULT_WRITE_IO, false);
    assert_int_equal(flush(fixture->store), STORE_IO);
    assert_false(store_is_open(fixture->store));
    const char *text;
    assert_int_equal(store_error(fixture->store, &text), STORE_IO);
    assert_string_equal(text, "memory: a write failed");
    assert_false(do_work(fixture)); /* the reader is still inside */
    struct store_read late = {.rows_max = 10, .bytes_max = 100};
    struct store_flush job = {0};
    assert_false(store_read_begin(fixture->store, &late));
    assert_false(store_flush_begin(fixture->store, &job));
    assert_false(store_flush_due(fixture->store, 0));
    read.job.run(&read.job);
    assert_int_equal(store_read_end(fixture->store, &read), STORE_OK);
    store_read_fini(&read);
    assert_true(do_work(fixture));
    assert_true(store_is_open(fixture->store));
    assert_int_equal(store_error(fixture->store, &text), STORE_OK);
    assert_true(store_flush_due(fixture->store, SIZE_MAX)); /* the same rows again */
    assert_int_equal(flush(fixture->store), STORE_OK);
    reopen(fixture);
    assert_range(fixture->store, "K", "L", 10, 1000, "Ka=1 ", NULL);
}

static void store_keeps_its_rows_while_the_disk_is_full_and_recovers_by_itself(void **state)
{
    struct fixture *fixture = *state;
    must_open(fixture);
    apply_put(fixture->store, "Ka", "1");
    kv_memory_fail(fixture->env, KV_MEMORY_FAULT_WRITE_FULL, false);
    assert_int_equal(flush(fixture->store), STORE_FULL);
    kv_memory_fail(fixture->env, KV_MEMORY_FAULT_OPEN_FULL, true);
    int attempts = 0;
    for (fixture->now_ms = 0; fixture->now_ms < 20000; fixture->now_ms += 10) {
        attempts += do_work(fixture);
        assert_false(store_is_open(fixture->store));
    }
    assert_in_range(attempts, 5, 12); /* with growing pauses, not each 10 ms */
    apply_put(fixture->store, "Kb", "2");
    struct bytes value;
    assert_int_equal(store_find_buffered(fixture->store, BYTES_LITERAL("Ka"), &value), STORE_PUT);
    kv_memory_fail(fixture->env, KV_MEMORY_FAULT_NONE, false);
    fixture->now_ms += 5000;
    assert_true(do_work(fixture));
    assert_true(store_is_open(fixture->store));
    assert_int_equal(flush(fixture->store), STORE_OK);
    assert_int_equal(store_flushed(fixture->store).applied_index, 1);
    assert_int_equal(flush(fixture->store), STORE_OK);
    reopen(fixture);
    assert_range(fixture->store, "K", "L", 10, 1000, "Ka=1 Kb=2 ", NULL);
}

static void store_gives_up_when_leveldb_lost_what_it_had_confirmed(void **state)
{
    struct fixture *fixture = *state;
    must_open(fixture);
    apply_put(fixture->store, "Ka", "1");
    assert_int_equal(flush(fixture->store), STORE_OK);
    apply_put(fixture->store, "Kb", "1");
    kv_memory_fail(fixture->env, KV_MEMORY_FAULT_WRITE_IO, false);
    assert_int_equal(flush(fixture->store), STORE_IO);
    assert_true(kv_memory_lose(fixture->env, "data/0/gen-00000001"));
    assert_true(do_work(fixture));
    const char *text;
    assert_int_equal(store_error(fixture->store, &text), STORE_LOST);
    fixture->now_ms += 1000000;
    assert_false(do_work(fixture)); /* waiting does not help */
    struct bytes value;
    assert_int_equal(store_find_buffered(fixture->store, BYTES_LITERAL("Kb"), &value), STORE_PUT);
}

static void store_read_that_fails_says_so_and_kills_the_handle(void **state)
{
    struct fixture *fixture = *state;
    must_open(fixture);
    while (do_work(fixture))
        ;
    struct store_read read = {.rows_max = 10, .bytes_max = 100};
    kv_memory_fail(fixture->env, KV_MEMORY_FAULT_READ_IO, false);
    assert_true(store_read_begin(fixture->store, &read));
    read.job.run(&read.job);
    assert_int_equal(store_read_end(fixture->store, &read), STORE_IO);
    assert_false(read.complete);
    assert_true(read.error.size > 0);
    assert_false(store_is_open(fixture->store));
    store_read_fini(&read);
    assert_true(do_work(fixture));
    assert_true(store_is_open(fixture->store));
    assert_int_equal(store_counters(fixture->store).read_errors, 1);
    assert_int_equal(store_counters(fixture->store).reopens, 1);
}

/* ---- reading ---- */

/* LevelDB a b c d, flushing -b c' e, active -a d' f. */
static void make_three_layers(struct fixture *fixture, struct store_flush *job)
{
    static const char *const stored[] = {"Ka", "Kb", "Kc", "Kd"};
    for (size_t i = 0; i < COUNT_OF(stored); i++)
        apply_put(fixture->store, stored[i], "1");
    assert_int_equal(flush(fixture->store), STORE_OK);
    apply_delete(fixture->store, "Kb");
    apply_put(fixture->store, "Kc", "2");
    apply_put(fixture->store, "Ke", "2");
    assert_true(store_flush_begin(fixture->store, job));
    apply_delete(fixture->store, "Ka");
    apply_put(fixture->store, "Kd", "3");
    apply_put(fixture->store, "Kf", "3");
}

static void end_flush(struct fixture *fixture, struct store_flush *job)
{
    job->job.run(&job->job);
    assert_int_equal(store_flush_end(fixture->store, job), STORE_OK);
    store_flush_fini(job);
}

static void store_read_overlays_both_buffers_and_deletes_hide(void **state)
{
    struct fixture *fixture = *state;
    struct store_flush job = {0};
    must_open(fixture);
    make_three_layers(fixture, &job);
    assert_range(fixture->store, "K", "L", 10, 1000, "Kc=2 Kd=3 Ke=2 Kf=3 ", NULL);
    assert_range(fixture->store, "Kc", "Ke", 10, 1000, "Kc=2 Kd=3 ", NULL);
    assert_range(fixture->store, "Ka", "Kc", 10, 1000, "", NULL);
    assert_range(fixture->store, "Kg", "L", 10, 1000, "", NULL);
    end_flush(fixture, &job);
    assert_range(fixture->store, "K", "L", 10, 1000, "Kc=2 Kd=3 Ke=2 Kf=3 ", NULL);
}

static void store_read_stops_at_its_limits_and_says_where_to_go_on(void **state)
{
    struct fixture *fixture = *state;
    struct store_flush job = {0};
    must_open(fixture);
    make_three_layers(fixture, &job);
    /* Four rows in the answer, three of them buffered in each layer. */
    assert_range(fixture->store, "K", "L", 4, 1000, "Kc=2 Kd=3 Ke=2 Kf=3 ", NULL);
    assert_range(fixture->store, "K", "L", 3, 1000, "Kc=2 Kd=3 Ke=2 ", "Kf");
    assert_range(fixture->store, "Kf", "L", 3, 1000, "Kf=3 ", NULL);
    /* With 1, flushing knows only -b and active only -a: the answer is empty but gets ahead. */
    assert_range(fixture->store, "K", "L", 1, 1000, "", "Kc");
    assert_range(fixture->store, "Kc", "L", 1, 1000, "Kc=2 ", "Kd");
    /* A row is 12 bytes as codec/rows.h has it: the second one reaches 13. */
    assert_range(fixture->store, "Kd", "L", 10, 12, "Kd=3 ", "Ke");
    assert_range(fixture->store, "Kd", "L", 10, 13, "Kd=3 Ke=2 ", "Kf");
    assert_range(fixture->store, "Kd", "L", 10, 1, "Kd=3 ", "Ke");
    end_flush(fixture, &job);
}

static void store_read_of_keys_answers_each_in_the_order_asked(void **state)
{
    struct fixture *fixture = *state;
    struct store_flush job = {0};
    must_open(fixture);
    make_three_layers(fixture, &job);
    static const char *const asked[] = {"Kf", "Ka", "Kc", "Kz", "Kb", "Kd", "Kd"};
    struct bytes keys[COUNT_OF(asked)];
    for (size_t i = 0; i < COUNT_OF(asked); i++)
        keys[i] = bytes_of_string(asked[i]);
    struct store_read read = {.keys = keys, .key_count = COUNT_OF(asked)};
    struct buf text = {0};
    read_text(fixture->store, &read, &text);
    buf_append_u8(&text, 0);
    assert_string_equal((const char *)text.data, "Kf=3 Ka= Kc=2 Kz= Kb= Kd=3 Kd=3 ");
    assert_true(read.complete);
    assert_int_equal(read.row_count, COUNT_OF(asked));
    buf_free(&text);
    store_read_fini(&read);
    end_flush(fixture, &job);
}

static void store_read_sees_the_moment_it_began_whatever_comes_later(void **state)
{
    struct fixture *fixture = *state;
    struct store_flush job = {0};
    must_open(fixture);
    make_three_layers(fixture, &job);
    struct store_read read = {
        .from = BYTES_LITERAL("K"), .to = BYTES_LITERAL("L"), .rows_max = 10, .bytes_max = 1000};
    assert_true(store_read_begin(fixture->store, &read));
    end_flush(fixture, &job);
    apply_put(fixture->store, "Kc", "9");
    apply_put(fixture->store, "Ka", "9");
    assert_int_equal(flush(fixture->store), STORE_OK);
    while (do_work(fixture))
        ;
    read.job.run(&read.job);
    struct bytes rest = buf_bytes(&read.rows);
    struct row row;
    static const char *const expected[] = {"Kc2", "Kd3", "Ke2", "Kf3"};
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_int_equal(rows_next(&rest, &row), ROWS_OK);
        assert_memory_equal(row.key.data, expected[i], 2);
        assert_int_equal(row.value.data[0], expected[i][2]);
    }
    assert_int_equal(rest.size, 0);
    assert_int_equal(store_read_end(fixture->store, &read), STORE_OK);
    store_read_fini(&read);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(store_without_a_directory_is_absent_unless_created),
        TEST(store_directories_have_names_that_a_crash_cannot_take),
        TEST(store_that_lost_current_is_never_created_anew),
        TEST(store_refuses_a_current_that_names_nothing),
        TEST(store_deletes_a_generation_that_current_does_not_name),
        TEST(store_creation_may_be_cut_short_anywhere),
        TEST(store_refuses_newer_formats_and_missing_meta),
        TEST(store_meta_is_written_as_the_format_document_says),
        TEST(store_ignores_rows_of_its_own_names_in_entries),
        TEST(store_flush_is_due_at_its_bytes_and_not_one_below),
        TEST(store_flush_covers_what_was_applied_when_it_began),
        TEST(store_frees_flushed_entries_a_few_at_a_time),
        TEST(store_drains_readers_before_it_opens_again),
        TEST(store_keeps_its_rows_while_the_disk_is_full_and_recovers_by_itself),
        TEST(store_gives_up_when_leveldb_lost_what_it_had_confirmed),
        TEST(store_read_that_fails_says_so_and_kills_the_handle),
        TEST(store_read_overlays_both_buffers_and_deletes_hide),
        TEST(store_read_stops_at_its_limits_and_says_where_to_go_on),
        TEST(store_read_of_keys_answers_each_in_the_order_asked),
        TEST(store_read_sees_the_moment_it_began_whatever_comes_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
