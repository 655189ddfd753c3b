#include "types/list.h"

#include "base/endian.h"
#include "base/hash.h"
#include "base/mem.h"
#include "types/list_nodes.h"
#include "types/pack.h"

enum {
    FORM_PACK = 1, /* only while it fits into the K row: it has no order numbers */
    FORM_NODES = 2,
    FLAG_IS_QUICK = 1, /* OBJECT ENCODING says quicklist */
    INLINE_HEAD = 2,
};

/* Half of all numbers: what a damaged row says leaves room for as many pushes as there ever are. */
#define ORDER_MAX (INT64_MAX / 2)

struct list_value {
    struct value value;
    union {
        struct pack *pack;
        struct list_nodes *nodes;
    };
};

static struct list_value *list_of(const struct value *value)
{
    ASSERT(value->type == TYPE_LIST);
    return (struct list_value *)(uintptr_t)value; // NOLINT: const goes, as in strchr
}

static struct list_value *list_new(uint8_t form)
{
    struct list_value *list = mem_zero(sizeof(*list));
    list->value.type = TYPE_LIST;
    list->value.form = form;
    return list;
}

static struct value *create(const struct type_env *env)
{
    (void)env;
    struct list_value *list = list_new(FORM_PACK);
    list->pack = pack_new();
    return &list->value;
}

static struct value *create_head(void)
{
    return &list_new(VALUE_FORM_HEAD)->value;
}

static void free_list(struct value *value)
{
    struct list_value *list = list_of(value);
    if (value->form == FORM_PACK)
        pack_free(list->pack);
    else if (value->form == FORM_NODES)
        list_nodes_free(list->nodes);
    mem_free(list);
}

static size_t memory(const struct value *value)
{
    const struct list_value *list = list_of(value);
    size_t size = mem_size(list);
    if (value->form == FORM_PACK)
        return size + pack_memory(list->pack);
    return value->form == FORM_NODES ? size + list_nodes_memory(list->nodes) : size;
}

static const char *encoding(const struct value *value)
{
    return (value->flags & FLAG_IS_QUICK) != 0 ? "quicklist" : "listpack";
}

/* ---- looking ---- */

void list_get(const struct value *value, uint64_t index, struct list_item *item)
{
    const struct list_value *list = list_of(value);
    ASSERT(index < value->count);
    if (value->form == FORM_PACK) {
        item->element = pack_get(list->pack, pack_at(list->pack, (int64_t)index), item->scratch);
        return;
    }
    struct list_place place = list_nodes_find(list->nodes, value->count, index);
    item->element = list_node_get(place.node, place.at, item->scratch);
}

struct list_walk list_walk(const struct value *value, uint64_t index, bool is_reverse)
{
    const struct list_value *list = list_of(value);
    struct list_walk walk = {.value = value, .is_reverse = is_reverse};
    if (index >= value->count)
        return walk;
    walk.left = is_reverse ? index + 1 : value->count - index;
    if (value->form == FORM_PACK) {
        walk.at = pack_at(list->pack, (int64_t)index);
        return walk;
    }
    struct list_place place = list_nodes_find(list->nodes, value->count, index);
    walk.node = place.node;
    walk.at = place.node->pack == NULL ? 0 : pack_at(place.node->pack, place.at);
    return walk;
}

/* Moves to the neighbour in the pack; PACK_END past its end. */
static pack_position step(const struct pack *pack, pack_position at, bool is_reverse)
{
    return is_reverse ? pack_prev(pack, at) : pack_next(pack, at);
}

static void step_node(struct list_walk *walk)
{
    const struct list_node *node = walk->node;
    if (node->pack != NULL) {
        walk->at = step(node->pack, walk->at, walk->is_reverse);
        if (walk->at != PACK_END)
            return;
    }
    node = walk->is_reverse ? node->prev : node->next;
    walk->node = node;
    walk->at = node == NULL || node->pack == NULL ? 0
               : walk->is_reverse                 ? pack_last(node->pack)
                                                  : pack_first(node->pack);
}

bool list_next(struct list_walk *walk, struct list_item *item)
{
    const struct list_value *list;
    const struct list_node *node = walk->node;
    if (walk->left == 0)
        return false;
    walk->left--;
    if (walk->value->form == FORM_PACK) {
        list = list_of(walk->value);
        item->element = pack_get(list->pack, walk->at, item->scratch);
        walk->at = step(list->pack, walk->at, walk->is_reverse);
        return true;
    }
    item->element = node->pack == NULL ? bytes_of(node->plain, node->plain_size)
                                       : pack_get(node->pack, walk->at, item->scratch);
    step_node(walk);
    return true;
}

/* ---- forms ---- */

