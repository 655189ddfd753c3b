#include "sim_disk.h"

#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"

/* A file's bytes. What an unsynced write replaced is kept sector by sector (undo), so that a crash
 * can put any of it back. */
struct inode {
    struct list all; /* every inode of the disk */
    uint32_t refs;   /* names (now and durable), pending changes, handles */
    struct buf data;
    uint64_t durable_size;
    bool changed;      /* since the last sync */
    struct buf undo;   /* (sector number in 8 host-order bytes, old content)* */
    struct buf undone; /* one byte per sector: 1 when it stands in undo */
};

struct name {
    struct list node;
    char *path;
    struct inode *inode; /* NULL: a directory */
    bool is_unsynced;    /* of a directory: no sync_dir since make_dir */
};

enum change_kind {
    CHANGE_CREATE,
    CHANGE_RENAME,
    CHANGE_REMOVE,
};

/* A change of a directory that no sync_dir has covered yet, in order. */
struct change {
    struct list node;
    enum change_kind kind;
    char *path;
    char *to;            /* of a rename */
    struct inode *inode; /* of a creation */
};

struct sim_disk {
    struct disk disk;
    struct list inodes;
    struct list names;         /* as a reader sees them */
    struct list durable_names; /* as they stand after a crash without any pending change */
    struct list changes;
    uint64_t epoch; /* counts crashes; a handle of an earlier epoch is dead */
    uint64_t steps;
    uint64_t step_limit;
    uint64_t capacity;
    enum sim_fault fault;
    bool fault_always;
    struct sim_disk_counts counts;
};

struct sim_file {
    struct disk_file file;
    struct sim_disk *disk;
    struct inode *inode;
    uint64_t epoch;
};

enum { UNDO_SIZE = 8 + SIM_SECTOR_SIZE };

static const struct disk_ops sim_ops;

static struct sim_disk *sim_of(const struct disk *disk)
{
    ASSERT(disk->ops == &sim_ops);
    return (struct sim_disk *)(size_t)disk;
}

static struct sim_file *file_of(struct disk_file *file)
{
    ASSERT(file->ops == &sim_ops);
    return CONTAINER_OF(file, struct sim_file, file);
}

static char *copy_string(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(mem_alloc(size), text, size);
}

static enum disk_err fail(enum disk_err err)
{
    switch (err) {
    case DISK_OK:
        break;
    case DISK_ABSENT:
        errno = ENOENT;
        break;
    case DISK_EXISTS:
        errno = EEXIST;
        break;
    case DISK_FULL:
        errno = ENOSPC;
        break;
    case DISK_IO:
        errno = EIO;
        break;
    }
    return err;
}

/* ---- inodes ---- */

static struct inode *inode_new(struct sim_disk *sim)
{
    struct inode *inode = mem_zero(sizeof(*inode));
    list_push_back(&sim->inodes, &inode->all);
    return inode;
}

static void inode_release(struct inode *inode)
{
    if (inode == NULL)
        return;
    ASSERT(inode->refs > 0);
    if (--inode->refs > 0)
        return;
    list_remove(&inode->all);
    buf_free(&inode->data);
    buf_free(&inode->undo);
    buf_free(&inode->undone);
    mem_free(inode);
}

static void inode_resize(struct inode *inode, uint64_t size)
{
    if (size > inode->data.size) {
        size_t more = (size_t)size - inode->data.size;
        memset(buf_extend(&inode->data, more), 0, more);
    }
    inode->data.size = (size_t)size;
}

/* Remembers a sector's content before its first change since the last sync. */
static void inode_note_sector(struct inode *inode, size_t sector)
{
    if (sector >= inode->undone.size) {
        size_t more = sector + 1 - inode->undone.size;
        memset(buf_extend(&inode->undone, more), 0, more);
    }
    if (inode->undone.data[sector] != 0)
        return;
    inode->undone.data[sector] = 1;
    uint8_t *undo = buf_extend(&inode->undo, UNDO_SIZE);
    memset(undo, 0, UNDO_SIZE);
    uint64_t number = sector;
    memcpy(undo, &number, sizeof(number));
    size_t start = sector * SIM_SECTOR_SIZE;
    if (start < inode->data.size) {
        size_t left = inode->data.size - start;
        memcpy(undo + sizeof(number), inode->data.data + start,
               left < SIM_SECTOR_SIZE ? left : SIM_SECTOR_SIZE);
    }
}

static void inode_note_range(struct inode *inode, uint64_t offset, uint64_t size)
{
    inode->changed = true;
    if (size == 0)
        return;
    for (uint64_t sector = offset / SIM_SECTOR_SIZE;
         sector <= (offset + size - 1) / SIM_SECTOR_SIZE; sector++)
        inode_note_sector(inode, (size_t)sector);
}

