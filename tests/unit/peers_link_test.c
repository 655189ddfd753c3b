/* Links over real sockets: what breaks, hangs, comes back, and what one channel owes another. */
#include <fcntl.h>

#include "peers_box.h"
#include "base/mem.h"
#include "proxy.h"

static struct box box;
static struct proxy proxy;
static bool has_proxy;

static int begin(void **state)
{
    (void)state;
    box_begin(&box, 2);
    has_proxy = false;
    return 0;
}

static int end(void **state)
{
    (void)state;
    box_end(&box);
    if (has_proxy)
        proxy_close(&proxy);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* Node 1 reaches node 2 through the proxy. */
static void open_with_proxy(void)
{
    proxy_open(&proxy, box.nodes[1].port);
    has_proxy = true;
    box_open_all(&box);
    struct peers_member member = box_member(&box, 1);
    member.port = proxy.port;
    assert_int_equal(peers_set(box.nodes[0].peers, &member), PEERS_OK);
}

#define UNTIL(condition) BOX_UNTIL(&box, (has_proxy ? proxy_turn(&proxy) : (void)0, (condition)))

static bool all_are_down(size_t at)
{
    return box_count(&box, at, PEERS_IN_LINK_DOWN) == PEERS_CHANNELS;
}

static void forget(void)
{
    box_forget(&box.nodes[0]);
    box_forget(&box.nodes[1]);
}

static void send_vote(size_t from, raft_index index)
{
    struct raft_message message = {
        .kind = RAFT_VOTE, .from = from + 1, .to = 2 - from, .term = 3, .vote.last_index = index};
    peers_send(box.nodes[from].peers, 0, &message);
}

static void messages_flow_both_ways_in_the_turn_they_are_sent(void **state)
{
    (void)state;
    box_open_all(&box);
    UNTIL(box_all_linked(&box));
    forget();
    for (size_t from = 0; from < 2; from++) {
        send_vote(from, 9);
        peers_flush(box.nodes[from].peers);
        UNTIL(box_count(&box, 1 - from, PEERS_IN_MESSAGE) == 1);
    }
}

static void big_appends_get_through_full_sockets(void **state)
{
    (void)state;
    enum { SIZE = 20 << 20 };
    box_open_all(&box);
    UNTIL(box_all_linked(&box));
    uint8_t *payload = mem_alloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        payload[i] = (uint8_t)(i * 7 + i / 251);
    struct entry *entry = entry_new(ENTRY_MEMBERS, payload, SIZE);
    struct raft_message message = {.kind = RAFT_APPEND, .to = 2, .term = 1, .append.count = 1};
    for (int i = 0; i < 3; i++) {
        forget();
        assert_int_equal(peers_send_append(box.nodes[0].peers, 0, &message, &entry, 1), 1);
        UNTIL(box_count(&box, 1, PEERS_IN_MESSAGE) == 1);
        const struct box_note *note = box_find(&box, 1, PEERS_IN_MESSAGE, 0);
        assert_true(bytes_equal(buf_bytes(&note->entries), bytes_of(payload, SIZE)));
    }
    assert_int_equal(box_status(&box, 0, 1).dropped, 0);
    assert_int_equal(box_status(&box, 0, 1).queued[PEERS_APPEND], 0);
    entry_release(entry);
}

static void links_come_back_after_the_other_end_died(void **state)
{
    (void)state;
    box_open_all(&box);
    UNTIL(box_all_linked(&box));
    for (size_t dies = 0; dies < 2; dies++) {
        uint64_t links = box_status(&box, 1 - dies, dies).links;
        forget();
        box_close(&box, dies);
        UNTIL(all_are_down(1 - dies));
        for (int channel = 0; channel < PEERS_CHANNELS; channel++)
            assert_false(box_status(&box, 1 - dies, dies).is_linked[channel]);
        box.nodes[dies].options.run += 100;
        box_open(&box, dies);
        UNTIL(box_all_linked(&box));
        assert_int_equal(box_status(&box, 1 - dies, dies).links, links + PEERS_CHANNELS);
    }
    assert_true(box_logged(&box, "lost the link"));
}

/* A listener that closes whoever comes, and counts. */
static int count_callers(int listener)
{
    int fd, count = 0;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        (void)close(fd);
        count++;
    }
    return count;
}

