#include "wal/wal.h"

#include "base/mem.h"
#include "wal/log.h"

enum {
    SYNC_EVERY_US = 1000 * 1000,
    CHORE_PUT_OFF_MAX = 32, /* batches that may go first while a chore is due */
    CHORE_DEAD_MAX = 6,     /* dead segments from which on one goes for each batch */
};

const char *wal_err_text(enum wal_err err)
{
    switch (err) {
    case WAL_OK:
        return "no error";
    case WAL_DAMAGED:
        return "the log is damaged";
    case WAL_FOREIGN:
        return "the log belongs to another store";
    case WAL_NEWER_FORMAT:
        return "the log was written by a newer version";
    case WAL_DISK:
        return "the disk refused a call";
    }
    UNREACHABLE();
}

void wal_free(struct wal *wal)
{
    if (wal == NULL)
        return;
    for (uint32_t i = 0; i < wal->group_count; i++) {
        struct wal_group *group = &wal->groups[i];
        buf_free(&group->collected.members);
        buf_free(&group->submitted.members);
        wal_terms_free(&group->terms);
        wal_spans_free(&group->spans);
    }
    mem_free(wal->groups);
    wal_batch_fini(&wal->batches[0]);
    wal_batch_fini(&wal->batches[1]);
    wal_batch_fini(&wal->task.opening);
    wal_writer_fini(&wal->writer);
    buf_free(&wal->touched);
    buf_free(&wal->written_groups);
    buf_free(&wal->segments);
    mem_free(wal->dir);
    mem_free(wal);
}

/* ---- collecting ---- */

static struct wal_group *group_of(const struct wal *wal, uint32_t group)
{
    ASSERT(group < wal->group_count);
    return &wal->groups[group];
}

/* The group's facts are about to differ from those submitted. */
static struct wal_facts *touch(struct wal *wal, uint32_t number)
{
    struct wal_group *group = group_of(wal, number);
    if (!group->touched) {
        group->touched = true;
        buf_append(&wal->touched, bytes_of(&number, sizeof(number)));
    }
    return &group->collected;
}

/* Whether a known index is a copy or a conflict is decided here, where the terms are known, and
 * written down: a scan that starts behind deleted segments could not tell. */
void wal_append(struct wal *wal, uint32_t group, struct entry *entry)
{
    struct wal_group *at = group_of(wal, group);
    ASSERT(entry->term > 0);
    ASSERT(entry->index > at->collected.base.index && entry->index <= at->last + 1);
    bool copy = entry->index <= at->last && wal_terms_at(&at->terms, entry->index) == entry->term;
    wal_batch_add_entry(wal->collecting, group, entry, copy);
    if (copy)
        return;
    ASSERT(entry->index > at->collected.mark.index); /* what is flushed was committed */
    wal_terms_set(&at->terms, entry->index, entry->term);
    at->last = entry->index;
}

void wal_put_hard_state(struct wal *wal, uint32_t group, struct wal_hard_state hard)
{
    struct wal_facts *facts = touch(wal, group);
    ASSERT(hard.term >= facts->hard.term);
    facts->hard = hard;
    struct wal_record record = {
        .kind = WAL_RECORD_HARD, .group = group, .index = hard.vote, .term = hard.term};
    wal_batch_add_record(wal->collecting, &record);
}

static void set_members(struct wal_facts *facts, struct bytes members)
{
    ASSERT(members.size <= WAL_MEMBERS_SIZE_MAX);
    buf_clear(&facts->members);
    buf_append(&facts->members, members);
}

static void put_position(struct wal *wal, enum wal_record_kind kind, uint32_t group,
                         struct wal_position position, struct bytes payload)
{
    struct wal_record record = {.kind = kind,
                                .group = group,
                                .index = position.index,
                                .term = position.term,
                                .payload = payload};
    wal_batch_add_record(wal->collecting, &record);
}

