#include "commands/help.h"

#include <stdio.h>

void help_reply(struct call *c, const char *container, const char *const *lines)
{
    char heading[128];
    size_t count = 0;
    while (lines[count] != NULL)
        count++;
    (void)snprintf(heading, sizeof(heading),
                   "%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", container);
    reply_array(&c->reply, count + 3);
    reply_simple(&c->reply, heading);
    for (size_t i = 0; i < count; i++)
        reply_simple(&c->reply, lines[i]);
    reply_simple(&c->reply, "HELP");
    reply_simple(&c->reply, "    Print this help.");
}
