#include "cluster/peers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/internal.h"
#include "net/dial.h"

/* ---- opening and closing ---- */

static void check_options(const struct peers_options *options)
{
    ASSERT(options->node != 0 && options->store_id != 0 && options->run != 0);
    ASSERT(options->tick_us > 0 && options->silent_us > options->tick_us);
    ASSERT(options->loop == NULL || options->port != 0);
}

static bool listen_for_peers(struct peers *peers, struct buf *error)
{
    struct listen_options options = {
        .addresses = peers->options.bind,
        .address_count = peers->options.bind_count,
        .port = peers->options.port,
        .backlog = PENDING_MAX,
        .kind = peers->options.listener_kind,
    };
    if (!listeners_open(&peers->listeners, &options)) {
        buf_printf(error, "peer port: %s", peers->listeners.error);
        return false;
    }
    peers->is_listening = true;
    for (size_t i = 0; i < peers->listeners.count; i++) {
        bool is_watched = loop_add(peers->loop, &peers->listeners.all[i].source);
        ASSERT(is_watched); /* a fresh socket, at the start of the process */
    }
    return true;
}

static bool open_network(struct peers *peers, struct buf *error)
{
    const struct peers_options *options = &peers->options;
    if (options->secret.size == 0) {
        buf_append_string(error, "cluster-secret is not set: without it the port for other nodes "
                                 "stays closed, and this node cannot be one of several");
        return false;
    }
    if (options->use_tls) {
        peers->tls = tls_new(options->tls_cert_file, options->tls_key_file,
                             options->tls_ca_cert_file, error);
        if (peers->tls == NULL)
            return false;
    }
    if (!listen_for_peers(peers, error))
        return false;
    if (options->has_thread && options->busy_max_us > 0 && !pulse_start(&peers->pulse)) {
        buf_printf(error, "cannot start a thread: %s", strerror(errno));
        return false;
    }
    log_write(peers->log, LOG_LEVEL_NOTICE, "Node %llu accepts other nodes on port %u%s",
              (unsigned long long)options->node, options->port,
              options->use_tls ? ", with TLS" : "");
    return true;
}

bool peers_open(struct peers **out, const struct peers_options *options, uint64_t boot_us,
                struct buf *error)
{
    check_options(options);
    struct peers *peers = mem_zero(sizeof(*peers));
    peers->options = *options;
    buf_append(&peers->secret, options->secret);
    peers->log = options->log;
    peers->loop = options->loop;
    peers->prng = prng_init(options->seed);
    peers->self = (struct hello_self){options->cluster_id, options->node, options->store_id};
    peers->now.boot_us = boot_us;
    list_init(&peers->resolutions);
    pulse_init(&peers->pulse, options->tick_us, options->busy_max_us, boot_us);
    *out = peers;
    if (options->loop == NULL || open_network(peers, error))
        return true;
    peers_close(peers);
    *out = NULL;
    return false;
}

/* Room for the peers' sake: what is not linked any more must not hold the pulse up. */
static void free_peer(struct peers *peers, struct peer *peer)
{
    for (int i = 0; i < PEERS_CHANNELS; i++) {
        if (peer->channels[i].link == NULL)
            continue;
        link_fail(peer->channels[i].link, LINK_DROPPED, NULL);
        peers_lose(peers, peer, (enum peers_channel)i);
    }
    buf_free(&peer->heartbeats);
    buf_free(&peer->answers);
    buf_free(&peer->held);
    mem_free(peer);
}

static void free_resolutions(struct peers *peers)
{
    worker_free(peers->resolver);
    while (!list_is_empty(&peers->resolutions)) {
        struct resolution *left = CONTAINER_OF(peers->resolutions.next, struct resolution, all);
        list_remove(&left->all);
        mem_free(left);
    }
}

void peers_close(struct peers *peers)
{
    if (peers == NULL)
        return;
    for (size_t i = 0; peers->is_listening && i < peers->listeners.count; i++)
        loop_remove(peers->loop, &peers->listeners.all[i].source);
    if (peers->is_listening)
        listeners_close(&peers->listeners);
    for (size_t i = 0; i < peers->pending_count; i++)
        link_free(peers->pending[i]);
    for (size_t i = 0; i < peers->peer_count; i++)
        free_peer(peers, peers->peers[i]);
    free_resolutions(peers);
    pulse_fini(&peers->pulse);
    tls_free(peers->tls);
    message_scratch_free(&peers->scratch);
    buf_free(&peers->secret);
    mem_free(peers);
}

/* ---- who ---- */

/* Where the id stands, or would. */
static size_t place_of(const struct peers *peers, uint64_t node)
{
    size_t at = 0;
    while (at < peers->peer_count && peers->peers[at]->member.node < node)
        at++;
    return at;
}

struct peer *peers_find(const struct peers *peers, uint64_t node)
{
    size_t at = place_of(peers, node);
    bool is_there = at < peers->peer_count && peers->peers[at]->member.node == node;
    return is_there ? peers->peers[at] : NULL;
}

static void drop_links_if(struct peers *peers, struct peer *peer,
                          bool (*contradicts)(const struct peers *, const struct peer *,
                                              const struct link *))
{
    for (int i = 0; i < PEERS_CHANNELS; i++) {
        struct link *link = peer->channels[i].link;
        if (link == NULL || !contradicts(peers, peer, link))
            continue;
        link_fail(link, LINK_DROPPED, NULL);
        peers_lose(peers, peer, (enum peers_channel)i);
        peer->channels[i].dial_at_us = peers->now.boot_us;
    }
}

static bool is_of_another_store(const struct peers *peers, const struct peer *peer,
                                const struct link *link)
{
    (void)peers;
    return peer->member.store_id != 0 && link->store_id != 0 &&
           link->store_id != peer->member.store_id;
}