void wal_put_mark(struct wal *wal, uint32_t group, struct wal_position position,
                  struct bytes members)
{
    struct wal_facts *facts = touch(wal, group);
    ASSERT(position.index >= facts->mark.index);
    ASSERT(position.index <= group_of(wal, group)->last);
    facts->mark = position;
    set_members(facts, members);
    put_position(wal, WAL_RECORD_MARK, group, position, members);
}

void wal_put_base(struct wal *wal, uint32_t group, struct wal_position position)
{
    struct wal_facts *facts = touch(wal, group);
    ASSERT(position.index >= facts->base.index);
    ASSERT(position.index <= facts->mark.index); /* L3 */
    facts->base = position;
    wal_terms_compact(&group_of(wal, group)->terms, position.index);
    put_position(wal, WAL_RECORD_BASE, group, position, bytes_of(NULL, 0));
}

void wal_put_reset(struct wal *wal, uint32_t group, struct wal_position position,
                   struct bytes members)
{
    struct wal_facts *facts = touch(wal, group);
    struct wal_group *at = group_of(wal, group);
    ASSERT(position.index >= facts->mark.index);
    facts->base = position;
    facts->mark = position;
    set_members(facts, members);
    wal_terms_clear(&at->terms);
    at->last = position.index;
    put_position(wal, WAL_RECORD_RESET, group, position, members);
}

uint64_t wal_collecting(const struct wal *wal)
{
    return wal->batch_number;
}

size_t wal_collected_bytes(const struct wal *wal)
{
    return wal_batch_is_empty(wal->collecting) ? 0 : (size_t)wal_batch_size(wal->collecting);
}

uint64_t wal_last_index(const struct wal *wal, uint32_t group)
{
    return group_of(wal, group)->last;
}

/* ---- what a segment opens with ---- */

static void add_facts(struct wal_batch *opening, uint32_t group, const struct wal_facts *facts)
{
    struct wal_record hard = {.kind = WAL_RECORD_HARD,
                              .group = group,
                              .index = facts->hard.vote,
                              .term = facts->hard.term};
    struct wal_record mark = {.kind = WAL_RECORD_MARK,
                              .group = group,
                              .index = facts->mark.index,
                              .term = facts->mark.term,
                              .payload = buf_bytes(&facts->members)};
    struct wal_record base = {.kind = WAL_RECORD_BASE,
                              .group = group,
                              .index = facts->base.index,
                              .term = facts->base.term};
    wal_batch_add_record(opening, &hard);
    wal_batch_add_record(opening, &mark);
    wal_batch_add_record(opening, &base);
}

/* Only what earlier batches said: what the batch behind the opening says may still be lost, and a
 * base without the reset that made it would adopt entries of the replaced log. */
void wal_fill_opening(const struct wal *wal, struct wal_batch *opening)
{
    wal_batch_clear(opening);
    struct wal_record store = {
        .kind = WAL_RECORD_STORE, .group = wal->group_count, .index = wal->store_id};
    wal_batch_add_record(opening, &store);
    for (uint32_t i = 0; i < wal->group_count; i++)
        add_facts(opening, i, &wal->groups[i].submitted);
    wal_batch_close(opening);
}

/* ---- the WAL thread ---- */

static enum wal_result run_write(struct wal_task *task)
{
    struct wal_writer *writer = task->writer;
    enum wal_result result = WAL_RESULT_OK;
    if (task->batch != NULL && writer->segment != task->segment)
        result = wal_writer_switch(writer, &task->opening, wal_batch_size(task->batch));
    if (result == WAL_RESULT_OK && task->batch != NULL)
        result = wal_writer_append(writer, task->batch);
    if (result == WAL_RESULT_OK && task->sync)
        result = wal_writer_sync(writer);
    return result;
}

static void run_task(struct job *job)
{
    struct wal_task *task = CONTAINER_OF(job, struct wal_task, job);
    switch (task->kind) {
    case WAL_TASK_WRITE:
        task->result = run_write(task);
        return;
    case WAL_TASK_PREPARE:
        task->result = wal_writer_prepare(task->writer, 0);
        return;
    case WAL_TASK_RETIRE:
        task->result = wal_writer_retire(task->writer, task->retired.number, task->retired.size);
        return;
    }
    UNREACHABLE();
}

