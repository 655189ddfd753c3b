/* XGROUP, XACK, XPENDING. */
#include "commands/help.h"
#include "commands/stream_arguments.h"
#include "commands/stream_commands.h"

#define TEXT(bytes) (int)((bytes).size < 256 ? (bytes).size : 256), (const char *)(bytes).data

/* ---- XGROUP ---- */

static bool key_must_exist(struct call *c, const struct value *stream)
{
    if (stream != NULL)
        return true;
    call_error(c, "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you "
                  "may want to use the MKSTREAM option to create an empty stream automatically.");
    return false;
}

struct xgroup {
    bool makes_stream;
    int64_t entries_read;
};

static bool parse_xgroup(struct call *c, bool takes_mkstream, struct xgroup *xgroup)
{
    *xgroup = (struct xgroup){.entries_read = STREAM_READ_NONE};
    for (int at = 5; at < c->argc; at++) {
        if (takes_mkstream && call_is_word(c, at, "mkstream")) {
            xgroup->makes_stream = true;
        } else if (call_is_word(c, at, "entriesread") && at + 1 < c->argc) {
            if (!call_int(c, ++at, &xgroup->entries_read))
                return false;
            if (xgroup->entries_read < 0 && xgroup->entries_read != STREAM_READ_NONE) {
                call_error(c, "ERR value for ENTRIESREAD must be positive or -1");
                return false;
            }
        } else {
            call_error_syntax(c);
            return false;
        }
    }
    return true;
}

/* Options that come twice: Redis notices them last. */
static bool has_few_arguments(struct call *c, bool takes_mkstream)
{
    if (takes_mkstream ? c->argc <= 8 : c->argc == 5 || c->argc == 7)
        return true;
    call_error(c,
               "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try XGROUP HELP.",
               TEXT(c->argv[1]));
    return false;
}

/* "$": the last id. */
static bool parse_last(struct call *c, const struct value *stream, struct stream_id *id)
{
    if (!bytes_equal(c->argv[4], BYTES_LITERAL("$")))
        return stream_id_argument(c, 4, 0, true, id);
    *id = stream == NULL ? (struct stream_id){0} : stream_info(stream).last_id;
    return true;
}

void stream_xgroup_create(struct call *c)
{
    struct xgroup xgroup;
    const struct value *stream;
    struct stream_id last;
    struct edit edit;
    if (!parse_xgroup(c, true, &xgroup) || !call_find_value(c, c->argv[2], TYPE_STREAM, &stream) ||
        (!xgroup.makes_stream && !key_must_exist(c, stream)) || !has_few_arguments(c, true) ||
        !parse_last(c, stream, &last) || !call_edit(c, c->argv[2], TYPE_STREAM, &edit))
        return;
    bool is_there = stream_group_find(edit.value, c->argv[3]) != NULL;
    if (!is_there)
        (void)stream_group_add(&edit, c->argv[3], last, xgroup.entries_read);
    call_edit_end(c, c->argv[2], &edit, !is_there);
    if (is_there) {
        call_error(c, "BUSYGROUP Consumer Group name already exists");
        return;
    }
    call_notify(c, 't', "xgroup-create", c->argv[2]);
    reply_ok(&c->reply);
}

/* The stream and its group; replies on false. */
static bool find_group(struct call *c, const struct value **stream)
{
    if (!call_find_value(c, c->argv[2], TYPE_STREAM, stream) || !key_must_exist(c, *stream))
        return false;
    if (stream_group_find(*stream, c->argv[3]) != NULL)
        return true;
    call_error(c, "NOGROUP No such consumer group '%.*s' for key name '%.*s'", TEXT(c->argv[3]),
               TEXT(c->argv[2]));
    return false;
}

void stream_xgroup_setid(struct call *c)
{
    struct xgroup xgroup;
    const struct value *stream;
    struct stream_id last;
    struct edit edit;
    if (!parse_xgroup(c, false, &xgroup) || !find_group(c, &stream) ||
        !has_few_arguments(c, false) || !parse_last(c, stream, &last) ||
        !call_edit(c, c->argv[2], TYPE_STREAM, &edit))
        return;
    struct stream_group *group = stream_group_find(edit.value, c->argv[3]);
    group->last_id = last;
    group->entries_read = xgroup.entries_read;
    stream_group_changed(&edit, group);
    call_edit_end(c, c->argv[2], &edit, true);
    call_notify(c, 't', "xgroup-setid", c->argv[2]);
    reply_ok(&c->reply);
}

