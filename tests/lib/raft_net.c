#include "raft_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "raft_net_check.h"

enum { ID_STEP = 16 }; /* ids of one position: n + 1, n + 1 + 16, … */

struct raft_config raft_net_config(void)
{
    return (struct raft_config){
        .election_min_us = 100000,
        .election_max_us = 200000,
        .heartbeat_us = 30000,
        .clock_drift_ppm = 10000,
        .append_entries_max = RAFT_NET_ENTRIES_MAX,
        .inflight_max = 8,
        .term_runs_max = 256,
    };
}

struct raft_net *raft_net_new(void)
{
    return mem_zero(sizeof(struct raft_net));
}

static void drop_batches(struct raft_net_node *node)
{
    for (uint32_t i = 0; i < node->batch_count; i++)
        mem_free(node->batches[i].entries);
    node->batch_count = 0;
}

static void clear_node(struct raft_net_node *node)
{
    raft_free(node->raft);
    drop_batches(node);
    node->raft = NULL;
    node->promises_lost = node->rows_lost = false;
    node->last = node->disk_last = node->commit_seen = 0;
    node->log[0] = node->disk[0] = (struct raft_net_entry){0};
    node->disk_hard = (struct raft_hard_state){0};
    node->base = node->disk_base = node->rows = (struct raft_net_base){0};
}

void raft_net_free(struct raft_net *net)
{
    if (net == NULL)
        return;
    for (uint32_t n = 0; n < RAFT_NET_NODES_MAX; n++)
        clear_node(&net->nodes[n]);
    mem_free(net);
}

static void form(struct raft_net *net)
{
    struct raft_members *members = &net->configs[1];
    *members = (struct raft_members){.count = net->options.voter_count};
    for (uint32_t n = 0; n < members->count; n++)
        members->at[n] = (struct raft_member){n + 1, true};
    net->configs[0] = (struct raft_members){0};
    net->config_count = 2;
}

void raft_net_begin(struct raft_net *net, const struct raft_net_options *options)
{
    ASSERT(options->node_count > 0 && options->node_count <= RAFT_NET_NODES_MAX);
    ASSERT(options->voter_count > 0 && options->voter_count <= options->node_count);
    ASSERT(options->config.append_entries_max <= RAFT_NET_ENTRIES_MAX);
    net->options = *options;
    net->prng = prng_init(options->seed);
    net->now_us = 1000000;
    net->message_count = net->starts = 0;
    net->next_value = 1;
    net->messages_sent = net->reads_answered = net->lease_checks = 0;
    raft_net_check_begin(net);
    for (uint32_t n = 0; n < RAFT_NET_NODES_MAX; n++)
        clear_node(&net->nodes[n]);
    net->node_count = options->node_count;
    form(net);
    for (uint32_t n = 0; n < net->node_count; n++) {
        struct raft_net_node *node = &net->nodes[n];
        node->id = n + 1;
        node->disk_base.config = node->rows.config = n < options->voter_count ? 1 : 0;
        node->drift_ppm = 0;
        node->clock_base_us = node->clock_since_us = net->now_us;
        raft_net_start(net, n);
    }
}

/* ---- nodes ---- */

struct raft *raft_net_raft(struct raft_net *net, uint32_t n)
{
    ASSERT(n < net->node_count && net->nodes[n].raft != NULL);
    return net->nodes[n].raft;
}

uint64_t raft_net_clock(const struct raft_net *net, uint32_t n)
{
    const struct raft_net_node *node = &net->nodes[n];
    int64_t passed = (int64_t)(net->now_us - node->clock_since_us);
    return node->clock_base_us + (uint64_t)(passed + passed * node->drift_ppm / 1000000);
}

int32_t raft_net_leader(const struct raft_net *net)
{
    int32_t found = -1;
    raft_term term = 0;
    for (uint32_t n = 0; n < net->node_count; n++) {
        const struct raft *raft = net->nodes[n].raft;
        if (raft == NULL || raft_role(raft) != RAFT_LEADER || raft_term_now(raft) <= term)
            continue;
        term = raft_term_now(raft);
        found = (int32_t)n;
    }
    return found;
}

raft_index raft_net_committed(const struct raft_net *net)
{
    return net->committed_last;
}

