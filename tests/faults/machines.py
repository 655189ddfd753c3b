#!/usr/bin/env python3
"""What happens to the machines of a cluster: disks that do not answer, rows and logs that are gone,
clocks that are an hour off, values larger than what goes over a link at once, members that change
while others die.

test-timeout: 600
"""

import contextlib
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from cluster import Cluster, Follower, Workload, distinct_ports  # noqa: E402
from quoin import ROOT, Server, StartFailed, main, same, test, wait_for  # noqa: E402

PRELOAD = os.path.join(ROOT, os.environ.get("QUOIN_PRELOAD", "build/preload"))
HOUR = 3600
TTL_MS = 4000
SKEW_MAX_MS = 500  # clock-skew-max


@contextlib.contextmanager
def preloaded(library, variable):
    """A cluster whose nodes have the library in front; with a file for each that rules it."""
    with Cluster(3, start=False) as cluster:
        rules = {number: os.path.join(cluster.directory, f"rule-{number}")
                 for number in cluster.nodes}
        try:
            os.environ["LD_PRELOAD"] = os.path.join(PRELOAD, library)
            for number, server in cluster.nodes.items():
                os.environ[variable] = rules[number]
                server.start(wait=False)
        finally:
            os.environ.pop("LD_PRELOAD", None)
            os.environ.pop(variable, None)
        cluster.wait_for_leader()
        for number in cluster.nodes:
            cluster.wait_until_answers(number)
        yield cluster, rules


def rule(path, text):
    with open(path + ".new", "w") as file:
        file.write(text + "\n")
    os.rename(path + ".new", path)


def transfer(cluster, to):
    """The shard is led by that node when this returns."""
    def leads():
        leader = cluster.wait_for_leader()
        if leader != to:
            with cluster.client(leader) as client:
                client("RAFT", "TRANSFER", 0, to)
        return cluster.leader() == to
    wait_for(leads, 20, f"node {to} to lead")


# --- Disks --------------------------------------------------------------------------------------

@test
def a_leader_whose_disk_does_not_answer_leaves_leading_to_others(_):
    with preloaded("broken_disk.so", "BROKEN_DISK") as (cluster, rules):
        work = Workload(cluster, clients=4)
        for _round in range(2):
            stuck = cluster.wait_for_leader()
            rule(rules[stuck], "sync /wal/ 0")
            began = time.monotonic()
            cluster.wait_for_leader(other_than=stuck)
            assert time.monotonic() - began < 5, "it went on leading"
            work.wait_for_service(time.monotonic())
            os.remove(rules[stuck])
            cluster.wait_until_caught_up(stuck)
        work.finish()
        cluster.wait_until_equal()


@test
def a_follower_whose_disk_does_not_answer_slows_nobody(_):
    with preloaded("broken_disk.so", "BROKEN_DISK") as (cluster, rules):
        leader = cluster.wait_for_leader()
        stuck = cluster.followers(leader)[0]
        rule(rules[stuck], "sync /wal/ 0")
        took = []
        with cluster.client(leader) as client:
            for number in range(200):
                began = time.monotonic()
                same(client("SET", f"k{number}", number), b"OK")
                took.append(time.monotonic() - began)
        assert sorted(took)[100] < 0.25, f"median {sorted(took)[100]:.3f} s"
        same(cluster.leader(), leader)
        os.remove(rules[stuck])
        cluster.wait_until_caught_up(stuck)
        cluster.wait_until_equal()


# --- Rows and logs that are gone ----------------------------------------------------------------

def data_of(cluster, number):
    return os.path.join(cluster.nodes[number].directory, "data")


def filled(cluster):
    with cluster.client(cluster.wait_for_leader()) as client:
        for batch in range(10):
            same(set(client.pipeline(*[("SET", f"k{batch}:{number}", number)
                                       for number in range(200)])), {b"OK"})
        same(client("DBSIZE"), 2000)


@test
def lost_rows_come_back_from_the_others(_):
    """The promises are whole, so it goes on under its number; then it must lead by itself."""
    with Cluster(3) as cluster:
        filled(cluster)
        victim = cluster.followers(cluster.wait_for_leader())[0]
        cluster.kill9(victim)
        os.remove(os.path.join(data_of(cluster, victim), "shard-0000", "CURRENT"))
        cluster.restart(victim)
        assert "rows_lost" in cluster.info(victim, "raft")["cold_start"]
        cluster.wait_until_caught_up(victim)
        cluster.wait_until_equal()
        transfer(cluster, victim)
        with cluster.client(victim) as client:
            same(client("DBSIZE"), 2000)
            same(client("GET", "k3:77"), b"77")
        cluster.restart(victim)
        assert "rows_lost" not in cluster.info(victim, "raft")["cold_start"]


@test
def who_lost_its_promises_does_not_start_under_its_number(_):
    with Cluster(3) as cluster:
        filled(cluster)
        leader = cluster.wait_for_leader()
        with cluster.client(leader) as client:
            client("RAFT", "SNAPSHOT")
        victim = cluster.followers(leader)[0]
        with cluster.client(victim) as client:
            client("RAFT", "SNAPSHOT")
            wait_for(lambda: int(cluster.shard(victim)["mark"]) > 0, what="a mark")
        cluster.kill9(victim)
        shutil.rmtree(os.path.join(data_of(cluster, victim), "wal"))
        try:
            cluster.nodes[victim].start()
        except StartFailed as failure:
            assert "promises lost" in failure.output, failure.output
        else:
            raise AssertionError("it started")
        with cluster.client(leader) as client:  # the others go on
            same(client("GET", "k3:77"), b"77")


