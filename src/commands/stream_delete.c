/* XDEL, XDELEX, XACKDEL: removing entries one by one, whatever groups refer to them. */
#include "commands/stream_arguments.h"
#include "commands/stream_commands.h"

enum outcome { NOT_THERE = -1, REMOVED = 1, STILL_REFERRED_TO = 2 };

/* All ids are good before the first entry goes. */
static bool ids_are_good(struct call *c, int first, int count)
{
    struct stream_id id;
    for (int i = first; i < first + count; i++) {
        if (!stream_id_argument(c, i, 0, true, &id))
            return false;
    }
    return true;
}

static struct stream_id id_at(const struct call *c, int at)
{
    struct stream_id id;
    bool is_good = stream_id_parse(c->argv[at], 0, true, &id);
    ASSERT(is_good); /* ids_are_good */
    return id;
}

void stream_xdel(struct call *c)
{
    const struct value *stream;
    struct edit edit;
    int64_t removed = 0;
    if (!call_find_value(c, c->argv[1], TYPE_STREAM, &stream))
        return;
    if (stream == NULL) {
        reply_int(&c->reply, 0);
        return;
    }
    if (!ids_are_good(c, 2, c->argc - 2) || !call_edit(c, c->argv[1], TYPE_STREAM, &edit))
        return;
    for (int i = 2; i < c->argc; i++)
        removed += stream_remove(&edit, id_at(c, i));
    call_edit_end(c, c->argv[1], &edit, removed > 0);
    if (removed > 0)
        call_notify(c, 't', "xdel", c->argv[1]);
    reply_int(&c->reply, removed);
}

/* ---- XDELEX, XACKDEL ---- */

struct removal {
    enum stream_references references;
    bool has_references;
    int first, count; /* ids */
    uint64_t removed, released;
};

/* "IDS numids id …" at *at, which moves to the last id. */
static bool parse_ids(struct call *c, int *at, struct removal *removal)
{
    int64_t count;
    if (!call_int_range(c, *at + 1, 1, INT64_MAX, &count,
                        "ERR Number of IDs must be a positive integer"))
        return false;
    if (count > c->argc - *at - 2) {
        call_error(c, "ERR The `numids` parameter must match the number of arguments");
        return false;
    }
    removal->first = *at + 2;
    removal->count = (int)count;
    *at += 1 + removal->count;
    return true;
}

/* Conditions and ids stand in any order behind argument `at`. */
static bool parse_removal(struct call *c, int at, struct removal *removal)
{
    *removal = (struct removal){0};
    for (; at < c->argc; at++) {
        if (call_is_word(c, at, "ids") && at + 1 < c->argc && removal->count == 0) {
            if (!parse_ids(c, &at, removal))
                return false;
        } else if (!removal->has_references &&
                   stream_references_word(c, at, &removal->references)) {
            removal->has_references = true;
        } else {
            call_error_syntax(c);
            return false;
        }
    }
    if (removal->count == 0)
        call_error_syntax(c);
    return removal->count > 0 && ids_are_good(c, removal->first, removal->count);
}

static void reply_not_there(struct call *c, int count)
{
    reply_array(&c->reply, (size_t)count);
    for (; count > 0; count--)
        reply_int(&c->reply, NOT_THERE);
}

/* Dangling references go with DELREF even when the entry went long ago. */
static enum outcome remove_one(struct edit *edit, struct stream_id id, struct removal *removal)
{
    if (removal->references == STREAM_ONLY_ACKED && stream_has(edit->value, id) &&
        !stream_is_acked(edit->value, id))
        return STILL_REFERRED_TO;
    if (removal->references == STREAM_DROP_REFERENCES)
        removal->released += stream_drop_references(edit, id);
    bool was_there = stream_remove(edit, id);
    removal->removed += was_there;
    return was_there ? REMOVED : NOT_THERE;
}

/* What the group acknowledges counts as removed although the entry may have gone before. */
static enum outcome acknowledge_one(struct edit *edit, struct stream_group *group,
                                    struct stream_id id, struct removal *removal)
{
    if (!stream_pending_remove(edit, group, id))
        return NOT_THERE;
    removal->released++;
    if (removal->references == STREAM_ONLY_ACKED && !stream_is_acked(edit->value, id))
        return STILL_REFERRED_TO;
    (void)remove_one(edit, id, removal);
    return REMOVED;
}

static void end_removal(struct call *c, struct edit *edit, const struct removal *removal)
{
    call_edit_end(c, c->argv[1], edit, removal->removed + removal->released > 0);
    if (removal->removed > 0)
        call_notify(c, 't', "xdel", c->argv[1]);
}

void stream_xdelex(struct call *c)
{
    struct removal removal;
    const struct value *stream;
    struct edit edit;
    if (!parse_removal(c, 2, &removal) || !call_find_value(c, c->argv[1], TYPE_STREAM, &stream))
        return;
    if (stream == NULL) {
        reply_not_there(c, removal.count);
        return;
    }
    if (!call_edit(c, c->argv[1], TYPE_STREAM, &edit))
        return;
    reply_array(&c->reply, (size_t)removal.count);
    for (int i = 0; i < removal.count; i++)
        reply_int(&c->reply, remove_one(&edit, id_at(c, removal.first + i), &removal));
    end_removal(c, &edit, &removal);
}

void stream_xackdel(struct call *c)
{
    struct removal removal;
    const struct value *stream;
    struct edit edit;
    if (!parse_removal(c, 3, &removal) || !call_find_value(c, c->argv[1], TYPE_STREAM, &stream))
        return;
    if (stream == NULL || stream_group_find(stream, c->argv[2]) == NULL) {
        reply_not_there(c, removal.count);
        return;
    }
    if (!call_edit(c, c->argv[1], TYPE_STREAM, &edit))
        return;
    struct stream_group *group = stream_group_find(edit.value, c->argv[2]);
    reply_array(&c->reply, (size_t)removal.count);
    for (int i = 0; i < removal.count; i++)
        reply_int(&c->reply, acknowledge_one(&edit, group, id_at(c, removal.first + i), &removal));
    end_removal(c, &edit, &removal);
}
