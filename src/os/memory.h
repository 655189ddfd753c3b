/* How much memory there is, how much of it this process has, and what its allocator says. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

uint64_t memory_physical_bytes(void); /* RAM of the machine */

/* The smallest memory limit of this process's control group and its ancestors, version 1 or 2;
 * UINT64_MAX when there is none. */
uint64_t memory_cgroup_limit_bytes(void);

/* The same of the groups that a file in the form of /proc/self/cgroup lists, looked up under a
 * root in the form of /sys/fs/cgroup. What cannot be read or parsed limits nothing. */
uint64_t memory_cgroup_limit_in(const char *list_path, const char *root);

uint64_t memory_usable_bytes(void);   /* the smaller of the two above */
uint64_t memory_resident_bytes(void); /* RSS of this process; 0 when it cannot be read */

struct memory_allocator {
    uint64_t allocated; /* what the program asked for, rounded up to size classes */
    uint64_t active;    /* pages with such memory */
    uint64_t resident;  /* pages the allocator has mapped in */
    uint64_t metadata;
    uint64_t retained; /* address space kept for reuse, not resident */
};

/* jemalloc's figures, refreshed; false and zeroes when another allocator is linked. */
bool memory_allocator(struct memory_allocator *out);

/* Gives unused pages back to the kernel; false when another allocator is linked. Milliseconds. */
bool memory_purge(void);

/* Has a thread of the allocator give back pages that were unused for about ten seconds, from now
 * on; false when another allocator is linked. Without it that happens only on the way of later
 * allocations, which an idle server does not make. After a fork, which ends the thread. */
bool memory_purge_in_background(void);
