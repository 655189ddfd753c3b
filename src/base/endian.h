/* Fixed-width integers to and from bytes: little-endian for formats, big-endian for sort keys. */
#pragma once

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define ENDIAN_PAIR(name, type, to, from)                                                          \
    static inline void put_##name(uint8_t *out, type value)                                        \
    {                                                                                              \
        type stored = to(value);                                                                   \
        memcpy(out, &stored, sizeof(stored));                                                      \
    }                                                                                              \
    static inline type get_##name(const uint8_t *in)                                               \
    {                                                                                              \
        type stored;                                                                               \
        memcpy(&stored, in, sizeof(stored));                                                       \
        return from(stored);                                                                       \
    }

ENDIAN_PAIR(le16, uint16_t, htole16, le16toh)
ENDIAN_PAIR(le32, uint32_t, htole32, le32toh)
ENDIAN_PAIR(le64, uint64_t, htole64, le64toh)
ENDIAN_PAIR(be16, uint16_t, htobe16, be16toh)
ENDIAN_PAIR(be32, uint32_t, htobe32, be32toh)
ENDIAN_PAIR(be64, uint64_t, htobe64, be64toh)

#undef ENDIAN_PAIR
