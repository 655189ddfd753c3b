/* Any bytes as a HyperLogLog: nothing may assert or read beyond them; what can be merged can be
 * added to, and holds the same registers after every way of changing it. */
#include "types/hyperloglog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SPARSE_MAX = 3000 };

static void check_same(const uint8_t *registers, const struct buf *value)
{
    uint8_t after[HLL_REGISTERS] = {0};
    ASSERT(hll_is_valid(buf_bytes(value)));
    ASSERT(hll_merge(buf_bytes(value), after));
    ASSERT(memcmp(registers, after, sizeof(after)) == 0);
}

static void check_whole(struct buf *value, uint8_t *registers, struct hll_place place)
{
    enum hll_result result = hll_raise(value, place.index, place.rank, SPARSE_MAX);
    ASSERT(result == (registers[place.index] < place.rank ? HLL_CHANGED : HLL_UNCHANGED));
    if (result == HLL_CHANGED)
        registers[place.index] = place.rank;
    check_same(registers, value);
    ASSERT(hll_make_dense(value));
    check_same(registers, value);
}

static void walk_runs(struct bytes value)
{
    struct hll_run run;
    size_t at = HLL_HEADER_SIZE;
    while (hll_next_run(value, &at, &run))
        ASSERT(run.registers >= 1 && run.registers <= HLL_REGISTERS && run.rank <= 32);
    ASSERT(at <= value.size);
}

static void check_value(struct bytes input, struct hll_place place)
{
    uint8_t registers[HLL_REGISTERS] = {0};
    struct buf value = {0};
    buf_append(&value, input);
    if (hll_is_sparse(input))
        walk_runs(input);
    if (hll_merge(input, registers)) {
        (void)hll_estimate(registers);
        check_whole(&value, registers, place);
    } else {
        (void)hll_raise(&value, place.index, place.rank, SPARSE_MAX);
        ASSERT(hll_is_valid(buf_bytes(&value)));
    }
    buf_free(&value);
}

/* Runs for the registers that those of value leave over, so that many inputs are whole. */
static void complete(struct buf *value)
{
    struct hll_run run;
    size_t at = HLL_HEADER_SIZE;
    uint32_t covered = 0;
    while (hll_next_run(buf_bytes(value), &at, &run) && covered + run.registers <= HLL_REGISTERS)
        covered += run.registers;
    while (covered < HLL_REGISTERS) {
        uint32_t more = HLL_REGISTERS - covered < 64 ? HLL_REGISTERS - covered : 64;
        buf_append_u8(value, (uint8_t)(more - 1));
        covered += more;
    }
}

/* The first byte chooses: all the rest is the value; or it is the runs of a sparse one, which may
 * be completed; or the registers of a dense one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t header[HLL_HEADER_SIZE] = {'H', 'Y', 'L', 'L', 1};
    struct buf value = {0};
    if (size < 2)
        return 0;
    struct bytes rest = bytes_of(data + 1, size - 1);
    struct hll_place place = {.index = hll_place_of(rest).index, .rank = 1 + data[size - 1] % 63};
    if (data[0] % 4 != 0)
        buf_append(&value, bytes_of(header, sizeof(header)));
    buf_append(&value, rest);
    if (data[0] % 4 == 2)
        complete(&value);
    if (data[0] % 4 == 3) {
        value.data[4] = 0;
        while (value.size < HLL_DENSE_SIZE)
            buf_append_u8(&value, data[value.size % size]);
    }
    if (hll_is_valid(buf_bytes(&value)))
        check_value(buf_bytes(&value), place);
    buf_free(&value);
    return 0;
}
