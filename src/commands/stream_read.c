/* XREAD and XREADGROUP. */
#include "base/buf.h"
#include "base/mem.h"
#include "commands/stream_arguments.h"
#include "commands/stream_commands.h"

struct source {
    struct stream_id after; /* entries behind it are wanted */
    bool is_new;            /* ">" */
};

struct read {
    bool is_group, has_group, no_ack, blocks;
    int64_t count, timeout_ms;
    struct bytes group, consumer;
    int first, stream_count; /* keys from argument `first` on, then as many ids */
    struct source *sources;
};

/* ---- arguments ---- */

static bool parse_block(struct call *c, int at, struct read *read)
{
    if (!call_int_range(c, at, INT64_MIN, INT64_MAX, &read->timeout_ms,
                        "ERR timeout is not an integer or out of range"))
        return false;
    read->blocks = true;
    if (read->timeout_ms >= 0)
        return true;
    call_error(c, "ERR timeout is negative");
    return false;
}

/* Options up to STREAMS; replies on false. */
static bool parse_options(struct call *c, struct read *read)
{
    for (int at = 1; at < c->argc; at++) {
        int left = c->argc - at - 1;
        if (call_is_word(c, at, "block") && left > 0) {
            if (!parse_block(c, ++at, read))
                return false;
        } else if (call_is_word(c, at, "count") && left > 0) {
            if (!call_int(c, ++at, &read->count))
                return false;
            read->count = read->count < 0 ? 0 : read->count;
        } else if (call_is_word(c, at, "streams") && left > 0) {
            read->first = at + 1;
            read->stream_count = left / 2;
            if (left % 2 == 0)
                return true;
            call_error(c,
                       "ERR Unbalanced '%s' list of streams: for each stream key an ID or '%s' "
                       "must be specified.",
                       c->command->name, read->is_group ? ">" : "$");
            return false;
        } else if (call_is_word(c, at, "group") && left >= 2 && read->is_group) {
            read->has_group = true;
            read->group = c->argv[at + 1];
            read->consumer = c->argv[at + 2];
            at += 2;
        } else if (call_is_word(c, at, "noack") && read->is_group) {
            read->no_ack = true;
        } else {
            break;
        }
    }
    call_error_syntax(c);
    return false;
}

static bool has_group(struct call *c, struct bytes key, const struct value *stream,
                      struct bytes group)
{
    if (stream != NULL && stream_group_find(stream, group) != NULL)
        return true;
    if (stream == NULL && c->was_parked) {
        call_error(c, "UNBLOCKED the stream key no longer exists");
        return false;
    }
    call_error(c,
               "NOGROUP No such key '%.*s' or consumer group '%.*s' in XREADGROUP with GROUP "
               "option",
               (int)(key.size < 256 ? key.size : 256), (const char *)key.data,
               (int)(group.size < 256 ? group.size : 256), (const char *)group.data);
    return false;
}

static bool parse_source(struct call *c, const struct read *read, int index, struct source *source)
{
    struct bytes key = c->argv[read->first + index];
    int at = read->first + read->stream_count + index;
    const struct value *stream;
    if (!call_find_value(c, key, TYPE_STREAM, &stream) ||
        (read->is_group && !has_group(c, key, stream, read->group)))
        return false;
    *source = (struct source){0};
    if (bytes_equal(c->argv[at], BYTES_LITERAL("$"))) {
        if (read->is_group) {
            call_error(c, "ERR The $ ID is meaningless in the context of XREADGROUP: you want to "
                          "read the history of this consumer by specifying a proper ID, or use "
                          "the > ID to get new messages. The $ ID would just return an empty "
                          "result set.");
            return false;
        }
        if (stream != NULL)
            source->after = stream_info(stream).last_id;
        return true;
    }
    if (!bytes_equal(c->argv[at], BYTES_LITERAL(">")))
        return stream_id_argument(c, at, 0, true, &source->after);
    source->is_new = true;
    if (read->is_group)
        return true;
    call_error(c, "ERR The > ID can be specified only when calling XREADGROUP using the GROUP "
                  "<group> <consumer> option.");
    return false;
}

