/* Fields that die: HEXPIRE and its kin as Redis 7.4 has them, HGETEX, HSETEX, HGETDEL as 8.0.
 * Fields whose time is over are gone before a command here runs (commands/call.c). */
#include "commands/call.h"
#include "commands/expire_time.h"
#include "commands/hash_commands.h"
#include "types/hash.h"

enum { NO_FIELD = -2, NO_EXPIRY = -1, NOT_MET = 0, DONE = 1, DELETED = 2 };

/* FIELDS numfields field … at `at`; step 2 where values stand behind the fields. */
struct fields {
    int first;
    int count;
};

static bool parse_count(struct call *c, int at, int step, const char *not_positive,
                        struct fields *fields)
{
    int64_t count;
    if (!call_int_range(c, at, 1, INT32_MAX, &count, not_positive))
        return false;
    fields->first = at + 1;
    fields->count = (int)count;
    if (count * step == c->argc - fields->first)
        return true;
    call_error(c, "ERR The `numfields` parameter must match the number of arguments");
    return false;
}

static bool parse_fields(struct call *c, int at, int step, const char *not_positive,
                         struct fields *fields)
{
    if (call_is_word(c, at, "fields") && at + 1 < c->argc)
        return parse_count(c, at + 1, step, not_positive, fields);
    call_error(c, "ERR Mandatory argument FIELDS is missing or not at the right position");
    return false;
}

static const char *const NUM_FIELDS = "ERR Parameter `numFields` should be greater than 0";
static const char *const NUMBER_OF_FIELDS = "ERR Number of fields must be a positive integer";

static void reply_all(struct call *c, const struct fields *fields, int64_t code)
{
    reply_array(&c->reply, (size_t)fields->count);
    for (int i = 0; i < fields->count; i++)
        reply_int(&c->reply, code);
}

/* ---- HEXPIRE ---- */

enum condition { ALWAYS, IF_NONE, IF_SOME, IF_LATER, IF_EARLIER };

static enum condition parse_condition(const struct call *c, int at)
{
    static const char *const WORDS[] = {"nx", "xx", "gt", "lt"};
    for (int i = 0; i < 4; i++) {
        if (call_is_word(c, at, WORDS[i]))
            return (enum condition)(i + 1);
    }
    return ALWAYS;
}

static bool is_met(enum condition condition, int64_t old_ms, int64_t new_ms)
{
    switch (condition) {
    case ALWAYS:
        return true;
    case IF_NONE:
        return old_ms == 0;
    case IF_SOME:
        return old_ms != 0;
    case IF_LATER:
        return old_ms != 0 && new_ms > old_ms;
    case IF_EARLIER:
        return old_ms == 0 || new_ms < old_ms;
    }
    UNREACHABLE();
}

/* The field's value is copied: putting it again may move what it lies in. */
static void put_again(struct edit *edit, struct bytes field, struct bytes value, int64_t expire_ms)
{
    struct buf copy = {0};
    buf_append(&copy, value);
    (void)hash_put(edit, field, buf_bytes(&copy), expire_ms);
    buf_free(&copy);
}

static int expire_field(struct call *c, struct edit *edit, struct bytes field,
                        enum condition condition, int64_t expire_ms)
{
    struct hash_item item;
    if (!hash_get(edit->value, field, &item))
        return NO_FIELD;
    if (!is_met(condition, item.expire_ms, expire_ms))
        return NOT_MET;
    if (expire_ms <= c->now_ms) {
        (void)hash_remove(edit, field);
        return DELETED;
    }
    put_again(edit, field, item.value, expire_ms);
    return DONE;
}

static void expire_fields(struct call *c, const struct fields *fields, enum condition condition,
                          int64_t expire_ms)
{
    struct edit edit;
    int done = 0, deleted = 0;
    if (!call_edit(c, c->argv[1], TYPE_HASH, &edit))
        return;
    reply_array(&c->reply, (size_t)fields->count);
    for (int i = 0; i < fields->count; i++) {
        int code = expire_field(c, &edit, c->argv[fields->first + i], condition, expire_ms);
        done += code == DONE;
        deleted += code == DELETED;
        reply_int(&c->reply, code);
    }
    if (deleted > 0)
        call_notify(c, 'h', "hdel", c->argv[1]);
    if (done > 0)
        call_notify(c, 'h', "hexpire", c->argv[1]);
    call_edit_end(c, c->argv[1], &edit, done + deleted > 0);
}

