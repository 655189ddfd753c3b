#!/usr/bin/env python3
"""WAIT and WAITAOF: what is held by how many disks and nodes."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from cluster import Cluster  # noqa: E402
from quoin import E, Server, ask, asks, main, parse_info, same, test, wait_for  # noqa: E402

NOT_INT = E("ERR value is not an integer or out of range")
NOT_A_TIMEOUT = E("ERR timeout is not an integer or out of range")
NEGATIVE = E("ERR timeout is negative")
HOUR = 3600 * 1000


def syncs(client):
    return int(parse_info(client("INFO", "persistence"))["wal_syncs"])


@test
def wait_counts_nobody_for_a_server_alone(r):
    asks(r, ("SET k v", "OK"), ("WAIT 0 100", 0), ("WAIT -1 0", 0), ("WAIT 0 0", 0))
    begin = time.monotonic()
    ask(r, "WAIT 1 200", 0)
    assert 0.15 < time.monotonic() - begin < 5


@test
def wait_refuses_bad_arguments(r):
    asks(r, ("WAIT x y", NOT_INT), ("WAIT 1 x", NOT_A_TIMEOUT), ("WAIT 0 -1", NEGATIVE),
         ("WAIT 1", E("ERR wrong number of arguments for 'wait' command")))


@test(only="quoin")
def waitaof_refuses_bad_arguments(r):
    range_error = E("ERR value is out of range, value must between 0 and 1")
    asks(r, ("WAITAOF x 0 0", NOT_INT), ("WAITAOF 2 0 0", range_error),
         ("WAITAOF -1 0 0", range_error), ("WAITAOF 0 x 0", NOT_INT),
         ("WAITAOF 0 -1 0", E("ERR value is out of range, must be positive")),
         ("WAITAOF 0 0 x", NOT_A_TIMEOUT), ("WAITAOF 0 0 -1", NEGATIVE),
         ("WAITAOF 0 0", E("ERR wrong number of arguments for 'waitaof' command")))


@test(only="quoin")
def an_acknowledged_write_is_on_the_disk_already_with_appendfsync_always(_):
    with Server(appendfsync="always") as server, server.client() as client:
        asks(client, ("SET k v", "OK"), ("WAITAOF 0 0 0", [1, 0]), ("WAITAOF 1 0 0", [1, 0]))


@test(only="quoin")
def waitaof_syncs_what_appendfsync_does_not(_):
    with Server(appendfsync="no") as server, server.client() as client:
        ask(client, "WAITAOF 1 0 5000", [1, 0])
        for number in range(3):
            asks(client, (f"SET k {number}", "OK"), ("WAITAOF 0 0 0", [0, 0]))
            before = syncs(client)
            ask(client, "WAITAOF 1 0 5000", [1, 0])
            assert syncs(client) > before
            ask(client, "WAITAOF 0 0 0", [1, 0])


@test(only="quoin")
def waitaof_covers_what_stands_before_it_in_the_pipeline(_):
    for count in (1, 4):
        with Server(appendfsync="no", shards=count) as server, server.client() as client:
            requests = [("SET", f"k{number}", number) for number in range(200)]
            replies = client.pipeline(*requests, ("WAITAOF", 1, 0, 0), ("GET", "k7"),
                                      ("WAITAOF", 0, 0, 0))
            same(replies[:200], [b"OK"] * 200)
            same(replies[200:], [[1, 0], b"7", [1, 0]])
            server.kill()
            server.start()
            with server.client() as after:
                same(after.pipeline(*[("GET", f"k{number}") for number in range(200)]),
                     [b"%d" % number for number in range(200)])


@test(only="quoin")
def waitaof_gives_up_in_time(r):
    begin = time.monotonic()
    ask(r, "SET k v", "OK")
    ask(r, "WAITAOF 1 1 200", [1, 0])
    assert 0.15 < time.monotonic() - begin < 5
    asks(r, ("WAIT 3 1", 0), ("PING", "PONG"))


@test(only="quoin")
def inside_a_transaction_nothing_waits_and_nothing_of_it_is_held(_):
    with Server(appendfsync="no") as server, server.client() as client:
        ask(client, "WAITAOF 1 0 0", [1, 0])
        asks(client, ("MULTI", "OK"), ("WAITAOF 1 5 0", "QUEUED"), ("WAIT 5 0", "QUEUED"),
             ("SET k v", "QUEUED"), ("WAITAOF 1 5 0", "QUEUED"), ("WAIT 5 0", "QUEUED"))
        ask(client, "EXEC", [[1, 0], 0, "OK", [0, 0], 0])


@test
def who_waits_counts_as_blocked_and_can_be_unblocked(server):
    with server.client() as waits, server.client() as other:
        for words, reply in ((("TIMEOUT",), 0), ((), 0),
                             (("ERROR",), b"UNBLOCKED client unblocked via CLIENT UNBLOCK")):
            number = waits("CLIENT", "ID")
            waits.send("WAIT", 1, HOUR)
            wait_for(lambda: parse_info(other("INFO", "clients"))["blocked_clients"] == "1", 5,
                     "a blocked client")
            assert not waits.has_input()
            ask(other, ("CLIENT", "UNBLOCK", number) + words, 1)
            same(waits.read(), reply)
            ask(other, ("CLIENT", "UNBLOCK", number), 0)
        same(parse_info(other("INFO", "clients"))["blocked_clients"], "0")


@test
def a_client_that_leaves_while_it_waits_is_forgotten(server):
    with server.client() as other:
        waits = server.client()
        waits.send("WAIT", 1, HOUR)
        wait_for(lambda: parse_info(other("INFO", "clients"))["blocked_clients"] == "1", 5,
                 "a blocked client")
        waits.close()
        wait_for(lambda: parse_info(other("INFO", "clients"))["blocked_clients"] == "0", 5,
                 "its end")
        ask(other, "PING", "PONG")


@test(only="quoin")
def other_voters_are_counted_when_their_logs_hold_it(_):
    with Cluster(3, shards=2, cluster_enabled="yes") as cluster:
        leader = cluster.wait_for_leader()
        others = [number for number in cluster.nodes if number != leader]
        with cluster.nodes[leader].client() as client:
            moved = client("SET", "k", "v")
            if moved == b"OK":
                assert client("WAIT", 1, 5000) >= 1
            asks(client, ("WAIT 2 5000", 2), ("WAITAOF 1 2 5000", [1, 2]))
            cluster.pause(others[0])
            asks(client, ("SET k w", moved), ("WAIT 1 5000", 1), ("WAITAOF 1 1 5000", [1, 1]),
                 ("WAIT 2 300", 1), ("WAITAOF 1 2 300", [1, 1]))
            client.send("WAIT", 2, HOUR)
            cluster.resume(others[0])
            same(client.read(), 2)


main()
