/* Torn tails are cut, damage is refused: what a scan makes of bytes that are not as written. */
#include "wal_box.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/endian.h"
#include "base/hash.h"
#include "wal/scan.h"

#define SEGMENT ((uint64_t)16384)
#define FIRST   "/wal/0000000000000001.wal"

/* Where the batches of the first segment begin, the end of the last one included. */
struct layout {
    uint64_t starts[64];
    size_t count; /* of batches */
};

static int setup(void **state)
{
    struct box *box = mem_alloc(sizeof(*box));
    box_init(box, 2, SEGMENT);
    box_open(box);
    *state = box;
    return 0;
}

static int teardown(void **state)
{
    box_fini(*state);
    mem_free(*state);
    return 0;
}

static struct layout layout_of(const struct box *box)
{
    struct layout layout = {0};
    struct bytes content = sim_disk_content(box->disk, FIRST);
    struct wal_header header;
    uint64_t offset = 0;
    while (wal_check_batch(content, 1, offset, &header) == WAL_FOUND_BATCH) {
        layout.starts[layout.count++] = offset;
        offset += header.size;
    }
    layout.starts[layout.count] = offset;
    return layout;
}

static void rot(struct box *box, uint64_t offset)
{
    assert_true(sim_disk_rot(box->disk, FIRST, offset, 0x40));
}

static void every_rotten_byte_of_a_synced_batch_is_refused_with_file_and_offset(void **state)
{
    struct box *box = *state;
    box_append_each(box, 0, 1, 3, 60);
    struct layout layout = layout_of(box);
    assert_int_equal(layout.count, 4); /* opening and three */
    for (size_t batch = 0; batch + 1 < layout.count; batch++)
        for (uint64_t at = layout.starts[batch]; at < layout.starts[batch + 1]; at++) {
            char want[64];
            (void)snprintf(want, sizeof(want),
                           FIRST ": offset %llu: ", (unsigned long long)layout.starts[batch]);
            rot(box, at);
            enum wal_err err = box_try_open(box);
            assert_true(err == WAL_DAMAGED || err == WAL_NEWER_FORMAT);
            assert_non_null(strstr(box_error(box), want));
            rot(box, at);
        }
    box_open(box);
    box_assert_entries(box, 0, 1, 3, 1, 60);
}

static void a_scan_cuts_the_torn_tail_of_the_last_segment_only_and_says_so(void **state)
{
    struct box *box = *state;
    box_append_each(box, 0, 1, 3, 60);
    struct layout layout = layout_of(box);
    rot(box, layout.starts[3] + 60); /* the last batch: nothing later says it was synced */
    box_open(box);
    box_assert_entries(box, 0, 1, 2, 1, 60);
    char want[128];
    (void)snprintf(want, sizeof(want), FIRST ": cut a torn tail of about 48 bytes at offset %llu",
                   (unsigned long long)layout.starts[3]);
    assert_non_null(strstr(box_note(box), want));
    assert_true(box->recovery->cut_bytes > 0);
    assert_int_equal(sim_disk_content(box->disk, FIRST).size, layout.starts[3]);
    box_open(box);
    assert_string_equal(box_note(box), ""); /* cut once */
    box_assert_entries(box, 0, 1, 2, 1, 60);
}

static void an_unsynced_hole_is_a_torn_tail_and_what_stands_behind_it_goes_too(void **state)
{
    struct box *box = *state;
    wal_set_sync(box->wal, WAL_SYNC_NO);
    box_append_each(box, 0, 1, 4, 60);
    struct layout layout = layout_of(box);
    rot(box, layout.starts[2]); /* batch 3, written before 4 and 5 without a sync between */
    box_open(box);
    box_assert_entries(box, 0, 1, 1, 1, 60);
    assert_int_equal(box->recovery->cut_bytes, layout.starts[5] - layout.starts[2]);
    box_append_each(box, 0, 2, 2, 60); /* the same size as the lost one */
    box_open(box);
    box_assert_entries(box, 0, 1, 2, 1, 60); /* 3 and 4 did not come back */
}

