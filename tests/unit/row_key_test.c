/* Row keys: what is encoded decodes to the same fields, memcmp order is the order of the fields,
 * and bytes that are no row key are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/endian.h"
#include "base/mem.h"
#include "base/prng.h"
#include "store/row_key.h"

/* Small ranges beside the whole one, so that equal leading fields are common. */
static uint64_t draw(struct prng *prng, uint64_t max)
{
    return prng_below(prng, 2) == 0 ? prng_between(prng, 0, max) : prng_below(prng, 3);
}

static struct bytes draw_name(struct prng *prng, uint8_t *space, size_t size_min)
{
    size_t size = prng_between(prng, size_min, 6);
    for (size_t i = 0; i < size; i++)
        space[i] = (uint8_t)(prng_below(prng, 3) * 127);
    return bytes_of(space, size);
}

static struct row_key draw_key(struct prng *prng, uint8_t *space)
{
    static const enum row_kind kinds[] = {ROW_KIND_ELEMENT, ROW_KIND_SWEEP,    ROW_KIND_KEY,
                                          ROW_KIND_META,    ROW_KIND_KEYSPACE, ROW_KIND_SEAT,
                                          ROW_KIND_EXPIRY};
    struct row_key key = {.kind = kinds[prng_below(prng, COUNT_OF(kinds))]};
    enum row_kind kind = key.kind;
    bool has_slot = kind == ROW_KIND_KEY || kind == ROW_KIND_EXPIRY;
    if (kind == ROW_KIND_SWEEP)
        key.sweep = prng_below(prng, 2) == 0 ? ROW_SWEEP_OBJECT : ROW_SWEEP_KEYSPACE;
    if (has_slot || kind == ROW_KIND_KEYSPACE || key.sweep == ROW_SWEEP_KEYSPACE)
        key.ksid = (uint32_t)draw(prng, UINT32_MAX);
    if (has_slot)
        key.slot = (uint16_t)draw(prng, ROW_KEY_SLOTS - 1);
    if (kind == ROW_KIND_KEY)
        key.hash = draw(prng, ROW_KEY_HASH_MAX);
    if (kind == ROW_KIND_EXPIRY)
        key.expire_ms = draw(prng, UINT64_MAX);
    if (kind == ROW_KIND_ELEMENT || key.sweep == ROW_SWEEP_OBJECT)
        key.object = draw(prng, UINT64_MAX);
    if (kind == ROW_KIND_SEAT) {
        key.home = draw(prng, UINT64_MAX);
        key.incarnation = draw(prng, UINT64_MAX);
        key.seat = (uint32_t)draw(prng, UINT32_MAX);
    }
    if (has_slot || kind == ROW_KIND_ELEMENT || kind == ROW_KIND_META)
        key.name = draw_name(prng, space, kind == ROW_KIND_META);
    return key;
}

static void encode(struct buf *out, const struct row_key *key)
{
    buf_clear(out);
    switch (key->kind) {
    case ROW_KIND_KEY:
        row_key_append_key(out, key->ksid, key->slot, key->hash, key->name);
        return;
    case ROW_KIND_ELEMENT:
        row_key_append_element(out, key->object, key->name);
        return;
    case ROW_KIND_EXPIRY:
        row_key_append_expiry(out, key->expire_ms, key->ksid, key->slot, key->name);
        return;
    case ROW_KIND_SEAT:
        row_key_append_seat(out, key->home, key->incarnation, key->seat);
        return;
    case ROW_KIND_SWEEP:
        if (key->sweep == ROW_SWEEP_OBJECT)
            row_key_append_sweep_object(out, key->object);
        else
            row_key_append_sweep_keyspace(out, key->ksid);
        return;
    case ROW_KIND_KEYSPACE:
        row_key_append_keyspace(out, key->ksid);
        return;
    case ROW_KIND_META:
        row_key_append_meta(out, key->name);
        return;
    }
    UNREACHABLE();
}

