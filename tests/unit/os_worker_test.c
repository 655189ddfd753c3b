#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/worker.h"

struct note_job {
    struct job job;
    int number;
    int ran;
    char thread_name[16];
};

static void note_run(struct job *job)
{
    struct note_job *note = CONTAINER_OF(job, struct note_job, job);
    note->ran++;
    (void)pthread_getname_np(pthread_self(), note->thread_name, sizeof(note->thread_name));
}

static struct note_job note_job(int number)
{
    return (struct note_job){.job = {.run = note_run, .kind = number}, .number = number};
}

static void wait_for(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 10000), 1);
    uint64_t count = 0;
    assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
    assert_true(count > 0);
}

static void one_thread_runs_jobs_in_order_and_wakes_the_loop(void **state)
{
    (void)state;
    enum { JOBS = 100 };
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct worker *worker = worker_new("order", 1, JOBS, fd);
    struct note_job jobs[JOBS];
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = note_job(i);
        assert_true(worker_submit(worker, &jobs[i].job));
    }
    int taken = 0;
    while (taken < JOBS) {
        wait_for(fd);
        struct job *job;
        while ((job = worker_take_done(worker)) != NULL)
            assert_int_equal(job->kind, taken++);
    }
    assert_string_equal(jobs[0].thread_name, "order");
    assert_int_equal(worker_inside(worker), 0);
    assert_null(worker_take_done(worker));
    worker_free(worker);
    (void)close(fd);
}

static void several_threads_run_each_job_once(void **state)
{
    (void)state;
    enum { JOBS = 500 };
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct worker *worker = worker_new("several", 3, JOBS, fd);
    struct note_job jobs[JOBS];
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = note_job(i);
        assert_true(worker_submit(worker, &jobs[i].job));
    }
    for (int taken = 0; taken < JOBS;) {
        wait_for(fd);
        while (worker_take_done(worker) != NULL)
            taken++;
    }
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(jobs[i].ran, 1);
    worker_free(worker);
    (void)close(fd);
}

static void the_queue_refuses_one_more_than_its_limit_until_a_job_is_taken(void **state)
{
    (void)state;
    struct worker *worker = worker_new_manual(2);
    struct note_job jobs[3] = {note_job(0), note_job(1), note_job(2)};
    assert_true(worker_submit(worker, &jobs[0].job));
    assert_true(worker_submit(worker, &jobs[1].job));
    assert_false(worker_submit(worker, &jobs[2].job));
    assert_int_equal(worker_inside(worker), 2);
    assert_true(worker_run_one(worker));
    assert_false(worker_submit(worker, &jobs[2].job)); /* done, but still inside */
    assert_ptr_equal(worker_take_done(worker), &jobs[0].job);
    assert_true(worker_submit(worker, &jobs[2].job));
    assert_int_equal(worker_waiting(worker), 2);
    worker_free(worker);
    assert_int_equal(jobs[2].ran, 1); /* the end waits for what waits */
}

static void a_manual_worker_runs_nothing_by_itself_and_any_position_when_asked(void **state)
{
    (void)state;
    struct worker *worker = worker_new_manual(4);
    struct note_job jobs[3] = {note_job(0), note_job(1), note_job(2)};
    assert_false(worker_run_one(worker));
    for (int i = 0; i < 3; i++)
        assert_true(worker_submit(worker, &jobs[i].job));
    assert_null(worker_take_done(worker));
    assert_false(worker_run_at(worker, 3));
    assert_true(worker_run_at(worker, 1));
    assert_int_equal(jobs[0].ran, 0);
    assert_ptr_equal(worker_take_done(worker), &jobs[1].job);
    assert_true(worker_run_at(worker, 1));
    assert_ptr_equal(worker_take_done(worker), &jobs[2].job);
    assert_true(worker_run_one(worker));
    assert_ptr_equal(worker_take_done(worker), &jobs[0].job);
    assert_false(worker_run_one(worker));
    worker_free(worker);
}

static void freeing_waits_for_all_jobs(void **state)
{
    (void)state;
    enum { JOBS = 50 };
    struct worker *worker = worker_new("free", 2, JOBS, -1);
    struct note_job jobs[JOBS];
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = note_job(i);
        assert_true(worker_submit(worker, &jobs[i].job));
    }
    worker_free(worker);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(jobs[i].ran, 1);
    worker_free(NULL);
}

static void the_clocks_tell_a_plausible_time_and_the_boot_clock_never_steps_back(void **state)
{
    (void)state;
    assert_true(clock_wall_us() > 1700000000000000ULL);
    uint64_t before = clock_boot_us();
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_boot_us();
        assert_true(now >= before);
        before = now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_runs_jobs_in_order_and_wakes_the_loop),
        cmocka_unit_test(several_threads_run_each_job_once),
        cmocka_unit_test(the_queue_refuses_one_more_than_its_limit_until_a_job_is_taken),
        cmocka_unit_test(a_manual_worker_runs_nothing_by_itself_and_any_position_when_asked),
        cmocka_unit_test(freeing_waits_for_all_jobs),
        cmocka_unit_test(the_clocks_tell_a_plausible_time_and_the_boot_clock_never_steps_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
