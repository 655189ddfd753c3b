#!/usr/bin/env python3
"""The tools of the cluster tests themselves: the network (links.py) and the clients that follow.

Two plain sockets play the nodes of the network, stand-ins (tests/lib/fake_node.py) the servers.
"""

import os
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from cluster import Failed, Follower, Unknown, Workload  # noqa: E402
from links import HELLO_NODE_AT, Links  # noqa: E402
from quoin import ROOT, die_with_parent, free_port, main, same, test, wait_for  # noqa: E402
from resp import Client, encode  # noqa: E402

FAKE = os.path.join(ROOT, "tests/lib/fake_node.py")
QUIET_SECONDS = 0.15  # in which what must not arrive would have arrived many times over


def hello(node):
    """As much of a first frame as says who dials."""
    return b"h" * HELLO_NODE_AT + struct.pack("<Q", node) + b"."


class Pair:
    """Node 1 has dialled node 2: `there` and `back` are the two ends."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(10)
        self.links = Links({1: 1, 2: self.listener.getsockname()[1]})
        self.there = self.dial(1)
        self.back, _ = self.listener.accept()
        self.back.settimeout(10)
        same(receive(self.back, len(hello(1))), hello(1))

    def dial(self, node):
        end = socket.create_connection(("127.0.0.1", self.links.ports[2]), 10)
        end.sendall(hello(node))
        return end

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.links.close()
        for end in (self.there, self.back, self.listener):
            end.close()


def receive(end, size):
    data = b""
    while len(data) < size:
        more = end.recv(size - len(data))
        assert more, f"closed after {data!r}"
        data += more
    return data


def is_silent(end):
    before = end.gettimeout()
    end.settimeout(QUIET_SECONDS)
    try:
        return not end.recv(1) and False
    except socket.timeout:
        return True
    finally:
        end.settimeout(before)


@test
def bytes_pass_both_ways_in_order():
    with Pair() as pair:
        data = os.urandom(5 << 20)
        pair.back.setblocking(False)
        pair.there.settimeout(10)
        found, sent = b"", 0
        while len(found) < len(data):
            if sent < len(data):
                sent += pair.there.send(data[sent:sent + 65536])
            try:
                found += pair.back.recv(1 << 20)
            except BlockingIOError:
                pass
        assert found == data, "other bytes"
        pair.back.setblocking(True)
        pair.back.sendall(b"answer")
        same(receive(pair.there, 6), b"answer")


@test
def a_cut_holds_bytes_back_until_it_is_healed():
    with Pair() as pair:
        pair.links.cut(1, 2)
        pair.there.sendall(b"one")
        pair.back.sendall(b"two")
        assert is_silent(pair.back) and is_silent(pair.there)
        pair.links.heal()
        same((receive(pair.back, 3), receive(pair.there, 3)), (b"one", b"two"))


@test
def a_cut_one_way_lets_the_other_way_pass():
    with Pair() as pair:
        pair.links.cut_one_way(1, 2)
        pair.there.sendall(b"one")
        pair.back.sendall(b"two")
        same(receive(pair.there, 3), b"two")
        assert is_silent(pair.back)


@test
def the_news_of_a_closed_end_waits_behind_a_cut_too():
    with Pair() as pair:
        pair.links.isolate(2)
        pair.there.close()
        assert is_silent(pair.back)
        pair.links.heal()
        same(pair.back.recv(1), b"")


@test
def slow_ways_are_late_and_stay_in_order():
    with Pair() as pair:
        pair.links.slow(1, 2, 0.2)
        begin = time.monotonic()
        pair.there.sendall(b"slow")
        same(receive(pair.back, 4), b"slow")
        assert time.monotonic() - begin >= 0.2
        pair.there.sendall(b"one")
        wait_for(lambda: pair.links.connections and any(
            connection.there.queue for connection in pair.links.connections))
        pair.links.heal()
        pair.there.sendall(b"two")
        same(receive(pair.back, 6), b"onetwo")


@test
def narrow_ways_take_time_by_the_byte():
    with Pair() as pair:
        pair.links.slow(1, 2, 0, bytes_per_s=100_000)
        begin = time.monotonic()
        pair.there.sendall(b"x" * 30_000)
        receive(pair.back, 30_000)
        assert 0.25 < time.monotonic() - begin < 5


@test
def who_is_not_there_closes_the_connection():
    with Pair() as pair:
        pair.listener.close()
        late = pair.dial(1)
        late.settimeout(10)
        same(late.recv(1), b"")
        stranger = pair.dial(7)
        stranger.settimeout(10)
        same(stranger.recv(1), b"")


# --- Clients --------------------------------------------------------------------------------------

class Stand:
    """What a Cluster is to its clients: nodes with ports."""

    def __init__(self, count, leader):
        ports = [free_port() for _ in range(count)]
        members = ",".join(f"{number}=127.0.0.1:{port}" for number, port in enumerate(ports, 1))
        self.nodes = {}
        self.processes = []
        for number, port in enumerate(ports, 1):
            self.nodes[number] = type("Node", (), {"port": port})
            self.processes.append(subprocess.Popen(
                [FAKE, "none", "--port", str(port), "--node", str(number), "--cluster", members],
                env=dict(os.environ, FAKE_LEADER=str(leader)), preexec_fn=die_with_parent))
        for port in ports:
            wait_for(lambda: answers(port), 10, "an answer")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()


def answers(port):
    try:
        with Client(port) as client:
            return client("PING") == b"PONG"
    except OSError:
        return False


def raised(kind, action):
    try:
        action()
    except kind:
        return True
    return False


@test
def clients_go_where_they_are_sent():
    with Stand(3, leader=2) as stand:
        for _ in range(5):
            client = Follower(stand, patience=5)
            same(client("SET", "k", "v"), b"OK")
            same(client.port, stand.nodes[2].port)
            client.close()


@test
def clients_give_up_when_nobody_leads_and_say_that_nothing_happened():
    with Stand(2, leader=0) as stand:
        client = Follower(stand, patience=0.1)
        assert raised(Failed, lambda: client("SET", "k", "v"))
        client.close()


@test
def clients_do_not_repeat_what_may_have_happened():
    """A server that takes the request and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        stand = type("Stand", (), {"nodes": {1: type("Node", (), {
            "port": listener.getsockname()[1]})}})
        client = Follower(stand, patience=5)
        # The connection is made by the backlog before anybody accepts it.
        client.client = Client(client.port)
        end, _ = listener.accept()
        end.shutdown(socket.SHUT_WR)
        assert raised(Unknown, lambda: client("INCR", "k"))
        same(receive(end, len(encode("INCR", "k"))), encode("INCR", "k"))
        listener.settimeout(QUIET_SECONDS)
        assert raised(socket.timeout, listener.accept), "it came again"
        end.close()


@test
def a_workload_on_an_atomic_server_is_found_right():
    with Stand(3, leader=3) as stand:
        work = Workload(stand, clients=4, pause=0.001)
        wait_for(lambda: work.history.counts()[0] > 1500, 60, "that many answers")
        answered, unknown, _ = work.finish()
        assert answered > 1500 and unknown == 0


@test
def a_workload_finds_a_value_that_was_changed_behind_its_back():
    """And an acknowledged write that is not there any more."""
    with Stand(1, leader=1) as stand:
        work = Workload(stand, clients=3, keys=1, pause=0.001)
        work.keys = ["t1"]
        wait_for(lambda: work.history.counts()[0] > 300, 60, "that many answers")
        work.stop()
        with Client(stand.nodes[1].port) as client:
            client("SET", "t1", "behind its back")
            assert raised(AssertionError, work.finish)
            client("DEL", work.workers[0].kept[0])
            assert raised(AssertionError, lambda: work.check_kept(Follower(stand)))


main()
