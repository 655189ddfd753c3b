/* DUMP and RESTORE. What is written are the plain forms, which every Redis reads; what is read are
 * all that Redis 7.0 and 7.2 write. */
#include "commands/dump.h"

#include "base/endian.h"
#include "base/mem.h"
#include "base/number.h"
#include "codec/rdb.h"
#include "commands/call.h"
#include "commands/generic_commands.h"
#include "keyspace/hot.h"
#include "types/hash.h"
#include "types/list.h"
#include "types/set.h"
#include "types/string.h"
#include "types/zset.h"

/* ---- writing ---- */

static void dump_list(const struct value *list, struct buf *out)
{
    struct list_walk walk = list_walk(list, 0, false);
    struct list_item item;
    buf_append_u8(out, RDB_LIST);
    rdb_put_size(out, list->count);
    while (list_next(&walk, &item))
        rdb_put_string(out, item.element);
}

static void dump_set(const struct value *set, struct buf *out)
{
    struct set_item item;
    buf_append_u8(out, RDB_SET);
    rdb_put_size(out, set->count);
    for (uint64_t cursor = 0; set_next(set, &cursor, &item);)
        rdb_put_string(out, item.member);
}

static void dump_zset(const struct value *zset, struct buf *out)
{
    struct zset_walk walk = zset_walk(zset, 0, zset->count, true);
    struct zset_item item;
    buf_append_u8(out, RDB_ZSET_2);
    rdb_put_size(out, zset->count);
    while (zset_next(&walk, &item)) {
        rdb_put_string(out, item.member);
        rdb_put_double(out, item.score);
    }
}

/* Expiries of fields have no form in the versions that are written: they are lost, as in Redis 7.2.
 */
static void dump_hash(const struct value *hash, struct buf *out)
{
    struct hash_item item;
    buf_append_u8(out, RDB_HASH);
    rdb_put_size(out, hash->count);
    for (uint64_t cursor = 0; hash_next(hash, &cursor, &item);) {
        rdb_put_string(out, item.field);
        rdb_put_string(out, item.value);
    }
}

static void dump_body(const struct dump_source *source, struct buf *out)
{
    switch ((enum object_type)source->type) {
    case TYPE_STRING:
        buf_append_u8(out, RDB_STRING);
        rdb_put_string(out, source->text);
        return;
    case TYPE_LIST:
        dump_list(source->value, out);
        return;
    case TYPE_SET:
        dump_set(source->value, out);
        return;
    case TYPE_ZSET:
        dump_zset(source->value, out);
        return;
    case TYPE_HASH:
        dump_hash(source->value, out);
        return;
    case TYPE_STREAM:
        dump_stream(source->value, out);
        return;
    case TYPE_NONE:
    case TYPE_COUNT:
        break;
    }
    UNREACHABLE();
}

struct dump_source dump_source(const struct object *object, char *scratch)
{
    struct dump_source source = {.type = object->type};
    if (object->type == TYPE_STRING)
        source.text = string_value(object, scratch);
    else
        source.value = object_pointer(object);
    return source;
}

bool dump_is_big(const struct dump_source *source)
{
    size_t size = source->value != NULL ? value_memory(source->value) : source->text.size;
    return size >= HOT_GARBAGE_SIZE;
}

void dump_write(const struct dump_source *source, struct buf *out)
{
    ASSERT(out->size == 0);
    dump_body(source, out);
    rdb_put_footer(out);
}

/* The reply to a big one, made by a helper. */
struct dump {
    struct call_aside aside; /* first: a pointer to it is one to the dump */
    struct dump_source source;
    struct reply reply;
    struct buf whole;
};

static void dump_run(struct call_aside *aside)
{
    struct dump *dump = (struct dump *)aside;
    struct buf payload = {0};
    dump_write(&dump->source, &payload);
    dump->reply.out = &dump->whole;
    reply_bulk(&dump->reply, buf_bytes(&payload));
    buf_free(&payload);
}

static void dump_free(struct call_aside *aside)
{
    struct dump *dump = (struct dump *)aside;
    buf_free(&dump->whole);
    mem_free(dump);
}

