/* Who is in the group: the log's MEMBERS entries, as the core wants them and as nodes need them. */
#include "base/mem.h"
#include "shard/internal.h"

_Static_assert(MEMBERS_MAX == (int)RAFT_MEMBERS_MAX, "one limit");

struct raft_membership shard_membership_of(const struct members *members, uint64_t index)
{
    struct raft_membership membership = {.index = index, .members = {.count = members->count}};
    for (uint32_t i = 0; i < members->count; i++)
        membership.members.at[i] =
            (struct raft_member){.id = members->at[i].node, .is_voter = members->at[i].is_voter};
    return membership;
}

/* The newest entry that says it, or what LevelDB holds: then no such entry is above the base. Of
 * the log counts what the core holds: right after an install ours may still be the one that it
 * replaced. */
static struct bytes newest_members(struct shard *shard)
{
    uint64_t last = entry_log_last(&shard->log), base = raft_base_index(shard->raft);
    if (raft_last_index(shard->raft) < last)
        last = raft_last_index(shard->raft);
    for (uint64_t index = last; index > base && index > shard->log.base; index--) {
        const struct entry *entry = entry_log_at(&shard->log, index);
        if (entry->kind == ENTRY_MEMBERS)
            return bytes_of(entry->payload, entry->size);
    }
    if (shard_has_lost_rows(shard))
        return bytes_of(NULL, 0);
    return store_applied(shard->fsm.store).members;
}

void shard_read_members(struct shard *shard)
{
    struct bytes newest = newest_members(shard);
    bool is_good = members_decode(newest, &shard->members);
    ASSERT(is_good); /* checked when it was kept */
    if (newest.size == 0 && shard_has_lost_rows(shard))
        shard->members = shard->first_members;
    shard->members_version++;
}

const struct members *shard_members(const struct shard *shard)
{
    return &shard->members;
}

uint64_t shard_members_version(const struct shard *shard)
{
    return shard->members_version;
}

/* What the core made of the change, with the addresses that only we know. */
static void take_change(struct shard *shard, const struct member *info, const struct member *self)
{
    const struct raft_members *now = &raft_membership(shard->raft)->members;
    struct members next = {.count = now->count};
    for (uint32_t i = 0; i < now->count; i++) {
        const struct member *known = members_find(&shard->members, now->at[i].id);
        next.at[i] = now->at[i].id == self->node ? *self : known != NULL ? *known : *info;
        next.at[i].node = now->at[i].id;
        next.at[i].is_voter = now->at[i].is_voter;
    }
    shard->members = next;
    shard->members_version++;
}

enum raft_err shard_change_members(struct shard *shard, uint64_t boot_us, struct raft_change change,
                                   const struct member *info, const struct member *self)
{
    uint64_t index;
    ASSERT(change.kind != RAFT_ADD_LEARNER || info != NULL);
    ASSERT(self->node == shard->node_id);
    enum raft_err err = raft_propose_change(shard->raft, boot_us, change, &index);
    if (err != RAFT_OK)
        return err;
    struct buf payload = {0};
    take_change(shard, info, self);
    members_append(&payload, &shard->members);
    struct entry *entry = entry_new(ENTRY_MEMBERS, payload.data, payload.size);
    entry->index = index;
    entry->term = raft_term_now(shard->raft);
    entry_log_append(&shard->log, entry);
    return RAFT_OK;
}

/* ---- what a leader sends ---- */

/* False: members that nobody could have sent (L11). */
static bool decode_changes(const struct raft_message *message, const struct entry_view *entries,
                           struct raft_membership *changes, uint32_t *count)
{
    *count = 0;
    for (uint32_t i = 0; i < message->append.count; i++) {
        struct members members;
        if (entries[i].kind != ENTRY_MEMBERS)
            continue;
        if (entries[i].payload.size == 0 || !members_decode(entries[i].payload, &members))
            return false;
        changes[(*count)++] = shard_membership_of(&members, message->append.prev_index + 1 + i);
    }
    return true;
}

static struct entry *copy_of(const struct entry_view *view, uint64_t index)
{
    uint8_t *payload = NULL;
    if (view->payload.size > 0) {
        payload = mem_alloc(view->payload.size);
        memcpy(payload, view->payload.data, view->payload.size);
    }
    struct entry *entry = entry_new((enum entry_kind)view->kind, payload, view->payload.size);
    entry->index = index;
    entry->term = view->term;
    return entry;
}

static void keep(struct shard *shard, const struct raft_message *message,
                 const struct entry_view *entries, struct raft_accepted accepted)
{
    bool is_change = accepted.first <= entry_log_last(&shard->log);
    if (is_change) {
        entry_log_truncate(&shard->log, accepted.first);
        shard_forget_stored(shard, accepted.first);
    }
    for (uint64_t index = accepted.first; index <= accepted.last; index++) {
        const struct entry_view *view = &entries[index - message->append.prev_index - 1];
        entry_log_append(&shard->log, copy_of(view, index));
        is_change |= view->kind == ENTRY_MEMBERS;
    }
    if (is_change)
        shard_read_members(shard);
}

/* Some of the entries stand in the place of others, which a leader of a lower term left there. */
static bool replaces(const struct shard *shard, const struct raft_message *message)
{
    const struct entry_log *log = &shard->log;
    for (uint32_t i = 0; i < message->append.count; i++) {
        uint64_t index = message->append.prev_index + 1 + i;
        if (index > log->base && index <= entry_log_last(log) &&
            entry_log_at(log, index)->term != message->append.terms[i])
            return true;
    }
    return false;
}

/* A log that LevelDB does not keep up with takes no more (L12): the leader probes again. What fills
 * it may be another history, though, which is never applied: its replacement makes room. */
static bool is_full(const struct shard *shard, const struct raft_message *message)
{
    return shard->apply_backlog_max != 0 && message->append.count > 0 &&
           shard_backlog_bytes(shard) >= 2 * shard->apply_backlog_max && !replaces(shard, message);
}

static void step_append(struct shard *shard, uint64_t boot_us, struct raft_message *message,
                        const struct entry_view *entries)
{
    struct raft_membership *changes = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < message->append.count; i++)
        count += entries[i].kind == ENTRY_MEMBERS;
    if (count > 0)
        changes = mem_alloc(count * sizeof(*changes));
    if (!is_full(shard, message) && decode_changes(message, entries, changes, &count)) {
        message->append.changes = changes;
        message->append.change_count = count;
        struct raft_accepted accepted = raft_step(shard->raft, boot_us, message);
        if (accepted.first <= accepted.last)
            keep(shard, message, entries, accepted);
    } else {
        shard->refused_entries++;
    }
    mem_free(changes);
}

void shard_step(struct shard *shard, uint64_t boot_us, struct raft_message *message,
                const struct entry_view *entries)
{
    if (shard->is_frozen)
        return; /* as if it were lost on the way */
    if (message->kind == RAFT_APPEND) {
        step_append(shard, boot_us, message, entries);
        return;
    }
    struct raft_accepted none = raft_step(shard->raft, boot_us, message);
    ASSERT(none.last < none.first);
}
