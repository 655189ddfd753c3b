/* The generations of each shard: every row is read, with its checksum, and counted by its kind. */
#include "base/mem.h"
#include "report.h"
#include "scratch.h"
#include "store/meta.h"
#include "store/row_key.h"

static const char kinds[] = "EGKMNST";

size_t row_kind_index(struct bytes key)
{
    struct row_key decoded;
    if (!row_key_decode(key, &decoded))
        return ROW_KINDS - 1;
    return (size_t)(strchr(kinds, (int)decoded.kind) - kinds);
}

char row_kind_letter(size_t kind)
{
    return kind < strlen(kinds) ? kinds[kind] : '?';
}

static void count_rows(struct generation_report *report, struct kv *kv)
{
    struct kv_iterator *iterator = kv->ops->iterator_new(kv, NULL);
    struct bytes key;
    struct bytes value;
    kv->ops->seek(iterator, (struct bytes){0});
    for (; kv->ops->row(iterator, &key, &value); kv->ops->next(iterator)) {
        report->rows[row_kind_index(key)]++;
        report->bytes += key.size + value.size;
    }
    (void)kv->ops->iterator_err(iterator, &report->error);
    kv->ops->iterator_free(iterator);
}

static void read_meta(const struct report *report, uint32_t shard,
                      struct generation_report *generation, struct kv *kv, const char *path)
{
    struct meta meta = {0};
    struct meta_identity identity = {.identity = report->identity.cluster_id, .shard = shard};
    generation->has_meta = meta_read(kv, path, &identity, &meta, &generation->error) == STORE_OK;
    generation->applied_index = meta.index;
    generation->applied_term = meta.term;
    generation->stamp_us = meta.stamp_us;
    generation->members_size = meta.members.size;
    meta_free(&meta);
}

static void read_generation(const struct report *report, const struct generation_dir *dir,
                            uint32_t shard, struct generation_report *generation)
{
    struct buf path = {0};
    struct buf note = {0};
    struct kv *kv = NULL;
    generation_path(dir, generation->name, &path);
    const char *text = (const char *)path.data;
    const struct kv_options options = {0};
    if (report->env->ops->open(report->env, text, &options, &kv, &note) == KV_OK) {
        read_meta(report, shard, generation, kv, text);
        count_rows(generation, kv);
        kv->ops->close(kv);
    } else {
        buf_append(&generation->error, buf_bytes(&note)); /* of KV_OK it is only a note */
    }
    scratch_correct(report->env, &generation->error);
    buf_free(&note);
    buf_free(&path);
}

static void add_generation(struct rows_report *rows, const char *name, const char *current)
{
    struct generation_report generation = {.is_current = strcmp(name, current) == 0};
    if (strlen(name) != GENERATION_NAME_SIZE - 1 || strncmp(name, "gen-", 4) != 0)
        return;
    memcpy(generation.name, name, GENERATION_NAME_SIZE);
    rows->generations =
        mem_realloc(rows->generations, (rows->generation_count + 1) * sizeof(*rows->generations));
    rows->generations[rows->generation_count++] = generation;
}

static void read_shard(const struct report *report, uint32_t shard, struct rows_report *rows)
{
    struct buf path = {0};
    struct buf names = {0};
    char current[GENERATION_NAME_SIZE] = {0};
    buf_printf(&path, "%s/shard-%04u", report->dir, shard);
    buf_append_u8(&path, 0);
    const char *text = (const char *)path.data;
    struct generation_dir dir = {.path = text, .disk = report->disk, .env = report->env};
    if (generation_current(&dir, current, &rows->error) != STORE_OK)
        current[0] = 0;
    (void)report->disk->ops->list_dir(report->disk, text, &names);
    for (size_t at = 0; at < names.size; at += strlen((const char *)names.data + at) + 1)
        add_generation(rows, (const char *)names.data + at, current);
    for (size_t i = 0; i < rows->generation_count; i++)
        read_generation(report, &dir, shard, &rows->generations[i]);
    buf_free(&names);
    buf_free(&path);
}

void report_rows(struct report *report)
{
    if (report->shard_count == 0)
        return;
    report->rows = mem_zero((size_t)report->shard_count * sizeof(*report->rows));
    for (uint32_t shard = 0; shard < report->shard_count; shard++)
        read_shard(report, shard, &report->rows[shard]);
}
