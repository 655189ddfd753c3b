#!/usr/bin/env python3
"""Streams: entries, consumer groups, and what newer servers added to them.

Expectations are those of redis-server 7.0, which runs the same tests; what it does not know (the
references of XTRIM, XADD, XDELEX and XACKDEL, of Redis 8.2, and idempotent production, of 8.6) is
as the pages at redis.io and github.com/redis/redis/pull/14130 and /14615 have it.
"""

import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import E, Server, ask, asks, main, same, test  # noqa: E402
from resp import NULL_ARRAY, Error, Map  # noqa: E402

SYNTAX = E("ERR syntax error")
NOT_INT = E("ERR value is not an integer or out of range")
BAD_ID = E("ERR Invalid stream ID specified as stream command argument")
WRONG_TYPE = E("WRONGTYPE Operation against a key holding the wrong kind of value")
NO_KEY = E("ERR no such key")
ARGUMENTS = E("ERR wrong number…")
TOO_SMALL = E("ERR The ID specified in XADD is equal or smaller than the target stream top item")
NOT_POSITIVE = E("ERR Number of IDs must be a positive integer")
NO_MATCH = E("ERR The `numids` parameter must match the number of arguments")


def entry(name, *words):
    """[id, [field, value, …]]; f v when no words are given."""
    return [name.encode(), [word.encode() for word in (words or ("f", "v"))]]


def entries(*names):
    return [entry(name) for name in names]


def fill(r, key, *names):
    for name in names:
        ask(r, f"XADD {key} {name} f v", name.encode())


def mapped(reply):
    """A map, or what RESP2 makes of one."""
    return dict(reply) if isinstance(reply, Map) else dict(zip(reply[::2], reply[1::2]))


def info(r, key):
    return mapped(r("XINFO", "STREAM", key))


def pending(r, key, group):
    """(id, consumer, times delivered) of all that is pending."""
    return [(item[0].decode(), item[1].decode(), item[3])
            for item in r("XPENDING", key, group, "-", "+", 1000)]


# --- entries ---


@test
def xadd_takes_ids_that_rise(r):
    asks(r, ("XADD s 1-1 f v", b"1-1"), ("XADD s 1-1 f v", TOO_SMALL),
         ("XADD s 1-0 f v", TOO_SMALL),
         ("XADD s 0-5 f v", TOO_SMALL), ("XADD s 1-* f v", b"1-2"), ("XADD s 2 f v", b"2-0"),
         ("XADD s 5-* f v", b"5-0"), ("XADD s 4-* f v", TOO_SMALL), ("XLEN s", 4),
         ("XADD t 0-0 f v", E("ERR The ID specified in XADD must be greater than 0-0")),
         ("EXISTS t", 0), ("XADD t x f v", BAD_ID), ("XADD t *-1 f v", BAD_ID),
         ("XADD t 1-1 f", ARGUMENTS), ("XADD t 1-1 f v g", ARGUMENTS), ("XADD t", ARGUMENTS))


@test
def xadd_makes_ids_of_the_time(r):
    before = int(time.time() * 1000)
    ids = [tuple(map(int, r("XADD", "s", "*", "f", "v").split(b"-"))) for _ in range(20)]
    assert ids == sorted(set(ids)), ids
    assert before - 2000 <= ids[0][0] <= int(time.time() * 1000) + 2000, ids[0]
    ask(r, "XADD t 99999999999999-5 f v", b"99999999999999-5")
    ask(r, "XADD t * f v", b"99999999999999-6")


@test
def xadd_ends_at_the_last_id(r):
    largest = "18446744073709551615-18446744073709551615"
    asks(r, (f"XADD s {largest} f v", largest.encode()),
         ("XADD s * f v", E("ERR The stream has exhausted the last possible ID, unable to add more "
                            "items")), ("XLEN s", 1))


@test
def xadd_nomkstream_adds_only_where_there_is_one(r):
    asks(r, ("XADD s NOMKSTREAM 1-1 f v", None), ("EXISTS s", 0), ("XADD s 1-1 f v", b"1-1"),
         ("XADD s nomkstream 1-2 f v", b"1-2"))


@test
def fields_come_back_as_they_were_given(r):
    wide = [f"{i}" for i in range(200)]
    asks(r, (["XADD", "s", "1-1", "", "", "a\r\nb", "\0\xff"], b"1-1"),
         (["XADD", "s", "1-2", "a", "1", "a", "2"], b"1-2"), (["XADD", "s", "1-3"] + wide, b"1-3"),
         ("XADD s 1-4 n 9223372036854775807", b"1-4"), ("XADD s 1-5 n -05", b"1-5"))
    same(r("XRANGE", "s", "-", "+"),
         [[b"1-1", [b"", b"", b"a\r\nb", "\0\xff".encode()]], entry("1-2", "a", "1", "a", "2"),
          entry("1-3", *wide), entry("1-4", "n", "9223372036854775807"), entry("1-5", "n", "-05")])


