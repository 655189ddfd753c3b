#include "types/list_nodes.h"

#include "base/mem.h"
#include "types/list.h"

enum {
    SAFE_SIZE = 8192, /* of a node whose limit is a number of elements */
    ROOM_WANTED = 16, /* numbers between neighbours after spreading */
};

struct list_nodes *list_nodes_new(void)
{
    struct list_nodes *nodes = mem_zero(sizeof(*nodes));
    nodes->memory = mem_size(nodes);
    return nodes;
}

static void node_free(struct list_node *node)
{
    pack_free(node->pack);
    mem_free(node->plain);
    mem_free(node->orders);
    mem_free(node);
}

void list_nodes_free(struct list_nodes *nodes)
{
    while (nodes->first != NULL) {
        struct list_node *node = nodes->first;
        nodes->first = node->next;
        node_free(node);
    }
    mem_free(nodes);
}

size_t list_nodes_memory(const struct list_nodes *nodes)
{
    return nodes->memory;
}

static size_t node_memory(const struct list_node *node)
{
    size_t size = mem_size(node) + mem_size(node->plain) + mem_size(node->orders);
    return node->pack == NULL ? size : size + pack_memory(node->pack);
}

size_t list_node_size_max(const struct type_env *env)
{
    int64_t size = env->list_max_listpack_size;
    if (size >= 0)
        return SAFE_SIZE;
    return (size_t)4096 << (size < -5 ? 4 : -size - 1);
}

uint64_t list_node_count_max(const struct type_env *env)
{
    int64_t size = env->list_max_listpack_size;
    return size < 0 ? UINT64_MAX : size == 0 ? 1 : (uint64_t)size;
}

int64_t list_node_order(const struct list_node *node, uint32_t at)
{
    ASSERT(at < node->count);
    return node->orders != NULL ? node->orders[at] : node->order + (int64_t)at * LIST_STRIDE;
}

struct bytes list_node_get(const struct list_node *node, uint32_t at, char *scratch)
{
    if (node->pack == NULL)
        return bytes_of(node->plain, node->plain_size);
    return pack_get(node->pack, pack_at(node->pack, at), scratch);
}

bool list_node_may_have(const struct list_node *node, struct bytes element)
{
    if (node->pack == NULL)
        return bytes_equal(bytes_of(node->plain, node->plain_size), element);
    return element.size < LIST_PLAIN_SIZE &&
           pack_find(node->pack, pack_first(node->pack), element, 0) != PACK_END;
}

struct list_place list_nodes_find(const struct list_nodes *nodes, uint64_t count, uint64_t index)
{
    ASSERT(index < count);
    if (index < count / 2) {
        struct list_node *node = nodes->first;
        for (; index >= node->count; node = node->next)
            index -= node->count;
        return (struct list_place){.node = node, .at = (uint32_t)index};
    }
    uint64_t back = count - 1 - index;
    struct list_node *node = nodes->last;
    for (; back >= node->count; node = node->prev)
        back -= node->count;
    return (struct list_place){.node = node, .at = node->count - 1 - (uint32_t)back};
}

/* ---- making and linking ---- */

static struct list_node *node_new(struct bytes element, int64_t order)
{
    struct list_node *node = mem_zero(sizeof(*node));
    node->order = order;
    node->count = 1;
    if (element.size < LIST_PLAIN_SIZE) {
        node->pack = pack_append(pack_new(), element);
    } else {
        node->plain = mem_alloc(element.size);
        node->plain_size = (uint32_t)element.size;
        memcpy(node->plain, element.data, element.size);
    }
    return node;
}

/* Behind prev, or as the first one. */
static void link_after(struct list_nodes *nodes, struct list_node *prev, struct list_node *node)
{
    node->prev = prev;
    node->next = prev == NULL ? nodes->first : prev->next;
    if (node->prev != NULL)
        node->prev->next = node;
    else
        nodes->first = node;
    if (node->next != NULL)
        node->next->prev = node;
    else
        nodes->last = node;
    nodes->memory += node_memory(node);
}

static void unlink_node(struct list_nodes *nodes, struct list_node *node)
{
    if (node->prev != NULL)
        node->prev->next = node->next;
    else
        nodes->first = node->next;
    if (node->next != NULL)
        node->next->prev = node->prev;
    else
        nodes->last = node->prev;
    nodes->memory -= node_memory(node);
    node_free(node);
}

static bool has_room(const struct list_node *node, struct bytes element, const struct type_env *env)
{
    return node != NULL && node->pack != NULL && element.size < LIST_PLAIN_SIZE &&
           node->count < list_node_count_max(env) &&
           pack_size(node->pack) + pack_entry_size(element) <= list_node_size_max(env);
}

/* ---- numbers ---- */

static void keep_all_orders(struct list_node *node, uint32_t capacity)
{
    int64_t *orders = mem_alloc(capacity * sizeof(*orders));
    for (uint32_t i = 0; i < node->count; i++)
        orders[i] = list_node_order(node, i);
    mem_free(node->orders);
    node->orders = orders;
}

