/* Export and import of a shard's rows: what arrives is the content at one flushed moment, whatever
 * both sides do meanwhile; what is refused, abandoned or fails leaves the old rows. */
#include "install_box.h"

#include "base/mem.h"
#include "fsm/fsm.h"
#include "store/row_key.h"

static int setup(void **state)
{
    struct install_box *box = mem_zero(sizeof(*box));
    box_open(box, false, 11);
    *state = box;
    return 0;
}

static int setup_real(void **state)
{
    struct install_box *box = mem_zero(sizeof(*box));
    box_open(box, true, 12);
    *state = box;
    return 0;
}

static int teardown(void **state)
{
    box_close(*state);
    mem_free(*state);
    return 0;
}

/* Entries 1 and 2 on the receiving side: "Kown" is durable, "Kmine" is not. */
static void fill_receiver(struct install_box *box)
{
    side_put(&box->to, "Kown", BYTES_LITERAL("1"));
    assert_int_equal(side_flush(&box->to), STORE_OK);
    side_put(&box->to, "Kmine", BYTES_LITERAL("2"));
}

static void fill_sender(struct install_box *box, int entries)
{
    for (int i = 0; i < entries; i++)
        side_apply_drawn(box, &box->from);
    assert_int_equal(side_flush(&box->from), STORE_OK);
}

/* ---- the whole way ---- */

/* Both sides go on: entries, flushes, housekeeping. */
static void disturb(struct install_box *box, struct install_side *side)
{
    for (uint64_t i = prng_below(&box->prng, 3); i > 0; i--)
        side_apply_drawn(box, side);
    if (prng_below(&box->prng, 2) == 0 && store_is_open(side->store))
        assert_int_equal(side_flush(side), STORE_OK);
    (void)side_work(box, side);
}

static void install_under_traffic(struct install_box *box, struct row_map *moment)
{
    assert_true(store_export_begin(box->from.store, &box->export));
    row_map_copy(moment, &box->from.model);
    import_begin(box);
    size_t chunks = 0;
    do {
        size_t bytes_max = prng_between(&box->prng, 1, 3000);
        assert_int_equal(read_chunk(&box->export, bytes_max), STORE_OK);
        assert_true(box->export.rows.size <= bytes_max || box->export.row_count == 1);
        disturb(box, &box->from);
        assert_int_equal(import_write(box, buf_bytes(&box->export.rows)), STORE_OK);
        if (store_applied(box->to.store).applied_index + 3 < box->export.meta.applied_index)
            disturb(box, &box->to);
        chunks++;
    } while (!box->export.complete);
    assert_true(chunks > 3);
    assert_int_equal(box->import.rows_taken, moment->count);
    assert_int_equal(box->export.bytes_sent, box->import.bytes_taken);
}

static void install_gives_the_content_of_one_moment(struct install_box *box)
{
    struct row_map moment = {0};
    fill_receiver(box);
    fill_sender(box, 300);
    side_apply(&box->from, ENTRY_MEMBERS, (struct buf){.data = mem_zero(9), .size = 9});
    assert_int_equal(side_flush(&box->from), STORE_OK);
    install_under_traffic(box, &moment);
    assert_content(&box->to, &box->to.model); /* the old rows serve until the adoption */
    assert_int_equal(import_finish(box, box->export.meta), STORE_OK);
    assert_true(store_import_adopt(box->to.store, &box->import));
    assert_string_equal(store_generation(box->to.store), "gen-00000002");
    assert_meta(store_applied(box->to.store), box->export.meta);
    assert_meta(store_flushed(box->to.store), box->export.meta);
    assert_int_equal(store_applied(box->to.store).members.size, 9);
    assert_content(&box->to, &moment);
    assert_int_equal(import_settle(box), STORE_OK);
    assert_int_equal(box->import.state, STORE_IMPORT_IDLE);
    /* It lives: the next entries come on top, and a restart finds all of it. */
    row_map_copy(&box->to.model, &moment);
    box->to.term = box->from.term;
    for (int i = 0; i < 20; i++)
        side_apply_drawn(box, &box->to);
    assert_int_equal(side_flush(&box->to), STORE_OK);
    store_free(box->to.store);
    side_must_open(box, &box->to);
    assert_string_equal(store_generation(box->to.store), "gen-00000002");
    assert_int_equal(store_applied(box->to.store).applied_index,
                     box->export.meta.applied_index + 20);
    assert_content(&box->to, &box->to.model);
    row_map_free(&moment);
}

