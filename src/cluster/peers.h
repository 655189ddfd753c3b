/* The links between this node and the other nodes of its cluster: raft messages, the pulse,
 * requests and streams of chunks, over four connections per pair of nodes. Format: src/net/PEER.md.
 *
 *   control   votes, heartbeats, answers, pulses          never waits behind the others
 *   append    entries, announcements of installs
 *   forward   requests and their answers, opaque here
 *   bulk      streams of chunks (installs), under credit of the receiver
 *
 * The node with the smaller id dials all four and dials again when one breaks, so each channel has
 * one connection by construction; the other end only accepts. A connection that has shown who it is
 * is a *link*, with an incarnation that rises with each link of its channel. A newer one supersedes
 * the older, whose bytes that nobody has pulled yet are discarded (L8).
 *
 * Who is at the other end is proved both ways by the cluster's secret (HMAC-SHA256 over both nonces
 * and all identities) before a byte of it is believed. Node ids are the ids of raft messages, whose
 * sender and addressee come from the link: nobody can speak for others.
 *
 * Loop thread only; one helper thread sends pulses while a turn is long (see peers_open). In a
 * turn:
 *
 *   peers_receive(events)     accepts, connects, reads; the clock is read after it (L9)
 *   peers_tick(now)           hands are shaken, dials, silence, deadlines; every turn
 *   peers_next … until false  what came in: the caller steps, answers, keeps
 *   peers_send …              what raft_ready told (raft decides what may leave), requests, chunks
 *   peers_lead                which groups we lead, when that changed
 *   peers_flush               after collect: appends leave in the turn they were collected in; may
 *                             be called several times in a turn
 *
 * Without sockets (options.loop NULL; simulators): peers_wire_* moves the bytes, nothing is dialled
 * and no thread runs. */
#pragma once

#include "base/buf.h"
#include "base/log.h"
#include "base/turn_time.h"
#include "codec/entry.h"
#include "net/loop.h"
#include "raft/raft.h"

enum {
    PEERS_MAX = 32,                     /* other nodes; one more is refused by peers_set */
    PEERS_GROUPS_MAX = 4096,            /* group numbers are below */
    PEERS_HOST_SIZE = 256,              /* a host's name or numeric address, with its terminator */
    PEERS_REQUEST_MAX = 1 << 30,        /* bytes of a request or an answer */
    PEERS_REQUESTS_MAX = 65536,         /* unanswered on one link; one more is PEERS_FULL … */
    PEERS_REQUESTS_SIZE_MAX = 32 << 20, /* … and their bytes, unless there is none */
    PEERS_REQUESTS_PER_TICK = 1024,     /* given of one link between two peers_tick */
    PEERS_OPEN_MAX = 60 << 10,          /* bytes that a stream is opened with */
    PEERS_CHUNK_MAX = 1 << 20,          /* bytes of one chunk of a stream */
    PEERS_WINDOW = 4 << 20,             /* chunk bytes of a stream under way without credit */
    PEERS_STREAMS_MAX = 16, /* open streams per peer and direction; one more is PEERS_FULL */
    PEERS_ERROR_SIZE = 128,

    /* Bytes that wait to be sent, by channel. A frame always finds room in an empty queue, however
     * big it is; otherwise, when it does not fit: */
    PEERS_CONTROL_QUEUE_MAX = 1 << 20,   /* it is dropped and counted: raft repeats what matters */
    PEERS_APPEND_QUEUE_MAX = 32 << 20,   /* the same: the peer is probed after missing answers */
    PEERS_FORWARD_QUEUE_MAX = 256 << 20, /* an answer closes the link; requests always fit, by the
                                          * limits above. Above a sixteenth no request is given */
    PEERS_BULK_QUEUE_MAX = 8 << 20,      /* peers_stream_room says 0 */
};

enum peers_channel {
    PEERS_CONTROL,
    PEERS_APPEND,
    PEERS_FORWARD,
    PEERS_BULK,
    PEERS_CHANNELS,
};

enum peers_err {
    PEERS_OK = 0,
    PEERS_UNKNOWN,   /* no such peer, stream or request */
    PEERS_NOT_THERE, /* no link on that channel now */
    PEERS_FULL,      /* a limit above */
};

struct peers_options {
    struct loop *loop;       /* borrowed; NULL: no sockets, see peers_wire_* */
    struct log *log;         /* borrowed */
    int listener_kind;       /* of the sources in loop … */
    int link_kind;           /* … and of connections */
    const char *const *bind; /* as in net/listener.h */
    size_t bind_count;
    uint16_t port; /* of peers; not 0 with a loop */

    uint64_t cluster_id; /* 0: none yet; such a node accepts any cluster that knows the secret */
    uint64_t node;       /* not 0 */
    uint64_t store_id;   /* not 0 */
    uint64_t run;        /* random, of this start of the process; not 0 */
    struct bytes secret; /* not empty with a loop; copied */

    bool use_tls; /* both ends are verified against ca */
    const char *tls_cert_file;
    const char *tls_key_file;
    const char *tls_ca_cert_file;

