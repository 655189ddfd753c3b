/* COMMAND INFO. */
#include <stdio.h>

#include "commands/acl_category.h"
#include "commands/command_reply.h"

struct flag_name {
    uint32_t flag;
    const char *name;
};

/* Hidden, as in Redis: may_replicate, touches_arbitrary_keys, sentinel, protected. */
static const struct flag_name command_flags[] = {
    {CMD_WRITE, "write"},
    {CMD_READONLY, "readonly"},
    {CMD_DENYOOM, "denyoom"},
    {CMD_ADMIN, "admin"},
    {CMD_PUBSUB, "pubsub"},
    {CMD_NOSCRIPT, "noscript"},
    {CMD_BLOCKING, "blocking"},
    {CMD_LOADING, "loading"},
    {CMD_STALE, "stale"},
    {CMD_SKIP_MONITOR, "skip_monitor"},
    {CMD_SKIP_SLOWLOG, "skip_slowlog"},
    {CMD_ASKING, "asking"},
    {CMD_FAST, "fast"},
    {CMD_NO_AUTH, "no_auth"},
    {CMD_NO_MANDATORY_KEYS, "no_mandatory_keys"},
    {CMD_NO_ASYNC_LOADING, "no_async_loading"},
    {CMD_NO_MULTI, "no_multi"},
    {CMD_MOVABLEKEYS, "movablekeys"},
    {CMD_ALLOW_BUSY, "allow_busy"},
};

static const struct flag_name key_flags[] = {
    {KEY_RO, "RO"},
    {KEY_RW, "RW"},
    {KEY_OW, "OW"},
    {KEY_RM, "RM"},
    {KEY_ACCESS, "access"},
    {KEY_UPDATE, "update"},
    {KEY_INSERT, "insert"},
    {KEY_DELETE, "delete"},
    {KEY_NOT_KEY, "not_key"},
    {KEY_INCOMPLETE, "incomplete"},
    {KEY_VARIABLE_FLAGS, "variable_flags"},
};

size_t command_full_name(char out[static COMMAND_NAME_SIZE_MAX], const struct command *container,
                         const struct command *command)
{
    int size;
    if (container == NULL)
        size = snprintf(out, COMMAND_NAME_SIZE_MAX, "%s", command->name);
    else
        size = snprintf(out, COMMAND_NAME_SIZE_MAX, "%s|%s", container->name, command->name);
    ASSERT(size > 0 && size < COMMAND_NAME_SIZE_MAX);
    return (size_t)size;
}

static void reply_flags(struct reply *reply, uint32_t flags, const struct flag_name *names,
                        size_t name_count)
{
    size_t mark = reply_defer(reply), count = 0;
    for (size_t i = 0; i < name_count; i++) {
        if ((flags & names[i].flag) == 0)
            continue;
        reply_simple(reply, names[i].name);
        count++;
    }
    reply_defer_set(reply, mark, count);
}

void command_reply_key_flags(struct reply *reply, uint32_t flags)
{
    reply_flags(reply, flags, key_flags, COUNT_OF(key_flags));
}

static void reply_categories(struct reply *reply, uint32_t categories)
{
    size_t mark = reply_defer(reply), count = 0;
    for (int i = 0; i < ACL_CATEGORY_COUNT; i++) {
        if ((categories & (uint32_t)1 << i) == 0)
            continue;
        char text[32];
        (void)snprintf(text, sizeof(text), "@%s", acl_category_name(i));
        reply_simple(reply, text);
        count++;
    }
    reply_defer_set(reply, mark, count);
}

static bool is_plain_range(const struct key_spec *spec)
{
    return spec->begin == KEY_BEGIN_INDEX && spec->find == KEY_FIND_RANGE;
}

/* Several specs count as one range as long as each begins right after the one before and steps
 * by 1. */
struct command_key_range command_key_range(const struct command *command)
{
    const struct key_spec *specs = command->key_specs;
    struct command_key_range range = {0, 0, 0};
    for (int i = 0; i < COMMAND_KEY_SPECS_MAX && specs[i].begin != KEY_BEGIN_NONE; i++) {
        const struct key_spec *spec = &specs[i];
        bool is_next = range.first == 0 || (range.last == spec->begin_index - 1 && spec->step == 1);
        if (!is_plain_range(spec) || !is_next)
            continue;
        if (range.first == 0)
            range = (struct command_key_range){spec->begin_index, 0, spec->step};
        range.last = spec->last >= 0 ? spec->begin_index + spec->last : spec->last;
    }
    return range;
}

