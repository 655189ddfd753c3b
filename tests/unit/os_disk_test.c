/* The contract of os/disk.h, kept by the kernel's and the simulated disk alike, and what the
 * simulated one adds: crashes and faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/disk.h"
#include "sim_disk.h"

struct place {
    struct disk *disk;
    bool simulated;
    char dir[256];
    struct buf path; /* of the last path_in */
};

static const char *path_in(struct place *place, const char *name)
{
    buf_clear(&place->path);
    buf_printf(&place->path, "%s/%s", place->dir, name);
    buf_append_u8(&place->path, 0);
    return (const char *)place->path.data;
}

static int real_setup(void **state)
{
    struct place *place = mem_zero(sizeof(*place));
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(place->dir, sizeof(place->dir), "%s/os_disk_XXXXXX", tmp == NULL ? "/tmp" : tmp);
    place->disk = disk_real();
    *state = place;
    return mkdtemp(place->dir) == NULL ? -1 : 0;
}

static int sim_setup(void **state)
{
    struct place *place = mem_zero(sizeof(*place));
    place->disk = sim_disk_new();
    place->simulated = true;
    (void)snprintf(place->dir, sizeof(place->dir), "/data");
    *state = place;
    return place->disk->ops->make_dir(place->disk, place->dir) == DISK_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct place *place = *state;
    if (place->simulated) {
        sim_disk_free(place->disk);
    } else {
        struct buf names = {0};
        (void)place->disk->ops->list_dir(place->disk, place->dir, &names);
        for (size_t at = 0; at < names.size; at += strlen((char *)names.data + at) + 1)
            (void)place->disk->ops->remove(place->disk, path_in(place, (char *)names.data + at));
        (void)rmdir(place->dir);
        buf_free(&names);
    }
    buf_free(&place->path);
    mem_free(place);
    return 0;
}

static struct disk_file *open_at(struct place *place, const char *name)
{
    struct disk_file *file = NULL;
    assert_int_equal(place->disk->ops->open(place->disk, path_in(place, name), true, &file),
                     DISK_OK);
    return file;
}

static enum disk_err write_text(struct disk_file *file, uint64_t offset, const char *text)
{
    struct iovec part = {(void *)(size_t)text, strlen(text)};
    return file->ops->write(file, offset, &part, 1);
}

static void assert_content(struct place *place, const char *name, const char *want)
{
    struct buf content = {0};
    assert_int_equal(disk_read_file(place->disk, path_in(place, name), &content), DISK_OK);
    assert_int_equal(content.size, strlen(want));
    assert_memory_equal(content.data, want, strlen(want));
    buf_free(&content);
}

static void what_is_absent_is_reported_as_absent(void **state)
{
    struct place *place = *state;
    struct disk_file *file = NULL;
    struct buf content = {0};
    struct disk *disk = place->disk;
    assert_int_equal(disk->ops->open(disk, path_in(place, "x"), false, &file), DISK_ABSENT);
    assert_int_equal(errno, ENOENT);
    assert_null(file);
    assert_int_equal(disk_read_file(disk, path_in(place, "x"), &content), DISK_ABSENT);
    assert_int_equal(disk->ops->remove(disk, path_in(place, "x")), DISK_ABSENT);
    assert_int_equal(disk->ops->rename(disk, path_in(place, "x"), "y"), DISK_ABSENT);
    assert_int_equal(disk->ops->make_dir(disk, place->dir), DISK_EXISTS);
    assert_int_equal(disk->ops->list_dir(disk, path_in(place, "x"), &content), DISK_ABSENT);
    buf_free(&content);
}

static void a_made_directory_has_its_name_synced(void **state)
{
    struct place *place = *state;
    const char *path = path_in(place, "d");
    assert_int_equal(place->disk->ops->make_dir(place->disk, path), DISK_OK);
    assert_false(sim_disk_dir_is_synced(place->disk, path)); /* who made it died here */
    assert_int_equal(disk_make_dir(place->disk, path), DISK_OK);
    assert_true(sim_disk_dir_is_synced(place->disk, path));
    assert_false(sim_disk_dir_is_synced(place->disk, place->dir)); /* each made its own */
    assert_int_equal(disk_make_dir(place->disk, place->dir), DISK_OK);
    assert_true(sim_disk_dir_is_synced(place->disk, place->dir));
    sim_disk_fail(place->disk, SIM_FAULT_SYNC_IO, true);
    assert_int_equal(disk_make_dir(place->disk, path_in(place, "e")), DISK_IO);
    assert_int_equal(disk_make_dir(place->disk, path_in(place, "d")), DISK_OK);
}

