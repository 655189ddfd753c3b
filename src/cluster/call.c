/* Requests with their answers, and streams of chunks under the receiver's credit.
 *
 * Both directions of the forward channel share a connection, so it is never left unread: two nodes
 * that both waited until the other reads would wait for ever. What bounds memory instead: who asks
 * keeps an account of unanswered requests, so what is unread here has a limit; requests are held
 * back, answers are not, while much is to be done or to be sent. */
#include "cluster/internal.h"

enum {
    CALL_HEAD = 13,                /* number, size of the request, kind */
    CREDIT_MIN = PEERS_WINDOW / 4, /* credit goes back in pieces of so much at least */
    HOLD_ABOVE = PEERS_FORWARD_QUEUE_MAX / 16,
};

static void forget_requests(struct peer *peer)
{
    peer->requests_out = peer->requests_in = peer->request_sent = peer->request_seen = 0;
    peer->requests_out_size = peer->requests_in_size = 0;
    buf_clear(&peer->held);
    peer->held_taken = 0;
}

void peer_forget_calls(struct peer *peer, enum peers_channel channel)
{
    if (channel == PEERS_FORWARD)
        forget_requests(peer);
    if (channel != PEERS_BULK)
        return;
    memset(peer->streams_out, 0, sizeof(peer->streams_out));
    memset(peer->streams_in, 0, sizeof(peer->streams_in));
    peer->stream_opened = peer->stream_seen = 0;
}

/* ---- requests: who asks ---- */

static void put_call(struct buf *out, struct peers_request_id id, uint8_t kind,
                     struct bytes payload)
{
    put_u64(out, id.number);
    put_u32(out, id.size);
    put_u8(out, kind);
    buf_append(out, payload);
}

/* One always fits when none is unanswered, whatever its size. */
static bool account_is_full(uint64_t count, uint64_t size, size_t more)
{
    return count >= PEERS_REQUESTS_MAX || (count > 0 && size + more > PEERS_REQUESTS_SIZE_MAX);
}

enum peers_err peers_request(struct peers *peers, uint64_t node, uint8_t kind, struct bytes payload,
                             struct peers_request_id *id)
{
    ASSERT(payload.size <= PEERS_REQUEST_MAX);
    struct peer *peer = peers_find(peers, node);
    if (peer == NULL)
        return PEERS_UNKNOWN;
    struct link *link = peer_link(peer, PEERS_FORWARD);
    if (link == NULL)
        return PEERS_NOT_THERE;
    if (account_is_full(peer->requests_out, peer->requests_out_size, payload.size))
        return PEERS_FULL;
    *id = (struct peers_request_id){
        .link = link->incarnation, .number = ++peer->request_sent, .size = (uint32_t)payload.size};
    peer->requests_out++;
    peer->requests_out_size += payload.size;
    put_call(link_begin(link), *id, kind, payload);
    link_end(link, FRAME_REQUEST);
    peers->counters.frames_out++;
    return PEERS_OK;
}

static enum given take_answer(struct peer *peer, struct peers_request_id id, uint8_t kind,
                              struct bytes payload, struct peers_input *out)
{
    bool is_ours = id.number > 0 && id.number <= peer->request_sent && peer->requests_out > 0 &&
                   id.size <= peer->requests_out_size;
    if (!is_ours)
        return GIVEN_BAD;
    peer->requests_out--;
    peer->requests_out_size -= id.size;
    out->kind = PEERS_IN_ANSWER;
    out->request.id = id;
    out->request.kind = kind;
    out->request.payload = payload;
    return GIVEN;
}

/* ---- requests: who answers ---- */

enum peers_err peers_answer(struct peers *peers, uint64_t node, struct peers_request_id id,
                            uint8_t kind, struct bytes payload)
{
    ASSERT(payload.size <= PEERS_REQUEST_MAX);
    struct peer *peer = peers_find(peers, node);
    struct link *link = peer == NULL ? NULL : peer_link(peer, PEERS_FORWARD);
    if (link == NULL || link->incarnation != id.link)
        return PEERS_NOT_THERE;
    ASSERT(id.number > 0 && id.number <= peer->request_seen && peer->requests_in > 0);
    ASSERT(id.size <= peer->requests_in_size);
    peer->requests_in--;
    peer->requests_in_size -= id.size;
    size_t size = FRAME_HEADER_SIZE + CALL_HEAD + payload.size;
    if (!link_has_room(link, size, PEERS_FORWARD_QUEUE_MAX)) {
        /* An answer that is only left out would be waited for; a broken link says so. */
        link_fail(link, LINK_FLOODED, "it does not read its answers");
        return PEERS_FULL;
    }
    put_call(link_begin(link), id, kind, payload);
    link_end(link, FRAME_ANSWER);
    peers->counters.frames_out++;
    return PEERS_OK;
}