uint32_t raft_net_position(const struct raft_net *net, raft_node id)
{
    uint32_t n = (uint32_t)((id - 1) % ID_STEP);
    bool is_here = id > 0 && n < net->node_count && net->nodes[n].id == id;
    return is_here ? n : RAFT_NET_NODES_MAX;
}

/* ---- sending ---- */

static struct raft_net_message *put_in_flight(struct raft_net *net)
{
    if (net->message_count == RAFT_NET_MESSAGES_MAX)
        raft_net_drop(net, 0);
    struct raft_net_message *slot = &net->messages[net->message_count++];
    slot->is_rows = false;
    slot->due_us = 0;
    net->messages_sent++;
    return slot;
}

static void send(struct raft_net *net, uint32_t n, const struct raft_message *message)
{
    const struct raft_net_node *node = &net->nodes[n];
    raft_net_check_message(net, n, message);
    struct raft_net_message *slot = put_in_flight(net);
    slot->message = *message;
    if (message->kind != RAFT_APPEND)
        return;
    ASSERT(message->append.count <= RAFT_NET_ENTRIES_MAX);
    for (uint32_t i = 0; i < message->append.count; i++)
        slot->entries[i] = node->log[message->append.prev_index + 1 + i];
}

/* The place `index` (base..last) with its configuration, folded over the log. */
static struct raft_net_base place_at(const struct raft_net_node *node, raft_index index)
{
    struct raft_net_base place = node->base;
    if (index == place.index)
        return place;
    place.index = index;
    place.term = node->log[index].term;
    for (raft_index i = index; i > node->base.index; i--) {
        if (node->log[i].config == 0)
            continue;
        place.config = node->log[i].config;
        place.config_index = i;
        break;
    }
    return place;
}

static void begin_install(struct raft_net *net, uint32_t n, raft_node peer)
{
    struct raft_net_node *node = &net->nodes[n];
    raft_net_flush(net, n);
    if (node->rows.index == 0 || node->rows.index < node->base.index)
        return;
    raft_install_begin(node->raft, raft_net_clock(net, n), peer, node->rows.index);
    struct raft_net_message *slot = put_in_flight(net);
    slot->message = (struct raft_message){
        .kind = RAFT_INSTALL,
        .from = node->id,
        .to = peer,
        .term = raft_term_now(node->raft),
        .install = {node->rows.index, node->rows.term},
    };
    slot->is_rows = true;
    slot->rows = node->rows;
}

/* ---- disk ---- */

static void reset_disk(struct raft_net_node *node, const struct raft_net_batch *batch)
{
    node->disk_base = batch->base;
    node->disk_last = batch->base.index;
}

static void write_batch(struct raft_net_node *node, struct raft_net_batch *batch)
{
    if (batch->hard_state_changed)
        node->disk_hard = batch->hard;
    if (batch->log_was_reset)
        reset_disk(node, batch);
    if (batch->entries == NULL)
        return;
    ASSERT(batch->first <= node->disk_last + 1);
    for (raft_index i = batch->first; i <= batch->last; i++) {
        node->disk[i] = batch->entries[i - batch->first];
        node->disk_last = i;
    }
    mem_free(batch->entries);
    batch->entries = NULL;
}

static struct raft_mark write_oldest(struct raft_net_node *node)
{
    ASSERT(node->batch_count > 0);
    struct raft_mark mark = node->batches[0].mark;
    write_batch(node, &node->batches[0]);
    node->batch_count--;
    memmove(node->batches, node->batches + 1, sizeof(node->batches[0]) * node->batch_count);
    return mark;
}

static void complete_oldest(struct raft_net *net, uint32_t n)
{
    struct raft_net_node *node = &net->nodes[n];
    struct raft_mark mark = write_oldest(node);
    raft_stored(node->raft, raft_net_clock(net, n), &mark);
}

/* ---- ready ---- */

static void put_batch(struct raft_net *net, uint32_t n, const struct raft_ready *ready)
{
    struct raft_net_node *node = &net->nodes[n];
    ASSERT(node->batch_count < RAFT_NET_BATCHES_MAX);
    struct raft_net_batch *batch = &node->batches[node->batch_count++];
    *batch = (struct raft_net_batch){
        .hard_state_changed = ready->hard_state_changed,
        .log_was_reset = ready->log_was_reset,
        .hard = ready->hard,
        .base = node->base,
        .first = ready->store_first,
        .last = ready->store_last,
        .mark = ready->mark,
    };
    if (batch->last < batch->first)
        return;
    size_t size = sizeof(*batch->entries) * (size_t)(batch->last - batch->first + 1);
    batch->entries = mem_alloc(size);
    memcpy(batch->entries, &node->log[batch->first], size);
}

