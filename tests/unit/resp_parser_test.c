#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/mem.h"
#include "base/prng.h"
#include "codec/resp_parser.h"

static const struct resp_limits default_limits = {
    .inline_max = 64 * 1024, .bulk_max = 512ULL * 1024 * 1024, .args_max = 1024 * 1024};

static enum resp_err parse(struct resp_parser *parser, struct bytes bytes)
{
    return resp_parse(parser, bytes, &default_limits, true);
}

/* What the parser says about a whole stream, as text: "[set|a|b]" per request, "." per empty one,
 * "!error" or "?" (more) at the end. */
struct reading {
    struct resp_parser parser;
    struct buf buffered;
    struct buf said;
    bool is_bad;
};

static void reading_free(struct reading *reading)
{
    resp_parser_free(&reading->parser);
    buf_free(&reading->buffered);
    buf_free(&reading->said);
}

static void say_request(struct reading *reading)
{
    for (uint32_t i = 0; i < reading->parser.arg_count; i++) {
        buf_append_u8(&reading->said, i == 0 ? '[' : '|');
        buf_append(&reading->said, resp_parser_arg(&reading->parser, reading->buffered.data, i));
    }
    buf_append_u8(&reading->said, ']');
}

/* Hands over one chunk, in freshly allocated memory, so that a sanitizer sees a byte too far. */
static void feed(struct reading *reading, struct bytes chunk, const struct resp_limits *limits,
                 bool authenticated)
{
    buf_append(&reading->buffered, chunk);
    while (!reading->is_bad) {
        size_t size = reading->buffered.size;
        uint8_t *exact = mem_alloc(size + 1) /* +1: size may be 0 */;
        if (size > 0)
            memcpy(exact + 1, reading->buffered.data, size);
        enum resp_err err =
            resp_parse(&reading->parser, bytes_of(exact + 1, size), limits, authenticated);
        mem_free(exact);
        if (err == RESP_MORE) {
            assert_true(reading->parser.want >= 1);
            return;
        }
        if (err == RESP_BAD) {
            buf_printf(&reading->said, "!%s", reading->parser.error);
            reading->is_bad = true;
            return;
        }
        if (err == RESP_OK)
            say_request(reading);
        else
            buf_append_u8(&reading->said, '.');
        assert_true(reading->parser.consumed > 0);
        buf_consume(&reading->buffered, reading->parser.consumed);
    }
}

static void check_reading(struct reading *reading, struct bytes expected)
{
    if (!bytes_equal(buf_bytes(&reading->said), expected))
        fail_msg("said %.*s, expected %.*s", (int)reading->said.size,
                 (const char *)reading->said.data, (int)expected.size, (const char *)expected.data);
}

struct sample {
    const char *stream;
    const char *said;
};

static const struct sample samples[] = {
    {"", ""},
    {"*1\r\n$4\r\nPING\r\n", "[PING]"},
    {"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$0\r\n\r\n", "[SET|a|]"},
    {"*2\r\n$3\r\nGET\r\n$4\r\n\r\n\r\n\r\n*1\r\n$1\r\nx\r\n", "[GET|\r\n\r\n][x]"},
    {"*0\r\n*-1\r\n*-9\r\n*1\r\n$1\r\nx\r\n", "...[x]"},
    {"PING\r\nset a \"b c\"\n\r\n\n  \r\nget 'x'\r\n", "[PING][set|a|b c]...[get|x]"},
    {"x \"\\x41\\n\" ''\r\n*1\r\n$1\r\ny\r\n", "[x|A\n|][y]"},
    {"\"\"\r\n", "[]"},
    {"$3\r\nfoo\r\n", "[$3][foo]"},
    {"*10\r\n$1\r\n0\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r\n$"
     "1\r\n7"
     "\r\n$1\r\n8\r\n$1\r\n9\r\n",
     "[0|1|2|3|4|5|6|7|8|9]"},
    {"*1\r\n$12\r\n123456789012\r\n", "[123456789012]"},
    {"*abc\r\n", "!Protocol error: invalid multibulk length"},
    {"*\r\n", "!Protocol error: invalid multibulk length"},
    {"*01\r\n", "!Protocol error: invalid multibulk length"},
    {"*+1\r\n", "!Protocol error: invalid multibulk length"},
    {"*1 \r\n", "!Protocol error: invalid multibulk length"},
    {"*1\rx", "!Protocol error: invalid multibulk length"},
    {"*3000000000\r\n", "!Protocol error: invalid multibulk length"},
    {"*99999999999999999999999999\r\n", "!Protocol error: invalid multibulk length"},
    {"*1\r\nfoo\r\n", "!Protocol error: expected '$', got 'f'"},
    {"*1\r\n\r\n", "!Protocol error: expected '$', got ' '"},
    {"*2\r\n$1\r\na\r\n*1\r\n", "!Protocol error: expected '$', got '*'"},
    {"*1\r\n$-1\r\n", "!Protocol error: invalid bulk length"},
    {"*1\r\n$\r\n", "!Protocol error: invalid bulk length"},
    {"*1\r\n$x\r\n", "!Protocol error: invalid bulk length"},
    {"*1\r\n$2000000000\r\n", "!Protocol error: invalid bulk length"},
    {"*1\r\n$18446744073709551615\r\n", "!Protocol error: invalid bulk length"},
    {"*1\r\n$3\r\nabcd\r\n", "!Protocol error: expected CRLF after bulk"},
    {"*1\r\n$3\r\nab\r\n\r\n", "!Protocol error: expected CRLF after bulk"},
    {"PING\r\nset \"a\r\nPING\r\n", "[PING]!Protocol error: unbalanced quotes in request"},
    {"a 'b'c\n", "!Protocol error: unbalanced quotes in request"},
};

