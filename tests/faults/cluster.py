#!/usr/bin/env python3
"""Three nodes under faults: killed, frozen, cut off, slowed, restarted in any order.

Each test runs recorded clients (tests/lib/cluster.py) and ends with every key's history checked
for linearizability and every acknowledged write looked for. QUOIN_SOAK multiplies the rounds.
test-timeout: 900
"""

import os
import random
import re
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from cluster import Cluster, Follower, Unknown, Workload  # noqa: E402
from quoin import main, same, test, wait_for  # noqa: E402
from resp import Error  # noqa: E402

SOAK = 10 if os.environ.get("QUOIN_SOAK") else 1
FAILOVERS = 30 * SOAK
SERVICE_SECONDS_MAX = 10      # without service after one fault that leaves a majority
ELECTION_SECONDS = 2          # more than any election timeout: who is cut off that long was noticed
ANSWERED_MIN = 300            # operations of a workload, or it has tested nothing
LATENCY_SECONDS_MAX = 0.25    # of a write's median, with a majority of healthy nodes


class Gaps:
    """Times without service as clients see it, told at the end. Where nobody closes connections
    (a freeze, a cut) that is mostly how long clients wait for an answer, not the election."""

    def __init__(self, what):
        self.what = what
        self.seconds = []

    def add(self, seconds):
        self.seconds.append(seconds)

    def tell(self):
        worst, median = max(self.seconds), statistics.median(self.seconds)
        print(f"# {self.what}: {len(self.seconds)} times, without service median {median:.2f} s, "
              f"worst {worst:.2f} s")
        assert worst < SERVICE_SECONDS_MAX, f"{worst:.1f} s without service"


def tell(work):
    """Ends a workload once it got something done."""
    wait_for(lambda: work.history.counts()[0] > ANSWERED_MIN, 60, "that many answers")
    answered, unknown, failed = work.finish()
    print(f"# {answered} operations answered, {unknown} of unknown outcome, {failed} refused")
    assert answered > unknown, "most outcomes are unknown"


def pass_time(draw, low, high):
    """How long a fault lasts is drawn: this is part of the fault, and not a wait for anything."""
    time.sleep(draw.uniform(low, high))


def drawn(name):
    seed = time.time_ns()
    print(f"# {name}: seed {seed}")
    return random.Random(seed)


# --- Death --------------------------------------------------------------------------------------

def fail_over(cluster, rounds, shards=1):
    draw, gaps = drawn("fail over"), Gaps("kill -9 of a leader")
    work = Workload(cluster, clients=5)
    for number in range(rounds):
        leader = cluster.wait_for_leader(shard=number % shards)
        killed = time.monotonic()
        cluster.kill9(leader)
        gaps.add(work.wait_for_service(killed))
        cluster.wait_for_leader(shard=number % shards)
        cluster.restart(leader)
        pass_time(draw, 0, 0.3)
    tell(work)
    gaps.tell()