/* The pauses grow, with jitter, to a second and no further; who is there at last is found. */
static void dialling_backs_off(void **state)
{
    (void)state;
    enum { STEP_US = 5000, FIRST_US = 1000000, WHOLE_US = 20000000 };
    proxy_open(&proxy, 0); /* only its listener */
    has_proxy = true;
    box.nodes[1].port = box.nodes[1].options.port = proxy.port;
    box_open(&box, 0);
    int early = 0, late = 0;
    for (int passed_us = 0; passed_us < WHOLE_US; passed_us += STEP_US) {
        box_turn(&box, 0);
        *(passed_us < FIRST_US ? &early : &late) += count_callers(proxy.listener);
        assert_true(peers_deadline(box.nodes[0].peers) <= box_now(&box).boot_us + BOX_TICK_US);
        box.ahead_us += STEP_US;
    }
    assert_int_equal(box_status(&box, 0, 1).links, 0);
    /* Four channels: 20, 40 … 640 ms make up the first second, then one in 0.5 to 1 s. */
    assert_true(early >= 4 * 4 && early <= 4 * 9);
    assert_true(late >= 4 * 18 && late <= 4 * 40);
    proxy_close(&proxy);
    has_proxy = false;
    BOX_UNTIL(&box, strstr(box_status(&box, 0, 1).error, "Connection refused") != NULL ||
                        (box.ahead_us += STEP_US) == 0);
    box_open(&box, 1);
    box.ahead_us += 1000000;
    BOX_UNTIL(&box, box_all_linked(&box));
}

/* A cable is cut: no end is told. Both find out by silence, all channels go together, and what
 * comes after is a new link. */
static void half_open_connections_are_given_up_by_silence(void **state)
{
    (void)state;
    open_with_proxy();
    UNTIL(box_all_linked(&box));
    forget();
    proxy_cut(&proxy);
    for (int i = 0; i < 20; i++) {
        box_turns(&box);
        box.ahead_us += BOX_SILENT_US / 40;
    }
    assert_true(box_linked(&box, 0, 1) && box_linked(&box, 1, 0));
    box.ahead_us += BOX_SILENT_US;
    box_turns(&box);
    assert_int_equal(box_count(&box, 0, PEERS_IN_LINK_DOWN), PEERS_CHANNELS);
    assert_int_equal(box_count(&box, 1, PEERS_IN_LINK_DOWN), PEERS_CHANNELS);
    assert_true(box_logged(&box, "nothing was heard for too long"));
    UNTIL(box_all_linked(&box));
}

/* The dialler has given up and comes again, while the acceptor still believes in the old links:
 * these are superseded, and what was unread on them never appears. */
static void a_newer_link_supersedes_the_older(void **state)
{
    (void)state;
    box.nodes[1].options.silent_us = 1000 * BOX_SILENT_US;
    open_with_proxy();
    UNTIL(box_all_linked(&box));
    struct peers_status before = box_status(&box, 1, 0);
    struct peers_request_id id;
    proxy_cut(&proxy);
    assert_int_equal(peers_request(box.nodes[0].peers, 2, 0, BYTES_LITERAL("lost"), &id), PEERS_OK);
    peers_flush(box.nodes[0].peers);
    forget();
    box.ahead_us += 2 * BOX_SILENT_US;
    UNTIL(all_are_down(1) && box_all_linked(&box));
    struct peers_status after = box_status(&box, 1, 0);
    for (int i = 0; i < PEERS_CHANNELS; i++)
        assert_true(after.incarnation[i] > before.incarnation[i]);
    assert_int_equal(box_count(&box, 1, PEERS_IN_LINK_UP), PEERS_CHANNELS);
    assert_int_equal(peers_request(box.nodes[0].peers, 2, 0, BYTES_LITERAL("new"), &id), PEERS_OK);
    UNTIL(box_count(&box, 1, PEERS_IN_REQUEST) == 1);
    assert_memory_equal(box_find(&box, 1, PEERS_IN_REQUEST, 0)->payload.data, "new", 3);
    assert_true(box_logged(&box, "a newer link took its place"));
}

static void a_flipped_bit_is_refused_counted_and_got_over(void **state)
{
    (void)state;
    open_with_proxy();
    UNTIL(box_all_linked(&box));
    forget();
    proxy.flips_next = true;
    UNTIL(peers_counters(box.nodes[1].peers).frames_refused == 1);
    UNTIL(!proxy.flips_next && box_all_linked(&box));
    assert_int_equal(box_status(&box, 1, 0).refused, 1);
    forget();
    send_vote(0, 4);
    UNTIL(box_count(&box, 1, PEERS_IN_MESSAGE) == 1);
}

static void broken_connections_come_back(void **state)
{
    (void)state;
    open_with_proxy();
    UNTIL(box_all_linked(&box));
    for (int i = 0; i < 5; i++) {
        forget();
        proxy_reset(&proxy);
        UNTIL(all_are_down(0) && all_are_down(1) && box_all_linked(&box));
        box_turns(&box);
        assert_int_equal(box_count(&box, 0, PEERS_IN_LINK_UP), PEERS_CHANNELS);
    }
}

