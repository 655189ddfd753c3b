#include "server/client_texts.h"

#include "server/refusal.h"
#include "server/state.h"

void client_peer_text(const struct client *client, char text[static NET_ADDRESS_TEXT_SIZE])
{
    memcpy(text, "?:0", sizeof("?:0"));
    if (client->has_socket)
        conn_peer_text(&client->conn, text);
}

void client_local_text(const struct client *client, char text[static NET_ADDRESS_TEXT_SIZE])
{
    memcpy(text, "?:0", sizeof("?:0"));
    if (client->has_socket)
        conn_local_text(&client->conn, text);
}

/* The letters of Redis: N none, x in a transaction, d its watches are dirty, c closing after its
 * output, b waits, U unix socket, e not evicted, T does not touch. */
static void append_flags(const struct client *client, struct buf *out)
{
    size_t before = out->size;
    if (client->transaction != NULL)
        buf_append_u8(out, 'x');
    if (client->request_state == REQUEST_WAITING)
        buf_append_u8(out, 'b');
    if (client->watches.is_dirty)
        buf_append_u8(out, 'd');
    if (client->is_closing)
        buf_append_u8(out, 'c');
    if (client->has_socket && client->conn.is_unix)
        buf_append_u8(out, 'U');
    if (client->is_no_evict)
        buf_append_u8(out, 'e');
    if (client->is_no_touch)
        buf_append_u8(out, 'T');
    if (out->size == before)
        buf_append_u8(out, 'N');
}

static uint64_t seconds_since(const struct client *client, uint64_t then_us)
{
    uint64_t now_us = client->server->now.boot_us;
    return then_us == 0 || then_us > now_us ? 0 : (now_us - then_us) / 1000000;
}

static const char *text_or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static void append_identity(const struct client *client, struct buf *out)
{
    char peer[NET_ADDRESS_TEXT_SIZE], local[NET_ADDRESS_TEXT_SIZE];
    client_peer_text(client, peer);
    client_local_text(client, local);
    buf_printf(out, "id=%llu addr=%s laddr=%s fd=%d name=%s age=%llu idle=%llu flags=",
               (unsigned long long)client->id, peer, local, client->conn.source.fd,
               text_or_empty(client->name),
               (unsigned long long)seconds_since(client, client->created_us),
               (unsigned long long)seconds_since(client, client->last_active_us));
    append_flags(client, out);
}

static void append_buffers(const struct client *client, struct buf *out)
{
    size_t query_free = client->query.capacity - client->query.size;
    size_t queued = client->transaction == NULL ? 0 : transaction_memory(client->transaction);
    size_t unsent = output_unsent(&client->output);
    buf_printf(
        out,
        " db=%d sub=0 psub=0 ssub=0 multi=%d qbuf=%zu qbuf-free=%zu argv-mem=%zu multi-mem=%zu"
        " rbs=%zu rbp=%zu obl=%zu oll=0 omem=%zu tot-mem=%zu",
        client->database, client->transaction == NULL ? -1 : client->transaction->count,
        client->query.size - client->query_head, query_free,
        client->argv_capacity * sizeof(struct bytes), queued, client->output.buf.capacity, unsent,
        unsent, output_memory(&client->output), client_memory(client));
}

void client_append_line(const struct client *client, struct buf *out)
{
    append_identity(client, out);
    append_buffers(client, out);
    buf_printf(out, " events=%s%s cmd=", client->is_reading ? "r" : "",
               client->is_write_blocked ? "w" : "");
    if (client->last_command == NULL)
        buf_append_string(out, "NULL");
    else
        refusal_append_name(client->last_command, client->last_container, out);
    buf_printf(out, " user=default redir=-1 resp=%u lib-name=%s lib-ver=%s", client->protocol,
               text_or_empty(client->lib_name), text_or_empty(client->lib_version));
}
