#include "model.h"

#include "base/number.h"

enum { LONG_NAME_EACH = 5, LONG_NAME_SIZE = 300 };

/* One command under way. */
struct at_work {
    struct model *model;
    const struct bytes *argv;
    int argc;
    int64_t now_ms;
    struct buf *reply;
};

/* ---- keys ---- */

void model_init(struct model *model, int first_database, int tags)
{
    ASSERT(tags > 0 && tags <= MODEL_TAGS_MAX);
    *model = (struct model){
        .first_database = first_database, .key_count = tags * MODEL_PARTS, .watched = MODEL_NO_KEY};
}

static void key_clear(struct model_key *key)
{
    buf_free(&key->value);
    *key = (struct model_key){0};
}

void model_fini(struct model *model)
{
    for (int db = 0; db < MODEL_DATABASES; db++) {
        for (int key = 0; key < model->key_count; key++)
            key_clear(&model->keys[db][key]);
    }
}

void model_key_copy(struct model_key *to, const struct model_key *from)
{
    to->is_present = from->is_present;
    to->expire_ms = from->expire_ms;
    buf_clear(&to->value);
    buf_append(&to->value, buf_bytes(&from->value));
}

void model_copy(struct model *to, const struct model *from)
{
    ASSERT(to->key_count == from->key_count);
    for (int db = 0; db < MODEL_DATABASES; db++) {
        for (int key = 0; key < from->key_count; key++)
            model_key_copy(&to->keys[db][key], &from->keys[db][key]);
    }
    to->database = from->database;
    to->watched = from->watched;
    to->is_dirty = from->is_dirty;
}

bool model_keys_equal(const struct model_key *a, const struct model_key *b)
{
    if (!a->is_present || !b->is_present)
        return a->is_present == b->is_present;
    return a->expire_ms == b->expire_ms && bytes_equal(buf_bytes(&a->value), buf_bytes(&b->value));
}

struct bytes model_key_name(int key, char *name)
{
    struct buf text = {0};
    buf_printf(&text, "{%d}%d", key / MODEL_PARTS, key % MODEL_PARTS);
    if (key / MODEL_PARTS % LONG_NAME_EACH == LONG_NAME_EACH - 1)
        memset(buf_extend(&text, LONG_NAME_SIZE), 'x', LONG_NAME_SIZE);
    ASSERT(text.size <= MODEL_KEY_NAME_MAX);
    memcpy(name, text.data, text.size);
    struct bytes result = bytes_of(name, text.size);
    buf_free(&text);
    return result;
}

int model_key_of(struct bytes name)
{
    int tag = 0;
    size_t at = 1;
    if (name.size < 4 || name.data[0] != '{')
        return MODEL_NO_KEY;
    for (; at < name.size && name.data[at] >= '0' && name.data[at] <= '9' && tag < 1000; at++)
        tag = tag * 10 + (name.data[at] - '0');
    if (at + 1 >= name.size || name.data[at] != '}' || tag >= MODEL_TAGS_MAX)
        return MODEL_NO_KEY;
    int part = name.data[at + 1] - '0';
    return part >= 0 && part < MODEL_PARTS ? tag * MODEL_PARTS + part : MODEL_NO_KEY;
}

static bool is_alive(const struct model_key *key, int64_t now_ms)
{
    return key->is_present && (key->expire_ms == 0 || key->expire_ms > now_ms);
}

int64_t model_count_alive(const struct model *model, int64_t now_ms)
{
    int64_t count = 0;
    for (int key = 0; key < model->key_count; key++)
        count += is_alive(&model->keys[model->database][key], now_ms);
    return count;
}

/* The key that an argument names, gone when its time is over. */
static struct model_key *key_at(struct at_work *w, int position)
{
    int number = model_key_of(w->argv[position]);
    ASSERT(number != MODEL_NO_KEY && number < w->model->key_count);
    struct model_key *key = &w->model->keys[w->model->database][number];
    if (key->is_present && !is_alive(key, w->now_ms))
        key_clear(key);
    return key;
}

static bool is_word(const struct at_work *w, int position, const char *word)
{
    return position < w->argc && bytes_is_word(w->argv[position], word);
}

static int64_t number_at(const struct at_work *w, int position)
{
    int64_t number = 0;
    bool is_number = number_parse_i64(w->argv[position], &number);
    ASSERT(is_number);
    return number;
}

/* ---- replies ---- */

static void say(struct at_work *w, const char *text)
{
    buf_append_string(w->reply, text);
}

static void say_int(struct at_work *w, int64_t number)
{
    buf_printf(w->reply, ":%lld\r\n", (long long)number);
}

