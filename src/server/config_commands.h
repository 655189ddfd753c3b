/* CONFIG and its subcommands. */
#pragma once

#include "commands/command.h"

extern const struct command config_commands[];
