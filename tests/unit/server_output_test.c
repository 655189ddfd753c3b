/* A client's output: order and gates, against a model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/prng.h"
#include "fake_exec.h"
#include "server/output.h"

static void append(struct output *output, const char *text)
{
    buf_append_string(output_begin(output), text);
}

static void finish_at(struct output *output, uint32_t shard, uint64_t index)
{
    struct exec_gate gate = {.shard = shard, .term = 1, .index = index};
    output_finish(output, &gate, 1);
}

static void expect_sendable(const struct output *output, const char *text)
{
    struct bytes bytes = output_sendable(output);
    assert_true(bytes_equal(bytes, bytes_of_string(text)));
}

static void a_reply_without_a_gate_may_leave_at_once(void **state)
{
    (void)state;
    struct output output = {0};
    append(&output, "one");
    expect_sendable(&output, "");
    output_finish(&output, NULL, 0);
    expect_sendable(&output, "one");
    assert_false(output_is_gated(&output));
    output_free(&output);
}

static void nothing_leaves_behind_a_closed_gate_even_without_a_gate_of_its_own(void **state)
{
    (void)state;
    struct exec *exec = fake_exec_new();
    struct output output = {0};
    append(&output, "a");
    output_finish(&output, NULL, 0);
    append(&output, "b");
    finish_at(&output, 1, 5);
    append(&output, "c");
    output_finish(&output, NULL, 0);
    expect_sendable(&output, "a");
    exec->committed[1] = 4;
    assert_false(output_open_gates(&output, exec));
    expect_sendable(&output, "a");
    exec->committed[1] = 5;
    assert_true(output_open_gates(&output, exec));
    expect_sendable(&output, "abc");
    assert_false(output_is_gated(&output));
    output_free(&output);
    fake_exec_free(exec);
}

static void an_open_gate_behind_a_closed_one_lets_nothing_out(void **state)
{
    (void)state;
    struct exec *exec = fake_exec_new();
    struct output output = {0};
    append(&output, "a");
    finish_at(&output, 0, 1);
    append(&output, "b");
    finish_at(&output, 1, 1);
    exec->committed[1] = 9;
    assert_false(output_open_gates(&output, exec));
    expect_sendable(&output, "");
    exec->committed[0] = 1;
    assert_true(output_open_gates(&output, exec));
    expect_sendable(&output, "ab");
    output_free(&output);
    fake_exec_free(exec);
}

static void a_reply_with_several_gates_waits_for_all_of_them(void **state)
{
    (void)state;
    struct exec *exec = fake_exec_new();
    struct output output = {0};
    const struct exec_gate gates[] = {{0, 1, 3}, {1, 1, 2}, {2, 1, 1}};
    append(&output, "all");
    output_finish(&output, gates, 3);
    exec->committed[0] = 3;
    exec->committed[2] = 1;
    (void)output_open_gates(&output, exec);
    expect_sendable(&output, "");
    exec->committed[1] = 2;
    assert_true(output_open_gates(&output, exec));
    expect_sendable(&output, "all");
    output_free(&output);
    fake_exec_free(exec);
}

static void replies_at_one_gate_share_a_mark(void **state)
{
    (void)state;
    struct output output = {0};
    for (int i = 0; i < 1000; i++) {
        append(&output, "+OK\r\n");
        finish_at(&output, 2, 77);
    }
    assert_int_equal(output.mark_count, 1);
    append(&output, "+OK\r\n");
    finish_at(&output, 2, 78);
    assert_int_equal(output.mark_count, 2);
    output_free(&output);
}

/* A command that waits for a key cuts its reply back to where it began when the key is lost. */
static void a_reply_that_has_begun_keeps_its_place_before_its_first_byte(void **state)
{
    (void)state;
    struct output output = {0};
    append(&output, "before");
    output_finish(&output, NULL, 0);
    struct buf *out = output_begin(&output);
    size_t begin = out->size;
    output_sent(&output, output_sendable(&output).size);
    append(&output, "half an answer");
    out->size = begin;
    append(&output, "error");
    output_finish(&output, NULL, 0);
    expect_sendable(&output, "error");
    output_free(&output);
}

