/* Fields and values of hashes. */
#include "types/hash.h"

#include "commands/call.h"
#include "commands/hash_commands.h"

static bool find_hash(struct call *c, const struct value **hash)
{
    return call_find_value(c, c->argv[1], TYPE_HASH, hash);
}

/* Sets the pairs from argument 2 on; replies on false. */
static bool set_pairs(struct call *c, int64_t *created)
{
    struct edit edit;
    *created = 0;
    if (c->argc % 2 != 0) {
        call_error(c, "ERR wrong number of arguments for '%s' command", c->command->name);
        return false;
    }
    if (!call_edit(c, c->argv[1], TYPE_HASH, &edit))
        return false;
    for (int i = 2; i < c->argc; i += 2)
        *created += hash_put(&edit, c->argv[i], c->argv[i + 1], 0);
    call_edit_end(c, c->argv[1], &edit, true);
    call_notify(c, 'h', "hset", c->argv[1]);
    return true;
}

void hash_hset(struct call *c)
{
    int64_t created;
    if (set_pairs(c, &created))
        reply_int(&c->reply, created);
}

void hash_hmset(struct call *c)
{
    int64_t created;
    if (set_pairs(c, &created))
        reply_ok(&c->reply);
}

void hash_hsetnx(struct call *c)
{
    struct edit edit;
    struct hash_item item;
    if (!call_edit(c, c->argv[1], TYPE_HASH, &edit))
        return;
    bool is_new = !hash_get(edit.value, c->argv[2], &item);
    if (is_new)
        (void)hash_put(&edit, c->argv[2], c->argv[3], 0);
    call_edit_end(c, c->argv[1], &edit, is_new);
    if (is_new)
        call_notify(c, 'h', "hset", c->argv[1]);
    reply_int(&c->reply, is_new);
}

static void reply_field(struct call *c, const struct value *hash, struct bytes field)
{
    struct hash_item item;
    if (hash != NULL && hash_get(hash, field, &item))
        reply_bulk(&c->reply, item.value);
    else
        reply_null(&c->reply);
}

void hash_hget(struct call *c)
{
    const struct value *hash;
    if (find_hash(c, &hash))
        reply_field(c, hash, c->argv[2]);
}

void hash_hmget(struct call *c)
{
    const struct value *hash;
    if (!find_hash(c, &hash))
        return;
    reply_array(&c->reply, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++)
        reply_field(c, hash, c->argv[i]);
}

static size_t count_of(const struct value *hash)
{
    return hash == NULL ? 0 : hash->count;
}

void hash_hgetall(struct call *c)
{
    const struct value *hash;
    struct hash_item item;
    if (!find_hash(c, &hash))
        return;
    reply_map(&c->reply, count_of(hash));
    for (uint64_t cursor = 0; hash != NULL && hash_next(hash, &cursor, &item);) {
        reply_bulk(&c->reply, item.field);
        reply_bulk(&c->reply, item.value);
    }
}

static void reply_halves(struct call *c, bool is_values)
{
    const struct value *hash;
    struct hash_item item;
    if (!find_hash(c, &hash))
        return;
    reply_array(&c->reply, count_of(hash));
    for (uint64_t cursor = 0; hash != NULL && hash_next(hash, &cursor, &item);)
        reply_bulk(&c->reply, is_values ? item.value : item.field);
}

void hash_hkeys(struct call *c)
{
    reply_halves(c, false);
}

void hash_hvals(struct call *c)
{
    reply_halves(c, true);
}

void hash_hlen(struct call *c)
{
    const struct value *hash;
    if (find_hash(c, &hash))
        reply_int(&c->reply, (int64_t)count_of(hash));
}

void hash_hexists(struct call *c)
{
    const struct value *hash;
    struct hash_item item;
    if (find_hash(c, &hash))
        reply_int(&c->reply, hash != NULL && hash_get(hash, c->argv[2], &item));
}

void hash_hstrlen(struct call *c)
{
    const struct value *hash;
    struct hash_item item;
    if (!find_hash(c, &hash))
        return;
    bool is_there = hash != NULL && hash_get(hash, c->argv[2], &item);
    reply_int(&c->reply, is_there ? (int64_t)item.value.size : 0);
}

void hash_hdel(struct call *c)
{
    struct edit edit;
    int64_t removed = 0;
    if (!call_edit(c, c->argv[1], TYPE_HASH, &edit))
        return;
    for (int i = 2; i < c->argc && edit.value->count > 0; i++)
        removed += hash_remove(&edit, c->argv[i]);
    if (removed > 0)
        call_notify(c, 'h', "hdel", c->argv[1]);
    call_edit_end(c, c->argv[1], &edit, removed > 0);
    reply_int(&c->reply, removed);
}
