/* What two nodes show each other before anything else, and how they prove it. Pure: bytes and
 * verdicts. Who says what when: cluster/handshake.c; grammar: src/net/PEER.md. */
#pragma once

#include "base/buf.h"
#include "cluster/peers.h"
#include "codec/hmac.h"

enum {
    HELLO_PROTOCOL = 1, /* what frames mean, as FRAME_VERSION is how they look */
    HELLO_NONCE_SIZE = 32,
    HELLO_SIZE = 104,
};

/* HELLO of the dialler and CHALLENGE of the acceptor, each from its own side. */
struct hello {
    uint16_t protocol;
    uint8_t channel; /* enum peers_channel */
    uint64_t cluster_id;
    uint64_t from_node, from_store;
    uint64_t to_node, to_store; /* to_store 0: not known */
    uint64_t run;
    uint64_t dial; /* the dialler's count of its dials; the same in the challenge */
    uint8_t nonce[HELLO_NONCE_SIZE];
};

void hello_put(struct buf *out, const struct hello *hello);
MUST_USE bool hello_take(struct bytes in, struct hello *out);

/* Why somebody is not talked to. The numbers are part of the format (REFUSE). */
enum hello_verdict {
    HELLO_WELCOME = 0,
    HELLO_BAD = 1, /* not what a node says */
    HELLO_PROTOCOL_DIFFERS = 2,
    HELLO_CLUSTER_DIFFERS = 3,
    HELLO_NOT_ME = 4,       /* another node was called */
    HELLO_NOT_MY_STORE = 5, /* another store was called: one of the two directories was replaced */
    HELLO_NOT_A_MEMBER = 6,
    HELLO_STORE_DIFFERS = 7, /* the member's store is another: its directory was replaced */
    HELLO_WRONG_SIDE = 8,    /* the smaller node id dials */
    HELLO_STALE = 9,         /* a newer link of that channel is there */
    HELLO_SECRET_DIFFERS = 10,
    HELLO_VERDICTS,
};

const char *hello_verdict_text(enum hello_verdict verdict);

/* What this end knows. */
struct hello_self {
    uint64_t cluster_id; /* 0: none yet */
    uint64_t node;
    uint64_t store_id;
};

/* Checks what the other end says against what is known; member is NULL for a node that is none.
 * The rest (who dials, what is stale, the secret) is the handshake's. */
MUST_USE enum hello_verdict hello_check(const struct hello *hello, const struct hello_self *self,
                                        const struct peers_member *member);

/* The proof of one end: HMAC-SHA256 of the secret over who proves, both greetings as they were sent
 * (nonces and identities of both) and the TLS session's own value (empty without TLS). The
 * dialler's proof is of no use to the acceptor's part, and none to any other connection. */
void hello_prove(struct bytes secret, bool is_dialler, struct bytes hello, struct bytes challenge,
                 struct bytes session, uint8_t out[HMAC_SIZE]);
