#include "codec/entry.h"

#include "base/assert.h"
#include "base/endian.h"
#include "base/mem.h"
#include "codec/rows.h"

struct entry *entry_new(enum entry_kind kind, uint8_t *payload, size_t size)
{
    ASSERT((payload == NULL) == (size == 0));
    struct entry *entry = mem_alloc(sizeof(*entry));
    *entry = (struct entry){.refs = 1, .kind = (uint8_t)kind, .size = size, .payload = payload};
    return entry;
}

struct entry *entry_retain(struct entry *entry)
{
    ASSERT(entry->refs > 0);
    entry->refs++;
    return entry;
}

void entry_release(struct entry *entry)
{
    if (entry == NULL)
        return;
    ASSERT(entry->refs > 0);
    if (--entry->refs > 0)
        return;
    mem_free(entry->payload);
    mem_free(entry);
}

uint64_t entry_stamp_us(const struct entry *entry)
{
    ASSERT(entry->kind == ENTRY_ROWS && entry->size >= ENTRY_STAMP_SIZE);
    return get_le64(entry->payload);
}

struct bytes entry_rows(const struct entry *entry)
{
    ASSERT(entry->kind == ENTRY_ROWS && entry->size >= ENTRY_STAMP_SIZE);
    return bytes_of(entry->payload + ENTRY_STAMP_SIZE, entry->size - ENTRY_STAMP_SIZE);
}

static bool rows_are_valid(struct bytes rest)
{
    struct row row;
    enum rows_err err;
    do
        err = rows_next(&rest, &row);
    while (err == ROWS_OK);
    return err == ROWS_END;
}

bool entry_is_valid(uint8_t kind, struct bytes payload)
{
    switch (kind) {
    case ENTRY_NOOP:
        return payload.size == 0;
    case ENTRY_ROWS:
        return payload.size >= ENTRY_STAMP_SIZE &&
               rows_are_valid(
                   bytes_of(payload.data + ENTRY_STAMP_SIZE, payload.size - ENTRY_STAMP_SIZE));
    case ENTRY_MEMBERS:
        return true; /* what they say is judged by who follows it */
    default:
        return false;
    }
}
