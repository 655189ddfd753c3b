/* Opening a log: list, scan, refuse or cut, and start a new segment. */
#include "wal/wal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/steps.h"
#include "wal/log.h"
#include "wal/scan.h"

/* What the directory holds. */
struct found {
    struct disk *disk;
    const char *dir;
    struct buf segments; /* of struct wal_segment, ascending, consecutive */
    struct buf spares;   /* of struct wal_segment */
    struct buf path;
    struct buf *error;
};

static struct wal_segment *item_at(const struct buf *list, size_t at)
{
    return (struct wal_segment *)(void *)list->data + at;
}

static size_t item_count(const struct buf *list)
{
    return list->size / sizeof(struct wal_segment);
}

static enum wal_err refuse_disk(const struct found *found, const char *path, const char *call)
{
    buf_printf(found->error, "%s: %s: %s", path, call, strerror(errno));
    return WAL_DISK;
}

static const char *path_of(struct found *found, const char *name)
{
    return wal_path(&found->path, found->dir, name);
}

static const char *segment_path(struct found *found, uint64_t number)
{
    char name[WAL_NAME_SIZE];
    wal_segment_name(name, number);
    return path_of(found, name);
}

/* ---- listing ---- */

static enum wal_err make_dir(struct found *found)
{
    if (DURABLE_STEP(wal_dir_made, disk_make_dir(found->disk, found->dir)) != DISK_OK)
        return refuse_disk(found, found->dir, "mkdir");
    return WAL_OK;
}

static void note_name(struct found *found, const char *name)
{
    struct wal_segment item = {0};
    if (wal_parse_segment_name(name, &item.number))
        buf_append(&found->segments, bytes_of(&item, sizeof(item)));
    else if (wal_parse_spare_name(name, &item.number))
        buf_append(&found->spares, bytes_of(&item, sizeof(item)));
}

/* Names come sorted and have a fixed width, so numbers ascend. Other files are left alone. */
static enum wal_err list(struct found *found)
{
    struct buf names = {0};
    enum disk_err err = found->disk->ops->list_dir(found->disk, found->dir, &names);
    for (size_t at = 0; err == DISK_OK && at < names.size;) {
        const char *name = (const char *)names.data + at;
        note_name(found, name);
        at += strlen(name) + 1;
    }
    buf_free(&names);
    if (err != DISK_OK)
        return refuse_disk(found, found->dir, "cannot be listed");
    for (size_t i = 1; i < item_count(&found->segments); i++) {
        uint64_t number = item_at(&found->segments, i - 1)->number + 1;
        if (item_at(&found->segments, i)->number == number)
            continue;
        buf_printf(found->error, "%s: the segment is missing", segment_path(found, number));
        return WAL_DAMAGED;
    }
    return WAL_OK;
}

/* ---- reading ---- */

static enum wal_err read_open_file(struct found *found, struct disk_file *file, const char *path,
                                   struct buf *content)
{
    uint64_t size = 0;
    if (file->ops->size(file, &size) != DISK_OK)
        return refuse_disk(found, path, "size");
    if (size > WAL_SEGMENT_SIZE_MAX) {
        buf_printf(found->error, "%s: larger than any segment", path);
        return WAL_DAMAGED;
    }
    size_t got = 0;
    buf_clear(content);
    if (file->ops->read(file, 0, buf_reserve(content, (size_t)size), (size_t)size, &got) != DISK_OK)
        return refuse_disk(found, path, "read");
    content->size = got;
    return WAL_OK;
}

/* Synced before it is read, and opened a second time to read it from the disk: after a failed
 * fdatasync the cache of a process that is gone may show bytes that the disk never got. */