static void a_stream_is_read_as_it_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        struct reading reading = {0};
        feed(&reading, bytes_of_string(samples[i].stream), &default_limits, true);
        check_reading(&reading, bytes_of_string(samples[i].said));
        reading_free(&reading);
    }
}

static void every_cut_into_two_gives_the_same_reading(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        struct bytes stream = bytes_of_string(samples[i].stream);
        for (size_t cut = 0; cut <= stream.size; cut++) {
            struct reading reading = {0};
            feed(&reading, bytes_of(stream.data, cut), &default_limits, true);
            feed(&reading, bytes_of(stream.data + cut, stream.size - cut), &default_limits, true);
            check_reading(&reading, bytes_of_string(samples[i].said));
            reading_free(&reading);
        }
    }
}

static void single_bytes_and_random_chunks_give_the_same_reading(void **state)
{
    (void)state;
    struct prng prng = prng_init(4);
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < COUNT_OF(samples); i++) {
            struct reading reading = {0};
            struct bytes rest = bytes_of_string(samples[i].stream);
            while (rest.size > 0) {
                size_t size = round == 0 ? 1 : (size_t)prng_between(&prng, 1, 7);
                size = size < rest.size ? size : rest.size;
                feed(&reading, bytes_of(rest.data, size), &default_limits, true);
                rest = bytes_of(rest.data + size, rest.size - size);
            }
            check_reading(&reading, bytes_of_string(samples[i].said));
            reading_free(&reading);
        }
    }
}

static void arguments_follow_a_buffer_that_moves(void **state)
{
    (void)state;
    struct resp_parser parser = {0};
    char first[] = "*2\r\n$3\r\nGET\r\n$3\r\nke";
    assert_int_equal(parse(&parser, bytes_of_string(first)), RESP_MORE);
    assert_int_equal(parser.want, 3);
    char second[] = "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
    memset(first, 'x', sizeof(first));
    assert_int_equal(parse(&parser, bytes_of_string(second)), RESP_OK);
    assert_int_equal(parser.consumed, sizeof(second) - 1);
    char third[sizeof(second)];
    memcpy(third, second, sizeof(second));
    memset(second, 'x', sizeof(second));
    struct bytes key = resp_parser_arg(&parser, (const uint8_t *)third, 1);
    assert_true(bytes_equal(key, BYTES_LITERAL("key")));
    assert_ptr_equal(key.data, third + 17);
    resp_parser_free(&parser);
}

static void want_is_exactly_what_a_big_bulk_still_needs(void **state)
{
    (void)state;
    struct resp_parser parser = {0};
    struct buf buf = {0};
    buf_append_string(&buf, "*2\r\n$3\r\nSET\r\n$1000000\r\n");
    assert_int_equal(parse(&parser, buf_bytes(&buf)), RESP_MORE);
    assert_int_equal(parser.want, 1000002);
    memset(buf_extend(&buf, 400000), 'v', 400000);
    assert_int_equal(parse(&parser, buf_bytes(&buf)), RESP_MORE);
    assert_int_equal(parser.want, 600002);
    memset(buf_extend(&buf, 600000), 'v', 600000);
    buf_append_string(&buf, "\r");
    assert_int_equal(parse(&parser, buf_bytes(&buf)), RESP_MORE);
    assert_int_equal(parser.want, 1);
    buf_append_string(&buf, "\n");
    assert_int_equal(parse(&parser, buf_bytes(&buf)), RESP_OK);
    assert_int_equal(resp_parser_arg(&parser, buf.data, 1).size, 1000000);
    buf_free(&buf);
    resp_parser_free(&parser);
}

