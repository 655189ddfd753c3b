/* What links carry, without sockets: bytes are moved, cut, flipped and held back by the test. */
#include "base/prng.h"
#include "peers_box.h"

#include "cluster/link.h"
#include "cluster/message.h"
#include "codec/fields.h"

static struct box box;

static void wire_turn(size_t at)
{
    struct box_node *node = &box.nodes[at];
    struct peers_input input;
    peers_tick(node->peers,
               (struct turn_time){.boot_us = box.ahead_us, .wall_us = 1000 * (at + 1)});
    while (peers_next(node->peers, &input))
        box_note(node, &input);
    peers_flush(node->peers);
}

/* All bytes that wait, in pieces of `piece` at most. */
static void wire_move(size_t from, size_t to, enum peers_channel channel, size_t piece)
{
    struct buf bytes = {0};
    peers_wire_take(box.nodes[from].peers, to + 1, channel, &bytes);
    for (size_t at = 0; at < bytes.size; at += piece) {
        size_t size = bytes.size - at < piece ? bytes.size - at : piece;
        peers_wire_give(box.nodes[to].peers, from + 1, channel, bytes_of(bytes.data + at, size));
        wire_turn(to);
    }
    buf_free(&bytes);
}

static void wire_up(void)
{
    for (int channel = 0; channel < PEERS_CHANNELS; channel++) {
        peers_wire_up(box.nodes[0].peers, 2, (enum peers_channel)channel, (uint64_t)channel + 1);
        peers_wire_up(box.nodes[1].peers, 1, (enum peers_channel)channel, (uint64_t)channel + 1);
    }
    for (size_t i = 0; i < 2; i++) {
        wire_turn(i);
        assert_int_equal(box_count(&box, i, PEERS_IN_LINK_UP), PEERS_CHANNELS);
        box_forget(&box.nodes[i]);
    }
}

static int begin(void **state)
{
    (void)state;
    box_begin(&box, 2);
    box.ahead_us = 1000000;
    for (size_t i = 0; i < 2; i++) {
        struct buf error = {0};
        struct peers_member member = box_member(&box, 1 - i);
        assert_true(peers_open(&box.nodes[i].peers, &box.nodes[i].options, box.ahead_us, &error));
        assert_int_equal(peers_set(box.nodes[i].peers, &member), PEERS_OK);
    }
    wire_up();
    return 0;
}