/* A receiver of an install that is slow, or does not read at all, holds nothing else up. */
static void a_slow_reader_of_bulk_does_not_delay_control(void **state)
{
    (void)state;
    uint64_t stream;
    box_open_all(&box);
    UNTIL(box_all_linked(&box));
    box.nodes[1].keeps_chunks = true;
    uint8_t *chunk = mem_zero(PEERS_CHUNK_MAX);
    assert_int_equal(peers_stream_open(box.nodes[0].peers, 2, 0, (struct bytes){0}, &stream),
                     PEERS_OK);
    while (peers_stream_room(box.nodes[0].peers, 2, stream) > 0)
        assert_int_equal(
            peers_stream_send(box.nodes[0].peers, 2, stream,
                              bytes_of(chunk, peers_stream_room(box.nodes[0].peers, 2, stream))),
            PEERS_OK);
    for (int i = 0; i < 100; i++) {
        size_t before = box_count(&box, 1, PEERS_IN_MESSAGE);
        send_vote(0, 1);
        box_turn(&box, 0);
        int turns = 0;
        while (box_count(&box, 1, PEERS_IN_MESSAGE) == before && turns++ < 50)
            box_turn(&box, 1);
        assert_true(turns < 50);
    }
    assert_int_equal(peers_stream_room(box.nodes[0].peers, 2, stream), 0);
    UNTIL(box_count(&box, 1, PEERS_IN_STREAM_CHUNK) == PEERS_WINDOW / PEERS_CHUNK_MAX);
    peers_stream_consumed(box.nodes[1].peers, 1, stream, PEERS_WINDOW);
    UNTIL(peers_stream_room(box.nodes[0].peers, 2, stream) > 0);
    mem_free(chunk);
}

/* A stream of a hundred megabytes arrives whole, and no more than the window is ever under way. */
static void a_long_stream_flows(void **state)
{
    (void)state;
    enum { TOTAL = 100 << 20 };
    uint64_t stream;
    size_t sent = 0, got = 0, at = 0;
    uint8_t sum_sent = 0, sum_got = 0;
    box_open_all(&box);
    UNTIL(box_all_linked(&box));
    forget();
    uint8_t *chunk = mem_alloc(PEERS_CHUNK_MAX);
    for (size_t i = 0; i < PEERS_CHUNK_MAX; i++)
        chunk[i] = (uint8_t)(i ^ i >> 8);
    assert_int_equal(peers_stream_open(box.nodes[0].peers, 2, 0, (struct bytes){0}, &stream),
                     PEERS_OK);
    while (box_count(&box, 1, PEERS_IN_STREAM_END) == 0) {
        size_t room;
        while (sent < TOTAL && (room = peers_stream_room(box.nodes[0].peers, 2, stream)) > 0) {
            room = room < TOTAL - sent ? room : TOTAL - sent;
            assert_int_equal(
                peers_stream_send(box.nodes[0].peers, 2, stream, bytes_of(chunk, room)), PEERS_OK);
            sum_sent ^= chunk[room - 1];
            sent += room;
            if (sent == TOTAL)
                assert_int_equal(peers_stream_end(box.nodes[0].peers, 2, stream), PEERS_OK);
        }
        box_turns(&box);
        for (at = 0; at < box.nodes[1].note_count; at++) {
            const struct box_note *note = &box.nodes[1].notes[at];
            if (note->input.kind != PEERS_IN_STREAM_CHUNK)
                continue;
            got += note->payload.size;
            sum_got ^= note->payload.data[note->payload.size - 1];
        }
        assert_true(sent - got <= PEERS_WINDOW);
        if (box_count(&box, 1, PEERS_IN_STREAM_END) == 0)
            box_forget(&box.nodes[1]);
    }
    assert_int_equal(got, TOTAL);
    assert_int_equal(sum_got, sum_sent);
    mem_free(chunk);
}

/* The loop of node 1 stands in one command. Its helper says that it lives, so nobody gives its
 * links up; beyond busy-max it falls silent. */