static void reply_named_int(struct reply *reply, const char *name, int value)
{
    reply_bulk_string(reply, name);
    reply_int(reply, value);
}

/* Of begin_search and find_keys: its type and the number of pairs of its spec, which follow. */
static void reply_search(struct reply *reply, const char *name, const char *type, size_t pairs)
{
    reply_bulk_string(reply, name);
    reply_map(reply, 2);
    reply_bulk_string(reply, "type");
    reply_bulk_string(reply, type);
    reply_bulk_string(reply, "spec");
    reply_map(reply, pairs);
}

static void reply_begin(struct reply *reply, const struct key_spec *spec)
{
    switch (spec->begin) {
    case KEY_BEGIN_INDEX:
        reply_search(reply, "begin_search", "index", 1);
        reply_named_int(reply, "index", spec->begin_index);
        return;
    case KEY_BEGIN_KEYWORD:
        reply_search(reply, "begin_search", "keyword", 2);
        reply_bulk_string(reply, "keyword");
        reply_bulk_string(reply, spec->begin_keyword);
        reply_named_int(reply, "startfrom", spec->begin_index);
        return;
    case KEY_BEGIN_UNKNOWN:
        reply_search(reply, "begin_search", "unknown", 0);
        return;
    case KEY_BEGIN_NONE:
        break;
    }
    UNREACHABLE();
}

static void reply_find(struct reply *reply, const struct key_spec *spec)
{
    switch (spec->find) {
    case KEY_FIND_RANGE:
        reply_search(reply, "find_keys", "range", 3);
        reply_named_int(reply, "lastkey", spec->last);
        reply_named_int(reply, "keystep", spec->step);
        reply_named_int(reply, "limit", spec->limit);
        return;
    case KEY_FIND_KEYNUM:
        reply_search(reply, "find_keys", "keynum", 3);
        reply_named_int(reply, "keynumidx", spec->keynum_index);
        reply_named_int(reply, "firstkey", spec->first_key);
        reply_named_int(reply, "keystep", spec->keynum_step);
        return;
    case KEY_FIND_UNKNOWN:
        reply_search(reply, "find_keys", "unknown", 0);
        return;
    }
    UNREACHABLE();
}

static void reply_key_spec(struct reply *reply, const struct key_spec *spec)
{
    reply_map(reply, spec->notes != NULL ? 4 : 3);
    if (spec->notes != NULL) {
        reply_bulk_string(reply, "notes");
        reply_bulk_string(reply, spec->notes);
    }
    reply_bulk_string(reply, "flags");
    command_reply_key_flags(reply, spec->flags);
    reply_begin(reply, spec);
    reply_find(reply, spec);
}

static void reply_key_specs(struct reply *reply, const struct command *command)
{
    size_t count = 0;
    while (count < COMMAND_KEY_SPECS_MAX && command->key_specs[count].begin != KEY_BEGIN_NONE)
        count++;
    reply_set(reply, count);
    for (size_t i = 0; i < count; i++)
        reply_key_spec(reply, &command->key_specs[i]);
}

static void reply_tips(struct reply *reply, const char *const *tips)
{
    size_t count = 0;
    while (tips != NULL && tips[count] != NULL)
        count++;
    reply_set(reply, count);
    for (size_t i = 0; i < count; i++)
        reply_bulk_string(reply, tips[i]);
}

/* An empty list of subcommands is a set, as in Redis. */
static void reply_subcommands(struct reply *reply, const struct command *command)
{
    size_t count = 0;
    if (command->subcommands == NULL) {
        reply_set(reply, 0);
        return;
    }
    while (command->subcommands[count].name != NULL)
        count++;
    reply_array(reply, count);
    for (size_t i = 0; i < count; i++)
        command_reply_info(reply, command, &command->subcommands[i]);
}

void command_reply_info(struct reply *reply, const struct command *container,
                        const struct command *command)
{
    char name[COMMAND_NAME_SIZE_MAX];
    size_t name_size = command_full_name(name, container, command);
    struct command_key_range range = command_key_range(command);
    reply_array(reply, 10);
    reply_bulk(reply, bytes_of(name, name_size));
    reply_int(reply, command->arity);
    reply_flags(reply, command->flags, command_flags, COUNT_OF(command_flags));
    reply_int(reply, range.first);
    reply_int(reply, range.last);
    reply_int(reply, range.step);
    reply_categories(reply, acl_categories_of(command));
    reply_tips(reply, command->tips);
    reply_key_specs(reply, command);
    reply_subcommands(reply, command);
}
