#include "commands/call.h"
#include "keyspace/hot.h"

void call_use_database(struct call *c, int database)
{
    ASSERT(database >= 0 && database < HOT_DATABASES);
    c->database = database;
    c->keyspace = c->hot->databases[database];
    c->found_count = 0; /* remembered by argument: the same argument is another key here */
}
