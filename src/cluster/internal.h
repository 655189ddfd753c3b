/* Between the files of the links. Nobody outside src/cluster includes this.
 *
 * peers.c      opening, members, status
 * tick.c       the life of links: accepting, dialling, silence, loss
 * handshake.c  from a connection to a link
 * receive.c    what links say
 * send.c       raft messages, heartbeats, flush
 * call.c       requests and streams
 * pulse.c      the helper thread
 * link.c       one connection */
#pragma once

#include <sys/socket.h>

#include "base/list.h"
#include "base/prng.h"
#include "cluster/hello.h"
#include "cluster/link.h"
#include "cluster/message.h"
#include "cluster/pulse.h"
#include "net/listener.h"
#include "os/worker.h"

enum {
    PENDING_MAX = 64, /* accepted and not shown yet; the next one is turned away and the
                       * oldest given up, so that nobody holds all places for long */
    ACCEPTS_PER_TURN = 32,
    HANDSHAKE_US = 3000000,
    DIAL_MIN_US = 20000,        /* back-off: doubles from here … */
    DIAL_MAX_US = 1000000,      /* … to here; drawn between half of it and the whole */
    STEADY_US = 1000000,        /* a link that lived so long was none of a series of failures */
    RESOLVED_US = 10000000,     /* how long a name's address is believed */
    LOG_INTERVAL_US = 10000000, /* the same trouble is logged once in it */
    READ_HANDSHAKE_MAX = 4096,
    READ_CONTROL_MAX = 1 << 20, /* bytes read from one connection in a turn, about */
    READ_DATA_MAX = 4 << 20,
};

/* A name under resolution, on the worker; may outlive the peer that asked. */
struct resolution {
    struct job job;
    struct list all;
    uint64_t node;
    char host[PEERS_HOST_SIZE];
    uint16_t port;
    bool is_found;
    struct sockaddr_storage address;
};

struct channel {
    struct link *link; /* in any state, or NULL */
    bool up_due;       /* PEERS_IN_LINK_UP is to be given */
    bool is_announced; /* it was */
    bool down_due;     /* its end is to be given, of a link that is no more */
    uint64_t dial_at_us;
    uint32_t failures;
    uint64_t run, dialled; /* of the newest link shown: what comes after must be newer */
};

struct stream_out {
    uint64_t id; /* 0: free */
    uint64_t credit;
};

struct stream_in {
    uint64_t id; /* 0: free */
    uint32_t group;
    uint64_t allowed;  /* bytes that may still come */
    uint64_t consumed; /* dealt with, and no credit sent for it yet */
};

struct peer {
    struct peers_member member;
    struct channel channels[PEERS_CHANNELS];

    struct sockaddr_storage address;
    bool is_named;        /* host is a name: the address comes from a resolver */
    uint64_t resolved_us; /* 0: never */
    bool is_resolving;

    /* control, out: messages that share a frame at the next flush */
    struct buf heartbeats, answers;
    uint32_t heartbeat_count, answer_count;
    bool beat_due, answer_due;
    uint64_t echo_us, echo_at_us; /* the peer's time in its last frame, and ours then */
    /* control, in: what is left of a frame that holds several */
    enum frame_kind batch_kind;
    struct fields batch;
    uint32_t batch_left;

    uint64_t requests_out, requests_in; /* unanswered */
    uint64_t requests_out_size, requests_in_size;
    uint32_t requests_given; /* since the last tick */
    struct buf held;         /* requests that came and are not given yet (call.c) */
    size_t held_taken;
    uint64_t request_sent, request_seen; /* numbers */
    struct stream_out streams_out[PEERS_STREAMS_MAX];
    struct stream_in streams_in[PEERS_STREAMS_MAX];
    uint64_t stream_opened, stream_seen;

    struct peers_clock clock;
    uint64_t heard_us, rtt_us;
    uint64_t links, dropped, refused, sent_bytes, received_bytes;
    uint64_t logged_us; /* trouble of this peer; 0: never */
    char error[PEERS_ERROR_SIZE];
};

struct stranger_log {
    uint64_t logged_us; /* 0: never */
    uint64_t kept_back;
};

struct peers {
    struct peers_options options; /* texts and secret are own copies below */
    struct buf secret;
    struct tls *tls;
    struct log *log;
    struct loop *loop;
    struct prng prng;
    struct hello_self self;
    struct turn_time now;

    struct listeners listeners;
    bool is_listening;
    struct link *pending[PENDING_MAX]; /* oldest first */
    size_t pending_count;
    struct worker *resolver; /* made when the first name is asked for */
    struct list resolutions; /* on it */

    struct peer *peers[PEERS_MAX]; /* in order of ids */
    size_t peer_count;
    size_t next_at; /* of peers_next: channel by channel, peer by peer */
    struct message_scratch scratch;
    uint64_t links_made; /* incarnations, and dials */
    uint64_t beat_at_us;

    raft_term leads[PEERS_GROUPS_MAX]; /* 0: not */
    bool leads_changed;
    struct pulse pulse;

    struct peers_counters counters;
    struct stranger_log strangers[LINK_REFUSED_US + 1 + HELLO_VERDICTS];
};

/* peers.c */
struct peer *peers_find(const struct peers *peers, uint64_t node);
static inline bool peers_dials(const struct peers *peers, const struct peer *peer)
{
    return peers->self.node < peer->member.node;
}

/* tick.c */
/* The shown link takes its place in the peer's channel; an older one is superseded. */
void peers_install(struct peers *peers, struct peer *peer, struct link *link);
/* The channel's link, which is there, is gone: frees it, plans the next dial. */
void peers_lose(struct peers *peers, struct peer *peer, enum peers_channel channel);

/* handshake.c: moves on what is not UP, as far as the bytes at hand go. */
void handshake_step(struct peers *peers, struct link *link);

/* send.c: the link of a channel that can be sent on, or NULL */
static inline struct link *peer_link(const struct peer *peer, enum peers_channel channel)
{
    struct link *link = peer->channels[channel].link;
    return link_is_up(link) ? link : NULL;
}
/* Whether a frame of so many bytes finds room in what waits (peers.h tells the rule). */
bool link_has_room(struct link *link, size_t frame_size, size_t queue_max);

/* call.c */
enum given { GIVEN, GIVEN_NOTHING, GIVEN_BAD };
/* A request is given, or held while too much goes on; then peer_next_held gives it. */
enum given peer_take_request(struct peer *peer, struct link *link, const struct frame *frame,
                             struct peers_input *out);
bool peer_next_held(struct peer *peer, struct link *link, struct peers_input *out);
bool peer_has_due_requests(const struct peer *peer);
enum given peer_take_stream(struct peer *peer, struct link *link, const struct frame *frame,
                            struct peers_input *out);
void peer_forget_calls(struct peer *peer, enum peers_channel channel); /* its link is gone */