static void expire(struct call *c, enum expire_unit unit, enum expire_base base)
{
    int64_t argument, expire_ms;
    struct fields fields;
    const struct value *hash;
    if (!call_int_range(c, 2, INT64_MIN, INT64_MAX, &argument, NULL))
        return;
    if (argument < 0) {
        call_error(c, "ERR invalid expire time, must be >= 0");
        return;
    }
    if (!expire_time(c, 2, unit, base, &expire_ms))
        return;
    enum condition condition = parse_condition(c, 3);
    if (!parse_fields(c, condition == ALWAYS ? 3 : 4, 1, NUM_FIELDS, &fields) ||
        !call_find_value(c, c->argv[1], TYPE_HASH, &hash))
        return;
    if (hash == NULL)
        reply_all(c, &fields, NO_FIELD);
    else
        expire_fields(c, &fields, condition, expire_ms);
}

void hash_hexpire(struct call *c)
{
    expire(c, EXPIRE_SECONDS, EXPIRE_FROM_NOW);
}

void hash_hpexpire(struct call *c)
{
    expire(c, EXPIRE_MILLISECONDS, EXPIRE_FROM_NOW);
}

void hash_hexpireat(struct call *c)
{
    expire(c, EXPIRE_SECONDS, EXPIRE_FROM_EPOCH);
}

void hash_hpexpireat(struct call *c)
{
    expire(c, EXPIRE_MILLISECONDS, EXPIRE_FROM_EPOCH);
}

/* ---- HTTL, HEXPIRETIME ---- */

static void tell(struct call *c, bool is_relative, bool is_seconds)
{
    struct fields fields;
    const struct value *hash;
    if (!parse_fields(c, 2, 1, NUMBER_OF_FIELDS, &fields) ||
        !call_find_value(c, c->argv[1], TYPE_HASH, &hash))
        return;
    if (hash == NULL) {
        reply_all(c, &fields, NO_FIELD);
        return;
    }
    reply_array(&c->reply, (size_t)fields.count);
    for (int i = 0; i < fields.count; i++) {
        struct hash_item item;
        bool is_there = hash_get(hash, c->argv[fields.first + i], &item);
        int64_t time_ms = !is_there ? 0 : is_relative ? item.expire_ms - c->now_ms : item.expire_ms;
        if (!is_there || item.expire_ms == 0)
            reply_int(&c->reply, is_there ? NO_EXPIRY : NO_FIELD);
        else
            reply_int(&c->reply, is_seconds ? (time_ms + 999) / 1000 : time_ms);
    }
}

void hash_httl(struct call *c)
{
    tell(c, true, true);
}

void hash_hpttl(struct call *c)
{
    tell(c, true, false);
}

void hash_hexpiretime(struct call *c)
{
    tell(c, false, true);
}

void hash_hpexpiretime(struct call *c)
{
    tell(c, false, false);
}

/* ---- HPERSIST ---- */

static int persist_field(struct edit *edit, struct bytes field)
{
    struct hash_item item;
    if (!hash_get(edit->value, field, &item))
        return NO_FIELD;
    if (item.expire_ms == 0)
        return NO_EXPIRY;
    put_again(edit, field, item.value, 0);
    return DONE;
}

void hash_hpersist(struct call *c)
{
    struct fields fields;
    const struct value *hash;
    struct edit edit;
    int done = 0;
    if (!parse_fields(c, 2, 1, NUMBER_OF_FIELDS, &fields) ||
        !call_find_value(c, c->argv[1], TYPE_HASH, &hash))
        return;
    if (hash == NULL) {
        reply_all(c, &fields, NO_FIELD);
        return;
    }
    if (!call_edit(c, c->argv[1], TYPE_HASH, &edit))
        return;
    reply_array(&c->reply, (size_t)fields.count);
    for (int i = 0; i < fields.count; i++) {
        int code = persist_field(&edit, c->argv[fields.first + i]);
        done += code == DONE;
        reply_int(&c->reply, code);
    }
    call_edit_end(c, c->argv[1], &edit, done > 0);
    if (done > 0)
        call_notify(c, 'h', "hpersist", c->argv[1]);
}