static void put_noop(struct raft_net *net, uint32_t n, raft_index index)
{
    struct raft_net_node *node = &net->nodes[n];
    ASSERT(index == node->last + 1 && index <= RAFT_NET_LOG_MAX);
    node->log[index] = (struct raft_net_entry){
        .term = (uint32_t)raft_term_now(node->raft),
        .value = net->next_value++,
    };
    node->last = index;
    raft_net_check_entry(net, n, index);
}

static void confirm_reads(struct raft_net *net, uint32_t n, const struct raft_ready *ready)
{
    struct raft_net_node *node = &net->nodes[n];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < node->read_count; i++) {
        struct raft_net_read read = node->reads[i];
        if (ready->role != RAFT_LEADER || read.term != ready->term)
            continue;
        if (read.round > ready->reads_confirmed) {
            node->reads[kept++] = read;
            continue;
        }
        raft_net_check_read(net, n, read.must_see);
        net->reads_answered++;
    }
    node->read_count = kept;
}

static void trace_role(const struct raft_net *net, uint32_t n, const struct raft_ready *ready)
{
    static const char *const names[] = {"follower", "pre-candidate", "candidate", "leader"};
    if (net->options.is_traced && ready->role_changed)
        printf("# %9llu node %u is %s of term %llu, leader %llu\n", (unsigned long long)net->now_us,
               n + 1, names[ready->role], (unsigned long long)ready->term,
               (unsigned long long)ready->leader);
}

static void take_ready(struct raft_net *net, uint32_t n)
{
    struct raft_net_node *node = &net->nodes[n];
    struct raft_ready ready;
    if (node->batch_count == RAFT_NET_BATCHES_MAX)
        complete_oldest(net, n);
    raft_ready(node->raft, raft_net_clock(net, n), &ready);
    trace_role(net, n, &ready);
    if (ready.noop != 0)
        put_noop(net, n, ready.noop);
    if (ready.must_store)
        put_batch(net, n, &ready);
    for (size_t i = 0; i < ready.message_count; i++)
        send(net, n, &ready.messages[i]);
    raft_advance(node->raft);
    raft_net_check_commit(net, n, &ready);
    confirm_reads(net, n, &ready);
    for (size_t i = 0; i < ready.install_count; i++)
        begin_install(net, n, ready.installs[i]);
    if (net->options.applies_at_once)
        raft_net_apply(net, n);
    if (net->options.stores_at_once)
        while (raft_net_store(net, n))
            ;
}

void raft_net_collect(struct raft_net *net, uint32_t n)
{
    struct raft_net_node *node = &net->nodes[n];
    for (uint32_t i = 0; node->raft != NULL && raft_has_ready(node->raft) && i < 4; i++)
        take_ready(net, n);
    raft_net_check(net, n);
}

void raft_net_tick(struct raft_net *net, uint32_t n)
{
    raft_tick(raft_net_raft(net, n), raft_net_clock(net, n));
    raft_net_collect(net, n);
}

void raft_net_apply(struct raft_net *net, uint32_t n)
{
    struct raft *raft = raft_net_raft(net, n);
    if (!net->nodes[n].rows_lost && raft_commit_index(raft) > raft_applied_index(raft))
        raft_applied(raft, raft_commit_index(raft));
}

/* ---- rows, and the log's beginning ---- */

bool raft_net_store(struct raft_net *net, uint32_t n)
{
    struct raft_net_node *node = &net->nodes[n];
    if (node->raft == NULL || node->batch_count == 0)
        return false;
    complete_oldest(net, n);
    raft_net_collect(net, n);
    return true;
}

void raft_net_flush(struct raft_net *net, uint32_t n)
{
    struct raft_net_node *node = &net->nodes[n];
    raft_index through = raft_applied_index(node->raft);
    if (through > raft_stored_index(node->raft))
        through = raft_stored_index(node->raft);
    if (through > node->rows.index && through >= node->base.index && !node->rows_lost)
        node->rows = place_at(node, through);
}

