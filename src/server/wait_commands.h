/* WAIT and WAITAOF. */
#pragma once

#include "commands/command.h"

struct client;
struct server;

extern const struct command wait_commands[];

/* After what was executed is applied: answers those whose wait is over. O(clients that wait). */
void wait_step(struct server *server);

/* CLIENT UNBLOCK: as if its time were over, or with the error. False: it does not wait so. */
bool wait_unblock(struct client *client, const char *error);

/* The client is gone, or answered. */
void wait_forget(struct client *client);
