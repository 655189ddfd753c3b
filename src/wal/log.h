/* The inside of struct wal, shared by opening (open.c) and running (wal.c). */
#pragma once

#include "wal/live.h"
#include "wal/terms.h"
#include "wal/writer.h"

/* What a segment's opening says of a group. */
struct wal_facts {
    struct wal_hard_state hard;
    struct wal_position base;
    struct wal_position mark;
    struct buf members;
};

struct wal_group {
    struct wal_facts collected; /* as of the batch that collects */
    struct wal_facts submitted; /* as of the last batch handed over: what the next opening says */
    struct wal_terms terms;     /* above the collected base, up to last */
    uint64_t last;              /* last collected index; the base's when there are no entries */
    struct wal_spans spans;     /* as of the last batch written */
    bool touched;               /* collected differs from submitted */
};

struct wal_segment {
    uint64_t number;
    uint64_t size;
};

enum wal_task_kind {
    WAL_TASK_WRITE,   /* a batch, or only a sync */
    WAL_TASK_PREPARE, /* the next segment */
    WAL_TASK_RETIRE,  /* the oldest segment */
};

/* The one job of a log. Belongs to the worker from submit until the loop takes it back. */
struct wal_task {
    struct job job;
    struct wal_writer *writer;
    enum wal_task_kind kind;
    struct wal_batch *batch;  /* of WRITE; NULL: only a sync */
    bool sync;                /* of WRITE */
    uint64_t segment;         /* of WRITE: where the batch goes; stays while it waits */
    struct wal_batch opening; /* of a WRITE into the next segment; likewise */
    struct wal_segment retired;
    enum wal_result result;
};

enum wal_trouble {
    WAL_TROUBLE_NONE,
    WAL_TROUBLE_FULL,   /* the batch waits for wal_retry */
    WAL_TROUBLE_FAILED, /* for ever */
};

struct wal {
    char *dir;
    uint64_t store_id;
    uint32_t group_count;
    enum wal_sync sync;
    struct wal_group *groups;

    struct wal_batch batches[2];
    struct wal_batch *collecting;
    struct wal_batch *under_way; /* handed over, or waiting for a retry; NULL when there is none */
    uint64_t batch_number;       /* of the one that collects */
    struct buf touched;          /* uint32_t group numbers, of the batch that collects */
    struct buf written_groups;   /* the same of the batch under way */

    struct wal_task task;
    struct wal_writer writer; /* the task's while busy */
    bool busy;
    enum wal_trouble trouble;

    uint64_t written;
    uint64_t synced;
    uint64_t promised;
    bool sync_wanted;
    uint64_t now_us;
    uint64_t last_sync_us;

    struct buf segments;     /* of struct wal_segment, oldest first, the current one last */
    uint64_t needed;         /* no segment below holds anything live */
    uint32_t chores_put_off; /* batches written while a chore was due */
    bool prepare_refused;    /* the disk was full: not again before the next batch needs it */

    uint64_t size_bytes;          /* as of the last task done */
    struct wal_counters counters; /* likewise */
};

/* Fills a batch with what a segment opens with. */
void wal_fill_opening(const struct wal *wal, struct wal_batch *opening);

/* Recomputes what the writer's state and the segments tell: after a task, or opening. */
void wal_take_stock(struct wal *wal);

static inline size_t wal_segment_count(const struct wal *wal)
{
    return wal->segments.size / sizeof(struct wal_segment);
}

static inline struct wal_segment *wal_segment_at(const struct wal *wal, size_t at)
{
    return (struct wal_segment *)(void *)wal->segments.data + at;
}

/* How many of the oldest segments may go; the current one never. */
size_t wal_dead_segments(const struct wal *wal);
