/* The chain of nodes of a long list, and the order numbers of its elements: inside types/list.c
 * only.
 *
 * Numbers grow along the chain. A node whose elements are LIST_STRIDE apart keeps the first number
 * alone; one where something was inserted or removed in the middle keeps them all. */
#pragma once

#include "types/pack.h"
#include "types/value.h"

struct list_node {
    struct list_node *prev, *next;
    struct pack *pack; /* NULL: plain, one big element */
    uint8_t *plain;
    uint32_t plain_size;
    uint32_t count;
    int64_t order;   /* of the first element */
    int64_t *orders; /* of all, when they are not evenly apart; NULL otherwise */
};

struct list_nodes {
    struct list_node *first, *last; /* NULL when empty */
    uint64_t count;                 /* elements */
    size_t memory;
};

struct list_place {
    struct list_node *node;
    uint32_t at; /* number of the element in the node */
};

struct list_nodes *list_nodes_new(void);
void list_nodes_free(struct list_nodes *nodes);
struct list_nodes *list_nodes_copy(const struct list_nodes *nodes);
size_t list_nodes_memory(const struct list_nodes *nodes);

/* Limits of a node by list-max-listpack-size. */
size_t list_node_size_max(const struct type_env *env);
uint64_t list_node_count_max(const struct type_env *env);

int64_t list_node_order(const struct list_node *node, uint32_t at);
struct bytes list_node_get(const struct list_node *node, uint32_t at, char *scratch);

/* False when no element of the node is equal; cheaper than looking at each. */
bool list_node_may_have(const struct list_node *node, struct bytes element);

/* The element number index < count, from the nearer end. */
struct list_place list_nodes_find(const struct list_nodes *nodes, uint64_t count, uint64_t index);

/* Behind the last with that number, which is above all others. */
void list_nodes_append(struct list_nodes *nodes, struct bytes element, int64_t order,
                       const struct type_env *env);

/* At the ends; return the number it got. */
int64_t list_nodes_push(struct list_nodes *nodes, struct bytes element, const struct type_env *env);
int64_t list_nodes_prepend(struct list_nodes *nodes, struct bytes element,
                           const struct type_env *env);

/* How many elements from `place` on must be numbered anew before one fits in front of it: 0 when
 * there is room. place is not the first element. */
uint64_t list_nodes_crowded(const struct list_nodes *nodes, struct list_place place);

/* Numbers so many elements anew, with room in front of each. */
void list_nodes_spread(struct list_nodes *nodes, struct list_place place, uint64_t count);

/* In front of `place`, where there is room; returns its number. */
int64_t list_nodes_insert(struct list_nodes *nodes, struct list_place place, struct bytes element,
                          const struct type_env *env);

/* Returns the number, which stays. */
int64_t list_nodes_replace(struct list_nodes *nodes, struct list_place place, struct bytes element,
                           const struct type_env *env);

/* `count` elements of one node; a node that is empty then is freed. */
void list_nodes_erase(struct list_nodes *nodes, struct list_place place, uint32_t count);

void list_nodes_check(const struct list_nodes *nodes);
