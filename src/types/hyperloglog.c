/* The two representations. */
#include "types/hyperloglog.h"

#include "base/endian.h"

enum {
    REGISTER_BITS = 6,
    REGISTER_MAX = (1 << REGISTER_BITS) - 1,
    ENCODING_AT = 4,
    CACHED_AT = 8,
    DENSE = 0,
    SPARSE = 1,

    ZEROS_MAX = 64, /* that a run of one byte may have */
    RANK_RUN_MAX = 4,
    SPARSE_RANK_MAX = 32,
    SPLIT_SIZE_MAX = 5, /* a run becomes at most three: two of two bytes and one of one */
    JOIN_STEPS = 5,
};

static const uint64_t CACHED_IS_OLD = 1ULL << 63;

/* ---- header ---- */

bool hll_is_valid(struct bytes value)
{
    if (value.size < HLL_HEADER_SIZE || memcmp(value.data, "HYLL", 4) != 0)
        return false;
    uint8_t encoding = value.data[ENCODING_AT];
    return encoding == SPARSE || (encoding == DENSE && value.size == HLL_DENSE_SIZE);
}

bool hll_is_sparse(struct bytes value)
{
    return value.data[ENCODING_AT] == SPARSE;
}

static void append_zeros(struct buf *out, uint32_t registers)
{
    ASSERT(registers >= 1 && registers <= HLL_REGISTERS);
    uint32_t coded = registers - 1;
    if (registers > ZEROS_MAX)
        buf_append_u8(out, (uint8_t)(0x40 | coded >> 8));
    buf_append_u8(out, (uint8_t)coded);
}

void hll_init(struct buf *value)
{
    uint8_t *header = buf_extend(value, HLL_HEADER_SIZE);
    memset(header, 0, HLL_HEADER_SIZE);
    memcpy(header, "HYLL", 4);
    header[ENCODING_AT] = SPARSE;
    append_zeros(value, HLL_REGISTERS);
}

bool hll_cached(struct bytes value, uint64_t *count)
{
    *count = get_le64(value.data + CACHED_AT);
    return (*count & CACHED_IS_OLD) == 0;
}

void hll_set_cached(struct buf *value, uint64_t count)
{
    put_le64(value->data + CACHED_AT, count);
}

void hll_drop_cached(struct buf *value)
{
    put_le64(value->data + CACHED_AT, get_le64(value->data + CACHED_AT) | CACHED_IS_OLD);
}

/* ---- dense ---- */

static uint8_t dense_get(const uint8_t *registers, uint32_t index)
{
    uint32_t bit = index * REGISTER_BITS, shift = bit % 8;
    uint32_t bits = registers[bit / 8];
    if (shift > 8 - REGISTER_BITS)
        bits |= (uint32_t)registers[bit / 8 + 1] << 8;
    return (uint8_t)(bits >> shift & REGISTER_MAX);
}

static void dense_set(uint8_t *registers, uint32_t index, uint8_t rank)
{
    uint32_t bit = index * REGISTER_BITS, shift = bit % 8;
    uint8_t *at = registers + bit / 8;
    at[0] = (uint8_t)((at[0] & ~(REGISTER_MAX << shift)) | rank << shift);
    if (shift > 8 - REGISTER_BITS)
        at[1] = (uint8_t)((at[1] & ~(REGISTER_MAX >> (8 - shift))) | rank >> (8 - shift));
}

static enum hll_result dense_raise(struct buf *value, uint32_t index, uint8_t rank)
{
    uint8_t *registers = value->data + HLL_HEADER_SIZE;
    if (dense_get(registers, index) >= rank)
        return HLL_UNCHANGED;
    dense_set(registers, index, rank);
    hll_drop_cached(value);
    return HLL_CHANGED;
}

/* ---- runs ---- */

bool hll_next_run(struct bytes value, size_t *at, struct hll_run *run)
{
    if (*at >= value.size)
        return false;
    uint8_t byte = value.data[*at];
    if ((byte & 0x80) != 0) {
        *run = (struct hll_run){(byte & 3) + 1U, (uint8_t)((byte >> 2 & 31) + 1), 1};
    } else if ((byte & 0x40) == 0) {
        *run = (struct hll_run){byte + 1U, 0, 1};
    } else {
        if (value.size - *at < 2)
            return false;
        *run = (struct hll_run){((byte & 63U) << 8 | value.data[*at + 1]) + 1, 0, 2};
    }
    *at += run->size;
    return true;
}

static uint8_t rank_run(uint8_t rank, uint32_t registers)
{
    ASSERT(rank >= 1 && rank <= SPARSE_RANK_MAX && registers >= 1 && registers <= RANK_RUN_MAX);
    return (uint8_t)(0x80 | (rank - 1) << 2 | (int)(registers - 1));
}

static void append_run(struct buf *out, uint8_t rank, uint32_t registers)
{
    if (registers == 0)
        return;
    if (rank == 0)
        append_zeros(out, registers);
    else
        buf_append_u8(out, rank_run(rank, registers));
}

/* The run that a register stands in. */
struct run_place {
    struct hll_run run;
    size_t at;       /* of the run in the value */
    size_t previous; /* of the one before it, or of itself when it is the first */
    uint32_t first;  /* its first register */
};

