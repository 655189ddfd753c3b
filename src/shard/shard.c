/* The phases of a turn: what the core wants stored, promised, applied and flushed. */
#include "base/mem.h"
#include "base/mutants.h"
#include "base/steps.h"
#include "shard/internal.h"

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
    if (shard->is_frozen)
        return;
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

/* An install replaced the log: what it brought is applied and durable. */
static void reset_log(struct shard *shard)
{
    struct store_meta applied = store_applied(shard->fsm.store);
    ASSERT(raft_base_index(shard->raft) == applied.applied_index);
    entry_log_fini(&shard->log);
    entry_log_init(&shard->log, applied.applied_index);
    shard->mark = (struct wal_position){applied.applied_index, applied.applied_term};
    shard->mark_state = SHARD_MARK_NONE;
    shard->tail_bytes = 0;
    shard_forget_stored(shard, 0);
    if (!NODE_MUTANT(install_keeps_log))
        DURABLE_STEP_VOID(reset_put,
                          wal_put_reset(shard->wal, shard->id, shard->mark, applied.members));
    shard->reset_batch = wal_collecting(shard->wal);
    remember_pending(shard, applied.applied_index, (struct raft_mark){0});
    shard->pending[(shard->pending_to - 1) & shard->pending_mask].is_ours = true;
}

static void put_hard_state(struct shard *shard, const struct raft_ready *ready)
{
    struct wal_hard_state hard = {.term = ready->hard.term, .vote = ready->hard.vote};
    DURABLE_STEP_VOID(hard_state_put, wal_put_hard_state(shard->wal, shard->id, hard));
}

static void append_entry(struct shard *shard, struct entry *entry)
{
    if (entry->kind == ENTRY_MEMBERS)
        DURABLE_STEP_VOID(members_put, wal_append(shard->wal, shard->id, entry));
    else
        wal_append(shard->wal, shard->id, entry);
}

static void store_ready(struct shard *shard, const struct raft_ready *ready)
{
    if (ready->hard_state_changed)
        put_hard_state(shard, ready);
    if (ready->log_was_reset)
        reset_log(shard);
    for (uint64_t index = ready->store_first; index <= ready->store_last; index++)
        append_entry(shard, entry_log_at(&shard->log, index));
    if (ready->must_store)
        remember_pending(shard, ready->store_last, ready->mark);
}

bool shard_next_ready(struct shard *shard, uint64_t boot_us, struct raft_ready *out)
{
    if (shard->is_frozen || !raft_has_ready(shard->raft))
        return false;
    raft_ready(shard->raft, boot_us, out);
    shard->reads_confirmed = out->reads_confirmed;
    if (out->role_changed)
        shard->lead_term = out->role == RAFT_LEADER ? out->term : 0;
    if (out->noop != 0)
        add_noop(shard, out);
    return true;
}

void shard_take_ready(struct shard *shard, const struct raft_ready *ready)
{
    store_ready(shard, ready);
    raft_advance(shard->raft);
}

struct entry *const *shard_entries(struct shard *shard, uint64_t first, uint32_t count,
                                   struct entry **scratch)
{
    for (uint32_t i = 0; i < count; i++)
        scratch[i] = entry_log_at(&shard->log, first + i);
    return scratch;
}

/* Entries from first on were replaced: what a batch under way holds at their places is not them. */
void shard_forget_stored(struct shard *shard, uint64_t first)
{
    uint64_t last = first == 0 ? 0 : first - 1;
    for (uint64_t at = shard->pending_from; at < shard->pending_to; at++) {
        struct shard_pending *pending = &shard->pending[at & shard->pending_mask];
        if (pending->index > last)
            pending->index = last;
    }
    if (shard->synced_index > last && !NODE_MUTANT(truncation_keeps_synced))
        shard->synced_index = last;
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
        if (!pending->is_ours)
            DURABLE_STEP_VOID(stored_told, raft_stored(shard->raft, boot_us, &pending->mark));
        shard->promised_to++;
    }
}

bool shard_is_frozen(const struct shard *shard)
{
    return shard->is_frozen;
}

void shard_freeze(struct shard *shard, bool is_frozen)
{
    shard->is_frozen = is_frozen;
}

bool shard_needs_install(const struct shard *shard, uint64_t index)
{
    return index > raft_commit_index(shard->raft) ||
           (shard_has_lost_rows(shard) && index >= shard->mark.index);
}