@test
def ranges_go_both_ways_and_leave_their_ends_out_when_asked(r):
    names = ["1-1", "1-2", "2-0", "3-5"]
    fill(r, "s", *names)
    asks(r, ("XRANGE s - +", entries(*names)), ("XREVRANGE s + -", entries(*reversed(names))),
         ("XRANGE s 1 1", entries("1-1", "1-2")), ("XRANGE s 1-2 2", entries("1-2", "2-0")),
         ("XRANGE s (1-1 (3-5", entries("1-2", "2-0")), ("XRANGE s 2 (2-0", []),
         ("XREVRANGE s 2 1", entries("2-0", "1-2", "1-1")), ("XRANGE s 9 +", []),
         ("XRANGE s - + COUNT 2", entries("1-1", "1-2")), ("XRANGE s + -", []),
         ("XREVRANGE s + - COUNT 1", entries("3-5")), ("XRANGE none - +", []),
         ("XRANGE s - + COUNT", SYNTAX), ("XRANGE s - + FOO 1", SYNTAX),
         ("XRANGE s - + COUNT x", NOT_INT), ("XRANGE s x +", BAD_ID), ("XRANGE s ( +", BAD_ID))


@test
def many_entries_are_found_from_any_side(r):
    names = [f"{i // 7}-{i % 7 + 1}" for i in range(1000)]
    for at in range(0, 1000, 100):
        r.pipeline(*[["XADD", "s", name, "f", "v"] for name in names[at:at + 100]])
    same(r("XRANGE", "s", "-", "+"), entries(*names))
    same(r("XREVRANGE", "s", "+", "-"), entries(*reversed(names)))
    for at in range(0, 990, 83):
        same(r("XRANGE", "s", names[at], "+", "COUNT", 5), entries(*names[at:at + 5]))
        same(r("XREVRANGE", "s", names[at + 4], "-", "COUNT", 5),
             entries(*reversed(names[at:at + 5])))
    for at in range(0, 1000, 3):
        ask(r, ["XDEL", "s", names[at]], 1)
    left = [name for at, name in enumerate(names) if at % 3]
    same(r("XRANGE", "s", "-", "+"), entries(*left))
    same(r("XREVRANGE", "s", "+", "-"), entries(*reversed(left)))
    ask(r, "XLEN s", len(left))


@test
def xdel_removes_what_is_there_and_the_stream_stays(r):
    fill(r, "s", "1-1", "1-2", "1-3")
    asks(r, ("XDEL s 1-2 1-2 9-9", 1), ("XDEL s 1-1 x", BAD_ID), ("XLEN s", 2),
         ("XDEL s 1-1 1-3", 2), ("XLEN s", 0), ("EXISTS s", 1), ("TYPE s", "stream"),
         ("XADD s 1-3 f v", TOO_SMALL), ("XDEL none 1-1", 0), ("XDEL s", ARGUMENTS))
    same(info(r, "s")[b"max-deleted-entry-id"], b"1-3")


@test
def xtrim_leaves_the_newest(r):
    names = [f"{i}-0" for i in range(1, 11)]
    fill(r, "s", *names)
    asks(r, ("XTRIM s MAXLEN 8", 2), ("XRANGE s - + COUNT 1", entries("3-0")),
         ("XTRIM s MAXLEN = 8", 0), ("XTRIM s MINID 5", 2),
         ("XRANGE s - + COUNT 1", entries("5-0")),
         ("XTRIM s MINID = 5-1", 1), ("XTRIM s MAXLEN ~ 3", 0), ("XLEN s", 5),
         ("XTRIM s MAXLEN ~ 0", 5), ("XLEN s", 0), ("XTRIM none MAXLEN 1", 0))
    fill(r, "s", "11-0", "12-0")
    asks(r, ("XADD s MAXLEN 1 13-0 f v", b"13-0"), ("XLEN s", 1),
         ("XADD s MINID 20 15-0 f v", b"15-0"),
         ("XLEN s", 0))


@test
def xtrim_refuses_what_does_not_go_together(r):
    asks(r, ("XTRIM s MAXLEN -1", E("ERR The MAXLEN argument must be >= 0.")),
         ("XTRIM s MAXLEN x", NOT_INT), ("XTRIM s MINID x", BAD_ID), ("XTRIM s FOO 1", SYNTAX),
         ("XTRIM s MAXLEN 1 MINID 2", E("ERR syntax error, MAXLEN and MINID options at the same "
                                        "time are not compatible")),
         ("XTRIM s MAXLEN 1 LIMIT 5",
          E("ERR syntax error, LIMIT cannot be used without the special ~ option")),
         ("XTRIM s MAXLEN ~ 1 LIMIT -1", E("ERR The LIMIT argument must be >= 0.")),
         ("XTRIM s MAXLEN", ARGUMENTS))


@test
def xsetid_moves_the_last_id(r):
    fill(r, "s", "1-1", "2-0")
    asks(r, ("XSETID s 9-9", "OK"), ("XADD s 9-9 f v", TOO_SMALL), ("XADD s 9-10 f v", b"9-10"),
         ("XSETID s 5-0", E("ERR The ID specified in XSETID is smaller than the target stream top "
                            "item")),
         ("XSETID s 20-0 ENTRIESADDED 100 MAXDELETEDID 15-0", "OK"), ("XSETID none 1-1", NO_KEY),
         ("XSETID s 20-0 ENTRIESADDED 1", E("ERR The entries_added specified in XSETID is smaller "
                                           "than the target stream length")))
    found = info(r, "s")
    same((found[b"entries-added"], found[b"max-deleted-entry-id"], found[b"last-generated-id"]),
         (100, b"15-0", b"20-0"))


