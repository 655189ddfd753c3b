/* The write-ahead log: every batch's checksum, every record, and what they amount to. */
#include "base/mem.h"
#include "report.h"
#include "wal/scan.h"

static void count_record(struct log_report *log, const struct wal_record *record)
{
    if (record->group >= log->group_count || (size_t)record->kind >= RECORD_KINDS)
        return;
    struct group_report *group = &log->groups[record->group];
    group->records[record->kind]++;
    bool is_entry = record->kind == WAL_RECORD_ENTRY || record->kind == WAL_RECORD_COPY;
    if (is_entry && !entry_is_valid(record->entry_kind, record->payload))
        group->bad_entries++;
}

static void count_records(struct log_report *log, struct bytes records)
{
    struct wal_record record;
    while (wal_next_record(&records, &record) == WAL_NEXT_RECORD)
        count_record(log, &record);
}

static void count_batches(struct log_report *log, struct segment_report *report,
                          struct bytes content)
{
    struct wal_header header;
    while (wal_check_batch(content, report->number, report->end, &header) == WAL_FOUND_BATCH) {
        const uint8_t *batch = content.data + report->end;
        count_records(log,
                      bytes_of(batch + WAL_HEADER_SIZE, (size_t)header.size - WAL_HEADER_SIZE));
        if (report->batches++ == 0)
            report->first = header.number;
        report->last = header.number;
        report->end += header.size;
    }
}

static const char *segment_path(const struct report *report, uint64_t number, struct buf *path)
{
    char name[WAL_NAME_SIZE];
    wal_segment_name(name, number);
    buf_clear(path);
    buf_printf(path, "%s/wal/%s", report->dir, name);
    buf_append_u8(path, 0);
    return (const char *)path->data;
}

static void read_segment(struct report *report, struct segment_report *segment,
                         struct wal_scan *scan, bool *may_scan)
{
    struct buf path = {0};
    struct buf content = {0};
    struct log_report *log = &report->log;
    segment_path(report, segment->number, &path);
    enum disk_err err = disk_read_file(report->disk, (const char *)path.data, &content);
    if (err != DISK_OK && log->error.size == 0)
        buf_printf(&log->error, "%s: %s", (const char *)path.data, disk_err_text(err));
    segment->size = content.size;
    count_batches(log, segment, buf_bytes(&content));
    *may_scan = *may_scan && err == DISK_OK &&
                wal_scan_segment(scan, segment->number, buf_bytes(&content), &log->error) == WAL_OK;
    buf_free(&content);
    buf_free(&path);
}

static void take_groups(struct log_report *log, const struct wal_replay *replay)
{
    for (uint32_t i = 0; i < log->group_count; i++) {
        const struct wal_group_state *state = &replay->groups[i].state;
        struct group_report *group = &log->groups[i];
        group->hard = state->hard;
        group->base = state->base;
        group->mark = state->mark;
        group->members_size = state->members.size;
        group->entry_count = state->entry_count;
        for (size_t at = 0; at < state->entry_count; at++)
            group->entry_bytes += state->entries[at]->size;
    }
}

static void note_name(struct log_report *log, const char *name)
{
    uint64_t number;
    if (wal_parse_spare_name(name, &number))
        log->spare_count++;
    if (!wal_parse_segment_name(name, &number))
        return;
    log->segments = mem_realloc(log->segments, (log->segment_count + 1) * sizeof(*log->segments));
    log->segments[log->segment_count++] = (struct segment_report){.number = number};
}

static void list_segments(struct report *report, const char *dir)
{
    struct buf names = {0};
    report->log.is_there = report->disk->ops->list_dir(report->disk, dir, &names) == DISK_OK;
    for (size_t at = 0; at < names.size; at += strlen((const char *)names.data + at) + 1)
        note_name(&report->log, (const char *)names.data + at);
    buf_free(&names);
}

/* Without an identity it is not known how many groups there are, nor whose log this may be. */
static void scan_segments(struct report *report, const char *dir)
{
    struct log_report *log = &report->log;
    struct wal_scan scan;
    bool may_scan = true;
    log->group_count = report->shard_count;
    log->groups = mem_zero((size_t)log->group_count * sizeof(*log->groups));
    wal_scan_init(&scan, dir, log->group_count, report->identity.store_id);
    for (size_t i = 0; i < log->segment_count; i++)
        read_segment(report, &log->segments[i], &scan, &may_scan);
    if (may_scan && wal_scan_finish(&scan, &log->error) == WAL_OK) {
        log->torn_bytes = scan.torn_end - scan.end;
        take_groups(log, &scan.replay);
    }
    wal_scan_fini(&scan);
}

void report_log(struct report *report)
{
    struct buf dir = {0};
    buf_printf(&dir, "%s/wal", report->dir);
    buf_append_u8(&dir, 0);
    list_segments(report, (const char *)dir.data);
    if (report->shard_count > 0)
        scan_segments(report, (const char *)dir.data);
    buf_free(&dir);
}
