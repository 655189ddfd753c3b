#include "codec/hmac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/assert.h"

void hmac_sha256(struct bytes key, struct bytes message, uint8_t out[HMAC_SIZE])
{
    ASSERT(key.size > 0 && key.size <= INT32_MAX);
    unsigned size = 0;
    const uint8_t *made =
        HMAC(EVP_sha256(), key.data, (int)key.size, message.data, message.size, out, &size);
    ASSERT(made != NULL && size == HMAC_SIZE);
}

bool hmac_equal(const uint8_t a[HMAC_SIZE], const uint8_t b[HMAC_SIZE])
{
    return CRYPTO_memcmp(a, b, HMAC_SIZE) == 0;
}