void stream_xgroup_destroy(struct call *c)
{
    const struct value *stream;
    struct edit edit;
    if (!call_find_value(c, c->argv[2], TYPE_STREAM, &stream) || !key_must_exist(c, stream) ||
        !call_edit(c, c->argv[2], TYPE_STREAM, &edit))
        return;
    struct stream_group *group = stream_group_find(edit.value, c->argv[3]);
    bool was_there = group != NULL;
    if (was_there)
        stream_group_remove(&edit, group);
    call_edit_end(c, c->argv[2], &edit, was_there);
    if (was_there)
        call_notify(c, 't', "xgroup-destroy", c->argv[2]);
    reply_int(&c->reply, was_there);
}

void stream_xgroup_createconsumer(struct call *c)
{
    const struct value *stream;
    struct edit edit;
    if (!find_group(c, &stream) || !call_edit(c, c->argv[2], TYPE_STREAM, &edit))
        return;
    struct stream_group *group = stream_group_find(edit.value, c->argv[3]);
    bool is_new = stream_consumer_find(group, c->argv[4]) == NULL;
    if (is_new)
        (void)stream_consumer_add(&edit, group, c->argv[4], c->now_ms);
    call_edit_end(c, c->argv[2], &edit, is_new);
    if (is_new)
        call_notify(c, 't', "xgroup-createconsumer", c->argv[2]);
    reply_int(&c->reply, is_new);
}

void stream_xgroup_delconsumer(struct call *c)
{
    const struct value *stream;
    struct edit edit;
    if (!find_group(c, &stream) || !call_edit(c, c->argv[2], TYPE_STREAM, &edit))
        return;
    struct stream_group *group = stream_group_find(edit.value, c->argv[3]);
    struct stream_consumer *consumer = stream_consumer_find(group, c->argv[4]);
    bool was_there = consumer != NULL;
    int64_t pending = was_there ? (int64_t)consumer->pending.count : 0;
    if (was_there)
        stream_consumer_remove(&edit, group, consumer);
    call_edit_end(c, c->argv[2], &edit, was_there);
    if (was_there)
        call_notify(c, 't', "xgroup-delconsumer", c->argv[2]);
    reply_int(&c->reply, pending);
}

void stream_xgroup_help(struct call *c)
{
    static const char *const LINES[] = {
        "CREATE <key> <groupname> <id|$> [option]",
        "    Make a group that reads on behind an entry. Options are:",
        "    * MKSTREAM",
        "      Make an empty stream when there is none.",
        "    * ENTRIESREAD entries_read",
        "      How many entries count as read; for the lag.",
        "CREATECONSUMER <key> <groupname> <consumer>",
        "    Make a consumer.",
        "DELCONSUMER <key> <groupname> <consumer>",
        "    Remove a consumer and what is pending for it.",
        "DESTROY <key> <groupname>",
        "    Remove a group.",
        "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
        "    Let a group read on behind another entry.",
        NULL,
    };
    help_reply(c, "XGROUP", LINES);
}

/* ---- XACK ---- */

static bool ids_are_good(struct call *c, int first)
{
    struct stream_id id;
    for (int i = first; i < c->argc; i++) {
        if (!stream_id_argument(c, i, 0, true, &id))
            return false;
    }
    return true;
}

void stream_xack(struct call *c)
{
    const struct value *stream;
    struct edit edit;
    struct stream_id id;
    int64_t removed = 0;
    if (!call_find_value(c, c->argv[1], TYPE_STREAM, &stream))
        return;
    if (stream == NULL || stream_group_find(stream, c->argv[2]) == NULL) {
        reply_int(&c->reply, 0);
        return;
    }
    if (!ids_are_good(c, 3) || !call_edit(c, c->argv[1], TYPE_STREAM, &edit))
        return;
    struct stream_group *group = stream_group_find(edit.value, c->argv[2]);
    for (int i = 3; i < c->argc; i++)
        removed +=
            stream_id_parse(c->argv[i], 0, true, &id) && stream_pending_remove(&edit, group, id);
    call_edit_end(c, c->argv[1], &edit, removed > 0);
    reply_int(&c->reply, removed);
}

/* ---- XPENDING ---- */

static struct stream_id id_of(const struct id_map *map, struct id_cursor cursor)
{
    struct stream_id id;
    memcpy(&id, id_map_at(map, cursor), sizeof(id));
    return id;
}