static void install_gives_the_content_of_one_moment_under_traffic_with_the_twin(void **state)
{
    install_gives_the_content_of_one_moment(*state);
    struct install_box *box = *state;
    assert_int_equal(kv_memory_rows(box->env, "data/to/gen-00000001"), 0);
}

static void install_gives_the_content_of_one_moment_under_traffic_with_leveldb(void **state)
{
    install_gives_the_content_of_one_moment(*state);
    struct install_box *box = *state;
    char line[128];
    (void)snprintf(line, sizeof(line), "test ! -e %s/gen-00000001", box->to.dir);
    assert_int_equal(system(line), 0);
}

/* More than a batch, so that several synced writes happen and tables are made. */
static void install_of_megabytes_arrives_with_leveldb(void **state)
{
    struct install_box *box = *state;
    struct buf value = {0};
    memset(buf_extend(&value, 100000), 'v', 100000);
    for (int i = 0; i < 60; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "Ebig%04d", i);
        put_le64(value.data, prng_next(&box->prng));
        side_put(&box->from, key, buf_bytes(&value));
    }
    buf_free(&value);
    assert_int_equal(side_flush(&box->from), STORE_OK);
    import_begin(box);
    transfer(box, STORE_EXPORT_BYTES_DEFAULT);
    assert_int_equal(import_finish(box, box->export.meta), STORE_OK);
    assert_true(store_import_adopt(box->to.store, &box->import));
    assert_int_equal(import_settle(box), STORE_OK);
    assert_content(&box->to, &box->from.model);
    store_free(box->to.store);
    side_must_open(box, &box->to);
    assert_content(&box->to, &box->from.model);
}

static void install_of_an_empty_shard_brings_its_index_and_members(void **state)
{
    struct install_box *box = *state;
    fill_receiver(box);
    for (int i = 0; i < 3; i++)
        side_apply(&box->from, ENTRY_NOOP, (struct buf){0});
    assert_int_equal(side_flush(&box->from), STORE_OK);
    import_begin(box);
    transfer(box, 100);
    assert_int_equal(box->export.row_count, 0);
    assert_int_equal(box->export.rows_sent, 0);
    assert_int_equal(import_finish(box, box->export.meta), STORE_OK);
    assert_true(store_import_adopt(box->to.store, &box->import));
    assert_content(&box->to, &box->from.model);
    assert_int_equal(store_applied(box->to.store).applied_index, 3);
    assert_true(bytes_equal(store_applied(box->to.store).members, BYTES_LITERAL("first")));
}

/* The receiver sweeps what the sender had not swept yet. */
static void install_brings_garbage_along_and_the_receiver_sweeps_it(void **state)
{
    struct install_box *box = *state;
    struct buf payload = rows_begin();
    for (uint8_t i = 0; i < 10; i++) {
        struct buf key = {0};
        row_key_append_element(&key, 99, bytes_of(&i, 1));
        rows_append(&payload, ROW_PUT, buf_bytes(&key), BYTES_LITERAL("garbage"));
        buf_free(&key);
    }
    struct buf key = {0};
    row_key_append_sweep_object(&key, 99);
    rows_append(&payload, ROW_PUT, buf_bytes(&key), (struct bytes){0});
    rows_append(&payload, ROW_PUT, BYTES_LITERAL("Kkept"), BYTES_LITERAL("1"));
    buf_free(&key);
    side_apply(&box->from, ENTRY_ROWS, payload);
    assert_int_equal(side_flush(&box->from), STORE_OK);
    while (side_work(box, &box->to)) /* so that the receiver's own pass is over */
        ;
    assert_false(store_sweep_pending(box->to.store));
    import_begin(box);
    transfer(box, 1000);
    assert_int_equal(box->import.rows_taken, 12);
    assert_int_equal(import_finish(box, box->export.meta), STORE_OK);
    assert_true(store_import_adopt(box->to.store, &box->import));
    struct store_meta applied = store_applied(box->to.store);
    assert_true(applied.applied_index > 0);
    assert_int_equal(applied.installed_index, applied.applied_index);
    assert_true(store_sweep_pending(box->to.store));
    while (side_work(box, &box->to) || store_flush_due(box->to.store, SIZE_MAX)) {
        if (store_flush_due(box->to.store, SIZE_MAX))
            assert_int_equal(side_flush(&box->to), STORE_OK);
    }
    struct row_map left = side_content(&box->to);
    assert_int_equal(left.count, 1);
    assert_non_null(row_map_find(&left, BYTES_LITERAL("Kkept")));
    row_map_free(&left);
}