static bool may_give(const struct peer *peer, struct link *link)
{
    return peer->requests_given < PEERS_REQUESTS_PER_TICK && link_queued(link) <= HOLD_ABOVE;
}

static enum given give_request(struct peer *peer, struct peers_request_id id, uint8_t kind,
                               struct bytes payload, struct peers_input *out)
{
    peer->requests_given++;
    out->kind = PEERS_IN_REQUEST;
    out->request.id = id;
    out->request.kind = kind;
    out->request.payload = payload;
    return GIVEN;
}

/* Its form was checked when it came. Bytes before it were given and are no longer borrowed. */
bool peer_next_held(struct peer *peer, struct link *link, struct peers_input *out)
{
    if (peer->held_taken == peer->held.size || !may_give(peer, link))
        return false;
    struct fields fields =
        fields_of(bytes_of(peer->held.data + peer->held_taken, peer->held.size - peer->held_taken));
    struct peers_request_id id = {.link = link->incarnation, .number = take_u64(&fields)};
    id.size = take_u32(&fields);
    uint8_t kind = take_u8(&fields);
    peer->held_taken += CALL_HEAD + id.size;
    (void)give_request(peer, id, kind, take_bytes(&fields, id.size), out);
    return true;
}

bool peer_has_due_requests(const struct peer *peer)
{
    struct link *link = peer_link(peer, PEERS_FORWARD);
    return peer->held_taken < peer->held.size && link != NULL && link_queued(link) <= HOLD_ABOVE;
}

static void hold(struct peer *peer, struct bytes request)
{
    if (peer->held_taken > 0)
        buf_consume(&peer->held, peer->held_taken);
    peer->held_taken = 0;
    buf_append(&peer->held, request);
}

static enum given take_asked(struct peer *peer, struct link *link, struct peers_request_id id,
                             uint8_t kind, struct bytes whole, struct peers_input *out)
{
    struct bytes payload = bytes_of(whole.data + CALL_HEAD, whole.size - CALL_HEAD);
    if (id.number != peer->request_seen + 1 || id.size != payload.size)
        return GIVEN_BAD;
    if (account_is_full(peer->requests_in, peer->requests_in_size, id.size)) {
        link_fail(link, LINK_FLOODED, "too many requests without an answer");
        return GIVEN_NOTHING;
    }
    peer->request_seen++;
    peer->requests_in++;
    peer->requests_in_size += id.size;
    if (may_give(peer, link) && peer->held_taken == peer->held.size)
        return give_request(peer, id, kind, payload, out);
    hold(peer, whole);
    return GIVEN_NOTHING;
}

enum given peer_take_request(struct peer *peer, struct link *link, const struct frame *frame,
                             struct peers_input *out)
{
    struct fields fields = fields_of(frame->payload);
    struct peers_request_id id = {.link = link->incarnation, .number = take_u64(&fields)};
    id.size = take_u32(&fields);
    uint8_t kind = take_u8(&fields);
    if (fields.is_short)
        return GIVEN_BAD;
    if (frame->kind == FRAME_ANSWER)
        return take_answer(peer, id, kind, fields.rest, out);
    return take_asked(peer, link, id, kind, frame->payload, out);
}

/* ---- streams: sender ---- */

static struct stream_out *find_out(struct peer *peer, uint64_t stream)
{
    for (int i = 0; i < PEERS_STREAMS_MAX; i++) {
        if (peer->streams_out[i].id == stream)
            return &peer->streams_out[i];
    }
    return NULL;
}

static struct stream_in *find_in(struct peer *peer, uint64_t stream)
{
    for (int i = 0; i < PEERS_STREAMS_MAX; i++) {
        if (peer->streams_in[i].id == stream)
            return &peer->streams_in[i];
    }
    return NULL;
}

/* The link and our open stream, or why not. */
static enum peers_err sending(const struct peers *peers, uint64_t node, uint64_t stream,
                              struct link **link, struct stream_out **found)
{
    struct peer *peer = peers_find(peers, node);
    if (peer == NULL || stream == 0)
        return PEERS_UNKNOWN;
    *link = peer_link(peer, PEERS_BULK);
    if (*link == NULL)
        return PEERS_NOT_THERE;
    *found = find_out(peer, stream);
    return *found == NULL ? PEERS_UNKNOWN : PEERS_OK;
}

