/* Frames: how bytes between nodes are cut into pieces. What a kind means is src/cluster's; grammar
 * and a worked example: src/net/PEER.md.
 *
 *   frame := sum:le64 size:le32 version:u8 kind:u8 0:le16 payload{size}
 *   sum   := XXH3 of everything behind it, seeded with the frame's number on its connection
 *
 * Numbers count from 0 in each direction, so a frame that is lost, repeated or moved inside a
 * connection does not check either. No I/O, no state. */
#pragma once

#include "base/assert.h"
#include "base/buf.h"

enum {
    FRAME_VERSION = 1,
    FRAME_HEADER_SIZE = 16,
    FRAME_KINDS_MAX = 32, /* kinds are below */
};

enum frame_err {
    FRAME_OK = 0,
    FRAME_MORE,        /* not all of it is here; nothing is wrong so far */
    FRAME_BAD_VERSION, /* or no frame at all */
    FRAME_BAD_KIND,
    FRAME_TOO_BIG, /* larger than its kind may be: known from the header, before memory is taken */
    FRAME_BAD_SUM,
};

struct frame {
    uint8_t kind;
    size_t size; /* of the whole frame */
    struct bytes payload;
};

/* Largest payload by kind; 0: no such kind. */
struct frame_limits {
    uint32_t payload_max[FRAME_KINDS_MAX];
};

/* Leaves room for a header at the end of out and returns where the frame begins; the payload is
 * appended, then frame_end. Or frame_drop. */
MUST_USE size_t frame_begin(struct buf *out);
void frame_end(struct buf *out, size_t at, uint8_t kind, uint64_t number); /* O(payload) */
void frame_drop(struct buf *out, size_t at);

/* The first frame of foreign bytes, whose payload borrows from them. O(payload) once it is whole.
 */
MUST_USE enum frame_err frame_read(struct bytes in, uint64_t number,
                                   const struct frame_limits *limits, struct frame *out);
