#include "wires.h"

#include "base/mem.h"
#include "cluster/peers.h"

enum { MILLION = 1000000, NOTICE_US_MAX = 400000, EXILE_US_MIN = 5500000, EXILE_US_MORE = 4000000 };

void wires_fini(struct wires *wires)
{
    for (int i = 0; i < wires->count * wires->count * PEERS_CHANNELS * 2; i++) {
        int end = i % 2, channel = i / 2 % PEERS_CHANNELS, pair = i / 2 / PEERS_CHANNELS;
        struct wires_pipe *pipe =
            &wires->wires[pair / wires->count][pair % wires->count][channel].ends[end].out;
        buf_free(&pipe->bytes);
        mem_free(pipe->segments);
    }
}

static struct wire *wire_of(struct wires *wires, int a, int b, int channel)
{
    return a < b ? &wires->wires[a][b][channel] : &wires->wires[b][a][channel];
}

static struct wires_end *end_of(struct wires *wires, int node, int other, int channel)
{
    return &wire_of(wires, node, other, channel)->ends[node > other];
}

static uint64_t soon(struct wires *wires, uint64_t max_us)
{
    return wires->now_us + 1 + prng_below(wires->prng, max_us);
}

/* ---- breaking ---- */

static void clear_pipe(struct wires_pipe *pipe)
{
    buf_clear(&pipe->bytes);
    pipe->count = 0;
    pipe->last_at_us = 0;
    pipe->arrived = 0;
}

/* The connection is no more: each end that still thinks it is up learns of it by and by. */
static void break_wire(struct wires *wires, struct wire *wire)
{
    if (!wire->is_made)
        return;
    wire->is_made = false;
    wire->redial_at_us = soon(wires, wires->options.redial_us_max);
    wires->breaks++;
    for (int end = 0; end < 2; end++) {
        clear_pipe(&wire->ends[end].out);
        wire->ends[end].change_at_us = wire->ends[end].is_up ? soon(wires, NOTICE_US_MAX) : 0;
    }
}

void wires_set(struct wires *wires, int node, struct peers *peers)
{
    wires->peers[node] = peers;
    wires->is_paused[node] = false;
    for (int other = 0; other < wires->count; other++) {
        for (int channel = 0; other != node && channel < PEERS_CHANNELS; channel++) {
            struct wires_end *end = end_of(wires, node, other, channel);
            break_wire(wires, wire_of(wires, node, other, channel));
            end->is_up = false;
            end->change_at_us = 0;
        }
    }
}

/* ---- faults ---- */

static void cut(struct wires *wires, int from, int to, uint64_t us)
{
    uint64_t until = wires->now_us + us;
    if (from != to && until > wires->cut_until_us[from][to])
        wires->cut_until_us[from][to] = until;
    wires->cuts++;
}

static bool draws(struct wires *wires, uint32_t rate)
{
    return prng_chance(wires->prng, rate);
}

void wires_isolate(struct wires *wires, int node, uint64_t us)
{
    for (int other = 0; other < wires->count; other++) {
        cut(wires, node, other, us);
        cut(wires, other, node, us);
    }
}

static void draw_faults(struct wires *wires)
{
    const struct wires_options *o = &wires->options;
    int a = (int)prng_below(wires->prng, (uint64_t)wires->count);
    if (wires->target >= 0 && draws(wires, MILLION / 2))
        a = wires->target;
    int b = (a + 1 + (int)prng_below(wires->prng, (uint64_t)wires->count - 1)) % wires->count;
    uint64_t us = prng_below(wires->prng, o->cut_us_max) + 1;
    if (draws(wires, o->cut)) {
        cut(wires, a, b, us);
        cut(wires, b, a, us);
    }
    if (draws(wires, o->cut_one_way))
        cut(wires, a, b, us);
    if (draws(wires, o->flap))
        cut(wires, a, b, us / 20);
    if (draws(wires, o->isolate))
        wires_isolate(wires, a, us);
    if (draws(wires, o->exile))
        wires_isolate(wires, a, EXILE_US_MIN + prng_below(wires->prng, EXILE_US_MORE));
    if (draws(wires, o->reset))
        break_wire(wires,
                   wire_of(wires, a, b, (int)prng_below(wires->prng, (uint64_t)PEERS_CHANNELS)));
}

void wires_calm(struct wires *wires)
{
    wires->is_quiet = true;
    memset(wires->cut_until_us, 0, sizeof(wires->cut_until_us));
}

/* ---- making ---- */

static bool is_cut(const struct wires *wires, int from, int to)
{
    return wires->now_us < wires->cut_until_us[from][to];
}

static bool may_dial(const struct wires *wires, int a, int b)
{
    return wires->peers[a] != NULL && wires->peers[b] != NULL && !wires->is_paused[a] &&
           !wires->is_paused[b] && !is_cut(wires, a, b) && !is_cut(wires, b, a);
}

/* A new connection takes the place of what an end may still think to have. */
static void make(struct wires *wires, struct wire *wire)
{
    wire->is_made = true;
    for (int end = 0; end < 2; end++) {
        clear_pipe(&wire->ends[end].out);
        wire->ends[end].is_up = false;
        wire->ends[end].change_at_us = soon(wires, wires->options.delay_us_max);
    }
}

