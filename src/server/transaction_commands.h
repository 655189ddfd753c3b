/* MULTI, EXEC, DISCARD, WATCH, UNWATCH. */
#pragma once

#include "commands/command.h"

struct client;

extern const struct command transaction_commands[];

/* EXEC where there is nothing to execute: says why. A transaction that can run goes to exec. */
void transaction_exec(struct call *c);

/* EXEC has a transaction that was not broken. */
bool transaction_can_run(const struct client *client);

/* Inside MULTI: run instead of queued (EXEC, DISCARD, MULTI, WATCH, QUIT, RESET). */
bool transaction_runs_at_once(const struct command *command);
