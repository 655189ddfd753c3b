/* A few nodes' links in one process, over real loopback sockets, with a loop each and turns by
 * hand. What comes out of peers_next is noted, with copies of its bytes. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster/peers.h"
#include "os/clock.h"

enum {
    BOX_NODES_MAX = 3,
    BOX_NOTES_MAX = 4096,
    BOX_LISTENER = 70,
    BOX_LINK = 71,
    BOX_TICK_US = 20000,
    BOX_SILENT_US = 2000000,
    BOX_BUSY_US = 10000000,
    BOX_PATIENCE_US = 20000000, /* real time that a condition may take */
};

struct box_note {
    struct peers_input input;
    struct buf payload; /* of request or stream */
    struct buf entries; /* payloads of an append, one after the other */
    struct buf terms;   /* of an append */
};

struct box_node {
    struct loop *loop;
    struct peers *peers;
    struct peers_options options;
    uint16_t port;
    struct box_note notes[BOX_NOTES_MAX];
    size_t note_count;
    bool keeps_chunks; /* gives no credit for them */
};

struct box {
    struct box_node nodes[BOX_NODES_MAX];
    size_t count;
    struct log log;
    char log_path[64];
    uint64_t ahead_us; /* of the real clock */
};

static const char *const box_bind[] = {"127.0.0.1"};

static inline uint16_t box_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

/* Ids are 1, 2, 3, stores 101, 102, 103. */
static inline void box_begin(struct box *box, size_t count)
{
    (void)signal(SIGPIPE, SIG_IGN);
    *box = (struct box){.count = count};
    (void)snprintf(box->log_path, sizeof(box->log_path), "/tmp/quoin-peers-%ld.log",
                   (long)getpid());
    (void)unlink(box->log_path);
    assert_true(log_init(&box->log, LOG_LEVEL_DEBUG, box->log_path));
    for (size_t i = 0; i < count; i++) {
        box->nodes[i].port = box_free_port();
        box->nodes[i].options = (struct peers_options){
            .log = &box->log,
            .listener_kind = BOX_LISTENER,
            .link_kind = BOX_LINK,
            .bind = box_bind,
            .bind_count = 1,
            .port = box->nodes[i].port,
            .cluster_id = 77,
            .node = i + 1,
            .store_id = 101 + i,
            .run = 1000 + i,
            .secret = BYTES_LITERAL("a secret of the whole cluster"),
            .tick_us = BOX_TICK_US,
            .silent_us = BOX_SILENT_US,
            .busy_max_us = BOX_BUSY_US,
            .seed = i,
        };
    }
}

static inline struct turn_time box_now(const struct box *box)
{
    return (struct turn_time){.boot_us = clock_boot_us() + box->ahead_us,
                              .wall_us = clock_wall_us() + box->ahead_us};
}

static inline struct peers_member box_member(const struct box *box, size_t of)
{
    struct peers_member member = {
        .node = of + 1, .store_id = 101 + of, .port = box->nodes[of].port};
    (void)snprintf(member.host, sizeof(member.host), "127.0.0.1");
    return member;
}

static inline void box_open(struct box *box, size_t at)
{
    struct box_node *node = &box->nodes[at];
    struct buf error = {0};
    node->loop = loop_new(64);
    node->options.loop = node->loop;
    bool is_open = peers_open(&node->peers, &node->options, box_now(box).boot_us, &error);
    if (!is_open)
        fail_msg("%.*s", (int)error.size, (const char *)error.data);
    for (size_t other = 0; other < box->count; other++) {
        struct peers_member member = box_member(box, other);
        if (other != at)
            assert_int_equal(peers_set(node->peers, &member), PEERS_OK);
    }
}

static inline void box_open_all(struct box *box)
{
    for (size_t i = 0; i < box->count; i++)
        box_open(box, i);
}

static inline void box_forget(struct box_node *node)
{
    for (size_t i = 0; i < node->note_count; i++) {
        buf_free(&node->notes[i].payload);
        buf_free(&node->notes[i].entries);
        buf_free(&node->notes[i].terms);
        node->notes[i] = (struct box_note){0};
    }
    node->note_count = 0;
}

/* As if the process ended. */
static inline void box_close(struct box *box, size_t at)
{
    struct box_node *node = &box->nodes[at];
    peers_close(node->peers);
    loop_free(node->loop);
    node->peers = NULL;
    node->loop = NULL;
    box_forget(node);
}

