#include "commands/call.h"
#include "keyspace/hot.h"

bool call_may_cache(const struct call *c, size_t size)
{
    return !c->env->refuses_writes && c->hot->open_size + size <= c->entry_size_max;
}
