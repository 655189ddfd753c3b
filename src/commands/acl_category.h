/* ACL categories of a command, as Redis derives them: from its flags, from its group, and from what
 * the row's acl_extra adds ("@dangerous") or takes away ("-@keyspace").
 *
 *   flags   WRITE @write · READONLY @read · ADMIN @admin @dangerous · PUBSUB @pubsub ·
 *           BLOCKING @blocking · FAST @fast, else @slow
 *   group   generic @keyspace, string @string, … ; server, cluster and sentinel imply none; a
 *           container that is no command by itself implies none
 *   A script command (@scripting) is not @read even when read-only. */
#pragma once

#include "commands/command.h"

/* In the order in which Redis lists them. */
enum acl_category {
    ACL_KEYSPACE = 1 << 0,
    ACL_READ = 1 << 1,
    ACL_WRITE = 1 << 2,
    ACL_SET = 1 << 3,
    ACL_SORTEDSET = 1 << 4,
    ACL_LIST = 1 << 5,
    ACL_HASH = 1 << 6,
    ACL_STRING = 1 << 7,
    ACL_BITMAP = 1 << 8,
    ACL_HYPERLOGLOG = 1 << 9,
    ACL_GEO = 1 << 10,
    ACL_STREAM = 1 << 11,
    ACL_PUBSUB = 1 << 12,
    ACL_ADMIN = 1 << 13,
    ACL_FAST = 1 << 14,
    ACL_SLOW = 1 << 15,
    ACL_BLOCKING = 1 << 16,
    ACL_DANGEROUS = 1 << 17,
    ACL_CONNECTION = 1 << 18,
    ACL_TRANSACTION = 1 << 19,
    ACL_SCRIPTING = 1 << 20,
};

enum { ACL_CATEGORY_COUNT = 21 };

/* Bits of enum acl_category. ASSERTs that acl_extra names categories that exist. O(its size). */
uint32_t acl_categories_of(const struct command *command);

/* Bit `position` by its name without '@'; position < ACL_CATEGORY_COUNT. */
const char *acl_category_name(int position);

/* The bit of a name without '@' and without case; 0 when there is none. "all" is not a category. */
uint32_t acl_category_find(struct bytes name);