/* ---- HGETEX, HSETEX, HGETDEL ---- */

struct life {
    bool is_given;
    bool keeps; /* KEEPTTL, PERSIST */
    int64_t expire_ms;
};

/* EX, PX, EXAT, PXAT with their argument, or the word that stands alone; *at moves behind. False
 * after an error; is_given stays false when it is something else. */
static bool parse_life(struct call *c, int *at, const char *alone, struct life *life)
{
    static const struct {
        const char *word;
        enum expire_unit unit;
        enum expire_base base;
    } WORDS[] = {{"ex", EXPIRE_SECONDS, EXPIRE_FROM_NOW},
                 {"px", EXPIRE_MILLISECONDS, EXPIRE_FROM_NOW},
                 {"exat", EXPIRE_SECONDS, EXPIRE_FROM_EPOCH},
                 {"pxat", EXPIRE_MILLISECONDS, EXPIRE_FROM_EPOCH}};
    *life = (struct life){0};
    if (call_is_word(c, *at, alone)) {
        *life = (struct life){.is_given = true, .keeps = true};
        *at += 1;
    }
    for (size_t i = 0; i < COUNT_OF(WORDS) && !life->is_given; i++) {
        if (!call_is_word(c, *at, WORDS[i].word) || *at + 1 >= c->argc)
            continue;
        if (!expire_time_positive(c, *at + 1, WORDS[i].unit, WORDS[i].base, &life->expire_ms))
            return false;
        life->is_given = true;
        *at += 2;
    }
    return true;
}

static void reply_value(struct call *c, const struct value *hash, struct bytes field)
{
    struct hash_item item;
    if (hash != NULL && hash_get(hash, field, &item))
        reply_bulk(&c->reply, item.value);
    else
        reply_null(&c->reply);
}

static void reply_values(struct call *c, const struct value *hash, const struct fields *fields)
{
    reply_array(&c->reply, (size_t)fields->count);
    for (int i = 0; i < fields->count; i++)
        reply_value(c, hash, c->argv[fields->first + i]);
}

/* Gives each field that is there its new time; true when anything changed. */
static bool relive_fields(struct call *c, struct edit *edit, const struct fields *fields,
                          const struct life *life, int *deleted)
{
    bool has_changed = false;
    for (int i = 0; i < fields->count; i++) {
        struct bytes field = c->argv[fields->first + i];
        struct hash_item item;
        if (!hash_get(edit->value, field, &item) || (life->keeps && item.expire_ms == 0))
            continue;
        has_changed = true;
        if (!life->keeps && life->expire_ms <= c->now_ms)
            *deleted += hash_remove(edit, field);
        else
            put_again(edit, field, item.value, life->keeps ? 0 : life->expire_ms);
    }
    return has_changed;
}

void hash_hgetex(struct call *c)
{
    struct life life;
    struct fields fields;
    const struct value *hash;
    struct edit edit;
    int at = 2, deleted = 0;
    if (!parse_life(c, &at, "persist", &life) ||
        !parse_fields(c, at, 1, NUMBER_OF_FIELDS, &fields) ||
        !call_find_value(c, c->argv[1], TYPE_HASH, &hash))
        return;
    if (hash == NULL || !life.is_given) {
        reply_values(c, hash, &fields);
        return;
    }
    if (!call_edit(c, c->argv[1], TYPE_HASH, &edit))
        return;
    reply_values(c, edit.value, &fields);
    bool has_changed = relive_fields(c, &edit, &fields, &life, &deleted);
    const char *event = life.keeps ? "hpersist" : deleted > 0 ? "hdel" : "hexpire";
    if (has_changed)
        call_notify(c, 'h', event, c->argv[1]);
    call_edit_end(c, c->argv[1], &edit, has_changed);
}

