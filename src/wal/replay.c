#include "wal/replay.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"

void wal_replay_init(struct wal_replay *replay, uint32_t group_count, uint64_t store_id)
{
    ASSERT(group_count > 0 && group_count <= WAL_GROUPS_MAX);
    *replay = (struct wal_replay){.group_count = group_count, .store_id = store_id};
    replay->groups = mem_zero(group_count * sizeof(*replay->groups));
    for (uint32_t i = 0; i < group_count; i++)
        replay->groups[i].in_order = true;
}

static void free_state(struct wal_group_state *state)
{
    for (size_t i = 0; i < state->entry_count; i++)
        entry_release(state->entries[i]);
    mem_free(state->entries);
    buf_free(&state->members);
}

void wal_replay_fini(struct wal_replay *replay)
{
    for (uint32_t i = 0; i < replay->group_count && replay->groups != NULL; i++) {
        free_state(&replay->groups[i].state);
        wal_spans_free(&replay->groups[i].spans);
    }
    mem_free(replay->groups);
    *replay = (struct wal_replay){0};
}

/* ---- entries ---- */

static void push_entry(struct wal_replay_group *group, const struct wal_record *record)
{
    struct wal_group_state *state = &group->state;
    if (state->entry_count == group->capacity) {
        group->capacity = group->capacity == 0 ? 64 : group->capacity * 2;
        state->entries = mem_realloc(state->entries, group->capacity * sizeof(*state->entries));
    }
    uint8_t *payload = NULL;
    if (record->payload.size > 0) {
        payload = mem_alloc(record->payload.size);
        memcpy(payload, record->payload.data, record->payload.size);
    }
    struct entry *entry =
        entry_new((enum entry_kind)record->entry_kind, payload, record->payload.size);
    entry->index = record->index;
    entry->term = record->term;
    state->entries[state->entry_count++] = entry;
    group->in_order = group->in_order && record->index > group->top;
    group->top = record->index > group->top ? record->index : group->top;
}

/* Keeps the entries from min to max, in their order. */
static void keep_between(struct wal_replay_group *group, uint64_t min, uint64_t max)
{
    struct wal_group_state *state = &group->state;
    size_t kept = 0;
    group->top = 0;
    for (size_t i = 0; i < state->entry_count; i++) {
        struct entry *entry = state->entries[i];
        if (entry->index < min || entry->index > max) {
            entry_release(entry);
            continue;
        }
        state->entries[kept++] = entry;
        group->top = entry->index > group->top ? entry->index : group->top;
    }
    state->entry_count = kept;
}

/* The common cases, nothing to truncate and a tail to truncate, do not walk the whole log. */
static void truncate_from(struct wal_replay_group *group, uint64_t index)
{
    struct wal_group_state *state = &group->state;
    if (index > group->top)
        return;
    if (!group->in_order) {
        keep_between(group, 0, index - 1);
        return;
    }
    while (state->entry_count > 0 && state->entries[state->entry_count - 1]->index >= index)
        entry_release(state->entries[--state->entry_count]);
    group->top = state->entry_count == 0 ? 0 : state->entries[state->entry_count - 1]->index;
}

static void replay_entry(struct wal_replay_group *group, uint64_t segment,
                         const struct wal_record *record)
{
    bool copy = record->kind == WAL_RECORD_COPY;
    if (!copy)
        truncate_from(group, record->index);
    if (copy)
        wal_spans_copy(&group->spans, segment, record->index, record->index);
    else
        wal_spans_add(&group->spans, segment, record->index, record->index);
    if (record->index > group->state.base.index)
        push_entry(group, record);
}

/* ---- the other records ---- */

static void set_members(struct wal_group_state *state, struct bytes members)
{
    buf_clear(&state->members);
    buf_append(&state->members, members);
}

/* Opening batches repeat what is known: then nothing moves, and nothing is walked. */
static void replay_base(struct wal_replay_group *group, struct wal_position base)
{
    bool moves = base.index > group->state.base.index;
    group->state.base = base;
    if (!moves)
        return;
    keep_between(group, base.index + 1, UINT64_MAX);
    wal_spans_compact(&group->spans, base.index);
}

static void replay_reset(struct wal_replay_group *group, const struct wal_record *record)
{
    struct wal_position position = {record->index, record->term};
    keep_between(group, 1, 0);
    group->in_order = true;
    wal_spans_clear(&group->spans);
    group->state.base = position;
    group->state.mark = position;
    set_members(&group->state, record->payload);
}

static enum wal_err refuse(struct buf *error, const struct wal_record *record, const char *what)
{
    buf_printf(error, "record of group %" PRIu32 " at index %" PRIu64 ": %s", record->group,
               record->index, what);
    return WAL_DAMAGED;
}

