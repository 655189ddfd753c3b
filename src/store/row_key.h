/* Row keys: how LevelDB's one key space is divided. Big-endian numbers, so that memcmp order is the
 * order of the fields. The grammar with an example stands in FORMAT.md.
 *
 * Encoders append to a buffer; callers pass fields in range (ASSERT). Decoding is for foreign bytes
 * (a peer's rows, what LevelDB gives back): it checks and refuses (L11). */
#pragma once

#include "base/assert.h"
#include "base/buf.h"

enum row_kind {
    ROW_KIND_ELEMENT = 'E',
    ROW_KIND_SWEEP = 'G',
    ROW_KIND_KEY = 'K',
    ROW_KIND_META = 'M',
    ROW_KIND_KEYSPACE = 'N',
    ROW_KIND_SEAT = 'S',
    ROW_KIND_EXPIRY = 'T',
};

enum {
    ROW_KEY_NAME_MAX = 64 * 1024, /* of a client's key and of an element */
    ROW_KEY_META_MAX = 64,
    ROW_KEY_SLOTS = 16384,
    ROW_KEY_K_SIZE = 13, /* before the client's key */
    ROW_KEY_E_SIZE = 9,  /* before the element */
    ROW_KEY_T_SIZE = 15, /* before the client's key */
};

#define ROW_KEY_HASH_MAX ((UINT64_C(1) << 48) - 1)

enum row_sweep { ROW_SWEEP_OBJECT = 1, ROW_SWEEP_KEYSPACE = 2 };

/* One decoded row key; only the fields its kind has are set, the others are 0. */
struct row_key {
    enum row_kind kind;
    uint32_t ksid;        /* K T N, G of a keyspace */
    uint16_t slot;        /* K T; below ROW_KEY_SLOTS */
    uint64_t hash;        /* K; 48 bits */
    uint64_t object;      /* E, G of an object */
    uint64_t expire_ms;   /* T */
    uint64_t home;        /* S */
    uint64_t incarnation; /* S */
    uint32_t seat;        /* S */
    enum row_sweep sweep; /* G */
    struct bytes name;    /* K T: the client's key; E: the element; M: the name; borrowed */
};

void row_key_append_key(struct buf *out, uint32_t ksid, uint16_t slot, uint64_t hash,
                        struct bytes key);
void row_key_append_element(struct buf *out, uint64_t object, struct bytes element);
void row_key_append_expiry(struct buf *out, uint64_t expire_ms, uint32_t ksid, uint16_t slot,
                           struct bytes key);
void row_key_append_seat(struct buf *out, uint64_t home, uint64_t incarnation, uint32_t seat);
void row_key_append_sweep_object(struct buf *out, uint64_t object);
void row_key_append_sweep_keyspace(struct buf *out, uint32_t ksid);
void row_key_append_keyspace(struct buf *out, uint32_t ksid);
void row_key_append_meta(struct buf *out, struct bytes name);

/* Prefixes: where all keys of a keyspace, of a slot from a hash on, of an object begin. */
void row_key_append_key_prefix(struct buf *out, uint32_t ksid);
void row_key_append_slot_prefix(struct buf *out, uint32_t ksid, uint16_t slot, uint64_t hash);
void row_key_append_element_prefix(struct buf *out, uint64_t object);

/* Turns a prefix into the first key behind all keys that begin with it. Not for all-0xff bytes. */
void row_key_step_over(struct buf *prefix);

/* Appends what sorts directly behind key: key and a 0 byte. */
void row_key_append_successor(struct buf *out, struct bytes key);

/* False when the bytes are no row key. out->name borrows from key. */
MUST_USE bool row_key_decode(struct bytes key, struct row_key *out);

/* The head that every K row's value begins with (FORMAT.md): type, flags, [expire], [object]. */
enum { ROW_VALUE_HAS_EXPIRE = 0x01, ROW_VALUE_HAS_OBJECT = 0x02 };

/* False when the value is too short for what its flags say. *object is 0 without one. */
MUST_USE bool row_value_object(struct bytes value, uint64_t *object);
