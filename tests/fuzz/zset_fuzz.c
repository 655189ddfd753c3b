/* Any bytes as a sorted set from a disk: inline, and as element rows. What is taken must be sound;
 * nothing may assert. Most blind inputs would be refused at the first byte, so two of three kinds
 * begin with what is right.
 *
 *   input   := kind:u8 mod 3: 0 inline bytes
 *            | 1 (at:u8 byte:u8)*                   changes to the bytes of a good set
 *            | 2 count:u8 (damage:u8 name_size:u8 name score:le64)*      even: as many as come
 *   damage  := below 240 none, else what is added to the first byte of the element */
#include "base/assert.h"
#include "types/zset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool take(struct bytes *rest, size_t size, struct bytes *part)
{
    if (size > rest->size)
        return false;
    *part = bytes_of(rest->data, size);
    *rest = bytes_of(rest->data + size, rest->size - size);
    return true;
}

/* What was taken goes the same way again. */
static void try_inline(struct bytes bytes, const struct type_env *env)
{
    struct value *value = zset_type.decode_inline(bytes, env);
    struct buf out = {0};
    if (value == NULL)
        return;
    zset_type.check(value);
    zset_type.encode_inline(value, &out);
    ASSERT(out.size == zset_type.inline_size(value));
    struct value *again = zset_type.decode_inline(buf_bytes(&out), env);
    ASSERT(again != NULL && zset_type.digest(again) == zset_type.digest(value));
    zset_type.free(again);
    zset_type.free(value);
    buf_free(&out);
}

static void try_changed(struct bytes changes, const struct type_env *env)
{
    static const double SCORES[] = {-1e300, -70000, -3, 0, 0.5, 1, 200, 40000, 1e12};
    struct edit edit = edit_detached(TYPE_ZSET, env);
    struct buf bytes = {0};
    for (size_t i = 0; i < COUNT_OF(SCORES); i++)
        (void)zset_put(&edit, bytes_of(SCORES + i, i), SCORES[i]);
    (void)zset_put(&edit, BYTES_LITERAL("12345"), 1);
    zset_type.encode_inline(edit.value, &bytes);
    zset_type.free(edit.value);
    for (size_t i = 0; i + 1 < changes.size; i += 2)
        bytes.data[changes.data[i] % bytes.size] = changes.data[i + 1];
    try_inline(buf_bytes(&bytes), env);
    buf_free(&bytes);
}

/* The next row of the input; false at its end. */
static bool next_row(struct bytes *rest, struct buf *element, struct bytes *row_value)
{
    struct bytes sizes, name;
    if (!take(rest, 2, &sizes) || !take(rest, sizes.data[1], &name) || !take(rest, 8, row_value))
        return false;
    struct buf ignored = {0};
    buf_clear(element);
    value_encode_name(0, name, element, &ignored);
    if (sizes.data[0] >= 240)
        element->data[sizes.data[0] % 2] += sizes.data[0];
    buf_free(&ignored);
    return true;
}

static uint32_t count_rows(struct bytes rest)
{
    struct buf element = {0};
    struct bytes row_value;
    uint32_t count = 0;
    while (next_row(&rest, &element, &row_value))
        count++;
    buf_free(&element);
    return count;
}

static void try_rows(struct bytes rest, uint32_t count, const struct type_env *env)
{
    struct value *value = zset_type.create_head();
    struct buf element = {0};
    struct bytes row_value;
    bool is_good = true;
    value->object_id = 1;
    value->count = count;
    zset_type.load_begin(&value, env);
    while (is_good && next_row(&rest, &element, &row_value))
        is_good = zset_type.load_row(&value, buf_bytes(&element), row_value, env);
    if (is_good && zset_type.load_end(&value, env)) {
        zset_type.check(value);
        (void)zset_type.digest(value);
    }
    zset_type.free(value);
    buf_free(&element);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct type_env env = type_env_default(1);
    struct bytes rest = bytes_of(data + 1, size - 1);
    if (data[0] % 3 == 0) {
        try_inline(rest, &env);
    } else if (data[0] % 3 == 1) {
        try_changed(rest, &env);
    } else {
        rest = bytes_of(data + 2, size - 2);
        uint32_t count = data[1] % 2 == 0 ? count_rows(rest) : data[1];
        try_rows(rest, count, &env);
        env.zset_max_listpack_entries = 2;
        try_rows(rest, count, &env);
    }
    return 0;
}