static void inode_write(struct inode *inode, uint64_t offset, struct bytes bytes)
{
    inode_note_range(inode, offset, bytes.size);
    if (offset + bytes.size > inode->data.size)
        inode_resize(inode, offset + bytes.size);
    if (bytes.size > 0)
        memcpy(inode->data.data + offset, bytes.data, bytes.size);
}

static void inode_settle(struct inode *inode)
{
    inode->durable_size = inode->data.size;
    inode->changed = false;
    buf_clear(&inode->undo);
    buf_clear(&inode->undone);
}

/* Which sectors come back as they were. */
static void inode_crash(struct inode *inode, struct prng *prng, enum sim_crash how)
{
    if (how == SIM_CRASH_DRAW)
        how = (enum sim_crash)prng_below(prng, SIM_CRASH_DRAW);
    if (inode->changed && how != SIM_CRASH_KEEP) {
        uint64_t size = inode->data.size;
        bool old_size = how == SIM_CRASH_LOSE || prng_chance(prng, 500000);
        uint64_t largest = size > inode->durable_size ? size : inode->durable_size;
        inode_resize(inode, (largest + SIM_SECTOR_SIZE - 1) / SIM_SECTOR_SIZE * SIM_SECTOR_SIZE);
        for (size_t at = 0; at < inode->undo.size; at += UNDO_SIZE) {
            uint64_t sector;
            memcpy(&sector, inode->undo.data + at, sizeof(sector));
            uint64_t start = sector * SIM_SECTOR_SIZE;
            bool back = how == SIM_CRASH_LOSE || prng_chance(prng, 500000);
            if (back && start + SIM_SECTOR_SIZE <= inode->data.size)
                memcpy(inode->data.data + start, inode->undo.data + at + sizeof(sector),
                       SIM_SECTOR_SIZE);
        }
        inode_resize(inode, old_size ? inode->durable_size : size);
    }
    inode_settle(inode);
}

/* ---- names ---- */

static struct name *name_find(const struct list *names, const char *path)
{
    for (struct list *node = names->next; node != names; node = node->next) {
        struct name *name = CONTAINER_OF(node, struct name, node);
        if (strcmp(name->path, path) == 0)
            return name;
    }
    return NULL;
}

static void name_drop(struct name *name)
{
    list_remove(&name->node);
    inode_release(name->inode);
    mem_free(name->path);
    mem_free(name);
}

static void name_set(struct list *names, const char *path, struct inode *inode)
{
    struct name *name = name_find(names, path);
    if (inode != NULL)
        inode->refs++;
    if (name == NULL) {
        name = mem_zero(sizeof(*name));
        name->path = copy_string(path);
        list_push_back(names, &name->node);
    } else {
        inode_release(name->inode);
    }
    name->inode = inode;
}

static void names_clear(struct list *names)
{
    while (!list_is_empty(names))
        name_drop(CONTAINER_OF(names->next, struct name, node));
}

/* False when the change makes no sense there, because one it builds on was lost. */
static bool change_apply(const struct change *change, struct list *names)
{
    struct name *name = name_find(names, change->path);
    switch (change->kind) {
    case CHANGE_CREATE:
        name_set(names, change->path, change->inode);
        return true;
    case CHANGE_RENAME:
        if (name == NULL)
            return false;
        name_set(names, change->to, name->inode);
        name_drop(name);
        return true;
    case CHANGE_REMOVE:
        if (name != NULL)
            name_drop(name);
        return name != NULL;
    }
    UNREACHABLE();
}

static void change_drop(struct change *change)
{
    list_remove(&change->node);
    inode_release(change->inode);
    mem_free(change->path);
    mem_free(change->to);
    mem_free(change);
}

/* Does it to what readers see, and remembers it until its directory is synced. */
static bool change_make(struct sim_disk *sim, enum change_kind kind, const char *path,
                        const char *to, struct inode *inode)
{
    struct change *change = mem_zero(sizeof(*change));
    change->kind = kind;
    change->path = copy_string(path);
    change->to = to == NULL ? NULL : copy_string(to);
    change->inode = inode;
    if (inode != NULL)
        inode->refs++;
    list_push_back(&sim->changes, &change->node);
    bool applied = change_apply(change, &sim->names);
    if (!applied)
        change_drop(change);
    return applied;
}

static bool path_is_in(const char *path, const char *dir)
{
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 0 : (size_t)(slash - path);
    size_t dir_size = strcmp(dir, "/") == 0 ? 0 : strlen(dir);
    return dir_size == size && strncmp(path, dir, size) == 0;
}

