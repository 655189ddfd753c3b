#include "cluster/message.h"

enum {
    FLAG_YES = 1 << 0, /* granted, accepted, by transfer */
    FLAG_ROWS_LOST = 1 << 1,
};

#define MESSAGE_INDEX_MAX ((uint64_t)1 << 62) /* counting on from there never wraps */

/* ---- out ---- */

static uint8_t flags_of(const struct raft_message *message)
{
    const struct raft_append_answer *append = &message->append_answer;
    switch (message->kind) {
    case RAFT_PRE_VOTE:
    case RAFT_VOTE:
        return message->vote.is_transfer ? FLAG_YES : 0;
    case RAFT_PRE_VOTE_ANSWER:
    case RAFT_VOTE_ANSWER:
        return message->vote_answer.is_granted ? FLAG_YES : 0;
    case RAFT_APPEND_ANSWER:
        return (uint8_t)((append->is_accepted ? FLAG_YES : 0) |
                         (append->rows_lost ? FLAG_ROWS_LOST : 0));
    case RAFT_HEARTBEAT_ANSWER:
        return message->heartbeat_answer.rows_lost ? FLAG_ROWS_LOST : 0;
    case RAFT_APPEND:
    case RAFT_HEARTBEAT:
    case RAFT_INSTALL:
    case RAFT_TIMEOUT_NOW:
        return 0;
    }
    UNREACHABLE();
}

static void put_head(struct buf *out, uint32_t group, const struct raft_message *message)
{
    ASSERT(group < PEERS_GROUPS_MAX);
    put_u32(out, group);
    put_u8(out, (uint8_t)message->kind);
    put_u8(out, flags_of(message));
    put_u64(out, message->term);
}

static void put_append_answer(struct buf *out, const struct raft_append_answer *answer)
{
    put_u64(out, answer->index);
    put_u64(out, answer->hint_index);
    put_u64(out, answer->hint_term);
}

static void put_append(struct buf *out, const struct raft_append *append, uint32_t count)
{
    put_u64(out, append->prev_index);
    put_u64(out, append->prev_term);
    put_u64(out, append->commit);
    put_u32(out, count);
}

void message_put(struct buf *out, uint32_t group, const struct raft_message *message)
{
    put_head(out, group, message);
    switch (message->kind) {
    case RAFT_PRE_VOTE:
    case RAFT_VOTE:
        put_u64(out, message->vote.last_index);
        put_u64(out, message->vote.last_term);
        return;
    case RAFT_APPEND:
        put_append(out, &message->append, 0);
        return;
    case RAFT_APPEND_ANSWER:
        put_append_answer(out, &message->append_answer);
        return;
    case RAFT_HEARTBEAT:
        put_u64(out, message->heartbeat.round);
        put_u64(out, message->heartbeat.commit);
        return;
    case RAFT_HEARTBEAT_ANSWER:
        put_u64(out, message->heartbeat_answer.round);
        put_u64(out, message->heartbeat_answer.received);
        return;
    case RAFT_INSTALL:
        put_u64(out, message->install.index);
        put_u64(out, message->install.index_term);
        return;
    case RAFT_PRE_VOTE_ANSWER:
    case RAFT_VOTE_ANSWER:
    case RAFT_TIMEOUT_NOW:
        return;
    }
    UNREACHABLE();
}

void message_put_append(struct buf *out, uint32_t group, const struct raft_message *message,
                        struct entry *const *entries, uint32_t count)
{
    ASSERT(message->kind == RAFT_APPEND && count <= MESSAGE_ENTRIES_MAX);
    put_head(out, group, message);
    put_append(out, &message->append, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct entry *entry = entries[i];
        ASSERT(entry->size <= MESSAGE_ENTRY_MAX);
        put_u64(out, entry->term);
        put_u32(out, (uint32_t)entry->size);
        put_u8(out, entry->kind);
        buf_append(out, bytes_of(entry->payload, entry->size));
    }
}

/* ---- in ---- */

void message_scratch_free(struct message_scratch *scratch)
{
    buf_free(&scratch->terms);
    buf_free(&scratch->entries);
}

