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

static inline void box_open(struct box *box)
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
                                     .seed = 1};
    box->server = server_new(&options);
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