/* ---- steps and faults ---- */

static bool power_is_off(const struct sim_disk *sim)
{
    return sim->steps > sim->step_limit;
}

static bool strikes(struct sim_disk *sim, enum sim_fault fault)
{
    if (sim->fault != fault)
        return false;
    if (!sim->fault_always)
        sim->fault = SIM_FAULT_NONE;
    return true;
}

/* Counts a step; false when the power is off, or it is to fail. */
static bool step(struct sim_disk *sim)
{
    return sim->steps++ < sim->step_limit && !strikes(sim, SIM_FAULT_STEP_IO);
}

static bool is_dead(const struct sim_file *file)
{
    return file->epoch != file->disk->epoch || power_is_off(file->disk);
}

/* ---- the calls ---- */

static enum disk_err sim_open(struct disk *disk, const char *path, bool create,
                              struct disk_file **out)
{
    struct sim_disk *sim = sim_of(disk);
    if (power_is_off(sim))
        return fail(DISK_IO);
    struct name *name = name_find(&sim->names, path);
    if (name == NULL && !create)
        return fail(DISK_ABSENT);
    if (name == NULL) {
        if (!step(sim))
            return fail(DISK_IO);
        (void)change_make(sim, CHANGE_CREATE, path, NULL, inode_new(sim));
        name = name_find(&sim->names, path);
    }
    if (name->inode == NULL)
        return fail(DISK_IO); /* a directory */
    struct sim_file *file = mem_alloc(sizeof(*file));
    *file = (struct sim_file){{&sim_ops}, sim, name->inode, sim->epoch};
    file->inode->refs++;
    *out = &file->file;
    return DISK_OK;
}

static void sim_close(struct disk_file *disk_file)
{
    struct sim_file *file = file_of(disk_file);
    inode_release(file->inode);
    mem_free(file);
}

static enum disk_err sim_read(struct disk_file *disk_file, uint64_t offset, void *out, size_t size,
                              size_t *got)
{
    struct sim_file *file = file_of(disk_file);
    *got = 0;
    if (is_dead(file) || strikes(file->disk, SIM_FAULT_READ_IO))
        return fail(DISK_IO);
    const struct buf *data = &file->inode->data;
    if (offset >= data->size)
        return DISK_OK;
    size_t left = data->size - (size_t)offset;
    *got = left < size ? left : size;
    memcpy(out, data->data + offset, *got);
    return DISK_OK;
}

static void write_parts(struct inode *inode, uint64_t offset, const struct iovec *parts,
                        int part_count, size_t limit)
{
    for (int i = 0; i < part_count && limit > 0; i++) {
        size_t size = parts[i].iov_len < limit ? parts[i].iov_len : limit;
        inode_write(inode, offset, bytes_of(parts[i].iov_base, size));
        offset += size;
        limit -= size;
    }
}

static bool has_room(const struct sim_disk *sim, const struct inode *inode, uint64_t size)
{
    uint64_t more = size > inode->data.size ? size - inode->data.size : 0;
    uint64_t used = sim_disk_used(&sim->disk);
    return used <= sim->capacity && more <= sim->capacity - used;
}

static enum disk_err sim_write(struct disk_file *disk_file, uint64_t offset,
                               const struct iovec *parts, int part_count)
{
    struct sim_file *file = file_of(disk_file);
    if (is_dead(file))
        return fail(DISK_IO);
    struct sim_disk *sim = file->disk;
    size_t size = 0;
    for (int i = 0; i < part_count; i++)
        size += parts[i].iov_len;
    enum disk_err err = DISK_OK;
    if (!step(sim) || strikes(sim, SIM_FAULT_WRITE_IO))
        err = DISK_IO;
    else if (strikes(sim, SIM_FAULT_WRITE_FULL) || !has_room(sim, file->inode, offset + size))
        err = DISK_FULL;
    write_parts(file->inode, offset, parts, part_count, err == DISK_OK ? size : size / 2);
    sim->counts.writes++;
    sim->counts.bytes_written += size;
    return fail(err);
}

static enum disk_err sim_sync(struct disk_file *disk_file)
{
    struct sim_file *file = file_of(disk_file);
    if (is_dead(file) || !step(file->disk) || strikes(file->disk, SIM_FAULT_SYNC_IO))
        return fail(DISK_IO);
    inode_settle(file->inode);
    file->disk->counts.syncs++;
    return DISK_OK;
}