/* ---- submitting ---- */

static bool hand_over(struct wal *wal, struct worker *worker)
{
    wal->task.job = (struct job){.run = run_task, .kind = WAL_JOB_KIND};
    wal->task.writer = &wal->writer;
    wal->busy = worker_submit(worker, &wal->task.job);
    return wal->busy;
}

static void copy_facts(struct wal_facts *to, const struct wal_facts *from)
{
    struct buf members = to->members;
    *to = *from;
    to->members = members;
    set_members(to, buf_bytes(&from->members));
}

static uint32_t group_number_at(const struct buf *numbers, size_t at)
{
    uint32_t number;
    memcpy(&number, numbers->data + at * sizeof(number), sizeof(number));
    return number;
}

/* The batch that collects becomes the one under way. The opening is made first: it must not know
 * what this batch brings. */
static void close_batch(struct wal *wal)
{
    struct wal_task *task = &wal->task;
    struct wal_batch *batch = wal->collecting;
    wal_batch_close(batch);
    bool fits = wal_batch_size(batch) <= wal->writer.size - wal->writer.offset;
    task->segment = fits ? wal->writer.segment : wal->writer.segment + 1;
    if (!fits)
        wal_fill_opening(wal, &task->opening);
    struct buf numbers = wal->touched;
    for (size_t i = 0; i < numbers.size / sizeof(uint32_t); i++) {
        struct wal_group *group = &wal->groups[group_number_at(&numbers, i)];
        copy_facts(&group->submitted, &group->collected);
        group->touched = false;
    }
    wal->touched = wal->written_groups;
    buf_clear(&wal->touched);
    wal->written_groups = numbers;
    wal->under_way = batch;
    wal->collecting = batch == &wal->batches[0] ? &wal->batches[1] : &wal->batches[0];
    wal->batch_number++;
}

static bool submit_write(struct wal *wal, struct worker *worker)
{
    struct wal_task *task = &wal->task;
    if (wal->under_way == NULL && !wal_batch_is_empty(wal->collecting))
        close_batch(wal);
    task->kind = WAL_TASK_WRITE;
    task->batch = wal->under_way;
    task->sync = wal->sync == WAL_SYNC_ALWAYS || wal->sync_wanted ||
                 (task->batch != NULL && task->batch->must_sync);
    if (!hand_over(wal, worker))
        return false;
    if (task->sync) {
        wal->sync_wanted = false;
        wal->last_sync_us = wal->now_us;
    }
    return true;
}

static bool submit_retire(struct wal *wal, struct worker *worker)
{
    if (wal_dead_segments(wal) == 0)
        return false;
    wal->task.kind = WAL_TASK_RETIRE;
    wal->task.retired = *wal_segment_at(wal, 0);
    return hand_over(wal, worker);
}

/* Not before the current segment is half full: an idle node needs no next one. */
static bool wants_next_segment(const struct wal *wal)
{
    const struct wal_writer *writer = &wal->writer;
    return writer->next == NULL && !wal->prepare_refused && writer->offset >= writer->size / 2;
}

static bool submit_chore(struct wal *wal, struct worker *worker)
{
    if (submit_retire(wal, worker))
        return true;
    if (!wants_next_segment(wal))
        return false;
    wal->task.kind = WAL_TASK_PREPARE;
    return hand_over(wal, worker);
}

/* A batch makes at most one segment, so the log does not grow when one goes for each: the more wait
 * to go, the fewer batches are let by. At a fixed rate batches of half a segment would outrun it.
 */
static uint32_t put_off_max(const struct wal *wal)
{
    size_t dead = wal_dead_segments(wal);
    if (dead >= CHORE_DEAD_MAX)
        return 1;
    return dead <= 1 ? CHORE_PUT_OFF_MAX : (uint32_t)CHORE_PUT_OFF_MAX >> (dead - 1);
}

