#include "commands/call.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/number.h"
#include "keyspace/hot.h"
#include "keyspace/slot.h"

enum {
    ERROR_SIZE_MAX = 512,
    READS_MAX = 5, /* of a key in the middle of a run: a passing error is no damage */
};

/* ---- errors ---- */

void call_error(struct call *c, const char *format, ...)
{
    char text[ERROR_SIZE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    c->has_failed = true;
    reply_error(&c->reply, "%s", text);
}

void call_error_syntax(struct call *c)
{
    call_error(c, "ERR syntax error");
}

void call_error_wrong_type(struct call *c)
{
    call_error(c, "WRONGTYPE Operation against a key holding the wrong kind of value");
}

void call_error_not_integer(struct call *c)
{
    call_error(c, "ERR value is not an integer or out of range");
}

void call_error_not_float(struct call *c)
{
    call_error(c, "ERR value is not a valid float");
}

/* ---- arguments ---- */

bool call_int(struct call *c, int position, int64_t *value)
{
    if (number_parse_i64(c->argv[position], value))
        return true;
    call_error_not_integer(c);
    return false;
}

bool call_int_range(struct call *c, int position, int64_t min, int64_t max, int64_t *value,
                    const char *error)
{
    int64_t parsed;
    if (number_parse_i64(c->argv[position], &parsed) && parsed >= min && parsed <= max) {
        *value = parsed;
        return true;
    }
    if (error != NULL)
        call_error(c, "%s", error);
    else
        call_error_not_integer(c);
    return false;
}

bool call_float(struct call *c, int position, long double *value)
{
    if (number_parse_long_double(c->argv[position], value))
        return true;
    call_error_not_float(c);
    return false;
}

bool call_is_word(const struct call *c, int position, const char *word)
{
    return position < c->argc && bytes_is_word(c->argv[position], word);
}

/* ---- finding ---- */

static void depend_on(struct call *c, uint64_t index)
{
    if (index > c->gate)
        c->gate = index;
}

void call_depend_on_all(struct call *c)
{
    depend_on(c, hot_gate_all(c->hot));
}

/* Only arguments keep their bytes: a name that a command composed may be another one at the same
 * address a moment later. */
static bool is_argument(const struct call *c, struct bytes key)
{
    for (int i = 1; i < c->argc && i <= CALL_REMEMBERED_ARGUMENTS; i++) {
        if (c->argv[i].data == key.data && c->argv[i].size == key.size)
            return true;
    }
    return false;
}

static void remember(struct call *c, struct bytes key, uint64_t order, bool has_value,
                     struct object *object)
{
    if (c->found_count == CALL_FOUND_MAX || !is_argument(c, key))
        return;
    c->found[c->found_count++] =
        (struct call_found){.key = key, .order = order, .has_value = has_value, .object = object};
}

/* A change may have moved any object that was remembered, under whichever argument. */
static void forget_found(struct call *c)
{
    c->found_count = 0;
}

static struct call_found *remembered(struct call *c, struct bytes key, bool needs_value)
{
    for (int i = 0; i < c->found_count; i++) {
        struct call_found *found = &c->found[i];
        bool is_same = found->key.data == key.data && found->key.size == key.size;
        if (is_same && (found->has_value || !needs_value))
            return found;
    }
    return NULL;
}

static bool is_expired(const struct call *c, const struct object *object)
{
    return object->has_expire && object_expire_ms(object) <= c->now_ms;
}

/* The deletion of a key that is found expired belongs to this run, and the reply waits for it. */
static struct object *settle_expired(struct call *c, struct object *object)
{
    if (object == NULL || !object_is_present(object) || !is_expired(c, object))
        return object;
    struct bytes key = object_key(object);
    c->env->notify(c, 'x', "expired", key);
    c->env->expired_keys++;
    uint64_t order = object->order;
    uint8_t name[256];
    size_t name_size = key.size;
    struct buf long_name = {0};
    const uint8_t *name_data = name;
    if (name_size <= sizeof(name)) {
        memcpy(name, key.data, name_size);
    } else {
        buf_append(&long_name, key);
        name_data = long_name.data;
    }
    hot_delete_expired(c->hot, c->keyspace, object);
    object = table_find(&c->keyspace->table, order, bytes_of(name_data, name_size));
    buf_free(&long_name);
    forget_found(c);
    return object;
}

/* What died inside a value is removed by this run, too, so no command ever sees it. */
static struct object *settle_elements(struct call *c, struct object *object)
{
    while (object != NULL && object->state == OBJECT_LOADED && object->encoding == ENCODING_VALUE) {
        int64_t due_ms = value_due_ms(object_pointer(object));
        if (due_ms == 0 || due_ms > c->now_ms)
            break;
        struct bytes key = object_key(object);
        c->env->notify(c, 'h', "hexpired", key);
        uint64_t order = object->order;
        struct buf name = {0};
        buf_append(&name, key);
        hot_expire_elements(c->hot, c->keyspace, object, c->now_ms);
        object = table_find(&c->keyspace->table, order, buf_bytes(&name));
        buf_free(&name);
        forget_found(c);
    }
    return object;
}

/* False when it is cold. */
static bool look_up(struct call *c, struct bytes key, bool needs_value, uint64_t order,
                    struct object **object)
{
    bool keeps_access = (c->command->flags & CMD_NO_TOUCH) != 0;
    *object = keeps_access ? table_find(&c->keyspace->table, order, key) : NULL;
    uint32_t access = *object == NULL ? c->hot->clock : (*object)->access;
    enum hot_need need = needs_value ? HOT_VALUE : HOT_HEAD;
    enum hot_found found = hot_find(c->hot, c->keyspace, order, key, need, object);
    if (*object != NULL)
        (*object)->access = access;
    return found != HOT_COLD;
}

bool call_probe(struct call *c, struct bytes key, bool needs_value, uint64_t *order,
                struct object **object)
{
    struct call_found *known = remembered(c, key, needs_value);
    if (known != NULL) {
        *order = known->order;
        *object = known->object;
        return true;
    }
    *order = hot_order(c->hot, slot_of_key(key), key);
    if (!look_up(c, key, needs_value, *order, object))
        return false;
    *object = settle_elements(c, settle_expired(c, *object));
    remember(c, key, *order, needs_value, *object);
    return true;
}

/* What memory has of the key once it is not cold: an object, a tombstone, or NULL. */
static struct object *find(struct call *c, struct bytes key, bool needs_value, uint64_t *order)
{
    struct object *object;
    int failures = 0;
    if (c->is_broken)
        return NULL;
    while (!call_probe(c, key, needs_value, order, &object)) {
        forget_found(c);
        bool is_read = c->env->await_key(c, *order, key, needs_value);
        c->is_broken |= !is_read && ++failures == READS_MAX;
        if (c->is_broken)
            return NULL;
    }
    depend_on(c, hot_gate(c->hot, c->keyspace, object));
    return object;
}

static struct object *find_present(struct call *c, struct bytes key, bool needs_value)
{
    uint64_t order;
    struct object *object = find(c, key, needs_value, &order);
    bool is_present = object != NULL && object_is_present(object);
    if ((c->command->flags & CMD_READONLY) != 0) {
        c->env->keyspace_hits += is_present;
        c->env->keyspace_misses += !is_present;
    }
    return is_present ? object : NULL;
}

struct object *call_find(struct call *c, struct bytes key)
{
    return find_present(c, key, call_needs_values(c->command, c->argv, c->argc));
}

struct object *call_find_head(struct call *c, struct bytes key)
{
    return find_present(c, key, false);
}

bool call_find_string(struct call *c, struct bytes key, struct object **object)
{
    *object = call_find(c, key);
    if (*object == NULL || (*object)->type == TYPE_STRING)
        return true;
    call_error_wrong_type(c);
    return false;
}

bool call_find_value(struct call *c, struct bytes key, enum object_type type,
                     const struct value **value)
{
    const struct object *object = call_find(c, key);
    *value = NULL;
    if (object == NULL)
        return true;
    if (object->type == (uint8_t)type) {
        *value = object_pointer(object);
        return true;
    }
    call_error_wrong_type(c);
    return false;
}

/* ---- limits ---- */

bool call_check_string_size(struct call *c, uint64_t size)
{
    if (size <= c->env->string_size_max && size <= OBJECT_STRING_MAX)
        return true;
    call_error(c, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    return false;
}

bool call_reserve(struct call *c, size_t size)
{
    /* Chunk rows carry a header and a key each; a transaction's earlier changes count too. */
    uint64_t rows = (uint64_t)size + (size / STRING_CHUNK_SIZE + 4) * 64;
    if (c->hot->open_size + rows <= c->entry_size_max)
        return true;
    call_error(c, "ERR the change does not fit into one log entry (entry-max)");
    return false;
}

bool call_reserve_value(struct call *c, const struct value *value)
{
    return call_reserve(c, value_rows_size(value));
}

static bool reserve_arguments(struct call *c)
{
    size_t size = 0;
    for (int i = 1; i < c->argc; i++)
        size += c->argv[i].size + VALUE_ROW_OVERHEAD;
    return call_reserve(c, size);
}

/* ---- changing ---- */

static void changed(struct call *c)
{
    forget_found(c);
    c->changes++;
    depend_on(c, c->hot->open_index);
}

static bool is_past(const struct call *c, int64_t expire_ms)
{
    return expire_ms != CALL_NO_EXPIRE && expire_ms <= c->now_ms;
}

void call_set_string(struct call *c, struct bytes key, struct bytes value, int64_t expire_ms)
{
    uint64_t order;
    struct object *object = find(c, key, false, &order);
    bool is_present = object != NULL && object_is_present(object);
    if (c->is_broken)
        return;
    if (expire_ms == CALL_KEEP_EXPIRE)
        expire_ms = is_present ? object_expire_ms(object) : CALL_NO_EXPIRE;
    if (is_past(c, expire_ms)) {
        (void)call_delete(c, key);
        return;
    }
    (void)hot_set_string(c->hot, c->keyspace, order, key, object, value, expire_ms);
    changed(c);
}

void call_write_string(struct call *c, struct bytes key, size_t offset, struct bytes bytes)
{
    uint64_t order;
    struct object *object = find(c, key, true, &order);
    if (c->is_broken)
        return;
    ASSERT(object != NULL && object_is_present(object));
    (void)hot_write_string(c->hot, c->keyspace, object, offset, bytes);
    changed(c);
}

void call_set_int(struct call *c, struct bytes key, int64_t value)
{
    uint64_t order;
    struct object *object = find(c, key, true, &order);
    if (c->is_broken)
        return;
    ASSERT(object != NULL && object_is_present(object));
    (void)hot_set_int(c->hot, c->keyspace, object, value);
    changed(c);
}

bool call_edit(struct call *c, struct bytes key, enum object_type type, struct edit *edit)
{
    uint64_t order;
    struct object *object = find(c, key, true, &order);
    if (c->is_broken)
        return false;
    if (object != NULL && object_is_present(object) && object->type != (uint8_t)type) {
        call_error_wrong_type(c);
        return false;
    }
    if (!c->has_reserved && !reserve_arguments(c))
        return false;
    c->has_reserved = true;
    hot_edit_begin(c->hot, object, type, edit);
    edit->order = order;
    return true;
}

void call_edit_end(struct call *c, struct bytes key, struct edit *edit, bool has_changed)
{
    struct object *object = edit->object;
    bool was_there = object != NULL;
    if (!was_there)
        object = table_find(&c->keyspace->table, edit->order, key); /* a tombstone or nothing */
    object = hot_edit_end(c->hot, c->keyspace, edit->order, key, object, edit, has_changed);
    if (!has_changed) {
        forget_found(c);
        return;
    }
    changed(c);
    if (was_there && object == NULL)
        call_notify(c, 'g', "del", key);
}

void call_set_value(struct call *c, struct bytes key, struct value *value, int64_t expire_ms)
{
    uint64_t order;
    struct object *object = find(c, key, false, &order);
    bool is_present = object != NULL && object_is_present(object);
    if (expire_ms == CALL_KEEP_EXPIRE)
        expire_ms = is_present ? object_expire_ms(object) : CALL_NO_EXPIRE;
    if (c->is_broken || is_past(c, expire_ms)) {
        value_free(value);
        (void)call_delete(c, key);
        return;
    }
    (void)hot_set_value(c->hot, c->keyspace, order, key, object, value, expire_ms);
    changed(c);
}

bool call_delete(struct call *c, struct bytes key)
{
    uint64_t order;
    struct object *object = find(c, key, false, &order);
    if (c->is_broken || object == NULL || !object_is_present(object))
        return false;
    hot_delete(c->hot, c->keyspace, object);
    changed(c);
    return true;
}

void call_set_expire(struct call *c, struct bytes key, int64_t expire_ms)
{
    uint64_t order;
    struct object *object = find(c, key, false, &order);
    if (c->is_broken)
        return;
    ASSERT(object != NULL && object_is_present(object));
    if (is_past(c, expire_ms))
        hot_delete(c->hot, c->keyspace, object);
    else
        (void)hot_set_expire(c->hot, c->keyspace, object, expire_ms);
    changed(c);
}

void call_rename(struct call *c, struct bytes from, struct bytes to)
{
    uint64_t from_order, to_order;
    (void)call_delete(c, to);
    /* In this order: waiting for a cold key may release a tombstone, but no present object. */
    struct object *from_object = find(c, from, false, &from_order);
    struct object *to_object = find(c, to, false, &to_order);
    if (c->is_broken)
        return;
    ASSERT(from_object != NULL && object_is_present(from_object) && from_object != to_object);
    hot_rename(c->hot, c->keyspace, from_object, to_order, to, to_object);
    changed(c);
}

bool call_block(struct call *c, int64_t timeout_ms, struct bytes state)
{
    if (c->is_timed_out || c->in_transaction || c->block_state_out == NULL)
        return false;
    ASSERT(timeout_ms >= 0 && !c->has_failed && c->changes == 0);
    c->blocks = true;
    c->block_timeout_ms = timeout_ms;
    if (state.data != c->block_state_out->data || state.size == 0) {
        buf_clear(c->block_state_out);
        buf_append(c->block_state_out, state);
    }
    return true;
}

bool call_run_aside(struct call *c, struct call_aside *aside)
{
    ASSERT((c->command->flags & CMD_SUSPENDS) != 0);
    return c->env->run_aside(c, aside);
}

void call_notify(struct call *c, char event_class, const char *event, struct bytes key)
{
    c->env->notify(c, event_class, event, key);
}

int64_t call_expire_ms(const struct call *c, const struct object *object)
{
    (void)c;
    return object_expire_ms(object);
}

int64_t call_idle_seconds(const struct call *c, const struct object *object)
{
    uint32_t idle = c->hot->clock - object->access; /* in 2^16 us, as exec/ sets the clock */
    return (int64_t)(((uint64_t)idle << 16) / 1000000);
}

/* What was sent meanwhile leaves the front of the home's buffer while a run waits, so the reply of
 * a run that may wait is made beside it: positions in it stay what they are. */
static void run_beside(struct call *c)
{
    struct buf own = {0};
    struct buf *home = c->reply.out;
    c->reply.out = &own;
    c->command->function(c);
    c->reply.out = home;
    if (!c->is_broken)
        reply_take(&c->reply, &own);
    buf_free(&own);
}

void call_run(struct call *c)
{
    size_t begin = c->reply.out->size;
    bool may_wait = c->env->context != NULL;
    if (may_wait)
        run_beside(c);
    else
        c->command->function(c);
    if (!c->is_broken)
        return;
    c->is_broken = false;
    if (!may_wait)
        c->reply.out->size = begin;
    call_error(c, "IOERR a value could not be read from disk; see the log");
}