/* ---- exporting ---- */

/* A row of a one-byte value and a two-byte key is 12 bytes in codec/rows.h. */
static void export_chunks_hold_bytes_max_and_not_one_more(void **state)
{
    struct install_box *box = *state;
    static const struct {
        size_t bytes_max;
        size_t rows[4];
    } cases[] = {{1, {1, 1, 1, 1}}, {23, {1, 1, 1, 1}}, {24, {2, 2}}, {25, {2, 2}},
                 {36, {3, 1}},      {47, {3, 1}},       {48, {4}},    {49, {4}}};
    static const char *const keys[] = {"Ka", "Kb", "Kc", "Kd"};
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        side_put(&box->from, keys[i], BYTES_LITERAL("1"));
    assert_int_equal(side_flush(&box->from), STORE_OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_true(store_export_begin(box->from.store, &box->export));
        for (size_t chunk = 0; chunk == 0 || !box->export.complete; chunk++) {
            assert_true(chunk < 4);
            assert_int_equal(read_chunk(&box->export, cases[i].bytes_max), STORE_OK);
            assert_int_equal(box->export.row_count, cases[i].rows[chunk]);
        }
        assert_int_equal(box->export.rows_sent, 4);
        store_export_fini(&box->export);
    }
}

static void export_gives_a_row_above_bytes_max_alone(void **state)
{
    struct install_box *box = *state;
    uint8_t big[5000] = {1};
    side_put(&box->from, "Ka", BYTES_LITERAL("1"));
    side_put(&box->from, "Kb", bytes_of(big, sizeof(big)));
    side_put(&box->from, "Kc", BYTES_LITERAL("1"));
    assert_int_equal(side_flush(&box->from), STORE_OK);
    assert_true(store_export_begin(box->from.store, &box->export));
    for (int chunk = 0; chunk < 3; chunk++) {
        assert_false(box->export.complete);
        assert_int_equal(read_chunk(&box->export, 1000), STORE_OK);
        assert_int_equal(box->export.row_count, 1);
    }
    assert_true(box->export.complete);
}

/* The batch may be in LevelDB before the loop knows: what the snapshot holds would be above meta.
 */
static void export_waits_for_a_flush_to_end_well(void **state)
{
    struct install_box *box = *state;
    struct store_flush flush = {0};
    side_put(&box->from, "Ka", BYTES_LITERAL("1"));
    assert_true(store_flush_begin(box->from.store, &flush));
    assert_false(store_export_begin(box->from.store, &box->export));
    kv_memory_fail(box->env, KV_MEMORY_FAULT_WRITE_IO_KEPT, false);
    flush.job.run(&flush.job);
    assert_false(store_export_begin(box->from.store, &box->export));
    assert_int_equal(store_flush_end(box->from.store, &flush), STORE_IO);
    assert_false(store_export_begin(box->from.store, &box->export));
    assert_true(side_work(box, &box->from));
    assert_true(store_is_open(box->from.store)); /* holds index 1, flushed says 0 */
    assert_false(store_export_begin(box->from.store, &box->export));
    assert_int_equal(side_flush(&box->from), STORE_OK);
    assert_true(store_export_begin(box->from.store, &box->export));
    assert_int_equal(box->export.meta.applied_index, 1);
    store_flush_fini(&flush);
}

static void export_that_is_idle_lets_a_dead_handle_go(void **state)
{
    struct install_box *box = *state;
    fill_sender(box, 50);
    assert_true(store_export_begin(box->from.store, &box->export));
    assert_int_equal(read_chunk(&box->export, 100), STORE_OK);
    side_put(&box->from, "Ka", BYTES_LITERAL("1"));
    kv_memory_fail(box->env, KV_MEMORY_FAULT_WRITE_IO, false);
    assert_int_equal(side_flush(&box->from), STORE_IO);
    assert_false(store_export_read(&box->export, 100));
    assert_int_equal(box->export.err, STORE_IO);
    assert_says(&box->export.error, "a write failed");
    assert_true(side_work(box, &box->from)); /* nobody holds the handle: it is opened again */
    assert_true(store_is_open(box->from.store));
    assert_int_equal(side_flush(&box->from), STORE_OK);
    assert_true(store_export_begin(box->from.store, &box->export));
    assert_int_equal(read_chunk(&box->export, SIZE_MAX), STORE_OK);
    assert_true(box->export.complete);
    assert_int_equal(box->export.rows_sent, box->from.model.count);
}