static enum wal_err read_segment(struct found *found, struct wal_segment *segment,
                                 struct buf *content)
{
    const char *path = segment_path(found, segment->number);
    struct disk_file *file = NULL;
    for (int i = 0; i < 2; i++) {
        if (found->disk->ops->open(found->disk, path, false, &file) != DISK_OK)
            return refuse_disk(found, path, "open");
        if (i == 1)
            break;
        enum disk_err err = DURABLE_STEP(wal_found_synced, file->ops->sync(file));
        int reason = errno;
        file->ops->close(file);
        errno = reason;
        if (err != DISK_OK)
            return refuse_disk(found, path, "fdatasync");
    }
    enum wal_err err = read_open_file(found, file, path, content);
    segment->size = content->size;
    file->ops->close(file);
    return err;
}

/* A segment goes only after a later one's opening is synced, so some batch is valid in every log
 * but one whose very first opening was cut short. */
static enum wal_err refuse_nothing(struct found *found, const struct wal_scan *scan)
{
    size_t count = item_count(&found->segments);
    if (scan->expected != 0 || count == 0 || item_at(&found->segments, count - 1)->number == 1)
        return WAL_OK;
    uint64_t first = item_at(&found->segments, 0)->number;
    buf_printf(found->error, "%s: offset 0: the segment's opening is damaged",
               segment_path(found, first));
    return WAL_DAMAGED;
}

static enum wal_err scan_all(struct found *found, struct wal_scan *scan)
{
    struct buf content = {0};
    enum wal_err err = WAL_OK;
    for (size_t i = 0; err == WAL_OK && i < item_count(&found->segments); i++) {
        struct wal_segment *segment = item_at(&found->segments, i);
        err = read_segment(found, segment, &content);
        if (err == WAL_OK)
            err = wal_scan_segment(scan, segment->number, buf_bytes(&content), found->error);
    }
    buf_free(&content);
    if (err == WAL_OK)
        err = refuse_nothing(found, scan);
    return err == WAL_OK ? wal_scan_finish(scan, found->error) : err;
}

/* ---- cutting ---- */

static enum wal_err sync_own_dir(struct found *found)
{
    if (DURABLE_STEP(wal_dir_synced, found->disk->ops->sync_dir(found->disk, found->dir)) !=
        DISK_OK)
        return refuse_disk(found, found->dir, "fsync");
    return WAL_OK;
}

static enum wal_err remove_file(struct found *found, const char *path)
{
    if (DURABLE_STEP(wal_file_removed, found->disk->ops->remove(found->disk, path)) != DISK_OK)
        return refuse_disk(found, path, "remove");
    return sync_own_dir(found);
}

/* Segments behind the end were made ready and never written, or torn in their opening. They go,
 * newest first, each durably, so that what is left is always consecutive. */
static enum wal_err remove_empty(struct found *found, uint64_t last)
{
    size_t count = item_count(&found->segments);
    while (count > 0 && item_at(&found->segments, count - 1)->number > last) {
        uint64_t number = item_at(&found->segments, count - 1)->number;
        enum wal_err err = remove_file(found, segment_path(found, number));
        if (err != WAL_OK)
            return err;
        count--;
        found->segments.size = count * sizeof(struct wal_segment);
    }
    return WAL_OK;
}

/* The last segment ends where its last valid batch ends, physically: what is torn behind it must
 * not be taken for a continuation some day, and an almost empty segment must not hold its space. */
static enum wal_err cut(struct found *found, uint64_t end)
{
    struct wal_segment *last = item_at(&found->segments, item_count(&found->segments) - 1);
    if (last->size == end)
        return WAL_OK;
    const char *path = segment_path(found, last->number);
    struct disk_file *file = NULL;
    if (found->disk->ops->open(found->disk, path, false, &file) != DISK_OK)
        return refuse_disk(found, path, "open");
    enum disk_err err = DURABLE_STEP(wal_tail_cut, file->ops->allocate(file, end));
    if (err == DISK_OK)
        err = DURABLE_STEP(wal_tail_synced, file->ops->sync(file));
    int reason = errno;
    file->ops->close(file);
    errno = reason;
    if (err != DISK_OK)
        return refuse_disk(found, path, "cut");
    last->size = end;
    return WAL_OK;
}

