/* Members of sets. */
#include "types/set.h"

#include "commands/call.h"
#include "commands/set_commands.h"

static bool find_set(struct call *c, const struct value **set)
{
    return call_find_value(c, c->argv[1], TYPE_SET, set);
}

void set_sadd(struct call *c)
{
    struct edit edit;
    int64_t added = 0;
    if (!call_edit(c, c->argv[1], TYPE_SET, &edit))
        return;
    for (int i = 2; i < c->argc; i++)
        added += set_add(&edit, c->argv[i]);
    call_edit_end(c, c->argv[1], &edit, added > 0);
    if (added > 0)
        call_notify(c, 's', "sadd", c->argv[1]);
    reply_int(&c->reply, added);
}

void set_srem(struct call *c)
{
    struct edit edit;
    int64_t removed = 0;
    if (!call_edit(c, c->argv[1], TYPE_SET, &edit))
        return;
    for (int i = 2; i < c->argc && edit.value->count > 0; i++)
        removed += set_remove(&edit, c->argv[i]);
    if (removed > 0)
        call_notify(c, 's', "srem", c->argv[1]);
    call_edit_end(c, c->argv[1], &edit, removed > 0);
    reply_int(&c->reply, removed);
}

void set_smembers(struct call *c)
{
    const struct value *set;
    struct set_item item;
    if (!find_set(c, &set))
        return;
    reply_set(&c->reply, set == NULL ? 0 : set->count);
    for (uint64_t cursor = 0; set != NULL && set_next(set, &cursor, &item);)
        reply_bulk(&c->reply, item.member);
}

void set_sismember(struct call *c)
{
    const struct value *set;
    if (find_set(c, &set))
        reply_int(&c->reply, set != NULL && set_has(set, c->argv[2]));
}

void set_smismember(struct call *c)
{
    const struct value *set;
    if (!find_set(c, &set))
        return;
    reply_array(&c->reply, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++)
        reply_int(&c->reply, set != NULL && set_has(set, c->argv[i]));
}

void set_scard(struct call *c)
{
    const struct value *set;
    if (find_set(c, &set))
        reply_int(&c->reply, set == NULL ? 0 : (int64_t)set->count);
}

static bool add_to(struct call *c, struct bytes key, struct bytes member)
{
    struct edit edit;
    if (!call_edit(c, key, TYPE_SET, &edit))
        return false;
    bool is_new = set_add(&edit, member);
    call_edit_end(c, key, &edit, is_new);
    if (is_new)
        call_notify(c, 's', "sadd", key);
    return true;
}

/* Both keys are of the right type before anything changes. */
void set_smove(struct call *c)
{
    struct bytes from = c->argv[1], to = c->argv[2], member = c->argv[3];
    const struct value *source, *target;
    struct edit edit;
    if (!call_find_value(c, from, TYPE_SET, &source))
        return;
    if (source == NULL) {
        reply_int(&c->reply, 0);
        return;
    }
    if (!call_find_value(c, to, TYPE_SET, &target))
        return;
    if (bytes_equal(from, to) || !set_has(source, member)) {
        reply_int(&c->reply, set_has(source, member));
        return;
    }
    if (!call_edit(c, from, TYPE_SET, &edit))
        return;
    (void)set_remove(&edit, member);
    call_notify(c, 's', "srem", from);
    call_edit_end(c, from, &edit, true);
    if (add_to(c, to, member))
        reply_int(&c->reply, 1);
}
