#include "cluster/link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cluster/hello.h"
#include "cluster/message.h"

enum {
    READ_SIZE = 64 * 1024,   /* room that a read is given at least */
    KEEP_CAPACITY = 1 << 20, /* of an empty buffer; a bigger one goes back */
    KEEPALIVE_S = 30,        /* beside our own silence: for channels that have nothing to say */
    GROUPS_SIZE = 12 * PEERS_GROUPS_MAX, /* of a pulse */
    HEARTBEATS_SIZE = 64 + MESSAGE_SIZE_MAX * PEERS_GROUPS_MAX,
};

/* Limits by kind; a greeting's end is known to be somebody only after PROOF, so what a stranger can
 * make us hold is the largest of the first three. */
static const struct frame_limits handshake_limits = {{
    [FRAME_HELLO] = HELLO_SIZE,
    [FRAME_CHALLENGE] = HELLO_SIZE,
    [FRAME_PROOF] = HMAC_SIZE,
    [FRAME_WELCOME] = HMAC_SIZE,
    [FRAME_REFUSE] = 1,
}};

static const struct frame_limits limits[PEERS_CHANNELS] = {
    [PEERS_CONTROL] = {{
        [FRAME_HEARTBEATS] = HEARTBEATS_SIZE,
        [FRAME_HEARTBEAT_ANSWERS] = HEARTBEATS_SIZE,
        [FRAME_MESSAGE] = MESSAGE_SIZE_MAX,
        [FRAME_PULSE] = GROUPS_SIZE,
        [FRAME_PULSE_ANSWER] = GROUPS_SIZE,
    }},
    [PEERS_APPEND] = {{
        [FRAME_MESSAGE] = MESSAGE_SIZE_MAX,
        [FRAME_APPEND] = MESSAGE_ENTRY_MAX + (MESSAGE_ENTRIES_MAX + 8) * MESSAGE_ENTRY_SIZE,
    }},
    [PEERS_FORWARD] = {{
        [FRAME_REQUEST] = PEERS_REQUEST_MAX + 13,
        [FRAME_ANSWER] = PEERS_REQUEST_MAX + 13,
    }},
    [PEERS_BULK] = {{
        [FRAME_STREAM_OPEN] = PEERS_OPEN_MAX + 12,
        [FRAME_STREAM_CHUNK] = PEERS_CHUNK_MAX + 8,
        [FRAME_STREAM_END] = 8,
        [FRAME_STREAM_STOP] = 9,
        [FRAME_STREAM_CREDIT] = 12,
    }},
};

struct link *link_new(struct loop *loop, int fd, int kind, enum link_state state)
{
    struct link *link = mem_zero(sizeof(*link));
    link->state = state;
    link->loop = fd >= 0 ? loop : NULL;
    link->conn.source.fd = -1;
    if (fd < 0)
        return link;
    conn_init(&link->conn, fd, kind, KEEPALIVE_S);
    link->conn.source.what = state == LINK_CONNECTING ? NET_WRITABLE : NET_READABLE;
    if (loop_add(loop, &link->conn.source))
        return link;
    int reason = errno;
    link->loop = NULL;
    link_free(link);
    errno = reason;
    return NULL;
}

void link_free(struct link *link)
{
    if (link == NULL)
        return;
    if (link->loop != NULL)
        loop_remove(link->loop, &link->conn.source);
    conn_close(&link->conn);
    buf_free(&link->greetings);
    buf_free(&link->in);
    buf_free(&link->out);
    mem_free(link);
}

/* ---- the end ---- */

void link_fail(struct link *link, enum link_reason reason, const char *detail)
{
    ASSERT(reason != LINK_FINE);
    if (link->reason != LINK_FINE)
        return;
    link_lock(link);
    link->reason = reason;
    link_unlock(link);
    (void)snprintf(link->detail, sizeof(link->detail), "%s", detail == NULL ? "" : detail);
}

void link_append_reason(const struct link *link, struct buf *out)
{
    static const char *const texts[] = {
        [LINK_FINE] = "nothing is wrong",
        [LINK_ENDED] = "the other end closed the connection",
        [LINK_BROKEN] = "the connection broke",
        [LINK_UNREACHABLE] = "cannot connect",
        [LINK_SLOW] = "the handshake was not finished in time",
        [LINK_SILENT] = "nothing was heard for too long",
        [LINK_SUPERSEDED] = "a newer link took its place",
        [LINK_DROPPED] = "closed on this side",
        [LINK_BAD_FRAME] = "it sent a damaged frame",
        [LINK_BAD_CONTENT] = "it sent a frame whose content is wrong",
        [LINK_FLOODED] = "it sent more than the limits allow",
        [LINK_TLS] = "TLS",
        [LINK_REFUSED] = "refused",
        [LINK_REFUSED_US] = "the other end refused us",
    };
    buf_append_string(out, texts[link->reason]);
    if (link->detail[0] != 0)
        buf_printf(out, ": %s", link->detail);
}

void link_lock(struct link *link)
{
    if (link->mutex == NULL)
        return;
    int result = pthread_mutex_lock(link->mutex);
    ASSERT(result == 0);
}

