/* The part of CLIENT that looks at other connections: LIST, KILL, PAUSE, UNPAUSE, UNBLOCK. */
#include "base/number.h"
#include "commands/call.h"
#include "server/client_commands.h"
#include "server/client_texts.h"
#include "server/state.h"
#include "server/wait_commands.h"

enum client_type {
    CLIENT_ANY,
    CLIENT_NORMAL,
    CLIENT_MASTER,  /* no client is one: members speak another protocol */
    CLIENT_REPLICA, /* likewise */
    CLIENT_PUBSUB,  /* none yet */
};

static bool parse_type(struct call *c, int position, enum client_type *type)
{
    if (call_is_word(c, position, "normal"))
        *type = CLIENT_NORMAL;
    else if (call_is_word(c, position, "master"))
        *type = CLIENT_MASTER;
    else if (call_is_word(c, position, "replica") || call_is_word(c, position, "slave"))
        *type = CLIENT_REPLICA;
    else if (call_is_word(c, position, "pubsub"))
        *type = CLIENT_PUBSUB;
    else {
        call_error(c, "ERR Unknown client type '%.*s'", (int)c->argv[position].size,
                   (const char *)c->argv[position].data);
        return false;
    }
    return true;
}

static void append_client(const struct client *client, struct buf *out)
{
    client_append_line(client, out);
    buf_append_u8(out, '\n');
}

/* O(clients): ids ascend along the list. */
static struct client *find_client(const struct server *server, uint64_t id)
{
    struct list *node, *after;
    LIST_FOR_EACH(node, after, &server->clients)
    {
        struct client *client = CONTAINER_OF(node, struct client, all_link);
        if (client->id == id && !client->is_doomed)
            return client;
    }
    return NULL;
}

static bool append_listed_ids(struct call *c, struct buf *out)
{
    for (int i = 3; i < c->argc; i++) {
        int64_t id;
        if (!call_int_range(c, i, INT64_MIN, INT64_MAX, &id, "ERR Invalid client ID"))
            return false;
        const struct client *client = find_client(c->client->server, (uint64_t)id);
        if (client != NULL)
            append_client(client, out);
    }
    return true;
}

static void append_all(const struct server *server, enum client_type type, struct buf *out)
{
    struct list *node, *after;
    if (type != CLIENT_ANY && type != CLIENT_NORMAL)
        return;
    LIST_FOR_EACH(node, after, &server->clients)
    {
        const struct client *client = CONTAINER_OF(node, struct client, all_link);
        if (!client->is_doomed)
            append_client(client, out);
    }
}

void client_admin_list(struct call *c)
{
    enum client_type type = CLIENT_ANY;
    struct buf out = {0};
    bool is_good = true;
    if (c->argc == 4 && call_is_word(c, 2, "type")) {
        is_good = parse_type(c, 3, &type);
        append_all(c->client->server, type, &out);
    } else if (c->argc > 3 && call_is_word(c, 2, "id")) {
        is_good = append_listed_ids(c, &out);
    } else if (c->argc != 2) {
        call_error_syntax(c);
        is_good = false;
    } else {
        append_all(c->client->server, type, &out);
    }
    if (is_good)
        reply_verbatim(&c->reply, "txt", buf_bytes(&out));
    buf_free(&out);
}

struct kill_filter {
    enum client_type type;
    int64_t id;         /* 0: any */
    struct bytes peer;  /* size 0: any */
    struct bytes local; /* size 0: any */
    bool skips_me;
};

static bool parse_yes_no(struct call *c, int position, bool *value)
{
    *value = call_is_word(c, position, "yes");
    if (*value || call_is_word(c, position, "no"))
        return true;
    call_error_syntax(c);
    return false;
}

static bool parse_user(struct call *c, int position)
{
    if (bytes_equal(c->argv[position], BYTES_LITERAL("default")))
        return true;
    call_error(c, "ERR No such user '%.*s'", (int)c->argv[position].size,
               (const char *)c->argv[position].data);
    return false;
}

static bool parse_kill_option(struct call *c, int position, struct kill_filter *filter)
{
    int value = position + 1;
    if (call_is_word(c, position, "id"))
        return call_int_range(c, value, 1, INT64_MAX, &filter->id,
                              "ERR client-id should be greater than 0");
    if (call_is_word(c, position, "type"))
        return parse_type(c, value, &filter->type);
    if (call_is_word(c, position, "user"))
        return parse_user(c, value);
    if (call_is_word(c, position, "skipme"))
        return parse_yes_no(c, value, &filter->skips_me);
    if (call_is_word(c, position, "addr")) {
        filter->peer = c->argv[value];
        return true;
    }
    if (call_is_word(c, position, "laddr")) {
        filter->local = c->argv[value];
        return true;
    }
    call_error_syntax(c);
    return false;
}