@test
def other_types_are_refused(r):
    r("SET", "k", "v")
    for request in ("XADD k 1-1 f v", "XLEN k", "XRANGE k - +", "XREVRANGE k + -", "XDEL k 1-1",
                    "XTRIM k MAXLEN 1", "XSETID k 1-1", "XREAD STREAMS k 0", "XACK k g 1-1",
                    "XGROUP CREATE k g 0", "XINFO STREAM k", "XPENDING k g",
                    "XCLAIM k g c 0 1-1", "XAUTOCLAIM k g c 0 0",
                    "XREADGROUP GROUP g c STREAMS k >"):
        ask(r, request, WRONG_TYPE)
    fill(r, "s", "1-1")
    ask(r, "GET s", WRONG_TYPE)


# --- reading ---


@test
def xread_gives_what_came_behind_an_id(r):
    fill(r, "s", "1-1", "1-2", "2-0")
    fill(r, "t", "5-0")
    asks(r, ("XREAD STREAMS s 1-1", [[b"s", entries("1-2", "2-0")]]),
         ("XREAD COUNT 1 STREAMS s t 0 0", [[b"s", entries("1-1")], [b"t", entries("5-0")]]),
         ("XREAD STREAMS s t 9 5-0", NULL_ARRAY), ("XREAD STREAMS s $", NULL_ARRAY),
         ("XREAD STREAMS none 0", NULL_ARRAY), ("XREAD STREAMS s t 0", E("ERR Unbalanced…")),
         ("XREAD COUNT x STREAMS s 0", NOT_INT), ("XREAD STREAMS s x", BAD_ID),
         ("XREAD BLOCK -1 STREAMS s 0", E("ERR timeout is negative")), ("XREAD FOO s 0", SYNTAX))


@test
def xread_waits_for_an_entry(r, server):
    with server.client() as other:
        waiting = threading.Thread(target=lambda: found.append(
            other("XREAD", "BLOCK", 10000, "STREAMS", "s", "t", "$", "$")))
        found = []
        fill(r, "s", "1-1")
        waiting.start()
        wait_until_blocked(r)
        fill(r, "t", "7-0")
        waiting.join(10)
        same(found, [[[b"t", entries("7-0")]]])
    ask(r, "XREAD BLOCK 20 STREAMS s 1-1", NULL_ARRAY)


def wait_until_blocked(r, count=1):
    deadline = time.monotonic() + 10
    while b"blocked_clients:%d\r\n" % count not in r("INFO", "clients"):
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.01)


@test
def in_resp3_streams_read_are_a_map(r, server):
    fill(r, "s", "1-1")
    with server.client() as c:
        c("HELLO", 3)
        asks(c, ("XREAD STREAMS s 0", Map([(b"s", entries("1-1"))])), ("XREAD STREAMS s 9", None),
             ("XGROUP CREATE s g 0", "OK"),
             ("XREADGROUP GROUP g c STREAMS s >", Map([(b"s", entries("1-1"))])),
             ("XREADGROUP GROUP g c STREAMS s >", None), ("XPENDING s g", [1, b"1-1", b"1-1",
                                                                          [[b"c", b"1"]]]))
        found = c("XINFO", "STREAM", "s")
        assert isinstance(found, Map) and dict(found)[b"length"] == 1, found
        groups = c("XINFO", "GROUPS", "s")
        assert isinstance(groups[0], Map) and dict(groups[0])[b"pending"] == 1, groups


# --- consumer groups ---


@test
def xgroup_makes_groups_and_removes_them(r):
    asks(r, ("XGROUP CREATE s g 0", E("ERR The XGROUP subcommand requires the key to exist…")),
         ("XGROUP CREATE s g 0 MKSTREAM", "OK"), ("XLEN s", 0),
         ("XGROUP CREATE s g 0", E("BUSYGROUP Consumer Group name already exists")),
         ("XGROUP CREATE s h $", "OK"), ("XGROUP CREATE s i x", BAD_ID),
         ("XGROUP CREATECONSUMER s g c", 1), ("XGROUP CREATECONSUMER s g c", 0),
         ("XGROUP CREATECONSUMER s none c", E("NOGROUP…")), ("XGROUP DELCONSUMER s g c", 0),
         ("XGROUP DESTROY s h", 1), ("XGROUP DESTROY s h", 0),
         ("XGROUP SETID s none 0", E("NOGROUP…")),
         ("XGROUP SETID s g 5-0", "OK"))
    groups = [mapped(group) for group in r("XINFO", "GROUPS", "s")]
    same([(group[b"name"], group[b"last-delivered-id"]) for group in groups], [(b"g", b"5-0")])


@test
def a_group_gives_each_entry_once(r):
    fill(r, "s", "1-0", "2-0", "3-0")
    asks(r, ("XGROUP CREATE s g 0", "OK"),
         ("XREADGROUP GROUP g alice COUNT 2 STREAMS s >", [[b"s", entries("1-0", "2-0")]]),
         ("XREADGROUP GROUP g bob STREAMS s >", [[b"s", entries("3-0")]]),
         ("XREADGROUP GROUP g bob STREAMS s >", NULL_ARRAY),
         ("XREADGROUP GROUP g alice STREAMS s 0", [[b"s", entries("1-0", "2-0")]]),
         ("XREADGROUP GROUP g alice STREAMS s 1-0", [[b"s", entries("2-0")]]),
         ("XREADGROUP GROUP none alice STREAMS s >", E("NOGROUP…")),
         ("XREADGROUP GROUP g alice STREAMS s $", E("ERR The $ ID is meaningless…")),
         ("XPENDING s g", [3, b"1-0", b"3-0", [[b"alice", b"2"], [b"bob", b"1"]]]))
    same(pending(r, "s", "g"), [("1-0", "alice", 2), ("2-0", "alice", 3), ("3-0", "bob", 1)])


