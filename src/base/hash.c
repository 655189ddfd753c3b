#include "base/hash.h"

#include <xxhash.h>

#include "base/assert.h"

uint64_t hash_bytes(struct bytes bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.data, bytes.size, seed);
}

static XXH3_state_t *state_of(struct hash_stream *stream)
{
    return (XXH3_state_t *)(void *)stream;
}

struct hash_stream *hash_stream_new(void)
{
    XXH3_state_t *state = XXH3_createState();
    ASSERT(state != NULL);
    return (struct hash_stream *)(void *)state;
}

void hash_stream_free(struct hash_stream *stream)
{
    (void)XXH3_freeState(state_of(stream));
}

void hash_stream_start(struct hash_stream *stream, uint64_t seed)
{
    XXH_errorcode result = XXH3_64bits_reset_withSeed(state_of(stream), seed);
    ASSERT(result == XXH_OK);
}

void hash_stream_add(struct hash_stream *stream, struct bytes bytes)
{
    XXH_errorcode result = XXH3_64bits_update(state_of(stream), bytes.data, bytes.size);
    ASSERT(result == XXH_OK);
}

uint64_t hash_stream_value(const struct hash_stream *stream)
{
    return XXH3_64bits_digest((const XXH3_state_t *)(const void *)stream);
}
