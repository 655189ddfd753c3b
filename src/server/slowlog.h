/* The slow commands of late: a bounded list, newest first. Arguments are shortened as Redis does
 * (32 of them, 128 bytes each), so that an entry is small whatever the command was. */
#pragma once

#include "base/list.h"
#include "commands/call.h"

enum { SLOWLOG_ARGS_MAX = 32, SLOWLOG_ARG_SIZE_MAX = 128 };

struct slowlog {
    struct list entries; /* newest first */
    size_t count;
    uint64_t next_id;
};

/* What is to be kept of a command; texts are copied. */
struct slowlog_event {
    uint64_t wall_us;
    uint64_t duration_us;
    const struct bytes *argv;
    int argc;
    const char *peer;
    const char *client_name; /* or NULL */
};

void slowlog_init(struct slowlog *slowlog);
void slowlog_fini(struct slowlog *slowlog);
void slowlog_add(struct slowlog *slowlog, const struct slowlog_event *event, size_t entries_max);
void slowlog_reset(struct slowlog *slowlog); /* ids go on */

/* Replies at most `max` entries in SLOWLOG GET's form. */
void slowlog_reply(const struct slowlog *slowlog, struct reply *reply, size_t max);