static void tell_cut(const struct wal_scan *scan, struct buf *note)
{
    if (scan->torn_end <= scan->end)
        return;
    char name[WAL_NAME_SIZE];
    wal_segment_name(name, scan->segment);
    buf_printf(note,
               "%s/%s: cut a torn tail of about %" PRIu64 " bytes at offset %" PRIu64
               ", behind batch %" PRIu64,
               scan->dir, name, scan->torn_end - scan->end, scan->end, scan->expected - 1);
}

static enum wal_err settle(struct found *found, const struct wal_scan *scan, struct buf *note)
{
    enum wal_err err = sync_own_dir(found);
    if (err == WAL_OK)
        err = remove_empty(found, scan->segment);
    if (err == WAL_OK && item_count(&found->segments) > 0) {
        tell_cut(scan, note);
        err = cut(found, scan->end);
    }
    return err;
}

/* ---- the log in memory ---- */

static void take_group(struct wal_group *group, struct wal_replay_group *replayed)
{
    const struct wal_group_state *state = &replayed->state;
    struct wal_facts facts = {state->hard, state->base, state->mark, {0}};
    group->collected = group->submitted = facts;
    buf_append(&group->collected.members, buf_bytes(&state->members));
    buf_append(&group->submitted.members, buf_bytes(&state->members));
    group->last = state->base.index + state->entry_count;
    for (size_t i = 0; i < state->entry_count; i++)
        wal_terms_set(&group->terms, state->entries[i]->index, state->entries[i]->term);
    group->spans = replayed->spans;
    replayed->spans = (struct wal_spans){0};
    wal_spans_compact(&group->spans, state->base.index);
}

static char *copy_string(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(mem_alloc(size), text, size);
}

static struct wal *make_log(const struct wal_options *options, struct found *found,
                            struct wal_scan *scan)
{
    struct wal *wal = mem_zero(sizeof(*wal));
    wal->dir = copy_string(options->dir);
    wal->store_id = options->store_id;
    wal->group_count = options->group_count;
    wal->sync = options->sync;
    wal->groups = mem_zero(options->group_count * sizeof(*wal->groups));
    for (uint32_t i = 0; i < options->group_count; i++)
        take_group(&wal->groups[i], &scan->replay.groups[i]);
    wal_batch_init(&wal->batches[0]);
    wal_batch_init(&wal->batches[1]);
    wal_batch_init(&wal->task.opening);
    wal->collecting = &wal->batches[0];
    wal->batch_number = 1;
    wal->segments = found->segments;
    found->segments = (struct buf){0};
    uint64_t size = options->segment_size == 0 ? WAL_SEGMENT_SIZE_DEFAULT : options->segment_size;
    wal_writer_init(&wal->writer, found->disk, wal->dir, wal_round_up(size, WAL_PAGE));
    wal->writer.segment = scan->segment;
    wal->writer.number = wal->writer.synced = scan->expected == 0 ? 0 : scan->expected - 1;
    return wal;
}

/* Spare files of the right size are kept as spares, up to the limit; others go. None is kept when
 * numbers begin anew: its old bytes could then be those of a segment with the same number. */
static enum wal_err take_spares(struct found *found, struct wal_writer *writer)
{
    size_t max = writer->segment == 0 ? 0 : WAL_SPARES_MAX;
    for (size_t i = 0; i < item_count(&found->spares); i++) {
        struct wal_segment *spare = item_at(&found->spares, i);
        char name[WAL_NAME_SIZE];
        wal_spare_name(name, spare->number);
        const char *path = path_of(found, name);
        struct disk_file *file = NULL;
        if (found->disk->ops->open(found->disk, path, false, &file) != DISK_OK)
            return refuse_disk(found, path, "open");
        enum disk_err err = file->ops->size(file, &spare->size);
        file->ops->close(file);
        if (err != DISK_OK)
            return refuse_disk(found, path, "size");
        if (spare->size == writer->segment_size && writer->spare_count < max)
            writer->spares[writer->spare_count++] = spare->number;
        else if (remove_file(found, path) != WAL_OK)
            return WAL_DISK;
    }
    return WAL_OK;
}