static void a_header_alone_takes_no_memory(void **state)
{
    (void)state;
    struct resp_parser parser = {0};
    assert_int_equal(parse(&parser, BYTES_LITERAL("*1000000\r\n$1\r\na\r\n$536870912\r\n")),
                     RESP_MORE);
    assert_true(resp_parser_memory(&parser) <= 1024);
    resp_parser_free(&parser);
    assert_int_equal(resp_parser_memory(&parser), 0);
}

static void a_large_argument_array_is_given_back(void **state)
{
    (void)state;
    struct resp_parser parser = {0};
    struct buf buf = {0};
    buf_append_string(&buf, "*5000\r\n");
    for (int i = 0; i < 5000; i++)
        buf_append_string(&buf, "$1\r\nx\r\n");
    assert_int_equal(parse(&parser, buf_bytes(&buf)), RESP_OK);
    assert_int_equal(parser.arg_count, 5000);
    assert_true(resp_parser_memory(&parser) >= 5000 * sizeof(struct resp_span));
    assert_int_equal(parse(&parser, BYTES_LITERAL("*1\r\n$1\r\nx\r\n")), RESP_OK);
    assert_true(resp_parser_memory(&parser) <= 1024);
    buf_free(&buf);
    resp_parser_free(&parser);
}

static void after_an_error_the_parser_stays_bad(void **state)
{
    (void)state;
    struct resp_parser parser = {0};
    assert_int_equal(parse(&parser, BYTES_LITERAL("*x\r\n")), RESP_BAD);
    assert_int_equal(parse(&parser, BYTES_LITERAL("*1\r\n$1\r\nx\r\n")), RESP_BAD);
    assert_string_equal(parser.error, "Protocol error: invalid multibulk length");
    resp_parser_free(&parser);
    assert_int_equal(parse(&parser, BYTES_LITERAL("*1\r\n$1\r\nx\r\n")), RESP_OK);
    resp_parser_free(&parser);
}

/* Parses in one call and in two (all but the last byte first): both readings begin with `said`, or
 * are empty (more is needed) when it is "". */
static void check_verdict(struct bytes stream, const struct resp_limits *limits, bool authenticated,
                          const char *said)
{
    for (int pass = 0; pass < 2; pass++) {
        struct reading reading = {0};
        size_t cut = pass == 0 ? 0 : stream.size - 1;
        feed(&reading, bytes_of(stream.data, cut), limits, authenticated);
        feed(&reading, bytes_of(stream.data + cut, stream.size - cut), limits, authenticated);
        struct bytes start = bytes_of(reading.said.data, reading.said.size);
        if (said[0] != '\0' && start.size > strlen(said))
            start.size = strlen(said);
        assert_true(bytes_equal(start, bytes_of_string(said)));
        reading_free(&reading);
    }
}

static void the_argument_count_is_limited(void **state)
{
    (void)state;
    struct resp_limits limits = {.inline_max = 64, .bulk_max = 100, .args_max = 3};
    check_verdict(BYTES_LITERAL("*2\r\n$1\r\na\r\n$1\r\nb\r\n"), &limits, true, "[a|b]");
    check_verdict(BYTES_LITERAL("*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"), &limits, true,
                  "[a|b|c]");
    check_verdict(BYTES_LITERAL("*4\r\n"), &limits, true,
                  "!Protocol error: invalid multibulk length");
    check_verdict(BYTES_LITERAL("a b c\r\n"), &limits, true, "[a|b|c]");
    check_verdict(BYTES_LITERAL("a b c d\r\n"), &limits, true,
                  "!Protocol error: invalid multibulk length");
    check_verdict(BYTES_LITERAL("*1048576\r\n$"), &default_limits, true, "");
    check_verdict(BYTES_LITERAL("*1048577\r\n$"), &default_limits, true,
                  "!Protocol error: invalid multibulk length");
}

static void the_bulk_size_is_limited(void **state)
{
    (void)state;
    struct resp_limits limits = {.inline_max = 64, .bulk_max = 3, .args_max = 3};
    check_verdict(BYTES_LITERAL("*1\r\n$2\r\nab\r\n"), &limits, true, "[ab]");
    check_verdict(BYTES_LITERAL("*1\r\n$3\r\nabc\r\n"), &limits, true, "[abc]");
    check_verdict(BYTES_LITERAL("*1\r\n$4\r\n"), &limits, true,
                  "!Protocol error: invalid bulk length");
    check_verdict(BYTES_LITERAL("*1\r\n$536870912\r\n"), &default_limits, true, "");
    check_verdict(BYTES_LITERAL("*1\r\n$536870913\r\n"), &default_limits, true,
                  "!Protocol error: invalid bulk length");
}

