/* The log as the core sees it: which term each index has. Entries of one leadership lie side by
 * side, so a table of runs is small however long the log is. */
#include "raft/internal.h"

#include <string.h>

#include "base/mem.h"

void raft_log_init(struct raft_log *log, const struct raft_restored *restored, uint32_t spare_runs)
{
    uint32_t runs = 0;
    raft_term term = 0;
    for (size_t i = 0; i < restored->term_count; i++) {
        ASSERT(restored->terms[i] >= restored->base_term && restored->terms[i] >= term);
        ASSERT(restored->terms[i] > 0 && restored->terms[i] <= restored->hard.term);
        runs += restored->terms[i] != term;
        term = restored->terms[i];
    }
    *log = (struct raft_log){
        .base_index = restored->base_index,
        .base_term = restored->base_term,
        .last = restored->base_index,
        .run_max = runs + spare_runs,
    };
    log->runs = mem_alloc(sizeof(*log->runs) * log->run_max);
    for (size_t i = 0; i < restored->term_count; i++)
        raft_log_append(log, restored->terms[i]);
    log->submitted = log->stored = log->last;
}

void raft_log_fini(struct raft_log *log)
{
    mem_free(log->runs);
}

/* How many runs begin at or before index. */
static uint32_t runs_through(const struct raft_log *log, raft_index index)
{
    uint32_t low = 0, high = log->run_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (log->runs[middle].first <= index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

raft_term raft_log_term(const struct raft_log *log, raft_index index)
{
    if (index == log->base_index)
        return log->base_term;
    if (index < log->base_index || index > log->last)
        return 0;
    uint32_t run = runs_through(log, index);
    ASSERT(run > 0);
    return log->runs[run - 1].term;
}

raft_term raft_log_last_term(const struct raft_log *log)
{
    return log->run_count == 0 ? log->base_term : log->runs[log->run_count - 1].term;
}

/* Whether, with the log cut at `first`, an entry of `term` could be appended. */
bool raft_log_has_room(const struct raft_log *log, raft_index first, raft_term term)
{
    ASSERT(first > log->base_index && first <= log->last + 1);
    uint32_t left = runs_through(log, first - 1);
    return left < log->run_max || log->runs[left - 1].term == term;
}

void raft_log_append(struct raft_log *log, raft_term term)
{
    ASSERT(term > 0 && term >= raft_log_last_term(log));
    log->last++;
    if (log->run_count > 0 && log->runs[log->run_count - 1].term == term)
        return;
    ASSERT(log->run_count < log->run_max);
    log->runs[log->run_count++] = (struct raft_run){log->last, term};
}

void raft_log_cut(struct raft_log *log, raft_index first)
{
    ASSERT(first > log->base_index && first <= log->last);
    log->run_count = runs_through(log, first - 1);
    log->last = first - 1;
    if (first > log->submitted)
        return;
    log->generation++; /* completions of what was submitted so far say nothing about this log */
    log->submitted = first - 1;
    if (log->stored > log->submitted)
        log->stored = log->submitted;
}

void raft_log_compact(struct raft_log *log, raft_index index)
{
    ASSERT(index > log->base_index && index <= log->submitted);
    log->base_term = raft_log_term(log, index);
    log->base_index = index;
    uint32_t through = runs_through(log, index);
    ASSERT(through > 0);
    /* The run that holds `index` goes on behind it, or ends there. */
    bool ends =
        index == log->last || (through < log->run_count && log->runs[through].first == index + 1);
    uint32_t gone = ends ? through : through - 1;
    log->run_count -= gone;
    memmove(log->runs, log->runs + gone, sizeof(*log->runs) * log->run_count);
    if (!ends)
        log->runs[0].first = index + 1;
}

void raft_log_reset(struct raft_log *log, raft_index index, raft_term term)
{
    ASSERT(index > 0 && term > 0);
    log->base_index = log->last = log->submitted = index;
    log->base_term = term;
    log->run_count = 0;
    log->stored = 0; /* until the reset itself is durable: before that a crash shows the old log */
    log->generation++;
    log->was_reset = true;
}

raft_index raft_log_fit(const struct raft_log *log, raft_index index, raft_term term)
{
    if (index > log->last)
        index = log->last;
    while (index > log->base_index && raft_log_term(log, index) > term)
        index = log->runs[runs_through(log, index) - 1].first - 1;
    return index;
}

/* Thesis 3.6.1: the later last term wins, with equal terms the longer log. */
bool raft_log_yields_to(const struct raft_log *log, raft_index last_index, raft_term last_term)
{
    raft_term ours = raft_log_last_term(log);
    return last_term > ours || (last_term == ours && last_index >= log->last);
}

void raft_log_check(const struct raft_log *log)
{
    ASSERT(log->last >= log->base_index && log->submitted <= log->last);
    ASSERT(log->stored <= log->submitted);
    ASSERT(log->run_count <= log->run_max);
    ASSERT((log->run_count == 0) == (log->last == log->base_index));
    for (uint32_t i = 0; i < log->run_count; i++) {
        const struct raft_run *run = &log->runs[i];
        ASSERT(run->first <= log->last && run->term >= log->base_term && run->term > 0);
        if (i == 0)
            ASSERT(run->first == log->base_index + 1);
        else
            ASSERT(run->first > run[-1].first && run->term > run[-1].term);
    }
}