/* What `$` meant when the request came is kept for its next run. */
static bool parse_sources(struct call *c, struct read *read)
{
    size_t size = (size_t)read->stream_count * sizeof(*read->sources);
    read->sources = mem_alloc(size);
    for (int i = 0; i < read->stream_count; i++) {
        if (!parse_source(c, read, i, &read->sources[i])) {
            mem_free(read->sources);
            return false;
        }
    }
    if (c->block_state.size == size)
        memcpy(read->sources, c->block_state.data, size);
    return true;
}

static bool parse_read(struct call *c, struct read *read)
{
    if (!parse_options(c, read))
        return false;
    if (read->is_group && !read->has_group) {
        call_error(c, "ERR Missing GROUP option for XREADGROUP");
        return false;
    }
    return parse_sources(c, read);
}

/* ---- whether there is something ---- */

static bool has_entries(struct call *c, const struct read *read, int index)
{
    const struct value *stream;
    if (!call_find_value(c, c->argv[read->first + index], TYPE_STREAM, &stream) || stream == NULL)
        return false;
    if (read->is_group && !read->sources[index].is_new)
        return true; /* the history is answered, be it empty */
    struct stream_id after = read->is_group ? stream_group_find(stream, read->group)->last_id
                                            : read->sources[index].after;
    struct stream_walk walk = stream_walk(stream, after, STREAM_ID_MAX, false);
    struct stream_entry entry;
    while (stream_next(&walk, &entry)) {
        if (stream_id_compare(entry.id, after) > 0)
            return true;
    }
    return false;
}

static void reply_key(struct call *c, const struct read *read, int index)
{
    if (c->reply.protocol == 2)
        reply_array(&c->reply, 2);
    reply_bulk(&c->reply, c->argv[read->first + index]);
}

/* ---- XREAD ---- */

static void read_stream(struct call *c, const struct read *read, int index)
{
    const struct value *stream;
    struct stream_id from = read->sources[index].after;
    if (!call_find_value(c, c->argv[read->first + index], TYPE_STREAM, &stream))
        return;
    reply_key(c, read, index);
    (void)stream_id_increment(&from);
    (void)stream_reply_range(c, stream, from, STREAM_ID_MAX, false, (uint64_t)read->count);
}

/* ---- XREADGROUP ---- */

static struct stream_consumer *consumer_for(struct call *c, struct edit *edit,
                                            struct stream_group *group, const struct read *read,
                                            struct bytes key)
{
    struct stream_consumer *consumer = stream_consumer_find(group, read->consumer);
    if (consumer != NULL) {
        consumer->seen_ms = c->now_ms;
        return consumer;
    }
    consumer = stream_consumer_add(edit, group, read->consumer, c->now_ms);
    call_notify(c, 't', "xgroup-createconsumer", key);
    return consumer;
}

/* The group moves over one more entry. */
static void advance(const struct value *stream, struct stream_group *group, struct stream_id id)
{
    struct stream_info info = stream_info(stream);
    if (group->entries_read != STREAM_READ_NONE && !stream_has_hole(stream, id))
        group->entries_read++;
    else if (info.entries_added > 0)
        group->entries_read = stream_read_up_to(stream, id);
    group->last_id = id;
}

/* Ids first, then what changes because of them: a walk does not outlive a change. */
static void deliver_new(struct call *c, struct edit *edit, struct stream_group *group,
                        struct stream_consumer *consumer, const struct read *read)
{
    struct stream_id from = group->last_id;
    struct buf ids = {0};
    (void)stream_id_increment(&from);
    struct stream_walk walk = stream_walk(edit->value, from, STREAM_ID_MAX, false);
    struct stream_entry entry;
    size_t mark = reply_defer(&c->reply), given = 0;
    for (; (read->count == 0 || given < (size_t)read->count) && stream_next(&walk, &entry);
         given++) {
        buf_append(&ids, bytes_of(&entry.id, sizeof(entry.id)));
        stream_reply_entry(c, &entry);
    }
    reply_defer_array(&c->reply, mark, given);
    for (size_t i = 0; i < given; i++) {
        struct stream_id id;
        memcpy(&id, ids.data + i * sizeof(id), sizeof(id));
        advance(edit->value, group, id);
        if (!read->no_ack)
            stream_pending_put(edit, group, consumer, id, c->now_ms, 1);
    }
    if (given > 0) {
        consumer->active_ms = c->now_ms;
        stream_group_changed(edit, group);
    }
    buf_free(&ids);
}

