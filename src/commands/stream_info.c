/* XINFO. */
#include "commands/help.h"
#include "commands/stream_arguments.h"
#include "commands/stream_commands.h"

#define TEXT(bytes) (int)((bytes).size < 256 ? (bytes).size : 256), (const char *)(bytes).data

static bool find_stream(struct call *c, const struct value **stream)
{
    if (!call_find_value(c, c->argv[2], TYPE_STREAM, stream))
        return false;
    if (*stream == NULL)
        call_error(c, "ERR no such key");
    return *stream != NULL;
}

static void field(struct call *c, const char *name)
{
    reply_bulk_string(&c->reply, name);
}

static void field_int(struct call *c, const char *name, int64_t value)
{
    field(c, name);
    reply_int(&c->reply, value);
}

static void field_id(struct call *c, const char *name, struct stream_id id)
{
    field(c, name);
    stream_reply_id(c, id);
}

static void reply_lag(struct call *c, const struct value *stream, const struct stream_group *group)
{
    uint64_t lag;
    field(c, "entries-read");
    if (group->entries_read == STREAM_READ_NONE)
        reply_null(&c->reply);
    else
        reply_int(&c->reply, group->entries_read);
    field(c, "lag");
    if (stream_lag(stream, group->last_id, group->entries_read, &lag))
        reply_int(&c->reply, (int64_t)lag);
    else
        reply_null(&c->reply);
}

/* ---- STREAM ---- */

static void reply_head(struct call *c, const struct value *stream, const struct stream_info *info)
{
    field_int(c, "length", stream->count);
    field_int(c, "radix-tree-keys", (int64_t)info->nodes);
    field_int(c, "radix-tree-nodes", (int64_t)info->nodes + 1);
    field_id(c, "last-generated-id", info->last_id);
    field_id(c, "max-deleted-entry-id", info->max_deleted_id);
    field_int(c, "entries-added", (int64_t)info->entries_added);
    field_id(c, "recorded-first-entry-id", info->first_id);
    struct stream_production_info production = stream_production_info(stream, c->now_ms);
    field_int(c, "idmp-duration", production.duration_s);
    field_int(c, "idmp-maxsize", production.size_max);
    field_int(c, "pids-tracked", (int64_t)production.producers);
    field_int(c, "iids-tracked", (int64_t)production.messages);
    field_int(c, "iids-added", (int64_t)production.added);
    field_int(c, "iids-duplicates", (int64_t)production.duplicates);
}

static void reply_end(struct call *c, const struct value *stream, bool is_last)
{
    struct stream_walk walk = stream_walk(stream, (struct stream_id){0}, STREAM_ID_MAX, is_last);
    struct stream_entry entry;
    if (stream_next(&walk, &entry))
        stream_reply_entry(c, &entry);
    else
        reply_null(&c->reply);
}

/* What is pending, of a group with its consumers' names, of one consumer without. */
static void reply_pending(struct call *c, const struct stream_group *group,
                          const struct stream_consumer *consumer, int64_t most)
{
    const struct id_map *map = consumer == NULL ? &group->pending : &consumer->pending;
    struct id_cursor cursor = id_map_first(map);
    size_t mark = reply_defer(&c->reply), count = 0;
    const struct stream_id *id;
    for (; (id = id_map_at(map, cursor)) != NULL && (most == 0 || count < (size_t)most);
         id_map_next(map, &cursor), count++) {
        const struct stream_pending *pending = stream_pending_find(group, *id);
        reply_array(&c->reply, consumer == NULL ? 4 : 3);
        stream_reply_id(c, pending->id);
        if (consumer == NULL)
            reply_bulk(&c->reply, buf_bytes(&stream_consumer_of(group, pending->consumer)->name));
        reply_int(&c->reply, pending->delivered_ms);
        reply_int(&c->reply, (int64_t)pending->times);
    }
    reply_defer_array(&c->reply, mark, count);
}

static void reply_consumer_full(struct call *c, const struct stream_group *group,
                                const struct stream_consumer *consumer, int64_t most)
{
    reply_map(&c->reply, 5);
    field(c, "name");
    reply_bulk(&c->reply, buf_bytes(&consumer->name));
    field_int(c, "seen-time", consumer->seen_ms);
    field_int(c, "active-time", consumer->active_ms);
    field_int(c, "pel-count", (int64_t)consumer->pending.count);
    field(c, "pending");
    reply_pending(c, group, consumer, most);
}

