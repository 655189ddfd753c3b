#include "server/acl_commands.h"

#include "commands/acl_category.h"
#include "commands/call.h"
#include "commands/command_rows.h"
#include "commands/help.h"
#include "server/refusal.h"
#include "server/state.h"

static void acl_whoami(struct call *c)
{
    reply_bulk_string(&c->reply, "default");
}

static void reply_categories(struct call *c)
{
    reply_array(&c->reply, ACL_CATEGORY_COUNT);
    for (int i = 0; i < ACL_CATEGORY_COUNT; i++)
        reply_bulk_string(&c->reply, acl_category_name(i));
}

/* Replies the command's name if it belongs to the category, then those of its subcommands. */
static size_t reply_members(struct call *c, const struct command *command, uint32_t category)
{
    size_t count = 0;
    if ((acl_categories_of(command) & category) != 0) {
        reply_bulk_string(&c->reply, command->name);
        count++;
    }
    const struct command *sub = command->subcommands;
    for (; sub != NULL && sub->name != NULL; sub++) {
        if ((acl_categories_of(sub) & category) == 0)
            continue;
        struct buf name = {0};
        refusal_append_name(sub, command, &name);
        reply_bulk(&c->reply, buf_bytes(&name));
        buf_free(&name);
        count++;
    }
    return count;
}

static void acl_cat(struct call *c)
{
    const struct command_table *table = c->client->server->table;
    if (c->argc == 2) {
        reply_categories(c);
        return;
    }
    uint32_t category = c->argc == 3 ? acl_category_find(c->argv[2]) : 0;
    if (category == 0) {
        if (c->argc == 3)
            call_error(c, "ERR Unknown category '%.*s'", (int)c->argv[2].size,
                       (const char *)c->argv[2].data);
        else
            call_error(c,
                       "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try ACL "
                       "HELP.",
                       (int)c->argv[1].size, (const char *)c->argv[1].data);
        return;
    }
    size_t count = 0;
    size_t mark = reply_defer(&c->reply);
    for (size_t i = 0; i < command_table_count(table); i++)
        count += reply_members(c, command_table_at(table, i), category);
    reply_defer_array(&c->reply, mark, count);
}

static void acl_help(struct call *c)
{
    static const char *const lines[] = {
        "CAT [<category>]",
        "    List all commands that belong to <category>, or all command categories when no",
        "    category is given.",
        "WHOAMI",
        "    Return the user of the current connection.",
        NULL,
    };
    help_reply(c, "ACL", lines);
}

static const struct argument cat_arguments[] = {
    {.name = "category", .type = ARG_STRING, .flags = ARG_OPTIONAL},
    ARGUMENTS_END,
};

#define ACL_FLAGS (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_SENTINEL | CMD_HOME)

static const struct command acl_subcommands[] = {
    {
        .name = "whoami",
        .summary = "Tells the user of the connection.",
        .complexity = "O(1)",
        .since = "6.0.0",
        .group = GROUP_SERVER,
        .arity = 2,
        .flags = ACL_FLAGS,
        .function = acl_whoami,
    },
    {
        .name = "cat",
        .summary = "Lists the categories of commands, or the commands of one.",
        .complexity = "O(1) since the categories and commands are a fixed set.",
        .since = "6.0.0",
        .group = GROUP_SERVER,
        .arity = -2,
        .flags = ACL_FLAGS,
        .function = acl_cat,
        .arguments = cat_arguments,
    },
    {
        .name = "help",
        .summary = "Explains the subcommands.",
        .complexity = "O(1)",
        .since = "6.0.0",
        .group = GROUP_SERVER,
        .arity = 2,
        .flags = CMD_LOADING | CMD_STALE | CMD_SENTINEL | CMD_HOME,
        .function = acl_help,
    },
    {0},
};

const struct command acl_commands[] = {
    {
        .name = "acl",
        .summary = "A container for Access List Control commands.",
        .complexity = "Depends on subcommand.",
        .since = "6.0.0",
        .group = GROUP_SERVER,
        .arity = -2,
        .flags = CMD_SENTINEL | CMD_HOME,
        .subcommands = acl_subcommands,
    },
    {0},
};
