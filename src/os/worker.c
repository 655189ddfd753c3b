#include "os/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

enum {
    WORKER_NAME_SIZE_MAX = 15, /* what the kernel keeps of a thread's name */
    WORKER_THREADS_MAX = 64,
};

/* First in, first out, linked through job.next. */
struct queue {
    struct job *first;
    struct job *last;
    size_t count;
};

struct worker {
    pthread_mutex_t mutex;
    pthread_cond_t work; /* a job waits, or the end has come */
    struct queue waiting;
    struct queue done;
    bool ending;
    size_t inside; /* the loop's alone */
    size_t queue_max;
    int wake_fd;
    int thread_count; /* 0: manual */
    pthread_t threads[WORKER_THREADS_MAX];
};

static void queue_push(struct queue *queue, struct job *job)
{
    job->next = NULL;
    if (queue->last == NULL)
        queue->first = job;
    else
        queue->last->next = job;
    queue->last = job;
    queue->count++;
}

static struct job *queue_pop(struct queue *queue)
{
    struct job *job = queue->first;
    if (job == NULL)
        return NULL;
    queue->first = job->next;
    if (queue->first == NULL)
        queue->last = NULL;
    queue->count--;
    job->next = NULL;
    return job;
}

static struct job *queue_take_at(struct queue *queue, size_t position)
{
    ASSERT(position < queue->count);
    struct queue rest = {0};
    struct job *taken = NULL;
    for (size_t i = 0; queue->first != NULL; i++) {
        struct job *job = queue_pop(queue);
        if (i == position)
            taken = job;
        else
            queue_push(&rest, job);
    }
    *queue = rest;
    return taken;
}

static void lock(struct worker *worker)
{
    int result = pthread_mutex_lock(&worker->mutex);
    ASSERT(result == 0);
}

static void unlock(struct worker *worker)
{
    int result = pthread_mutex_unlock(&worker->mutex);
    ASSERT(result == 0);
}

static void wake(int fd)
{
    if (fd < 0)
        return;
    uint64_t one = 1;
    ssize_t count;
    do
        count = write(fd, &one, sizeof(one));
    while (count < 0 && errno == EINTR);
    /* EAGAIN: the counter is at its maximum, so the loop is woken anyway */
    ASSERT(count == (ssize_t)sizeof(one) || errno == EAGAIN);
}

/* The next job, waiting for one; NULL when the end has come and nothing waits. */
static struct job *next_job(struct worker *worker)
{
    lock(worker);
    while (worker->waiting.first == NULL && !worker->ending)
        (void)pthread_cond_wait(&worker->work, &worker->mutex);
    struct job *job = queue_pop(&worker->waiting);
    unlock(worker);
    return job;
}

static void finish(struct worker *worker, struct job *job)
{
    lock(worker);
    queue_push(&worker->done, job);
    unlock(worker);
    wake(worker->wake_fd);
}

static void *thread_main(void *argument)
{
    struct worker *worker = argument;
    struct job *job;
    while ((job = next_job(worker)) != NULL) {
        job->run(job);
        finish(worker, job);
    }
    return NULL;
}

static struct worker *worker_make(size_t queue_max, int wake_fd)
{
    ASSERT(queue_max > 0);
    struct worker *worker = mem_zero(sizeof(*worker));
    worker->queue_max = queue_max;
    worker->wake_fd = wake_fd;
    int result = pthread_mutex_init(&worker->mutex, NULL);
    ASSERT(result == 0);
    result = pthread_cond_init(&worker->work, NULL);
    ASSERT(result == 0);
    return worker;
}

/* Signals are the loop's: helper threads start with all of them blocked. */
struct worker *worker_new(const char *name, int threads, size_t queue_max, int wake_fd)
{
    ASSERT(threads > 0 && threads <= WORKER_THREADS_MAX);
    ASSERT(strlen(name) <= WORKER_NAME_SIZE_MAX);
    struct worker *worker = worker_make(queue_max, wake_fd);
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    int result = pthread_sigmask(SIG_SETMASK, &all, &before);
    ASSERT(result == 0);
    for (int i = 0; i < threads; i++) {
        result = pthread_create(&worker->threads[i], NULL, thread_main, worker);
        ASSERT(result == 0);
        (void)pthread_setname_np(worker->threads[i], name);
    }
    worker->thread_count = threads;
    result = pthread_sigmask(SIG_SETMASK, &before, NULL);
    ASSERT(result == 0);
    return worker;
}

struct worker *worker_new_manual(size_t queue_max)
{
    return worker_make(queue_max, -1);
}

void worker_free(struct worker *worker)
{
    if (worker == NULL)
        return;
    lock(worker);
    worker->ending = true;
    (void)pthread_cond_broadcast(&worker->work);
    unlock(worker);
    for (int i = 0; i < worker->thread_count; i++) {
        int result = pthread_join(worker->threads[i], NULL);
        ASSERT(result == 0);
    }
    if (worker->thread_count == 0)
        while (worker_run_one(worker))
            continue;
    (void)pthread_cond_destroy(&worker->work);
    (void)pthread_mutex_destroy(&worker->mutex);
    mem_free(worker);
}

bool worker_submit(struct worker *worker, struct job *job)
{
    ASSERT(job->run != NULL);
    if (worker->inside == worker->queue_max)
        return false;
    worker->inside++;
    lock(worker);
    ASSERT(!worker->ending);
    queue_push(&worker->waiting, job);
    unlock(worker);
    /* After the unlock: a thread woken inside would at once wait again, for the mutex. */
    (void)pthread_cond_signal(&worker->work);
    return true;
}

struct job *worker_take_done(struct worker *worker)
{
    if (worker->inside == 0)
        return NULL;
    lock(worker);
    struct job *job = queue_pop(&worker->done);
    unlock(worker);
    if (job != NULL)
        worker->inside--;
    return job;
}

size_t worker_inside(const struct worker *worker)
{
    return worker->inside;
}

size_t worker_waiting(const struct worker *worker)
{
    ASSERT(worker->thread_count == 0);
    return worker->waiting.count;
}

bool worker_run_one(struct worker *worker)
{
    return worker_waiting(worker) > 0 && worker_run_at(worker, 0);
}

bool worker_run_at(struct worker *worker, size_t position)
{
    if (position >= worker_waiting(worker))
        return false;
    struct job *job = queue_take_at(&worker->waiting, position);
    job->run(job);
    finish(worker, job);
    return true;
}
