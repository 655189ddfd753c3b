/* From a connection to a link. D dials, A accepts:
 *
 *   D  HELLO      who I am, whom I call, which channel and incarnation, my nonce
 *   A  CHALLENGE  the same from here, my nonce                   or REFUSE and close
 *   D  PROOF      HMAC of the secret over all of it, as dialler  or REFUSE and close
 *   A  WELCOME    HMAC over the same, as acceptor                or REFUSE and close
 *
 * The dialler proves first: who only knocks gets nothing to guess the secret from. The acceptor has
 * put the link in its place, and the superseded one away, before it says WELCOME, and the dialler
 * sends nothing before it hears that: what is asked again on the new link cannot meet its older
 * self still unread on the old one (L8). */
#include <errno.h>
#include <string.h>

#include "cluster/internal.h"
#include "net/dial.h"
#include "os/random.h"

enum { TLS_FIRST_BYTE = 0x16 }; /* of a ClientHello's record */

static void fail_as(struct link *link, enum link_reason reason, enum hello_verdict verdict)
{
    link->verdict = (uint8_t)verdict;
    link_fail(link, reason, hello_verdict_text(verdict));
}

static void refuse(struct link *link, enum hello_verdict verdict)
{
    buf_append_u8(link_begin(link), (uint8_t)verdict);
    link_end(link, FRAME_REFUSE);
    link_write(link);
    fail_as(link, LINK_REFUSED, verdict);
}

/* ---- greetings ---- */

static struct hello greeting(const struct peers *peers, const struct link *link, uint64_t to_node,
                             uint64_t to_store)
{
    struct hello hello = {
        .protocol = HELLO_PROTOCOL,
        .channel = (uint8_t)link->channel,
        .cluster_id = peers->self.cluster_id,
        .from_node = peers->self.node,
        .from_store = peers->self.store_id,
        .to_node = to_node,
        .to_store = to_store,
        .run = peers->options.run,
        .dial = link->dial,
    };
    random_fill(hello.nonce, sizeof(hello.nonce));
    return hello;
}

static void say_greeting(struct link *link, const struct hello *hello, enum frame_kind kind)
{
    size_t at = link->greetings.size;
    hello_put(&link->greetings, hello);
    buf_append(link_begin(link), bytes_of(link->greetings.data + at, HELLO_SIZE));
    link_end(link, kind);
    link_write(link);
}

static void greet(struct peers *peers, struct link *link)
{
    const struct peer *peer = peers_find(peers, link->node);
    struct hello hello = greeting(peers, link, peer->member.node, peer->member.store_id);
    link->state = LINK_GREETING;
    link_watch(link);
    say_greeting(link, &hello, FRAME_HELLO);
}

static void note_identity(struct link *link, const struct hello *hello)
{
    link->cluster_id = hello->cluster_id;
    link->store_id = hello->from_store;
    link->run = hello->run;
}

static bool is_stale(const struct channel *channel, uint64_t run, uint64_t dial)
{
    return channel->run == run && dial <= channel->dialled;
}

static enum hello_verdict check_hello(const struct peers *peers, const struct peer *peer,
                                      const struct hello *hello)
{
    enum hello_verdict verdict =
        hello_check(hello, &peers->self, peer == NULL ? NULL : &peer->member);
    if (verdict != HELLO_WELCOME)
        return verdict;
    if (peers_dials(peers, peer))
        return HELLO_WRONG_SIDE;
    const struct channel *channel = &peer->channels[hello->channel];
    return is_stale(channel, hello->run, hello->dial) ? HELLO_STALE : HELLO_WELCOME;
}

static void on_hello(struct peers *peers, struct link *link, struct bytes payload)
{
    struct hello hello;
    bool is_whole = hello_take(payload, &hello);
    const struct peer *peer = is_whole ? peers_find(peers, hello.from_node) : NULL;
    enum hello_verdict verdict = is_whole ? check_hello(peers, peer, &hello) : HELLO_BAD;
    if (verdict != HELLO_WELCOME) {
        refuse(link, verdict);
        return;
    }
    link->node = hello.from_node;
    link->channel = (enum peers_channel)hello.channel;
    link->dial = hello.dial;
    note_identity(link, &hello);
    buf_append(&link->greetings, payload);
    struct hello challenge = greeting(peers, link, hello.from_node, peer->member.store_id);
    link->state = LINK_PROVING;
    say_greeting(link, &challenge, FRAME_CHALLENGE);
}

