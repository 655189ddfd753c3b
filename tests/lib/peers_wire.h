/* Two nodes' links without sockets: bytes are moved, cut, flipped and held back by the test, and
 * time passes by hand. */
#pragma once

#include "peers_box.h"

#include "codec/frame.h"

static inline void wire_turn(struct box *box, size_t at)
{
    struct box_node *node = &box->nodes[at];
    struct peers_input input;
    peers_tick(node->peers,
               (struct turn_time){.boot_us = box->ahead_us, .wall_us = 1000 * (at + 1)});
    while (peers_next(node->peers, &input))
        box_note(node, &input);
    peers_flush(node->peers);
}

/* All bytes that wait, in pieces of `piece` at most. */
static inline void wire_move(struct box *box, size_t from, size_t to, enum peers_channel channel,
                             size_t piece)
{
    struct buf bytes = {0};
    peers_wire_take(box->nodes[from].peers, to + 1, channel, &bytes);
    for (size_t at = 0; at < bytes.size; at += piece) {
        size_t size = bytes.size - at < piece ? bytes.size - at : piece;
        peers_wire_give(box->nodes[to].peers, from + 1, channel, bytes_of(bytes.data + at, size));
        wire_turn(box, to);
    }
    buf_free(&bytes);
}

static inline void wire_up(struct box *box)
{
    for (int channel = 0; channel < PEERS_CHANNELS; channel++) {
        peers_wire_up(box->nodes[0].peers, 2, (enum peers_channel)channel, (uint64_t)channel + 1);
        peers_wire_up(box->nodes[1].peers, 1, (enum peers_channel)channel, (uint64_t)channel + 1);
    }
    for (size_t i = 0; i < 2; i++) {
        wire_turn(box, i);
        assert_int_equal(box_count(box, i, PEERS_IN_LINK_UP), PEERS_CHANNELS);
        box_forget(&box->nodes[i]);
    }
}

static inline void wire_begin(struct box *box)
{
    box_begin(box, 2);
    box->ahead_us = 1000000;
    for (size_t i = 0; i < 2; i++) {
        struct buf error = {0};
        struct peers_options *options = &box->nodes[i].options;
        struct peers_member member = box_member(box, 1 - i);
        assert_true(peers_open(&box->nodes[i].peers, options, box->ahead_us, &error));
        assert_int_equal(peers_set(box->nodes[i].peers, &member), PEERS_OK);
    }
    wire_up(box);
}

/* Throws away what the tick put there. */
static inline void drain(struct box *box)
{
    for (int i = 0; i < 3; i++) {
        for (size_t n = 0; n < 2; n++) {
            wire_turn(box, n);
            wire_move(box, n, 1 - n, PEERS_CONTROL, SIZE_MAX);
        }
    }
    for (size_t n = 0; n < 2; n++)
        box_forget(&box->nodes[n]);
}

/* A well-made frame with this payload on a fresh link: whether node 1 ends the link for it. */
static inline bool is_refused(struct box *box, enum peers_channel channel, int kind,
                              struct bytes payload)
{
    struct buf frame = {0};
    uint64_t incarnation = box_status(box, 1, 0).links + 100;
    peers_wire_up(box->nodes[1].peers, 1, channel, incarnation);
    wire_turn(box, 1);
    box_forget(&box->nodes[1]);
    size_t at = frame_begin(&frame);
    buf_append(&frame, payload);
    frame_end(&frame, at, (uint8_t)kind, 0);
    peers_wire_give(box->nodes[1].peers, 1, channel, buf_bytes(&frame));
    wire_turn(box, 1);
    buf_free(&frame);
    return box_count(box, 1, PEERS_IN_LINK_DOWN) > 0;
}