static void to_nodes(struct list_value *list, const struct type_env *env)
{
    struct list_nodes *nodes = list_nodes_new();
    char scratch[LIST_SCRATCH];
    int64_t order = 0;
    for (pack_position at = pack_first(list->pack); at != PACK_END;
         at = pack_next(list->pack, at), order += LIST_STRIDE)
        list_nodes_append(nodes, pack_get(list->pack, at, scratch), order, env);
    pack_free(list->pack);
    list->nodes = nodes;
    list->value.form = FORM_NODES;
}

static bool fits_inline(const struct list_value *list, struct bytes element)
{
    return INLINE_HEAD + pack_size(list->pack) + pack_entry_size(element) <= VALUE_INLINE_MAX;
}

/* Before an element is added or grows. */
static void prepare(struct edit *edit, struct bytes element)
{
    struct list_value *list = list_of(edit->value);
    if (list->value.form == FORM_PACK &&
        (element.size > VALUE_INLINE_MAX || !fits_inline(list, element)))
        to_nodes(list, edit->env);
}

/* The name that Redis 7.2 has for it: a quicklist from the limit on, a listpack again from half of
 * it down. */
static void settle_encoding(struct edit *edit)
{
    struct value *value = edit->value;
    const struct list_value *list = list_of(value);
    size_t size = value->form == FORM_PACK ? pack_size(list->pack) : SIZE_MAX;
    if (value->form == FORM_NODES && list->nodes->first != NULL &&
        list->nodes->first == list->nodes->last && list->nodes->first->pack != NULL)
        size = pack_size(list->nodes->first->pack);
    bool is_over =
        size > list_node_size_max(edit->env) || value->count > list_node_count_max(edit->env);
    bool is_small = size <= list_node_size_max(edit->env) / 2 &&
                    value->count <= list_node_count_max(edit->env) / 2;
    if (is_over)
        value->flags |= FLAG_IS_QUICK;
    else if (is_small)
        value->flags &= (uint16_t)~FLAG_IS_QUICK;
}

/* ---- changing ---- */

static void put_row(struct edit *edit, int64_t order, struct bytes element)
{
    uint8_t key[8];
    if (edit->rows == NULL)
        return;
    put_be64(key, (uint64_t)order ^ (UINT64_C(1) << 63));
    edit_put(edit, bytes_of(key, sizeof(key)), element);
}

static void delete_row(struct edit *edit, int64_t order)
{
    uint8_t key[8];
    put_be64(key, (uint64_t)order ^ (UINT64_C(1) << 63));
    edit_delete(edit, bytes_of(key, sizeof(key)));
}

void list_push(struct edit *edit, struct bytes element, bool at_head)
{
    prepare(edit, element);
    struct list_value *list = list_of(edit->value);
    if (list->value.form == FORM_PACK) {
        list->pack = at_head ? pack_prepend(list->pack, element) : pack_append(list->pack, element);
    } else {
        int64_t order = at_head ? list_nodes_prepend(list->nodes, element, edit->env)
                                : list_nodes_push(list->nodes, element, edit->env);
        put_row(edit, order, element);
    }
    list->value.count++;
    settle_encoding(edit);
}

void list_set(struct edit *edit, uint64_t index, struct bytes element)
{
    prepare(edit, element);
    struct list_value *list = list_of(edit->value);
    ASSERT(index < edit->value->count);
    if (list->value.form == FORM_PACK) {
        pack_position at = pack_at(list->pack, (int64_t)index);
        list->pack = pack_replace(list->pack, at, element);
    } else {
        struct list_place place = list_nodes_find(list->nodes, list->value.count, index);
        put_row(edit, list_nodes_replace(list->nodes, place, element, edit->env), element);
    }
    settle_encoding(edit);
}

/* Rows of elements that get new numbers: first all old ones go, then the new ones come. */
static void renumber_rows(struct edit *edit, struct list_place from, uint64_t count, bool is_put)
{
    struct list_node *node = from.node;
    uint32_t at = from.at;
    for (; count > 0; count--) {
        char scratch[LIST_SCRATCH];
        int64_t order = list_node_order(node, at);
        if (is_put)
            put_row(edit, order, list_node_get(node, at, scratch));
        else
            delete_row(edit, order);
        if (++at == node->count) {
            node = node->next;
            at = 0;
        }
    }
}

static void insert_in_nodes(struct edit *edit, uint64_t index, struct bytes element)
{
    struct list_nodes *nodes = list_of(edit->value)->nodes;
    struct list_place place = list_nodes_find(nodes, edit->value->count, index);
    uint64_t crowded = list_nodes_crowded(nodes, place);
    if (crowded > 0) {
        renumber_rows(edit, place, crowded, false);
        list_nodes_spread(nodes, place, crowded);
        renumber_rows(edit, place, crowded, true);
    }
    put_row(edit, list_nodes_insert(nodes, place, element, edit->env), element);
}

