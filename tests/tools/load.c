/* Writes to a server until the connection breaks and reports what was acknowledged.
 *
 *   load --port N --writer W [--seed S] [--pipeline DEPTH] [--keys K] [--seconds S]
 *
 * A writer works on K keys of each kind, and on each key one step after the other, numbered from 1:
 *
 *   set     {W:set:I}     SET to "STEP:xxx…" of varying size
 *   del     {W:del:I}     odd steps SET as above, even steps DEL
 *   incr    {W:incr:I}    INCR: the value is the step
 *   append  {W:append:I}  APPEND of one letter run: the length tells the step
 *   block   {W:block:I}J  MULTI, SET of all BLOCK_KEYS keys to the same value, EXEC
 *
 * Up to DEPTH requests are in flight. At the end, one line per key: kind, key, acknowledged step,
 * last step sent (for incr and append those that were refused are not counted). After a crash the
 * key must stand at a step in between, both ends included. Then `errors N text` per kind of error
 * reply, and `total N` acknowledged steps. */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/prng.h"

enum kind { KIND_SET, KIND_DEL, KIND_INCR, KIND_APPEND, KIND_BLOCK, KIND_COUNT };

enum {
    BLOCK_KEYS = 4,
    APPEND_SIZE = 100,
    VALUE_MAX = 4096,
    NAME_MAX_SIZE = 64,
    ERRORS_MAX = 8,
    PIPELINE_MAX = 4096,
};

struct key {
    enum kind kind;
    char name[NAME_MAX_SIZE];
    unsigned long long sent, acknowledged, refused; /* refused: answered with an error */
};

/* A request in flight; its last reply acknowledges the step. */
struct flight {
    struct key *key;
    unsigned long long step;
    unsigned replies;
    bool failed;
};

struct error_count {
    char text[128];
    unsigned long long count;
};

struct load {
    unsigned long long port, writer, seed, pipeline, keys, seconds;
    redisContext *connection;
    struct prng prng;
    struct key *key;
    size_t key_count;
    struct flight flight[PIPELINE_MAX]; /* a ring */
    size_t first, in_flight;
    struct error_count error[ERRORS_MAX];
    unsigned long long total;
};

static const char *const kind_names[KIND_COUNT] = {"set", "del", "incr", "append", "block"};

static void make_keys(struct load *load)
{
    load->key_count = (size_t)load->keys * KIND_COUNT;
    load->key = mem_zero(load->key_count * sizeof(*load->key));
    for (size_t i = 0; i < load->key_count; i++) {
        struct key *key = &load->key[i];
        key->kind = (enum kind)(i % KIND_COUNT);
        snprintf(key->name, sizeof(key->name), "{%llu:%s:%zu}", load->writer, kind_names[key->kind],
                 i / KIND_COUNT);
    }
}

static void append_words(struct load *load, int count, const char **words)
{
    int err = redisAppendCommandArgv(load->connection, count, words, NULL);
    ASSERT(err == REDIS_OK);
}

static void make_value(struct load *load, char *value, unsigned long long step)
{
    /* Mostly small; now and then beyond what is kept inline. */
    size_t fill = prng_below(&load->prng, prng_chance(&load->prng, 100000) ? VALUE_MAX - 64 : 60);
    int head = snprintf(value, VALUE_MAX, "%llu:", step);
    memset(value + head, 'x', fill);
    value[(size_t)head + fill] = '\0';
}

static unsigned send_set(struct load *load, const char *name, const char *value)
{
    append_words(load, 3, (const char *[]){"SET", name, value});
    return 1;
}

static unsigned send_append(struct load *load, const struct key *key)
{
    char run[APPEND_SIZE + 1];
    memset(run, 'a' + (int)(key->sent % 26), APPEND_SIZE);
    run[APPEND_SIZE] = '\0';
    append_words(load, 3, (const char *[]){"APPEND", key->name, run});
    return 1;
}

static unsigned send_block(struct load *load, const struct key *key, const char *value)
{
    append_words(load, 1, (const char *[]){"MULTI"});
    for (int i = 0; i < BLOCK_KEYS; i++) {
        char name[NAME_MAX_SIZE + 16];
        snprintf(name, sizeof(name), "%s%d", key->name, i);
        send_set(load, name, value);
    }
    append_words(load, 1, (const char *[]){"EXEC"});
    return BLOCK_KEYS + 2;
}

/* Returns how many replies come. */
static unsigned send_step(struct load *load, const struct key *key)
{
    char value[VALUE_MAX];
    make_value(load, value, key->sent);
    switch (key->kind) {
    case KIND_SET:
        return send_set(load, key->name, value);
    case KIND_DEL:
        if (key->sent % 2 == 1)
            return send_set(load, key->name, value);
        append_words(load, 2, (const char *[]){"DEL", key->name});
        return 1;
    case KIND_INCR:
        append_words(load, 2, (const char *[]){"INCR", key->name});
        return 1;
    case KIND_APPEND:
        return send_append(load, key);
    case KIND_BLOCK:
        return send_block(load, key, value);
    case KIND_COUNT:
        break;
    }
    UNREACHABLE();
}

