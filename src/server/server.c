/* The phases of a turn, and the server's beginning and end. */
#include "base/mem.h"
#include "base/prng.h"
#include "net/listener.h"
#include "server/admission.h"
#include "server/run.h"
#include "server/state.h"
#include "server/transaction_commands.h"
#include "server/wait_commands.h"

enum { ACCEPTS_PER_TURN = 128 };

static void init_lists(struct server *server)
{
    list_init(&server->clients);
    list_init(&server->runnable);
    list_init(&server->paused);
    list_init(&server->writable);
    list_init(&server->gated);
    list_init(&server->active);
    list_init(&server->idle);
    list_init(&server->over_soft);
    list_init(&server->doomed);
    list_init(&server->stopping);
    list_init(&server->waits);
    list_init(&server->ghosts);
}

static void mint_run_id(struct server *server, uint64_t seed)
{
    struct prng prng = prng_init(seed);
    for (int i = 0; i < RUN_ID_SIZE; i++)
        server->run_id[i] = "0123456789abcdef"[prng_below(&prng, 16)];
}

struct server *server_new(const struct server_options *options)
{
    struct server *server = mem_zero(sizeof(*server));
    server->config = options->config;
    server->table = options->table;
    server->exec = options->exec;
    server->log = options->log;
    server->loop = options->loop;
    server->measure_us = options->measure_us;
    server->debug = command_table_find(options->table, BYTES_LITERAL("debug"));
    server->listeners.spare_fd = -1;
    init_lists(server);
    server->wait_deadline_us = UINT64_MAX;
    mint_run_id(server, options->seed);
    stats_init(&server->stats);
    slowlog_init(&server->slowlog);
    info_init(&server->info, server);
    server_apply_config(server);
    return server;
}

static void stop_listening(struct server *server)
{
    if (!server->is_listening)
        return;
    for (size_t i = 0; i < server->listeners.count; i++)
        loop_remove(server->loop, &server->listeners.all[i].source);
    listeners_close(&server->listeners);
    server->is_listening = false;
}

void server_free(struct server *server)
{
    if (server == NULL)
        return;
    stop_listening(server);
    while (!list_is_empty(&server->clients)) {
        struct client *client = CONTAINER_OF(server->clients.next, struct client, all_link);
        ASSERT(!client->is_owned); /* its owner frees it first */
        client_free(client);
    }
    while (!list_is_empty(&server->ghosts))
        client_destroy(CONTAINER_OF(server->ghosts.next, struct client, all_link));
    stats_fini(&server->stats);
    slowlog_fini(&server->slowlog);
    buf_pool_free(&server->pool);
    mem_free(server);
}

void server_apply_config(struct server *server)
{
    server->limits = RESP_LIMITS_DEFAULT;
    server->limits.bulk_max = server->config->proto_max_bulk_len;
}

bool server_has_password(const struct server *server)
{
    return server->config->requirepass[0] != '\0';
}

bool server_listen(struct server *server, const char **error)
{
    ASSERT(server->loop != NULL && !server->is_listening);
    const struct config *config = server->config;
    struct listen_options options = {
        .addresses = (const char *const *)config->bind.items,
        .address_count = config->bind.count,
        .port = (uint16_t)config->port,
        .backlog = (int)config->tcp_backlog,
        .unix_path = config->unixsocket,
        .unix_mode = (uint32_t)config->unixsocketperm,
        .kind = SOURCE_LISTENER,
    };
    *error = server->listeners.error;
    if (!listeners_open(&server->listeners, &options))
        return false;
    for (size_t i = 0; i < server->listeners.count; i++) {
        bool is_watched = loop_add(server->loop, &server->listeners.all[i].source);
        ASSERT(is_watched); /* a fresh socket, at the start of the process */
    }
    server->is_listening = true;
    return true;
}

static void receive_connections(struct server *server, struct listener *listener)
{
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd;
        enum listener_err err = listeners_accept(&server->listeners, listener, &fd);
        if (err == LISTENER_OK) {
            admission_take(server, fd);
        } else {
            if (err == LISTENER_NO_FDS)
                admission_count_refused(server, "the process has no file descriptor left");
            return;
        }
    }
}

static void receive_client(const struct net_event *event)
{
    struct conn *conn = CONTAINER_OF(event->source, struct conn, source);
    struct client *client = CONTAINER_OF(conn, struct client, conn);
    if (client->is_doomed)
        return;
    if ((event->what & NET_READABLE) != 0)
        client_read(client);
    else if ((event->what & (NET_BROKEN | NET_HANGUP)) != 0)
        client_doom(client);
    if ((event->what & NET_WRITABLE) != 0) {
        client->is_write_blocked = false;
        client_update_interest(client);
        client_output_changed(client);
    }
}

/* New clients last: who left in the same turn has made room for them (maxclients). The sources of
 * those who left are gone by then, so the listeners are noted before. */
void server_receive(struct server *server, struct net_events events)
{
    struct listener *callers[LISTENERS_MAX];
    size_t caller_count = 0;
    for (size_t i = 0; i < events.count; i++) {
        struct net_source *source = events.events[i].source;
        if (source->kind == SOURCE_CLIENT)
            receive_client(&events.events[i]);
        else if (source->kind == SOURCE_LISTENER && caller_count < LISTENERS_MAX)
            callers[caller_count++] = CONTAINER_OF(source, struct listener, source);
    }
    server_reap(server);
    for (size_t i = 0; i < caller_count; i++)
        receive_connections(server, callers[i]);
    server_reap(server);
}