static void a_reply_that_has_begun_and_stays_empty_holds_no_memory(void **state)
{
    (void)state;
    struct output output = {0};
    append(&output, "before");
    output_finish(&output, NULL, 0);
    (void)output_begin(&output);
    output_sent(&output, output_sendable(&output).size);
    output_finish(&output, NULL, 0);
    assert_int_equal(output_unsent(&output), 0);
    assert_int_equal(output.buf.capacity, 0);
    output_free(&output);
}

static void a_dropped_reply_leaves_no_byte_and_no_mark(void **state)
{
    (void)state;
    struct output output = {0};
    append(&output, "kept");
    output_finish(&output, NULL, 0);
    append(&output, "dropped");
    assert_true(bytes_equal(output_unfinished(&output), BYTES_LITERAL("dropped")));
    output_drop_unfinished(&output);
    finish_at(&output, 0, 1);
    assert_false(output_is_gated(&output));
    expect_sendable(&output, "kept");
    assert_int_equal(output_unsent(&output), 4);
    output_free(&output);
}

static void a_reply_under_way_does_not_move_while_others_leave(void **state)
{
    (void)state;
    static char chunk[OUTPUT_STEP];
    struct output output = {0};
    buf_append(output_begin(&output), bytes_of(chunk, sizeof(chunk)));
    output_finish(&output, NULL, 0);
    append(&output, "half ");
    size_t at = output.buf.size;
    output_sent(&output, sizeof(chunk));
    append(&output, "and half");
    assert_int_equal(output.buf.size, at + 8);
    expect_sendable(&output, "");
    output_finish(&output, NULL, 0);
    expect_sendable(&output, "half and half");
    output_free(&output);
}

static size_t memory_after_sending(size_t reply_size)
{
    struct output output = {0};
    (void)buf_extend(output_begin(&output), reply_size);
    output_finish(&output, NULL, 0);
    output_sent(&output, reply_size);
    size_t memory = output_memory(&output);
    output_trim(&output);
    assert_int_equal(output_memory(&output), 0);
    output_free(&output);
    return memory;
}

static void memory_comes_in_steps_and_goes_when_empty(void **state)
{
    (void)state;
    struct output output = {0};
    assert_int_equal(output_memory(&output), 0);
    append(&output, "xy");
    output_finish(&output, NULL, 0);
    assert_int_equal(output_memory(&output), OUTPUT_STEP);
    output_trim(&output);
    output_sent(&output, 1);
    assert_int_equal(output_memory(&output), OUTPUT_STEP); /* something is in it */
    output_sent(&output, 1);
    assert_int_equal(output_memory(&output), 0);
    output_free(&output);
    assert_int_equal(memory_after_sending(OUTPUT_STEP), 0);
    assert_int_equal(memory_after_sending(OUTPUT_STEP + 1), 2 * OUTPUT_STEP); /* for the next one */
    assert_int_equal(memory_after_sending(OUTPUT_KEPT_MAX), OUTPUT_KEPT_MAX);
    assert_int_equal(memory_after_sending(OUTPUT_KEPT_MAX + 1), 0);
}

static void outputs_share_the_buffers_of_a_pool(void **state)
{
    (void)state;
    struct buf_pool pool = {0};
    struct output first = {.pool = &pool}, second = {.pool = &pool};
    append(&first, "x");
    output_finish(&first, NULL, 0);
    const uint8_t *memory = first.buf.data;
    output_sent(&first, 1);
    assert_int_equal(pool.count, 1);
    append(&second, "y");
    assert_ptr_equal(second.buf.data, memory);
    assert_int_equal(pool.count, 0);
    output_free(&second);
    assert_int_equal(pool.count, 1);
    output_free(&first);
    buf_pool_free(&pool);
}

static void a_pool_keeps_so_many_buffers_and_no_more(void **state)
{
    (void)state;
    struct buf_pool pool = {0};
    struct buf bufs[BUF_POOL_SPARES_MAX + 1] = {{0}};
    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_pool_take(&pool, &bufs[i]);
    for (size_t i = 0; i < COUNT_OF(bufs); i++) {
        buf_pool_give(&pool, &bufs[i]);
        assert_int_equal(pool.count, i < BUF_POOL_SPARES_MAX ? i + 1 : BUF_POOL_SPARES_MAX);
        assert_null(bufs[i].data);
    }
    struct buf grown = {0};
    buf_pool_free(&pool);
    buf_pool_take(&pool, &grown);
    (void)buf_extend(&grown, BUF_POOL_SIZE + 1);
    buf_pool_give(&pool, &grown); /* another size is not kept */
    assert_int_equal(pool.count, 0);
    assert_null(grown.data);
}

