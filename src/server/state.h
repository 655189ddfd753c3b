/* The server's own state; inside server/ only. Each part has its file. */
#pragma once

#include "codec/resp_parser.h"
#include "net/listener.h"
#include "server/client.h"
#include "server/durability.h"
#include "server/frontend.h"
#include "server/info.h"
#include "server/operator.h"
#include "server/slowlog.h"
#include "server/stats.h"

enum server_source_kind {
    SOURCE_LISTENER = 1,
    SOURCE_CLIENT = 2,
};

enum {
    RUN_ID_SIZE = 40,
    SWEEP_EVERY_US = 100 * 1000,
    IDLE_AFTER_US = 2 * 1000 * 1000, /* then a client's buffers are given back */
    SWEEP_CLIENTS_MAX = 500,         /* of each kind in one sweep: a turn stays short */
};

/* CLIENT PAUSE. */
struct pause {
    uint64_t until_us; /* boot time; 0: not paused */
    bool is_all;       /* else writes only */
};

struct server {
    struct config *config;
    const struct command_table *table;
    struct exec *exec;
    struct log *log;
    struct loop *loop;
    uint64_t (*measure_us)(void);

    struct turn_time now;
    uint64_t started_us; /* boot time of the first turn */
    uint64_t next_sweep_us;
    uint64_t measured_us; /* last reading of measure_us */
    char run_id[RUN_ID_SIZE + 1];
    const struct command *debug; /* guarded by enable-debug-command; NULL when there is none */

    struct listeners listeners;
    bool is_listening;
    struct resp_limits limits;

    struct buf_pool pool;
    struct list clients; /* by id */
    size_t client_count;
    uint64_t next_client_id;
    struct list runnable;  /* input that may hold a complete request */
    struct list paused;    /* a request held back by CLIENT PAUSE */
    struct list writable;  /* output that may leave, and a socket that may take it */
    struct list gated;     /* output behind a gate */
    struct list active;    /* by last activity, buffers kept */
    struct list idle;      /* by last activity, buffers given back */
    struct list over_soft; /* output above the soft limit */
    struct list doomed;    /* to be disconnected at the end of the phase */
    struct list stopping;  /* wait for the answer to SHUTDOWN */
    struct list waits;     /* WAIT and WAITAOF under way */
    struct list ghosts;    /* disconnected, but exec still runs their request */

    size_t wait_count;         /* on waits */
    uint64_t wait_deadline_us; /* boot time of the first of them; UINT64_MAX: none */
    bool wants_turn;           /* something was asked for that only the next turn begins */

    uint64_t memory_peak; /* the most that INFO has seen */
    struct pause pause;
    struct server_shutdown shutdown;
    struct stats stats;
    struct slowlog slowlog;
    struct info info;
    server_config_fn *config_fn;
    void *config_ctx;
    operator_fn *operator_fn; /* NULL: no node stands behind */
    void *operator_ctx;
    struct durability durability; /* zeroed: no node stands behind */
};

/* Disconnects and frees what was doomed. Only where nobody holds a client. */
void server_reap(struct server *server);

/* Every 100 ms at most: gives memory of idle clients back, closes those that idled too long. */
void server_sweep(struct server *server);

/* Copies from the configuration what is needed at hand; at start and after CONFIG SET. */
void server_apply_config(struct server *server);

bool server_has_password(const struct server *server);

/* Paused requests run again. */
void server_unpause(struct server *server);

static inline bool server_is_paused(const struct server *server)
{
    return server->pause.until_us != 0;
}