static void export_that_reads_holds_a_dead_handle_until_its_chunk_is_read(void **state)
{
    struct install_box *box = *state;
    struct store_export idle = {0};
    fill_sender(box, 50);
    while (side_work(box, &box->from))
        ;
    assert_true(store_export_begin(box->from.store, &box->export));
    assert_true(store_export_begin(box->from.store, &idle));
    assert_true(store_export_read(&box->export, 100));
    side_put(&box->from, "Ka", BYTES_LITERAL("1"));
    kv_memory_fail(box->env, KV_MEMORY_FAULT_WRITE_IO, false);
    assert_int_equal(side_flush(&box->from), STORE_IO);
    assert_false(store_export_read(&idle, 100));
    assert_false(side_work(box, &box->from));
    box->export.job.run(&box->export.job);
    assert_int_equal(store_export_read_end(&box->export), STORE_IO);
    assert_int_equal(box->export.row_count, 0);
    assert_false(store_export_read(&box->export, 100));
    assert_true(side_work(box, &box->from));
    assert_true(store_is_open(box->from.store));
    store_export_fini(&idle);
}

static void export_whose_read_fails_kills_the_handle_and_every_other_export(void **state)
{
    struct install_box *box = *state;
    struct store_export other = {0};
    fill_sender(box, 50);
    assert_true(store_export_begin(box->from.store, &box->export));
    assert_true(store_export_begin(box->from.store, &other));
    kv_memory_fail(box->env, KV_MEMORY_FAULT_READ_DAMAGED, false);
    assert_int_equal(read_chunk(&box->export, 100), STORE_DAMAGED);
    assert_says(&box->export.error, "a read failed");
    assert_false(store_export_read(&other, 100));
    assert_false(store_is_open(box->from.store));
    assert_true(side_work(box, &box->from));
    assert_true(store_is_open(box->from.store));
    store_export_fini(&other);
}

static void export_outlives_its_store(void **state)
{
    struct install_box *box = *state;
    fill_sender(box, 50);
    assert_true(store_export_begin(box->from.store, &box->export));
    store_free(box->from.store);
    assert_false(store_export_read(&box->export, 100));
    assert_says(&box->export.error, "closed");
    side_must_open(box, &box->from);
}

/* ---- refusing, failing, abandoning ---- */

static void import_refuses_streams_that_no_export_makes(void **state)
{
    struct install_box *box = *state;
    static const struct {
        enum row_op op;
        const char *key;
        size_t cut;
        const char *says;
    } cases[] = {
        {ROW_PUT, "Kb", 0, "received row 2 is not above"},
        {ROW_PUT, "Ka", 0, "is not above"},
        {ROW_PUT, "Eb", 0, "is not above"},
        {ROW_PUT_NEW, "Kc", 0, "is no put"},
        {ROW_DELETE, "Kc", 0, "is no put"},
        {ROW_PUT, "Mapplied", 0, "writes itself"},
        {ROW_PUT, "Midentity", 0, "writes itself"},
        {ROW_PUT, "Mmembers", 0, "writes itself"},
        {ROW_PUT, "Kc", 1, "is no row"},
        {ROW_PUT, "Kc", 8, "is no row"},
    };
    fill_receiver(box);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        import_begin(box);
        struct buf good = {0};
        struct buf bad = {0};
        rows_append(&good, ROW_PUT, BYTES_LITERAL("Kb"), BYTES_LITERAL("1"));
        struct bytes value = cases[i].op == ROW_DELETE ? (struct bytes){0} : BYTES_LITERAL("1");
        rows_append(&bad, cases[i].op, bytes_of_string(cases[i].key), value);
        bad.size -= cases[i].cut;
        assert_int_equal(import_write(box, buf_bytes(&good)), STORE_OK);
        assert_int_equal(import_write(box, buf_bytes(&bad)), STORE_DAMAGED);
        assert_says(&box->import.error, cases[i].says);
        assert_int_equal(box->import.state, STORE_IMPORT_FAILED);
        assert_int_equal(import_abandon(box), STORE_OK);
        assert_int_equal(box->import.state, STORE_IMPORT_IDLE);
        assert_false(kv_memory_lose(box->env, "data/to/gen-00000002"));
        buf_free(&good);
        buf_free(&bad);
    }
    assert_content(&box->to, &box->to.model);
    assert_int_equal(side_flush(&box->to), STORE_OK);
}

