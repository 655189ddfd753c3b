/* The poll of the loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/loop.h"

struct pair {
    struct loop *loop;
    struct net_source near; /* watched */
    int far;
};

static void open_pair(struct pair *pair, uint32_t what)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    pair->loop = loop_new(8);
    assert_non_null(pair->loop);
    pair->near = (struct net_source){.fd = fds[0], .kind = 7, .what = what};
    pair->far = fds[1];
    assert_true(loop_add(pair->loop, &pair->near));
}

static void close_pair(struct pair *pair)
{
    loop_remove(pair->loop, &pair->near);
    (void)close(pair->near.fd);
    if (pair->far >= 0)
        (void)close(pair->far);
    loop_free(pair->loop);
}

/* The one event there is, or 0. */
static uint32_t poll_once(struct pair *pair)
{
    struct net_events events = net_poll(pair->loop, 0);
    assert_true(events.count <= 1);
    if (events.count == 0)
        return 0;
    assert_ptr_equal(events.events[0].source, &pair->near);
    return events.events[0].what;
}

static uint64_t now_us(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void poll_tells_that_there_is_input_until_it_is_read(void **state)
{
    (void)state;
    struct pair pair;
    char byte;
    open_pair(&pair, NET_READABLE);
    assert_int_equal(poll_once(&pair), 0);
    assert_int_equal(write(pair.far, "x", 1), 1);
    assert_int_equal(poll_once(&pair), NET_READABLE);
    assert_int_equal(poll_once(&pair), NET_READABLE);
    assert_int_equal(read(pair.near.fd, &byte, 1), 1);
    assert_int_equal(poll_once(&pair), 0);
    close_pair(&pair);
}

static void poll_tells_only_what_was_asked_for(void **state)
{
    (void)state;
    struct pair pair;
    open_pair(&pair, 0);
    assert_int_equal(write(pair.far, "x", 1), 1);
    assert_int_equal(poll_once(&pair), 0);
    loop_change(pair.loop, &pair.near, NET_WRITABLE);
    assert_int_equal(poll_once(&pair), NET_WRITABLE);
    loop_change(pair.loop, &pair.near, NET_READABLE | NET_WRITABLE);
    assert_int_equal(poll_once(&pair), NET_READABLE | NET_WRITABLE);
    loop_change(pair.loop, &pair.near, 0);
    assert_int_equal(poll_once(&pair), 0);
    close_pair(&pair);
}

static void a_peer_that_stops_sending_is_a_hangup_only_when_asked_for(void **state)
{
    (void)state;
    struct pair pair;
    open_pair(&pair, 0);
    assert_int_equal(shutdown(pair.far, SHUT_WR), 0);
    assert_int_equal(poll_once(&pair), 0);
    loop_change(pair.loop, &pair.near, NET_HANGUP);
    assert_int_equal(poll_once(&pair), NET_HANGUP);
    close_pair(&pair);
}

static void a_broken_connection_is_told_without_asking(void **state)
{
    (void)state;
    struct pair pair;
    open_pair(&pair, 0);
    (void)close(pair.far);
    pair.far = -1;
    assert_int_equal(poll_once(&pair), NET_BROKEN);
    close_pair(&pair);
}

static void a_wait_ends_with_the_first_event(void **state)
{
    (void)state;
    struct pair pair;
    open_pair(&pair, NET_READABLE);
    assert_int_equal(write(pair.far, "x", 1), 1);
    uint64_t begin_us = now_us();
    struct net_events events = net_poll(pair.loop, 60 * 1000000);
    assert_int_equal(events.count, 1);
    assert_true(now_us() - begin_us < 10 * 1000000);
    close_pair(&pair);
}

static void a_wait_lasts_as_long_as_it_was_told_and_gives_nothing(void **state)
{
    (void)state;
    struct pair pair;
    open_pair(&pair, NET_READABLE);
    uint64_t begin_us = now_us();
    struct net_events events = net_poll(pair.loop, 2500);
    assert_int_equal(events.count, 0);
    assert_true(now_us() - begin_us >= 2500);
    close_pair(&pair);
}

static void an_eventfd_wakes_like_any_other_source(void **state)
{
    (void)state;
    struct loop *loop = loop_new(4);
    struct net_source wake = {.fd = eventfd(0, EFD_NONBLOCK), .kind = 9, .what = NET_READABLE};
    assert_true(loop_add(loop, &wake));
    uint64_t one = 1;
    assert_int_equal(write(wake.fd, &one, sizeof(one)), sizeof(one));
    struct net_events events = net_poll(loop, NET_WAIT_FOREVER);
    assert_int_equal(events.count, 1);
    assert_int_equal(events.events[0].source->kind, 9);
    loop_remove(loop, &wake);
    assert_int_equal(net_poll(loop, 0).count, 0);
    (void)close(wake.fd);
    loop_free(loop);
}

static void one_poll_gives_no_more_events_than_there_is_room_for(void **state)
{
    (void)state;
    struct loop *loop = loop_new(2);
    struct net_source sources[3];
    for (int i = 0; i < 3; i++) {
        sources[i] = (struct net_source){.fd = eventfd(1, EFD_NONBLOCK), .what = NET_READABLE};
        assert_true(loop_add(loop, &sources[i]));
    }
    assert_int_equal(net_poll(loop, 0).count, 2);
    for (int i = 0; i < 3; i++) {
        loop_remove(loop, &sources[i]);
        (void)close(sources[i].fd);
    }
    loop_free(loop);
}

static void a_descriptor_that_cannot_be_watched_is_refused(void **state)
{
    (void)state;
    struct loop *loop = loop_new(2);
    struct net_source source = {.fd = 1 << 20, .what = NET_READABLE};
    assert_false(loop_add(loop, &source));
    loop_free(loop);
    loop_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(poll_tells_that_there_is_input_until_it_is_read),
        cmocka_unit_test(poll_tells_only_what_was_asked_for),
        cmocka_unit_test(a_peer_that_stops_sending_is_a_hangup_only_when_asked_for),
        cmocka_unit_test(a_broken_connection_is_told_without_asking),
        cmocka_unit_test(a_wait_ends_with_the_first_event),
        cmocka_unit_test(a_wait_lasts_as_long_as_it_was_told_and_gives_nothing),
        cmocka_unit_test(an_eventfd_wakes_like_any_other_source),
        cmocka_unit_test(one_poll_gives_no_more_events_than_there_is_room_for),
        cmocka_unit_test(a_descriptor_that_cannot_be_watched_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