static void a_write_of_many_parts_and_empty_ones_arrives_whole(void **state)
{
    enum { PARTS = 2500 }; /* more than two times IOV_MAX */
    struct place *place = *state;
    struct disk_file *file = open_at(place, "many");
    struct iovec parts[PARTS];
    uint32_t numbers[PARTS];
    for (uint32_t i = 0; i < PARTS; i++) {
        numbers[i] = i;
        parts[i] = (struct iovec){&numbers[i], i % 7 == 3 ? 0 : sizeof(numbers[i])};
    }
    assert_int_equal(file->ops->write(file, 10, parts, PARTS), DISK_OK);
    uint64_t offset = 10;
    for (uint32_t i = 0; i < PARTS; i++) {
        uint32_t read = 0;
        size_t got = 0;
        if (parts[i].iov_len == 0)
            continue;
        assert_int_equal(file->ops->read(file, offset, &read, sizeof(read), &got), DISK_OK);
        assert_int_equal(got, sizeof(read));
        assert_int_equal(read, i);
        offset += sizeof(read);
    }
    uint64_t size = 0;
    assert_int_equal(file->ops->size(file, &size), DISK_OK);
    assert_int_equal(size, offset);
    file->ops->close(file);
}

static void a_read_is_short_only_at_the_end(void **state)
{
    struct place *place = *state;
    struct disk_file *file = open_at(place, "short");
    char out[8];
    size_t got = 0;
    assert_int_equal(write_text(file, 0, "abcdef"), DISK_OK);
    assert_int_equal(file->ops->read(file, 4, out, sizeof(out), &got), DISK_OK);
    assert_int_equal(got, 2);
    assert_memory_equal(out, "ef", 2);
    assert_int_equal(file->ops->read(file, 6, out, sizeof(out), &got), DISK_OK);
    assert_int_equal(got, 0);
    assert_int_equal(file->ops->read(file, 600, out, sizeof(out), &got), DISK_OK);
    assert_int_equal(got, 0);
    file->ops->close(file);
}

static void allocate_grows_with_zeroes_and_cuts(void **state)
{
    struct place *place = *state;
    struct disk_file *file = open_at(place, "size");
    uint64_t size = 0;
    char out[4] = "1234";
    size_t got = 0;
    assert_int_equal(write_text(file, 0, "abcdef"), DISK_OK);
    assert_int_equal(file->ops->allocate(file, 3), DISK_OK);
    assert_content(place, "size", "abc");
    assert_int_equal(file->ops->allocate(file, 100000), DISK_OK);
    assert_int_equal(file->ops->size(file, &size), DISK_OK);
    assert_int_equal(size, 100000);
    assert_int_equal(file->ops->read(file, 2, out, sizeof(out), &got), DISK_OK);
    assert_memory_equal(out, "c\0\0\0", 4); /* what was cut does not come back */
    assert_int_equal(file->ops->allocate(file, 0), DISK_OK);
    assert_content(place, "size", "");
    file->ops->close(file);
}

static void names_are_listed_in_order_and_rename_replaces(void **state)
{
    struct place *place = *state;
    struct disk *disk = place->disk;
    static const char *const made[] = {"b", "c", "a"};
    for (size_t i = 0; i < COUNT_OF(made); i++) {
        struct disk_file *file = open_at(place, made[i]);
        assert_int_equal(write_text(file, 0, made[i]), DISK_OK);
        assert_int_equal(file->ops->sync(file), DISK_OK);
        file->ops->close(file);
    }
    struct buf to = {0};
    buf_printf(&to, "%s/b", place->dir);
    buf_append_u8(&to, 0);
    assert_int_equal(disk->ops->rename(disk, path_in(place, "c"), (char *)to.data), DISK_OK);
    assert_int_equal(disk->ops->sync_dir(disk, place->dir), DISK_OK);
    struct buf names = {0};
    assert_int_equal(disk->ops->list_dir(disk, place->dir, &names), DISK_OK);
    assert_int_equal(names.size, 4);
    assert_memory_equal(names.data, "a\0b", 4);
    assert_content(place, "b", "c");
    buf_free(&names);
    buf_free(&to);
}

