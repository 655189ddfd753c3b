#include "os/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { READ_SIZE = 16384 };

static bool read_all(int fd, struct buf *out)
{
    size_t total = 0;
    while (true) {
        uint8_t *at = buf_reserve(out, READ_SIZE);
        ssize_t got = read(fd, at, READ_SIZE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        out->size += (size_t)got;
        total += (size_t)got;
        if (total > TEXT_FILE_MAX) {
            errno = EFBIG;
            return false;
        }
    }
}

static bool is_readable_kind(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return false;
    if (S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode))
        return true;
    errno = EINVAL;
    return false;
}

bool text_file_read(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return false;
    bool is_read = is_readable_kind(fd) && read_all(fd, out);
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return is_read;
}

bool text_file_read_stdin(struct buf *out)
{
    return read_all(STDIN_FILENO, out);
}

char *text_file_real_path(const char *path)
{
    char *resolved = realpath(path, NULL);
    if (resolved == NULL)
        return NULL;
    size_t size = strlen(resolved) + 1;
    char *copy = mem_alloc(size);
    memcpy(copy, resolved, size);
    free(resolved);
    return copy;
}

void text_file_find(const char *pattern, struct buf *paths)
{
    glob_t found;
    if (glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        buf_append(paths, bytes_of(found.gl_pathv[i], strlen(found.gl_pathv[i]) + 1));
    globfree(&found);
}

static bool write_all(int fd, struct bytes content)
{
    while (content.size > 0) {
        ssize_t written = write(fd, content.data, content.size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        content = bytes_of(content.data + written, content.size - (size_t)written);
    }
    return true;
}

/* Writes content beside the file, durable, under the name that temporary becomes (it comes as a
 * template). On false nothing is left behind. */
static bool write_beside(char *temporary, mode_t mode, struct bytes content)
{
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_written = write_all(fd, content) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    int saved = errno;
    (void)close(fd);
    if (!is_written)
        (void)unlink(temporary);
    errno = saved;
    return is_written;
}

static bool sync_folder_of(char *path)
{
    char *slash = strrchr(path, '/');
    ASSERT(slash != NULL); /* the path is a real one */
    slash[slash == path ? 1 : 0] = '\0';
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_synced = fsync(fd) == 0;
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return is_synced;
}

bool text_file_replace(const char *path, struct bytes content)
{
    struct stat status;
    char *target = text_file_real_path(path);
    if (target == NULL)
        return false;
    struct buf temporary = {0};
    buf_printf(&temporary, "%s.XXXXXX", target);
    buf_append_u8(&temporary, '\0');
    char *name = (char *)temporary.data;
    bool is_replaced =
        stat(target, &status) == 0 && write_beside(name, status.st_mode & 07777, content);
    if (is_replaced && rename(name, target) != 0) {
        int saved = errno;
        (void)unlink(name);
        errno = saved;
        is_replaced = false;
    }
    is_replaced = is_replaced && sync_folder_of(target);
    int saved = errno;
    buf_free(&temporary);
    mem_free(target);
    errno = saved;
    return is_replaced;
}
