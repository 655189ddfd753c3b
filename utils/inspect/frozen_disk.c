#include "frozen_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

struct frozen_disk {
    struct disk disk;
    struct buf made; /* paths of files and directories that exist only here, each with a 0 byte */
};

struct frozen_file {
    struct disk_file file;
    int fd;        /* -1: exists only here */
    uint64_t size; /* then */
};

static struct frozen_disk *self_of(struct disk *disk)
{
    return CONTAINER_OF(disk, struct frozen_disk, disk);
}

static struct frozen_file *file_of(struct disk_file *file)
{
    return CONTAINER_OF(file, struct frozen_file, file);
}

static bool is_made(const struct frozen_disk *self, const char *path)
{
    for (size_t at = 0; at < self->made.size;) {
        const char *made = (const char *)self->made.data + at;
        if (strcmp(made, path) == 0)
            return true;
        at += strlen(made) + 1;
    }
    return false;
}

static void note_made(struct frozen_disk *self, const char *path)
{
    if (!is_made(self, path))
        buf_append(&self->made, bytes_of(path, strlen(path) + 1));
}

static enum disk_err err_of_errno(void)
{
    return errno == ENOENT ? DISK_ABSENT : DISK_IO;
}

static const struct disk_ops frozen_ops;

static enum disk_err frozen_open(struct disk *disk, const char *path, bool create,
                                 struct disk_file **out)
{
    struct frozen_disk *self = self_of(disk);
    int fd = is_made(self, path) ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && !create && !is_made(self, path))
        return err_of_errno();
    if (fd < 0)
        note_made(self, path);
    struct frozen_file *file = mem_zero(sizeof(*file));
    *file = (struct frozen_file){.file = {.ops = &frozen_ops}, .fd = fd};
    *out = &file->file;
    return DISK_OK;
}

static void frozen_close(struct disk_file *file)
{
    if (file_of(file)->fd >= 0)
        (void)close(file_of(file)->fd);
    mem_free(file_of(file));
}

static enum disk_err frozen_read(struct disk_file *file, uint64_t offset, void *out, size_t size,
                                 size_t *got)
{
    *got = 0;
    while (file_of(file)->fd >= 0 && *got < size) {
        ssize_t count =
            pread(file_of(file)->fd, (char *)out + *got, size - *got, (off_t)(offset + *got));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return DISK_IO;
        if (count == 0)
            break;
        *got += (size_t)count;
    }
    return DISK_OK;
}

static enum disk_err frozen_write(struct disk_file *file, uint64_t offset,
                                  const struct iovec *parts, int part_count)
{
    for (int i = 0; i < part_count; i++)
        offset += parts[i].iov_len;
    if (offset > file_of(file)->size)
        file_of(file)->size = offset;
    return DISK_OK;
}

static enum disk_err frozen_sync(struct disk_file *file)
{
    (void)file;
    return DISK_OK;
}

static enum disk_err frozen_allocate(struct disk_file *file, uint64_t size)
{
    file_of(file)->size = size;
    return DISK_OK;
}

static enum disk_err frozen_size(struct disk_file *file, uint64_t *size)
{
    struct stat status;
    *size = file_of(file)->size;
    if (file_of(file)->fd < 0)
        return DISK_OK;
    if (fstat(file_of(file)->fd, &status) != 0)
        return DISK_IO;
    *size = (uint64_t)status.st_size;
    return DISK_OK;
}

static enum disk_err frozen_rename(struct disk *disk, const char *from, const char *to)
{
    (void)from;
    note_made(self_of(disk), to);
    return DISK_OK;
}

static enum disk_err frozen_remove(struct disk *disk, const char *path)
{
    bool is_there = is_made(self_of(disk), path) || access(path, F_OK) == 0;
    return is_there ? DISK_OK : DISK_ABSENT;
}

static enum disk_err frozen_make_dir(struct disk *disk, const char *path)
{
    if (access(path, F_OK) == 0)
        return DISK_EXISTS;
    note_made(self_of(disk), path);
    return DISK_OK;
}

static enum disk_err frozen_sync_dir(struct disk *disk, const char *path)
{
    (void)disk;
    (void)path;
    return DISK_OK;
}

static enum disk_err frozen_list_dir(struct disk *disk, const char *path, struct buf *names)
{
    struct disk *real = disk_real();
    enum disk_err err = real->ops->list_dir(real, path, names);
    return err == DISK_ABSENT && is_made(self_of(disk), path) ? DISK_OK : err;
}

static enum disk_err frozen_free_space(struct disk *disk, const char *path, uint64_t *free_bytes)
{
    (void)disk;
    return disk_real()->ops->free_space(disk_real(), path, free_bytes);
}

static const struct disk_ops frozen_ops = {
    .open = frozen_open,
    .close = frozen_close,
    .read = frozen_read,
    .write = frozen_write,
    .sync = frozen_sync,
    .allocate = frozen_allocate,
    .size = frozen_size,
    .rename = frozen_rename,
    .remove = frozen_remove,
    .make_dir = frozen_make_dir,
    .sync_dir = frozen_sync_dir,
    .list_dir = frozen_list_dir,
    .free_space = frozen_free_space,
};

struct disk *frozen_disk_new(void)
{
    struct frozen_disk *self = mem_zero(sizeof(*self));
    self->disk.ops = &frozen_ops;
    return &self->disk;
}

void frozen_disk_free(struct disk *disk)
{
    if (disk == NULL)
        return;
    buf_free(&self_of(disk)->made);
    mem_free(self_of(disk));
}