void raft_net_compact(struct raft_net *net, uint32_t n, raft_index keep)
{
    struct raft_net_node *node = &net->nodes[n];
    raft_net_flush(net, n);
    raft_index stored = raft_stored_index(node->raft);
    raft_index flushed = node->rows.index < stored ? node->rows.index : stored;
    if (node->rows_lost || flushed <= node->base.index + keep)
        return;
    node->base = node->disk_base = place_at(node, flushed - keep);
    raft_compacted(node->raft, node->base.index);
    ASSERT(raft_base_term(node->raft) == node->base.term);
}

void raft_net_crash(struct raft_net *net, uint32_t n, uint32_t kept)
{
    struct raft_net_node *node = &net->nodes[n];
    ASSERT(node->raft != NULL);
    for (uint32_t i = 0; i < kept && node->batch_count > 0; i++)
        (void)write_oldest(node);
    drop_batches(node);
    raft_free(node->raft);
    node->raft = NULL;
    if (net->options.is_traced)
        printf("# %9llu node %u crashes with entries through %llu on disk\n",
               (unsigned long long)net->now_us, n + 1, (unsigned long long)node->disk_last);
}

/* L4: log entries that do not connect to the rows are dropped. */
static void connect_log_to_rows(struct raft_net_node *node)
{
    raft_index at = node->rows.index;
    bool is_base = at == node->disk_base.index && node->rows.term == node->disk_base.term;
    bool is_entry = at > node->disk_base.index && at <= node->disk_last &&
                    node->disk[at].term == node->rows.term;
    if (is_base || is_entry || node->rows_lost)
        return;
    node->disk_base = node->rows;
    node->disk_last = at;
}

static uint32_t read_disk(struct raft_net *net, struct raft_net_node *node, raft_term *terms,
                          struct raft_membership *changes)
{
    uint32_t change_count = 0;
    node->base = node->disk_base;
    node->last = node->disk_last;
    for (raft_index i = node->base.index + 1; i <= node->disk_last; i++) {
        node->log[i] = node->disk[i];
        terms[i - node->base.index - 1] = node->disk[i].term;
        if (node->disk[i].config != 0)
            changes[change_count++] =
                (struct raft_membership){i, net->configs[node->disk[i].config]};
    }
    return change_count;
}

static struct raft *start_core(struct raft_net *net, uint32_t n)
{
    struct raft_net_node *node = &net->nodes[n];
    raft_term terms[RAFT_NET_LOG_MAX];
    struct raft_membership changes[RAFT_NET_CONFIGS_MAX];
    struct raft_config config = net->options.config;
    config.id = node->id;
    config.seed = net->options.seed * 1000 + ++net->starts;
    struct raft_restored restored = {
        .hard = node->disk_hard,
        .base_index = node->disk_base.index,
        .base_term = node->disk_base.term,
        .applied = node->rows.index,
        .terms = terms,
        .term_count = node->disk_last - node->disk_base.index,
        .membership = {node->disk_base.config_index, net->configs[node->disk_base.config]},
        .changes = changes,
        .rows_lost = node->rows_lost,
        .promises_lost = node->promises_lost,
    };
    restored.change_count = read_disk(net, node, terms, changes);
    return raft_new(&config, &restored, raft_net_clock(net, n));
}

void raft_net_start(struct raft_net *net, uint32_t n)
{
    struct raft_net_node *node = &net->nodes[n];
    ASSERT(node->raft == NULL);
    connect_log_to_rows(node);
    node->read_count = 0;
    node->role_term = 0;
    node->commit_seen = 0;
    node->raft = start_core(net, n);
    if (net->options.is_traced)
        printf("# %9llu node %u starts\n", (unsigned long long)net->now_us, n + 1);
    raft_net_collect(net, n);
}

void raft_net_lose_rows(struct raft_net *net, uint32_t n)
{
    struct raft_net_node *node = &net->nodes[n];
    ASSERT(node->raft == NULL);
    node->rows_lost = true;
    node->rows = (struct raft_net_base){0};
}

void raft_net_lose_promises(struct raft_net *net, uint32_t n)
{
    struct raft_net_node *node = &net->nodes[n];
    ASSERT(node->raft == NULL);
    uint32_t config = node->disk_base.config;
    clear_node(node);
    node->disk_base.config = config;
    node->promises_lost = true;
}