static bool is_of_another_cluster(const struct peers *peers, const struct peer *peer,
                                  const struct link *link)
{
    (void)peer;
    return peers->self.cluster_id != 0 && link->cluster_id != 0 &&
           link->cluster_id != peers->self.cluster_id;
}

enum peers_err peers_set(struct peers *peers, const struct peers_member *member)
{
    ASSERT(member->node != 0 && member->node != peers->self.node);
    struct peer *peer = peers_find(peers, member->node);
    if (peer == NULL && peers->peer_count == PEERS_MAX)
        return PEERS_FULL;
    if (peer == NULL) {
        size_t at = place_of(peers, member->node);
        memmove(&peers->peers[at + 1], &peers->peers[at],
                (peers->peer_count - at) * sizeof(peers->peers[0]));
        peer = peers->peers[at] = mem_zero(sizeof(*peer));
        peers->peer_count++;
        peers->next_at = 0;
    }
    peer->member = *member;
    peer->member.host[PEERS_HOST_SIZE - 1] = 0;
    peer->is_named = !dial_parse(peer->member.host, member->port, &peer->address);
    peer->resolved_us = 0;
    drop_links_if(peers, peer, is_of_another_store);
    return PEERS_OK;
}

void peers_remove(struct peers *peers, uint64_t node)
{
    struct peer *peer = peers_find(peers, node);
    if (peer == NULL)
        return;
    size_t at = place_of(peers, node);
    peers->peer_count--;
    memmove(&peers->peers[at], &peers->peers[at + 1],
            (peers->peer_count - at) * sizeof(peers->peers[0]));
    peers->next_at = 0;
    free_peer(peers, peer);
}

void peers_set_cluster(struct peers *peers, uint64_t cluster_id)
{
    ASSERT(cluster_id != 0);
    peers->self.cluster_id = cluster_id;
    for (size_t i = 0; i < peers->peer_count; i++)
        drop_links_if(peers, peers->peers[i], is_of_another_cluster);
}

size_t peers_count(const struct peers *peers)
{
    return peers->peer_count;
}

uint64_t peers_at(const struct peers *peers, size_t at)
{
    ASSERT(at < peers->peer_count);
    return peers->peers[at]->member.node;
}

/* ---- for INFO ---- */

static void add_channel(struct peers_status *out, const struct channel *channel, int at)
{
    struct link *link = channel->link;
    if (link == NULL)
        return;
    link_lock(link);
    out->sent_bytes += link->sent_bytes;
    link_unlock(link);
    out->received_bytes += link->received_bytes;
    if (!link_is_up(link))
        return;
    out->is_linked[at] = true;
    out->incarnation[at] = link->incarnation;
    out->queued[at] = link_queued(link);
}

bool peers_status(const struct peers *peers, uint64_t node, struct peers_status *out)
{
    const struct peer *peer = peers_find(peers, node);
    if (peer == NULL)
        return false;
    *out = (struct peers_status){
        .member = peer->member,
        .rtt_us = peer->rtt_us,
        .heard_us = peer->heard_us,
        .links = peer->links,
        .dropped = peer->dropped,
        .refused = peer->refused,
        .sent_bytes = peer->sent_bytes,
        .received_bytes = peer->received_bytes,
        .clock = peer->clock,
    };
    memcpy(out->error, peer->error, sizeof(out->error));
    for (int i = 0; i < PEERS_CHANNELS; i++)
        add_channel(out, &peer->channels[i], i);
    return true;
}

struct peers_clock peers_clock(const struct peers *peers, uint64_t node)
{
    const struct peer *peer = peers_find(peers, node);
    return peer == NULL ? (struct peers_clock){0} : peer->clock;
}

struct peers_counters peers_counters(const struct peers *peers)
{
    struct peers_counters counters = peers->counters;
    counters.pulses_sent = atomic_load(&peers->pulse.sent);
    return counters;
}

/* ---- without sockets ---- */

void peers_wire_up(struct peers *peers, uint64_t node, enum peers_channel channel,
                   uint64_t incarnation)
{
    ASSERT(peers->loop == NULL);
    struct peer *peer = peers_find(peers, node);
    ASSERT(peer != NULL && incarnation > 0);
    struct link *link = link_new(NULL, -1, 0, LINK_GREETING);
    link->node = node;
    link->channel = channel;
    link->cluster_id = peers->self.cluster_id;
    link->store_id = peer->member.store_id;
    peers->links_made = incarnation - 1;
    peers_install(peers, peer, link);
}

void peers_wire_down(struct peers *peers, uint64_t node, enum peers_channel channel)
{
    struct peer *peer = peers_find(peers, node);
    if (peer == NULL || peer->channels[channel].link == NULL)
        return;
    link_fail(peer->channels[channel].link, LINK_ENDED, NULL);
    peers_lose(peers, peer, channel);
}

void peers_wire_take(struct peers *peers, uint64_t node, enum peers_channel channel,
                     struct buf *out)
{
    struct peer *peer = peers_find(peers, node);
    struct link *link = peer == NULL ? NULL : peer_link(peer, channel);
    if (link == NULL)
        return;
    link_lock(link);
    buf_append(out, buf_bytes(&link->out));
    link->sent_bytes += link->out.size;
    buf_clear(&link->out);
    link_unlock(link);
}

void peers_wire_give(struct peers *peers, uint64_t node, enum peers_channel channel,
                     struct bytes bytes)
{
    struct peer *peer = peers_find(peers, node);
    struct link *link = peer == NULL ? NULL : peer_link(peer, channel);
    if (link == NULL)
        return;
    ASSERT(channel != PEERS_CONTROL || peer->batch_left == 0); /* peers_next until false */
    link_give(link, bytes);
    peers->next_at = 0;
}
