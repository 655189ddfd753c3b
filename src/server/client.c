#include "server/client.h"

#include "base/mem.h"
#include "server/state.h"
#include "server/wait_commands.h"

enum {
    QUERY_STEP = BUF_POOL_SIZE,

    QUERY_READ_MAX = 64 * 1024,         /* for one client in one turn, unless one read gives more */
    WRITE_MAX = 4 * 1024 * 1024,        /* the same for writing */
    QUERY_GROWTH_MAX = 64 * 1024 * 1024 /* room made ahead for a big argument in one step */
};

static void init_links(struct client *client)
{
    list_init(&client->all_link);
    list_init(&client->run_link);
    list_init(&client->write_link);
    list_init(&client->gate_link);
    list_init(&client->age_link);
    list_init(&client->doom_link);
    list_init(&client->soft_link);
    list_init(&client->watches.watches);
}

struct client *client_new(struct server *server)
{
    struct client *client = mem_zero(sizeof(*client));
    client->server = server;
    client->id = ++server->next_client_id;
    client->conn.source.fd = -1;
    client->protocol = 2;
    client->is_authenticated = !server_has_password(server);
    client->request.client = client;
    client->output.pool = &server->pool;
    init_links(client);
    list_push_back(&server->clients, &client->all_link);
    server->client_count++;
    server->stats.connections++;
    client_make_runnable(client); /* the next turn tells it the time */
    return client;
}

void client_doom(struct client *client)
{
    if (client->is_doomed)
        return;
    client->is_doomed = true;
    list_remove(&client->run_link);
    list_remove(&client->write_link);
    list_remove(&client->gate_link);
    list_remove(&client->soft_link);
    list_push_back(&client->server->doomed, &client->doom_link);
}

static void remove_links(struct client *client)
{
    list_remove(&client->all_link);
    list_remove(&client->run_link);
    list_remove(&client->write_link);
    list_remove(&client->gate_link);
    list_remove(&client->age_link);
    list_remove(&client->doom_link);
    list_remove(&client->soft_link);
}

/* False when exec still runs the request. SHUTDOWN and WAIT wait for the node, all else for exec.
 */
static bool cancel_request(struct client *client)
{
    if (client->request_state == REQUEST_WAITING &&
        (client->request.command->flags & CMD_HOME) == 0 &&
        !exec_cancel(client->server->exec, &client->request))
        return false;
    wait_forget(client);
    client->request_state = REQUEST_NONE;
    return true;
}

void client_disconnect(struct client *client)
{
    struct server *server = client->server;
    if (client->is_closed)
        return;
    client->is_closed = client->is_doomed = true;
    remove_links(client);
    ASSERT(server->client_count > 0);
    server->client_count--;
    if (client->has_socket) {
        loop_remove(server->loop, &client->conn.source);
        conn_close(&client->conn);
        client->has_socket = false;
    }
    if (cancel_request(client))
        client_end_transaction(client);
    else
        list_push_back(&server->ghosts, &client->all_link);
}

void client_free(struct client *client)
{
    client_disconnect(client);
    client->is_owned = false;
    if (client->request_state == REQUEST_WAITING)
        return; /* a ghost: freed when exec gives its request back */
    client_destroy(client);
}

void client_end_ghost(struct client *client)
{
    ASSERT(client->is_closed);
    client->request_state = REQUEST_NONE;
    client_end_transaction(client);
    list_remove(&client->all_link);
    if (!client->is_owned)
        client_destroy(client);
}

void client_destroy(struct client *client)
{
    ASSERT(client->is_closed);
    client_end_transaction(client);
    list_remove(&client->all_link);
    output_free(&client->output);
    buf_free(&client->query);
    resp_parser_free(&client->parser);
    mem_free(client->argv);
    mem_free(client->name);
    mem_free(client->lib_name);
    mem_free(client->lib_version);
    mem_free(client);
}

void client_close_after_output(struct client *client)
{
    client->is_closing = true;
    list_remove(&client->run_link);
    client_update_interest(client);
    client_output_changed(client);
}

bool client_can_run(const struct client *client)
{
    return !client->is_doomed && !client->is_closing && !client->is_stalled &&
           client->request_state != REQUEST_WAITING;
}

void client_make_runnable(struct client *client)
{
    if (client->is_doomed || client->request_state == REQUEST_WAITING)
        return;
    list_remove(&client->run_link);
    list_push_back(&client->server->runnable, &client->run_link);
}

