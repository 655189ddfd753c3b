/* What the owners ask for. */
#include <stdio.h>

#include "owner.h"
#include "types/string.h"

enum { MILLION = 1000000, WATCH_STEPS = 3 };

#define FAR_MS 1900000000000LL

static uint64_t below(struct owner *owner, uint64_t bound)
{
    return prng_below(&owner->prng, bound);
}

static bool chance(struct owner *owner, uint32_t per_million)
{
    return prng_chance(&owner->prng, per_million);
}

static int draw_key(struct owner *owner)
{
    return (int)below(owner, (uint64_t)owner->options.tags) * MODEL_PARTS +
           (int)below(owner, MODEL_VOLATILE_PART);
}

static int sibling(struct owner *owner, int key)
{
    int part =
        (key % MODEL_PARTS + 1 + (int)below(owner, MODEL_VOLATILE_PART - 1)) % MODEL_VOLATILE_PART;
    return key / MODEL_PARTS * MODEL_PARTS + part;
}

static void arg_key(struct op *op, int key)
{
    char name[MODEL_KEY_NAME_MAX];
    op_arg(op, model_key_name(key, name));
}

/* Sizes around every threshold of the string type. */
static size_t draw_size(struct owner *owner)
{
    static const size_t edges[] = {
        1, 44, STRING_EMBEDDED_MAX, STRING_INLINE_MAX, STRING_CHUNK_SIZE, 2 * STRING_CHUNK_SIZE};
    if (chance(owner, owner->options.large))
        return STRING_SWEEP_CHUNKS * STRING_CHUNK_SIZE - 1 + below(owner, 3) +
               below(owner, 2) * 5 * STRING_CHUNK_SIZE;
    if (chance(owner, MILLION / 3))
        return edges[below(owner, COUNT_OF(edges))] - 1 + below(owner, 3);
    return below(owner, chance(owner, MILLION / 4) ? 3000 : 30);
}

static void fill(struct owner *owner, struct buf *value, size_t size)
{
    char mark[32];
    int length = snprintf(mark, sizeof(mark), "%d.%llu/", owner->number,
                          (unsigned long long)++owner->serial);
    uint8_t *at = buf_extend(value, size);
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)mark[i % (size_t)length];
}

static void arg_value(struct owner *owner, struct op *op)
{
    if (chance(owner, MILLION / 5)) {
        op_arg_int(op, (int64_t)below(owner, 1ULL << below(owner, 50)) - 1000);
        return;
    }
    struct buf value = {0};
    fill(owner, &value, draw_size(owner));
    op_arg(op, buf_bytes(&value));
    buf_free(&value);
}

static void arg_far(struct owner *owner, struct op *op)
{
    op_arg_int(op, FAR_MS + (int64_t)below(owner, 1000000));
}

/* ---- commands on keys of one tag ---- */

static void add_set(struct owner *owner, struct op *op, int key)
{
    op_command(op, "SET");
    arg_key(op, key);
    arg_value(owner, op);
    if (chance(owner, MILLION / 5))
        op_arg_text(op, chance(owner, MILLION / 2) ? "NX" : "XX");
    if (chance(owner, MILLION / 5))
        op_arg_text(op, "GET");
    if (chance(owner, MILLION / 5)) {
        op_arg_text(op, "KEEPTTL");
    } else if (chance(owner, MILLION / 5)) {
        op_arg_text(op, "PXAT");
        arg_far(owner, op);
    }
}

static void add_write(struct owner *owner, struct op *op, int key)
{
    static const char *const names[] = {"SETNX", "GETSET", "APPEND"};
    op_command(op, names[below(owner, COUNT_OF(names))]);
    arg_key(op, key);
    arg_value(owner, op);
}

static void add_append(struct owner *owner, struct op *op, int key)
{
    op_command(op, "APPEND");
    arg_key(op, key);
    arg_value(owner, op);
}

static void add_setrange(struct owner *owner, struct op *op, int key)
{
    op_command(op, "SETRANGE");
    arg_key(op, key);
    op_arg_int(op, (int64_t)below(owner, chance(owner, MILLION / 2) ? 100 : 12000));
    arg_value(owner, op);
}

static void add_getrange(struct owner *owner, struct op *op, int key)
{
    op_command(op, "GETRANGE");
    arg_key(op, key);
    op_arg_int(op, (int64_t)below(owner, 6000) - 1000);
    op_arg_int(op, (int64_t)below(owner, 6000) - 1000);
}