static void say_bulk(struct at_work *w, struct bytes value)
{
    buf_printf(w->reply, "$%zu\r\n", value.size);
    buf_append(w->reply, value);
    say(w, "\r\n");
}

static void say_value(struct at_work *w, const struct model_key *key)
{
    if (key->is_present)
        say_bulk(w, buf_bytes(&key->value));
    else
        say(w, "$-1\r\n");
}

/* ---- changing ---- */

static void touched(struct at_work *w, const struct model_key *key)
{
    if (w->model->watched != MODEL_NO_KEY &&
        key == &w->model->keys[w->model->database][w->model->watched])
        w->model->is_dirty = true;
}

static void put(struct at_work *w, struct model_key *key, struct bytes value, int64_t expire_ms)
{
    struct buf copy = {0};
    buf_append(&copy, value);
    key_clear(key);
    key->value = copy;
    key->is_present = true;
    key->expire_ms = expire_ms;
    touched(w, key);
}

static void drop(struct at_work *w, struct model_key *key)
{
    touched(w, key);
    key_clear(key);
}

static void put_int(struct at_work *w, struct model_key *key, int64_t number)
{
    char text[NUMBER_INTEGER_SIZE_MAX];
    put(w, key, bytes_of(text, number_format_i64(text, number)), key->expire_ms);
}

static void write_at(struct at_work *w, struct model_key *key, size_t offset, struct bytes bytes)
{
    size_t end = offset + bytes.size;
    if (end > key->value.size) {
        size_t more = end - key->value.size;
        memset(buf_extend(&key->value, more), 0, more);
    }
    if (bytes.size > 0)
        memcpy(key->value.data + offset, bytes.data, bytes.size);
    key->is_present = true;
    touched(w, key);
}

/* ---- commands ---- */

static void run_get(struct at_work *w)
{
    say_value(w, key_at(w, 1));
}

static void run_set(struct at_work *w)
{
    struct model_key *key = key_at(w, 1);
    bool nx = false, xx = false, get = false, keep = false;
    int64_t expire_ms = 0;
    for (int at = 3; at < w->argc; at++) {
        nx |= is_word(w, at, "NX");
        xx |= is_word(w, at, "XX");
        get |= is_word(w, at, "GET");
        keep |= is_word(w, at, "KEEPTTL");
        if (is_word(w, at, "PXAT"))
            expire_ms = number_at(w, ++at);
    }
    bool is_refused = (nx && key->is_present) || (xx && !key->is_present);
    if (get)
        say_value(w, key);
    else
        say(w, is_refused ? "$-1\r\n" : "+OK\r\n");
    if (!is_refused)
        put(w, key, w->argv[2], keep ? key->expire_ms : expire_ms);
}

static void run_setnx(struct at_work *w)
{
    struct model_key *key = key_at(w, 1);
    say_int(w, !key->is_present);
    if (!key->is_present)
        put(w, key, w->argv[2], 0);
}

static void run_getset(struct at_work *w)
{
    struct model_key *key = key_at(w, 1);
    say_value(w, key);
    put(w, key, w->argv[2], 0);
}

static void run_getdel(struct at_work *w)
{
    struct model_key *key = key_at(w, 1);
    say_value(w, key);
    if (key->is_present)
        drop(w, key);
}

static void run_getex(struct at_work *w)
{
    struct model_key *key = key_at(w, 1);
    say_value(w, key);
    if (!key->is_present)
        return;
    if (is_word(w, 2, "PERSIST"))
        key->expire_ms = 0;
    else if (is_word(w, 2, "PXAT"))
        key->expire_ms = number_at(w, 3);
    touched(w, key);
}

static void run_append(struct at_work *w)
{
    struct model_key *key = key_at(w, 1);
    write_at(w, key, key->value.size, w->argv[2]);
    say_int(w, (int64_t)key->value.size);
}

static void run_setrange(struct at_work *w)
{
    struct model_key *key = key_at(w, 1);
    if (w->argv[3].size > 0)
        write_at(w, key, (size_t)number_at(w, 2), w->argv[3]);
    say_int(w, (int64_t)key->value.size);
}

static void run_getrange(struct at_work *w)
{
    const struct model_key *key = key_at(w, 1);
    int64_t size = (int64_t)key->value.size;
    int64_t from = number_at(w, 2);
    int64_t to = number_at(w, 3);
    bool is_backwards = from < 0 && to < 0 && from > to;
    from = from < 0 ? from + size : from;
    to = to < 0 ? to + size : to;
    from = from < 0 ? 0 : from;
    to = to < 0 ? 0 : to >= size ? size - 1 : to;
    if (size == 0 || is_backwards || from > to)
        say_bulk(w, bytes_of(NULL, 0));
    else
        say_bulk(w, bytes_of(key->value.data + from, (size_t)(to - from + 1)));
}