static void replace_file_makes_and_overwrites_and_leaves_no_other_file(void **state)
{
    struct place *place = *state;
    struct buf path = {0};
    struct buf names = {0};
    buf_printf(&path, "%s/f", place->dir);
    buf_append_u8(&path, 0);
    const char *target = (char *)path.data;
    static const char *const contents[] = {"a long first content", "short", ""};
    for (size_t i = 0; i < COUNT_OF(contents); i++) {
        assert_int_equal(
            disk_replace_file(place->disk, place->dir, target, bytes_of_string(contents[i])),
            DISK_OK);
        assert_content(place, "f", contents[i]);
    }
    assert_int_equal(place->disk->ops->list_dir(place->disk, place->dir, &names), DISK_OK);
    assert_int_equal(names.size, 2);
    buf_free(&names);
    buf_free(&path);
}

static void free_space_is_told(void **state)
{
    struct place *place = *state;
    uint64_t bytes = 0;
    assert_int_equal(place->disk->ops->free_space(place->disk, place->dir, &bytes), DISK_OK);
    assert_true(bytes > 0);
}

/* ---- the simulated disk alone ---- */

static void a_crash_loses_what_was_not_synced_and_keeps_what_was(void **state)
{
    struct place *place = *state;
    struct disk *disk = place->disk;
    struct prng prng = prng_init(1);
    struct disk_file *file = open_at(place, "f");
    assert_int_equal(write_text(file, 0, "synced"), DISK_OK);
    assert_int_equal(file->ops->sync(file), DISK_OK);
    assert_int_equal(disk->ops->sync_dir(disk, place->dir), DISK_OK);
    assert_int_equal(write_text(file, 0, "LOST and longer"), DISK_OK);
    struct disk_file *unnamed = open_at(place, "g");
    assert_int_equal(unnamed->ops->sync(unnamed), DISK_OK);
    assert_content(place, "f", "LOST and longer");
    sim_disk_crash(disk, &prng, SIM_CRASH_LOSE);
    assert_content(place, "f", "synced");
    assert_false(sim_disk_exists(disk, path_in(place, "g"))); /* its name was not synced */
    assert_int_equal(write_text(file, 0, "x"), DISK_IO);      /* the handle died */
    file->ops->close(file);
    unnamed->ops->close(unnamed);
}

static void a_crash_may_keep_everything(void **state)
{
    struct place *place = *state;
    struct prng prng = prng_init(1);
    struct disk_file *file = open_at(place, "f");
    assert_int_equal(write_text(file, 0, "there"), DISK_OK);
    file->ops->close(file);
    sim_disk_crash(place->disk, &prng, SIM_CRASH_KEEP);
    assert_content(place, "f", "there");
}

static void a_torn_crash_mixes_sectors_but_never_inside_one(void **state)
{
    enum { SECTORS = 64 };
    struct place *place = *state;
    struct prng prng = prng_init(7);
    char old[SECTORS * SIM_SECTOR_SIZE];
    char new[SECTORS * SIM_SECTOR_SIZE];
    memset(old, 'o', sizeof(old));
    memset(new, 'n', sizeof(new));
    struct disk_file *file = open_at(place, "f");
    struct iovec part = {old, sizeof(old)};
    assert_int_equal(file->ops->write(file, 0, &part, 1), DISK_OK);
    assert_int_equal(file->ops->sync(file), DISK_OK);
    assert_int_equal(place->disk->ops->sync_dir(place->disk, place->dir), DISK_OK);
    part.iov_base = new;
    assert_int_equal(file->ops->write(file, 0, &part, 1), DISK_OK);
    file->ops->close(file);
    sim_disk_crash(place->disk, &prng, SIM_CRASH_TEAR);
    struct bytes content = sim_disk_content(place->disk, path_in(place, "f"));
    assert_int_equal(content.size, sizeof(old));
    size_t new_sectors = 0;
    for (size_t i = 0; i < SECTORS; i++) {
        const uint8_t *sector = content.data + i * SIM_SECTOR_SIZE;
        const char *same = sector[0] == 'n' ? new : old;
        assert_memory_equal(sector, same, SIM_SECTOR_SIZE);
        new_sectors += sector[0] == 'n';
    }
    assert_in_range(new_sectors, 1, SECTORS - 1);
}

