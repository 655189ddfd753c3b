#!/usr/bin/env python3
"""HyperLogLogs: counting, merging, and the same bytes as redis-server."""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import E, Server, ask, asks, main, same, test  # noqa: E402

EMPTY = b"HYLL\x01" + bytes(10) + b"\x80\x7f\xff"
NO_HLL = E("WRONGTYPE Key is not a valid HyperLogLog string value.")
DAMAGED = E("INVALIDOBJ Corrupted HLL object detected")


def add_numbers(r, key, count, of=1):
    """PFADD key with `count` different elements."""
    for begin in range(0, count, 1000):
        r("PFADD", key, *[f"{of}:{i}" for i in range(begin, min(begin + 1000, count))])


@test
def pfadd_makes_an_empty_one(r):
    asks(r, ("PFADD k", 1), ("PFADD k", 0), ("GET k", EMPTY), ("PFCOUNT k", 0),
         ("GET k", EMPTY.replace(b"\x80", b"\0")), ("TYPE k", "string"), ("PFCOUNT none", 0))


@test
def pfadd_tells_whether_anything_was_new(r):
    asks(r, ("PFADD k a b c", 1), ("PFADD k a b c", 0), ("PFADD k c d", 1), ("PFCOUNT k", 4),
         ("PFADD k a", 0), ("PFCOUNT k", 4))


@test
def the_representation_is_known_to_the_byte(r):
    asks(r, ("PFADD k a b c", 1), ("PFCOUNT k", 3),
         ("GET k", b"HYLL\x01" + bytes(3) + b"\3" + bytes(7) + b"`\xf3\x80P\xb1\x84K\xfb\x80BZ"),
         ("PFDEBUG DECODE k", b"Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603"),
         ("PFDEBUG ENCODING k", "sparse"), ("PFDEBUG TODENSE k", 1), ("PFDEBUG TODENSE k", 0),
         ("PFDEBUG ENCODING k", "dense"), ("STRLEN k", 12304),
         ("PFDEBUG DECODE k", E("ERR HLL encoding is not sparse")), ("PFCOUNT k", 3),
         ("PFADD k a", 0))


@test
def a_sparse_one_becomes_dense_at_its_limit(r):
    old = r("CONFIG", "GET", "hll-sparse-max-bytes")
    same(old, [b"hll-sparse-max-bytes", b"3000"])
    try:
        for limit in (100, 0, 16):
            r("CONFIG", "SET", "hll-sparse-max-bytes", limit)
            r("DEL", "k")
            size = 0
            while r("PFDEBUG", "ENCODING", "k") != b"dense":
                assert size <= max(limit, 18), (size, limit)
                r("PFADD", "k", random.random())
                size = r("STRLEN", "k")
        asks(r, ("CONFIG SET hll-sparse-max-bytes 3000", "OK"), ("DEL k", 1))
        add_numbers(r, "k", 200)
        ask(r, "PFDEBUG ENCODING k", "sparse")
        add_numbers(r, "k", 3000)
        ask(r, "PFDEBUG ENCODING k", "dense")
    finally:
        r("CONFIG", "SET", "hll-sparse-max-bytes", 3000)


@test
def counts_are_near(r):
    for count in (1, 10, 100, 1000, 10000, 100000):
        add_numbers(r, "k", count)
        found = r("PFCOUNT", "k")
        assert abs(found - count) <= max(1, count * 0.025), (found, count)


@test
def several_keys_are_counted_together_and_left_alone(r):
    asks(r, ("PFADD a 1 2 3", 1), ("PFADD b 3 4", 1), ("PFCOUNT a b none", 4), ("PFCOUNT a a", 3))
    add_numbers(r, "c", 5000)
    before = r("MGET", "a", "b", "c")
    assert abs(r("PFCOUNT", "a", "b", "c") - 5004) < 200
    same(r("MGET", "a", "b", "c"), before)


@test
def pfmerge_makes_the_union(r):
    asks(r, ("PFADD a 1 2 3", 1), ("PFADD b 3 4", 1), ("PFMERGE d a b none", "OK"),
         ("PFCOUNT d", 4), ("PFDEBUG ENCODING d", "sparse"), ("PFMERGE a b", "OK"),
         ("PFCOUNT a", 4),
         ("PFMERGE new", "OK"), ("GET new", EMPTY), ("PFMERGE d none", "OK"), ("PFCOUNT d", 4))
    add_numbers(r, "c", 5000)
    asks(r, ("PFDEBUG ENCODING c", "dense"), ("EXPIRE d 1000", 1), ("PFMERGE d c", "OK"),
         ("PFDEBUG ENCODING d", "dense"), ("TTL d", 1000))
    same(r("PFCOUNT", "d"), r("PFCOUNT", "a", "c"))


@test
def other_values_are_refused(r):
    r("RPUSH", "list", "x")
    r("MSET", "s", "x", "n", "12", "short", EMPTY[:15], "dense", b"HYLL" + bytes(12299), "two",
      b"HYLL\2" + bytes(12299))
    for key in ("s", "n", "short", "dense", "two"):
        for request in ("PFADD {}", "PFADD {} x", "PFCOUNT {}", "PFCOUNT none {}", "PFMERGE {}",
                        "PFMERGE d {}", "PFDEBUG ENCODING {}"):
            ask(r, request.format(key), NO_HLL)
    asks(r, ("EXISTS d", 0), ("PFADD", E("ERR wrong number…")), ("PFCOUNT", E("ERR wrong number…")),
         ("PFMERGE", E("ERR wrong number…")), ("PFDEBUG ENCODING", E("ERR wrong number…")),
         ("PFDEBUG ENCODING none", E("ERR The specified key does not exist")),
         ("PFADD k", 1), ("PFDEBUG FOO k", E("ERR Unknown PFDEBUG subcommand 'FOO'")))


