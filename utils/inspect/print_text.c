/* The report as an operator reads it. */
#include <inttypes.h>

#include "report.h"

const char *record_kind_name(size_t kind)
{
    static const char *const names[RECORD_KINDS] = {"",     "entry", "copy",  "hard",
                                                    "mark", "base",  "reset", "store"};
    return kind < RECORD_KINDS ? names[kind] : "";
}

static void print_line(FILE *to, const char *before, const struct buf *text)
{
    if (text->size > 0)
        (void)fprintf(to, "%s%.*s\n", before, (int)text->size, (const char *)text->data);
}

static void print_identity(const struct report *report, FILE *to)
{
    const struct identity *identity = &report->identity;
    print_line(to, "identity: ", &report->identity_error);
    if (report->shard_count > 0)
        (void)fprintf(to,
                      "identity: store %016" PRIx64 " cluster %016" PRIx64 " node %" PRIu64
                      " shards %" PRIu64 "\n",
                      identity->store_id, identity->cluster_id, identity->node_id,
                      identity->shards);
}

static void print_log(const struct log_report *log, FILE *to)
{
    if (!log->is_there)
        (void)fprintf(to, "log: not there\n");
    else
        (void)fprintf(to, "log: %zu segments, %zu spare\n", log->segment_count, log->spare_count);
    for (size_t i = 0; i < log->segment_count; i++) {
        const struct segment_report *segment = &log->segments[i];
        (void)fprintf(to, "  segment %016" PRIx64 ": %" PRIu64 " bytes, ", segment->number,
                      segment->size);
        (void)fprintf(to, "batches %" PRIu64 "..%" PRIu64 " up to offset %" PRIu64 "\n",
                      segment->first, segment->last, segment->end);
    }
    if (log->torn_bytes > 0)
        (void)fprintf(to, "  torn tail of about %" PRIu64 " bytes, to be cut\n", log->torn_bytes);
    print_line(to, "  damage: ", &log->error);
}

static void print_group(const struct group_report *group, FILE *to)
{
    (void)fprintf(to, "  log: term %" PRIu64 " vote %" PRIu64, group->hard.term, group->hard.vote);
    (void)fprintf(to, ", base %" PRIu64 " (term %" PRIu64 ")", group->base.index, group->base.term);
    (void)fprintf(to, ", mark %" PRIu64 " (term %" PRIu64 ")", group->mark.index, group->mark.term);
    (void)fprintf(to, ", %zu entries above the base, %" PRIu64 " bytes\n", group->entry_count,
                  group->entry_bytes);
    (void)fprintf(to, "  records:");
    for (size_t kind = WAL_RECORD_ENTRY; kind < WAL_RECORD_STORE; kind++)
        (void)fprintf(to, " %s %" PRIu64, record_kind_name(kind), group->records[kind]);
    (void)fprintf(to, "\n");
    if (group->bad_entries > 0)
        (void)fprintf(to, "  damage: %" PRIu64 " entries are none\n", group->bad_entries);
}

static void print_generation(const struct generation_report *generation, FILE *to)
{
    (void)fprintf(to, "  %s%s:", generation->name,
                  generation->is_current ? "" : " (not current, to be removed)");
    if (generation->has_meta)
        (void)fprintf(
            to, " applied %" PRIu64 " term %" PRIu64 " stamp %" PRIu64 " us, members of %zu bytes,",
            generation->applied_index, generation->applied_term, generation->stamp_us,
            generation->members_size);
    (void)fprintf(to, " rows");
    for (size_t kind = 0; kind < ROW_KINDS; kind++)
        (void)fprintf(to, " %c %" PRIu64, row_kind_letter(kind), generation->rows[kind]);
    (void)fprintf(to, ", %" PRIu64 " bytes\n", generation->bytes);
    print_line(to, "    damage: ", &generation->error);
}

void print_text(const struct report *report, FILE *to)
{
    (void)fprintf(to, "%s\n", report->dir);
    print_identity(report, to);
    if (!report->is_empty)
        print_log(&report->log, to);
    for (uint32_t shard = 0; shard < report->shard_count; shard++) {
        const struct rows_report *rows = &report->rows[shard];
        (void)fprintf(to, "shard %u\n", shard);
        print_group(&report->log.groups[shard], to);
        for (size_t i = 0; i < rows->generation_count; i++)
            print_generation(&rows->generations[i], to);
        print_line(to, "  rows: ", &rows->error);
        if (!report->restart.starts)
            continue;
        const struct shard_status *status = &report->restart.shards[shard];
        (void)fprintf(to, "  start: %s, %" PRIu64 " entries to replay\n",
                      shard_start_text(status->start), status->start_replayed);
    }
    struct buf verdict = {0};
    (void)report_verdict(report, &verdict);
    print_line(to, "", &verdict);
    buf_free(&verdict);
}
