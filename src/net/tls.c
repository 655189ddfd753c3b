#include "net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/mem.h"

#define EXPORT_LABEL "EXPORTER-quoin-peer"

enum { REASON_SIZE = 160 };

struct tls {
    SSL_CTX *context;
};

struct tls_session {
    SSL *ssl;
    char reason[REASON_SIZE];
};

/* ---- context ---- */

static void note_error(struct buf *error, const char *what, const char *file)
{
    char text[REASON_SIZE];
    ERR_error_string_n(ERR_get_error(), text, sizeof(text));
    ERR_clear_error();
    buf_printf(error, "%s '%s': %s", what, file, text);
}

static bool load(SSL_CTX *context, const char *cert_file, const char *key_file,
                 const char *ca_cert_file, struct buf *error)
{
    if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1) {
        note_error(error, "tls-cert-file", cert_file);
        return false;
    }
    if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        note_error(error, "tls-key-file", key_file);
        return false;
    }
    if (SSL_CTX_load_verify_locations(context, ca_cert_file, NULL) != 1) {
        note_error(error, "tls-ca-cert-file", ca_cert_file);
        return false;
    }
    return true;
}

struct tls *tls_new(const char *cert_file, const char *key_file, const char *ca_cert_file,
                    struct buf *error)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    ASSERT(context != NULL);
    if (!load(context, cert_file, key_file, ca_cert_file, error)) {
        SSL_CTX_free(context);
        return NULL;
    }
    long ok = SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    ASSERT(ok == 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* A link is kept for days: resumption would save nothing, and tickets would be bytes that the
     * other end must read. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_num_tickets(context, 0);
    struct tls *tls = mem_zero(sizeof(*tls));
    tls->context = context;
    return tls;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->context);
    mem_free(tls);
}

/* ---- moving bytes ---- */

static int size_of_call(size_t size)
{
    return size > INT32_MAX ? INT32_MAX : (int)size;
}

/* An end without close_notify is one like any other: frames tell whether something is missing. */
static enum conn_err from_ssl(struct conn *conn, int result)
{
    switch (SSL_get_error(conn->session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return CONN_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return CONN_ENDED;
    default:
        return CONN_BROKEN;
    }
}

static enum conn_err tls_read(struct conn *conn, void *out, size_t size, size_t *got)
{
    ASSERT(size > 0);
    ERR_clear_error();
    int result = SSL_read(conn->session->ssl, out, size_of_call(size));
    *got = result > 0 ? (size_t)result : 0;
    return result > 0 ? CONN_OK : from_ssl(conn, result);
}

static enum conn_err tls_write(struct conn *conn, const void *data, size_t size, size_t *put)
{
    ASSERT(size > 0);
    ERR_clear_error();
    int result = SSL_write(conn->session->ssl, data, size_of_call(size));
    *put = result > 0 ? (size_t)result : 0;
    return result > 0 ? CONN_OK : from_ssl(conn, result);
}

static void tls_close(struct conn *conn)
{
    SSL_free(conn->session->ssl);
    ERR_clear_error();
    mem_free(conn->session);
    conn->session = NULL;
}

static const struct conn_io tls_io = {.read = tls_read, .write = tls_write, .close = tls_close};

/* ---- sessions ---- */

void tls_begin(struct tls *tls, struct conn *conn, bool is_client)
{
    ASSERT(conn->session == NULL && conn->source.fd >= 0);
    struct tls_session *session = mem_zero(sizeof(*session));
    session->ssl = SSL_new(tls->context);
    ASSERT(session->ssl != NULL);
    int ok = SSL_set_fd(session->ssl, conn->source.fd);
    ASSERT(ok == 1);
    if (is_client)
        SSL_set_connect_state(session->ssl);
    else
        SSL_set_accept_state(session->ssl);
    conn->session = session;
    conn->io = &tls_io;
}

static void note_reason(struct tls_session *session)
{
    unsigned long code = ERR_peek_error();
    long verified = SSL_get_verify_result(session->ssl);
    const char *text = "the other end closed the connection";
    if (verified != X509_V_OK)
        text = X509_verify_cert_error_string(verified);
    else if (code != 0 && ERR_reason_error_string(code) != NULL)
        text = ERR_reason_error_string(code);
    size_t size = strlen(text) < REASON_SIZE ? strlen(text) : REASON_SIZE - 1;
    memcpy(session->reason, text, size);
    session->reason[size] = 0;
}

enum tls_err tls_handshake(struct conn *conn)
{
    struct tls_session *session = conn->session;
    ERR_clear_error();
    int result = SSL_do_handshake(session->ssl);
    if (result == 1)
        return TLS_OK;
    int error = SSL_get_error(session->ssl, result);
    if (error == SSL_ERROR_WANT_READ)
        return TLS_WANTS_READ;
    if (error == SSL_ERROR_WANT_WRITE)
        return TLS_WANTS_WRITE;
    note_reason(session);
    ERR_clear_error();
    return TLS_FAILED;
}

void tls_append_reason(const struct conn *conn, struct buf *out)
{
    buf_append_string(out, conn->session->reason);
}

bool tls_has_more(const struct conn *conn)
{
    return conn->session != NULL && SSL_pending(conn->session->ssl) > 0;
}

void tls_export(const struct conn *conn, uint8_t out[TLS_EXPORT_SIZE])
{
    int ok = SSL_export_keying_material(conn->session->ssl, out, TLS_EXPORT_SIZE, EXPORT_LABEL,
                                        strlen(EXPORT_LABEL), NULL, 0, 0);
    ASSERT(ok == 1);
}
