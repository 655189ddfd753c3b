/* The life of links: accepted or dialled, shown, heard or silent, lost, and dialled again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/internal.h"
#include "net/dial.h"

/* ---- logging ---- */

static bool may_log(const struct peers *peers, uint64_t *logged_us)
{
    uint64_t now_us = peers->now.boot_us;
    if (*logged_us != 0 && now_us - *logged_us < LOG_INTERVAL_US)
        return false;
    *logged_us = now_us > 0 ? now_us : 1;
    return true;
}

static size_t stranger_kind(const struct link *link)
{
    return link->reason == LINK_REFUSED ? (size_t)LINK_REFUSED_US + 1 + link->verdict
                                        : (size_t)link->reason;
}

/* Anybody may knock, so each kind of trouble is logged once in an interval. */
static void log_stranger(struct peers *peers, const struct link *link)
{
    struct stranger_log *kept = &peers->strangers[stranger_kind(link)];
    if (!may_log(peers, &kept->logged_us)) {
        kept->kept_back++;
        return;
    }
    struct buf why = {0};
    link_append_reason(link, &why);
    log_write(peers->log, LOG_LEVEL_WARNING,
              "Refused a connection to the peer port from %s: %.*s (%llu more like it before)",
              link->caller, (int)why.size, (const char *)why.data,
              (unsigned long long)kept->kept_back);
    kept->kept_back = 0;
    buf_free(&why);
}

static bool is_trouble(const struct link *link)
{
    return link->reason != LINK_SUPERSEDED && link->reason != LINK_DROPPED;
}

static void log_lost(struct peers *peers, struct peer *peer, const struct link *link)
{
    bool is_loss = link->state == LINK_UP && link->channel == PEERS_CONTROL;
    struct buf why = {0};
    link_append_reason(link, &why);
    if (is_trouble(link))
        (void)snprintf(peer->error, sizeof(peer->error), "%.*s", (int)why.size,
                       (const char *)why.data);
    if (is_loss || (is_trouble(link) && may_log(peers, &peer->logged_us)))
        log_write(peers->log, is_trouble(link) ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE,
                  "Node %llu at %.100s:%u: %s: %.*s", (unsigned long long)peer->member.node,
                  peer->member.host, peer->member.port, is_loss ? "lost the link" : "not linked",
                  (int)why.size, (const char *)why.data);
    buf_free(&why);
}

/* ---- gain and loss ---- */

static void start_control(struct peers *peers, struct peer *peer, struct link *link)
{
    pulse_add(&peers->pulse, link);
    peer->heard_us = peers->now.boot_us;
    peer->beat_due = true;
    peer->error[0] = 0;
    log_write(peers->log, LOG_LEVEL_NOTICE, "Node %llu is linked",
              (unsigned long long)peer->member.node);
}

void peers_install(struct peers *peers, struct peer *peer, struct link *link)
{
    struct channel *channel = &peer->channels[link->channel];
    if (channel->link != NULL && channel->link != link) {
        link_fail(channel->link, LINK_SUPERSEDED, NULL);
        peers_lose(peers, peer, link->channel);
    }
    link->state = LINK_UP;
    link->incarnation = ++peers->links_made;
    link->up_us = peers->now.boot_us;
    channel->link = link;
    channel->run = link->run;
    channel->dialled = link->dial;
    channel->up_due = true;
    peer->links++;
    if (link->channel == PEERS_CONTROL)
        start_control(peers, peer, link);
    link_write(link);
}

/* Doubling, with jitter, so that nodes that lost each other at once do not come back at once. */
static void plan_dial(struct peers *peers, struct channel *channel)
{
    uint64_t most_us = (uint64_t)DIAL_MIN_US << channel->failures;
    if (most_us >= DIAL_MAX_US)
        most_us = DIAL_MAX_US;
    else
        channel->failures++;
    channel->dial_at_us = peers->now.boot_us + prng_between(&peers->prng, most_us / 2, most_us);
}

static void forget_control(struct peer *peer)
{
    buf_clear(&peer->heartbeats);
    buf_clear(&peer->answers);
    peer->heartbeat_count = peer->answer_count = peer->batch_left = 0;
    peer->beat_due = peer->answer_due = false;
}