/* Chores wait for a turn without a batch, but not for ever: then they go first. */
bool wal_submit(struct wal *wal, struct worker *worker)
{
    if (wal->busy || wal->trouble == WAL_TROUBLE_FAILED)
        return false;
    if (wal->trouble == WAL_TROUBLE_FULL)
        return submit_retire(wal, worker); /* may make room */
    if (wal->synced == wal->written && wal->sync_wanted && wal->under_way == NULL &&
        wal_batch_is_empty(wal->collecting))
        wal->sync_wanted = false;
    bool chore = wal_dead_segments(wal) > 0 || wants_next_segment(wal);
    bool write = wal->under_way != NULL || wal->sync_wanted || !wal_batch_is_empty(wal->collecting);
    if (chore && (!write || wal->chores_put_off >= put_off_max(wal))) {
        wal->chores_put_off = 0;
        return submit_chore(wal, worker);
    }
    wal->chores_put_off += chore;
    return write && submit_write(wal, worker);
}

/* ---- done ---- */

static void apply_effects(struct wal *wal, const struct wal_batch *batch)
{
    uint64_t segment = wal->writer.segment;
    for (size_t i = 0; i < wal_batch_effect_count(batch); i++) {
        const struct wal_effect *effect = wal_batch_effect(batch, i);
        struct wal_spans *spans = &wal->groups[effect->group].spans;
        if (effect->kind == WAL_RECORD_RESET)
            wal_spans_clear(spans);
        else if (effect->kind == WAL_RECORD_COPY)
            wal_spans_copy(spans, segment, effect->first, effect->last);
        else
            wal_spans_add(spans, segment, effect->first, effect->last);
    }
    for (size_t i = 0; i < wal->written_groups.size / sizeof(uint32_t); i++) {
        struct wal_group *group = &wal->groups[group_number_at(&wal->written_groups, i)];
        wal_spans_compact(&group->spans, group->submitted.base.index);
    }
}

static void find_needed(struct wal *wal)
{
    wal->needed = UINT64_MAX;
    for (uint32_t i = 0; i < wal->group_count; i++) {
        uint64_t oldest = wal_spans_oldest(&wal->groups[i].spans);
        wal->needed = oldest < wal->needed ? oldest : wal->needed;
    }
}

size_t wal_dead_segments(const struct wal *wal)
{
    size_t count = 0;
    while (count + 1 < wal_segment_count(wal) && wal_segment_at(wal, count)->number < wal->needed)
        count++;
    return count;
}

void wal_take_stock(struct wal *wal)
{
    const struct wal_writer *writer = &wal->writer;
    size_t count = wal_segment_count(wal);
    if (count == 0 || wal_segment_at(wal, count - 1)->number != writer->segment) {
        struct wal_segment current = {writer->segment, writer->size};
        buf_append(&wal->segments, bytes_of(&current, sizeof(current)));
    }
    find_needed(wal);
    wal->size_bytes = writer->next_size + writer->spare_count * writer->segment_size;
    for (size_t i = 0; i < wal_segment_count(wal); i++)
        wal->size_bytes += wal_segment_at(wal, i)->size;
    wal->counters = writer->counters;
}

static void note_written(struct wal *wal)
{
    if (wal->task.batch != NULL) {
        apply_effects(wal, wal->under_way);
        wal_batch_clear(wal->under_way);
        wal->under_way = NULL;
        wal->written++;
        ASSERT(wal->written + 1 == wal->batch_number);
        wal->prepare_refused = false;
    }
}

static void note_done(struct wal *wal)
{
    switch (wal->task.kind) {
    case WAL_TASK_WRITE:
        note_written(wal);
        return;
    case WAL_TASK_PREPARE:
        return;
    case WAL_TASK_RETIRE:
        buf_consume(&wal->segments, sizeof(struct wal_segment));
        wal->trouble =
            WAL_TROUBLE_NONE; /* there is room, or a spare: a waiting batch tries again */
        return;
    }
    UNREACHABLE();
}

