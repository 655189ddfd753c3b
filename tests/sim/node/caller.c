#include "caller.h"

#include <stdio.h>
#include <stdlib.h>

#include "cluster.h"
#include "op.h"
#include "server/frontend.h"

enum { MILLION = 1000000 };

void caller_init(struct caller *caller, struct cluster *cluster, int number, uint64_t seed,
                 const struct caller_options *options)
{
    *caller = (struct caller){.cluster = cluster,
                              .number = number,
                              .options = *options,
                              .prng = prng_init(seed),
                              .moved_to = -1};
}

void caller_fini(struct caller *caller)
{
    buf_free(&caller->unsent);
    buf_free(&caller->received);
}

void caller_hang_up(struct caller *caller)
{
    server_client_free(caller->client);
    caller->client = NULL;
    caller->cluster->history.unknown += caller->due_count;
    caller->due_count = 0; /* whatever was under way: nobody will know */
    caller->holds_watch = false;
    buf_clear(&caller->unsent);
    buf_clear(&caller->received);
}

static void connect_somewhere(struct caller *caller)
{
    struct cluster *cluster = caller->cluster;
    int home = caller->moved_to;
    if (home < 0 || prng_chance(&caller->prng, caller->options.go_wrong))
        home = (int)prng_below(&caller->prng, (uint64_t)cluster->node_count);
    caller->moved_to = -1;
    if (!cluster->nodes[home].is_running)
        return;
    caller->home = home;
    caller->client = server_client_new(node_server(cluster->nodes[home].world.node));
}

/* ---- asking ---- */

static struct caller_due *add_due(struct caller *caller, size_t thing, const struct act *act)
{
    ASSERT(caller->due_count < CALLER_DEPTH_MAX);
    struct caller_due *due = &caller->due[caller->due_count++];
    *due = (struct caller_due){
        .kind = DUE_ACT, .thing = thing, .act = *act, .since_us = caller->cluster->now_us};
    due->op = history_call(&caller->cluster->history, thing, caller->number, act);
    return due;
}

static struct thing *thing_of(struct caller *caller, size_t at)
{
    return &caller->cluster->history.things[at].thing;
}

static void ask(struct caller *caller, size_t thing, const struct act *act)
{
    struct caller_due *due = add_due(caller, thing, act);
    due->replies = thing_append_wire(thing_of(caller, thing), act, &caller->unsent);
}

/* A WATCH is a read of what it watches, too. */
static void ask_watch(struct caller *caller, size_t thing, const struct act *swap)
{
    struct act read = {.kind = ACT_GET, .place = swap->place};
    struct caller_due *due = add_due(caller, thing, &read);
    due->kind = DUE_WATCH;
    due->replies = thing_append_watch(thing_of(caller, thing), swap, &caller->unsent);
    caller->swap = *swap;
    caller->watch_thing = thing;
}

/* A thing that was used enough is replaced. */
static size_t draw_thing(struct caller *caller)
{
    struct cluster *cluster = caller->cluster;
    size_t *active = &cluster->active[prng_below(&caller->prng, (uint64_t)cluster->active_count)];
    if (++cluster->history.things[*active].acts > THING_OPS_MAX)
        *active = history_new_thing(&cluster->history, &caller->prng);
    return *active;
}

static void ask_something(struct caller *caller)
{
    size_t thing = draw_thing(caller);
    struct act act = caller->options.only_reads
                         ? thing_draw_read(thing_of(caller, thing), &caller->prng)
                         : thing_draw(thing_of(caller, thing), &caller->prng);
    if (act.kind == ACT_SWAP)
        ask_watch(caller, thing, &act);
    else
        ask(caller, thing, &act);
}

static void ask_last(struct caller *caller)
{
    struct history *history = &caller->cluster->history;
    struct act act;
    size_t stride = (size_t)caller->cluster->caller_count;
    while (caller->last_thing < history->count &&
           !thing_final(thing_of(caller, caller->last_thing), caller->last_step, &act)) {
        caller->last_thing += stride;
        caller->last_step = 0;
    }
    if (caller->last_thing >= history->count)
        return;
    ask(caller, caller->last_thing, &act);
    caller->due[caller->due_count - 1].kind = DUE_LAST;
}

static bool is_watching(const struct caller *caller)
{
    return caller->due_count > 0 && caller->due[caller->due_count - 1].kind == DUE_WATCH;
}

static void ask_more(struct caller *caller)
{
    if (caller->holds_watch) {
        if (caller->cluster->now_us < caller->thinks_until_us)
            return;
        caller->holds_watch = false;
        ask(caller, caller->watch_thing, &caller->swap);
    } else if (caller->is_last) {
        if (caller->due_count == 0)
            ask_last(caller);
    } else if (!caller->cluster->is_quiet && caller->moved_to < 0 && !is_watching(caller)) {
        uint64_t more = prng_below(&caller->prng, caller->options.depth_max) + 1;
        while (more-- > 0 && caller->due_count < caller->options.depth_max && !is_watching(caller))
            ask_something(caller);
    }
}

/* ---- being answered ---- */

static void wrong(struct caller *caller, const struct caller_due *due, struct bytes reply)
{
    struct buf text = {0};
    thing_describe(thing_of(caller, due->thing), &due->act, &text);
    cluster_violation(caller->cluster, "caller %d: %.*s is answered with %.*s", caller->number,
                      (int)text.size, (const char *)text.data,
                      reply.size < 200 ? (int)reply.size : 200, (const char *)reply.data);
}