/* ---- proofs ---- */

static void prove(const struct peers *peers, const struct link *link, bool is_dialler,
                  uint8_t out[HMAC_SIZE])
{
    ASSERT(link->greetings.size == 2 * HELLO_SIZE);
    uint8_t session[TLS_EXPORT_SIZE];
    struct bytes bound = {0};
    if (link->conn.session != NULL) {
        tls_export(&link->conn, session);
        bound = bytes_of(session, sizeof(session));
    }
    hello_prove(buf_bytes(&peers->secret), is_dialler, bytes_of(link->greetings.data, HELLO_SIZE),
                bytes_of(link->greetings.data + HELLO_SIZE, HELLO_SIZE), bound, out);
}

static bool is_proof(const struct peers *peers, const struct link *link, bool of_dialler,
                     struct bytes payload)
{
    uint8_t expected[HMAC_SIZE];
    prove(peers, link, of_dialler, expected);
    return payload.size == HMAC_SIZE && hmac_equal(payload.data, expected);
}

static void say_proof(const struct peers *peers, struct link *link, enum frame_kind kind)
{
    uint8_t proof[HMAC_SIZE];
    prove(peers, link, link->is_dialler, proof);
    buf_append(link_begin(link), bytes_of(proof, sizeof(proof)));
    link_end(link, kind);
}

static void on_challenge(struct peers *peers, struct link *link, struct bytes payload)
{
    struct hello hello;
    const struct peer *peer = peers_find(peers, link->node);
    bool is_whole = hello_take(payload, &hello) && hello.from_node == link->node &&
                    hello.channel == link->channel && hello.dial == link->dial;
    enum hello_verdict verdict =
        is_whole ? hello_check(&hello, &peers->self, &peer->member) : HELLO_BAD;
    if (verdict != HELLO_WELCOME) {
        refuse(link, verdict);
        return;
    }
    note_identity(link, &hello);
    buf_append(&link->greetings, payload);
    link->state = LINK_PROVING;
    say_proof(peers, link, FRAME_PROOF);
    link_write(link);
}

/* What is known may have changed since the greeting. */
static enum hello_verdict check_again(const struct peers *peers, const struct peer *peer,
                                      const struct link *link)
{
    if (peer == NULL)
        return HELLO_NOT_A_MEMBER;
    if (peer->member.store_id != 0 && peer->member.store_id != link->store_id)
        return HELLO_STORE_DIFFERS;
    bool is_formed = link->cluster_id != 0 && peers->self.cluster_id != 0;
    bool is_ours = !is_formed || link->cluster_id == peers->self.cluster_id;
    return is_ours ? HELLO_WELCOME : HELLO_CLUSTER_DIFFERS;
}

static void on_proof(struct peers *peers, struct link *link, struct bytes payload)
{
    struct peer *peer = peers_find(peers, link->node);
    if (!is_proof(peers, link, true, payload)) {
        refuse(link, HELLO_SECRET_DIFFERS);
        return;
    }
    enum hello_verdict verdict = check_again(peers, peer, link);
    if (verdict == HELLO_WELCOME && is_stale(&peer->channels[link->channel], link->run, link->dial))
        verdict = HELLO_STALE;
    if (verdict != HELLO_WELCOME) {
        refuse(link, verdict);
        return;
    }
    say_proof(peers, link, FRAME_WELCOME);
    peers_install(peers, peer, link);
}

static void on_welcome(struct peers *peers, struct link *link, struct bytes payload)
{
    struct peer *peer = peers_find(peers, link->node);
    enum hello_verdict verdict = is_proof(peers, link, false, payload)
                                     ? check_again(peers, peer, link)
                                     : HELLO_SECRET_DIFFERS;
    if (verdict == HELLO_WELCOME)
        peers_install(peers, peer, link);
    else
        refuse(link, verdict);
}

/* ---- the steps ---- */

