/* XXH3, the only hash function and checksum of the project (package libxxhash). */
#pragma once

#include "base/bytes.h"

uint64_t hash_bytes(struct bytes bytes, uint64_t seed);

/* Streaming form, for a checksum over parts that do not lie side by side. */
struct hash_stream;
struct hash_stream *hash_stream_new(void);
void hash_stream_free(struct hash_stream *stream); /* NULL is legal */
void hash_stream_start(struct hash_stream *stream, uint64_t seed);
void hash_stream_add(struct hash_stream *stream, struct bytes bytes);
uint64_t hash_stream_value(const struct hash_stream *stream);
