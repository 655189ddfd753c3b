#include "server/admission.h"

#include <string.h>

#include "server/state.h"

static const char full_text[] = "-ERR max number of clients reached\r\n";

static const char protected_text[] =
    "-DENIED Quoin runs in protected mode: no password is set, so that only connections from this "
    "machine are taken. To connect from elsewhere, do one of these on the server: 1) set a "
    "password "
    "with 'requirepass', best; 2) 'CONFIG SET protected-mode no' from a local connection, or "
    "'protected-mode no' in its configuration file, if nobody unknown can reach it; 3) connect by "
    "way "
    "of the loopback interface.\r\n";

void admission_count_refused(struct server *server, const char *why)
{
    server->stats.rejected_connections++;
    log_write(server->log, LOG_LEVEL_VERBOSE, "connection refused: %s", why);
}

/* The socket is new and its buffer empty: the text fits, or the peer is gone already. */
static void refuse(struct server *server, struct conn *conn, const char *text, const char *why)
{
    size_t put;
    enum conn_err err = conn_write(conn, text, strlen(text), &put);
    (void)err;
    conn_close(conn);
    admission_count_refused(server, why);
}

static bool is_protected_from(const struct server *server, const struct conn *conn)
{
    return server->config->protected_mode && !server_has_password(server) && !conn->is_loopback;
}

void admission_take(struct server *server, int fd)
{
    struct conn conn;
    conn_init(&conn, fd, SOURCE_CLIENT, (uint32_t)server->config->tcp_keepalive);
    if (server->client_count >= (size_t)server->config->maxclients) {
        refuse(server, &conn, full_text, "maxclients is reached");
        return;
    }
    if (is_protected_from(server, &conn)) {
        refuse(server, &conn, protected_text, "protected mode, and the peer is not this machine");
        return;
    }
    struct client *client = client_new(server);
    client->conn = conn;
    if (!loop_add(server->loop, &client->conn.source)) {
        conn_close(&client->conn);
        client_doom(client);
        admission_count_refused(server, "the kernel cannot watch another descriptor");
        return;
    }
    client->has_socket = true;
}