/* For an element that is to stand at `at`; the count does not change yet. */
static void insert_order(struct list_node *node, uint32_t at, int64_t order)
{
    if (node->orders == NULL && at == node->count &&
        order == node->order + (int64_t)at * LIST_STRIDE)
        return;
    if (node->orders == NULL && at == 0 && order == node->order - LIST_STRIDE) {
        node->order = order;
        return;
    }
    if (node->orders == NULL || mem_size(node->orders) < (node->count + 1) * sizeof(int64_t))
        keep_all_orders(node, node->count + node->count / 4 + 1);
    memmove(node->orders + at + 1, node->orders + at, (node->count - at) * sizeof(int64_t));
    node->orders[at] = order;
    node->order = node->orders[0];
}

static void erase_orders(struct list_node *node, uint32_t at, uint32_t count)
{
    uint32_t end = at + count;
    if (node->orders == NULL && end == node->count)
        return;
    if (node->orders == NULL && at == 0) {
        node->order += (int64_t)count * LIST_STRIDE;
        return;
    }
    if (node->orders == NULL)
        keep_all_orders(node, node->count);
    memmove(node->orders + at, node->orders + end, (node->count - end) * sizeof(int64_t));
    node->order = node->orders[0];
}

static void insert_in(struct list_nodes *nodes, struct list_node *node, uint32_t at,
                      struct bytes element, int64_t order)
{
    nodes->memory -= node_memory(node);
    insert_order(node, at, order);
    pack_position place = at == node->count ? PACK_END : pack_at(node->pack, at);
    node->pack = pack_insert(node->pack, place, element);
    node->count++;
    nodes->memory += node_memory(node);
}

/* ---- at the ends ---- */

void list_nodes_append(struct list_nodes *nodes, struct bytes element, int64_t order,
                       const struct type_env *env)
{
    struct list_node *last = nodes->last;
    if (has_room(last, element, env))
        insert_in(nodes, last, last->count, element, order);
    else
        link_after(nodes, last, node_new(element, order));
    nodes->count++;
}

int64_t list_nodes_push(struct list_nodes *nodes, struct bytes element, const struct type_env *env)
{
    const struct list_node *last = nodes->last;
    int64_t order = last == NULL ? 0 : list_node_order(last, last->count - 1) + LIST_STRIDE;
    list_nodes_append(nodes, element, order, env);
    return order;
}

int64_t list_nodes_prepend(struct list_nodes *nodes, struct bytes element,
                           const struct type_env *env)
{
    struct list_node *first = nodes->first;
    int64_t order = first == NULL ? 0 : list_node_order(first, 0) - LIST_STRIDE;
    if (has_room(first, element, env))
        insert_in(nodes, first, 0, element, order);
    else
        link_after(nodes, NULL, node_new(element, order));
    nodes->count++;
    return order;
}

/* ---- in the middle ---- */

/* The number in front of a place that is not the first. */
static int64_t order_before(struct list_place place)
{
    if (place.at > 0)
        return list_node_order(place.node, place.at - 1);
    const struct list_node *prev = place.node->prev;
    ASSERT(prev != NULL);
    return list_node_order(prev, prev->count - 1);
}

static struct list_place step(struct list_place place)
{
    if (place.at + 1 < place.node->count)
        return (struct list_place){.node = place.node, .at = place.at + 1};
    return (struct list_place){.node = place.node->next};
}

/* So many numbers apart when `count` elements and a new one share the room up to `end`. */
static int64_t share(int64_t before, struct list_place end, uint64_t count)
{
    if (end.node == NULL)
        return LIST_STRIDE;
    return (list_node_order(end.node, end.at) - before) / (int64_t)(count + 2);
}

uint64_t list_nodes_crowded(const struct list_nodes *nodes, struct list_place place)
{
    (void)nodes;
    int64_t before = order_before(place);
    if (list_node_order(place.node, place.at) - before >= 2)
        return 0;
    uint64_t count = 1;
    struct list_place end = step(place);
    for (; share(before, end, count) < ROOM_WANTED; count++)
        end = step(end);
    return count;
}

void list_nodes_spread(struct list_nodes *nodes, struct list_place place, uint64_t count)
{
    int64_t before = order_before(place);
    struct list_place end = place;
    for (uint64_t i = 0; i < count; i++)
        end = step(end);
    int64_t apart = share(before, end, count);
    int64_t order = before + 2 * apart; /* the first gap is the new one's */
    for (struct list_place at = place; count > 0; count--, at = step(at), order += apart) {
        if (at.node->orders == NULL) {
            nodes->memory -= node_memory(at.node);
            keep_all_orders(at.node, at.node->count);
            nodes->memory += node_memory(at.node);
        }
        at.node->orders[at.at] = order;
        at.node->order = at.node->orders[0];
    }
}

