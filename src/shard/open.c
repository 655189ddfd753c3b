/* Opening a shard: what the log and LevelDB hold must fit together (L4). */
#include "base/mem.h"
#include "base/steps.h"
#include "shard/internal.h"

enum {
    ELECTION_MIN_US = 300000,
    ELECTION_MAX_US = 600000,
    CLOCK_DRIFT_PPM = 1000,
    APPEND_ENTRIES_MAX = 256,
    INFLIGHT_MAX = 64,
    TERM_RUNS_MAX = 1024,
    MARKS_START = 64,
};

/* ---- opening ---- */

static bool refuse(struct buf *error, uint32_t id, const char *why, uint64_t a, uint64_t b)
{
    buf_printf(error, "shard %u: %s (%llu, %llu)", id, why, (unsigned long long)a,
               (unsigned long long)b);
    return false;
}

static uint64_t last_of(const struct wal_group_state *group)
{
    return group->base.index + group->entry_count;
}

static uint64_t term_at(const struct wal_group_state *group, uint64_t index)
{
    if (index == group->base.index)
        return group->base.term;
    if (index == group->mark.index)
        return group->mark.term;
    return group->entries[index - group->base.index - 1]->term;
}

/* What the log and LevelDB say of each other (L4). */
enum fit {
    FIT_GOOD,
    FIT_INSTALLED, /* an install was cut between the rename and the log's reset: the log goes */
    FIT_ROWS_LOST, /* promises whole: the rows come from others */
    FIT_REFUSED,
};

static bool log_holds(const struct wal_group_state *group, struct store_meta applied)
{
    uint64_t index = applied.applied_index;
    return index >= group->base.index && index <= last_of(group) &&
           term_at(group, index) == applied.applied_term;
}

static bool is_behind(const struct wal_group_state *group, uint64_t index)
{
    return index < group->mark.index || index < group->base.index;
}

void shard_say_what_to_run(uint64_t node_id, struct buf *error)
{
    buf_printf(error,
               "; node %llu must not vote again: RAFT REMOVE it, and start it with an empty "
               "directory under a new number",
               (unsigned long long)node_id);
}

/* A member that lost its promises must not go on under its id. */
static enum fit promises_lost(const struct shard_options *options, const char *why, uint64_t a,
                              uint64_t b, struct buf *error)
{
    (void)refuse(error, options->id, why, a, b);
    if (options->has_others)
        shard_say_what_to_run(options->node_id, error);
    return FIT_REFUSED;
}

static enum fit rows_lost(const struct shard_options *options, const char *why, uint64_t a,
                          uint64_t b, struct buf *error)
{
    (void)refuse(error, options->id, why, a, b);
    return options->has_others ? FIT_ROWS_LOST : FIT_REFUSED;
}

static enum fit judge(const struct shard_options *options, struct store_meta applied,
                      struct buf *error)
{
    const struct wal_group_state *group = options->recovered;
    uint64_t index = applied.applied_index;
    if (options->wal_is_fresh && index > 0)
        return promises_lost(options,
                             "the write-ahead log is gone, but rows were applied: promises lost "
                             "(applied index, term)",
                             index, applied.applied_term, error);
    if (index > 0 && index == applied.installed_index && !is_behind(group, index) &&
        !log_holds(group, applied))
        return FIT_INSTALLED;
    if (index > last_of(group))
        return promises_lost(options,
                             "the write-ahead log ends below what LevelDB holds: promises lost "
                             "(last index, applied index)",
                             last_of(group), index, error);
    if (is_behind(group, index))
        return rows_lost(options,
                         "LevelDB is behind the snapshot mark of the write-ahead log: rows lost "
                         "(applied index, mark)",
                         index, group->mark.index, error);
    if (term_at(group, index) != applied.applied_term)
        return promises_lost(options,
                             "LevelDB and the write-ahead log disagree about the applied entry "
                             "(index, term in LevelDB)",
                             index, applied.applied_term, error);
    return FIT_GOOD;
}