@test
def damaged_values_are_found_out(r):
    header = EMPTY[:16]
    for body in (b"", b"\x7f\xfe", b"\x7f\xff\x00", b"\x7f\xff\x80", b"\x00" * 3000):
        r("SET", "k", header + body)
        asks(r, ("PFCOUNT k", DAMAGED), ("PFCOUNT none k", DAMAGED), ("PFMERGE d k", DAMAGED),
             ("PFMERGE k none", DAMAGED), ("PFDEBUG TODENSE k", DAMAGED),
             ("PFDEBUG GETREG k", DAMAGED), ("EXISTS d", 0))
    r("SET", "k", header)
    ask(r, "PFADD k x", DAMAGED)
    same(r("GET", "k"), header)
    r("SET", "k", header[:15] + b"\0")
    ask(r, "PFCOUNT k", 0)  # a cached count is believed


@test
def a_kept_count_is_believed_until_something_is_added(r):
    r("SET", "k", b"HYLL\x01" + bytes(3) + (77).to_bytes(8, "little") + b"\x7f\xff")
    asks(r, ("PFCOUNT k", 77), ("PFCOUNT k none", 0), ("PFADD k", 0), ("PFCOUNT k", 77),
         ("PFADD k x", 1), ("PFCOUNT k", 1))


@test
def registers_above_what_a_hash_gives_do_no_harm(r):
    r("SET", "k", b"HYLL" + bytes(11) + b"\x80" + b"\xff" * 12288)
    assert isinstance(r("PFCOUNT", "k"), int)
    same(r("PFADD", "k", "x"), 0)
    same(set(r("PFDEBUG", "GETREG", "k")), {63})


@test
def getreg_shows_the_registers(r):
    r("PFADD", "k", "a", "b", "c")
    registers = r("PFDEBUG", "GETREG", "k")
    same({i: rank for i, rank in enumerate(registers) if rank}, {8436: 1, 12711: 2, 15780: 1})
    ask(r, "PFDEBUG ENCODING k", "dense")


@test
def pfselftest_is_content(r):
    ask(r, "PFSELFTEST", "OK")


@test
def values_are_the_same_bytes_as_in_redis(_):
    drawn = random.Random(7)
    with Server(target="redis") as left, Server() as right:
        with left.client() as a, right.client() as b:
            for case in range(60):
                limit = drawn.choice([3000, 3000, 0, 17, 200, 15000])
                for r in (a, b):
                    r("CONFIG", "SET", "hll-sparse-max-bytes", limit)
                for step in range(drawn.choice([5, 40])):
                    words = draw_request(drawn)
                    assert a(*words) == b(*words), (case, step, words[:5])
                for key in ("a", "b", "c"):
                    assert a("GET", key) == b("GET", key), (case, key)
                    assert a("PFCOUNT", key) == b("PFCOUNT", key), (case, key)
                    assert a("GET", key) == b("GET", key), (case, key)
                for r in (a, b):
                    r("FLUSHALL")


def draw_request(drawn):
    kind = drawn.random()
    keys = [drawn.choice("abc") for _ in range(3)]
    if kind < 0.1:
        return ["PFMERGE"] + keys
    if kind < 0.2:
        return ["PFCOUNT"] + keys[:drawn.randint(1, 3)]
    if kind < 0.25:
        return ["PFDEBUG", drawn.choice(["TODENSE", "DECODE", "GETREG"]), keys[0]]
    count = drawn.choice([1, 3, 30, 300, 3000])
    return ["PFADD", keys[0]] + [drawn.randbytes(drawn.randint(0, 20)) for _ in range(count)]


@test
def values_move_between_redis_and_quoin(_):
    with Server(target="redis") as left, Server() as right:
        with left.client() as a, right.client() as b:
            for count in (10, 1000, 50000):
                for source, target in ((a, b), (b, a)):
                    source("DEL", "k")
                    add_numbers(source, "k", count)
                    found = source("PFCOUNT", "k")
                    ask(target, ["SET", "k", source("GET", "k")], "OK")
                    asks(target, ("PFCOUNT k", found), ("PFADD k 1:0", 0))


@test
def an_element_more_in_a_dense_one_logs_a_chunk_or_two(r, server):
    if server.is_redis:
        return
    add_numbers(r, "k", 20000)
    before = int(server.info()["wal_bytes_written"])
    for i in range(200):
        r("PFADD", "k", f"new:{i}")
    grown = int(server.info()["wal_bytes_written"]) - before
    assert grown < 200 * (2 * 4096 + 600), grown


@test
def counts_survive_a_restart(_):
    with Server() as server:
        if server.is_redis:
            return
        with server.client() as r:
            add_numbers(r, "big", 5000)
            add_numbers(r, "small", 50)
            r("PFCOUNT", "big")
            before = r("MGET", "big", "small")
        server.restart(hard=True)
        with server.client() as r:
            same(r("MGET", "big", "small"), before)
            asks(r, ("PFADD big 1:1", 0), ("PFADD small 1:1", 0))


main()