@test
def what_is_acknowledged_is_pending_no_more(r):
    fill(r, "s", "1-0", "2-0", "3-0")
    asks(r, ("XGROUP CREATE s g 0", "OK"),
         ("XREADGROUP GROUP g c STREAMS s >", [[b"s", entries("1-0", "2-0", "3-0")]]),
         ("XACK s g 1-0 1-0 9-0", 1), ("XACK s none 2-0", 0), ("XACK none g 2-0", 0),
         ("XACK s g x", BAD_ID), ("XPENDING s g", [2, b"2-0", b"3-0", [[b"c", b"2"]]]),
         ("XACK s g 2-0 3-0", 2), ("XPENDING s g", [0, None, None, NULL_ARRAY]))


@test
def noack_leaves_nothing_pending(r):
    fill(r, "s", "1-0")
    asks(r, ("XGROUP CREATE s g 0", "OK"),
         ("XREADGROUP GROUP g c NOACK STREAMS s >", [[b"s", entries("1-0")]]),
         ("XPENDING s g", [0, None, None, NULL_ARRAY]))


@test
def an_entry_that_went_stays_pending_without_its_fields(r):
    fill(r, "s", "1-0", "2-0")
    asks(r, ("XGROUP CREATE s g 0", "OK"),
         ("XREADGROUP GROUP g c STREAMS s >", [[b"s", entries("1-0", "2-0")]]), ("XDEL s 1-0", 1),
         ("XREADGROUP GROUP g c STREAMS s 0", [[b"s", [[b"1-0", NULL_ARRAY], entry("2-0")]]]),
         ("XAUTOCLAIM s g d 0 0", [b"0-0", entries("2-0"), [b"1-0"]]),
         ("XPENDING s g", [1, b"2-0", b"2-0", [[b"d", b"1"]]]))


@test
def xclaim_takes_over(r):
    fill(r, "s", "1-0", "2-0", "3-0")
    asks(r, ("XGROUP CREATE s g 0", "OK"),
         ("XREADGROUP GROUP g a COUNT 2 STREAMS s >", [[b"s", entries("1-0", "2-0")]]),
         ("XCLAIM s g b 0 1-0 3-0", entries("1-0")), ("XCLAIM s g b 100000 2-0", []),
         ("XCLAIM s g b 0 2-0 JUSTID", [b"2-0"]), ("XCLAIM s g b 0 3-0 FORCE JUSTID", [b"3-0"]),
         ("XCLAIM s g b 0 1-0 RETRYCOUNT 7 JUSTID", [b"1-0"]),
         ("XCLAIM s g b x 1-0", E("ERR Invalid…")),
         ("XCLAIM s none b 0 1-0", E("NOGROUP…")),
         ("XCLAIM s g b 0 1-0 FOO", E("ERR Unrecognized…")))
    same(pending(r, "s", "g")[0], ("1-0", "b", 7))
    same([item[1] for item in pending(r, "s", "g")], ["b", "b", "b"])


@test
def xautoclaim_goes_through_all_that_is_pending(r):
    names = [f"{i}-0" for i in range(1, 6)]
    fill(r, "s", *names)
    asks(r, ("XGROUP CREATE s g 0", "OK"),
         ("XREADGROUP GROUP g a STREAMS s >", [[b"s", entries(*names)]]),
         ("XAUTOCLAIM s g b 0 - COUNT 2", [b"3-0", entries("1-0", "2-0"), []]),
         ("XAUTOCLAIM s g b 0 3-0 COUNT 9 JUSTID", [b"0-0", [b"3-0", b"4-0", b"5-0"], []]),
         ("XAUTOCLAIM s g b 100000 0", [b"0-0", [], []]),
         ("XAUTOCLAIM s g b 0 0 COUNT 0", E("ERR COUNT must be > 0")),
         ("XPENDING s g", [5, b"1-0", b"5-0", [[b"b", b"5"]]]))


@test
def a_consumer_takes_what_is_pending_for_it_along(r):
    fill(r, "s", "1-0", "2-0")
    asks(r, ("XGROUP CREATE s g 0", "OK"),
         ("XREADGROUP GROUP g a STREAMS s >", [[b"s", entries("1-0", "2-0")]]),
         ("XGROUP DELCONSUMER s g a", 2), ("XPENDING s g", [0, None, None, NULL_ARRAY]),
         ("XINFO CONSUMERS s g", []), ("XINFO CONSUMERS s none", E("NOGROUP…")))


@test
def a_group_waits_for_an_entry(r, server):
    fill(r, "s", "1-0")
    ask(r, "XGROUP CREATE s g $", "OK")
    with server.client() as other:
        found = []
        waiting = threading.Thread(target=lambda: found.append(
            other("XREADGROUP", "GROUP", "g", "c", "BLOCK", 10000, "STREAMS", "s", ">")))
        waiting.start()
        wait_until_blocked(r)
        fill(r, "s", "2-0")
        waiting.join(10)
        same(found, [[[b"s", entries("2-0")]]])
        same(pending(r, "s", "g"), [("2-0", "c", 1)])