static enum disk_err sim_allocate(struct disk_file *disk_file, uint64_t size)
{
    struct sim_file *file = file_of(disk_file);
    if (is_dead(file) || !step(file->disk))
        return fail(DISK_IO);
    if (strikes(file->disk, SIM_FAULT_ALLOCATE_FULL) || !has_room(file->disk, file->inode, size))
        return fail(DISK_FULL);
    struct inode *inode = file->inode;
    if (size < inode->data.size)
        inode_note_range(inode, size, inode->data.size - size);
    inode->changed = true;
    inode_resize(inode, size);
    return DISK_OK;
}

static enum disk_err sim_size(struct disk_file *disk_file, uint64_t *size)
{
    struct sim_file *file = file_of(disk_file);
    if (is_dead(file))
        return fail(DISK_IO);
    *size = file->inode->data.size;
    return DISK_OK;
}

static enum disk_err sim_rename(struct disk *disk, const char *from, const char *to)
{
    struct sim_disk *sim = sim_of(disk);
    if (!step(sim))
        return fail(DISK_IO);
    if (strcmp(from, to) == 0)
        return name_find(&sim->names, from) != NULL ? DISK_OK : fail(DISK_ABSENT);
    return change_make(sim, CHANGE_RENAME, from, to, NULL) ? DISK_OK : fail(DISK_ABSENT);
}

static enum disk_err sim_remove(struct disk *disk, const char *path)
{
    struct sim_disk *sim = sim_of(disk);
    if (!step(sim))
        return fail(DISK_IO);
    return change_make(sim, CHANGE_REMOVE, path, NULL, NULL) ? DISK_OK : fail(DISK_ABSENT);
}

static enum disk_err sim_make_dir(struct disk *disk, const char *path)
{
    struct sim_disk *sim = sim_of(disk);
    if (power_is_off(sim))
        return fail(DISK_IO);
    if (name_find(&sim->names, path) != NULL)
        return fail(DISK_EXISTS);
    name_set(&sim->names, path, NULL);
    name_set(&sim->durable_names, path, NULL);
    name_find(&sim->names, path)->is_unsynced = true;
    return DISK_OK;
}