static int end(void **state)
{
    (void)state;
    box_end(&box);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static struct raft_message message_of(enum raft_message_kind kind)
{
    return (struct raft_message){.kind = kind, .from = 1, .to = 2, .term = 7};
}

/* Throws away what the tick put there. */
static void drain(void)
{
    for (int i = 0; i < 3; i++) {
        for (size_t n = 0; n < 2; n++) {
            wire_turn(n);
            wire_move(n, 1 - n, PEERS_CONTROL, SIZE_MAX);
        }
    }
    for (size_t n = 0; n < 2; n++)
        box_forget(&box.nodes[n]);
}

/* ---- raft messages ---- */

static void append_arrives_with_its_entries_however_it_is_cut(void **state)
{
    (void)state;
    struct entry *entries[3];
    entries[0] = entry_new(ENTRY_NOOP, NULL, 0);
    uint8_t *members = mem_alloc(5);
    memcpy(members, "12345", 5);
    entries[1] = entry_new(ENTRY_MEMBERS, members, 5);
    entries[2] = entry_new(ENTRY_NOOP, NULL, 0);
    for (uint64_t i = 0; i < 3; i++)
        entries[i]->term = 4 + i;
    for (size_t piece = 1; piece < 200; piece += 37) {
        struct raft_message message = message_of(RAFT_APPEND);
        message.append =
            (struct raft_append){.prev_index = 10, .prev_term = 3, .commit = 9, .count = 3};
        assert_int_equal(peers_send_append(box.nodes[0].peers, 5, &message, entries, 3), 3);
        wire_move(0, 1, PEERS_APPEND, piece);
        assert_int_equal(box.nodes[1].note_count, 1);
        const struct box_note *note = box_find(&box, 1, PEERS_IN_MESSAGE, 0);
        const struct raft_message *got = &note->input.raft.message;
        assert_int_equal(note->input.node, 1);
        assert_int_equal(note->input.raft.group, 5);
        assert_int_equal(got->kind, RAFT_APPEND);
        assert_int_equal(got->from, 1);
        assert_int_equal(got->to, 2);
        assert_int_equal(got->term, 7);
        assert_int_equal(got->append.prev_index, 10);
        assert_int_equal(got->append.prev_term, 3);
        assert_int_equal(got->append.commit, 9);
        assert_int_equal(got->append.count, 3);
        assert_null(got->append.changes);
        const raft_term *terms = (const raft_term *)(const void *)note->terms.data;
        for (uint64_t i = 0; i < 3; i++)
            assert_int_equal(terms[i], 4 + i);
        assert_int_equal(note->entries.size, 5);
        assert_memory_equal(note->entries.data, "12345", 5);
        box_forget(&box.nodes[1]);
    }
    for (int i = 0; i < 3; i++)
        entry_release(entries[i]);
}

/* An append frame takes about a megabyte, and at least one entry. */
static void entries_that_do_not_fit_one_frame_are_cut_off(void **state)
{
    (void)state;
    struct entry *entries[4];
    for (int i = 0; i < 4; i++)
        entries[i] = entry_new(ENTRY_MEMBERS, mem_zero(600000), 600000);
    struct raft_message message = message_of(RAFT_APPEND);
    message.append.count = 4;
    assert_int_equal(peers_send_append(box.nodes[0].peers, 0, &message, entries, 4), 1);
    struct entry *big = entry_new(ENTRY_MEMBERS, mem_zero(3 << 20), 3 << 20);
    struct entry *two[2] = {big, big};
    message.append.count = 2;
    assert_int_equal(peers_send_append(box.nodes[0].peers, 0, &message, two, 2), 1);
    wire_move(0, 1, PEERS_APPEND, SIZE_MAX);
    assert_int_equal(box_count(&box, 1, PEERS_IN_MESSAGE), 2);
    assert_int_equal(box_find(&box, 1, PEERS_IN_MESSAGE, 1)->entries.size, 3 << 20);
    for (int i = 0; i < 4; i++)
        entry_release(entries[i]);
    entry_release(big);
}

/* 256 shards cost one frame per tick and direction, and one for the answers. */
static void heartbeats_of_all_groups_share_a_frame(void **state)
{
    (void)state;
    drain();
    struct peers_counters before = peers_counters(box.nodes[0].peers);
    box.ahead_us += BOX_TICK_US;
    peers_tick(box.nodes[0].peers, (struct turn_time){.boot_us = box.ahead_us, .wall_us = 5});
    for (uint32_t group = 0; group < 256; group++) {
        struct raft_message message = message_of(RAFT_HEARTBEAT);
        message.heartbeat = (struct raft_heartbeat){.round = group + 1, .commit = group * 2};
        peers_send(box.nodes[0].peers, group, &message);
    }
    peers_flush(box.nodes[0].peers);
    assert_int_equal(peers_counters(box.nodes[0].peers).frames_out, before.frames_out + 1);
    struct peers_counters other = peers_counters(box.nodes[1].peers);
    wire_move(0, 1, PEERS_CONTROL, SIZE_MAX);
    assert_int_equal(peers_counters(box.nodes[1].peers).frames_in, other.frames_in + 1);
    assert_int_equal(box_count(&box, 1, PEERS_IN_MESSAGE), 256);
    for (uint32_t group = 0; group < 256; group++) {
        const struct peers_input *input = &box_find(&box, 1, PEERS_IN_MESSAGE, group)->input;
        assert_int_equal(input->raft.group, group);
        assert_int_equal(input->raft.message.heartbeat.round, group + 1);
        struct raft_message answer = {.kind = RAFT_HEARTBEAT_ANSWER, .from = 2, .to = 1, .term = 7};
        answer.heartbeat_answer.round = group + 1;
        peers_send(box.nodes[1].peers, group, &answer);
    }
    drain();
}

static void clocks_and_round_trips_come_with_heartbeats(void **state)
{
    (void)state;
    assert_int_equal(peers_clock(box.nodes[1].peers, 1).wall_us, 0);
    assert_int_equal(peers_clock(box.nodes[1].peers, 99).wall_us, 0);
    drain();
    struct peers_clock clock = peers_clock(box.nodes[1].peers, 1);
    assert_int_equal(clock.wall_us, 1000);
    assert_int_equal(clock.boot_us, box.ahead_us);
    assert_int_equal(peers_clock(box.nodes[0].peers, 2).wall_us, 2000);
    box.ahead_us += BOX_TICK_US;
    wire_turn(0);
    box.ahead_us += 300; /* on the way */
    wire_move(0, 1, PEERS_CONTROL, SIZE_MAX);
    box.ahead_us += 400; /* on the way back */
    wire_move(1, 0, PEERS_CONTROL, SIZE_MAX);
    struct peers_status status = box_status(&box, 0, 1);
    assert_true(status.rtt_us > 0 && status.rtt_us <= 700);
}

/* The queue at max - 1, max and max + 1 frames; dropped is counted, an empty queue takes anything.
 */
static void control_drops_at_its_bound_and_counts(void **state)
{
    (void)state;
    drain();
    struct raft_message message = message_of(RAFT_VOTE);
    size_t sent = 0, before = 0;
    for (;;) {
        peers_send(box.nodes[0].peers, 0, &message);
        size_t queued = box_status(&box, 0, 1).queued[PEERS_CONTROL];
        assert_true(queued <= PEERS_CONTROL_QUEUE_MAX);
        if (queued == before)
            break;
        before = queued;
        sent++;
    }
    assert_true(before + FRAME_HEADER_SIZE + MESSAGE_SIZE_MAX > PEERS_CONTROL_QUEUE_MAX);
    assert_int_equal(box_status(&box, 0, 1).dropped, 1);
    struct raft_message beat = message_of(RAFT_HEARTBEAT);
    for (uint32_t group = 0; group < 3; group++)
        peers_send(box.nodes[0].peers, group, &beat);
    peers_flush(box.nodes[0].peers);
    struct buf bytes = {0};
    peers_wire_take(box.nodes[0].peers, 2, PEERS_CONTROL, &bytes);
    assert_true(bytes.size <= PEERS_CONTROL_QUEUE_MAX);
    buf_free(&bytes);
    assert_true(sent > 10000);
}

static void append_drops_at_its_bound_but_takes_anything_when_empty(void **state)
{
    (void)state;
    uint32_t most = PEERS_APPEND_QUEUE_MAX - 2000;
    struct entry *big = entry_new(ENTRY_MEMBERS, mem_zero(most), most);
    struct entry *small = entry_new(ENTRY_MEMBERS, mem_zero(1800), 1800);
    struct raft_message message = message_of(RAFT_APPEND);
    message.append.count = 1;
    struct peers *peers = box.nodes[0].peers;
    assert_int_equal(peers_send_append(peers, 0, &message, &big, 1), 1);
    assert_int_equal(peers_send_append(peers, 0, &message, &small, 1), 1);
    assert_int_equal(box_status(&box, 0, 1).dropped, 0);
    size_t queued = box_status(&box, 0, 1).queued[PEERS_APPEND];
    assert_int_equal(peers_send_append(peers, 0, &message, &small, 1), 1);
    assert_int_equal(box_status(&box, 0, 1).dropped, 1);
    assert_int_equal(box_status(&box, 0, 1).queued[PEERS_APPEND], queued);
    wire_move(0, 1, PEERS_APPEND, SIZE_MAX);
    assert_int_equal(box_count(&box, 1, PEERS_IN_MESSAGE), 2);
    box_forget(&box.nodes[1]);
    entry_release(big);
    big =
        entry_new(ENTRY_MEMBERS, mem_zero(PEERS_APPEND_QUEUE_MAX + 1), PEERS_APPEND_QUEUE_MAX + 1);
    assert_int_equal(peers_send_append(peers, 0, &message, &big, 1), 1);
    assert_int_equal(box_status(&box, 0, 1).dropped, 1);
    wire_move(0, 1, PEERS_APPEND, SIZE_MAX);
    assert_int_equal(box_find(&box, 1, PEERS_IN_MESSAGE, 0)->entries.size,
                     PEERS_APPEND_QUEUE_MAX + 1);
    entry_release(big);
    entry_release(small);
}

static void without_a_link_messages_are_dropped_and_counted(void **state)
{
    (void)state;
    struct raft_message message = message_of(RAFT_VOTE);
    struct raft_message append = message_of(RAFT_APPEND);
    struct raft_message beat = message_of(RAFT_HEARTBEAT);
    for (int channel = 0; channel < PEERS_CHANNELS; channel++)
        peers_wire_down(box.nodes[0].peers, 2, (enum peers_channel)channel);
    peers_send(box.nodes[0].peers, 0, &message);
    peers_send(box.nodes[0].peers, 0, &beat);
    assert_int_equal(peers_send_append(box.nodes[0].peers, 0, &append, NULL, 0), 0);
    assert_int_equal(box_status(&box, 0, 1).dropped, 3);
    message.to = 9; /* nobody */
    peers_send(box.nodes[0].peers, 0, &message);
    wire_turn(0);
    assert_int_equal(box_count(&box, 0, PEERS_IN_LINK_DOWN), PEERS_CHANNELS);
}

/* ---- damage ---- */

/* Whatever bit flips in whatever frame: nothing of it comes out, and the link ends, counted. */
static void a_flipped_bit_ends_the_link(void **state)
{
    (void)state;
    uint64_t incarnation = 10;
    struct prng prng = prng_init(1);
    for (int i = 0; i < 300; i++) {
        struct raft_message message = message_of(RAFT_VOTE);
        message.vote.last_index = 5;
        drain();
        peers_send(box.nodes[0].peers, 3, &message);
        struct buf bytes = {0};
        peers_wire_take(box.nodes[0].peers, 2, PEERS_CONTROL, &bytes);
        bytes.data[prng_below(&prng, bytes.size)] ^= (uint8_t)(1 << prng_below(&prng, 8));
        uint64_t before = peers_counters(box.nodes[1].peers).frames_refused;
        peers_wire_give(box.nodes[1].peers, 1, PEERS_CONTROL, buf_bytes(&bytes));
        buf_free(&bytes);
        wire_turn(1);
        assert_int_equal(box_count(&box, 1, PEERS_IN_MESSAGE), 0);
        if (box_count(&box, 1, PEERS_IN_LINK_DOWN) == 0) {
            /* The size grew: it waits for the rest, which does not fit either. */
            uint8_t rest[256] = {0};
            for (int n = 0; n < 4096 && box_count(&box, 1, PEERS_IN_LINK_DOWN) == 0; n++) {
                peers_wire_give(box.nodes[1].peers, 1, PEERS_CONTROL, bytes_of(rest, sizeof(rest)));
                wire_turn(1);
            }
        }
        assert_int_equal(box_count(&box, 1, PEERS_IN_LINK_DOWN), 1);
        assert_int_equal(box_count(&box, 1, PEERS_IN_MESSAGE), 0);
        wire_turn(1);
        assert_int_equal(peers_counters(box.nodes[1].peers).frames_refused, before + 1);
        incarnation++;
        peers_wire_up(box.nodes[0].peers, 2, PEERS_CONTROL, incarnation);
        peers_wire_up(box.nodes[1].peers, 1, PEERS_CONTROL, incarnation);
    }
    assert_true(box_status(&box, 1, 0).refused >= 300);
}

static void a_repeated_or_left_out_frame_ends_the_link(void **state)
{
    (void)state;
    for (int repeats = 0; repeats < 2; repeats++) {
        struct raft_message message = message_of(RAFT_VOTE);
        struct buf first = {0}, second = {0};
        peers_wire_up(box.nodes[0].peers, 2, PEERS_APPEND, 20 + (uint64_t)repeats);
        peers_wire_up(box.nodes[1].peers, 1, PEERS_APPEND, 20 + (uint64_t)repeats);
        wire_turn(1);
        box_forget(&box.nodes[1]);
        message.kind = RAFT_INSTALL;
        peers_send(box.nodes[0].peers, 0, &message);
        peers_wire_take(box.nodes[0].peers, 2, PEERS_APPEND, &first);
        peers_send(box.nodes[0].peers, 0, &message);
        peers_wire_take(box.nodes[0].peers, 2, PEERS_APPEND, &second);
        if (repeats) {
            peers_wire_give(box.nodes[1].peers, 1, PEERS_APPEND, buf_bytes(&first));
            peers_wire_give(box.nodes[1].peers, 1, PEERS_APPEND, buf_bytes(&first));
        } else {
            peers_wire_give(box.nodes[1].peers, 1, PEERS_APPEND, buf_bytes(&second));
        }
        wire_turn(1);
        assert_int_equal(box_count(&box, 1, PEERS_IN_MESSAGE), repeats);
        assert_int_equal(box_count(&box, 1, PEERS_IN_LINK_DOWN), 1);
        buf_free(&first);
        buf_free(&second);
    }
}

/* A well-made frame with this payload on a fresh link: whether node 1 ends the link for it. */
static bool is_refused(enum peers_channel channel, enum frame_kind kind, struct bytes payload)
{
    struct buf frame = {0};
    uint64_t incarnation = box_status(&box, 1, 0).links + 100;
    peers_wire_up(box.nodes[1].peers, 1, channel, incarnation);
    wire_turn(1);
    box_forget(&box.nodes[1]);
    size_t at = frame_begin(&frame);
    buf_append(&frame, payload);
    frame_end(&frame, at, (uint8_t)kind, 0);
    peers_wire_give(box.nodes[1].peers, 1, channel, buf_bytes(&frame));
    wire_turn(1);
    buf_free(&frame);
    return box_count(&box, 1, PEERS_IN_LINK_DOWN) > 0;
}

static void frames_with_wrong_content_are_refused(void **state)
{
    (void)state;
    struct buf good = {0}, bad = {0};
    struct raft_message message = message_of(RAFT_VOTE);
    message_put(&good, 3, &message);
    assert_false(is_refused(PEERS_CONTROL, FRAME_MESSAGE, buf_bytes(&good)));
    assert_true(is_refused(PEERS_CONTROL, FRAME_MESSAGE, bytes_of(good.data, good.size - 1)));
    buf_append(&bad, buf_bytes(&good));
    buf_append_u8(&bad, 0);
    assert_true(is_refused(PEERS_CONTROL, FRAME_MESSAGE, buf_bytes(&bad)));
    bad.size--;
    put_le32(bad.data, PEERS_GROUPS_MAX);
    assert_true(is_refused(PEERS_CONTROL, FRAME_MESSAGE, buf_bytes(&bad)));
    put_le32(bad.data, PEERS_GROUPS_MAX - 1);
    assert_false(is_refused(PEERS_CONTROL, FRAME_MESSAGE, buf_bytes(&bad)));
    bad.data[5] = 2; /* a flag that a vote does not have */
    assert_true(is_refused(PEERS_CONTROL, FRAME_MESSAGE, buf_bytes(&bad)));
    bad.data[5] = 0;
    bad.data[4] = 0;
    assert_true(is_refused(PEERS_CONTROL, FRAME_MESSAGE, buf_bytes(&bad)));
    bad.data[4] = RAFT_TIMEOUT_NOW + 1;
    assert_true(is_refused(PEERS_CONTROL, FRAME_MESSAGE, buf_bytes(&bad)));
    /* on the wrong channel; an append as a plain message; a vote among heartbeats */
    assert_true(is_refused(PEERS_BULK, FRAME_MESSAGE, buf_bytes(&good)));
    assert_true(is_refused(PEERS_CONTROL, FRAME_REQUEST, BYTES_LITERAL("123456789")));
    buf_clear(&bad);
    message.kind = RAFT_APPEND;
    message_put(&bad, 3, &message);
    assert_true(is_refused(PEERS_APPEND, FRAME_MESSAGE, buf_bytes(&bad)));
    assert_false(is_refused(PEERS_APPEND, FRAME_APPEND, buf_bytes(&bad)));
    assert_true(is_refused(PEERS_APPEND, FRAME_APPEND, buf_bytes(&good)));
    buf_clear(&bad);
    put_u64(&bad, 1);
    put_u64(&bad, 1);
    put_u32(&bad, 1);
    buf_append(&bad, buf_bytes(&good));
    assert_true(is_refused(PEERS_CONTROL, FRAME_HEARTBEATS, buf_bytes(&bad)));
    put_le32(bad.data + 16, 0);
    assert_true(is_refused(PEERS_CONTROL, FRAME_HEARTBEATS, buf_bytes(&bad)));
    bad.size = 20;
    assert_false(is_refused(PEERS_CONTROL, FRAME_HEARTBEATS, buf_bytes(&bad)));
    put_le32(bad.data + 16, PEERS_GROUPS_MAX + 1);
    assert_true(is_refused(PEERS_CONTROL, FRAME_HEARTBEATS, buf_bytes(&bad)));
    buf_clear(&bad);
    put_u32(&bad, 2);
    put_u32(&bad, 0);
    put_u64(&bad, 1);
    assert_true(is_refused(PEERS_CONTROL, FRAME_PULSE, buf_bytes(&bad)));
    put_le32(bad.data, 1);
    assert_false(is_refused(PEERS_CONTROL, FRAME_PULSE, buf_bytes(&bad)));
    put_le32(bad.data + 4, PEERS_GROUPS_MAX);
    assert_true(is_refused(PEERS_CONTROL, FRAME_PULSE, buf_bytes(&bad)));
    buf_free(&good);
    buf_free(&bad);
}

/* ---- pulse ---- */

static void a_pulse_names_what_is_led_and_is_answered(void **state)
{
    (void)state;
    struct peers *leader = box.nodes[0].peers;
    peers_lead(leader, 3, 7);
    peers_lead(leader, 9, 8);
    peers_lead(leader, 10, 2);
    peers_lead(leader, 10, 0);
    drain();
    uint64_t turn_us = box.ahead_us;
    peers_pulse(leader, turn_us + BOX_TICK_US);
    assert_int_equal(peers_counters(leader).pulses_sent, 0);
    peers_pulse(leader, turn_us + BOX_BUSY_US);
    assert_int_equal(peers_counters(leader).pulses_sent, 0);
    peers_pulse(leader, turn_us + BOX_BUSY_US - 1);
    peers_pulse(leader, turn_us + BOX_TICK_US * 2);
    assert_int_equal(peers_counters(leader).pulses_sent, 2);
    wire_move(0, 1, PEERS_CONTROL, 7);
    assert_int_equal(box_count(&box, 1, PEERS_IN_PULSE), 4);
    const struct peers_input *pulse = &box_find(&box, 1, PEERS_IN_PULSE, 1)->input;
    assert_int_equal(pulse->node, 1);
    assert_int_equal(pulse->pulse.group, 9);
    assert_int_equal(pulse->pulse.term, 8);
    wire_move(1, 0, PEERS_CONTROL, SIZE_MAX);
    assert_int_equal(box_count(&box, 0, PEERS_IN_PULSE_ANSWER), 4);
    pulse = &box_find(&box, 0, PEERS_IN_PULSE_ANSWER, 0)->input;
    assert_int_equal(pulse->node, 2);
    assert_int_equal(pulse->pulse.group, 3);
    assert_int_equal(pulse->pulse.term, 7);
}

/* A pulse goes in between whole frames, in any order with the loop's own. */
static void pulses_mix_with_other_frames(void **state)
{
    (void)state;
    drain();
    for (int i = 0; i < 5; i++) {
        struct raft_message message = message_of(RAFT_VOTE);
        peers_send(box.nodes[0].peers, 0, &message);
        peers_pulse(box.nodes[0].peers, box.ahead_us + BOX_TICK_US * 2);
    }
    wire_move(0, 1, PEERS_CONTROL, 3);
    assert_int_equal(box_count(&box, 1, PEERS_IN_MESSAGE), 5);
    assert_int_equal(box_count(&box, 1, PEERS_IN_LINK_DOWN), 0);
}

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
    wire_move(0, 1, PEERS_FORWARD, 5);
    assert_int_equal(box_count(&box, 1, PEERS_IN_REQUEST), 3);
    for (size_t i = 3; i-- > 0;) {
        const struct box_note *note = box_find(&box, 1, PEERS_IN_REQUEST, i);
        assert_int_equal(note->input.request.kind, i);
        assert_int_equal(note->payload.size, 1);
        assert_int_equal(peers_answer(box.nodes[1].peers, 1, note->input.request.id, 9,
                                      buf_bytes(&note->payload)),
                         PEERS_OK);
    }
    wire_move(1, 0, PEERS_FORWARD, SIZE_MAX);
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
    wire_move(0, 1, PEERS_FORWARD, SIZE_MAX);
    struct peers_request_id read = box_find(&box, 1, PEERS_IN_REQUEST, 0)->input.request.id;
    assert_int_equal(peers_request(box.nodes[0].peers, 2, 1, BYTES_LITERAL("unread"), &id),
                     PEERS_OK);
    peers_wire_take(box.nodes[0].peers, 2, PEERS_FORWARD, &bytes);
    peers_wire_give(box.nodes[1].peers, 1, PEERS_FORWARD, buf_bytes(&bytes));
    buf_free(&bytes);
    box_forget(&box.nodes[1]);
    peers_wire_up(box.nodes[1].peers, 1, PEERS_FORWARD, 50);
    wire_turn(1);
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
    wire_move(0, 1, PEERS_FORWARD, SIZE_MAX);
    assert_int_equal(box_count(&box, 1, PEERS_IN_REQUEST), 33);
    struct peers_request_id first = box_find(&box, 1, PEERS_IN_REQUEST, 0)->input.request.id;
    assert_int_equal(first.size, 1 << 20);
    assert_int_equal(peers_answer(box.nodes[1].peers, 1, first, 0, (struct bytes){0}), PEERS_OK);
    wire_move(1, 0, PEERS_FORWARD, SIZE_MAX);
    wire_turn(0);
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
    wire_move(0, 1, PEERS_FORWARD, SIZE_MAX);
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
    wire_move(0, 1, PEERS_FORWARD, SIZE_MAX);
    assert_int_equal(box_count(&box, 1, PEERS_IN_REQUEST), PEERS_REQUESTS_PER_TICK);
    assert_int_equal(peers_deadline(box.nodes[1].peers), box.ahead_us);
    wire_turn(1);
    wire_turn(1);
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
    wire_move(0, 1, PEERS_FORWARD, SIZE_MAX);
    wire_move(1, 0, PEERS_FORWARD, SIZE_MAX);
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
        wire_turn(i);
        assert_int_equal(box_count(&box, i, PEERS_IN_ANSWER), 1);
        assert_int_equal(box_count(&box, i, PEERS_IN_REQUEST), 3); /* "!" is held */
        assert_true(peers_deadline(box.nodes[i].peers) > box.ahead_us);
    }
    buf_free(&bytes[0]);
    buf_free(&bytes[1]);
    for (size_t i = 0; i < 2; i++)
        wire_move(i, 1 - i, PEERS_FORWARD, SIZE_MAX);
    for (size_t i = 0; i < 2; i++) {
        wire_turn(i);
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
    wire_move(0, 1, PEERS_FORWARD, SIZE_MAX);
    for (size_t i = 0; i < 5; i++) {
        struct peers_request_id asked = box_find(&box, 1, PEERS_IN_REQUEST, i)->input.request.id;
        struct bytes payload = bytes_of(answer, i < 4 ? quarter - frame : 0);
        assert_int_equal(peers_answer(box.nodes[1].peers, 1, asked, 0, payload),
                         i < 4 ? PEERS_OK : PEERS_FULL);
    }
    wire_turn(1);
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
    assert_true(is_refused(PEERS_FORWARD, FRAME_ANSWER, buf_bytes(&bytes)));
    assert_false(is_refused(PEERS_FORWARD, FRAME_REQUEST, buf_bytes(&bytes)));
    put_le64(bytes.data, 2); /* the first one has number 1 */
    assert_true(is_refused(PEERS_FORWARD, FRAME_REQUEST, buf_bytes(&bytes)));
    put_le64(bytes.data, 1);
    put_le32(bytes.data + 8, 1); /* says another size than it has */
    assert_true(is_refused(PEERS_FORWARD, FRAME_REQUEST, buf_bytes(&bytes)));
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
    wire_move(0, 1, PEERS_BULK, 100000);
    const struct box_note *open = box_find(&box, 1, PEERS_IN_STREAM_OPEN, 0);
    assert_int_equal(open->input.stream.group, 6);
    assert_int_equal(open->input.stream.stream, stream);
    assert_memory_equal(open->payload.data, "mark", 4);
    assert_int_equal(box_count(&box, 1, PEERS_IN_STREAM_CHUNK), 4);
    peers_stream_consumed(to, 1, stream, PEERS_WINDOW / 4 - 1);
    wire_move(1, 0, PEERS_BULK, SIZE_MAX);
    wire_turn(0);
    assert_int_equal(peers_stream_room(from, 2, stream), 0);
    peers_stream_consumed(to, 1, stream, 1);
    wire_move(1, 0, PEERS_BULK, SIZE_MAX);
    wire_turn(0);
    assert_int_equal(peers_stream_room(from, 2, stream), PEERS_WINDOW / 4);
    assert_int_equal(peers_stream_send(from, 2, stream, BYTES_LITERAL("last")), PEERS_OK);
    assert_int_equal(peers_stream_end(from, 2, stream), PEERS_OK);
    assert_int_equal(peers_stream_end(from, 2, stream), PEERS_UNKNOWN);
    wire_move(0, 1, PEERS_BULK, 11);
    const struct box_note *last = box_find(&box, 1, PEERS_IN_STREAM_CHUNK, 4);
    assert_memory_equal(last->payload.data, "last", 4);
    assert_int_equal(box_count(&box, 1, PEERS_IN_STREAM_END), 1);
    peers_stream_consumed(to, 1, stream, 4); /* too late to matter */
    mem_free(chunk);
}

