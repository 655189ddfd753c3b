#include "server/slowlog.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"

struct slowlog_entry {
    struct list link;
    uint64_t id;
    uint64_t wall_us;
    uint64_t duration_us;
    int argc;
    struct buf args; /* each: size as uint32_t, bytes */
    char *peer;
    char *client_name; /* never NULL */
};

void slowlog_init(struct slowlog *slowlog)
{
    *slowlog = (struct slowlog){0};
    list_init(&slowlog->entries);
}

static void free_entry(struct slowlog *slowlog, struct slowlog_entry *entry)
{
    list_remove(&entry->link);
    slowlog->count--;
    buf_free(&entry->args);
    mem_free(entry->peer);
    mem_free(entry->client_name);
    mem_free(entry);
}

void slowlog_reset(struct slowlog *slowlog)
{
    while (!list_is_empty(&slowlog->entries))
        free_entry(slowlog, CONTAINER_OF(slowlog->entries.next, struct slowlog_entry, link));
}

void slowlog_fini(struct slowlog *slowlog)
{
    slowlog_reset(slowlog);
}

static char *copy_text(const char *text)
{
    size_t size = text == NULL ? 0 : strlen(text);
    char *copy = mem_alloc(size + 1);
    if (size > 0)
        memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

static void keep_arg(struct buf *args, struct bytes arg)
{
    uint32_t size = (uint32_t)arg.size;
    buf_append(args, bytes_of(&size, sizeof(size)));
    buf_append(args, arg);
}

static void keep_shortened(struct buf *args, struct bytes arg)
{
    if (arg.size <= SLOWLOG_ARG_SIZE_MAX) {
        keep_arg(args, arg);
        return;
    }
    uint8_t text[SLOWLOG_ARG_SIZE_MAX + 64];
    memcpy(text, arg.data, SLOWLOG_ARG_SIZE_MAX);
    int size = snprintf((char *)text + SLOWLOG_ARG_SIZE_MAX, 64, "... (%zu more bytes)",
                        arg.size - SLOWLOG_ARG_SIZE_MAX);
    keep_arg(args, bytes_of(text, SLOWLOG_ARG_SIZE_MAX + (size_t)size));
}

static void keep_args(struct slowlog_entry *entry, const struct bytes *argv, int argc)
{
    entry->argc = argc > SLOWLOG_ARGS_MAX ? SLOWLOG_ARGS_MAX : argc;
    int whole = argc > SLOWLOG_ARGS_MAX ? SLOWLOG_ARGS_MAX - 1 : argc;
    for (int i = 0; i < whole; i++)
        keep_shortened(&entry->args, argv[i]);
    if (whole == argc)
        return;
    char text[64];
    int size = snprintf(text, sizeof(text), "... (%d more arguments)", argc - whole);
    keep_arg(&entry->args, bytes_of(text, (size_t)size));
}

void slowlog_add(struct slowlog *slowlog, const struct slowlog_event *event, size_t entries_max)
{
    struct slowlog_entry *entry = mem_zero(sizeof(*entry));
    entry->id = slowlog->next_id++;
    entry->wall_us = event->wall_us;
    entry->duration_us = event->duration_us;
    keep_args(entry, event->argv, event->argc);
    entry->peer = copy_text(event->peer);
    entry->client_name = copy_text(event->client_name);
    list_push_front(&slowlog->entries, &entry->link);
    slowlog->count++;
    while (slowlog->count > entries_max)
        free_entry(slowlog, CONTAINER_OF(slowlog->entries.prev, struct slowlog_entry, link));
}

static void reply_entry(const struct slowlog_entry *entry, struct reply *reply)
{
    reply_array(reply, 6);
    reply_int(reply, (int64_t)entry->id);
    reply_int(reply, (int64_t)(entry->wall_us / 1000000));
    reply_int(reply, (int64_t)entry->duration_us);
    reply_array(reply, (size_t)entry->argc);
    const uint8_t *at = entry->args.data;
    for (int i = 0; i < entry->argc; i++) {
        uint32_t size;
        memcpy(&size, at, sizeof(size));
        reply_bulk(reply, bytes_of(at + sizeof(size), size));
        at += sizeof(size) + size;
    }
    reply_bulk_string(reply, entry->peer);
    reply_bulk_string(reply, entry->client_name);
}

void slowlog_reply(const struct slowlog *slowlog, struct reply *reply, size_t max)
{
    size_t count = slowlog->count < max ? slowlog->count : max;
    reply_array(reply, count);
    const struct list *node = slowlog->entries.next;
    for (size_t i = 0; i < count; i++, node = node->next)
        reply_entry(CONTAINER_OF(node, struct slowlog_entry, link), reply);
}
