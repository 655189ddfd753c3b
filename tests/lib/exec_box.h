/* Real shards and a real exec over a simulated disk and databases in memory, turned by hand: jobs
 * of helpers run when the test lets them. Functions only for programs that link src/exec, so
 * everything is in this header. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "commands/generic_commands.h"
#include "commands/string_commands.h"
#include "exec/executor.h"
#include "exec/internal.h"
#include "collect.h"
#include "kv_memory.h"
#include "puppet.h"
#include "sim_disk.h"

#define BOX_UNUSED __attribute__((unused))

enum { BOX_SHARDS_MAX = 4, BOX_QUEUE_MAX = 64, BOX_QUEUE_SIZE = 256 };

struct exec_box {
    struct disk *disk;
    struct kv_env *kv;
    struct wal *wal;
    uint32_t shard_count;
    struct shard *shards[BOX_SHARDS_MAX];
    struct worker *wal_worker, *store_worker, *readers, *freer;
    struct command_table *table;
    struct log log;
    struct exec *exec;
    struct exec_limits limits;
    struct turn_time now;
    bool holds_wal;     /* what is proposed does not commit */
    bool holds_readers; /* what is read does not come back */
    bool wants_flush;
    bool has_peers; /* three members: a shard can lose its lead, and win it again */
    struct puppet puppets[BOX_SHARDS_MAX];
};

/* A connection with one request at a time. */
struct box_client {
    struct request request;
    struct buf out; /* ends with a 0 that is not part of it */
    struct buf text;
    struct bytes argv[BOX_QUEUE_SIZE];
    struct queued queue[BOX_QUEUE_MAX];
    struct watch_set watches;
    struct exec_gate gates[BOX_SHARDS_MAX];
    int database;
    bool is_done;
};

/* ---- the server side ---- */

BOX_UNUSED static void box_select(struct call *c)
{
    c->database = (int)strtol((const char *)c->argv[1].data, NULL, 10);
    reply_ok(&c->reply);
}

static const struct command box_home_commands[] = {
    {.name = "select", .arity = 2, .flags = CMD_HOME, .function = box_select},
    {.name = "exec", .arity = 1, .function = box_select},
    {0},
};

BOX_UNUSED static void box_open_shard(struct exec_box *box, uint32_t id,
                                      struct wal_recovery *recovery)
{
    char dir[32];
    (void)snprintf(dir, sizeof(dir), "/shard-%04u", id);
    struct shard_options options = {
        .id = id,
        .node_id = SHARD_NODE_ID,
        .seed = 5 + id,
        .wal = box->wal,
        .recovered = &recovery->groups[id],
        .wal_is_fresh = recovery->fresh,
        .boot_us = box->now.boot_us,
        .wall_us = box->now.wall_us,
        .store = {.dir = dir,
                  .disk = box->disk,
                  .env = box->kv,
                  .identity = 9,
                  .shard = id,
                  .create = recovery->groups[id].hard.term == 0},
    };
    struct buf error = {0}, members = {0};
    if (box->has_peers)
        members = puppet_members();
    options.has_others = box->has_peers;
    options.store.members = buf_bytes(&members);
    bool is_open = shard_open(&box->shards[id], &options, &error);
    buf_free(&members);
    if (!is_open)
        print_error("%.*s\n", (int)error.size, (const char *)error.data);
    assert_true(is_open);
    buf_free(&error);
}

BOX_UNUSED static void box_open(struct exec_box *box)
{
    struct wal_options options = {.dir = "/wal", .group_count = box->shard_count, .store_id = 7};
    struct wal_recovery *recovery;
    struct buf note = {0}, error = {0};
    assert_int_equal(wal_open(&box->wal, box->disk, &options, &recovery, &note, &error), WAL_OK);
    for (uint32_t id = 0; id < box->shard_count; id++)
        box_open_shard(box, id, recovery);
    wal_recovery_free(recovery);
    box->wal_worker = worker_new_manual(64);
    box->store_worker = worker_new_manual(64);
    box->readers = worker_new_manual(64);
    box->freer = worker_new_manual(64);
    struct exec_options exec_options = {
        .shards = box->shards,
        .shard_count = box->shard_count,
        .table = box->table,
        .hash_seed = 3,
        .seed = 4,
        .readers = box->readers,
        .freer = box->freer,
        .couriers = box->freer,
        .log = &box->log,
        .limits = box->limits,
    };
    assert_true(exec_new(&box->exec, &exec_options, &error));
    buf_free(&note);
    buf_free(&error);
}