/* Positions never go back; a writer that keeps to wal.h cannot make such a record. */
static enum wal_err replay_record(struct wal_replay *replay, uint64_t segment,
                                  const struct wal_record *record, struct buf *error)
{
    if (record->group >= replay->group_count)
        return refuse(error, record, "there is no such group");
    struct wal_replay_group *group = &replay->groups[record->group];
    switch (record->kind) {
    case WAL_RECORD_ENTRY:
    case WAL_RECORD_COPY:
        replay_entry(group, segment, record);
        return WAL_OK;
    case WAL_RECORD_HARD:
        if (record->term < group->state.hard.term)
            return refuse(error, record, "the term goes back");
        group->state.hard = (struct wal_hard_state){record->term, record->index};
        return WAL_OK;
    case WAL_RECORD_MARK:
        if (record->index < group->state.mark.index)
            return refuse(error, record, "the mark goes back");
        group->state.mark = (struct wal_position){record->index, record->term};
        set_members(&group->state, record->payload);
        return WAL_OK;
    case WAL_RECORD_BASE:
        if (record->index < group->state.base.index || record->index > group->state.mark.index)
            return refuse(error, record, "the base goes back or passes the mark");
        replay_base(group, (struct wal_position){record->index, record->term});
        return WAL_OK;
    case WAL_RECORD_RESET:
        if (record->index < group->state.mark.index)
            return refuse(error, record, "the reset goes below the mark");
        replay_reset(group, record);
        return WAL_OK;
    case WAL_RECORD_STORE:
        return refuse(error, record, "a store record that does not open a segment");
    }
    UNREACHABLE();
}

static enum wal_err replay_store(const struct wal_replay *replay, struct bytes *records,
                                 struct buf *error)
{
    struct wal_record record;
    if (wal_next_record(records, &record) != WAL_NEXT_RECORD || record.kind != WAL_RECORD_STORE) {
        buf_append_string(error, "the segment does not open with its store");
        return WAL_DAMAGED;
    }
    if (record.index != replay->store_id) {
        buf_printf(error, "belongs to store %016" PRIx64 ", this is store %016" PRIx64,
                   record.index, replay->store_id);
        return WAL_FOREIGN;
    }
    if (record.group > replay->group_count) {
        buf_printf(error, "holds %" PRIu32 " groups, only %" PRIu32 " are configured", record.group,
                   replay->group_count);
        return WAL_FOREIGN;
    }
    return WAL_OK;
}

enum wal_err wal_replay_batch(struct wal_replay *replay, uint64_t segment, bool opens,
                              struct bytes records, struct buf *error)
{
    enum wal_err err = opens ? replay_store(replay, &records, error) : WAL_OK;
    while (err == WAL_OK) {
        struct wal_record record;
        switch (wal_next_record(&records, &record)) {
        case WAL_NEXT_RECORD:
            err = replay_record(replay, segment, &record, error);
            break;
        case WAL_NEXT_END:
            return WAL_OK;
        case WAL_NEXT_BAD:
            buf_append_string(error, "a record cannot be read");
            return WAL_DAMAGED;
        }
    }
    return err;
}

/* ---- the end ---- */

static int by_index(const void *a, const void *b)
{
    const struct entry *left = *(struct entry *const *)a;
    const struct entry *right = *(struct entry *const *)b;
    return (left->index > right->index) - (left->index < right->index);
}

/* Which of two copies stays does not matter: they are equal, or the log is damaged. */
static bool drop_copies(struct wal_group_state *state, struct buf *error)
{
    size_t kept = 0;
    for (size_t i = 0; i < state->entry_count; i++) {
        struct entry *entry = state->entries[i];
        struct entry *last = kept == 0 ? NULL : state->entries[kept - 1];
        if (last == NULL || last->index != entry->index) {
            state->entries[kept++] = entry;
            continue;
        }
        bool equal =
            last->term == entry->term && last->kind == entry->kind &&
            bytes_equal(bytes_of(last->payload, last->size), bytes_of(entry->payload, entry->size));
        if (equal) {
            entry_release(entry);
            continue;
        }
        buf_printf(error, "two different entries at index %" PRIu64, entry->index);
        while (i < state->entry_count)
            state->entries[kept++] = state->entries[i++];
        state->entry_count = kept;
        return false;
    }
    state->entry_count = kept;
    return true;
}

static bool is_consecutive(const struct wal_group_state *state, struct buf *error)
{
    uint64_t expected = state->base.index + 1;
    for (size_t i = 0; i < state->entry_count; i++, expected++)
        if (state->entries[i]->index != expected) {
            buf_printf(error, "the entry at index %" PRIu64 " is missing", expected);
            return false;
        }
    return true;
}

enum wal_err wal_replay_finish(struct wal_replay *replay, struct buf *error)
{
    for (uint32_t i = 0; i < replay->group_count; i++) {
        struct wal_replay_group *group = &replay->groups[i];
        struct wal_group_state *state = &group->state;
        if (!group->in_order)
            qsort(state->entries, state->entry_count, sizeof(*state->entries), by_index);
        if (!drop_copies(state, error) || !is_consecutive(state, error)) {
            buf_printf(error, " (group %" PRIu32 ")", i);
            return WAL_DAMAGED;
        }
    }
    return WAL_OK;
}

struct wal_recovery *wal_replay_take(struct wal_replay *replay)
{
    struct wal_recovery *recovery = mem_zero(sizeof(*recovery));
    recovery->group_count = replay->group_count;
    recovery->groups = mem_zero(replay->group_count * sizeof(*recovery->groups));
    for (uint32_t i = 0; i < replay->group_count; i++) {
        recovery->groups[i] = replay->groups[i].state;
        replay->groups[i].state = (struct wal_group_state){0};
    }
    return recovery;
}

void wal_recovery_free(struct wal_recovery *recovery)
{
    if (recovery == NULL)
        return;
    for (uint32_t i = 0; i < recovery->group_count; i++)
        free_state(&recovery->groups[i]);
    mem_free(recovery->groups);
    mem_free(recovery);
}