static void a_buffer_that_is_never_empty_does_not_grow_for_ever(void **state)
{
    (void)state;
    struct output output = {0};
    static char reply[1000];
    buf_append(output_begin(&output), bytes_of(reply, sizeof(reply)));
    output_finish(&output, NULL, 0);
    for (int i = 0; i < 100000; i++) {
        buf_append(output_begin(&output), bytes_of(reply, sizeof(reply)));
        output_finish(&output, NULL, 0);
        output_sent(&output, sizeof(reply));
    }
    assert_true(output_memory(&output) <= 4 * OUTPUT_STEP);
    assert_int_equal(output_unsent(&output), sizeof(reply));
    output_free(&output);
}

/* ---- gates that were lost ---- */

#define TRYAGAIN                                                                                   \
    "-TRYAGAIN The leader was replaced before this was committed; nothing was changed\r\n"
#define INDETERMINATE                                                                              \
    "-INDETERMINATE The leader was lost; whether this took effect is not known\r\n"

static void only_replies_at_a_lost_gate_become_errors_and_order_is_kept(void **state)
{
    (void)state;
    struct exec *exec = fake_exec_new();
    struct output output = {0};
    append(&output, "+one\r\n");
    finish_at(&output, 0, 1);
    append(&output, "+two\r\n");
    finish_at(&output, 1, 5);
    append(&output, "$3\r\ntwo\r\n");
    finish_at(&output, 1, 5);
    append(&output, "+three\r\n");
    finish_at(&output, 2, 7);
    append(&output, "+four\r\n");
    finish_at(&output, 3, 9);
    exec->lost[1] = EXEC_GATE_REPLACED;
    exec->lost[2] = EXEC_GATE_UNKNOWN;
    assert_false(output_open_gates(&output, exec)); /* the first one may still be committed */
    expect_sendable(&output, "");
    exec->committed[0] = 1;
    assert_true(output_open_gates(&output, exec));
    expect_sendable(&output, "+one\r\n" TRYAGAIN TRYAGAIN INDETERMINATE);
    exec->committed[3] = 9;
    assert_true(output_open_gates(&output, exec));
    expect_sendable(&output, "+one\r\n" TRYAGAIN TRYAGAIN INDETERMINATE "+four\r\n");
    assert_false(output_is_gated(&output));
    output_free(&output);
    fake_exec_free(exec);
}

/* Otherwise a client would believe that MULTI or SELECT was refused, and go on in a state that it
 * does not know of. */
static void a_reply_without_a_gate_survives_the_loss_of_those_around_it(void **state)
{
    (void)state;
    struct exec *exec = fake_exec_new();
    struct output output = {0};
    append(&output, "+set\r\n");
    finish_at(&output, 1, 5);
    append(&output, "+multi\r\n");
    output_finish(&output, NULL, 0);
    append(&output, "+queued\r\n");
    output_finish(&output, NULL, 0);
    append(&output, "*1\r\n+exec\r\n");
    finish_at(&output, 1, 5);
    assert_int_equal(output.mark_count, 3); /* the two without a gate share theirs */
    exec->lost[1] = EXEC_GATE_REPLACED;
    assert_true(output_open_gates(&output, exec));
    expect_sendable(&output, TRYAGAIN "+multi\r\n+queued\r\n" TRYAGAIN);
    output_free(&output);
    fake_exec_free(exec);
}

static const struct exec_gate BOTH[] = {{0, 1, 3}, {1, 1, 2}};

/* A write of all shards, of which one was lost: neither "done" nor "nothing was changed" is true.
 */