BOX_UNUSED static void box_init(struct exec_box *box, uint32_t shards)
{
    *box = (struct exec_box){.disk = sim_disk_new(),
                             .kv = kv_memory_new(),
                             .shard_count = shards,
                             .has_peers = box->has_peers};
    assert_true(log_init(&box->log, LOG_LEVEL_NOTHING, NULL));
    box->limits = (struct exec_limits){.entry_size_max = 1 << 24,
                                       .string_size_max = 1 << 24,
                                       .hll_sparse_max = 3000,
                                       .memory_max = 1 << 30,
                                       .backlog_max = 1 << 28,
                                       .types = type_env_default(0)};
    box->now = (struct turn_time){.boot_us = 1000000, .wall_us = 1700000000000000};
    box->table = command_table_new();
    command_table_add(box->table, string_commands);
    command_table_add(box->table, set_commands);
    command_table_add(box->table, zset_commands);
    command_table_add(box->table, list_commands);
    command_table_add(box->table, stream_commands);
    command_table_add(box->table, bitmap_commands);
    command_table_add(box->table, geo_commands);
    command_table_add(box->table, hyperloglog_commands);
    command_table_add(box->table, generic_value_commands);
    command_table_add(box->table, hash_commands);
    command_table_add(box->table, generic_commands);
    command_table_add(box->table, exec_keys_commands);
    command_table_add(box->table, exec_flush_commands);
    command_table_add(box->table, exec_debug_commands);
    command_table_add(box->table, box_home_commands);
    box_open(box);
}

BOX_UNUSED static void box_run_jobs(struct exec_box *box)
{
    while (!box->holds_wal && worker_run_one(box->wal_worker))
        continue;
    while (!box->holds_readers && worker_run_one(box->readers))
        continue;
    while (worker_run_one(box->store_worker) || worker_run_one(box->freer))
        continue;
}

BOX_UNUSED static void box_take_jobs(struct exec_box *box)
{
    struct job *job;
    struct buf error = {0};
    while ((job = worker_take_done(box->wal_worker)) != NULL)
        wal_job_done(box->wal, job);
    while ((job = worker_take_done(box->store_worker)) != NULL)
        shard_job_done(box->shards[(uint32_t)job->kind >> FSM_JOB_SHARD_SHIFT], job, &error);
    while ((job = worker_take_done(box->readers)) != NULL)
        exec_job_done(box->exec, job);
    while ((job = worker_take_done(box->freer)) != NULL)
        exec_job_done(box->exec, job);
    buf_free(&error);
}

BOX_UNUSED static void box_close(struct exec_box *box)
{
    box->holds_wal = box->holds_readers = false;
    for (int i = 0; i < 20; i++) {
        box_run_jobs(box);
        box_take_jobs(box);
    }
    worker_free(box->wal_worker);
    worker_free(box->store_worker);
    worker_free(box->readers);
    worker_free(box->freer);
    exec_free(box->exec);
    for (uint32_t id = 0; id < box->shard_count; id++)
        shard_close(box->shards[id]);
    wal_free(box->wal);
}

BOX_UNUSED static void box_fini(struct exec_box *box)
{
    box_close(box);
    command_table_free(box->table);
    kv_memory_free(box->kv);
    sim_disk_free(box->disk);
    log_fini(&box->log);
}

/* ---- a turn, in the order of node/turn.c ---- */