static bool find_run(struct bytes value, uint32_t index, struct run_place *place)
{
    size_t next = HLL_HEADER_SIZE;
    *place = (struct run_place){.at = next, .previous = next};
    while (hll_next_run(value, &next, &place->run)) {
        if (index - place->first < place->run.registers)
            return true;
        place->first += place->run.registers;
        place->previous = place->at;
        place->at = next;
    }
    return false;
}

static void replace(struct buf *value, size_t at, size_t old_size, struct bytes new)
{
    size_t rest = value->size - at - old_size;
    if (new.size > old_size)
        (void)buf_extend(value, new.size - old_size);
    memmove(value->data + at + new.size, value->data + at + old_size, rest);
    memcpy(value->data + at, new.data, new.size);
    value->size = at + new.size + rest;
}

/* Joins neighbours of equal rank, from a run on and as far as a change of one register can have
 * made new neighbours. Where Redis stops matters: the bytes must be the same. */
static void join_runs(struct buf *value, size_t at)
{
    for (int step = 0; step < JOIN_STEPS; step++) {
        struct hll_run left, right;
        size_t next = at, after;
        if (!hll_next_run(buf_bytes(value), &next, &left))
            return;
        after = next;
        bool is_pair = left.rank != 0 && hll_next_run(buf_bytes(value), &after, &right) &&
                       right.rank == left.rank && left.registers + right.registers <= RANK_RUN_MAX;
        if (!is_pair) {
            at = next;
            continue;
        }
        uint8_t joined = rank_run(left.rank, left.registers + right.registers);
        replace(value, at, 2, bytes_of(&joined, 1)); /* and once more from here */
    }
}

static enum hll_result raise_as_dense(struct buf *value, uint32_t index, uint8_t rank)
{
    return hll_make_dense(value) ? dense_raise(value, index, rank) : HLL_DAMAGED;
}

static enum hll_result sparse_raise(struct buf *value, uint32_t index, uint8_t rank,
                                    size_t sparse_size_max)
{
    struct run_place place;
    if (rank > SPARSE_RANK_MAX)
        return raise_as_dense(value, index, rank);
    if (value->size > HLL_SPARSE_SIZE_MAX || !find_run(buf_bytes(value), index, &place))
        return HLL_DAMAGED;
    if (place.run.rank >= rank)
        return HLL_UNCHANGED;
    uint8_t space[SPLIT_SIZE_MAX];
    struct buf split = {.data = space, .capacity = sizeof(space)};
    append_run(&split, place.run.rank, index - place.first);
    append_run(&split, rank, 1);
    append_run(&split, place.run.rank, place.first + place.run.registers - index - 1);
    bool grows = split.size > place.run.size;
    if (grows && value->size + split.size - place.run.size > sparse_size_max)
        return raise_as_dense(value, index, rank);
    replace(value, place.at, place.run.size, buf_bytes(&split));
    join_runs(value, place.previous);
    hll_drop_cached(value);
    return HLL_CHANGED;
}

/* ---- both ---- */

enum hll_result hll_raise(struct buf *value, uint32_t index, uint8_t rank, size_t sparse_size_max)
{
    ASSERT(index < HLL_REGISTERS && rank >= 1 && rank <= REGISTER_MAX);
    if (hll_is_sparse(buf_bytes(value)))
        return sparse_raise(value, index, rank, sparse_size_max);
    return dense_raise(value, index, rank);
}

enum hll_result hll_add(struct buf *value, struct bytes element, size_t sparse_size_max)
{
    struct hll_place place = hll_place_of(element);
    return hll_raise(value, place.index, place.rank, sparse_size_max);
}

static bool merge_sparse(struct bytes value, uint8_t *registers)
{
    size_t at = HLL_HEADER_SIZE;
    uint32_t index = 0;
    struct hll_run run;
    if (value.size > HLL_SPARSE_SIZE_MAX)
        return false;
    while (hll_next_run(value, &at, &run)) {
        if (run.registers > HLL_REGISTERS - index)
            return false;
        for (uint32_t end = index + run.registers; index < end; index++) {
            if (registers[index] < run.rank)
                registers[index] = run.rank;
        }
    }
    return index == HLL_REGISTERS && at == value.size;
}

bool hll_merge(struct bytes value, uint8_t registers[static HLL_REGISTERS])
{
    if (hll_is_sparse(value))
        return merge_sparse(value, registers);
    for (uint32_t index = 0; index < HLL_REGISTERS; index++) {
        uint8_t rank = dense_get(value.data + HLL_HEADER_SIZE, index);
        if (registers[index] < rank)
            registers[index] = rank;
    }
    return true;
}

bool hll_make_dense(struct buf *value)
{
    uint8_t registers[HLL_REGISTERS] = {0};
    if (!hll_is_sparse(buf_bytes(value)))
        return true;
    if (!merge_sparse(buf_bytes(value), registers))
        return false;
    value->size = HLL_HEADER_SIZE;
    value->data[ENCODING_AT] = DENSE;
    uint8_t *dense = buf_extend(value, HLL_DENSE_SIZE - HLL_HEADER_SIZE);
    memset(dense, 0, HLL_DENSE_SIZE - HLL_HEADER_SIZE);
    for (uint32_t index = 0; index < HLL_REGISTERS; index++)
        dense_set(dense, index, registers[index]);
    return true;
}