static bool is_above_limit(uint64_t size, uint64_t limit)
{
    return limit > 0 && size > limit;
}

/* client-output-buffer-limit: the hard limit closes at once, the soft one after its seconds. */
static void check_output_limits(struct client *client)
{
    struct server *server = client->server;
    const struct config_output_limit *limit =
        &server->config->client_output_buffer_limit[CONFIG_CLIENT_NORMAL];
    size_t unsent = output_unsent(&client->output);
    if (is_above_limit(unsent, limit->hard)) {
        server->stats.output_limit_closes++;
        log_write(server->log, LOG_LEVEL_WARNING,
                  "client %llu closed: its output is above client-output-buffer-limit",
                  (unsigned long long)client->id);
        client_doom(client);
        return;
    }
    bool is_over = is_above_limit(unsent, limit->soft);
    if (!is_over)
        list_remove(&client->soft_link);
    if (!is_over || !list_is_empty(&client->soft_link))
        return;
    client->over_soft_us = server->now.boot_us;
    list_push_back(&server->over_soft, &client->soft_link);
}

static void keep_on_list(struct list *link, struct list *list, bool belongs)
{
    if (!belongs)
        list_remove(link);
    else if (list_is_empty(link))
        list_push_back(list, link);
}

static bool is_full(const struct client *client)
{
    return output_unsent(&client->output) > SERVER_OUTPUT_STALL_BYTES ||
           client->output.mark_count >= OUTPUT_MARKS_FULL;
}

static bool is_drained(const struct client *client)
{
    return output_unsent(&client->output) <= SERVER_OUTPUT_RESUME_BYTES &&
           client->output.mark_count <= OUTPUT_MARKS_FULL / 2;
}

static void update_stall(struct client *client)
{
    if (!client->is_stalled) {
        client->is_stalled = is_full(client);
    } else if (is_drained(client)) {
        client->is_stalled = false;
        client_make_runnable(client);
    }
}

void client_output_changed(struct client *client)
{
    struct server *server = client->server;
    if (client->is_doomed)
        return;
    check_output_limits(client);
    if (client->is_doomed)
        return;
    update_stall(client);
    keep_on_list(&client->gate_link, &server->gated, output_is_gated(&client->output));
    bool can_write = client->has_socket && !client->is_write_blocked &&
                     output_sendable(&client->output).size > 0;
    keep_on_list(&client->write_link, &server->writable, can_write);
    if (client->is_closing && output_unsent(&client->output) == 0)
        client_doom(client);
}

/* Unread input stays in the kernel while a request waits, is held back, or output piles up. */
static bool wants_input(const struct client *client)
{
    return client_can_run(client) && !client->is_input_ended &&
           client->request_state == REQUEST_NONE && list_is_empty(&client->run_link);
}

static bool waits_for_others(const struct client *client)
{
    return client->request_state == REQUEST_WAITING &&
           (client->wait != NULL || (client->request.command->flags & CMD_BLOCKING) != 0);
}

void client_update_interest(struct client *client)
{
    if (!client->has_socket || client->is_doomed)
        return;
    uint32_t what = client->is_write_blocked ? NET_WRITABLE : 0;
    client->is_reading = wants_input(client);
    if (client->is_reading)
        what |= NET_READABLE;
    else if (waits_for_others(client))
        what |= NET_HANGUP; /* nobody would ever tell that the one who waits has left */
    loop_change(client->server->loop, &client->conn.source, what);
}

/* Makes room behind what is there, moving it to the front of the buffer first. A big argument gets
 * room as its bytes arrive, doubling up to what is still missing, not all at once on its word. */
static size_t make_room(struct client *client)
{
    struct buf *query = &client->query;
    ASSERT(client->request_state == REQUEST_NONE);
    if (query->capacity == 0)
        buf_pool_take(&client->server->pool, query);
    if (client->query_head > 0) {
        buf_consume(query, client->query_head);
        client->query_head = 0;
    }
    size_t room = query->capacity - query->size;
    size_t want = QUERY_STEP;
    if (client->parser.want > want)
        want = client->parser.want;
    if (want > QUERY_STEP && want > query->capacity)
        want = query->capacity > QUERY_STEP ? query->capacity : QUERY_STEP;
    if (want > QUERY_GROWTH_MAX)
        want = QUERY_GROWTH_MAX;
    if (room < want && room < QUERY_STEP / 2)
        (void)buf_reserve(query, want);
    return query->capacity - query->size;
}