void link_unlock(struct link *link)
{
    if (link->mutex == NULL)
        return;
    int result = pthread_mutex_unlock(link->mutex);
    ASSERT(result == 0);
}

/* ---- sockets ---- */

void link_watch(struct link *link)
{
    if (link->loop == NULL)
        return;
    uint32_t what = NET_READABLE;
    if (link->state == LINK_CONNECTING || link_queued(link) > 0)
        what |= NET_WRITABLE;
    loop_change(link->loop, &link->conn.source, link->reason == LINK_FINE ? what : 0);
}

/* Frames that were taken make room; what is left is the beginning of one. */
static void make_room(struct link *link)
{
    if (link->in_taken > 0)
        buf_consume(&link->in, link->in_taken);
    link->in_taken = 0;
    if (link->in.size == 0 && link->in.capacity > KEEP_CAPACITY)
        buf_free(&link->in);
}

void link_read(struct link *link, size_t bound)
{
    bool is_over = link->reason != LINK_FINE || link->ending != LINK_FINE;
    if (link->loop == NULL || is_over)
        return;
    make_room(link);
    link_lock(link);
    enum conn_err err = CONN_OK;
    size_t total = 0;
    while (err == CONN_OK && total < bound) {
        size_t got;
        uint8_t *room = buf_reserve(&link->in, READ_SIZE);
        err = conn_read(&link->conn, room, link->in.capacity - link->in.size, &got);
        link->in.size += got;
        total += got;
    }
    link->received_bytes += total;
    link->has_heard |= total > 0;
    link->has_more = err == CONN_OK;
    if (err == CONN_ENDED || err == CONN_BROKEN)
        link->ending = err == CONN_ENDED ? LINK_ENDED : LINK_BROKEN;
    link_unlock(link);
}

static void after_write(struct link *link)
{
    if (link->out_sent == link->out.size) {
        buf_clear(&link->out);
        link->out_sent = 0;
        if (link->out.capacity > KEEP_CAPACITY)
            buf_free(&link->out);
    } else if (link->out_sent > link->out.size / 2) {
        buf_consume(&link->out, link->out_sent);
        link->out_sent = 0;
    }
}

enum conn_err link_push(struct link *link)
{
    enum conn_err err = CONN_OK;
    while (err == CONN_OK && link->out_sent < link->out.size) {
        size_t put;
        err = conn_write(&link->conn, link->out.data + link->out_sent,
                         link->out.size - link->out_sent, &put);
        link->out_sent += put;
        link->sent_bytes += put;
    }
    after_write(link);
    return err;
}

void link_write(struct link *link)
{
    if (link->loop == NULL || link->reason != LINK_FINE || link->state == LINK_CONNECTING ||
        link->state == LINK_SECURING)
        return;
    link_lock(link);
    enum conn_err err = link_push(link);
    if (err == CONN_BROKEN || err == CONN_ENDED)
        link_fail(link, LINK_BROKEN, NULL);
    link_watch(link);
    link_unlock(link);
}

void link_give(struct link *link, struct bytes bytes)
{
    make_room(link);
    buf_append(&link->in, bytes);
    link->received_bytes += bytes.size;
    link->has_heard = true;
}

/* ---- frames ---- */

size_t link_queued(struct link *link)
{
    link_lock(link);
    size_t queued = link->out.size - link->out_sent;
    link_unlock(link);
    return queued;
}

struct buf *link_begin(struct link *link)
{
    link_lock(link);
    link->frame_at = frame_begin(&link->out);
    return &link->out;
}

void link_end(struct link *link, enum frame_kind kind)
{
    frame_end(&link->out, link->frame_at, (uint8_t)kind, link->out_number++);
    link_unlock(link);
}

static const char *frame_trouble(enum frame_err err)
{
    switch (err) {
    case FRAME_BAD_VERSION:
        return "not a frame of this version";
    case FRAME_BAD_KIND:
        return "of a kind that does not belong there";
    case FRAME_TOO_BIG:
        return "too big for its kind";
    case FRAME_BAD_SUM:
        return "its checksum is wrong";
    case FRAME_OK:
    case FRAME_MORE:
        break;
    }
    UNREACHABLE();
}

bool link_next(struct link *link, struct frame *out)
{
    if (link->reason != LINK_FINE)
        return false;
    bool is_up = link->state == LINK_UP;
    struct bytes rest = {0};
    if (link->in_taken < link->in.size)
        rest = bytes_of(link->in.data + link->in_taken, link->in.size - link->in_taken);
    enum frame_err err =
        frame_read(rest, link->in_number, is_up ? &limits[link->channel] : &handshake_limits, out);
    if (err == FRAME_MORE && link->ending != LINK_FINE)
        link_fail(link, link->ending, NULL);
    if (err == FRAME_MORE)
        return false;
    if (err != FRAME_OK) {
        link_fail(link, LINK_BAD_FRAME, frame_trouble(err));
        return false;
    }
    link->in_taken += out->size;
    link->in_number++;
    return true;
}