bool shard_installed(struct shard *shard, const struct store_meta *meta)
{
    struct members members;
    bool is_good = members_decode(meta->members, &members);
    ASSERT(is_good && shard->is_frozen); /* checked before it was published */
    struct raft_membership membership = shard_membership_of(&members, meta->applied_index);
    if (!raft_installed(shard->raft, meta->applied_index, meta->applied_term, &membership))
        return false;
    if (meta->stamp_us > shard->stamp_us)
        shard->stamp_us = meta->stamp_us;
    return true;
}

bool shard_has_lost_rows(const struct shard *shard)
{
    return shard->start == SHARD_START_ROWS_LOST && !shard->has_rows_again;
}

void shard_adopted(struct shard *shard)
{
    shard->has_rows_again = true;
    shard_read_members(shard);
}

bool shard_is_reset(const struct shard *shard)
{
    return wal_synced(shard->wal) >= shard->reset_batch;
}

void shard_pin(struct shard *shard, uint64_t index)
{
    shard->pin_index = index;
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
    DURABLE_STEP_VOID(mark_put,
                      wal_put_mark(shard->wal, shard->id, shard->marking, flushed.members));
    shard->mark_batch = wal_collecting(shard->wal);
    shard->mark_state = SHARD_MARK_WRITTEN;
}

/* The mark is durable: what lies below it is the tail now. */
static void take_mark(struct shard *shard)
{
    for (uint64_t index = shard->mark.index + 1; index <= shard->marking.index; index++)
        shard->tail_bytes += entry_log_at(&shard->log, index)->size;
    shard->mark = shard->marking;
}

/* How far the log in memory may go: everything below the mark, but for what slow followers may
 * still want and what an install under way needs behind its rows. The WAL keeps nothing below the
 * mark, so the tail pins no segment and is gone after a restart. */
static uint64_t compact_through(const struct shard *shard)
{
    uint64_t through = shard->mark.index;
    uint64_t base = raft_base_index(shard->raft);
    if (shard->pin_index != 0 && shard->pin_index < through)
        through = shard->pin_index;
    if (shard->members.count <= 1)
        return through;
    uint64_t kept = 0;
    uint64_t from = shard->mark.index;
    while (from > base && kept + entry_log_at(&shard->log, from)->size <= shard->tail_max)
        kept += entry_log_at(&shard->log, from--)->size;
    return from < through ? from : through;
}

static void write_base(struct shard *shard)
{
    DURABLE_STEP_VOID(mark_counted, take_mark(shard));
    DURABLE_STEP_VOID(base_put, wal_put_base(shard->wal, shard->id, shard->mark));
    shard->mark_batch = wal_collecting(shard->wal);
    shard->mark_state = SHARD_MARK_BASED;
}

static void compact(struct shard *shard)
{
    uint64_t before = shard->log.bytes;
    uint64_t through = compact_through(shard);
    if (through > shard->log.base) {
        raft_compacted(shard->raft, through);
        entry_log_compact(&shard->log, through);
    }
    shard->tail_bytes -= before - shard->log.bytes;
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
        DURABLE_STEP_VOID(base_counted, compact(shard));
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

/* A follower whose LevelDB does not keep up waits with what it can apply later (L6); a leader has
 * reserved the room when it admitted the write. */
static bool must_pause(const struct shard *shard)
{
    return shard->lead_term == 0 && shard->apply_backlog_max != 0 &&
           store_buffered_bytes(shard->fsm.store) >= shard->apply_backlog_max;
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
    if (next > raft_commit_index(shard->raft) || shard->is_frozen || shard_has_lost_rows(shard))
        return NULL;
    bool is_paused = must_pause(shard);
    raft_set_electable(shard->raft, !is_paused && !shard->is_unwilling);
    if (is_paused)
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

void shard_set_willing(struct shard *shard, bool is_willing)
{
    shard->is_unwilling = !is_willing;
    raft_set_electable(shard->raft, is_willing);
}

bool shard_is_serving(const struct shard *shard)
{
    return raft_serving(shard->raft);
}

uint64_t shard_reads_confirmed(const struct shard *shard)
{
    return shard->reads_confirmed;
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
    return shard->log.bytes - shard->tail_bytes;
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

uint64_t shard_hold_time(struct shard *shard, uint64_t boot_us)
{
    shard->stamp_at_us = boot_us;
    return shard->stamp_us;
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
        .log_bytes = shard->log.bytes,
        .refused_entries = shard->refused_entries,
        .is_leader = shard->lead_term != 0,
    };
}
