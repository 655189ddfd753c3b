#include "shard/shard.h"

#include "base/mem.h"
#include "base/mutants.h"
#include "shard/entry_log.h"

enum {
    ELECTION_MIN_US = 300000,
    ELECTION_MAX_US = 600000,
    HEARTBEAT_US = 50000,
    CLOCK_DRIFT_PPM = 1000,
    APPEND_ENTRIES_MAX = 256,
    INFLIGHT_MAX = 64,
    TERM_RUNS_MAX = 1024,
    MARKS_START = 64,
};

/* What a batch of the WAL makes durable for this group. */
struct shard_pending {
    uint64_t batch;
    uint64_t index; /* newest entry of the log in it */
    struct raft_mark mark;
};

struct shard {
    uint32_t id;
    struct raft *raft;
    struct wal *wal;
    struct fsm fsm;
    struct entry_log log;
    uint64_t lead_term;

    struct shard_pending *pending; /* queue by batch; a power of two */
    uint64_t pending_mask;
    uint64_t pending_from, promised_to,
        pending_to;        /* not synced: from..to; promised before promised_to */
    uint64_t synced_index; /* newest index that the WAL holds synced */

    enum shard_mark_state mark_state;
    uint64_t mark_batch;
    struct wal_position marking; /* the mark being made durable */
    struct wal_position mark;    /* durable */

    uint64_t stamp_us;    /* newest time given out */
    uint64_t stamp_at_us; /* boot time when it was */
    enum shard_start start;
    uint64_t start_replayed;
    uint64_t start_applied; /* by LevelDB */
    uint64_t start_at_us;
    uint64_t replay_us; /* 0: not over, or nothing was to be replayed */
};

/* ---- opening ---- */

const char *shard_start_text(enum shard_start start)
{
    switch (start) {
    case SHARD_START_FRESH:
        return "fresh";
    case SHARD_START_SKIPPED:
        return "skipped";
    case SHARD_START_REPLAYED:
        return "replayed";
    }
    UNREACHABLE();
}

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

/* L4 for a voter that is alone: nobody can give back rows or promises, so any contradiction
 * refuses. */
static bool connects(const struct shard_options *options, struct store_meta applied,
                     struct buf *error)
{
    const struct wal_group_state *group = options->recovered;
    uint64_t index = applied.applied_index;
    if (options->wal_is_fresh && index > 0)
        return refuse(error, options->id,
                      "the write-ahead log is gone, but rows were applied: promises lost "
                      "(applied index, term)",
                      index, applied.applied_term);
    if (index > last_of(group))
        return refuse(error, options->id,
                      "the write-ahead log ends below what LevelDB holds: promises lost "
                      "(last index, applied index)",
                      last_of(group), index);
    if (index < group->mark.index || index < group->base.index)
        return refuse(error, options->id,
                      "LevelDB is behind the snapshot mark of the write-ahead log: rows lost "
                      "(applied index, mark)",
                      index, group->mark.index);
    if (term_at(group, index) != applied.applied_term)
        return refuse(error, options->id,
                      "LevelDB and the write-ahead log disagree about the applied entry "
                      "(index, term in LevelDB)",
                      index, applied.applied_term);
    return true;
}

static struct raft *new_raft(const struct shard_options *options, struct store_meta applied)
{
    const struct wal_group_state *group = options->recovered;
    raft_term *terms = mem_alloc((group->entry_count + 1) * sizeof(*terms));
    for (size_t i = 0; i < group->entry_count; i++)
        terms[i] = group->entries[i]->term;
    struct raft_config config = {
        .id = SHARD_NODE_ID,
        .election_min_us = ELECTION_MIN_US,
        .election_max_us = ELECTION_MAX_US,
        .heartbeat_us = HEARTBEAT_US,
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
        .membership = {.members = {.count = 1, .at = {{.id = SHARD_NODE_ID, .is_voter = true}}}},
    };
    struct raft *raft = raft_new(&config, &restored, options->boot_us);
    mem_free(terms);
    return raft;
}

