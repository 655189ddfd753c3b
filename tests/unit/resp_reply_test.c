#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "base/mem.h"
#include "codec/resp_reply.h"

struct output {
    struct buf out;
    struct reply reply;
};

static int open_outputs(void **state)
{
    struct output *outputs = mem_zero(2 * sizeof(*outputs));
    for (int i = 0; i < 2; i++)
        outputs[i].reply = (struct reply){&outputs[i].out, (uint8_t)(i + 2)};
    *state = outputs;
    return 0;
}

static int close_outputs(void **state)
{
    struct output *outputs = *state;
    buf_free(&outputs[0].out);
    buf_free(&outputs[1].out);
    mem_free(outputs);
    return 0;
}

static void check_output(struct output *output, struct bytes expected)
{
    if (!bytes_equal(buf_bytes(&output->out), expected))
        fail_msg("wrote %.*s", (int)output->out.size, (const char *)output->out.data);
    buf_clear(&output->out);
}

/* Runs a call in both protocols and compares. */
#define CHECK(call, resp2, resp3)                                                                  \
    do {                                                                                           \
        struct output *outputs = *state;                                                           \
        for (int n = 0; n < 2; n++) {                                                              \
            struct reply *r = &outputs[n].reply;                                                   \
            call;                                                                                  \
            check_output(&outputs[n], n == 0 ? BYTES_LITERAL(resp2) : BYTES_LITERAL(resp3));       \
        }                                                                                          \
    } while (0)

#define CHECK_SAME(call, text) CHECK(call, text, text)

static void simple_replies_are_the_same_in_both_protocols(void **state)
{
    CHECK_SAME(reply_ok(r), "+OK\r\n");
    CHECK_SAME(reply_simple(r, "QUEUED"), "+QUEUED\r\n");
    CHECK_SAME(reply_int(r, 0), ":0\r\n");
    CHECK_SAME(reply_int(r, 9), ":9\r\n");
    CHECK_SAME(reply_int(r, 10), ":10\r\n");
    CHECK_SAME(reply_int(r, -1), ":-1\r\n");
    CHECK_SAME(reply_int(r, INT64_MAX), ":9223372036854775807\r\n");
    CHECK_SAME(reply_int(r, INT64_MIN), ":-9223372036854775808\r\n");
    CHECK_SAME(reply_array(r, 0), "*0\r\n");
    CHECK_SAME(reply_array(r, 12), "*12\r\n");
}

static void bulks_carry_any_bytes(void **state)
{
    CHECK_SAME(reply_bulk(r, bytes_of(NULL, 0)), "$0\r\n\r\n");
    CHECK_SAME(reply_bulk(r, BYTES_LITERAL("a\0\r\nb")), "$5\r\na\0\r\nb\r\n");
    CHECK_SAME(reply_bulk_string(r, "hello"), "$5\r\nhello\r\n");
    CHECK_SAME(reply_bulk_int(r, -120), "$4\r\n-120\r\n");
    CHECK_SAME(memcpy(reply_bulk_space(r, 3), "xyz", 3), "$3\r\nxyz\r\n");
}

