/* PING, ECHO, HELLO, AUTH, SELECT, QUIT, RESET. */
#pragma once

#include "commands/command.h"

extern const struct command connection_commands[];

/* Not queued inside MULTI. */
void connection_quit(struct call *c);
void connection_reset(struct call *c);

/* What this server says it is: tools look for features by Redis's number. */
#define SERVER_REDIS_VERSION "7.2.4"
#define SERVER_QUOIN_VERSION "0.1.0"
