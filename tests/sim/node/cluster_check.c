#include "base/hash.h"
#include "base/mem.h"
#include "cluster.h"
#include "exec/internal.h"
#include "node/internal.h"
#include "shard/internal.h"
#include "store/row_key.h"
#include "store/store_state.h"

enum { STAMP_SLACK_US = 200000 };

/* ---- one leader per term ---- */

static void note_leader(struct cluster *cluster, int node, uint32_t id, uint64_t term)
{
    struct cluster_shard *facts = &cluster->facts[id];
    if (term >= facts->leader_capacity) {
        size_t capacity = (size_t)term * 2 + 64;
        facts->leaders = mem_realloc(facts->leaders, capacity * sizeof(int));
        memset(facts->leaders + facts->leader_capacity, 0,
               (capacity - facts->leader_capacity) * sizeof(int));
        facts->leader_capacity = capacity;
    }
    int *leader = &facts->leaders[term];
    if (*leader != 0 && *leader != node + 1)
        cluster_violation(cluster, "shard %u: nodes %d and %d both lead in term %llu", id, *leader,
                          node + 1, (unsigned long long)term);
    cluster->elections += *leader == 0;
    *leader = node + 1;
}

/* ---- entries ---- */

static struct cluster_entry *fact_of(struct cluster_shard *facts, uint64_t index)
{
    if (index >= facts->entry_capacity) {
        size_t capacity = (size_t)index * 2 + 1024;
        facts->entries = mem_realloc(facts->entries, capacity * sizeof(*facts->entries));
        memset(facts->entries + facts->entry_capacity, 0,
               (capacity - facts->entry_capacity) * sizeof(*facts->entries));
        facts->entry_capacity = capacity;
    }
    return &facts->entries[index];
}

/* L10: not before the stamp before it, not after what a majority of the clocks says. */
static void check_stamp(struct cluster *cluster, int node, uint32_t id, uint64_t index,
                        uint64_t stamp_us)
{
    struct cluster_shard *facts = &cluster->facts[id];
    for (uint64_t before = index - 1; before > 0; before--) {
        const struct cluster_entry *entry = fact_of(facts, before);
        if (entry->stamp_us > stamp_us)
            cluster_violation(cluster,
                              "L10: shard %u: the stamp of entry %llu is before that of "
                              "entry %llu",
                              id, (unsigned long long)index, (unsigned long long)before);
        if (entry->stamp_us != 0)
            break;
    }
    uint64_t skew_us = (uint64_t)cluster->nodes[node].world.config.clock_skew_max_ms * 1000;
    if (cluster->node_count > 1 && stamp_us > cluster->good_wall_us + skew_us + STAMP_SLACK_US)
        cluster_violation(cluster,
                          "L10: shard %u: the stamp of entry %llu is %llu us ahead of the "
                          "clocks of a majority",
                          id, (unsigned long long)index,
                          (unsigned long long)(stamp_us - cluster->good_wall_us));
}

static void check_entry(struct cluster *cluster, int node, uint32_t id, const struct entry *entry)
{
    struct cluster_shard *facts = &cluster->facts[id];
    struct cluster_entry *fact = fact_of(facts, entry->index);
    uint64_t hash = hash_bytes(bytes_of(entry->payload, entry->size), entry->kind);
    if (fact->term == 0) {
        *fact = (struct cluster_entry){.term = entry->term, .hash = hash};
        if (entry->kind == ENTRY_ROWS) {
            fact->stamp_us = entry_stamp_us(entry);
            check_stamp(cluster, node, id, entry->index, fact->stamp_us);
        }
    }
    if (fact->term != entry->term || fact->hash != hash)
        cluster_violation(cluster,
                          "shard %u: node %d applies an entry %llu of term %llu, another node had "
                          "one of term %llu",
                          id, node + 1, (unsigned long long)entry->index,
                          (unsigned long long)entry->term, (unsigned long long)fact->term);
    if (entry->index > facts->last)
        facts->last = entry->index;
}