static void protocol_3_has_types_that_protocol_2_lacks(void **state)
{
    CHECK(reply_null(r), "$-1\r\n", "_\r\n");
    CHECK(reply_null_array(r), "*-1\r\n", "_\r\n");
    CHECK(reply_bool(r, true), ":1\r\n", "#t\r\n");
    CHECK(reply_bool(r, false), ":0\r\n", "#f\r\n");
    CHECK(reply_double(r, 3.1), "$3\r\n3.1\r\n", ",3.1\r\n");
    CHECK(reply_double(r, 17), "$2\r\n17\r\n", ",17\r\n");
    CHECK(reply_double(r, -(double)INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n");
    CHECK(reply_verbatim(r, "txt", BYTES_LITERAL("hi")), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
    CHECK(reply_map(r, 2), "*4\r\n", "%2\r\n");
    CHECK(reply_set(r, 2), "*2\r\n", "~2\r\n");
    CHECK(reply_push(r, 3), "*3\r\n", ">3\r\n");
}

static void errors_stay_on_one_line_whatever_is_put_into_them(void **state)
{
    CHECK_SAME(reply_error(r, "ERR syntax error"), "-ERR syntax error\r\n");
    CHECK_SAME(reply_error(r, "ERR unknown command '%s'", "a\r\n+OK\r\n"),
               "-ERR unknown command 'a  +OK  '\r\n");
}

static void errors_are_cut_at_their_limit(void **state)
{
    struct output *output = *state;
    char text[REPLY_ERROR_MAX + 2];
    for (size_t size = REPLY_ERROR_MAX - 1; size <= REPLY_ERROR_MAX + 1; size++) {
        memset(text, 'e', size);
        text[size] = '\0';
        reply_error(&output->reply, "%s", text);
        size_t kept = size > REPLY_ERROR_MAX ? REPLY_ERROR_MAX : size;
        assert_int_equal(output->out.size, 1 + kept + 2);
        assert_memory_equal(output->out.data + 1 + kept, "\r\n", 2);
        assert_int_equal(output->out.data[kept], 'e');
        buf_clear(&output->out);
    }
}

static void write_deferred(struct reply *reply, size_t count)
{
    reply_simple(reply, "before");
    size_t mark = reply_defer(reply);
    for (size_t i = 0; i < count; i++)
        reply_int(reply, (int64_t)i);
    reply_defer_array(reply, mark, count);
    reply_simple(reply, "after");
}

static void write_direct(struct reply *reply, size_t count)
{
    reply_simple(reply, "before");
    reply_array(reply, count);
    for (size_t i = 0; i < count; i++)
        reply_int(reply, (int64_t)i);
    reply_simple(reply, "after");
}

static void a_deferred_count_gives_the_same_bytes_as_a_known_one(void **state)
{
    struct output *outputs = *state;
    static const size_t counts[] = {0, 1, 8, 9, 10, 11, 99, 100, 101, 999, 1000, 12345};
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        write_deferred(&outputs[0].reply, counts[i]);
        write_direct(&outputs[1].reply, counts[i]);
        assert_true(bytes_equal(buf_bytes(&outputs[0].out), buf_bytes(&outputs[1].out)));
        buf_clear(&outputs[0].out);
        buf_clear(&outputs[1].out);
    }
}

static void write_nested(struct reply *reply)
{
    size_t outer = reply_defer(reply);
    size_t inner = reply_defer(reply);
    for (int i = 0; i < 12; i++)
        reply_int(reply, i % 2);
    reply_defer_set(reply, inner, 12);
    size_t map = reply_defer(reply);
    reply_ok(reply);
    reply_ok(reply);
    reply_defer_map(reply, map, 1);
    reply_defer_push(reply, outer, 2);
}

#define TWELVE ":0\r\n:1\r\n:0\r\n:1\r\n:0\r\n:1\r\n:0\r\n:1\r\n:0\r\n:1\r\n:0\r\n:1\r\n"

static void deferred_aggregates_nest(void **state)
{
    CHECK(write_nested(r), "*2\r\n*12\r\n" TWELVE "*2\r\n+OK\r\n+OK\r\n",
          ">2\r\n~12\r\n" TWELVE "%1\r\n+OK\r\n+OK\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simple_replies_are_the_same_in_both_protocols),
        cmocka_unit_test(bulks_carry_any_bytes),
        cmocka_unit_test(protocol_3_has_types_that_protocol_2_lacks),
        cmocka_unit_test(errors_stay_on_one_line_whatever_is_put_into_them),
        cmocka_unit_test(errors_are_cut_at_their_limit),
        cmocka_unit_test(a_deferred_count_gives_the_same_bytes_as_a_known_one),
        cmocka_unit_test(deferred_aggregates_nest),
    };
    return cmocka_run_group_tests_name("resp_reply", tests, open_outputs, close_outputs);
}