static void count_loss(struct peers *peers, struct peer *peer, const struct link *link)
{
    bool is_foul = link->reason == LINK_BAD_FRAME || link->reason == LINK_BAD_CONTENT ||
                   link->reason == LINK_FLOODED;
    bool is_refused =
        link->reason == LINK_REFUSED || link->reason == LINK_REFUSED_US || link->reason == LINK_TLS;
    peers->counters.frames_refused += is_foul;
    peer->refused += is_foul || is_refused;
    peer->sent_bytes += link->sent_bytes;
    peer->received_bytes += link->received_bytes;
}

void peers_lose(struct peers *peers, struct peer *peer, enum peers_channel at)
{
    struct channel *channel = &peer->channels[at];
    struct link *link = channel->link;
    ASSERT(link != NULL && link->reason != LINK_FINE);
    if (link->mutex != NULL)
        pulse_take_out(&peers->pulse, link);
    channel->link = NULL;
    channel->down_due |= channel->is_announced;
    channel->is_announced = channel->up_due = false;
    if (link->state == LINK_UP) {
        if (at == PEERS_CONTROL)
            forget_control(peer);
        peer_forget_calls(peer, at);
        if (peers->now.boot_us - link->up_us >= STEADY_US)
            channel->failures = 0;
    }
    count_loss(peers, peer, link);
    log_lost(peers, peer, link);
    plan_dial(peers, channel);
    link_free(link);
}

/* ---- sockets ---- */

static size_t read_bound(const struct link *link)
{
    if (link->state != LINK_UP)
        return READ_HANDSHAKE_MAX;
    return link->channel == PEERS_CONTROL ? READ_CONTROL_MAX : READ_DATA_MAX;
}

/* What is not a link yet is looked at by every tick. */
static void on_event(struct link *link, uint32_t what)
{
    if (link->state == LINK_CONNECTING || link->state == LINK_SECURING)
        return;
    if ((what & (NET_READABLE | NET_BROKEN | NET_HANGUP)) != 0)
        link_read(link, read_bound(link));
    if ((what & NET_WRITABLE) != 0)
        link_write(link);
}

/* Silence on control finds a cut cable first, for all channels; the kernel's timer is for what that
 * does not see. It counts a full receiver too, as a busy node is, so it waits as long as that may
 * take. */
static void set_patience(const struct peers *peers, int fd)
{
    uint64_t patience_us = peers->options.silent_us;
    if (patience_us < peers->options.busy_max_us)
        patience_us = peers->options.busy_max_us;
    dial_set_patience(fd, (uint32_t)(patience_us / 1000));
}

/* No place: who came first and has not shown anything yet makes room, in the next tick. */
static void add_pending(struct peers *peers, int fd)
{
    if (peers->pending_count == PENDING_MAX) {
        struct conn turned_away;
        conn_init(&turned_away, fd, peers->options.link_kind, 0);
        conn_close(&turned_away);
        peers->counters.strangers++;
        for (size_t i = 0; i < PENDING_MAX; i++) {
            if (peers->pending[i]->reason != LINK_FINE)
                continue;
            link_fail(peers->pending[i], LINK_FLOODED, "too many unfinished handshakes");
            return;
        }
        return;
    }
    struct link *link = link_new(peers->loop, fd, peers->options.link_kind, LINK_CONNECTING);
    if (link == NULL)
        return;
    conn_peer_text(&link->conn, link->caller); /* now: who is gone has no address */
    set_patience(peers, fd);
    peers->pending[peers->pending_count++] = link;
}

static void accept_some(struct peers *peers, struct listener *listener)
{
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd;
        if (listeners_accept(&peers->listeners, listener, &fd) != LISTENER_OK)
            return;
        add_pending(peers, fd);
    }
}

/* TLS may hold bytes that the poll knows nothing of. */
static void read_the_rest(struct peers *peers)
{
    for (size_t i = 0; i < peers->peer_count; i++) {
        for (int channel = 0; channel < PEERS_CHANNELS; channel++) {
            struct link *link = peer_link(peers->peers[i], (enum peers_channel)channel);
            if (link != NULL && link->has_more)
                link_read(link, read_bound(link));
        }
    }
}

