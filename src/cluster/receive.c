/* What links say: frames into inputs, one at a time. Everything here is foreign (L11): it is
 * checked before it is believed, and a peer that breaks the grammar loses its link. */
#include "cluster/internal.h"

enum { RTT_SHARE = 8 }; /* a new sample counts for an eighth */

static uint64_t from_batch(struct peer *peer, struct peers_input *out)
{
    ASSERT(peer->batch_left > 0);
    peer->batch_left--;
    out->kind = peer->batch_kind == FRAME_PULSE ? PEERS_IN_PULSE : PEERS_IN_PULSE_ANSWER;
    out->pulse.group = take_u32(&peer->batch);
    out->pulse.term = take_u64(&peer->batch);
    return out->pulse.group;
}

static enum given give_message(struct peers *peers, struct peer *peer, struct fields *fields,
                               struct peers_input *out)
{
    struct message_in in;
    if (!message_take(fields, &peers->scratch, &in))
        return GIVEN_BAD;
    out->kind = PEERS_IN_MESSAGE;
    out->raft.group = in.group;
    out->raft.message = in.message;
    out->raft.message.from = peer->member.node;
    out->raft.message.to = peers->self.node;
    out->raft.entries = in.entries;
    return GIVEN;
}

/* ---- frames that hold several ---- */

/* The next of what is left of a frame with several. */
static enum given next_of_batch(struct peers *peers, struct peer *peer, struct peers_input *out)
{
    enum given given = GIVEN;
    if (peer->batch_kind == FRAME_PULSE || peer->batch_kind == FRAME_PULSE_ANSWER) {
        if (from_batch(peer, out) >= PEERS_GROUPS_MAX)
            given = GIVEN_BAD;
    } else {
        peer->batch_left--;
        given = give_message(peers, peer, &peer->batch, out);
        enum raft_message_kind due =
            peer->batch_kind == FRAME_HEARTBEATS ? RAFT_HEARTBEAT : RAFT_HEARTBEAT_ANSWER;
        if (given == GIVEN && out->raft.message.kind != due)
            given = GIVEN_BAD;
    }
    if (peer->batch_left == 0 && !fields_end(&peer->batch))
        given = GIVEN_BAD;
    return given;
}

static enum given begin_batch(struct peers *peers, struct peer *peer, enum frame_kind kind,
                              struct fields *fields, struct peers_input *out)
{
    uint32_t count = take_u32(fields);
    if (fields->is_short || count > PEERS_GROUPS_MAX)
        return GIVEN_BAD;
    if (count == 0)
        return fields_end(fields) ? GIVEN_NOTHING : GIVEN_BAD;
    peer->batch_kind = kind;
    peer->batch = *fields;
    peer->batch_left = count;
    return next_of_batch(peers, peer, out);
}

static void note_clock(struct peers *peers, struct peer *peer, uint64_t wall_us)
{
    peer->clock = (struct peers_clock){.wall_us = wall_us, .boot_us = peers->now.boot_us};
}

static enum given take_heartbeats(struct peers *peers, struct peer *peer, struct fields *fields,
                                  struct peers_input *out)
{
    note_clock(peers, peer, take_u64(fields));
    peer->echo_us = take_u64(fields);
    peer->echo_at_us = peers->now.boot_us;
    peer->answer_due = true;
    return begin_batch(peers, peer, FRAME_HEARTBEATS, fields, out);
}

/* Our own time came back, and how long it lay there: what is left is the way. */
static void note_rtt(struct peers *peers, struct peer *peer, uint64_t echo_us, uint64_t held_us)
{
    uint64_t now_us = peers->now.boot_us;
    if (echo_us == 0 || echo_us > now_us || held_us > now_us - echo_us)
        return;
    uint64_t rtt_us = now_us - echo_us - held_us;
    if (rtt_us == 0)
        rtt_us = 1;
    peer->rtt_us =
        peer->rtt_us == 0 ? rtt_us : peer->rtt_us - peer->rtt_us / RTT_SHARE + rtt_us / RTT_SHARE;
}

static enum given take_answers(struct peers *peers, struct peer *peer, struct fields *fields,
                               struct peers_input *out)
{
    note_clock(peers, peer, take_u64(fields));
    uint64_t echo_us = take_u64(fields);
    uint64_t held_us = take_u64(fields);
    if (!fields->is_short)
        note_rtt(peers, peer, echo_us, held_us);
    return begin_batch(peers, peer, FRAME_HEARTBEAT_ANSWERS, fields, out);
}