bool client_is_query_too_big(struct client *client)
{
    struct server *server = client->server;
    uint64_t limit = server->config->client_query_buffer_limit;
    if (client_query_size(client) <= limit)
        return false;
    server->stats.query_limit_closes++;
    log_write(server->log, LOG_LEVEL_WARNING,
              "client %llu closed: its request is above client-query-buffer-limit",
              (unsigned long long)client->id);
    client_doom(client);
    return true;
}

static void end_input(struct client *client, enum conn_err reason)
{
    if (reason == CONN_BROKEN) {
        client_doom(client);
        return;
    }
    client->is_input_ended = true;
    if (client_query_size(client) == 0 && output_unsent(&client->output) == 0) {
        client_doom(client);
        return;
    }
    /* A peer that closed one direction only may still want its answers. */
    client_make_runnable(client);
    client_update_interest(client);
}

void client_read(struct client *client)
{
    if (!wants_input(client)) {
        client_update_interest(client);
        return;
    }
    size_t total = 0, room, got;
    do {
        room = make_room(client);
        enum conn_err err =
            conn_read(&client->conn, client->query.data + client->query.size, room, &got);
        if (err == CONN_ENDED || err == CONN_BROKEN)
            end_input(client, err);
        if (err != CONN_OK)
            break;
        client->query.size += got;
        total += got;
    } while (got == room && total < QUERY_READ_MAX);
    client->server->stats.bytes_in += total;
    if (total > 0 && !client->is_doomed && !client_is_query_too_big(client))
        client_make_runnable(client);
}

void client_write(struct client *client)
{
    size_t total = 0;
    while (total < WRITE_MAX) {
        struct bytes bytes = output_sendable(&client->output);
        if (bytes.size == 0)
            break;
        size_t put;
        enum conn_err err = conn_write(&client->conn, bytes.data, bytes.size, &put);
        if (err == CONN_BROKEN) {
            client_doom(client);
            return;
        }
        if (err == CONN_AGAIN) {
            client->is_write_blocked = true;
            client_update_interest(client);
            break;
        }
        output_sent(&client->output, put);
        total += put;
    }
    client->server->stats.bytes_out += total;
    client_output_changed(client);
}

void client_end_transaction(struct client *client)
{
    transaction_free(client->transaction);
    client->transaction = NULL;
    if (!list_is_empty(&client->watches.watches) || client->watches.is_dirty)
        exec_unwatch(client->server->exec, &client->watches);
}

void client_reset_session(struct client *client)
{
    client_end_transaction(client);
    client->protocol = 2;
    client->database = 0;
    client->reply_mode = REPLY_ON;
    client->is_no_evict = client->is_no_touch = false;
    client->is_authenticated = !server_has_password(client->server);
    client_set_text(&client->name, (struct bytes){0});
}

static void trim_query(struct client *client)
{
    struct buf *query = &client->query;
    size_t left = query->size - client->query_head;
    if (left > 0 && query->capacity / 2 <= left)
        return;
    buf_consume(query, client->query_head);
    client->query_head = 0;
    if (left == 0) {
        buf_free(query);
        resp_parser_free(&client->parser);
    } else {
        query->data = mem_realloc(query->data, left);
        query->capacity = left;
    }
}

void client_trim(struct client *client)
{
    output_trim(&client->output);
    if (client->request_state != REQUEST_NONE)
        return;
    trim_query(client);
    mem_free(client->argv);
    client->argv = NULL;
    client->argv_capacity = 0;
}

size_t client_query_size(const struct client *client)
{
    size_t transaction = client->transaction == NULL ? 0 : transaction_memory(client->transaction);
    return client->query.size - client->query_head + transaction;
}

size_t client_memory(const struct client *client)
{
    size_t transaction = client->transaction == NULL
                             ? 0
                             : sizeof(struct transaction) + transaction_memory(client->transaction);
    return sizeof(*client) + client->query.capacity + output_memory(&client->output) +
           resp_parser_memory(&client->parser) + client->argv_capacity * sizeof(struct bytes) +
           transaction;
}

void client_set_text(char **field, struct bytes text)
{
    mem_free(*field);
    *field = NULL;
    if (text.size == 0)
        return;
    *field = mem_alloc(text.size + 1);
    memcpy(*field, text.data, text.size);
    (*field)[text.size] = '\0';
}
