/* Planted bugs of the whole node: each breaks one rule that the simulator must notice (sim_node
 * --mutant NAME). Compiled in only with -DNODE_MUTANTS; a server is never built so. Without it the
 * macro is false and costs nothing. */
#pragma once

#define NODE_MUTANTS_LIST(X)                                                                       \
    X(gates_are_open)           /* L1: replies do not wait for their entry */                      \
    X(reads_ignore_ahead)       /* L1: what a read shows need not be committed */                  \
    X(promise_before_sync)      /* L1: written to is stored */                                     \
    X(flush_ahead_of_log)       /* L2: LevelDB may know more than the log */                       \
    X(failed_flush_counts)      /* L2: rows of a flush that failed are not written again */        \
    X(mark_before_flush)        /* L3: the mark stands at what is applied */                       \
    X(counts_are_not_restored)  /* L4: databases are thought to be empty after a restart */        \
    X(new_keys_miss_the_filter) /* L7: a key that was paged out is taken for absent */             \
    X(forget_sweeps)            /* rows of big values are left behind */                           \
    X(close_in_suspended)       /* the entry of a run closes while it waits in the middle */       \
    X(holder_is_ignored)        /* others run between the commands of a suspended transaction */   \
    X(watches_are_ignored)      /* EXEC runs though a watched key was changed */                   \
    X(stamps_start_at_flushed)  /* L10: replay does not move the time of the log on */             \
    /* what several nodes add */                                                                   \
    X(step_down_keeps_ahead)           /* L9: memory keeps what a lost leadership changed */       \
    X(followers_keep_objects)          /* L7: entries of others do not reach hot objects */        \
    X(installs_keep_objects)           /* L7: nor do the rows of an install */                     \
    X(queue_waits_for_the_lease)       /* which may be gone for the rest of a term */              \
    X(replaced_gates_open)             /* L1: another leader's entry lets a reply leave */         \
    X(lost_gates_say_nothing_happened) /* an unknown outcome is told as a known one */             \
    X(truncation_keeps_synced)         /* L2: what was replaced counts as stored here */           \
    X(install_before_rows)             /* L5: CURRENT names a generation that is not whole */      \
    X(install_keeps_log)               /* L4: the log is not reset behind an install */            \
    X(stopped_installs_run)            /* the core is not told that an install was given up */     \
    X(lost_rows_are_acknowledged)      /* a member without rows counts as served */                \
    X(clocks_are_not_compared)         /* L10: a leader believes its own clock */                  \
    X(time_moves_anywhere)             /* L10: and so does every other node */                     \
    X(time_is_old)                     /* L10: what a new leader applied does not move its time */

enum node_mutant {
    NODE_MUTANT_none = 0,
#define NODE_MUTANT_ENUM(name) NODE_MUTANT_##name,
    NODE_MUTANTS_LIST(NODE_MUTANT_ENUM)
#undef NODE_MUTANT_ENUM
};

#ifdef NODE_MUTANTS
extern int node_mutant_planted; /* defined by the simulator */
#define NODE_MUTANT(name) (node_mutant_planted == NODE_MUTANT_##name)
#else
#define NODE_MUTANT(name) false
#endif
