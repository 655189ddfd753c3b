/* The log stays small under endless writes, whatever shards do: a shard with little to flush, or
 * none, must not keep old segments of all. Whole nodes on a simulated disk, flushes by bytes only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "steps/box.h"

enum {
    FLUSH_BYTES = 256 << 10,
    ROUNDS = 6,
    ROUND_TICKS = 700, /* fewer than the requests that the writer remembers */
    NEVER_MS = 1000000000,
    /* Over what the node aims at: a batch of the largest value in a segment of its own, while the
     * ones before it wait for the flush that frees them, and the spare files. */
    SLACK = 2 << 20,
};

static void write_round(struct box *box, uint64_t *wal_max)
{
    for (int i = 0; i < ROUND_TICKS; i++) {
        writer_send(&box->writer);
        box_tick(box);
        uint64_t size = wal_size_bytes(box->machines[0].node->wal);
        *wal_max = size > *wal_max ? size : *wal_max;
    }
    for (int i = 0; i < 1000 && !writer_is_idle(&box->writer); i++)
        box_tick(box);
    assert_true(writer_is_idle(&box->writer));
    writer_disconnect(&box->writer); /* the next tick connects it anew, and it reads back */
}

/* Entries that lie in segments older than the newest few, and whose they are. */
static void assert_nothing_old_is_pinned(const struct box *box, uint64_t aim)
{
    const struct node *node = box->machines[0].node;
    for (uint32_t id = 0; id < node->shard_count; id++)
        assert_true(wal_pinned_bytes(node->wal, id) <= aim + SLACK);
}

static void endless_writes(uint32_t shards)
{
    struct box *box = mem_zero(sizeof(*box));
    uint64_t wal_max = 0;
    box_init(box, 1);
    struct config *config = &box->machines[0].config;
    config->shards = shards;
    config->flush_bytes = FLUSH_BYTES;
    config->flush_age_ms = NEVER_MS;
    uint64_t aim = 2 * config->flush_bytes + 4 * config->wal_segment_size; /* node/turn.c */
    for (int round = 0; round < ROUNDS; round++) {
        write_round(box, &wal_max);
        assert_nothing_old_is_pinned(box, aim);
    }
    struct wal_counters counters = wal_counters(box->machines[0].node->wal);
    printf("# %u shards: %llu bytes written, the log had %llu at most\n", shards,
           (unsigned long long)counters.bytes, (unsigned long long)wal_max);
    assert_string_equal(box->broken, "");
    assert_true(counters.bytes > 4 * (aim + SLACK)); /* or it shows nothing */
    assert_true(wal_max <= aim + SLACK);
    box_fini(box);
    mem_free(box);
}

static void endless_writes_of_one_shard_leave_a_small_log(void **state)
{
    (void)state;
    endless_writes(1);
}

static void endless_writes_of_some_of_many_shards_leave_a_small_log(void **state)
{
    (void)state;
    endless_writes(64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endless_writes_of_one_shard_leave_a_small_log),
        cmocka_unit_test(endless_writes_of_some_of_many_shards_leave_a_small_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
