/* What the raft_*_test.c share: a net per test, and short names for what scripts ask often. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "raft_net.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static inline int begin(void **state)
{
    *state = raft_net_new();
    return 0;
}

static inline int end(void **state)
{
    raft_net_free(*state);
    return 0;
}

static inline struct raft_net_options net_options(uint32_t nodes, uint32_t voters)
{
    return (struct raft_net_options){
        .node_count = nodes,
        .voter_count = voters,
        .config = raft_net_config(),
        .applies_at_once = true,
        .stores_at_once = true,
        .seed = 1,
    };
}

static inline struct raft_net *form(void **state, uint32_t nodes, uint32_t voters)
{
    struct raft_net *net = *state;
    struct raft_net_options options = net_options(nodes, voters);
    raft_net_begin(net, &options);
    return net;
}

/* The first of them leads, everything is quiet and known to all. */
static inline struct raft_net *form_led(void **state, uint32_t nodes, uint32_t voters)
{
    struct raft_net *net = form(state, nodes, voters);
    raft_net_elect(net, 0, 0);
    raft_net_run(net, net->options.config.heartbeat_us * 3, 0);
    assert_int_equal(raft_net_leader(net), 0);
    return net;
}

static inline bool leads(struct raft_net *net, uint32_t n)
{
    return raft_role(raft_net_raft(net, n)) == RAFT_LEADER;
}

static inline raft_index last(struct raft_net *net, uint32_t n)
{
    return raft_last_index(raft_net_raft(net, n));
}

static inline raft_index commit(struct raft_net *net, uint32_t n)
{
    return raft_commit_index(raft_net_raft(net, n));
}

static inline raft_term term(struct raft_net *net, uint32_t n)
{
    return raft_term_now(raft_net_raft(net, n));
}

static inline void drop_all(struct raft_net *net)
{
    while (net->message_count > 0)
        raft_net_drop(net, 0);
}

/* Delivers the oldest message of the kind; fails when none is in flight. */
static inline void deliver_one(struct raft_net *net, enum raft_message_kind kind, raft_node from,
                               raft_node to)
{
    int32_t at = raft_net_find(net, (int)kind, from, to);
    assert_true(at >= 0);
    raft_net_deliver(net, (uint32_t)at);
}

/* Hands a message made by the test to node n, and takes what the core asks for. */
static inline struct raft_accepted give(struct raft_net *net, uint32_t n,
                                        struct raft_message message)
{
    message.to = net->nodes[n].id;
    struct raft *raft = raft_net_raft(net, n);
    struct raft_accepted accepted = raft_step(raft, raft_net_clock(net, n), &message);
    return accepted;
}