void raft_net_replace(struct raft_net *net, uint32_t n)
{
    struct raft_net_node *node = &net->nodes[n];
    ASSERT(node->promises_lost);
    clear_node(node);
    node->id += ID_STEP;
    raft_net_start(net, n);
}

/* ---- clients ---- */

raft_index raft_net_propose(struct raft_net *net, uint32_t n)
{
    struct raft_net_node *node = &net->nodes[n];
    if (node->last >= RAFT_NET_PROPOSE_MAX)
        return 0;
    raft_index index = raft_propose(raft_net_raft(net, n));
    if (index == 0)
        return 0;
    ASSERT(index == node->last + 1);
    node->log[index] = (struct raft_net_entry){
        .term = (uint32_t)raft_term_now(node->raft),
        .value = net->next_value++,
    };
    node->last = index;
    raft_net_check_entry(net, n, index);
    raft_net_collect(net, n);
    return index;
}

enum raft_err raft_net_change(struct raft_net *net, uint32_t n, enum raft_change_kind kind,
                              raft_node id)
{
    struct raft_net_node *node = &net->nodes[n];
    raft_index index = 0;
    if (net->config_count == RAFT_NET_CONFIGS_MAX || node->last >= RAFT_NET_PROPOSE_MAX)
        return RAFT_FULL;
    enum raft_err err = raft_propose_change(raft_net_raft(net, n), raft_net_clock(net, n),
                                            (struct raft_change){kind, id}, &index);
    if (err != RAFT_OK)
        return err;
    ASSERT(index == node->last + 1);
    net->configs[net->config_count] = raft_membership(node->raft)->members;
    node->log[index] = (struct raft_net_entry){
        .term = (uint32_t)raft_term_now(node->raft),
        .value = net->next_value++,
        .config = net->config_count++,
    };
    node->last = index;
    if (net->options.is_traced)
        printf("# %9llu node %u proposes change %d of %llu at %llu\n",
               (unsigned long long)net->now_us, n + 1, (int)kind, (unsigned long long)id,
               (unsigned long long)index);
    raft_net_check_entry(net, n, index);
    raft_net_collect(net, n);
    return RAFT_OK;
}

enum raft_err raft_net_transfer(struct raft_net *net, uint32_t n, raft_node to)
{
    enum raft_err err = raft_transfer(raft_net_raft(net, n), raft_net_clock(net, n), to);
    raft_net_collect(net, n);
    return err;
}

enum raft_read_verdict raft_net_read(struct raft_net *net, uint32_t n, bool may_use_lease)
{
    struct raft_net_node *node = &net->nodes[n];
    struct raft_read read = raft_read(raft_net_raft(net, n), raft_net_clock(net, n), may_use_lease);
    if (read.verdict == RAFT_READ_NOW) {
        raft_net_check_read(net, n, net->committed_last);
        net->reads_answered++;
    }
    if (read.verdict == RAFT_READ_WAIT && node->read_count < RAFT_NET_READS_MAX)
        node->reads[node->read_count++] = (struct raft_net_read){
            .round = read.round,
            .term = raft_term_now(node->raft),
            .must_see = net->committed_last,
        };
    raft_net_collect(net, n);
    return read.verdict;
}

/* ---- delivery ---- */

void raft_net_drop(struct raft_net *net, uint32_t at)
{
    ASSERT(at < net->message_count);
    net->message_count--;
    memmove(&net->messages[at], &net->messages[at + 1],
            sizeof(net->messages[0]) * (net->message_count - at));
}

void raft_net_duplicate(struct raft_net *net, uint32_t at)
{
    ASSERT(at < net->message_count);
    struct raft_net_message copy = net->messages[at];
    copy.due_us = 0;
    *put_in_flight(net) = copy;
}

static void keep_accepted(struct raft_net *net, uint32_t n, const struct raft_net_message *carried,
                          struct raft_accepted accepted)
{
    struct raft_net_node *node = &net->nodes[n];
    for (raft_index i = accepted.first; i <= accepted.last; i++) {
        ASSERT(i <= node->last + 1);
        node->log[i] = carried->entries[i - carried->message.append.prev_index - 1];
        node->last = i;
        raft_net_check_entry(net, n, i);
    }
}

