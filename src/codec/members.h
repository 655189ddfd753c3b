/* The members of a group as entries of kind MEMBERS, marks and the M row carry them: ids and roles
 * for Raft, and where and who each one is, so that the log alone tells every node whom to dial and
 * whom to believe.
 *
 *   members := version:u8=1 count:u8 member{count}
 *   member  := node:le64 role:u8 store_id:le64 port:le16 peer_port:le16 size:u8 host{size}
 *   role    := 0 learner | 1 voter
 *
 * Example, one voter of id 1 at a host "a", port 6379, peer port 16379, store id 2:
 *   01 01  01 00 00 00 00 00 00 00  01  02 00 00 00 00 00 00 00  eb 18  fb 3f  01 61
 *
 * No bytes at all stand for a group that was made before members were written: one voter, id 1. */
#pragma once

#include "base/assert.h"
#include "base/buf.h"

enum {
    MEMBERS_MAX = 9,
    MEMBERS_HOST_MAX = 255, /* bytes of a name or a numeric address, without terminator */
};

struct member {
    uint64_t node; /* not 0 */
    bool is_voter;
    uint64_t store_id; /* of its data directory; 0: not known (a node that was always alone) */
    uint16_t port;     /* for clients; 0: not known */
    uint16_t peer_port;
    char host[MEMBERS_HOST_MAX + 1]; /* "": not known */
};

struct members {
    uint32_t count;
    struct member at[MEMBERS_MAX];
};

void members_append(struct buf *out, const struct members *members);

/* False: not what members_append writes (too many, a node twice or 0, bytes left over). */
MUST_USE bool members_decode(struct bytes bytes, struct members *out);

bool members_have_voter(const struct members *members); /* else nobody could ever lead them */

struct member *members_find(struct members *members, uint64_t node); /* NULL: not one of them */