@test
def a_group_that_goes_wakes_who_waits_for_it(r, server):
    ask(r, "XGROUP CREATE s g $ MKSTREAM", "OK")
    with server.client() as other:
        found = []
        waiting = threading.Thread(target=lambda: found.append(
            other("XREADGROUP", "GROUP", "g", "c", "BLOCK", 10000, "STREAMS", "s", ">")))
        waiting.start()
        wait_until_blocked(r)
        ask(r, "XGROUP DESTROY s g", 1)
        waiting.join(10)
        assert len(found) == 1 and isinstance(found[0], Error) and \
            found[0].startswith(b"NOGROUP"), found


@test
def the_lag_is_told_while_it_is_known(r):
    fill(r, "s", "1-0", "2-0", "3-0", "4-0")
    ask(r, "XGROUP CREATE s g 0", "OK")
    for count, read, lag in ((1, 1, 3), (2, 3, 1)):
        r("XREADGROUP", "GROUP", "g", "c", "COUNT", count, "STREAMS", "s", ">")
        group = mapped(r("XINFO", "GROUPS", "s")[0])
        same((group[b"entries-read"], group[b"lag"]), (read, lag))


@test(only="quoin")
def groups_survive_a_restart():
    with Server() as other:
        with other.client() as c:
            fill(c, "s", "1-0", "2-0", "3-0")
            asks(c, ("XGROUP CREATE s g 0", "OK"),
                 ("XREADGROUP GROUP g a COUNT 2 STREAMS s >", [[b"s", entries("1-0", "2-0")]]),
                 ("XACK s g 1-0", 1), ("XDEL s 3-0", 1))
            before = c("XINFO", "STREAM", "s", "FULL")
        other.restart()
        with other.client() as c:
            same(c("XINFO", "STREAM", "s", "FULL"), before)
            asks(c, ("XREADGROUP GROUP g a STREAMS s 0", [[b"s", entries("2-0")]]),
                 ("XADD s 3-0 f v", TOO_SMALL))


# --- entries that groups refer to: Redis 8.2 ---


newer = test(only="quoin")  # redis-server 7.0 does not know it


def two_groups(r, *names):
    """Both groups were given all entries."""
    fill(r, "s", *names)
    for group, consumer in (("g", "a"), ("h", "b")):
        asks(r, (f"XGROUP CREATE s {group} 0", "OK"),
             (f"XREADGROUP GROUP {group} {consumer} STREAMS s >", [[b"s", entries(*names)]]))


@newer
def xdelex_keeps_references_unless_told_otherwise(r):
    two_groups(r, "1-0", "2-0", "3-0", "4-0")
    asks(r, ("XDELEX s IDS 2 1-0 9-0", [1, -1]), ("XDELEX s KEEPREF IDS 1 2-0", [1]),
         ("XPENDING s g", [4, b"1-0", b"4-0", [[b"a", b"4"]]]),
         ("XDELEX s DELREF IDS 1 3-0", [1]), ("XLEN s", 1))
    same([item[0] for item in pending(r, "s", "g")], ["1-0", "2-0", "4-0"])
    same([item[0] for item in pending(r, "s", "h")], ["1-0", "2-0", "4-0"])


@newer
def xdelex_delref_drops_references_to_what_went_before(r):
    two_groups(r, "1-0", "2-0")
    asks(r, ("XDEL s 1-0", 1), ("XDELEX s DELREF IDS 2 1-0 7-7", [-1, -1]))
    same([item[0] for item in pending(r, "s", "g")], ["2-0"])
    same([item[0] for item in pending(r, "s", "h")], ["2-0"])


@newer
def xdelex_acked_leaves_what_a_group_refers_to(r):
    two_groups(r, "1-0", "2-0")
    fill(r, "s", "3-0")
    asks(r, ("XACK s g 1-0 2-0", 2), ("XDELEX s ACKED IDS 4 1-0 2-0 3-0 4-0", [2, 2, 2, -1]),
         ("XACK s h 1-0", 1), ("XDELEX s ACKED IDS 2 1-0 2-0", [1, 2]),
         ("XRANGE s - +", entries("2-0", "3-0")), ("XGROUP DESTROY s h", 1),
         ("XDELEX s ACKED IDS 2 2-0 3-0", [1, 2]), ("XGROUP DESTROY s g", 1),
         ("XDELEX s ACKED IDS 1 3-0", [1]), ("XLEN s", 0), ("EXISTS s", 1))


@newer
def xackdel_keepref_takes_from_the_own_group_only(r):
    two_groups(r, "1-0", "2-0")
    asks(r, ("XACKDEL s g KEEPREF IDS 2 1-0 2-0", [1, 1]), ("XLEN s", 0),
         ("XPENDING s g", [0, None, None, NULL_ARRAY]),
         ("XPENDING s h", [2, b"1-0", b"2-0", [[b"b", b"2"]]]),
         ("XACKDEL s h IDS 2 1-0 2-0", [1, 1]), ("XPENDING s h", [0, None, None, NULL_ARRAY]),
         ("XACKDEL s h IDS 1 1-0", [-1]))


@newer
def xackdel_delref_takes_from_all_groups(r):
    two_groups(r, "1-0", "2-0")
    asks(r, ("XACKDEL s g DELREF IDS 2 1-0 2-0", [1, 1]), ("XLEN s", 0),
         ("XPENDING s h", [0, None, None, NULL_ARRAY]),
         ("XACKDEL s h DELREF IDS 2 1-0 2-0", [-1, -1]))


