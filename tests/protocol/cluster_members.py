#!/usr/bin/env python3
"""Growing and shrinking a cluster while it is written to, and who is not let in.

test-timeout: 240
"""

import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from nodes import SECRET, Nodes, Writer, fields, free_ports, shard_line  # noqa: E402
from quoin import (E, Server, StartFailed, ask, free_port, main, same, test,  # noqa: E402
                   wait_for)
from resp import Client  # noqa: E402


def digest(nodes, number):
    """Of all keys of a node that leads."""
    with Client(nodes.port(number)) as client:
        return client("DBSIZE"), client("GET", "counter"), client("GET", "big999")


# --- Growing ---

@test(only="quoin")
def one_node_grows_to_three_under_writes_with_nothing_copied(_):
    with Nodes(1, count=3) as nodes:
        for i in range(0, 1000, 100):
            with nodes[1].client() as client:
                client("MSET", *[word for k in range(i, i + 100)
                                 for word in (f"big{k}", f"{k}" * 100)])
        nodes.ask_leader("RAFT", "SNAPSHOT")  # the log does not reach back: rows are streamed
        wait_for(lambda: int(shard_line(nodes.raft(1))["base"]) > 0, what="a compacted log")
        with Writer(nodes) as writer:
            wait_for(lambda: writer.acknowledged > 100, what="writes")
            nodes.add(2, [1])
            nodes.add(3, [1, 2])
            before = writer.acknowledged
            wait_for(lambda: writer.acknowledged > before + 100, what="more writes")
        same(writer.errors, [])
        writer.check()
        same(int(nodes.raft(2)["installs_received"]) + int(nodes.raft(3)["installs_received"]), 2)
        nodes.wait_until_alike()
        seen = {}
        for to in (2, 3, 1):
            if nodes.leader() != to:
                same(nodes.ask_leader("RAFT", "TRANSFER", 0, to), b"OK")
                wait_for(lambda: nodes.leader() == to, what=f"the lead of node {to}")
            seen[to] = digest(nodes, to)
        same((seen[2], seen[3]), (seen[1], seen[1]))
        same(seen[1][2], b"999" * 100)
        nodes[nodes.leader()].kill()
        same(nodes.on_leader("GET", "big0"), b"0" * 100)


@test(only="quoin")
def members_change_while_transactions_wait_in_the_middle(_):
    """Their entry is open over many turns and has its index already."""
    with Nodes(1, count=2, flush_age_ms=200) as nodes:
        with nodes[1].client() as client:
            for i in range(0, 60000, 1000):
                client("MSET", *[word for k in range(i, i + 1000) for word in (f"k{k}", "v")])
        transaction = (("MULTI",), ("SET", "t", "1"), ("KEYS", "nothing*"), ("SET", "t", "2"),
                       ("EXEC",))
        with Writer(nodes, *transaction) as writer:
            wait_for(lambda: writer.acknowledged > 5, what="transactions")
            nodes.add(2, [1])
            same(nodes.ask_leader("RAFT", "REMOVE", 2), b"OK")
            nodes.wait_for_role(2, None)
        assert not nodes[1].has_died(), nodes[1].last_words()
        writer.check()


@test(only="quoin")
def several_shards_get_the_members_of_the_first_and_lose_them_again(_):
    with Nodes(1, count=3, shards=4) as nodes:
        nodes.add(2, [1])
        nodes.add(3, [1, 2])
        wait_for(lambda: len({nodes.leader(shard) for shard in range(4)}) >= 2, seconds=20,
                 what="leads that spread")
        for shard in range(4):
            leader = nodes.leader(shard)
            for other in {1, 2, 3} - {leader}:
                wait_for(lambda: f"shard{shard}_peer{other}" in nodes.raft(leader) and
                         "role=voter" in nodes.raft(leader)[f"shard{shard}_peer{other}"],
                         seconds=20, what=f"node {other} votes in shard {shard}")
        away = next(n for n in (2, 3) if n != nodes.leader())
        same(nodes.ask_leader("RAFT", "REMOVE", away), b"OK")
        nodes.wait_for_role(away, None, seconds=30)
        for shard in range(4):
            assert nodes.leader(shard) != away, "who is being removed leads nothing any more"
            wait_for(lambda: f"shard{shard}_peer{away}" not in nodes.raft(nodes.leader(shard)),
                     seconds=20, what=f"shard {shard} without node {away}")
        wait_for(lambda: f"link{away}" not in nodes.raft(nodes.leader()), what="no link")
        nodes.add(away, sorted({1, 2, 3} - {away}))
        wait_for(lambda: all("role=voter" in nodes.raft(nodes.leader(shard)).get(
            f"shard{shard}_peer{away}", "role=voter") for shard in range(4)), seconds=20,
            what="votes in all shards again")


