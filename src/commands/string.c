/* GET, SET and their kin: commands on whole values. */
#include "commands/expire_time.h"
#include "commands/string_commands.h"
#include "commands/string_condition.h"

void string_reply_value(struct call *c, const struct object *object)
{
    char scratch[STRING_INT_TEXT_MAX];
    if (object == NULL)
        reply_null(&c->reply);
    else
        reply_bulk(&c->reply, string_value(object, scratch));
}

void string_get(struct call *c)
{
    struct object *object;
    if (call_find_string(c, c->argv[1], &object))
        string_reply_value(c, object);
}

/* What an option says about the life of the value: at most one of these, though it may be repeated.
 */
enum life {
    LIFE_UNSAID,
    LIFE_EX,
    LIFE_PX,
    LIFE_EXAT,
    LIFE_PXAT,
    LIFE_KEEP,
    LIFE_PERSIST,
};

struct set_options {
    bool must_be_absent;
    bool must_exist;
    bool wants_old;
    struct string_condition condition;
    enum life life;
    int time_at;       /* position of the time; 0: there is none */
    int64_t expire_ms; /* absolute when time_at > 0 */
};

static bool choose_life(struct set_options *options, enum life life)
{
    if (options->life != LIFE_UNSAID && options->life != life)
        return false;
    options->life = life;
    return true;
}

/* EX PX EXAT PXAT with their argument: the position after it, or 0 when this is no such option. */
static int parse_time_option(const struct call *c, int at, struct set_options *options)
{
    static const struct {
        const char *word;
        enum life life;
    } words[] = {{"EX", LIFE_EX}, {"PX", LIFE_PX}, {"EXAT", LIFE_EXAT}, {"PXAT", LIFE_PXAT}};
    if (at + 1 >= c->argc)
        return 0;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!call_is_word(c, at, words[i].word))
            continue;
        options->time_at = at + 1;
        return choose_life(options, words[i].life) ? at + 2 : 0;
    }
    return 0;
}

/* NX, XX and the comparisons exclude each other. */
static bool has_one_condition(const struct set_options *options)
{
    return options->must_be_absent + options->must_exist + (options->condition.kind != 0) <= 1;
}

/* The functions below: the position after the option, or 0 when this is none. */
static int parse_existence(const struct call *c, int at, struct set_options *options)
{
    if (call_is_word(c, at, "NX"))
        options->must_be_absent = true;
    else if (call_is_word(c, at, "XX"))
        options->must_exist = true;
    else
        return 0;
    return has_one_condition(options) ? at + 1 : 0;
}

static int parse_msetex_word(const struct call *c, int at, struct set_options *options)
{
    if (call_is_word(c, at, "KEEPTTL"))
        return choose_life(options, LIFE_KEEP) ? at + 1 : 0;
    return parse_existence(c, at, options);
}

static int parse_set_word(const struct call *c, int at, struct set_options *options)
{
    if (call_is_word(c, at, "GET")) {
        options->wants_old = true;
        return at + 1;
    }
    if (options->condition.kind == 0 && string_condition_parse(c, at, &options->condition))
        return has_one_condition(options) ? at + 2 : 0;
    return parse_msetex_word(c, at, options);
}

static int parse_getex_word(const struct call *c, int at, struct set_options *options)
{
    bool is_persist = call_is_word(c, at, "PERSIST");
    return is_persist && choose_life(options, LIFE_PERSIST) ? at + 1 : 0;
}

/* Options from argument `at` on: times here, other words by parse_word. Replies on false. */
static bool parse_options(struct call *c, int at, struct set_options *options,
                          int (*parse_word)(const struct call *, int, struct set_options *))
{
    *options = (struct set_options){.life = LIFE_UNSAID};
    while (at < c->argc) {
        int next = parse_time_option(c, at, options);
        if (next == 0)
            next = parse_word(c, at, options);
        if (next == 0) {
            call_error_syntax(c);
            return false;
        }
        at = next;
    }
    return true;
}

static bool parse_time(struct call *c, struct set_options *options)
{
    if (options->time_at == 0)
        return true;
    bool in_seconds = options->life == LIFE_EX || options->life == LIFE_EXAT;
    bool is_relative = options->life == LIFE_EX || options->life == LIFE_PX;
    return expire_time_positive(
        c, options->time_at, in_seconds ? EXPIRE_SECONDS : EXPIRE_MILLISECONDS,
        is_relative ? EXPIRE_FROM_NOW : EXPIRE_FROM_EPOCH, &options->expire_ms);
}

