/* A member that has no log of its own: it votes for the shard that it stands beside and says that
 * it stored whatever it was sent, as far as the test lets it. With node 1, the shard, and node 3,
 * which only speaks when a test makes it a leader, node 2 is a majority. */
#pragma once

#include "base/assert.h"
#include "base/buf.h"
#include "codec/members.h"
#include "shard/shard.h"

enum { PUPPET_NODE = 2, PUPPET_RIVAL = 3, PUPPET_ANSWERS_MAX = 16 };

struct puppet {
    bool is_silent;   /* hears nothing */
    bool stores_none; /* answers heartbeats and votes, but no append */
    raft_index received;
    struct raft_message answers[PUPPET_ANSWERS_MAX];
    size_t answer_count;
};

/* The three as the shard's first members; the caller frees. */
static inline struct buf puppet_members(void)
{
    struct members members = {.count = 3};
    struct buf bytes = {0};
    for (uint32_t i = 0; i < 3; i++)
        members.at[i] = (struct member){
            .node = i + 1, .is_voter = true, .store_id = 70 + i, .port = (uint16_t)(7001 + i)};
    members_append(&bytes, &members);
    return bytes;
}

static inline void puppet_hear(struct puppet *puppet, const struct raft_message *message)
{
    struct raft_message answer = {.from = PUPPET_NODE, .to = message->from, .term = message->term};
    if (message->to != PUPPET_NODE || puppet->is_silent)
        return;
    if (message->kind == RAFT_PRE_VOTE || message->kind == RAFT_VOTE) {
        answer.kind = message->kind == RAFT_VOTE ? RAFT_VOTE_ANSWER : RAFT_PRE_VOTE_ANSWER;
        answer.vote_answer.is_granted = true;
        puppet->received = 0; /* of the next leader nothing is known */
    } else if (message->kind == RAFT_APPEND && !puppet->stores_none) {
        puppet->received = message->append.prev_index + message->append.count;
        answer.kind = RAFT_APPEND_ANSWER;
        answer.append_answer =
            (struct raft_append_answer){.index = puppet->received, .is_accepted = true};
    } else if (message->kind == RAFT_HEARTBEAT) {
        answer.kind = RAFT_HEARTBEAT_ANSWER;
        answer.heartbeat_answer = (struct raft_heartbeat_answer){.round = message->heartbeat.round,
                                                                 .received = puppet->received};
    } else {
        return;
    }
    ASSERT(puppet->answer_count < PUPPET_ANSWERS_MAX);
    puppet->answers[puppet->answer_count++] = answer;
}

/* What a node does with a shard's readies, the puppet's answers included. */
static inline void puppet_collect(struct puppet *puppet, struct shard *shard, uint64_t boot_us)
{
    do {
        for (size_t i = 0; i < puppet->answer_count; i++)
            shard_step(shard, boot_us, &puppet->answers[i], NULL);
        puppet->answer_count = 0;
        struct raft_ready ready;
        while (shard_next_ready(shard, boot_us, &ready)) {
            for (size_t i = 0; i < ready.message_count; i++)
                puppet_hear(puppet, &ready.messages[i]);
            shard_take_ready(shard, &ready);
        }
    } while (puppet->answer_count > 0);
}