/* A full disk must not keep a node from starting, to read and to make room: then the first segment
 * is only as large as its opening needs. */
static enum wal_result start_segment(struct wal *wal)
{
    wal_fill_opening(wal, &wal->task.opening);
    enum wal_result result = wal_writer_switch(&wal->writer, &wal->task.opening, 0);
    if (result != WAL_RESULT_FULL)
        return result;
    uint64_t segment_size = wal->writer.segment_size;
    wal->writer.segment_size = WAL_SEGMENT_SIZE_MIN;
    result = wal_writer_switch(&wal->writer, &wal->task.opening, 0);
    wal->writer.segment_size = segment_size;
    return result;
}

static enum wal_result retire_dead(struct wal *wal)
{
    enum wal_result result = WAL_RESULT_OK;
    wal_take_stock(wal);
    while (result == WAL_RESULT_OK && wal_dead_segments(wal) > 0) {
        struct wal_segment oldest = *wal_segment_at(wal, 0);
        result = wal_writer_retire(&wal->writer, oldest.number, oldest.size);
        if (result == WAL_RESULT_OK)
            buf_consume(&wal->segments, sizeof(oldest));
    }
    wal_take_stock(wal);
    return result;
}

static enum wal_err start(struct wal *wal, struct found *found)
{
    enum wal_err err = take_spares(found, &wal->writer);
    if (err != WAL_OK)
        return err;
    enum wal_result result = DURABLE_STEP(wal_started, start_segment(wal));
    if (result == WAL_RESULT_OK)
        result = retire_dead(wal);
    switch (result) {
    case WAL_RESULT_OK:
        return WAL_OK;
    case WAL_RESULT_FULL:
        buf_printf(found->error, "%s: no space for a segment", found->dir);
        return WAL_DISK;
    case WAL_RESULT_FAILED:
        buf_append_string(found->error, (const char *)wal->writer.error.data);
        return WAL_DISK;
    }
    UNREACHABLE();
}

static enum wal_err open_found(struct found *found, struct wal_scan *scan,
                               const struct wal_options *options, struct buf *note,
                               struct wal **out)
{
    enum wal_err err = make_dir(found);
    if (err == WAL_OK)
        err = list(found);
    if (err == WAL_OK)
        err = scan_all(found, scan);
    if (err == WAL_OK)
        err = settle(found, scan, note);
    if (err != WAL_OK)
        return err;
    *out = make_log(options, found, scan);
    return start(*out, found);
}

enum wal_err wal_open(struct wal **out, struct disk *disk, const struct wal_options *options,
                      struct wal_recovery **recovery, struct buf *note, struct buf *error)
{
    ASSERT(options->group_count > 0 && options->group_count <= WAL_GROUPS_MAX);
    ASSERT(options->segment_size == 0 || options->segment_size >= WAL_SEGMENT_SIZE_MIN);
    buf_clear(note);
    buf_clear(error);
    struct found found = {.disk = disk, .dir = options->dir, .error = error};
    struct wal_scan scan;
    struct wal *wal = NULL;
    wal_scan_init(&scan, options->dir, options->group_count, options->store_id);
    enum wal_err err = open_found(&found, &scan, options, note, &wal);
    if (err == WAL_OK) {
        *recovery = wal_replay_take(&scan.replay);
        (*recovery)->fresh = scan.expected == 0;
        (*recovery)->cut_bytes = scan.torn_end - scan.end;
        *out = wal;
    } else {
        wal_free(wal);
    }
    wal_scan_fini(&scan);
    buf_free(&found.segments);
    buf_free(&found.spares);
    buf_free(&found.path);
    return err;
}
