/* INFO, TIME, ROLE, SHUTDOWN, LOLWUT. */
#pragma once

#include "commands/command.h"

extern const struct command admin_commands[];