static void add_read(struct owner *owner, struct op *op, int key)
{
    static const char *const names[] = {"GET",         "GET",    "STRLEN", "TYPE",
                                        "PEXPIRETIME", "EXISTS", "TOUCH"};
    op_command(op, names[below(owner, COUNT_OF(names))]);
    arg_key(op, key);
}

static void add_incrby(struct owner *owner, struct op *op, int key)
{
    op_command(op, "INCRBY");
    arg_key(op, key);
    op_arg_int(op, (int64_t)below(owner, 2000) - 1000);
}

static void add_mset(struct owner *owner, struct op *op, int key)
{
    op_command(op, chance(owner, MILLION / 3) ? "MSETNX" : "MSET");
    arg_key(op, key);
    arg_value(owner, op);
    arg_key(op, sibling(owner, key));
    arg_value(owner, op);
}

static void add_several(struct owner *owner, struct op *op, int key)
{
    static const char *const names[] = {"MGET", "MGET", "DEL", "UNLINK", "EXISTS"};
    op_command(op, names[below(owner, COUNT_OF(names))]);
    arg_key(op, key);
    arg_key(op, sibling(owner, key));
}

static void add_del(struct owner *owner, struct op *op, int key)
{
    static const char *const names[] = {"DEL", "GETDEL"};
    op_command(op, names[below(owner, COUNT_OF(names))]);
    arg_key(op, key);
}

static void add_expiry(struct owner *owner, struct op *op, int key)
{
    bool is_past = chance(owner, MILLION / 6);
    op_command(op, "PEXPIREAT");
    arg_key(op, key);
    if (is_past)
        op_arg_int(op, 1);
    else
        arg_far(owner, op);
}

static void add_persist(struct owner *owner, struct op *op, int key)
{
    (void)owner;
    op_command(op, "PERSIST");
    arg_key(op, key);
}

static void add_rename(struct owner *owner, struct op *op, int key)
{
    op_command(op, chance(owner, MILLION / 3) ? "RENAMENX" : "RENAME");
    arg_key(op, key);
    arg_key(op, sibling(owner, key));
}

static void add_copy(struct owner *owner, struct op *op, int key)
{
    int other = owner->acked.first_database + (int)below(owner, MODEL_DATABASES);
    op_command(op, "COPY");
    arg_key(op, key);
    arg_key(op, sibling(owner, key));
    if (chance(owner, MILLION / 2)) {
        op_arg_text(op, "DB");
        op_arg_int(op, other);
    }
    if (chance(owner, MILLION / 2))
        op_arg_text(op, "REPLACE");
}

static void add_move(struct owner *owner, struct op *op, int key)
{
    op_command(op, "MOVE");
    arg_key(op, key);
    op_arg_int(op, owner->acked.first_database + !owner->sent_database);
}

static void add_getex(struct owner *owner, struct op *op, int key)
{
    op_command(op, "GETEX");
    arg_key(op, key);
    if (chance(owner, MILLION / 2)) {
        op_arg_text(op, "PERSIST");
    } else {
        op_arg_text(op, "PXAT");
        arg_far(owner, op);
    }
}

/* A key whose time will be over soon: only its own reply tells whether it was. */
static void add_volatile(struct owner *owner, struct op *op, int key)
{
    static const char *const names[] = {"GET", "DEL", "PEXPIRETIME", "EXISTS", "GETDEL"};
    key = key / MODEL_PARTS * MODEL_PARTS + MODEL_VOLATILE_PART;
    if (chance(owner, MILLION / 2)) {
        op_command(op, names[below(owner, COUNT_OF(names))]);
        arg_key(op, key);
        return;
    }
    op_command(op, "SET");
    arg_key(op, key);
    arg_value(owner, op);
    op_arg_text(op, "PXAT");
    op_arg_int(
        op, (int64_t)(owner->world->now.wall_us / 1000 + below(owner, 1ULL << below(owner, 13))));
}

/* ---- what sees the whole database ---- */

static struct op *one(enum op_kind kind, const char *name)
{
    struct op *op = op_new(kind);
    op_command(op, name);
    return op;
}

static struct op *draw_whole(struct owner *owner)
{
    struct op *op = NULL;
    switch (below(owner, 8)) {
    case 0:
        op = one(OP_KEYS, "KEYS");
        op_arg_text(op, "*");
        return op;
    case 1:
        return one(OP_RANDOMKEY, "RANDOMKEY");
    case 2:
        owner->is_scanning = true;
        owner->scan_cursor = 0;
        return NULL;
    default:
        return one(OP_DBSIZE, "DBSIZE");
    }
}

