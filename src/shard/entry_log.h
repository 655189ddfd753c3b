/* The entries of one group above its base, by index: what Raft only knows as (index, term). Holds
 * one reference to each. */
#pragma once

#include <stdint.h>
#include "codec/entry.h"

struct entry_log {
    struct entry **ring;
    uint64_t mask;
    uint64_t base;  /* index before the first entry */
    uint64_t last;  /* base when empty */
    uint64_t bytes; /* payload bytes of all of them */
};

void entry_log_init(struct entry_log *log, uint64_t base);
void entry_log_fini(struct entry_log *log);
void entry_log_append(struct entry_log *log,
                      struct entry *entry); /* takes the reference; index last + 1 */
struct entry *entry_log_at(const struct entry_log *log, uint64_t index); /* base < index <= last */
void entry_log_compact(struct entry_log *log,
                       uint64_t through); /* drops entries up to through <= last */

/* Drops entries from `first` on: a leader of a higher term replaced them. */
void entry_log_truncate(struct entry_log *log, uint64_t first);

static inline uint64_t entry_log_last(const struct entry_log *log)
{
    return log->last;
}
