/* Leading, losing the lead, and what is told to clients whose shard is led elsewhere.
 *
 * When leadership is lost, everything that memory knows ahead of the applied index goes (L9). Runs
 * in the middle of a command end first, for they have objects in their hands: what they wait for
 * fails, so they come to their end without another change, and their requests are answered as if
 * they had never begun, for nothing of them was proposed. */
#include <stdio.h>

#include "base/mutants.h"
#include "exec/internal.h"
#include "keyspace/slot.h"
#include "keyspace/watch.h"

enum {
    LEADER_WAIT_US = 5000000,  /* requests wait so long for a leader to be known */
    OUTCOME_WAIT_US = 5000000, /* and replies for the outcome of what an earlier term proposed */
};

/* ---- where the leader is ---- */

static bool is_alone(const struct exec_shard *es)
{
    return shard_members(es->shard)->count <= 1;
}

bool exec_leads(const struct exec_shard *es)
{
    return es->lead_term != 0 && shard_lead_term(es->shard) == es->lead_term;
}

void exec_set_leader(struct exec *exec, uint32_t shard, const char *address)
{
    struct exec_shard *es = &exec->shards[shard];
    es->leader[0] = 0;
    if (address[0] != 0)
        (void)snprintf(es->leader, sizeof(es->leader), "%s", address);
    bool is_known = es->leader[0] != 0 || exec_leads(es);
    if (is_known)
        es->leaderless_since_us = 0;
    else if (es->leaderless_since_us == 0)
        es->leaderless_since_us = exec->now.boot_us;
}

static bool waits_for_leader(const struct exec_shard *es)
{
    if (es->leader[0] != 0)
        return false;
    return is_alone(es) || es->leaderless_since_us == 0 ||
           es->exec->now.boot_us - es->leaderless_since_us < LEADER_WAIT_US;
}

bool exec_knows_what_to_say(const struct exec_shard *es)
{
    return !exec_leads(es) && !waits_for_leader(es);
}

void exec_reply_elsewhere(struct exec_shard *es, int slot, struct reply *reply)
{
    if (slot < 0)
        slot = router_first_slot(es->exec->shard_count, es->id);
    if (es->leader[0] != 0)
        reply_error(reply, "MOVED %d %s", slot, es->leader);
    else
        reply_error(reply, "CLUSTERDOWN The shard of slot %d has no leader", slot);
}

/* Slot of the first key, for MOVED; -1: none. */
int exec_slot_of(const struct command *command, const struct bytes *argv, int argc)
{
    struct command_key key;
    int count = command_keys(command, argv, argc, &key, 1);
    return count < 1 ? -1 : slot_of_key(argv[key.position]);
}

bool exec_is_elsewhere(struct exec *exec, const struct command *command, const struct bytes *argv,
                       int argc, struct reply *reply)
{
    if ((command->flags & CMD_ALL_SHARDS) != 0)
        return false;
    int slot = exec_slot_of(command, argv, argc);
    if (slot < 0)
        return false;
    struct exec_shard *es = &exec->shards[router_shard_of_slot(exec->shard_count, (uint16_t)slot)];
    if (exec_leads(es) || es->leader[0] == 0)
        return false;
    exec_reply_elsewhere(es, slot, reply);
    return true;
}

/* ---- the terms of what was applied ---- */

void exec_note_applied(struct exec_shard *es, const struct entry *entry)
{
    struct term_run *last = &es->terms[es->term_count == 0 ? 0 : es->term_count - 1];
    if (es->term_count > 0 && last->term == entry->term)
        return;
    if (es->term_count == EXEC_TERM_RUNS) {
        memmove(es->terms, es->terms + 1, sizeof(es->terms) - sizeof(es->terms[0]));
        es->term_count--;
    }
    es->terms[es->term_count++] = (struct term_run){.term = entry->term, .first = entry->index};
}

/* 0: not known any more. */
static uint64_t applied_term(const struct exec_shard *es, uint64_t index)
{
    for (int i = es->term_count; i > 0; i--) {
        if (es->terms[i - 1].first <= index)
            return es->terms[i - 1].term;
    }
    return 0;
}

