#include "os/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "os/disk.h"

enum { NUMBER_BASE = 10 };

/* Version 1 says "none" with a number near 2^63, rounded down to a page. */
#define CGROUP_NONE_MIN ((uint64_t)1 << 62)

/* jemalloc's control function; absent when a sanitizer brings its own allocator. */
extern int mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size)
    __attribute__((weak));

uint64_t memory_physical_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_size = sysconf(_SC_PAGESIZE);
    ASSERT(pages > 0 && page_size > 0);
    return (uint64_t)pages * (uint64_t)page_size;
}

/* The number a small file begins with; UINT64_MAX for "max", nothing, or what is no number. */
static uint64_t limit_in_file(const struct buf *path)
{
    struct buf text = {0};
    uint64_t limit = UINT64_MAX;
    if (disk_read_file(disk_real(), (const char *)path->data, &text) == DISK_OK && text.size > 0 &&
        text.data[0] >= '0' && text.data[0] <= '9') {
        buf_append_u8(&text, 0);
        errno = 0;
        limit = strtoull((const char *)text.data, NULL, NUMBER_BASE);
        if (errno != 0 || limit >= CGROUP_NONE_MIN)
            limit = UINT64_MAX;
    }
    buf_free(&text);
    return limit;
}

/* The smallest limit from the group up to the root: an ancestor's binds its children. */
static uint64_t limit_upwards(const char *root, const char *controller, struct bytes group,
                              const char *file)
{
    uint64_t smallest = UINT64_MAX;
    struct buf path = {0};
    for (;;) {
        while (group.size > 0 && group.data[group.size - 1] == '/')
            group.size--;
        buf_clear(&path);
        buf_printf(&path, "%s%s%.*s/%s", root, controller, (int)group.size,
                   group.size == 0 ? "" : (const char *)group.data, file);
        buf_append_u8(&path, 0);
        uint64_t limit = limit_in_file(&path);
        smallest = limit < smallest ? limit : smallest;
        if (group.size == 0)
            break;
        while (group.size > 0 && group.data[group.size - 1] != '/')
            group.size--;
    }
    buf_free(&path);
    return smallest;
}

/* Takes bytes up to a separator, or all, off the front. */
static struct bytes take_until(struct bytes *rest, char separator)
{
    size_t size = 0;
    while (size < rest->size && rest->data[size] != (uint8_t)separator)
        size++;
    struct bytes taken = bytes_of(rest->data, size);
    size_t skipped = size < rest->size ? size + 1 : size;
    *rest = bytes_of(rest->data + skipped, rest->size - skipped);
    return taken;
}

static bool names_memory(struct bytes controllers)
{
    while (controllers.size > 0)
        if (bytes_equal(take_until(&controllers, ','), BYTES_LITERAL("memory")))
            return true;
    return false;
}

/* A line is "0::PATH" in version 2 and "N:CONTROLLERS:PATH" in version 1. */
static uint64_t limit_of_line(struct bytes line, const char *root)
{
    struct bytes number = take_until(&line, ':');
    struct bytes controllers = take_until(&line, ':');
    if (number.size == 0 || line.size == 0 || line.data[0] != '/')
        return UINT64_MAX;
    if (controllers.size == 0)
        return limit_upwards(root, "", line, "memory.max");
    if (names_memory(controllers))
        return limit_upwards(root, "/memory", line, "memory.limit_in_bytes");
    return UINT64_MAX;
}

uint64_t memory_cgroup_limit_in(const char *list_path, const char *root)
{
    struct buf list = {0};
    uint64_t smallest = UINT64_MAX;
    if (disk_read_file(disk_real(), list_path, &list) == DISK_OK) {
        struct bytes rest = buf_bytes(&list);
        while (rest.size > 0) {
            uint64_t limit = limit_of_line(take_until(&rest, '\n'), root);
            smallest = limit < smallest ? limit : smallest;
        }
    }
    buf_free(&list);
    return smallest;
}

uint64_t memory_cgroup_limit_bytes(void)
{
    return memory_cgroup_limit_in("/proc/self/cgroup", "/sys/fs/cgroup");
}

uint64_t memory_usable_bytes(void)
{
    uint64_t physical = memory_physical_bytes();
    uint64_t limit = memory_cgroup_limit_bytes();
    return limit < physical ? limit : physical;
}

/* The second number of statm is the resident size in pages. */
uint64_t memory_resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    unsigned long long total = 0;
    unsigned long long resident = 0;
    int count = fscanf(file, "%llu %llu", &total, &resident);
    (void)fclose(file);
    long page_size = sysconf(_SC_PAGESIZE);
    return count == 2 && page_size > 0 ? (uint64_t)resident * (uint64_t)page_size : 0;
}

static uint64_t read_figure(const char *name)
{
    size_t figure = 0;
    size_t size = sizeof(figure);
    return mallctl(name, &figure, &size, NULL, 0) == 0 ? (uint64_t)figure : 0;
}

bool memory_allocator(struct memory_allocator *out)
{
    *out = (struct memory_allocator){0};
    if (mallctl == NULL)
        return false;
    uint64_t epoch = 1; /* writing it refreshes the figures */
    size_t size = sizeof(epoch);
    if (mallctl("epoch", &epoch, &size, &epoch, sizeof(epoch)) != 0)
        return false;
    out->allocated = read_figure("stats.allocated");
    out->active = read_figure("stats.active");
    out->resident = read_figure("stats.resident");
    out->metadata = read_figure("stats.metadata");
    out->retained = read_figure("stats.retained");
    return true;
}

/* 4096 is jemalloc's number for "all arenas" (MALLCTL_ARENAS_ALL). */
bool memory_purge(void)
{
    return mallctl != NULL && mallctl("arena.4096.purge", NULL, NULL, NULL, 0) == 0;
}

bool memory_purge_in_background(void)
{
    bool on = true;
    return mallctl != NULL && mallctl("background_thread", NULL, NULL, &on, sizeof(on)) == 0;
}
