/* What quoin-inspect finds in a stopped data directory, and how it is told. */
#pragma once

#include <stdio.h>

#include "node/identity.h"
#include "shard/shard.h"
#include "store/generation.h"
#include "store/kv.h"
#include "wal/format.h"

enum { RECORD_KINDS = 8, ROW_KINDS = 8 }; /* row kind 7: none that FORMAT.md knows */

struct segment_report {
    uint64_t number;
    uint64_t size;
    uint64_t batches; /* good ones from the front */
    uint64_t first, last;
    uint64_t end; /* where they end */
};

/* What the log says of one shard. */
struct group_report {
    uint64_t records[RECORD_KINDS]; /* by enum wal_record_kind, in all segments */
    uint64_t bad_entries;           /* whose payload is not what codec/entry.h says */
    struct wal_hard_state hard;
    struct wal_position base, mark;
    size_t members_size;
    size_t entry_count; /* above the base */
    uint64_t entry_bytes;
};

struct log_report {
    bool is_there;
    struct segment_report *segments;
    size_t segment_count;
    size_t spare_count;
    struct group_report *groups;
    uint32_t group_count;
    uint64_t torn_bytes; /* a torn tail of about so many bytes would be cut */
    struct buf error;    /* damage: which file and offset; empty: none */
};

struct generation_report {
    char name[GENERATION_NAME_SIZE];
    bool is_current;
    struct buf error; /* cannot be opened or read to its end; empty: every checksum was right */
    bool has_meta;
    uint64_t applied_index, applied_term, stamp_us;
    size_t members_size;
    uint64_t rows[ROW_KINDS];
    uint64_t bytes; /* keys and values */
};

struct rows_report {
    struct generation_report *generations;
    size_t generation_count;
    struct buf error; /* of CURRENT; empty: it names one that is there */
};

/* What the code of a start makes of the directory. */
struct restart_report {
    bool starts;
    struct buf error; /* why not */
    struct shard_status *shards;
};

struct report {
    const char *dir; /* absolute */
    struct disk *disk;
    struct kv_env *env;
    bool is_empty;          /* no server was ever started here */
    bool waits_for_cluster; /* one was, and belongs to no cluster yet: there is no data */
    struct identity identity;
    struct buf identity_error;
    uint32_t shard_count; /* 0 when the identity cannot be read */
    struct log_report log;
    struct rows_report *rows; /* of each shard */
    struct restart_report restart;
};

void report_log(struct report *report);
void report_rows(struct report *report);
void report_restart(struct report *report);
void report_free(struct report *report); /* what the three above made */

/* Damage that a start may not meet at once: rotten rows, entries that are none. False: there is
 * none. out gets one line. */
bool report_damage(const struct report *report, struct buf *out);

/* One line without its end: "consistent: …" or "inconsistent: …". True when consistent. */
bool report_verdict(const struct report *report, struct buf *out);

void print_text(const struct report *report, FILE *to);
void print_json(const struct report *report, FILE *to);

/* Index of a row's kind, and its letter ('?' for the last). */
size_t row_kind_index(struct bytes key);
char row_kind_letter(size_t kind);
const char *record_kind_name(size_t kind);
