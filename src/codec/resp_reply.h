/* Writes replies in RESP, protocol 2 or 3, at the end of a buffer. What protocol 2 lacks is written
 * as Redis does there: maps as arrays of 2n, sets and pushes as arrays, doubles and verbatim texts
 * as bulks, booleans as 0 and 1, null as the nil bulk.
 *
 * An aggregate function writes only the head: the caller then writes the n elements (2n of a map).
 * No call fails; the bound on out is the caller's (client-output-buffer-limit). */
#pragma once

#include "base/assert.h"
#include "base/buf.h"

struct reply {
    struct buf *out;
    uint8_t protocol; /* 2 or 3 */
};

void reply_ok(struct reply *reply);                       /* +OK */
void reply_simple(struct reply *reply, const char *text); /* no CR, LF in text (ASSERT) */
void reply_int(struct reply *reply, int64_t value);
void reply_bool(struct reply *reply, bool value);
void reply_double(struct reply *reply, double value);           /* number_format_double */
void reply_double_text(struct reply *reply, struct bytes text); /* of more digits than needed */
void reply_null(struct reply *reply);                           /* $-1 or _ */
void reply_null_array(struct reply *reply);                     /* *-1 or _ */

/* "-" and the text, which begins with its code ("ERR syntax error"). CR and LF, which may come from
 * a client's argument, become spaces; longer than REPLY_ERROR_MAX is cut. */
void reply_error(struct reply *reply, const char *format, ...) PRINTF_LIKE(2, 3);

enum { REPLY_ERROR_MAX = 2048 };

void reply_bulk(struct reply *reply, struct bytes bytes);
void reply_bulk_string(struct reply *reply, const char *text);
void reply_bulk_int(struct reply *reply, int64_t value);

/* The head and tail of a bulk of `size` bytes; returns where its content goes, valid until the
 * buffer grows. For contents that would otherwise be copied twice. */
uint8_t *reply_bulk_space(struct reply *reply, size_t size);

/* Appends whole replies that were written elsewhere, and empties their buffer. Large ones are
 * moved, not copied, when nothing stands in the reply's own. */
void reply_take(struct reply *reply, struct buf *whole);

/* format is three letters, "txt" or "mkd"; dropped in protocol 2. */
void reply_verbatim(struct reply *reply, const char *format, struct bytes text);

void reply_array(struct reply *reply, size_t count);
void reply_map(struct reply *reply, size_t pair_count);
void reply_set(struct reply *reply, size_t count);
void reply_push(struct reply *reply, size_t count); /* out of band; an array in protocol 2 */

/* An aggregate whose count is known only after its elements: reply_defer leaves room and returns a
 * mark, then come the elements, then one reply_defer_* with the mark. Nested ones are finished in
 * reverse order. Costs one memmove of the elements when the count has not exactly one digit. */
MUST_USE size_t reply_defer(struct reply *reply);
void reply_defer_array(struct reply *reply, size_t mark, size_t count);
void reply_defer_map(struct reply *reply, size_t mark, size_t pair_count);
void reply_defer_set(struct reply *reply, size_t mark, size_t count);
void reply_defer_push(struct reply *reply, size_t mark, size_t count);