static void change_end(struct wires *wires, struct wire *wire, int node, int other, int channel)
{
    struct wires_end *end = end_of(wires, node, other, channel);
    if (end->change_at_us == 0 || end->change_at_us > wires->now_us || wires->is_paused[node])
        return;
    end->change_at_us = 0;
    end->is_up = wire->is_made;
    if (wires->peers[node] == NULL)
        return;
    if (wire->is_made)
        peers_wire_up(wires->peers[node], (uint64_t)other + 1, (enum peers_channel)channel,
                      ++wires->incarnation);
    else
        peers_wire_down(wires->peers[node], (uint64_t)other + 1, (enum peers_channel)channel);
}

/* A node gave the link up: silence, or bytes that it does not believe. */
static bool was_given_up(const struct wires *wires, const struct wires_end *end, int node,
                         int other, int channel)
{
    struct peers_status status;
    return end->is_up && wires->peers[node] != NULL &&
           peers_status(wires->peers[node], (uint64_t)other + 1, &status) &&
           !status.is_linked[channel];
}

static void arrive(struct wires *wires, int from, int to, int channel)
{
    struct wires_pipe *pipe = &end_of(wires, from, to, channel)->out;
    size_t count = 0;
    if (!end_of(wires, to, from, channel)->is_up || is_cut(wires, from, to))
        return;
    while (count < pipe->count && pipe->segments[count].at_us <= wires->now_us)
        pipe->arrived += pipe->segments[count++].size;
    if (count == 0)
        return;
    pipe->count -= count;
    memmove(pipe->segments, pipe->segments + count, pipe->count * sizeof(*pipe->segments));
}

static void step_wire(struct wires *wires, int a, int b, int channel)
{
    struct wire *wire = &wires->wires[a][b][channel];
    if (wire->is_made && (was_given_up(wires, &wire->ends[0], a, b, channel) ||
                          was_given_up(wires, &wire->ends[1], b, a, channel)))
        break_wire(wires, wire);
    if (!wire->is_made && wires->now_us >= wire->redial_at_us && may_dial(wires, a, b))
        make(wires, wire);
    change_end(wires, wire, a, b, channel);
    change_end(wires, wire, b, a, channel);
    arrive(wires, a, b, channel);
    arrive(wires, b, a, channel);
}

void wires_step(struct wires *wires, uint64_t now_us)
{
    wires->now_us = now_us;
    if (wires->count > 1 && !wires->is_quiet)
        draw_faults(wires);
    for (int a = 0; a < wires->count; a++) {
        for (int b = a + 1; b < wires->count; b++) {
            for (int channel = 0; channel < PEERS_CHANNELS; channel++)
                step_wire(wires, a, b, channel);
        }
    }
}

/* ---- moving ---- */

static void deliver(struct wires *wires, int from, int to, int channel)
{
    struct wires_pipe *pipe = &end_of(wires, from, to, channel)->out;
    if (pipe->arrived == 0)
        return;
    peers_wire_give(wires->peers[to], (uint64_t)from + 1, (enum peers_channel)channel,
                    bytes_of(pipe->bytes.data, pipe->arrived));
    buf_consume(&pipe->bytes, pipe->arrived);
    pipe->arrived = 0;
}

void wires_deliver(struct wires *wires, int node)
{
    for (int from = 0; from < wires->count; from++) {
        for (int channel = 0; from != node && channel < PEERS_CHANNELS; channel++) {
            if (wire_of(wires, from, node, channel)->is_made)
                deliver(wires, from, node, channel);
        }
    }
}

static void collect(struct wires *wires, int from, int to, int channel)
{
    struct wires_pipe *pipe = &end_of(wires, from, to, channel)->out;
    size_t before = pipe->bytes.size;
    peers_wire_take(wires->peers[from], (uint64_t)to + 1, (enum peers_channel)channel,
                    &pipe->bytes);
    if (pipe->bytes.size == before)
        return;
    if (!wire_of(wires, from, to, channel)->is_made || !end_of(wires, from, to, channel)->is_up) {
        clear_pipe(pipe); /* into a connection that is no more */
        return;
    }
    if (pipe->count == pipe->capacity) {
        pipe->capacity = pipe->capacity * 2 + 8;
        pipe->segments = mem_realloc(pipe->segments, pipe->capacity * sizeof(*pipe->segments));
    }
    uint64_t at_us = soon(wires, wires->options.delay_us_max);
    pipe->last_at_us = at_us > pipe->last_at_us ? at_us : pipe->last_at_us;
    pipe->segments[pipe->count++] =
        (struct wires_segment){.at_us = pipe->last_at_us, .size = pipe->bytes.size - before};
}

void wires_collect(struct wires *wires, int node)
{
    for (int to = 0; to < wires->count; to++) {
        for (int channel = 0; to != node && channel < PEERS_CHANNELS; channel++)
            collect(wires, node, to, channel);
    }
}
