/* Values that are not strings: what lists, sets, sorted sets, hashes and streams have in common,
 * and the one contract each of them fulfils (struct type). A type's own file holds everything else.
 *
 * In rows (store/FORMAT.md): a small value stands whole in the K row (inline, at most
 * VALUE_INLINE_MAX bytes). Beyond that it gets an object id, the K row holds its head, and each
 * element is an E row of its own, so that a change of one element writes that element. It stays in
 * that form until it is deleted. The form in rows says nothing about the form in memory.
 *
 * A change is made between the begin and the end of an edit (keyspace/hot.h, commands/call.h). The
 * functions of a type that change a value take the edit: they put the rows of what they change with
 * edit_put and edit_delete, and store into edit->value where the value is now. Rows of an element
 * that changes twice in one entry stand there twice, the last one counts. */
#pragma once

#include "base/assert.h"
#include "base/buf.h"
#include "types/object.h"

enum {
    VALUE_INLINE_MAX = 512,
    VALUE_ROW_OVERHEAD = 40, /* header and key of an element row, about */
    VALUE_NAME_SHORT_MAX = 1024,
    VALUE_FORM_HEAD = 0, /* struct value.form: only what the K row says is known; others are the
                          * type's own */
};

/* First member of every type's struct. */
struct value {
    uint64_t object_id; /* of its element rows; 0: it has none, the K row holds it all */
    uint32_t count;     /* elements; known in a HEAD too */
    uint8_t type;       /* enum object_type */
    uint8_t form;       /* in memory: VALUE_FORM_HEAD or the type's */
    uint16_t flags;     /* the type's */
};

/* What types are told from outside: thresholds of the encodings (directives of the same names) and
 * the seed of element hashes, the same on every node for ever. Copied to helper threads. */
struct type_env {
    uint64_t hash_seed;
    int64_t hash_max_listpack_entries, hash_max_listpack_value;
    int64_t list_max_listpack_size; /* negative: -1..-5, 4 to 64 KiB */
    int64_t set_max_intset_entries, set_max_listpack_entries, set_max_listpack_value;
    int64_t zset_max_listpack_entries, zset_max_listpack_value;
    uint64_t stream_node_max_bytes;
    int64_t stream_node_max_entries;
};

/* The defaults of the directives; for tests. */
struct type_env type_env_default(uint64_t hash_seed);

/* A change under way. */
struct edit {
    struct value *value; /* where it is now */
    struct buf *rows;    /* of the open entry; NULL when the value has no element rows */
    const struct type_env *env;

    /* keyspace's */
    struct object *object; /* NULL: the key is new */
    size_t rows_before;
    size_t memory_before;
    uint64_t rows_size_before;
    int64_t due_before_ms;
    uint64_t order;
};

/* A new value that belongs to no key yet (results of SINTERSTORE, RESTORE): the caller's. */
struct edit edit_detached(enum object_type type, const struct type_env *env);

/* Element rows of a change; nothing when the value has none. element: at most VALUE_NAME_MAX bytes
 * after the object id. */
void edit_put(struct edit *edit, struct bytes element, struct bytes value);
void edit_delete(struct edit *edit, struct bytes element);

/* The same for a given object, whatever edit is under way (struct type.emit). */
void value_put_row(struct buf *rows, uint64_t object_id, struct bytes element, struct bytes value);

/* Names of any length as elements: a field or member up to VALUE_NAME_SHORT_MAX bytes stands in the
 * row's key, of a longer one its 128-bit digest does, and the name comes first in the row's value:
 *
 *   element := prefix:u8 0x00 name | prefix:u8 0x01 digest:16
 *   value   := rest                | name_size:le32 name rest
 *
 * prefix tells kinds of elements of one type apart. element and value are appended to; the caller
 * clears them and appends the rest to value. */
void value_encode_name(uint8_t prefix, struct bytes name, struct buf *element, struct buf *value);

