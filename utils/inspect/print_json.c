/* The report for programs: one JSON object, numbers as numbers, ids as hex text. */
#include <inttypes.h>

#include "report.h"

/* Writes what stands between two members; the next one is not the first. */
struct json {
    FILE *to;
    bool is_first;
};

static void put_string(FILE *to, struct bytes text)
{
    (void)fputc('"', to);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == '"' || byte == '\\')
            (void)fprintf(to, "\\%c", byte);
        else if (byte < 0x20 || byte >= 0x7f)
            (void)fprintf(to, "\\u%04x", byte);
        else
            (void)fputc(byte, to);
    }
    (void)fputc('"', to);
}

static void name(struct json *json, const char *text)
{
    if (!json->is_first)
        (void)fputc(',', json->to);
    json->is_first = false;
    if (text == NULL)
        return;
    put_string(json->to, bytes_of_string(text));
    (void)fputc(':', json->to);
}

static void begin(struct json *json, const char *text, char bracket)
{
    name(json, text);
    (void)fputc(bracket, json->to);
    json->is_first = true;
}

static void end(struct json *json, char bracket)
{
    (void)fputc(bracket, json->to);
    json->is_first = false;
}

static void number(struct json *json, const char *text, uint64_t value)
{
    name(json, text);
    (void)fprintf(json->to, "%" PRIu64, value);
}

static void boolean(struct json *json, const char *text, bool value)
{
    name(json, text);
    (void)fputs(value ? "true" : "false", json->to);
}

static void string(struct json *json, const char *text, struct bytes value)
{
    name(json, text);
    put_string(json->to, value);
}

static void hex(struct json *json, const char *text, uint64_t value)
{
    name(json, text);
    (void)fprintf(json->to, "\"%016" PRIx64 "\"", value);
}

static void position(struct json *json, const char *text, struct wal_position value)
{
    begin(json, text, '{');
    number(json, "index", value.index);
    number(json, "term", value.term);
    end(json, '}');
}

static void put_identity(struct json *json, const struct report *report)
{
    begin(json, "identity", '{');
    string(json, "error", buf_bytes(&report->identity_error));
    if (report->shard_count > 0) {
        hex(json, "store", report->identity.store_id);
        hex(json, "cluster", report->identity.cluster_id);
        number(json, "node", report->identity.node_id);
        number(json, "shards", report->identity.shards);
    }
    end(json, '}');
}

static void put_log(struct json *json, const struct log_report *log)
{
    begin(json, "log", '{');
    boolean(json, "is_there", log->is_there);
    number(json, "spares", log->spare_count);
    number(json, "torn_bytes", log->torn_bytes);
    string(json, "error", buf_bytes(&log->error));
    begin(json, "segments", '[');
    for (size_t i = 0; i < log->segment_count; i++) {
        const struct segment_report *segment = &log->segments[i];
        begin(json, NULL, '{');
        hex(json, "number", segment->number);
        number(json, "size", segment->size);
        number(json, "batches", segment->batches);
        number(json, "first", segment->first);
        number(json, "last", segment->last);
        number(json, "end", segment->end);
        end(json, '}');
    }
    end(json, ']');
    end(json, '}');
}

static void put_group(struct json *json, const struct group_report *group)
{
    number(json, "term", group->hard.term);
    number(json, "vote", group->hard.vote);
    position(json, "base", group->base);
    position(json, "mark", group->mark);
    number(json, "entries", group->entry_count);
    number(json, "entry_bytes", group->entry_bytes);
    number(json, "bad_entries", group->bad_entries);
    begin(json, "records", '{');
    for (size_t kind = WAL_RECORD_ENTRY; kind < WAL_RECORD_STORE; kind++)
        number(json, record_kind_name(kind), group->records[kind]);
    end(json, '}');
}

static void put_generation(struct json *json, const struct generation_report *generation)
{
    begin(json, NULL, '{');
    string(json, "name", bytes_of_string(generation->name));
    boolean(json, "is_current", generation->is_current);
    string(json, "error", buf_bytes(&generation->error));
    if (generation->has_meta) {
        number(json, "applied", generation->applied_index);
        number(json, "applied_term", generation->applied_term);
        number(json, "stamp_us", generation->stamp_us);
        number(json, "members_size", generation->members_size);
    }
    begin(json, "rows", '{');
    for (size_t kind = 0; kind < ROW_KINDS; kind++) {
        const char letter[2] = {row_kind_letter(kind), 0};
        number(json, letter, generation->rows[kind]);
    }
    end(json, '}');
    number(json, "bytes", generation->bytes);
    end(json, '}');
}

static void put_shard(struct json *json, const struct report *report, uint32_t shard)
{
    const struct rows_report *rows = &report->rows[shard];
    begin(json, NULL, '{');
    number(json, "shard", shard);
    put_group(json, &report->log.groups[shard]);
    begin(json, "generations", '[');
    for (size_t i = 0; i < rows->generation_count; i++)
        put_generation(json, &rows->generations[i]);
    end(json, ']');
    string(json, "rows_error", buf_bytes(&rows->error));
    if (report->restart.starts) {
        const struct shard_status *status = &report->restart.shards[shard];
        string(json, "start", bytes_of_string(shard_start_text(status->start)));
        number(json, "replay", status->start_replayed);
    }
    end(json, '}');
}

void print_json(const struct report *report, FILE *to)
{
    struct json json = {.to = to, .is_first = true};
    struct buf verdict = {0};
    begin(&json, NULL, '{');
    string(&json, "dir", bytes_of_string(report->dir));
    boolean(&json, "is_empty", report->is_empty);
    put_identity(&json, report);
    put_log(&json, &report->log);
    begin(&json, "shards", '[');
    for (uint32_t shard = 0; shard < report->shard_count; shard++)
        put_shard(&json, report, shard);
    end(&json, ']');
    boolean(&json, "starts", report->restart.starts);
    string(&json, "refusal", buf_bytes(&report->restart.error));
    boolean(&json, "is_consistent", report_verdict(report, &verdict));
    string(&json, "verdict", buf_bytes(&verdict));
    end(&json, '}');
    (void)fputc('\n', to);
    buf_free(&verdict);
}
