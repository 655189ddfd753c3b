#include "keyspace/slot.h"

#include "base/crc16.h"

static struct bytes hash_tag(struct bytes key)
{
    const uint8_t *open = key.size == 0 ? NULL : memchr(key.data, '{', key.size);
    if (open == NULL)
        return key;
    size_t rest = key.size - (size_t)(open + 1 - key.data);
    const uint8_t *close = rest == 0 ? NULL : memchr(open + 1, '}', rest);
    if (close == NULL || close == open + 1)
        return key;
    return bytes_of(open + 1, (size_t)(close - open - 1));
}

uint16_t slot_of_key(struct bytes key)
{
    return crc16(hash_tag(key)) % SLOT_COUNT;
}