/* What stands from `at` on goes to a node of its own, behind. */
static void split(struct list_nodes *nodes, struct list_node *node, uint32_t at)
{
    ASSERT(at > 0 && at < node->count && node->pack != NULL);
    struct list_node *right = mem_zero(sizeof(*right));
    nodes->memory -= node_memory(node);
    right->order = list_node_order(node, at);
    right->count = node->count - at;
    if (node->orders != NULL) {
        right->orders = mem_alloc(right->count * sizeof(int64_t));
        memcpy(right->orders, node->orders + at, right->count * sizeof(int64_t));
    }
    right->pack = pack_split(&node->pack, pack_at(node->pack, at));
    node->count = at;
    nodes->memory += node_memory(node);
    link_after(nodes, node, right);
}

int64_t list_nodes_insert(struct list_nodes *nodes, struct list_place place, struct bytes element,
                          const struct type_env *env)
{
    int64_t before = order_before(place), after = list_node_order(place.node, place.at);
    ASSERT(after - before >= 2);
    int64_t order = before + (after - before) / 2;
    nodes->count++;
    if (has_room(place.node, element, env)) {
        insert_in(nodes, place.node, place.at, element, order);
        return order;
    }
    if (place.at > 0)
        split(nodes, place.node, place.at);
    struct list_node *left = place.at > 0 ? place.node : place.node->prev;
    if (has_room(left, element, env))
        insert_in(nodes, left, left->count, element, order);
    else
        link_after(nodes, left, node_new(element, order));
    return order;
}

int64_t list_nodes_replace(struct list_nodes *nodes, struct list_place place, struct bytes element,
                           const struct type_env *env)
{
    struct list_node *node = place.node;
    int64_t order = list_node_order(node, place.at);
    if (node->pack != NULL && element.size < LIST_PLAIN_SIZE &&
        (node->count == 1 ||
         pack_size(node->pack) + pack_entry_size(element) <= 2 * list_node_size_max(env))) {
        nodes->memory -= node_memory(node);
        node->pack = pack_replace(node->pack, pack_at(node->pack, place.at), element);
        nodes->memory += node_memory(node);
        return order;
    }
    /* It gets a node of its own between those in front of it and those behind. */
    if (place.at + 1 < node->count)
        split(nodes, node, place.at + 1);
    struct list_node *prev = node->count > 1 ? node : node->prev;
    list_nodes_erase(nodes, (struct list_place){.node = node, .at = node->count - 1}, 1);
    link_after(nodes, prev, node_new(element, order));
    nodes->count++;
    return order;
}

void list_nodes_erase(struct list_nodes *nodes, struct list_place place, uint32_t count)
{
    struct list_node *node = place.node;
    ASSERT(place.at + count <= node->count);
    nodes->count -= count;
    if (count == node->count) {
        unlink_node(nodes, node);
        return;
    }
    nodes->memory -= node_memory(node);
    node->pack = pack_remove(node->pack, pack_at(node->pack, place.at), count);
    erase_orders(node, place.at, count);
    node->count -= count;
    nodes->memory += node_memory(node);
}

/* ---- copy, check ---- */

struct list_nodes *list_nodes_copy(const struct list_nodes *nodes)
{
    struct list_nodes *twin = list_nodes_new();
    twin->count = nodes->count;
    for (const struct list_node *node = nodes->first; node != NULL; node = node->next) {
        struct list_node *copy = mem_zero(sizeof(*copy));
        copy->count = node->count;
        copy->order = node->order;
        if (node->pack != NULL) {
            copy->pack = pack_copy(node->pack);
        } else {
            copy->plain = mem_alloc(node->plain_size);
            copy->plain_size = node->plain_size;
            memcpy(copy->plain, node->plain, node->plain_size);
        }
        if (node->orders != NULL) {
            copy->orders = mem_alloc(node->count * sizeof(int64_t));
            memcpy(copy->orders, node->orders, node->count * sizeof(int64_t));
        }
        link_after(twin, twin->last, copy);
    }
    return twin;
}

void list_nodes_check(const struct list_nodes *nodes)
{
    size_t memory = mem_size(nodes);
    uint64_t count = 0;
    int64_t last = INT64_MIN;
    const struct list_node *prev = NULL;
    for (const struct list_node *node = nodes->first; node != NULL; node = node->next) {
        ASSERT(node->prev == prev && node->count > 0);
        ASSERT(node->pack == NULL ? node->count == 1 : pack_count(node->pack) == node->count);
        for (uint32_t i = 0; i < node->count; i++) {
            ASSERT(list_node_order(node, i) > last);
            last = list_node_order(node, i);
        }
        ASSERT(node->order == list_node_order(node, 0));
        memory += node_memory(node);
        count += node->count;
        prev = node;
    }
    ASSERT(nodes->last == prev && count == nodes->count && memory == nodes->memory);
}
