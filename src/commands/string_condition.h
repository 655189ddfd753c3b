/* Conditions on the value that a key has: IFEQ value, IFNE value, IFDEQ digest, IFDNE digest of SET
 * and DELEX. From Redis 8.4 (IFEQ also from Valkey 8.1): redis.io/docs/latest/commands/set,
 * .../delex, .../digest; that a digest has 16 hexadecimal digits of either case: github.com/redis/
 * redis/pull/14502. */
#pragma once

#include "base/assert.h"
#include "commands/call.h"

struct string_condition {
    enum string_condition_kind {
        CONDITION_NONE = 0,
        CONDITION_EQUAL,
        CONDITION_UNEQUAL,
        CONDITION_DIGEST_EQUAL,
        CONDITION_DIGEST_UNEQUAL,
    } kind;
    struct bytes operand; /* borrows the argument */
};

bool string_condition_is_word(struct bytes word);

/* The condition that stands at `at`, with its operand after it; false when there is none. */
MUST_USE bool string_condition_parse(const struct call *c, int at,
                                     struct string_condition *condition);

/* Replies with false when the operand cannot be one. */
MUST_USE bool string_condition_check(struct call *c, const struct string_condition *condition);

/* object: a string with its value, or NULL, which is unequal to everything. Not for CONDITION_NONE.
 * O(size of the value) */
bool string_condition_holds(const struct string_condition *condition, const struct object *object);