static void reply_big(struct call *c, struct dump_source source)
{
    struct dump *dump = mem_zero(sizeof(*dump));
    dump->aside.run = dump_run;
    dump->aside.free = dump_free;
    dump->source = source;
    dump->reply.protocol = c->reply.protocol;
    if (!call_run_aside(c, &dump->aside))
        return;
    reply_take(&c->reply, &dump->whole);
    dump_free(&dump->aside);
}

void generic_dump(struct call *c)
{
    const struct object *object = call_find(c, c->argv[1]);
    char scratch[STRING_INT_TEXT_MAX];
    struct buf payload = {0};
    if (object == NULL) {
        reply_null(&c->reply);
        return;
    }
    struct dump_source source = dump_source(object, scratch);
    if (dump_is_big(&source)) {
        reply_big(c, source);
        return;
    }
    dump_write(&source, &payload);
    reply_bulk(&c->reply, buf_bytes(&payload));
    buf_free(&payload);
}

/* ---- reading ---- */

/* Where the parts of a value come from: the payload itself, or a listpack inside it. */
struct source {
    struct bytes rest;
    struct buf part; /* the last one read */
    struct buf listpack;
    bool is_listpack;
    uint64_t left; /* parts still to come, of a payload */
};

static bool open_plain(struct source *source, uint64_t parts_per_item)
{
    uint64_t count;
    if (!rdb_take_size(&source->rest, &count) || count == 0 || count > source->rest.size)
        return false;
    source->left = count * parts_per_item;
    return true;
}

static bool open_listpack(struct source *source)
{
    struct bytes outer = source->rest;
    source->is_listpack = true;
    return rdb_take_string(&outer, &source->listpack) && outer.size == 0 &&
           listpack_open(buf_bytes(&source->listpack), &source->rest);
}

static bool next_part(struct source *source)
{
    if (source->is_listpack)
        return listpack_next(&source->rest, &source->part);
    if (source->left == 0)
        return false;
    source->left--;
    return rdb_take_string(&source->rest, &source->part);
}

/* Nothing is left over, and nothing was cut short. */
static bool is_at_end(const struct source *source)
{
    return source->rest.size == 0 && source->left == 0;
}

static void source_free(struct source *source)
{
    buf_free(&source->part);
    buf_free(&source->listpack);
}

static bool read_list(struct source *source, struct edit *edit)
{
    while (next_part(source))
        list_push(edit, buf_bytes(&source->part), false);
    return is_at_end(source);
}

static bool read_set(struct source *source, struct edit *edit)
{
    set_expect(edit, source->left);
    while (next_part(source)) {
        if (!set_add(edit, buf_bytes(&source->part)))
            return false;
    }
    return is_at_end(source);
}

static bool read_hash(struct source *source, struct edit *edit)
{
    struct buf field = {0};
    bool is_good = true;
    hash_expect(edit, source->left / 2);
    while (is_good && next_part(source)) {
        buf_clear(&field);
        buf_append(&field, buf_bytes(&source->part));
        is_good =
            next_part(source) && hash_put(edit, buf_bytes(&field), buf_bytes(&source->part), 0);
    }
    buf_free(&field);
    return is_good && is_at_end(source);
}

static bool read_score(struct source *source, uint8_t type, double *score)
{
    if (type == RDB_ZSET_2)
        return rdb_take_double(&source->rest, score);
    if (type == RDB_ZSET)
        return rdb_take_old_double(&source->rest, score);
    return next_part(source) && number_parse_double(buf_bytes(&source->part), score);
}

static bool read_zset(struct source *source, uint8_t type, struct edit *edit)
{
    struct buf member = {0};
    double score;
    bool is_good = true;
    zset_expect(edit, source->left);
    while (is_good && next_part(source)) {
        buf_clear(&member);
        buf_append(&member, buf_bytes(&source->part));
        is_good = read_score(source, type, &score) && zset_put(edit, buf_bytes(&member), score);
    }
    buf_free(&member);
    return is_good && is_at_end(source);
}

