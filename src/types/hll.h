/* HyperLogLogs as Redis keeps them in strings, byte for byte:
 *
 *   "HYLL" encoding:u8 0 0 0 cached:le64 registers
 *   encoding 0, dense:   16384 registers of 6 bits, the first in the lowest bits of the first byte
 *   encoding 1, sparse:  00xxxxxx           x+1 registers of 0
 *                        01xxxxxx yyyyyyyy  x*256+y+1 registers of 0
 *                        1vvvvvxx           x+1 registers of v+1
 *   cached: the count, its highest bit set when it is no longer right
 *
 * Hash: MurmurHash64A with seed 0xadc83b19; the lowest 14 bits choose the register, the trailing
 * zeros of the rest give its value. Estimate: Ertl, "New cardinality estimation algorithms for
 * HyperLogLog sketches" (2017), section on the improved raw estimator. */
#pragma once

#include "base/assert.h"
#include "base/buf.h"

enum {
    HLL_HEAD_SIZE = 16,
    HLL_REGISTERS = 16384,
    HLL_DENSE_SIZE = HLL_HEAD_SIZE + HLL_REGISTERS * 6 / 8,
    HLL_VALUE_MAX = 51, /* 64 - 14 + 1 */
};

/* True when it begins like one; its registers may still be damaged. */
bool hll_is(struct bytes bytes);

void hll_make(struct buf *out); /* an empty sparse one */

/* All registers of a HyperLogLog, a byte each. False: damaged. */
MUST_USE bool hll_read(struct bytes bytes, uint8_t registers[static HLL_REGISTERS]);

/* One run of registers of a sparse one: its length and value, and how many bytes tell it; 0: cut
 * short. rest is not empty. */
size_t hll_run(struct bytes rest, uint32_t *length, uint8_t *value);

/* The register that an element belongs to and the value it asks for. */
void hll_hash(struct bytes element, uint32_t *index, uint8_t *value);

/* Raises a register of the HyperLogLog in buf, which becomes dense when it grows beyond
 * sparse_bytes_max or the value does not fit. 1: changed, 0: not, -1: damaged. */
int hll_raise(struct buf *hll, uint32_t index, uint8_t value, uint64_t sparse_bytes_max);

/* The registers as a dense HyperLogLog; or sparse when all fit and it is not too large. */
void hll_write(const uint8_t registers[static HLL_REGISTERS], bool is_sparse,
               uint64_t sparse_bytes_max, struct buf *out);

uint64_t hll_estimate(const uint8_t registers[static HLL_REGISTERS]);

bool hll_is_dense(struct bytes hll);
bool hll_cached(struct bytes hll, uint64_t *count); /* false: to be counted anew */
void hll_set_cached(uint8_t *hll, uint64_t count);
void hll_forget_cached(uint8_t *hll);