/* CLIENT KILL addr, and CLIENT KILL option value …; only the second spares the caller. */
static bool parse_kill(struct call *c, struct kill_filter *filter)
{
    *filter = (struct kill_filter){.skips_me = c->argc > 3};
    if (c->argc == 3) {
        filter->peer = c->argv[2];
        return true;
    }
    if (c->argc % 2 != 0) {
        call_error_syntax(c);
        return false;
    }
    for (int i = 2; i < c->argc; i += 2) {
        if (!parse_kill_option(c, i, filter))
            return false;
    }
    return true;
}

static bool is_meant(const struct client *client, const struct kill_filter *filter,
                     const struct client *caller)
{
    char text[NET_ADDRESS_TEXT_SIZE];
    if (client->is_doomed || (filter->skips_me && client == caller))
        return false;
    if (filter->id != 0 && client->id != (uint64_t)filter->id)
        return false;
    if (filter->type != CLIENT_ANY && filter->type != CLIENT_NORMAL)
        return false;
    client_peer_text(client, text);
    if (filter->peer.size > 0 && !bytes_equal(filter->peer, bytes_of_string(text)))
        return false;
    client_local_text(client, text);
    return filter->local.size == 0 || bytes_equal(filter->local, bytes_of_string(text));
}

/* The caller gets its answer first. */
static void kill_client(struct client *client, const struct client *caller)
{
    if (client == caller)
        client_close_after_output(client);
    else
        client_doom(client);
}

void client_admin_kill(struct call *c)
{
    struct kill_filter filter;
    if (!parse_kill(c, &filter))
        return;
    int64_t killed = 0;
    struct client *caller = NULL;
    struct list *node, *after;
    LIST_FOR_EACH(node, after, &c->client->server->clients)
    {
        struct client *client = CONTAINER_OF(node, struct client, all_link);
        if (!is_meant(client, &filter, c->client))
            continue;
        killed++;
        if (client == c->client)
            caller = client;
        else
            kill_client(client, c->client);
    }
    if (c->argc > 3)
        reply_int(&c->reply, killed);
    else if (killed > 0)
        reply_ok(&c->reply);
    else
        call_error(c, "ERR No such client");
    if (caller != NULL)
        kill_client(caller, c->client);
}

static bool parse_timeout_ms(struct call *c, int position, uint64_t *timeout_ms)
{
    int64_t value;
    if (!call_int_range(c, position, INT64_MIN, INT64_MAX, &value,
                        "ERR timeout is not an integer or out of range"))
        return false;
    if (value < 0) {
        call_error(c, "ERR timeout is negative");
        return false;
    }
    *timeout_ms = (uint64_t)value;
    return true;
}

void client_admin_pause(struct call *c)
{
    struct server *server = c->client->server;
    bool is_all = true;
    uint64_t timeout_ms;
    if (c->argc > 4) {
        call_error_syntax(c);
        return;
    }
    if (c->argc == 4) {
        is_all = call_is_word(c, 3, "all");
        if (!is_all && !call_is_word(c, 3, "write")) {
            call_error(c, "ERR CLIENT PAUSE mode must be WRITE or ALL");
            return;
        }
    }
    if (!parse_timeout_ms(c, 2, &timeout_ms))
        return;
    uint64_t wait_us = timeout_ms > INT64_MAX / 2000 ? INT64_MAX / 2 : timeout_ms * 1000;
    uint64_t until_us = server->now.boot_us + wait_us;
    /* A second pause makes the first longer or stricter, never shorter. */
    if (until_us > server->pause.until_us)
        server->pause.until_us = until_us;
    server->pause.is_all = server->pause.is_all || is_all;
    reply_ok(&c->reply);
}

void client_admin_unpause(struct call *c)
{
    server_unpause(c->client->server);
    reply_ok(&c->reply);
}

static bool unblock(struct server *server, int64_t id, const char *error)
{
    struct client *client = find_client(server, (uint64_t)id);
    if (client == NULL || client->request_state != REQUEST_WAITING)
        return false;
    return wait_unblock(client, error) || exec_unblock(server->exec, &client->request, error);
}

void client_admin_unblock(struct call *c)
{
    int64_t id;
    if (c->argc > 4) {
        call_error_syntax(c);
        return;
    }
    if (c->argc == 4 && !call_is_word(c, 3, "timeout") && !call_is_word(c, 3, "error")) {
        call_error(c, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
        return;
    }
    if (!call_int(c, 2, &id))
        return;
    bool is_error = c->argc == 4 && call_is_word(c, 3, "error");
    const char *error = is_error ? "UNBLOCKED client unblocked via CLIENT UNBLOCK" : NULL;
    reply_int(&c->reply, unblock(c->client->server, id, error));
}
