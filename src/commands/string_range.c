/* Parts of a string: APPEND, STRLEN, GETRANGE, SETRANGE. */
#include "commands/string_commands.h"

#include "commands/call.h"

size_t string_size(const struct object *object)
{
    char scratch[STRING_INT_TEXT_MAX];
    if (object == NULL)
        return 0;
    if (object->encoding != ENCODING_RAW)
        return string_value(object, scratch).size;
    const struct string_raw *raw = object_pointer(object); /* its size stands there in a head too */
    return raw->size;
}

void string_strlen(struct call *c)
{
    struct object *object;
    if (call_find_string(c, c->argv[1], &object))
        reply_int(&c->reply, (int64_t)string_size(object));
}

/* Bytes start to end, both included; negative ones count from the end of the value, and those
 * before its begin mean the first byte, `end` too: GETRANGE k 0 -100 is one byte, as in Redis. */
static struct bytes slice(struct bytes value, int64_t start, int64_t end)
{
    int64_t size = (int64_t)value.size;
    if (start < 0 && end < 0 && start > end)
        return bytes_of(NULL, 0);
    if (start < 0)
        start = start < -size ? 0 : size + start;
    if (end < 0)
        end = end < -size ? 0 : size + end;
    if (end >= size)
        end = size - 1;
    if (start > end)
        return bytes_of(NULL, 0);
    return bytes_of(value.data + start, (size_t)(end - start + 1));
}

void string_getrange(struct call *c)
{
    int64_t start, end;
    struct object *object;
    char scratch[STRING_INT_TEXT_MAX];
    if (!call_int(c, 2, &start) || !call_int(c, 3, &end))
        return;
    if (!call_find_string(c, c->argv[1], &object))
        return;
    struct bytes value = object == NULL ? bytes_of(NULL, 0) : string_value(object, scratch);
    reply_bulk(&c->reply, slice(value, start, end));
}

/* Zero bytes between the old end and what is written are part of the entry as well, and so is all
 * of a short value. */
bool string_reserve_part(struct call *c, uint64_t old_size, uint64_t new_size, size_t written)
{
    if (!call_check_string_size(c, new_size))
        return false;
    uint64_t growth = new_size > old_size ? new_size - old_size : 0;
    size_t size = growth > written ? (size_t)growth : written;
    return call_reserve(c, c->argv[1].size + size + STRING_INLINE_MAX);
}

void string_append(struct call *c)
{
    struct bytes key = c->argv[1], more = c->argv[2];
    struct object *object;
    if (!call_find_string(c, key, &object))
        return;
    bool exists = object != NULL;
    uint64_t old_size = string_size(object), new_size = old_size + more.size;
    if (!string_reserve_part(c, old_size, new_size, more.size))
        return;
    if (exists)
        call_write_string(c, key, (size_t)old_size, more);
    else
        call_set_string(c, key, more, CALL_NO_EXPIRE);
    call_notify(c, '$', "append", key);
    reply_int(&c->reply, (int64_t)new_size);
}

void string_setrange(struct call *c)
{
    struct bytes key = c->argv[1], part = c->argv[3];
    int64_t offset;
    struct object *object;
    if (!call_int(c, 2, &offset))
        return;
    if (offset < 0) {
        call_error(c, "ERR offset is out of range");
        return;
    }
    if (!call_find_string(c, key, &object))
        return;
    uint64_t old_size = string_size(object), end = (uint64_t)offset + part.size;
    uint64_t new_size = end > old_size ? end : old_size;
    if (part.size == 0) {
        reply_int(&c->reply, (int64_t)old_size);
        return;
    }
    bool exists = object != NULL;
    if (!string_reserve_part(c, old_size, new_size, part.size))
        return;
    if (!exists)
        call_set_string(c, key, bytes_of(NULL, 0), CALL_NO_EXPIRE);
    call_write_string(c, key, (size_t)offset, part);
    call_notify(c, '$', "setrange", key);
    reply_int(&c->reply, (int64_t)new_size);
}
