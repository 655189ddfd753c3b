/* What the server itself has to say in INFO. */
#pragma once

#include "server/info.h"

/* Adds its part of the sections server, clients, memory, persistence, stats, replication, cpu,
 * commandstats, errorstats, cluster. */
void info_server_register(struct info *info, struct server *server);
