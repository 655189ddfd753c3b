/* A client's output: replies in order, some of which may not leave yet.
 *
 *      taken      may leave          waits at a gate        being written
 *   |---------|----------------|-------------------------|...............
 *   0        head          begin of the            finished            size
 *                       first closed mark
 *
 * A mark {begin, gate} says that nothing from stream position `begin` on may leave before the gate
 * is open (L1). A reply with several gates has several marks with one begin, and shares none of
 * them with others: what becomes of it depends on all. Otherwise a mark like the one before it is
 * not made, and a reply without a gate has a mark only to end the range of one that waits.
 *
 * One contiguous buffer; a reply is appended by the functions of codec/resp_reply.h and then
 * finished. What is not finished never leaves, and while it is under way the buffer does not move
 * its bytes. Nothing is allocated per reply. */
#pragma once

#include "base/buf.h"
#include "exec/exec.h"
#include "server/buf_pool.h"

enum {
    OUTPUT_STEP = BUF_POOL_SIZE,  /* first allocation; then doubling. Given back when empty */
    OUTPUT_KEPT_MAX = 64 * 1024,  /* buffers between the two are kept until the client idles */
    OUTPUT_MARKS_FULL = 8 * 1024, /* so many marks count as a full output: 256 KiB of them */
};

struct output_mark {
    uint64_t begin; /* stream position */
    struct exec_gate gate;
    uint32_t replies;    /* from here to the next mark */
    bool is_free;        /* no gate: order alone holds it back */
    bool is_part;        /* of a reply with several gates */
    bool is_unknown;     /* another gate of the same reply was lost */
    bool is_half_opened; /* another gate of the same reply was open */
};

/* Zero-initialised is ready; `pool` may be set then. */
struct output {
    struct buf_pool *pool; /* where memory comes from and goes to, or NULL */
    struct buf buf;
    size_t head;               /* bytes of buf that have left */
    bool is_reply_open;        /* between begin and finish, though nothing may be appended yet */
    uint64_t start;            /* stream position of buf.data[0] */
    uint64_t finished;         /* stream position behind the last whole reply */
    struct output_mark *marks; /* a ring; capacity is a power of two */
    uint32_t mark_first;
    uint32_t mark_count;
    uint32_t mark_capacity;
};

void output_free(struct output *output); /* leaves a ready one */

/* Where the next reply is appended. Who writes it may remember where it began until the finish,
 * even before the first byte: what stands in front may leave meanwhile. */
struct buf *output_begin(struct output *output);

/* Ends the reply that was appended since the last finish or drop: it waits at these gates. */
void output_finish(struct output *output, const struct exec_gate *gates, int gate_count);

/* Forgets what was appended since the last finish (CLIENT REPLY OFF). */
void output_drop_unfinished(struct output *output);

/* What was appended since the last finish. */
struct bytes output_unfinished(const struct output *output);

/* Removes marks whose gates are open from the front; true when more may leave than before. Replies
 * at a gate that never opens (its leadership was lost) become errors that say whether their effect
 * is known: TRYAGAIN, nothing happened; INDETERMINATE, it may have, at one of its gates at least.
 * Replies without a gate stay what they are: they depend on nothing that was lost, and what they
 * say of the connection (MULTI, SELECT, HELLO) holds. While a reply is being written the buffer
 * does not move, so those that were lost wait for its end. */
bool output_open_gates(struct output *output, const struct exec *exec);

static inline bool output_is_gated(const struct output *output)
{
    return output->mark_count > 0;
}

/* What may leave now; borrows until the output changes. */
struct bytes output_sendable(const struct output *output);

/* The first `size` bytes of output_sendable have left. */
void output_sent(struct output *output, size_t size);

/* Finished or not, everything that has not left. */
static inline size_t output_unsent(const struct output *output)
{
    return output->buf.size - output->head;
}

size_t output_memory(const struct output *output);

/* Gives memory back that nothing is in. */
void output_trim(struct output *output);
