/* SLOWLOG. */
#pragma once

#include "commands/command.h"

struct client;

extern const struct command slowlog_commands[];

/* Keeps the client's request, passwords blotted out. */
void slow_command_add(const struct client *client, uint64_t duration_us);