enum peers_err peers_stream_open(struct peers *peers, uint64_t node, uint32_t group,
                                 struct bytes payload, uint64_t *stream)
{
    ASSERT(payload.size <= PEERS_OPEN_MAX);
    struct peer *peer = peers_find(peers, node);
    if (peer == NULL)
        return PEERS_UNKNOWN;
    struct link *link = peer_link(peer, PEERS_BULK);
    if (link == NULL)
        return PEERS_NOT_THERE;
    struct stream_out *free_place = find_out(peer, 0);
    if (free_place == NULL ||
        !link_has_room(link, FRAME_HEADER_SIZE + 12 + payload.size, PEERS_BULK_QUEUE_MAX))
        return PEERS_FULL;
    *free_place = (struct stream_out){.id = ++peer->stream_opened, .credit = PEERS_WINDOW};
    *stream = free_place->id;
    struct buf *out = link_begin(link);
    put_u64(out, *stream);
    put_u32(out, group);
    buf_append(out, payload);
    link_end(link, FRAME_STREAM_OPEN);
    peers->counters.frames_out++;
    return PEERS_OK;
}

size_t peers_stream_room(const struct peers *peers, uint64_t node, uint64_t stream)
{
    struct link *link;
    struct stream_out *found;
    if (sending(peers, node, stream, &link, &found) != PEERS_OK)
        return 0;
    size_t queued = link_queued(link) + FRAME_HEADER_SIZE + sizeof(uint64_t);
    size_t room = queued < PEERS_BULK_QUEUE_MAX ? PEERS_BULK_QUEUE_MAX - queued : 0;
    room = room < PEERS_CHUNK_MAX ? room : PEERS_CHUNK_MAX;
    return room < found->credit ? room : (size_t)found->credit;
}

enum peers_err peers_stream_send(struct peers *peers, uint64_t node, uint64_t stream,
                                 struct bytes chunk)
{
    struct link *link;
    struct stream_out *found;
    enum peers_err err = sending(peers, node, stream, &link, &found);
    if (err != PEERS_OK)
        return err;
    ASSERT(chunk.size > 0);
    if (chunk.size > peers_stream_room(peers, node, stream))
        return PEERS_FULL;
    found->credit -= chunk.size;
    struct buf *out = link_begin(link);
    put_u64(out, stream);
    buf_append(out, chunk);
    link_end(link, FRAME_STREAM_CHUNK);
    peers->counters.frames_out++;
    return PEERS_OK;
}

enum peers_err peers_stream_end(struct peers *peers, uint64_t node, uint64_t stream)
{
    struct link *link;
    struct stream_out *found;
    enum peers_err err = sending(peers, node, stream, &link, &found);
    if (err != PEERS_OK)
        return err;
    *found = (struct stream_out){0};
    put_u64(link_begin(link), stream);
    link_end(link, FRAME_STREAM_END);
    peers->counters.frames_out++;
    return PEERS_OK;
}

/* ---- streams: receiver ---- */

void peers_stream_consumed(struct peers *peers, uint64_t node, uint64_t stream, size_t size)
{
    struct peer *peer = peers_find(peers, node);
    struct link *link = peer == NULL || stream == 0 ? NULL : peer_link(peer, PEERS_BULK);
    struct stream_in *found = link == NULL ? NULL : find_in(peer, stream);
    if (found == NULL)
        return;
    found->consumed += size;
    ASSERT(found->allowed + found->consumed <= PEERS_WINDOW);
    if (found->consumed < CREDIT_MIN)
        return;
    struct buf *out = link_begin(link);
    put_u64(out, stream);
    put_u32(out, (uint32_t)found->consumed);
    link_end(link, FRAME_STREAM_CREDIT);
    peers->counters.frames_out++;
    found->allowed += found->consumed;
    found->consumed = 0;
}

void peers_stream_stop(struct peers *peers, uint64_t node, uint64_t stream, bool is_ours)
{
    struct peer *peer = peers_find(peers, node);
    struct link *link = peer == NULL || stream == 0 ? NULL : peer_link(peer, PEERS_BULK);
    if (link == NULL)
        return;
    struct stream_out *ours = is_ours ? find_out(peer, stream) : NULL;
    struct stream_in *theirs = is_ours ? NULL : find_in(peer, stream);
    bool is_known = is_ours ? ours != NULL : stream <= peer->stream_seen;
    if (!is_known)
        return;
    if (ours != NULL)
        *ours = (struct stream_out){0};
    if (theirs != NULL)
        *theirs = (struct stream_in){0};
    struct buf *out = link_begin(link);
    put_u64(out, stream);
    put_u8(out, is_ours);
    link_end(link, FRAME_STREAM_STOP);
    peers->counters.frames_out++;
}