@newer
def xackdel_acked_waits_for_the_last_group(r):
    two_groups(r, "1-0", "2-0")
    asks(r, ("XACKDEL s g ACKED IDS 2 1-0 2-0", [2, 2]), ("XLEN s", 2),
         ("XPENDING s g", [0, None, None, NULL_ARRAY]),
         ("XPENDING s h", [2, b"1-0", b"2-0", [[b"b", b"2"]]]),
         ("XACKDEL s h ACKED IDS 2 1-0 2-0", [1, 1]), ("XLEN s", 0))


@newer
def xackdel_of_what_is_not_pending_removes_nothing(r):
    fill(r, "s", "1-0")
    asks(r, ("XACKDEL none g IDS 2 1-0 2-0", [-1, -1]), ("XACKDEL s none IDS 1 1-0", [-1]),
         ("XGROUP CREATE s g 0", "OK"), ("XACKDEL s g IDS 1 1-0", [-1]), ("XLEN s", 1),
         ("XDELEX none IDS 1 1-0", [-1]), ("EXISTS none", 0))


@newer
def ids_are_counted_and_checked_before_anything_goes(r):
    two_groups(r, "1-0", "2-0")
    for command in ("XDELEX s", "XACKDEL s g"):
        asks(r, (f"{command} IDS x 1-0", NOT_POSITIVE), (f"{command} IDS 0 1-0", NOT_POSITIVE),
             (f"{command} IDS -5 1-0", NOT_POSITIVE), (f"{command} IDS 3 1-0 2-0", NO_MATCH),
             (f"{command} IDS 1 1-0 2-0", SYNTAX), (f"{command} IDS 2 1-0 x", BAD_ID),
             (f"{command} KEEPREF DELREF IDS 1 1-0", SYNTAX), (f"{command} FOO IDS 1 1-0", SYNTAX),
             (f"{command} ACKED ACKED IDS 1 1-0", SYNTAX), (f"{command} KEEPREF 1 1-0", SYNTAX),
             (f"{command} IDS 9223372036854775807 1-0", NO_MATCH), (command, ARGUMENTS))
    asks(r, ("XLEN s", 2), ("XPENDING s g", [2, b"1-0", b"2-0", [[b"a", b"2"]]]),
         ("XDELEX s IDS 1 1-0 ACKED", [2]), ("SET k v", "OK"), ("XDELEX k IDS 1 1-0", WRONG_TYPE),
         ("XACKDEL k g IDS 1 1-0", WRONG_TYPE))


@newer
def trimming_delref_drops_what_is_pending(r):
    two_groups(r, "1-0", "2-0", "3-0", "4-0")
    asks(r, ("XTRIM s MAXLEN 3 KEEPREF", 1), ("XPENDING s g", [4, b"1-0", b"4-0", [[b"a", b"4"]]]),
         ("XTRIM s DELREF MINID 3-0", 1))
    same([item[0] for item in pending(r, "s", "g")], ["1-0", "3-0", "4-0"])
    asks(r, ("XADD s MAXLEN = 1 DELREF 5-0 f v", b"5-0"), ("XLEN s", 1))
    same([item[0] for item in pending(r, "s", "h")], ["1-0"])
    asks(r, ("XTRIM s MAXLEN 1 KEEPREF ACKED", SYNTAX),
         ("XTRIM s KEEPREF MAXLEN 1 KEEPREF", SYNTAX))


@newer
def trimming_acked_leaves_what_a_group_refers_to(r):
    fill(r, "s", *[f"{i}-0" for i in range(1, 6)])
    asks(r, ("XGROUP CREATE s g 0", "OK"), ("XADD s MAXLEN = 1 ACKED 6-0 f v", b"6-0"),
         ("XLEN s", 6), ("XREADGROUP GROUP g c COUNT 1 STREAMS s >", [[b"s", entries("1-0")]]),
         ("XACK s g 1-0", 1), ("XADD s MAXLEN = 1 ACKED 7-0 f v", b"7-0"), ("XLEN s", 6),
         ("XREADGROUP GROUP g c STREAMS s >",
          [[b"s", entries("2-0", "3-0", "4-0", "5-0", "6-0", "7-0")]]),
         ("XACK s g 3-0 5-0", 2), ("XTRIM s MINID 5 ACKED", 1), ("XTRIM s MAXLEN 1 ACKED", 1),
         ("XRANGE s - +", entries("2-0", "4-0", "6-0", "7-0")), ("XACK s g 2-0 4-0 6-0 7-0", 4),
         ("XADD s MAXLEN = 1 ACKED 8-0 f v", b"8-0"), ("XRANGE s - +", entries("8-0")))


