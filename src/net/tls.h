/* Encrypted connections (TLS 1.3, OpenSSL) in the place of plain ones: tls_begin exchanges what
 * conn_read and conn_write do. Both ends show a certificate and verify the other's against one
 * authority; names in certificates are not looked at, since who is who is shown by other means. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/buf.h"
#include "net/conn.h"

enum { TLS_EXPORT_SIZE = 32 };

enum tls_err {
    TLS_OK = 0,
    TLS_WANTS_READ, /* go on when the socket is readable … */
    TLS_WANTS_WRITE,
    TLS_FAILED, /* close it; tls_append_reason says why */
};

struct tls; /* certificate, key and authority; for both ends of connections */

/* Reads the three files (PEM). On an error NULL, and one line without end is appended to error,
 * which names the file. */
MUST_USE struct tls *tls_new(const char *cert_file, const char *key_file, const char *ca_cert_file,
                             struct buf *error);
void tls_free(struct tls *tls); /* NULL is legal; outlives its connections */

/* conn is connected and nothing has been moved. From here on tls_handshake until TLS_OK, then
 * conn_read and conn_write. conn_close ends it. */
void tls_begin(struct tls *tls, struct conn *conn, bool is_client);
MUST_USE enum tls_err tls_handshake(struct conn *conn);
void tls_append_reason(const struct conn *conn, struct buf *out); /* after TLS_FAILED */

/* Decrypted bytes wait inside, of which the poll knows nothing. */
bool tls_has_more(const struct conn *conn);

/* A value that only the two ends of this session have (RFC 8446, 7.5): binds a proof to it. */
void tls_export(const struct conn *conn, uint8_t out[TLS_EXPORT_SIZE]);
