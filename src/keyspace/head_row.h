/* The K row of a key: its place, type, expiry, and the value or where it is (store/FORMAT.md). */
#pragma once

#include "codec/rows.h"
#include "types/object.h"

/* Key of the row: 'K' ksid slot hash key. */
enum { HEAD_ROW_PREFIX_SIZE = 13 };
void head_row_append(struct buf *rows, enum row_op op, uint32_t ksid, const struct object *object);

/* 'T' due ksid slot key: a hint that the key, or something in its value, dies then; put or deleted.
 */
void head_row_append_expiry(struct buf *rows, enum row_op op, uint32_t ksid,
                            const struct object *object, int64_t due_ms);

/* A decoded value; borrows from it. */
struct head {
    uint8_t type;
    int64_t expire_ms;  /* 0: none */
    uint64_t object_id; /* 0: inline */
    struct bytes
        inlined;   /* string, when object_id is 0; of the other types what value_decode takes */
    uint64_t size; /* bytes of the string, inline or chunked */
};

/* False when the bytes are not what head_row_append writes (L11); of types other than strings only
 * the part common to all is looked at. */
MUST_USE bool head_decode(struct bytes value, struct head *head);
