/* The durable steps: every place where something becomes durable, or is taken for durable from then
 * on. Each has a name here and is written in the code as
 *
 *     err = DURABLE_STEP(flush_written, ops->write(kv, batch, error));
 *     DURABLE_STEP_VOID(mark_put, wal_put_mark(wal, id, position, members));
 *
 * which is the call alone in normal builds. With -DDURABLE_STEPS the test that is linked is told
 * before and after, so that it can stop the simulated machine on either side of each of them or
 * fail the call (tests/faults/crash_matrix_test.c), or note the order (durable_trace.c there).
 * A durable call outside of such a step fails `make tidy`; a step that no run of the matrix passes
 * fails the matrix.
 *
 * Steps nest: replacing CURRENT is one step and the writing, syncing, renaming in it are others. */
#pragma once

#define DURABLE_STEPS_LIST(X)                                                                      \
    /* files and directories (os/disk.c) */                                                        \
    X(dir_made)      /* nothing: a directory is there for readers */                               \
    X(dir_named)     /* the name of a directory, or of what is in it */                            \
    X(file_sized)    /* nothing: a new file under its temporary name */                            \
    X(file_written)  /* nothing: its bytes are with the kernel */                                  \
    X(file_synced)   /* its bytes, not its name */                                                 \
    X(file_replaced) /* old or new, whole: readers see the new one */                              \
    X(file_named)    /* the new one */                                                             \
    /* the start */                                                                                \
    X(lock_taken)         /* nothing; no other process is in this directory */                     \
    X(identity_written)   /* who this node is, alone or not yet of a cluster */                    \
    X(cluster_adopted)    /* the cluster it belongs to, before anybody is told */                  \
    X(wal_dir_made)       /* the directory of the log */                                           \
    X(wal_found_synced)   /* what a killed process wrote to a segment, before it is believed */    \
    X(wal_dir_synced)     /* the names of the log's files, as found */                             \
    X(wal_file_removed)   /* nothing: an empty segment or a spare file is to go */                 \
    X(wal_tail_cut)       /* nothing: the last segment ends behind its last valid batch */         \
    X(wal_tail_synced)    /* that end */                                                           \
    X(wal_started)        /* a new segment that opens with all groups' state */                    \
    X(generation_planned) /* CREATING: a missing CURRENT means an unfinished first start */        \
    X(generation_made)    /* the directory of a generation */                                      \
    X(generation_filled)  /* the first rows: whose they are, applied index 0 */                    \
    X(generation_named)   /* the name of a generation, before CURRENT says it */                   \
    X(current_replaced)   /* CURRENT names it */                                                   \
    X(others_kept_apart)  /* CURRENT as found, before other generations go */                      \
    X(generation_gone)    /* nothing: a generation that CURRENT does not name is deleted */        \
    X(plan_removed)       /* nothing: CREATING is to go */                                         \
    X(plan_gone)          /* that CREATING is not there: a missing CURRENT is a loss */            \
    /* the log */                                                                                  \
    X(wal_spare_renamed)    /* nothing: a spare file is a segment's for readers */                 \
    X(wal_segment_sized)    /* nothing: a segment has its blocks */                                \
    X(wal_segment_grown)    /* nothing: one made ready has blocks for a larger batch */            \
    X(wal_segment_synced)   /* its size */                                                         \
    X(wal_segment_named)    /* its name */                                                         \
    X(wal_segment_given_up) /* nothing: one that found no room is removed */                       \
    X(wal_opening_written)  /* nothing: a segment's opening is with the kernel */                  \
    X(wal_opening_synced)   /* all groups' state as of the batch before */                         \
    X(wal_batch_written)    /* nothing: a batch is with the kernel */                              \
    X(wal_batch_synced)     /* all batches so far */                                               \
    X(wal_segment_put_by)   /* nothing: a dead segment is renamed or removed */                    \
    X(wal_segment_gone)     /* that it is */                                                       \
    X(hard_state_put)       /* nothing: term and vote are in the collecting batch */               \
    X(members_put)          /* nothing: so is an entry that changes the members */                 \
    X(stored_told)          /* nothing; the core may promise what the log holds */                 \
    /* flush, then mark, then compaction (L3) */                                                   \
    X(flush_written)     /* rows, applied index, term, members, log time: all of it or nothing */  \
    X(flush_counted)     /* nothing; a mark may stand there from now on */                         \
    X(memory_pushed_out) /* rows that were, in a table now instead of LevelDB's log */             \
    X(store_reopened)    /* what was; after an error it is read back what that is */               \
    X(mark_put)          /* nothing: the mark is in the collecting batch */                        \
    X(mark_counted)      /* nothing; the mark is durable: the log below it may go */               \
    X(base_put)          /* nothing: the base is in the collecting batch */                        \
    X(base_counted)      /* nothing; the base is durable: entries leave memory */                  \
    /* installs (L5) */                                                                            \
    X(install_written)    /* some rows of the next generation */                                   \
    X(install_completed)  /* its last rows and the applied index: it is whole */                   \
    X(install_pushed_out) /* the same rows, in tables */                                           \
    X(install_published)  /* CURRENT names it */                                                   \
    X(install_adopted)    /* nothing; this process reads it */                                     \
    X(reset_put)          /* nothing: the log's reset is in the collecting batch */                \
    X(reset_counted)      /* nothing; the reset is durable: the old generation may go */           \
    X(install_settled)    /* nothing: the old generation is deleted */                             \
    X(install_taken_back) /* CURRENT names the old generation again, or is not there */            \
    X(current_removed)    /* nothing: readers see no CURRENT */                                    \
    X(current_gone)       /* that there is none */

enum durable_step {
#define DURABLE_STEP_ENUM(name) DURABLE_STEP_##name,
    DURABLE_STEPS_LIST(DURABLE_STEP_ENUM)
#undef DURABLE_STEP_ENUM
        DURABLE_STEP_COUNT,
};

#ifdef DURABLE_STEPS

/* Defined by the test. On the thread that runs the step. */
void durable_step_begins(enum durable_step step);
void durable_step_ends(enum durable_step step);

#define DURABLE_STEP(name, call)                                                                   \
    __extension__({                                                                                \
        durable_step_begins(DURABLE_STEP_##name);                                                  \
        __typeof__(call) durable_result = (call);                                                  \
        durable_step_ends(DURABLE_STEP_##name);                                                    \
        durable_result;                                                                            \
    })
#define DURABLE_STEP_VOID(name, call)                                                              \
    do {                                                                                           \
        durable_step_begins(DURABLE_STEP_##name);                                                  \
        call;                                                                                      \
        durable_step_ends(DURABLE_STEP_##name);                                                    \
    } while (0)

#else

#define DURABLE_STEP(name, call)      (call)
#define DURABLE_STEP_VOID(name, call) call

#endif
