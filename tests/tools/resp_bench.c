/* How long one small request takes to parse and to answer: nanoseconds per request, the best of
 * many rounds, since other work on the machine can only add. */
#include <stdio.h>
#include <time.h>

#include "codec/resp_parser.h"
#include "codec/resp_reply.h"

enum {
    REQUESTS = 64, /* a pipeline that fits the first-level cache */
    ROUNDS = 20000,
};

static double now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static size_t parse_pipeline(struct resp_parser *parser, struct bytes rest)
{
    struct resp_limits limits = RESP_LIMITS_DEFAULT;
    size_t bytes = 0;
    while (rest.size > 0) {
        enum resp_err err = resp_parse(parser, rest, &limits, true);
        ASSERT(err == RESP_OK && parser->arg_count == 3);
        bytes += resp_parser_arg(parser, rest.data, 2).size;
        rest = bytes_of(rest.data + parser->consumed, rest.size - parser->consumed);
    }
    return bytes;
}

/* Keeps the least time of a round in *best. */
static void keep_best(double *best, double start)
{
    double spent = now_ns() - start;
    if (*best == 0 || spent < *best)
        *best = spent;
}

static void bench_parser(void)
{
    struct resp_parser parser = {0};
    struct buf pipeline = {0};
    for (int i = 0; i < REQUESTS; i++)
        buf_append_string(
            &pipeline, "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000001\r\n$16\r\nvalue:0123456789\r\n");
    double best = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns();
        size_t bytes = parse_pipeline(&parser, buf_bytes(&pipeline));
        keep_best(&best, start);
        ASSERT(bytes == REQUESTS * 16);
    }
    printf("parse SET, 16-byte key and value: %.1f ns\n", best / REQUESTS);
    buf_free(&pipeline);
    resp_parser_free(&parser);
}

static void bench_replies(void)
{
    struct buf out = {0};
    struct reply reply = {&out, 2};
    double best_bulk = 0;
    double best_double = 0;
    for (int round = 0; round < ROUNDS; round++) {
        buf_clear(&out);
        double start = now_ns();
        for (int i = 0; i < REQUESTS; i++)
            reply_bulk(&reply, BYTES_LITERAL("value:0123456789"));
        keep_best(&best_bulk, start);
        buf_clear(&out);
        start = now_ns();
        for (int i = 0; i < REQUESTS; i++)
            reply_double(&reply, (double)i + 0.25);
        keep_best(&best_double, start);
    }
    printf("reply bulk of 16 bytes: %.1f ns\n", best_bulk / REQUESTS);
    printf("reply double with a fraction: %.1f ns\n", best_double / REQUESTS);
    buf_free(&out);
}

int main(void)
{
    bench_parser();
    bench_replies();
    return 0;
}
