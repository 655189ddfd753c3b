/* Producers and consumers of one queue, each a thread with a connection of its own.
 *
 *   queue_load KIND --port N [--producers N] [--consumers N] [--ms N] [--size BYTES] [--backlog N]
 *
 * KIND is list (LPUSH, BRPOP) or stream (XADD, XREADGROUP of up to BATCH messages, XACK of them).
 * Producers wait while --backlog messages are not consumed yet, and end after --ms; consumers end
 * when all is consumed. Each message carries its number, so that one that is lost or comes twice is
 * found. It prints
 *
 *   messages N seconds S cpu S
 *
 * or says what is wrong and exits with 1. */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"

enum {
    THREADS_MAX = 64,
    VALUE_MAX = 4096,
    BATCH = 10,
    STREAM_KEPT = 10000, /* entries: more than may be unread */
    PAUSE_US = 200,
};

struct load {
    bool is_stream;
    unsigned long long port, producers, consumers, ms, size, backlog;
    uint64_t end_us;
    atomic_ullong produced, consumed, produced_sum, consumed_sum;
    atomic_bool have_producers_ended;
};

static uint64_t clock_us(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static redisContext *connect_or_exit(const struct load *load)
{
    redisContext *connection = redisConnect("127.0.0.1", (int)load->port);
    if (connection == NULL || connection->err != 0) {
        fprintf(stderr, "queue_load: no connection to port %llu\n", load->port);
        exit(1);
    }
    return connection;
}

static redisReply *checked(redisContext *connection, void *reply)
{
    redisReply *found = reply;
    if (found == NULL || found->type == REDIS_REPLY_ERROR) {
        fprintf(stderr, "queue_load: %s\n", found == NULL ? connection->errstr : found->str);
        exit(1);
    }
    return found;
}

/* ---- producers ---- */

static void produce(const struct load *load, redisContext *connection, const char *value)
{
    void *reply = load->is_stream
                      ? redisCommand(connection, "XADD stream MAXLEN ~ %d * f %b", STREAM_KEPT,
                                     value, (size_t)load->size)
                      : redisCommand(connection, "LPUSH list %b", value, (size_t)load->size);
    freeReplyObject(checked(connection, reply));
}

static void *run_producer(void *argument)
{
    struct load *load = argument;
    redisContext *connection = connect_or_exit(load);
    char value[VALUE_MAX + 1];
    memset(value, 'v', sizeof(value));
    while (clock_us(CLOCK_MONOTONIC) < load->end_us) {
        if (load->produced - load->consumed >= load->backlog) {
            usleep(PAUSE_US);
            continue;
        }
        unsigned long long number = ++load->produced;
        int head = snprintf(value, sizeof(value), "%llu", number);
        value[head] = ' ';
        load->produced_sum += number;
        produce(load, connection, value);
    }
    redisFree(connection);
    return NULL;
}

/* ---- consumers ---- */

static void count_message(struct load *load, const char *value)
{
    load->consumed_sum += strtoull(value, NULL, 10);
    load->consumed++;
}

static void consume_list(struct load *load, redisContext *connection)
{
    redisReply *reply = checked(connection, redisCommand(connection, "BRPOP list 0.1"));
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2)
        count_message(load, reply->element[1]->str);
    freeReplyObject(reply);
}

/* reply: the entries [id, [field, value]] of the one stream */
static void acknowledge(struct load *load, redisContext *connection, const redisReply *entries)
{
    const char *words[3 + BATCH] = {"XACK", "stream", "group"};
    ASSERT(entries->elements > 0 && entries->elements <= BATCH);
    for (size_t i = 0; i < entries->elements; i++) {
        const redisReply *entry = entries->element[i];
        words[3 + i] = entry->element[0]->str;
    }
    void *reply = redisCommandArgv(connection, 3 + (int)entries->elements, words, NULL);
    freeReplyObject(checked(connection, reply));
    for (size_t i = 0; i < entries->elements; i++)
        count_message(load, entries->element[i]->element[1]->element[1]->str);
}

