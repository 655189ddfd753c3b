/* Sets: distinct members. In memory: sorted integers while all members are some and they are few
 * (set-max-intset-entries), a pack (set-max-listpack-*), or a table of elements.
 *
 * Rows (store/FORMAT.md): E 0x00 member -> nothing
 *     inline := 0x01 width:u8 count:le16 integers of that width, le, sorted | 0x02 count:le16 pack
 */
#pragma once

#include "types/value.h"

enum { SET_SCRATCH = 24 };

/* A member; the view is valid until the next change. */
struct set_item {
    struct bytes member;
    char scratch[SET_SCRATCH];
};

bool set_has(const struct value *value, struct bytes member);
bool set_add(struct edit *edit, struct bytes member);    /* false: it was there */
bool set_remove(struct edit *edit, struct bytes member); /* false: it was not */

/* About so many members are going to be added to this value, which has none: makes room for them.
 */
void set_expect(struct edit *edit, uint64_t count);

/* Every member once; start with *cursor 0. False at the end. Nothing may change. */
bool set_next(const struct value *value, uint64_t *cursor, struct set_item *item);

/* Every member has the same chance. The set is not empty. */
void set_sample(const struct value *value, uint64_t random, struct set_item *item);

/* A step of SSCAN: calls visit for at least `count` members; returns the next cursor, 0 at the end.
 * A small set gives all. */
uint64_t set_scan(const struct value *value, uint64_t cursor, uint64_t count,
                  void (*visit)(void *context, const struct set_item *item), void *context);

/* Whether views of set_sample differ by address when the members differ. */
bool set_is_table(const struct value *value);
