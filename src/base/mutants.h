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
    X(stamps_start_at_flushed)  /* L10: replay does not move the time of the log on */

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