static bool take_entry(struct fields *in, struct message_scratch *scratch)
{
    raft_term term = take_u64(in);
    uint32_t size = take_u32(in);
    struct entry_view entry = {.term = term, .kind = take_u8(in)};
    entry.payload = take_bytes(in, size);
    if (in->is_short || !entry_is_valid(entry.kind, entry.payload))
        return false;
    buf_append(&scratch->terms, bytes_of(&term, sizeof(term)));
    buf_append(&scratch->entries, bytes_of(&entry, sizeof(entry)));
    return true;
}

static bool take_append(struct fields *in, struct message_scratch *scratch, struct message_in *out)
{
    struct raft_append *append = &out->message.append;
    append->prev_index = take_u64(in);
    append->prev_term = take_u64(in);
    append->commit = take_u64(in);
    append->count = take_u32(in);
    if (append->count > MESSAGE_ENTRIES_MAX || append->prev_index > MESSAGE_INDEX_MAX)
        return false;
    buf_clear(&scratch->terms);
    buf_clear(&scratch->entries);
    for (uint32_t i = 0; i < append->count; i++) {
        if (!take_entry(in, scratch))
            return false;
    }
    append->terms = (const raft_term *)(const void *)scratch->terms.data;
    out->entries = (const struct entry_view *)(const void *)scratch->entries.data;
    return true;
}

static void take_append_answer(struct fields *in, uint8_t flags, struct raft_append_answer *answer)
{
    answer->is_accepted = (flags & FLAG_YES) != 0;
    answer->rows_lost = (flags & FLAG_ROWS_LOST) != 0;
    answer->index = take_u64(in);
    answer->hint_index = take_u64(in);
    answer->hint_term = take_u64(in);
}

/* The fields behind the head. The kind is known to be one of the enum. */
static bool take_body(struct fields *in, uint8_t flags, struct message_scratch *scratch,
                      struct message_in *out)
{
    struct raft_message *message = &out->message;
    switch (message->kind) {
    case RAFT_PRE_VOTE:
    case RAFT_VOTE:
        message->vote.is_transfer = (flags & FLAG_YES) != 0;
        message->vote.last_index = take_u64(in);
        message->vote.last_term = take_u64(in);
        return true;
    case RAFT_PRE_VOTE_ANSWER:
    case RAFT_VOTE_ANSWER:
        message->vote_answer.is_granted = (flags & FLAG_YES) != 0;
        return true;
    case RAFT_APPEND:
        return take_append(in, scratch, out);
    case RAFT_APPEND_ANSWER:
        take_append_answer(in, flags, &message->append_answer);
        return true;
    case RAFT_HEARTBEAT:
        message->heartbeat.round = take_u64(in);
        message->heartbeat.commit = take_u64(in);
        return true;
    case RAFT_HEARTBEAT_ANSWER:
        message->heartbeat_answer.rows_lost = (flags & FLAG_ROWS_LOST) != 0;
        message->heartbeat_answer.round = take_u64(in);
        message->heartbeat_answer.received = take_u64(in);
        return true;
    case RAFT_INSTALL:
        message->install.index = take_u64(in);
        message->install.index_term = take_u64(in);
        return true;
    case RAFT_TIMEOUT_NOW:
        return true;
    }
    return false;
}

/* A flag that means nothing for the kind is not ours: flags_of the result must give it back. */
bool message_take(struct fields *in, struct message_scratch *scratch, struct message_in *out)
{
    *out = (struct message_in){.group = take_u32(in)};
    uint8_t kind = take_u8(in);
    uint8_t flags = take_u8(in);
    out->message.term = take_u64(in);
    if (in->is_short || kind < RAFT_PRE_VOTE || kind > RAFT_TIMEOUT_NOW)
        return false;
    out->message.kind = (enum raft_message_kind)kind;
    if (out->group >= PEERS_GROUPS_MAX || !take_body(in, flags, scratch, out))
        return false;
    return !in->is_short && flags_of(&out->message) == flags;
}