static void on_refuse(struct link *link, struct bytes payload)
{
    uint8_t verdict = payload.size == 1 ? payload.data[0] : (uint8_t)HELLO_BAD;
    bool is_known = verdict > HELLO_WELCOME && verdict < HELLO_VERDICTS;
    fail_as(link, LINK_REFUSED_US, is_known ? (enum hello_verdict)verdict : HELLO_BAD);
}

static void on_frame(struct peers *peers, struct link *link, const struct frame *frame)
{
    bool is_greeting = link->state == LINK_GREETING;
    enum frame_kind due = link->is_dialler ? is_greeting ? FRAME_CHALLENGE : FRAME_WELCOME
                          : is_greeting    ? FRAME_HELLO
                                           : FRAME_PROOF;
    if (frame->kind == FRAME_REFUSE) {
        on_refuse(link, frame->payload);
        return;
    }
    if (frame->kind != due) {
        refuse(link, HELLO_BAD);
        return;
    }
    if (due == FRAME_HELLO)
        on_hello(peers, link, frame->payload);
    else if (due == FRAME_CHALLENGE)
        on_challenge(peers, link, frame->payload);
    else if (due == FRAME_PROOF)
        on_proof(peers, link, frame->payload);
    else
        on_welcome(peers, link, frame->payload);
}

static void read_frames(struct peers *peers, struct link *link)
{
    struct frame frame;
    bool is_first = link->in_number == 0 && link->in.size > 0 && link->reason == LINK_FINE;
    if (is_first && link->in.data[0] == TLS_FIRST_BYTE && peers->tls == NULL && link->in.size > 2 &&
        link->in.data[1] == 3) {
        link_fail(link, LINK_TLS, "it speaks TLS, and tls-cluster is no here");
        return;
    }
    while (link->state != LINK_UP && link_next(link, &frame))
        on_frame(peers, link, &frame);
}

static void secure(struct peers *peers, struct link *link)
{
    struct buf reason = {0};
    enum tls_err err = tls_handshake(&link->conn);
    switch (err) {
    case TLS_OK:
        link->state = LINK_GREETING;
        link_watch(link);
        if (link->is_dialler)
            greet(peers, link);
        else
            link_read(link, READ_HANDSHAKE_MAX); /* it may have come with the last of TLS */
        return;
    case TLS_WANTS_READ:
    case TLS_WANTS_WRITE:
        loop_change(link->loop, &link->conn.source,
                    err == TLS_WANTS_READ ? NET_READABLE : NET_WRITABLE);
        return;
    case TLS_FAILED:
        tls_append_reason(&link->conn, &reason);
        buf_append_u8(&reason, 0);
        link_fail(link, LINK_TLS, (const char *)reason.data);
        buf_free(&reason);
        return;
    }
}

/* The connection is there: encrypted first, if so configured. */
static void begin(struct peers *peers, struct link *link)
{
    if (peers->tls != NULL) {
        link->state = LINK_SECURING;
        tls_begin(peers->tls, &link->conn, link->is_dialler);
        secure(peers, link);
        return;
    }
    link->state = LINK_GREETING;
    if (link->is_dialler)
        greet(peers, link);
    else
        link_watch(link);
}

static void check_dial(struct peers *peers, struct link *link)
{
    int result = dial_result(link->conn.source.fd);
    if (result == 0)
        begin(peers, link);
    else if (result != EINPROGRESS)
        link_fail(link, LINK_UNREACHABLE, strerror(result));
}

void handshake_step(struct peers *peers, struct link *link)
{
    ASSERT(link->state != LINK_UP);
    if (link->deadline_us == 0)
        link->deadline_us = peers->now.boot_us + HANDSHAKE_US;
    if (link->state == LINK_CONNECTING && link->reason == LINK_FINE) {
        if (link->is_dialler)
            check_dial(peers, link);
        else
            begin(peers, link);
    }
    if (link->state == LINK_SECURING && link->reason == LINK_FINE)
        secure(peers, link);
    if (link->state == LINK_GREETING || link->state == LINK_PROVING)
        read_frames(peers, link);
    if (link->state != LINK_UP && peers->now.boot_us >= link->deadline_us)
        link_fail(link, LINK_SLOW, NULL);
}