static void a_reply_of_which_one_gate_opens_and_one_is_replaced_is_indeterminate(void **state)
{
    (void)state;
    for (uint32_t lost = 0; lost < 2; lost++) {
        struct exec *exec = fake_exec_new();
        struct output output = {0};
        append(&output, "+flushed\r\n");
        output_finish(&output, BOTH, 2);
        append(&output, "+after\r\n");
        finish_at(&output, 1 - lost, 2);
        exec->lost[lost] = EXEC_GATE_REPLACED;
        exec->committed[1 - lost] = 3;
        assert_true(output_open_gates(&output, exec));
        expect_sendable(&output, INDETERMINATE "+after\r\n");
        output_free(&output);
        fake_exec_free(exec);
    }
}

static void a_lost_gate_of_several_does_not_hide_behind_the_reply_in_front(void **state)
{
    (void)state;
    struct exec *exec = fake_exec_new();
    struct output output = {0};
    append(&output, "+set\r\n");
    output_finish(&output, BOTH, 1);
    append(&output, "+flushed\r\n"); /* the same entry of the first shard, and one of another */
    output_finish(&output, BOTH, 2);
    append(&output, "+after\r\n"); /* and that one alone */
    output_finish(&output, BOTH + 1, 1);
    exec->lost[0] = EXEC_GATE_REPLACED;
    (void)output_open_gates(&output, exec);
    exec->committed[1] = 2;
    (void)output_open_gates(&output, exec);
    expect_sendable(&output, TRYAGAIN INDETERMINATE "+after\r\n");
    output_free(&output);
    fake_exec_free(exec);
}

static void a_reply_with_a_lost_gate_does_not_wait_for_its_others(void **state)
{
    (void)state;
    struct exec *exec = fake_exec_new();
    struct output output = {0};
    append(&output, "+flushed\r\n");
    output_finish(&output, BOTH, 2);
    exec->lost[0] = EXEC_GATE_UNKNOWN;
    assert_true(output_open_gates(&output, exec));
    expect_sendable(&output, INDETERMINATE);
    output_free(&output);
    fake_exec_free(exec);
}

/* Its writer remembers where it began, so what is in front may leave, but not change its size. */
static void while_a_reply_is_written_those_that_were_lost_wait_for_its_end(void **state)
{
    (void)state;
    struct exec *exec = fake_exec_new();
    struct output output = {0};
    append(&output, "+one\r\n");
    finish_at(&output, 0, 1);
    append(&output, "+two\r\n");
    finish_at(&output, 1, 1);
    struct buf *out = output_begin(&output);
    size_t begin = out->size;
    append(&output, "half an answ");
    exec->committed[0] = 1;
    exec->lost[1] = EXEC_GATE_REPLACED;
    assert_true(output_open_gates(&output, exec));
    expect_sendable(&output, "+one\r\n");
    assert_false(output_open_gates(&output, exec));
    out->size = begin;
    append(&output, "+three\r\n");
    output_finish(&output, NULL, 0);
    expect_sendable(&output, "+one\r\n");
    assert_true(output_open_gates(&output, exec));
    expect_sendable(&output, "+one\r\n" TRYAGAIN "+three\r\n");
    output_free(&output);
    fake_exec_free(exec);
}

static void a_lost_reply_is_replaced_behind_what_has_left_already(void **state)
{
    (void)state;
    struct exec *exec = fake_exec_new();
    struct output output = {0};
    char big[3 * OUTPUT_STEP];
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = 0;
    append(&output, big);
    output_finish(&output, NULL, 0);
    append(&output, "%1\r\n+a\r\n_\r\n"); /* a map of RESP3 */
    finish_at(&output, 1, 1);
    append(&output, "+b\r\n");
    finish_at(&output, 2, 1);
    output_sent(&output, 2 * OUTPUT_STEP);
    append(&output, "+c\r\n"); /* moves what is left to the front */
    finish_at(&output, 3, 1);
    exec->lost[1] = EXEC_GATE_UNKNOWN;
    exec->lost[3] = EXEC_GATE_REPLACED;
    assert_true(output_open_gates(&output, exec));
    output_sent(&output, OUTPUT_STEP - 1);
    expect_sendable(&output, INDETERMINATE);
    output_sent(&output, strlen(INDETERMINATE));
    exec->committed[2] = 1;
    assert_true(output_open_gates(&output, exec));
    expect_sendable(&output, "+b\r\n" TRYAGAIN);
    output_sent(&output, output_sendable(&output).size);
    assert_int_equal(output_unsent(&output), 0);
    output_free(&output);
    fake_exec_free(exec);
}