static void consume_stream(struct load *load, redisContext *connection)
{
    void *got = redisCommand(
        connection, "XREADGROUP GROUP group consumer%d COUNT %d BLOCK 100 STREAMS stream >",
        connection->fd, BATCH);
    redisReply *reply = checked(connection, got);
    if (reply->type == REDIS_REPLY_ARRAY)
        acknowledge(load, connection, reply->element[0]->element[1]);
    freeReplyObject(reply);
}

static void *run_consumer(void *argument)
{
    struct load *load = argument;
    redisContext *connection = connect_or_exit(load);
    while (!load->have_producers_ended || load->consumed < load->produced) {
        if (load->is_stream)
            consume_stream(load, connection);
        else
            consume_list(load, connection);
    }
    redisFree(connection);
    return NULL;
}

/* ---- the run ---- */

static void start(pthread_t *threads, unsigned long long count, void *(*run)(void *),
                  struct load *load)
{
    for (size_t i = 0; i < count; i++) {
        int err = pthread_create(&threads[i], NULL, run, load);
        ASSERT(err == 0);
    }
}

static void join(const pthread_t *threads, unsigned long long count)
{
    for (size_t i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
}

/* The group is there already when the queue was used before. */
static void prepare(const struct load *load)
{
    redisContext *connection = connect_or_exit(load);
    redisReply *reply = redisCommand(connection, "XGROUP CREATE stream group $ MKSTREAM");
    if (reply == NULL || reply->type != REDIS_REPLY_ERROR ||
        strncmp(reply->str, "BUSYGROUP", 9) != 0)
        (void)checked(connection, reply);
    freeReplyObject(reply);
    redisFree(connection);
}

static int run(struct load *load)
{
    pthread_t producers[THREADS_MAX], consumers[THREADS_MAX];
    prepare(load);
    uint64_t start_us = clock_us(CLOCK_MONOTONIC);
    load->end_us = start_us + load->ms * 1000;
    start(consumers, load->consumers, run_consumer, load);
    start(producers, load->producers, run_producer, load);
    join(producers, load->producers);
    load->have_producers_ended = true;
    join(consumers, load->consumers);
    double seconds = (double)(clock_us(CLOCK_MONOTONIC) - start_us) / 1e6;
    printf("messages %llu seconds %.3f cpu %.3f\n", load->consumed, seconds,
           (double)clock_us(CLOCK_PROCESS_CPUTIME_ID) / 1e6);
    if (load->consumed == load->produced && load->consumed_sum == load->produced_sum)
        return 0;
    fprintf(stderr, "queue_load: %llu produced, %llu consumed, sums %llu and %llu\n",
            load->produced, load->consumed, load->produced_sum, load->consumed_sum);
    return 1;
}

static unsigned long long number_or_exit(const char *text)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = text == NULL ? 0 : strtoull(text, &end, 10);
    if (text == NULL || errno != 0 || *text == '\0' || *end != '\0') {
        fprintf(stderr, "queue_load: a number is missing after an option\n");
        exit(2);
    }
    return value;
}

static void read_options(struct load *load, int argc, char **argv)
{
    const struct {
        const char *name;
        unsigned long long *value;
    } options[] = {
        {"--port", &load->port}, {"--producers", &load->producers},
        {"--ms", &load->ms},     {"--consumers", &load->consumers},
        {"--size", &load->size}, {"--backlog", &load->backlog},
    };
    load->is_stream = argc > 1 && strcmp(argv[1], "stream") == 0;
    for (int i = 2; i < argc; i += 2) {
        size_t at = 0;
        while (at < COUNT_OF(options) && strcmp(argv[i], options[at].name) != 0)
            at++;
        if (at == COUNT_OF(options)) {
            fprintf(stderr, "queue_load: unknown option %s\n", argv[i]);
            exit(2);
        }
        *options[at].value = number_or_exit(argv[i + 1]);
    }
}

int main(int argc, char **argv)
{
    struct load *load = mem_zero(sizeof(*load));
    load->producers = load->consumers = 4;
    load->ms = 1000;
    load->size = 100;
    load->backlog = 1000;
    read_options(load, argc, argv);
    ASSERT(load->producers <= THREADS_MAX && load->consumers <= THREADS_MAX);
    ASSERT(load->size >= 24 && load->size <= VALUE_MAX && load->backlog < STREAM_KEPT);
    int code = run(load);
    mem_free(load);
    return code;
}
