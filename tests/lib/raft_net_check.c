#include "raft_net_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

PRINTF_LIKE(4, 5)
static void require(struct raft_net *net, uint32_t n, bool holds, const char *format, ...)
{
    if (holds)
        return;
    va_list args;
    va_start(args, format);
    fprintf(stderr, "# at %llu us, node %u: ", (unsigned long long)net->now_us, n + 1);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

void raft_net_check_begin(struct raft_net *net)
{
    memset(net->leader_of_term, 0, sizeof(net->leader_of_term));
    memset(net->writer_count, 0, sizeof(net->writer_count));
    net->committed_last = 0;
    net->committed[0] = (struct raft_net_entry){0};
}

/* Log matching by induction: whoever holds (index, term) holds the same entry, and before it an
 * entry of the same term. */
void raft_net_check_entry(struct raft_net *net, uint32_t n, raft_index index)
{
    struct raft_net_node *node = &net->nodes[n];
    const struct raft_net_entry *entry = &node->log[index];
    uint32_t previous =
        index - 1 == node->base.index ? (uint32_t)node->base.term : node->log[index - 1].term;
    for (uint32_t i = 0; i < net->writer_count[index]; i++) {
        const struct raft_net_writer *writer = &net->writers[index][i];
        if (writer->term != entry->term)
            continue;
        require(net, n, writer->value == entry->value && writer->previous_term == previous,
                "entry %llu of term %u differs between two logs", (unsigned long long)index,
                entry->term);
        return;
    }
    if (net->writer_count[index] < RAFT_NET_WRITERS_MAX)
        net->writers[index][net->writer_count[index]++] =
            (struct raft_net_writer){entry->term, entry->value, previous};
}

static bool disk_holds(const struct raft_net_node *node, raft_index index, uint32_t term)
{
    if (node->promises_lost || index <= node->disk_base.index)
        return true; /* it did when it said so */
    return index <= node->disk_last && node->disk[index].term == term;
}

/* Commit needs copies on the disks of a quorum of the newest configuration. */
static void check_quorum_holds(struct raft_net *net, uint32_t n, raft_index index)
{
    const struct raft_net_node *node = &net->nodes[n];
    const struct raft_members *members = &raft_membership(node->raft)->members;
    uint32_t voters = 0, holders = 0;
    for (uint32_t i = 0; i < members->count; i++) {
        if (!members->at[i].is_voter)
            continue;
        uint32_t at = raft_net_position(net, members->at[i].id);
        voters++;
        holders +=
            at == RAFT_NET_NODES_MAX || disk_holds(&net->nodes[at], index, node->log[index].term);
    }
    require(net, n, holders * 2 > voters, "commits %llu with %u of %u durable copies",
            (unsigned long long)index, holders, voters);
}

static void check_committed_entry(struct raft_net *net, uint32_t n, raft_index index)
{
    const struct raft_net_entry *entry = &net->nodes[n].log[index];
    if (index > net->committed_last) {
        require(net, n, index == net->committed_last + 1, "commits %llu after %llu",
                (unsigned long long)index, (unsigned long long)net->committed_last);
        net->committed[index] = *entry;
        net->committed_in[index] = raft_term_now(net->nodes[n].raft);
        net->committed_last = index;
        return;
    }
    require(net, n, net->committed[index].value == entry->value,
            "commit of %llu changed: term %u, was %u", (unsigned long long)index, entry->term,
            net->committed[index].term);
}

/* Thesis 3.4, leader completeness: what is committed is in the logs of all later terms' leaders. */
static void check_new_leader(struct raft_net *net, uint32_t n)
{
    struct raft_net_node *node = &net->nodes[n];
    raft_term term = raft_term_now(node->raft);
    ASSERT(term < RAFT_NET_TERMS_MAX);
    raft_node *leader = &net->leader_of_term[term];
    require(net, n, *leader == 0 || *leader == node->id, "second leader of term %llu, besides %llu",
            (unsigned long long)term, (unsigned long long)*leader);
    *leader = node->id;
    for (raft_index i = node->base.index + 1; i <= net->committed_last; i++) {
        bool is_older =
            net->committed_in[i] < term; /* a late winner of an older term need not know */
        bool is_held = i <= node->last && net->committed[i].value == node->log[i].value;
        require(net, n, is_held || !is_older, "leads term %llu without committed entry %llu",
                (unsigned long long)term, (unsigned long long)i);
    }
}

void raft_net_check_commit(struct raft_net *net, uint32_t n, const struct raft_ready *ready)
{
    struct raft_net_node *node = &net->nodes[n];
    if (ready->role == RAFT_LEADER && node->role_term != ready->term)
        check_new_leader(net, n);
    if (ready->role == RAFT_LEADER)
        node->role_term = ready->term;
    raft_index from = node->commit_seen > node->base.index ? node->commit_seen : node->base.index;
    for (raft_index i = from + 1; i <= ready->commit; i++)
        check_committed_entry(net, n, i);
    if (ready->role == RAFT_LEADER && ready->commit > from)
        check_quorum_holds(net, n, ready->commit);
    if (ready->commit > node->commit_seen)
        node->commit_seen = ready->commit;
}

static void check_append_answer(struct raft_net *net, uint32_t n,
                                const struct raft_message *message)
{
    const struct raft_net_node *node = &net->nodes[n];
    raft_index index = message->append_answer.index;
    if (!message->append_answer.is_accepted || message->term != raft_term_now(node->raft))
        return;
    require(net, n, disk_holds(node, index, node->log[index].term),
            "acknowledges %llu before it is stored", (unsigned long long)index);
    require(net, n, node->disk_hard.term >= message->term, "acknowledges in a term not stored");
}

void raft_net_check_message(struct raft_net *net, uint32_t n, const struct raft_message *message)
{
    const struct raft_net_node *node = &net->nodes[n];
    require(net, n, !node->promises_lost, "speaks (kind %d) though its promises are lost",
            (int)message->kind);
    require(net, n, message->from == node->id && message->to != node->id, "sends under a name");
    const struct raft_hard_state *disk = &node->disk_hard;
    if (message->kind == RAFT_VOTE_ANSWER && message->vote_answer.is_granted)
        require(net, n,
                disk->term > message->term ||
                    (disk->term == message->term && disk->vote == message->to),
                "votes before the vote is stored");
    if (message->kind == RAFT_VOTE)
        require(net, n, disk->term == message->term && disk->vote == node->id,
                "asks for votes before its own is stored");
    if (message->kind == RAFT_APPEND_ANSWER)
        check_append_answer(net, n, message);
}

void raft_net_check_read(struct raft_net *net, uint32_t n, raft_index must_see)
{
    raft_index commit = raft_commit_index(net->nodes[n].raft);
    require(net, n, commit >= must_see, "stale read: sees %llu of %llu", (unsigned long long)commit,
            (unsigned long long)must_see);
}

/* What is committed anywhere while a lease holds is seen by the holder. */
static void check_leases(struct raft_net *net)
{
    for (uint32_t n = 0; n < net->node_count; n++) {
        const struct raft *raft = net->nodes[n].raft;
        if (raft == NULL || !raft_serving(raft) || !raft_lease_valid(raft, raft_net_clock(net, n)))
            continue;
        net->lease_checks++;
        require(net, n, raft_commit_index(raft) >= net->committed_last,
                "holds a lease in term %llu while %llu is committed elsewhere",
                (unsigned long long)raft_term_now(raft), (unsigned long long)net->committed_last);
    }
}

void raft_net_check(struct raft_net *net, uint32_t n)
{
    const struct raft_net_node *node = &net->nodes[n];
    if (node->raft != NULL) {
        raft_check(node->raft);
        require(net, n, raft_last_index(node->raft) == node->last,
                "core and caller disagree about the log's end");
        require(net, n,
                node->last <= node->base.index ||
                    raft_term_at(node->raft, node->last) == node->log[node->last].term,
                "core and caller disagree about the last term");
    }
    check_leases(net);
}