static void import_is_abandoned_at_any_moment_and_begun_again(void **state)
{
    struct install_box *box = *state;
    fill_receiver(box);
    fill_sender(box, 100);
    for (int at = 0; at < 4; at++) {
        assert_false(store_import_abandon(box->to.store, &box->import)); /* idle: nothing to do */
        store_import_begin(box->to.store, &box->import);
        assert_false(store_import_abandon(box->to.store, &box->import)); /* a job is under way */
        assert_int_equal(run_import(box), STORE_OK);
        if (at >= 1)
            transfer(box, 500);
        if (at >= 2)
            assert_int_equal(import_finish(box, box->export.meta), STORE_OK);
        if (at == 3) /* published, and only then Raft says that it is not wanted */
            assert_true(store_import_is_adoptable(box->to.store, &box->import));
        assert_int_equal(import_abandon(box), STORE_OK);
        assert_false(kv_memory_lose(box->env, "data/to/gen-00000002"));
        assert_true(bytes_equal(sim_disk_content(box->disk, "data/to/CURRENT"),
                                BYTES_LITERAL("gen-00000001\n")));
        assert_content(&box->to, &box->to.model);
        store_export_fini(&box->export);
    }
    assert_int_equal(side_flush(&box->to), STORE_OK);
    store_free(box->to.store);
    side_must_open(box, &box->to);
    assert_content(&box->to, &box->to.model);
    import_begin(box);
    transfer(box, 500);
    assert_int_equal(import_finish(box, box->export.meta), STORE_OK);
    assert_true(store_import_adopt(box->to.store, &box->import));
    assert_content(&box->to, &box->from.model);
}

static void import_that_the_disk_fails_can_be_begun_again(void **state)
{
    struct install_box *box = *state;
    fill_receiver(box);
    fill_sender(box, 100);
    kv_memory_fail(box->env, KV_MEMORY_FAULT_OPEN_FULL, false);
    store_import_begin(box->to.store, &box->import);
    assert_int_equal(run_import(box), STORE_FULL);
    assert_int_equal(import_abandon(box), STORE_OK);
    import_begin(box);
    transfer(box, 500);
    kv_memory_fail(box->env, KV_MEMORY_FAULT_WRITE_FULL, false);
    assert_int_equal(import_finish(box, box->export.meta), STORE_FULL);
    assert_int_equal(box->import.state, STORE_IMPORT_FAILED);
    assert_int_equal(side_flush(&box->to), STORE_OK); /* nothing was published: flushes go on */
    assert_int_equal(import_abandon(box), STORE_OK);
    store_export_fini(&box->export);
    import_begin(box);
    transfer(box, 500);
    assert_int_equal(import_finish(box, box->export.meta), STORE_OK);
    assert_true(store_import_adopt(box->to.store, &box->import));
    assert_content(&box->to, &box->from.model);
}

static void import_job_that_was_not_run_is_a_failure(void **state)
{
    struct install_box *box = *state;
    store_import_begin(box->to.store, &box->import);
    assert_int_equal(store_import_done(box->to.store, &box->import), STORE_IO);
    assert_says(&box->import.error, "not run");
    assert_int_equal(import_abandon(box), STORE_OK);
    assert_int_equal(box->import.state, STORE_IMPORT_IDLE);
}

/* CURRENT may name either one: nothing rises above the new one's index until that is decided. */
static void import_whose_publishing_failed_holds_flushes_until_it_is_abandoned(void **state)
{
    struct install_box *box = *state;
    fill_receiver(box);
    fill_sender(box, 100);
    import_begin(box);
    transfer(box, 500);
    sim_disk_fail(box->disk, SIM_FAULT_SYNC_IO, true);
    struct store_flush flush = {0};
    assert_true(store_import_finish(box->to.store, &box->import, &box->export.meta));
    assert_false(store_flush_begin(box->to.store, &flush)); /* it may be published by now */
    assert_int_equal(run_import(box), STORE_IO);
    assert_int_equal(box->import.state, STORE_IMPORT_FAILED);
    assert_false(store_flush_due(box->to.store, 0));
    assert_false(store_flush_begin(box->to.store, &flush));
    assert_content(&box->to, &box->to.model); /* reads go on */
    assert_int_equal(import_abandon(box), STORE_IO);
    assert_false(store_flush_begin(box->to.store, &flush));
    assert_true(kv_memory_rows(box->env, "data/to/gen-00000002") > 0); /* not deleted */
    sim_disk_fail(box->disk, SIM_FAULT_NONE, false);
    assert_int_equal(import_abandon(box), STORE_OK);
    assert_int_equal(side_flush(&box->to), STORE_OK);
    assert_true(bytes_equal(sim_disk_content(box->disk, "data/to/CURRENT"),
                            BYTES_LITERAL("gen-00000001\n")));
    assert_content(&box->to, &box->to.model);
}

