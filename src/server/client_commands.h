/* CLIENT and its subcommands: client_commands.c acts on the caller's own connection,
 * client_admin.c on others. */
#pragma once

#include "commands/command.h"

extern const struct command client_commands[];

command_fn client_admin_list, client_admin_kill, client_admin_pause, client_admin_unpause,
    client_admin_unblock;
