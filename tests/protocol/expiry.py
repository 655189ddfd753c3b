#!/usr/bin/env python3
"""Keys that end: setting, reading, keeping and losing an expiry, and dying on time."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import E, Server, ask, asks, main, parse_info, same, test, wait_for  # noqa: E402

NOT_INT = E("ERR value is not an integer or out of range")
MAX, MIN = 9223372036854775807, -9223372036854775808


@test
def every_expire_command_sets_the_same_clock(r):
    now = int(time.time())
    asks(r, ("SET k v", "OK"), ("TTL k", -1), ("PTTL k", -1), ("EXPIRETIME k", -1),
         ("PEXPIRETIME k", -1), ("EXPIRE k 100", 1), ("TTL k", 100), ("PEXPIRE k 50000", 1),
         ("TTL k", 50), (f"EXPIREAT k {now + 70}", 1), ("EXPIRETIME k", now + 70),
         (f"PEXPIREAT k {now * 1000 + 80123}", 1), ("PEXPIRETIME k", now * 1000 + 80123),
         ("EXPIRETIME k", now + 80))
    assert 78000 < r("PTTL", "k") <= 80123


@test
def what_is_absent_has_no_clock(r):
    asks(r, ("TTL n", -2), ("PTTL n", -2), ("EXPIRETIME n", -2), ("PEXPIRETIME n", -2),
         ("EXPIRE n 100", 0), ("PEXPIREAT n 99999999999999", 0), ("PERSIST n", 0))


@test
def persist_stops_the_clock(r):
    asks(r, ("SET k v EX 100", "OK"), ("PERSIST k", 1), ("TTL k", -1), ("PERSIST k", 0))


@test
def conditions_decide_whether_an_expiry_is_set(r):
    asks(r, ("SET k v", "OK"), ("EXPIRE k 100 XX", 0), ("EXPIRE k 100 GT", 0), ("TTL k", -1),
         ("EXPIRE k 100 LT", 1), ("TTL k", 100), ("EXPIRE k 200 NX", 0), ("EXPIRE k 200 LT", 0),
         ("EXPIRE k 50 GT", 0), ("TTL k", 100), ("EXPIRE k 200 GT", 1), ("TTL k", 200),
         ("EXPIRE k 50 LT", 1), ("TTL k", 50), ("EXPIRE k 300 xx", 1), ("TTL k", 300),
         ("EXPIRE k 400 XX GT", 1), ("EXPIRE k 500 XX LT", 0), ("PERSIST k", 1),
         ("EXPIRE k 100 nx", 1), ("TTL k", 100), ("PEXPIRE k 200000 GT", 1), ("TTL k", 200))


@test
def conditions_that_exclude_each_other_are_refused(r):
    nx = E("ERR NX and XX, GT or LT options at the same time are not compatible")
    gt = E("ERR GT and LT options at the same time are not compatible")
    for name in ("EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"):
        asks(r, (f"{name} k 1 NX XX", nx), (f"{name} k 1 NX GT", nx), (f"{name} k 1 LT NX", nx),
             (f"{name} k 1 GT LT", gt), (f"{name} k 1 FOO", E("ERR Unsupported option FOO")),
             (f"{name} k 1 NX bar", E("ERR Unsupported option bar")))


@test
def a_time_in_the_past_deletes(r):
    for request in ("EXPIRE k 0", "EXPIRE k -1", "PEXPIRE k 0", "EXPIREAT k 0", "EXPIREAT k 1",
                    "PEXPIREAT k -5", "EXPIRE k -9223372036854775", "EXPIRE k -5 LT"):
        asks(r, ("SET k v", "OK"), (request, 1), ("EXISTS k", 0), ("DBSIZE", 0))
    asks(r, ("SET k v", "OK"), ("EXPIRE k -1 XX", 0), ("EXISTS k", 1))


@test
def times_beyond_64_bits_are_refused(r):
    ask(r, "SET k v", "OK")
    for name, value in [("expire", MAX), ("expire", MIN), ("expire", MAX // 1000),
                        ("pexpire", MAX), ("expireat", MAX), ("expireat", MAX // 1000 + 1),
                        ("expireat", MIN)]:
        ask(r, f"{name} k {value}", E(f"ERR invalid expire time in '{name}' command"))
    for name in ("expire", "pexpire", "expireat", "pexpireat"):
        for value in ("x", "1.5", str(MAX + 1), "", "1 "):
            ask(r, (name, "k", value), NOT_INT)
    asks(r, ("TTL k", -1), (f"PEXPIREAT k {MAX}", 1), (f"PEXPIRETIME k", MAX),
         (f"EXPIREAT k {MAX // 1000}", 1), ("EXPIRETIME k", MAX // 1000))


@test
def ttl_rounds_to_the_nearest_second(r):
    asks(r, ("SET k v PX 100400", "OK"), ("TTL k", 100), ("SET k v PX 100900", "OK"),
         ("TTL k", 101))


@test
def an_expired_key_is_gone_for_every_command(r):
    r.pipeline(*[("SET", f"k{i}", "v", "PX", 1) for i in range(12)])
    time.sleep(0.02)
    asks(r, ("GET k0", None), ("EXISTS k1", 0), ("TTL k2", -2), ("TYPE k3", "none"),
         ("DEL k4", 0), ("RENAME k5 x", E("ERR no such key")), ("STRLEN k6", 0),
         ("SET k7 w XX", None), ("SETNX k8 w", 1), ("INCR k9", 1), ("APPEND k10 a", 1),
         ("PERSIST k11", 0), ("TTL k9", -1))


@test
def an_expired_key_is_in_no_listing(r):
    asks(r, ("SET a v PX 1", "OK"), ("SET b v", "OK"))
    time.sleep(0.02)
    asks(r, ("KEYS *", [b"b"]), ("SCAN 0 COUNT 100", [b"0", [b"b"]]), ("RANDOMKEY", b"b"))


@test
def keys_die_by_themselves(r):
    r.pipeline(*[("SET", f"k{i}", "v", "PX", 20 + i % 50) for i in range(2000)])
    ask(r, "SET stays v", "OK")
    wait_for(lambda: r("DBSIZE") == 1, 10, "the death of 2000 keys")
    ask(r, "GET stays", b"v")
    assert int(parse_info(r("INFO", "stats"))["expired_keys"]) >= 2000


@test
def a_key_dies_at_its_time_and_not_before(r):
    for _ in range(10):
        begin = time.monotonic()  # before the request; times are whole milliseconds, as in Redis
        ask(r, "SET k v PX 60", "OK")
        wait_for(lambda: r("GET", "k") is None, 5, "the death of a key")
        seconds = time.monotonic() - begin
        assert 0.059 <= seconds < 2, f"lived for {seconds} s"


@test
def a_new_value_lives_on_after_the_old_time(r):
    asks(r, ("SET k v PX 800", "OK"), ("SET k w", "OK"), ("SET l v PX 800", "OK"),
         ("PEXPIRE l 100000", 1), ("SET m v PX 800", "OK"), ("PERSIST m", 1),
         ("SET n v PX 800", "OK"), ("RENAME n o", "OK"), ("SET n new", "OK"))
    time.sleep(0.9)
    asks(r, ("GET k", b"w"), ("GET l", b"v"), ("GET m", b"v"), ("GET n", b"new"), ("GET o", None))


@test
def expiry_survives_a_restart_and_goes_on_meanwhile(_):
    with Server(appendfsync="always", appendonly="yes") as server:
        with server.client() as client:
            asks(client, ("SET long v EX 1000", "OK"), ("SET short v PX 100", "OK"),
                 ("SET none v", "OK"))
            at = client("PEXPIRETIME", "long")
        time.sleep(0.1)
        server.restart(hard=True)
        with server.client() as client:
            asks(client, ("PEXPIRETIME long", at), ("GET short", None), ("TTL none", -1))
            wait_for(lambda: client("DBSIZE") == 2, 10, "the death of the short one")


@test
def expiries_are_counted_by_info(r):
    asks(r, ("SET a v", "OK"), ("SET b v EX 100", "OK"), ("SET c v EX 100", "OK"))
    line = parse_info(r("INFO", "keyspace"))["db0"]
    assert line.startswith("keys=3,expires=2"), line
    same(r("PERSIST", "b"), 1)
    assert parse_info(r("INFO", "keyspace"))["db0"].startswith("keys=3,expires=1")


main()
