/* COMMAND: what the command table knows, for clients. */
#include "base/glob.h"
#include "base/mem.h"
#include "commands/acl_category.h"
#include "commands/call.h"
#include "commands/command_reply.h"
#include "commands/command_rows.h"
#include "commands/help.h"

typedef void command_reply_fn(struct reply *reply, const struct command *container,
                              const struct command *command);

static void reply_all(struct call *c, command_reply_fn *reply_one)
{
    for (size_t i = 0; i < command_table_count(c->table); i++)
        reply_one(&c->reply, NULL, command_table_at(c->table, i));
}

/* "get" or "config|get"; "config|get|x" and "get|x" are no commands. */
static const struct command *find_full_name(const struct call *c, struct bytes name,
                                            const struct command **container)
{
    const uint8_t *bar = name.size == 0 ? NULL : memchr(name.data, '|', name.size);
    struct bytes words[2] = {name, {NULL, 0}};
    if (bar != NULL) {
        words[0].size = (size_t)(bar - name.data);
        words[1] = bytes_of(bar + 1, name.size - words[0].size - 1);
    }
    const struct command *found =
        command_table_resolve(c->table, words, bar == NULL ? 1 : 2, container);
    return bar != NULL && *container == NULL ? NULL : found;
}

static void command_all(struct call *c)
{
    reply_array(&c->reply, command_table_count(c->table));
    reply_all(c, command_reply_info);
}

static void command_count(struct call *c)
{
    reply_int(&c->reply, (int64_t)command_table_count(c->table));
}

static void command_info(struct call *c)
{
    if (c->argc == 2) {
        command_all(c);
        return;
    }
    reply_array(&c->reply, (size_t)(c->argc - 2));
    for (int i = 2; i < c->argc; i++) {
        const struct command *container;
        const struct command *command = find_full_name(c, c->argv[i], &container);
        if (command == NULL)
            reply_null(&c->reply);
        else
            command_reply_info(&c->reply, container, command);
    }
}

static void command_docs(struct call *c)
{
    size_t mark = reply_defer(&c->reply), count = 0;
    if (c->argc == 2) {
        reply_all(c, command_reply_docs);
        count = command_table_count(c->table);
    }
    for (int i = 2; i < c->argc; i++) {
        const struct command *container;
        const struct command *command = find_full_name(c, c->argv[i], &container);
        if (command == NULL)
            continue;
        command_reply_docs(&c->reply, container, command);
        count++;
    }
    reply_defer_map(&c->reply, mark, count);
}

struct list_filter {
    enum { FILTER_NONE, FILTER_MODULE, FILTER_CATEGORY, FILTER_PATTERN } kind;
    struct bytes pattern;
    uint32_t category; /* 0: one that does not exist, which nothing is in */
};

/* FILTERBY and what follows. Replies on false. */
static bool parse_filter(struct call *c, struct list_filter *filter)
{
    *filter = (struct list_filter){.kind = FILTER_NONE};
    if (c->argc == 2)
        return true;
    bool is_filter = c->argc == 5 && call_is_word(c, 2, "FILTERBY");
    if (is_filter && call_is_word(c, 3, "MODULE"))
        filter->kind = FILTER_MODULE;
    else if (is_filter && call_is_word(c, 3, "ACLCAT"))
        filter->kind = FILTER_CATEGORY;
    else if (is_filter && call_is_word(c, 3, "PATTERN"))
        filter->kind = FILTER_PATTERN;
    if (filter->kind == FILTER_NONE) {
        call_error_syntax(c);
        return false;
    }
    filter->pattern = c->argv[4];
    filter->category = acl_category_find(c->argv[4]);
    return true;
}

static bool filter_takes(const struct list_filter *filter, const struct command *command,
                         struct bytes name)
{
    switch (filter->kind) {
    case FILTER_NONE:
        return true;
    case FILTER_MODULE: /* there are none */
        return false;
    case FILTER_CATEGORY:
        return (acl_categories_of(command) & filter->category) != 0;
    case FILTER_PATTERN:
        return glob_match(filter->pattern, name, true);
    }
    UNREACHABLE();
}

