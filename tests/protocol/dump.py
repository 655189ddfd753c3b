#!/usr/bin/env python3
"""Values in Redis's serialized form: from redis-server to Quoin, back, and to itself."""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import families  # noqa: E402
from quoin import E, Server, ask, asks, main, same, test  # noqa: E402

READERS = {kind: reader for family in families.load() for kind, reader in family.readers.items()}


def content(client, key):
    kind = client("TYPE", key).decode()
    if kind == "string":
        return kind, client("GET", key)
    value = READERS[kind](client, key)
    # The encoding that a table has after its way through a dump is the receiver's business.
    return kind, [part for part in value if not isinstance(part, (bytes, bool))]


def fill(client, draw):
    """Every type, small and large, with texts, numbers and bytes."""
    many = range(draw.choice([3, 150, 700]))
    texts = [b"x" * draw.choice([1, 30, 100, 5000]), b"\x00\xff", b"12345", b"-7", b"",
             b"abc" * 2000]
    client("SET", "string", draw.choice(texts))
    client("SET", "number", draw.randint(-10**18, 10**18))
    client("RPUSH", "list", *[draw.choice(texts + [i, -i, i * 10**9]) for i in many])
    client("SADD", "ints", *[i * draw.choice([1, 70000, 10**12]) for i in many])
    client("SADD", "set", *[f"member:{i}" for i in many], *texts)
    client("ZADD", "zset", *[word for i in many for word in (i / 7 - 10, f"m{i}")], "inf", "top")
    client("HSET", "hash", *[word for i in many for word in (f"f{i}", draw.choice(texts + [i]))])
    for i in many:
        more = ["more", "x"] if i % 5 == 0 else []
        client("XADD", "stream", f"{i // 3 + 1}-{i % 3 + 1}", "name", i, *more)
    client("XDEL", "stream", "1-2")
    client("XGROUP", "CREATE", "stream", "group", "0")
    client("XGROUP", "CREATE", "stream", "idle", "$")
    client("XREADGROUP", "GROUP", "group", "alice", "COUNT", 3, "STREAMS", "stream", ">")
    client("XREADGROUP", "GROUP", "group", "bob", "COUNT", 2, "STREAMS", "stream", ">")
    client("XACK", "stream", "group", "1-1")
    return ["string", "number", "list", "ints", "set", "zset", "hash", "stream"]


def move_all(giver, taker, seed):
    with giver.client() as source, taker.client() as target:
        for number in range(6):
            source("FLUSHALL")
            target("FLUSHALL")
            for key in fill(source, random.Random(f"{seed}:{number}")):
                payload, new = source("DUMP", key), "new " + key
                ask(target, ["RESTORE", new, 0, payload], "OK")
                same(content(target, new), content(source, key))
                ask(target, ["RESTORE", new, 0, payload],
                    E("BUSYKEY Target key name already exists."))
                ask(target, ["RESTORE", new, 100000, payload, "REPLACE"], "OK")
                assert 0 < target("PTTL", new) <= 100000
                same(content(target, new), content(source, key))


@test
def values_move_from_redis_and_back(_):
    with Server(target="redis") as redis, Server(target="quoin", appendfsync="no") as quoin:
        move_all(redis, quoin, 1)
        move_all(quoin, redis, 2)
        move_all(quoin, quoin, 3)


@test
def a_payload_cut_or_changed_anywhere_is_refused(_):
    with Server(target="quoin", appendfsync="no") as quoin, quoin.client() as client:
        for key in fill(client, random.Random(1)):
            payload = client("DUMP", key)
            step = max(1, len(payload) // 60)
            for at in range(0, len(payload), step):
                ask(client, ["RESTORE", "new", 0, payload[:at]],
                    E("ERR DUMP payload version or checksum are wrong"))
                changed = payload[:at] + bytes([payload[at] ^ 0x41]) + payload[at + 1:]
                ask(client, ["RESTORE", "new", 0, changed],
                    E("ERR DUMP payload version or checksum are wrong"))
        ask(client, "EXISTS new", 0)


@test
def damage_under_a_good_checksum_is_refused_or_gives_a_sound_value(_):
    """A checksum of 0 is none: the value's own form has to be checked."""
    draw = random.Random(7)
    with Server(target="quoin", appendfsync="no") as quoin, quoin.client() as client:
        for key in fill(client, random.Random(2)):
            payload = client("DUMP", key)
            for _ in range(150):
                bad = bytearray(payload[:-8] + bytes(8))
                for _ in range(draw.randint(1, 3)):
                    bad[draw.randrange(len(bad) - 10)] = draw.randrange(256)
                reply = client("RESTORE", "new", 0, bytes(bad), "REPLACE")
                assert reply in (b"OK", b"ERR Bad data format"), reply
        asks(client, ("DEBUG RELOAD", "OK"), ("PING", "PONG"))


main()