@newer
def trimming_acked_goes_through_many_nodes(r):
    names = [f"{i}-0" for i in range(1, 501)]
    for at in range(0, 500, 100):
        r.pipeline(*[["XADD", "s", name, "f", "v"] for name in names[at:at + 100]])
    r("XGROUP", "CREATE", "s", "g", "0")
    r("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    r("XACK", "s", "g", *[name for at, name in enumerate(names) if at % 5])
    ask(r, "XTRIM s MAXLEN ~ 150 ACKED LIMIT 150", 80)
    ask(r, "XTRIM s MAXLEN 150 ACKED", 270)
    left = [name for at, name in enumerate(names) if at % 5 == 0 or at >= 438]
    same(r("XRANGE", "s", "-", "+"), entries(*left))
    ask(r, "XTRIM s MINID 1000 ACKED", 50)
    ask(r, "XLEN s", 100)


# --- idempotent production: Redis 8.6 ---

AUTO_ONLY = E("ERR IDMP/IDMPAUTO can be used only with auto-generated IDs")
TWICE = E("ERR IDMP/IDMPAUTO specified multiple times")


def tracked(r, key):
    found = info(r, key)
    return tuple(found[name] for name in (b"pids-tracked", b"iids-tracked", b"iids-added",
                                          b"iids-duplicates"))


@newer
def a_message_that_comes_again_is_not_added(r):
    first = r("XADD", "s", "IDMP", "p", "m1", "*", "f", "1")
    second = r("XADD", "s", "IDMP", "p", "m2", "*", "f", "2")
    assert first != second, first
    ask(r, "XADD s IDMP p m1 * f other", first)
    ask(r, "XADD s MAXLEN 0 IDMP p m2 NOMKSTREAM * f other", second)
    asks(r, ("XLEN s", 2), ("XRANGE s - +", [[first, [b"f", b"1"]], [second, [b"f", b"2"]]]))
    same(tracked(r, "s"), (1, 2, 2, 2))
    other = r("XADD", "s", "IDMP", "q", "m1", "*", "f", "1")
    assert other not in (first, second), other
    same(tracked(r, "s"), (2, 3, 3, 2))


@newer
def a_message_is_remembered_when_its_entry_is_gone(r):
    first = r("XADD", "s", "IDMP", "p", "m", "*", "f", "1")
    asks(r, (["XDEL", "s", first], 1), ("XADD s IDMP p m * f 1", first), ("XLEN s", 0),
         ("DEL s", 1))
    assert r("XADD", "s", "IDMP", "p", "m", "*", "f", "1") is not None
    ask(r, "XLEN s", 1)


@newer
def idmpauto_knows_a_message_by_its_content(r):
    first = r("XADD", "s", "IDMPAUTO", "p", "*", "a", "1", "b", "2")
    asks(r, ("XADD s IDMPAUTO p * a 1 b 2", first), ("XADD s IDMPAUTO p * b 2 a 1", first),
         ("XLEN s", 1))
    for words in (("a", "1"), ("a", "2", "b", "1"), ("a", "1", "b", "2", "a", "1"), ("b", "1"),
                  ("a1", "b", "2", ""), ("a", ""), ("", "a")):
        assert r("XADD", "s", "IDMPAUTO", "p", "*", *words) != first, words
    ask(r, "XLEN s", 8)
    assert r("XADD", "s", "IDMPAUTO", "q", "*", "a", "1", "b", "2") != first
    same(tracked(r, "s"), (2, 9, 9, 2))


@newer
def names_of_messages_are_any_bytes(r):
    names = ["*", "-", "$", "IDMP", "1-1", "\0\1\2", "x" * 1000, "y" * 70000, "ü", "\r\n"]
    ids = [r("XADD", "s", "IDMP", "p\0", name, "*", "f", "v") for name in names]
    same(len(set(ids)), len(names))
    same([r("XADD", "s", "IDMP", "p\0", name, "*", "f", "v") for name in names], ids)
    ask(r, "DEBUG RELOAD", "OK")
    same([r("XADD", "s", "IDMP", "p\0", name, "*", "f", "v") for name in names], ids)
    ask(r, "XLEN s", len(names))


@newer
def idmp_refuses_what_it_does_not_know(r):
    asks(r, ("XADD s IDMP p m 1-1 f v", AUTO_ONLY), ("XADD s IDMPAUTO p 1-* f v", AUTO_ONLY),
         ("XADD s IDMP p * f v", BAD_ID), ("XADD s IDMP p m IDMP p n * f v", TWICE),
         ("XADD s IDMPAUTO p IDMP p n * f v", TWICE), ("XADD s IDMPAUTO p IDMPAUTO p * f v", TWICE),
         (["XADD", "s", "IDMP", "", "m", "*", "f", "v"],
          E("ERR IDMP requires a non-empty producer ID")),
         (["XADD", "s", "IDMP", "p", "", "*", "f", "v"],
          E("ERR IDMP requires a non-empty idempotent ID")),
         (["XADD", "s", "IDMPAUTO", "", "*", "f", "v"],
          E("ERR IDMPAUTO requires a non-empty producer ID")),
         ("XADD s NOMKSTREAM IDMP p m * f v", None), ("EXISTS s", 0))


@newer
def a_producer_is_remembered_its_newest_messages(r):
    r("XADD", "s", "*", "f", "v")
    ask(r, "XCFGSET s IDMP-MAXSIZE 3", "OK")
    ids = {name: r("XADD", "s", "IDMP", "p", name, "*", "f", "v") for name in "abc"}
    other = r("XADD", "s", "IDMP", "q", "a", "*", "f", "v")
    for name in "abc":
        ask(r, f"XADD s IDMP p {name} * f v", ids[name])
    assert r("XADD", "s", "IDMP", "p", "d", "*", "f", "v") not in ids.values()
    asks(r, ("XADD s IDMP p b * f v", ids["b"]), ("XADD s IDMP p c * f v", ids["c"]),
         ("XADD s IDMP q a * f v", other))
    assert r("XADD", "s", "IDMP", "p", "a", "*", "f", "v") != ids["a"]
    same(tracked(r, "s"), (2, 4, 6, 6))


@newer
def a_message_is_remembered_for_a_while(r):
    r("XADD", "s", "*", "f", "v")
    ask(r, "XCFGSET s IDMP-DURATION 1", "OK")
    begin = time.monotonic()
    first = r("XADD", "s", "IDMP", "p", "m", "*", "f", "v")
    again = r("XADD", "s", "IDMP", "p", "m", "*", "f", "v")
    assert again == first or time.monotonic() - begin > 0.9
    while tracked(r, "s")[:2] != (0, 0):
        assert time.monotonic() - begin < 10, "it is remembered for ever"
        time.sleep(0.05)
    assert time.monotonic() - begin > 0.9, "it was forgotten too early"
    assert r("XADD", "s", "IDMP", "p", "m", "*", "f", "v") != first
    same(tracked(r, "s")[:2], (1, 1))


@newer
def xcfgset_forgets_when_it_changes_something(r):
    first = r("XADD", "s", "IDMP", "p", "m", "*", "f", "v")
    asks(r, ("XCFGSET s IDMP-DURATION 100 IDMP-MAXSIZE 100", "OK"),
         ("XADD s IDMP p m * f v", first), ("XCFGSET s idmp-duration 86400", "OK"))
    same((info(r, "s")[b"idmp-duration"], info(r, "s")[b"idmp-maxsize"]), (86400, 100))
    same(tracked(r, "s"), (0, 0, 1, 1))
    second = r("XADD", "s", "IDMP", "p", "m", "*", "f", "v")
    assert second != first
    asks(r, ("XCFGSET s IDMP-MAXSIZE 10000 IDMP-DURATION 86400", "OK"), ("XLEN s", 2))
    same((info(r, "s")[b"idmp-duration"], info(r, "s")[b"idmp-maxsize"]), (86400, 10000))


@newer
def xcfgset_refuses_what_it_does_not_know(r):
    duration = E("ERR IDMP-DURATION must be between 1 and 86400 seconds")
    size = E("ERR IDMP-MAXSIZE must be between 1 and 10000 entries")
    r("XADD", "s", "*", "f", "v")
    asks(r, ("XCFGSET none IDMP-DURATION 5", NO_KEY), ("EXISTS none", 0),
         ("XCFGSET s", E("ERR At least one parameter must be specified")),
         ("XCFGSET s IDMP-DURATION", SYNTAX), ("XCFGSET s FOO", SYNTAX),
         ("XCFGSET s FOO 1", SYNTAX),
         ("XCFGSET s IDMP-DURATION 0", duration), ("XCFGSET s IDMP-DURATION 86401", duration),
         ("XCFGSET s IDMP-MAXSIZE 0", size), ("XCFGSET s IDMP-MAXSIZE 10001", size),
         ("XCFGSET s IDMP-MAXSIZE -5", size), ("XCFGSET s IDMP-MAXSIZE x IDMP-DURATION", NOT_INT),
         ("XCFGSET s IDMP-DURATION 000", NOT_INT), ("SET k v", "OK"),
         ("XCFGSET k IDMP-DURATION 5", WRONG_TYPE))
    same((info(r, "s")[b"idmp-duration"], info(r, "s")[b"idmp-maxsize"]), (100, 100))


@newer
def a_transaction_adds_a_message_once(r):
    asks(r, ("MULTI", "OK"), ("XADD s IDMP p a * f v", "QUEUED"),
         ("XADD s IDMP p b * f v", "QUEUED"),
         ("XADD s IDMP p a * f v", "QUEUED"))
    first, second, third = r("EXEC")
    assert first == third != second, (first, second, third)
    ask(r, "XLEN s", 2)


@newer
def copies_and_renamed_streams_remember_too(r):
    first = r("XADD", "s", "IDMP", "p", "m", "*", "f", "v")
    asks(r, ("COPY s t", 1), ("RENAME s u", "OK"), ("DEBUG RELOAD", "OK"),
         ("XADD t IDMP p m * f v", first), ("XADD u IDMP p m * f v", first), ("XLEN t", 1),
         ("XLEN u", 1))


@test(only="quoin")
def what_producers_sent_survives_reload_and_restart():
    with Server() as other:
        with other.client() as c:
            c("XADD", "s", "*", "f", "v")
            ask(c, "XCFGSET s IDMP-DURATION 3600 IDMP-MAXSIZE 20", "OK")
            ids = {(p, m): c("XADD", "s", "IDMP", f"p{p}", f"m{m}", "*", "f", "v")
                   for m in range(30) for p in range(3)}
            c("XADD", "s", "IDMP", "p0", "m29", "*", "f", "v")
            before = c("XINFO", "STREAM", "s", "FULL")
            same(tracked(c, "s"), (3, 60, 90, 1))
            ask(c, "DEBUG RELOAD", "OK")
            same(c("XINFO", "STREAM", "s", "FULL"), before)
        other.restart()
        with other.client() as c:
            same(c("XINFO", "STREAM", "s", "FULL"), before)
        other.restart(hard=True)
        with other.client() as c:
            same(c("XINFO", "STREAM", "s", "FULL"), before)
            for (p, m), name in ids.items():
                if m >= 10:
                    ask(c, f"XADD s IDMP p{p} m{m} * f v", name)
            assert c("XADD", "s", "IDMP", "p0", "m9", "*", "f", "v") != ids[0, 9]
            same(tracked(c, "s"), (3, 60, 91, 61))


if __name__ == "__main__":
    main()