/* L3: the applied index never goes back. */
static void import_of_an_index_that_is_applied_already_is_not_finished(void **state)
{
    struct install_box *box = *state;
    fill_receiver(box); /* applied index 2 */
    import_begin(box);
    struct store_meta meta = {.applied_index = 2, .applied_term = 5};
    assert_false(store_import_finish(box->to.store, &box->import, &meta));
    meta.applied_index = 1;
    assert_false(store_import_finish(box->to.store, &box->import, &meta));
    assert_int_equal(side_flush(&box->to), STORE_OK);
    meta.applied_index = 3;
    assert_int_equal(import_finish(box, meta), STORE_OK);
    assert_true(store_import_adopt(box->to.store, &box->import));
    assert_int_equal(store_applied(box->to.store).applied_index, 3);
}

/* ---- adopting ---- */

static void adopt_waits_for_every_job_that_uses_the_old_handle(void **state)
{
    struct install_box *box = *state;
    fill_receiver(box);
    fill_sender(box, 100);
    while (side_work(box, &box->to))
        ;
    struct store_read read = {.rows_max = 10, .bytes_max = 1000};
    struct store_read other = {.rows_max = 10, .bytes_max = 1000};
    struct store_flush flush = {0};
    assert_true(store_read_begin(box->to.store, &read));
    assert_true(store_read_begin(box->to.store, &other));
    assert_true(store_flush_begin(box->to.store, &flush));
    import_begin(box);
    transfer(box, 500);
    assert_int_equal(import_finish(box, box->export.meta), STORE_OK);
    assert_false(store_import_adopt(box->to.store, &box->import));
    /* Nothing new begins, so the wait ends. */
    struct store_read late = {.rows_max = 10, .bytes_max = 100};
    struct store_export export = {0};
    assert_false(store_read_begin(box->to.store, &late));
    assert_false(store_export_begin(box->to.store, &export));
    assert_false(store_is_open(box->to.store));
    assert_false(side_work(box, &box->to));
    read.job.run(&read.job);
    assert_int_equal(store_read_end(box->to.store, &read), STORE_OK);
    assert_int_equal(read.row_count, 5); /* of the old content: two keys, three of its own */
    assert_false(store_import_is_adoptable(box->to.store, &box->import));
    flush.job.run(&flush.job);
    assert_int_equal(store_flush_end(box->to.store, &flush), STORE_OK);
    assert_false(store_import_adopt(box->to.store, &box->import)); /* the second read */
    other.job.run(&other.job);
    assert_int_equal(store_read_end(box->to.store, &other), STORE_OK);
    assert_true(store_import_is_adoptable(box->to.store, &box->import));
    assert_true(store_import_adopt(box->to.store, &box->import));
    assert_content(&box->to, &box->from.model);
    assert_int_equal(store_buffered_bytes(box->to.store), 0);
    struct bytes value;
    assert_int_equal(store_find_buffered(box->to.store, BYTES_LITERAL("Kmine"), &value),
                     STORE_UNKNOWN);
    store_read_fini(&read);
    store_read_fini(&other);
    store_flush_fini(&flush);
}

static void adopt_lets_idle_exports_of_the_old_rows_go(void **state)
{
    struct install_box *box = *state;
    struct store_export old = {0};
    fill_receiver(box);
    fill_sender(box, 10);
    assert_true(store_export_begin(box->to.store, &old));
    import_begin(box);
    transfer(box, 500);
    assert_int_equal(import_finish(box, box->export.meta), STORE_OK);
    assert_true(store_import_adopt(box->to.store, &box->import));
    assert_false(store_export_read(&old, 100));
    assert_says(&old.error, "replaced");
    assert_int_equal(import_settle(box), STORE_OK);
    store_export_fini(&old);
}

