/* What links carry of raft, and what they do with damage. */
#include "base/prng.h"
#include "peers_wire.h"

#include "cluster/link.h"
#include "cluster/message.h"
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

static struct raft_message message_of(enum raft_message_kind kind)
{
    return (struct raft_message){.kind = kind, .from = 1, .to = 2, .term = 7};
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
        wire_move(&box, 0, 1, PEERS_APPEND, piece);
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
    wire_move(&box, 0, 1, PEERS_APPEND, SIZE_MAX);
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
    drain(&box);
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
    wire_move(&box, 0, 1, PEERS_CONTROL, SIZE_MAX);
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
    drain(&box);
}

static void clocks_and_round_trips_come_with_heartbeats(void **state)
{
    (void)state;
    assert_int_equal(peers_clock(box.nodes[1].peers, 1).wall_us, 0);
    assert_int_equal(peers_clock(box.nodes[1].peers, 99).wall_us, 0);
    drain(&box);
    struct peers_clock clock = peers_clock(box.nodes[1].peers, 1);
    assert_int_equal(clock.wall_us, 1000);
    assert_int_equal(clock.boot_us, box.ahead_us);
    assert_int_equal(peers_clock(box.nodes[0].peers, 2).wall_us, 2000);
    box.ahead_us += BOX_TICK_US;
    wire_turn(&box, 0);
    box.ahead_us += 300; /* on the way */
    wire_move(&box, 0, 1, PEERS_CONTROL, SIZE_MAX);
    box.ahead_us += 400; /* on the way back */
    wire_move(&box, 1, 0, PEERS_CONTROL, SIZE_MAX);
    struct peers_status status = box_status(&box, 0, 1);
    assert_true(status.rtt_us > 0 && status.rtt_us <= 700);
}

/* The queue at max - 1, max and max + 1 frames; dropped is counted, an empty queue takes anything.
 */
static void control_drops_at_its_bound_and_counts(void **state)
{
    (void)state;
    drain(&box);
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
    wire_move(&box, 0, 1, PEERS_APPEND, SIZE_MAX);
    assert_int_equal(box_count(&box, 1, PEERS_IN_MESSAGE), 2);
    box_forget(&box.nodes[1]);
    entry_release(big);
    big =
        entry_new(ENTRY_MEMBERS, mem_zero(PEERS_APPEND_QUEUE_MAX + 1), PEERS_APPEND_QUEUE_MAX + 1);
    assert_int_equal(peers_send_append(peers, 0, &message, &big, 1), 1);
    assert_int_equal(box_status(&box, 0, 1).dropped, 1);
    wire_move(&box, 0, 1, PEERS_APPEND, SIZE_MAX);
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
    wire_turn(&box, 0);
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
        drain(&box);
        peers_send(box.nodes[0].peers, 3, &message);
        struct buf bytes = {0};
        peers_wire_take(box.nodes[0].peers, 2, PEERS_CONTROL, &bytes);
        bytes.data[prng_below(&prng, bytes.size)] ^= (uint8_t)(1 << prng_below(&prng, 8));
        uint64_t before = peers_counters(box.nodes[1].peers).frames_refused;
        peers_wire_give(box.nodes[1].peers, 1, PEERS_CONTROL, buf_bytes(&bytes));
        buf_free(&bytes);
        wire_turn(&box, 1);
        assert_int_equal(box_count(&box, 1, PEERS_IN_MESSAGE), 0);
        if (box_count(&box, 1, PEERS_IN_LINK_DOWN) == 0) {
            /* The size grew: it waits for the rest, which does not fit either. */
            uint8_t rest[256] = {0};
            for (int n = 0; n < 4096 && box_count(&box, 1, PEERS_IN_LINK_DOWN) == 0; n++) {
                peers_wire_give(box.nodes[1].peers, 1, PEERS_CONTROL, bytes_of(rest, sizeof(rest)));
                wire_turn(&box, 1);
            }
        }
        assert_int_equal(box_count(&box, 1, PEERS_IN_LINK_DOWN), 1);
        assert_int_equal(box_count(&box, 1, PEERS_IN_MESSAGE), 0);
        wire_turn(&box, 1);
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
        wire_turn(&box, 1);
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
        wire_turn(&box, 1);
        assert_int_equal(box_count(&box, 1, PEERS_IN_MESSAGE), repeats);
        assert_int_equal(box_count(&box, 1, PEERS_IN_LINK_DOWN), 1);
        buf_free(&first);
        buf_free(&second);
    }
}