static void run_strlen(struct at_work *w)
{
    say_int(w, (int64_t)key_at(w, 1)->value.size);
}

static void run_incrby(struct at_work *w)
{
    struct model_key *key = key_at(w, 1);
    int64_t number = 0;
    if (key->is_present && !number_parse_i64(buf_bytes(&key->value), &number)) {
        say(w, "-ERR value is not an integer or out of range\r\n");
        return;
    }
    number += number_at(w, 2);
    put_int(w, key, number);
    say_int(w, number);
}

static void run_mset(struct at_work *w)
{
    for (int at = 1; at + 1 < w->argc; at += 2)
        put(w, key_at(w, at), w->argv[at + 1], 0);
    say(w, "+OK\r\n");
}

static void run_msetnx(struct at_work *w)
{
    bool exists = false;
    for (int at = 1; at + 1 < w->argc; at += 2)
        exists |= key_at(w, at)->is_present;
    for (int at = 1; at + 1 < w->argc && !exists; at += 2)
        put(w, key_at(w, at), w->argv[at + 1], 0);
    say_int(w, !exists);
}

static void run_mget(struct at_work *w)
{
    buf_printf(w->reply, "*%d\r\n", w->argc - 1);
    for (int at = 1; at < w->argc; at++)
        say_value(w, key_at(w, at));
}

static void run_del(struct at_work *w)
{
    int64_t count = 0;
    for (int at = 1; at < w->argc; at++) {
        struct model_key *key = key_at(w, at);
        count += key->is_present;
        if (key->is_present)
            drop(w, key);
    }
    say_int(w, count);
}

static void run_exists(struct at_work *w)
{
    int64_t count = 0;
    for (int at = 1; at < w->argc; at++)
        count += key_at(w, at)->is_present;
    say_int(w, count);
}

static void run_type(struct at_work *w)
{
    say(w, key_at(w, 1)->is_present ? "+string\r\n" : "+none\r\n");
}

static void run_pexpireat(struct at_work *w)
{
    struct model_key *key = key_at(w, 1);
    say_int(w, key->is_present);
    if (!key->is_present)
        return;
    touched(w, key);
    key->expire_ms = number_at(w, 2);
    if (!is_alive(key, w->now_ms) || key->expire_ms <= 1)
        key_clear(key);
}

static void run_persist(struct at_work *w)
{
    struct model_key *key = key_at(w, 1);
    bool has_expire = key->is_present && key->expire_ms != 0;
    say_int(w, has_expire);
    if (has_expire)
        touched(w, key);
    key->expire_ms = 0;
}

static void run_pexpiretime(struct at_work *w)
{
    const struct model_key *key = key_at(w, 1);
    say_int(w, !key->is_present ? -2 : key->expire_ms == 0 ? -1 : key->expire_ms);
}

static void move_value(struct at_work *w, struct model_key *from, struct model_key *to)
{
    put(w, to, buf_bytes(&from->value), from->expire_ms);
}

static void run_rename(struct at_work *w)
{
    struct model_key *from = key_at(w, 1);
    struct model_key *to = key_at(w, 2);
    bool only_new = is_word(w, 0, "RENAMENX");
    if (!from->is_present) {
        say(w, "-ERR no such key\r\n");
        return;
    }
    bool is_refused = only_new && to->is_present;
    if (!is_refused && from != to) {
        move_value(w, from, to);
        drop(w, from);
    }
    if (only_new)
        say_int(w, !is_refused);
    else
        say(w, "+OK\r\n");
}

/* COPY from to [DB n] [REPLACE], MOVE key n */
static void run_copy(struct at_work *w)
{
    bool is_move = is_word(w, 0, "MOVE");
    bool replaces = false;
    int64_t database = w->model->first_database + w->model->database;
    if (is_move)
        database = number_at(w, 2);
    for (int at = 3; at < w->argc; at++) {
        replaces |= is_word(w, at, "REPLACE");
        if (is_word(w, at, "DB"))
            database = number_at(w, ++at);
    }
    int here = w->model->database;
    struct model_key *from = key_at(w, 1);
    w->model->database = (int)database - w->model->first_database;
    struct model_key *to = key_at(w, is_move ? 1 : 2);
    bool is_done = from->is_present && (!to->is_present || replaces);
    if (is_done)
        move_value(w, from, to);
    w->model->database = here;
    if (is_done && is_move)
        drop(w, from);
    say_int(w, is_done);
}

