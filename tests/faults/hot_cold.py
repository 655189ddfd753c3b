#!/usr/bin/env python3
"""Data beyond memory: written, paged out, read back whole, deleted and expired while cold.

test-timeout: 400
"""

import hashlib
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import Server, ask, asks, main, same, test, wait_for  # noqa: E402

MIB = 1 << 20
FULL = bool(os.environ.get("QUOIN_SOAK"))
DATA = 512 * MIB if FULL else 128 * MIB
MEMORY = 64 if FULL else 16
VALUE_SIZE = 4000
BATCH = 500


def value_of(number):
    """Different for every key and not to be compressed away."""
    digest = hashlib.sha512(b"%d" % number).digest()
    return (digest * (VALUE_SIZE // len(digest) + 1))[:VALUE_SIZE - number % 100]


def fill(client, count, *options):
    for begin in range(0, count, BATCH):
        numbers = range(begin, min(begin + BATCH, count))
        replies = client.pipeline(*[("SET", f"k{number}", value_of(number), *options)
                                    for number in numbers])
        same(set(replies), {b"OK"})


def read_back(client, count, step=1):
    for begin in range(0, count, BATCH * step):
        numbers = range(begin, min(begin + BATCH * step, count), step)
        values = client.pipeline(*[("GET", f"k{number}") for number in numbers])
        wrong = [number for number, value in zip(numbers, values) if value != value_of(number)]
        assert not wrong, f"{len(wrong)} values are wrong, the first is k{wrong[0]}"


def ceiling():
    """Resident bytes for MEMORY MiB of objects, which fragment to twice that at most.

    Beside them up to 64 MiB wait to be flushed, in the log's memory and again in the batch that
    LevelDB is given, and what was freed stays with the allocator for some seconds.
    """
    return (MEMORY * 2 + 240) * MIB


@test
def data_of_eight_times_the_memory_is_written_and_read_back():
    count = DATA // VALUE_SIZE
    with Server(maxmemory=f"{MEMORY}mb", appendfsync="everysec") as server:
        with server.client(timeout=60) as client:
            fill(client, count)
            ask(client, "DBSIZE", count)
            rss = server.rss_bytes()
            read_back(client, count)
            print(f"# resident {rss // MIB} MiB after writing {DATA // MIB} MiB, "
                  f"{server.rss_bytes() // MIB} MiB after reading them")
            assert max(rss, server.rss_bytes()) < ceiling()
        begin = time.monotonic()
        server.restart(hard=True)
        with server.client(timeout=60) as client:
            same(client("GET", "k77"), value_of(77))
            seconds = time.monotonic() - begin
            rss = server.rss_bytes()
            print(f"# the first answer {seconds:.2f} s after the start, resident {rss // MIB} MiB")
            assert seconds < 5, f"{seconds} s until the first answer"
            assert rss < (MEMORY + 100) * MIB, "a restart loads what nobody asked for"
            ask(client, "DBSIZE", count)
            read_back(client, count, step=7)
            asks(client, ("DEL k1 k2 nosuch", 2), ("EXISTS k1 k3", 1), ("APPEND k4 x",
                 len(value_of(4)) + 1), ("STRLEN k5", len(value_of(5))), ("DBSIZE", count - 2))


@test
def absent_keys_are_absent_beside_cold_ones():
    with Server(maxmemory="2mb", appendfsync="everysec") as server:
        with server.client() as client:
            fill(client, 3000)
        server.restart()
        with server.client() as client:
            replies = client.pipeline(*[("GET", f"no{number}") for number in range(3000)])
            same(set(replies), {None})
            asks(client, ("SETNX k5 x", 0), ("SETNX no5 x", 1), ("MSETNX no6 1 k6 2", 0),
                 ("EXISTS no6", 0))


@test
def a_part_of_a_huge_string_changes_without_writing_it_all():
    size = 100 * MIB
    with Server(maxmemory="256mb") as server, server.client(timeout=60) as client:
        ask(client, ("SETRANGE", "big", size - 1, b"z"), size)
        ask(client, ("SETRANGE", "big", 0, b"a" * MIB), size)
        time.sleep(0.5)
        before = server.written_bytes()
        for number in range(100):
            ask(client, ("SETRANGE", "big", number * 1000003 % size, b"%03d" % number), size)
        for number in range(100):
            ask(client, ("APPEND", "big", "tail"), size + 4 * (number + 1))
        written = server.written_bytes() - before
        print(f"# 200 small changes of a string of 100 MiB wrote {written // 1024} KiB")
        assert written < 40 * MIB, f"{written // MIB} MiB were written"
        same(client("GETRANGE", "big", 99 * 1000003 % size, 99 * 1000003 % size + 2), b"099")
        server.restart(hard=True)
        with server.client(timeout=60) as after:
            same(after("STRLEN", "big"), size + 400)
            same(after("GETRANGE", "big", -8, -1), b"tailtail")
            same(after("GETRANGE", "big", 0, 2), b"000")
            same(after("GETRANGE", "big", 77 * 1000003 % size, 77 * 1000003 % size + 2), b"077")


@test
def cold_keys_expire_on_time():
    with Server(maxmemory="2mb", appendfsync="everysec") as server:
        with server.client() as client:
            fill(client, 2000, "PX", "2500")
            ask(client, "SET stays v", "OK")
        server.restart(hard=True)
        with server.client() as client:
            wait_for(lambda: client("DBSIZE") == 1, 20, "the death of 2000 cold keys")
            asks(client, ("GET k1", None), ("KEYS *", [b"stays"]))


@test
def flushing_a_database_of_cold_keys_is_quick_and_frees_the_disk():
    with Server(maxmemory="2mb", appendfsync="everysec", flush_bytes="1mb") as server:
        with server.client() as client:
            fill(client, 10000)
        server.restart()
        with server.client() as client:
            begin = time.monotonic()
            ask(client, "FLUSHALL", "OK")
            seconds = time.monotonic() - begin
            assert seconds < 2, f"{seconds} s"
            asks(client, ("DBSIZE", 0), ("GET k5", None), ("SET k5 new", "OK"), ("GET k5", b"new"),
                 ("RANDOMKEY", b"k5"))
        server.restart(hard=True)
        with server.client() as client:
            asks(client, ("DBSIZE", 1), ("GET k5", b"new"), ("GET k6", None))


@test
def cold_keys_are_walked_counted_and_renamed():
    with Server(maxmemory="2mb", appendfsync="everysec") as server:
        with server.client() as client:
            fill(client, 5000)
        server.restart()
        with server.client() as client:
            ask(client, "DBSIZE", 5000)
            cursor, found = b"0", []
            while True:
                cursor, keys = client("SCAN", cursor, "COUNT", 100)
                found += keys
                if cursor == b"0":
                    break
            same((len(found), len(set(found))), (5000, 5000))
            same(len(client("KEYS", "k1*")), 1111)
            asks(client, ("RENAME k7 r7", "OK"), ("EXISTS k7", 0), ("COPY k8 c8", 1))
            same((client("GET", "r7"), client("GET", "c8")), (value_of(7), value_of(8)))


@test
def many_readers_of_cold_keys_all_get_their_own():
    with Server(maxmemory="2mb", appendfsync="everysec", reader_threads=4) as server:
        with server.client() as client:
            fill(client, 4000)
        server.restart()
        clients = [server.client() for _ in range(30)]
        for turn in range(20):
            for number, client in enumerate(clients):
                client.send("GET", f"k{(number * 131 + turn * 977) % 4000}")
            for number, client in enumerate(clients):
                same(client.read(), value_of((number * 131 + turn * 977) % 4000))
        for client in clients:
            client.close()


main()