static void pulses_go_on_while_the_loop_is_busy_until_busy_max(void **state)
{
    (void)state;
    box.nodes[0].options.has_thread = true;
    box.nodes[0].options.busy_max_us = 400000;
    for (size_t i = 0; i < 2; i++)
        box.nodes[i].options.silent_us = 150000;
    box_open_all(&box);
    UNTIL(box_all_linked(&box));
    peers_lead(box.nodes[0].peers, 4, 6);
    for (int i = 0; i < 3; i++)
        box_turns(&box);
    forget();
    uint64_t busy_since_us = clock_boot_us();
    while (clock_boot_us() - busy_since_us < 300000) {
        box_turn(&box, 1);
        assert_int_equal(box_count(&box, 1, PEERS_IN_LINK_DOWN), 0);
    }
    size_t pulses = box_count(&box, 1, PEERS_IN_PULSE);
    assert_true(pulses >= 3);
    assert_int_equal(box_find(&box, 1, PEERS_IN_PULSE, 0)->input.pulse.group, 4);
    assert_int_equal(box_find(&box, 1, PEERS_IN_PULSE, 0)->input.pulse.term, 6);
    box_turn(&box, 0);
    assert_true(box_count(&box, 0, PEERS_IN_PULSE_ANSWER) >= 1);
    assert_int_equal(box_count(&box, 0, PEERS_IN_LINK_DOWN), 0);
    while (box_count(&box, 1, PEERS_IN_LINK_DOWN) == 0) {
        box_turn(&box, 1);
        assert_true(clock_boot_us() - busy_since_us < BOX_PATIENCE_US);
    }
    assert_true(clock_boot_us() - busy_since_us >= 300000 + 400000);
}

/* Thread and loop write to the same links as often as they can: frames stay whole and in order. */
static void pulses_and_turns_at_once_keep_frames_whole(void **state)
{
    (void)state;
    enum { TICK_US = 100, SEND_US = 500000 };
    for (size_t i = 0; i < 2; i++) {
        box.nodes[i].options.has_thread = true;
        box.nodes[i].options.tick_us = TICK_US;
    }
    box_open_all(&box);
    UNTIL(box_all_linked(&box));
    for (uint32_t group = 0; group < 50; group++)
        peers_lead(box.nodes[0].peers, group, 1);
    forget();
    raft_index sent = 0, seen = 0;
    uint64_t begun_us = clock_boot_us();
    while (clock_boot_us() - begun_us < SEND_US || seen < sent) {
        if (clock_boot_us() - begun_us < SEND_US)
            send_vote(0, ++sent);
        box_turns(&box);
        for (size_t i = 0; i < box.nodes[1].note_count; i++) {
            const struct peers_input *input = &box.nodes[1].notes[i].input;
            if (input->kind == PEERS_IN_MESSAGE)
                assert_int_equal(input->raft.message.vote.last_index, ++seen);
        }
        forget();
        assert_true(clock_boot_us() - begun_us < BOX_PATIENCE_US);
    }
    assert_true(peers_counters(box.nodes[0].peers).pulses_sent > 10);
    assert_int_equal(box_status(&box, 0, 1).links, PEERS_CHANNELS);
    assert_int_equal(box_status(&box, 1, 0).refused, 0);
}

static void a_name_is_resolved_beside_the_loop(void **state)
{
    (void)state;
    box_open_all(&box);
    struct peers_member member = box_member(&box, 1);
    (void)snprintf(member.host, sizeof(member.host), "localhost");
    box_turns(&box);
    peers_remove(box.nodes[0].peers, 2);
    assert_int_equal(peers_set(box.nodes[0].peers, &member), PEERS_OK);
    UNTIL(box_linked(&box, 0, 1));
    (void)snprintf(member.host, sizeof(member.host), "no such host.invalid");
    peers_remove(box.nodes[0].peers, 2);
    assert_int_equal(peers_set(box.nodes[0].peers, &member), PEERS_OK);
    UNTIL(strstr(box_status(&box, 0, 1).error, "cannot be resolved") != NULL);
}

static void a_removed_member_is_let_go_and_may_come_back(void **state)
{
    (void)state;
    box_open_all(&box);
    UNTIL(box_all_linked(&box));
    forget();
    peers_remove(box.nodes[0].peers, 2);
    UNTIL(all_are_down(1));
    struct peers_status status;
    assert_false(peers_status(box.nodes[0].peers, 2, &status));
    struct peers_member member = box_member(&box, 1);
    assert_int_equal(peers_set(box.nodes[0].peers, &member), PEERS_OK);
    UNTIL(box_all_linked(&box));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_flow_both_ways_in_the_turn_they_are_sent),
        TEST(big_appends_get_through_full_sockets),
        TEST(links_come_back_after_the_other_end_died),
        TEST(dialling_backs_off),
        TEST(half_open_connections_are_given_up_by_silence),
        TEST(a_newer_link_supersedes_the_older),
        TEST(a_flipped_bit_is_refused_counted_and_got_over),
        TEST(broken_connections_come_back),
        TEST(a_slow_reader_of_bulk_does_not_delay_control),
        TEST(a_long_stream_flows),
        TEST(pulses_go_on_while_the_loop_is_busy_until_busy_max),
        TEST(pulses_and_turns_at_once_keep_frames_whole),
        TEST(a_name_is_resolved_beside_the_loop),
        TEST(a_removed_member_is_let_go_and_may_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
