/* The directive `cluster`: who forms a cluster.
 *
 *   list  := entry ("," entry)*
 *   entry := number "=" host ":" port ["@" peer_port]
 *   host  := name | IPv4 | "[" IPv6 "]"
 *
 * A peer port that is not given is port + 10000. Blanks, control characters and empty entries are
 * refused, and so is an IPv6 address without its brackets. */
#pragma once

#include "codec/members.h"

enum { CLUSTER_PEER_PORT_OFFSET = 10000 };

/* All are voters, of store id 0, in order of their numbers. False: error says what is wrong. */
MUST_USE bool cluster_list_parse(const char *text, struct members *out, struct buf *error);

/* host:port[@peer_port] into the member's three fields. False: it is none. */
MUST_USE bool cluster_address_parse(struct bytes text, struct member *out);
