/* The identity of a data directory: both versions are read, what is damaged or newer is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "node/identity.h"
#include "sim_disk.h"

static const char VERSION_1[] = "quoin-id 1\n"
                                "store 00000000000000aa\n"
                                "cluster 00000000000000bb\n"
                                "seed ffffffffffffffff\n"
                                "node 0000000000000001\n"
                                "shards 0000000000000004\n";

static struct identity some_identity(void)
{
    return (struct identity){
        .store_id = 0x123456789abcdef0,
        .cluster_id = 77,
        .seed = UINT64_MAX,
        .node_id = 2,
        .shards = 16,
        .members = {.count = 2,
                    .at = {{.node = 1, .is_voter = true, .port = 7001, .host = "a.example"},
                           {.node = 2, .is_voter = true, .store_id = 9, .host = "::1"}}}};
}

/* The text with a sum that fits, as the file of a directory that is read. */
static enum identity_err read_text(struct bytes text, bool has_sum, struct identity *out,
                                   struct buf *error)
{
    struct disk *disk = sim_disk_new();
    struct buf file = {0};
    buf_append(&file, text);
    if (has_sum)
        buf_printf(&file, "sum %016llx\n", (unsigned long long)hash_bytes(text, 0));
    assert_int_equal(disk->ops->make_dir(disk, "/d"), DISK_OK);
    assert_int_equal(disk_replace_file(disk, "/d", "/d/quoin.id", buf_bytes(&file)), DISK_OK);
    enum identity_err err = identity_read(disk, "/d", out, error);
    buf_free(&file);
    sim_disk_free(disk);
    return err;
}

static struct buf written(const struct identity *identity)
{
    struct disk *disk = sim_disk_new();
    struct buf text = {0}, error = {0};
    assert_int_equal(disk->ops->make_dir(disk, "/d"), DISK_OK);
    assert_int_equal(identity_write(disk, "/d", identity, &error), IDENTITY_OK);
    buf_append(&text, sim_disk_content(disk, "/d/quoin.id"));
    assert_int_equal(error.size, 0);
    sim_disk_free(disk);
    return text;
}

static void assert_same(const struct identity *a, const struct identity *b)
{
    struct buf x = written(a), y = written(b);
    assert_true(bytes_equal(buf_bytes(&x), buf_bytes(&y)));
    assert_int_equal(a->members.count, b->members.count);
    buf_free(&x);
    buf_free(&y);
}

static void what_was_written_comes_back(void **state)
{
    (void)state;
    struct identity identity = some_identity(), read;
    for (uint32_t count = 0; count <= 2; count++) {
        struct buf error = {0};
        identity.members.count = count;
        struct buf text = written(&identity);
        assert_int_equal(read_text(buf_bytes(&text), false, &read, &error), IDENTITY_OK);
        assert_same(&identity, &read);
        assert_int_equal(error.size, 0);
        buf_free(&text);
    }
    assert_string_equal(read.members.at[0].host, "a.example");
    assert_int_equal(read.members.at[1].store_id, 9);
    assert_true(read.store_id == identity.store_id && read.seed == UINT64_MAX);
}

static void version_1_is_read_as_one_voter(void **state)
{
    (void)state;
    struct identity read;
    struct buf error = {0};
    assert_int_equal(read_text(bytes_of_string(VERSION_1), true, &read, &error), IDENTITY_OK);
    assert_true(read.store_id == 0xaa && read.cluster_id == 0xbb && read.seed == UINT64_MAX);
    assert_true(read.node_id == 1 && read.shards == 4);
    assert_int_equal(read.members.count, 1);
    assert_true(read.members.at[0].node == 1 && read.members.at[0].is_voter);
}

static void no_file_is_absent_and_no_error(void **state)
{
    (void)state;
    struct disk *disk = sim_disk_new();
    struct identity read;
    struct buf error = {0};
    assert_int_equal(identity_read(disk, "/d", &read, &error), IDENTITY_ABSENT);
    assert_int_equal(error.size, 0);
    sim_disk_free(disk);
}

static void a_newer_version_is_told_from_damage(void **state)
{
    (void)state;
    struct identity read;
    struct buf error = {0};
    assert_int_equal(read_text(BYTES_LITERAL("quoin-id 3\nanything"), true, &read, &error),
                     IDENTITY_NEWER_FORMAT);
    buf_append_u8(&error, 0);
    assert_non_null(strstr((const char *)error.data, "/d/quoin.id"));
    buf_free(&error);
    assert_int_equal(read_text(BYTES_LITERAL("quoin-ix 3\n"), true, &read, &error),
                     IDENTITY_DAMAGED);
    buf_free(&error);
}

