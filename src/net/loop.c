#include "net/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

struct loop {
    int fd;
    bool has_pwait2; /* the kernel knows waits in nanoseconds (5.11) */
    size_t events_max;
    struct epoll_event *ready;
    struct net_event *events;
};

struct loop *loop_new(size_t events_max)
{
    ASSERT(events_max > 0 && events_max <= 1 << 20);
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0)
        return NULL;
    struct loop *loop = mem_zero(sizeof(*loop));
    loop->fd = fd;
    loop->has_pwait2 = true;
    loop->events_max = events_max;
    loop->ready = mem_zero(events_max * sizeof(*loop->ready));
    loop->events = mem_zero(events_max * sizeof(*loop->events));
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    (void)close(loop->fd);
    mem_free(loop->ready);
    mem_free(loop->events);
    mem_free(loop);
}

static uint32_t to_epoll(uint32_t what)
{
    uint32_t events = 0;
    if (what & NET_READABLE)
        events |= EPOLLIN;
    if (what & NET_WRITABLE)
        events |= EPOLLOUT;
    if (what & NET_HANGUP)
        events |= EPOLLRDHUP;
    return events;
}

static uint32_t from_epoll(uint32_t events)
{
    uint32_t what = 0;
    if (events & EPOLLIN)
        what |= NET_READABLE;
    if (events & EPOLLOUT)
        what |= NET_WRITABLE;
    if (events & EPOLLRDHUP)
        what |= NET_HANGUP;
    if (events & (EPOLLERR | EPOLLHUP))
        what |= NET_BROKEN;
    return what;
}

static int control(struct loop *loop, int operation, struct net_source *source)
{
    struct epoll_event event = {.events = to_epoll(source->what), .data.ptr = source};
    return epoll_ctl(loop->fd, operation, source->fd, &event);
}

bool loop_add(struct loop *loop, struct net_source *source)
{
    ASSERT(source->fd >= 0 && (source->what & NET_BROKEN) == 0);
    return control(loop, EPOLL_CTL_ADD, source) == 0;
}

void loop_change(struct loop *loop, struct net_source *source, uint32_t what)
{
    ASSERT((what & NET_BROKEN) == 0);
    if (source->what == what)
        return;
    source->what = what;
    /* A watched descriptor that is open can be changed: anything else is a mistake of ours. */
    int result = control(loop, EPOLL_CTL_MOD, source);
    ASSERT(result == 0);
}

void loop_remove(struct loop *loop, struct net_source *source)
{
    int result = control(loop, EPOLL_CTL_DEL, source);
    ASSERT(result == 0);
}

/* Rounds up to the milliseconds of epoll_wait, so that a timer is not polled for in a spin. */
static int wait_coarse(struct loop *loop, int64_t wait_us)
{
    int64_t wait_ms = wait_us < 0 ? -1 : (wait_us + 999) / 1000;
    if (wait_ms > INT32_MAX)
        wait_ms = INT32_MAX;
    return epoll_wait(loop->fd, loop->ready, (int)loop->events_max, (int)wait_ms);
}

static int wait_ready(struct loop *loop, int64_t wait_us)
{
    if (wait_us <= 0 || !loop->has_pwait2)
        return wait_coarse(loop, wait_us);
    struct timespec wait = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
    int count = epoll_pwait2(loop->fd, loop->ready, (int)loop->events_max, &wait, NULL);
    /* EPERM: a seccomp filter that has not heard of the call. */
    if (count >= 0 || (errno != ENOSYS && errno != EPERM))
        return count;
    loop->has_pwait2 = false;
    return wait_coarse(loop, wait_us);
}

struct net_events net_poll(struct loop *loop, int64_t wait_us)
{
    ASSERT(wait_us >= NET_WAIT_FOREVER);
    int count = wait_ready(loop, wait_us);
    ASSERT(count >= 0 || errno == EINTR);
    size_t given = 0;
    for (int i = 0; i < count; i++) {
        loop->events[given++] = (struct net_event){.source = loop->ready[i].data.ptr,
                                                   .what = from_epoll(loop->ready[i].events)};
    }
    return (struct net_events){.events = loop->events, .count = given};
}
