/* Pushing and popping, moving from list to list, and the forms that wait for an element. */
#include "commands/collection.h"
#include "commands/list_commands.h"
#include "types/list.h"

/* ---- pushing ---- */

static void notify_push(struct call *c, bool at_head, struct bytes key)
{
    call_notify(c, 'l', at_head ? "lpush" : "rpush", key);
}

static void push(struct call *c, bool at_head, bool only_if_there)
{
    const struct value *list;
    struct edit edit;
    if (only_if_there) {
        if (!call_find_value(c, c->argv[1], TYPE_LIST, &list))
            return;
        if (list == NULL) {
            reply_int(&c->reply, 0);
            return;
        }
    }
    if (!call_edit(c, c->argv[1], TYPE_LIST, &edit))
        return;
    for (int i = 2; i < c->argc; i++)
        list_push(&edit, c->argv[i], at_head);
    int64_t count = edit.value->count;
    call_edit_end(c, c->argv[1], &edit, true);
    notify_push(c, at_head, c->argv[1]);
    reply_int(&c->reply, count);
}

void list_lpush(struct call *c)
{
    push(c, true, false);
}

void list_rpush(struct call *c)
{
    push(c, false, false);
}

void list_lpushx(struct call *c)
{
    push(c, true, true);
}

void list_rpushx(struct call *c)
{
    push(c, false, true);
}

/* ---- popping ---- */

static void notify_pop(struct call *c, bool from_head, struct bytes key)
{
    call_notify(c, 'l', from_head ? "lpop" : "rpop", key);
}

/* Takes `count` elements off an end and replies them, the end first. The list is there. */
static void pop(struct call *c, struct bytes key, bool from_head, uint64_t count)
{
    struct edit edit;
    struct list_item item;
    if (!call_edit(c, key, TYPE_LIST, &edit))
        return;
    struct list_walk walk =
        list_walk(edit.value, from_head ? 0 : edit.value->count - 1, !from_head);
    for (uint64_t i = 0; i < count && list_next(&walk, &item); i++)
        reply_bulk(&c->reply, item.element);
    list_remove(&edit, from_head ? 0 : edit.value->count - count, count);
    notify_pop(c, from_head, key);
    call_edit_end(c, key, &edit, true);
}

static void pop_command(struct call *c, bool from_head)
{
    int64_t count = 1;
    bool has_count = c->argc == 3;
    const struct value *list;
    if (c->argc > 3) {
        call_error(c, "ERR wrong number of arguments for '%s' command", c->command->name);
        return;
    }
    if ((has_count && !call_int_range(c, 2, 0, INT64_MAX, &count,
                                      "ERR value is out of range, must be positive")) ||
        !call_find_value(c, c->argv[1], TYPE_LIST, &list))
        return;
    if (list == NULL) {
        if (has_count)
            reply_null_array(&c->reply);
        else
            reply_null(&c->reply);
        return;
    }
    if ((uint64_t)count > list->count)
        count = list->count;
    if (has_count)
        reply_array(&c->reply, (size_t)count);
    if (count > 0)
        pop(c, c->argv[1], from_head, (uint64_t)count);
}

void list_lpop(struct call *c)
{
    pop_command(c, true);
}

void list_rpop(struct call *c)
{
    pop_command(c, false);
}

/* The first of the keys that holds a list; false after WRONGTYPE. *at stays 0 when there is none.
 */
static bool first_list(struct call *c, int first, int count, int *at)
{
    const struct value *list;
    *at = 0;
    for (int i = first; i < first + count && *at == 0; i++) {
        if (!call_find_value(c, c->argv[i], TYPE_LIST, &list))
            return false;
        if (list != NULL)
            *at = i;
    }
    return true;
}

static void pop_or_wait(struct call *c, bool from_head)
{
    int64_t timeout_ms;
    int at;
    if (!collection_timeout(c, c->argc - 1, &timeout_ms) || !first_list(c, 1, c->argc - 2, &at))
        return;
    if (at != 0) {
        reply_array(&c->reply, 2);
        reply_bulk(&c->reply, c->argv[at]);
        pop(c, c->argv[at], from_head, 1);
    } else if (!call_block(c, timeout_ms, bytes_of(NULL, 0))) {
        reply_null_array(&c->reply);
    }
}

void list_blpop(struct call *c)
{
    pop_or_wait(c, true);
}

void list_brpop(struct call *c)
{
    pop_or_wait(c, false);
}

/* ---- LMPOP ---- */