static void step(struct raft_net *net, uint32_t n, struct raft_net_message *carried)
{
    struct raft_net_node *node = &net->nodes[n];
    raft_term terms[RAFT_NET_ENTRIES_MAX];
    struct raft_membership changes[RAFT_NET_ENTRIES_MAX];
    struct raft_message *message = &carried->message;
    if (message->kind == RAFT_APPEND) {
        uint32_t change_count = 0;
        for (uint32_t i = 0; i < message->append.count; i++) {
            terms[i] = carried->entries[i].term;
            if (carried->entries[i].config != 0)
                changes[change_count++] = (struct raft_membership){
                    message->append.prev_index + 1 + i, net->configs[carried->entries[i].config]};
        }
        message->append.terms = terms;
        message->append.changes = changes;
        message->append.change_count = change_count;
    }
    struct raft_accepted accepted = raft_step(node->raft, raft_net_clock(net, n), message);
    keep_accepted(net, n, carried, accepted);
}

/* The stream came through: rows are published, then the core decides about the log. */
static void install(struct raft_net *net, uint32_t n, const struct raft_net_message *carried)
{
    struct raft_net_node *node = &net->nodes[n];
    const struct raft_install *mark = &carried->message.install;
    struct raft_membership membership = {carried->rows.config_index,
                                         net->configs[carried->rows.config]};
    if (node->promises_lost ||
        !raft_installed(node->raft, mark->index, mark->index_term, &membership))
        return;
    node->rows_lost = false;
    node->rows = carried->rows;
    if (raft_base_index(node->raft) != mark->index)
        return; /* the log was kept */
    node->base = carried->rows;
    node->last = raft_last_index(node->raft);
}

void raft_net_deliver(struct raft_net *net, uint32_t at)
{
    ASSERT(at < net->message_count);
    struct raft_net_message carried = net->messages[at];
    raft_net_drop(net, at);
    uint32_t n = raft_net_position(net, carried.message.to);
    if (n == RAFT_NET_NODES_MAX || net->nodes[n].raft == NULL)
        return;
    if (carried.is_rows)
        install(net, n, &carried);
    else
        step(net, n, &carried);
    raft_net_collect(net, n);
}

int32_t raft_net_find(const struct raft_net *net, int kind, raft_node from, raft_node to)
{
    for (uint32_t i = 0; i < net->message_count; i++) {
        const struct raft_message *message = &net->messages[i].message;
        if ((kind == 0 || (int)message->kind == kind) && (from == 0 || message->from == from) &&
            (to == 0 || message->to == to))
            return (int32_t)i;
    }
    return -1;
}

/* ---- scripts ---- */

static bool is_cut(const struct raft_net *net, raft_node id, uint32_t cut)
{
    uint32_t n = raft_net_position(net, id);
    return n == RAFT_NET_NODES_MAX || (cut >> n & 1) != 0;
}

void raft_net_settle_without(struct raft_net *net, uint32_t cut)
{
    for (uint32_t i = 0; net->message_count > 0; i++) {
        ASSERT(i < 100000);
        const struct raft_message *message = &net->messages[0].message;
        if (is_cut(net, message->from, cut) || is_cut(net, message->to, cut))
            raft_net_drop(net, 0);
        else
            raft_net_deliver(net, 0);
    }
}

void raft_net_settle(struct raft_net *net)
{
    raft_net_settle_without(net, 0);
}

void raft_net_pass(struct raft_net *net, uint64_t us)
{
    net->now_us += us;
}

void raft_net_elect(struct raft_net *net, uint32_t n, uint32_t cut)
{
    raft_net_pass(net, 2 * net->options.config.election_max_us);
    for (uint32_t i = 0; i < 8; i++) {
        raft_net_tick(net, n);
        raft_net_settle_without(net, cut);
        if (raft_role(raft_net_raft(net, n)) == RAFT_LEADER)
            return;
        raft_net_pass(net, net->options.config.election_max_us);
    }
}

void raft_net_run(struct raft_net *net, uint64_t us, uint32_t cut)
{
    uint64_t step_us = net->options.config.heartbeat_us / 2;
    for (uint64_t passed = 0; passed < us; passed += step_us) {
        raft_net_pass(net, step_us);
        for (uint32_t n = 0; n < net->node_count; n++)
            if ((cut >> n & 1) == 0 && net->nodes[n].raft != NULL)
                raft_net_tick(net, n);
        raft_net_settle_without(net, cut);
    }
}