static size_t list_one(struct call *c, const struct list_filter *filter,
                       const struct command *container, const struct command *command)
{
    char text[COMMAND_NAME_SIZE_MAX];
    struct bytes name = bytes_of(text, command_full_name(text, container, command));
    if (!filter_takes(filter, command, name))
        return 0;
    reply_bulk(&c->reply, name);
    return 1;
}

static void command_list(struct call *c)
{
    struct list_filter filter;
    if (!parse_filter(c, &filter))
        return;
    size_t mark = reply_defer(&c->reply), count = 0;
    for (size_t i = 0; i < command_table_count(c->table); i++) {
        const struct command *command = command_table_at(c->table, i);
        count += list_one(c, &filter, NULL, command);
        const struct command *row = command->subcommands;
        for (; row != NULL && row->name != NULL; row++)
            count += list_one(c, &filter, command, row);
    }
    reply_defer_array(&c->reply, mark, count);
}

static bool has_keys(const struct command *command)
{
    for (int i = 0; i < COMMAND_KEY_SPECS_MAX; i++) {
        const struct key_spec *spec = &command->key_specs[i];
        if (spec->begin != KEY_BEGIN_NONE && (spec->flags & KEY_NOT_KEY) == 0)
            return true;
    }
    return false;
}

/* The command that argv[2…] is, if it has keys and takes so many arguments. Replies on NULL. */
static const struct command *find_keyed(struct call *c)
{
    const struct command *container;
    int argc = c->argc - 2;
    const struct command *command = command_table_resolve(c->table, c->argv + 2, argc, &container);
    if (command == NULL)
        call_error(c, "ERR Invalid command specified");
    else if (!has_keys(command))
        call_error(c, "ERR The command has no key arguments");
    else if (!command_arity_fits(command, argc))
        call_error(c, "ERR Invalid number of arguments specified for command");
    else
        return command;
    return NULL;
}

static void reply_key(struct call *c, const struct command_key *key, bool with_flags)
{
    if (with_flags)
        reply_array(&c->reply, 2);
    reply_bulk(&c->reply, c->argv[2 + key->position]);
    if (with_flags)
        command_reply_key_flags(&c->reply, key->flags);
}

static void reply_keys(struct call *c, bool with_flags)
{
    const struct command *command = find_keyed(c);
    if (command == NULL)
        return;
    int argc = c->argc - 2;
    struct command_key *keys = mem_alloc((size_t)argc * COMMAND_KEY_SPECS_MAX * sizeof(keys[0]));
    int count = command_keys(command, c->argv + 2, argc, keys, argc * COMMAND_KEY_SPECS_MAX);
    bool may_be_none = (command->flags & CMD_NO_MANDATORY_KEYS) != 0;
    if (count < 0 || (count == 0 && !may_be_none)) {
        call_error(c, "ERR Invalid arguments specified for command");
        goto out;
    }
    reply_array(&c->reply, (size_t)count);
    for (int i = 0; i < count; i++)
        reply_key(c, &keys[i], with_flags);
out:
    mem_free(keys);
}

static void command_getkeys(struct call *c)
{
    reply_keys(c, false);
}

static void command_getkeysandflags(struct call *c)
{
    reply_keys(c, true);
}

static void command_help(struct call *c)
{
    static const char *const lines[] = {
        "(no subcommand)",
        "    Details of all commands.",
        "COUNT",
        "    Number of commands.",
        "DOCS [<command-name> ...]",
        "    Documentation of the commands named, or of all.",
        "GETKEYS <full-command>",
        "    The keys among the arguments of a command.",
        "GETKEYSANDFLAGS <full-command>",
        "    The keys among the arguments of a command, and how it uses them.",
        "INFO [<command-name> ...]",
        "    Details of the commands named, or of all.",
        "LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]",
        "    Names of the commands.",
        NULL,
    };
    help_reply(c, "COMMAND", lines);
}