void peers_receive(struct peers *peers, struct net_events events)
{
    if (peers->loop == NULL)
        return;
    for (size_t i = 0; i < peers->peer_count; i++) /* peers_next until false */
        ASSERT(peers->peers[i]->batch_left == 0 ||
               peer_link(peers->peers[i], PEERS_CONTROL) == NULL);
    read_the_rest(peers);
    for (size_t i = 0; i < events.count; i++) {
        struct net_source *source = events.events[i].source;
        if (source->kind == peers->options.link_kind)
            on_event(CONTAINER_OF(CONTAINER_OF(source, struct conn, source), struct link, conn),
                     events.events[i].what);
        else if (source->kind == peers->options.listener_kind)
            accept_some(peers, CONTAINER_OF(source, struct listener, source));
    }
    peers->next_at = 0;
}

/* ---- names ---- */

static void run_resolution(struct job *job)
{
    struct resolution *resolution = CONTAINER_OF(job, struct resolution, job);
    resolution->is_found = dial_resolve(resolution->host, resolution->port, &resolution->address);
}

static void ask_for_address(struct peers *peers, struct peer *peer)
{
    if (peer->is_resolving)
        return;
    if (peers->resolver == NULL)
        peers->resolver = worker_new("quoin-resolve", 1, 2 * PEERS_MAX, -1);
    struct resolution *resolution = mem_zero(sizeof(*resolution));
    resolution->job.run = run_resolution;
    resolution->node = peer->member.node;
    resolution->port = peer->member.port;
    memcpy(resolution->host, peer->member.host, sizeof(resolution->host));
    if (!worker_submit(peers->resolver, &resolution->job)) {
        mem_free(resolution);
        return;
    }
    list_push_back(&peers->resolutions, &resolution->all);
    peer->is_resolving = true;
}

static void take_resolution(struct peers *peers, const struct resolution *resolution)
{
    struct peer *peer = peers_find(peers, resolution->node);
    if (peer == NULL)
        return;
    peer->is_resolving = false;
    bool is_asked = peer->is_named && peer->member.port == resolution->port &&
                    strcmp(peer->member.host, resolution->host) == 0;
    if (!is_asked)
        return;
    if (resolution->is_found) {
        peer->address = resolution->address;
        peer->resolved_us = peers->now.boot_us;
        return;
    }
    (void)snprintf(peer->error, sizeof(peer->error), "its name cannot be resolved");
    if (may_log(peers, &peer->logged_us))
        log_write(peers->log, LOG_LEVEL_WARNING, "Node %llu: the name %.200s cannot be resolved",
                  (unsigned long long)peer->member.node, peer->member.host);
}

static void take_resolved(struct peers *peers)
{
    struct job *job;
    while (peers->resolver != NULL && (job = worker_take_done(peers->resolver)) != NULL) {
        struct resolution *resolution = CONTAINER_OF(job, struct resolution, job);
        list_remove(&resolution->all);
        take_resolution(peers, resolution);
        mem_free(resolution);
    }
}

static bool has_address(const struct peers *peers, const struct peer *peer)
{
    return !peer->is_named ||
           (peer->resolved_us != 0 && peers->now.boot_us - peer->resolved_us < RESOLVED_US);
}

/* ---- the tick ---- */

static void dial(struct peers *peers, struct peer *peer, enum peers_channel at)
{
    struct channel *channel = &peer->channels[at];
    if (!has_address(peers, peer)) {
        ask_for_address(peers, peer);
        channel->dial_at_us = peers->now.boot_us + DIAL_MIN_US;
        return;
    }
    int fd = dial_begin(&peer->address);
    struct link *link = NULL;
    if (fd >= 0)
        link = link_new(peers->loop, fd, peers->options.link_kind, LINK_CONNECTING);
    if (link == NULL) {
        (void)snprintf(peer->error, sizeof(peer->error), "cannot connect: %s", strerror(errno));
        plan_dial(peers, channel);
        return;
    }
    link->is_dialler = true;
    link->node = peer->member.node;
    link->channel = at;
    link->dial = ++peers->links_made;
    set_patience(peers, fd);
    channel->link = link;
}

static void step_channel(struct peers *peers, struct peer *peer, enum peers_channel at)
{
    struct channel *channel = &peer->channels[at];
    bool is_due = peers->now.boot_us >= channel->dial_at_us;
    if (channel->link == NULL && peers->loop != NULL && peers_dials(peers, peer) && is_due)
        dial(peers, peer, at);
    struct link *link = channel->link;
    if (link == NULL)
        return;
    if (link->state != LINK_UP)
        handshake_step(peers, link);
    if (at == PEERS_CONTROL && link->state == LINK_UP && link->has_heard)
        peer->heard_us = peers->now.boot_us;
    link->has_heard = false;
}

