/* What leaves: raft messages, the frames of each tick, and the bytes themselves. */
#include "cluster/internal.h"

enum {
    APPEND_FRAME_AIM = 1 << 20, /* an append frame takes entries until it is so big */
    HEARTBEATS_HEAD = 20,
    ANSWERS_HEAD = 28,
};

bool link_has_room(struct link *link, size_t frame_size, size_t queue_max)
{
    size_t queued = link_queued(link);
    return queued == 0 || queued + frame_size <= queue_max;
}

/* ---- raft ---- */

/* Of all groups in one frame: the group's number and the message's 30 bytes, no frame's 16. */
static void collect(struct buf *batch, uint32_t *count, uint32_t group,
                    const struct raft_message *message)
{
    message_put(batch, group, message);
    ++*count;
}

static void send_message(struct peers *peers, struct peer *peer, struct link *link, uint32_t group,
                         const struct raft_message *message)
{
    size_t queue_max =
        link->channel == PEERS_CONTROL ? PEERS_CONTROL_QUEUE_MAX : PEERS_APPEND_QUEUE_MAX;
    if (!link_has_room(link, FRAME_HEADER_SIZE + MESSAGE_SIZE_MAX, queue_max)) {
        peer->dropped++;
        return;
    }
    message_put(link_begin(link), group, message);
    link_end(link, FRAME_MESSAGE);
    peers->counters.frames_out++;
}

void peers_send(struct peers *peers, uint32_t group, const struct raft_message *message)
{
    ASSERT(message->kind != RAFT_APPEND && group < PEERS_GROUPS_MAX);
    struct peer *peer = peers_find(peers, message->to);
    if (peer == NULL)
        return;
    struct link *link =
        peer_link(peer, message->kind == RAFT_INSTALL ? PEERS_APPEND : PEERS_CONTROL);
    bool is_heartbeat = message->kind == RAFT_HEARTBEAT && peer->heartbeat_count < PEERS_GROUPS_MAX;
    bool is_answer =
        message->kind == RAFT_HEARTBEAT_ANSWER && peer->answer_count < PEERS_GROUPS_MAX;
    if (link == NULL)
        peer->dropped++;
    else if (is_heartbeat)
        collect(&peer->heartbeats, &peer->heartbeat_count, group, message);
    else if (is_answer)
        collect(&peer->answers, &peer->answer_count, group, message);
    else
        send_message(peers, peer, link, group, message);
}

/* As many entries as make a frame of about a megabyte, the first whatever its size. */
static uint32_t count_that_fit(struct entry *const *entries, uint32_t count, size_t *size)
{
    *size = FRAME_HEADER_SIZE + MESSAGE_SIZE_MAX;
    uint32_t fit = 0;
    while (fit < count && fit < MESSAGE_ENTRIES_MAX) {
        size_t more = MESSAGE_ENTRY_SIZE + entries[fit]->size;
        if (fit > 0 && *size + more > APPEND_FRAME_AIM)
            break;
        *size += more;
        fit++;
    }
    return fit;
}

uint32_t peers_send_append(struct peers *peers, uint32_t group, const struct raft_message *message,
                           struct entry *const *entries, uint32_t count)
{
    ASSERT(message->kind == RAFT_APPEND && count <= message->append.count);
    struct peer *peer = peers_find(peers, message->to);
    if (peer == NULL)
        return count;
    struct link *link = peer_link(peer, PEERS_APPEND);
    size_t size;
    uint32_t fit = count_that_fit(entries, count, &size);
    if (link == NULL || !link_has_room(link, size, PEERS_APPEND_QUEUE_MAX)) {
        peer->dropped++;
        return count;
    }
    message_put_append(link_begin(link), group, message, entries, fit);
    link_end(link, FRAME_APPEND);
    peers->counters.frames_out++;
    return fit;
}

/* ---- pulse ---- */

void peers_lead(struct peers *peers, uint32_t group, raft_term term)
{
    ASSERT(group < PEERS_GROUPS_MAX);
    peers->leads_changed |= peers->leads[group] != term;
    peers->leads[group] = term;
}

static void renew_pulse(struct peers *peers)
{
    struct buf payload = {0};
    uint32_t count = 0;
    put_u32(&payload, 0);
    for (uint32_t group = 0; group < PEERS_GROUPS_MAX; group++) {
        if (peers->leads[group] == 0)
            continue;
        put_u32(&payload, group);
        put_u64(&payload, peers->leads[group]);
        count++;
    }
    put_le32(payload.data, count);
    pulse_set_payload(&peers->pulse, buf_bytes(&payload));
    buf_free(&payload);
    peers->leads_changed = false;
}

void peers_pulse(struct peers *peers, uint64_t boot_us)
{
    pulse_beat(&peers->pulse, boot_us);
}

/* ---- the frames of a tick ---- */

static void send_heartbeats(struct peers *peers, struct peer *peer, struct link *link)
{
    if (!peer->beat_due && peer->heartbeat_count == 0)
        return;
    size_t size = FRAME_HEADER_SIZE + HEARTBEATS_HEAD + peer->heartbeats.size;
    if (link_has_room(link, size, PEERS_CONTROL_QUEUE_MAX)) {
        struct buf *out = link_begin(link);
        put_u64(out, peers->now.wall_us);
        put_u64(out, peers->now.boot_us);
        put_u32(out, peer->heartbeat_count);
        buf_append(out, buf_bytes(&peer->heartbeats));
        link_end(link, FRAME_HEARTBEATS);
        peers->counters.frames_out++;
    } else {
        peer->dropped += peer->heartbeat_count;
    }
    buf_clear(&peer->heartbeats);
    peer->heartbeat_count = 0;
    peer->beat_due = false;
}

static void send_answers(struct peers *peers, struct peer *peer, struct link *link)
{
    if (!peer->answer_due && peer->answer_count == 0)
        return;
    size_t size = FRAME_HEADER_SIZE + ANSWERS_HEAD + peer->answers.size;
    if (link_has_room(link, size, PEERS_CONTROL_QUEUE_MAX)) {
        struct buf *out = link_begin(link);
        put_u64(out, peers->now.wall_us);
        put_u64(out, peer->echo_us);
        put_u64(out, peers->now.boot_us - peer->echo_at_us);
        put_u32(out, peer->answer_count);
        buf_append(out, buf_bytes(&peer->answers));
        link_end(link, FRAME_HEARTBEAT_ANSWERS);
        peers->counters.frames_out++;
    } else {
        peer->dropped += peer->answer_count;
    }
    buf_clear(&peer->answers);
    peer->answer_count = 0;
    peer->answer_due = false;
}

void peers_flush(struct peers *peers)
{
    if (peers->leads_changed)
        renew_pulse(peers);
    for (size_t i = 0; i < peers->peer_count; i++) {
        struct peer *peer = peers->peers[i];
        struct link *control = peer_link(peer, PEERS_CONTROL);
        if (control != NULL) {
            send_answers(peers, peer, control);
            send_heartbeats(peers, peer, control);
        }
        for (int channel = 0; channel < PEERS_CHANNELS; channel++) {
            struct link *link = peer_link(peer, (enum peers_channel)channel);
            if (link != NULL && link_queued(link) > 0)
                link_write(link);
        }
    }
}
