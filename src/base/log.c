#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

enum { LOG_FILE_MODE = 0644 };

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, LOG_FILE_MODE);
}

bool log_init(struct log *log, enum log_level level, const char *path)
{
    atomic_init(&log->level, (int)level);
    atomic_init(&log->role, 'M');
    log->fd = STDERR_FILENO;
    log->path = NULL;
    if (path == NULL || path[0] == '\0')
        return true;
    int fd = open_file(path);
    if (fd < 0)
        return false;
    size_t size = strlen(path) + 1;
    log->fd = fd;
    log->path = mem_alloc(size);
    memcpy(log->path, path, size);
    return true;
}

void log_fini(struct log *log)
{
    if (log->path != NULL)
        (void)close(log->fd);
    mem_free(log->path);
    log->path = NULL;
    log->fd = STDERR_FILENO;
}

void log_set_level(struct log *log, enum log_level level)
{
    atomic_store_explicit(&log->level, (int)level, memory_order_relaxed);
}

void log_set_role(struct log *log, char role)
{
    atomic_store_explicit(&log->role, role, memory_order_relaxed);
}

/* dup3 replaces the file behind the same descriptor in one step, so a thread inside log_write uses
 * the old or the new file, never a closed one. */
bool log_reopen(struct log *log)
{
    if (log->path == NULL)
        return true;
    int fd = open_file(log->path);
    if (fd < 0)
        return false;
    bool is_replaced = dup3(fd, log->fd, O_CLOEXEC) >= 0;
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return is_replaced;
}

/* "4711:M 12 Nov 2025 10:20:30.123 * ". Returns the size. */
static size_t put_prefix(const struct log *log, enum log_level level, char *out, size_t size_max)
{
    static const char marks[] = ".-*#";
    struct timespec now;
    struct tm local;
    char date[32];
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)localtime_r(&now.tv_sec, &local);
    size_t date_size = strftime(date, sizeof(date), "%d %b %Y %H:%M:%S", &local);
    date[date_size] = '\0';
    char role = atomic_load_explicit(&log->role, memory_order_relaxed);
    int size = snprintf(out, size_max, "%d:%c %s.%03d %c ", (int)getpid(), role, date,
                        (int)(now.tv_nsec / 1000000), marks[level]);
    ASSERT(size > 0 && (size_t)size < size_max);
    return (size_t)size;
}

static void write_all(int fd, const char *line, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, line, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        line += written;
        size -= (size_t)written;
    }
}

void log_write(struct log *log, enum log_level level, const char *format, ...)
{
    ASSERT(level >= LOG_LEVEL_DEBUG && level <= LOG_LEVEL_WARNING);
    if (!log_is_on(log, level))
        return;
    int saved = errno; /* callers log an errno that they still need */
    char line[LOG_LINE_MAX + 1];
    size_t prefix = put_prefix(log, level, line, sizeof(line));
    size_t room = LOG_LINE_MAX - prefix; /* for message and newline */
    va_list args;
    va_start(args, format);
    int printed = vsnprintf(line + prefix, room, format, args);
    va_end(args);
    ASSERT(printed >= 0);
    size_t size = prefix + ((size_t)printed < room ? (size_t)printed : room - 1);
    for (size_t i = prefix; i < size; i++) {
        if ((uint8_t)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    }
    line[size] = '\n';
    write_all(log->fd, line, size + 1);
    errno = saved;
}