/* False when it is no such row or its digest is not that of the name (L11). name and rest borrow.
 */
MUST_USE bool value_decode_name(struct bytes element, struct bytes row_value, uint8_t *prefix,
                                struct bytes *name, struct bytes *rest);

/* The contract. Functions without env may be called on any thread for a value nobody else has. */
struct type {
    const char *name;  /* what TYPE replies */
    bool may_be_empty; /* a value without elements stays (streams) */
    struct value *(*create)(const struct type_env *env); /* empty, not a HEAD */
    void (*free)(struct value *value);                   /* HEADs too */
    size_t (*memory)(const struct value *value);         /* bytes taken; O(1) */
    struct value *(*copy)(const struct value *value);    /* all of it; object_id 0 */
    const char *(*encoding)(const struct value *value);  /* as OBJECT ENCODING names it; O(1) */

    /* Bytes that encode_inline would append, or anything above VALUE_INLINE_MAX when it is more.
     * O(1) beyond small values. */
    size_t (*inline_size)(const struct value *value);
    void (*encode_inline)(const struct value *value, struct buf *out);
    /* NULL when the bytes are not what encode_inline makes (L11). */
    struct value *(*decode_inline)(struct bytes bytes, const struct type_env *env);

    /* What the K row holds besides object id and count when elements are rows. Either may be NULL:
     * nothing. decode_head gets a HEAD (form VALUE_FORM_HEAD) with object_id and count set, made by
     * create_head, and fills in its fields; false: damage. */
    void (*encode_head)(const struct value *value, struct buf *out);
    bool (*decode_head)(struct value *value, struct bytes bytes);
    struct value *(*create_head)(void);

    /* Puts the rows of all elements; object_id is set. */
    void (*emit)(const struct value *value, struct buf *rows);

    /* Loading, on any thread: load_begin turns a HEAD into a value without elements (count keeps
     * what the head says, env stays until the end), load_row places one element row, load_end is
     * called behind the last one. False: the rows do not fit each other or the head (damage, L11).
     * Rows come in the order of their elements' bytes. */
    void (*load_begin)(struct value **value, const struct type_env *env);
    bool (*load_row)(struct value **value, struct bytes element, struct bytes row_value,
                     const struct type_env *env);
    bool (*load_end)(struct value **value, const struct type_env *env);

    /* When something in the value dies by itself, in Unix ms: the earliest time or one before it;
     * 0: never. Known in a HEAD. Both NULL for types without. expire removes what is due at now_ms
     * and returns how many elements that were. */
    int64_t (*due_ms)(const struct value *value);
    uint32_t (*expire)(struct edit *edit, int64_t now_ms);

    /* A hash over the content, the same for equal values whatever their forms; for tests. O(n). */
    uint64_t (*digest)(const struct value *value);

    /* Asserts every invariant; O(n). */
    void (*check)(const struct value *value);
};

/* One file each. */
extern const struct type list_type, set_type, zset_type, hash_type, stream_type;

/* NULL for a number that is no such type (strings included). */
const struct type *type_of(uint8_t object_type);
const char *type_name(uint8_t object_type); /* "string" too; "none" for TYPE_NONE */

/* The type whose name this is, without case; TYPE_NONE when there is none. */
enum object_type type_by_name(struct bytes name);

/* Bytes that the rows of the whole value take at most, about. O(1). */
uint64_t value_rows_size(const struct value *value);

int64_t value_due_ms(const struct value *value);
size_t value_memory(const struct value *value);
void value_free(struct value *value);          /* NULL is legal */
bool value_is_gone(const struct value *value); /* empty, and its type may not be */

/* What follows type, flags and expiry in a K row (with the object id, when it has one). */
void value_encode(const struct value *value, struct buf *out);

/* A HEAD from the K row of a value with element rows, or the value itself from an inline one;
 * NULL: damage. */
struct value *value_decode(uint8_t object_type, uint64_t object_id, struct bytes bytes,
                           const struct type_env *env);
