#!/usr/bin/env python3
"""Strings: SET and its options, GET and its relatives, ranges, several keys at once."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import E, Server, ask, asks, main, same, test  # noqa: E402

NOT_INT = E("ERR value is not an integer or out of range")
SYNTAX = E("ERR syntax error")


def arity(name):
    return E(f"ERR wrong number of arguments for '{name}' command")


@test
def set_and_get(r):
    asks(r, ("GET k", None), ("SET k v", "OK"), ("GET k", b"v"), ("SET k w", "OK"), ("GET k", b"w"))


@test
def set_nx_sets_only_what_is_absent(r):
    asks(r, ("SET k a NX", "OK"), ("SET k b NX", None), ("GET k", b"a"))


@test
def set_xx_sets_only_what_is_there(r):
    asks(r, ("SET k a XX", None), ("EXISTS k", 0), ("SET k a", "OK"), ("SET k b XX", "OK"),
         ("GET k", b"b"))


@test
def set_get_returns_the_old_value(r):
    asks(r, ("SET k a GET", None), ("SET k b GET", b"a"), ("SET k c XX GET", b"b"),
         ("SET k d NX GET", b"c"), ("GET k", b"c"), ("SET n a XX GET", None), ("EXISTS n", 0),
         ("SET n a NX GET", None), ("GET n", b"a"))


@test
def set_options_have_no_case_and_any_order(r):
    asks(r, ("SET k v eX 100 nX", "OK"), ("TTL k", 100), ("SET k v Xx pX 50000", "OK"),
         ("TTL k", 50), ("SET k v get KeepTTL", b"v"), ("TTL k", 50))


@test
def set_drops_an_expiry_unless_told_to_keep_it(r):
    asks(r, ("SET k v EX 100", "OK"), ("SET k w KEEPTTL", "OK"), ("TTL k", 100),
         ("SET k w", "OK"), ("TTL k", -1))


@test
def set_with_every_way_to_say_an_expiry(r):
    now = int(time.time())
    asks(r, ("SET k v EX 100", "OK"), ("TTL k", 100), ("SET k v PX 100000", "OK"), ("TTL k", 100),
         (f"SET k v EXAT {now + 100}", "OK"), ("EXPIRETIME k", now + 100),
         (f"SET k v PXAT {now * 1000 + 100500}", "OK"), ("PEXPIRETIME k", now * 1000 + 100500))


@test
def set_with_an_expiry_in_the_past_deletes(r):
    asks(r, ("SET k v", "OK"), ("SET k w EXAT 1", "OK"), ("GET k", None), ("SET k v", "OK"),
         ("SET k w PXAT 1000", "OK"), ("EXISTS k", 0), ("DBSIZE", 0))


@test
def set_refuses_conflicting_options(r):
    for options in ("NX XX", "EX 10 PX 10", "EX 10 KEEPTTL", "KEEPTTL PX 1", "EXAT 1 PXAT 1", "EX",
                    "PX", "NX NX XX", "FOO", "EXAT", "KEEPTTL EXAT 100", "v"):
        ask(r, f"SET k v {options}", SYNTAX)
    asks(r, ("EXISTS k", 0), ("SET k v NX NX", "OK"), ("SET k v GET GET", b"v"),
         ("SET k v EX 10 EX 20", "OK"), ("TTL k", 20))


@test
def set_refuses_expiry_times_that_cannot_be(r):
    bad = E("ERR invalid expire time in 'set' command")
    for option in ("EX 0", "EX -1", "PX 0", "PX -5", "EXAT 0", "EXAT -1", "PXAT 0", "PXAT -1",
                   "EX 9223372036854775807", "EX 9223372036854775", "PX 9223372036854775807",
                   "EXAT 9223372036854775807", "EX -9223372036854775808"):
        ask(r, f"SET k v {option}", bad)
    for option in ("EX x", "EX 1.5", "PX 9223372036854775808", "EXAT 1x", "EX 01", "PX +1"):
        ask(r, f"SET k v {option}", NOT_INT)
    ask(r, ("SET", "k", "v", "EX", ""), NOT_INT)
    ask(r, ("SET", "k", "v", "EX", " 1"), NOT_INT)
    asks(r, ("EXISTS k", 0), ("SET k v EX 9223370000000000", "OK"))


@test
def set_checks_all_options_before_anything_else(r):
    asks(r, ("SET k v XX EX 0", E("ERR invalid expire time in 'set' command")),
         ("SET k v XX EX x", NOT_INT), ("SET k old", "OK"), ("SET k v NX EX x", NOT_INT),
         ("GET k", b"old"))


@test
def too_few_and_too_many_arguments_are_refused(r):
    for name, counts in {"set": (0, 1), "get": (0, 2), "getdel": (0, 2), "getex": (0,),
                         "getset": (0, 1, 3), "setnx": (0, 1, 3), "setex": (0, 1, 2, 4),
                         "psetex": (0, 1, 2, 4), "mget": (0,), "mset": (0, 1), "msetnx": (0, 1),
                         "append": (0, 1, 3), "strlen": (0, 2), "getrange": (0, 1, 2, 4),
                         "substr": (0, 1, 2, 4), "setrange": (0, 1, 2, 4), "incr": (0, 2),
                         "decr": (0, 2), "incrby": (0, 1, 3), "decrby": (0, 1, 3),
                         "incrbyfloat": (0, 1, 3), "lcs": (0, 1)}.items():
        for count in counts:
            ask(r, [name] + ["1"] * count, arity(name))
    asks(r, ("MSET a 1 b", arity("mset")), ("MSETNX a 1 b", arity("msetnx")), ("DBSIZE", 0))


@test
def setnx_answers_with_a_number(r):
    asks(r, ("SETNX k a", 1), ("SETNX k b", 0), ("GET k", b"a"))


@test
def setex_and_psetex_set_with_an_expiry(r):
    asks(r, ("SETEX k 100 v", "OK"), ("TTL k", 100), ("GET k", b"v"), ("PSETEX k 50000 w", "OK"),
         ("TTL k", 50), ("GET k", b"w"))
    for name in ("setex", "psetex"):
        for value in ("0", "-1", "9223372036854775807"):
            ask(r, f"{name} k {value} v", E(f"ERR invalid expire time in '{name}' command"))
        ask(r, f"{name} k x v", NOT_INT)
    asks(r, ("GET k", b"w"), ("TTL k", 50))


@test
def getdel_takes_the_value_away(r):
    asks(r, ("SET k v", "OK"), ("GETDEL k", b"v"), ("GETDEL k", None), ("EXISTS k", 0))


@test
def getset_answers_with_the_old_value_and_drops_the_expiry(r):
    asks(r, ("GETSET k a", None), ("EXPIRE k 100", 1), ("GETSET k b", b"a"), ("TTL k", -1))


@test
def getex_reads_and_changes_the_expiry(r):
    now = int(time.time())
    asks(r, ("GETEX k", None), ("GETEX k EX 10", None), ("SET k v", "OK"), ("GETEX k", b"v"),
         ("TTL k", -1), ("GETEX k EX 100", b"v"), ("TTL k", 100), ("GETEX k PX 50000", b"v"),
         ("TTL k", 50), (f"GETEX k EXAT {now + 70}", b"v"), ("EXPIRETIME k", now + 70),
         (f"GETEX k PXAT {now * 1000 + 80000}", b"v"), ("PEXPIRETIME k", now * 1000 + 80000),
         ("GETEX k", b"v"), ("PEXPIRETIME k", now * 1000 + 80000), ("GETEX k PERSIST", b"v"),
         ("TTL k", -1), ("GETEX k EXAT 1", b"v"), ("EXISTS k", 0))


@test
def getex_refuses_what_set_refuses(r):
    ask(r, "SET k v", "OK")
    for options in ("EX 1 PX 1", "EX", "PERSIST EX 1", "NX", "KEEPTTL", "EX 10 PERSIST", "GET"):
        ask(r, f"GETEX k {options}", SYNTAX)
    for option in ("EX 0", "PX -1", "EXAT 0", "EX 9223372036854775807"):
        ask(r, f"GETEX k {option}", E("ERR invalid expire time in 'getex' command"))
    asks(r, ("GETEX k EX x", NOT_INT), ("TTL k", -1))


@test
def mset_and_mget_work_on_many_keys(r):
    asks(r, ("MSET a 1 b 2 c 3", "OK"), ("MGET a x b c a", [b"1", None, b"2", b"3", b"1"]),
         ("MSET a 5 a 6", "OK"), ("GET a", b"6"))


@test
def mset_drops_expiries(r):
    asks(r, ("SET a 1 EX 100", "OK"), ("MSET a 2 b 3", "OK"), ("TTL a", -1))


@test
def msetnx_sets_all_or_nothing(r):
    asks(r, ("MSETNX a 1 b 2", 1), ("MSETNX c 3 b 9", 0), ("MGET a b c", [b"1", b"2", None]),
         ("MSETNX d 1 d 2", 1), ("GET d", b"2"))


@test
def append_adds_to_the_end_and_keeps_the_expiry(r):
    asks(r, ("APPEND k ab", 2), ("APPEND k cd", 4), ("GET k", b"abcd"), ("EXPIRE k 100", 1),
         ("APPEND k e", 5), ("TTL k", 100), (("APPEND", "k", ""), 5), (("APPEND", "n", ""), 0),
         ("EXISTS n", 1), ("SET i 12", "OK"), ("APPEND i 3", 3), ("INCR i", 124))


@test
def strlen_counts_bytes(r):
    asks(r, ("STRLEN k", 0), (("SET", "k", "äö\0"), "OK"), ("STRLEN k", 5), ("SET n -12345", "OK"),
         ("STRLEN n", 6))


@test
def getrange_clamps_both_ends(r):
    ask(r, "SET k Hello", "OK")
    for begin, end, part in [(0, 3, b"Hell"), (0, -1, b"Hello"), (-3, -1, b"llo"), (-100, 1, b"He"),
                             (3, 100, b"lo"), (5, 10, b""), (3, 1, b""), (-1, -3, b""),
                             (-1, -100, b""), (0, -100, b"H"), (-100, -100, b"H"), (4, 4, b"o"),
                             (0, 9223372036854775807, b"Hello"),
                             (-9223372036854775808, 9223372036854775807, b"Hello")]:
        asks(r, (f"GETRANGE k {begin} {end}", part), (f"SUBSTR k {begin} {end}", part))
    asks(r, ("GETRANGE n 0 -1", b""), ("GETRANGE k x 1", NOT_INT), ("GETRANGE k 0 1.5", NOT_INT),
         ("GETRANGE n x 1", NOT_INT), ("SET i 12345", "OK"), ("GETRANGE i 1 2", b"23"))


@test
def setrange_pads_with_zero_bytes(r):
    asks(r, ("SETRANGE k 3 ab", 5), ("GET k", b"\0\0\0ab"), ("SETRANGE k 0 xyz", 5),
         ("GET k", b"xyzab"), ("SETRANGE k 4 123", 7), ("GET k", b"xyza123"),
         ("EXPIRE k 100", 1), ("SETRANGE k 0 q", 7), ("TTL k", 100), ("SET i 12345", "OK"),
         ("SETRANGE i 1 x", 5), ("GET i", b"1x345"))


@test
def setrange_with_nothing_to_write_creates_nothing(r):
    asks(r, (("SETRANGE", "k", "0", ""), 0), (("SETRANGE", "k", "10", ""), 0), ("EXISTS k", 0),
         ("SET k abc", "OK"), (("SETRANGE", "k", "10", ""), 3), ("GET k", b"abc"))


@test
def setrange_refuses_bad_offsets(r):
    too_long = E("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
    asks(r, ("SETRANGE k -1 x", E("ERR offset is out of range")), ("SETRANGE k x x", NOT_INT),
         ("SETRANGE k 536870912 x", too_long), ("SETRANGE k 9223372036854775807 x", too_long),
         ("SETRANGE k 4294967296 x", too_long), ("EXISTS k", 0), ("SET k a", "OK"),
         ("SETRANGE k -1 x", E("ERR offset is out of range")), ("SETRANGE k 536870912 x", too_long))


@test
def strings_end_at_the_longest_legal_size(_):
    too_long = E("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
    with Server(proto_max_bulk_len="1mb") as server, server.client() as client:
        size = 1 << 20
        asks(client, (f"SETRANGE k {size - 1} x", size), (f"SETRANGE k {size} x", too_long),
             (f"SETRANGE n {size} x", too_long), ("APPEND k y", too_long), ("STRLEN k", size),
             (("SET", "a", "x" * (size - 1)), "OK"), ("APPEND a b", size), ("APPEND a b", too_long))


@test
def big_strings_are_read_and_changed_in_parts(r):
    value = bytes(i * 31 % 251 for i in range(1000003))
    ask(r, ("SET", "k", value), "OK")
    ask(r, ("SETRANGE", "k", 500000, b"NEEDLE"), len(value))
    value = value[:500000] + b"NEEDLE" + value[500006:]
    ask(r, ("APPEND", "k", b"tail" * 5000), len(value) + 20000)
    value += b"tail" * 5000
    for begin, end in [(499990, 500020), (0, 10), (16383, 16385), (32768, 98304), (-20001, -1)]:
        same(r("GETRANGE", "k", begin, end), value[begin:end + 1 or None])
    same(r("GET", "k") == value, True)


@test
def a_string_of_every_size_around_the_storage_steps_reads_back(r):
    sizes = [0, 1, 43, 44, 45, 511, 512, 513, 2047, 2048, 2049, 16383, 16384, 16385, 32768, 65537]
    for size in sizes:
        ask(r, ("SET", f"s{size}", b"q" * size), "OK")
        ask(r, ("SETRANGE", f"r{size}", size, b"z"), size + 1)
    for size in sizes:
        asks(r, (f"STRLEN s{size}", size), (f"GET s{size}", b"q" * size),
             (f"GET r{size}", b"\0" * size + b"z"))


@test
def encodings_are_named_as_tools_expect(r):
    asks(r, ("SET k 12345", "OK"), ("OBJECT ENCODING k", b"int"),
         (("SET", "k", "x" * 44), "OK"), ("OBJECT ENCODING k", b"embstr"),
         (("SET", "k", "x" * 45), "OK"), ("OBJECT ENCODING k", b"raw"),
         ("SET k 9223372036854775807", "OK"), ("OBJECT ENCODING k", b"int"),
         ("SET k 9223372036854775808", "OK"), ("OBJECT ENCODING k", b"embstr"),
         ("SET k 007", "OK"), ("OBJECT ENCODING k", b"embstr"), ("GET k", b"007"),
         ("OBJECT ENCODING nosuch", None))


@test
def lcs_finds_the_longest_common_subsequence(r):
    asks(r, ("MSET a ohmytext b mynewtext", "OK"), ("LCS a b", b"mytext"), ("LCS a b LEN", 6),
         ("LCS a nosuch", b""), ("LCS a nosuch LEN", 0), ("LCS a b IDX",
         [b"matches", [[[4, 7], [5, 8]], [[2, 3], [0, 1]]], b"len", 6]),
         ("LCS a b IDX MINMATCHLEN 4", [b"matches", [[[4, 7], [5, 8]]], b"len", 6]),
         ("LCS a b IDX WITHMATCHLEN",
          [b"matches", [[[4, 7], [5, 8], 4], [[2, 3], [0, 1], 2]], b"len", 6]),
         ("LCS a b IDX LEN",
          E("ERR If you want both the length and indexes, please just use IDX.")),
         ("LCS a b FOO", SYNTAX), ("LCS a b IDX MINMATCHLEN x", NOT_INT),
         ("LCS a b IDX MINMATCHLEN", SYNTAX))


@test
def an_error_changes_nothing(r):
    asks(r, ("SET k v EX 100", "OK"), ("INCR k", NOT_INT), ("SET k w FOO", SYNTAX),
         ("SETEX k 0 w", E("ERR invalid expire time in 'setex' command")), ("GET k", b"v"),
         ("TTL k", 100))


main()
