#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "exec/fiber.h"

struct task {
    struct fiber_pool *pool;
    struct fiber *fiber;
    struct buf *trace;
    int number;
    int rounds;
    int depth; /* of calls before each yield */
    struct task *inner;
};

static void yield_deep(struct task *task, int depth)
{
    volatile uint8_t frame[256];
    for (size_t i = 0; i < sizeof(frame); i++)
        frame[i] = (uint8_t)(task->number + depth);
    if (depth > 0)
        yield_deep(task, depth - 1);
    else
        fiber_yield(task->fiber);
    for (size_t i = 0; i < sizeof(frame); i++)
        assert_int_equal(frame[i], (uint8_t)(task->number + depth));
}

static void task_main(void *argument)
{
    struct task *task = argument;
    for (int i = 0; i < task->rounds; i++) {
        buf_printf(task->trace, "%d.%d ", task->number, i);
        yield_deep(task, task->depth);
    }
}

static void start(struct task *task)
{
    task->fiber = fiber_new(task->pool, task_main, task);
}

static void fibers_take_turns_as_they_are_resumed(void **state)
{
    (void)state;
    struct fiber_pool *pool = fiber_pool_new();
    struct buf trace = {0};
    struct task a = {.pool = pool, .trace = &trace, .number = 1, .rounds = 2, .depth = 3};
    struct task b = {.pool = pool, .trace = &trace, .number = 2, .rounds = 1, .depth = 40};
    start(&a);
    start(&b);
    assert_int_equal(trace.size, 0); /* nothing runs before it is resumed */
    assert_true(fiber_resume(b.fiber));
    assert_true(fiber_resume(a.fiber));
    assert_true(fiber_resume(a.fiber));
    assert_false(fiber_resume(b.fiber));
    assert_false(fiber_resume(a.fiber));
    buf_append_u8(&trace, 0);
    assert_string_equal((const char *)trace.data, "2.0 1.0 1.1 ");
    buf_free(&trace);
    fiber_pool_free(pool);
}

static void many_fibers_live_at_once_and_stacks_are_used_again(void **state)
{
    (void)state;
    enum { TASKS = 200, ROUNDS = 3 };
    struct fiber_pool *pool = fiber_pool_new();
    struct buf trace = {0};
    struct task *tasks = mem_zero(TASKS * sizeof(*tasks));
    for (int again = 0; again < 3; again++) {
        for (int i = 0; i < TASKS; i++) {
            tasks[i] = (struct task){
                .pool = pool, .trace = &trace, .number = i, .rounds = ROUNDS, .depth = i % 50};
            start(&tasks[i]);
        }
        for (int round = 0; round <= ROUNDS; round++) {
            for (int i = 0; i < TASKS; i++)
                assert_int_equal(fiber_resume(tasks[i].fiber), round < ROUNDS);
        }
    }
    mem_free(tasks);
    buf_free(&trace);
    fiber_pool_free(pool);
}

static void nest_main(void *argument)
{
    struct task *task = argument;
    buf_printf(task->trace, "(%d ", task->number);
    if (task->inner != NULL) {
        task->inner->fiber = fiber_new(task->pool, nest_main, task->inner);
        while (fiber_resume(task->inner->fiber))
            fiber_yield(task->fiber);
    } else {
        fiber_yield(task->fiber);
    }
    buf_printf(task->trace, "%d) ", task->number);
}

static void a_fiber_may_run_another(void **state)
{
    (void)state;
    struct fiber_pool *pool = fiber_pool_new();
    struct buf trace = {0};
    struct task tasks[4];
    for (int i = 3; i >= 0; i--)
        tasks[i] = (struct task){
            .pool = pool, .trace = &trace, .number = i, .inner = i < 3 ? &tasks[i + 1] : NULL};
    tasks[0].fiber = fiber_new(pool, nest_main, &tasks[0]);
    assert_true(fiber_resume(tasks[0].fiber));
    assert_false(fiber_resume(tasks[0].fiber));
    buf_append_u8(&trace, 0);
    assert_string_equal((const char *)trace.data, "(0 (1 (2 (3 3) 2) 1) 0) ");
    buf_free(&trace);
    fiber_pool_free(pool);
}

static void a_fiber_that_will_not_go_on_is_given_up(void **state)
{
    (void)state;
    struct fiber_pool *pool = fiber_pool_new();
    struct buf trace = {0};
    struct task task = {.pool = pool, .trace = &trace, .number = 1, .rounds = 5, .depth = 2};
    start(&task);
    assert_true(fiber_resume(task.fiber));
    fiber_abandon(task.fiber);
    buf_append_u8(&trace, 0);
    assert_string_equal((const char *)trace.data, "1.0 ");
    buf_free(&trace);
    fiber_pool_free(pool); /* asserts that none is under way */
    fiber_pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fibers_take_turns_as_they_are_resumed),
        cmocka_unit_test(many_fibers_live_at_once_and_stacks_are_used_again),
        cmocka_unit_test(a_fiber_may_run_another),
        cmocka_unit_test(a_fiber_that_will_not_go_on_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
