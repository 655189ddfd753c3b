/* HMAC-SHA256 (RFC 2104), by OpenSSL's libcrypto: proof that somebody knows a secret. */
#pragma once

#include "base/bytes.h"

enum { HMAC_SIZE = 32 };

void hmac_sha256(struct bytes key, struct bytes message, uint8_t out[HMAC_SIZE]);

/* In time that does not depend on where they differ. */
bool hmac_equal(const uint8_t a[HMAC_SIZE], const uint8_t b[HMAC_SIZE]);
