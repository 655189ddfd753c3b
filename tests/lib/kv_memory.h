/* The simulator's twin of LevelDB behind store/kv.h: databases in memory that survive a simulated
 * crash as far as they are durable, and that fail as LevelDB has been seen to fail.
 *
 * After a failed write a handle goes on answering OK, and everything it "wrote" since is gone when
 * the database is opened again: who does not open it again loses data here as there (L2).
 *
 * One thread at a time; an iterator must not live across a write, a snapshot may. */
#pragma once

#include "store/kv.h"

struct kv_env *kv_memory_new(void);
void kv_memory_free(struct kv_env *env); /* frees databases; no handle is open */

/* The process dies: open handles are dead (every call fails with KV_IO) and must still be closed;
 * their databases can be opened by the next process. Faults end. */
void kv_memory_crash(struct kv_env *env);

enum kv_memory_fault {
    KV_MEMORY_FAULT_NONE,
    KV_MEMORY_FAULT_WRITE_IO,      /* the batch is not durable */
    KV_MEMORY_FAULT_WRITE_IO_KEPT, /* an error, but the batch is durable */
    KV_MEMORY_FAULT_WRITE_FULL,    /* KV_FULL; not durable */
    KV_MEMORY_FAULT_READ_IO,       /* get and iterators */
    KV_MEMORY_FAULT_READ_DAMAGED,
    KV_MEMORY_FAULT_OPEN_IO,
    KV_MEMORY_FAULT_OPEN_FULL,
    KV_MEMORY_FAULT_POWER,      /* every call that changes something or opens; nothing changes */
    KV_MEMORY_FAULT_POWER_KEPT, /* one more batch becomes durable, unheard; then as POWER */
};

/* The next matching call fails; with `always` each one until NONE is set. */
void kv_memory_fail(struct kv_env *env, enum kv_memory_fault fault, bool always);

/* The database is gone, or refuses to open as damaged from now on. False when it is not there. */
bool kv_memory_lose(struct kv_env *env, const char *path);
bool kv_memory_damage(struct kv_env *env, const char *path);

struct kv_memory_counts {
    uint64_t opens;
    uint64_t writes; /* batches that became durable */
    uint64_t reads;  /* gets and seeks */
};
struct kv_memory_counts kv_memory_counts(const struct kv_env *env);

/* Rows that are there, durable or not; 0 when there is no such database. */
size_t kv_memory_rows(const struct kv_env *env, const char *path);