/* The configurations above the applied index, in order; the caller frees them. */
static struct raft_membership *changes_of(const struct wal_group_state *group, uint64_t applied,
                                          size_t *count)
{
    struct raft_membership *changes =
        mem_alloc((group->entry_count + 1) * sizeof(struct raft_membership));
    *count = 0;
    for (size_t i = 0; i < group->entry_count; i++) {
        const struct entry *entry = group->entries[i];
        struct members members;
        if (entry->kind != ENTRY_MEMBERS || group->base.index + 1 + i <= applied)
            continue;
        bool is_good = members_decode(bytes_of(entry->payload, entry->size), &members);
        ASSERT(is_good); /* checked before it was kept */
        changes[(*count)++] = shard_membership_of(&members, group->base.index + 1 + i);
    }
    return changes;
}

static struct raft *new_raft(const struct shard_options *options,
                             const struct wal_group_state *group, struct store_meta applied,
                             const struct members *members, bool has_lost_rows)
{
    size_t change_count;
    struct raft_membership *changes = changes_of(group, applied.applied_index, &change_count);
    raft_term *terms = mem_alloc((group->entry_count + 1) * sizeof(*terms));
    for (size_t i = 0; i < group->entry_count; i++)
        terms[i] = group->entries[i]->term;
    struct raft_config config = {
        .id = options->node_id,
        .election_min_us = ELECTION_MIN_US,
        .election_max_us = ELECTION_MAX_US,
        .heartbeat_us = SHARD_HEARTBEAT_US,
        .clock_drift_ppm = CLOCK_DRIFT_PPM,
        .append_entries_max = APPEND_ENTRIES_MAX,
        .inflight_max = INFLIGHT_MAX,
        .term_runs_max = TERM_RUNS_MAX,
        .seed = options->seed,
    };
    struct raft_restored restored = {
        .hard = {.term = group->hard.term, .vote = group->hard.vote},
        .base_index = group->base.index,
        .base_term = group->base.term,
        .applied = applied.applied_index,
        .commit = applied.applied_index,
        .terms = terms,
        .term_count = group->entry_count,
        .membership = shard_membership_of(members, 0),
        .changes = changes,
        .change_count = change_count,
        .rows_lost = has_lost_rows,
    };
    struct raft *raft = raft_new(&config, &restored, options->boot_us);
    mem_free(terms);
    mem_free(changes);
    return raft;
}

static void take_entries(struct shard *shard, const struct wal_group_state *group)
{
    entry_log_init(&shard->log, group->base.index);
    for (size_t i = 0; i < group->entry_count; i++)
        entry_log_append(&shard->log, entry_retain(group->entries[i]));
    shard->synced_index = last_of(group);
    shard->mark = group->mark;
    for (uint64_t index = group->base.index + 1; index <= group->mark.index; index++)
        shard->tail_bytes += entry_log_at(&shard->log, index)->size;
}

/* The log as it counts: nothing of it when an install was cut, for it was another history's. */
static struct wal_group_state log_of(const struct shard_options *options, enum fit fit,
                                     struct store_meta applied)
{
    struct wal_group_state group = *options->recovered;
    if (fit == FIT_INSTALLED) {
        group.base = group.mark =
            (struct wal_position){applied.applied_index, applied.applied_term};
        group.entry_count = 0;
    }
    return group;
}

const char *shard_start_text(enum shard_start start)
{
    switch (start) {
    case SHARD_START_FRESH:
        return "fresh";
    case SHARD_START_SKIPPED:
        return "skipped";
    case SHARD_START_REPLAYED:
        return "replayed";
    case SHARD_START_INSTALLED:
        return "installed";
    case SHARD_START_ROWS_LOST:
        return "rows_lost";
    }
    UNREACHABLE();
}