static inline void box_end(struct box *box)
{
    for (size_t i = 0; i < box->count; i++) {
        if (box->nodes[i].peers != NULL)
            box_close(box, i);
    }
    log_fini(&box->log);
    (void)unlink(box->log_path);
}

static inline void box_note(struct box_node *node, const struct peers_input *input)
{
    assert_true(node->note_count < BOX_NOTES_MAX);
    struct box_note *note = &node->notes[node->note_count++];
    *note = (struct box_note){.input = *input};
    if (input->kind == PEERS_IN_REQUEST || input->kind == PEERS_IN_ANSWER)
        buf_append(&note->payload, input->request.payload);
    if (input->kind == PEERS_IN_STREAM_OPEN || input->kind == PEERS_IN_STREAM_CHUNK)
        buf_append(&note->payload, input->stream.payload);
    if (input->kind != PEERS_IN_MESSAGE || input->raft.message.kind != RAFT_APPEND)
        return;
    const struct raft_append *append = &input->raft.message.append;
    for (uint32_t i = 0; i < append->count; i++) {
        buf_append(&note->entries, input->raft.entries[i].payload);
        buf_append(&note->terms, bytes_of(&append->terms[i], sizeof(append->terms[i])));
    }
}

static inline void box_turn(struct box *box, size_t at)
{
    struct box_node *node = &box->nodes[at];
    if (node->peers == NULL)
        return;
    struct peers_input input;
    peers_receive(node->peers, net_poll(node->loop, 100));
    peers_tick(node->peers, box_now(box));
    while (peers_next(node->peers, &input)) {
        box_note(node, &input);
        if (input.kind == PEERS_IN_STREAM_CHUNK && !node->keeps_chunks)
            peers_stream_consumed(node->peers, input.node, input.stream.stream,
                                  input.stream.payload.size);
    }
    peers_flush(node->peers);
}

static inline void box_turns(struct box *box)
{
    for (size_t i = 0; i < box->count; i++)
        box_turn(box, i);
}

/* Turns of all nodes until the condition holds; fails when it does not in time. */
#define BOX_UNTIL(box, condition)                                                                  \
    do {                                                                                           \
        uint64_t end_us_ = clock_boot_us() + BOX_PATIENCE_US;                                      \
        while (!(condition)) {                                                                     \
            if (clock_boot_us() > end_us_)                                                         \
                fail_msg("not in time: %s", #condition);                                           \
            box_turns(box);                                                                        \
        }                                                                                          \
    } while (0)

static inline struct peers_status box_status(const struct box *box, size_t at, size_t other)
{
    struct peers_status status;
    assert_true(peers_status(box->nodes[at].peers, other + 1, &status));
    return status;
}

static inline bool box_linked(const struct box *box, size_t at, size_t other)
{
    struct peers_status status = box_status(box, at, other);
    bool is_linked = true;
    for (int i = 0; i < PEERS_CHANNELS; i++)
        is_linked = is_linked && status.is_linked[i];
    return is_linked;
}

static inline bool box_all_linked(const struct box *box)
{
    for (size_t at = 0; at < box->count; at++) {
        for (size_t other = 0; other < box->count; other++) {
            if (at != other && !box_linked(box, at, other))
                return false;
        }
    }
    return true;
}

static inline size_t box_count(const struct box *box, size_t at, enum peers_input_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < box->nodes[at].note_count; i++)
        count += box->nodes[at].notes[i].input.kind == kind;
    return count;
}

/* The n-th note of a kind, or NULL. */
static inline const struct box_note *box_find(const struct box *box, size_t at,
                                              enum peers_input_kind kind, size_t n)
{
    for (size_t i = 0; i < box->nodes[at].note_count; i++) {
        if (box->nodes[at].notes[i].input.kind == kind && n-- == 0)
            return &box->nodes[at].notes[i];
    }
    return NULL;
}

/* Whether the log has a line with this text, so far. */
static inline bool box_logged(const struct box *box, const char *text)
{
    char line[LOG_LINE_MAX + 1];
    bool is_there = false;
    FILE *file = fopen(box->log_path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL)
        is_there = is_there || strstr(line, text) != NULL;
    (void)fclose(file);
    return is_there;
}