void list_insert(struct edit *edit, uint64_t index, struct bytes element)
{
    ASSERT(index <= edit->value->count);
    if (index == 0 || index == edit->value->count) {
        list_push(edit, element, index == 0 && edit->value->count > 0);
        return;
    }
    prepare(edit, element);
    struct list_value *list = list_of(edit->value);
    if (list->value.form == FORM_PACK)
        list->pack = pack_insert(list->pack, pack_at(list->pack, (int64_t)index), element);
    else
        insert_in_nodes(edit, index, element);
    list->value.count++;
    settle_encoding(edit);
}

static void remove_from_nodes(struct edit *edit, uint64_t from, uint64_t count)
{
    struct list_value *list = list_of(edit->value);
    struct list_place place = list_nodes_find(list->nodes, list->value.count, from);
    while (count > 0) {
        struct list_node *node = place.node, *next = node->next;
        uint64_t here = node->count - place.at < count ? node->count - place.at : count;
        for (uint32_t i = 0; edit->rows != NULL && i < here; i++)
            delete_row(edit, list_node_order(node, place.at + i));
        list_nodes_erase(list->nodes, place, (uint32_t)here);
        count -= here;
        list->value.count -= (uint32_t)here;
        place = (struct list_place){.node = next};
    }
}

void list_remove(struct edit *edit, uint64_t from, uint64_t count)
{
    struct list_value *list = list_of(edit->value);
    ASSERT(from <= list->value.count && count <= list->value.count - from);
    if (count == 0)
        return;
    if (list->value.form == FORM_PACK) {
        pack_position at = pack_at(list->pack, (int64_t)from);
        list->pack = pack_remove(list->pack, at, (uint32_t)count);
        list->value.count -= (uint32_t)count;
    } else {
        remove_from_nodes(edit, from, count);
    }
    settle_encoding(edit);
}

static uint64_t remove_equal_packed(struct list_value *list, struct bytes element, uint64_t most,
                                    bool from_tail)
{
    uint64_t removed = 0;
    pack_position at = from_tail ? pack_last(list->pack) : pack_first(list->pack);
    while (at != PACK_END && removed < most) {
        pack_position before = from_tail ? pack_prev(list->pack, at) : PACK_END;
        bool is_equal = pack_entry_equals(list->pack, at, element);
        if (is_equal) {
            list->pack = pack_remove(list->pack, at, 1);
            removed++;
        }
        if (from_tail)
            at = before;
        else
            at = is_equal ? pack_here(list->pack, at) : pack_next(list->pack, at);
    }
    return removed;
}

/* The numbers of the elements of a node that are equal, in order. */
static uint32_t find_equal(const struct list_node *node, struct bytes element, uint32_t *found)
{
    uint32_t count = 0, at = 0;
    if (node->pack == NULL) {
        found[0] = 0;
        return 1; /* list_node_may_have has compared it */
    }
    for (pack_position place = pack_first(node->pack); place != PACK_END;
         place = pack_next(node->pack, place), at++) {
        if (pack_entry_equals(node->pack, place, element))
            found[count++] = at;
    }
    return count;
}

/* Of one node, which has some; it may be gone afterwards. The last ones go first, so that the
 * numbers of the others hold. */
static uint64_t remove_equal_in(struct edit *edit, struct list_node *node, struct bytes element,
                                uint64_t most, bool from_tail)
{
    struct list_nodes *nodes = list_of(edit->value)->nodes;
    uint32_t *found = mem_alloc(node->count * sizeof(*found));
    uint32_t count = find_equal(node, element, found);
    uint32_t wanted = count < most ? count : (uint32_t)most;
    uint32_t first = from_tail ? count - wanted : 0;
    for (uint32_t i = wanted; i-- > 0;) {
        uint32_t at = found[first + i];
        delete_row(edit, list_node_order(node, at));
        list_nodes_erase(nodes, (struct list_place){.node = node, .at = at}, 1);
    }
    mem_free(found);
    return wanted;
}

uint64_t list_remove_equal(struct edit *edit, struct bytes element, uint64_t most, bool from_tail)
{
    struct list_value *list = list_of(edit->value);
    uint64_t removed = 0;
    if (list->value.form == FORM_PACK) {
        removed = remove_equal_packed(list, element, most, from_tail);
    } else {
        struct list_node *node = from_tail ? list->nodes->last : list->nodes->first;
        while (node != NULL && removed < most) {
            struct list_node *after = from_tail ? node->prev : node->next;
            if (list_node_may_have(node, element))
                removed += remove_equal_in(edit, node, element, most - removed, from_tail);
            node = after;
        }
    }
    list->value.count -= (uint32_t)removed;
    settle_encoding(edit);
    return removed;
}

