/* XCLAIM and XAUTOCLAIM: pending entries change hands. */
#include "commands/stream_arguments.h"
#include "commands/stream_commands.h"

#define TEXT(bytes) (int)((bytes).size < 256 ? (bytes).size : 256), (const char *)(bytes).data

static bool find_group(struct call *c, const struct value **stream)
{
    if (!call_find_value(c, c->argv[1], TYPE_STREAM, stream))
        return false;
    if (*stream != NULL && stream_group_find(*stream, c->argv[2]) != NULL)
        return true;
    call_error(c, "NOGROUP No such key '%.*s' or consumer group '%.*s'", TEXT(c->argv[1]),
               TEXT(c->argv[2]));
    return false;
}

static struct stream_consumer *consumer_for(struct call *c, struct edit *edit,
                                            struct stream_group *group)
{
    struct stream_consumer *consumer = stream_consumer_find(group, c->argv[3]);
    if (consumer != NULL) {
        consumer->seen_ms = c->now_ms;
        return consumer;
    }
    consumer = stream_consumer_add(edit, group, c->argv[3], c->now_ms);
    call_notify(c, 't', "xgroup-createconsumer", c->argv[1]);
    return consumer;
}

static void reply_claimed(struct call *c, const struct value *stream, struct stream_id id,
                          bool id_only)
{
    struct stream_walk walk = stream_walk(stream, id, id, false);
    struct stream_entry entry;
    bool is_there = stream_next(&walk, &entry);
    ASSERT(is_there);
    if (id_only)
        stream_reply_id(c, id);
    else
        stream_reply_entry(c, &entry);
}

/* ---- XCLAIM ---- */

struct xclaim {
    int64_t min_idle_ms, delivered_ms, times; /* times -1: one more, or as it is with JUSTID */
    int id_count;
    bool is_forced, id_only, has_last;
    struct stream_id last;
};

static bool parse_time(struct call *c, int at, const char *error, int64_t *value)
{
    return call_int_range(c, at, INT64_MIN, INT64_MAX, value, error);
}

static bool parse_option(struct call *c, int *at, struct xclaim *xclaim)
{
    bool has_more = *at + 1 < c->argc;
    if (call_is_word(c, *at, "force")) {
        xclaim->is_forced = true;
    } else if (call_is_word(c, *at, "justid")) {
        xclaim->id_only = true;
    } else if (has_more && call_is_word(c, *at, "idle")) {
        if (!parse_time(c, ++*at, "ERR Invalid IDLE option argument for XCLAIM",
                        &xclaim->delivered_ms))
            return false;
        xclaim->delivered_ms = c->now_ms - xclaim->delivered_ms;
    } else if (has_more && call_is_word(c, *at, "time")) {
        return parse_time(c, ++*at, "ERR Invalid TIME option argument for XCLAIM",
                          &xclaim->delivered_ms);
    } else if (has_more && call_is_word(c, *at, "retrycount")) {
        return parse_time(c, ++*at, "ERR Invalid RETRYCOUNT option argument for XCLAIM",
                          &xclaim->times);
    } else if (has_more && call_is_word(c, *at, "lastid")) {
        xclaim->has_last = true;
        return stream_id_argument(c, ++*at, 0, true, &xclaim->last);
    } else {
        call_error(c, "ERR Unrecognized XCLAIM option '%.*s'", TEXT(c->argv[*at]));
        return false;
    }
    return true;
}

static bool parse_xclaim(struct call *c, struct xclaim *xclaim)
{
    struct stream_id id;
    *xclaim = (struct xclaim){.delivered_ms = -1, .times = -1};
    if (!parse_time(c, 4, "ERR Invalid min-idle-time argument for XCLAIM", &xclaim->min_idle_ms))
        return false;
    xclaim->min_idle_ms = xclaim->min_idle_ms < 0 ? 0 : xclaim->min_idle_ms;
    while (5 + xclaim->id_count < c->argc &&
           stream_id_parse(c->argv[5 + xclaim->id_count], 0, true, &id))
        xclaim->id_count++;
    for (int at = 5 + xclaim->id_count; at < c->argc; at++) {
        if (!parse_option(c, &at, xclaim))
            return false;
    }
    bool is_time = xclaim->delivered_ms >= 0 && xclaim->delivered_ms <= c->now_ms;
    if (!is_time)
        xclaim->delivered_ms = c->now_ms;
    return true;
}

/* True when the entry is the consumer's now. */
static bool claim(struct call *c, struct edit *edit, struct stream_group *group,
                  const struct xclaim *xclaim, struct stream_id id)
{
    const struct stream_pending *pending = stream_pending_find(group, id);
    if (!stream_has(edit->value, id)) {
        (void)stream_pending_remove(edit, group, id);
        return false;
    }
    if (pending == NULL && !xclaim->is_forced)
        return false;
    if (pending != NULL && c->now_ms - pending->delivered_ms < xclaim->min_idle_ms)
        return false;
    uint64_t times = pending == NULL ? 1 : pending->times; /* as if it was delivered once */
    if (xclaim->times >= 0)
        times = (uint64_t)xclaim->times;
    else if (!xclaim->id_only)
        times++;
    struct stream_consumer *consumer = consumer_for(c, edit, group);
    stream_pending_put(edit, group, consumer, id, xclaim->delivered_ms, times);
    consumer->active_ms = c->now_ms;
    return true;
}

