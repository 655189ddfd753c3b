/* What a stream remembers of its producers, so that a message sent twice is added once (XADD IDMP;
 * redis.io/docs/latest/develop/data-types/streams/idempotency): for each producer the names of its
 * newest messages, `size_max` at most and none older than `duration_s`, and the ids of their
 * entries. An entry that was removed since is remembered all the same.
 *
 * Between stream.c and stream_rows.c; commands use the part of it in stream.h.
 *
 *   by number, oldest first:   m0 <-> m1 <-> m2 <-> m3      number: how many there were before it
 *   of one producer:           m0 ---------> m2             names are found in a table of buckets
 *
 * Rows (prefixes behind those in stream.h):
 *     E 0x04 producer:be32 -> name
 *     E 0x05 number:be64   -> producer:le32 id:16 added_ms:le64 name
 *     head part := duration:le32 size_max:le32 added:le64 duplicates:le64 producers:le32
 *                  messages:le32                            only once there were any, or a setting
 */
#pragma once

#include "base/list.h"
#include "types/stream.h"

enum {
    PRODUCTION_ROW_PRODUCER = 4,
    PRODUCTION_ROW_MESSAGE = 5,
    PRODUCTION_HEAD_SIZE = 32,
};

struct producer {
    uint32_t number; /* from the same count as those of groups */
    uint32_t count;  /* of its messages; never 0 */
    struct buf name;
    struct list messages; /* struct message.of_producer, oldest first */
};

struct message {
    struct list in_all, of_producer;
    struct message *next; /* in its bucket */
    struct producer *producer;
    uint64_t number, hash;
    struct stream_id id;
    int64_t added_ms;
    uint32_t size;
    uint8_t name[];
};

struct production {
    uint32_t duration_s, size_max;
    uint64_t added, duplicates; /* ever */
    struct list messages;       /* struct message.in_all */
    uint32_t count;             /* of them */
    uint32_t bucket_count;      /* a power of two, or 0 */
    struct message **buckets;
    struct producer **producers; /* by name */
    uint32_t producer_count, producer_capacity;
    size_t memory; /* of all this but the struct itself */

    uint32_t expected_producers, expected_messages; /* in a HEAD, and while loading */
    struct buf by_number; /* struct producer * in the order of their rows, while loading */
};

struct production *production_new(void);
void production_free(struct production *production); /* NULL is legal */
struct production *production_copy(const struct production *production);
size_t production_memory(const struct production *production);   /* NULL: 0 */
uint64_t production_digest(const struct production *production); /* NULL: that of the default */
void production_check(const struct production *production);

/* All rows of a stream. */
void production_emit(const struct value *value, struct buf *rows);

/* The head part. is_head: counts are the expected ones. */
void production_encode_head(const struct production *production, bool is_head, struct buf *out);

/* PRODUCTION_HEAD_SIZE bytes; NULL: damage. */
struct production *production_decode_head(const uint8_t *head);

/* Rows by prefix; they come in order. False: they do not fit (L11). */
bool production_load_producer(struct production *production, struct bytes element,
                              struct bytes row_value, uint32_t first_unused);
bool production_load_message(struct production *production, struct bytes element,
                             struct bytes row_value, const struct type_env *env);
bool production_load_end(struct production *production);
