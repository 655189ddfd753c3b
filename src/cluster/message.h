/* Raft messages to and from bytes, field by field. Grammar: src/net/PEER.md.
 *
 * `from` and `to` are not in the bytes: a link has shown who is at its ends, and nobody can speak
 * for others. */
#pragma once

#include "base/buf.h"
#include "cluster/peers.h"
#include "codec/fields.h"

enum {
    MESSAGE_SIZE_MAX = 46,       /* of a message without entries */
    MESSAGE_ENTRIES_MAX = 65536, /* in one append message */
    MESSAGE_ENTRY_SIZE = 13,     /* an entry's fixed part */
    MESSAGE_ENTRY_MAX = 1 << 30, /* an entry's payload; what entry-max may be at most */
};

/* Appends a message that carries no entries. */
void message_put(struct buf *out, uint32_t group, const struct raft_message *message);

/* Appends an append message with `count` entries. */
void message_put_append(struct buf *out, uint32_t group, const struct raft_message *message,
                        struct entry *const *entries, uint32_t count);

/* Memory that a decoded append message borrows; zeroed is valid. */
struct message_scratch {
    struct buf terms;   /* raft_term */
    struct buf entries; /* struct entry_view */
};

void message_scratch_free(struct message_scratch *scratch);

struct message_in {
    uint32_t group;
    struct raft_message message; /* from and to are 0: the link's */
    const struct entry_view *entries;
};

/* Takes one message off foreign bytes. False: not what message_put writes; out is unspecified.
 * Payloads borrow from the bytes, arrays from scratch until its next use. */
MUST_USE bool message_take(struct fields *in, struct message_scratch *scratch,
                           struct message_in *out);