BOX_UNUSED static void box_note_done(struct box_client *client)
{
    assert_false(client->is_done);
    client->is_done = true;
    assert_true(client->request.gate_count <= BOX_SHARDS_MAX);
    for (int i = 0; i < client->request.gate_count; i++)
        client->gates[i] = client->request.gates[i];
    client->database = client->request.database;
    buf_append_u8(&client->out, 0);
    client->out.size--;
}

BOX_UNUSED static void box_collect(struct exec_box *box, uint32_t id)
{
    if (box->has_peers)
        puppet_collect(&box->puppets[id], box->shards[id], box->now.boot_us);
    else
        collect(box->shards[id], box->now.boot_us);
}

BOX_UNUSED static void box_begin(struct exec_box *box)
{
    box_run_jobs(box);
    box_take_jobs(box);
    box->now.boot_us += 1000;
    box->now.wall_us += 1000;
    for (uint32_t id = 0; id < box->shard_count; id++) {
        shard_tick(box->shards[id], box->now.boot_us);
        box_collect(box, id);
        shard_promise(box->shards[id], box->now.boot_us);
    }
    exec_follow_leadership(box->exec, box->now);
    exec_begin_turn(box->exec, box->now);
    exec_apply(box->exec);
    for (struct request *request; (request = exec_take_done(box->exec)) != NULL;)
        box_note_done(CONTAINER_OF(request, struct box_client, request));
}

BOX_UNUSED static void box_end(struct exec_box *box)
{
    exec_housekeeping(box->exec);
    exec_propose(box->exec);
    for (uint32_t id = 0; id < box->shard_count; id++)
        box_collect(box, id);
    wal_tick(box->wal, box->now.boot_us);
    (void)wal_submit(box->wal, box->wal_worker);
    exec_apply(box->exec);
    for (uint32_t id = 0; id < box->shard_count; id++) {
        struct fsm_flush_policy policy = {.bytes_max = 1 << 26,
                                          .age_ms = UINT64_MAX / 2,
                                          .is_wanted =
                                              box->wants_flush || exec_wants_flush(box->exec)};
        shard_flush(box->shards[id], &policy, box->now.boot_us / 1000, box->store_worker);
    }
    exec_end_turn(box->exec);
}

BOX_UNUSED static void box_turn(struct exec_box *box)
{
    box_begin(box);
    box_end(box);
}

BOX_UNUSED static void box_turns(struct exec_box *box, int count)
{
    for (int i = 0; i < count; i++)
        box_turn(box);
}

/* Until every shard serves. */
BOX_UNUSED static void box_serve(struct exec_box *box)
{
    for (int i = 0; i < 3000; i++) {
        bool is_serving = true;
        for (uint32_t id = 0; id < box->shard_count; id++)
            is_serving = is_serving && shard_is_serving(box->shards[id]);
        if (is_serving)
            return;
        box_turn(box);
    }
    fail_msg("a shard does not serve");
}

/* Everything into LevelDB, then a new process: nothing is in memory. */
BOX_UNUSED static void box_restart(struct exec_box *box)
{
    box->wants_flush = true;
    box_turns(box, 10);
    box->wants_flush = false;
    box_close(box);
    kv_memory_crash(box->kv);
    box_open(box);
    box_serve(box);
}

/* ---- clients ---- */

BOX_UNUSED static void box_client_init(struct box_client *client)
{
    *client = (struct box_client){.is_done = true};
    list_init(&client->watches.watches);
}

BOX_UNUSED static void box_client_fini(struct exec_box *box, struct box_client *client)
{
    exec_unwatch(box->exec, &client->watches);
    buf_free(&client->out);
    buf_free(&client->text);
}

/* Takes what stands before the next `end` off the text, which gets a 0 there; NULL: nothing left.
 */
BOX_UNUSED static char *box_next(char **rest, char end)
{
    char *word = *rest;
    while (*word == end)
        word++;
    char *behind = word;
    while (*behind != end && *behind != 0)
        behind++;
    *rest = *behind == 0 ? behind : behind + 1;
    *behind = 0;
    return *word == 0 ? NULL : word;
}