static void every_cut_and_every_flipped_bit_is_refused(void **state)
{
    (void)state;
    struct identity identity = some_identity(), read;
    struct buf text = written(&identity), error = {0};
    for (size_t size = 0; size < text.size; size++)
        assert_int_equal(read_text(bytes_of(text.data, size), false, &read, &error),
                         IDENTITY_DAMAGED);
    for (size_t bit = 0; bit < text.size * 8; bit++) {
        text.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(read_text(buf_bytes(&text), false, &read, &error), IDENTITY_OK);
        text.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    buf_append_u8(&text, '\n');
    assert_int_equal(read_text(buf_bytes(&text), false, &read, &error), IDENTITY_DAMAGED);
    buf_free(&text);
    buf_free(&error);
}

/* With a sum that fits: lines are checked for themselves. */
static void a_line_that_nobody_writes_is_refused(void **state)
{
    (void)state;
    static const char HEAD[] = "quoin-id 2\n"
                               "store 00000000000000aa\ncluster 00000000000000bb\n"
                               "seed 0000000000000001\nnode 0000000000000001\n"
                               "shards 0000000000000004\n";
    static const struct {
        const char *line;
        enum identity_err err;
    } CASES[] = {
        {"members 0100\n", IDENTITY_OK},
        {"", IDENTITY_DAMAGED},
        {"members \n", IDENTITY_DAMAGED},
        {"members 010\n", IDENTITY_DAMAGED},
        {"members 01\n", IDENTITY_DAMAGED},
        {"members 0200\n", IDENTITY_DAMAGED},
        {"members 010000\n", IDENTITY_DAMAGED},
        {"members 01 00\n", IDENTITY_DAMAGED},
        {"members 010G\n", IDENTITY_DAMAGED},
        {"Members 0100\n", IDENTITY_DAMAGED},
        {"members 0100\nmembers 0100\n", IDENTITY_DAMAGED},
        {"shards 0000000000000004\nmembers 0100\n", IDENTITY_DAMAGED},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct identity read;
        struct buf text = {0}, error = {0};
        buf_append_string(&text, HEAD);
        buf_append_string(&text, CASES[i].line);
        assert_int_equal(read_text(buf_bytes(&text), true, &read, &error), CASES[i].err);
        assert_int_equal(error.size == 0, CASES[i].err == IDENTITY_OK);
        buf_free(&text);
        buf_free(&error);
    }
}

static void version_1_with_a_line_of_members_is_refused(void **state)
{
    (void)state;
    struct identity read;
    struct buf text = {0}, error = {0};
    buf_append_string(&text, VERSION_1);
    buf_append_string(&text, "members 0100\n");
    assert_int_equal(read_text(buf_bytes(&text), true, &read, &error), IDENTITY_DAMAGED);
    buf_free(&text);
    buf_free(&error);
}

static void the_second_write_replaces_the_first_or_changes_nothing(void **state)
{
    (void)state;
    struct disk *disk = sim_disk_new();
    struct identity first = some_identity(), second = some_identity(), read;
    struct buf error = {0};
    first.cluster_id = 0;
    first.members.count = 0;
    assert_int_equal(disk->ops->make_dir(disk, "/d"), DISK_OK);
    assert_int_equal(identity_write(disk, "/d", &first, &error), IDENTITY_OK);
    sim_disk_fail(disk, SIM_FAULT_WRITE_FULL, false);
    assert_int_equal(identity_write(disk, "/d", &second, &error), IDENTITY_DISK);
    assert_true(error.size > 0);
    assert_int_equal(identity_read(disk, "/d", &read, &error), IDENTITY_OK);
    assert_same(&read, &first);
    assert_int_equal(identity_write(disk, "/d", &second, &error), IDENTITY_OK);
    struct prng prng = prng_init(1);
    sim_disk_crash(disk, &prng, SIM_CRASH_LOSE);
    assert_int_equal(identity_read(disk, "/d", &read, &error), IDENTITY_OK);
    assert_same(&read, &second);
    buf_free(&error);
    sim_disk_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_comes_back),
        cmocka_unit_test(version_1_is_read_as_one_voter),
        cmocka_unit_test(no_file_is_absent_and_no_error),
        cmocka_unit_test(a_newer_version_is_told_from_damage),
        cmocka_unit_test(every_cut_and_every_flipped_bit_is_refused),
        cmocka_unit_test(a_line_that_nobody_writes_is_refused),
        cmocka_unit_test(version_1_with_a_line_of_members_is_refused),
        cmocka_unit_test(the_second_write_replaces_the_first_or_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
