/* HyperLogLogs as Redis keeps them: a string, so that GET, SET, DUMP and RESTORE move one between
 * servers, byte for byte the same for the same additions in the same order.
 *
 *   value  := "HYLL" encoding:1 0:3 cached:le64 registers
 *   cached := the count as of the last PFCOUNT; its highest bit: no longer true
 *   dense  := encoding 0, 16384 registers of 6 bits, the first in the low bits of the first byte
 *   sparse := encoding 1, runs that cover all registers in order
 *   run    := 00nnnnnn            n + 1 registers that are 0
 *           | 01nnnnnn nnnnnnnn   the same, of up to 16384
 *           | 1vvvvvnn            n + 1 registers that are v + 1
 *
 * Example: "HYLL" 01 000000 00..00 7f ff is the empty one: a run of 16384 zeros.
 *
 * An element's hash is MurmurHash64A; its low 14 bits choose a register, which becomes the highest
 * rank seen there: the position, from 1, of the lowest bit set among the other 50.
 *
 * All bytes may be foreign (L11): what does not cover its registers exactly is found out by whoever
 * reads them, HLL_DAMAGED. Nothing here knows keys or objects.
 *
 * Sources: Flajolet and others, "HyperLogLog", 2007; Ertl, "New cardinality estimation algorithms
 * for HyperLogLog sketches", 2017, section 2.4 (the estimator); redis.io/docs/data-types (format)
 */
#pragma once

#include "base/assert.h"
#include "base/buf.h"

enum {
    HLL_INDEX_BITS = 14,
    HLL_REGISTERS = 1 << HLL_INDEX_BITS,
    HLL_RANK_MAX = 64 - HLL_INDEX_BITS + 1, /* that a hash can have */
    HLL_HEADER_SIZE = 16,
    HLL_DENSE_SIZE = HLL_HEADER_SIZE + HLL_REGISTERS * 6 / 8,
    HLL_SPARSE_SIZE_MAX = HLL_HEADER_SIZE + 2 * HLL_REGISTERS, /* longer ones are damaged */
};

enum hll_result { HLL_UNCHANGED, HLL_CHANGED, HLL_DAMAGED };

/* Whether the header is one and the size can be. O(1). */
bool hll_is_valid(struct bytes value);

/* The functions below take a value that is valid in this sense. */

bool hll_is_sparse(struct bytes value);

/* Appends the empty one. */
void hll_init(struct buf *value);

/* Adds an element. A sparse value that would grow beyond sparse_size_max bytes, or would hold a
 * rank of more than 32, becomes dense. On HLL_CHANGED the cached count is no longer true; on
 * HLL_DAMAGED value is as before. */
enum hll_result hll_add(struct buf *value, struct bytes element, size_t sparse_size_max);

/* The same for one register: it becomes rank if it was less. rank is 1 to 63. */
enum hll_result hll_raise(struct buf *value, uint32_t index, uint8_t rank, size_t sparse_size_max);

/* Makes a sparse value dense (a dense one stays). False: damaged, and as before. */
MUST_USE bool hll_make_dense(struct buf *value);

/* Raises registers to those of value. False: damaged, registers are useless. */
MUST_USE bool hll_merge(struct bytes value, uint8_t registers[static HLL_REGISTERS]);

/* The estimated count of different elements. */
uint64_t hll_estimate(const uint8_t registers[static HLL_REGISTERS]);

/* The cached count, when it is true. */
bool hll_cached(struct bytes value, uint64_t *count);
void hll_set_cached(struct buf *value, uint64_t count);
void hll_drop_cached(struct buf *value);

/* A run of a sparse value, for showing: *at is its position in value, HLL_HEADER_SIZE at first, and
 * becomes that of the next. False at the end, and for a run that is cut off. */
struct hll_run {
    uint32_t registers;
    uint8_t rank; /* 0: zeros */
    uint8_t size; /* bytes */
};

bool hll_next_run(struct bytes value, size_t *at, struct hll_run *run);

/* ---- the hash ---- */

struct hll_place {
    uint32_t index;
    uint8_t rank;
};

struct hll_place hll_place_of(struct bytes element);