void hash_hgetdel(struct call *c)
{
    struct fields fields;
    const struct value *hash;
    struct edit edit;
    int removed = 0;
    if (!parse_fields(c, 2, 1, NUMBER_OF_FIELDS, &fields) ||
        !call_find_value(c, c->argv[1], TYPE_HASH, &hash))
        return;
    if (hash == NULL) {
        reply_values(c, NULL, &fields);
        return;
    }
    if (!call_edit(c, c->argv[1], TYPE_HASH, &edit))
        return;
    reply_array(&c->reply, (size_t)fields.count);
    for (int i = 0; i < fields.count; i++) {
        reply_value(c, edit.value, c->argv[fields.first + i]);
        removed += edit.value->count > 0 && hash_remove(&edit, c->argv[fields.first + i]);
    }
    if (removed > 0)
        call_notify(c, 'h', "hdel", c->argv[1]);
    call_edit_end(c, c->argv[1], &edit, removed > 0);
}

enum all_or_none { ANY_FIELDS, NO_FIELDS, ALL_FIELDS };

static bool fields_are(const struct call *c, const struct value *hash, const struct fields *fields,
                       enum all_or_none wanted)
{
    struct hash_item item;
    for (int i = 0; i < fields->count && wanted != ANY_FIELDS; i++) {
        bool is_there = hash != NULL && hash_get(hash, c->argv[fields->first + 2 * i], &item);
        if (is_there != (wanted == ALL_FIELDS))
            return false;
    }
    return true;
}

/* The words before FIELDS, in any order, each kind once. */
static bool parse_setex(struct call *c, struct life *life, enum all_or_none *wanted,
                        struct fields *fields)
{
    int at = 2;
    *life = (struct life){0};
    *wanted = ANY_FIELDS;
    while (at < c->argc && !call_is_word(c, at, "fields")) {
        struct life one;
        if (!parse_life(c, &at, "keepttl", &one))
            return false;
        bool is_condition = !one.is_given && *wanted == ANY_FIELDS &&
                            (call_is_word(c, at, "fnx") || call_is_word(c, at, "fxx"));
        if (is_condition) {
            *wanted = call_is_word(c, at, "fnx") ? NO_FIELDS : ALL_FIELDS;
            at++;
        } else if (one.is_given && !life->is_given) {
            *life = one;
        } else {
            call_error_syntax(c);
            return false;
        }
    }
    return parse_fields(c, at, 2, NUMBER_OF_FIELDS, fields);
}

static void set_fields(struct call *c, struct edit *edit, const struct fields *fields,
                       const struct life *life)
{
    int64_t expire_ms = life->keeps ? HASH_KEEP_EXPIRE : life->expire_ms;
    bool is_over = life->is_given && !life->keeps && life->expire_ms <= c->now_ms;
    for (int i = 0; i < fields->count; i++) {
        struct bytes field = c->argv[fields->first + 2 * i];
        if (is_over)
            (void)hash_remove(edit, field);
        else
            (void)hash_put(edit, field, c->argv[fields->first + 2 * i + 1], expire_ms);
    }
    call_notify(c, 'h', is_over ? "hdel" : "hset", c->argv[1]);
    if (life->is_given && !life->keeps && !is_over)
        call_notify(c, 'h', "hexpire", c->argv[1]);
}

void hash_hsetex(struct call *c)
{
    struct life life;
    struct fields fields;
    enum all_or_none wanted;
    const struct value *hash;
    struct edit edit;
    if (!parse_setex(c, &life, &wanted, &fields) ||
        !call_find_value(c, c->argv[1], TYPE_HASH, &hash))
        return;
    if (!fields_are(c, hash, &fields, wanted)) {
        reply_int(&c->reply, 0);
        return;
    }
    if (!call_edit(c, c->argv[1], TYPE_HASH, &edit))
        return;
    set_fields(c, &edit, &fields, &life);
    call_edit_end(c, c->argv[1], &edit, true);
    reply_int(&c->reply, 1);
}
