/* Up to three shards of one group, each over a simulated disk and a database of its own, turned by
 * hand; messages go at once, as far as the test lets them. Functions only for programs that link
 * src/shard, so everything is in this header. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/endian.h"
#include "base/mem.h"
#include "codec/rows.h"
#include "kv_memory.h"
#include "shard/internal.h"
#include "sim_disk.h"

#define TRIO_UNUSED __attribute__((unused))

enum { TRIO_MAX = 3, TRIO_APPEND_MAX = 256 };

struct trio_side {
    uint64_t node;
    struct disk *disk;
    struct kv_env *kv;
    struct wal *wal;
    struct shard *shard;
    struct worker *wal_worker, *store_worker;
    bool is_down;
    bool is_cut;      /* no message comes or goes */
    bool holds_wal;   /* batches stay under way */
    bool wants_flush; /* flush whatever waits */
    uint64_t wanted;  /* node that the core wants an install for; 0: none */
    uint64_t offered; /* index of the offer that came last */
};

struct trio {
    struct trio_side sides[TRIO_MAX];
    uint32_t count;
    uint64_t boot_us;
    uint64_t tail_max, apply_backlog_max;
    size_t value_size; /* of proposed rows */
};

TRIO_UNUSED static struct member trio_member(uint64_t node)
{
    struct member member = {.node = node,
                            .is_voter = true,
                            .store_id = 70 + node,
                            .port = (uint16_t)(7000 + node),
                            .peer_port = (uint16_t)(17000 + node)};
    (void)snprintf(member.host, sizeof(member.host), "host-%u", (unsigned)node);
    return member;
}

/* ---- open and close ---- */

TRIO_UNUSED static bool trio_try_open(struct trio *trio, struct trio_side *side, struct buf *error)
{
    struct wal_options wal_options = {.dir = "/wal", .group_count = 1, .segment_size = 16384};
    struct wal_recovery *recovery;
    struct buf note = {0}, bytes = {0};
    assert_int_equal(wal_open(&side->wal, side->disk, &wal_options, &recovery, &note, error),
                     WAL_OK);
    struct members members = {.count = trio->count};
    for (uint32_t i = 0; i < trio->count; i++)
        members.at[i] = trio_member(i + 1);
    members_append(&bytes, &members);
    struct shard_options options = {
        .node_id = side->node,
        .seed = 3 + side->node,
        .wal = side->wal,
        .recovered = &recovery->groups[0],
        .wal_is_fresh = recovery->fresh,
        .has_others = trio->count > 1,
        .tail_max = trio->tail_max,
        .apply_backlog_max = trio->apply_backlog_max,
        .boot_us = trio->boot_us,
        .wall_us = trio->boot_us,
        .store = {.dir = "/shard",
                  .disk = side->disk,
                  .env = side->kv,
                  .identity = 9,
                  .create = recovery->fresh,
                  .members = buf_bytes(&bytes)},
    };
    bool is_open = shard_open(&side->shard, &options, error);
    wal_recovery_free(recovery);
    buf_free(&note);
    buf_free(&bytes);
    side->wal_worker = worker_new_manual(8);
    side->store_worker = worker_new_manual(8);
    side->is_down = !is_open;
    return is_open;
}

TRIO_UNUSED static void trio_open(struct trio *trio, struct trio_side *side)
{
    struct buf error = {0};
    bool is_open = trio_try_open(trio, side, &error);
    if (!is_open)
        print_error("%.*s\n", (int)error.size, (const char *)error.data);
    assert_true(is_open);
    buf_free(&error);
}

TRIO_UNUSED static void trio_run_jobs(struct trio_side *side)
{
    struct job *job;
    struct buf error = {0};
    while (!side->holds_wal && worker_run_one(side->wal_worker))
        continue;
    while (worker_run_one(side->store_worker))
        continue;
    while ((job = worker_take_done(side->wal_worker)) != NULL)
        wal_job_done(side->wal, job);
    while ((job = worker_take_done(side->store_worker)) != NULL)
        shard_job_done(side->shard, job, &error);
    buf_free(&error);
}

/* The process ends; what it handed to its workers still gets done. */
TRIO_UNUSED static void trio_close(struct trio_side *side)
{
    side->holds_wal = false;
    if (side->shard != NULL)
        trio_run_jobs(side);
    worker_free(side->wal_worker);
    worker_free(side->store_worker);
    shard_close(side->shard);
    wal_free(side->wal);
    side->shard = NULL;
    side->wal = NULL;
    side->is_down = true;
}

