/* COPY and MOVE: a value and its expiry into another key or another database. */
#include "commands/call.h"
#include "commands/generic_commands.h"
#include "keyspace/hot.h"

struct copy_options {
    bool replaces;
    int database; /* of the target */
};

static bool parse_database(struct call *c, int at, int *database)
{
    int64_t value;
    if (!call_int(c, at, &value))
        return false;
    if (value < INT32_MIN || value > INT32_MAX) {
        call_error(c, "ERR value is out of range, value must between -2147483648 and 2147483647");
        return false;
    }
    if (value < 0 || value >= HOT_DATABASES) {
        call_error(c, "ERR DB index is out of range");
        return false;
    }
    *database = (int)value;
    return true;
}

static bool parse_copy_options(struct call *c, struct copy_options *options)
{
    *options = (struct copy_options){.database = c->database};
    for (int i = 3; i < c->argc; i++) {
        if (call_is_word(c, i, "REPLACE")) {
            options->replaces = true;
        } else if (call_is_word(c, i, "DB") && i + 1 < c->argc) {
            if (!parse_database(c, ++i, &options->database))
                return false;
        } else {
            call_error_syntax(c);
            return false;
        }
    }
    return true;
}

static bool exists_in(struct call *c, int database, struct bytes key)
{
    int here = c->database;
    call_use_database(c, database);
    bool exists = call_find_head(c, key) != NULL;
    call_use_database(c, here);
    return exists;
}

enum copy_result { COPY_FAILED, COPY_NOTHING, COPY_DONE };

static enum copy_result copy_other(struct call *c, const struct object *object, int database,
                                   struct bytes to)
{
    const struct value *value = object_pointer(object);
    if (!call_reserve_value(c, value))
        return COPY_FAILED;
    int64_t expire_ms = call_expire_ms(c, object);
    struct value *copy = type_of(value->type)->copy(value);
    int here = c->database;
    call_use_database(c, database);
    call_set_value(c, to, copy, expire_ms);
    call_use_database(c, here);
    return COPY_DONE;
}

/* The value is taken out of its object first: putting it elsewhere may have to wait for the target,
 * and the source could be gone from memory when it goes on. call_reserve bounds what that costs. */
static enum copy_result copy_value(struct call *c, struct bytes from, int database, struct bytes to)
{
    char scratch[STRING_INT_TEXT_MAX];
    const struct object *object = call_find(c, from);
    if (object == NULL)
        return COPY_NOTHING;
    if (object->type != TYPE_STRING)
        return copy_other(c, object, database, to);
    struct bytes value = string_value(object, scratch);
    if (!call_reserve(c, from.size + to.size + value.size))
        return COPY_FAILED;
    int64_t expire_ms = call_expire_ms(c, object);
    struct buf copy = {0};
    buf_append(&copy, value);
    int here = c->database;
    call_use_database(c, database);
    call_set_string(c, to, buf_bytes(&copy), expire_ms);
    call_use_database(c, here);
    buf_free(&copy);
    return COPY_DONE;
}

static void notify_in(struct call *c, int database, const char *event, struct bytes key)
{
    int here = c->database;
    call_use_database(c, database);
    call_notify(c, 'g', event, key);
    call_use_database(c, here);
}

static void refuse_same(struct call *c)
{
    call_error(c, "ERR source and destination objects are the same");
}

void copy_copy(struct call *c)
{
    struct bytes from = c->argv[1], to = c->argv[2];
    struct copy_options options;
    if (!parse_copy_options(c, &options))
        return;
    if (options.database == c->database && bytes_equal(from, to)) {
        refuse_same(c);
        return;
    }
    if (!options.replaces && exists_in(c, options.database, to)) {
        reply_int(&c->reply, 0);
        return;
    }
    enum copy_result result = copy_value(c, from, options.database, to);
    if (result == COPY_DONE)
        notify_in(c, options.database, "copy_to", to);
    if (result != COPY_FAILED)
        reply_int(&c->reply, result == COPY_DONE ? 1 : 0);
}

void copy_move(struct call *c)
{
    struct bytes key = c->argv[1];
    int database;
    if (!parse_database(c, 2, &database))
        return;
    if (database == c->database) {
        refuse_same(c);
        return;
    }
    if (exists_in(c, database, key)) {
        reply_int(&c->reply, 0);
        return;
    }
    enum copy_result result = copy_value(c, key, database, key);
    if (result == COPY_FAILED)
        return;
    if (result == COPY_DONE && call_delete(c, key)) {
        call_notify(c, 'g', "move_from", key);
        notify_in(c, database, "move_to", key);
    }
    reply_int(&c->reply, result == COPY_DONE ? 1 : 0);
}
