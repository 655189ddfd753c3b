/* One connection between two nodes: its bytes, cut into frames both ways. Who is at the other end
 * is the handshake's business, what frames say the peer's.
 *
 *   dialled:  CONNECTING -> SECURING -> GREETING -> PROVING -> UP
 *   accepted:               SECURING -> GREETING -> PROVING -> UP
 *                           (with TLS)  HELLO       PROOF      WELCOME   is what ends each state
 *
 * From every state link_fail leads to the end: nothing is read, written or given any more, and
 * peers_tick frees it, when nobody looks at the events of the same poll any more.
 *
 * A control link is shared with the thread of the pulse (cluster/pulse.h): its mutex guards `out`,
 * what counts it, and `conn`; `state` and `reason` are written under it, by the loop only. The loop
 * alone touches everything else. */
#pragma once

#include <pthread.h>

#include "base/buf.h"
#include "cluster/peers.h"
#include "codec/frame.h"
#include "net/conn.h"
#include "net/tls.h"

enum frame_kind {
    FRAME_HELLO = 1,
    FRAME_CHALLENGE = 2,
    FRAME_PROOF = 3,
    FRAME_WELCOME = 4,
    FRAME_REFUSE = 5,
    FRAME_HEARTBEATS = 6,
    FRAME_HEARTBEAT_ANSWERS = 7,
    FRAME_MESSAGE = 8,
    FRAME_PULSE = 9,
    FRAME_PULSE_ANSWER = 10,
    FRAME_APPEND = 11,
    FRAME_REQUEST = 12,
    FRAME_ANSWER = 13,
    FRAME_STREAM_OPEN = 14,
    FRAME_STREAM_CHUNK = 15,
    FRAME_STREAM_END = 16,
    FRAME_STREAM_STOP = 17,
    FRAME_STREAM_CREDIT = 18,
};

enum link_state {
    LINK_CONNECTING,
    LINK_SECURING,
    LINK_GREETING,
    LINK_PROVING,
    LINK_UP,
};

enum link_reason {
    LINK_FINE = 0,
    LINK_ENDED,       /* the other end closed it */
    LINK_BROKEN,      /* the kernel says so */
    LINK_UNREACHABLE, /* dialling failed; detail has the reason */
    LINK_SLOW,        /* the handshake took too long */
    LINK_SILENT,
    LINK_SUPERSEDED,
    LINK_DROPPED,   /* by us: the member was removed or changed, we close */
    LINK_BAD_FRAME, /* checksum, size, kind or version */
    LINK_BAD_CONTENT,
    LINK_FLOODED,    /* a limit that a correct peer keeps */
    LINK_TLS,        /* detail has the reason */
    LINK_REFUSED,    /* by us; detail */
    LINK_REFUSED_US, /* detail */
};

enum { LINK_DETAIL_SIZE = 96 };

struct link {
    struct conn conn;
    struct loop *loop;      /* NULL: without a socket */
    pthread_mutex_t *mutex; /* of a control link; NULL otherwise */
    enum link_state state;
    enum link_reason reason;
    char detail[LINK_DETAIL_SIZE];
    char caller[NET_ADDRESS_TEXT_SIZE]; /* of an accepted one */
    uint8_t verdict; /* enum hello_verdict, of LINK_REFUSED and LINK_REFUSED_US */
    bool is_dialler;
    enum peers_channel channel;
    uint64_t node;                 /* 0: not shown yet */
    uint64_t run, dial;            /* who dialled, and its count: what is newer among links */
    uint64_t incarnation;          /* our count of links, once it is UP */
    uint64_t cluster_id, store_id; /* as shown */
    uint64_t deadline_us;          /* of the handshake; 0: peers_tick sets it */
    uint64_t up_us;
    struct buf greetings; /* HELLO and CHALLENGE as they were sent */

    struct buf in;
    size_t in_taken; /* of it */
    uint64_t in_number;
    enum link_reason ending; /* reading met it; frames before it are still given, such as REFUSE */
    bool has_heard;          /* bytes came since the last tick */
    bool has_more;           /* more could be read at once: the last read stopped at its bound */
    uint64_t received_bytes;

    struct buf out;
    size_t out_sent; /* of it */
    uint64_t out_number;
    size_t frame_at;
    uint64_t sent_bytes;
};

/* fd -1: without a socket. Watched from here on when there is a loop. NULL with errno when the
 * kernel refuses to watch; fd is closed then. */
MUST_USE struct link *link_new(struct loop *loop, int fd, int kind, enum link_state state);
void link_free(struct link *link); /* NULL is legal */

static inline bool link_is_up(const struct link *link)
{
    return link != NULL && link->state == LINK_UP && link->reason == LINK_FINE;
}

/* The first reason stays. detail is cut; NULL: none. */
void link_fail(struct link *link, enum link_reason reason, const char *detail);
void link_append_reason(const struct link *link, struct buf *out);

/* Around every use of out and conn of a link that is shared; may be nested. */
void link_lock(struct link *link);
void link_unlock(struct link *link);

/* Reads what is there, at most about `bound` bytes. */
void link_read(struct link *link, size_t bound);
/* Writes what waits, as far as it goes, and watches for the rest. */
void link_write(struct link *link);
/* The same without watching or failing: for the thread of the pulse, which holds the lock. */
enum conn_err link_push(struct link *link);
void link_give(struct link *link, struct bytes bytes); /* as if read */
void link_watch(struct link *link);                    /* for what its state needs */

size_t link_queued(struct link *link); /* bytes that wait to be sent */

/* A frame at the end of what waits: begin (which locks), append to the buffer, end. */
struct buf *link_begin(struct link *link);
void link_end(struct link *link, enum frame_kind kind);

/* The next whole frame; its payload is good until the next link_read. False: none yet, or failed.
 */
MUST_USE bool link_next(struct link *link, struct frame *out);
