#include "store/leveldb_log.h"

#include "base/endian.h"

enum { BLOCK_SIZE = 32768, HEADER_SIZE = 7 };

enum record_type {
    RECORD_BAD = 0,
    RECORD_WHOLE = 1,
    RECORD_FIRST = 2,
    RECORD_MIDDLE = 3,
    RECORD_LAST = 4,
    RECORD_CUT = 5, /* the file ends inside it */
};

struct crc_table {
    uint32_t of[256];
};

struct log {
    struct bytes content;
    struct crc_table crc;
};

/* Castagnoli's polynomial, reflected. */
static void crc_init(struct crc_table *table)
{
    for (uint32_t i = 0; i < COUNT_OF(table->of); i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++)
            value = (value & 1) != 0 ? value >> 1 ^ UINT32_C(0x82f63b78) : value >> 1;
        table->of[i] = value;
    }
}

static uint32_t masked_crc(const struct crc_table *table, struct bytes bytes)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < bytes.size; i++)
        crc = table->of[(crc ^ bytes.data[i]) & 0xff] ^ crc >> 8;
    crc = ~crc;
    return (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
}

static size_t left_in_block(size_t at)
{
    return BLOCK_SIZE - at % BLOCK_SIZE;
}

/* The record at `at`, with *end behind it (unchanged when it is bad or cut). */
static enum record_type record_at(const struct log *log, size_t at, size_t *end)
{
    size_t left = log->content.size - at;
    if (left < HEADER_SIZE)
        return RECORD_CUT;
    const uint8_t *header = log->content.data + at;
    size_t size = get_le16(header + 4);
    uint8_t type = header[6];
    if (type < RECORD_WHOLE || type > RECORD_LAST || HEADER_SIZE + size > left_in_block(at))
        return RECORD_BAD;
    if (HEADER_SIZE + size > left)
        return RECORD_CUT;
    if (masked_crc(&log->crc, bytes_of(header + 6, 1 + size)) != get_le32(header))
        return RECORD_BAD;
    *end = at + HEADER_SIZE + size;
    return (enum record_type)type;
}

static bool begins_batch(enum record_type type)
{
    return type == RECORD_WHOLE || type == RECORD_FIRST;
}

/* Whether a later batch begins in the rest of a block whose record at `bad` is bad: the size in its
 * header may be what is bad, so every offset is tried. */
static bool batch_begins_in_rest(const struct log *log, size_t bad)
{
    size_t stop = bad + left_in_block(bad);
    if (stop > log->content.size)
        stop = log->content.size;
    for (size_t at = bad + 1; at < stop; at++) {
        size_t end;
        if (begins_batch(record_at(log, at, &end)))
            return true;
    }
    return false;
}

/* Whether a batch begins in the block at `at`, before a bad record of its own. Parts without a
 * beginning belong to the bad batch. */
static bool batch_begins_in_block(const struct log *log, size_t at)
{
    size_t stop = at + BLOCK_SIZE;
    while (at < log->content.size && stop - at >= HEADER_SIZE) {
        enum record_type type = record_at(log, at, &at);
        if (begins_batch(type))
            return true;
        if (type == RECORD_BAD || type == RECORD_CUT)
            return false;
    }
    return false;
}

static enum leveldb_log_end judge_bad(const struct log *log, size_t bad)
{
    if (batch_begins_in_rest(log, bad))
        return LEVELDB_LOG_DAMAGED;
    size_t size = log->content.size;
    for (size_t at = bad + left_in_block(bad); at < size; at += BLOCK_SIZE) {
        if (batch_begins_in_block(log, at))
            return LEVELDB_LOG_DAMAGED;
    }
    return LEVELDB_LOG_TORN;
}

enum leveldb_log_end leveldb_log_judge(struct bytes content, size_t *end)
{
    struct log log = {.content = content};
    crc_init(&log.crc);
    bool in_batch = false;
    size_t at = 0;
    *end = 0;
    while (at < content.size) {
        if (left_in_block(at) < HEADER_SIZE) {
            at += left_in_block(at);
            continue;
        }
        size_t start = at;
        enum record_type type = record_at(&log, start, &at);
        if (type == RECORD_CUT)
            return LEVELDB_LOG_WHOLE;
        if (type == RECORD_BAD || begins_batch(type) == in_batch)
            return judge_bad(&log, start);
        in_batch = type == RECORD_FIRST || type == RECORD_MIDDLE;
        if (!in_batch)
            *end = at;
    }
    return LEVELDB_LOG_WHOLE;
}

static bool is_log_name(struct bytes name)
{
    static const struct bytes suffix = {(const uint8_t *)".log", 4};
    return name.size > suffix.size &&
           bytes_equal(bytes_of(name.data + name.size - suffix.size, suffix.size), suffix);
}

/* Appends dir/name and a 0 byte for the log with the highest number: numbers have leading zeros,
 * and a longer one is higher. */
static bool find_newest(struct disk *disk, const char *dir, struct buf *path)
{
    struct buf names = {0};
    struct bytes newest = {0};
    if (disk->ops->list_dir(disk, dir, &names) != DISK_OK)
        names.size = 0;
    for (size_t at = 0; at < names.size;) {
        struct bytes name = bytes_of_string((const char *)names.data + at);
        at += name.size + 1;
        if (!is_log_name(name) || name.size < newest.size)
            continue;
        if (name.size > newest.size || bytes_compare(name, newest) > 0)
            newest = name;
    }
    if (newest.size > 0) {
        buf_printf(path, "%s/%.*s", dir, (int)newest.size, (const char *)newest.data);
        buf_append_u8(path, 0);
    }
    buf_free(&names);
    return newest.size > 0;
}

static bool cut_file(struct disk *disk, const char *path, size_t size)
{
    struct disk_file *file = NULL;
    if (disk->ops->open(disk, path, false, &file) != DISK_OK)
        return false;
    bool done = file->ops->allocate(file, size) == DISK_OK && file->ops->sync(file) == DISK_OK;
    file->ops->close(file);
    return done;
}

bool leveldb_log_cut(struct disk *disk, const char *dir, struct buf *note)
{
    struct buf path = {0};
    struct buf content = {0};
    bool cut = false;
    if (find_newest(disk, dir, &path) &&
        disk_read_file(disk, (const char *)path.data, &content) == DISK_OK) {
        size_t end;
        enum leveldb_log_end judged = leveldb_log_judge(buf_bytes(&content), &end);
        if (judged == LEVELDB_LOG_TORN)
            cut = cut_file(disk, (const char *)path.data, end);
        if (cut)
            buf_printf(note, "%s: cut a torn batch of %zu bytes at offset %zu",
                       (const char *)path.data, content.size - end, end);
        if (judged == LEVELDB_LOG_DAMAGED)
            buf_printf(note, "; %s: a bad record behind offset %zu, and later batches follow it",
                       (const char *)path.data, end);
    }
    buf_free(&content);
    buf_free(&path);
    return cut;
}
