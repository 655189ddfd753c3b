/* PFADD, PFCOUNT, PFMERGE and what tests of them ask. The count is not kept in the string, as Redis
 * does when it counts: a reading command writes nothing here. */
#include "types/hll.h"

#include <stdio.h>

#include "commands/call.h"
#include "commands/hll_commands.h"

/* A copy of the HyperLogLog at key, empty when there is no key. False after an error. */
static bool find_hll(struct call *c, struct bytes key, struct buf *copy, bool *exists)
{
    char scratch[STRING_INT_TEXT_MAX];
    struct object *object;
    if (!call_find_string(c, key, &object))
        return false;
    *exists = object != NULL;
    if (object == NULL)
        return true;
    struct bytes value = string_value(object, scratch);
    if (!hll_is(value)) {
        call_error(c, "WRONGTYPE Key is not a valid HyperLogLog string value.");
        return false;
    }
    buf_append(copy, value);
    return true;
}

static void refuse_damaged(struct call *c)
{
    call_error(c, "INVALIDOBJ Corrupted HLL object detected");
}

/* Whatever of the string differs from what is stored is written, so a change of a dense one logs
 * the chunks it touches. */
static void store_hll(struct call *c, struct bytes key, struct bytes fresh, bool exists)
{
    char scratch[STRING_INT_TEXT_MAX];
    struct object *object;
    if (!call_reserve(c, key.size + fresh.size) || !call_find_string(c, key, &object))
        return;
    struct bytes old = object == NULL ? bytes_of(NULL, 0) : string_value(object, scratch);
    if (!exists || old.size != fresh.size) {
        call_set_string(c, key, fresh, CALL_KEEP_EXPIRE);
        return;
    }
    size_t from = 0, to = fresh.size;
    while (from < to && old.data[from] == fresh.data[from])
        from++;
    while (to > from && old.data[to - 1] == fresh.data[to - 1])
        to--;
    if (to > from)
        call_write_string(c, key, from, bytes_of(fresh.data + from, to - from));
}

void hll_pfadd(struct call *c)
{
    struct buf hll = {0};
    bool exists;
    if (!find_hll(c, c->argv[1], &hll, &exists))
        return;
    bool has_changed = !exists;
    if (!exists)
        hll_make(&hll);
    int raised = 0;
    for (int i = 2; i < c->argc && raised >= 0; i++) {
        uint32_t index;
        uint8_t value;
        hll_hash(c->argv[i], &index, &value);
        raised = hll_raise(&hll, index, value, c->env->hll_sparse_bytes_max);
        has_changed |= raised > 0;
    }
    if (raised < 0) {
        refuse_damaged(c);
    } else {
        if (has_changed) {
            hll_forget_cached(hll.data);
            store_hll(c, c->argv[1], buf_bytes(&hll), exists);
            call_notify(c, '$', "pfadd", c->argv[1]);
        }
        if (!c->has_failed)
            reply_int(&c->reply, has_changed);
    }
    buf_free(&hll);
}

/* The highest of each register over keys [first, argc). False after an error. */
static bool unite(struct call *c, int first, uint8_t registers[static HLL_REGISTERS],
                  bool *has_dense)
{
    uint8_t its[HLL_REGISTERS];
    memset(registers, 0, HLL_REGISTERS);
    *has_dense = false;
    for (int i = first; i < c->argc; i++) {
        struct buf hll = {0};
        bool exists;
        if (!find_hll(c, c->argv[i], &hll, &exists))
            return false;
        bool is_good = !exists || hll_read(buf_bytes(&hll), its);
        *has_dense |= exists && hll_is_dense(buf_bytes(&hll));
        buf_free(&hll);
        if (!is_good) {
            refuse_damaged(c);
            return false;
        }
        for (uint32_t at = 0; exists && at < HLL_REGISTERS; at++)
            registers[at] = its[at] > registers[at] ? its[at] : registers[at];
    }
    return true;
}

void hll_pfcount(struct call *c)
{
    uint8_t registers[HLL_REGISTERS];
    bool has_dense;
    if (unite(c, 1, registers, &has_dense))
        reply_int(&c->reply, (int64_t)hll_estimate(registers));
}

/* The target takes part and keeps its registers; it becomes dense when one of all is. */
void hll_pfmerge(struct call *c)
{
    uint8_t registers[HLL_REGISTERS];
    struct buf hll = {0};
    bool has_dense, exists;
    if (!unite(c, 1, registers, &has_dense) || !find_hll(c, c->argv[1], &hll, &exists))
        return;
    if (!exists)
        hll_make(&hll);
    if (has_dense) {
        buf_clear(&hll);
        hll_write(registers, false, 0, &hll);
    }
    int raised = 0;
    for (uint32_t at = 0; at < HLL_REGISTERS && raised >= 0; at++) {
        if (registers[at] > 0)
            raised = hll_raise(&hll, at, registers[at], c->env->hll_sparse_bytes_max);
    }
    ASSERT(raised >= 0); /* it was read whole */
    hll_forget_cached(hll.data);
    store_hll(c, c->argv[1], buf_bytes(&hll), exists);
    buf_free(&hll);
    if (c->has_failed)
        return;
    call_notify(c, '$', "pfadd", c->argv[1]);
    reply_ok(&c->reply);
}