static void check_applied(struct cluster *cluster, int node, uint32_t id)
{
    struct cluster_node *n = &cluster->nodes[node];
    struct shard *shard = n->world.node->shards[id];
    uint64_t applied = shard_applied_index(shard);
    if (applied < n->applied[id])
        cluster_violation(cluster,
                          "L3: shard %u: node %d's applied index goes back from %llu to "
                          "%llu",
                          id, node + 1, (unsigned long long)n->applied[id],
                          (unsigned long long)applied);
    cluster->installs += shard->log.base > n->applied[id] && applied > n->applied[id];
    for (uint64_t index = n->applied[id] + 1; index <= applied; index++) {
        if (index > shard->log.base)
            check_entry(cluster, node, id, entry_log_at(&shard->log, index));
    }
    n->applied[id] = applied;
    struct store_meta meta = store_applied(shard->fsm.store);
    uint64_t term = fact_of(&cluster->facts[id], applied)->term;
    if (!shard_has_lost_rows(shard) && applied > 0 && term != 0 && term != meta.applied_term)
        cluster_violation(cluster,
                          "shard %u: node %d holds rows as of entry %llu of term %llu, "
                          "which is of term %llu",
                          id, node + 1, (unsigned long long)applied,
                          (unsigned long long)meta.applied_term, (unsigned long long)term);
}

/* ---- what is durable ---- */

static void check_durable(struct cluster *cluster, int node, uint32_t id)
{
    struct shard *shard = cluster->nodes[node].world.node->shards[id];
    struct shard_status s = shard_status(shard);
    struct store_meta flushed = store_flushed(shard->fsm.store);
    bool is_installed = flushed.applied_index == flushed.installed_index;
    if (shard_has_lost_rows(shard))
        return;
    if (s.applied > s.commit || s.commit > s.last)
        cluster_violation(cluster, "shard %u: node %d: applied %llu, commit %llu, last %llu", id,
                          node + 1, (unsigned long long)s.applied, (unsigned long long)s.commit,
                          (unsigned long long)s.last);
    if (s.base > s.mark || s.mark > s.flushed || s.flushed > s.applied)
        cluster_violation(cluster,
                          "L3: shard %u: node %d: base %llu, mark %llu, flushed %llu, "
                          "applied %llu",
                          id, node + 1, (unsigned long long)s.base, (unsigned long long)s.mark,
                          (unsigned long long)s.flushed, (unsigned long long)s.applied);
    if (!is_installed && flushed.applied_index > raft_stored_index(shard->raft) &&
        cluster->nodes[node].world.options.appendfsync == CONFIG_FSYNC_ALWAYS)
        cluster_violation(cluster, "L2: shard %u: node %d: LevelDB knows %llu, its log %llu", id,
                          node + 1, (unsigned long long)flushed.applied_index,
                          (unsigned long long)raft_stored_index(shard->raft));
}

void cluster_note_open(struct cluster *cluster, int node)
{
    struct cluster_node *n = &cluster->nodes[node];
    for (uint32_t id = 0; id < cluster->shards; id++) {
        struct shard *shard = n->world.node->shards[id];
        n->applied[id] = shard_applied_index(shard);
        if (shard_has_lost_rows(shard) && n->world.lost_rows == 0)
            cluster_violation(cluster, "L4: shard %u: node %d says that its rows are lost", id,
                              node + 1);
    }
}

void cluster_note_wall(struct cluster *cluster, int node)
{
    uint64_t wall_us = cluster->nodes[node].world.now.wall_us;
    if (node >= cluster->jumps && wall_us > cluster->good_wall_us)
        cluster->good_wall_us = wall_us;
}

void cluster_look_at(struct cluster *cluster, int node)
{
    struct cluster_node *n = &cluster->nodes[node];
    cluster->had_full |= n->world.had_full;
    cluster->had_read_fault |= n->world.had_read_fault;
    for (uint32_t id = 0; id < cluster->shards; id++) {
        uint64_t term = shard_lead_term(n->world.node->shards[id]);
        if (term != 0)
            note_leader(cluster, node, id, term);
        check_applied(cluster, node, id);
        check_durable(cluster, node, id);
    }
}

int cluster_leader(const struct cluster *cluster, uint32_t shard)
{
    for (int i = 0; i < cluster->node_count; i++) {
        if (cluster->nodes[i].is_running &&
            shard_lead_term(cluster->nodes[i].world.node->shards[shard]) != 0)
            return i;
    }
    return -1;
}

/* ---- the end ---- */

bool cluster_has_converged(const struct cluster *cluster)
{
    for (uint32_t id = 0; id < cluster->shards; id++) {
        uint64_t last = UINT64_MAX, leaders = 0;
        for (int i = 0; i < cluster->node_count; i++) {
            const struct cluster_node *n = &cluster->nodes[i];
            if (n->stays_down)
                continue;
            if (!n->is_running)
                return false;
            struct shard_status s = shard_status(n->world.node->shards[id]);
            last = last == UINT64_MAX ? s.last : last;
            if (s.last != last || s.applied != last ||
                shard_has_lost_rows(n->world.node->shards[id]))
                return false;
            leaders += shard_is_serving(n->world.node->shards[id]);
        }
        if (leaders != 1)
            return false;
    }
    return true;
}

