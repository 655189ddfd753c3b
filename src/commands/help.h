/* The reply of a container's HELP: what its subcommands are, as an array of lines. */
#pragma once

#include "commands/call.h"

/* lines: name and arguments of a subcommand, then its explanation with four blanks before each
 * line; ends with NULL. The heading and HELP itself are added. container: in capitals, "OBJECT". */
void help_reply(struct call *c, const char *container, const char *const *lines);
