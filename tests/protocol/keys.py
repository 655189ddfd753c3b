#!/usr/bin/env python3
"""Keys of any type: deleting, renaming, copying, listing and walking them."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import E, ask, asks, main, same, test  # noqa: E402

NOT_INT = E("ERR value is not an integer or out of range")
NO_KEY = E("ERR no such key")
SYNTAX = E("ERR syntax error")


def fill(r, count, prefix="key:"):
    r.pipeline(*[("SET", f"{prefix}{i}", i) for i in range(count)])


def scan_all(r, *options):
    """Every element SCAN returns, with duplicates, from 0 to 0."""
    cursor, found, rounds = b"0", [], 0
    while True:
        cursor, keys = r("SCAN", cursor, *options)
        found += keys
        rounds += 1
        assert rounds < 100000, "SCAN does not end"
        if cursor == b"0":
            return found


@test
def del_and_unlink_count_what_was_there(r):
    for name in ("DEL", "UNLINK"):
        asks(r, ("MSET a 1 b 2 c 3", "OK"), (f"{name} a x b a", 2), (f"{name} a", 0),
             ("EXISTS a b c", 1), ("DEL c", 1))


@test
def exists_and_touch_count_repetitions(r):
    asks(r, ("MSET a 1 b 2", "OK"), ("EXISTS a a b x a", 4), ("TOUCH a x b b", 3), ("EXISTS x", 0))


@test
def type_names_what_a_key_holds(r):
    asks(r, ("TYPE k", "none"), ("SET k v", "OK"), ("TYPE k", "string"))


@test
def arities_are_checked(r):
    for name, counts in {"del": (0,), "unlink": (0,), "exists": (0,), "touch": (0,), "type": (0, 2),
                         "rename": (0, 1, 3), "renamenx": (0, 1, 3), "copy": (0, 1), "keys": (0, 2),
                         "randomkey": (1,), "scan": (0,), "dbsize": (1,), "persist": (0, 2),
                         "ttl": (0, 2), "pttl": (0, 2), "expiretime": (0, 2), "expire": (0, 1),
                         "pexpire": (0, 1), "expireat": (0, 1), "pexpireat": (0, 1),
                         "object|encoding": (0, 2)}.items():
        for count in counts:
            ask(r, name.split("|") + ["1"] * count,
                E(f"ERR wrong number of arguments for '{name}' command"))


@test
def rename_moves_value_and_expiry(r):
    asks(r, ("SET a v EX 100", "OK"), ("SET b w", "OK"), ("RENAME a b", "OK"), ("GET b", b"v"),
         ("TTL b", 100), ("EXISTS a", 0), ("SET a x", "OK"), ("RENAME a b", "OK"), ("TTL b", -1))


@test
def rename_of_nothing_fails_and_of_itself_does_nothing(r):
    asks(r, ("RENAME a b", NO_KEY), ("RENAMENX a b", NO_KEY), ("RENAME a a", NO_KEY),
         ("SET a v", "OK"), ("RENAME a a", "OK"), ("RENAMENX a a", 0), ("GET a", b"v"))


@test
def renamenx_never_overwrites(r):
    asks(r, ("MSET a 1 b 2", "OK"), ("RENAMENX a b", 0), ("RENAMENX a c", 1),
         ("MGET a b c", [None, b"2", b"1"]))


@test
def copy_makes_a_second_value_with_its_expiry(r):
    asks(r, ("COPY a b", 0), ("SET a v EX 100", "OK"), ("COPY a b", 1), ("GET b", b"v"),
         ("TTL b", 100), ("COPY a b", 0), ("SET a w", "OK"), ("COPY a b REPLACE", 1),
         ("GET b", b"w"), ("TTL b", -1), ("APPEND a x", 2), ("GET b", b"w"))


@test
def copy_reaches_other_databases(r):
    asks(r, ("SET a v", "OK"), ("COPY a a DB 3", 1), ("COPY a a DB 3", 0),
         ("COPY a a DB 3 REPLACE", 1), ("SELECT 3", "OK"), ("GET a", b"v"), ("SELECT 0", "OK"),
         ("COPY a a", E("ERR source and destination objects are the same")),
         ("COPY a b DB 99", E("ERR DB index is out of range")),
         ("COPY a b DB x", NOT_INT), ("COPY a b FOO", SYNTAX), ("COPY a b DB", SYNTAX))


@test
def keys_lists_by_pattern(r):
    ask(r, "MSET hello 1 hallo 2 hxllo 3 hllo 4 heeello 5 h*llo 6", "OK")
    for pattern, expected in {"h?llo": "h*llo hallo hello hxllo", "h*llo":
                              "h*llo hallo heeello hello hllo hxllo", "h[ae]llo": "hallo hello",
                              "h[^e]llo": "h*llo hallo hxllo", "h[a-b]llo": "hallo",
                              "h\\*llo": "h*llo", "": "", "nosuch": "", "*": "h*llo hallo heeello "
                              "hello hllo hxllo", "hello": "hello", "[h]ello": "hello",
                              "*e*": "heeello hello", "H*": ""}.items():
        same(sorted(r("KEYS", pattern)), expected.encode().split())


@test
def randomkey_gives_a_key_that_is_there(r):
    ask(r, "RANDOMKEY", None)
    fill(r, 20)
    seen = {r("RANDOMKEY") for _ in range(200)}
    assert seen <= {b"key:%d" % i for i in range(20)} and len(seen) > 5, seen


@test
def dbsize_counts_keys(r):
    ask(r, "DBSIZE", 0)
    fill(r, 123)
    asks(r, ("DBSIZE", 123), ("DEL key:1 key:2", 2), ("DBSIZE", 121), ("SET key:3 again", "OK"),
         ("RENAME key:4 key:5", "OK"), ("DBSIZE", 120), ("FLUSHDB", "OK"), ("DBSIZE", 0))


@test
def scan_visits_every_key_once_when_nothing_changes(r):
    fill(r, 1500)
    for count in ("1", "7", "100", "5000"):
        found = scan_all(r, "COUNT", count)
        same(sorted(found), sorted(b"key:%d" % i for i in range(1500)))


@test
def scan_of_nothing_ends_at_once(r):
    asks(r, ("SCAN 0", [b"0", []]), ("SCAN 0 MATCH x TYPE string COUNT 3", [b"0", []]))


@test
def scan_filters_by_pattern_and_type(r):
    fill(r, 300)
    ask(r, "MSET other 1 key:x 2", "OK")
    same(sorted(scan_all(r, "MATCH", "key:1?")), sorted(b"key:1%d" % i for i in range(10)))
    same(scan_all(r, "MATCH", "other"), [b"other"])
    same(len(scan_all(r, "TYPE", "string")), 302)
    same(scan_all(r, "TYPE", "hash"), [])
    same(scan_all(r, "match", "oth*", "count", "10", "type", "STRING"), [b"other"])


@test
def scan_finds_what_stays_while_others_come_and_go(r):
    fill(r, 400)
    cursor, found, step = b"0", set(), 0
    while True:
        cursor, keys = r("SCAN", cursor, "COUNT", "10")
        found |= set(keys)
        r("DEL", f"key:{200 + step}", f"key:{201 + step}")
        r("MSET", f"new:{step}", 1, f"new2:{step}", 1)
        step += 2
        if cursor == b"0":
            break
        assert step < 10000
    missing = {b"key:%d" % i for i in range(200)} - found
    assert not missing, f"{len(missing)} keys were missed"


@test
def scan_refuses_what_it_does_not_know(r):
    bad_cursor = E("ERR invalid cursor")
    asks(r, ("SCAN x", bad_cursor), ("SCAN 1x", bad_cursor),
         ("SCAN 0 COUNT 0", SYNTAX), ("SCAN 0 COUNT -1", SYNTAX), ("SCAN 0 COUNT x", NOT_INT),
         ("SCAN 0 COUNT", SYNTAX), ("SCAN 0 MATCH", SYNTAX), ("SCAN 0 FOO", SYNTAX),
         ("SCAN 0 TYPE", SYNTAX))


@test
def a_cursor_from_nowhere_does_no_harm(r):
    fill(r, 100)
    for cursor in ("1", "12345", "18446744073709551615", "9223372036854775808"):
        next_cursor, keys = r("SCAN", cursor, "COUNT", "1000")
        assert next_cursor.isdigit() and isinstance(keys, list)


@test
def object_tells_about_a_key(r):
    asks(r, ("OBJECT REFCOUNT n", None), ("OBJECT IDLETIME n", None), ("SET k v", "OK"),
         ("OBJECT REFCOUNT k", 1), ("OBJECT ENCODING k", b"embstr"),
         ("OBJECT FREQ k", E("ERR An LFU maxmemory policy is not selected, access frequency not "
                             "tracked. Please note that when switching between policies at "
                             "runtime LRU and LFU data will take some time to adjust.")),
         ("OBJECT NOSUCH k", E("ERR unknown subcommand 'NOSUCH'. Try OBJECT HELP.")),
         ("OBJECT", E("ERR wrong number of arguments for 'object' command")))
    assert r("OBJECT", "IDLETIME", "k") in (0, 1)
    help_text = r("OBJECT", "HELP")
    assert isinstance(help_text, list) and b"ENCODING <key>" in help_text, help_text


@test
def keys_of_64_kilobytes_are_keys(r):
    key = os.urandom(65536)
    asks(r, (("SET", key, "v"), "OK"), (("GET", key), b"v"), (("KEYS", "*"), [key]),
         (("RENAME", key, key[1:]), "OK"), (("DEL", key[1:]), 1))


main()
