/* SORT and SORT_RO: elements of a list, set or sorted set in an order, or what keys named after
 * them hold. Everything is copied first: looking other keys up may wait for them. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/number.h"
#include "commands/call.h"
#include "commands/generic_commands.h"
#include "types/hash.h"
#include "types/list.h"
#include "types/set.h"
#include "types/zset.h"

struct sort {
    bool is_descending, is_alpha, has_limit, is_unsorted;
    int64_t offset, count;
    int by_at, store_at; /* arguments; 0: none */
    int *get_at;
    int get_count;
};

/* A text in the common buffer. */
struct text {
    size_t at, size;
    bool is_there;
};

struct item {
    struct text element, by;
    double score;
};

struct items {
    struct buf texts;
    struct item *list;
    size_t count, capacity;
};

/* ---- arguments ---- */

static bool has_star(struct bytes pattern)
{
    return pattern.size > 0 && memchr(pattern.data, '*', pattern.size) != NULL;
}

/* Other keys are looked up in the shard of the first one. */
static bool pattern_is_allowed(struct call *c, const char *option, struct bytes pattern)
{
    if (!c->env->has_many_shards || !has_star(pattern))
        return true;
    call_error(c, "ERR %s option of SORT is not supported with several shards", option);
    return false;
}

static bool parse_limit(struct call *c, int at, struct sort *sort)
{
    sort->has_limit = true;
    return call_int(c, at, &sort->offset) && call_int(c, at + 1, &sort->count);
}

/* One option at *at, which stays at its last word. */
static bool parse_option(struct call *c, bool takes_store, int *at, struct sort *sort)
{
    int left = c->argc - *at - 1;
    if (call_is_word(c, *at, "asc") || call_is_word(c, *at, "desc")) {
        sort->is_descending = call_is_word(c, *at, "desc");
    } else if (call_is_word(c, *at, "alpha")) {
        sort->is_alpha = true;
    } else if (call_is_word(c, *at, "limit") && left >= 2) {
        *at += 2;
        return parse_limit(c, *at - 1, sort);
    } else if (takes_store && call_is_word(c, *at, "store") && left >= 1) {
        sort->store_at = ++*at;
    } else if (call_is_word(c, *at, "by") && left >= 1) {
        sort->by_at = ++*at;
        sort->is_unsorted = !has_star(c->argv[*at]);
        return pattern_is_allowed(c, "BY", c->argv[*at]);
    } else if (call_is_word(c, *at, "get") && left >= 1) {
        sort->get_at[sort->get_count++] = ++*at;
        return pattern_is_allowed(c, "GET", c->argv[*at]);
    } else {
        call_error_syntax(c);
        return false;
    }
    return true;
}

/* ---- collecting ---- */

static struct text add_text(struct items *items, struct bytes bytes)
{
    struct text text = {.at = items->texts.size, .size = bytes.size, .is_there = true};
    buf_append(&items->texts, bytes);
    return text;
}

static struct bytes text_of(const struct items *items, struct text text)
{
    return bytes_of(items->texts.data + text.at, text.size);
}

static void add_item(struct items *items, struct bytes element)
{
    if (items->count == items->capacity) {
        items->capacity = items->capacity == 0 ? 64 : 2 * items->capacity;
        items->list = mem_realloc(items->list, items->capacity * sizeof(*items->list));
    }
    items->list[items->count++] = (struct item){.element = add_text(items, element)};
}

static void collect_zset(const struct value *zset, bool is_descending, struct items *items)
{
    struct zset_walk walk = zset_walk(zset, 0, zset->count, is_descending);
    struct zset_item item;
    while (zset_next(&walk, &item))
        add_item(items, item.member);
}