@test(only="quoin")
def a_node_that_joins_is_listed_and_can_be_given_up(_):
    with Nodes(1, count=2) as nodes:
        address = f"{nodes.address(2)}@{nodes.peer_port(2)}"
        with nodes[1].client() as client:
            ask(client, f"RAFT ADD 2 {address}", "OK")
            found = nodes.members()[2]
            same((found["role"], found["address"], found["linked"], found["leads"]),
                 (b"joining", nodes.address(2).encode(), 0, 0))
            same(nodes.raft(1)["joining"], "1")
            ask(client, "RAFT PROMOTE 2", E("ERR node 2 is no member"))
            ask(client, f"RAFT ADD 2 {address}", "OK")
            ask(client, "RAFT REMOVE 2", "OK")
            ask(client, "RAFT REMOVE 2", E("ERR node 2 is no member"))
            same(list(nodes.members()), [1])
            wait_for(lambda: "link2" not in nodes.raft(1), what="no link")
            ask(client, "SET a 1", "OK")


@test(only="quoin")
def a_node_that_moved_before_it_was_joined_is_found_where_it_is_now(_):
    with Nodes(1, count=2) as nodes:
        same(nodes.on_leader("SET", "a", "1"), b"OK")
        same(nodes[1].stop(), 0)
        nodes.ports[:2] = free_ports(2)
        nodes[1].port = nodes.port(1)
        nodes[1].directives["cluster-port"] = nodes.peer_port(1)
        nodes[1].start()
        nodes.add(2, [1])
        with nodes[2].client() as client:
            slot = client("CLUSTER", "KEYSLOT", "a")
            ask(client, "GET a", E(f"MOVED {slot} {nodes.address(1)}"))
            same(client("CLUSTER", "SLOTS")[0][2][1], nodes.port(1))
        found = nodes.members(2)[1]
        same((found["address"].decode(), found["peer-port"]),
             (nodes.address(1), nodes.peer_port(1)))
        nodes[2].restart()
        wait_for(lambda: nodes.members(2)[1]["linked"] == 1, what="links after a restart")


# --- Shrinking ---

@test(only="quoin")
def a_removed_node_is_not_heard_and_comes_back_only_when_it_is_added(_):
    with Nodes(3) as nodes:
        same(nodes.on_leader("SET", "a", "1"), b"OK")
        leader = nodes.leader()
        away = 1 + leader % 3
        others = sorted({1, 2, 3} - {away})
        before = nodes.members()[away]["store-id"]
        same(nodes.ask_leader("RAFT", "REMOVE", away), b"OK")
        nodes.wait_for_role(away, None)
        same(nodes.leader(), leader)
        for number in others:
            wait_for(lambda: f"link{away}" not in nodes.raft(number), what="no link")
            same(list(nodes.members(number)), others)
        term = shard_line(nodes.raft(leader))["term"]

        nodes[away].restart()  # with the data of before: nobody talks to it
        with nodes[away].client() as client:
            ask(client, "GET a", E("CLUSTERDOWN…"))  # after it waited for a leader
        info = nodes.raft(away)
        same([fields(info[f"link{number}"])["linked"] for number in others], ["0", "0"])
        same(nodes.on_leader("INCR", "n"), 1)
        same(shard_line(nodes.raft(leader))["term"], term)

        nodes.make(away, [1, 2, 3]).start(wait=False)  # an empty directory: nobody takes it in
        wait_for(lambda: "Waiting to belong to a cluster" in nodes[away].log(), what="waiting")
        same(nodes.on_leader("INCR", "n"), 2)
        same(list(nodes.members()), others)
        assert nodes[away].process.poll() is None

        nodes.add(away, others)
        same(sorted(nodes.members()), [1, 2, 3])
        assert nodes.members()[away]["store-id"] != before
        nodes[leader].kill()
        same(nodes.on_leader("GET", "n"), b"2")


@test(only="quoin")
def a_member_whose_directory_was_emptied_is_refused_under_its_number(_):
    with Nodes(3) as nodes:
        same(nodes.on_leader("SET", "a", "1"), b"OK")
        leader = nodes.leader()
        lost = 1 + leader % 3
        nodes[lost].kill()
        shutil.rmtree(nodes[lost].data)
        nodes[lost].start(wait=False)
        wait_for(lambda: "store" in nodes.raft(leader).get(f"link{lost}", "") or
                 "store" in nodes[leader].log().split("leads in term")[-1],
                 what="a refusal that names the store")
        same(nodes.members()[lost]["linked"], 0)
        same(nodes.on_leader("INCR", "n"), 1)
        same(nodes.ask_leader("RAFT", "REMOVE", lost), b"OK")
        nodes.wait_for_role(lost, None)
        nodes.add(lost, sorted({1, 2, 3} - {lost}))
        nodes[leader].kill()
        same(nodes.on_leader("GET", "a"), b"1")


