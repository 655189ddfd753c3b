#include "server/acl_commands.h"
#include "server/admin_commands.h"
#include "server/client_commands.h"
#include "server/cluster_commands.h"
#include "server/config_commands.h"
#include "server/connection_commands.h"
#include "server/frontend.h"
#include "server/slowlog_commands.h"
#include "server/transaction_commands.h"
#include "server/wait_commands.h"

void server_register_commands(struct command_table *table)
{
    command_table_add(table, connection_commands);
    command_table_add(table, transaction_commands);
    command_table_add(table, client_commands);
    command_table_add(table, config_commands);
    command_table_add(table, slowlog_commands);
    command_table_add(table, admin_commands);
    command_table_add(table, wait_commands);
    command_table_add(table, acl_commands);
    command_table_add(table, cluster_commands);
    command_table_add(table, raft_commands);
}
