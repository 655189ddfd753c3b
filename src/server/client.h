/* One client: a connection, or in tests nothing but buffers; inside server/ only.
 *
 * What it is doing is told by two things, the request and the output:
 *
 *   REQUEST_NONE --parse--> REQUEST_READY --run--> REQUEST_NONE     (answered)
 *                                |   \--run--> REQUEST_WAITING --exec_take_done--> REQUEST_NONE
 *                                \--CLIENT PAUSE--> REQUEST_READY on the paused list
 *
 *   REQUEST_WAITING also stands for SHUTDOWN, which the node answers or ends the process, and for
 *   WAIT and WAITAOF, which wait_commands.c answers.
 *
 * While a request exists, its arguments point into the query buffer: the buffer does not move, so
 * the socket is not read. */
#pragma once

#include "base/list.h"
#include "codec/resp_parser.h"
#include "net/conn.h"
#include "server/output.h"
#include "server/transaction.h"

struct server;
struct command_stats;
struct wait;

enum request_state {
    REQUEST_NONE,
    REQUEST_READY,   /* parsed, not run yet */
    REQUEST_WAITING, /* exec has it (or the node: SHUTDOWN, WAIT) */
};

enum reply_mode {
    REPLY_ON,
    REPLY_OFF,
    REPLY_SKIP_NEXT, /* CLIENT REPLY SKIP was just run */
    REPLY_SKIP,      /* the request under way is not answered */
};

enum { CLIENT_NAME_CACHE_SIZE = 16 };

/* The command that the last request named, exactly as it was written: pipelines repeat themselves.
 */
struct command_cache {
    uint8_t name[CLIENT_NAME_CACHE_SIZE];
    uint8_t name_size; /* 0: none */
    const struct command *command;
    struct command_stats *stats;
};

struct client {
    struct server *server;
    uint64_t id;
    struct list all_link;    /* on server->clients, by id */
    struct list run_link;    /* on server->runnable or server->paused */
    struct list write_link;  /* on server->writable */
    struct list gate_link;   /* on server->gated */
    struct list age_link;    /* on server->active or server->idle, by last activity */
    struct list doom_link;   /* on server->doomed */
    struct list soft_link;   /* on server->over_soft: output above the soft limit */
    uint64_t created_us;     /* boot time; 0 until the first turn */
    uint64_t last_active_us; /* boot time */
    uint64_t over_soft_us;   /* since when; boot time */

    /* The connection. */
    struct conn conn;
    bool has_socket;
    bool is_owned;         /* by the caller of server_client_new: not freed with its end */
    bool is_reading;       /* the loop tells when there is input */
    bool is_write_blocked; /* the socket is full: the loop tells when it is not */
    bool is_input_ended;   /* the peer sends no more */
    bool is_closing;       /* nothing more is run; closed when the output has left */
    bool is_stalled;       /* too much unsent output: not run until half of it has left */
    bool is_doomed;        /* on its way out: nothing is done for it any more */
    bool is_closed;        /* an owned client whose end has come */

    /* Input. */
    struct buf query;
    size_t query_head; /* the request under way, or the next one, begins here */
    struct resp_parser parser;
    struct bytes *argv; /* of the request; own memory, for it must hold while the request waits */
    uint32_t argv_capacity;
    bool has_large_argument; /* the request has one above OBJECT_KEY_MAX */
    uint8_t request_state;
    uint8_t reply_mode;
    struct request request;
    struct command_stats *request_stats;
    struct wait *wait; /* WAIT or WAITAOF under way; NULL: none */
    struct command_cache cache;

    /* The session. */
    uint8_t protocol; /* 2 or 3 */
    bool is_authenticated;
    bool is_no_evict;
    bool is_no_touch;
    int database;
    char *name; /* NULL: none; 0-terminated, as are the next two */
    char *lib_name;
    char *lib_version;
    const struct command *last_command; /* NULL: none yet */
    const struct command *last_container;
    struct transaction *transaction; /* NULL: not between MULTI and EXEC */
    struct watch_set watches;

    struct output output;
};

struct client *client_new(struct server *server);

/* Ends it soon: at the next safe point of the turn. Nothing more is run or sent. Idempotent. */
void client_doom(struct client *client);

/* Ends everything it has elsewhere: waiting request, watches, socket, lists. A request that exec
 * has begun and must end keeps the client as a ghost: on server->ghosts, without a connection. */
void client_disconnect(struct client *client);

/* Disconnects if need be, and frees; a ghost when its request is done. */
void client_free(struct client *client);

/* exec gave a ghost's request back. */
void client_end_ghost(struct client *client);

/* Frees a disconnected client that exec does not refer to. */
void client_destroy(struct client *client);

/* Ends it when what it is still owed has left. Nothing more is run. */
void client_close_after_output(struct client *client);

/* The one place that decides whether its requests are run. */
bool client_can_run(const struct client *client);

/* Puts it on the list of clients to be run in this or the next turn. */
void client_make_runnable(struct client *client);

/* After its output changed: lists, limits, stall, close. */
void client_output_changed(struct client *client);

/* Lets the loop tell what there is to be told, and no more. */
void client_update_interest(struct client *client);

/* One read, or none when the input is not to be read now. */
void client_read(struct client *client);

/* True, and the client is doomed, when its input is above client-query-buffer-limit. */
bool client_is_query_too_big(struct client *client);

/* Writes what may leave, bounded. */
void client_write(struct client *client);

/* Parses and runs requests until none is complete, something is in the way, or the turn's share is
 * used up. */
void client_run(struct client *client);

/* Back to the state of a new connection, but for its id and authentication (RESET). */
void client_reset_session(struct client *client);

/* Drops MULTI's queue and the watches. */
void client_end_transaction(struct client *client);

/* Gives memory back that an idle client does not need. */
void client_trim(struct client *client);

size_t client_memory(const struct client *client);
size_t client_query_size(const struct client *client);

/* Copies; an empty text sets it to NULL. */
void client_set_text(char **field, struct bytes text);