/* "-MOVED 1234 10.0.0.2:7002" */
static void follow(struct caller *caller, struct bytes reply)
{
    static const char HOST[] = " 10.0.0.";
    const uint8_t *at = memmem(reply.data, reply.size, HOST, sizeof(HOST) - 1);
    if (at == NULL)
        return;
    int node = at[sizeof(HOST) - 1] - '1';
    if (node < 0 || node >= caller->cluster->node_count)
        cluster_violation(caller->cluster, "MOVED to a node that is none: %.*s", (int)reply.size,
                          (const char *)reply.data);
    caller->moved_to = node;
}

enum fate { FATE_ANSWERED, FATE_NOTHING_HAPPENED, FATE_UNKNOWN };

static enum fate fate_of(struct caller *caller, const struct caller_due *due, struct bytes reply)
{
    const struct cluster *cluster = caller->cluster;
    bool has_unread = memmem(reply.data, reply.size, "\r\n-IOERR ", 9) != NULL;
    if (has_unread && cluster->had_read_fault) /* one command of a transaction */
        return FATE_UNKNOWN;
    if (reply.data[0] != '-')
        return FATE_ANSWERED;
    if (reply_starts(reply, "-INDETERMINATE "))
        return FATE_UNKNOWN;
    if (reply_starts(reply, "-MOVED ") || reply_starts(reply, "-TRYAGAIN ") ||
        reply_starts(reply, "-CLUSTERDOWN ") || reply_starts(reply, "-EXECABORT "))
        return FATE_NOTHING_HAPPENED;
    if (reply_starts(reply, "-MISCONF ") && cluster->had_full)
        return FATE_NOTHING_HAPPENED;
    if (reply_starts(reply, "-IOERR ") && cluster->had_read_fault)
        return FATE_NOTHING_HAPPENED;
    wrong(caller, due, reply);
    return FATE_UNKNOWN;
}

static void judge_last(struct caller *caller, struct caller_due *due, struct bytes reply)
{
    struct outcome outcome;
    struct history *history = &caller->cluster->history;
    enum fate fate = fate_of(caller, due, reply);
    if (due->kind == DUE_WATCH && due->had_error && caller->moved_to < 0)
        caller->moved_to = caller->home; /* who knows what is watched: a new connection */
    if (fate == FATE_NOTHING_HAPPENED)
        history_refuse(history, due->thing, due->op);
    history->indeterminate += fate == FATE_UNKNOWN;
    if (fate != FATE_ANSWERED)
        return;
    if (!thing_parse(thing_of(caller, due->thing), &due->act, reply, &outcome))
        wrong(caller, due, reply);
    history_return(history, due->thing, due->op, &outcome);
    if (due->kind == DUE_LAST)
        caller->last_step++;
    if (due->kind != DUE_WATCH || due->had_error)
        return;
    caller->holds_watch = true;
    caller->swap.expected = outcome.values[0];
    caller->thinks_until_us =
        caller->cluster->now_us + prng_below(&caller->prng, caller->options.think_us_max);
}

static void judge(struct caller *caller, struct bytes reply)
{
    struct caller_due due = caller->due[0];
    caller->replies++;
    follow(caller, reply_starts(reply, "-MOVED ") ? reply : bytes_of(NULL, 0));
    if (--caller->due[0].replies > 0) {
        caller->due[0].had_error |= reply.data[0] == '-';
        return;
    }
    caller->due_count--;
    memmove(&caller->due[0], &caller->due[1], caller->due_count * sizeof(caller->due[0]));
    due.had_error |= reply.data[0] == '-';
    judge_last(caller, &due, reply);
}

static void receive(struct caller *caller)
{
    size_t size;
    (void)server_client_output(caller->client, &caller->received);
    while ((size = reply_size(buf_bytes(&caller->received))) > 0) {
        if (caller->due_count == 0)
            cluster_violation(caller->cluster, "caller %d: a reply that nobody asked for: %.*s",
                              caller->number, (int)size, (const char *)caller->received.data);
        judge(caller, bytes_of(caller->received.data, size));
        buf_consume(&caller->received, size);
    }
}

/* ---- steps ---- */

static bool has_patience(const struct caller *caller)
{
    return caller->due_count == 0 || caller->cluster->is_quiet ||
           caller->cluster->now_us - caller->due[0].since_us < caller->options.patience_us;
}

/* Goes where it was sent once everything is answered. */
static bool wants_to_leave(struct caller *caller)
{
    if (server_client_is_closed(caller->client) || !has_patience(caller))
        return true;
    if (caller->moved_to >= 0 && caller->due_count == 0 && !caller->holds_watch)
        return true;
    return !caller->cluster->is_quiet && prng_chance(&caller->prng, caller->options.leave);
}

void caller_step(struct caller *caller)
{
    if (caller->client == NULL)
        connect_somewhere(caller);
    if (caller->client == NULL)
        return;
    receive(caller);
    if (wants_to_leave(caller)) {
        caller_hang_up(caller);
        return;
    }
    if (prng_chance(&caller->prng, caller->options.send) || caller->cluster->is_quiet)
        ask_more(caller);
    if (caller->unsent.size > 0 && server_client_input(caller->client, buf_bytes(&caller->unsent)))
        buf_clear(&caller->unsent);
}

bool caller_is_idle(const struct caller *caller)
{
    return caller->due_count == 0 && !caller->holds_watch;
}

void caller_read_back(struct caller *caller)
{
    caller->is_last = true;
    caller->last_thing = (size_t)caller->number;
    caller->last_step = 0;
}

bool caller_has_read_back(const struct caller *caller)
{
    return caller->last_thing >= caller->cluster->history.count && caller->due_count == 0;
}
