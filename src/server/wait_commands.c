/* WAIT and WAITAOF: how many disks and nodes hold what this connection wrote.
 *
 * An acknowledged write is committed, so it is in the logs of a majority; these commands tell how
 * many hold it, and with WAITAOF also wait for the disk when appendfsync does not. What is asked
 * about is everything that was executed here until then: more than the connection wrote, never
 * less.
 */
#include "server/wait_commands.h"

#include "base/mem.h"
#include "commands/call.h"
#include "commands/command_rows.h"
#include "server/run.h"
#include "server/state.h"

struct wait {
    struct list link; /* server->waits */
    struct client *client;
    struct durable_point point;
    bool tells_local; /* WAITAOF */
    bool has_asked;   /* for a sync of the log */
    int64_t locals;
    int64_t others;
    uint64_t deadline_us; /* boot time; UINT64_MAX: none */
};

static struct durable_state state_of(const struct server *server, struct durable_point *point)
{
    const struct durability *durability = &server->durability;
    if (durability->state == NULL)
        return (struct durable_state){.is_applied = true};
    struct durable_state state = durability->state(durability->ctx, point);
    return state.is_applied ? state : (struct durable_state){0};
}

static void write_reply(struct reply *reply, const struct wait *wait, struct durable_state state)
{
    if (wait->tells_local) {
        reply_array(reply, 2);
        reply_int(reply, state.is_synced);
    }
    reply_int(reply, state.others);
}

static bool is_enough(const struct wait *wait, struct durable_state state)
{
    return state.is_applied && (int64_t)state.is_synced >= wait->locals &&
           (int64_t)state.others >= wait->others;
}

void wait_forget(struct client *client)
{
    struct wait *wait = client->wait;
    if (wait == NULL)
        return;
    list_remove(&wait->link);
    client->server->wait_count--;
    mem_free(wait->point.indexes);
    mem_free(wait);
    client->wait = NULL;
}

static void end_wait(struct client *client, const char *error)
{
    struct wait *wait = client->wait;
    struct reply reply = client_begin_held(client);
    if (error != NULL)
        reply_error(&reply, "%s", error);
    else
        write_reply(&reply, wait, state_of(client->server, &wait->point));
    wait_forget(client);
    client_end_held(client);
}

bool wait_unblock(struct client *client, const char *error)
{
    if (client->wait == NULL)
        return false;
    end_wait(client, error);
    return true;
}

static bool is_over(struct server *server, struct wait *wait)
{
    struct durable_state state = state_of(server, &wait->point);
    if (is_enough(wait, state) || wait->deadline_us <= server->now.boot_us)
        return true;
    /* Before it is applied it may not be in the log yet, and the sync would come too early. */
    if (state.is_applied && !state.is_synced && wait->locals > 0 && !wait->has_asked) {
        wait->has_asked = true;
        server->durability.sync(server->durability.ctx);
        server->wants_turn = true;
    }
    return false;
}

void wait_step(struct server *server)
{
    struct list *at, *after;
    server->wait_deadline_us = UINT64_MAX;
    server->wants_turn = false;
    LIST_FOR_EACH(at, after, &server->waits)
    {
        struct wait *wait = CONTAINER_OF(at, struct wait, link);
        if (wait->client->is_doomed)
            continue;
        if (is_over(server, wait))
            end_wait(wait->client, NULL);
        else if (wait->deadline_us < server->wait_deadline_us)
            server->wait_deadline_us = wait->deadline_us;
    }
}

/* 0 is for ever. */
static bool parse_timeout(struct call *c, int position, uint64_t *deadline_us)
{
    int64_t timeout_ms;
    if (!call_int_range(c, position, INT64_MIN, INT64_MAX, &timeout_ms,
                        "ERR timeout is not an integer or out of range"))
        return false;
    if (timeout_ms < 0) {
        call_error(c, "ERR timeout is negative");
        return false;
    }
    uint64_t now_us = c->client->server->now.boot_us;
    if (timeout_ms == 0 || (uint64_t)timeout_ms >= (UINT64_MAX - now_us) / 1000)
        *deadline_us = UINT64_MAX;
    else
        *deadline_us = now_us + (uint64_t)timeout_ms * 1000;
    return true;
}

/* Inside a transaction nothing may wait: what is known now is told, and what the transaction itself
 * wrote is not held by anybody yet. Otherwise the answer comes at the end of the turn at the
 * earliest, when this turn's writes may be applied. */
static void begin_wait(struct call *c, struct wait wait)
{
    struct server *server = c->client->server;
    if (server->durability.note != NULL)
        server->durability.note(server->durability.ctx, c->client->created_us, &wait.point);
    if (c->in_transaction) {
        write_reply(&c->reply, &wait, state_of(server, &wait.point));
        mem_free(wait.point.indexes);
        return;
    }
    wait.client = c->client;
    c->client->wait = mem_alloc(sizeof(wait));
    *c->client->wait = wait;
    list_init(&c->client->wait->link);
    list_push_back(&server->waits, &c->client->wait->link);
    server->wait_count++;
    c->client->request_state = REQUEST_WAITING;
    list_remove(&c->client->run_link);
}

static void wait_replicas(struct call *c)
{
    struct wait wait = {0};
    if (call_int(c, 1, &wait.others) && parse_timeout(c, 2, &wait.deadline_us))
        begin_wait(c, wait);
}

static void wait_disks(struct call *c)
{
    struct wait wait = {.tells_local = true};
    if (!call_int(c, 1, &wait.locals))
        return;
    if (wait.locals < 0 || wait.locals > 1) {
        call_error(c, "ERR value is out of range, value must between 0 and 1");
        return;
    }
    if (!call_int(c, 2, &wait.others))
        return;
    if (wait.others < 0) {
        call_error(c, "ERR value is out of range, must be positive");
        return;
    }
    if (parse_timeout(c, 3, &wait.deadline_us))
        begin_wait(c, wait);
}

void server_on_durability(struct server *server, struct durability durability)
{
    ASSERT(server->durability.note == NULL);
    server->durability = durability;
}

static const struct argument wait_arguments[] = {
    ARGUMENT("numreplicas", ARG_INTEGER),
    ARGUMENT("timeout", ARG_INTEGER),
    ARGUMENTS_END,
};

static const struct argument waitaof_arguments[] = {
    ARGUMENT("numlocal", ARG_INTEGER),
    ARGUMENT("numreplicas", ARG_INTEGER),
    ARGUMENT("timeout", ARG_INTEGER),
    ARGUMENTS_END,
};

static const char *const wait_tips[] = {"request_policy:all_shards", "response_policy:agg_min",
                                        NULL};

const struct command wait_commands[] = {
    {
        .name = "wait",
        .summary = "Waits until other nodes hold what was written, and tells how many do.",
        .complexity = "O(1)",
        .since = "3.0.0",
        .group = GROUP_GENERIC,
        .arity = 3,
        .flags = CMD_HOME,
        .function = wait_replicas,
        .arguments = wait_arguments,
        .tips = wait_tips,
        .acl_extra = "-@keyspace @connection",
    },
    {
        .name = "waitaof",
        .summary =
            "Waits until the disk and other nodes hold what was written, and tells which do.",
        .complexity = "O(1)",
        .since = "7.2.0",
        .group = GROUP_GENERIC,
        .arity = 4,
        .flags = CMD_NOSCRIPT | CMD_HOME,
        .function = wait_disks,
        .arguments = waitaof_arguments,
        .tips = wait_tips,
        .acl_extra = "-@keyspace @connection",
    },
    {0},
};