/* ---- PFDEBUG, PFSELFTEST ---- */

static void reply_registers(struct call *c, const uint8_t registers[static HLL_REGISTERS])
{
    reply_array(&c->reply, HLL_REGISTERS);
    for (uint32_t i = 0; i < HLL_REGISTERS; i++)
        reply_int(&c->reply, registers[i]);
}

static void append_run(struct buf *out, uint8_t value, uint32_t length)
{
    const char *kind = value > 0 ? "v" : length > 64 ? "Z" : "z";
    if (value > 0)
        buf_printf(out, "%s:%u,%u ", kind, value, length);
    else
        buf_printf(out, "%s:%u ", kind, length);
}

static void reply_runs(struct call *c, struct bytes hll)
{
    struct buf text = {0};
    uint8_t value;
    uint32_t length;
    for (size_t at = HLL_HEAD_SIZE; at < hll.size;) {
        size_t used = hll_run(bytes_of(hll.data + at, hll.size - at), &length, &value);
        if (used == 0)
            break; /* cut short */
        at += used;
        append_run(&text, value, length);
    }
    if (text.size > 0)
        text.size--;
    reply_bulk(&c->reply, buf_bytes(&text));
    buf_free(&text);
}

/* True when it was sparse. */
static bool to_dense(struct call *c, struct bytes hll, const uint8_t *registers)
{
    struct buf dense = {0};
    bool is_sparse = !hll_is_dense(hll);
    if (is_sparse) {
        hll_write(registers, false, 0, &dense);
        hll_forget_cached(dense.data);
        store_hll(c, c->argv[2], buf_bytes(&dense), true);
    }
    buf_free(&dense);
    return is_sparse;
}

/* Registers are shown of dense ones: a sparse one becomes one, as in Redis. */
static void debug_registers(struct call *c, struct bytes hll)
{
    uint8_t registers[HLL_REGISTERS];
    if (!hll_read(hll, registers)) {
        refuse_damaged(c);
        return;
    }
    bool was_sparse = to_dense(c, hll, registers);
    if (c->has_failed)
        return;
    if (call_is_word(c, 1, "getreg"))
        reply_registers(c, registers);
    else
        reply_int(&c->reply, was_sparse);
}

static void debug(struct call *c, struct bytes hll)
{
    if (call_is_word(c, 1, "getreg") || call_is_word(c, 1, "todense"))
        debug_registers(c, hll);
    else if (call_is_word(c, 1, "encoding"))
        reply_simple(&c->reply, hll_is_dense(hll) ? "dense" : "sparse");
    else if (!call_is_word(c, 1, "decode"))
        call_error(c, "ERR Unknown PFDEBUG subcommand '%.*s'",
                   (int)(c->argv[1].size < 128 ? c->argv[1].size : 128),
                   (const char *)c->argv[1].data);
    else if (hll_is_dense(hll))
        call_error(c, "ERR HLL encoding is not sparse");
    else
        reply_runs(c, hll);
}

void hll_pfdebug(struct call *c)
{
    struct buf hll = {0};
    bool exists;
    if (!find_hll(c, c->argv[2], &hll, &exists))
        return;
    if (c->argc != 3)
        call_error(c, "ERR Wrong number of arguments for the given subcommand or the subcommand "
                      "is not supported.");
    else if (!exists)
        call_error(c, "ERR The specified key does not exist");
    else
        debug(c, buf_bytes(&hll));
    buf_free(&hll);
}

/* Counts rising numbers of elements: the estimate stays within four standard errors (1.04 / 128).
 */
void hll_pfselftest(struct call *c)
{
    enum { ELEMENTS = 100000, FIRST = 100 };
    uint8_t registers[HLL_REGISTERS] = {0};
    uint32_t next = FIRST;
    for (uint32_t i = 1; i <= ELEMENTS; i++) {
        uint32_t index;
        uint8_t value;
        hll_hash(bytes_of(&i, sizeof(i)), &index, &value);
        registers[index] = value > registers[index] ? value : registers[index];
        if (i < next)
            continue;
        int64_t error = (int64_t)hll_estimate(registers) - (int64_t)i;
        if ((error < 0 ? -error : error) > 1 + (int64_t)i * 4 * 104 / 12800) {
            call_error(c, "ERR TESTFAILED Too big error. card:%u abserr:%lld", i, (long long)error);
            return;
        }
        next *= 10;
    }
    reply_ok(&c->reply);
}