static void faults_strike_once_or_always_and_leave_partial_writes(void **state)
{
    struct place *place = *state;
    struct disk_file *file = open_at(place, "f");
    sim_disk_fail(place->disk, SIM_FAULT_WRITE_FULL, false);
    assert_int_equal(write_text(file, 0, "12345678"), DISK_FULL);
    assert_int_equal(errno, ENOSPC);
    assert_content(place, "f", "1234");
    assert_int_equal(write_text(file, 0, "12345678"), DISK_OK);
    sim_disk_fail(place->disk, SIM_FAULT_SYNC_IO, true);
    assert_int_equal(file->ops->sync(file), DISK_IO);
    assert_int_equal(file->ops->sync(file), DISK_IO);
    sim_disk_fail(place->disk, SIM_FAULT_NONE, false);
    assert_int_equal(file->ops->sync(file), DISK_OK);
    file->ops->close(file);
}

static void the_capacity_binds_at_its_very_byte(void **state)
{
    struct place *place = *state;
    struct disk_file *file = open_at(place, "f");
    sim_disk_set_capacity(place->disk, 8);
    assert_int_equal(write_text(file, 0, "1234567"), DISK_OK);
    assert_int_equal(write_text(file, 0, "12345678"), DISK_OK);
    assert_int_equal(write_text(file, 0, "123456789"), DISK_FULL);
    assert_int_equal(file->ops->allocate(file, 9), DISK_FULL);
    assert_int_equal(write_text(file, 4, "5678"), DISK_OK);
    file->ops->close(file);
}

static void nothing_happens_after_the_power_is_cut(void **state)
{
    struct place *place = *state;
    struct prng prng = prng_init(3);
    struct disk_file *file = open_at(place, "f");
    assert_int_equal(place->disk->ops->sync_dir(place->disk, place->dir), DISK_OK);
    sim_disk_cut_power_after(place->disk, 1);
    assert_int_equal(write_text(file, 0, "ab"), DISK_OK);
    assert_int_equal(file->ops->sync(file), DISK_IO);
    assert_int_equal(write_text(file, 0, "cd"), DISK_IO);
    file->ops->close(file);
    sim_disk_crash(place->disk, &prng, SIM_CRASH_KEEP);
    assert_content(place, "f", "ab");
}

static void replace_file_is_old_or_new_at_every_crash_point(void **state)
{
    struct place *place = *state;
    struct disk *disk = place->disk;
    struct prng prng = prng_init(11);
    unsigned seen[2] = {0, 0};
    assert_int_equal(disk_replace_file(disk, "/data", "/data/f", BYTES_LITERAL("old")), DISK_OK);
    for (uint64_t i = 0; i < 600; i++) {
        sim_disk_cut_power_after(disk, i % 7);
        enum disk_err err = disk_replace_file(disk, "/data", "/data/f", BYTES_LITERAL("new!"));
        sim_disk_crash(disk, &prng, SIM_CRASH_DRAW);
        struct bytes content = sim_disk_content(disk, "/data/f");
        bool is_new = bytes_equal(content, BYTES_LITERAL("new!"));
        assert_true(is_new || bytes_equal(content, BYTES_LITERAL("old")));
        assert_true(is_new || err != DISK_OK);
        seen[is_new]++;
        assert_int_equal(disk_replace_file(disk, "/data", "/data/f", BYTES_LITERAL("old")),
                         DISK_OK);
    }
    assert_true(seen[0] > 50 && seen[1] > 50);
}

#define ON_BOTH(name)                                                                              \
    cmocka_unit_test_setup_teardown(name, real_setup, teardown),                                   \
        cmocka_unit_test_setup_teardown(name, sim_setup, teardown)
#define ON_SIM(name) cmocka_unit_test_setup_teardown(name, sim_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(what_is_absent_is_reported_as_absent),
        ON_BOTH(a_write_of_many_parts_and_empty_ones_arrives_whole),
        ON_BOTH(a_read_is_short_only_at_the_end),
        ON_BOTH(allocate_grows_with_zeroes_and_cuts),
        ON_BOTH(names_are_listed_in_order_and_rename_replaces),
        ON_BOTH(replace_file_makes_and_overwrites_and_leaves_no_other_file),
        ON_BOTH(free_space_is_told),
        ON_SIM(a_made_directory_has_its_name_synced),
        ON_SIM(a_crash_loses_what_was_not_synced_and_keeps_what_was),
        ON_SIM(a_crash_may_keep_everything),
        ON_SIM(a_torn_crash_mixes_sectors_but_never_inside_one),
        ON_SIM(faults_strike_once_or_always_and_leave_partial_writes),
        ON_SIM(the_capacity_binds_at_its_very_byte),
        ON_SIM(nothing_happens_after_the_power_is_cut),
        ON_SIM(replace_file_is_old_or_new_at_every_crash_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