/* encoding:le32 count:le32 integers, in a string */
static bool read_intset(struct source *source, struct edit *edit)
{
    struct bytes set, head;
    if (!rdb_take_string(&source->rest, &source->part) || source->rest.size != 0)
        return false;
    set = buf_bytes(&source->part);
    if (!rdb_take_bytes(&set, 8, &head))
        return false;
    uint32_t width = get_le32(head.data), count = get_le32(head.data + 4);
    if ((width != 2 && width != 4 && width != 8) || count == 0 || set.size != (size_t)count * width)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *at = set.data + (size_t)i * width;
        int64_t value = width == 2   ? (int16_t)get_le16(at)
                        : width == 4 ? (int32_t)get_le32(at)
                                     : (int64_t)get_le64(at);
        char text[NUMBER_INTEGER_SIZE_MAX];
        if (!set_add(edit, bytes_of(text, number_format_i64(text, value))))
            return false;
    }
    return true;
}

/* A number of nodes, each plain or a listpack. */
static bool read_quicklist(struct source *source, struct edit *edit)
{
    enum { PLAIN = 1, PACKED = 2 };
    uint64_t nodes, kind;
    bool is_good = rdb_take_size(&source->rest, &nodes);
    for (; is_good && nodes > 0; nodes--) {
        struct bytes inner;
        is_good = rdb_take_size(&source->rest, &kind) && (kind == PLAIN || kind == PACKED) &&
                  rdb_take_string(&source->rest, &source->listpack);
        if (is_good && kind == PLAIN)
            list_push(edit, buf_bytes(&source->listpack), false);
        if (!is_good || kind == PLAIN)
            continue;
        is_good = listpack_open(buf_bytes(&source->listpack), &inner);
        while (is_good && listpack_next(&inner, &source->part))
            list_push(edit, buf_bytes(&source->part), false);
        is_good = is_good && inner.size == 0;
    }
    return is_good && source->rest.size == 0;
}

static enum object_type object_type_of(uint8_t type)
{
    switch (type) {
    case RDB_LIST:
    case RDB_LIST_QUICKLIST_2:
        return TYPE_LIST;
    case RDB_SET:
    case RDB_SET_INTSET:
    case RDB_SET_LISTPACK:
        return TYPE_SET;
    case RDB_ZSET:
    case RDB_ZSET_2:
    case RDB_ZSET_LISTPACK:
        return TYPE_ZSET;
    case RDB_HASH:
    case RDB_HASH_LISTPACK:
        return TYPE_HASH;
    default:
        return TYPE_NONE;
    }
}

static bool read_value(struct source *source, uint8_t type, struct edit *edit)
{
    switch (type) {
    case RDB_LIST:
        return open_plain(source, 1) && read_list(source, edit);
    case RDB_SET:
        return open_plain(source, 1) && read_set(source, edit);
    case RDB_SET_LISTPACK:
        return open_listpack(source) && read_set(source, edit);
    case RDB_SET_INTSET:
        return read_intset(source, edit);
    case RDB_HASH:
        return open_plain(source, 2) && read_hash(source, edit);
    case RDB_HASH_LISTPACK:
        return open_listpack(source) && read_hash(source, edit);
    case RDB_ZSET:
    case RDB_ZSET_2:
        return open_plain(source, 1) && read_zset(source, type, edit);
    case RDB_ZSET_LISTPACK:
        return open_listpack(source) && read_zset(source, type, edit);
    case RDB_LIST_QUICKLIST_2:
        return read_quicklist(source, edit);
    default:
        return false;
    }
}

struct value *restore_value(uint8_t type, struct bytes rest, const struct type_env *env)
{
    enum object_type object_type = object_type_of(type);
    if (object_type == TYPE_NONE)
        return restore_stream(type, rest, env);
    struct source source = {.rest = rest};
    struct edit edit = edit_detached(object_type, env);
    bool is_good = read_value(&source, type, &edit) && edit.value->count > 0;
    source_free(&source);
    if (is_good)
        return edit.value;
    value_free(edit.value);
    return NULL;
}

/* ---- RESTORE ---- */

struct restore {
    bool replaces, is_absolute;
    int64_t ttl_ms;
};

