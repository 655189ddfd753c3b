/* Elements of lists by place and content. */
#include "types/list.h"

#include "commands/call.h"
#include "commands/list_commands.h"

static bool find_list(struct call *c, const struct value **list)
{
    return call_find_value(c, c->argv[1], TYPE_LIST, list);
}

void list_llen(struct call *c)
{
    const struct value *list;
    if (find_list(c, &list))
        reply_int(&c->reply, list == NULL ? 0 : (int64_t)list->count);
}

/* [*start, *stop] with negative numbers from the end becomes [*start, *start + count). */
static uint64_t clamp(uint64_t size, int64_t *start, int64_t *stop)
{
    int64_t count = (int64_t)size;
    *start += *start < 0 ? count : 0;
    *stop += *stop < 0 ? count : 0;
    *start = *start < 0 ? 0 : *start;
    if (*start > *stop || *start >= count)
        return 0;
    *stop = *stop >= count ? count - 1 : *stop;
    return (uint64_t)(*stop - *start + 1);
}

void list_lrange(struct call *c)
{
    int64_t start, stop;
    const struct value *list;
    struct list_item item;
    if (!call_int(c, 2, &start) || !call_int(c, 3, &stop) || !find_list(c, &list))
        return;
    uint64_t count = list == NULL ? 0 : clamp(list->count, &start, &stop);
    reply_array(&c->reply, count);
    if (count == 0)
        return;
    struct list_walk walk = list_walk(list, (uint64_t)start, false);
    for (; count > 0 && list_next(&walk, &item); count--)
        reply_bulk(&c->reply, item.element);
}

/* False when it is out of range. */
static bool place_of(const struct value *list, int64_t index, uint64_t *place)
{
    int64_t count = (int64_t)list->count;
    index += index < 0 ? count : 0;
    *place = (uint64_t)index;
    return index >= 0 && index < count;
}

void list_lindex(struct call *c)
{
    int64_t index;
    uint64_t place;
    const struct value *list;
    struct list_item item;
    if (!find_list(c, &list))
        return;
    if (list == NULL) {
        reply_null(&c->reply);
        return;
    }
    if (!call_int(c, 2, &index))
        return;
    if (!place_of(list, index, &place)) {
        reply_null(&c->reply);
        return;
    }
    list_get(list, place, &item);
    reply_bulk(&c->reply, item.element);
}

void list_lset(struct call *c)
{
    int64_t index;
    uint64_t place;
    const struct value *list;
    struct edit edit;
    if (!find_list(c, &list))
        return;
    if (list == NULL) {
        call_error(c, "ERR no such key");
        return;
    }
    if (!call_int(c, 2, &index))
        return;
    if (!place_of(list, index, &place)) {
        call_error(c, "ERR index out of range");
        return;
    }
    if (!call_edit(c, c->argv[1], TYPE_LIST, &edit))
        return;
    list_set(&edit, place, c->argv[3]);
    call_edit_end(c, c->argv[1], &edit, true);
    call_notify(c, 'l', "lset", c->argv[1]);
    reply_ok(&c->reply);
}

static bool find_element(const struct value *list, struct bytes element, uint64_t *place)
{
    struct list_walk walk = list_walk(list, 0, false);
    struct list_item item;
    for (*place = 0; list_next(&walk, &item); (*place)++) {
        if (bytes_equal(item.element, element))
            return true;
    }
    return false;
}

void list_linsert(struct call *c)
{
    const struct value *list;
    struct edit edit;
    uint64_t place;
    bool is_after = call_is_word(c, 2, "after");
    if (!is_after && !call_is_word(c, 2, "before")) {
        call_error_syntax(c);
        return;
    }
    if (!find_list(c, &list))
        return;
    if (list == NULL || !find_element(list, c->argv[3], &place)) {
        reply_int(&c->reply, list == NULL ? 0 : -1);
        return;
    }
    if (!call_edit(c, c->argv[1], TYPE_LIST, &edit))
        return;
    list_insert(&edit, place + is_after, c->argv[4]);
    int64_t count = edit.value->count;
    call_edit_end(c, c->argv[1], &edit, true);
    call_notify(c, 'l', "linsert", c->argv[1]);
    reply_int(&c->reply, count);
}

