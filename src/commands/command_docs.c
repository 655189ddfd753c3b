/* COMMAND DOCS. */
#include "commands/command_reply.h"

/* A map whose pairs are counted while they are written. */
struct fields {
    struct reply *reply;
    size_t mark;
    size_t count;
};

static struct fields fields_begin(struct reply *reply)
{
    return (struct fields){reply, reply_defer(reply), 0};
}

static void fields_end(struct fields *fields)
{
    reply_defer_map(fields->reply, fields->mark, fields->count);
}

/* The name of a field; its value follows. */
static void field(struct fields *fields, const char *name)
{
    reply_bulk_string(fields->reply, name);
    fields->count++;
}

/* Left out when text is NULL. */
static void field_text(struct fields *fields, const char *name, const char *text)
{
    if (text == NULL)
        return;
    field(fields, name);
    reply_bulk_string(fields->reply, text);
}

static const char *group_name(enum command_group group)
{
    static const char *const names[] = {
        [GROUP_GENERIC] = "generic",
        [GROUP_STRING] = "string",
        [GROUP_LIST] = "list",
        [GROUP_SET] = "set",
        [GROUP_SORTED_SET] = "sorted-set",
        [GROUP_HASH] = "hash",
        [GROUP_PUBSUB] = "pubsub",
        [GROUP_TRANSACTIONS] = "transactions",
        [GROUP_CONNECTION] = "connection",
        [GROUP_SERVER] = "server",
        [GROUP_SCRIPTING] = "scripting",
        [GROUP_HYPERLOGLOG] = "hyperloglog",
        [GROUP_CLUSTER] = "cluster",
        [GROUP_SENTINEL] = "sentinel",
        [GROUP_GEO] = "geo",
        [GROUP_STREAM] = "stream",
        [GROUP_BITMAP] = "bitmap",
    };
    ASSERT((size_t)group < COUNT_OF(names));
    return names[group];
}

static const char *type_name(enum argument_type type)
{
    static const char *const names[] = {
        [ARG_STRING] = "string",         [ARG_INTEGER] = "integer",
        [ARG_DOUBLE] = "double",         [ARG_KEY] = "key",
        [ARG_PATTERN] = "pattern",       [ARG_UNIX_TIME] = "unix-time",
        [ARG_PURE_TOKEN] = "pure-token", [ARG_ONEOF] = "oneof",
        [ARG_BLOCK] = "block",
    };
    ASSERT((size_t)type < COUNT_OF(names));
    return names[type];
}

static void argument_flags(struct fields *fields, uint32_t flags)
{
    static const char *const names[] = {"optional", "multiple", "multiple_token"};
    if (flags == 0)
        return;
    field(fields, "flags");
    size_t mark = reply_defer(fields->reply), count = 0;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if ((flags & (uint32_t)1 << i) == 0)
            continue;
        reply_simple(fields->reply, names[i]);
        count++;
    }
    reply_defer_set(fields->reply, mark, count);
}

static void arguments(struct fields *fields, const struct argument *list);

/* The depth of the recursion is that of the tables: four at most. */
static void argument(struct reply *reply, const struct argument *argument)
{
    bool has_parts = argument->type == ARG_ONEOF || argument->type == ARG_BLOCK;
    struct fields fields = fields_begin(reply);
    field_text(&fields, "name", argument->name);
    field_text(&fields, "type", type_name(argument->type));
    field_text(&fields, "display_text", has_parts ? NULL : argument->name);
    if (argument->type == ARG_KEY) {
        field(&fields, "key_spec_index");
        reply_int(reply, argument->key_spec);
    }
    field_text(&fields, "token", argument->token);
    field_text(&fields, "since", argument->since);
    field_text(&fields, "deprecated_since", argument->deprecated_since);
    argument_flags(&fields, argument->flags);
    if (has_parts)
        arguments(&fields, argument->parts);
    fields_end(&fields);
}

static void arguments(struct fields *fields, const struct argument *list)
{
    size_t count = 0;
    if (list == NULL)
        return;
    while (list[count].name != NULL)
        count++;
    field(fields, "arguments");
    reply_array(fields->reply, count);
    for (size_t i = 0; i < count; i++)
        argument(fields->reply, &list[i]);
}

static void history(struct fields *fields, const struct command_history *list)
{
    size_t count = 0;
    if (list == NULL)
        return;
    while (list[count].since != NULL)
        count++;
    field(fields, "history");
    reply_set(fields->reply, count);
    for (size_t i = 0; i < count; i++) {
        reply_array(fields->reply, 2);
        reply_bulk_string(fields->reply, list[i].since);
        reply_bulk_string(fields->reply, list[i].change);
    }
}

static void doc_flags(struct fields *fields, const struct command *command)
{
    bool is_deprecated = command->deprecated_since != NULL;
    if (!is_deprecated && !command->is_internal)
        return;
    field(fields, "doc_flags");
    reply_set(fields->reply, (size_t)is_deprecated + command->is_internal);
    if (is_deprecated)
        reply_simple(fields->reply, "deprecated");
    if (command->is_internal)
        reply_simple(fields->reply, "syscmd");
    field_text(fields, "deprecated_since", command->deprecated_since);
    field_text(fields, "replaced_by", command->replaced_by);
}

static void subcommands(struct fields *fields, const struct command *command)
{
    size_t count = 0;
    if (command->subcommands == NULL)
        return;
    while (command->subcommands[count].name != NULL)
        count++;
    field(fields, "subcommands");
    reply_map(fields->reply, count);
    for (size_t i = 0; i < count; i++)
        command_reply_docs(fields->reply, command, &command->subcommands[i]);
}

void command_reply_docs(struct reply *reply, const struct command *container,
                        const struct command *command)
{
    char name[COMMAND_NAME_SIZE_MAX];
    size_t name_size = command_full_name(name, container, command);
    reply_bulk(reply, bytes_of(name, name_size));
    struct fields fields = fields_begin(reply);
    field_text(&fields, "summary", command->summary);
    field_text(&fields, "since", command->since);
    field_text(&fields, "group", group_name(command->group));
    field_text(&fields, "complexity", command->complexity);
    doc_flags(&fields, command);
    history(&fields, command->history);
    arguments(&fields, command->arguments);
    subcommands(&fields, command);
    fields_end(&fields);
}