/* The process dies, and what was not synced goes with it. */
TRIO_UNUSED static void trio_crash(struct trio_side *side)
{
    struct prng prng = prng_init(1);
    trio_close(side);
    sim_disk_crash(side->disk, &prng, SIM_CRASH_LOSE);
    kv_memory_crash(side->kv);
}

TRIO_UNUSED static void trio_init(struct trio *trio, uint32_t count)
{
    trio->count = count;
    trio->boot_us = 1000000;
    trio->value_size = 16;
    for (uint32_t i = 0; i < count; i++) {
        struct trio_side *side = &trio->sides[i];
        *side = (struct trio_side){.node = i + 1, .disk = sim_disk_new(), .kv = kv_memory_new()};
        trio_open(trio, side);
    }
}

TRIO_UNUSED static void trio_fini(struct trio *trio)
{
    for (uint32_t i = 0; i < trio->count; i++) {
        if (!trio->sides[i].is_down)
            trio_close(&trio->sides[i]);
        kv_memory_free(trio->sides[i].kv);
        sim_disk_free(trio->sides[i].disk);
    }
}

/* ---- turns ---- */

TRIO_UNUSED static void trio_send(struct trio *trio, struct trio_side *from,
                                  const struct raft_message *sent)
{
    struct raft_message message = *sent;
    struct trio_side *to = &trio->sides[message.to - 1];
    struct entry_view views[TRIO_APPEND_MAX];
    raft_term terms[TRIO_APPEND_MAX];
    if (message.to > trio->count || from->is_cut || to->is_cut || to->is_down)
        return;
    if (message.kind == RAFT_APPEND) {
        assert_true(message.append.count <= TRIO_APPEND_MAX);
        for (uint32_t i = 0; i < message.append.count; i++) {
            const struct entry *entry =
                entry_log_at(&from->shard->log, message.append.prev_index + 1 + i);
            terms[i] = entry->term;
            views[i] = (struct entry_view){.term = entry->term,
                                           .kind = (uint8_t)entry->kind,
                                           .payload = bytes_of(entry->payload, entry->size)};
        }
        message.append.terms = terms;
    }
    shard_step(to->shard, trio->boot_us, &message, views);
}

TRIO_UNUSED static void trio_collect(struct trio *trio, struct trio_side *side)
{
    struct raft_ready ready;
    while (shard_next_ready(side->shard, trio->boot_us, &ready)) {
        for (size_t i = 0; i < ready.message_count; i++)
            trio_send(trio, side, &ready.messages[i]);
        for (size_t i = 0; i < ready.install_count; i++)
            side->wanted = ready.installs[i];
        if (ready.offer.from != 0)
            side->offered = ready.offer.index;
        shard_take_ready(side->shard, &ready);
    }
}

/* What must hold between the three at any moment (L2, L3). */
TRIO_UNUSED static void trio_check(const struct trio_side *side)
{
    struct shard_status status = shard_status(side->shard);
    assert_true(status.commit <= status.last && status.base <= status.last);
    assert_true(side->shard->synced_index <= status.last);
    if (shard_has_lost_rows(side->shard))
        return;
    assert_true(status.base <= status.mark && status.mark <= status.flushed);
    assert_true(status.flushed <= status.applied && status.applied <= status.commit);
}

TRIO_UNUSED static void trio_turn_side(struct trio *trio, struct trio_side *side)
{
    trio_run_jobs(side);
    shard_tick(side->shard, trio->boot_us);
    trio_collect(trio, side);
    shard_promise(side->shard, trio->boot_us);
    wal_tick(side->wal, trio->boot_us);
    (void)wal_submit(side->wal, side->wal_worker);
    while (shard_next_applied(side->shard, trio->boot_us / 1000) != NULL)
        continue;
    struct fsm_flush_policy policy = {
        .bytes_max = 1 << 30, .age_ms = UINT64_MAX / 2, .is_wanted = side->wants_flush};
    shard_flush(side->shard, &policy, trio->boot_us / 1000, side->store_worker);
    trio_check(side);
}