static const char *fate_of(const struct exec_gate *gates, int count, const struct exec *exec)
{
    bool is_lost = false, is_unknown = count > 1;
    for (int i = 0; i < count; i++) {
        enum exec_gate_state gate = exec_gate_state(exec, gates[i]);
        is_lost |= gate != EXEC_GATE_OPEN;
        is_unknown |= gate == EXEC_GATE_UNKNOWN;
    }
    return !is_lost ? NULL : is_unknown ? INDETERMINATE : TRYAGAIN;
}

/* Pipelines drawn at random, of which some shards are lost: each reply becomes what its own gates
 * say, whatever stands around it. */
static void each_reply_of_a_pipeline_becomes_what_its_own_gates_say(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct prng prng = prng_init(seed);
        struct exec *exec = fake_exec_new();
        struct output output = {0};
        struct buf expected = {0};
        for (uint32_t shard = 0; shard < FAKE_SHARDS; shard++) {
            exec->lost[shard] = prng_chance(&prng, 500000) ? EXEC_GATE_REPLACED : EXEC_GATE_UNKNOWN;
            exec->committed[shard] = prng_between(&prng, 0, 4);
        }
        for (uint64_t i = prng_between(&prng, 1, 40); i > 0; i--) {
            struct exec_gate gates[3];
            char text[32];
            int count = (int)prng_below(&prng, 4);
            uint32_t first = (uint32_t)prng_below(&prng, 2);
            for (int g = 0; g < count; g++)
                gates[g] = (struct exec_gate){first + (uint32_t)g, 1, prng_between(&prng, 1, 5)};
            (void)snprintf(text, sizeof(text), ":%llu\r\n", (unsigned long long)(i * i * i));
            append(&output, text);
            output_finish(&output, gates, count);
            const char *fate = fate_of(gates, count, exec);
            buf_append_string(&expected, fate != NULL ? fate : text);
        }
        (void)output_open_gates(&output, exec);
        assert_true(bytes_equal(output_sendable(&output), buf_bytes(&expected)));
        assert_false(output_is_gated(&output));
        buf_free(&expected);
        output_free(&output);
        fake_exec_free(exec);
    }
}

/* ---- the model: a list of replies, each with its gates, and how much of all of it has left ----
 */

enum { MODEL_REPLIES = 400, MODEL_GATES = 3, MODEL_STEPS = 3000 };

struct model_reply {
    uint8_t letter;
    size_t size;
    struct exec_gate gates[MODEL_GATES];
    int gate_count;
};

struct model {
    struct model_reply replies[MODEL_REPLIES];
    size_t count;
    uint64_t taken;
};

static bool reply_is_open(const struct model_reply *reply, const struct exec *exec)
{
    for (int i = 0; i < reply->gate_count; i++) {
        if (!exec_gate_is_open(exec, reply->gates[i]))
            return false;
    }
    return true;
}

/* The stream that may have left so far, byte for byte. */
static void model_stream(const struct model *model, const struct exec *exec, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < model->count && reply_is_open(&model->replies[i], exec); i++)
        memset(buf_extend(out, model->replies[i].size), model->replies[i].letter,
               model->replies[i].size);
}

static void step_append(struct model *model, struct output *output, struct exec *exec,
                        struct prng *prng)
{
    struct model_reply *reply = &model->replies[model->count];
    *reply =
        (struct model_reply){.letter = (uint8_t)('a' + model->count % 26),
                             .size = prng_between(prng, 1, prng_chance(prng, 50000) ? 60000 : 40),
                             .gate_count = (int)prng_below(prng, MODEL_GATES + 1)};
    for (int i = 0; i < reply->gate_count; i++) {
        uint32_t shard = (uint32_t)prng_below(prng, FAKE_SHARDS);
        exec->last[shard] += prng_below(prng, 2);
        reply->gates[i] = (struct exec_gate){.shard = shard, .term = 1, .index = exec->last[shard]};
    }
    memset(buf_extend(output_begin(output), reply->size), reply->letter, reply->size);
    if (prng_chance(prng, 100000)) {
        output_drop_unfinished(output);
        return;
    }
    output_finish(output, reply->gates, reply->gate_count);
    model->count++;
}