static void send_next(struct load *load)
{
    struct key *key = &load->key[prng_below(&load->prng, load->key_count)];
    key->sent++;
    size_t at = (load->first + load->in_flight++) % PIPELINE_MAX;
    load->flight[at] = (struct flight){.key = key, .step = key->sent};
    load->flight[at].replies = send_step(load, key);
}

static void count_error(struct load *load, const char *text)
{
    for (size_t i = 0; i < ERRORS_MAX; i++) {
        struct error_count *error = &load->error[i];
        if (error->count == 0)
            snprintf(error->text, sizeof(error->text), "%s", text);
        if (strncmp(error->text, text, sizeof(error->text) - 1) == 0) {
            error->count++;
            return;
        }
    }
}

/* The value of a counting kind is how many steps were done, of the others which was the last. */
static bool counts_steps(enum kind kind)
{
    return kind == KIND_INCR || kind == KIND_APPEND;
}

static void end_step(struct load *load, const struct flight *flight)
{
    struct key *key = flight->key;
    if (flight->failed) {
        key->refused++;
        return;
    }
    ASSERT(key->acknowledged < flight->step);
    key->acknowledged = counts_steps(key->kind) ? key->acknowledged + 1 : flight->step;
    load->total++;
}

static bool take_reply(struct load *load)
{
    redisReply *reply = NULL;
    if (redisGetReply(load->connection, (void **)&reply) != REDIS_OK)
        return false;
    struct flight *flight = &load->flight[load->first];
    bool is_last = --flight->replies == 0;
    if (reply->type == REDIS_REPLY_ERROR) {
        count_error(load, reply->str);
        flight->failed = true;
    }
    if (is_last && flight->key->kind == KIND_BLOCK && reply->type != REDIS_REPLY_ARRAY)
        flight->failed = true;
    freeReplyObject(reply);
    if (is_last) {
        end_step(load, flight);
        load->first = (load->first + 1) % PIPELINE_MAX;
        load->in_flight--;
    }
    return true;
}

static void run(struct load *load)
{
    time_t end = time(NULL) + (time_t)load->seconds;
    bool alive = true;
    while (alive && (load->seconds == 0 || time(NULL) < end)) {
        while (load->in_flight < load->pipeline)
            send_next(load);
        alive = take_reply(load);
    }
    while (alive && load->in_flight > 0)
        alive = take_reply(load);
}

static void report(const struct load *load)
{
    for (size_t i = 0; i < load->key_count; i++) {
        const struct key *key = &load->key[i];
        if (key->sent > 0)
            printf("%s %s %llu %llu\n", kind_names[key->kind], key->name, key->acknowledged,
                   key->sent - (counts_steps(key->kind) ? key->refused : 0));
    }
    for (size_t i = 0; i < ERRORS_MAX && load->error[i].count > 0; i++)
        printf("errors %llu %s\n", load->error[i].count, load->error[i].text);
    printf("total %llu\n", load->total);
}

static unsigned long long number_or_exit(const char *text)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = text == NULL ? 0 : strtoull(text, &end, 10);
    if (text == NULL || errno != 0 || *text == '\0' || *end != '\0') {
        fprintf(stderr, "load: a number is missing after an option\n");
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
        {"--port", &load->port},         {"--writer", &load->writer}, {"--seed", &load->seed},
        {"--pipeline", &load->pipeline}, {"--keys", &load->keys},     {"--seconds", &load->seconds},
    };
    for (int i = 1; i < argc; i += 2) {
        size_t at = 0;
        while (at < COUNT_OF(options) && strcmp(argv[i], options[at].name) != 0)
            at++;
        if (at == COUNT_OF(options)) {
            fprintf(stderr, "load: unknown option %s\n", argv[i]);
            exit(2);
        }
        *options[at].value = number_or_exit(argv[i + 1]);
    }
}

int main(int argc, char **argv)
{
    struct load *load = mem_zero(sizeof(*load));
    *load = (struct load){.seed = 1, .pipeline = 50, .keys = 20};
    read_options(load, argc, argv);
    ASSERT(load->pipeline > 0 && load->pipeline <= PIPELINE_MAX && load->keys > 0);
    signal(SIGPIPE, SIG_IGN);
    load->prng = prng_init(load->seed);
    load->connection = redisConnect("127.0.0.1", (int)load->port);
    if (load->connection == NULL || load->connection->err != 0) {
        fprintf(stderr, "load: no connection to port %llu\n", load->port);
        return 1;
    }
    make_keys(load);
    run(load);
    report(load);
    redisFree(load->connection);
    mem_free(load->key);
    mem_free(load);
    return 0;
}
