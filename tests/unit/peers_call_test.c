/* Requests with their answers, and streams under credit. */
#include "peers_wire.h"

#include "cluster/link.h"
#include "base/mem.h"
#include "codec/fields.h"

static struct box box;

static int begin(void **state)
{
    (void)state;
    wire_begin(&box);
    return 0;
}

static int end(void **state)
{
    (void)state;
    box_end(&box);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* ---- requests ---- */

static void requests_are_answered_by_number_in_any_order(void **state)
{
    (void)state;
    struct peers_request_id ids[3];
    for (int i = 0; i < 3; i++) {
        uint8_t byte = (uint8_t)('a' + i);
        assert_int_equal(
            peers_request(box.nodes[0].peers, 2, (uint8_t)i, bytes_of(&byte, 1), &ids[i]),
            PEERS_OK);
        assert_int_equal(ids[i].number, i + 1);
    }
    wire_move(&box, 0, 1, PEERS_FORWARD, 5);
    assert_int_equal(box_count(&box, 1, PEERS_IN_REQUEST), 3);
    for (size_t i = 3; i-- > 0;) {
        const struct box_note *note = box_find(&box, 1, PEERS_IN_REQUEST, i);
        assert_int_equal(note->input.request.kind, i);
        assert_int_equal(note->payload.size, 1);
        assert_int_equal(peers_answer(box.nodes[1].peers, 1, note->input.request.id, 9,
                                      buf_bytes(&note->payload)),
                         PEERS_OK);
    }
    wire_move(&box, 1, 0, PEERS_FORWARD, SIZE_MAX);
    assert_int_equal(box_count(&box, 0, PEERS_IN_ANSWER), 3);
    for (size_t i = 0; i < 3; i++) {
        const struct box_note *note = box_find(&box, 0, PEERS_IN_ANSWER, i);
        assert_int_equal(note->input.request.id.link, ids[2 - i].link);
        assert_int_equal(note->input.request.id.number, ids[2 - i].number);
        assert_int_equal(note->input.request.kind, 9);
        assert_int_equal(note->payload.data[0], 'a' + 2 - i);
    }
    assert_int_equal(peers_request(box.nodes[0].peers, 7, 0, (struct bytes){0}, &ids[0]),
                     PEERS_UNKNOWN);
}

/* L8: what was asked on a link that a newer one took the place of is not executed any more, and its
 * late answers go nowhere. */
static void a_superseded_link_s_requests_are_discarded_unread(void **state)
{
    (void)state;
    struct peers_request_id id;
    struct buf bytes = {0};
    assert_int_equal(peers_request(box.nodes[0].peers, 2, 1, BYTES_LITERAL("read"), &id), PEERS_OK);
    wire_move(&box, 0, 1, PEERS_FORWARD, SIZE_MAX);
    struct peers_request_id read = box_find(&box, 1, PEERS_IN_REQUEST, 0)->input.request.id;
    assert_int_equal(peers_request(box.nodes[0].peers, 2, 1, BYTES_LITERAL("unread"), &id),
                     PEERS_OK);
    peers_wire_take(box.nodes[0].peers, 2, PEERS_FORWARD, &bytes);
    peers_wire_give(box.nodes[1].peers, 1, PEERS_FORWARD, buf_bytes(&bytes));
    buf_free(&bytes);
    box_forget(&box.nodes[1]);
    peers_wire_up(box.nodes[1].peers, 1, PEERS_FORWARD, 50);
    wire_turn(&box, 1);
    assert_int_equal(box.nodes[1].note_count, 2);
    assert_int_equal(box.nodes[1].notes[0].input.kind, PEERS_IN_LINK_DOWN);
    assert_int_equal(box.nodes[1].notes[1].input.kind, PEERS_IN_LINK_UP);
    assert_int_equal(box.nodes[1].notes[1].input.link.incarnation, 50);
    assert_int_equal(peers_answer(box.nodes[1].peers, 1, read, 0, BYTES_LITERAL("late")),
                     PEERS_NOT_THERE);
    peers_wire_down(box.nodes[0].peers, 2, PEERS_FORWARD);
    assert_int_equal(peers_request(box.nodes[0].peers, 2, 1, BYTES_LITERAL("x"), &id),
                     PEERS_NOT_THERE);
}

static void unanswered_requests_are_limited(void **state)
{
    (void)state;
    struct peers_request_id id;
    for (int i = 0; i < PEERS_REQUESTS_MAX; i++)
        assert_int_equal(peers_request(box.nodes[0].peers, 2, 0, (struct bytes){0}, &id), PEERS_OK);
    assert_int_equal(peers_request(box.nodes[0].peers, 2, 0, (struct bytes){0}, &id), PEERS_FULL);
}

static void bytes_of_unanswered_requests_are_limited(void **state)
{
    (void)state;
    struct peers_request_id id;
    struct bytes chunk = {.data = mem_zero(1 << 20), .size = 1 << 20};
    int sent = 0;
    while (sent < 31 && peers_request(box.nodes[0].peers, 2, 0, chunk, &id) == PEERS_OK)
        sent++;
    assert_int_equal(sent, 31);
    struct bytes less = bytes_of(chunk.data, chunk.size - 1);
    assert_int_equal(peers_request(box.nodes[0].peers, 2, 0, less, &id), PEERS_OK);
    assert_int_equal(peers_request(box.nodes[0].peers, 2, 0, bytes_of("ab", 2), &id), PEERS_FULL);
    assert_int_equal(peers_request(box.nodes[0].peers, 2, 0, bytes_of("a", 1), &id), PEERS_OK);
    assert_int_equal(peers_request(box.nodes[0].peers, 2, 0, bytes_of("a", 1), &id), PEERS_FULL);
    wire_move(&box, 0, 1, PEERS_FORWARD, SIZE_MAX);
    assert_int_equal(box_count(&box, 1, PEERS_IN_REQUEST), 33);
    struct peers_request_id first = box_find(&box, 1, PEERS_IN_REQUEST, 0)->input.request.id;
    assert_int_equal(first.size, 1 << 20);
    assert_int_equal(peers_answer(box.nodes[1].peers, 1, first, 0, (struct bytes){0}), PEERS_OK);
    wire_move(&box, 1, 0, PEERS_FORWARD, SIZE_MAX);
    wire_turn(&box, 0);
    assert_int_equal(peers_request(box.nodes[0].peers, 2, 0, chunk, &id), PEERS_OK);
    mem_free((void *)(size_t)chunk.data);
}

static void a_single_request_may_be_bigger_than_the_account(void **state)
{
    (void)state;
    struct peers_request_id id;
    size_t size = PEERS_REQUESTS_SIZE_MAX + 1;
    uint8_t *big = mem_zero(size);
    assert_int_equal(peers_request(box.nodes[0].peers, 2, 0, bytes_of(big, size), &id), PEERS_OK);
    assert_int_equal(peers_request(box.nodes[0].peers, 2, 0, bytes_of(big, 0), &id), PEERS_FULL);
    wire_move(&box, 0, 1, PEERS_FORWARD, SIZE_MAX);
    assert_int_equal(box_find(&box, 1, PEERS_IN_REQUEST, 0)->payload.size, size);
    mem_free(big);
}

static void requests_are_given_in_portions_and_in_order(void **state)
{
    (void)state;
    struct peers_request_id id;
    size_t count = PEERS_REQUESTS_PER_TICK * 2 + 1;
    for (size_t i = 0; i < count; i++) {
        uint8_t low = (uint8_t)i;
        assert_int_equal(peers_request(box.nodes[0].peers, 2, 0, bytes_of(&low, 1), &id), PEERS_OK);
    }
    wire_move(&box, 0, 1, PEERS_FORWARD, SIZE_MAX);
    assert_int_equal(box_count(&box, 1, PEERS_IN_REQUEST), PEERS_REQUESTS_PER_TICK);
    assert_int_equal(peers_deadline(box.nodes[1].peers), box.ahead_us);
    wire_turn(&box, 1);
    wire_turn(&box, 1);
    assert_int_equal(box_count(&box, 1, PEERS_IN_REQUEST), count);
    assert_true(peers_deadline(box.nodes[1].peers) > box.ahead_us);
    for (size_t i = 0; i < count; i++) {
        const struct box_note *note = box_find(&box, 1, PEERS_IN_REQUEST, i);
        assert_int_equal(note->input.request.id.number, i + 1);
        assert_int_equal(note->payload.data[0], (uint8_t)i);
    }
}

/* Both nodes ask each other, and neither reads for a while: nobody waits for ever. */
static void requests_wait_while_answers_are_not_read(void **state)
{
    (void)state;
    struct peers_request_id id;
    size_t size = PEERS_FORWARD_QUEUE_MAX / 16;
    uint8_t *answer = mem_zero(size);
    for (size_t i = 0; i < 2; i++) {
        for (int n = 0; n < 3; n++)
            assert_int_equal(peers_request(box.nodes[i].peers, 2 - i, 0, BYTES_LITERAL("?"), &id),
                             PEERS_OK);
    }
    wire_move(&box, 0, 1, PEERS_FORWARD, SIZE_MAX);
    wire_move(&box, 1, 0, PEERS_FORWARD, SIZE_MAX);
    for (size_t i = 0; i < 2; i++) {
        struct peers_request_id asked = box_find(&box, i, PEERS_IN_REQUEST, 0)->input.request.id;
        assert_int_equal(peers_answer(box.nodes[i].peers, 2 - i, asked, 0, bytes_of(answer, size)),
                         PEERS_OK);
        assert_int_equal(peers_request(box.nodes[i].peers, 2 - i, 0, BYTES_LITERAL("!"), &id),
                         PEERS_OK);
    }
    struct buf bytes[2] = {{0}, {0}};
    for (size_t i = 0; i < 2; i++)
        peers_wire_take(box.nodes[i].peers, 2 - i, PEERS_FORWARD, &bytes[i]);
    for (size_t i = 0; i < 2; i++) {
        struct peers_request_id asked = box_find(&box, i, PEERS_IN_REQUEST, 1)->input.request.id;
        assert_int_equal(peers_answer(box.nodes[i].peers, 2 - i, asked, 0, bytes_of(answer, size)),
                         PEERS_OK);
        peers_wire_give(box.nodes[i].peers, 2 - i, PEERS_FORWARD, buf_bytes(&bytes[1 - i]));
        wire_turn(&box, i);
        assert_int_equal(box_count(&box, i, PEERS_IN_ANSWER), 1);
        assert_int_equal(box_count(&box, i, PEERS_IN_REQUEST), 3); /* "!" is held */
        assert_true(peers_deadline(box.nodes[i].peers) > box.ahead_us);
    }
    buf_free(&bytes[0]);
    buf_free(&bytes[1]);
    for (size_t i = 0; i < 2; i++)
        wire_move(&box, i, 1 - i, PEERS_FORWARD, SIZE_MAX);
    for (size_t i = 0; i < 2; i++) {
        wire_turn(&box, i);
        assert_int_equal(box_count(&box, i, PEERS_IN_ANSWER), 2);
        assert_int_equal(box_count(&box, i, PEERS_IN_REQUEST), 4);
        assert_memory_equal(box_find(&box, i, PEERS_IN_REQUEST, 3)->payload.data, "!", 1);
    }
    mem_free(answer);
}

static void answers_beyond_their_bound_end_the_link(void **state)
{
    (void)state;
    struct peers_request_id id;
    size_t quarter = PEERS_FORWARD_QUEUE_MAX / 4;
    size_t frame = FRAME_HEADER_SIZE + 13;
    uint8_t *answer = mem_zero(quarter);
    for (int i = 0; i < 5; i++)
        assert_int_equal(peers_request(box.nodes[0].peers, 2, 0, BYTES_LITERAL("?"), &id),
                         PEERS_OK);
    wire_move(&box, 0, 1, PEERS_FORWARD, SIZE_MAX);
    for (size_t i = 0; i < 5; i++) {
        struct peers_request_id asked = box_find(&box, 1, PEERS_IN_REQUEST, i)->input.request.id;
        struct bytes payload = bytes_of(answer, i < 4 ? quarter - frame : 0);
        assert_int_equal(peers_answer(box.nodes[1].peers, 1, asked, 0, payload),
                         i < 4 ? PEERS_OK : PEERS_FULL);
    }
    wire_turn(&box, 1);
    assert_int_equal(box_count(&box, 1, PEERS_IN_LINK_DOWN), 1);
    mem_free(answer);
}

static void answers_that_nobody_asked_for_are_refused(void **state)
{
    (void)state;
    struct buf bytes = {0};
    put_u64(&bytes, 1);
    put_u32(&bytes, 0);
    put_u8(&bytes, 0);
    assert_true(is_refused(&box, PEERS_FORWARD, FRAME_ANSWER, buf_bytes(&bytes)));
    assert_false(is_refused(&box, PEERS_FORWARD, FRAME_REQUEST, buf_bytes(&bytes)));
    put_le64(bytes.data, 2); /* the first one has number 1 */
    assert_true(is_refused(&box, PEERS_FORWARD, FRAME_REQUEST, buf_bytes(&bytes)));
    put_le64(bytes.data, 1);
    put_le32(bytes.data + 8, 1); /* says another size than it has */
    assert_true(is_refused(&box, PEERS_FORWARD, FRAME_REQUEST, buf_bytes(&bytes)));
    buf_free(&bytes);
}

/* ---- streams ---- */

static void a_stream_flows_as_far_as_its_credit(void **state)
{
    (void)state;
    struct peers *from = box.nodes[0].peers, *to = box.nodes[1].peers;
    uint64_t stream;
    assert_int_equal(peers_stream_open(from, 2, 6, BYTES_LITERAL("mark"), &stream), PEERS_OK);
    uint8_t *chunk = mem_zero(PEERS_CHUNK_MAX);
    assert_int_equal(peers_stream_room(from, 2, stream), PEERS_CHUNK_MAX);
    size_t sent = 0;
    while (peers_stream_room(from, 2, stream) > 0) {
        size_t size = peers_stream_room(from, 2, stream);
        assert_int_equal(peers_stream_send(from, 2, stream, bytes_of(chunk, size)), PEERS_OK);
        sent += size;
    }
    assert_int_equal(sent, PEERS_WINDOW);
    assert_int_equal(peers_stream_send(from, 2, stream, bytes_of(chunk, 1)), PEERS_FULL);
    wire_move(&box, 0, 1, PEERS_BULK, 100000);
    const struct box_note *open = box_find(&box, 1, PEERS_IN_STREAM_OPEN, 0);
    assert_int_equal(open->input.stream.group, 6);
    assert_int_equal(open->input.stream.stream, stream);
    assert_memory_equal(open->payload.data, "mark", 4);
    assert_int_equal(box_count(&box, 1, PEERS_IN_STREAM_CHUNK), 4);
    peers_stream_consumed(to, 1, stream, PEERS_WINDOW / 4 - 1);
    wire_move(&box, 1, 0, PEERS_BULK, SIZE_MAX);
    wire_turn(&box, 0);
    assert_int_equal(peers_stream_room(from, 2, stream), 0);
    peers_stream_consumed(to, 1, stream, 1);
    wire_move(&box, 1, 0, PEERS_BULK, SIZE_MAX);
    wire_turn(&box, 0);
    assert_int_equal(peers_stream_room(from, 2, stream), PEERS_WINDOW / 4);
    assert_int_equal(peers_stream_send(from, 2, stream, BYTES_LITERAL("last")), PEERS_OK);
    assert_int_equal(peers_stream_end(from, 2, stream), PEERS_OK);
    assert_int_equal(peers_stream_end(from, 2, stream), PEERS_UNKNOWN);
    wire_move(&box, 0, 1, PEERS_BULK, 11);
    const struct box_note *last = box_find(&box, 1, PEERS_IN_STREAM_CHUNK, 4);
    assert_memory_equal(last->payload.data, "last", 4);
    assert_int_equal(box_count(&box, 1, PEERS_IN_STREAM_END), 1);
    peers_stream_consumed(to, 1, stream, 4); /* too late to matter */
    mem_free(chunk);
}

static void a_receiver_can_say_behind_the_end_that_nothing_came_of_it(void **state)
{
    (void)state;
    struct peers *from = box.nodes[0].peers, *to = box.nodes[1].peers;
    uint64_t stream;
    assert_int_equal(peers_stream_open(from, 2, 7, (struct bytes){0}, &stream), PEERS_OK);
    peers_stream_stop(to, 1, stream + 1, false); /* nobody has opened it: nothing */
    assert_int_equal(peers_stream_end(from, 2, stream), PEERS_OK);
    wire_move(&box, 0, 1, PEERS_BULK, SIZE_MAX);
    peers_stream_stop(to, 1, stream, false);
    wire_move(&box, 1, 0, PEERS_BULK, SIZE_MAX);
    wire_turn(&box, 0);
    assert_int_equal(box_count(&box, 0, PEERS_IN_STREAM_STOP), 1);
    const struct box_note *stop = box_find(&box, 0, PEERS_IN_STREAM_STOP, 0);
    assert_int_equal(stop->input.stream.stream, stream);
    assert_true(stop->input.stream.is_ours);
    assert_int_equal(box_count(&box, 0, PEERS_IN_LINK_DOWN), 0);
}

static void either_end_gives_a_stream_up(void **state)
{
    (void)state;
    struct peers *from = box.nodes[0].peers, *to = box.nodes[1].peers;
    uint64_t first, second;
    assert_int_equal(peers_stream_open(from, 2, 1, (struct bytes){0}, &first), PEERS_OK);
    assert_int_equal(peers_stream_open(from, 2, 2, (struct bytes){0}, &second), PEERS_OK);
    wire_move(&box, 0, 1, PEERS_BULK, SIZE_MAX);
    peers_stream_stop(to, 1, first, false);
    /* Chunks that are under way meanwhile mean nothing, and harm nobody. */
    assert_int_equal(peers_stream_send(from, 2, first, BYTES_LITERAL("late")), PEERS_OK);
    peers_stream_stop(from, 2, second, true);
    peers_stream_stop(from, 2, second, true);
    wire_move(&box, 0, 1, PEERS_BULK, SIZE_MAX);
    wire_move(&box, 1, 0, PEERS_BULK, SIZE_MAX);
    wire_turn(&box, 0);
    const struct box_note *stop = box_find(&box, 1, PEERS_IN_STREAM_STOP, 0);
    assert_int_equal(stop->input.stream.stream, second);
    assert_false(stop->input.stream.is_ours);
    stop = box_find(&box, 0, PEERS_IN_STREAM_STOP, 0);
    assert_int_equal(stop->input.stream.stream, first);
    assert_true(stop->input.stream.is_ours);
    assert_int_equal(box_count(&box, 1, PEERS_IN_STREAM_CHUNK), 0);
    assert_int_equal(box_count(&box, 1, PEERS_IN_LINK_DOWN), 0);
    assert_int_equal(box_count(&box, 0, PEERS_IN_LINK_DOWN), 0);
    assert_int_equal(peers_stream_send(from, 2, first, BYTES_LITERAL("x")), PEERS_UNKNOWN);
}

static void open_streams_are_limited_and_end_with_their_link(void **state)
{
    (void)state;
    struct peers *from = box.nodes[0].peers;
    uint64_t stream, streams[PEERS_STREAMS_MAX];
    for (int i = 0; i < PEERS_STREAMS_MAX; i++)
        assert_int_equal(peers_stream_open(from, 2, 0, (struct bytes){0}, &streams[i]), PEERS_OK);
    assert_int_equal(peers_stream_open(from, 2, 0, (struct bytes){0}, &stream), PEERS_FULL);
    assert_int_equal(peers_stream_end(from, 2, streams[3]), PEERS_OK);
    assert_int_equal(peers_stream_open(from, 2, 0, (struct bytes){0}, &stream), PEERS_OK);
    wire_move(&box, 0, 1, PEERS_BULK, SIZE_MAX);
    assert_int_equal(box_count(&box, 1, PEERS_IN_STREAM_OPEN), PEERS_STREAMS_MAX + 1);
    peers_wire_up(from, 2, PEERS_BULK, 60);
    assert_int_equal(peers_stream_room(from, 2, stream), 0);
    assert_int_equal(peers_stream_send(from, 2, stream, BYTES_LITERAL("x")), PEERS_UNKNOWN);
    wire_turn(&box, 0);
    assert_int_equal(box_count(&box, 0, PEERS_IN_LINK_DOWN), 1);
}

/* What a sender could only do by ignoring the receiver's limits. */
static void more_than_the_credit_or_the_streams_is_refused(void **state)
{
    (void)state;
    struct buf bytes = {0};
    peers_wire_up(box.nodes[1].peers, 1, PEERS_BULK, 70);
    uint64_t number = 0;
    for (uint64_t i = 1; i <= PEERS_STREAMS_MAX; i++) {
        size_t at = frame_begin(&bytes);
        put_u64(&bytes, i);
        put_u32(&bytes, 0);
        frame_end(&bytes, at, FRAME_STREAM_OPEN, number++);
    }
    for (int i = 0; i < 4; i++) {
        size_t at = frame_begin(&bytes);
        put_u64(&bytes, 1);
        memset(buf_extend(&bytes, PEERS_CHUNK_MAX), 0, PEERS_CHUNK_MAX);
        frame_end(&bytes, at, FRAME_STREAM_CHUNK, number++);
    }
    peers_wire_give(box.nodes[1].peers, 1, PEERS_BULK, buf_bytes(&bytes));
    wire_turn(&box, 1);
    assert_int_equal(box_count(&box, 1, PEERS_IN_STREAM_CHUNK), 4);
    size_t down = box_count(&box, 1, PEERS_IN_LINK_DOWN);
    buf_clear(&bytes);
    size_t at = frame_begin(&bytes);
    put_u64(&bytes, 1);
    put_u8(&bytes, 0);
    frame_end(&bytes, at, FRAME_STREAM_CHUNK, number++);
    peers_wire_give(box.nodes[1].peers, 1, PEERS_BULK, buf_bytes(&bytes));
    wire_turn(&box, 1);
    assert_int_equal(box_count(&box, 1, PEERS_IN_LINK_DOWN), down + 1);
    buf_clear(&bytes);
    put_u64(&bytes, 3); /* the first stream has number 1 */
    put_u32(&bytes, 0);
    assert_true(is_refused(&box, PEERS_BULK, FRAME_STREAM_OPEN, buf_bytes(&bytes)));
    put_le64(bytes.data, 1);
    assert_false(is_refused(&box, PEERS_BULK, FRAME_STREAM_OPEN, buf_bytes(&bytes)));
    assert_true(is_refused(&box, PEERS_BULK, FRAME_STREAM_CREDIT, buf_bytes(&bytes)));
    assert_true(is_refused(&box, PEERS_BULK, FRAME_STREAM_CHUNK, buf_bytes(&bytes)));
    buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(requests_are_answered_by_number_in_any_order),
        TEST(a_superseded_link_s_requests_are_discarded_unread),
        TEST(unanswered_requests_are_limited),
        TEST(bytes_of_unanswered_requests_are_limited),
        TEST(a_single_request_may_be_bigger_than_the_account),
        TEST(requests_are_given_in_portions_and_in_order),
        TEST(requests_wait_while_answers_are_not_read),
        TEST(answers_beyond_their_bound_end_the_link),
        TEST(answers_that_nobody_asked_for_are_refused),
        TEST(a_stream_flows_as_far_as_its_credit),
        TEST(a_receiver_can_say_behind_the_end_that_nothing_came_of_it),
        TEST(either_end_gives_a_stream_up),
        TEST(open_streams_are_limited_and_end_with_their_link),
        TEST(more_than_the_credit_or_the_streams_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
