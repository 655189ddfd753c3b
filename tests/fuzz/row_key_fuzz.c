/* Any bytes as a row key: what decodes must encode to the same bytes; nothing may assert. */
#include "store/row_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(struct buf *out, const struct row_key *key)
{
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct row_key key;
    struct bytes input = bytes_of(data, size);
    if (row_key_decode(input, &key)) {
        struct buf out = {0};
        encode(&out, &key);
        ASSERT(bytes_equal(buf_bytes(&out), input));
        buf_free(&out);
    }
    uint64_t object = 1;
    bool valid = row_value_object(input, &object);
    ASSERT(valid || size < 18);
    return 0;
}
