#!/usr/bin/env python3
"""Sixteen databases: SELECT, SWAPDB, FLUSHDB, FLUSHALL, MOVE's absence of surprises."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import E, Server, ask, asks, main, same, test  # noqa: E402

NOT_INT = E("ERR value is not an integer or out of range")


@test
def each_of_sixteen_databases_has_its_own_keys(r):
    for number in range(16):
        asks(r, (f"SELECT {number}", "OK"), ("DBSIZE", 0), (f"SET k {number}", "OK"))
    for number in range(16):
        asks(r, (f"SELECT {number}", "OK"), ("GET k", b"%d" % number), ("DBSIZE", 1))


@test
def select_refuses_what_is_no_database(r):
    asks(r, ("SELECT 16", E("ERR DB index is out of range")),
         ("SELECT -1", E("ERR DB index is out of range")), ("SELECT x", NOT_INT),
         ("SELECT 1.5", NOT_INT), (("SELECT", ""), NOT_INT),
         ("SELECT 99999999999", E("ERR value is out of range, value must between -2147483648 "
                                  "and 2147483647")),
         ("SELECT", E("ERR wrong number of arguments for 'select' command")),
         ("SELECT 1 2", E("ERR wrong number of arguments for 'select' command")), ("SET k 0", "OK"),
         ("SELECT 0", "OK"), ("GET k", b"0"))


@test
def a_new_connection_starts_in_database_zero(server, r):
    asks(r, ("SELECT 3", "OK"), ("SET k 3", "OK"))
    with server.client() as other:
        ask(other, "GET k", None)


@test
def flushdb_empties_one_database_and_flushall_all(r):
    for number in (0, 1, 2):
        asks(r, (f"SELECT {number}", "OK"), ("SET k v", "OK"))
    asks(r, ("FLUSHDB", "OK"), ("DBSIZE", 0), ("SELECT 1", "OK"), ("DBSIZE", 1), ("FLUSHALL", "OK"),
         ("DBSIZE", 0), ("SELECT 0", "OK"), ("GET k", None))


@test
def flushing_knows_sync_and_async(r):
    for name in ("FLUSHDB", "FLUSHALL"):
        for option in ("SYNC", "async"):
            asks(r, ("SET k v", "OK"), (f"{name} {option}", "OK"), ("DBSIZE", 0))
        asks(r, (f"{name} FOO", E("ERR syntax error")), (f"{name} SYNC ASYNC",
                                                         E("ERR syntax error")))


@test
def what_is_written_after_a_flush_stays(r):
    r.pipeline(*[("SET", f"k{i}", "old" * 1000) for i in range(2000)])
    ask(r, "FLUSHALL", "OK")
    asks(r, ("SET k5 new", "OK"), ("DBSIZE", 1), ("GET k5", b"new"), ("GET k6", None),
         ("SCAN 0 COUNT 1000", [b"0", [b"k5"]]))


@test
def swapdb_exchanges_two_databases_for_everyone(server, r):
    with server.client() as other:
        asks(other, ("SELECT 1", "OK"), ("SET k one", "OK"), ("SET only 1 EX 100", "OK"))
        asks(r, ("SET k zero", "OK"), ("SWAPDB 0 1", "OK"), ("GET k", b"one"), ("DBSIZE", 2),
             ("TTL only", 100))
        asks(other, ("GET k", b"zero"), ("DBSIZE", 1), ("SWAPDB 1 1", "OK"), ("GET k", b"zero"))


@test
def swapdb_refuses_what_is_no_database(r):
    asks(r, ("SWAPDB 0 x", E("ERR invalid second DB index")),
         ("SWAPDB x 0", E("ERR invalid first DB index")),
         ("SWAPDB 0 16", E("ERR DB index is out of range")),
         ("SWAPDB -1 0", E("ERR DB index is out of range")),
         ("SWAPDB 1", E("ERR wrong number of arguments for 'swapdb' command")))


@test
def databases_flushes_and_swaps_survive_a_restart(_):
    with Server(appendonly="yes", appendfsync="always") as server:
        with server.client() as client:
            for number in range(16):
                asks(client, (f"SELECT {number}", "OK"), (f"MSET k {number} l 1", "OK"))
            asks(client, ("SWAPDB 3 4", "OK"), ("SELECT 5", "OK"), ("FLUSHDB", "OK"),
                 ("SET new 5", "OK"), ("SELECT 6", "OK"), ("FLUSHDB", "OK"), ("SWAPDB 6 7", "OK"))
        server.restart(hard=True)
        with server.client() as client:
            expected = {3: b"4", 4: b"3", 5: None, 6: b"7", 7: None}
            for number in range(16):
                value = expected.get(number, b"%d" % number)
                asks(client, (f"SELECT {number}", "OK"), ("GET k", value))
            asks(client, ("SELECT 5", "OK"), ("GET new", b"5"), ("DBSIZE", 1), ("SELECT 7", "OK"),
                 ("DBSIZE", 0))


main()