static void frames_with_wrong_content_are_refused(void **state)
{
    (void)state;
    struct buf good = {0}, bad = {0};
    struct raft_message message = message_of(RAFT_VOTE);
    message_put(&good, 3, &message);
    assert_false(is_refused(&box, PEERS_CONTROL, FRAME_MESSAGE, buf_bytes(&good)));
    assert_true(is_refused(&box, PEERS_CONTROL, FRAME_MESSAGE, bytes_of(good.data, good.size - 1)));
    buf_append(&bad, buf_bytes(&good));
    buf_append_u8(&bad, 0);
    assert_true(is_refused(&box, PEERS_CONTROL, FRAME_MESSAGE, buf_bytes(&bad)));
    bad.size--;
    put_le32(bad.data, PEERS_GROUPS_MAX);
    assert_true(is_refused(&box, PEERS_CONTROL, FRAME_MESSAGE, buf_bytes(&bad)));
    put_le32(bad.data, PEERS_GROUPS_MAX - 1);
    assert_false(is_refused(&box, PEERS_CONTROL, FRAME_MESSAGE, buf_bytes(&bad)));
    bad.data[5] = 2; /* a flag that a vote does not have */
    assert_true(is_refused(&box, PEERS_CONTROL, FRAME_MESSAGE, buf_bytes(&bad)));
    bad.data[5] = 0;
    bad.data[4] = 0;
    assert_true(is_refused(&box, PEERS_CONTROL, FRAME_MESSAGE, buf_bytes(&bad)));
    bad.data[4] = RAFT_TIMEOUT_NOW + 1;
    assert_true(is_refused(&box, PEERS_CONTROL, FRAME_MESSAGE, buf_bytes(&bad)));
    /* on the wrong channel; an append as a plain message; a vote among heartbeats */
    assert_true(is_refused(&box, PEERS_BULK, FRAME_MESSAGE, buf_bytes(&good)));
    assert_true(is_refused(&box, PEERS_CONTROL, FRAME_REQUEST, BYTES_LITERAL("123456789")));
    buf_clear(&bad);
    message.kind = RAFT_APPEND;
    message_put(&bad, 3, &message);
    assert_true(is_refused(&box, PEERS_APPEND, FRAME_MESSAGE, buf_bytes(&bad)));
    assert_false(is_refused(&box, PEERS_APPEND, FRAME_APPEND, buf_bytes(&bad)));
    assert_true(is_refused(&box, PEERS_APPEND, FRAME_APPEND, buf_bytes(&good)));
    buf_clear(&bad);
    put_u64(&bad, 1);
    put_u64(&bad, 1);
    put_u32(&bad, 1);
    buf_append(&bad, buf_bytes(&good));
    assert_true(is_refused(&box, PEERS_CONTROL, FRAME_HEARTBEATS, buf_bytes(&bad)));
    put_le32(bad.data + 16, 0);
    assert_true(is_refused(&box, PEERS_CONTROL, FRAME_HEARTBEATS, buf_bytes(&bad)));
    bad.size = 20;
    assert_false(is_refused(&box, PEERS_CONTROL, FRAME_HEARTBEATS, buf_bytes(&bad)));
    put_le32(bad.data + 16, PEERS_GROUPS_MAX + 1);
    assert_true(is_refused(&box, PEERS_CONTROL, FRAME_HEARTBEATS, buf_bytes(&bad)));
    buf_clear(&bad);
    put_u32(&bad, 2);
    put_u32(&bad, 0);
    put_u64(&bad, 1);
    assert_true(is_refused(&box, PEERS_CONTROL, FRAME_PULSE, buf_bytes(&bad)));
    put_le32(bad.data, 1);
    assert_false(is_refused(&box, PEERS_CONTROL, FRAME_PULSE, buf_bytes(&bad)));
    put_le32(bad.data + 4, PEERS_GROUPS_MAX);
    assert_true(is_refused(&box, PEERS_CONTROL, FRAME_PULSE, buf_bytes(&bad)));
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
    drain(&box);
    uint64_t turn_us = box.ahead_us;
    peers_pulse(leader, turn_us + BOX_TICK_US);
    assert_int_equal(peers_counters(leader).pulses_sent, 0);
    peers_pulse(leader, turn_us + BOX_BUSY_US);
    assert_int_equal(peers_counters(leader).pulses_sent, 0);
    peers_pulse(leader, turn_us + BOX_BUSY_US - 1);
    peers_pulse(leader, turn_us + BOX_TICK_US * 2);
    assert_int_equal(peers_counters(leader).pulses_sent, 2);
    wire_move(&box, 0, 1, PEERS_CONTROL, 7);
    assert_int_equal(box_count(&box, 1, PEERS_IN_PULSE), 4);
    const struct peers_input *pulse = &box_find(&box, 1, PEERS_IN_PULSE, 1)->input;
    assert_int_equal(pulse->node, 1);
    assert_int_equal(pulse->pulse.group, 9);
    assert_int_equal(pulse->pulse.term, 8);
    wire_move(&box, 1, 0, PEERS_CONTROL, SIZE_MAX);
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
    drain(&box);
    for (int i = 0; i < 5; i++) {
        struct raft_message message = message_of(RAFT_VOTE);
        peers_send(box.nodes[0].peers, 0, &message);
        peers_pulse(box.nodes[0].peers, box.ahead_us + BOX_TICK_US * 2);
    }
    wire_move(&box, 0, 1, PEERS_CONTROL, 3);
    assert_int_equal(box_count(&box, 1, PEERS_IN_MESSAGE), 5);
    assert_int_equal(box_count(&box, 1, PEERS_IN_LINK_DOWN), 0);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
