/* Walks the batches of one segment after the other, and tells a torn tail from damage.
 *
 *   reading --(a batch is bad)--> stopped        the log may end here
 *   stopped --(a later valid batch continues the count: a new segment)--> reading
 *   stopped --(a later valid batch was written when this one was synced)--> damage
 */
#pragma once

#include "wal/replay.h"

struct wal_scan {
    struct wal_replay replay;
    const char *dir;   /* for texts; borrowed */
    uint64_t expected; /* number of the next batch; 0 before the first */
    uint64_t segment;  /* where the last valid batch stands, 0 when there is none */
    uint64_t end;      /* the offset behind it: the log ends here unless more follows */
    uint64_t torn_end; /* what can be recognised of the torn tail reaches to here; or end */
    uint64_t empty;    /* the first segment without a valid batch since then, or 0 */
};

void wal_scan_init(struct wal_scan *scan, const char *dir, uint32_t group_count, uint64_t store_id);
void wal_scan_fini(struct wal_scan *scan);

/* The whole bytes of the next segment. On an error the scan is of no use, and error names the file
 * and the offset. */
MUST_USE enum wal_err wal_scan_segment(struct wal_scan *scan, uint64_t number, struct bytes segment,
                                       struct buf *error);

/* After the last segment. */
MUST_USE enum wal_err wal_scan_finish(struct wal_scan *scan, struct buf *error);