TRIO_UNUSED static void trio_turns(struct trio *trio, int count)
{
    for (; count > 0; count--) {
        trio->boot_us += 10000;
        for (uint32_t i = 0; i < trio->count; i++) {
            if (!trio->sides[i].is_down)
                trio_turn_side(trio, &trio->sides[i]);
        }
    }
}

/* The one that serves, or NULL. */
TRIO_UNUSED static struct trio_side *trio_leader(struct trio *trio)
{
    for (uint32_t i = 0; i < trio->count; i++) {
        struct trio_side *side = &trio->sides[i];
        if (!side->is_down && !side->is_cut && shard_is_serving(side->shard))
            return side;
    }
    return NULL;
}

TRIO_UNUSED static struct trio_side *trio_serve(struct trio *trio)
{
    for (int i = 0; i < 1000 && trio_leader(trio) == NULL; i++)
        trio_turns(trio, 1);
    assert_non_null(trio_leader(trio));
    return trio_leader(trio);
}

/* Whoever is neither of the two. */
TRIO_UNUSED static struct trio_side *trio_other(struct trio *trio, const struct trio_side *a,
                                                const struct trio_side *b)
{
    for (uint32_t i = 0; i < trio->count; i++) {
        if (&trio->sides[i] != a && &trio->sides[i] != b)
            return &trio->sides[i];
    }
    return NULL;
}

/* ---- rows ---- */

/* One row, its key the index of the entry, its value who proposed it. */
TRIO_UNUSED static uint64_t trio_propose(struct trio *trio, struct trio_side *side)
{
    struct buf payload = {0};
    uint8_t key[5] = {'N'};
    put_be32(key + 1, (uint32_t)shard_next_index(side->shard));
    put_le64(buf_extend(&payload, ENTRY_STAMP_SIZE),
             shard_now_us(side->shard, trio->boot_us, trio->boot_us));
    uint8_t *value = mem_zero(trio->value_size);
    value[0] = (uint8_t)side->node;
    rows_append(&payload, ROW_PUT, bytes_of(key, 5), bytes_of(value, trio->value_size));
    mem_free(value);
    return shard_propose(side->shard, &payload);
}

/* Node that proposed what stands in the rows at this index; 0: nothing does. */
TRIO_UNUSED static uint8_t trio_row(const struct trio_side *side, uint64_t index)
{
    uint8_t key[5] = {'N'};
    put_be32(key + 1, (uint32_t)index);
    struct bytes keys[1] = {bytes_of(key, sizeof(key))};
    struct store_read read = {.keys = keys, .key_count = 1};
    struct store *store = shard_fsm(side->shard)->store;
    assert_true(store_read_begin(store, &read));
    read.job.run(&read.job);
    assert_int_equal(store_read_end(store, &read), STORE_OK);
    struct bytes rest = buf_bytes(&read.rows);
    struct row row;
    assert_int_equal(rows_next(&rest, &row), ROWS_OK);
    uint8_t node = row.op == ROW_DELETE ? 0 : row.value.data[0];
    store_read_fini(&read);
    return node;
}

/* ---- entries that nobody here proposed ---- */

/* The message of a leader of that term, from that node, with one entry behind prev. */
TRIO_UNUSED static void rival_appends(struct trio *trio, struct trio_side *to, uint64_t from,
                                      uint64_t term, uint64_t prev, struct entry_view entry,
                                      uint64_t commit)
{
    entry.term = term;
    struct raft_message message = {
        .kind = RAFT_APPEND,
        .from = from,
        .to = to->node,
        .term = term,
        .append = {.prev_index = prev,
                   .prev_term = raft_term_at(shard_raft(to->shard), prev),
                   .commit = commit,
                   .count = 1,
                   .terms = &term},
    };
    shard_step(to->shard, trio->boot_us, &message, &entry);
}

static const struct entry_view NOOP = {.kind = ENTRY_NOOP};

TRIO_UNUSED static struct buf members_bytes(const struct members *members)
{
    struct buf bytes = {0};
    members_append(&bytes, members);
    return bytes;
}

TRIO_UNUSED static uint64_t term_of(const struct trio_side *side)
{
    return shard_status(side->shard).term;
}

