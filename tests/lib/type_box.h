/* A value of any type outside of hot memory, with the rows that its changes made, as the keyspace
 * would keep them: for tests of one type against a model, and for fuzzers. */
#pragma once

#include "row_map.h"
#include "types/value.h"

enum { TYPE_BOX_ID = 77 };

struct type_box {
    const struct type *type;
    struct type_env env;
    struct value *value;
    struct row_map rows; /* of its elements; empty as long as the value stands in its K row */
    struct buf out;
};

void type_box_init(struct type_box *box, enum object_type type, const struct type_env *env);
void type_box_fini(struct type_box *box);

/* A change: its rows are folded at the end. Then the value gets rows when it has outgrown the K
 * row.
 */
struct edit type_box_begin(struct type_box *box);
void type_box_end(struct type_box *box, const struct edit *edit);

/* From now on it has rows, small as it may be. Not for lists, which have none while they are small.
 */
void type_box_get_rows(struct type_box *box);

/* Asserts that a copy is equal, that its inline form and its rows make an equal value with these
 * and with other thresholds, and that its rows are those of its changes. Goes on with one made of
 * rows.
 */
void type_box_check(struct type_box *box, const struct type_env *other);

/* The value of the rows of one object. k_row: as value_encode writes it, behind the object id.
 * NULL: damage. */
struct value *type_box_load(enum object_type type, struct bytes k_row, const struct row_map *rows,
                            const struct type_env *env);
