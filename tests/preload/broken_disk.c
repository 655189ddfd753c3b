/* Loaded in front of the C library (LD_PRELOAD): makes calls on chosen files fail, as a dying disk
 * does.
 *
 * The file named by BROKEN_DISK holds "CALL PART ERRNO": while it exists, CALL (write, sync) on a
 * file whose path contains PART fails with ERRNO; with an ERRNO of 0 it does not come back before
 * the rule has gone. No such file, no harm. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int read_rule(char call[16], char part[128], int *error)
{
    const char *path = getenv("BROKEN_DISK");
    FILE *file = path == NULL ? NULL : fopen(path, "re");
    if (file == NULL)
        return 0;
    int fields = fscanf(file, "%15s %127s %d", call, part, error);
    (void)fclose(file);
    return fields == 3;
}

static int rule_for(const char *what, int fd, int *error)
{
    char call[16], part[128], link[64], path[512];
    if (!read_rule(call, part, error) || strcmp(call, what) != 0)
        return 0;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof(path) - 1);
    if (size <= 0)
        return 0;
    path[size] = 0;
    return strstr(path, part) != NULL;
}

/* errno to fail with, or 0; a stall is over when it returns. */
static int fails(const char *what, int fd)
{
    int error = 0;
    int is_ruled;
    while ((is_ruled = rule_for(what, fd, &error)) && error == 0)
        (void)usleep(10000);
    return is_ruled ? error : 0;
}

/* dlsym gives an object pointer; a union turns it into a function without breaking a rule of C. */
#define REAL(name, result, ...)                                                                    \
    union {                                                                                        \
        void *object;                                                                              \
        result (*function)(__VA_ARGS__);                                                           \
    } real = {.object = dlsym(RTLD_NEXT, name)}

int fdatasync(int fd)
{
    REAL("fdatasync", int, int);
    int error = fails("sync", fd);
    if (error == 0)
        return real.function(fd);
    errno = error;
    return -1;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    REAL("pwritev", ssize_t, int, const struct iovec *, int, off_t);
    int error = fails("write", fd);
    if (error == 0)
        return real.function(fd, parts, count, offset);
    errno = error;
    return -1;
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
    return pwritev(fd, parts, count, offset);
}