static enum given take_open(struct peer *peer, struct link *link, uint64_t stream,
                            struct fields *fields, struct peers_input *out)
{
    uint32_t group = take_u32(fields);
    struct stream_in *place = find_in(peer, 0);
    if (fields->is_short || group >= PEERS_GROUPS_MAX || stream != peer->stream_seen + 1)
        return GIVEN_BAD;
    if (place == NULL) {
        link_fail(link, LINK_FLOODED, "too many streams");
        return GIVEN_NOTHING;
    }
    peer->stream_seen = stream;
    *place = (struct stream_in){.id = stream, .group = group, .allowed = PEERS_WINDOW};
    out->kind = PEERS_IN_STREAM_OPEN;
    out->stream.group = group;
    out->stream.payload = fields->rest;
    return GIVEN;
}

static enum given take_chunk(struct link *link, struct stream_in *found, struct bytes chunk,
                             struct peers_input *out)
{
    if (chunk.size == 0)
        return GIVEN_BAD;
    if (chunk.size > found->allowed) {
        link_fail(link, LINK_FLOODED, "more chunks than it had credit for");
        return GIVEN_NOTHING;
    }
    found->allowed -= chunk.size;
    out->kind = PEERS_IN_STREAM_CHUNK;
    out->stream.group = found->group;
    out->stream.payload = chunk;
    return GIVEN;
}

static enum given take_end(struct stream_in *found, enum peers_input_kind kind,
                           struct peers_input *out)
{
    out->kind = kind;
    out->stream.group = found->group;
    *found = (struct stream_in){0};
    return GIVEN;
}

/* Of a stream that we gave up a moment ago, what is still under way means nothing. */
static enum given of_forgotten(uint64_t stream, uint64_t last)
{
    return stream > 0 && stream <= last ? GIVEN_NOTHING : GIVEN_BAD;
}

static enum given take_credit(struct peer *peer, uint64_t stream, struct fields *fields)
{
    uint32_t size = take_u32(fields);
    if (!fields_end(fields))
        return GIVEN_BAD;
    struct stream_out *found = stream == 0 ? NULL : find_out(peer, stream);
    if (found == NULL)
        return of_forgotten(stream, peer->stream_opened);
    found->credit += size;
    return found->credit <= PEERS_WINDOW ? GIVEN_NOTHING : GIVEN_BAD;
}

static enum given take_stop(struct peer *peer, uint64_t stream, struct fields *fields,
                            struct peers_input *out)
{
    uint8_t is_theirs = take_u8(fields);
    if (!fields_end(fields) || is_theirs > 1 || stream == 0)
        return GIVEN_BAD;
    if (is_theirs) {
        struct stream_in *found = find_in(peer, stream);
        return found == NULL ? of_forgotten(stream, peer->stream_seen)
                             : take_end(found, PEERS_IN_STREAM_STOP, out);
    }
    struct stream_out *found = find_out(peer, stream);
    if (stream > peer->stream_opened)
        return GIVEN_BAD;
    if (found != NULL) /* else it has come to its end: what the other made of it has failed */
        *found = (struct stream_out){0};
    out->kind = PEERS_IN_STREAM_STOP;
    out->stream.is_ours = true;
    return GIVEN;
}

enum given peer_take_stream(struct peer *peer, struct link *link, const struct frame *frame,
                            struct peers_input *out)
{
    struct fields fields = fields_of(frame->payload);
    uint64_t stream = take_u64(&fields);
    if (fields.is_short || stream == 0)
        return GIVEN_BAD;
    out->stream.stream = stream;
    if (frame->kind == FRAME_STREAM_OPEN)
        return take_open(peer, link, stream, &fields, out);
    if (frame->kind == FRAME_STREAM_CREDIT)
        return take_credit(peer, stream, &fields);
    if (frame->kind == FRAME_STREAM_STOP)
        return take_stop(peer, stream, &fields, out);
    struct stream_in *found = find_in(peer, stream);
    if (found == NULL)
        return of_forgotten(stream, peer->stream_seen);
    if (frame->kind == FRAME_STREAM_CHUNK)
        return take_chunk(link, found, fields.rest, out);
    return fields_end(&fields) ? take_end(found, PEERS_IN_STREAM_END, out) : GIVEN_BAD;
}
