/* The last line, and what leads to it. */
#include <inttypes.h>

#include "base/mem.h"
#include "report.h"

static bool rows_are_lost(const struct report *report, uint32_t shard)
{
    return report->restart.starts && report->restart.shards != NULL &&
           report->restart.shards[shard].start == SHARD_START_ROWS_LOST;
}

static bool rows_damage(const struct rows_report *rows, struct buf *out)
{
    for (size_t i = 0; i < rows->generation_count; i++) {
        const struct generation_report *generation = &rows->generations[i];
        if (!generation->is_current || generation->error.size == 0)
            continue;
        buf_append(out, buf_bytes(&generation->error));
        return true;
    }
    return false;
}

bool report_damage(const struct report *report, struct buf *out)
{
    for (uint32_t shard = 0; shard < report->shard_count; shard++) {
        if (rows_damage(&report->rows[shard], out))
            return true;
        if (rows_are_lost(report, shard)) {
            buf_printf(out, "the rows of shard %u are lost: ", shard);
            buf_append(out, buf_bytes(&report->rows[shard].error));
            return true;
        }
        if (report->log.groups[shard].bad_entries == 0)
            continue;
        buf_printf(out, "%s/wal: %" PRIu64 " entries of shard %u are none", report->dir,
                   report->log.groups[shard].bad_entries, shard);
        return true;
    }
    return false;
}

static void append_positions(const struct report *report, struct buf *out)
{
    const struct shard_status *shards = report->restart.shards;
    uint32_t count = report->shard_count;
    buf_append_string(out, count > 1 ? "applied (by shard)" : "applied");
    for (uint32_t shard = 0; shard < count; shard++)
        buf_printf(out, " %" PRIu64, shards[shard].flushed);
    buf_append_string(out, " mark");
    for (uint32_t shard = 0; shard < count; shard++)
        buf_printf(out, " %" PRIu64, report->log.groups[shard].mark.index);
}

/* "skip the replay" or "replay N" of all shards together. */
static void append_start(const struct report *report, struct buf *out)
{
    uint64_t replayed = 0;
    uint32_t lost = 0;
    for (uint32_t shard = 0; report->restart.starts && shard < report->shard_count; shard++) {
        replayed += report->restart.shards[shard].start_replayed;
        lost += rows_are_lost(report, shard);
    }
    if (!report->restart.starts)
        buf_printf(out, "a start is refused: %.*s", (int)report->restart.error.size,
                   (const char *)report->restart.error.data);
    else if (lost > 0)
        buf_printf(out, "a start waits for the rows of %u shards from others", lost);
    else if (replayed == 0)
        buf_append_string(out, "a start replays nothing (skipped)");
    else
        buf_printf(out, "a start replays %" PRIu64, replayed);
}

bool report_verdict(const struct report *report, struct buf *out)
{
    struct buf damage = {0};
    bool is_damaged = report_damage(report, &damage);
    bool is_consistent = report->restart.starts && !is_damaged;
    buf_append_string(out, is_consistent ? "consistent: " : "inconsistent: ");
    if (is_damaged)
        buf_printf(out, "%.*s; ", (int)damage.size, (const char *)damage.data);
    if (is_consistent && report->is_empty) {
        buf_append_string(out, "nothing is there; a start makes a new store");
    } else if (is_consistent && report->waits_for_cluster) {
        buf_append_string(out, "belongs to no cluster yet; a start waits for one");
    } else {
        if (is_consistent) {
            append_positions(report, out);
            buf_append_string(out, "; ");
        }
        append_start(report, out);
    }
    buf_free(&damage);
    return is_consistent;
}

static void free_rows(struct rows_report *rows)
{
    for (size_t i = 0; i < rows->generation_count; i++)
        buf_free(&rows->generations[i].error);
    mem_free(rows->generations);
    buf_free(&rows->error);
}

void report_free(struct report *report)
{
    for (uint32_t shard = 0; report->rows != NULL && shard < report->shard_count; shard++)
        free_rows(&report->rows[shard]);
    mem_free(report->rows);
    mem_free(report->log.segments);
    mem_free(report->log.groups);
    mem_free(report->restart.shards);
    buf_free(&report->log.error);
    buf_free(&report->restart.error);
    buf_free(&report->identity_error);
}
