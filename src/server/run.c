/* Requests of one client: parse, check, queue or run, answer. */
#include "server/run.h"

#include "base/mem.h"
#include "commands/call.h"
#include "server/refusal.h"
#include "server/slowlog_commands.h"
#include "server/state.h"
#include "server/transaction_commands.h"
#include "types/object.h"

enum { ARGV_MIN = 16, ARGV_KEPT_MAX = 1024, QUERY_KEPT_MAX = 64 * 1024 };

static void take_query(struct client *client, size_t size)
{
    client->query_head += size;
    ASSERT(client->query_head <= client->query.size);
    if (client->query_head < client->query.size)
        return;
    client->query_head = 0;
    buf_clear(&client->query);
    if (client->query.capacity > QUERY_KEPT_MAX)
        buf_free(&client->query);
}

static void set_arguments(struct client *client, const uint8_t *base)
{
    const struct resp_parser *parser = &client->parser;
    uint32_t count = parser->arg_count;
    if (count > client->argv_capacity) {
        mem_free(client->argv);
        client->argv_capacity = count < ARGV_MIN ? ARGV_MIN : count;
        client->argv = mem_alloc(client->argv_capacity * sizeof(*client->argv));
    }
    size_t size_max = 0;
    for (uint32_t i = 0; i < count; i++) {
        client->argv[i] = resp_parser_arg(parser, base, i);
        if (client->argv[i].size > size_max)
            size_max = client->argv[i].size;
    }
    client->has_large_argument = size_max > OBJECT_KEY_MAX;
    client->request.argv = client->argv;
    client->request.argc = (int)count;
    client->request.command = NULL;
    client->request_state = REQUEST_READY;
}

static void refuse_protocol(struct client *client)
{
    struct server *server = client->server;
    server->stats.protocol_errors++;
    log_write(server->log, LOG_LEVEL_VERBOSE, "client %llu closed: %s",
              (unsigned long long)client->id, client->parser.error);
    struct reply reply = {.out = output_begin(&client->output), .protocol = client->protocol};
    reply_error(&reply, "ERR %s", client->parser.error);
    stats_count_error(&server->stats, BYTES_LITERAL("ERR"));
    output_finish(&client->output, NULL, 0);
    client_close_after_output(client);
}

/* True when a whole request is ready. */
static bool parse_request(struct client *client)
{
    const struct server *server = client->server;
    bool is_trusted = client->is_authenticated || !server_has_password(server);
    while (client->query_head < client->query.size) {
        const uint8_t *base = client->query.data + client->query_head;
        struct bytes rest = bytes_of(base, client->query.size - client->query_head);
        switch (resp_parse(&client->parser, rest, &server->limits, is_trusted)) {
        case RESP_OK:
            set_arguments(client, base);
            return true;
        case RESP_EMPTY:
            take_query(client, client->parser.consumed);
            break;
        case RESP_MORE:
            return false;
        case RESP_BAD:
            refuse_protocol(client);
            return false;
        }
    }
    return false;
}

static struct reply begin_reply(struct client *client)
{
    return (struct reply){.out = output_begin(&client->output), .protocol = client->protocol};
}

/* The one reading of the clock per request: the end of one is the beginning of the next. */
static uint64_t lap_us(struct server *server)
{
    if (server->measure_us == NULL)
        return 0;
    uint64_t now_us = server->measure_us();
    uint64_t lap = now_us - server->measured_us;
    server->measured_us = now_us;
    return lap;
}

static void log_if_slow(struct client *client, uint64_t duration_us)
{
    struct server *server = client->server;
    int64_t threshold_us = server->config->slowlog_log_slower_than_us;
    if (threshold_us < 0 || duration_us < (uint64_t)threshold_us || server->measure_us == NULL ||
        (client->request.command->flags & CMD_SKIP_SLOWLOG) != 0)
        return;
    slow_command_add(client, duration_us);
}

