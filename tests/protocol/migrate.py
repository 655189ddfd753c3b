#!/usr/bin/env python3
"""MIGRATE: to Redis and back, to another Quoin, and to targets that fail in every way.

test-timeout: 240
"""

import contextlib
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from cluster import Cluster  # noqa: E402
from quoin import E, Server, ask, asks, free_port, main, same, test, wait_for  # noqa: E402
from resp import Error  # noqa: E402

CONNECTING = E("IOERR error or timeout connecting to the client")
WRITING = E("IOERR error or timeout writing to target instance")
READING = E("IOERR error or timeout reading to target instance")
NOT_INT = E("ERR value is not an integer or out of range")
SYNTAX = E("ERR syntax error")
HOST = "127.0.0.1"
HOUR = 3600 * 1000


class Target:
    """Listens and does what `serve` says with each connection, in a thread."""

    def __init__(self, serve):
        self.serve = serve
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        self.accepted = threading.Event()
        self.received = b""
        self.open = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.open.append(connection)
                self.accepted.set()
                self.serve(self, connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        for connection in self.open:
            connection.close()

    def read(self, connection):
        data = connection.recv(1 << 16)
        self.received += data
        return data


def hang(_target, _connection):
    pass


def close_at_once(_target, connection):
    connection.close()


def answering(*lines, then_close=True):
    """Reads what comes, and answers these lines whatever it was."""
    def serve(target, connection):
        with contextlib.suppress(OSError):
            target.read(connection)
            for line in lines:
                connection.sendall(line + b"\r\n")
            if then_close:
                connection.close()
    return serve


def fill(client):
    asks(client, ("SET string text", "OK"),
         ("SET number 123456789", "OK"), ("RPUSH list a b 3", 3), ("SADD numbers 1 2 3", 3),
         ("SADD set a b c", 3), ("HSET hash f v g w", 2), ("ZADD zset 1.5 a -2 b", 2),
         ("XADD stream 1-1 f v", b"1-1"), ("XADD stream 2-1 g w", b"2-1"),
         ("XGROUP CREATE stream group 1", "OK"), ("SET dying v PX 100000", "OK"))
    for number in range(3000):
        client.send("RPUSH", "biglist", f"element {number}")
        client.send("HSET", "bighash", f"field {number}", number)
        client.send("ZADD", "bigzset", number * 0.5, f"member {number}")
    for _ in range(9000):
        client.read()


NAMES = ("string", "number", "list", "numbers", "set", "hash", "zset", "stream", "dying",
         "biglist", "bighash", "bigzset")


def content(client):
    found = {"stream": client("XRANGE", "stream", "-", "+"), "dying": client("GET", "dying"),
             "group": client("XINFO", "GROUPS", "stream")[0][1]}
    for name in ("string", "number"):
        found[name] = client("GET", name)
    for name in ("list", "biglist"):
        found[name] = client("LRANGE", name, 0, -1)
    for name in ("set", "numbers"):
        found[name] = sorted(client("SMEMBERS", name))
    for name in ("hash", "bighash"):
        flat = client("HGETALL", name)
        found[name] = sorted(zip(flat[::2], flat[1::2]))
    for name in ("zset", "bigzset"):
        found[name] = client("ZRANGE", name, 0, -1, "WITHSCORES")
    return found


def moves_everything(source, target):
    with source.client() as here, target.client() as there:
        asks(here, ("FLUSHALL", "OK"))
        asks(there, ("FLUSHALL", "OK"), ("SELECT 3", "OK"))
        fill(here)
        before = content(here)
        for name in NAMES[:5]:
            ask(here, ("MIGRATE", HOST, target.port, name, 3, 5000), "OK")
        ask(here, ("MIGRATE", HOST, target.port, "", 3, 5000, "KEYS", "nosuch") + NAMES[5:], "OK")
        ask(here, "DBSIZE", 0)
        same(content(there), before)
        assert 90000 < there("PTTL", "dying") <= 100000


@test(only="quoin")
def every_type_moves_to_redis_and_back_and_to_another_quoin(_):
    with Server() as one, Server(shards=1, port=free_port()) as other, \
            Server(target="redis") as redis:
        moves_everything(one, redis)
        moves_everything(redis, one)
        moves_everything(one, other)
        moves_everything(other, redis)


@test
def arguments_are_checked_as_in_redis(server, r):
    port = server.port
    asks(r, ("MIGRATE h 1 k 0 x", NOT_INT), ("MIGRATE h 1 k x 1", NOT_INT),
         ("MIGRATE h 1 k 0 1 FOO", SYNTAX), ("MIGRATE h 1 k 0 1 AUTH", SYNTAX),
         ("MIGRATE h 1 k 0 1 AUTH2 a", SYNTAX),
         ("MIGRATE h 1 k 0 1 KEYS a b",
          E("ERR When using MIGRATE KEYS option, the key argument must be set to the empty "
            "string")),
         ("MIGRATE h x k 0 1", "NOKEY"), (("MIGRATE", HOST, port, "", 0, 100, "KEYS"), "NOKEY"),
         (("MIGRATE", HOST, port, "", 0, 100, "KEYS", "a", "b"), "NOKEY"),
         (("MIGRATE", HOST, port, "", 0, 100), "NOKEY"),
         ("MIGRATE h 1 k 0", E("ERR wrong number of arguments for 'migrate' command")))


@test
def who_cannot_be_reached_gets_nothing(r):
    ask(r, "SET k v", "OK")
    asks(r, (("MIGRATE", HOST, free_port(), "k", 0, 1000), WRITING),
         (("MIGRATE", HOST, "x", "k", 0, 1000), WRITING),
         ("MIGRATE no.such.host.invalid 6379 k 0 1000", CONNECTING), ("GET k", b"v"))


@test
def a_target_that_hangs_or_breaks_takes_nothing(r):
    ask(r, "SET k v", "OK")
    for serve, error in ((hang, READING), (answering(b"+OK"), READING), (answering(), READING)):
        with Target(serve) as target:
            begin = time.monotonic()
            ask(r, ("MIGRATE", HOST, target.port, "k", 0, 300), error)
            assert time.monotonic() - begin < 10
    with Target(close_at_once) as target:
        reply = r("MIGRATE", HOST, target.port, "k", 0, 1000)
        assert reply in (Error(WRITING.encode()), Error(READING.encode())), reply
    ask(r, "GET k", b"v")


@test
def what_the_target_says_is_passed_on(r):
    ask(r, "SET k v", "OK")
    error = E("ERR Target instance replied with error: NOPE really")
    for lines in ((b"-NOPE really", b"+OK"), (b"+OK", b"-NOPE really"),
                  (b"-NOPE really", b"-OTHER")):
        with Target(answering(*lines)) as target:
            asks(r, (("MIGRATE", HOST, target.port, "k", 0, 1000), error), ("GET k", b"v"))


@test(only="quoin")
def garbage_is_no_consent(r):
    ask(r, "SET k v", "OK")
    for lines in ((b"+OK", b":1"), (b"+OK", b""), (b"+OK", b"$2", b"OK"), (b"+OK", b"x" * 100000)):
        with Target(answering(*lines)) as target:
            reply = r("MIGRATE", HOST, target.port, "k", 0, 1000)
            assert isinstance(reply, Error), reply
            ask(r, "GET k", b"v")


@test
def only_what_the_target_took_is_deleted(r):
    for count, lines in ((3, (b"+OK", b"+OK", b"-NO", b"+OK")), (3, (b"+OK", b"+OK"))):
        r.pipeline(*[("SET", f"{{t}}{number}", number) for number in range(count)])
        with Target(answering(*lines)) as target:
            reply = r("MIGRATE", HOST, target.port, "", 0, 1000, "KEYS",
                      *[f"{{t}}{number}" for number in range(count)])
            assert isinstance(reply, Error), reply
        left = [r("GET", f"{{t}}{number}") for number in range(count)]
        taken = [line == b"+OK" for line in lines[1:]] + [False] * count
        same([value is None for value in left], taken[:count])


@test
def copy_keeps_and_replace_replaces(r):
    with Server() as target, target.client() as there:
        busy = E("ERR Target instance replied with error: BUSYKEY Target key name already exists.")
        to = ("MIGRATE", HOST, target.port)
        asks(r, ("SET k one", "OK"), (to + ("k", 0, 1000, "COPY"), "OK"), ("GET k", b"one"),
             ("SET k two", "OK"), (to + ("k", 0, 1000), busy), ("GET k", b"two"))
        ask(there, "GET k", b"one")
        asks(r, (to + ("k", 0, 1000, "copy", "replace"), "OK"), ("GET k", b"two"))
        ask(there, "GET k", b"two")
        asks(r, (to + ("k", 0, 1000, "REPLACE"), "OK"), ("EXISTS k", 0))
        asks(r, ("SET k v", "OK"),
             (to + ("k", 99, 1000),
              E("ERR Target instance replied with error: ERR DB index is out of range")),
             ("EXISTS k", 1))


@test
def passwords_are_given(r):
    with Server(requirepass="secret") as target:
        to = ("MIGRATE", HOST, target.port)
        refusal = "ERR Target instance replied with error: "
        asks(r, ("SET k v", "OK"),
             (to + ("k", 0, 1000), E(refusal + "NOAUTH Authentication required.")),
             (to + ("k", 0, 1000, "AUTH", "wrong"), E(refusal + "WRONGPASS …")),
             (to + ("k", 0, 1000, "COPY", "AUTH", "secret"), "OK"),
             (to + ("k", 0, 1000, "AUTH2", "default", "secret", "REPLACE"), "OK"), ("EXISTS k", 0))


@test
def dead_keys_do_not_move(r):
    with Target(hang) as target:
        ask(r, "DEBUG SET-ACTIVE-EXPIRE 0", "OK")
        asks(r, ("SET k v PX 1", "OK"))
        time.sleep(0.01)
        asks(r, (("MIGRATE", HOST, target.port, "k", 0, 1000), "NOKEY"), ("EXISTS k", 0),
             ("DEBUG SET-ACTIVE-EXPIRE 1", "OK"))
    with Server() as target, target.client() as there:
        asks(r, ("DEBUG SET-ACTIVE-EXPIRE 0", "OK"), ("SET dead v PX 1", "OK"), ("SET k v", "OK"))
        time.sleep(0.01)
        asks(r, (("MIGRATE", HOST, target.port, "", 0, 1000, "KEYS", "dead", "k", "dead"), "OK"),
             ("DBSIZE", 0), ("DEBUG SET-ACTIVE-EXPIRE 1", "OK"))
        asks(there, ("DBSIZE", 1), ("GET k", b"v"))


@test(only="quoin")
def in_a_transaction_it_is_refused(r):
    asks(r, ("SET k v", "OK"), ("MULTI", "OK"), (("MIGRATE", HOST, 1, "k", 0, 10), "QUEUED"),
         ("EXEC", [E("ERR MIGRATE is not allowed in transactions")]), ("GET k", b"v"))


@test(only="quoin")
def other_shards_are_served_while_a_target_hangs(_):
    with Server(shards=2) as server, Target(hang) as target:
        with server.client() as moving, server.client() as other:
            asks(other, ("SET {a}k v", "OK"), ("SET {b}k w", "OK"),
                 (("MIGRATE", HOST, target.port, "", 0, 100, "KEYS", "{a}k", "{b}k"),
                  E("CROSSSLOT Keys in request don't hash to the same slot")),
                 (("MIGRATE", HOST, target.port, "", 0, 100, "KEYS", "{a}k", "keys", "{b}k"),
                  E("CROSSSLOT Keys in request don't hash to the same slot")))
            moving.send("MIGRATE", HOST, target.port, "{a}k", 0, 2000)
            assert target.accepted.wait(10)
            worst, begin = 0, time.monotonic()
            while not moving.has_input(0.001):
                since = time.monotonic()
                asks(other, ("GET {b}k", b"w"), ("SET {b}n 1", "OK"))
                worst = max(worst, time.monotonic() - since)
            assert time.monotonic() - begin > 1
            print(f"# the worst answer of another shard took {worst * 1000:.1f} ms")
            assert worst < 0.5
            same(moving.read(), Error(READING.encode()))
            ask(other, "GET {a}k", b"v")


@test(only="quoin")
def the_shard_of_the_key_stands_still_meanwhile(_):
    with Server() as server, Target(hang) as target:
        with server.client() as moving, server.client() as other:
            asks(other, ("SET k v", "OK"))
            moving.send("MIGRATE", HOST, target.port, "k", 0, 1000)
            assert target.accepted.wait(10)
            other.send("SET", "k", "new")
            assert not other.has_input(0.3)
            same((moving.read(), other.read()), (Error(READING.encode()), b"OK"))
            ask(other, "GET k", b"new")


@test(only="quoin")
def a_client_that_leaves_does_not_stop_it(_):
    go = threading.Event()

    def late(target, connection):
        go.wait(20)
        answering(b"+OK", b"+OK")(target, connection)

    with Server() as server, Target(late) as target, server.client() as other:
        ask(other, "SET k v", "OK")
        moving = server.client()
        moving.send("MIGRATE", HOST, target.port, "k", 0, 20000)
        assert target.accepted.wait(10)
        moving.close()
        go.set()
        wait_for(lambda: other("EXISTS", "k") == 0, 10, "the end of the key")


@test(only="quoin")
def a_stop_does_not_wait_for_a_target(_):
    with Server() as server, Target(hang) as target, server.client() as client:
        ask(client, "SET k v", "OK")
        client.send("MIGRATE", HOST, target.port, "k", 0, HOUR)
        assert target.accepted.wait(10)
        begin = time.monotonic()
        same(server.stop(), 0)
        assert time.monotonic() - begin < 8
        server.start()
        with server.client() as after:
            ask(after, "GET k", b"v")


@test(only="quoin")
def what_was_sent_was_committed(_):
    """A write that stands before it in the pipeline is not seen by the target too early."""
    with Server() as server, Server(target="redis") as target:
        with server.client() as client, target.client() as there:
            for number in range(50):
                replies = client.pipeline(
                    ("SET", "k", number),
                    ("MIGRATE", HOST, target.port, "k", 0, 5000, "REPLACE"), ("EXISTS", "k"))
                same((replies, there("GET", "k")), ([b"OK", b"OK", 0], b"%d" % number))


@test(only="quoin")
def a_lost_lead_ends_it_and_nothing_is_deleted(_):
    with Cluster(3, shards=1) as cluster, Target(hang) as target:
        leader = cluster.wait_for_leader()
        other = next(number for number in cluster.nodes if number != leader)
        with cluster.nodes[leader].client() as moving, cluster.nodes[leader].client() as admin:
            ask(moving, "SET k v", "OK")
            moving.send("MIGRATE", HOST, target.port, "k", 0, HOUR)
            assert target.accepted.wait(10)
            ask(admin, ("RAFT", "TRANSFER", other), "OK")
            reply = moving.read()
            assert reply.startswith(b"IOERR the lead was lost"), reply
            cluster.wait_for_leader(other_than=leader)
            with cluster.nodes[other].client() as there:
                ask(there, "GET k", b"v")


@test(only="quoin")
def big_values_move_whole(_):
    count = 200000
    with Server(appendfsync="everysec") as server, Server(appendfsync="everysec") as target:
        with server.client(timeout=60) as client, target.client(timeout=60) as there:
            for begin in range(0, count, 5000):
                client("RPUSH", "big", *[f"element {number}" for number in
                                         range(begin, begin + 5000)])
            ask(client, ("MIGRATE", HOST, target.port, "big", 0, 20000), "OK")
            ask(client, "EXISTS big", 0)
            same(there("LLEN", "big"), count)
            same(there("LRANGE", "big", 77777, 77778), [b"element 77777", b"element 77778"])


main()