static enum disk_err sim_sync_dir(struct disk *disk, const char *path)
{
    struct sim_disk *sim = sim_of(disk);
    if (!step(sim) || strikes(sim, SIM_FAULT_SYNC_IO))
        return fail(DISK_IO);
    struct list *node;
    struct list *after;
    LIST_FOR_EACH(node, after, &sim->changes)
    {
        struct change *change = CONTAINER_OF(node, struct change, node);
        if (!path_is_in(change->path, path))
            continue;
        (void)change_apply(change, &sim->durable_names);
        change_drop(change);
    }
    LIST_FOR_EACH(node, after, &sim->names)
    {
        struct name *name = CONTAINER_OF(node, struct name, node);
        name->is_unsynced = name->is_unsynced && !path_is_in(name->path, path);
    }
    sim->counts.dir_syncs++;
    return DISK_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum disk_err sim_list_dir(struct disk *disk, const char *path, struct buf *names)
{
    struct sim_disk *sim = sim_of(disk);
    if (power_is_off(sim))
        return fail(DISK_IO);
    struct name *dir = name_find(&sim->names, path);
    if (dir == NULL || dir->inode != NULL)
        return fail(DISK_ABSENT);
    struct buf found = {0};
    for (struct list *node = sim->names.next; node != &sim->names; node = node->next) {
        const char *name = CONTAINER_OF(node, struct name, node)->path;
        if (path_is_in(name, path)) {
            const char *last = strrchr(name, '/') + 1;
            buf_append(&found, bytes_of(&last, sizeof(last)));
        }
    }
    size_t count = found.size / sizeof(char *);
    const char **list = (const char **)(void *)found.data;
    if (count > 0)
        qsort(list, count, sizeof(*list), by_text);
    for (size_t i = 0; i < count; i++)
        buf_append(names, bytes_of(list[i], strlen(list[i]) + 1));
    buf_free(&found);
    return DISK_OK;
}

static enum disk_err sim_free_space(struct disk *disk, const char *path, uint64_t *free_bytes)
{
    (void)path;
    struct sim_disk *sim = sim_of(disk);
    uint64_t used = sim_disk_used(disk);
    *free_bytes = used < sim->capacity ? sim->capacity - used : 0;
    return DISK_OK;
}

static const struct disk_ops sim_ops = {
    .open = sim_open,
    .close = sim_close,
    .read = sim_read,
    .write = sim_write,
    .sync = sim_sync,
    .allocate = sim_allocate,
    .size = sim_size,
    .rename = sim_rename,
    .remove = sim_remove,
    .make_dir = sim_make_dir,
    .sync_dir = sim_sync_dir,
    .list_dir = sim_list_dir,
    .free_space = sim_free_space,
};

/* ---- for the test ---- */

struct disk *sim_disk_new(void)
{
    struct sim_disk *sim = mem_zero(sizeof(*sim));
    sim->disk.ops = &sim_ops;
    sim->step_limit = UINT64_MAX;
    sim->capacity = UINT64_MAX;
    list_init(&sim->inodes);
    list_init(&sim->names);
    list_init(&sim->durable_names);
    list_init(&sim->changes);
    return &sim->disk;
}

void sim_disk_free(struct disk *disk)
{
    if (disk == NULL)
        return;
    struct sim_disk *sim = sim_of(disk);
    while (!list_is_empty(&sim->changes))
        change_drop(CONTAINER_OF(sim->changes.next, struct change, node));
    names_clear(&sim->names);
    names_clear(&sim->durable_names);
    ASSERT(list_is_empty(&sim->inodes)); /* else a handle is open still */
    mem_free(sim);
}

static void crash_names(struct sim_disk *sim, struct prng *prng, enum sim_crash how)
{
    if (how == SIM_CRASH_DRAW)
        how = (enum sim_crash)prng_below(prng, SIM_CRASH_DRAW);
    while (!list_is_empty(&sim->changes)) {
        struct change *change = CONTAINER_OF(sim->changes.next, struct change, node);
        if (how == SIM_CRASH_KEEP || (how == SIM_CRASH_TEAR && prng_chance(prng, 500000)))
            (void)change_apply(change, &sim->durable_names);
        change_drop(change);
    }
    names_clear(&sim->names);
    for (struct list *node = sim->durable_names.next; node != &sim->durable_names;
         node = node->next) {
        struct name *name = CONTAINER_OF(node, struct name, node);
        name_set(&sim->names, name->path, name->inode);
    }
}

void sim_disk_crash(struct disk *disk, struct prng *prng, enum sim_crash how)
{
    struct sim_disk *sim = sim_of(disk);
    struct list *node;
    struct list *after;
    LIST_FOR_EACH(node, after, &sim->inodes)
    inode_crash(CONTAINER_OF(node, struct inode, all), prng, how);
    crash_names(sim, prng, how);
    sim->epoch++;
    sim->step_limit = UINT64_MAX;
    sim->fault = SIM_FAULT_NONE;
}

uint64_t sim_disk_steps(const struct disk *disk)
{
    return sim_of(disk)->steps;
}

void sim_disk_cut_power_after(struct disk *disk, uint64_t steps)
{
    struct sim_disk *sim = sim_of(disk);
    sim->step_limit = steps > UINT64_MAX - sim->steps ? UINT64_MAX : sim->steps + steps;
}

void sim_disk_fail(struct disk *disk, enum sim_fault fault, bool always)
{
    struct sim_disk *sim = sim_of(disk);
    sim->fault = fault;
    sim->fault_always = always;
}

void sim_disk_set_capacity(struct disk *disk, uint64_t bytes)
{
    sim_of(disk)->capacity = bytes;
}

uint64_t sim_disk_used(const struct disk *disk)
{
    const struct sim_disk *sim = sim_of(disk);
    uint64_t used = 0;
    for (struct list *node = sim->names.next; node != &sim->names; node = node->next) {
        const struct name *name = CONTAINER_OF(node, struct name, node);
        used += name->inode == NULL ? 0 : name->inode->data.size;
    }
    return used;
}

bool sim_disk_rot(struct disk *disk, const char *path, uint64_t offset, uint8_t flip)
{
    struct name *name = name_find(&sim_of(disk)->names, path);
    if (name == NULL || name->inode == NULL || offset >= name->inode->data.size)
        return false;
    name->inode->data.data[offset] ^= flip;
    return true;
}

struct sim_disk_counts sim_disk_counts(const struct disk *disk)
{
    return sim_of(disk)->counts;
}

bool sim_disk_dir_is_synced(const struct disk *disk, const char *path)
{
    const struct name *name = name_find(&sim_of(disk)->names, path);
    return name != NULL && name->inode == NULL && !name->is_unsynced;
}

bool sim_disk_exists(const struct disk *disk, const char *path)
{
    return name_find(&sim_of(disk)->names, path) != NULL;
}

struct bytes sim_disk_content(const struct disk *disk, const char *path)
{
    const struct name *name = name_find(&sim_of(disk)->names, path);
    return name == NULL || name->inode == NULL ? bytes_of(NULL, 0) : buf_bytes(&name->inode->data);
}
