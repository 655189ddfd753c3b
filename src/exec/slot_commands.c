/* CLUSTER COUNTKEYSINSLOT and GETKEYSINSLOT. Keys of a slot stand together in K order, so both read
 * that run only. */
#include "exec/key_walk.h"
#include "keyspace/slot.h"

enum { SLOT_SLICE = 4096 };

/* Called for each key that is alive; false: no more of them. */
typedef bool slot_key_fn(void *context, struct bytes key);

static bool visit(struct call *c, const struct key_slice *slice, uint64_t end, slot_key_fn *fn,
                  void *context)
{
    for (size_t i = 0; i < slice->count; i++) {
        const struct walked_key *key = &slice->keys[i];
        if (key->order >= end)
            return false;
        if (walked_key_is_alive(key, c->now_ms) && !fn(context, key->key))
            return false;
    }
    return true;
}

/* False when rows could not be read. */
static bool walk_slot(struct call *c, struct exec_shard *es, uint16_t slot, slot_key_fn *fn,
                      void *context)
{
    uint64_t from = (uint64_t)slot << 48;
    uint64_t end = from + (1ULL << 48);
    bool goes_on = true;
    while (goes_on && from < end) {
        struct key_slice slice;
        if (!key_slice_read(run_of(c), es, c->database, from, SLOT_SLICE, &slice))
            return false;
        goes_on = visit(c, &slice, end, fn, context) && !slice.is_complete;
        from = slice.next;
        key_slice_free(&slice);
    }
    return true;
}

/* NULL after a reply: a bad slot, or one that is led elsewhere. */
static struct exec_shard *shard_of(struct call *c, int64_t slot, const char *error)
{
    struct exec *exec = run_of(c)->exec;
    if (slot < 0 || slot >= SLOT_COUNT) {
        call_error(c, "%s", error);
        return NULL;
    }
    struct exec_shard *es = &exec->shards[router_shard_of_slot(exec->shard_count, (uint16_t)slot)];
    if (exec_leads(es))
        return es;
    exec_reply_elsewhere(es, (int)slot, &c->reply);
    c->has_failed = true;
    return NULL;
}

static void read_failed(struct call *c)
{
    call_error(c, "IOERR keys could not be read from disk; see the log");
}

static bool count_key(void *context, struct bytes key)
{
    (void)key;
    (*(int64_t *)context)++;
    return true;
}

void exec_count_keys_in_slot(struct call *c)
{
    int64_t slot, count = 0;
    if (!call_int(c, 2, &slot))
        return;
    struct exec_shard *es = shard_of(c, slot, "ERR Invalid slot");
    if (es == NULL)
        return;
    if (walk_slot(c, es, (uint16_t)slot, count_key, &count))
        reply_int(&c->reply, count);
    else
        read_failed(c);
}

/* Collected apart, so that a failure in the middle leaves one error reply. */
struct slot_keys {
    struct reply reply;
    struct buf out;
    size_t count;
    int64_t max;
};

static bool list_key(void *context, struct bytes key)
{
    struct slot_keys *keys = context;
    reply_bulk(&keys->reply, key);
    keys->count++;
    return (int64_t)keys->count < keys->max;
}

void exec_get_keys_in_slot(struct call *c)
{
    const char *error = "ERR Invalid slot or number of keys";
    int64_t slot, max;
    if (!call_int(c, 2, &slot) || !call_int(c, 3, &max))
        return;
    struct exec_shard *es = shard_of(c, max < 0 ? -1 : slot, error);
    if (es == NULL)
        return;
    struct slot_keys keys = {.max = max};
    keys.reply = (struct reply){.out = &keys.out, .protocol = c->reply.protocol};
    if (max == 0 || walk_slot(c, es, (uint16_t)slot, list_key, &keys)) {
        reply_array(&c->reply, keys.count);
        buf_append(c->reply.out, buf_bytes(&keys.out));
    } else {
        read_failed(c);
    }
    buf_free(&keys.out);
}