static int order_of(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* The order FORMAT.md promises: fields in the order they stand in, then the name. */
static int expected_order(const struct row_key *a, const struct row_key *b)
{
    const uint64_t fields_a[] = {
        (uint64_t)a->kind, (uint64_t)a->sweep, a->expire_ms, a->object, a->ksid, a->slot, a->hash,
        a->home,           a->incarnation,     a->seat};
    const uint64_t fields_b[] = {
        (uint64_t)b->kind, (uint64_t)b->sweep, b->expire_ms, b->object, b->ksid, b->slot, b->hash,
        b->home,           b->incarnation,     b->seat};
    for (size_t i = 0; i < COUNT_OF(fields_a); i++) {
        if (fields_a[i] != fields_b[i])
            return order_of(fields_a[i], fields_b[i]);
    }
    return bytes_compare(a->name, b->name);
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static void row_keys_sort_as_their_fields_do(void **state)
{
    (void)state;
    struct prng prng = prng_init(1);
    struct buf encoded[2] = {{0}, {0}};
    for (int i = 0; i < 200000; i++) {
        uint8_t names[2][8];
        struct row_key a = draw_key(&prng, names[0]);
        struct row_key b = draw_key(&prng, names[1]);
        encode(&encoded[0], &a);
        encode(&encoded[1], &b);
        int order = bytes_compare(buf_bytes(&encoded[0]), buf_bytes(&encoded[1]));
        assert_int_equal(sign(order), sign(expected_order(&a, &b)));
    }
    buf_free(&encoded[0]);
    buf_free(&encoded[1]);
}

static void row_keys_decode_to_what_was_encoded(void **state)
{
    (void)state;
    struct prng prng = prng_init(2);
    struct buf encoded = {0};
    for (int i = 0; i < 100000; i++) {
        uint8_t name[8];
        struct row_key key = draw_key(&prng, name);
        encode(&encoded, &key);
        struct row_key decoded;
        assert_true(row_key_decode(buf_bytes(&encoded), &decoded));
        assert_int_equal(expected_order(&key, &decoded), 0);
    }
    buf_free(&encoded);
}

static bool decodes(const void *data, size_t size)
{
    struct row_key key;
    return row_key_decode(bytes_of(data, size), &key);
}

static void row_keys_of_wrong_size_or_kind_are_refused(void **state)
{
    (void)state;
    static const struct {
        char kind;
        size_t size_min;
        size_t size_max;
    } sizes[] = {{'K', ROW_KEY_K_SIZE, ROW_KEY_K_SIZE + ROW_KEY_NAME_MAX},
                 {'E', ROW_KEY_E_SIZE, ROW_KEY_E_SIZE + ROW_KEY_NAME_MAX},
                 {'T', ROW_KEY_T_SIZE, ROW_KEY_T_SIZE + ROW_KEY_NAME_MAX},
                 {'S', 21, 21},
                 {'G', 10, 10},
                 {'N', 5, 5},
                 {'M', 2, 1 + ROW_KEY_META_MAX}};
    uint8_t *bytes = mem_zero(ROW_KEY_T_SIZE + ROW_KEY_NAME_MAX + 1);
    assert_false(decodes(bytes, 0));
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        bytes[0] = (uint8_t)sizes[i].kind;
        bytes[1] = sizes[i].kind == 'G' ? ROW_SWEEP_OBJECT : 0;
        assert_false(decodes(bytes, sizes[i].size_min - 1));
        assert_true(decodes(bytes, sizes[i].size_min));
        assert_true(decodes(bytes, sizes[i].size_max));
        assert_false(decodes(bytes, sizes[i].size_max + 1));
    }
    bytes[0] = 'k';
    assert_false(decodes(bytes, ROW_KEY_K_SIZE));
    mem_free(bytes);
}

static void row_keys_with_fields_out_of_range_are_refused(void **state)
{
    (void)state;
    uint8_t key[ROW_KEY_K_SIZE] = {'K'};
    put_be16(key + 5, ROW_KEY_SLOTS - 1);
    assert_true(decodes(key, sizeof(key)));
    put_be16(key + 5, ROW_KEY_SLOTS);
    assert_false(decodes(key, sizeof(key)));
    uint8_t sweep[10] = {'G', 0};
    assert_false(decodes(sweep, sizeof(sweep)));
    sweep[1] = 3;
    assert_false(decodes(sweep, sizeof(sweep)));
    sweep[1] = ROW_SWEEP_KEYSPACE;
    put_be64(sweep + 2, UINT32_MAX);
    assert_true(decodes(sweep, sizeof(sweep)));
    put_be64(sweep + 2, (uint64_t)UINT32_MAX + 1);
    assert_false(decodes(sweep, sizeof(sweep)));
}

static void row_key_step_over_stands_behind_the_prefix_and_before_all_else(void **state)
{
    (void)state;
    struct buf prefix = {0};
    row_key_append_key_prefix(&prefix, 0x01ffffff);
    row_key_step_over(&prefix);
    assert_true(bytes_equal(buf_bytes(&prefix), bytes_of("K\x02", 2)));
    buf_clear(&prefix);
    row_key_append_element_prefix(&prefix, UINT64_MAX);
    row_key_step_over(&prefix);
    assert_true(bytes_equal(buf_bytes(&prefix), BYTES_LITERAL("F")));
    buf_free(&prefix);
}

static void row_value_tells_its_object_and_refuses_a_short_head(void **state)
{
    (void)state;
    uint64_t object = 99;
    uint8_t value[19] = {4, 0};
    assert_true(row_value_object(bytes_of(value, 2), &object));
    assert_int_equal(object, 0);
    assert_false(row_value_object(bytes_of(value, 1), &object));
    value[1] = ROW_VALUE_HAS_OBJECT;
    put_le64(value + 2, 0x0102030405060708);
    assert_true(row_value_object(bytes_of(value, 10), &object));
    assert_int_equal(object, 0x0102030405060708);
    assert_false(row_value_object(bytes_of(value, 9), &object));
    value[1] = ROW_VALUE_HAS_OBJECT | ROW_VALUE_HAS_EXPIRE;
    put_le64(value + 10, 77);
    assert_false(row_value_object(bytes_of(value, 17), &object));
    assert_true(row_value_object(bytes_of(value, 18), &object));
    assert_int_equal(object, 77);
}

static void row_key_of_the_format_document_is_what_it_says(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0x4b, 0, 0, 0, 1, 0x2f, 0x96, 1,
                                       2,    3, 4, 5, 6, 0x66, 0x6f, 0x6f};
    struct buf key = {0};
    row_key_append_key(&key, 1, 12182, 0x010203040506, BYTES_LITERAL("foo"));
    assert_true(bytes_equal(buf_bytes(&key), bytes_of(expected, sizeof(expected))));
    buf_free(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_keys_sort_as_their_fields_do),
        cmocka_unit_test(row_keys_decode_to_what_was_encoded),
        cmocka_unit_test(row_keys_of_wrong_size_or_kind_are_refused),
        cmocka_unit_test(row_keys_with_fields_out_of_range_are_refused),
        cmocka_unit_test(row_key_step_over_stands_behind_the_prefix_and_before_all_else),
        cmocka_unit_test(row_key_of_the_format_document_is_what_it_says),
        cmocka_unit_test(row_value_tells_its_object_and_refuses_a_short_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