/* Without the overflow that the lowest number has. */
static uint64_t magnitude(int64_t value)
{
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

void list_lrem(struct call *c)
{
    int64_t count;
    struct edit edit;
    if (!call_int(c, 2, &count) || !call_edit(c, c->argv[1], TYPE_LIST, &edit))
        return;
    uint64_t most = count == 0 ? UINT64_MAX : magnitude(count);
    uint64_t removed = list_remove_equal(&edit, c->argv[3], most, count < 0);
    if (removed > 0)
        call_notify(c, 'l', "lrem", c->argv[1]);
    call_edit_end(c, c->argv[1], &edit, removed > 0);
    reply_int(&c->reply, (int64_t)removed);
}

void list_ltrim(struct call *c)
{
    int64_t start, stop;
    struct edit edit;
    if (!call_int(c, 2, &start) || !call_int(c, 3, &stop) ||
        !call_edit(c, c->argv[1], TYPE_LIST, &edit))
        return;
    uint64_t size = edit.value->count;
    uint64_t kept = clamp(size, &start, &stop);
    if (size > 0) {
        uint64_t front = kept == 0 ? size : (uint64_t)start;
        list_remove(&edit, front + kept, size - front - kept);
        list_remove(&edit, 0, front);
        call_notify(c, 'l', "ltrim", c->argv[1]);
    }
    call_edit_end(c, c->argv[1], &edit, size > 0);
    reply_ok(&c->reply);
}

/* ---- LPOS ---- */

struct lpos {
    int64_t rank, count, most;
    bool has_count;
};

static bool parse_lpos(struct call *c, struct lpos *lpos)
{
    *lpos = (struct lpos){.rank = 1, .count = 1};
    for (int at = 3; at < c->argc; at += 2) {
        bool has_value = at + 1 < c->argc;
        if (has_value && call_is_word(c, at, "rank")) {
            if (!call_int(c, at + 1, &lpos->rank))
                return false;
            if (lpos->rank == 0) {
                call_error(c, "ERR RANK can't be zero: use 1 to start from the first match, 2 from "
                              "the second ... or use negative to start from the end of the list");
                return false;
            }
        } else if (has_value && call_is_word(c, at, "count")) {
            lpos->has_count = true;
            if (!call_int_range(c, at + 1, 0, INT64_MAX, &lpos->count,
                                "ERR COUNT can't be negative"))
                return false;
        } else if (has_value && call_is_word(c, at, "maxlen")) {
            if (!call_int_range(c, at + 1, 0, INT64_MAX, &lpos->most,
                                "ERR MAXLEN can't be negative"))
                return false;
        } else {
            call_error_syntax(c);
            return false;
        }
    }
    return true;
}

/* Replies the places of the matches; returns how many. */
static uint64_t reply_matches(struct call *c, const struct value *list, const struct lpos *lpos)
{
    bool is_reverse = lpos->rank < 0;
    uint64_t skipped = magnitude(lpos->rank) - 1;
    uint64_t wanted = lpos->count == 0 ? UINT64_MAX : (uint64_t)lpos->count, found = 0;
    struct list_walk walk = list_walk(list, is_reverse ? list->count - 1 : 0, is_reverse);
    struct list_item item;
    for (uint64_t i = 0;
         found < wanted && (lpos->most == 0 || i < (uint64_t)lpos->most) && list_next(&walk, &item);
         i++) {
        if (!bytes_equal(item.element, c->argv[2]))
            continue;
        if (skipped > 0) {
            skipped--;
            continue;
        }
        reply_int(&c->reply, (int64_t)(is_reverse ? list->count - 1 - i : i));
        found++;
    }
    return found;
}

void list_lpos(struct call *c)
{
    struct lpos lpos;
    const struct value *list;
    if (!parse_lpos(c, &lpos) || !find_list(c, &list))
        return;
    if (!lpos.has_count) {
        if (list == NULL || reply_matches(c, list, &lpos) == 0)
            reply_null(&c->reply);
        return;
    }
    size_t mark = reply_defer(&c->reply);
    uint64_t found = list == NULL ? 0 : reply_matches(c, list, &lpos);
    reply_defer_array(&c->reply, mark, found);
}