enum exec_gate_state exec_gate_state(const struct exec *exec, struct exec_gate gate)
{
    ASSERT(gate.shard < exec->shard_count);
    const struct exec_shard *es = &exec->shards[gate.shard];
    bool is_applied = gate.index <= shard_applied_index(es->shard) || NODE_MUTANT(gates_are_open);
    if (gate.term == es->lead_term)
        return is_applied ? EXEC_GATE_OPEN : EXEC_GATE_CLOSED;
    if (is_applied) {
        if (NODE_MUTANT(replaced_gates_open))
            return EXEC_GATE_OPEN;
        uint64_t term = applied_term(es, gate.index);
        return term == 0           ? EXEC_GATE_UNKNOWN
               : term == gate.term ? EXEC_GATE_OPEN
                                   : EXEC_GATE_REPLACED;
    }
    /* Terms only rise along the log: behind an entry of a later term none of ours will ever be. */
    if (es->term_count > 0 && es->terms[es->term_count - 1].term > gate.term)
        return EXEC_GATE_REPLACED;
    bool is_late = exec->now.boot_us - es->lost_at_us >= OUTCOME_WAIT_US;
    if (is_late && NODE_MUTANT(lost_gates_say_nothing_happened))
        return EXEC_GATE_REPLACED;
    return is_late ? EXEC_GATE_UNKNOWN : EXEC_GATE_CLOSED;
}

/* ---- losing the lead ---- */

/* A transaction that only looks at other shards is not cut when one of those is lost: its changes
 * stand in the open entry of its own, which is proposed whole. What it saw waits at the lost lead's
 * gate, and what it still wants to see there fails (key_slice_read). */
static void cancel_runs(struct exec_shard *es)
{
    struct list *at, *after;
    LIST_FOR_EACH(at, after, &es->exec->runs)
    {
        struct run *run = CONTAINER_OF(at, struct run, link);
        if ((run->shard != NULL && run->shard != es) || run->is_cancelled)
            continue;
        run->is_cancelled = true;
        run->lost = es;
    }
}

/* A run that found one key and waits for another has the first in its hands: it ends now. */
static void end_holder(struct exec_shard *es)
{
    while (es->holder != NULL && es->awaits_key) {
        struct request *request = es->holder->request;
        ASSERT(es->holder->is_cancelled);
        list_remove(&request->wait.link);
        if (exec_proceed(es->exec, request) == EXEC_DONE)
            exec_finish(es->exec, request);
    }
}

/* Who waits for a key, or for the shard, asks again and is told where to go. */
static void send_away(struct exec_shard *es)
{
    struct list *at, *after;
    LIST_FOR_EACH(at, after, &es->exec->parked)
    {
        struct request *request = CONTAINER_OF(at, struct request, wait.link);
        if (request->wait.block.shard == es->id)
            exec_make_ready(es->exec, request);
    }
    exec_wake_queue(es);
}

static void lose(struct exec_shard *es)
{
    es->lost_at_us = es->exec->now.boot_us;
    cancel_runs(es);
    exec_abandon_loads(es, NULL);
    end_holder(es);
    if (!NODE_MUTANT(step_down_keeps_ahead))
        hot_drop_ahead(es->hot);
    send_away(es);
}

void exec_follow_leadership(struct exec *exec, struct turn_time now)
{
    exec->now = now;
    for (uint32_t id = 0; id < exec->shard_count; id++) {
        struct exec_shard *es = &exec->shards[id];
        uint64_t term = shard_lead_term(es->shard);
        if (term == es->lead_term)
            continue;
        if (es->lead_term != 0)
            lose(es);
        /* Nobody saw the changes that other leaders made meanwhile. */
        for (int database = 0; database < HOT_DATABASES; database++)
            watch_touch_database(es->hot->watches, database, NULL, NULL);
        es->lead_term = term;
        es->is_asked = false;
        if (term != 0)
            hot_set_term(es->hot, term);
    }
}

/* ---- rows that came otherwise than by the log ---- */

void exec_reinstalled(struct exec *exec, uint32_t shard, uint64_t index, struct bytes rows)
{
    struct exec_shard *es = &exec->shards[shard];
    ASSERT(es->lead_term == 0);
    exec_abandon_loads(es, NULL);
    exec_filter_restart(es);
    es->term_count = 0;
    if (NODE_MUTANT(installs_keep_objects))
        es->hot->released = index;
    else
        hot_reinstall(es->hot, index, rows);
}