static void a_hole_that_was_synced_is_damage_in_every_mode(void **state)
{
    struct box *box = *state;
    wal_set_sync(box->wal, WAL_SYNC_NO);
    box_append_each(box, 0, 1, 3, 60);
    wal_request_sync(box->wal);
    box_settle(box);
    box_append_each(box, 0, 4, 4, 60); /* says that the three were synced */
    struct layout layout = layout_of(box);
    rot(box, layout.starts[1] + 50);
    assert_int_equal(box_try_open(box), WAL_DAMAGED);
    assert_non_null(strstr(box_error(box), "says that 4 were synced"));
}

static void a_rotten_end_of_an_earlier_segment_is_damage(void **state)
{
    struct box *box = *state;
    box_append_each(box, 0, 1, 30, 500); /* more than one segment */
    struct layout layout = layout_of(box);
    rot(box, layout.starts[layout.count - 1] + 70); /* the last batch of the first segment */
    assert_int_equal(box_try_open(box), WAL_DAMAGED);
    char want[128];
    (void)snprintf(want, sizeof(want), FIRST ": offset %llu: batch %zu is missing or damaged",
                   (unsigned long long)layout.starts[layout.count - 1], layout.count);
    assert_non_null(strstr(box_error(box), want));
}

static void a_rotten_opening_is_damage_while_anything_follows_it(void **state)
{
    struct box *box = *state;
    box_append_each(box, 0, 1, 30, 500);
    assert_true(sim_disk_rot(box->disk, "/wal/0000000000000002.wal", 60, 1));
    assert_int_equal(box_try_open(box), WAL_DAMAGED);
    assert_non_null(strstr(box_error(box), "/wal/0000000000000002.wal: offset 0: "));
    assert_true(sim_disk_rot(box->disk, "/wal/0000000000000002.wal", 60, 1));
    rot(box, 60);
    assert_int_equal(box_try_open(box), WAL_DAMAGED);
    assert_non_null(strstr(box_error(box), FIRST ": offset 0: "));
}

static void the_only_opening_of_a_log_that_has_moved_on_is_not_taken_for_a_new_log(void **state)
{
    struct box *box = *state;
    wal_put_hard_state(box->wal, 0, (struct wal_hard_state){3, 1});
    box_settle(box);
    box_open(box); /* segment 2 holds the vote now, segment 1 is gone */
    assert_false(sim_disk_exists(box->disk, FIRST));
    assert_true(sim_disk_rot(box->disk, "/wal/0000000000000002.wal", 60, 1));
    assert_int_equal(box_try_open(box), WAL_DAMAGED);
    assert_non_null(strstr(box_error(box), "/wal/0000000000000002.wal: offset 0: "));
}

static void a_missing_segment_is_damage(void **state)
{
    struct box *box = *state;
    box_append_each(box, 0, 1, 60, 500);
    assert_int_equal(box->disk->ops->rename(box->disk, "/wal/0000000000000002.wal", "/wal/x"),
                     DISK_OK);
    assert_int_equal(box_try_open(box), WAL_DAMAGED);
    assert_non_null(strstr(box_error(box), "/wal/0000000000000002.wal: the segment is missing"));
    assert_int_equal(box->disk->ops->rename(box->disk, FIRST, "/wal/y"), DISK_OK);
    assert_int_equal(box_try_open(box), WAL_DAMAGED); /* the front, with live entries, is gone */
    assert_non_null(strstr(box_error(box), "the entry at index 1 is missing (group 0)"));
}

static void a_newer_format_is_told_from_damage(void **state)
{
    struct box *box = *state;
    box_append_each(box, 0, 1, 2, 60);
    assert_true(sim_disk_rot(box->disk, FIRST, 4, WAL_FORMAT ^ 0x02));
    assert_int_equal(box_try_open(box), WAL_NEWER_FORMAT);
    assert_non_null(strstr(box_error(box), FIRST ": offset 0: written in a newer format"));
}