/* Nothing on control for so long: the other channels, which may have nothing to say for hours, are
 * to the same place and are given up with it. */
static void check_silence(struct peers *peers, struct peer *peer)
{
    bool is_silent = peer_link(peer, PEERS_CONTROL) != NULL && peers->loop != NULL &&
                     peers->now.boot_us - peer->heard_us >= peers->options.silent_us;
    for (int channel = 0; is_silent && channel < PEERS_CHANNELS; channel++) {
        if (peer->channels[channel].link != NULL)
            link_fail(peer->channels[channel].link, LINK_SILENT, NULL);
    }
}

static void step_peer(struct peers *peers, struct peer *peer, bool is_beat)
{
    peer->requests_given = 0;
    for (int channel = 0; channel < PEERS_CHANNELS; channel++)
        step_channel(peers, peer, (enum peers_channel)channel);
    check_silence(peers, peer);
    for (int channel = 0; channel < PEERS_CHANNELS; channel++) {
        struct link *link = peer->channels[channel].link;
        if (link != NULL && link->reason != LINK_FINE)
            peers_lose(peers, peer, (enum peers_channel)channel);
    }
    peer->beat_due |= is_beat && peer_link(peer, PEERS_CONTROL) != NULL;
}

static void end_pending(struct peers *peers, struct link *link)
{
    struct peer *peer = link->node == 0 ? NULL : peers_find(peers, link->node);
    if (peer != NULL)
        peer->refused++;
    peers->counters.strangers++;
    log_stranger(peers, link);
    link_free(link);
}

/* The one that is shown leaves the list for its peer. */
static void step_pending(struct peers *peers)
{
    size_t kept = 0;
    for (size_t i = 0; i < peers->pending_count; i++) {
        struct link *link = peers->pending[i];
        handshake_step(peers, link);
        if (link->state == LINK_UP)
            continue;
        if (link->reason != LINK_FINE)
            end_pending(peers, link);
        else
            peers->pending[kept++] = link;
    }
    peers->pending_count = kept;
}

static bool beat_is_due(struct peers *peers)
{
    uint64_t now_us = peers->now.boot_us;
    uint64_t tick_us = peers->options.tick_us;
    if (now_us < peers->beat_at_us)
        return false;
    /* Multiples of the tick, as raft's heartbeats are: all share one frame. */
    peers->beat_at_us = now_us - now_us % tick_us + tick_us;
    return true;
}

void peers_tick(struct peers *peers, struct turn_time now)
{
    ASSERT(now.boot_us >= peers->now.boot_us);
    peers->now = now;
    peers->next_at = 0;
    atomic_store(&peers->pulse.turn_us, now.boot_us);
    take_resolved(peers);
    step_pending(peers);
    bool is_beat = beat_is_due(peers);
    for (size_t i = 0; i < peers->peer_count; i++)
        step_peer(peers, peers->peers[i], is_beat);
}

static uint64_t channel_deadline(const struct peers *peers, const struct peer *peer,
                                 const struct channel *channel)
{
    const struct link *link = channel->link;
    if (link == NULL)
        return peers->loop != NULL && peers_dials(peers, peer) ? channel->dial_at_us : UINT64_MAX;
    if (link->state != LINK_UP)
        return link->deadline_us;
    bool is_now = link->reason != LINK_FINE || link->has_more ||
                  (link->channel == PEERS_FORWARD && peer_has_due_requests(peer));
    return is_now ? peers->now.boot_us : UINT64_MAX;
}

uint64_t peers_deadline(const struct peers *peers)
{
    uint64_t soonest = peers->beat_at_us;
    for (size_t i = 0; i < peers->pending_count; i++) {
        if (peers->pending[i]->deadline_us < soonest)
            soonest = peers->pending[i]->deadline_us;
    }
    for (size_t i = 0; i < peers->peer_count; i++) {
        for (int channel = 0; channel < PEERS_CHANNELS; channel++) {
            const struct peer *peer = peers->peers[i];
            uint64_t at_us = channel_deadline(peers, peer, &peer->channels[channel]);
            soonest = at_us < soonest ? at_us : soonest;
        }
    }
    return soonest;
}
