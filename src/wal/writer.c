#include "wal/writer.h"

#include <errno.h>
#include <inttypes.h>

#include "base/steps.h"
#include "os/clock.h"

void wal_writer_init(struct wal_writer *writer, struct disk *disk, const char *dir,
                     uint64_t segment_size)
{
    ASSERT(segment_size >= WAL_SEGMENT_SIZE_MIN && segment_size % WAL_PAGE == 0);
    *writer = (struct wal_writer){.disk = disk, .dir = dir, .segment_size = segment_size};
    writer->hash = hash_stream_new();
}

static void close_file(struct disk_file **file)
{
    if (*file != NULL)
        (*file)->ops->close(*file);
    *file = NULL;
}

void wal_writer_fini(struct wal_writer *writer)
{
    close_file(&writer->file);
    close_file(&writer->next);
    hash_stream_free(writer->hash);
    buf_free(&writer->iovecs);
    buf_free(&writer->path);
    buf_free(&writer->error);
}

/* ---- results ---- */

static enum wal_result fail(struct wal_writer *writer, const char *call, uint64_t segment,
                            uint64_t offset)
{
    const char *reason = strerror(errno);
    char name[WAL_NAME_SIZE];
    wal_segment_name(name, segment);
    buf_clear(&writer->error);
    buf_printf(&writer->error, "%s/%s: %s at offset %" PRIu64 ": %s", writer->dir, name, call,
               offset, reason);
    buf_append_u8(&writer->error, 0);
    return WAL_RESULT_FAILED;
}

/* For calls that need space: no space is not the end. */
static enum wal_result result_of(struct wal_writer *writer, enum disk_err err, const char *call,
                                 uint64_t segment, uint64_t offset)
{
    if (err == DISK_OK)
        return WAL_RESULT_OK;
    if (err == DISK_FULL) {
        writer->counters.full++;
        return WAL_RESULT_FULL;
    }
    return fail(writer, call, segment, offset);
}

/* A failed sync is final, a full disk included: the kernel may have dropped the pages. */
static enum wal_result sync_file(struct wal_writer *writer, struct disk_file *file,
                                 uint64_t segment, uint64_t offset)
{
    uint64_t start = clock_boot_us();
    if (file->ops->sync(file) != DISK_OK)
        return fail(writer, "fdatasync", segment, offset);
    uint64_t took = clock_boot_us() - start;
    struct wal_counters *counters = &writer->counters;
    counters->syncs++;
    counters->sync_us += took;
    counters->sync_us_max = took > counters->sync_us_max ? took : counters->sync_us_max;
    return WAL_RESULT_OK;
}

static enum wal_result sync_dir(struct wal_writer *writer, uint64_t segment)
{
    if (writer->disk->ops->sync_dir(writer->disk, writer->dir) != DISK_OK)
        return fail(writer, "fsync of the directory", segment, 0);
    return WAL_RESULT_OK;
}

enum wal_result wal_writer_sync(struct wal_writer *writer)
{
    if (wal_writer_is_synced(writer))
        return WAL_RESULT_OK;
    enum wal_result result = DURABLE_STEP(
        wal_batch_synced, sync_file(writer, writer->file, writer->segment, writer->offset));
    if (result == WAL_RESULT_OK)
        writer->synced = writer->number;
    return result;
}

/* ---- one batch ---- */

static void add_iovec(struct wal_writer *writer, const void *data, size_t size)
{
    struct iovec part = {(void *)(size_t)data, size};
    if (size > 0)
        buf_append(&writer->iovecs, bytes_of(&part, sizeof(part)));
}

static void lay_out(struct wal_writer *writer, const struct wal_batch *batch)
{
    buf_clear(&writer->iovecs);
    size_t from = 0;
    for (size_t i = 0; i < wal_batch_part_count(batch); i++) {
        const struct wal_part *part = wal_batch_part(batch, i);
        add_iovec(writer, batch->bytes.data + from, part->at - from);
        add_iovec(writer, part->entry->payload, part->entry->size);
        from = part->at;
    }
    add_iovec(writer, batch->bytes.data + from, batch->bytes.size - from);
}

static size_t iovec_count(const struct wal_writer *writer)
{
    return writer->iovecs.size / sizeof(struct iovec);
}

