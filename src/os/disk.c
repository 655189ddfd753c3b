#include "os/disk.h"

#include <errno.h>
#include <string.h>

#include "base/steps.h"

enum { READ_CHUNK_MIN = 4096 };

const char *disk_err_text(enum disk_err err)
{
    switch (err) {
    case DISK_OK:
        return "no error";
    case DISK_ABSENT:
        return "no such file or directory";
    case DISK_EXISTS:
        return "it exists already";
    case DISK_FULL:
        return "no space left on device";
    case DISK_IO:
        return "input/output error";
    }
    UNREACHABLE();
}

static void append_parent(struct buf *out, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        buf_append_string(out, ".");
    else if (slash == path)
        buf_append_string(out, "/");
    else
        buf_append(out, bytes_of(path, (size_t)(slash - path)));
    buf_append_u8(out, 0);
}

enum disk_err disk_make_dir(struct disk *disk, const char *path)
{
    enum disk_err made = DURABLE_STEP(dir_made, disk->ops->make_dir(disk, path));
    if (made != DISK_OK && made != DISK_EXISTS)
        return made;
    struct buf parent = {0};
    append_parent(&parent, path);
    enum disk_err synced =
        DURABLE_STEP(dir_named, disk->ops->sync_dir(disk, (const char *)parent.data));
    int reason = errno;
    buf_free(&parent);
    errno = reason;
    return made == DISK_EXISTS ? DISK_OK : synced;
}

/* Reads until a read gives nothing: the size is only a hint for files that grow or of /proc. */
static enum disk_err read_to_end(struct disk_file *file, struct buf *out)
{
    uint64_t size = 0;
    enum disk_err err = file->ops->size(file, &size);
    size_t chunk = size < READ_CHUNK_MIN ? READ_CHUNK_MIN : (size_t)size + 1;
    size_t got = 1;
    while (err == DISK_OK && got > 0) {
        err = file->ops->read(file, out->size, buf_reserve(out, chunk), chunk, &got);
        if (err == DISK_OK)
            out->size += got;
    }
    return err;
}

enum disk_err disk_read_file(struct disk *disk, const char *path, struct buf *out)
{
    buf_clear(out);
    struct disk_file *file = NULL;
    enum disk_err err = disk->ops->open(disk, path, false, &file);
    if (err != DISK_OK)
        return err;
    err = read_to_end(file, out);
    int reason = errno;
    file->ops->close(file);
    errno = reason;
    return err;
}

/* The content and its size are durable when this returns DISK_OK; the name is not yet. */
static enum disk_err write_whole(struct disk *disk, const char *path, struct bytes content)
{
    struct disk_file *file = NULL;
    enum disk_err err = disk->ops->open(disk, path, true, &file);
    if (err != DISK_OK)
        return err;
    /* Also cuts what an earlier attempt left. */
    err = DURABLE_STEP(file_sized, file->ops->allocate(file, content.size));
    if (err == DISK_OK && content.size > 0) {
        struct iovec part = {.iov_base = (void *)(size_t)content.data, .iov_len = content.size};
        err = DURABLE_STEP(file_written, file->ops->write(file, 0, &part, 1));
    }
    if (err == DISK_OK)
        err = DURABLE_STEP(file_synced, file->ops->sync(file));
    int reason = errno;
    file->ops->close(file);
    errno = reason;
    return err;
}

enum disk_err disk_replace_file(struct disk *disk, const char *dir, const char *path,
                                struct bytes content)
{
    struct buf temporary = {0};
    buf_printf(&temporary, "%s.tmp", path);
    buf_append_u8(&temporary, 0);
    const char *temporary_path = (const char *)temporary.data;
    enum disk_err err = write_whole(disk, temporary_path, content);
    if (err == DISK_OK)
        err = DURABLE_STEP(file_replaced, disk->ops->rename(disk, temporary_path, path));
    if (err == DISK_OK)
        err = DURABLE_STEP(file_named, disk->ops->sync_dir(disk, dir));
    int reason = errno;
    buf_free(&temporary);
    errno = reason;
    return err;
}
