#!/usr/bin/env python3
"""MULTI, EXEC, DISCARD, WATCH, UNWATCH."""

import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import E, Server, ask, asks, main, same, test  # noqa: E402
from resp import NULL_ARRAY  # noqa: E402

NOT_INT = E("ERR value is not an integer or out of range")
ABORTED = E("EXECABORT Transaction discarded because of previous errors.")


@test
def queued_commands_run_at_exec_in_order(server, r):
    with server.client() as other:
        asks(r, ("MULTI", "OK"), ("SET a 1", "QUEUED"), ("INCR a", "QUEUED"), ("GET a", "QUEUED"))
        ask(other, "GET a", None)
        ask(r, "EXEC", ["OK", 2, b"2"])
        ask(other, "GET a", b"2")


@test
def an_empty_block_answers_with_an_empty_array(r):
    asks(r, ("MULTI", "OK"), ("EXEC", []))


@test
def discard_forgets_the_queue(r):
    asks(r, ("MULTI", "OK"), ("SET a 1", "QUEUED"), ("DISCARD", "OK"), ("GET a", None),
         ("EXEC", E("ERR EXEC without MULTI")), ("DISCARD", E("ERR DISCARD without MULTI")))


@test
def multi_does_not_nest_and_watch_stands_before_it(r):
    asks(r, ("MULTI", "OK"), ("MULTI", E("ERR MULTI calls can not be nested")),
         ("WATCH a", E("ERR WATCH inside MULTI is not allowed")), ("SET a 1", "QUEUED"),
         ("EXEC", ["OK"]))


@test
def an_error_while_queueing_discards_the_block(r):
    for wrong in ("NOSUCH", "GET", "SET a", "CONFIG NOSUCH", "OBJECT ENCODING"):
        asks(r, ("MULTI", "OK"), ("SET a 1", "QUEUED"))
        assert r(*wrong.split()).startswith(b"ERR ")
        asks(r, ("SET b 1", "QUEUED"), ("EXEC", ABORTED), ("EXISTS a b", 0),
             ("EXEC", E("ERR EXEC without MULTI")))


@test
def an_error_at_exec_stands_at_its_place_and_the_rest_runs(r):
    asks(r, ("SET a x", "OK"), ("MULTI", "OK"), ("SET b 1", "QUEUED"), ("INCR a", "QUEUED"),
         ("SET c 1", "QUEUED"))
    found = r("EXEC")
    same(found, [b"OK", b"ERR value is not an integer or out of range", b"OK"])
    ask(r, "MGET a b c", [b"x", b"1", b"1"])


@test
def a_block_may_change_the_database(r):
    asks(r, ("MULTI", "OK"), ("SET a 0", "QUEUED"), ("SELECT 5", "QUEUED"), ("SET a 5", "QUEUED"),
         ("EXEC", ["OK", "OK", "OK"]), ("GET a", b"5"), ("SELECT 0", "OK"), ("GET a", b"0"))


@test
def a_failed_select_in_a_block_changes_nothing(r):
    asks(r, ("MULTI", "OK"), ("SELECT 99", "QUEUED"), ("SET a 1", "QUEUED"))
    found = r("EXEC")
    same(found, [b"ERR DB index is out of range", b"OK"])
    ask(r, "GET a", b"1")


@test
def a_watched_key_that_changed_stops_the_block(server, r):
    with server.client() as other:
        for change in ("SET k new", "DEL k", "APPEND k x", "EXPIRE k 100", "INCRBY n 1",
                       "RENAME k z", "RENAME y k", "SETRANGE k 0 q", "FLUSHDB", "FLUSHALL",
                       "GETDEL k", "COPY y k REPLACE", "UNLINK k", "GETEX k EX 100", "SWAPDB 0 7"):
            asks(r, ("FLUSHALL", "OK"), ("MSET k old n 1 y 1", "OK"), ("WATCH k n", "OK"))
            assert not other(*change.split()) in (0, None), change
            asks(r, ("MULTI", "OK"), ("SET done 1", "QUEUED"), ("EXEC", NULL_ARRAY),
                 ("EXISTS done", 0))


@test
def a_watched_key_that_was_only_read_lets_the_block_run(server, r):
    with server.client() as other:
        for request in ("GET k", "EXISTS k", "TTL k", "STRLEN k", "TYPE k", "SET k v NX",
                        "SETNX k v", "DEL nosuch", "PERSIST k", "SET other 1", "TOUCH k",
                        "EXPIRE k 1 XX", "MSETNX k 1 j 2", "RENAMENX other k", "GETEX k"):
            asks(r, ("MSET k v other 1", "OK"), ("WATCH k", "OK"))
            other(*request.split())
            asks(r, ("MULTI", "OK"), ("GET k", "QUEUED"), ("EXEC", [b"v"]))


@test
def a_watch_on_an_absent_key_sees_it_appear(server, r):
    with server.client() as other:
        asks(r, ("WATCH k", "OK"))
        ask(other, "SET k v", "OK")
        asks(r, ("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", NULL_ARRAY), ("DEL k", 1),
             ("WATCH k", "OK"))
        asks(other, ("SET k v", "OK"), ("DEL k", 1))
        asks(r, ("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", NULL_ARRAY))


@test
def a_watch_ends_with_exec_discard_and_unwatch(server, r):
    with server.client() as other:
        for ending in (["MULTI", "EXEC"], ["MULTI", "DISCARD"], ["UNWATCH"]):
            asks(r, ("SET k v", "OK"), ("WATCH k", "OK"))
            for word in ending:
                r(word)
            ask(other, "SET k w", "OK")
            asks(r, ("MULTI", "OK"), ("GET k", "QUEUED"), ("EXEC", [b"w"]))


