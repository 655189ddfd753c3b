/* Who may connect: maxclients, protected mode. */
#pragma once

struct server;

/* Takes an accepted descriptor: a new client, or an error and the end. */
void admission_take(struct server *server, int fd);

void admission_count_refused(struct server *server, const char *why);
