/* PFDEBUG, PFSELFTEST: to look at a HyperLogLog from within, and to try this build's arithmetic. */
#include <math.h>

#include "base/prng.h"
#include "commands/call.h"
#include "commands/hyperloglog_commands.h"
#include "types/hyperloglog.h"

/* Stores the key's value as a dense one. False after an error reply. */
static bool make_dense(struct call *c, struct bytes key, struct buf *value)
{
    if (!hll_make_dense(value)) {
        hyperloglog_error_damaged(c);
        return false;
    }
    if (!hyperloglog_reserve(c, key, value->size))
        return false;
    hyperloglog_store(c, key, buf_bytes(value));
    return true;
}

static void todense(struct call *c, struct bytes key, struct buf *value)
{
    bool was_sparse = hll_is_sparse(buf_bytes(value));
    if (!was_sparse || make_dense(c, key, value))
        reply_int(&c->reply, was_sparse);
}

/* As in Redis it leaves a dense value. */
static void getreg(struct call *c, struct bytes key, struct buf *value)
{
    uint8_t registers[HLL_REGISTERS] = {0};
    if (hll_is_sparse(buf_bytes(value)) && !make_dense(c, key, value))
        return;
    if (!hll_merge(buf_bytes(value), registers))
        UNREACHABLE(); /* a dense value is never damaged */
    reply_array(&c->reply, HLL_REGISTERS);
    for (uint32_t index = 0; index < HLL_REGISTERS; index++)
        reply_int(&c->reply, registers[index]);
}

static void decode(struct call *c, struct bytes key, struct buf *value)
{
    struct buf text = {0};
    struct hll_run run;
    size_t at = HLL_HEADER_SIZE;
    (void)key;
    if (!hll_is_sparse(buf_bytes(value))) {
        call_error(c, "ERR HLL encoding is not sparse");
        return;
    }
    while (hll_next_run(buf_bytes(value), &at, &run)) {
        if (text.size > 0)
            buf_append_u8(&text, ' ');
        if (run.rank > 0)
            buf_printf(&text, "v:%u,%u", (unsigned)run.rank, (unsigned)run.registers);
        else
            buf_printf(&text, "%c:%u", run.size == 1 ? 'z' : 'Z', (unsigned)run.registers);
    }
    reply_bulk(&c->reply, buf_bytes(&text));
    buf_free(&text);
}

static void encoding(struct call *c, struct bytes key, struct buf *value)
{
    (void)key;
    reply_simple(&c->reply, hll_is_sparse(buf_bytes(value)) ? "sparse" : "dense");
}

void hyperloglog_pfdebug(struct call *c)
{
    static const struct {
        const char *word;
        void (*run)(struct call *c, struct bytes key, struct buf *value);
    } words[] = {
        {"GETREG", getreg}, {"DECODE", decode}, {"ENCODING", encoding}, {"TODENSE", todense}};
    struct object *object;
    struct bytes key = c->argv[2];
    if (!hyperloglog_find(c, key, &object))
        return;
    if (object == NULL) {
        call_error(c, "ERR The specified key does not exist");
        return;
    }
    struct buf value = {0};
    buf_append(&value, hyperloglog_value(object));
    size_t i = 0;
    while (i < COUNT_OF(words) && !call_is_word(c, 1, words[i].word))
        i++;
    if (i < COUNT_OF(words))
        words[i].run(c, key, &value);
    else
        call_error(c, "ERR Unknown PFDEBUG subcommand '%.*s'", (int)c->argv[1].size,
                   (const char *)c->argv[1].data);
    buf_free(&value);
}

/* ---- PFSELFTEST ---- */

enum { TEST_ELEMENTS = 60000, TEST_SPARSE_MAX = 1000 };

/* True when a dense and a sparse value that grow with the same elements hold the same registers. */
static bool are_alike(const struct buf *a, const struct buf *b)
{
    uint8_t of_a[HLL_REGISTERS] = {0}, of_b[HLL_REGISTERS] = {0};
    return hll_merge(buf_bytes(a), of_a) && hll_merge(buf_bytes(b), of_b) &&
           memcmp(of_a, of_b, sizeof(of_a)) == 0;
}

/* Four standard errors (1.04 / sqrt(registers) each), and a few elements for small counts. */
static bool is_near(const struct buf *value, uint64_t count)
{
    uint8_t registers[HLL_REGISTERS] = {0};
    if (!hll_merge(buf_bytes(value), registers))
        return false;
    double error = fabs((double)hll_estimate(registers) - (double)count);
    return error <= 4 * 1.04 / 128 * (double)count + 5;
}

void hyperloglog_pfselftest(struct call *c)
{
    struct buf sparse = {0}, dense = {0};
    struct prng prng = prng_init(1);
    bool is_good = true;
    hll_init(&sparse);
    hll_init(&dense);
    is_good = hll_make_dense(&dense);
    for (uint64_t count = 1; is_good && count <= TEST_ELEMENTS; count++) {
        uint64_t element = prng_next(&prng);
        struct bytes bytes = bytes_of(&element, sizeof(element));
        is_good = hll_add(&sparse, bytes, TEST_SPARSE_MAX) == hll_add(&dense, bytes, 0);
        if ((count & (count - 1)) == 0 || count == TEST_ELEMENTS)
            is_good = is_good && are_alike(&sparse, &dense) && is_near(&dense, count);
    }
    if (is_good)
        reply_ok(&c->reply);
    else
        call_error(c, "TESTFAILED registers or estimates are not what they should be");
    buf_free(&sparse);
    buf_free(&dense);
}