/* Room in the entry for a key and its value, before anything is changed. */
static bool reserve(struct call *c, struct bytes key, struct bytes value)
{
    return call_reserve(c, key.size + value.size);
}

/* The new value takes the place of whatever there was. expire_ms as of call_set_string. */
static void store(struct call *c, struct bytes key, struct bytes value, int64_t expire_ms)
{
    call_set_string(c, key, value, expire_ms);
    call_notify(c, '$', "set", key);
    if (expire_ms > 0)
        call_notify(c, 'g', "expire", key);
    if (expire_ms > 0 && expire_ms <= c->now_ms) /* EXAT, PXAT: call_set_string deleted it */
        call_notify(c, 'x', "expired", key);
}

static int64_t expire_of(const struct set_options *options)
{
    if (options->time_at > 0)
        return options->expire_ms;
    return options->life == LIFE_KEEP ? CALL_KEEP_EXPIRE : CALL_NO_EXPIRE;
}

/* *old is the old value when it is wanted; *is_allowed whether the conditions let the key be set.
 * Replies on false. A key is looked up only when an option asks. */
static bool find_old(struct call *c, const struct set_options *options, struct object **old,
                     bool *is_allowed)
{
    struct bytes key = c->argv[1];
    *old = NULL;
    *is_allowed = true;
    bool compares = options->condition.kind != 0;
    if ((options->wants_old || compares) && !call_find_string(c, key, old))
        return false;
    if (compares)
        *is_allowed = string_condition_holds(&options->condition, *old);
    if (!options->must_be_absent && !options->must_exist)
        return true;
    bool exists = (options->wants_old ? *old : call_find_head(c, key)) != NULL;
    *is_allowed = options->must_be_absent ? !exists : exists;
    return true;
}

void string_set(struct call *c)
{
    struct set_options options;
    struct object *old;
    bool is_allowed;
    if (!parse_options(c, 3, &options, parse_set_word) || !parse_time(c, &options) ||
        !string_condition_check(c, &options.condition))
        return;
    if (!find_old(c, &options, &old, &is_allowed))
        return;
    if (is_allowed && !reserve(c, c->argv[1], c->argv[2]))
        return;
    if (options.wants_old)
        string_reply_value(c, old);
    else if (is_allowed)
        reply_ok(&c->reply);
    else
        reply_null(&c->reply);
    if (is_allowed)
        store(c, c->argv[1], c->argv[2], expire_of(&options));
}

bool string_set_needs_value(const struct bytes *argv, int argc)
{
    for (int i = 3; i < argc; i++) {
        if (bytes_is_word(argv[i], "GET") || string_condition_is_word(argv[i]))
            return true;
    }
    return false;
}

uint32_t string_set_key_flags(const struct bytes *argv, int argc)
{
    return string_set_needs_value(argv, argc) ? KEY_RW | KEY_ACCESS | KEY_UPDATE
                                              : KEY_OW | KEY_UPDATE;
}

void string_setnx(struct call *c)
{
    bool exists = call_find_head(c, c->argv[1]) != NULL;
    if (!exists && !reserve(c, c->argv[1], c->argv[2]))
        return;
    if (!exists)
        store(c, c->argv[1], c->argv[2], CALL_NO_EXPIRE);
    reply_int(&c->reply, exists ? 0 : 1);
}

static void set_with_life(struct call *c, enum expire_unit unit)
{
    int64_t expire_ms;
    if (!expire_time_positive(c, 2, unit, EXPIRE_FROM_NOW, &expire_ms))
        return;
    if (!reserve(c, c->argv[1], c->argv[3]))
        return;
    store(c, c->argv[1], c->argv[3], expire_ms);
    reply_ok(&c->reply);
}

void string_setex(struct call *c)
{
    set_with_life(c, EXPIRE_SECONDS);
}

void string_psetex(struct call *c)
{
    set_with_life(c, EXPIRE_MILLISECONDS);
}

void string_getset(struct call *c)
{
    struct object *old;
    if (!call_find_string(c, c->argv[1], &old) || !reserve(c, c->argv[1], c->argv[2]))
        return;
    string_reply_value(c, old);
    store(c, c->argv[1], c->argv[2], CALL_NO_EXPIRE);
}

void string_getdel(struct call *c)
{
    struct object *object;
    if (!call_find_string(c, c->argv[1], &object) || !call_reserve(c, c->argv[1].size))
        return;
    string_reply_value(c, object);
    if (object != NULL && call_delete(c, c->argv[1]))
        call_notify(c, 'g', "del", c->argv[1]);
}

