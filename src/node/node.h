/* The whole server: builds, owns and runs everything. The map of the program is node_turn (turn.c).
 */
#pragma once

#include "base/log.h"
#include "base/turn_time.h"
#include "config/config.h"
#include "net/loop.h"
#include "os/disk.h"
#include "server/frontend.h"
#include "store/kv.h"

struct node;

struct node_options {
    struct config *config; /* CONFIG SET changes it; all of these are borrowed until node_close */
    struct log *log;
    struct disk *disk;
    struct kv_env *kv; /* NULL: LevelDB, with a cache of block-cache-size */
    bool has_threads;  /* false: node_run_job runs the helpers' jobs, on the caller's thread */
    bool has_sockets;  /* false: clients come from server_client_new */
    bool has_lock;     /* take DIR/LOCK */
    int stop_fd;       /* readable once the process shall stop (a signalfd); -1: none */
    uint64_t seed;     /* of ids, timeouts and choices */
    struct turn_time (*read_clocks)(void *context);
    void *clock_context;
    uint64_t (*measure_us)(void); /* see server_options */
};

/* Opens or creates the data directory, recovers (L4) and listens. Blocking. False: error says in
 * one line which file or directive is to blame; nothing stays open. */
MUST_USE bool node_open(struct node **out, const struct node_options *options, struct buf *error);

/* Waits for helper threads and closes everything. What is acknowledged is in the WAL. NULL is
 * legal. */
void node_close(struct node *node);

enum node_state {
    NODE_RUNNING,
    NODE_STOPPED, /* a SHUTDOWN was met: close and exit with success */
    NODE_FAILED,  /* a promise cannot be kept (EIO, failed sync): node_failure says why; exit */
};

/* Waits for something to happen, at most until the next deadline (not at all when may_wait is
 * false). */
struct net_events node_poll(struct node *node, bool may_wait);
enum node_state node_turn(struct node *node, struct net_events events);
const char *node_failure(const struct node *node);

void node_request_shutdown(struct node *node); /* as SHUTDOWN does; from the loop thread */

struct server *node_server(struct node *node);
bool node_is_ready(const struct node *node); /* every shard serves */

/* Without threads: how many jobs of helpers wait, and running one of them. */
size_t node_waiting_jobs(const struct node *node);
void node_run_job(struct node *node, size_t position);