/* The new generation has a handle of its own: what the old one meets does not matter to it. */
static void adopt_takes_over_from_a_handle_that_died_meanwhile(void **state)
{
    struct install_box *box = *state;
    for (int reopened = 0; reopened < 2; reopened++) {
        side_put(&box->to, "Kown", BYTES_LITERAL("1"));
        fill_sender(box, 100);
        import_begin(box);
        kv_memory_fail(box->env, KV_MEMORY_FAULT_WRITE_IO, false);
        assert_int_equal(side_flush(&box->to), STORE_IO);
        if (reopened)
            assert_true(side_work(box, &box->to));
        transfer(box, 500);
        assert_int_equal(import_finish(box, box->export.meta), STORE_OK);
        assert_true(store_import_adopt(box->to.store, &box->import));
        assert_int_equal(import_settle(box), STORE_OK);
        assert_true(store_is_open(box->to.store));
        assert_content(&box->to, &box->from.model);
        store_export_fini(&box->export);
        box->to.term = box->from.term;
    }
}

/* ---- rows lost ---- */

static void lost_store_takes_an_import_and_nothing_else(struct install_box *box,
                                                        enum store_err expected)
{
    assert_int_equal(side_open(box, &box->to, true), expected);
    assert_non_null(box->to.store);
    const char *text;
    assert_int_equal(store_error(box->to.store, &text), expected);
    assert_true(strlen(text) > 0);
    assert_int_equal(store_applied(box->to.store).applied_index, 0);
    assert_false(store_is_open(box->to.store));
    box->now_ms += 1000000;
    assert_false(side_work(box, &box->to));
    struct store_read read = {.rows_max = 10, .bytes_max = 100};
    assert_false(store_read_begin(box->to.store, &read));
    import_begin(box);
    transfer(box, 500);
    assert_int_equal(import_finish(box, box->export.meta), STORE_OK);
    assert_true(store_import_adopt(box->to.store, &box->import));
    assert_content(&box->to, &box->from.model);
    assert_int_equal(import_settle(box), STORE_OK);
    store_export_fini(&box->export);
    store_free(box->to.store);
    side_must_open(box, &box->to);
    assert_content(&box->to, &box->from.model);
    assert_meta(store_applied(box->to.store), store_flushed(box->from.store));
    store_free(box->to.store);
}

static void lost_rows_are_brought_back_by_an_import_whatever_was_lost(void **state)
{
    struct install_box *box = *state;
    fill_sender(box, 100);
    store_free(box->to.store);
    box->to.store = NULL;
    assert_int_equal(box->disk->ops->remove(box->disk, "data/to/CURRENT"), DISK_OK);
    assert_int_equal(side_open(box, &box->to, false), STORE_LOST); /* not without being asked */
    assert_null(box->to.store);
    lost_store_takes_an_import_and_nothing_else(box, STORE_LOST);
    assert_true(kv_memory_damage(box->env, "data/to/gen-00000002"));
    lost_store_takes_an_import_and_nothing_else(box, STORE_DAMAGED);
    assert_true(kv_memory_lose(box->env, "data/to/gen-00000003"));
    lost_store_takes_an_import_and_nothing_else(box, STORE_LOST);
    (void)snprintf(box->to.dir, sizeof(box->to.dir), "data/new");
    lost_store_takes_an_import_and_nothing_else(box, STORE_ABSENT);
    box->to.store = NULL;
}

/* While the process lives the index may be the one it had applied, or below. */
static void lost_rows_at_run_time_take_an_import_at_any_index(void **state)
{
    struct install_box *box = *state;
    fill_receiver(box);
    kv_memory_fail(box->env, KV_MEMORY_FAULT_WRITE_IO, false);
    assert_int_equal(side_flush(&box->to), STORE_IO);
    assert_true(kv_memory_lose(box->env, "data/to/gen-00000001"));
    assert_true(side_work(box, &box->to));
    const char *text;
    assert_int_equal(store_error(box->to.store, &text), STORE_LOST);
    fill_sender(box, 1);
    import_begin(box);
    transfer(box, 500);
    assert_int_equal(import_finish(box, box->export.meta), STORE_OK);
    assert_true(store_import_adopt(box->to.store, &box->import));
    assert_int_equal(store_error(box->to.store, &text), STORE_OK);
    assert_int_equal(store_applied(box->to.store).applied_index, 1);
    assert_content(&box->to, &box->from.model);
}