@test
def a_failed_exec_ends_the_watch_too(server, r):
    with server.client() as other:
        ask(r, "WATCH k", "OK")
        ask(other, "SET k 1", "OK")
        asks(r, ("MULTI", "OK"), ("EXEC", NULL_ARRAY), ("MULTI", "OK"), ("GET k", "QUEUED"),
             ("EXEC", [b"1"]))


@test
def unwatch_inside_a_block_is_queued_and_too_late(server, r):
    with server.client() as other:
        asks(r, ("SET k v", "OK"), ("WATCH k", "OK"), ("MULTI", "OK"), ("UNWATCH", "QUEUED"))
        ask(other, "SET k w", "OK")
        ask(r, "EXEC", NULL_ARRAY)


@test
def ones_own_changes_count_for_ones_watch(r):
    asks(r, ("WATCH k", "OK"), ("SET k v", "OK"), ("MULTI", "OK"), ("PING", "QUEUED"),
         ("EXEC", NULL_ARRAY))


@test
def a_watch_is_for_a_key_of_one_database(server, r):
    with server.client() as other:
        asks(other, ("SELECT 1", "OK"))
        asks(r, ("SET k v", "OK"), ("WATCH k", "OK"))
        ask(other, "SET k w", "OK")
        asks(r, ("MULTI", "OK"), ("GET k", "QUEUED"), ("EXEC", [b"v"]), ("SELECT 1", "OK"),
             ("WATCH k", "OK"), ("SELECT 0", "OK"))
        ask(other, "SET k x", "OK")
        asks(r, ("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", NULL_ARRAY))


@test
def a_watched_key_that_expires_stops_the_block(r):
    asks(r, ("SET k v PX 500", "OK"), ("WATCH k", "OK"))
    time.sleep(0.6)
    ask(r, "GET k", None)
    asks(r, ("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", NULL_ARRAY))


@test
def a_key_already_expired_when_watched_lets_the_block_run(server, r):
    asks(r, ("DEBUG SET-ACTIVE-EXPIRE 0", "OK"))
    try:
        ask(r, "SET k v PX 1", "OK")
        time.sleep(0.01)
        asks(r, ("WATCH k", "OK"), ("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", ["PONG"]))
    finally:
        ask(r, "DEBUG SET-ACTIVE-EXPIRE 1", "OK")


@test
def exec_without_watch_changes_nothing_for_others(server, r):
    ask(r, "SET sum 0", "OK")

    def add():
        with server.client() as client:
            for _ in range(100):
                while True:
                    client("WATCH", "sum")
                    value = int(client("GET", "sum"))
                    client("MULTI")
                    client("SET", "sum", value + 1)
                    if client("EXEC") == [b"OK"]:
                        break

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ask(r, "GET sum", b"400")


@test
def a_lost_connection_executes_nothing_of_its_block(server, r):
    with server.client() as other:
        asks(other, ("MULTI", "OK"), ("SET a 1", "QUEUED"))
    asks(r, ("PING", "PONG"), ("EXISTS a", 0))


@test
def a_block_in_one_pipeline_answers_in_order(r):
    same(r.pipeline(("MULTI",), ("SET", "a", 1), ("INCR", "a"), ("EXEC",), ("GET", "a")),
         [b"OK", b"QUEUED", b"QUEUED", [b"OK", 2], b"2"])


@test
def a_block_of_ten_thousand_commands_is_one(r):
    found = r.pipeline(("MULTI",), *[("SET", f"k{i}", i) for i in range(10000)], ("EXEC",))
    same(found[-1], [b"OK"] * 10000)
    ask(r, "DBSIZE", 10000)


@test
def reset_leaves_a_block(r):
    asks(r, ("MULTI", "OK"), ("SET a 1", "QUEUED"), ("RESET", "RESET"), ("EXISTS a", 0),
         ("EXEC", E("ERR EXEC without MULTI")))


@test
def arities_are_checked(r):
    ask(r, "EXEC x", E("EXECABORT Transaction discarded because of: wrong number of arguments for "
                       "'exec' command"))
    for name in ("multi", "discard", "unwatch"):
        ask(r, [name, "x"], E(f"ERR wrong number of arguments for '{name}' command"))
    ask(r, "WATCH", E("ERR wrong number of arguments for 'watch' command"))


@test
def a_block_with_home_commands_runs_them_at_exec(r):
    asks(r, ("MULTI", "OK"), ("PING", "QUEUED"), ("ECHO hi", "QUEUED"), ("DBSIZE", "QUEUED"),
         ("SET a 1", "QUEUED"), ("DBSIZE", "QUEUED"), ("CLIENT GETNAME", "QUEUED"),
         ("FLUSHDB", "QUEUED"), ("DBSIZE", "QUEUED"),
         ("EXEC", ["PONG", b"hi", 0, "OK", 1, None, "OK", 0]))


@test
def keys_that_expire_are_judged_by_one_clock_in_a_block(r):
    asks(r, ("MULTI", "OK"), ("SET a v PX 1", "QUEUED"), ("GET a", "QUEUED"),
         ("DEBUG SLEEP 0.01", "QUEUED"), ("GET a", "QUEUED"))
    found = r("EXEC")
    same(found[1], found[3])


@test
def in_resp3_a_stopped_block_is_a_null(server, r, r3):
    ask(r3, "WATCH k", "OK")
    ask(r, "SET k v", "OK")
    ask(r3, "MULTI", "OK")
    same(r3.raw("EXEC"), b"_\r\n")


main()