/* Splits a line at blanks into arguments, from argv[*used] on; returns how many. */
BOX_UNUSED static int box_split(struct box_client *client, char *line, size_t *used)
{
    int argc = 0;
    for (char *word; (word = box_next(&line, ' ')) != NULL; argc++) {
        assert_true(*used < BOX_QUEUE_SIZE);
        client->argv[(*used)++] = bytes_of_string(word);
    }
    return argc;
}

BOX_UNUSED static const struct command *box_command(struct exec_box *box, struct bytes name)
{
    const struct command *command = command_table_find(box->table, name);
    assert_non_null(command);
    return command;
}

BOX_UNUSED static void box_run(struct exec_box *box, struct box_client *client)
{
    buf_clear(&client->out);
    client->is_done = false;
    client->request.reply = (struct reply){.out = &client->out, .protocol = 2};
    client->request.database = client->database;
    if (exec_run(box->exec, &client->request) == EXEC_DONE)
        box_note_done(client);
}

/* The line must outlive the request: it is copied into the client. */
BOX_UNUSED static void box_keep_text(struct box_client *client, const char *text)
{
    assert_true(client->is_done);
    buf_clear(&client->text);
    buf_append_string(&client->text, text);
    buf_append_u8(&client->text, 0);
    client->request = (struct request){0};
}

BOX_UNUSED static void box_send(struct exec_box *box, struct box_client *client, const char *line)
{
    size_t used = 0;
    box_keep_text(client, line);
    client->request.argc = box_split(client, (char *)client->text.data, &used);
    client->request.argv = client->argv;
    client->request.command = box_command(box, client->argv[0]);
    box_run(box, client);
}

/* MULTI … EXEC: one command a line. */
BOX_UNUSED static void box_exec(struct exec_box *box, struct box_client *client, const char *lines)
{
    static const struct bytes EXEC = {(const uint8_t *)"exec", 4};
    size_t used = 0;
    int count = 0;
    box_keep_text(client, lines);
    char *rest = (char *)client->text.data;
    for (char *line; (line = box_next(&rest, '\n')) != NULL;) {
        assert_true(count < BOX_QUEUE_MAX);
        struct queued *queued = &client->queue[count++];
        queued->argv = client->argv + used;
        queued->argc = box_split(client, line, &used);
        queued->command = box_command(box, queued->argv[0]);
    }
    client->request.argv = &EXEC;
    client->request.argc = 1;
    client->request.command = box_command(box, EXEC);
    client->request.queue = client->queue;
    client->request.queue_count = count;
    client->request.watches = &client->watches;
    box_run(box, client);
}

BOX_UNUSED static void box_watch(struct exec_box *box, struct box_client *client, const char *key)
{
    exec_watch(box->exec, &client->watches, client->database, bytes_of_string(key));
}

/* Turns until the reply is there and its gates are open. */
BOX_UNUSED static void box_wait(struct exec_box *box, struct box_client *client)
{
    for (int i = 0; i < 1000; i++) {
        bool is_open = client->is_done;
        for (int g = 0; is_open && g < client->request.gate_count; g++)
            is_open = exec_gate_is_open(box->exec, client->gates[g]);
        if (is_open)
            return;
        box_turn(box);
    }
    fail_msg("no reply");
}

BOX_UNUSED static const char *box_call(struct exec_box *box, struct box_client *client,
                                       const char *line)
{
    box_begin(box);
    box_send(box, client, line);
    box_end(box);
    box_wait(box, client);
    return (const char *)client->out.data;
}

/* SET of a value of that many letters, more than one row when it is long. */
BOX_UNUSED static void box_set_big(struct exec_box *box, struct box_client *client, const char *key,
                                   size_t size)
{
    struct buf line = {0};
    buf_printf(&line, "SET %s ", key);
    memset(buf_extend(&line, size), 'x', size);
    buf_append_u8(&line, 0);
    assert_string_equal(box_call(box, client, (const char *)line.data), "+OK\r\n");
    buf_free(&line);
}

/* The reply that stands in the buffer. */
BOX_UNUSED static const char *box_reply(const struct box_client *client)
{
    assert_true(client->is_done);
    return (const char *)client->out.data;
}