static const struct argument command_names[] = {
    {.name = "command-name", .type = ARG_STRING, .flags = ARG_OPTIONAL | ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const struct argument list_filters[] = {
    ARGUMENT_AFTER("MODULE", "module-name", ARG_STRING, 0),
    ARGUMENT_AFTER("ACLCAT", "category", ARG_STRING, 0),
    ARGUMENT_AFTER("PATTERN", "pattern", ARG_PATTERN, 0),
    ARGUMENTS_END,
};

static const struct argument list_arguments[] = {
    {.name = "filterby",
     .type = ARG_ONEOF,
     .token = "FILTERBY",
     .flags = ARG_OPTIONAL,
     .parts = list_filters},
    ARGUMENTS_END,
};

static const struct argument full_command[] = {
    ARGUMENT("command", ARG_STRING),
    {.name = "arg", .type = ARG_STRING, .flags = ARG_OPTIONAL | ARG_MULTIPLE},
    ARGUMENTS_END,
};

static const struct command_history info_history[] = {
    {"7.0.0", "Without names it tells of all commands."},
    {NULL, NULL},
};

static const char *const any_order_tips[] = {"nondeterministic_output_order", NULL};

#define COMMAND_FLAGS (CMD_LOADING | CMD_STALE | CMD_SENTINEL | CMD_HOME)

static const struct command command_subcommands[] = {
    {
        .name = "count",
        .summary = "Counts the commands of the server.",
        .complexity = "O(1)",
        .since = "2.8.13",
        .group = GROUP_SERVER,
        .arity = 2,
        .flags = COMMAND_FLAGS,
        .function = command_count,
        .acl_extra = "@connection",
    },
    {
        .name = "docs",
        .summary = "Documents some or all commands.",
        .complexity = "O(N) in the number of commands asked for",
        .since = "7.0.0",
        .group = GROUP_SERVER,
        .arity = -2,
        .flags = COMMAND_FLAGS,
        .function = command_docs,
        .arguments = command_names,
        .tips = any_order_tips,
        .acl_extra = "@connection",
    },
    {
        .name = "getkeys",
        .summary = "Finds the keys in a command with its arguments.",
        .complexity = "O(N) in the number of arguments",
        .since = "2.8.13",
        .group = GROUP_SERVER,
        .arity = -3,
        .flags = COMMAND_FLAGS,
        .function = command_getkeys,
        .arguments = full_command,
        .acl_extra = "@connection",
    },
    {
        .name = "getkeysandflags",
        .summary = "Finds the keys in a command with its arguments, and how they are used.",
        .complexity = "O(N) in the number of arguments",
        .since = "7.0.0",
        .group = GROUP_SERVER,
        .arity = -3,
        .flags = COMMAND_FLAGS,
        .function = command_getkeysandflags,
        .arguments = full_command,
        .acl_extra = "@connection",
    },
    {
        .name = "help",
        .summary = "Explains the subcommands.",
        .complexity = "O(1)",
        .since = "5.0.0",
        .group = GROUP_SERVER,
        .arity = 2,
        .flags = COMMAND_FLAGS,
        .function = command_help,
        .acl_extra = "@connection",
    },
    {
        .name = "info",
        .summary = "Gives the details of some or all commands.",
        .complexity = "O(N) in the number of commands asked for",
        .since = "2.8.13",
        .group = GROUP_SERVER,
        .arity = -2,
        .flags = COMMAND_FLAGS,
        .function = command_info,
        .arguments = command_names,
        .history = info_history,
        .tips = any_order_tips,
        .acl_extra = "@connection",
    },
    {
        .name = "list",
        .summary = "Lists the names of commands.",
        .complexity = "O(N) in the number of commands of the server",
        .since = "7.0.0",
        .group = GROUP_SERVER,
        .arity = -2,
        .flags = COMMAND_FLAGS,
        .function = command_list,
        .arguments = list_arguments,
        .tips = any_order_tips,
        .acl_extra = "@connection",
    },
    {.name = NULL},
};

const struct command introspection_commands[] = {
    {
        .name = "command",
        .summary = "Gives the details of all commands.",
        .complexity = "O(N) in the number of commands of the server",
        .since = "2.8.13",
        .group = GROUP_SERVER,
        .arity = -1,
        .flags = COMMAND_FLAGS,
        .function = command_all,
        .subcommands = command_subcommands,
        .tips = any_order_tips,
        .acl_extra = "@connection",
    },
    {.name = NULL},
};