/* Moves a list to another head, so that what is added meanwhile waits for the next turn. */
static void take_list(struct list *from, struct list *to)
{
    list_init(to);
    if (list_is_empty(from))
        return;
    *to = *from;
    to->next->prev = to->prev->next = to;
    list_init(from);
}

static void take_done_requests(struct server *server)
{
    for (;;) {
        struct request *request = exec_take_done(server->exec);
        if (request == NULL)
            return;
        client_request_done(request->client);
    }
}

void server_execute(struct server *server, struct turn_time now)
{
    server->now = now;
    if (server->started_us == 0)
        server->started_us = now.boot_us;
    if (server->measure_us != NULL)
        server->measured_us = server->measure_us();
    server_sweep(server);
    take_done_requests(server);
    struct list batch;
    take_list(&server->runnable, &batch);
    while (!list_is_empty(&batch)) {
        struct client *client = CONTAINER_OF(batch.next, struct client, run_link);
        list_remove(&client->run_link);
        client_run(client);
    }
    take_done_requests(server); /* who waited for a key that was changed just now */
    server_reap(server);
}

void server_release(struct server *server)
{
    wait_step(server);
    struct list *node, *after;
    LIST_FOR_EACH(node, after, &server->gated)
    {
        struct client *client = CONTAINER_OF(node, struct client, gate_link);
        if (output_open_gates(&client->output, server->exec))
            client_output_changed(client);
    }
}

void server_write(struct server *server)
{
    struct list batch;
    take_list(&server->writable, &batch);
    while (!list_is_empty(&batch)) {
        struct client *client = CONTAINER_OF(batch.next, struct client, write_link);
        list_remove(&client->write_link);
        client_write(client);
    }
    server_reap(server);
}

void server_reap(struct server *server)
{
    while (!list_is_empty(&server->doomed)) {
        struct client *client = CONTAINER_OF(server->doomed.next, struct client, doom_link);
        if (client->is_owned)
            client_disconnect(client);
        else
            client_free(client);
    }
}

void server_note_turn(struct server *server, uint64_t duration_us)
{
    struct stats *stats = &server->stats;
    stats->turns++;
    stats->turns_us += duration_us;
    if (duration_us > stats->turn_us_max)
        stats->turn_us_max = duration_us;
}

static bool needs_sweep(const struct server *server)
{
    bool may_time_out = server->config->timeout > 0 && !list_is_empty(&server->idle);
    return !list_is_empty(&server->active) || !list_is_empty(&server->over_soft) ||
           server_is_paused(server) || may_time_out;
}

int64_t server_wait_us(const struct server *server)
{
    if (!list_is_empty(&server->runnable) || !list_is_empty(&server->writable) ||
        server->wants_turn)
        return 0;
    uint64_t due_us = server->wait_deadline_us;
    if (needs_sweep(server) && server->next_sweep_us < due_us)
        due_us = server->next_sweep_us;
    if (due_us == UINT64_MAX)
        return NET_WAIT_FOREVER;
    return due_us <= server->now.boot_us ? 0 : (int64_t)(due_us - server->now.boot_us);
}

struct client *server_client_new(struct server *server)
{
    struct client *client = client_new(server);
    client->is_owned = true;
    return client;
}

void server_client_free(struct client *client)
{
    client_free(client);
}

bool server_client_input(struct client *client, struct bytes bytes)
{
    if (!client_can_run(client) || client->is_input_ended || client->request_state != REQUEST_NONE)
        return false;
    if (client->query_head > 0) {
        buf_consume(&client->query, client->query_head);
        client->query_head = 0;
    }
    buf_append(&client->query, bytes);
    client->server->stats.bytes_in += bytes.size;
    if (!client_is_query_too_big(client))
        client_make_runnable(client);
    return true;
}

void server_client_input_end(struct client *client)
{
    client->is_input_ended = true;
    client_make_runnable(client);
}

size_t server_client_output(struct client *client, struct buf *out)
{
    struct bytes bytes = output_sendable(&client->output);
    buf_append(out, bytes);
    output_sent(&client->output, bytes.size);
    client->server->stats.bytes_out += bytes.size;
    client_output_changed(client);
    return bytes.size;
}

bool server_client_is_closed(const struct client *client)
{
    return client->is_closed || client->is_doomed;
}

size_t server_client_unsent(const struct client *client)
{
    return output_unsent(&client->output);
}

void server_add_info(struct server *server, const char *section, info_fn *fn, void *ctx)
{
    info_add(&server->info, section, fn, ctx);
}

void server_on_config(struct server *server, server_config_fn *fn, void *ctx)
{
    ASSERT(server->config_fn == NULL);
    server->config_fn = fn;
    server->config_ctx = ctx;
}

struct server_shutdown server_shutdown_request(const struct server *server)
{
    return server->shutdown;
}

void server_shutdown_failed(struct server *server)
{
    server->shutdown = (struct server_shutdown){0};
    while (!list_is_empty(&server->stopping)) {
        struct client *client = CONTAINER_OF(server->stopping.next, struct client, run_link);
        list_remove(&client->run_link);
        client_answer_held(client, "ERR Errors trying to SHUTDOWN. Check logs.");
    }
}

void server_flush_output(struct server *server)
{
    stop_listening(server);
    server_release(server);
    server_write(server);
}

size_t server_client_count(const struct server *server)
{
    return server->client_count;
}