static void take_entries(struct shard *shard, const struct wal_group_state *group)
{
    entry_log_init(&shard->log, group->base.index);
    for (size_t i = 0; i < group->entry_count; i++)
        entry_log_append(&shard->log, entry_retain(group->entries[i]));
    shard->synced_index = last_of(group);
    shard->mark = group->mark;
}

bool shard_open(struct shard **out, const struct shard_options *options, struct buf *error)
{
    *out = NULL;
    struct shard *shard = mem_zero(sizeof(*shard));
    shard->id = options->id;
    shard->wal = options->wal;
    if (fsm_open(&shard->fsm, &options->store, error) != STORE_OK) {
        mem_free(shard);
        return false;
    }
    struct store_meta applied = store_applied(shard->fsm.store);
    if (!connects(options, applied, error)) {
        fsm_close(&shard->fsm);
        mem_free(shard);
        return false;
    }
    take_entries(shard, options->recovered);
    shard->raft = new_raft(options, applied);
    shard->pending = mem_zero(MARKS_START * sizeof(*shard->pending));
    shard->pending_mask = MARKS_START - 1;
    shard->stamp_us = applied.stamp_us;
    shard->stamp_at_us = options->boot_us;
    shard->start_applied = applied.applied_index;
    shard->start_at_us = options->boot_us;
    shard->start_replayed = last_of(options->recovered) - applied.applied_index;
    shard->start = options->wal_is_fresh        ? SHARD_START_FRESH
                   : shard->start_replayed == 0 ? SHARD_START_SKIPPED
                                                : SHARD_START_REPLAYED;
    *out = shard;
    return true;
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

uint32_t shard_id(const struct shard *shard)
{
    return shard->id;
}

struct fsm *shard_fsm(struct shard *shard)
{
    return &shard->fsm;
}

struct raft *shard_raft(struct shard *shard)
{
    return shard->raft;
}

/* ---- storing ---- */

void shard_tick(struct shard *shard, uint64_t boot_us)
{
    raft_tick(shard->raft, boot_us);
}

static void remember_pending(struct shard *shard, uint64_t index, struct raft_mark mark)
{
    if (shard->pending_to - shard->pending_from > shard->pending_mask) {
        uint64_t capacity = (shard->pending_mask + 1) * 2;
        struct shard_pending *grown = mem_alloc(capacity * sizeof(*grown));
        for (uint64_t at = shard->pending_from; at < shard->pending_to; at++)
            grown[at & (capacity - 1)] = shard->pending[at & shard->pending_mask];
        mem_free(shard->pending);
        shard->pending = grown;
        shard->pending_mask = capacity - 1;
    }
    shard->pending[shard->pending_to++ & shard->pending_mask] =
        (struct shard_pending){.batch = wal_collecting(shard->wal), .index = index, .mark = mark};
}

/* A new leader's no-op is the core's own proposal: its entry is made here. */
static void add_noop(struct shard *shard, const struct raft_ready *ready)
{
    struct entry *entry = entry_new(ENTRY_NOOP, NULL, 0);
    entry->index = ready->noop;
    entry->term = ready->term;
    ASSERT(entry_log_last(&shard->log) + 1 == ready->noop);
    entry_log_append(&shard->log, entry);
}

static void store_ready(struct shard *shard, const struct raft_ready *ready)
{
    if (ready->hard_state_changed)
        wal_put_hard_state(
            shard->wal, shard->id,
            (struct wal_hard_state){.term = ready->hard.term, .vote = ready->hard.vote});
    for (uint64_t index = ready->store_first; index <= ready->store_last; index++)
        wal_append(shard->wal, shard->id, entry_log_at(&shard->log, index));
    if (ready->must_store)
        remember_pending(shard, ready->store_last, ready->mark);
}

void shard_collect(struct shard *shard, uint64_t boot_us)
{
    while (raft_has_ready(shard->raft)) {
        struct raft_ready ready;
        raft_ready(shard->raft, boot_us, &ready);
        ASSERT(!ready.log_was_reset && ready.offer.from == 0 && ready.message_count == 0);
        if (ready.role_changed)
            shard->lead_term = ready.role == RAFT_LEADER ? ready.term : 0;
        if (ready.noop != 0)
            add_noop(shard, &ready);
        store_ready(shard, &ready);
        raft_advance(shard->raft);
    }
}

static void promise_stored(struct shard *shard, uint64_t boot_us)
{
    uint64_t promised =
        NODE_MUTANT(promise_before_sync) ? wal_collecting(shard->wal) : wal_promised(shard->wal);
    while (shard->promised_to < shard->pending_to) {
        const struct shard_pending *pending =
            &shard->pending[shard->promised_to & shard->pending_mask];
        if (pending->batch > promised)
            break;
        raft_stored(shard->raft, boot_us, &pending->mark);
        shard->promised_to++;
    }
}

static void note_synced(struct shard *shard)
{
    uint64_t synced = wal_synced(shard->wal);
    while (shard->pending_from < shard->promised_to) {
        const struct shard_pending *pending =
            &shard->pending[shard->pending_from & shard->pending_mask];
        if (pending->batch > synced)
            break;
        if (pending->index > shard->synced_index)
            shard->synced_index = pending->index;
        shard->pending_from++;
    }
}

/* ---- flush, then mark, then compaction: each durable before the next (L3) ---- */

static void write_mark(struct shard *shard)
{
    struct store_meta flushed = NODE_MUTANT(mark_before_flush) ? store_applied(shard->fsm.store)
                                                               : store_flushed(shard->fsm.store);
    if (flushed.applied_index <= shard->mark.index)
        return;
    shard->marking = (struct wal_position){flushed.applied_index, flushed.applied_term};
    wal_put_mark(shard->wal, shard->id, shard->marking, flushed.members);
    shard->mark_batch = wal_collecting(shard->wal);
    shard->mark_state = SHARD_MARK_WRITTEN;
}

static void write_base(struct shard *shard)
{
    shard->mark = shard->marking;
    wal_put_base(shard->wal, shard->id, shard->mark);
    shard->mark_batch = wal_collecting(shard->wal);
    shard->mark_state = SHARD_MARK_BASED;
}

static void compact(struct shard *shard)
{
    raft_compacted(shard->raft, shard->mark.index);
    entry_log_compact(&shard->log, shard->mark.index);
    shard->mark_state = SHARD_MARK_NONE;
}

static void step_mark(struct shard *shard)
{
    if (shard->mark_state != SHARD_MARK_NONE && wal_synced(shard->wal) < shard->mark_batch)
        return;
    switch (shard->mark_state) {
    case SHARD_MARK_NONE:
        write_mark(shard);
        break;
    case SHARD_MARK_WRITTEN:
        write_base(shard);
        break;
    case SHARD_MARK_BASED:
        compact(shard);
        break;
    }
}

void shard_promise(struct shard *shard, uint64_t boot_us)
{
    promise_stored(shard, boot_us);
    note_synced(shard);
    step_mark(shard);
}

/* Replay: the log may be ahead of what LevelDB held and of a clock set back since (L10). */
static void note_stamp(struct shard *shard, const struct entry *entry)
{
    if (entry->kind == ENTRY_ROWS && entry_stamp_us(entry) > shard->stamp_us &&
        !NODE_MUTANT(stamps_start_at_flushed))
        shard->stamp_us = entry_stamp_us(entry);
}

/* What the start found is applied, or a leader replaced it by something newer that is. */
static void note_replayed(struct shard *shard, uint64_t index, uint64_t now_ms)
{
    if (shard->replay_us != 0 || shard->start_replayed == 0 ||
        index < shard->start_applied + shard->start_replayed)
        return;
    uint64_t now_us = now_ms * 1000;
    shard->replay_us = now_us > shard->start_at_us ? now_us - shard->start_at_us : 1;
}

struct entry *shard_next_applied(struct shard *shard, uint64_t now_ms)
{
    uint64_t next = shard_applied_index(shard) + 1;
    if (next > raft_commit_index(shard->raft))
        return NULL;
    struct entry *entry = entry_log_at(&shard->log, next);
    note_stamp(shard, entry);
    fsm_apply(&shard->fsm, entry, now_ms);
    raft_applied(shard->raft, next);
    note_replayed(shard, next, now_ms);
    return entry;
}

void shard_flush(struct shard *shard, const struct fsm_flush_policy *policy, uint64_t now_ms,
                 struct worker *worker)
{
    bool waits = fsm_step(&shard->fsm, policy, now_ms, shard->synced_index, worker);
    if (waits && shard->fsm.flush.applied_index > shard->synced_index)
        wal_request_sync(shard->wal);
}

void shard_job_done(struct shard *shard, struct job *job, struct buf *error)
{
    (void)fsm_job_done(&shard->fsm, job, error);
}

/* ---- leading ---- */

bool shard_is_serving(const struct shard *shard)
{
    return raft_serving(shard->raft);
}

uint64_t shard_lead_term(const struct shard *shard)
{
    return shard->lead_term;
}

bool shard_executed(const struct shard *shard, const struct entry *entry)
{
    return shard->lead_term != 0 && entry->term == shard->lead_term;
}

uint64_t shard_next_index(const struct shard *shard)
{
    return raft_last_index(shard->raft) + 1;
}

uint64_t shard_last_index(const struct shard *shard)
{
    return raft_last_index(shard->raft);
}

uint64_t shard_applied_index(const struct shard *shard)
{
    return raft_applied_index(shard->raft);
}

uint64_t shard_propose(struct shard *shard, struct buf *payload)
{
    ASSERT(shard_is_serving(shard) && payload->size >= ENTRY_STAMP_SIZE);
    if (payload->capacity - payload->size > payload->size / 4)
        payload->data = mem_realloc(payload->data, payload->size);
    struct entry *entry = entry_new(ENTRY_ROWS, payload->data, payload->size);
    *payload = (struct buf){0};
    entry->index = raft_propose(shard->raft);
    entry->term = raft_term_now(shard->raft);
    ASSERT(entry->index == entry_log_last(&shard->log) + 1);
    entry_log_append(&shard->log, entry);
    return entry->index;
}

uint64_t shard_backlog_bytes(const struct shard *shard)
{
    return shard->log.bytes;
}

uint64_t shard_now_us(struct shard *shard, uint64_t boot_us, uint64_t wall_us)
{
    /* In whole steps, the rest is kept: asked every few microseconds it must not stand still. */
    uint64_t steps = (boot_us - shard->stamp_at_us) / 10;
    uint64_t advanced = shard->stamp_us + steps * 9;
    bool is_ahead = advanced >= wall_us;
    uint64_t now = is_ahead ? advanced : wall_us;
    shard->stamp_us = now;
    shard->stamp_at_us = is_ahead ? shard->stamp_at_us + steps * 10 : boot_us;
    return now;
}

struct shard_status shard_status(const struct shard *shard)
{
    return (struct shard_status){
        .start = shard->start,
        .start_replayed = shard->start_replayed,
        .start_applied = shard->start_applied,
        .replay_us = shard->replay_us,
        .term = raft_term_now(shard->raft),
        .commit = raft_commit_index(shard->raft),
        .applied = shard_applied_index(shard),
        .flushed = store_flushed(shard->fsm.store).applied_index,
        .mark = shard->mark.index,
        .base = raft_base_index(shard->raft),
        .last = raft_last_index(shard->raft),
        .is_leader = shard->lead_term != 0,
    };
}