static void other_files_in_the_directory_are_left_alone(void **state)
{
    struct box *box = *state;
    static const char *const names[] = {"/wal/LOCK", "/wal/1.wal", "/wal/000000000000000G.wal",
                                        "/wal/0000000000000000.wal", "/wal/0000000000000009.walx"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct disk_file *file = NULL;
        assert_int_equal(box->disk->ops->open(box->disk, names[i], true, &file), DISK_OK);
        file->ops->close(file);
    }
    box_append_each(box, 0, 1, 2, 60);
    box_open(box);
    box_assert_entries(box, 0, 1, 2, 1, 60);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_true(sim_disk_exists(box->disk, names[i]));
}

/* ---- records that no correct writer makes ---- */

struct forged {
    struct buf bytes;
    uint64_t number;
};

/* Appends a batch with these records and a right checksum. */
static void forge(struct forged *forged, const struct wal_record *records, size_t count)
{
    size_t start = forged->bytes.size;
    memset(buf_extend(&forged->bytes, WAL_HEADER_SIZE), 0, WAL_HEADER_SIZE);
    for (size_t i = 0; i < count; i++) {
        wal_append_record(&forged->bytes, &records[i], records[i].payload.size);
        buf_append(&forged->bytes, records[i].payload);
    }
    while (forged->bytes.size % WAL_ALIGN != 0)
        buf_append_u8(&forged->bytes, 0);
    size_t size = forged->bytes.size - start;
    uint8_t *batch = forged->bytes.data + start;
    struct wal_header header = {
        .segment = 1, .number = forged->number + 1, .synced = forged->number, .size = size};
    forged->number++;
    wal_put_header(batch, &header);
    wal_put_checksum(batch, hash_bytes(bytes_of(batch, size), start));
}

static enum wal_err scan_forged(const struct wal_record *records, size_t count, struct buf *error)
{
    static const struct wal_record store = {.kind = WAL_RECORD_STORE, .group = 2, .index = 77};
    struct forged forged = {0};
    struct wal_scan scan;
    forge(&forged, &store, 1);
    forge(&forged, records, count);
    wal_scan_init(&scan, "/wal", 2, 77);
    enum wal_err err = wal_scan_segment(&scan, 1, buf_bytes(&forged.bytes), error);
    if (err == WAL_OK)
        err = wal_scan_finish(&scan, error);
    wal_scan_fini(&scan);
    buf_free(&forged.bytes);
    return err;
}

