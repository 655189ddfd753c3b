/* CLUSTER, READONLY, READWRITE, ASKING: the cluster protocol towards clients; and RAFT, by which an
 * operator grows, shrinks and looks at a cluster. */
#pragma once

#include "commands/command.h"
#include "server/operator.h"

extern const struct command cluster_commands[];
extern const struct command raft_commands[];

/* Hands the call to the node. */
void operator_ask(struct call *c, enum operator_command what);
