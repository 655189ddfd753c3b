/* The server as clients see it: connections, pipelines, replies that wait at gates, transactions,
 * and the commands that need no shard (PING, CLIENT, CONFIG, INFO …). It owns clients and their
 * buffers; it borrows everything else. Loop thread only.
 *
 * A turn calls, in this order:
 *
 *   server_receive   sockets: accept, read into query buffers
 *   server_execute   parse, dispatch; at most SERVER_REQUESTS_PER_TURN for each connection
 *   server_release   after apply: replies whose gates are open may leave
 *   server_write     sockets: write what may leave; close what is to be closed
 *
 * Each costs only what there is to do: no phase walks all clients. */
#pragma once

#include "base/assert.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/turn_time.h"
#include "commands/command.h"
#include "config/config.h"
#include "exec/exec.h"
#include "net/loop.h"

struct server;
struct client;

enum {
    SERVER_REQUESTS_PER_TURN = 1024,

    /* A client with more unsent output is neither read nor executed until half of it has left. */
    SERVER_OUTPUT_STALL_BYTES = 1024 * 1024,
    SERVER_OUTPUT_RESUME_BYTES = SERVER_OUTPUT_STALL_BYTES / 2,

    /* Kinds of net_source below this are the server's; server_receive skips all others. */
    SERVER_SOURCE_KINDS = 16,
};

struct server_options {
    struct config *config; /* CONFIG SET changes it */
    const struct command_table *table;
    struct exec *exec;
    struct log *log;
    struct loop *loop;            /* NULL: there are no sockets (simulator, unit tests) */
    uint64_t (*measure_us)(void); /* for durations of single commands; NULL: they count as 0.
                                   * One call per request, 20-25 ns through the vDSO: the price of
                                   * a SLOWLOG and of commandstats that can be believed */
    uint64_t seed;                /* run id */
};

/* Everything in options is borrowed until server_free. */
struct server *server_new(const struct server_options *options);

/* Closes all clients. exec must still be there and run nothing afterwards. NULL is legal. */
void server_free(struct server *server);

/* Adds the rows of this floor. Call before the table is used. */
void server_register_commands(struct command_table *table);

/* Opens the sockets that the configuration lists. False: *error (static while the server lives)
 * says which and why, and none is open. */
MUST_USE bool server_listen(struct server *server, const char **error);

/* Clients that have left are freed: sources of theirs in `events` are not to be looked at
 * afterwards. */
void server_receive(struct server *server, struct net_events events);
void server_execute(struct server *server, struct turn_time now);
void server_release(struct server *server);
void server_write(struct server *server);

/* A turn has taken so long, from waking up on: for INFO, until CONFIG RESETSTAT. */
void server_note_turn(struct server *server, uint64_t duration_us);

/* How long the loop may sleep for the server's sake: 0 when something can be done now. */
int64_t server_wait_us(const struct server *server);

/* A client without a socket, for the simulator and tests: it is fed and emptied by hand, through
 * the same code as the others. Belongs to the caller until server_client_free. */
struct client *server_client_new(struct server *server);
void server_client_free(struct client *client);

/* Copies the bytes as if they had been read. False, and nothing is taken, while the client's input
 * is not read: it has a request that waits, or output that nobody takes. */
MUST_USE bool server_client_input(struct client *client, struct bytes bytes);

/* The input is at its end: what is complete is still answered, then the client is closed. */
void server_client_input_end(struct client *client);

/* Appends to out what may leave and forgets it; returns its size. */
size_t server_client_output(struct client *client, struct buf *out);

/* The server is done with it (QUIT, protocol error, killed): what was to be sent has been taken. */
bool server_client_is_closed(const struct client *client);

/* Bytes that wait to be sent or taken, at gates too. */
size_t server_client_unsent(const struct client *client);

/* INFO: fn appends "name:value\r\n" lines to a section ("server", "keyspace", "raft" …). Several
 * may add to one section; a section unknown so far comes after the known ones. Borrows name and
 * ctx. */
typedef void info_fn(struct buf *out, void *ctx);
void server_add_info(struct server *server, const char *section, info_fn *fn, void *ctx);

/* After a CONFIG SET that changed something; ctx as given. Once. */
typedef void server_config_fn(void *ctx);
void server_on_config(struct server *server, server_config_fn *fn, void *ctx);

/* What CLIENT asked the process to do; the node looks after each server_execute. */
struct server_shutdown {
    bool is_requested;
    bool is_now;   /* NOW: do not wait for lagging members */
    bool is_force; /* FORCE: even when something cannot be saved */
};
struct server_shutdown server_shutdown_request(const struct server *server);

/* The request cannot be met: those who asked get an error, and it is taken back. */
void server_shutdown_failed(struct server *server);

/* The last turn: every client gets what may leave, as far as its socket takes it. */
void server_flush_output(struct server *server);

size_t server_client_count(const struct server *server);