/* ---- through the state machine ---- */

static void do_nothing(struct job *job)
{
    (void)job;
}

static void take_back(struct worker *worker, struct fsm *fsm)
{
    struct buf error = {0};
    assert_true(fsm_is_busy(fsm));
    assert_true(worker_run_one(worker));
    (void)fsm_job_done(fsm, worker_take_done(worker), &error);
    assert_int_equal(error.size, 0);
    assert_false(fsm_is_busy(fsm));
}

static void fsm_routes_the_jobs_of_exports_and_imports_by_kind_and_shard(void **state)
{
    struct install_box *box = *state;
    struct worker *worker = worker_new_manual(4);
    struct worker *full = worker_new_manual(1);
    struct fsm from = {.store = box->from.store, .shard = 3};
    struct fsm to = {.store = box->to.store, .shard = 3, .oldest_ms = 5};
    struct job filler = {.run = do_nothing};
    fill_sender(box, 20);
    assert_true(worker_submit(full, &filler));
    store_import_begin(to.store, &box->import);
    fsm_import_submit(&to, &box->import, worker);
    assert_int_equal(box->import.job.kind, FSM_JOB_IMPORT | 3 << FSM_JOB_SHARD_SHIFT);
    take_back(worker, &to);
    assert_true(store_export_begin(from.store, &box->export));
    assert_false(fsm_export_read(&from, &box->export, 1 << 20, full));
    assert_int_equal(box->export.err, STORE_OK);
    assert_true(fsm_export_read(&from, &box->export, 1 << 20, worker));
    assert_int_equal(box->export.job.kind, FSM_JOB_EXPORT | 3 << FSM_JOB_SHARD_SHIFT);
    take_back(worker, &from);
    assert_true(box->export.complete);
    store_import_write(&box->import, buf_bytes(&box->export.rows));
    fsm_import_submit(&to, &box->import, worker);
    take_back(worker, &to);
    assert_true(store_import_finish(to.store, &box->import, &box->export.meta));
    fsm_import_submit(&to, &box->import, worker);
    assert_false(fsm_import_adopt(&to, &box->import));
    take_back(worker, &to);
    assert_true(fsm_import_adopt(&to, &box->import));
    assert_int_equal(to.oldest_ms, 0);
    assert_content(&box->to, &box->from.model);
    worker_free(full);
    worker_free(worker);
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_REAL(name) cmocka_unit_test_setup_teardown(name, setup_real, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(install_gives_the_content_of_one_moment_under_traffic_with_the_twin),
        TEST_REAL(install_gives_the_content_of_one_moment_under_traffic_with_leveldb),
        TEST_REAL(install_of_megabytes_arrives_with_leveldb),
        TEST(install_of_an_empty_shard_brings_its_index_and_members),
        TEST(install_brings_garbage_along_and_the_receiver_sweeps_it),
        TEST(export_chunks_hold_bytes_max_and_not_one_more),
        TEST(export_gives_a_row_above_bytes_max_alone),
        TEST(export_waits_for_a_flush_to_end_well),
        TEST(export_that_is_idle_lets_a_dead_handle_go),
        TEST(export_that_reads_holds_a_dead_handle_until_its_chunk_is_read),
        TEST(export_whose_read_fails_kills_the_handle_and_every_other_export),
        TEST(export_outlives_its_store),
        TEST(import_refuses_streams_that_no_export_makes),
        TEST(import_is_abandoned_at_any_moment_and_begun_again),
        TEST(import_that_the_disk_fails_can_be_begun_again),
        TEST(import_job_that_was_not_run_is_a_failure),
        TEST(import_whose_publishing_failed_holds_flushes_until_it_is_abandoned),
        TEST(import_of_an_index_that_is_applied_already_is_not_finished),
        TEST(adopt_waits_for_every_job_that_uses_the_old_handle),
        TEST(adopt_lets_idle_exports_of_the_old_rows_go),
        TEST(adopt_takes_over_from_a_handle_that_died_meanwhile),
        TEST(lost_rows_are_brought_back_by_an_import_whatever_was_lost),
        TEST(lost_rows_at_run_time_take_an_import_at_any_index),
        TEST(fsm_routes_the_jobs_of_exports_and_imports_by_kind_and_shard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