@test
def a_value_larger_than_what_goes_over_a_link_at_once_arrives(_):
    """Rows for a member that was away, one of them larger than the window of the stream."""
    with Cluster(3, log_tail="64kb", flush_bytes="64kb", wal_segment_size="1mb") as cluster:
        leader = cluster.wait_for_leader()
        victim = cluster.followers(leader)[0]
        cluster.kill9(victim)
        large = os.urandom(7 << 20)
        with cluster.client(leader, timeout=30) as client:
            same(client("HSET", "h", "large", large, "small", "x"), 2)
            same(client("RPUSH", "l", *[b"e" * 300 for _ in range(2000)]), 2000)
            for number in range(400):
                same(client("SET", "filler", os.urandom(1000) + b"%d" % number), b"OK")
            same(client("RAFT", "SNAPSHOT"), b"OK")
            wait_for(lambda: int(cluster.shard(leader)["base"]) > 100, 60, "a compacted log")
        cluster.restart(victim)
        cluster.wait_until_caught_up(victim)
        assert int(cluster.info(victim, "raft")["installs_received"]) >= 1
        transfer(cluster, victim)
        with cluster.client(victim, timeout=30) as client:
            same(client("HGET", "h", "large"), large)
            same(client("LLEN", "l"), 2000)


# --- Clocks -------------------------------------------------------------------------------------

def lifetime_ms(cluster, setter, reader):
    """How long a key of TTL_MS lives that is set while one node leads and asked for at another."""
    key = f"ttl:{time.monotonic_ns()}"
    transfer(cluster, setter)
    with cluster.client(setter) as client:
        began = time.monotonic()
        same(client("SET", key, "v", "PX", TTL_MS), b"OK")
    transfer(cluster, reader)
    with cluster.client(reader) as client:
        wait_for(lambda: client("GET", key) is None, 60, "the end of the key")
        return (time.monotonic() - began) * 1000


@test
def clocks_an_hour_off_neither_kill_keys_early_nor_keep_them(_):
    with preloaded("skewed_clock.so", "SKEWED_CLOCK") as (cluster, rules):
        wrong, right = cluster.followers(cluster.wait_for_leader())
        for skew in (HOUR, -HOUR):
            rule(rules[wrong], str(skew))
            for setter, reader in ((wrong, right), (right, wrong), (wrong, wrong)):
                lived = lifetime_ms(cluster, setter, reader)
                print(f"# clock {skew:+d} s, set by the {'wrong' if setter == wrong else 'right'} "
                      f"one: lived {lived:.0f} ms of {TTL_MS}")
                assert lived > TTL_MS - SKEW_MAX_MS - 20, f"died early, after {lived:.0f} ms"
                assert lived < 1.2 * TTL_MS, f"lived {lived:.0f} ms"


# --- Members ------------------------------------------------------------------------------------

def fourth_node(cluster):
    port, peer_port = distinct_ports(2)
    listed = cluster.nodes[1].directives["cluster"]
    directory = os.path.join(cluster.directory, "node-4")
    os.mkdir(directory)
    cluster.nodes[4] = Server(directory=directory, start=False, port=port, node=4,
                              cluster=f"{listed},4=127.0.0.1:{port}@{peer_port}",
                              cluster_port=peer_port, cluster_secret=cluster.secret)
    cluster.nodes[4].start(wait=False)
    return f"127.0.0.1:{port}@{peer_port}"


def roles(cluster):
    """node -> voter, learner …, as the leader of the first shard tells; {} while it does not."""
    leader = cluster.leader()
    if leader is None:
        return {}
    with cluster.client(leader) as client:
        members = [dict(zip(member[::2], member[1::2])) for member in client("RAFT", "MEMBERS")]
    return {int(member[b"node"]): member[b"role"] for member in members}


def ask_until(cluster, done, what, *words):
    """Asks the leader, whoever that is by then, until it is so."""
    def ask():
        if done():
            return True
        leader = cluster.leader()
        if leader is not None:
            with contextlib.suppress(OSError), cluster.client(leader) as client:
                client(*words)
        return done()
    wait_for(ask, 60, what)


@test
def members_change_while_leaders_die(_):
    with Cluster(3) as cluster:
        work = Workload(cluster, clients=4)
        address = fourth_node(cluster)
        with cluster.client(cluster.wait_for_leader()) as client:
            same(client("RAFT", "ADD", 4, address), b"OK")
        killed = cluster.wait_for_leader()
        cluster.kill9(killed)
        cluster.wait_for_leader(other_than=killed)
        ask_until(cluster, lambda: roles(cluster).get(4) == b"voter", "the fourth voter",
                  "RAFT", "ADD", 4, address)
        cluster.restart(killed)
        cluster.wait_until_caught_up(killed)  # one at a time may be away
        gone = cluster.followers(cluster.wait_for_leader())[0]
        ask_until(cluster, lambda: gone not in roles(cluster), "three members again",
                  "RAFT", "REMOVE", gone)
        cluster.nodes.pop(gone).kill()
        killed = cluster.wait_for_leader()
        cluster.kill9(killed)
        work.wait_for_service(time.monotonic())
        cluster.restart(killed)
        work.finish()
        same(len(roles(cluster)), 3)
        reader = Follower(cluster)
        same(reader("PING"), b"PONG")
        reader.close()


main()
