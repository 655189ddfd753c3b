#include "os/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

enum {
    PID_TEXT_SIZE = 24,
    WAIT_TRIES = 20,
    WAIT_NS = 5 * 1000 * 1000,
};

struct lock {
    int fd;
};

static int open_lock_file(const char *dir, struct buf *error)
{
    struct buf path = {0};
    buf_printf(&path, "%s/LOCK", dir);
    buf_append_u8(&path, 0);
    int fd;
    do
        fd = open((const char *)path.data, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        buf_printf(error, "%s: %s", (const char *)path.data, strerror(errno));
    buf_free(&path);
    return fd;
}

/* A process that was killed holds its lock until the kernel has taken its memory apart. */
static bool lock_file(int fd)
{
    for (int i = 0; i < WAIT_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return false;
        (void)nanosleep(&(struct timespec){.tv_nsec = WAIT_NS}, NULL);
    }
    errno = EWOULDBLOCK;
    return false;
}

static enum lock_err refuse(int fd, const char *dir, struct buf *error)
{
    if (errno != EWOULDBLOCK) {
        buf_printf(error, "%s/LOCK: %s", dir, strerror(errno));
        return LOCK_IO;
    }
    char holder[PID_TEXT_SIZE] = {0};
    ssize_t size = pread(fd, holder, sizeof(holder) - 1, 0);
    size_t digits = 0;
    while (size > 0 && digits < (size_t)size && holder[digits] >= '0' && holder[digits] <= '9')
        digits++;
    buf_printf(error, "%s/LOCK: held by process %.*s", dir, digits == 0 ? 9 : (int)digits,
               digits == 0 ? "(unknown)" : holder);
    return LOCK_HELD;
}

enum lock_err lock_take(const char *dir, struct lock **out, struct buf *error)
{
    int fd = open_lock_file(dir, error);
    if (fd < 0)
        return LOCK_IO;
    if (!lock_file(fd)) {
        enum lock_err err = refuse(fd, dir, error);
        (void)close(fd);
        return err;
    }
    char text[PID_TEXT_SIZE];
    int size = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    ASSERT(size > 0 && (size_t)size < sizeof(text));
    /* The id is a courtesy to whoever is refused; the lock holds without it, on a full disk too. */
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)size, 0) != size)
        errno = 0;
    struct lock *lock = mem_alloc(sizeof(*lock));
    lock->fd = fd;
    *out = lock;
    return LOCK_OK;
}

void lock_release(struct lock *lock)
{
    if (lock == NULL)
        return;
    if (ftruncate(lock->fd, 0) != 0)
        errno = 0; /* an old id is harmless without the lock */
    (void)close(lock->fd);
    mem_free(lock);
}