    uint64_t tick_us;     /* > 0: one heartbeat frame per tick goes to each peer at least */
    uint64_t silent_us;   /* > tick_us: a peer not heard for so long is taken for gone: redialled */
    uint64_t busy_max_us; /* pulses go on while the last turn is younger; 0: no pulses */
    uint64_t seed;        /* of back-off jitter; nonces come from the system */
    bool has_thread;      /* false: peers_pulse is called by hand (tests) */
};

struct peers;

/* Opens the port and starts the pulse. A turn that takes longer than a tick does not answer; from
 * then on the helper thread sends one pulse per tick and peer, naming the groups that this node led
 * as of its last peers_flush, until the turn is busy_max_us old. False: error has one line (port
 * taken, certificate unreadable …) and nothing stays open. */
MUST_USE bool peers_open(struct peers **out, const struct peers_options *options, uint64_t boot_us,
                         struct buf *error);
void peers_close(struct peers *peers); /* joins the thread, closes all; NULL is legal */

/* ---- who ---- */

struct peers_member {
    uint64_t node;     /* not 0, not ours */
    uint64_t store_id; /* 0: not known yet, any is accepted */
    char host[PEERS_HOST_SIZE];
    uint16_t port; /* of peers */
};

/* Adds a member or replaces what is known of it. Links that contradict what is known now (another
 * store id) are closed; a changed address counts from the next dial. */
MUST_USE enum peers_err peers_set(struct peers *peers, const struct peers_member *member);
void peers_remove(struct peers *peers, uint64_t node); /* closes its links; unknown: nothing */

/* Formed or taken in: from now on other clusters are refused, and links of others closed. */
void peers_set_cluster(struct peers *peers, uint64_t cluster_id);

size_t peers_count(const struct peers *peers);
uint64_t peers_at(const struct peers *peers, size_t at); /* node id; in order of ids */

/* ---- in ---- */

enum peers_input_kind {
    PEERS_IN_MESSAGE,      /* a raft message: decode is done, raft_step it */
    PEERS_IN_PULSE,        /* node's loop is busy and leads group in term: raft_pulse */
    PEERS_IN_PULSE_ANSWER, /* node heard our pulse for group in term: raft_pulse_answered */
    PEERS_IN_LINK_UP,      /* channel has a new link */
    PEERS_IN_LINK_DOWN, /* the link broke. append: raft_unreachable(node) in every group; forward:
                         * its requests have no answer any more; bulk: its streams are gone */
    PEERS_IN_REQUEST,
    PEERS_IN_ANSWER,
    PEERS_IN_STREAM_OPEN,  /* payload is what peers_stream_open was given */
    PEERS_IN_STREAM_CHUNK, /* consumed by peers_stream_consumed */
    PEERS_IN_STREAM_END,   /* all chunks are here, in order */
    PEERS_IN_STREAM_STOP,  /* the other end gave the stream up, sender or receiver */
};

struct peers_request_id {
    uint64_t link;   /* incarnation of the forward link */
    uint64_t number; /* on it */
    uint32_t size;   /* of the request, which its answer takes off the account */
};

/* What pointers point at is borrowed until the next call of peers_next, _receive, _tick or _close.
 */
struct peers_input {
    enum peers_input_kind kind;
    uint64_t node; /* who */
    union {
        struct {
            uint32_t group;
            /* append.terms is set; append.changes is NULL: the shard sets it from the entries of
             * kind ENTRY_MEMBERS, whose encoding is the shard's. */
            struct raft_message message;
            /* message.append.count of them: index prev_index + 1 and on. */
            const struct entry_view *entries;
        } raft;
        struct {
            uint32_t group;
            raft_term term;
        } pulse;
        struct {
            enum peers_channel channel;
            uint64_t incarnation;
            uint64_t cluster_id; /* as the peer says, proved: 0 when it belongs to none yet */
            uint64_t store_id;   /* likewise */
        } link;
        struct {
            struct peers_request_id id;
            uint8_t kind; /* the caller's, as sent */
            struct bytes payload;
        } request; /* of REQUEST and ANSWER */
        struct {
            uint64_t stream;
            uint32_t group;
            bool is_ours; /* STOP: a stream that we opened */
            struct bytes payload;
        } stream;
    };
};

/* Handles the events of its own sources, leaves the others alone. Reads a bounded number of bytes
 * per connection, so that no peer starves another; the rest comes with the next turn. Before
 * others handle the same events and free their sources; what it owns itself stays until
 * peers_tick. peers_set, _remove and _set_cluster free too: not between net_poll and peers_tick. */
void peers_receive(struct peers *peers, struct net_events events);

/* Moves handshakes on, dials, gives up who is silent, puts the frame of each tick into the queues.
 * Everything the calls after it do has this time. Does not read or write sockets but to dial. */
void peers_tick(struct peers *peers, struct turn_time now);
uint64_t peers_deadline(const struct peers *peers); /* boot time of the next peers_tick to do */

/* The next input, false when there is none; to be called until then in every turn. Foreign bytes
 * that are not what a correct peer sends are refused and counted, and break their link (L11).
 * control comes before append before forward before bulk. */
