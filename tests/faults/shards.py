#!/usr/bin/env python3
"""One, four and sixty-four shards; durability modes; what is fixed when data is first made."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import E, Server, StartFailed, ask, asks, main, same, test  # noqa: E402
from resp import Error  # noqa: E402
from writers import Writers  # noqa: E402

SHARDS = (1, 4, 64)
CROSSSLOT = E("CROSSSLOT Keys in request don't hash to the same slot")


def fill(client, count=2000):
    same(set(client.pipeline(*[("SET", f"k{i}", i) for i in range(count)])), {b"OK"})


@test
def keys_of_all_shards_are_one_database():
    for shards in SHARDS:
        with Server(shards=shards, appendfsync="no") as server, server.client() as client:
            fill(client)
            ask(client, "DBSIZE", 2000)
            same(sorted(client("KEYS", "*")), sorted(b"k%d" % i for i in range(2000)))
            cursor, found = b"0", []
            while True:
                cursor, keys = client("SCAN", cursor, "COUNT", 50)
                found += keys
                if cursor == b"0":
                    break
            same((len(found), len(set(found))), (2000, 2000))
            assert client("RANDOMKEY").startswith(b"k")
            values = client.pipeline(*[("GET", f"k{i}") for i in range(2000)])
            same(values, [b"%d" % i for i in range(2000)])
            asks(client, ("SELECT 3", "OK"), ("SET only 3", "OK"), ("DBSIZE", 1),
                 ("FLUSHALL", "OK"), ("DBSIZE", 0), ("SELECT 0", "OK"), ("DBSIZE", 0),
                 ("RANDOMKEY", None))


@test
def everything_is_there_after_a_restart_with_any_number_of_shards():
    for shards in SHARDS:
        with Server(shards=shards) as server:
            with server.client() as client:
                fill(client)
                asks(client, ("SELECT 7", "OK"), ("SET seven 7 EX 1000", "OK"))
            for hard in (True, False, True):
                server.restart(hard=hard)
                with server.client() as client:
                    asks(client, ("DBSIZE", 2000), ("GET k1999", b"1999"), ("SELECT 7", "OK"),
                         ("GET seven", b"7"))
                    assert 0 < client("TTL", "seven") <= 1000


@test
def commands_on_keys_of_several_slots_are_refused_with_several_shards():
    with Server(shards=4) as server, server.client() as client:
        asks(client, ("MSET a 1 b 2", CROSSSLOT), ("MGET a b", CROSSSLOT),
             ("RENAME a b", CROSSSLOT), ("DEL a b", CROSSSLOT), ("COPY a b", CROSSSLOT),
             ("EXISTS a b c", CROSSSLOT), ("MSETNX a 1 b 2", CROSSSLOT), ("DBSIZE", 0),
             ("MSET {t}a 1 {t}b 2", "OK"), ("MGET {t}a {t}b", [b"1", b"2"]),
             ("RENAME {t}a {t}c", "OK"), ("DEL {t}b {t}c", 2), ("DEL a", 0), ("EXISTS a a", 0))


@test
def a_block_over_several_slots_is_refused_whole():
    with Server(shards=4) as server, server.client() as client:
        ask(client, "MULTI", "OK")
        replies = [client("SET", "a", 1), client("SET", "b", 1), client("EXEC")]
        errors = [reply for reply in replies if isinstance(reply, Error)]
        assert replies[-1] in errors, replies
        assert any(error.startswith(b"CROSSSLOT") for error in errors), replies
        asks(client, ("EXISTS a", 0), ("EXISTS b", 0), ("MULTI", "OK"), ("SET {t}a 1", "QUEUED"),
             ("INCR {t}a", "QUEUED"), ("EXEC", ["OK", 2]))


@test
def blocks_that_look_at_all_shards_do_not_wait_for_each_other():
    with Server(shards=4) as server, server.client() as filler:
        fill(filler)
        ask(filler, "DEBUG RELOAD", "OK")
        clients = [server.client(timeout=10) for _ in range(8)]
        for number in range(20):
            for i, client in enumerate(clients):
                client.send("MULTI")
                client.send("SET", "{%d}" % i, number)
                client.send("KEYS", "{*")
                client.send("EXEC")
            for client in clients:
                reply = [client.read() for _ in range(4)][3]
                same(reply[0], b"OK")
        for client in clients:
            client.close()


@test
def with_one_shard_everything_goes_together():
    with Server(shards=1) as server, server.client() as client:
        asks(client, ("MSET a 1 b 2", "OK"), ("MGET a b", [b"1", b"2"]), ("MULTI", "OK"),
             ("SET x 1", "QUEUED"), ("SET y 1", "QUEUED"), ("EXEC", ["OK", "OK"]), ("DEL a b x", 3))


@test
def swapdb_is_refused_with_several_shards_and_does_nothing():
    with Server(shards=4) as server, server.client() as client:
        ask(client, "SET a 1", "OK")
        reply = client("SWAPDB", 0, 1)
        assert isinstance(reply, Error), reply
        ask(client, "GET a", b"1")


@test
def the_number_of_shards_is_fixed_when_the_data_is_made():
    with Server(shards=4) as server:
        server.stop()
        server.directives["shards"] = 8
        try:
            server.start()
            raise AssertionError("started with another number of shards")
        except StartFailed as failure:
            assert failure.code and failure.code > 0 and "shards" in failure.output, failure.output
        server.directives["shards"] = 4
        server.start()


@test
def a_pipeline_over_all_shards_is_answered_in_order():
    with Server(shards=64) as server, server.client() as client:
        requests = [("SET", f"k{i}", i) if i % 3 == 0 else ("ECHO", i) if i % 3 == 1 else
                    ("GET", f"k{i - 2}") for i in range(9000)]
        replies = client.pipeline(*requests)
        for i, reply in enumerate(replies):
            same(reply, b"OK" if i % 3 == 0 else b"%d" % (i if i % 3 == 1 else i - 2))


@test
def every_durability_mode_survives_a_kill():
    for mode in ("always", "everysec", "no"):
        for shards in (1, 4):
            with Server(appendfsync=mode, shards=shards) as server:
                writers = Writers(server, range(2), keys=5)
                time.sleep(0.4)
                server.kill()
                report = writers.finish()
                same(report.errors, {})
                assert report.total > 50, report.total
                server.start()
                with server.client() as client:
                    # A kill loses no write(2); only a machine that stops would.
                    same(report.check(client), [])


@test
def the_durability_mode_changes_while_running():
    with Server(appendfsync="always") as server:
        writers = Writers(server, range(2), keys=5)
        with server.client() as client:
            for mode in ("no", "everysec", "always", "no", "always", "everysec", "always"):
                ask(client, f"CONFIG SET appendfsync {mode}", "OK")
                same(client("CONFIG", "GET", "appendfsync"), [b"appendfsync", mode.encode()])
                time.sleep(0.05)
        server.kill()
        report = writers.finish()
        same(report.errors, {})
        server.start()
        with server.client() as client:
            same(report.check(client), [])


main()
