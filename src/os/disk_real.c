/* The kernel's file system behind os/disk.h. */
#include "os/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"

struct real_file {
    struct disk_file file;
    int fd;
};

static int fd_of(struct disk_file *file)
{
    return CONTAINER_OF(file, struct real_file, file)->fd;
}

static enum disk_err err_of_errno(void)
{
    switch (errno) {
    case ENOENT:
        return DISK_ABSENT;
    case EEXIST:
        return DISK_EXISTS;
    case ENOSPC:
    case EDQUOT:
        return DISK_FULL;
    default:
        return DISK_IO;
    }
}

static enum disk_err result_of(int result)
{
    return result == 0 ? DISK_OK : err_of_errno();
}

static const struct disk_ops real_ops;

static enum disk_err real_open(struct disk *disk, const char *path, bool create,
                               struct disk_file **out)
{
    (void)disk;
    int flags = O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0);
    int fd;
    do
        fd = open(path, flags, 0640);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return err_of_errno();
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    struct real_file *file = mem_alloc(sizeof(*file));
    *file = (struct real_file){.file = {.ops = &real_ops}, .fd = fd};
    *out = &file->file;
    return DISK_OK;
}

static void real_close(struct disk_file *file)
{
    (void)close(fd_of(file));
    mem_free(CONTAINER_OF(file, struct real_file, file));
}

static enum disk_err real_read(struct disk_file *file, uint64_t offset, void *out, size_t size,
                               size_t *got)
{
    *got = 0;
    while (*got < size) {
        ssize_t count = pread(fd_of(file), (char *)out + *got, size - *got, (off_t)(offset + *got));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return err_of_errno();
        if (count == 0)
            return DISK_OK;
        *got += (size_t)count;
    }
    return DISK_OK;
}

/* What is left of the parts after some bytes went out. */
struct rest {
    const struct iovec *parts;
    int count;
    size_t skip; /* bytes of the first part that are out already */
};

static void rest_skip(struct rest *rest, size_t count)
{
    rest->skip += count;
    while (rest->count > 0 && rest->skip >= rest->parts->iov_len) {
        rest->skip -= rest->parts->iov_len;
        rest->parts++;
        rest->count--;
    }
}

/* One pwritev of as many parts as the kernel takes; -1 as pwritev. */
static ssize_t write_some(int fd, uint64_t offset, const struct rest *rest)
{
    if (rest->skip == 0) {
        int count = rest->count < IOV_MAX ? rest->count : IOV_MAX;
        return pwritev(fd, rest->parts, count, (off_t)offset);
    }
    return pwrite(fd, (const char *)rest->parts->iov_base + rest->skip,
                  rest->parts->iov_len - rest->skip, (off_t)offset);
}

static enum disk_err real_write(struct disk_file *file, uint64_t offset, const struct iovec *parts,
                                int part_count)
{
    ASSERT(part_count >= 0);
    struct rest rest = {.parts = parts, .count = part_count};
    rest_skip(&rest, 0); /* empty parts in front */
    while (rest.count > 0) {
        ssize_t count = write_some(fd_of(file), offset, &rest);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return err_of_errno();
        if (count == 0) {
            errno = EIO; /* a file that takes no bytes and tells no reason */
            return DISK_IO;
        }
        offset += (uint64_t)count;
        rest_skip(&rest, (size_t)count);
    }
    return DISK_OK;
}

static enum disk_err real_sync(struct disk_file *file)
{
    int result;
    do
        result = fdatasync(fd_of(file));
    while (result != 0 && errno == EINTR);
    return result_of(result);
}

/* Cutting must work on a full disk, so nothing is reserved then. A file system without fallocate
 * gets a sparse file: full is then met by a later write. */
static enum disk_err real_allocate(struct disk_file *file, uint64_t size)
{
    int fd = fd_of(file);
    struct stat stat;
    if (fstat(fd, &stat) != 0)
        return err_of_errno();
    int result = 0;
    if (size > (uint64_t)stat.st_size) {
        do
            result = fallocate(fd, 0, 0, (off_t)size);
        while (result != 0 && errno == EINTR);
        if (result != 0 && errno != EOPNOTSUPP && errno != ENOSYS)
            return err_of_errno();
    }
    do
        result = ftruncate(fd, (off_t)size);
    while (result != 0 && errno == EINTR);
    return result_of(result);
}

static enum disk_err real_size(struct disk_file *file, uint64_t *size)
{
    struct stat stat;
    if (fstat(fd_of(file), &stat) != 0)
        return err_of_errno();
    *size = (uint64_t)stat.st_size;
    return DISK_OK;
}

static enum disk_err real_rename(struct disk *disk, const char *from, const char *to)
{
    (void)disk;
    return result_of(rename(from, to));
}

static enum disk_err real_remove(struct disk *disk, const char *path)
{
    (void)disk;
    return result_of(unlink(path));
}

static enum disk_err real_make_dir(struct disk *disk, const char *path)
{
    (void)disk;
    return result_of(mkdir(path, 0750));
}

static enum disk_err real_sync_dir(struct disk *disk, const char *path)
{
    (void)disk;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_of_errno();
    int result;
    do
        result = fsync(fd);
    while (result != 0 && errno == EINTR);
    int reason = errno;
    (void)close(fd);
    errno = reason;
    return result_of(result);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_real_entry(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static enum disk_err real_list_dir(struct disk *disk, const char *path, struct buf *names)
{
    (void)disk;
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_real_entry, by_name);
    if (count < 0)
        return err_of_errno();
    for (int i = 0; i < count; i++) {
        buf_append(names, bytes_of(entries[i]->d_name, strlen(entries[i]->d_name) + 1));
        free(entries[i]); /* scandir's own malloc */
    }
    free(entries);
    return DISK_OK;
}

static enum disk_err real_free_space(struct disk *disk, const char *path, uint64_t *free_bytes)
{
    (void)disk;
    struct statvfs stat;
    if (statvfs(path, &stat) != 0)
        return err_of_errno();
    *free_bytes = (uint64_t)stat.f_bavail * (uint64_t)stat.f_frsize;
    return DISK_OK;
}

static const struct disk_ops real_ops = {
    .open = real_open,
    .close = real_close,
    .read = real_read,
    .write = real_write,
    .sync = real_sync,
    .allocate = real_allocate,
    .size = real_size,
    .rename = real_rename,
    .remove = real_remove,
    .make_dir = real_make_dir,
    .sync_dir = real_sync_dir,
    .list_dir = real_list_dir,
    .free_space = real_free_space,
};

/* Never written: the pointer given out is not const only because other disks have state. */
static const struct disk real_disk = {.ops = &real_ops};

struct disk *disk_real(void)
{
    return (struct disk *)(size_t)&real_disk;
}