/* Hash of the rows that entries made, of the newest generation; false: some are still to be swept.
 */
static bool digest_rows(const struct shard *shard, uint64_t *digest)
{
    struct kv *kv = shard->fsm.store->kv;
    if (kv == NULL)
        return false; /* being opened again */
    struct kv_iterator *rows = kv->ops->iterator_new(kv, NULL);
    struct bytes key, value;
    bool has_garbage = false;
    *digest = 0;
    for (kv->ops->seek(rows, bytes_of("", 0)); kv->ops->row(rows, &key, &value);
         kv->ops->next(rows)) {
        has_garbage |= key.data[0] == ROW_KIND_SWEEP;
        if (key.data[0] == ROW_KIND_META && !bytes_equal(key, BYTES_LITERAL("Mdatabases")))
            continue;
        *digest = hash_bytes(key, *digest);
        *digest = hash_bytes(value, *digest + 1);
    }
    kv->ops->iterator_free(rows);
    return !has_garbage;
}

bool cluster_is_flushed(const struct cluster *cluster)
{
    if (!cluster_has_converged(cluster))
        return false;
    for (int i = 0; i < cluster->node_count; i++) {
        const struct cluster_node *n = &cluster->nodes[i];
        for (uint32_t id = 0; !n->stays_down && id < cluster->shards; id++) {
            struct fsm *fsm = shard_fsm(n->world.node->shards[id]);
            uint64_t digest;
            if (!fsm_is_clean(fsm) || fsm_is_busy(fsm) ||
                !digest_rows(n->world.node->shards[id], &digest))
                return false;
        }
    }
    return true;
}

static void trace_rows(const struct cluster *cluster, int node, uint32_t id)
{
    struct kv *kv = cluster->nodes[node].world.node->shards[id]->fsm.store->kv;
    struct kv_iterator *rows = kv->ops->iterator_new(kv, NULL);
    struct bytes key, value;
    for (kv->ops->seek(rows, bytes_of("", 0)); kv->ops->row(rows, &key, &value);
         kv->ops->next(rows)) {
        struct buf text = {0};
        for (size_t i = 0; i < key.size; i++)
            buf_printf(&text, key.data[i] > ' ' && key.data[i] < 127 ? "%c" : "\\x%02x",
                       key.data[i]);
        buf_append_string(&text, " ->");
        for (size_t i = 0; i < value.size && i < 40; i++)
            buf_printf(&text, " %02x", value.data[i]);
        cluster_trace(cluster, "node %d shard %u: %.*s (%zu)", node + 1, id, (int)text.size,
                      (const char *)text.data, value.size);
        buf_free(&text);
    }
    kv->ops->iterator_free(rows);
}

void cluster_compare_rows(struct cluster *cluster)
{
    for (uint32_t id = 0; id < cluster->shards; id++) {
        uint64_t first = 0;
        int first_node = -1;
        for (int i = 0; i < cluster->node_count; i++) {
            uint64_t digest;
            if (cluster->nodes[i].stays_down)
                continue;
            (void)digest_rows(cluster->nodes[i].world.node->shards[id], &digest);
            if (first_node < 0 || digest == first) {
                first = digest;
                first_node = i;
                continue;
            }
            trace_rows(cluster, first_node, id);
            trace_rows(cluster, i, id);
            cluster_violation(cluster,
                              "shard %u: the rows of nodes %d and %d differ at index "
                              "%llu",
                              id, first_node + 1, i + 1,
                              (unsigned long long)cluster->nodes[i].applied[id]);
        }
    }
}

void cluster_check_history(struct cluster *cluster)
{
    size_t bad = history_check(&cluster->history);
    if (bad == SIZE_MAX)
        return;
    const struct history_thing *thing = &cluster->history.things[bad];
    for (size_t op = 0; cluster->is_traced && op < thing->count; op++) {
        struct buf text = {0};
        history_describe(thing, op, &text);
        cluster_trace(cluster, "%.*s", (int)text.size, (const char *)text.data);
        buf_free(&text);
    }
    cluster_violation(cluster, "what clients saw of {%zu} is not linearizable", bad);
}

void cluster_forget_facts(struct cluster *cluster)
{
    for (uint32_t id = 0; id < cluster->shards; id++) {
        mem_free(cluster->facts[id].entries);
        mem_free(cluster->facts[id].leaders);
    }
}
