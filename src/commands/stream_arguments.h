/* Ids and entries of streams: what arguments say and how replies show them. */
#pragma once

#include "commands/call.h"
#include "types/stream.h"

/* "ms-seq", or "ms" with the default for seq. "-" and "+" are the ends unless is_strict. False
 * without an error. */
bool stream_id_parse(struct bytes text, uint64_t seq_default, bool is_strict, struct stream_id *id);

/* The same, replying "Invalid stream ID specified as stream command argument". */
bool stream_id_argument(struct call *c, int at, uint64_t seq_default, bool is_strict,
                        struct stream_id *id);

/* The ends of an interval, "(" excluding; replies on false. */
bool stream_interval(struct call *c, int from_at, int to_at, struct stream_id *from,
                     struct stream_id *to);

/* MAXLEN, MINID, LIMIT, KEEPREF, DELREF, ACKED, of XADD NOMKSTREAM, IDMP and IDMPAUTO too; *at
 * stops at the id of XADD or at the end. */
struct stream_options {
    struct stream_trim trim;
    bool has_trim, has_limit, has_references, no_create;
    struct bytes producer, message; /* size 0: none; a message without name has its content's */
};
bool stream_options_parse(struct call *c, bool is_xadd, int *at, struct stream_options *options);

/* Whether they go together, and the limit that an approximate trim has by default; XADD looks at
 * its id first. Replies on false. */
bool stream_options_check(struct call *c, bool is_xadd, struct stream_options *options);

/* KEEPREF, DELREF or ACKED at `at`; *references is left alone when it is none of them. */
bool stream_references_word(const struct call *c, int at, enum stream_references *references);

void stream_reply_id(struct call *c, struct stream_id id);
void stream_reply_entry(struct call *c, struct stream_entry *entry); /* [id, [field, value …]] */

/* Up to `count` entries (0: all) of [from, to] as an array; returns how many. */
uint64_t stream_reply_range(struct call *c, const struct value *stream, struct stream_id from,
                            struct stream_id to, bool is_reverse, uint64_t count);