@test
def killed_leaders_cost_no_acknowledged_write(_):
    """Several clusters, since one history gets harder to judge with each unknown outcome."""
    for _ in range(3):
        with Cluster(3) as cluster:
            fail_over(cluster, FAILOVERS // 3)


@test
def killed_leaders_of_four_shards_cost_no_acknowledged_write(_):
    with Cluster(3, shards=4) as cluster:
        fail_over(cluster, 4 * SOAK, shards=4)


@test
def nodes_killed_all_at_once_and_started_in_any_order_keep_everything(_):
    draw = drawn("any order")
    with Cluster(3) as cluster:
        for _ in range(5 * SOAK):
            work = Workload(cluster, clients=4, patience=1)
            pass_time(draw, 0.3, 0.8)
            order = draw.sample(list(cluster.nodes), 3)
            for number in draw.sample(order, 3):
                cluster.kill9(number)
            cluster.nodes[order[0]].start(wait=False)
            pass_time(draw, 0, 0.5)
            cluster.start(order)
            pass_time(draw, 0.2, 0.4)
            tell(work)
            with_empty_keys(cluster, work)


def with_empty_keys(cluster, work):
    """The next history starts from nothing."""
    client = Follower(cluster)
    for key in work.keys:
        client("DEL", key)
    client.close()


@test
def nodes_stopped_one_after_the_other_are_not_missed(_):
    """As in an upgrade: SIGTERM, a start, the next one."""
    draw = drawn("upgrade")
    with Cluster(3) as cluster:
        work = Workload(cluster, clients=4)
        for number in draw.sample(list(cluster.nodes), 3):
            cluster.restart(number, hard=False)
            cluster.wait_for_leader()
            cluster.wait_until_caught_up(number)
        tell(work)


@test
def a_minority_serves_nobody(_):
    """Two of three are dead: nothing is acknowledged, nothing is read, and nothing is lost."""
    with Cluster(3) as cluster:
        client = Follower(cluster, timeout=1, patience=10)
        same(client("SET", "k", "v"), b"OK")
        leader = cluster.leader()
        for number in cluster.followers(leader):
            cluster.kill9(number)
        wait_for(lambda: cluster.leader() is None, what="the end of its lead")
        for request in (("SET", "k", "w"), ("GET", "k"), ("SETNX", "k", "w")):
            same((request, refused_or_silent(cluster, leader, *request)), (request, True))
        cluster.start()
        value = client("GET", "k")
        assert value in (b"v", b"w"), f"found {value}"
        client.close()


def refused_or_silent(cluster, number, *request):
    with cluster.client(number, timeout=1) as client:
        try:
            return isinstance(client(*request), Error)
        except OSError:
            return True


# --- Freezing -------------------------------------------------------------------------------------

@test
def frozen_leaders_are_replaced_and_return_as_followers(_):
    draw, gaps = drawn("frozen leaders"), Gaps("SIGSTOP of the leader")
    with Cluster(3) as cluster:
        work = Workload(cluster, clients=5, timeout=1)
        for _ in range(4 * SOAK):
            leader = cluster.wait_for_leader()
            stopped = time.monotonic()
            cluster.pause(leader)
            cluster.wait_for_leader(other_than=leader)
            gaps.add(work.wait_for_service(stopped))
            pass_time(draw, 0, 1)
            cluster.resume(leader)
            cluster.wait_until_answers(leader)
        tell(work)
        gaps.tell()


@test
def leaders_frozen_shortly_answer_nothing_old(_):
    """For about as long as an election takes: it may be over or not when the leader wakes."""
    draw = drawn("short")
    with Cluster(3) as cluster:
        work = Workload(cluster, clients=5, timeout=2)
        for _ in range(12 * SOAK):
            leader = cluster.wait_for_leader()
            cluster.pause(leader)
            pass_time(draw, 0.05, 0.6)
            cluster.resume(leader)
            pass_time(draw, 0, 0.3)
        tell(work)


@test
def what_waits_in_a_frozen_leaders_socket_gets_no_old_answer(_):
    """Its lease ran out while it slept, and the clock is read after the input (L9)."""
    for _ in range(3 * SOAK):
        with Cluster(3) as cluster:
            answer_after_thaw(cluster, is_cut_off=False)


@test
def nor_does_it_when_no_node_tells_the_thawed_leader_of_its_fall(_):
    """Nothing but its own clock can say so: what its peers sent is held back."""
    for _ in range(3 * SOAK):
        with Cluster(3) as cluster:
            answer_after_thaw(cluster, is_cut_off=True)


def answer_after_thaw(cluster, is_cut_off):
    leader = cluster.leader()
    writer = Follower(cluster, timeout=1)
    same(writer("SET", "k", "old"), b"OK")
    same(writer("SET", "gone", "old"), b"OK")
    readers = [cluster.client(leader, timeout=20) for _ in range(3)]
    for reader in readers:
        reader("PING")
    cluster.pause(leader)
    if is_cut_off:
        cluster.links.isolate(leader)
    cluster.wait_for_leader(other_than=leader)
    writer.go_elsewhere()
    write_elsewhere(writer, leader, "SET", "k", "new")
    write_elsewhere(writer, leader, "DEL", "gone")
    for reader, request in zip(readers, [("GET", "k"), ("SETNX", "gone", "late"),
                                         ("EXISTS", "gone")]):
        reader.send(*request)
    cluster.resume(leader)
    for reader, right in zip(readers, [(b"new",), (1,), (0, 1)]):
        reply = reader.read()
        assert isinstance(reply, Error) or reply in right, f"found {reply}, right is {right}"
        reader.close()
    cluster.links.heal()
    same(writer("GET", "k"), b"new")
    writer.close()


def write_elsewhere(writer, frozen, *words):
    """Followers may send us to the frozen one until they know better: that time nothing arrives,
    so both writes, whose effect is the same twice, are simply asked for again."""
    def answered():
        try:
            return writer(*words) is not None
        except Unknown:
            return False
    wait_for(answered, 30, f"an answer while node {frozen} is frozen")


# --- Cut links ------------------------------------------------------------------------------------

def under_cuts(name, cut, rounds, heals=False):
    """cut(cluster, leader, draw) again and again; service must come back while it lasts."""
    draw, gaps = drawn(name), Gaps(name)
    with Cluster(3) as cluster:
        work = Workload(cluster, clients=5, timeout=1)
        for _ in range(rounds):
            leader = cluster.wait_for_leader()
            begin = time.monotonic()
            cut(cluster, leader, draw)
            if heals:
                pass_time(draw, 0, ELECTION_SECONDS)
                cluster.links.heal()
            gaps.add(work.wait_for_service(begin))
            if not heals:
                pass_time(draw, 0, 1)
                cluster.links.heal()
        cluster.wait_for_leader()
        tell(work)
        cluster.wait_until_equal()
        gaps.tell()


@test
def leaders_cut_off_both_ways_are_replaced(_):
    under_cuts("leader isolated", lambda cluster, leader, _: cluster.links.isolate(leader),
               4 * SOAK)


@test
def leaders_cut_off_for_a_moment_do_no_harm(_):
    under_cuts("leader isolated shortly",
               lambda cluster, leader, _: cluster.links.isolate(leader), 5 * SOAK, heals=True)


@test
def leaders_whom_nobody_hears_are_replaced(_):
    def cut(cluster, leader, _draw):
        for other in cluster.followers(leader):
            cluster.links.cut_one_way(leader, other)
    under_cuts("leader not heard", cut, 3 * SOAK)


@test
def leaders_who_hear_nobody_are_replaced(_):
    def cut(cluster, leader, _draw):
        for other in cluster.followers(leader):
            cluster.links.cut_one_way(other, leader)
    under_cuts("leader does not hear", cut, 3 * SOAK)


@test
def a_follower_who_hears_nobody_disturbs_nobody(_):
    def cut(cluster, leader, draw):
        victim = draw.choice(cluster.followers(leader))
        for other in cluster.followers(victim):
            cluster.links.cut_one_way(other, victim)
    under_cuts("follower does not hear", cut, 3 * SOAK)


@test
def one_link_cut_leaves_a_majority_and_service(_):
    """The two at its ends both reach the third."""
    def cut(cluster, _leader, draw):
        cluster.links.cut(*draw.sample(list(cluster.nodes), 2))
    under_cuts("one link cut", cut, 4 * SOAK)


@test
def flapping_links_do_no_harm(_):
    def cut(cluster, _leader, draw):
        for _ in range(draw.randint(5, 20)):
            one, other = draw.sample(list(cluster.nodes), 2)
            draw.choice([cluster.links.cut, cluster.links.cut_one_way])(one, other)
            pass_time(draw, 0.01, 0.2)
            if draw.random() < 0.5:
                cluster.links.heal()
    under_cuts("flapping", cut, 4 * SOAK, heals=True)


@test
def slow_links_do_no_harm(_):
    def cut(cluster, _leader, draw):
        for one in cluster.nodes:
            for other in cluster.followers(one):
                cluster.links.slow(one, other, draw.choice([0, 0.005, 0.03]),
                                   draw.choice([None, None, 200_000]))
    under_cuts("slow links", cut, 4 * SOAK)


@test
def everything_at_once_does_no_harm(_):
    draw = drawn("everything")
    for _ in range(SOAK):
        with Cluster(3) as cluster:
            work = Workload(cluster, clients=5, timeout=1, patience=5)
            for _ in range(15):
                trouble(cluster, draw)
                pass_time(draw, 0, 0.6)
                if draw.random() < 0.5:
                    cluster.mend()
            cluster.mend()
            tell(work)
            cluster.wait_until_equal()


def trouble(cluster, draw):
    """One drawn fault on top of those there are."""
    one, other = draw.sample(list(cluster.nodes), 2)
    kind = draw.choice(["kill", "pause", "cut", "one way", "isolate", "slow"])
    if kind == "kill" and cluster.runs(one):
        cluster.kill9(one)
    elif kind == "pause" and cluster.runs(one) and one not in cluster.paused:
        cluster.pause(one)
    elif kind == "cut":
        cluster.links.cut(one, other)
    elif kind == "one way":
        cluster.links.cut_one_way(one, other)
    elif kind == "isolate":
        cluster.links.isolate(one)
    elif kind == "slow":
        cluster.links.slow(one, other, draw.uniform(0, 0.1))


# --- One who lags -----------------------------------------------------------------------------

def write_seconds(cluster, count=150):
    """Medians of writes one after the other."""
    client = Follower(cluster)
    client.port = cluster.nodes[cluster.wait_for_leader()].port  # not one that is frozen
    client("SET", "warm", "up")
    seconds = []
    for number in range(count):
        begin = time.monotonic()
        same(client("SET", f"timed:{number}", "v"), b"OK")
        seconds.append(time.monotonic() - begin)
    client.close()
    return statistics.median(seconds), max(seconds)


def lagging(what, fault):
    with Cluster(3) as cluster:
        before, _ = write_seconds(cluster)
        leader = cluster.leader()
        fault(cluster, leader, cluster.followers(leader)[0])
        median, worst = write_seconds(cluster)
        print(f"# {what}: a write takes {median * 1000:.2f} ms, at worst {worst * 1000:.0f} ms, "
              f"before {before * 1000:.2f} ms")
        assert median < max(LATENCY_SECONDS_MAX, 5 * before), f"{median * 1000:.0f} ms"
        same(cluster.leader(), leader)
        cluster.mend()
        cluster.wait_until_equal()


@test
def a_dead_follower_slows_nobody(_):
    lagging("one dead", lambda cluster, _, follower: cluster.kill9(follower))


@test
def a_frozen_follower_slows_nobody(_):
    lagging("one frozen", lambda cluster, _, follower: cluster.pause(follower))


@test
def a_follower_behind_slow_links_slows_nobody(_):
    def slow(cluster, leader, follower):
        cluster.links.slow(leader, follower, 0.15, 100_000)
        cluster.links.slow(follower, leader, 0.15, 100_000)
    lagging("one behind slow links", slow)


@test
def a_follower_that_missed_much_catches_up(_):
    """More than one frame's worth, so that it is sent in pieces, and then equal rows."""
    with Cluster(3) as cluster:
        leader = cluster.leader()
        follower = cluster.followers(leader)[0]
        cluster.kill9(follower)
        with cluster.client(leader) as client:
            replies = client.pipeline(*[("SET", f"k{number}", "x" * 20000)
                                        for number in range(400)])
        same(set(replies), {b"OK"})
        cluster.restart(follower)
        cluster.wait_until_equal()
        cluster.kill9(cluster.followers(leader)[1])
        cluster.kill9(leader)
        cluster.start(order=[follower, *cluster.followers(follower)])
        client = Follower(cluster)
        same(client("EXISTS", *[f"k{number}" for number in range(400)]), 400)
        client.close()


# --- One who needs all rows anew --------------------------------------------------------------

def outrun(cluster, number, applied):
    """Writes until the leader's log begins behind what the (dead) node has."""
    with cluster.client(cluster.wait_for_leader(other_than=number)) as client:
        def is_outrun():
            replies = client.pipeline(*[("SET", f"bulk:{key}", os.urandom(2000))
                                        for key in range(100)])
            same(set(replies), {b"OK"})
            return int(cluster.shard(cluster.leader())["base"]) > applied
        wait_for(is_outrun, 60, "a log that begins behind it")


@test
def a_node_that_gets_all_rows_anew_has_them_all(_):
    """Now and then killed in the middle of it; at the end it must lead by itself."""
    draw = drawn("installs")
    with Cluster(3, log_tail="64kb", flush_bytes="64kb", wal_segment_size="1mb") as cluster:
        for _ in range(3 * SOAK):
            work = Workload(cluster, clients=3)
            victim = draw.choice(cluster.followers(cluster.wait_for_leader()))
            applied = int(cluster.shard(victim)["applied"])
            cluster.kill9(victim)
            outrun(cluster, victim, applied)
            while draw.random() < 0.7:
                cluster.nodes[victim].start(wait=False)
                pass_time(draw, 0, 0.5)
                cluster.kill9(victim)
            cluster.restart(victim)
            cluster.wait_until_caught_up(victim)
            tell(work)
            cluster.wait_until_equal()
            assert was_installed(cluster, victim, applied), "it got the entries instead"
            lead_by_itself(cluster, victim)
            with_empty_keys(cluster, work)


def was_installed(cluster, number, applied):
    """In this life or an earlier one: rows of a later index than it died with came whole."""
    with open(cluster.nodes[number].log_path, errors="replace") as file:
        found = re.findall(r"rows as of index (\d+) installed", file.read())
    return any(int(index) > applied for index in found)


def lead_by_itself(cluster, number):
    """Leaders are killed until it leads; then it answers as the others did."""
    before = bulk(cluster)
    while cluster.leader() != number:
        leader = cluster.wait_for_leader()
        if leader != number:
            cluster.kill9(leader)
            cluster.wait_for_leader(other_than=leader)
            cluster.restart(leader)
    assert bulk(cluster) == before, "other values"


def bulk(cluster):
    client = Follower(cluster)
    try:
        return client("MGET", *[f"bulk:{key}" for key in range(100)])
    finally:
        client.close()


# --- One long command -------------------------------------------------------------------------

@test
def a_long_command_on_the_leader_causes_no_election(_):
    """The pulse says that the leader lives while its loop does not turn."""
    with Cluster(3) as cluster:
        leader, term = cluster.leader(), cluster.term()
        with cluster.client(leader, timeout=20) as client:
            begin = time.monotonic()
            same(client("DEBUG", "SLEEP", "3"), b"OK")
            assert time.monotonic() - begin >= 3
            reply = client("SET", "k", "v")
        same(reply, b"OK")
        same((cluster.leader(), cluster.term()), (leader, term))


@test
def while_a_leader_runs_a_long_command_others_wait_and_lose_nothing(_):
    with Cluster(3) as cluster:
        leader = cluster.leader()
        work = Workload(cluster, clients=4, timeout=10)
        sleeper = threading.Thread(target=sleep_on, args=(cluster, leader, 2))
        sleeper.start()
        sleeper.join()
        work.wait_for_service(time.monotonic())
        same(cluster.leader(), leader)
        tell(work)


def sleep_on(cluster, number, seconds):
    with cluster.client(number, timeout=20) as client:
        client("DEBUG", "SLEEP", str(seconds))


main()
