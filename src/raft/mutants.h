/* Planted bugs, each breaking one rule that the simulator must notice (sim_raft --mutant NAME).
 * Compiled in only with -DRAFT_MUTANTS; a server is never built so. */
#pragma once

#define RAFT_MUTANTS_LIST(X)                                                                       \
    X(commit_old_term_by_counting)                                                                 \
    X(commit_beyond_match)                                                                         \
    X(quorum_is_half)                                                                              \
    X(own_copy_counts_before_stored)                                                               \
    X(acknowledge_before_stored)                                                                   \
    X(stale_completion_counts)                                                                     \
    X(truncate_without_conflict)                                                                   \
    X(skip_previous_check)                                                                         \
    X(vote_twice_in_a_term)                                                                        \
    X(vote_for_shorter_log)                                                                        \
    X(vote_before_stored)                                                                          \
    X(vote_at_once_after_restart)                                                                  \
    X(no_stickiness)                                                                               \
    X(candidate_asks_before_stored)                                                                \
    X(lease_counts_from_answer)                                                                    \
    X(lease_ignores_drift)                                                                         \
    X(lease_outside_configuration)                                                                 \
    X(serve_before_noop)                                                                           \
    X(transfer_keeps_lease)                                                                        \
    X(transfer_keeps_open_round)                                                                   \
    X(transfer_keeps_later_rounds)                                                                 \
    X(read_confirmed_by_older_round)                                                               \
    X(two_open_changes)                                                                            \
    X(change_before_noop)                                                                          \
    X(amnesiac_votes)                                                                              \
    X(amnesiac_acknowledges)

enum raft_mutant {
    RAFT_MUTANT_none = 0,
#define RAFT_MUTANT_ENUM(name) RAFT_MUTANT_##name,
    RAFT_MUTANTS_LIST(RAFT_MUTANT_ENUM)
#undef RAFT_MUTANT_ENUM
};