void stream_xclaim(struct call *c)
{
    struct xclaim xclaim;
    const struct value *stream;
    struct edit edit;
    if (!find_group(c, &stream) || !parse_xclaim(c, &xclaim) ||
        !call_edit(c, c->argv[1], TYPE_STREAM, &edit))
        return;
    struct stream_group *group = stream_group_find(edit.value, c->argv[2]);
    size_t mark = reply_defer(&c->reply), count = 0;
    if (xclaim.has_last && stream_id_compare(xclaim.last, group->last_id) > 0) {
        group->last_id = xclaim.last;
        stream_group_changed(&edit, group);
    }
    struct stream_consumer *consumer = consumer_for(c, &edit, group);
    for (int i = 0; i < xclaim.id_count; i++) {
        struct stream_id id;
        if (!stream_id_parse(c->argv[5 + i], 0, true, &id) || !claim(c, &edit, group, &xclaim, id))
            continue;
        reply_claimed(c, edit.value, id, xclaim.id_only);
        count++;
    }
    reply_defer_array(&c->reply, mark, count);
    stream_consumer_changed(&edit, group, consumer);
    call_edit_end(c, c->argv[1], &edit, true);
}

/* ---- XAUTOCLAIM ---- */

struct xautoclaim {
    int64_t min_idle_ms, count;
    bool id_only;
    struct stream_id start;
};

static bool parse_xautoclaim(struct call *c, struct xautoclaim *xautoclaim)
{
    struct stream_id ignored;
    *xautoclaim = (struct xautoclaim){.count = 100};
    if (!parse_time(c, 4, "ERR Invalid min-idle-time argument for XAUTOCLAIM",
                    &xautoclaim->min_idle_ms))
        return false;
    xautoclaim->min_idle_ms = xautoclaim->min_idle_ms < 0 ? 0 : xautoclaim->min_idle_ms;
    if (!stream_interval(c, 5, 5, &xautoclaim->start, &ignored))
        return false;
    for (int at = 6; at < c->argc; at++) {
        if (call_is_word(c, at, "count") && at + 1 < c->argc) {
            if (!call_int_range(c, ++at, 1, INT64_MAX / 16, &xautoclaim->count,
                                "ERR COUNT must be > 0"))
                return false;
        } else if (call_is_word(c, at, "justid")) {
            xautoclaim->id_only = true;
        } else {
            call_error_syntax(c);
            return false;
        }
    }
    return true;
}

/* Ids that are claimed and ids of entries that are gone, found in one pass over what is pending. */
struct found {
    struct buf claimed, deleted;
    struct stream_id next;
};

static void look(struct call *c, const struct value *stream, const struct stream_group *group,
                 const struct xautoclaim *xautoclaim, struct found *found)
{
    int64_t attempts = xautoclaim->count * 10, left = xautoclaim->count;
    struct id_cursor cursor = id_map_seek(&group->pending, xautoclaim->start);
    const struct stream_pending *pending;
    for (; (pending = id_map_at(&group->pending, cursor)) != NULL && attempts > 0 && left > 0;
         attempts--, id_map_next(&group->pending, &cursor)) {
        struct bytes id = bytes_of(&pending->id, sizeof(pending->id));
        if (!stream_has(stream, pending->id)) {
            buf_append(&found->deleted, id);
            left--;
        } else if (c->now_ms - pending->delivered_ms >= xautoclaim->min_idle_ms) {
            buf_append(&found->claimed, id);
            left--;
        }
    }
    found->next = pending == NULL ? (struct stream_id){0} : pending->id;
}

static struct stream_id id_in(const struct buf *ids, size_t index)
{
    struct stream_id id;
    memcpy(&id, ids->data + index * sizeof(id), sizeof(id));
    return id;
}

static void take_claimed(struct call *c, struct edit *edit, struct stream_group *group,
                         struct stream_consumer *consumer, const struct found *found, bool id_only)
{
    size_t count = found->claimed.size / sizeof(struct stream_id);
    reply_array(&c->reply, count);
    for (size_t i = 0; i < count; i++) {
        struct stream_id id = id_in(&found->claimed, i);
        uint64_t times = stream_pending_find(group, id)->times + (id_only ? 0 : 1);
        stream_pending_put(edit, group, consumer, id, c->now_ms, times);
        reply_claimed(c, edit->value, id, id_only);
    }
    if (count > 0)
        consumer->active_ms = c->now_ms;
}

void stream_xautoclaim(struct call *c)
{
    struct xautoclaim xautoclaim;
    const struct value *stream;
    struct edit edit;
    struct found found = {0};
    if (!parse_xautoclaim(c, &xautoclaim) || !find_group(c, &stream) ||
        !call_edit(c, c->argv[1], TYPE_STREAM, &edit))
        return;
    struct stream_group *group = stream_group_find(edit.value, c->argv[2]);
    struct stream_consumer *consumer = consumer_for(c, &edit, group);
    look(c, edit.value, group, &xautoclaim, &found);
    reply_array(&c->reply, 3);
    stream_reply_id(c, found.next);
    take_claimed(c, &edit, group, consumer, &found, xautoclaim.id_only);
    size_t deleted = found.deleted.size / sizeof(struct stream_id);
    reply_array(&c->reply, deleted);
    for (size_t i = 0; i < deleted; i++) {
        (void)stream_pending_remove(&edit, group, id_in(&found.deleted, i));
        stream_reply_id(c, id_in(&found.deleted, i));
    }
    stream_consumer_changed(&edit, group, consumer);
    call_edit_end(c, c->argv[1], &edit, true);
    buf_free(&found.claimed);
    buf_free(&found.deleted);
}