/* False when there is nothing to pop and nothing was replied. */
static bool pop_from_first(struct call *c, const struct collection_mpop *mpop, bool from_head)
{
    const struct value *list;
    int at;
    if (!first_list(c, mpop->first, mpop->count, &at))
        return true;
    if (at == 0 || !call_find_value(c, c->argv[at], TYPE_LIST, &list))
        return false;
    uint64_t count = (uint64_t)mpop->elements;
    if (count > list->count)
        count = list->count;
    reply_array(&c->reply, 2);
    reply_bulk(&c->reply, c->argv[at]);
    reply_array(&c->reply, count);
    pop(c, c->argv[at], from_head, count);
    return true;
}

static const char *const SIDES[] = {"left", "right"};

void list_lmpop(struct call *c)
{
    struct collection_mpop mpop;
    int side;
    if (collection_mpop(c, 1, SIDES, &side, &mpop) && !pop_from_first(c, &mpop, side == 0))
        reply_null_array(&c->reply);
}

void list_blmpop(struct call *c)
{
    struct collection_mpop mpop;
    int64_t timeout_ms;
    int side;
    if (!collection_mpop(c, 2, SIDES, &side, &mpop) || !collection_timeout(c, 1, &timeout_ms))
        return;
    if (!pop_from_first(c, &mpop, side == 0) && !call_block(c, timeout_ms, bytes_of(NULL, 0)))
        reply_null_array(&c->reply);
}

/* ---- moving ---- */

struct move {
    bool from_head, to_head;
};

/* The element leaves the one list before it enters the other, which may be the same. */
static void move(struct call *c, struct move move)
{
    struct bytes from = c->argv[1], to = c->argv[2];
    struct edit edit;
    struct list_item item;
    struct buf element = {0};
    if (!call_edit(c, from, TYPE_LIST, &edit))
        return;
    uint64_t place = move.from_head ? 0 : edit.value->count - 1;
    list_get(edit.value, place, &item);
    buf_append(&element, item.element);
    list_remove(&edit, place, 1);
    bool is_same = bytes_equal(from, to);
    if (is_same)
        list_push(&edit, buf_bytes(&element), move.to_head);
    notify_pop(c, move.from_head, from);
    call_edit_end(c, from, &edit, true);
    if (!is_same && call_edit(c, to, TYPE_LIST, &edit)) {
        list_push(&edit, buf_bytes(&element), move.to_head);
        call_edit_end(c, to, &edit, true);
    }
    notify_push(c, move.to_head, to);
    reply_bulk(&c->reply, buf_bytes(&element));
    buf_free(&element);
}

/* False when there is nothing to move and nothing was replied. Both keys are of the right type, and
 * there is room for the element twice, before anything changes. */
static bool try_move(struct call *c, struct move how)
{
    const struct value *source, *target;
    struct list_item item;
    if (!call_find_value(c, c->argv[1], TYPE_LIST, &source))
        return true;
    if (source == NULL)
        return false;
    if (!call_find_value(c, c->argv[2], TYPE_LIST, &target))
        return true;
    list_get(source, how.from_head ? 0 : source->count - 1, &item);
    if (call_reserve(c, 2 * item.element.size + c->argv[1].size + c->argv[2].size))
        move(c, how);
    return true;
}

static bool parse_side(struct call *c, int at, bool *is_head)
{
    *is_head = call_is_word(c, at, "left");
    if (*is_head || call_is_word(c, at, "right"))
        return true;
    call_error_syntax(c);
    return false;
}

void list_lmove(struct call *c)
{
    struct move how;
    if (parse_side(c, 3, &how.from_head) && parse_side(c, 4, &how.to_head) && !try_move(c, how))
        reply_null(&c->reply);
}

void list_rpoplpush(struct call *c)
{
    if (!try_move(c, (struct move){.to_head = true}))
        reply_null(&c->reply);
}

static void move_or_wait(struct call *c, struct move how, int timeout_at)
{
    int64_t timeout_ms;
    if (!collection_timeout(c, timeout_at, &timeout_ms))
        return;
    if (try_move(c, how) || call_block(c, timeout_ms, bytes_of(NULL, 0)))
        return;
    if (c->is_timed_out) /* Redis has one reply for all that waited in vain */
        reply_null_array(&c->reply);
    else
        reply_null(&c->reply);
}

void list_blmove(struct call *c)
{
    struct move how;
    if (parse_side(c, 3, &how.from_head) && parse_side(c, 4, &how.to_head))
        move_or_wait(c, how, 5);
}

void list_brpoplpush(struct call *c)
{
    move_or_wait(c, (struct move){.to_head = true}, 3);
}
