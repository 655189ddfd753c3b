/* Frames: the worked example of src/net/PEER.md, cuts, limits and damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "codec/frame.h"

enum { KIND = 8, KIND_MAX = 100 };

static const struct frame_limits limits = {{[KIND] = KIND_MAX}};

static struct buf frame_of(uint8_t kind, struct bytes payload, uint64_t number)
{
    struct buf out = {0};
    size_t at = frame_begin(&out);
    buf_append(&out, payload);
    frame_end(&out, at, kind, number);
    return out;
}

/* A TIMEOUT_NOW of group 2 in term 5, as the fourth frame of its connection. */
static void the_example_of_the_document_is_written_and_read(void **state)
{
    (void)state;
    static const uint8_t example[] = {
        0x72, 0x2a, 0xb1, 0xee, 0x29, 0x8e, 0xaa, 0x84, 0x0e, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00,
        0x00, 0x02, 0x00, 0x00, 0x00, 0x0a, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    };
    struct buf made = frame_of(KIND, bytes_of(example + FRAME_HEADER_SIZE, 14), 3);
    assert_true(bytes_equal(buf_bytes(&made), bytes_of(example, sizeof(example))));
    struct frame frame;
    assert_int_equal(frame_read(bytes_of(example, sizeof(example)), 3, &limits, &frame), FRAME_OK);
    assert_int_equal(frame.kind, KIND);
    assert_int_equal(frame.size, sizeof(example));
    assert_int_equal(frame.payload.size, 14);
    assert_ptr_equal(frame.payload.data, example + FRAME_HEADER_SIZE);
    buf_free(&made);
}

static void half_a_frame_is_waited_for(void **state)
{
    (void)state;
    struct buf whole = frame_of(KIND, BYTES_LITERAL("hello"), 0);
    struct frame frame;
    for (size_t size = 0; size < whole.size; size++)
        assert_int_equal(frame_read(bytes_of(whole.data, size), 0, &limits, &frame), FRAME_MORE);
    assert_int_equal(frame_read(buf_bytes(&whole), 0, &limits, &frame), FRAME_OK);
    buf_append_u8(&whole, 7); /* the next one begins */
    assert_int_equal(frame_read(buf_bytes(&whole), 0, &limits, &frame), FRAME_OK);
    assert_int_equal(frame.size, whole.size - 1);
    buf_free(&whole);
}

static void a_payload_has_its_kind_s_limit(void **state)
{
    (void)state;
    uint8_t bytes[KIND_MAX + 1] = {0};
    struct frame frame;
    for (size_t size = KIND_MAX - 1; size <= KIND_MAX + 1; size++) {
        struct buf made = frame_of(KIND, bytes_of(bytes, size), 0);
        enum frame_err err = frame_read(buf_bytes(&made), 0, &limits, &frame);
        assert_int_equal(err, size <= KIND_MAX ? FRAME_OK : FRAME_TOO_BIG);
        err = frame_read(bytes_of(made.data, FRAME_HEADER_SIZE), 0, &limits, &frame);
        assert_int_equal(err, size <= KIND_MAX ? FRAME_MORE : FRAME_TOO_BIG);
        buf_free(&made);
    }
}

static void kinds_that_are_not_expected_are_refused(void **state)
{
    (void)state;
    struct frame frame;
    struct buf made = frame_of(KIND + 1, BYTES_LITERAL("x"), 0);
    assert_int_equal(frame_read(buf_bytes(&made), 0, &limits, &frame), FRAME_BAD_KIND);
    made.data[13] = FRAME_KINDS_MAX;
    assert_int_equal(frame_read(buf_bytes(&made), 0, &limits, &frame), FRAME_BAD_KIND);
    made.data[13] = 255;
    assert_int_equal(frame_read(buf_bytes(&made), 0, &limits, &frame), FRAME_BAD_KIND);
    buf_free(&made);
}

static void another_version_is_refused(void **state)
{
    (void)state;
    struct frame frame;
    struct buf made = frame_of(KIND, BYTES_LITERAL("x"), 0);
    made.data[12] = FRAME_VERSION + 1;
    assert_int_equal(frame_read(buf_bytes(&made), 0, &limits, &frame), FRAME_BAD_VERSION);
    made.data[12] = FRAME_VERSION;
    made.data[15] = 1;
    assert_int_equal(frame_read(buf_bytes(&made), 0, &limits, &frame), FRAME_BAD_VERSION);
    buf_free(&made);
}

static void every_flipped_bit_is_found(void **state)
{
    (void)state;
    struct frame frame;
    struct buf made = frame_of(KIND, BYTES_LITERAL("some payload"), 9);
    for (size_t bit = 0; bit < made.size * 8; bit++) {
        made.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(frame_read(buf_bytes(&made), 9, &limits, &frame), FRAME_OK);
        made.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(frame_read(buf_bytes(&made), 9, &limits, &frame), FRAME_OK);
    buf_free(&made);
}

static void a_frame_counts_only_in_its_place(void **state)
{
    (void)state;
    struct frame frame;
    struct buf made = frame_of(KIND, BYTES_LITERAL("x"), 5);
    assert_int_equal(frame_read(buf_bytes(&made), 4, &limits, &frame), FRAME_BAD_SUM);
    assert_int_equal(frame_read(buf_bytes(&made), 6, &limits, &frame), FRAME_BAD_SUM);
    assert_int_equal(frame_read(buf_bytes(&made), 5, &limits, &frame), FRAME_OK);
    buf_free(&made);
}

static void a_frame_that_is_dropped_leaves_nothing(void **state)
{
    (void)state;
    struct buf out = {0};
    buf_append_string(&out, "before");
    size_t at = frame_begin(&out);
    buf_append_string(&out, "payload");
    frame_drop(&out, at);
    assert_true(bytes_equal(buf_bytes(&out), BYTES_LITERAL("before")));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_document_is_written_and_read),
        cmocka_unit_test(half_a_frame_is_waited_for),
        cmocka_unit_test(a_payload_has_its_kind_s_limit),
        cmocka_unit_test(kinds_that_are_not_expected_are_refused),
        cmocka_unit_test(another_version_is_refused),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(a_frame_counts_only_in_its_place),
        cmocka_unit_test(a_frame_that_is_dropped_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