/* Answered with what it says, so that the busy leader knows that it was heard (check-quorum). */
static enum given take_pulse(struct peers *peers, struct peer *peer, struct link *link,
                             const struct frame *frame, struct peers_input *out)
{
    struct fields fields = fields_of(frame->payload);
    size_t size = FRAME_HEADER_SIZE + frame->payload.size;
    bool answers = frame->kind == FRAME_PULSE && frame->payload.size > sizeof(uint32_t);
    if (answers && link_has_room(link, size, PEERS_CONTROL_QUEUE_MAX)) {
        buf_append(link_begin(link), frame->payload);
        link_end(link, FRAME_PULSE_ANSWER);
        peers->counters.frames_out++;
    }
    return begin_batch(peers, peer, (enum frame_kind)frame->kind, &fields, out);
}

/* ---- one frame ---- */

static enum given take_message(struct peers *peers, struct peer *peer, const struct frame *frame,
                               struct peers_input *out)
{
    struct fields fields = fields_of(frame->payload);
    enum given given = give_message(peers, peer, &fields, out);
    bool is_append = out->raft.message.kind == RAFT_APPEND;
    if (given != GIVEN || !fields_end(&fields) || is_append != (frame->kind == FRAME_APPEND))
        return GIVEN_BAD;
    return GIVEN;
}

static enum given take_frame(struct peers *peers, struct peer *peer, struct link *link,
                             const struct frame *frame, struct peers_input *out)
{
    struct fields fields = fields_of(frame->payload);
    switch ((enum frame_kind)frame->kind) {
    case FRAME_HEARTBEATS:
        return take_heartbeats(peers, peer, &fields, out);
    case FRAME_HEARTBEAT_ANSWERS:
        return take_answers(peers, peer, &fields, out);
    case FRAME_PULSE:
    case FRAME_PULSE_ANSWER:
        return take_pulse(peers, peer, link, frame, out);
    case FRAME_MESSAGE:
    case FRAME_APPEND:
        return take_message(peers, peer, frame, out);
    case FRAME_REQUEST:
    case FRAME_ANSWER:
        return peer_take_request(peer, link, frame, out);
    case FRAME_STREAM_OPEN:
    case FRAME_STREAM_CHUNK:
    case FRAME_STREAM_END:
    case FRAME_STREAM_STOP:
    case FRAME_STREAM_CREDIT:
        return peer_take_stream(peer, link, frame, out);
    case FRAME_HELLO:
    case FRAME_CHALLENGE:
    case FRAME_PROOF:
    case FRAME_WELCOME:
    case FRAME_REFUSE:
        break;
    }
    return GIVEN_BAD;
}

static bool next_of_link(struct peers *peers, struct peer *peer, struct link *link,
                         struct peers_input *out)
{
    struct frame frame;
    for (;;) {
        enum given given;
        if (link->channel == PEERS_CONTROL && peer->batch_left > 0 && link->reason == LINK_FINE) {
            given = next_of_batch(peers, peer, out);
        } else if (link_next(link, &frame)) {
            peers->counters.frames_in++;
            given = take_frame(peers, peer, link, &frame, out);
        } else {
            return false;
        }
        if (given == GIVEN)
            return true;
        if (given == GIVEN_BAD)
            link_fail(link, LINK_BAD_CONTENT, NULL);
    }
}

/* ---- the order of things ---- */

static void give_change(struct peers_input *out, enum peers_input_kind kind,
                        enum peers_channel channel, const struct link *link)
{
    out->kind = kind;
    out->link.channel = channel;
    if (link == NULL)
        return;
    out->link.incarnation = link->incarnation;
    out->link.cluster_id = link->cluster_id;
    out->link.store_id = link->store_id;
}

/* The end of a link is told before the beginning of the next one, and both before what it says. */
static bool next_of_channel(struct peers *peers, struct peer *peer, enum peers_channel at,
                            struct peers_input *out)
{
    struct channel *channel = &peer->channels[at];
    if (channel->down_due) {
        channel->down_due = false;
        give_change(out, PEERS_IN_LINK_DOWN, at, NULL);
        return true;
    }
    struct link *link = channel->link;
    if (link == NULL || link->state != LINK_UP)
        return false;
    if (channel->up_due && link->reason == LINK_FINE) {
        channel->up_due = false;
        channel->is_announced = true;
        give_change(out, PEERS_IN_LINK_UP, at, link);
        return true;
    }
    if (!channel->is_announced)
        return false;
    if (at == PEERS_FORWARD && peer_next_held(peer, link, out))
        return true;
    if (next_of_link(peers, peer, link, out))
        return true;
    if (link->reason == LINK_FINE)
        return false;
    channel->is_announced = false;
    give_change(out, PEERS_IN_LINK_DOWN, at, link);
    return true;
}

bool peers_next(struct peers *peers, struct peers_input *out)
{
    while (peers->next_at < peers->peer_count * PEERS_CHANNELS) {
        struct peer *peer = peers->peers[peers->next_at % peers->peer_count];
        *out = (struct peers_input){.node = peer->member.node};
        if (next_of_channel(peers, peer, (enum peers_channel)(peers->next_at / peers->peer_count),
                            out))
            return true;
        peers->next_at++;
    }
    return false;
}