/* The reply is whole: count it, let it wait at its gates, and give the arguments up. */
static void answer(struct client *client, const struct exec_gate *gates, int gate_count)
{
    struct bytes reply = output_unfinished(&client->output);
    bool has_failed = reply.size > 0 && reply.data[0] == '-';
    if (has_failed)
        stats_count_error(&client->server->stats, bytes_of(reply.data + 1, reply.size - 1));
    if (client->request_stats != NULL && has_failed)
        client->request_stats->failed++;
    if (client->reply_mode == REPLY_OFF || client->reply_mode == REPLY_SKIP)
        output_drop_unfinished(&client->output);
    if (client->reply_mode == REPLY_SKIP)
        client->reply_mode = REPLY_ON;
    if (client->reply_mode == REPLY_SKIP_NEXT)
        client->reply_mode = REPLY_SKIP;
    output_finish(&client->output, gates, gate_count);
    client->request_state = REQUEST_NONE;
    client->request_stats = NULL;
    take_query(client, client->parser.consumed);
    if (client->argv_capacity > ARGV_KEPT_MAX) {
        mem_free(client->argv);
        client->argv = NULL;
        client->argv_capacity = 0;
    }
}

static void run_at_home(struct client *client, const struct command *command)
{
    struct server *server = client->server;
    struct call call = {
        .argv = client->request.argv,
        .argc = client->request.argc,
        .command = command,
        .table = server->table,
        .reply = begin_reply(client),
        .database = client->database,
        .now_ms = (int64_t)(server->now.wall_us / 1000),
        .now_us = (int64_t)server->now.wall_us,
        .client = client,
    };
    command->function(&call);
    client->database = call.database;
}

static void count_run(struct client *client, uint64_t duration_us)
{
    client->server->stats.commands++;
    client->request_stats->calls++;
    client->request_stats->usec += duration_us;
    log_if_slow(client, duration_us);
}

/* What was queued counts as called; its time is EXEC's. */
static void count_queued(struct client *client, const struct queued *queue, int count)
{
    for (int i = 0; i < count; i++)
        stats_command(&client->server->stats, queue[i].command, NULL)->calls++;
}

static void finish_exec_request(struct client *client)
{
    struct request *request = &client->request;
    client->database = request->database;
    if (request->queue != NULL) {
        count_queued(client, request->queue, client->transaction->count);
        client_end_transaction(client);
        request->queue = NULL;
    }
    answer(client, request->gates, request->gate_count);
}

/* On shards; a transaction may also consist of home commands only. */
static void run_on_shards(struct client *client, const struct command *command)
{
    struct request *request = &client->request;
    request->command = command;
    request->database = client->database;
    request->reply = begin_reply(client);
    client->request_state = REQUEST_WAITING;
    enum exec_result result = exec_run(client->server->exec, request);
    count_run(client, lap_us(client->server));
    if (result == EXEC_DONE)
        finish_exec_request(client);
}

static void run_transaction(struct client *client, const struct command *command)
{
    struct request *request = &client->request;
    request->queue = transaction_seal(client->transaction);
    request->queue_count = client->transaction->count;
    request->watches = list_is_empty(&client->watches.watches) ? NULL : &client->watches;
    run_on_shards(client, command);
}

static void queue_request(struct client *client, const struct command *command)
{
    const struct request *request = &client->request;
    struct reply reply = begin_reply(client);
    if (exec_is_elsewhere(client->server->exec, command, request->argv, request->argc, &reply)) {
        transaction_break(client->transaction);
    } else {
        transaction_queue(client->transaction, command, request->argv, request->argc);
        reply_simple(&reply, "QUEUED");
    }
    if (client_query_size(client) > client->server->config->client_query_buffer_limit)
        client_doom(client);
    client->request_stats = NULL; /* not run yet */
    answer(client, NULL, 0);
}

/* True when CLIENT PAUSE holds the request back; it stays ready. */
static bool is_held_back(struct client *client, const struct command *command)
{
    const struct server *server = client->server;
    if (!server_is_paused(server))
        return false;
    uint32_t flags = command->flags;
    if (command->function == transaction_exec && client->transaction != NULL)
        flags |= client->transaction->flags;
    if (!server->pause.is_all && (flags & (CMD_WRITE | CMD_MAY_REPLICATE)) == 0)
        return false;
    list_remove(&client->run_link);
    list_push_back(&client->server->paused, &client->run_link);
    return true;
}