static void before_authentication_limits_are_narrow(void **state)
{
    (void)state;
    check_verdict(BYTES_LITERAL("*9\r\n$"), &default_limits, false, "");
    check_verdict(BYTES_LITERAL("*10\r\n$"), &default_limits, false, "");
    check_verdict(BYTES_LITERAL("*11\r\n$"), &default_limits, false,
                  "!Protocol error: unauthenticated multibulk length");
    check_verdict(BYTES_LITERAL("*11\r\n$"), &default_limits, true, "");
    check_verdict(BYTES_LITERAL("*1\r\n$16383\r\n"), &default_limits, false, "");
    check_verdict(BYTES_LITERAL("*1\r\n$16384\r\n"), &default_limits, false, "");
    check_verdict(BYTES_LITERAL("*1\r\n$16385\r\n"), &default_limits, false,
                  "!Protocol error: unauthenticated bulk length");
    check_verdict(BYTES_LITERAL("*1\r\n$16385\r\n"), &default_limits, true, "");
}

static void check_line_limit(const char *before, size_t limit, const char *after,
                             const char *at_limit, const char *beyond)
{
    struct resp_limits limits = {.inline_max = limit, .bulk_max = 100, .args_max = 3};
    for (size_t size = limit - 1; size <= limit + 1; size++) {
        struct buf buf = {0};
        buf_append_string(&buf, before);
        size_t start = buf.size > 4 ? 4 : 0; /* a bulk line comes after "*1\r\n" */
        size_t filled = size - (buf.size - start);
        memset(buf_extend(&buf, filled), '1', filled);
        check_verdict(buf_bytes(&buf), &limits, true, size <= limit ? "" : beyond);
        buf_append_string(&buf, after);
        check_verdict(buf_bytes(&buf), &limits, true, size <= limit ? at_limit : beyond);
        buf_free(&buf);
    }
}

static void lines_are_limited_whether_or_not_their_end_was_seen(void **state)
{
    (void)state;
    check_line_limit("g", 64, "\n", "[g1111", "!Protocol error: too big inline request");
    check_line_limit("*", 64, "\r\n", "!Protocol error: invalid multibulk length",
                     "!Protocol error: too big mbulk count string");
    check_line_limit("*1\r\n$", 64, "\r\n", "!Protocol error: invalid bulk length",
                     "!Protocol error: too big bulk count string");
    check_line_limit("g", 65536, "\n", "[g1111", "!Protocol error: too big inline request");
}

/* One random request: its bytes, and what a reading says of it. */
static void write_random_request(struct prng *prng, struct buf *stream, struct buf *said)
{
    uint64_t count = prng_between(prng, 1, 40);
    buf_printf(stream, "*%d\r\n", (int)count);
    for (uint64_t i = 0; i < count; i++) {
        uint8_t value[200];
        size_t size = (size_t)prng_below(prng, prng_chance(prng, 100000) ? 200 : 20);
        for (size_t at = 0; at < size; at++)
            value[at] = (uint8_t)prng_next(prng);
        buf_printf(stream, "$%d\r\n", (int)size);
        buf_append(stream, bytes_of(value, size));
        buf_append_string(stream, "\r\n");
        buf_append_u8(said, i == 0 ? '[' : '|');
        buf_append(said, bytes_of(value, size));
    }
    buf_append_u8(said, ']');
}

static void random_requests_are_read_back(void **state)
{
    (void)state;
    struct prng prng = prng_init(5);
    for (int round = 0; round < 300; round++) {
        struct buf stream = {0};
        struct buf said = {0};
        for (uint64_t request = prng_between(&prng, 1, 5); request > 0; request--)
            write_random_request(&prng, &stream, &said);
        struct reading reading = {0};
        for (size_t at = 0; at < stream.size;) {
            size_t size = (size_t)prng_between(&prng, 1, 90);
            size = size < stream.size - at ? size : stream.size - at;
            feed(&reading, bytes_of(stream.data + at, size), &default_limits, true);
            at += size;
        }
        check_reading(&reading, buf_bytes(&said));
        reading_free(&reading);
        buf_free(&stream);
        buf_free(&said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_read_as_it_should),
        cmocka_unit_test(every_cut_into_two_gives_the_same_reading),
        cmocka_unit_test(single_bytes_and_random_chunks_give_the_same_reading),
        cmocka_unit_test(arguments_follow_a_buffer_that_moves),
        cmocka_unit_test(want_is_exactly_what_a_big_bulk_still_needs),
        cmocka_unit_test(a_header_alone_takes_no_memory),
        cmocka_unit_test(a_large_argument_array_is_given_back),
        cmocka_unit_test(after_an_error_the_parser_stays_bad),
        cmocka_unit_test(the_argument_count_is_limited),
        cmocka_unit_test(the_bulk_size_is_limited),
        cmocka_unit_test(before_authentication_limits_are_narrow),
        cmocka_unit_test(lines_are_limited_whether_or_not_their_end_was_seen),
        cmocka_unit_test(random_requests_are_read_back),
    };
    return cmocka_run_group_tests_name("resp_parser", tests, NULL, NULL);
}
