/* A server over fake_exec.h with clients that have no socket, turned by hand. Included by one .c
 * file of a program. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/config.h"
#include "fake_exec.h"
#include "server/frontend.h"

struct box {
    struct config config;
    struct command_table *table;
    struct exec *exec;
    struct log log;
    struct server *server;
    struct turn_time now;
    struct buf taken; /* what box_take took last; 0-terminated */
};

/* measure_us may be NULL: then no command takes any time. loop may be NULL: no sockets. */
static inline void box_open_on(struct box *box, uint64_t (*measure_us)(void), struct loop *loop)
{
    *box = (struct box){.now = {.boot_us = 1000000, .wall_us = 1700000000000000}};
    config_init(&box->config);
    assert_true(log_init(&box->log, LOG_LEVEL_NOTHING, NULL));
    box->exec = fake_exec_new();
    box->table = command_table_new();
    server_register_commands(box->table);
    command_table_add(box->table, fake_commands);
    struct server_options options = {.config = &box->config,
                                     .table = box->table,
                                     .exec = box->exec,
                                     .log = &box->log,
                                     .loop = loop,
                                     .measure_us = measure_us,
                                     .seed = 1};
    box->server = server_new(&options);
}

static inline void box_open(struct box *box)
{
    box_open_on(box, NULL, NULL);
}

static inline void box_close(struct box *box)
{
    server_free(box->server);
    command_table_free(box->table);
    fake_exec_free(box->exec);
    log_fini(&box->log);
    config_fini(&box->config);
    buf_free(&box->taken);
}

/* One turn in which nothing new is committed. */
static inline void box_turn(struct box *box)
{
    server_execute(box->server, box->now);
    server_release(box->server);
    server_write(box->server);
}

/* Lets time pass. */
static inline void box_sleep(struct box *box, uint64_t ms)
{
    box->now.boot_us += ms * 1000;
    box->now.wall_us += ms * 1000;
    box_turn(box);
}

static inline void box_feed(struct client *client, const char *text)
{
    assert_true(server_client_input(client, bytes_of_string(text)));
}

/* What may leave now, as a string. */
static inline const char *box_take(struct box *box, struct client *client)
{
    buf_clear(&box->taken);
    (void)server_client_output(client, &box->taken);
    buf_append_u8(&box->taken, 0);
    return (const char *)box->taken.data;
}

/* Feeds, turns, commits, releases, takes: the answer as a client sees it in the end. */
static inline const char *box_ask(struct box *box, struct client *client, const char *text)
{
    box_feed(client, text);
    box_turn(box);
    fake_exec_commit(box->exec);
    server_release(box->server);
    return box_take(box, client);
}

#define BOX_EXPECT(box, client, text, answer)                                                      \
    assert_string_equal(box_ask(box, client, text), answer)

/* The fixture of most tests: a box and one client. */
struct fixture {
    struct box box;
    struct client *client;
};

static inline int open_fixture(void **state)
{
    struct fixture *f = mem_zero(sizeof(*f));
    box_open(&f->box);
    f->client = server_client_new(f->box.server);
    *state = f;
    return 0;
}

static inline int close_fixture(void **state)
{
    struct fixture *f = *state;
    server_client_free(f->client);
    box_close(&f->box);
    mem_free(f);
    return 0;
}

/* The client asks, and gets this answer once everything is committed. */
#define EXPECT(f, text, answer) BOX_EXPECT(&(f)->box, (f)->client, text, answer)

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