static void run_command(struct client *client, const struct command *command)
{
    if (is_held_back(client, command))
        return;
    if (client->transaction != NULL && !transaction_runs_at_once(command)) {
        queue_request(client, command);
    } else if (command->function == transaction_exec && transaction_can_run(client)) {
        run_transaction(client, command);
    } else if ((command->flags & CMD_HOME) != 0 || command->function == transaction_exec) {
        run_at_home(client, command);
        count_run(client, lap_us(client->server));
        if (client->request_state == REQUEST_READY)
            answer(client, NULL, 0);
    } else {
        run_on_shards(client, command);
    }
}

/* The command of the request; repeats of the last name are not looked up. */
static const struct command *find_command(struct client *client, const struct command **container)
{
    struct server *server = client->server;
    struct command_cache *cache = &client->cache;
    struct bytes name = client->argv[0];
    *container = NULL;
    if (name.size == cache->name_size && memcmp(name.data, cache->name, name.size) == 0) {
        client->request_stats = cache->stats;
        return cache->command;
    }
    const struct command *command =
        command_table_resolve(server->table, client->argv, client->request.argc, container);
    if (command == NULL)
        return NULL;
    client->request_stats = stats_command(&server->stats, command, *container);
    if (*container == NULL && command->subcommands == NULL && name.size > 0 &&
        name.size <= CLIENT_NAME_CACHE_SIZE) {
        memcpy(cache->name, name.data, name.size);
        cache->name_size = (uint8_t)name.size;
        cache->command = command;
        cache->stats = client->request_stats;
    }
    return command;
}

static void run_request(struct client *client)
{
    const struct command *container;
    client->request_stats = NULL;
    const struct command *command = find_command(client, &container);
    struct refusal refusal = {.command = command, .container = container};
    if (refusal_check(&refusal, client)) {
        struct reply reply = begin_reply(client);
        refusal_reply(&refusal, client, &reply);
        if (client->request_stats != NULL)
            client->request_stats->rejected++;
        client->request_stats = NULL;
        answer(client, NULL, 0);
        return;
    }
    client->request.command = command;
    client->last_command = command;
    client->last_container = container;
    run_command(client, command);
}

void client_request_done(struct client *client)
{
    ASSERT(client->request_state == REQUEST_WAITING);
    if (client->is_closed) {
        client_end_ghost(client);
        return;
    }
    finish_exec_request(client);
    client_make_runnable(client);
}

struct reply client_begin_held(struct client *client)
{
    ASSERT(client->request_state == REQUEST_WAITING);
    return begin_reply(client);
}

void client_end_held(struct client *client)
{
    answer(client, NULL, 0);
    client_make_runnable(client);
    client_output_changed(client);
}

void client_answer_held(struct client *client, const char *error)
{
    struct reply reply = client_begin_held(client);
    reply_error(&reply, "%s", error);
    client_end_held(client);
}

/* True when the client has nothing more to be run now. */
static bool run_next(struct client *client)
{
    if (!client_can_run(client))
        return true;
    if (client->request_state == REQUEST_NONE && !parse_request(client)) {
        if (client->is_input_ended && !client->is_closing)
            client_close_after_output(client);
        return true;
    }
    run_request(client);
    if (output_unsent(&client->output) > SERVER_OUTPUT_STALL_BYTES ||
        client->output.mark_count >= OUTPUT_MARKS_FULL)
        client->is_stalled = true;
    return client->request_state == REQUEST_READY; /* held back */
}

void client_run(struct client *client)
{
    struct server *server = client->server;
    if (client->created_us == 0)
        client->created_us = server->now.boot_us;
    client->last_active_us = server->now.boot_us;
    list_remove(&client->age_link);
    list_push_back(&server->active, &client->age_link);
    int count = 0;
    while (count < SERVER_REQUESTS_PER_TURN && !run_next(client))
        count++;
    if (count == SERVER_REQUESTS_PER_TURN && client_can_run(client))
        client_make_runnable(client);
    client_output_changed(client);
    if (!client->is_reading)
        client_update_interest(client);
    /* A larger one, of a pipeline, is kept until the client idles. */
    if (client->query.size == 0 && client->query.capacity == BUF_POOL_SIZE)
        buf_pool_give(&server->pool, &client->query);
}