static struct op *draw_scan(struct owner *owner)
{
    char cursor[32];
    (void)snprintf(cursor, sizeof(cursor), "%llu", (unsigned long long)owner->scan_cursor);
    struct op *op = one(OP_SCAN, "SCAN");
    op_arg_text(op, cursor);
    op_arg_text(op, "COUNT");
    op_arg_int(op, 1 + (int64_t)below(owner, 40));
    if (owner->scan_cursor == 0) {
        memset(owner->scan_seen, 0, sizeof(owner->scan_seen));
        owner->scan_earliest_ms = INT64_MAX;
    }
    return op;
}

static struct op *draw_database(struct owner *owner)
{
    struct op *op = NULL;
    uint64_t kind = below(owner, 10);
    if (kind == 0 && owner->options.is_alone)
        return one(OP_PLAIN, "FLUSHALL");
    if (kind <= 1)
        return one(OP_PLAIN, "FLUSHDB");
    if (kind <= 3 && owner->world->options.shards == 1) {
        op = one(OP_PLAIN, "SWAPDB");
        op_arg_int(op, owner->acked.first_database);
        op_arg_int(op, owner->acked.first_database + 1);
        return op;
    }
    owner->sent_database = !owner->sent_database;
    op = one(OP_PLAIN, "SELECT");
    op_arg_int(op, owner->acked.first_database + owner->sent_database);
    return op;
}

static struct op *draw_reload(void)
{
    struct op *op = one(OP_PLAIN, "DEBUG");
    op_arg_text(op, "RELOAD");
    return op;
}

/* ---- putting together ---- */

typedef void add_fn(struct owner *owner, struct op *op, int key);

static add_fn *const kinds[] = {
    add_set,     add_write, add_append, add_setrange, add_getrange, add_read, add_incrby, add_mset,
    add_several, add_del,   add_expiry, add_persist,  add_rename,   add_copy, add_move,   add_getex,
};

enum {
    KIND_VOLATILE = COUNT_OF(kinds),
    KIND_MULTI,
    KIND_WHOLE,
    KIND_DATABASE,
    KIND_RELOAD,
    KIND_WATCH,
    KIND_COUNT,
};

static uint32_t draw_kind(struct owner *owner, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += owner->options.weights[i];
    if (sum == 0)
        return 0;
    uint64_t at = below(owner, sum);
    uint32_t kind = 0;
    while (at >= owner->options.weights[kind])
        at -= owner->options.weights[kind++];
    return kind;
}

static struct op *draw_multi(struct owner *owner, int key)
{
    struct op *op = op_new(OP_MULTI);
    int count = 1 + (int)below(owner, OP_COMMANDS_MAX);
    for (int i = 0; i < count; i++)
        kinds[draw_kind(owner, COUNT_OF(kinds))](owner, op, i == 0 ? key : sibling(owner, key));
    return op;
}

/* WATCH key; perhaps SET key or GET key; a transaction, which the model knows to fail or not. */
static struct op *draw_watch_step(struct owner *owner)
{
    int step = owner->watching--;
    struct op *op;
    if (step == 1)
        return draw_multi(owner, owner->watched);
    op = op_new(OP_PLAIN);
    if (step == WATCH_STEPS) {
        op_command(op, "WATCH");
    } else if (chance(owner, MILLION / 2)) {
        op_command(op, "GET");
    } else {
        op_command(op, "SET");
        arg_key(op, owner->watched);
        arg_value(owner, op);
        return op;
    }
    arg_key(op, owner->watched);
    return op;
}

static struct op *draw_other(struct owner *owner, uint32_t kind, int key)
{
    struct op *op;
    switch (kind) {
    case KIND_VOLATILE:
        op = op_new(OP_PLAIN);
        add_volatile(owner, op, key);
        return op;
    case KIND_MULTI:
        return draw_multi(owner, key);
    case KIND_WHOLE:
        return draw_whole(owner);
    case KIND_DATABASE:
        return draw_database(owner);
    case KIND_RELOAD:
        return draw_reload();
    default:
        owner->watching = WATCH_STEPS;
        owner->watched = key;
        return draw_watch_step(owner);
    }
}

struct op *owner_draw(struct owner *owner)
{
    if (owner->is_scanning)
        return owner->acked_count == owner->op_count ? draw_scan(owner) : NULL;
    if (owner->watching > 0)
        return draw_watch_step(owner);
    uint32_t kind = draw_kind(owner, KIND_COUNT);
    int key = draw_key(owner);
    if (kind >= COUNT_OF(kinds))
        return draw_other(owner, kind, key);
    struct op *op = op_new(OP_PLAIN);
    kinds[kind](owner, op, key);
    return op;
}
