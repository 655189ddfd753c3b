/* An exec box whose shards have two more members, so that they can lose the lead and win it again.
 *
 * Node 1 is the box, node 2 a puppet that votes and stores, node 3 leads when the test says so. */
#pragma once

#include "exec_box.h"

#include "base/mem.h"

enum { ENTRIES_MAX = 64, SECOND_US = 1000000 };

struct fixture {
    struct exec_box box;
    struct box_client a, b, c;
};

BOX_UNUSED static struct fixture *fixture_new(uint32_t shards)
{
    struct fixture *f = mem_zero(sizeof(*f));
    f->box.has_peers = true;
    box_init(&f->box, shards);
    box_client_init(&f->a);
    box_client_init(&f->b);
    box_client_init(&f->c);
    box_serve(&f->box);
    return f;
}

BOX_UNUSED static void fixture_free(struct fixture *f)
{
    box_client_fini(&f->box, &f->a);
    box_client_fini(&f->box, &f->b);
    box_client_fini(&f->box, &f->c);
    box_fini(&f->box);
    mem_free(f);
}

BOX_UNUSED static const char *call(struct fixture *f, struct box_client *client, const char *line)
{
    return box_call(&f->box, client, line);
}

BOX_UNUSED static void send(struct fixture *f, struct box_client *client, const char *line)
{
    box_begin(&f->box);
    box_send(&f->box, client, line);
    box_end(&f->box);
}

BOX_UNUSED static struct shard *shard_of(struct fixture *f, uint32_t id)
{
    return f->box.shards[id];
}

/* ---- the rival ---- */

BOX_UNUSED static void rival_sends(struct fixture *f, uint32_t id, struct raft_message *message)
{
    struct entry_view entries[ENTRIES_MAX] = {{0}};
    assert_true(message->kind != RAFT_APPEND || message->append.count <= ENTRIES_MAX);
    for (uint32_t i = 0; message->kind == RAFT_APPEND && i < message->append.count; i++)
        entries[i] = (struct entry_view){.kind = ENTRY_NOOP, .term = message->append.terms[i]};
    message->from = PUPPET_RIVAL;
    message->to = SHARD_NODE_ID;
    shard_step(shard_of(f, id), f->box.now.boot_us, message, entries);
}

/* No-ops of these terms behind prev, the last one the rival's own. */
BOX_UNUSED static void rival_appends(struct fixture *f, uint32_t id, uint64_t prev,
                                     const raft_term *terms, uint32_t count, uint64_t commit)
{
    struct raft *raft = shard_raft(shard_of(f, id));
    struct raft_message message = {
        .kind = RAFT_APPEND,
        .term = terms[count - 1],
        .append = {.prev_index = prev,
                   .prev_term = raft_term_at(raft, prev),
                   .commit = commit,
                   .count = count,
                   .terms = terms},
    };
    rival_sends(f, id, &message);
}

/* It leads, and says nothing of entries. */
BOX_UNUSED static void rival_leads(struct fixture *f, uint32_t id)
{
    struct raft_message message = {.kind = RAFT_HEARTBEAT,
                                   .term = raft_term_now(shard_raft(shard_of(f, id))) + 1,
                                   .heartbeat = {.round = 1}};
    rival_sends(f, id, &message);
}

/* It leads, and its first entry stands behind prev: what we have there is replaced. */
BOX_UNUSED static void rival_replaces(struct fixture *f, uint32_t id, uint64_t prev)
{
    raft_term term = raft_term_now(shard_raft(shard_of(f, id))) + 1;
    rival_appends(f, id, prev, &term, 1, prev + 1);
}

/* It leads, and our newest entry is committed after all, and its own behind it. */
BOX_UNUSED static void rival_commits(struct fixture *f, uint32_t id)
{
    rival_replaces(f, id, shard_last_index(shard_of(f, id)));
}

BOX_UNUSED static void lose(struct fixture *f, uint32_t id)
{
    rival_leads(f, id);
    box_turn(&f->box);
    assert_false(exec_leads(&f->box.exec->shards[id]));
}

/* The turn in which the lead is won may still be going on: one more, and it is executed in. */
BOX_UNUSED static void win(struct fixture *f)
{
    box_serve(&f->box);
    box_turn(&f->box);
}

/* A write that is not committed, only proposed; its gate is the client's first. */
BOX_UNUSED static void write_ahead(struct fixture *f, struct box_client *client, const char *line)
{
    f->box.puppets[0].stores_none = true;
    send(f, client, line);
    assert_true(client->is_done);
    assert_int_equal(client->request.gate_count, 1);
    assert_int_equal(exec_gate_state(f->box.exec, client->gates[0]), EXEC_GATE_CLOSED);
}

BOX_UNUSED static enum exec_gate_state gate_of(struct fixture *f, const struct box_client *client)
{
    return exec_gate_state(f->box.exec, client->gates[0]);
}