/* ---- rows ---- */

static void emit(const struct value *value, struct buf *rows)
{
    char scratch[LIST_SCRATCH];
    uint8_t key[8];
    ASSERT(value->form == FORM_NODES);
    for (struct list_node *node = list_of(value)->nodes->first; node != NULL; node = node->next) {
        pack_position at = node->pack == NULL ? 0 : pack_first(node->pack);
        for (uint32_t i = 0; i < node->count; i++) {
            struct bytes element = node->pack == NULL ? bytes_of(node->plain, node->plain_size)
                                                      : pack_get(node->pack, at, scratch);
            put_be64(key, (uint64_t)list_node_order(node, i) ^ (UINT64_C(1) << 63));
            value_put_row(rows, value->object_id, bytes_of(key, sizeof(key)), element);
            if (node->pack != NULL)
                at = pack_next(node->pack, at);
        }
    }
}

static size_t inline_size(const struct value *value)
{
    return value->form == FORM_PACK ? INLINE_HEAD + pack_size(list_of(value)->pack) : SIZE_MAX;
}

static void encode_inline(const struct value *value, struct buf *out)
{
    put_le16(buf_extend(out, INLINE_HEAD), (uint16_t)value->count);
    buf_append(out, pack_bytes(list_of(value)->pack));
}

static struct value *decode_inline(struct bytes bytes, const struct type_env *env)
{
    if (bytes.size < INLINE_HEAD)
        return NULL;
    uint16_t count = get_le16(bytes.data);
    struct bytes rest = bytes_of(bytes.data + INLINE_HEAD, bytes.size - INLINE_HEAD);
    struct pack *pack = count == 0 ? NULL : pack_from_bytes(rest, count);
    if (pack == NULL)
        return NULL;
    struct list_value *list = list_new(FORM_PACK);
    list->pack = pack;
    list->value.count = count;
    struct edit edit = {.value = &list->value, .env = env};
    settle_encoding(&edit);
    return &list->value;
}

/* ---- loading ---- */

static void load_begin(struct value **value, const struct type_env *env)
{
    (void)env;
    struct list_value *list = list_of(*value);
    list->nodes = list_nodes_new();
    list->value.form = FORM_NODES;
}

static bool load_row(struct value **value, struct bytes element, struct bytes row_value,
                     const struct type_env *env)
{
    struct list_nodes *nodes = list_of(*value)->nodes;
    if (element.size != 8 || nodes->count == (*value)->count)
        return false;
    int64_t order = (int64_t)(get_be64(element.data) ^ (UINT64_C(1) << 63));
    if (order < -ORDER_MAX || order > ORDER_MAX)
        return false;
    if (nodes->last != NULL && order <= list_node_order(nodes->last, nodes->last->count - 1))
        return false;
    list_nodes_append(nodes, row_value, order, env);
    return true;
}

static bool load_end(struct value **value, const struct type_env *env)
{
    struct edit edit = {.value = *value, .env = env};
    if (list_of(*value)->nodes->count != (*value)->count)
        return false;
    settle_encoding(&edit);
    return true;
}

/* ---- the rest of the contract ---- */

static struct value *copy(const struct value *value)
{
    const struct list_value *list = list_of(value);
    struct list_value *twin = list_new(value->form);
    twin->value.count = value->count;
    twin->value.flags = value->flags;
    if (value->form == FORM_PACK)
        twin->pack = pack_copy(list->pack);
    else
        twin->nodes = list_nodes_copy(list->nodes);
    return &twin->value;
}

static uint64_t digest(const struct value *value)
{
    struct list_walk walk = list_walk(value, 0, false);
    struct list_item item;
    uint64_t hash = value->count;
    while (list_next(&walk, &item))
        hash = hash_bytes(item.element, hash);
    return hash;
}

static void check(const struct value *value)
{
    const struct list_value *list = list_of(value);
    if (value->form == FORM_PACK) {
        ASSERT(pack_count(list->pack) == value->count && value->object_id == 0);
        return;
    }
    list_nodes_check(list->nodes);
    ASSERT(list->nodes->count == value->count);
}

const struct type list_type = {
    .name = "list",
    .create = create,
    .free = free_list,
    .memory = memory,
    .copy = copy,
    .encoding = encoding,
    .inline_size = inline_size,
    .encode_inline = encode_inline,
    .decode_inline = decode_inline,
    .create_head = create_head,
    .emit = emit,
    .load_begin = load_begin,
    .load_row = load_row,
    .load_end = load_end,
    .digest = digest,
    .check = check,
};
