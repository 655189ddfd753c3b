#include "cluster/pulse.h"

#include <errno.h>
#include <time.h>

#include "base/endian.h"
#include "os/clock.h"

enum { NO_GROUPS_SIZE = 4 };

static void init_mutex(pthread_mutex_t *mutex, int type)
{
    pthread_mutexattr_t attributes;
    int result = pthread_mutexattr_init(&attributes);
    result |= pthread_mutexattr_settype(&attributes, type);
    result |= pthread_mutex_init(mutex, &attributes);
    ASSERT(result == 0);
    (void)pthread_mutexattr_destroy(&attributes);
}

static void init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    int result = pthread_condattr_init(&attributes);
    result |= pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    result |= pthread_cond_init(cond, &attributes);
    ASSERT(result == 0);
    (void)pthread_condattr_destroy(&attributes);
}

void pulse_init(struct pulse *pulse, uint64_t tick_us, uint64_t busy_max_us, uint64_t boot_us)
{
    *pulse = (struct pulse){.tick_us = tick_us, .busy_max_us = busy_max_us};
    atomic_store(&pulse->turn_us, boot_us);
    init_mutex(&pulse->mutex, PTHREAD_MUTEX_RECURSIVE);
    init_mutex(&pulse->stop_mutex, PTHREAD_MUTEX_DEFAULT);
    init_cond(&pulse->stop_cond);
    put_le32(buf_extend(&pulse->payload, NO_GROUPS_SIZE), 0);
}

static void lock(pthread_mutex_t *mutex)
{
    int result = pthread_mutex_lock(mutex);
    ASSERT(result == 0);
}

static void unlock(pthread_mutex_t *mutex)
{
    int result = pthread_mutex_unlock(mutex);
    ASSERT(result == 0);
}

/* ---- the thread ---- */

static struct timespec tick_from_now(const struct pulse *pulse)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    uint64_t ns = (uint64_t)at.tv_nsec + pulse->tick_us * 1000;
    at.tv_sec += (time_t)(ns / 1000000000);
    at.tv_nsec = (long)(ns % 1000000000);
    return at;
}

static void *thread_main(void *argument)
{
    struct pulse *pulse = argument;
    lock(&pulse->stop_mutex);
    while (!pulse->is_stopping) {
        struct timespec at = tick_from_now(pulse);
        int result = pthread_cond_timedwait(&pulse->stop_cond, &pulse->stop_mutex, &at);
        if (result == ETIMEDOUT)
            pulse_beat(pulse, clock_boot_us());
    }
    unlock(&pulse->stop_mutex);
    return NULL;
}

bool pulse_start(struct pulse *pulse)
{
    ASSERT(!pulse->has_thread);
    errno = pthread_create(&pulse->thread, NULL, thread_main, pulse);
    pulse->has_thread = errno == 0;
    if (pulse->has_thread)
        (void)pthread_setname_np(pulse->thread, "quoin-pulse");
    return pulse->has_thread;
}

void pulse_fini(struct pulse *pulse)
{
    ASSERT(pulse->link_count == 0);
    if (pulse->has_thread) {
        lock(&pulse->stop_mutex);
        pulse->is_stopping = true;
        unlock(&pulse->stop_mutex);
        (void)pthread_cond_signal(&pulse->stop_cond);
        (void)pthread_join(pulse->thread, NULL);
    }
    (void)pthread_cond_destroy(&pulse->stop_cond);
    (void)pthread_mutex_destroy(&pulse->stop_mutex);
    (void)pthread_mutex_destroy(&pulse->mutex);
    buf_free(&pulse->payload);
}

/* ---- what is shared ---- */

void pulse_add(struct pulse *pulse, struct link *link)
{
    ASSERT(link->channel == PEERS_CONTROL && link->mutex == NULL);
    lock(&pulse->mutex);
    ASSERT(pulse->link_count < PEERS_MAX);
    link->mutex = &pulse->mutex;
    pulse->links[pulse->link_count++] = link;
    unlock(&pulse->mutex);
}

void pulse_take_out(struct pulse *pulse, struct link *link)
{
    lock(&pulse->mutex);
    for (size_t i = 0; i < pulse->link_count; i++) {
        if (pulse->links[i] != link)
            continue;
        pulse->links[i] = pulse->links[--pulse->link_count];
        break;
    }
    unlock(&pulse->mutex);
    link->mutex = NULL;
}

void pulse_set_payload(struct pulse *pulse, struct bytes payload)
{
    lock(&pulse->mutex);
    buf_clear(&pulse->payload);
    buf_append(&pulse->payload, payload);
    unlock(&pulse->mutex);
}

/* A peer that reads nothing gets no more of them than its queue holds. A write that fails is found
 * again by the loop, which alone ends links. */
static void send_pulse(struct pulse *pulse, struct link *link)
{
    size_t size = FRAME_HEADER_SIZE + pulse->payload.size;
    if (!link_is_up(link) || link_queued(link) + size > PEERS_CONTROL_QUEUE_MAX)
        return;
    buf_append(link_begin(link), buf_bytes(&pulse->payload));
    link_end(link, FRAME_PULSE);
    if (link->loop != NULL)
        (void)link_push(link);
    atomic_fetch_add(&pulse->sent, 1);
}

void pulse_beat(struct pulse *pulse, uint64_t boot_us)
{
    uint64_t turn_us = atomic_load(&pulse->turn_us);
    uint64_t age_us = boot_us > turn_us ? boot_us - turn_us : 0;
    if (age_us <= pulse->tick_us + pulse->tick_us / 2 || age_us >= pulse->busy_max_us)
        return;
    lock(&pulse->mutex);
    for (size_t i = 0; i < pulse->link_count; i++)
        send_pulse(pulse, pulse->links[i]);
    unlock(&pulse->mutex);
}