static bool parse_options(struct call *c, struct restore *restore)
{
    int64_t ignored;
    int idle_at = 0, freq_at = 0; /* hints for an eviction that is not ours; one of them at most */
    *restore = (struct restore){0};
    for (int at = 4; at < c->argc; at++) {
        bool has_more = at + 1 < c->argc;
        if (call_is_word(c, at, "replace")) {
            restore->replaces = true;
        } else if (call_is_word(c, at, "absttl")) {
            restore->is_absolute = true;
        } else if (call_is_word(c, at, "idletime") && has_more && freq_at == 0) {
            idle_at = at;
            if (!call_int(c, ++at, &ignored))
                return false;
            if (ignored < 0) {
                call_error(c, "ERR Invalid IDLETIME value, must be >= 0");
                return false;
            }
        } else if (call_is_word(c, at, "freq") && has_more && idle_at == 0) {
            freq_at = at;
            if (!call_int(c, ++at, &ignored))
                return false;
            if (ignored < 0 || ignored > 255) {
                call_error(c, "ERR Invalid FREQ value, must be >= 0 and <= 255");
                return false;
            }
        } else {
            call_error_syntax(c);
            return false;
        }
    }
    return true;
}

static bool parse_restore(struct call *c, struct restore *restore)
{
    if (!parse_options(c, restore))
        return false;
    if (!restore->replaces && call_find_head(c, c->argv[1]) != NULL) {
        call_error(c, "BUSYKEY Target key name already exists.");
        return false;
    }
    if (!call_int(c, 2, &restore->ttl_ms))
        return false;
    if (restore->ttl_ms >= 0)
        return true;
    call_error(c, "ERR Invalid TTL value, must be >= 0");
    return false;
}

/* What is made of a payload; of a big one by a helper. */
struct restored {
    struct call_aside aside; /* first: a pointer to it is one to the whole */
    struct buf copy;         /* of the payload, for the helper; the request may end before it */
    struct bytes payload;
    struct type_env env;

    const char *error; /* NULL: one of the next two is the value */
    bool is_string;
    struct buf text;
    struct value *value;
};

static void restore_run(struct call_aside *aside)
{
    struct restored *restored = (struct restored *)aside;
    struct bytes rest = restored->payload;
    uint8_t type;
    if (!rdb_take_footer(&rest)) {
        restored->error = "ERR DUMP payload version or checksum are wrong";
        return;
    }
    restored->error = "ERR Bad data format";
    if (!rdb_take_u8(&rest, &type))
        return;
    restored->is_string = type == RDB_STRING;
    bool is_good = restored->is_string
                       ? rdb_take_string(&rest, &restored->text) && rest.size == 0
                       : (restored->value = restore_value(type, rest, &restored->env)) != NULL;
    if (is_good)
        restored->error = NULL;
}

static void restore_free(struct call_aside *aside)
{
    struct restored *restored = (struct restored *)aside;
    value_free(restored->value);
    buf_free(&restored->text);
    buf_free(&restored->copy);
    mem_free(restored);
}

/* NULL: the run was cancelled. */
static struct restored *decode(struct call *c)
{
    struct restored *restored = mem_zero(sizeof(*restored));
    restored->aside.run = restore_run;
    restored->aside.free = restore_free;
    restored->payload = c->argv[3];
    restored->env = *c->types;
    if (restored->payload.size < HOT_GARBAGE_SIZE) {
        restore_run(&restored->aside);
        return restored;
    }
    buf_append(&restored->copy, restored->payload);
    restored->payload = buf_bytes(&restored->copy);
    return call_run_aside(c, &restored->aside) ? restored : NULL;
}

static void put_restored(struct call *c, struct restored *restored, int64_t expire_ms)
{
    struct bytes key = c->argv[1], text = buf_bytes(&restored->text);
    if (restored->error != NULL) {
        call_error(c, "%s", restored->error);
    } else if (restored->is_string) {
        if (call_reserve(c, key.size + text.size))
            call_set_string(c, key, text, expire_ms);
    } else if (call_reserve_value(c, restored->value)) {
        call_set_value(c, key, restored->value, expire_ms);
        restored->value = NULL;
    }
}

void generic_restore(struct call *c)
{
    struct restore restore;
    if (!parse_restore(c, &restore))
        return;
    struct restored *restored = decode(c);
    if (restored == NULL)
        return;
    int64_t expire_ms = restore.ttl_ms;
    if (expire_ms != 0 && !restore.is_absolute &&
        __builtin_add_overflow(expire_ms, c->now_ms, &expire_ms))
        expire_ms = INT64_MAX;
    put_restored(c, restored, expire_ms);
    restore_free(&restored->aside);
    if (c->has_failed)
        return;
    call_notify(c, 'g', "restore", c->argv[1]);
    reply_ok(&c->reply);
}
