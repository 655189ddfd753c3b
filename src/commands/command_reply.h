/* A row of the command table as COMMAND INFO and COMMAND DOCS show it, in the shapes of Redis 7.2.
 */
#pragma once

#include "codec/resp_reply.h"
#include "commands/command.h"

enum { COMMAND_NAME_SIZE_MAX = 128 };

/* "get", or "config|get" with a container; returns the size. */
size_t command_full_name(char out[static COMMAND_NAME_SIZE_MAX], const struct command *container,
                         const struct command *command);

/* The ten elements of COMMAND INFO, subcommands nested. container: of a subcommand, or NULL. */
void command_reply_info(struct reply *reply, const struct command *container,
                        const struct command *command);

/* Name and map of COMMAND DOCS: two elements. */
void command_reply_docs(struct reply *reply, const struct command *container,
                        const struct command *command);

/* Where keys stand in the words of COMMAND INFO before key specs: first, last (negative: from the
 * end) and step; zeros when there are no keys or the specs are not one run. */
struct command_key_range {
    int first, last, step;
};

struct command_key_range command_key_range(const struct command *command);

/* Names of flag bits for a set of simple strings. Hidden ones have none, as in Redis. */
void command_reply_key_flags(struct reply *reply, uint32_t flags); /* enum key_flag */
