#include "store/row_buffer.h"

#include "base/mem.h"
#include "codec/rows.h"
#include "store/meta.h"
#include "store/row_key.h"

enum { ENTRIES_AT_FIRST = 16 };

struct row_buffer *row_buffer_new(void)
{
    struct row_buffer *buffer = mem_zero(sizeof(*buffer));
    buffer->refs = 1;
    buffer->rows = tree_new();
    list_init(&buffer->node);
    return buffer;
}

static void keep_entry(struct row_buffer *buffer, struct entry *entry)
{
    if (buffer->entry_count == buffer->entry_capacity) {
        size_t capacity =
            buffer->entry_capacity == 0 ? ENTRIES_AT_FIRST : buffer->entry_capacity * 2;
        buffer->entries = mem_realloc(buffer->entries, capacity * sizeof(struct entry *));
        buffer->entry_capacity = capacity;
    }
    buffer->entries[buffer->entry_count++] = entry_retain(entry);
    buffer->payload_size += entry->size;
}

size_t row_buffer_add(struct row_buffer *buffer, struct entry *entry)
{
    ASSERT(buffer->refs > 0 && buffer->rows != NULL);
    struct bytes rest = entry_rows(entry);
    struct row row;
    size_t ignored = 0;
    enum rows_err err;
    while ((err = rows_next(&rest, &row)) == ROWS_OK) {
        if (meta_owns_key(row.key)) {
            ignored++;
            continue;
        }
        bool deleted = row.op == ROW_DELETE;
        buffer->names_garbage |= row.key.data[0] == ROW_KIND_SWEEP && !deleted;
        (void)tree_put(buffer->rows,
                       (struct tree_item){.key = row.key, .value = row.value, .flag = deleted},
                       NULL);
    }
    ASSERT(err == ROWS_END); /* entries are checked when they are made or read */
    keep_entry(buffer, entry);
    return ignored;
}

bool row_buffer_free_some(struct row_buffer *buffer, size_t entry_max)
{
    ASSERT(buffer->refs == 0);
    tree_free(buffer->rows);
    buffer->rows = NULL;
    for (; entry_max > 0 && buffer->entry_count > 0; entry_max--) {
        struct entry *entry = buffer->entries[--buffer->entry_count];
        buffer->payload_size -= entry->size;
        entry_release(entry);
    }
    if (buffer->entry_count > 0)
        return false;
    mem_free(buffer->entries);
    mem_free(buffer);
    return true;
}

size_t row_buffer_memory(const struct row_buffer *buffer)
{
    size_t index = buffer->rows == NULL ? 0 : tree_memory(buffer->rows);
    size_t entries = buffer->entry_count * sizeof(struct entry);
    return index + entries + buffer->entry_capacity * sizeof(struct entry *) + buffer->payload_size;
}
