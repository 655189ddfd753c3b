/* INFO, TIME, ROLE, WAIT, SHUTDOWN, LOLWUT. */
#pragma once

#include "commands/command.h"

extern const struct command admin_commands[];