static void step_commit(struct output *output, struct exec *exec, struct prng *prng)
{
    uint32_t shard = (uint32_t)prng_below(prng, FAKE_SHARDS);
    exec->committed[shard] = prng_between(prng, exec->committed[shard], exec->last[shard]);
    (void)output_open_gates(output, exec);
}

/* What leaves must be what the model says comes next, and no more than it says may leave. */
static void step_take(struct model *model, struct output *output, struct exec *exec,
                      struct prng *prng, struct buf *stream)
{
    (void)output_open_gates(output, exec);
    model_stream(model, exec, stream);
    struct bytes sendable = output_sendable(output);
    assert_int_equal(model->taken + sendable.size, stream->size);
    if (sendable.size == 0)
        return;
    assert_memory_equal(sendable.data, stream->data + model->taken, sendable.size);
    size_t size = prng_chance(prng, 500000) ? sendable.size : prng_between(prng, 0, sendable.size);
    output_sent(output, size);
    model->taken += size;
}

static void run_model(uint64_t seed)
{
    static struct model model;
    struct prng prng = prng_init(seed);
    struct exec *exec = fake_exec_new();
    struct output output = {0};
    struct buf stream = {0};
    uint64_t append_share = prng_between(&prng, 1, 8), commit_share = prng_between(&prng, 1, 8);
    model = (struct model){0};
    for (int i = 0; i < MODEL_STEPS; i++) {
        uint64_t draw = prng_below(&prng, append_share + commit_share + 3);
        if (draw < append_share && model.count < MODEL_REPLIES)
            step_append(&model, &output, exec, &prng);
        else if (draw < append_share + commit_share)
            step_commit(&output, exec, &prng);
        else
            step_take(&model, &output, exec, &prng, &stream);
    }
    fake_exec_commit(exec);
    step_take(&model, &output, exec, &prng, &stream);
    assert_false(output_is_gated(&output));
    buf_free(&stream);
    output_free(&output);
    fake_exec_free(exec);
}

static void what_leaves_is_what_the_model_says(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++)
        run_model(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_without_a_gate_may_leave_at_once),
        cmocka_unit_test(nothing_leaves_behind_a_closed_gate_even_without_a_gate_of_its_own),
        cmocka_unit_test(an_open_gate_behind_a_closed_one_lets_nothing_out),
        cmocka_unit_test(a_reply_with_several_gates_waits_for_all_of_them),
        cmocka_unit_test(replies_at_one_gate_share_a_mark),
        cmocka_unit_test(a_reply_that_has_begun_keeps_its_place_before_its_first_byte),
        cmocka_unit_test(a_reply_that_has_begun_and_stays_empty_holds_no_memory),
        cmocka_unit_test(a_dropped_reply_leaves_no_byte_and_no_mark),
        cmocka_unit_test(a_reply_under_way_does_not_move_while_others_leave),
        cmocka_unit_test(memory_comes_in_steps_and_goes_when_empty),
        cmocka_unit_test(outputs_share_the_buffers_of_a_pool),
        cmocka_unit_test(a_pool_keeps_so_many_buffers_and_no_more),
        cmocka_unit_test(a_buffer_that_is_never_empty_does_not_grow_for_ever),
        cmocka_unit_test(only_replies_at_a_lost_gate_become_errors_and_order_is_kept),
        cmocka_unit_test(a_reply_without_a_gate_survives_the_loss_of_those_around_it),
        cmocka_unit_test(a_reply_of_which_one_gate_opens_and_one_is_replaced_is_indeterminate),
        cmocka_unit_test(a_lost_gate_of_several_does_not_hide_behind_the_reply_in_front),
        cmocka_unit_test(a_reply_with_a_lost_gate_does_not_wait_for_its_others),
        cmocka_unit_test(while_a_reply_is_written_those_that_were_lost_wait_for_its_end),
        cmocka_unit_test(a_lost_reply_is_replaced_behind_what_has_left_already),
        cmocka_unit_test(each_reply_of_a_pipeline_becomes_what_its_own_gates_say),
        cmocka_unit_test(what_leaves_is_what_the_model_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