static void reply_summary(struct call *c, const struct stream_group *group)
{
    const struct id_map *pending = &group->pending;
    reply_array(&c->reply, 4);
    reply_int(&c->reply, (int64_t)pending->count);
    if (pending->count == 0) {
        reply_null(&c->reply);
        reply_null(&c->reply);
        reply_null_array(&c->reply);
        return;
    }
    stream_reply_id(c, id_of(pending, id_map_first(pending)));
    stream_reply_id(c, id_of(pending, id_map_last(pending)));
    size_t mark = reply_defer(&c->reply), count = 0;
    for (uint32_t i = 0; i < group->consumer_count; i++) {
        const struct stream_consumer *consumer = group->consumers[i];
        if (consumer->pending.count == 0)
            continue;
        reply_array(&c->reply, 2);
        reply_bulk(&c->reply, buf_bytes(&consumer->name));
        reply_bulk_int(&c->reply, (int64_t)consumer->pending.count);
        count++;
    }
    reply_defer_array(&c->reply, mark, count);
}

struct xpending {
    int64_t min_idle_ms, count;
    struct stream_id from, to;
    bool has_consumer;
    struct bytes consumer;
};

static bool parse_xpending(struct call *c, struct xpending *xpending)
{
    int at = 3;
    *xpending = (struct xpending){0};
    if (c->argc < 6 || c->argc > 9) {
        call_error_syntax(c);
        return false;
    }
    if (call_is_word(c, 3, "idle")) {
        if (!call_int(c, 4, &xpending->min_idle_ms))
            return false;
        at = 5;
        if (c->argc < 8) {
            call_error_syntax(c);
            return false;
        }
    }
    if (!call_int(c, at + 2, &xpending->count))
        return false;
    xpending->count = xpending->count < 0 ? 0 : xpending->count;
    if (!stream_interval(c, at, at + 1, &xpending->from, &xpending->to))
        return false;
    xpending->has_consumer = at + 3 < c->argc;
    if (xpending->has_consumer)
        xpending->consumer = c->argv[at + 3];
    return true;
}

static void reply_pending(struct call *c, const struct stream_group *group,
                          const struct stream_pending *pending)
{
    int64_t idle_ms = c->now_ms - pending->delivered_ms;
    reply_array(&c->reply, 4);
    stream_reply_id(c, pending->id);
    reply_bulk(&c->reply, buf_bytes(&stream_consumer_of(group, pending->consumer)->name));
    reply_int(&c->reply, idle_ms < 0 ? 0 : idle_ms);
    reply_int(&c->reply, (int64_t)pending->times);
}

static void reply_listing(struct call *c, const struct stream_group *group,
                          const struct xpending *xpending)
{
    const struct stream_consumer *consumer = NULL;
    if (xpending->has_consumer) {
        consumer = stream_consumer_find(group, xpending->consumer);
        if (consumer == NULL) {
            reply_array(&c->reply, 0);
            return;
        }
    }
    const struct id_map *map = consumer != NULL ? &consumer->pending : &group->pending;
    size_t mark = reply_defer(&c->reply), count = 0;
    struct id_cursor cursor = id_map_seek(map, xpending->from);
    for (; count < (size_t)xpending->count && id_map_at(map, cursor) != NULL;
         id_map_next(map, &cursor)) {
        const struct stream_pending *pending = stream_pending_find(group, id_of(map, cursor));
        if (stream_id_compare(pending->id, xpending->to) > 0)
            break;
        if (c->now_ms - pending->delivered_ms < xpending->min_idle_ms)
            continue;
        reply_pending(c, group, pending);
        count++;
    }
    reply_defer_array(&c->reply, mark, count);
}

void stream_xpending(struct call *c)
{
    struct xpending xpending;
    const struct value *stream;
    bool is_summary = c->argc == 3;
    if ((!is_summary && !parse_xpending(c, &xpending)) ||
        !call_find_value(c, c->argv[1], TYPE_STREAM, &stream))
        return;
    const struct stream_group *group =
        stream == NULL ? NULL : stream_group_find(stream, c->argv[2]);
    if (group == NULL)
        call_error(c, "NOGROUP No such key '%.*s' or consumer group '%.*s'", TEXT(c->argv[1]),
                   TEXT(c->argv[2]));
    else if (is_summary)
        reply_summary(c, group);
    else
        reply_listing(c, group, &xpending);
}
