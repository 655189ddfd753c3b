/* The serialized form of values that DUMP and RESTORE exchange with Redis: the parts of the RDB
 * format that a value is made of. Reading checks everything (L11). */
#pragma once

#include "base/assert.h"
#include "base/buf.h"

enum rdb_type {
    RDB_STRING = 0,
    RDB_LIST = 1,
    RDB_SET = 2,
    RDB_ZSET = 3, /* scores as text */
    RDB_HASH = 4,
    RDB_ZSET_2 = 5, /* scores as doubles */
    RDB_SET_INTSET = 11,
    RDB_STREAM = 15,
    RDB_HASH_LISTPACK = 16,
    RDB_ZSET_LISTPACK = 17,
    RDB_LIST_QUICKLIST_2 = 18,
    RDB_STREAM_2 = 19,
    RDB_SET_LISTPACK = 20,
    RDB_STREAM_3 = 21,
};

enum {
    RDB_VERSION_MAX = 11,     /* of Redis 7.2 */
    RDB_VERSION_WRITTEN = 10, /* so that 7.0 takes it, too */
    RDB_FOOTER_SIZE = 10,     /* version:le16 crc64:le64 */
};

uint64_t rdb_crc64(struct bytes bytes);

/* ---- writing ---- */

void rdb_put_size(struct buf *out, uint64_t size);
void rdb_put_string(struct buf *out, struct bytes bytes);
void rdb_put_double(struct buf *out, double value);
void rdb_put_footer(struct buf *out); /* over all that is in the buffer */

/* ---- reading: each takes its part off *rest; false: not there or damaged ---- */

/* Cuts the footer off a whole payload. */
MUST_USE bool rdb_take_footer(struct bytes *payload);
MUST_USE bool rdb_take_u8(struct bytes *rest, uint8_t *value);
MUST_USE bool rdb_take_bytes(struct bytes *rest, size_t size, struct bytes *value);
MUST_USE bool rdb_take_size(struct bytes *rest, uint64_t *size);
MUST_USE bool rdb_take_le64(struct bytes *rest, uint64_t *value);

/* Replaces *value; texts of integers and compressed ones are made whole. */
MUST_USE bool rdb_take_string(struct bytes *rest, struct buf *value);
MUST_USE bool rdb_take_double(struct bytes *rest, double *value);
MUST_USE bool rdb_take_old_double(struct bytes *rest, double *value); /* RDB_ZSET */

/* ---- listpacks ---- */

void listpack_begin(struct buf *out); /* at the end of out; one at a time */
void listpack_put(struct buf *out, struct bytes text);
void listpack_put_int(struct buf *out, int64_t value);
void listpack_end(struct buf *out, size_t begin, uint32_t count);

/* Checks the head and cuts head and end off. */
MUST_USE bool listpack_open(struct bytes listpack, struct bytes *rest);

/* Replaces *text with the next entry's; false at the end and when damaged: then *rest is not empty.
 */
MUST_USE bool listpack_next(struct bytes *rest, struct buf *text);
