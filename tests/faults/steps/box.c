#include "box.h"

#include <stdarg.h>
#include <stdio.h>

#include "codec/rows.h"
#include "row_map.h"
#include "store/store_state.h"

enum {
    WIRE_PASSES = 3, /* in a tick: a question, its answer, what follows from it */
};

void box_violate(struct box *box, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (box->broken[0] == 0)
        (void)vsnprintf(box->broken, sizeof(box->broken), format, args);
    va_end(args);
}

/* ---- making ---- */

static void write_identities(struct box *box)
{
    struct members founders = {.count = (uint32_t)box->count};
    for (int i = 0; i < box->count; i++) {
        struct member *member = &founders.at[i];
        *member = (struct member){.node = (uint64_t)i + 1,
                                  .is_voter = true,
                                  .store_id = (uint64_t)i + 101,
                                  .port = (uint16_t)(7001 + i),
                                  .peer_port = (uint16_t)(17001 + i)};
        (void)snprintf(member->host, sizeof(member->host), "127.0.0.1");
    }
    for (int i = 0; i < box->count; i++)
        machine_write_identity(&box->machines[i], &founders);
}

void box_init(struct box *box, int count)
{
    const char *cluster = count > 1 ? "1=127.0.0.1:7001,2=127.0.0.1:7002,3=127.0.0.1:7003" : "";
    ASSERT(count == 1 || count == BOX_MACHINES_MAX);
    *box = (struct box){.count = count, .tick_us = BOX_TICK_US};
    for (int i = 0; i < count; i++) {
        machine_init(&box->machines[i], (uint64_t)i + 1, cluster);
        box->is_wanted[i] = true;
    }
    if (count > 1)
        write_identities(box);
    writer_init(&box->writer, 5);
}

void box_fini(struct box *box)
{
    writer_disconnect(&box->writer);
    for (int i = 0; i < box->count; i++) {
        machine_crash(&box->machines[i], SIM_CRASH_KEEP);
        machine_fini(&box->machines[i]);
    }
    writer_fini(&box->writer);
}

struct shard *box_shard(const struct box *box, int at)
{
    const struct node *node = box->machines[at].node;
    return node == NULL ? NULL : node->shards[0];
}

bool box_serves(const struct box *box)
{
    return box_shard(box, 0) != NULL && shard_is_serving(box_shard(box, 0));
}

/* ---- links ---- */

static struct peers *peers_of(struct box *box, int at)
{
    return box->machines[at].node == NULL ? NULL : box->machines[at].node->peers;
}

static void link_up(struct box *box, int at)
{
    for (int other = 0; other < box->count; other++) {
        if (other == at || peers_of(box, other) == NULL)
            continue;
        box->incarnation++;
        for (int channel = 0; channel < PEERS_CHANNELS; channel++) {
            peers_wire_up(peers_of(box, at), (uint64_t)other + 1, (enum peers_channel)channel,
                          box->incarnation);
            peers_wire_up(peers_of(box, other), (uint64_t)at + 1, (enum peers_channel)channel,
                          box->incarnation);
        }
    }
}

static void link_down(struct box *box, int at)
{
    for (int other = 0; other < box->count; other++) {
        if (other == at || peers_of(box, other) == NULL)
            continue;
        for (int channel = 0; channel < PEERS_CHANNELS; channel++)
            peers_wire_down(peers_of(box, other), (uint64_t)at + 1, (enum peers_channel)channel);
    }
}

static void move(struct box *box, int from, int to)
{
    if (from == to || peers_of(box, from) == NULL || peers_of(box, to) == NULL)
        return;
    for (int channel = 0; channel < PEERS_CHANNELS; channel++) {
        struct buf bytes = {0};
        peers_wire_take(peers_of(box, from), (uint64_t)to + 1, (enum peers_channel)channel, &bytes);
        if (bytes.size > 0)
            peers_wire_give(peers_of(box, to), (uint64_t)from + 1, (enum peers_channel)channel,
                            buf_bytes(&bytes));
        buf_free(&bytes);
    }
}

static void move_all(struct box *box)
{
    for (int from = 0; from < box->count; from++) {
        for (int to = 0; to < box->count; to++)
            move(box, from, to);
    }
}

/* ---- ending and starting ---- */

/* What the leader believes the member's log to hold, it must hold whatever happens to it. */
static void note_promised(struct box *box, int at)
{
    struct raft_peer_status peers[RAFT_MEMBERS_MAX];
    if (at == 0 || !box_serves(box))
        return;
    size_t count = raft_peers(shard_raft(box_shard(box, 0)), peers);
    for (size_t i = 0; i < count; i++) {
        if (peers[i].id == (uint64_t)at + 1 && peers[i].match > box->promised[at])
            box->promised[at] = peers[i].match;
    }
}