static enum shard_start start_of(const struct shard *shard, const struct shard_options *options,
                                 enum fit fit)
{
    if (fit == FIT_ROWS_LOST)
        return SHARD_START_ROWS_LOST;
    if (fit == FIT_INSTALLED)
        return SHARD_START_INSTALLED;
    if (options->wal_is_fresh)
        return SHARD_START_FRESH;
    return shard->start_replayed == 0 ? SHARD_START_SKIPPED : SHARD_START_REPLAYED;
}

/* The members as of the applied index. Rows that are lost say nothing: what the log's mark says is
 * as old as they were, or newer. */
static bool read_members(const struct shard_options *options, enum fit fit,
                         struct store_meta applied, struct members *out)
{
    struct bytes bytes = applied.members;
    if (fit == FIT_ROWS_LOST)
        bytes = options->recovered->members.size > 0 ? buf_bytes(&options->recovered->members)
                                                     : options->store.members;
    return members_decode(bytes, out);
}

static bool begin(struct shard *shard, const struct shard_options *options, enum fit fit,
                  struct buf *error)
{
    struct store_meta applied = store_applied(shard->fsm.store);
    struct wal_group_state group = log_of(options, fit, applied);
    struct members members;
    if (!read_members(options, fit, applied, &members))
        return refuse(error, options->id, "the members cannot be read (applied index)",
                      applied.applied_index, 0);
    take_entries(shard, &group);
    if (fit != FIT_ROWS_LOST)
        shard->start_replayed = last_of(&group) - applied.applied_index;
    shard->start = start_of(shard, options, fit); /* before anybody asks whether rows are lost */
    shard->raft = new_raft(options, &group, applied, &members, fit == FIT_ROWS_LOST);
    shard->first_members = members;
    shard_read_members(shard);
    shard->pending = mem_zero(MARKS_START * sizeof(*shard->pending));
    shard->pending_mask = MARKS_START - 1;
    shard->stamp_us = applied.stamp_us;
    shard->stamp_at_us = options->boot_us;
    shard->start_at_us = options->boot_us;
    shard->start_applied = applied.applied_index;
    if (fit == FIT_INSTALLED) {
        DURABLE_STEP_VOID(reset_put,
                          wal_put_reset(shard->wal, shard->id, group.base, applied.members));
        shard->reset_batch = wal_collecting(shard->wal);
        shard->synced_index = 0; /* until that is */
    }
    return true;
}

/* Rows that cannot be opened are lost; alone, or with the promises, nothing can be done. */
static enum fit open_rows(struct shard *shard, const struct shard_options *options,
                          struct buf *error)
{
    struct store_options store = options->store;
    store.takes_lost = options->has_others && !options->wal_is_fresh;
    enum store_err err = fsm_open(&shard->fsm, &store, error);
    if (err == STORE_OK)
        return judge(options, store_applied(shard->fsm.store), error);
    return shard->fsm.store != NULL ? FIT_ROWS_LOST : FIT_REFUSED;
}

bool shard_open(struct shard **out, const struct shard_options *options, struct buf *error)
{
    *out = NULL;
    struct shard *shard = mem_zero(sizeof(*shard));
    shard->id = options->id;
    shard->node_id = options->node_id;
    shard->wal = options->wal;
    shard->tail_max = options->tail_max;
    shard->apply_backlog_max = options->apply_backlog_max;
    enum fit fit = open_rows(shard, options, error);
    if (fit != FIT_REFUSED && begin(shard, options, fit, error)) {
        *out = shard;
        return true;
    }
    if (shard->fsm.store != NULL)
        fsm_close(&shard->fsm);
    mem_free(shard);
    return false;
}

void shard_close(struct shard *shard)
{
    if (shard == NULL)
        return;
    fsm_close(&shard->fsm);
    entry_log_fini(&shard->log);
    raft_free(shard->raft);
    mem_free(shard->pending);
    mem_free(shard);
}
