/* quoin-server [FILE] [--directive value ...]: reads the configuration, opens the node, turns. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/node.h"
#include "os/clock.h"
#include "os/memory.h"

/* Read by jemalloc at its start. The batch of a flush is one buffer of many megabytes; by default
 * such a buffer goes back to the kernel at once and is faulted in again for the next flush. */
extern const char *malloc_conf;
const char *malloc_conf = "oversize_threshold:0";

enum { DESCRIPTORS_SPARE = 512 }; /* beside clients: log, WAL, LevelDB's tables */

static void print(FILE *to, struct bytes text)
{
    (void)fwrite(text.data, 1, text.size, to);
    (void)fputc('\n', to);
}

static struct turn_time read_clocks(void *context)
{
    (void)context;
    return (struct turn_time){.boot_us = clock_boot_us(), .wall_us = clock_wall_us()};
}

static uint64_t random_seed(void)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        seed = clock_wall_us() ^ (uint64_t)getpid() << 32;
    return seed;
}

/* Stops are read from a descriptor; blocked before any thread is made, so that none gets them. */
static int open_stop_fd(void)
{
    sigset_t stops;
    (void)sigemptyset(&stops);
    (void)sigaddset(&stops, SIGTERM);
    (void)sigaddset(&stops, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &stops, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    return signalfd(-1, &stops, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void raise_descriptor_limit(const struct config *config, struct log *log)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)config->maxclients + DESCRIPTORS_SPARE;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    struct rlimit raised = limit;
    raised.rlim_cur = wanted;
    if (raised.rlim_max < wanted)
        raised.rlim_max = wanted;
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
        return;
    raised.rlim_cur = raised.rlim_max = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &raised);
    log_write(log, LOG_LEVEL_WARNING, "maxclients %lld needs %llu descriptors, the limit is %llu",
              (long long)config->maxclients, (unsigned long long)wanted,
              (unsigned long long)limit.rlim_max);
}

static bool daemonize(void)
{
    pid_t child = fork();
    if (child < 0)
        return false;
    if (child > 0)
        _exit(0);
    (void)setsid();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return false;
    for (int fd = 0; fd <= 2; fd++)
        (void)dup2(null, fd);
    if (null > 2)
        (void)close(null);
    return true;
}

static void write_pidfile(const struct config *config, struct log *log)
{
    if (config->pidfile == NULL || config->pidfile[0] == 0)
        return;
    FILE *file = fopen(config->pidfile, "we");
    if (file == NULL) {
        log_write(log, LOG_LEVEL_WARNING, "pidfile %s: %s", config->pidfile, strerror(errno));
        return;
    }
    (void)fprintf(file, "%ld\n", (long)getpid());
    (void)fclose(file);
}

static void log_notes(struct log *log, struct bytes notes)
{
    while (notes.size > 0) {
        const uint8_t *end = memchr(notes.data, '\n', notes.size);
        size_t size = end == NULL ? notes.size : (size_t)(end - notes.data);
        log_write(log, LOG_LEVEL_NOTICE, "%.*s", (int)size, (const char *)notes.data);
        size_t taken = end == NULL ? size : size + 1;
        notes = bytes_of(notes.data + taken, notes.size - taken);
    }
}

static int run(struct config *config, struct log *log, struct bytes notes)
{
    struct node_options options = {
        .config = config,
        .log = log,
        .disk = disk_real(),
        .has_threads = true,
        .has_sockets = true,
        .has_lock = true,
        .stop_fd = open_stop_fd(),
        .seed = random_seed(),
        .read_clocks = read_clocks,
        .measure_us = clock_boot_us,
    };
    struct node *node;
    struct buf error = {0};
    log_write(log, LOG_LEVEL_NOTICE, "quoin 0.1.0 starts, process %ld, data in %s", (long)getpid(),
              config->dir);
    log_notes(log, notes);
    raise_descriptor_limit(config, log);
    (void)memory_purge_in_background(); /* other allocators have their own ways */
    if (!node_open(&node, &options, &error)) {
        if (error.size == 0) { /* a stop while it waited for others */
            log_write(log, LOG_LEVEL_WARNING, "Stopped before it belonged to a cluster");
            return 0;
        }
        log_write(log, LOG_LEVEL_WARNING, "Cannot start: %.*s", (int)error.size,
                  (const char *)error.data);
        buf_free(&error);
        return 1;
    }
    buf_free(&error); /* what a first start did not find stands in it */
    write_pidfile(config, log);
    enum node_state state = NODE_RUNNING;
    while (state == NODE_RUNNING)
        state = node_turn(node, node_poll(node, true));
    if (state == NODE_FAILED) {
        /* Going on would break a promise; closing properly could write. The WAL tells the rest. */
        log_write(log, LOG_LEVEL_WARNING, "Cannot go on: %s", node_failure(node));
        _exit(1);
    }
    node_close(node);
    if (config->pidfile != NULL && config->pidfile[0] != 0)
        (void)unlink(config->pidfile);
    log_write(log, LOG_LEVEL_WARNING, "quoin is now ready to exit, bye bye...");
    return 0;
}

static int start(struct config *config, struct bytes notes)
{
    struct log log;
    if (config->daemonize && !daemonize()) {
        (void)fprintf(stderr, "quoin-server: cannot become a daemon: %s\n", strerror(errno));
        return 1;
    }
    if (!log_init(&log, (enum log_level)config->loglevel, config->logfile)) {
        (void)fprintf(stderr, "quoin-server: logfile %s: %s\n", config->logfile, strerror(errno));
        return 1;
    }
    int result = run(config, &log, notes);
    log_fini(&log);
    return result;
}

int main(int argc, char **argv)
{
    struct config config;
    struct config_messages messages = {0};
    struct buf help = {0};
    int result = 0;
    config_init(&config);
    switch (config_load_args(&config, argc, argv, &messages)) {
    case CONFIG_OK:
        result = start(&config, buf_bytes(&messages.notes));
        break;
    case CONFIG_BAD:
        print(stderr, buf_bytes(&messages.error));
        result = 1;
        break;
    case CONFIG_HELP:
        config_append_help(&help);
        print(stdout, buf_bytes(&help));
        break;
    case CONFIG_VERSION:
        (void)printf("Quoin server v=0.1.0 (Redis protocol 7.2)\n");
        break;
    }
    buf_free(&help);
    config_messages_free(&messages);
    config_fini(&config);
    return result;
}