static const struct iovec *iovec_at(const struct wal_writer *writer, size_t at)
{
    return (const struct iovec *)(const void *)writer->iovecs.data + at;
}

/* The checksum runs over the parts where they lie, and is put last. */
static void seal(struct wal_writer *writer, struct wal_batch *batch)
{
    struct wal_header header = {
        .segment = writer->segment,
        .number = writer->number + 1,
        .synced = writer->synced,
        .size = wal_batch_size(batch),
    };
    wal_put_header(batch->bytes.data, &header);
    hash_stream_start(writer->hash, writer->offset);
    for (size_t i = 0; i < iovec_count(writer); i++) {
        const struct iovec *part = iovec_at(writer, i);
        hash_stream_add(writer->hash, bytes_of(part->iov_base, part->iov_len));
    }
    wal_put_checksum(batch->bytes.data, hash_stream_value(writer->hash));
}

/* Zeroes up to the end of the page: a whole page is written without reading what a reused segment
 * had there, and the next batches find the page in the cache. They are overwritten by them. */
static void add_page_rest(struct wal_writer *writer, uint64_t end)
{
    static const uint8_t zeroes[WAL_PAGE] = {0};
    add_iovec(writer, zeroes, (size_t)(wal_round_up(end, WAL_PAGE) - end));
}

enum wal_result wal_writer_append(struct wal_writer *writer, struct wal_batch *batch)
{
    uint64_t size = wal_batch_size(batch);
    ASSERT(batch->closed && size <= writer->size - writer->offset);
    lay_out(writer, batch);
    seal(writer, batch);
    add_page_rest(writer, writer->offset + size);
    enum disk_err err = DURABLE_STEP(
        wal_batch_written, writer->file->ops->write(writer->file, writer->offset,
                                                    iovec_at(writer, 0), (int)iovec_count(writer)));
    if (err != DISK_OK)
        return result_of(writer, err, "write", writer->segment, writer->offset);
    writer->offset += size;
    writer->number++;
    writer->counters.batches++;
    writer->counters.bytes += size;
    writer->counters.entries += batch->entry_count;
    return WAL_RESULT_OK;
}

/* ---- segments ---- */

static enum disk_err open_segment(struct wal_writer *writer, uint64_t number, bool create,
                                  struct disk_file **out)
{
    char name[WAL_NAME_SIZE];
    wal_segment_name(name, number);
    return writer->disk->ops->open(writer->disk, wal_path(&writer->path, writer->dir, name), create,
                                   out);
}

/* A spare file gets the name of the next segment; its old bytes count for nothing there. */
static enum wal_result reuse_spare(struct wal_writer *writer, uint64_t number)
{
    char spare[WAL_NAME_SIZE];
    char name[WAL_NAME_SIZE];
    struct buf to = {0};
    wal_spare_name(spare, writer->spares[writer->spare_count - 1]);
    wal_segment_name(name, number);
    const char *from = wal_path(&writer->path, writer->dir, spare);
    enum disk_err err = DURABLE_STEP(
        wal_spare_renamed,
        writer->disk->ops->rename(writer->disk, from, wal_path(&to, writer->dir, name)));
    buf_free(&to);
    if (err == DISK_OK) {
        writer->spare_count--;
        writer->counters.segments_reused++;
    }
    return result_of(writer, err, "rename of a spare file", number, 0);
}

/* A file that could not be made in its size must not stay: its name would mean a segment. */
static void remove_segment_quietly(struct wal_writer *writer, uint64_t number)
{
    char name[WAL_NAME_SIZE];
    wal_segment_name(name, number);
    const char *path = wal_path(&writer->path, writer->dir, name);
    (void)DURABLE_STEP(wal_segment_given_up, writer->disk->ops->remove(writer->disk, path));
}