static void either_end_gives_a_stream_up(void **state)
{
    (void)state;
    struct peers *from = box.nodes[0].peers, *to = box.nodes[1].peers;
    uint64_t first, second;
    assert_int_equal(peers_stream_open(from, 2, 1, (struct bytes){0}, &first), PEERS_OK);
    assert_int_equal(peers_stream_open(from, 2, 2, (struct bytes){0}, &second), PEERS_OK);
    wire_move(0, 1, PEERS_BULK, SIZE_MAX);
    peers_stream_stop(to, 1, first, false);
    /* Chunks that are under way meanwhile mean nothing, and harm nobody. */
    assert_int_equal(peers_stream_send(from, 2, first, BYTES_LITERAL("late")), PEERS_OK);
    peers_stream_stop(from, 2, second, true);
    peers_stream_stop(from, 2, second, true);
    wire_move(0, 1, PEERS_BULK, SIZE_MAX);
    wire_move(1, 0, PEERS_BULK, SIZE_MAX);
    wire_turn(0);
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
    wire_move(0, 1, PEERS_BULK, SIZE_MAX);
    assert_int_equal(box_count(&box, 1, PEERS_IN_STREAM_OPEN), PEERS_STREAMS_MAX + 1);
    peers_wire_up(from, 2, PEERS_BULK, 60);
    assert_int_equal(peers_stream_room(from, 2, stream), 0);
    assert_int_equal(peers_stream_send(from, 2, stream, BYTES_LITERAL("x")), PEERS_UNKNOWN);
    wire_turn(0);
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
    wire_turn(1);
    assert_int_equal(box_count(&box, 1, PEERS_IN_STREAM_CHUNK), 4);
    size_t down = box_count(&box, 1, PEERS_IN_LINK_DOWN);
    buf_clear(&bytes);
    size_t at = frame_begin(&bytes);
    put_u64(&bytes, 1);
    put_u8(&bytes, 0);
    frame_end(&bytes, at, FRAME_STREAM_CHUNK, number++);
    peers_wire_give(box.nodes[1].peers, 1, PEERS_BULK, buf_bytes(&bytes));
    wire_turn(1);
    assert_int_equal(box_count(&box, 1, PEERS_IN_LINK_DOWN), down + 1);
    buf_clear(&bytes);
    put_u64(&bytes, 3); /* the first stream has number 1 */
    put_u32(&bytes, 0);
    assert_true(is_refused(PEERS_BULK, FRAME_STREAM_OPEN, buf_bytes(&bytes)));
    put_le64(bytes.data, 1);
    assert_false(is_refused(PEERS_BULK, FRAME_STREAM_OPEN, buf_bytes(&bytes)));
    assert_true(is_refused(PEERS_BULK, FRAME_STREAM_CREDIT, buf_bytes(&bytes)));
    assert_true(is_refused(PEERS_BULK, FRAME_STREAM_CHUNK, buf_bytes(&bytes)));
    buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(append_arrives_with_its_entries_however_it_is_cut),
        TEST(entries_that_do_not_fit_one_frame_are_cut_off),
        TEST(heartbeats_of_all_groups_share_a_frame),
        TEST(clocks_and_round_trips_come_with_heartbeats),
        TEST(control_drops_at_its_bound_and_counts),
        TEST(append_drops_at_its_bound_but_takes_anything_when_empty),
        TEST(without_a_link_messages_are_dropped_and_counted),
        TEST(a_flipped_bit_ends_the_link),
        TEST(a_repeated_or_left_out_frame_ends_the_link),
        TEST(frames_with_wrong_content_are_refused),
        TEST(a_pulse_names_what_is_led_and_is_answered),
        TEST(pulses_mix_with_other_frames),
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
        TEST(either_end_gives_a_stream_up),
        TEST(open_streams_are_limited_and_end_with_their_link),
        TEST(more_than_the_credit_or_the_streams_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