static void reply_group_full(struct call *c, const struct value *stream,
                             const struct stream_group *group, int64_t most)
{
    reply_map(&c->reply, 7);
    field(c, "name");
    reply_bulk(&c->reply, buf_bytes(&group->name));
    field_id(c, "last-delivered-id", group->last_id);
    reply_lag(c, stream, group);
    field_int(c, "pel-count", (int64_t)group->pending.count);
    field(c, "pending");
    reply_pending(c, group, NULL, most);
    field(c, "consumers");
    reply_array(&c->reply, group->consumer_count);
    for (uint32_t i = 0; i < group->consumer_count; i++)
        reply_consumer_full(c, group, group->consumers[i], most);
}

static void reply_full(struct call *c, const struct value *stream, int64_t most)
{
    struct stream_info info = stream_info(stream);
    reply_map(&c->reply, 15);
    reply_head(c, stream, &info);
    field(c, "entries");
    (void)stream_reply_range(c, stream, (struct stream_id){0}, STREAM_ID_MAX, false,
                             (uint64_t)most);
    field(c, "groups");
    reply_array(&c->reply, info.groups);
    for (uint32_t i = 0; i < info.groups; i++)
        reply_group_full(c, stream, stream_group_at(stream, i), most);
}

static void reply_brief(struct call *c, const struct value *stream)
{
    struct stream_info info = stream_info(stream);
    reply_map(&c->reply, 16);
    reply_head(c, stream, &info);
    field_int(c, "groups", info.groups);
    field(c, "first-entry");
    reply_end(c, stream, false);
    field(c, "last-entry");
    reply_end(c, stream, true);
}

void stream_xinfo_stream(struct call *c)
{
    const struct value *stream;
    int64_t most = 10;
    bool is_full = c->argc > 3;
    if (!find_stream(c, &stream))
        return;
    bool is_good = !is_full || (call_is_word(c, 3, "full") &&
                                (c->argc == 4 || (c->argc == 6 && call_is_word(c, 4, "count"))));
    if (!is_good) {
        call_error_syntax(c);
        return;
    }
    if (c->argc == 6 && !call_int(c, 5, &most))
        return;
    if (is_full)
        reply_full(c, stream, most < 0 ? 10 : most);
    else
        reply_brief(c, stream);
}

/* ---- GROUPS, CONSUMERS ---- */

void stream_xinfo_groups(struct call *c)
{
    const struct value *stream;
    if (!find_stream(c, &stream))
        return;
    uint32_t count = stream_info(stream).groups;
    reply_array(&c->reply, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct stream_group *group = stream_group_at(stream, i);
        reply_map(&c->reply, 6);
        field(c, "name");
        reply_bulk(&c->reply, buf_bytes(&group->name));
        field_int(c, "consumers", group->consumer_count);
        field_int(c, "pending", (int64_t)group->pending.count);
        field_id(c, "last-delivered-id", group->last_id);
        reply_lag(c, stream, group);
    }
}

static int64_t since(const struct call *c, int64_t time_ms)
{
    return time_ms > c->now_ms ? 0 : c->now_ms - time_ms;
}

void stream_xinfo_consumers(struct call *c)
{
    const struct value *stream;
    if (!find_stream(c, &stream))
        return;
    const struct stream_group *group = stream_group_find(stream, c->argv[3]);
    if (group == NULL) {
        call_error(c, "NOGROUP No such consumer group '%.*s' for key name '%.*s'", TEXT(c->argv[3]),
                   TEXT(c->argv[2]));
        return;
    }
    reply_array(&c->reply, group->consumer_count);
    for (uint32_t i = 0; i < group->consumer_count; i++) {
        const struct stream_consumer *consumer = group->consumers[i];
        reply_map(&c->reply, 4);
        field(c, "name");
        reply_bulk(&c->reply, buf_bytes(&consumer->name));
        field_int(c, "pending", (int64_t)consumer->pending.count);
        field_int(c, "idle", since(c, consumer->seen_ms));
        field_int(c, "inactive", consumer->active_ms < 0 ? -1 : since(c, consumer->active_ms));
    }
}

void stream_xinfo_help(struct call *c)
{
    static const char *const LINES[] = {
        "CONSUMERS <key> <groupname>",
        "    The consumers of a group.",
        "GROUPS <key>",
        "    The groups of a stream.",
        "STREAM <key> [FULL [COUNT <count>]",
        "    The stream, with FULL all of it.",
        NULL,
    };
    help_reply(c, "XINFO", LINES);
}
