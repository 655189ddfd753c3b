/* The checkers of raft_net: what they remember is in struct raft_net. All abort when they fail. */
#pragma once

#include "raft_net.h"

void raft_net_check_begin(struct raft_net *net);
void raft_net_check(struct raft_net *net, uint32_t n); /* after each event on node n */
void raft_net_check_entry(struct raft_net *net, uint32_t n, raft_index index); /* came into a log */
void raft_net_check_commit(struct raft_net *net, uint32_t n, const struct raft_ready *ready);
void raft_net_check_message(struct raft_net *net, uint32_t n, const struct raft_message *message);
void raft_net_check_read(struct raft_net *net, uint32_t n, raft_index must_see);