void box_crash(struct box *box, int at, enum sim_crash how)
{
    note_promised(box, at);
    if (at == 0) {
        if (box->writer.broken[0] != 0)
            box_violate(box, "%s", box->writer.broken);
        writer_disconnect(&box->writer);
    }
    machine_crash(&box->machines[at], how);
    link_down(box, at);
    box->stops++;
}

static void end_by_plan(struct box *box, int at)
{
    box_crash(box, at, box->machines[at].plan.crash);
}

static void check_start(struct box *box, int at)
{
    struct shard_status status = shard_status(box_shard(box, at));
    if (status.last < box->promised[at])
        box_violate(box, "node %d promised its log up to %llu and starts with %llu", at + 1,
                    (unsigned long long)box->promised[at], (unsigned long long)status.last);
    if (status.start == SHARD_START_ROWS_LOST && !box->may_lose_rows[at])
        box_violate(box, "node %d starts with lost rows", at + 1);
}

static void start(struct box *box, int at)
{
    struct machine *machine = &box->machines[at];
    struct buf error = {0};
    if (machine_open(machine, &error)) {
        if (at > 0)
            shard_set_willing(box_shard(box, at), false);
        link_up(box, at);
        check_start(box, at);
    } else if (machine->is_stopped || machine->had_fault) {
        end_by_plan(box, at);
    } else {
        box_violate(box, "node %d refuses to start: %.*s", at + 1, (int)error.size,
                    (const char *)error.data);
    }
    buf_free(&error);
}

/* ---- a tick ---- */

static void turn(struct box *box, int at)
{
    struct machine *machine = &box->machines[at];
    machine_run_jobs(machine);
    if (!machine->is_stopped && machine_turn(machine)) {
        const char *why = machine_check(machine);
        if (why != NULL)
            box_violate(box, "node %d: %s", at + 1, why);
        return;
    }
    if (!machine->is_stopped && !machine->had_fault)
        box_violate(box, "node %d fails without a fault: %s", at + 1, node_failure(machine->node));
    end_by_plan(box, at);
}

static void serve_writer(struct box *box)
{
    if (box_serves(box) && box->writer.client == NULL)
        writer_connect(&box->writer, node_server(box->machines[0].node));
    writer_receive(&box->writer);
    if (box->writer.broken[0] != 0)
        box_violate(box, "%s", box->writer.broken);
}

void box_tick(struct box *box)
{
    box->ticks++;
    for (int i = 0; i < box->count; i++) {
        box->machines[i].now.boot_us += box->tick_us;
        box->machines[i].now.wall_us += box->tick_us;
        if (box->is_wanted[i] && box->machines[i].node == NULL)
            start(box, i);
    }
    for (int pass = 0; pass < (box->count > 1 ? WIRE_PASSES : 1); pass++) {
        for (int i = 0; i < box->count; i++) {
            if (box->machines[i].node != NULL)
                turn(box, i);
        }
        move_all(box);
    }
    serve_writer(box);
}

/* ---- looking ---- */

/* No garbage is named, and what sweeping deletes is flushed. */
static bool is_swept(const struct store *store)
{
    return !store_sweep_pending(store) && store->sweep.edit_count == 0 &&
           store->frozen.buffer == NULL;
}

bool box_is_level(const struct box *box)
{
    if (!box_serves(box))
        return false;
    uint64_t last = shard_status(box_shard(box, 0)).last;
    for (int i = 0; i < box->count; i++) {
        struct shard *shard = box_shard(box, i);
        if (shard == NULL || shard_has_lost_rows(shard))
            return false;
        struct shard_status status = shard_status(shard);
        if (status.applied != last || status.flushed != last || !is_swept(shard_fsm(shard)->store))
            return false;
    }
    return true;
}

static struct row_map content_of(struct shard *shard)
{
    struct row_map map = {0};
    struct buf puts = {0};
    struct store *store = shard_fsm(shard)->store;
    struct store_read read = {.rows_max = SIZE_MAX, .bytes_max = SIZE_MAX};
    bool has_begun = store_read_begin(store, &read);
    ASSERT(has_begun);
    read.job.run(&read.job);
    enum store_err err = store_read_end(store, &read);
    ASSERT(err == STORE_OK && read.complete);
    struct bytes rest = buf_bytes(&read.rows);
    struct row row;
    while (rows_next(&rest, &row) == ROWS_OK) {
        if (row.key.data[0] != 'M') /* some of them are each store's own */
            rows_append(&puts, row.op, row.key, row.value);
    }
    row_map_fold(&map, buf_bytes(&puts));
    buf_free(&puts);
    store_read_fini(&read);
    return map;
}

void box_compare(struct box *box)
{
    struct row_map first = content_of(box_shard(box, 0));
    for (int i = 1; i < box->count; i++) {
        struct row_map other = content_of(box_shard(box, i));
        if (!row_map_equal(&first, &other))
            box_violate(box, "node %d holds other rows than node 1", i + 1);
        row_map_free(&other);
    }
    row_map_free(&first);
}