static void records_that_no_writer_makes_are_refused_and_say_why(void **state)
{
    (void)state;
    static const uint8_t garbage[] = {1, 2, 3};
    const struct {
        struct wal_record records[2];
        const char *reason;
    } cases[] = {
        {{{.kind = WAL_RECORD_HARD, .group = 2}, {0}}, "there is no such group"},
        {{{.kind = WAL_RECORD_HARD, .term = 5}, {.kind = WAL_RECORD_HARD, .term = 4}},
         "the term goes back"},
        {{{.kind = WAL_RECORD_MARK, .index = 5}, {.kind = WAL_RECORD_MARK, .index = 4}},
         "the mark goes back"},
        {{{.kind = WAL_RECORD_BASE, .index = 5}, {0}}, "passes the mark"},
        {{{.kind = WAL_RECORD_RESET, .index = 5}, {.kind = WAL_RECORD_RESET, .index = 4}},
         "below the mark"},
        {{{.kind = WAL_RECORD_STORE, .group = 1, .index = 77}, {0}}, "does not open a segment"},
        {{{.kind = (enum wal_record_kind)8}, {0}}, "cannot be read"},
        {{{.kind = WAL_RECORD_ENTRY, .entry_kind = 9, .index = 1}, {0}}, "cannot be read"},
        {{{.kind = WAL_RECORD_ENTRY, .entry_kind = ENTRY_NOOP, .index = 0}, {0}}, "cannot be read"},
        {{{.kind = WAL_RECORD_ENTRY,
           .entry_kind = ENTRY_ROWS,
           .index = 1,
           .payload = {garbage, sizeof(garbage)}},
          {0}},
         "cannot be read"},
        {{{.kind = WAL_RECORD_ENTRY, .entry_kind = ENTRY_NOOP, .index = 2}, {0}},
         "the entry at index 1 is missing"},
        {{{.kind = WAL_RECORD_ENTRY, .entry_kind = ENTRY_NOOP, .index = 1, .term = 1},
          {.kind = WAL_RECORD_COPY, .entry_kind = ENTRY_NOOP, .index = 1, .term = 2}},
         "two different entries at index 1"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf error = {0};
        size_t count = cases[i].records[1].kind == 0 ? 1 : 2;
        assert_int_equal(scan_forged(cases[i].records, count, &error), WAL_DAMAGED);
        buf_append_u8(&error, 0);
        if (strstr((char *)error.data, cases[i].reason) == NULL)
            fail_msg("case %zu: %s", i, (char *)error.data);
        buf_free(&error);
    }
}

static void forged_records_that_a_writer_could_make_are_taken(void **state)
{
    (void)state;
    const struct wal_record records[] = {
        {.kind = WAL_RECORD_ENTRY, .entry_kind = ENTRY_NOOP, .index = 2, .term = 1},
        {.kind = WAL_RECORD_COPY, .entry_kind = ENTRY_NOOP, .index = 1, .term = 1},
        {.kind = WAL_RECORD_COPY, .entry_kind = ENTRY_NOOP, .index = 2, .term = 1},
    };
    struct buf error = {0};
    assert_int_equal(scan_forged(records, COUNT_OF(records), &error), WAL_OK);
    assert_int_equal(error.size, 0);
    buf_free(&error);
}

/* ---- the document ---- */

/* The worked example of src/wal/FORMAT.md, byte by byte. */
static void the_example_of_the_format_document_is_what_is_written(void **state)
{
    static const uint8_t batch[] = {
        0x51, 0x57, 0x41, 0x4c, 0x01, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, //
        0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, //
        0x68, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x3f, 0x1c, 0xe5, 0x0c,
        0xef, 0x98, 0x48, 0x5c, //
        0x03, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x02, 0x00, 0x00, 0x00,                                                 //
        0x00, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, //
        0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x01, 0x00, 0x00, 0x00, //
        0x00, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    };
    struct box *box = *state;
    wal_put_hard_state(box->wal, 1, (struct wal_hard_state){.term = 5, .vote = 2});
    struct entry *noop = entry_new(ENTRY_NOOP, NULL, 0);
    noop->index = 1;
    noop->term = 5;
    wal_append(box->wal, 0, noop);
    entry_release(noop);
    box_settle(box);
    struct layout layout = layout_of(box);
    assert_int_equal(layout.starts[1], 248);
    const uint8_t *written = sim_disk_content(box->disk, FIRST).data + layout.starts[1];
    assert_memory_equal(written, batch, sizeof(batch));
    uint8_t plain[sizeof(batch)]; /* the checksum is XXH3 in one piece, over zeroes in its place */
    memcpy(plain, batch, sizeof(batch));
    memset(plain + WAL_CHECKSUM_AT, 0, sizeof(uint64_t));
    uint64_t checksum = hash_bytes(bytes_of(plain, sizeof(plain)), layout.starts[1]);
    assert_true(get_le64(written + WAL_CHECKSUM_AT) == checksum);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_rotten_byte_of_a_synced_batch_is_refused_with_file_and_offset),
        TEST(a_scan_cuts_the_torn_tail_of_the_last_segment_only_and_says_so),
        TEST(an_unsynced_hole_is_a_torn_tail_and_what_stands_behind_it_goes_too),
        TEST(a_hole_that_was_synced_is_damage_in_every_mode),
        TEST(a_rotten_end_of_an_earlier_segment_is_damage),
        TEST(a_rotten_opening_is_damage_while_anything_follows_it),
        TEST(the_only_opening_of_a_log_that_has_moved_on_is_not_taken_for_a_new_log),
        TEST(a_missing_segment_is_damage),
        TEST(a_newer_format_is_told_from_damage),
        TEST(other_files_in_the_directory_are_left_alone),
        cmocka_unit_test(records_that_no_writer_makes_are_refused_and_say_why),
        cmocka_unit_test(forged_records_that_a_writer_could_make_are_taken),
        TEST(the_example_of_the_format_document_is_what_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