@test(only="quoin")
def a_dead_node_is_removed_and_the_rest_goes_on_alone(_):
    with Nodes(3) as nodes:
        same(nodes.on_leader("SET", "a", "1"), b"OK")
        leader = nodes.leader()
        first, second = sorted({1, 2, 3} - {leader})
        nodes[first].kill()
        same(nodes.ask_leader("RAFT", "REMOVE", first), b"OK")
        nodes.wait_for_role(first, None)
        same(nodes.ask_leader("RAFT", "REMOVE", second), b"OK")
        nodes.wait_for_role(second, None)
        nodes[second].kill()
        same(nodes.on_leader("INCR", "n"), 1)
        nodes[leader].restart()
        same(nodes.on_leader("GET", "a"), b"1")
        same(list(nodes.members()), [leader])


# --- Who is not let in ---

@test(only="quoin")
def a_wrong_secret_is_refused_and_logged(_):
    with Nodes(1, count=2) as nodes:
        nodes.make(2, [1, 2], cluster_secret="another one").start(wait=False)
        ask_to_add(nodes, 2)
        wait_for(lambda: "secret" in nodes[2].log() or "secret" in nodes[1].log(),
                 what="the word secret in a log")
        same(nodes.members()[2]["role"], b"joining")
        same(nodes.members()[2]["linked"], 0)
        same(nodes.on_leader("INCR", "n"), 1)


@test(only="quoin")
def a_node_of_another_cluster_is_refused_and_logged(_):
    with Nodes(1, count=2) as nodes:
        nodes.make(2, []).start()  # alone: a cluster of its own
        with nodes[2].client() as client:
            ask(client, "SET mine 1", "OK")
        ask_to_add(nodes, 2)
        wait_for(lambda: "another cluster" in nodes[1].log() + nodes[2].log(),
                 what="the refusal in a log")
        same(nodes.members(1)[2]["role"], b"joining")
        with nodes[2].client() as client:
            ask(client, "GET mine", b"1")


@test(only="quoin")
def a_node_with_another_number_of_shards_is_not_taken_in(_):
    with Nodes(1, count=2) as nodes:
        nodes.make(2, [1, 2], shards=3).start(wait=False)
        ask_to_add(nodes, 2)
        text = "configured with shards 3, the cluster has 1"
        wait_for(lambda: text in nodes[1].log() and text in nodes[2].log(), what="the reason")
        same(nodes.members(1)[2]["role"], b"joining")


def ask_to_add(nodes, number):
    with nodes[1].client() as client:
        ask(client, f"RAFT ADD {number} {nodes.address(number)}@{nodes.peer_port(number)}", "OK")


# --- Starts that are refused ---

def refused(text, **directives):
    try:
        with Server(**directives):
            raise AssertionError(f"it started with {directives}")
    except StartFailed as failure:
        assert failure.code == 1, failure.code
        assert text in failure.output, f"expected {text!r} in\n{failure.output}"


@test(only="quoin")
def starts_that_make_no_sense_say_why(_):
    port = free_port()
    listed = f"1=127.0.0.1:{port},2=127.0.0.1:{free_port()}"
    refused("cluster: needs a cluster-secret, the same on all nodes", port=port, node=1,
            cluster=listed)
    refused("cluster: needs the directive node, which of them this one is", port=port,
            cluster=listed, cluster_secret=SECRET)
    refused("cluster: does not list node 3, which this one is", port=port, node=3, cluster=listed,
            cluster_secret=SECRET)
    for bad in (",", "1", "1=", "0=a:1", "x=a:1", "1=a", "1=a:0", "1=a:70000", "1=a:1@0", "1=:1",
                "1=a:60000", listed + ",,"):
        refused("expected number=host:port or number=host:port@port", port=port, node=1,
                cluster=bad, cluster_secret=SECRET)
    refused("cluster: '': expected number=host:port", port=port, node=1, cluster=listed + ",",
            cluster_secret=SECRET)
    refused("a node of that number stands before it", port=port, node=1,
            cluster="1=a:1,1=b:1", cluster_secret=SECRET)
    refused("too many nodes, 9 at most", port=port, node=1, cluster_secret=SECRET,
            cluster=",".join(f"{n}=a:{n}" for n in range(1, 11)))


@test(only="quoin")
def a_directory_belongs_to_the_number_it_was_made_with(_):
    with Nodes(1) as nodes:
        same(nodes.on_leader("SET", "a", "1"), b"OK")
        same(nodes[1].stop(), 0)
        nodes[1].directives["node"] = 2
        try:
            nodes[1].start()
            raise AssertionError("it started under another number")
        except StartFailed as failure:
            assert "is the data of node 1, the configuration says node 2" in failure.output, failure
        nodes[1].directives["node"] = 1
        nodes[1].start()
        same(nodes.on_leader("GET", "a"), b"1")


main()