static void run_select(struct at_work *w)
{
    w->model->database = (int)number_at(w, 1) - w->model->first_database;
    say(w, "+OK\r\n");
}

static void run_flushdb(struct at_work *w)
{
    for (int key = 0; key < w->model->key_count; key++)
        key_clear(&w->model->keys[w->model->database][key]);
    say(w, "+OK\r\n");
}

static void run_flushall(struct at_work *w)
{
    for (int db = 0; db < MODEL_DATABASES; db++) {
        for (int key = 0; key < w->model->key_count; key++)
            key_clear(&w->model->keys[db][key]);
    }
    say(w, "+OK\r\n");
}

static void run_swapdb(struct at_work *w)
{
    for (int key = 0; key < w->model->key_count; key++) {
        struct model_key first = w->model->keys[0][key];
        w->model->keys[0][key] = w->model->keys[1][key];
        w->model->keys[1][key] = first;
    }
    say(w, "+OK\r\n");
}

static void run_watch(struct at_work *w)
{
    w->model->watched = model_key_of(w->argv[1]);
    w->model->is_dirty = false;
    say(w, "+OK\r\n");
}

static void run_ok(struct at_work *w)
{
    say(w, "+OK\r\n");
}

static const struct {
    const char *name;
    void (*run)(struct at_work *w);
    int first, last, step; /* positions of keys; last -1: to the end; first 0: none */
    bool is_all;           /* may change keys that it does not name */
} commands[] = {
    {"GET", run_get, 1, 1, 1, false},           {"SET", run_set, 1, 1, 1, false},
    {"SETNX", run_setnx, 1, 1, 1, false},       {"GETSET", run_getset, 1, 1, 1, false},
    {"GETDEL", run_getdel, 1, 1, 1, false},     {"GETEX", run_getex, 1, 1, 1, false},
    {"APPEND", run_append, 1, 1, 1, false},     {"SETRANGE", run_setrange, 1, 1, 1, false},
    {"GETRANGE", run_getrange, 1, 1, 1, false}, {"STRLEN", run_strlen, 1, 1, 1, false},
    {"INCRBY", run_incrby, 1, 1, 1, false},     {"MSET", run_mset, 1, -1, 2, false},
    {"MSETNX", run_msetnx, 1, -1, 2, false},    {"MGET", run_mget, 1, -1, 1, false},
    {"DEL", run_del, 1, -1, 1, false},          {"UNLINK", run_del, 1, -1, 1, false},
    {"EXISTS", run_exists, 1, -1, 1, false},    {"TOUCH", run_exists, 1, -1, 1, false},
    {"TYPE", run_type, 1, 1, 1, false},         {"PEXPIREAT", run_pexpireat, 1, 1, 1, false},
    {"PERSIST", run_persist, 1, 1, 1, false},   {"PEXPIRETIME", run_pexpiretime, 1, 1, 1, false},
    {"RENAME", run_rename, 1, 2, 1, false},     {"RENAMENX", run_rename, 1, 2, 1, false},
    {"COPY", run_copy, 1, 2, 1, true},          {"MOVE", run_copy, 1, 1, 1, true},
    {"SELECT", run_select, 0, 0, 1, false},     {"FLUSHDB", run_flushdb, 0, 0, 1, true},
    {"FLUSHALL", run_flushall, 0, 0, 1, true},  {"SWAPDB", run_swapdb, 0, 0, 1, true},
    {"WATCH", run_watch, 0, 0, 1, false},       {"DEBUG", run_ok, 0, 0, 1, false},
};

static size_t find_command(struct bytes name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (bytes_is_word(name, commands[i].name))
            return i;
    }
    UNREACHABLE();
}

void model_run(struct model *model, const struct bytes *argv, int argc, int64_t now_ms,
               struct buf *reply)
{
    struct at_work w = {model, argv, argc, now_ms, reply};
    commands[find_command(argv[0])].run(&w);
}

int model_keys_named(const struct bytes *argv, int argc, int *keys, int max, bool *is_all)
{
    size_t command = find_command(argv[0]);
    int last = commands[command].last < 0 ? argc - 1 : commands[command].last;
    int count = 0;
    *is_all |= commands[command].is_all;
    for (int at = commands[command].first; at > 0 && at <= last && count < max;
         at += commands[command].step)
        keys[count++] = model_key_of(argv[at]);
    return count;
}