static void note_full(struct wal *wal)
{
    if (wal->task.kind == WAL_TASK_PREPARE) {
        wal->prepare_refused = true;
        return;
    }
    wal->trouble = WAL_TROUBLE_FULL;
    wal->sync_wanted = wal->sync_wanted || wal->task.sync; /* still owed */
}

static void note_promised(struct wal *wal)
{
    uint64_t promised = wal->sync == WAL_SYNC_ALWAYS ? wal->synced : wal->written;
    wal->promised = promised > wal->promised ? promised : wal->promised;
}

void wal_job_done(struct wal *wal, struct job *job)
{
    ASSERT(wal->busy && job == &wal->task.job);
    wal->busy = false;
    switch (wal->task.result) {
    case WAL_RESULT_OK:
        note_done(wal);
        break;
    case WAL_RESULT_FULL:
        note_full(wal);
        break;
    case WAL_RESULT_FAILED:
        wal->trouble = WAL_TROUBLE_FAILED;
        return; /* what the writer says counts for nothing now */
    }
    if (wal_writer_is_synced(&wal->writer))
        wal->synced = wal->written;
    note_promised(wal);
    wal_take_stock(wal);
}

bool wal_is_busy(const struct wal *wal)
{
    return wal->busy;
}

uint64_t wal_written(const struct wal *wal)
{
    return wal->written;
}

uint64_t wal_synced(const struct wal *wal)
{
    return wal->synced;
}

uint64_t wal_promised(const struct wal *wal)
{
    return wal->promised;
}

/* ---- the sync mode ---- */

void wal_set_sync(struct wal *wal, enum wal_sync sync)
{
    wal->sync = sync;
    if (sync == WAL_SYNC_ALWAYS)
        wal->sync_wanted = true;
    note_promised(wal);
}

enum wal_sync wal_sync_mode(const struct wal *wal)
{
    return wal->sync;
}

void wal_request_sync(struct wal *wal)
{
    wal->sync_wanted = true;
}

void wal_tick(struct wal *wal, uint64_t now_us)
{
    wal->now_us = now_us;
    if (wal->sync == WAL_SYNC_EVERYSEC && wal->synced < wal->written &&
        now_us - wal->last_sync_us >= SYNC_EVERY_US)
        wal->sync_wanted = true;
}

/* ---- trouble ---- */

bool wal_failed(const struct wal *wal, const char **text)
{
    if (wal->trouble != WAL_TROUBLE_FAILED)
        return false;
    *text = (const char *)wal->writer.error.data;
    return true;
}

bool wal_is_full(const struct wal *wal)
{
    return wal->trouble == WAL_TROUBLE_FULL;
}

void wal_retry(struct wal *wal)
{
    wal->prepare_refused = false;
    if (wal->trouble == WAL_TROUBLE_FULL)
        wal->trouble = WAL_TROUBLE_NONE;
}

/* ---- size and counters ---- */

uint64_t wal_size_bytes(const struct wal *wal)
{
    return wal->size_bytes;
}

uint64_t wal_pinned_bytes(const struct wal *wal, uint32_t group)
{
    uint64_t oldest = wal_spans_oldest(&group_of(wal, group)->spans);
    uint64_t bytes = 0;
    for (size_t i = 0; i < wal_segment_count(wal); i++)
        if (wal_segment_at(wal, i)->number >= oldest)
            bytes += wal_segment_at(wal, i)->size;
    return bytes;
}

bool wal_oldest_pinning_group(const struct wal *wal, uint32_t *group, uint64_t *first,
                              uint64_t *last)
{
    size_t current = wal_segment_count(wal) - 1;
    if (wal->needed >= wal_segment_at(wal, current)->number)
        return false;
    for (uint32_t i = 0; i < wal->group_count; i++) {
        const struct wal_spans *spans = &wal->groups[i].spans;
        if (wal_spans_oldest(spans) != wal->needed)
            continue;
        *group = i;
        *first = spans->items[0].first;
        *last = spans->items[0].last;
        return true;
    }
    UNREACHABLE(); /* needed is some group's oldest */
}

struct wal_counters wal_counters(const struct wal *wal)
{
    return wal->counters;
}
