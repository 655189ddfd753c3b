/* A set of key hashes that answers "certainly absent" or "maybe": what makes SET of a new key free
 * of a LevelDB miss when not every key is in memory.
 *
 * A cuckoo filter (Fan et al. 2014): buckets of four 16-bit fingerprints, two candidate buckets per
 * hash, about 17 bits per key, one false "maybe" in 8,000 per level. It grows by adding a level of
 * twice the size, because a fingerprint does not tell where it would stand in a larger table.
 *
 * Removal is exact only for hashes that were added: the caller adds a key when the log says that it
 * is new and removes it when the log deletes it (rows.h, ROW_PUT_NEW), so the filter is the set of
 * keys as of the applied index. Levels are searched from the largest down, and that matters for
 * removal: two hashes that share a place in a large level share it in every smaller one, so taking
 * the other's fingerprint there leaves one that still answers for both. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct filter;

struct filter *filter_new(void);
void filter_free(struct filter *filter); /* NULL is legal */
void filter_add(struct filter *filter, uint64_t hash48);
bool filter_remove(struct filter *filter, uint64_t hash48); /* false: it was not there */
bool filter_may_have(const struct filter *filter, uint64_t hash48);
uint64_t filter_count(const struct filter *filter);
uint64_t filter_memory(const struct filter *filter); /* bytes */