MUST_USE bool peers_next(struct peers *peers, struct peers_input *out);

/* ---- out ---- */

/* Queues a raft message (not RAFT_APPEND) of a group to message->to. Without a link, or at the
 * bound, it is dropped and counted: raft repeats. Heartbeats and their answers of all groups to one
 * peer leave as one frame each per peers_flush. */
void peers_send(struct peers *peers, uint32_t group, const struct raft_message *message);

/* Queues an append message with entries: `count` of them, the caller's log from prev_index + 1 on.
 * Returns how many of them go along, as many as fit one frame and at least one when count > 0: the
 * caller tells raft_append_cut when that is fewer than message->append.count (and may pass fewer
 * itself). Dropped messages (see peers_send) return all, for raft finds out as with any loss. */
MUST_USE uint32_t peers_send_append(struct peers *peers, uint32_t group,
                                    const struct raft_message *message,
                                    struct entry *const *entries, uint32_t count);

/* For pulses: we lead group in term; term 0: not any more. */
void peers_lead(struct peers *peers, uint32_t group, raft_term term);

/* A request on the forward link; *id is what its answer will carry. When the link breaks, whether
 * it was executed is unknown. */
MUST_USE enum peers_err peers_request(struct peers *peers, uint64_t node, uint8_t kind,
                                      struct bytes payload, struct peers_request_id *id);

/* Each request is answered once. PEERS_NOT_THERE: the link it came on is gone, the answer with it.
 */
enum peers_err peers_answer(struct peers *peers, uint64_t node, struct peers_request_id id,
                            uint8_t kind, struct bytes payload);

/* Sender of a stream: opens it, sends chunks in order as far as there is room, ends it. */
MUST_USE enum peers_err peers_stream_open(struct peers *peers, uint64_t node, uint32_t group,
                                          struct bytes payload, uint64_t *stream);
size_t peers_stream_room(const struct peers *peers, uint64_t node, uint64_t stream);
MUST_USE enum peers_err peers_stream_send(struct peers *peers, uint64_t node, uint64_t stream,
                                          struct bytes chunk); /* size in 1..room */
MUST_USE enum peers_err peers_stream_end(struct peers *peers, uint64_t node, uint64_t stream);

/* Receiver: gives credit for bytes of chunks that are dealt with, so that as many may follow. */
void peers_stream_consumed(struct peers *peers, uint64_t node, uint64_t stream, size_t size);

/* Gives a stream up, at either end; is_ours: we opened it. Unknown: nothing. The receiver may do so
 * behind the end of the stream, too: the opener is told that nothing came of it. */
void peers_stream_stop(struct peers *peers, uint64_t node, uint64_t stream, bool is_ours);

/* Writes what is queued, as far as the sockets take it; the rest leaves when they are writable. */
void peers_flush(struct peers *peers);

/* What the helper thread does at each tick; by hand when there is none. */
void peers_pulse(struct peers *peers, uint64_t boot_us);

/* ---- for INFO and L10 ---- */

struct peers_clock { /* L10: that clock, and our boot time at which it was read here; 0: none yet */
    uint64_t wall_us;
    uint64_t boot_us;
};

struct peers_status {
    struct peers_member member;
    bool is_linked[PEERS_CHANNELS];
    uint64_t incarnation[PEERS_CHANNELS];
    size_t queued[PEERS_CHANNELS]; /* bytes */
    uint64_t rtt_us;               /* of heartbeats, smoothed; 0: not known */
    uint64_t heard_us;             /* boot time of the last byte on control; 0: never */
    uint64_t links;                /* made, of all channels: 4 when none ever broke */
    uint64_t dropped;              /* raft messages for want of a link or at a bound */
    uint64_t refused;              /* handshakes, and links broken for what they said */
    uint64_t sent_bytes, received_bytes;
    struct peers_clock clock;
    char error[PEERS_ERROR_SIZE]; /* why it is not linked, or "" */
};

MUST_USE bool peers_status(const struct peers *peers, uint64_t node, struct peers_status *out);
struct peers_clock peers_clock(const struct peers *peers, uint64_t node);

struct peers_counters {
    uint64_t strangers;      /* connections refused before they showed who they are */
    uint64_t frames_refused; /* after it: checksum, size, kind, content */
    uint64_t frames_in, frames_out;
    uint64_t pulses_sent;
};
struct peers_counters peers_counters(const struct peers *peers);

/* ---- without sockets ---- */

/* Makes or breaks the link of one channel on this side; the other side does its own. A made link
 * replaces the one before. Incarnations must rise. */
void peers_wire_up(struct peers *peers, uint64_t node, enum peers_channel channel,
                   uint64_t incarnation);
void peers_wire_down(struct peers *peers, uint64_t node, enum peers_channel channel);

/* Moves the bytes that were flushed to the end of out. */
void peers_wire_take(struct peers *peers, uint64_t node, enum peers_channel channel,
                     struct buf *out);
/* Bytes arrive, cut anywhere; for the next peers_next. */
void peers_wire_give(struct peers *peers, uint64_t node, enum peers_channel channel,
                     struct bytes bytes);
