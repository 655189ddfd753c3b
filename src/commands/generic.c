/* Keys as such, whatever they hold: existence, deletion, type, names. */
#include "commands/call.h"
#include "commands/generic_commands.h"

/* DEL and UNLINK: freeing never holds up the loop here (keyspace/hot.h), so they are one. */
void generic_del(struct call *c)
{
    enum { ROW_SIZE = 64 }; /* about what a deletion takes besides the key */
    size_t size = 0;
    for (int i = 1; i < c->argc; i++)
        size += c->argv[i].size + ROW_SIZE;
    if (!call_reserve(c, size))
        return;
    int64_t deleted = 0;
    for (int i = 1; i < c->argc; i++) {
        if (!call_delete(c, c->argv[i]))
            continue;
        call_notify(c, 'g', "del", c->argv[i]);
        deleted++;
    }
    reply_int(&c->reply, deleted);
}

/* A key that is named twice counts twice. */
void generic_exists(struct call *c)
{
    int64_t count = 0;
    for (int i = 1; i < c->argc; i++)
        count += call_find_head(c, c->argv[i]) != NULL;
    reply_int(&c->reply, count);
}

/* Looking a key up marks it as used. */
void generic_touch(struct call *c)
{
    generic_exists(c);
}

void generic_type(struct call *c)
{
    const struct object *object = call_find_head(c, c->argv[1]);
    reply_simple(&c->reply, type_name(object == NULL ? TYPE_NONE : object->type));
}

enum rename_result { RENAME_FAILED, RENAME_TARGET_EXISTS, RENAME_DONE };

/* A key renamed to itself stays as it is: done, or for RENAMENX a target that exists. */
static enum rename_result rename_key(struct call *c, bool only_if_free)
{
    struct bytes from = c->argv[1], to = c->argv[2];
    if (call_find_head(c, from) == NULL) {
        call_error(c, "ERR no such key");
        return RENAME_FAILED;
    }
    bool is_same = bytes_equal(from, to);
    if (only_if_free && (is_same || call_find_head(c, to) != NULL))
        return RENAME_TARGET_EXISTS;
    if (is_same)
        return RENAME_DONE;
    if (!call_reserve(c, from.size + to.size + STRING_INLINE_MAX))
        return RENAME_FAILED;
    call_rename(c, from, to);
    call_notify(c, 'g', "rename_from", from);
    call_notify(c, 'g', "rename_to", to);
    return RENAME_DONE;
}

void generic_rename(struct call *c)
{
    if (rename_key(c, false) != RENAME_FAILED)
        reply_ok(&c->reply);
}

void generic_renamenx(struct call *c)
{
    enum rename_result result = rename_key(c, true);
    if (result != RENAME_FAILED)
        reply_int(&c->reply, result == RENAME_DONE ? 1 : 0);
}