/* Only an absolute time can already be over: a relative one is at least 1 ms from now. */
static void change_life(struct call *c, const struct object *object,
                        const struct set_options *options)
{
    struct bytes key = c->argv[1];
    if (options->time_at > 0) {
        bool is_over = options->expire_ms <= c->now_ms;
        call_set_expire(c, key, options->expire_ms);
        call_notify(c, 'g', is_over ? "del" : "expire", key);
    } else if (options->life == LIFE_PERSIST && call_expire_ms(c, object) != 0) {
        call_set_expire(c, key, CALL_NO_EXPIRE);
        call_notify(c, 'g', "persist", key);
    }
}

void string_getex(struct call *c)
{
    struct set_options options;
    struct object *object;
    if (!parse_options(c, 2, &options, parse_getex_word))
        return;
    if (!call_find_string(c, c->argv[1], &object))
        return;
    if (object != NULL && !parse_time(c, &options))
        return;
    if (!call_reserve(c, c->argv[1].size + STRING_INLINE_MAX)) /* a new life rewrites the K row */
        return;
    string_reply_value(c, object);
    if (object != NULL)
        change_life(c, object, &options);
}

void string_mget(struct call *c)
{
    reply_array(&c->reply, (size_t)(c->argc - 1));
    for (int i = 1; i < c->argc; i++) {
        const struct object *object = call_find(c, c->argv[i]);
        bool is_string = object != NULL && object->type == TYPE_STRING;
        string_reply_value(c, is_string ? object : NULL);
    }
}

/* Room for pairs of key and value from argument `at` to before `end`, all in one entry. */
static bool reserve_pairs(struct call *c, int at, int end)
{
    enum { ROW_SIZE = 64 }; /* about what a row takes besides key and value */
    size_t size = 0;
    for (; at < end; at += 2)
        size += c->argv[at].size + c->argv[at + 1].size + ROW_SIZE;
    return call_reserve(c, size);
}

static bool check_pairs(struct call *c)
{
    if (c->argc % 2 == 0) {
        call_error(c, "ERR wrong number of arguments for '%s' command", c->command->name);
        return false;
    }
    return reserve_pairs(c, 1, c->argc);
}

static void store_pairs(struct call *c, int at, int end, int64_t expire_ms)
{
    for (; at < end; at += 2)
        store(c, c->argv[at], c->argv[at + 1], expire_ms);
}

void string_mset(struct call *c)
{
    if (!check_pairs(c))
        return;
    store_pairs(c, 1, c->argc, CALL_NO_EXPIRE);
    reply_ok(&c->reply);
}

void string_msetnx(struct call *c)
{
    if (!check_pairs(c))
        return;
    for (int i = 1; i < c->argc; i += 2) {
        if (call_find_head(c, c->argv[i]) != NULL) {
            reply_int(&c->reply, 0);
            return;
        }
    }
    store_pairs(c, 1, c->argc, CALL_NO_EXPIRE);
    reply_int(&c->reply, 1);
}

/* ---- MSETEX: of Redis 8.4 and Valkey 9.1, redis.io/docs/latest/commands/msetex ---- */

/* The position after the pairs. Replies on 0. */
static int parse_pair_count(struct call *c)
{
    int64_t count;
    if (!call_int_range(c, 1, 1, INT32_MAX, &count, "ERR invalid numkeys value"))
        return 0;
    if (count <= (c->argc - 2) / 2)
        return 2 + 2 * (int)count;
    call_error(c, "ERR wrong number of key-value pairs");
    return 0;
}

/* NX: none of the keys exists; XX: all do. */
static bool pairs_are_allowed(struct call *c, int end, const struct set_options *options)
{
    if (!options->must_be_absent && !options->must_exist)
        return true;
    for (int i = 2; i < end; i += 2) {
        bool exists = call_find_head(c, c->argv[i]) != NULL;
        if (exists != options->must_exist)
            return false;
    }
    return true;
}

void string_msetex(struct call *c)
{
    struct set_options options;
    int end = parse_pair_count(c);
    if (end == 0 || !parse_options(c, end, &options, parse_msetex_word) ||
        !parse_time(c, &options) || !reserve_pairs(c, 2, end))
        return;
    bool is_allowed = pairs_are_allowed(c, end, &options);
    if (is_allowed)
        store_pairs(c, 2, end, expire_of(&options));
    reply_int(&c->reply, is_allowed);
}