/* Gives *size, the file's size, at least as asked. */
static enum wal_result make_segment(struct wal_writer *writer, uint64_t number, uint64_t *size,
                                    struct disk_file **out)
{
    bool fresh = writer->spare_count == 0;
    enum wal_result result = fresh ? WAL_RESULT_OK : reuse_spare(writer, number);
    if (result != WAL_RESULT_OK)
        return result;
    enum disk_err err = open_segment(writer, number, fresh, out);
    if (err != DISK_OK)
        return result_of(writer, err, "open", number, 0);
    if (fresh || *size > writer->segment_size)
        err = DURABLE_STEP(wal_segment_sized, (*out)->ops->allocate(*out, *size));
    else
        *size = writer->segment_size;
    if (err != DISK_OK) {
        result = result_of(writer, err, "allocate", number, 0);
        close_file(out);
        remove_segment_quietly(writer, number);
        return result;
    }
    writer->counters.segments_made += fresh;
    return WAL_RESULT_OK;
}

static enum wal_result grow_next(struct wal_writer *writer, uint64_t size)
{
    enum disk_err err =
        DURABLE_STEP(wal_segment_grown, writer->next->ops->allocate(writer->next, size));
    return result_of(writer, err, "allocate", writer->segment + 1, 0);
}

enum wal_result wal_writer_prepare(struct wal_writer *writer, uint64_t size)
{
    if (writer->next != NULL && writer->next_size >= size)
        return WAL_RESULT_OK;
    uint64_t number = writer->segment + 1;
    uint64_t next_size =
        wal_round_up(size < writer->segment_size ? writer->segment_size : size, WAL_PAGE);
    enum wal_result result;
    if (writer->next != NULL)
        result = grow_next(writer, next_size);
    else
        result = make_segment(writer, number, &next_size, &writer->next);
    if (result != WAL_RESULT_OK)
        return result;
    writer->next_size = next_size;
    result = DURABLE_STEP(wal_segment_synced, sync_file(writer, writer->next, number, 0));
    if (result != WAL_RESULT_OK)
        return result;
    return DURABLE_STEP(wal_segment_named, sync_dir(writer, number));
}

/* Until the opening is synced nothing of the old segment is given up, so a full disk can be
 * waited out at any of these steps. */
enum wal_result wal_writer_switch(struct wal_writer *writer, struct wal_batch *opening,
                                  uint64_t more)
{
    enum wal_result result = wal_writer_sync(writer);
    if (result == WAL_RESULT_OK)
        result = wal_writer_prepare(writer, wal_batch_size(opening) + more);
    if (result != WAL_RESULT_OK)
        return result;
    struct wal_writer old = *writer;
    writer->file = writer->next;
    writer->segment++;
    writer->size = writer->next_size;
    writer->offset = 0;
    result = DURABLE_STEP(wal_opening_written, wal_writer_append(writer, opening));
    if (result == WAL_RESULT_FULL) {
        writer->file = old.file;
        writer->segment = old.segment;
        writer->size = old.size;
        writer->offset = old.offset;
        return result;
    }
    writer->next = NULL;
    writer->next_size = 0;
    close_file(&old.file);
    if (result != WAL_RESULT_OK)
        return result;
    return DURABLE_STEP(wal_opening_synced, wal_writer_sync(writer));
}

enum wal_result wal_writer_retire(struct wal_writer *writer, uint64_t number, uint64_t size)
{
    ASSERT(number < writer->segment);
    enum wal_result result = wal_writer_sync(writer);
    if (result != WAL_RESULT_OK)
        return result;
    char name[WAL_NAME_SIZE];
    char spare[WAL_NAME_SIZE];
    struct buf to = {0};
    wal_segment_name(name, number);
    wal_spare_name(spare, number);
    const char *path = wal_path(&writer->path, writer->dir, name);
    bool keep = size == writer->segment_size && writer->spare_count < WAL_SPARES_MAX;
    enum disk_err err = DURABLE_STEP(
        wal_segment_put_by,
        keep ? writer->disk->ops->rename(writer->disk, path, wal_path(&to, writer->dir, spare))
             : writer->disk->ops->remove(writer->disk, path));
    buf_free(&to);
    if (err != DISK_OK)
        return fail(writer, keep ? "rename to a spare file" : "remove", number, 0);
    result = DURABLE_STEP(wal_segment_gone, sync_dir(writer, number));
    if (result != WAL_RESULT_OK)
        return result;
    if (keep)
        writer->spares[writer->spare_count++] = number;
    else
        writer->counters.segments_removed++;
    return WAL_RESULT_OK;
}