/* Node, role and address of each, as the core and the shard say them. */
TRIO_UNUSED static void assert_members(const struct trio_side *side, uint32_t count)
{
    const struct raft_members *core = &raft_membership(shard_raft(side->shard))->members;
    struct members members = *shard_members(side->shard);
    assert_int_equal(members.count, count);
    assert_int_equal(core->count, count);
    for (uint32_t i = 0; i < count; i++) {
        struct member expected = trio_member(core->at[i].id);
        assert_int_equal(members.at[i].node, core->at[i].id);
        assert_int_equal(members.at[i].is_voter, core->at[i].is_voter);
        assert_string_equal(members.at[i].host, expected.host);
        assert_int_equal(members.at[i].port, expected.port);
        assert_int_equal(members.at[i].store_id, expected.store_id);
    }
}

TRIO_UNUSED static void change(struct trio *trio, enum raft_change_kind kind, uint64_t node)
{
    struct member info = trio_member(node);
    struct trio_side *leader = trio_serve(trio);
    struct raft_change wanted = {.kind = kind, .node = node};
    struct member self = trio_member(leader->node);
    assert_int_equal(shard_change_members(leader->shard, trio->boot_us, wanted, &info, &self),
                     RAFT_OK);
    trio_turns(trio, 10);
}

/* ---- installs ---- */

struct trio_install {
    struct trio_side *from, *to;
    struct store_export export;
    struct store_import import;
    struct buf members;
    struct store_meta meta;
};

TRIO_UNUSED static void trio_import_run(struct trio_install *install)
{
    install->import.job.run(&install->import.job);
    assert_int_equal(store_import_done(shard_fsm(install->to->shard)->store, &install->import),
                     STORE_OK);
}

/* Everything but the end: the rows stand in a new generation that nobody sees yet. */
TRIO_UNUSED static void trio_install_stream(struct trio *trio, struct trio_install *install)
{
    struct shard *from = install->from->shard;
    struct store *to = shard_fsm(install->to->shard)->store;
    assert_true(store_export_begin(shard_fsm(from)->store, &install->export));
    install->meta = install->export.meta;
    buf_append(&install->members, install->export.meta.members);
    install->meta.members = buf_bytes(&install->members);
    raft_install_begin(shard_raft(from), trio->boot_us, install->to->node,
                       install->meta.applied_index);
    shard_pin(from, install->meta.applied_index);
    trio_turns(trio, 2); /* the core announces it */
    store_import_begin(to, &install->import);
    trio_import_run(install);
    do {
        assert_true(store_export_read(&install->export, 1000));
        install->export.job.run(&install->export.job);
        assert_int_equal(store_export_read_end(&install->export), STORE_OK);
        store_import_write(&install->import, buf_bytes(&install->export.rows));
        trio_import_run(install);
    } while (!install->export.complete);
}

/* The rename: from here on a restart finds the new rows. */
TRIO_UNUSED static void trio_install_publish(struct trio_install *install)
{
    shard_freeze(install->to->shard, true);
    assert_true(store_import_finish(shard_fsm(install->to->shard)->store, &install->import,
                                    &install->meta));
    trio_import_run(install);
}

TRIO_UNUSED static void trio_install_adopt(struct trio *trio, struct trio_install *install)
{
    struct shard *to = install->to->shard;
    assert_true(store_import_is_adoptable(shard_fsm(to)->store, &install->import));
    assert_true(shard_installed(to, &install->meta));
    assert_true(fsm_import_adopt(shard_fsm(to), &install->import));
    shard_adopted(to);
    shard_freeze(to, false);
    trio_collect(trio, install->to); /* in the same turn, as a node does */
}

TRIO_UNUSED static void trio_install_fini(struct trio_install *install)
{
    shard_pin(install->from->shard, 0);
    store_import_fini(&install->import);
    store_export_fini(&install->export);
    buf_free(&install->members);
}

/* From beginning to end, the reset of the log and the old generation's end included. */
TRIO_UNUSED static void trio_install(struct trio *trio, struct trio_side *from,
                                     struct trio_side *to)
{
    struct trio_install install = {.from = from, .to = to};
    trio_install_stream(trio, &install);
    trio_install_publish(&install);
    trio_install_adopt(trio, &install);
    trio_turns(trio, 3);
    assert_true(shard_is_reset(to->shard));
    store_import_settle(shard_fsm(to->shard)->store, &install.import);
    trio_import_run(&install);
    trio_install_fini(&install);
}
