/* Counters in hashes, random fields, HSCAN. */
#include <math.h>

#include "base/number.h"
#include "commands/collection.h"
#include "commands/hash_commands.h"
#include "types/hash.h"

/* ---- counters ---- */

void hash_hincrby(struct call *c)
{
    int64_t delta, value = 0;
    struct edit edit;
    struct hash_item item;
    if (!call_int(c, 3, &delta) || !call_edit(c, c->argv[1], TYPE_HASH, &edit))
        return;
    bool is_there = hash_get(edit.value, c->argv[2], &item);
    bool is_good = !is_there || number_parse_i64(item.value, &value);
    int64_t sum = 0;
    if (!is_good)
        call_error(c, "ERR hash value is not an integer");
    else if (__builtin_add_overflow(value, delta, &sum))
        call_error(c, "ERR increment or decrement would overflow");
    if (c->has_failed) {
        call_edit_end(c, c->argv[1], &edit, false);
        return;
    }
    char text[NUMBER_INTEGER_SIZE_MAX];
    (void)hash_put(&edit, c->argv[2], bytes_of(text, number_format_i64(text, sum)),
                   HASH_KEEP_EXPIRE);
    call_edit_end(c, c->argv[1], &edit, true);
    call_notify(c, 'h', "hincrby", c->argv[1]);
    reply_int(&c->reply, sum);
}

void hash_hincrbyfloat(struct call *c)
{
    long double delta, value = 0;
    struct edit edit;
    struct hash_item item;
    if (!call_float(c, 3, &delta))
        return;
    if (isnan(delta) || isinf(delta)) {
        call_error(c, "ERR value is NaN or Infinity");
        return;
    }
    if (!call_edit(c, c->argv[1], TYPE_HASH, &edit))
        return;
    if (hash_get(edit.value, c->argv[2], &item) && !number_parse_long_double(item.value, &value))
        call_error(c, "ERR hash value is not a float");
    value += delta;
    if (!c->has_failed && (isnan(value) || isinf(value)))
        call_error(c, "ERR increment would produce NaN or Infinity");
    if (c->has_failed) {
        call_edit_end(c, c->argv[1], &edit, false);
        return;
    }
    char text[NUMBER_LONG_DOUBLE_SIZE_MAX];
    struct bytes result = bytes_of(text, number_format_long_double(text, value));
    (void)hash_put(&edit, c->argv[2], result, HASH_KEEP_EXPIRE);
    call_edit_end(c, c->argv[1], &edit, true);
    call_notify(c, 'h', "hincrbyfloat", c->argv[1]);
    reply_bulk(&c->reply, result);
}

/* ---- HRANDFIELD ---- */

static void reply_item(struct call *c, const struct hash_item *item, bool with_values)
{
    if (with_values && c->reply.protocol == 3)
        reply_array(&c->reply, 2);
    reply_bulk(&c->reply, item->field);
    if (with_values)
        reply_bulk(&c->reply, item->value);
}

static void begin_items(struct call *c, uint64_t count, bool with_values)
{
    reply_array(&c->reply, with_values && c->reply.protocol == 2 ? 2 * count : count);
}

static void reply_repeating(struct call *c, const struct value *hash, uint64_t count,
                            bool with_values)
{
    struct prng prng = prng_init(c->random);
    struct hash_item item;
    begin_items(c, count, with_values);
    for (; count > 0; count--) {
        hash_sample(hash, prng_next(&prng), &item);
        reply_item(c, &item, with_values);
    }
}

static void reply_distinct(struct call *c, const struct value *hash, uint64_t count,
                           bool with_values)
{
    struct hash_item item;
    if (count > hash->count)
        count = hash->count;
    begin_items(c, count, with_values);
    if (!collection_draws(hash->count, count) || hash_is_packed(hash)) {
        struct selection selection = {prng_init(c->random), hash->count, count};
        for (uint64_t cursor = 0; hash_next(hash, &cursor, &item);) {
            if (selection_takes(&selection))
                reply_item(c, &item, with_values);
        }
        return;
    }
    struct prng prng = prng_init(c->random);
    struct seen seen;
    seen_init(&seen, count);
    while (count > 0) {
        hash_sample(hash, prng_next(&prng), &item);
        if (!seen_add(&seen, item.field.data))
            continue;
        reply_item(c, &item, with_values);
        count--;
    }
    seen_fini(&seen);
}

static void reply_one(struct call *c)
{
    const struct value *hash;
    struct hash_item item;
    if (!call_find_value(c, c->argv[1], TYPE_HASH, &hash))
        return;
    if (hash == NULL) {
        reply_null(&c->reply);
        return;
    }
    hash_sample(hash, c->random, &item);
    reply_bulk(&c->reply, item.field);
}

void hash_hrandfield(struct call *c)
{
    int64_t count;
    const struct value *hash;
    if (c->argc == 2) {
        reply_one(c);
        return;
    }
    bool with_values = c->argc == 4 && call_is_word(c, 3, "withvalues");
    if (!collection_random_count(c, 2, false, &count))
        return;
    if (c->argc > 4 || (c->argc == 4 && !with_values)) {
        call_error_syntax(c);
        return;
    }
    if (!collection_random_count(c, 2, with_values, &count) ||
        !call_find_value(c, c->argv[1], TYPE_HASH, &hash))
        return;
    if (hash == NULL || count == 0)
        reply_array(&c->reply, 0);
    else if (count < 0)
        reply_repeating(c, hash, (uint64_t)-count, with_values);
    else
        reply_distinct(c, hash, (uint64_t)count, with_values);
}

/* ---- HSCAN ---- */

struct hash_visit {
    struct call *c;
    const struct collection_scan *scan;
    size_t count;
};

static void visit(void *context, const struct hash_item *item)
{
    struct hash_visit *visit = context;
    if (!collection_scan_matches(visit->scan, item->field))
        return;
    reply_bulk(&visit->c->reply, item->field);
    if (!visit->scan->no_values)
        reply_bulk(&visit->c->reply, item->value);
    visit->count += visit->scan->no_values ? 1 : 2;
}

void hash_hscan(struct call *c)
{
    struct collection_scan scan;
    const struct value *hash;
    if (!collection_scan_cursor(c, &scan) || !call_find_value(c, c->argv[1], TYPE_HASH, &hash))
        return;
    if (hash == NULL) {
        collection_scan_empty(c);
        return;
    }
    if (!collection_scan_options(c, &scan, true))
        return;
    struct buf *home = c->reply.out;
    struct buf items = {0};
    struct hash_visit each = {.c = c, .scan = &scan};
    c->reply.out = &items;
    uint64_t next = collection_scan_ends(&scan)
                        ? 0
                        : hash_scan(hash, scan.cursor, (uint64_t)scan.count, visit, &each);
    c->reply.out = home;
    collection_scan_reply(c, next, each.count, buf_bytes(&items));
    buf_free(&items);
}
