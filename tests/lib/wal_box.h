/* A log on a simulated disk with a manual worker, for the tests of src/wal. Functions only for
 * programs that link src/wal, so everything is in this header. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "codec/rows.h"
#include "sim_disk.h"
#include "wal/batch.h"
#include "wal/format.h"
#include "wal/wal.h"

#define BOX_UNUSED __attribute__((unused))

struct box {
    struct disk *disk;
    struct worker *worker;
    struct wal *wal;
    struct wal_recovery *recovery; /* of the last open */
    struct wal_options options;
    struct buf note;
    struct buf error; /* texts end with a 0 after a failed open */
};

BOX_UNUSED static void box_init(struct box *box, uint32_t groups, uint64_t segment_size)
{
    *box = (struct box){.disk = sim_disk_new(), .worker = worker_new_manual(8)};
    box->options = (struct wal_options){
        .dir = "/wal", .group_count = groups, .segment_size = segment_size, .store_id = 77};
}

BOX_UNUSED static void box_drop(struct box *box)
{
    while (worker_take_done(box->worker) != NULL)
        continue;
    worker_free(box->worker); /* a waiting job runs before the log goes */
    box->worker = worker_new_manual(8);
    wal_free(box->wal);
    box->wal = NULL;
    wal_recovery_free(box->recovery);
    box->recovery = NULL;
}

BOX_UNUSED static void box_fini(struct box *box)
{
    box_drop(box);
    worker_free(box->worker);
    sim_disk_free(box->disk);
    buf_free(&box->note);
    buf_free(&box->error);
}

/* Closes what is open, without a last sync, and opens again. */
BOX_UNUSED static enum wal_err box_try_open(struct box *box)
{
    box_drop(box);
    enum wal_err err =
        wal_open(&box->wal, box->disk, &box->options, &box->recovery, &box->note, &box->error);
    buf_append_u8(&box->note, 0);
    buf_append_u8(&box->error, 0);
    return err;
}

BOX_UNUSED static void box_open(struct box *box)
{
    enum wal_err err = box_try_open(box);
    if (err != WAL_OK)
        print_error("%s\n", (char *)box->error.data);
    assert_int_equal(err, WAL_OK);
}

BOX_UNUSED static const char *box_error(const struct box *box)
{
    return (const char *)box->error.data;
}

BOX_UNUSED static const char *box_note(const struct box *box)
{
    return (const char *)box->note.data;
}

/* Runs the job under way to its end; false when there is none. */
BOX_UNUSED static bool box_run(struct box *box)
{
    if (!worker_run_one(box->worker))
        return false;
    wal_job_done(box->wal, worker_take_done(box->worker));
    return true;
}

/* Submits and runs until the log wants nothing more. */
BOX_UNUSED static void box_settle(struct box *box)
{
    while (wal_submit(box->wal, box->worker))
        assert_true(box_run(box));
}

/* An entry of rows whose payload takes about `size` bytes, filled by seed. */
BOX_UNUSED static struct entry *box_entry(uint64_t index, uint64_t term, size_t size, uint64_t seed)
{
    struct buf payload = {0};
    memset(buf_extend(&payload, ENTRY_STAMP_SIZE), (int)(seed & 0xff), ENTRY_STAMP_SIZE);
    size_t taken = ENTRY_STAMP_SIZE + ROWS_HEADER_SIZE + sizeof(seed);
    size_t value = size > taken ? size - taken : 0;
    uint8_t *at = rows_append_space(&payload, ROW_PUT, bytes_of(&seed, sizeof(seed)), value);
    memset(at, (int)(seed >> 3 & 0xff), value);
    struct entry *entry = entry_new(ENTRY_ROWS, payload.data, payload.size);
    entry->index = index;
    entry->term = term;
    return entry;
}

BOX_UNUSED static void box_append(struct box *box, uint32_t group, uint64_t index, uint64_t term,
                                  size_t size)
{
    struct entry *entry = box_entry(index, term, size, index * 31 + term);
    wal_append(box->wal, group, entry);
    entry_release(entry);
}

/* Appends first .. last, one batch each, settled. */
BOX_UNUSED static void box_append_each(struct box *box, uint32_t group, uint64_t first,
                                       uint64_t last, size_t size)
{
    for (uint64_t index = first; index <= last; index++) {
        box_append(box, group, index, 1, size);
        box_settle(box);
    }
}

/* Mark and base at index, settled. */
BOX_UNUSED static void box_compact(struct box *box, uint32_t group, uint64_t index)
{
    struct wal_position position = {index, 1};
    wal_put_mark(box->wal, group, position, BYTES_LITERAL("members"));
    wal_put_base(box->wal, group, position);
    box_settle(box);
}

BOX_UNUSED static const struct wal_group_state *box_group(const struct box *box, uint32_t group)
{
    assert_true(group < box->recovery->group_count);
    return &box->recovery->groups[group];
}

/* The recovered entries of a group are those that box_append makes for first .. last of one term.
 */
BOX_UNUSED static void box_assert_entries(const struct box *box, uint32_t group, uint64_t first,
                                          uint64_t last, uint64_t term, size_t size)
{
    const struct wal_group_state *state = box_group(box, group);
    assert_int_equal(state->entry_count, last + 1 - first);
    for (size_t i = 0; i < state->entry_count; i++) {
        const struct entry *entry = state->entries[i];
        struct entry *want = box_entry(first + i, term, size, (first + i) * 31 + term);
        assert_int_equal(entry->index, want->index);
        assert_int_equal(entry->term, term);
        assert_int_equal(entry->kind, ENTRY_ROWS);
        assert_int_equal(entry->size, want->size);
        assert_memory_equal(entry->payload, want->payload, want->size);
        entry_release(want);
    }
}

BOX_UNUSED static const char *box_segment_path(char *out, size_t size, uint64_t number)
{
    char name[WAL_NAME_SIZE];
    wal_segment_name(name, number);
    (void)snprintf(out, size, "/wal/%s", name);
    return out;
}