/* False after WRONGTYPE. */
static bool collect(struct call *c, const struct sort *sort, struct items *items)
{
    const struct object *object = call_find(c, c->argv[1]);
    if (object == NULL)
        return true;
    if (object->type == TYPE_LIST) {
        struct list_walk walk = list_walk(object_pointer(object), 0, false);
        struct list_item item;
        while (list_next(&walk, &item))
            add_item(items, item.element);
    } else if (object->type == TYPE_SET) {
        struct set_item item;
        for (uint64_t cursor = 0; set_next(object_pointer(object), &cursor, &item);)
            add_item(items, item.member);
    } else if (object->type == TYPE_ZSET) {
        /* As it is kept; backwards only where that order is the result. */
        collect_zset(object_pointer(object), sort->is_unsorted && sort->is_descending, items);
    } else {
        call_error_wrong_type(c);
        return false;
    }
    return true;
}

/* ---- other keys ---- */

/* Key and field that a pattern names for an element: "a*b->field". False without a star. */
static bool name_of(struct bytes pattern, struct bytes element, struct buf *key,
                    struct bytes *field)
{
    const uint8_t *star = pattern.size == 0 ? NULL : memchr(pattern.data, '*', pattern.size);
    if (star == NULL)
        return false;
    size_t before = (size_t)(star - pattern.data);
    struct bytes rest = bytes_of(star + 1, pattern.size - before - 1);
    *field = bytes_of(NULL, 0);
    for (size_t i = 0; i + 2 < rest.size; i++) {
        if (rest.data[i] == '-' && rest.data[i + 1] == '>') {
            *field = bytes_of(rest.data + i + 2, rest.size - i - 2);
            rest.size = i;
            break;
        }
    }
    buf_clear(key);
    buf_append(key, bytes_of(pattern.data, before));
    buf_append(key, element);
    buf_append(key, rest);
    return true;
}

/* What a pattern gives for an element, copied behind the other texts. */
static struct text look_up(struct call *c, struct items *items, struct bytes pattern,
                           struct text element)
{
    struct buf key = {0};
    struct bytes field;
    struct hash_item item;
    struct text text = {0};
    char scratch[STRING_INT_TEXT_MAX];
    if (bytes_equal(pattern, BYTES_LITERAL("#")))
        return element;
    if (!name_of(pattern, text_of(items, element), &key, &field))
        return text;
    const struct object *object = call_find(c, buf_bytes(&key));
    if (object != NULL && field.size == 0 && object->type == TYPE_STRING)
        text = add_text(items, string_value(object, scratch));
    else if (object != NULL && field.size > 0 && object->type == TYPE_HASH &&
             hash_get(object_pointer(object), field, &item))
        text = add_text(items, item.value);
    buf_free(&key);
    return text;
}

/* As strtod reads it: a text ends at its first 0 byte, and an empty one is 0. */
static bool weight_of(struct bytes text, double *weight)
{
    const uint8_t *end = text.size == 0 ? NULL : memchr(text.data, 0, text.size);
    if (end != NULL)
        text.size = (size_t)(end - text.data);
    while (text.size > 0 && (text.data[0] == ' ' || (text.data[0] >= '\t' && text.data[0] <= '\r')))
        text = bytes_of(text.data + 1, text.size - 1);
    *weight = 0;
    return text.size == 0 || number_parse_double(text, weight);
}

/* The keys of the order. False: a text is no number. */
static bool weigh(struct call *c, const struct sort *sort, struct items *items)
{
    for (size_t i = 0; i < items->count && !sort->is_unsorted; i++) {
        struct text by = items->list[i].element;
        if (sort->by_at != 0)
            by = look_up(c, items, c->argv[sort->by_at], by);
        items->list[i].by = by;
        if (sort->is_alpha || !by.is_there)
            continue;
        if (!weight_of(text_of(items, by), &items->list[i].score)) {
            call_error(c, "ERR One or more scores can't be converted into double");
            return false;
        }
    }
    return true;
}

/* ---- ordering ---- */

struct order {
    const struct items *items;
    bool is_descending, is_alpha;
};

static int compare_text(const struct items *items, struct text a, struct text b)
{
    if (!a.is_there || !b.is_there)
        return (int)a.is_there - (int)b.is_there;
    return bytes_compare(text_of(items, a), text_of(items, b));
}