/* What was delivered to the consumer before and not acknowledged; a deleted entry is nil. */
static void deliver_history(struct call *c, struct edit *edit, struct stream_group *group,
                            struct stream_consumer *consumer, struct stream_id from,
                            const struct read *read)
{
    struct id_cursor cursor = id_map_seek(&consumer->pending, from);
    size_t mark = reply_defer(&c->reply), given = 0;
    for (const struct stream_id *at; (at = id_map_at(&consumer->pending, cursor)) != NULL &&
                                     (read->count == 0 || given < (size_t)read->count);
         id_map_next(&consumer->pending, &cursor), given++) {
        struct stream_id id = *at;
        struct stream_walk walk = stream_walk(edit->value, id, id, false);
        struct stream_entry entry;
        if (stream_next(&walk, &entry)) {
            const struct stream_pending *pending = stream_pending_find(group, id);
            stream_reply_entry(c, &entry);
            stream_pending_put(edit, group, consumer, id, c->now_ms, pending->times + 1);
        } else {
            reply_array(&c->reply, 2);
            stream_reply_id(c, id);
            reply_null_array(&c->reply);
        }
    }
    reply_defer_array(&c->reply, mark, given);
}

static void read_group(struct call *c, const struct read *read, int index)
{
    struct bytes key = c->argv[read->first + index];
    struct edit edit;
    struct stream_id from = read->sources[index].after;
    if (!call_edit(c, key, TYPE_STREAM, &edit))
        return;
    struct stream_group *group = stream_group_find(edit.value, read->group);
    struct stream_consumer *consumer = consumer_for(c, &edit, group, read, key);
    reply_key(c, read, index);
    if (read->sources[index].is_new) {
        deliver_new(c, &edit, group, consumer, read);
    } else {
        (void)stream_id_increment(&from);
        deliver_history(c, &edit, group, consumer, from, read);
    }
    stream_consumer_changed(&edit, group, consumer);
    call_edit_end(c, key, &edit, true);
}

/* ---- both ---- */

static int count_ready(struct call *c, const struct read *read, bool *is_ready)
{
    int count = 0;
    for (int i = 0; i < read->stream_count; i++) {
        is_ready[i] = has_entries(c, read, i);
        count += is_ready[i];
    }
    return count;
}

static void reply_ready(struct call *c, const struct read *read, const bool *is_ready, int count)
{
    if (c->reply.protocol == 3)
        reply_map(&c->reply, (size_t)count);
    else
        reply_array(&c->reply, (size_t)count);
    for (int i = 0; i < read->stream_count; i++) {
        if (is_ready[i] && read->is_group)
            read_group(c, read, i);
        else if (is_ready[i])
            read_stream(c, read, i);
    }
}

/* A consumer that asks and gets nothing was seen, too. */
static void note_consumers(struct call *c, const struct read *read)
{
    for (int i = 0; read->is_group && !c->was_parked && i < read->stream_count; i++) {
        struct edit edit;
        struct bytes key = c->argv[read->first + i];
        if (!call_edit(c, key, TYPE_STREAM, &edit))
            return;
        struct stream_group *group = stream_group_find(edit.value, read->group);
        struct stream_consumer *consumer = consumer_for(c, &edit, group, read, key);
        stream_consumer_changed(&edit, group, consumer);
        call_edit_end(c, key, &edit, true);
    }
}

static void run_read(struct call *c, struct read read)
{
    if (!parse_read(c, &read))
        return;
    bool *is_ready = mem_alloc((size_t)read.stream_count * sizeof(bool));
    int count = count_ready(c, &read, is_ready);
    size_t size = (size_t)read.stream_count * sizeof(*read.sources);
    if (count > 0) {
        reply_ready(c, &read, is_ready, count);
    } else if (!read.blocks || !call_block(c, read.timeout_ms, bytes_of(read.sources, size))) {
        note_consumers(c, &read);
        reply_null_array(&c->reply);
    }
    mem_free(is_ready);
    mem_free(read.sources);
}

void stream_xread(struct call *c)
{
    run_read(c, (struct read){0});
}

void stream_xreadgroup(struct call *c)
{
    run_read(c, (struct read){.is_group = true});
}
