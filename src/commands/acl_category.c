#include "commands/acl_category.h"

#include "base/assert.h"

static const char *const names[] = {
    "keyspace", "read",   "write",       "set",       "sortedset",  "list",        "hash",
    "string",   "bitmap", "hyperloglog", "geo",       "stream",     "pubsub",      "admin",
    "fast",     "slow",   "blocking",    "dangerous", "connection", "transaction", "scripting",
};

_Static_assert(COUNT_OF(names) == ACL_CATEGORY_COUNT, "one name per category");

const char *acl_category_name(int position)
{
    ASSERT(position >= 0 && position < ACL_CATEGORY_COUNT);
    return names[position];
}

uint32_t acl_category_find(struct bytes name)
{
    for (int i = 0; i < ACL_CATEGORY_COUNT; i++) {
        if (bytes_is_word(name, names[i]))
            return (uint32_t)1 << i;
    }
    return 0;
}

static uint32_t from_group(enum command_group group)
{
    switch (group) {
    case GROUP_GENERIC:
        return ACL_KEYSPACE;
    case GROUP_STRING:
        return ACL_STRING;
    case GROUP_LIST:
        return ACL_LIST;
    case GROUP_SET:
        return ACL_SET;
    case GROUP_SORTED_SET:
        return ACL_SORTEDSET;
    case GROUP_HASH:
        return ACL_HASH;
    case GROUP_PUBSUB:
        return ACL_PUBSUB;
    case GROUP_TRANSACTIONS:
        return ACL_TRANSACTION;
    case GROUP_CONNECTION:
        return ACL_CONNECTION;
    case GROUP_SCRIPTING:
        return ACL_SCRIPTING;
    case GROUP_HYPERLOGLOG:
        return ACL_HYPERLOGLOG;
    case GROUP_GEO:
        return ACL_GEO;
    case GROUP_STREAM:
        return ACL_STREAM;
    case GROUP_BITMAP:
        return ACL_BITMAP;
    case GROUP_SERVER:
    case GROUP_CLUSTER:
    case GROUP_SENTINEL:
        return 0;
    }
    UNREACHABLE();
}

static uint32_t from_flags(uint32_t flags)
{
    uint32_t categories = (flags & CMD_FAST) != 0 ? ACL_FAST : ACL_SLOW;
    if ((flags & CMD_WRITE) != 0)
        categories |= ACL_WRITE;
    if ((flags & CMD_READONLY) != 0)
        categories |= ACL_READ;
    if ((flags & CMD_ADMIN) != 0)
        categories |= ACL_ADMIN | ACL_DANGEROUS;
    if ((flags & CMD_PUBSUB) != 0)
        categories |= ACL_PUBSUB;
    if ((flags & CMD_BLOCKING) != 0)
        categories |= ACL_BLOCKING;
    return categories;
}

/* Takes the next of "@a -@b"; true and its bit, or false at the end. */
static bool next_extra(const char **rest, uint32_t *category, bool *is_removed)
{
    while (**rest == ' ')
        (*rest)++;
    if (**rest == '\0')
        return false;
    *is_removed = **rest == '-';
    if (*is_removed)
        (*rest)++;
    ASSERT(**rest == '@');
    const char *name = *rest + 1;
    size_t size = strcspn(name, " ");
    *category = acl_category_find(bytes_of(name, size));
    ASSERT(*category != 0);
    *rest = name + size;
    return true;
}

uint32_t acl_categories_of(const struct command *command)
{
    uint32_t categories = from_flags(command->flags);
    if (command->function != NULL || command->subcommands == NULL)
        categories |= from_group(command->group);
    if (command->group == GROUP_SCRIPTING)
        categories &= ~(uint32_t)ACL_READ;
    const char *rest = command->acl_extra == NULL ? "" : command->acl_extra;
    uint32_t category;
    bool is_removed;
    while (next_extra(&rest, &category, &is_removed))
        categories = is_removed ? categories & ~category : categories | category;
    return categories;
}