static int compare(const void *a, const void *b, void *context)
{
    const struct order *order = context;
    const struct item *first = a, *second = b;
    int result = order->is_alpha ? compare_text(order->items, first->by, second->by)
                                 : (first->score > second->score) - (first->score < second->score);
    if (result == 0)
        result = compare_text(order->items, first->element, second->element);
    return order->is_descending ? -result : result;
}

/* The part that LIMIT leaves: [*from, return). */
static size_t limit(const struct sort *sort, size_t count, size_t *from)
{
    *from = 0;
    if (!sort->has_limit)
        return count;
    size_t offset = sort->offset < 0 ? 0 : (size_t)sort->offset;
    *from = offset < count ? offset : count;
    size_t left = count - *from;
    return *from + (sort->count < 0 || (size_t)sort->count > left ? left : (size_t)sort->count);
}

/* ---- results ---- */

static void reply_results(struct call *c, const struct sort *sort, struct items *items, size_t from,
                          size_t to)
{
    size_t each = sort->get_count == 0 ? 1 : (size_t)sort->get_count;
    reply_array(&c->reply, (to - from) * each);
    for (size_t i = from; i < to; i++) {
        if (sort->get_count == 0)
            reply_bulk(&c->reply, text_of(items, items->list[i].element));
        for (int g = 0; g < sort->get_count; g++) {
            struct text text = look_up(c, items, c->argv[sort->get_at[g]], items->list[i].element);
            if (text.is_there)
                reply_bulk(&c->reply, text_of(items, text));
            else
                reply_null(&c->reply);
        }
    }
}

static void store_results(struct call *c, const struct sort *sort, struct items *items, size_t from,
                          size_t to)
{
    struct edit result = edit_detached(TYPE_LIST, c->types);
    struct bytes key = c->argv[sort->store_at];
    for (size_t i = from; i < to; i++) {
        if (sort->get_count == 0)
            list_push(&result, text_of(items, items->list[i].element), false);
        for (int g = 0; g < sort->get_count; g++) {
            struct text text = look_up(c, items, c->argv[sort->get_at[g]], items->list[i].element);
            list_push(&result, text_of(items, text), false); /* nil: an empty one */
        }
    }
    int64_t count = result.value->count;
    if (count > 0 && call_reserve_value(c, result.value)) {
        call_set_value(c, key, result.value, CALL_NO_EXPIRE);
        call_notify(c, 'l', "sortstore", key);
    } else {
        value_free(result.value);
        if (count == 0 && call_delete(c, key))
            call_notify(c, 'g', "del", key);
    }
    if (!c->has_failed)
        reply_int(&c->reply, count);
}

static void run(struct call *c, struct sort *sort)
{
    struct items items = {0};
    size_t from;
    /* The order of a set is no order: what is stored must not depend on it. */
    const struct object *object = call_find(c, c->argv[1]);
    if (sort->is_unsorted && sort->store_at != 0 && object != NULL && object->type == TYPE_SET) {
        sort->is_unsorted = false;
        sort->is_alpha = true;
        sort->by_at = 0;
    }
    if (collect(c, sort, &items) && weigh(c, sort, &items)) {
        struct order order = {&items, sort->is_descending, sort->is_alpha};
        if (!sort->is_unsorted && items.count > 1)
            qsort_r(items.list, items.count, sizeof(*items.list), compare, &order);
        size_t to = limit(sort, items.count, &from);
        if (sort->store_at != 0)
            store_results(c, sort, &items, from, to);
        else
            reply_results(c, sort, &items, from, to);
    }
    buf_free(&items.texts);
    mem_free(items.list);
}

static void sort_command(struct call *c, bool takes_store)
{
    struct sort sort = {.get_at = mem_alloc((size_t)c->argc * sizeof(int))};
    bool is_good = true;
    for (int at = 2; is_good && at < c->argc; at++)
        is_good = parse_option(c, takes_store, &at, &sort);
    if (is_good)
        run(c, &sort);
    mem_free(sort.get_at);
}

void generic_sort(struct call *c)
{
    sort_command(c, true);
}

void generic_sort_ro(struct call *c)
{
    sort_command(c, false);
}
