/* The log of a process: one line per event to a file or to standard error.
 *
 *   4711:M 12 Nov 2025 10:20:30.123 * Ready to accept connections
 *   pid:role time(local) level message        level: . debug  - verbose  * notice  # warning
 *
 * A line is one write(2) to a descriptor opened for append, so lines of several threads do not mix
 * and nothing is lost when the process dies. log_write may be called from any thread; everything
 * else from the loop only. A line that cannot be written is dropped: logging never fails. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/assert.h"

enum log_level {
    LOG_LEVEL_DEBUG = 0,
    LOG_LEVEL_VERBOSE,
    LOG_LEVEL_NOTICE,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_NOTHING, /* as a threshold: nothing is written */
};

enum { LOG_LINE_MAX = 1024 }; /* with newline; the message of a longer line is cut */

struct log {
    _Atomic int level; /* enum log_level; lower ones are not written */
    _Atomic char role; /* one letter after the pid: M leader, S follower, C child, X other */
    int fd;            /* 2 when there is no file */
    char *path;        /* NULL: standard error */
};

/* path NULL or "" means standard error; the path is copied. False, with errno set and the log
 * usable on standard error, when the file cannot be opened. */
MUST_USE bool log_init(struct log *log, enum log_level level, const char *path);
void log_fini(struct log *log);

void log_set_level(struct log *log, enum log_level level);
void log_set_role(struct log *log, char role);

/* Opens the file anew (after rotation); writers on other threads go on meanwhile. On false errno
 * is set and the old file stays in use. True without effect on standard error. */
MUST_USE bool log_reopen(struct log *log);

/* The message has no newline; control bytes in it, which may be foreign, are written as '?'. */
void log_write(struct log *log, enum log_level level, const char *format, ...) PRINTF_LIKE(3, 4);

static inline bool log_is_on(const struct log *log, enum log_level level)
{
    return (int)level >= atomic_load_explicit(&log->level, memory_order_relaxed);
}
