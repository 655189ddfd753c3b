/* PFADD, PFCOUNT, PFMERGE. A value is changed in a copy and stored when all went well: an error
 * changes nothing. */
#include "commands/call.h"
#include "commands/hyperloglog_commands.h"
#include "types/hyperloglog.h"

void hyperloglog_error_damaged(struct call *c)
{
    call_error(c, "INVALIDOBJ Corrupted HLL object detected");
}

struct bytes hyperloglog_value(const struct object *object)
{
    char scratch[STRING_INT_TEXT_MAX];
    if (object->encoding == ENCODING_INT) /* too short to be one, and its text is not kept */
        return bytes_of(NULL, 0);
    return string_value(object, scratch);
}

bool hyperloglog_find(struct call *c, struct bytes key, struct object **object)
{
    if (!call_find_string(c, key, object))
        return false;
    if (*object == NULL || hll_is_valid(hyperloglog_value(*object)))
        return true;
    call_error(c, "WRONGTYPE Key is not a valid HyperLogLog string value.");
    return false;
}

bool hyperloglog_reserve(struct call *c, struct bytes key, size_t size)
{
    return call_reserve(c, key.size + size + STRING_INLINE_MAX);
}

/* The key's chunk from `at` on becomes that of value, which has the same size. */
static void store_chunk(struct call *c, struct bytes key, struct bytes value, size_t at)
{
    const struct object *object = call_find(c, key);
    if (object == NULL) /* it could not be read, and the reply becomes an error */
        return;
    struct bytes old = hyperloglog_value(object);
    size_t end = value.size - at < STRING_CHUNK_SIZE ? value.size : at + STRING_CHUNK_SIZE;
    while (at < end && old.data[at] == value.data[at])
        at++;
    while (end > at && old.data[end - 1] == value.data[end - 1])
        end--;
    if (at < end)
        call_write_string(c, key, at, bytes_of(value.data + at, end - at));
}

void hyperloglog_store(struct call *c, struct bytes key, struct bytes value)
{
    const struct object *object = call_find(c, key);
    if (object == NULL || hyperloglog_value(object).size != value.size) {
        call_set_string(c, key, value, CALL_KEEP_EXPIRE);
        return;
    }
    uint64_t changes = c->changes;
    for (size_t at = 0; at < value.size; at += STRING_CHUNK_SIZE)
        store_chunk(c, key, value, at);
    if (c->changes == changes) /* the same bytes again are a change for WATCH, as in Redis */
        call_write_string(c, key, 0, bytes_of(value.data, HLL_HEADER_SIZE));
}

/* ---- PFADD ---- */

static enum hll_result add_all(struct call *c, struct buf *value)
{
    enum hll_result result = HLL_UNCHANGED;
    for (int i = 2; i < c->argc; i++) {
        enum hll_result added = hll_add(value, c->argv[i], c->env->hll_sparse_max);
        if (added == HLL_DAMAGED)
            return HLL_DAMAGED;
        if (added == HLL_CHANGED)
            result = HLL_CHANGED;
    }
    return result;
}

static void start_from(struct buf *value, const struct object *object)
{
    if (object == NULL)
        hll_init(value);
    else
        buf_append(value, hyperloglog_value(object));
}

void hyperloglog_pfadd(struct call *c)
{
    struct object *object;
    struct buf value = {0};
    if (!hyperloglog_find(c, c->argv[1], &object))
        return;
    start_from(&value, object);
    enum hll_result result = add_all(c, &value);
    bool is_changed = result == HLL_CHANGED || object == NULL;
    if (result == HLL_DAMAGED) {
        hyperloglog_error_damaged(c);
    } else if (!is_changed) {
        reply_int(&c->reply, 0);
    } else if (hyperloglog_reserve(c, c->argv[1], value.size)) {
        hll_drop_cached(&value); /* also of a new one, as in Redis */
        hyperloglog_store(c, c->argv[1], buf_bytes(&value));
        call_notify(c, '$', "pfadd", c->argv[1]);
        reply_int(&c->reply, 1);
    }
    buf_free(&value);
}

/* ---- PFCOUNT ---- */

/* Merges the keys from argument 1 on into registers; *is_dense: one of them was. Replies on false.
 */
static bool merge_keys(struct call *c, uint8_t *registers, bool *is_dense)
{
    struct object *object;
    *is_dense = false;
    for (int i = 1; i < c->argc; i++) {
        if (!hyperloglog_find(c, c->argv[i], &object))
            return false;
        if (object == NULL)
            continue;
        struct bytes value = hyperloglog_value(object);
        *is_dense = *is_dense || !hll_is_sparse(value);
        if (!hll_merge(value, registers)) {
            hyperloglog_error_damaged(c);
            return false;
        }
    }
    return true;
}

static void count_many(struct call *c)
{
    uint8_t registers[HLL_REGISTERS] = {0};
    bool is_dense;
    if (merge_keys(c, registers, &is_dense))
        reply_int(&c->reply, (int64_t)hll_estimate(registers));
}

/* The count is kept in the value, as in Redis, where a copy of the value has it too. It is a change
 * like any other, but none that may be refused: then the next one counts anew. */
static void keep_count(struct call *c, uint64_t count)
{
    uint8_t cached[HLL_HEADER_SIZE] = {0};
    struct buf header = {.data = cached, .capacity = sizeof(cached)};
    buf_append(&header, bytes_of(hyperloglog_value(call_find(c, c->argv[1])).data, sizeof(cached)));
    hll_set_cached(&header, count);
    if (call_may_cache(c, c->argv[1].size + HLL_HEADER_SIZE + 3 * STRING_CHUNK_SIZE))
        call_write_string(c, c->argv[1], 0, buf_bytes(&header));
}

static void count_one(struct call *c)
{
    uint8_t registers[HLL_REGISTERS] = {0};
    struct object *object;
    uint64_t count = 0;
    if (!hyperloglog_find(c, c->argv[1], &object))
        return;
    if (object == NULL || hll_cached(hyperloglog_value(object), &count)) {
        reply_int(&c->reply, (int64_t)count);
    } else if (!hll_merge(hyperloglog_value(object), registers)) {
        hyperloglog_error_damaged(c);
    } else {
        count = hll_estimate(registers);
        keep_count(c, count);
        reply_int(&c->reply, (int64_t)count);
    }
}

void hyperloglog_pfcount(struct call *c)
{
    if (c->argc == 2)
        count_one(c);
    else
        count_many(c);
}

/* ---- PFMERGE ---- */

static bool raise_all(struct call *c, struct buf *value, const uint8_t *registers)
{
    for (uint32_t index = 0; index < HLL_REGISTERS; index++) {
        if (registers[index] != 0 &&
            hll_raise(value, index, registers[index], c->env->hll_sparse_max) == HLL_DAMAGED)
            return false;
    }
    return true;
}

void hyperloglog_pfmerge(struct call *c)
{
    uint8_t registers[HLL_REGISTERS] = {0};
    struct bytes key = c->argv[1];
    struct buf value = {0};
    bool is_dense;
    if (!merge_keys(c, registers, &is_dense))
        return;
    start_from(&value, call_find(c, key));
    if ((is_dense && !hll_make_dense(&value)) || !raise_all(c, &value, registers)) {
        hyperloglog_error_damaged(c);
    } else if (hyperloglog_reserve(c, key, value.size)) {
        hll_drop_cached(&value);
        hyperloglog_store(c, key, buf_bytes(&value));
        call_notify(c, '$', "pfadd", key);
        reply_ok(&c->reply);
    }
    buf_free(&value);
}
