/* The log on the kernel's disk with a real thread: what the simulated disk cannot show. */
#include "wal_box.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

struct place {
    char parent[256];
    char dir[300];
    struct wal_options options;
    struct wal *wal;
    struct wal_recovery *recovery;
    struct worker *worker;
    int fd;
    struct buf note;
    struct buf error;
};

static int setup(void **state)
{
    struct place *place = mem_zero(sizeof(*place));
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(place->parent, sizeof(place->parent), "%s/wal_real_XXXXXX",
                   tmp == NULL ? "/tmp" : tmp);
    if (mkdtemp(place->parent) == NULL)
        return -1;
    (void)snprintf(place->dir, sizeof(place->dir), "%s/wal", place->parent);
    place->options = (struct wal_options){
        .dir = place->dir, .group_count = 2, .segment_size = 1 << 20, .store_id = 5};
    place->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    *state = place;
    return 0;
}

static void close_log(struct place *place)
{
    worker_free(place->worker);
    wal_free(place->wal);
    wal_recovery_free(place->recovery);
    place->worker = NULL;
    place->wal = NULL;
    place->recovery = NULL;
}

static void open_log(struct place *place)
{
    close_log(place);
    place->worker = worker_new("wal", 1, 4, place->fd);
    assert_int_equal(wal_open(&place->wal, disk_real(), &place->options, &place->recovery,
                              &place->note, &place->error),
                     WAL_OK);
}

static int teardown(void **state)
{
    struct place *place = *state;
    struct buf names = {0};
    close_log(place);
    struct disk *disk = disk_real();
    (void)disk->ops->list_dir(disk, place->dir, &names);
    struct buf path = {0};
    for (size_t at = 0; at < names.size; at += strlen((char *)names.data + at) + 1)
        (void)disk->ops->remove(disk, wal_path(&path, place->dir, (char *)names.data + at));
    (void)rmdir(place->dir);
    (void)rmdir(place->parent);
    (void)close(place->fd);
    buf_free(&path);
    buf_free(&names);
    buf_free(&place->note);
    buf_free(&place->error);
    mem_free(place);
    return 0;
}

/* One turn of a loop: waits for the job under way when there is one. */
static void turn(struct place *place)
{
    (void)wal_submit(place->wal, place->worker);
    if (!wal_is_busy(place->wal))
        return;
    struct pollfd poll_fd = {.fd = place->fd, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 20000), 1);
    uint64_t count = 0;
    assert_int_equal(read(place->fd, &count, sizeof(count)), sizeof(count));
    struct job *job = worker_take_done(place->worker);
    if (job != NULL)
        wal_job_done(place->wal, job);
}

static void append(struct place *place, uint32_t group, uint64_t index, size_t size)
{
    struct entry *entry = box_entry(index, 1, size, index);
    wal_append(place->wal, group, entry);
    entry_release(entry);
}

static void wait_for_promise(struct place *place, uint64_t number)
{
    while (wal_promised(place->wal) < number)
        turn(place);
}

static void a_log_on_a_real_disk_rolls_compacts_and_comes_back(void **state)
{
    enum { ROUNDS = 60 };
    struct place *place = *state;
    open_log(place);
    assert_true(place->recovery->fresh);
    uint64_t index = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 20; i++)
            append(place, 0, ++index, i == 0 ? 100000 : 200);
        append(place, 1, (uint64_t)round + 1, 60);
        if (round % 10 == 9) {
            wal_put_mark(place->wal, 0, (struct wal_position){index - 5, 1}, BYTES_LITERAL("m"));
            wal_put_base(place->wal, 0, (struct wal_position){index - 10, 1});
            wal_put_mark(place->wal, 1, (struct wal_position){(uint64_t)round, 1},
                         BYTES_LITERAL("m"));
            wal_put_base(place->wal, 1, (struct wal_position){(uint64_t)round, 1});
        }
        wait_for_promise(place, wal_collecting(place->wal));
    }
    turn(place);
    turn(place);
    assert_true(wal_size_bytes(place->wal) < 8 << 20);
    assert_true(wal_counters(place->wal).segments_reused > 0);
    open_log(place);
    const struct wal_group_state *group = &place->recovery->groups[0];
    assert_int_equal(group->base.index, index - 10);
    assert_int_equal(group->entry_count, 10);
    assert_int_equal(group->entries[9]->index, index);
    assert_int_equal(place->recovery->groups[1].entry_count, 1);
}

static void a_large_entry_is_written_from_where_it_lies(void **state)
{
    enum { SIZE = 32 << 20 };
    struct place *place = *state;
    open_log(place);
    append(place, 0, 1, SIZE);
    for (uint64_t i = 2; i <= 3000; i++) /* more parts than one pwritev takes */
        append(place, 0, i, 600);
    wait_for_promise(place, wal_collecting(place->wal));
    open_log(place);
    const struct wal_group_state *group = &place->recovery->groups[0];
    assert_int_equal(group->entry_count, 3000);
    struct entry *want = box_entry(1, 1, SIZE, 1);
    assert_int_equal(group->entries[0]->size, want->size);
    assert_memory_equal(group->entries[0]->payload, want->payload, want->size);
    entry_release(want);
    assert_int_equal(group->entries[2999]->index, 3000);
}

static void a_directory_without_a_parent_is_a_disk_error(void **state)
{
    struct place *place = *state;
    place->options.dir = "/nonexistent/parent/wal";
    assert_int_equal(wal_open(&place->wal, disk_real(), &place->options, &place->recovery,
                              &place->note, &place->error),
                     WAL_DISK);
    buf_append_u8(&place->error, 0);
    assert_string_equal((char *)place->error.data,
                        "/nonexistent/parent/wal: mkdir: No such file or directory");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_log_on_a_real_disk_rolls_compacts_and_comes_back),
        TEST(a_large_entry_is_written_from_where_it_lies),
        TEST(a_directory_without_a_parent_is_a_disk_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
