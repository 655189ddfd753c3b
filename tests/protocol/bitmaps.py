#!/usr/bin/env python3
"""Bitmaps: single bits, counting, searching, BITOP, BITFIELD."""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import E, Server, ask, asks, main, same, test  # noqa: E402
from resp import NULL_ARRAY  # noqa: E402

NOT_INT = E("ERR value is not an integer or out of range")
SYNTAX = E("ERR syntax error")
BAD_OFFSET = E("ERR bit offset is not an integer or out of range")
BAD_BIT = E("ERR bit is not an integer or out of range")
BAD_TYPE = E("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported "
             "but i64 is.")
WRONGTYPE = E("WRONGTYPE Operation against a key holding the wrong kind of value")


@test
def setbit_answers_with_the_old_bit_and_grows_with_zeros(r):
    asks(r, ("SETBIT k 7 1", 0), ("SETBIT k 7 1", 1), ("SETBIT k 7 0", 1), ("GET k", b"\0"),
         ("SETBIT k 30 1", 0), ("GET k", b"\0\0\0\2"), ("GETBIT k 30", 1), ("GETBIT k 29", 0),
         ("GETBIT k 4294967295", 0), ("SETBIT n 0 0", 0), ("GET n", b"\0"), ("GETBIT none 0", 0))


@test
def setbit_changes_texts_and_numbers_and_keeps_the_expiry(r):
    asks(r, ("SET k a EX 1000", "OK"), ("SETBIT k 6 1", 0), ("GET k", b"c"), ("TTL k", 1000),
         ("SET n 12345", "OK"), ("GETBIT n 2", 1), ("SETBIT n 7 0", 1), ("GET n", b"02345"))


@test
def bits_out_of_range_are_refused_before_anything_changes(r):
    for offset in ("x", "-1", "4294967296", "9223372036854775808", "1.0", ""):
        ask(r, ["SETBIT", "k", offset, "1"], BAD_OFFSET)
        ask(r, ["GETBIT", "k", offset], BAD_OFFSET)
    for bit in ("2", "-1", "x", "", "01"):
        ask(r, ["SETBIT", "k", "0", bit], BAD_BIT)
    asks(r, ("SETBIT k x x", BAD_OFFSET), ("EXISTS k", 0), ("SETBIT k 1", E("ERR wrong number…")),
         ("GETBIT k", E("ERR wrong number…")), ("BITCOUNT", E("ERR wrong number…")),
         ("BITPOS k", E("ERR wrong number…")), ("BITOP AND d", E("ERR wrong number…")),
         ("BITFIELD", E("ERR wrong number…")), ("BITFIELD_RO", E("ERR wrong number…")))


@test
def bitcount_of_bytes_and_bits(r):
    asks(r, ("SET k foobar", "OK"), ("BITCOUNT k", 26), ("BITCOUNT k 0 0", 4),
         ("BITCOUNT k 1 1", 6), ("BITCOUNT k 1 1 BYTE", 6), ("BITCOUNT k 5 30 BIT", 17),
         ("BITCOUNT k 5 30 bit", 17),
         ("BITCOUNT k -2 -1", 7), ("BITCOUNT k -10 -100", 0), ("BITCOUNT k 3 2", 0),
         ("BITCOUNT k 0 1000000", 26), ("BITCOUNT k -1000 -6", 4), ("BITCOUNT k 0 -49 BIT", 0),
         ("BITCOUNT k 48 50 BIT", 0), ("BITCOUNT none", 0), ("BITCOUNT none 0 -1 BIT", 0))


@test
def bitcount_refuses_what_it_does_not_know(r):
    asks(r, ("SET k foobar", "OK"), ("BITCOUNT k 1", SYNTAX), ("BITCOUNT k 1 2 FOO", SYNTAX),
         ("BITCOUNT k 1 2 BIT 3", SYNTAX), ("BITCOUNT k x y FOO", NOT_INT),
         ("BITCOUNT k 1 y FOO", NOT_INT))


@test
def bitpos_finds_the_first_bit(r):
    r("SET", "k", b"\xff\xf0\x00")
    asks(r, ("BITPOS k 0", 12), ("BITPOS k 1", 0), ("BITPOS k 1 2", -1), ("BITPOS k 0 2", 16),
         ("BITPOS k 0 0 0", -1), ("BITPOS k 0 0 -1", 12), ("BITPOS k 1 7 15 BIT", 7),
         ("BITPOS k 0 7 11 BIT", -1), ("BITPOS k 0 7 12 BIT", 12), ("BITPOS k 1 12 -1 BIT", -1),
         ("BITPOS k 0 -1 -1 BIT", 23), ("BITPOS k 1 3", -1), ("BITPOS k 0 3", -1))


@test
def bitpos_takes_a_string_to_go_on_with_zeros_unless_it_has_an_end(r):
    r("SET", "k", b"\xff\xff")
    asks(r, ("BITPOS k 0", 16), ("BITPOS k 0 0", 16), ("BITPOS k 0 1", 16), ("BITPOS k 0 2", -1),
         ("BITPOS k 0 0 -1", -1), ("BITPOS k 0 0 -1 BIT", -1), ("BITPOS none 0", 0),
         ("BITPOS none 1", -1))
    r("SET", "e", "")
    asks(r, ("BITPOS e 0", -1), ("BITPOS e 1", -1), ("BITCOUNT e", 0))


@test
def bitpos_refuses_what_it_does_not_know(r):
    asks(r, ("SET k foobar", "OK"), ("BITPOS k 2", E("ERR The bit argument must be 1 or 0.")),
         ("BITPOS k x", NOT_INT), ("BITPOS k 1 x", NOT_INT), ("BITPOS k 1 0 x", NOT_INT),
         ("BITPOS k 1 0 x FOO", SYNTAX), ("BITPOS k 1 x x FOO", NOT_INT),
         ("BITPOS k 1 0 1 BIT 2", SYNTAX), ("BITPOS none 2", E("ERR The bit argument must…")))


@test
def long_strings_are_counted_and_searched_at_their_edges(r):
    size = 100003
    r("SETRANGE", "k", size - 1, b"\0")
    for at in (0, 8 * size - 1, 12345, 8 * 4096, 8 * 4096 - 1):
        ask(r, ["SETBIT", "k", at, 1], 0)
        ask(r, ["BITPOS", "k", 1], at)
        ask(r, ["BITPOS", "k", 1, at, at, "BIT"], at)
        ask(r, ["BITCOUNT", "k"], 1)
        ask(r, ["SETBIT", "k", at, 0], 1)
    r("BITOP", "NOT", "k", "k")
    asks(r, ("BITCOUNT k", 8 * size), ("BITPOS k 0", 8 * size), ("BITPOS k 0 0 -1", -1))


@test
def bitop_pads_the_shorter_ones_with_zeros(r):
    r("MSET", "a", b"\xff\x0f\xaa", "b", b"\x0f\xff", "e", b"")
    for name, result in {"AND": b"\x0f\x0f\x00", "OR": b"\xff\xff\xaa", "XOR": b"\xf0\xf0\xaa",
                         "xor": b"\xf0\xf0\xaa"}.items():
        asks(r, (f"BITOP {name} d a b", 3), ("GET d", result))
    asks(r, ("BITOP AND d a none", 3), ("GET d", b"\0\0\0"), ("BITOP OR d a b none e", 3),
         ("GET d", b"\xff\xff\xaa"), ("BITOP NOT d b", 2), ("GET d", b"\xf0\x00"),
         ("BITOP XOR a a a", 3), ("GET a", b"\0\0\0"))


@test
def bitop_replaces_whatever_there_was_and_deletes_for_an_empty_result(r):
    r("MSET", "a", "x", "n", "12345")
    asks(r, ("SET d old EX 1000", "OK"), ("BITOP OR d a", 1), ("TTL d", -1), ("GET d", b"x"),
         ("BITOP OR d none none2", 0), ("EXISTS d", 0), ("BITOP AND d n n", 5), ("GET d", b"12345"),
         ("BITOP FOO d a", SYNTAX), ("BITOP NOT d a n", E("ERR BITOP NOT must be called with a "
                                                          "single source key.")))


@test
def bitfield_reads_and_writes_integers(r):
    asks(r, ("BITFIELD k INCRBY i5 100 1 GET u4 0", [1, 0]), ("STRLEN k", 14),
         ("BITFIELD k SET i8 #0 -1 GET u8 0 GET i8 #0", [0, 255, -1]),
         ("BITFIELD k SET u8 #2 254 get u8 16", [0, 254]),
         ("BITFIELD none GET u8 0 GET i64 1000", [0, 0]), ("EXISTS none", 0), ("BITFIELD none", []),
         ("BITFIELD k GET u63 4294967295", [0]))


@test
def bitfield_overflows_as_told_until_told_otherwise(r):
    asks(r, ("BITFIELD k SET u8 0 255 INCRBY u8 0 1", [0, 0]), ("BITFIELD k SET u8 0 250", [0]),
         ("BITFIELD k OVERFLOW SAT INCRBY u8 0 10 INCRBY u8 0 -300", [255, 0]),
         ("BITFIELD k OVERFLOW FAIL INCRBY u8 0 -1 SET u8 0 256 GET u8 0", [None, None, 0]),
         ("BITFIELD k OVERFLOW SAT SET i8 0 1000 OVERFLOW WRAP SET i8 0 1000", [0, 127]),
         ("GET k", b"\xe8"),
         ("BITFIELD k SET i64 0 9223372036854775807 OVERFLOW SAT INCRBY i64 0 1 OVERFLOW WRAP "
          "INCRBY i64 0 1", [-1729382256910270464, 9223372036854775807, -9223372036854775808]))


@test
def bitfield_makes_room_even_when_nothing_fits(r):
    asks(r, ("BITFIELD k OVERFLOW FAIL INCRBY u2 100 5", [None]), ("STRLEN k", 13))


@test
def bitfield_refuses_everything_when_one_part_is_wrong(r):
    for kind in ("u64", "i65", "u0", "i0", "U8", "8", "u", "i08", "u-1"):
        ask(r, f"BITFIELD k SET u8 0 1 GET {kind} 0", BAD_TYPE)
    for offset in ("-1", "#-1", "#", "x", "4294967296", "#536870912", "#9223372036854775807"):
        ask(r, f"BITFIELD k SET u8 0 1 GET u8 {offset}", BAD_OFFSET)
    for words in ("GET", "GET u8", "SET u8 0", "INCRBY u8 0", "OVERFLOW", "FOO", "GET u8 0 1"):
        ask(r, f"BITFIELD k SET u8 0 1 {words}", SYNTAX)
    asks(r, ("BITFIELD k OVERFLOW FOO", E("ERR Invalid OVERFLOW type specified")),
         ("BITFIELD k SET u8 0 x", NOT_INT), ("BITFIELD k INCRBY u8 0 1.5", NOT_INT),
         ("EXISTS k", 0))


@test
def bitfield_ro_only_reads(r):
    only = E("ERR BITFIELD_RO only supports the GET subcommand")
    asks(r, ("SET k foobar", "OK"), ("BITFIELD_RO k GET u8 0 GET u8 #1", [102, 111]),
         ("BITFIELD_RO k SET u8 0 1", only), ("BITFIELD_RO k GET u8 0 INCRBY u8 0 1", only),
         ("BITFIELD_RO k OVERFLOW SAT GET u8 0", [102]), ("BITFIELD_RO none GET u8 0", [0]))


@test
def bitfield_without_writes_only_reads_for_acl_and_routing(r):
    read, write = [[b"k", [b"RO", b"access"]]], [[b"k", [b"RW", b"access", b"update"]]]
    found = r("COMMAND", "GETKEYSANDFLAGS", "BITFIELD", "k", "GET", "u8", "0", "OVERFLOW", "SAT")
    same(found, read)
    same(r("COMMAND", "GETKEYSANDFLAGS", "BITFIELD", "k", "GET", "u8", "0", "SET", "u8", 0, 1),
         write)
    same(r("COMMAND", "GETKEYSANDFLAGS", "BITFIELD", "k"), read)


@test
def arguments_are_looked_at_before_the_key(r, server):
    if server.is_redis:
        return  # since 7.2
    asks(r, ("BITCOUNT none x y", NOT_INT), ("BITCOUNT none 1", SYNTAX),
         ("BITPOS none 1 x", NOT_INT), ("BITPOS none 1 0 1 FOO", SYNTAX))


@test
def a_bit_that_is_what_it_was_does_not_disturb_a_watch(r, server):
    if server.is_redis:
        return  # since 7.2
    with server.client() as other:
        asks(r, ("SET k foobar", "OK"), ("WATCH k", "OK"))
        asks(other, ("SETBIT k 1 1", 1), ("BITFIELD k SET u8 0 102", [102]))
        asks(r, ("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", ["PONG"]), ("WATCH k", "OK"))
        asks(other, ("SETBIT k 0 1", 0))
        asks(r, ("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", NULL_ARRAY))


@test
def a_bit_of_a_long_string_logs_its_chunk_only(r, server):
    if server.is_redis:
        return
    size = 20 << 20
    r("SET", "k", random.Random(1).randbytes(size))
    before = int(server.info()["wal_bytes_written"])
    for i in range(10):
        r("SETBIT", "k", i * 1000003, 1 - r("GETBIT", "k", i * 1000003))
        r("BITFIELD", "k", "INCRBY", "u16", i * 2000003, 1)
    grown = int(server.info()["wal_bytes_written"]) - before
    assert grown < 20 * 3 * 4096 + 65536, grown


@test
def bits_survive_a_restart(_):
    with Server() as server:
        if server.is_redis:
            return
        with server.client() as r:
            r("SETRANGE", "k", 99999, b"\0")
            asks(r, ("SETBIT k 5 1", 0), ("SETBIT k 799999 1", 0), ("BITOP NOT d k", 100000),
                 ("BITFIELD k SET u16 400001 4660", [0]))
            digest = r("GET", "k"), r("GET", "d")
        server.restart(hard=True)
        with server.client() as r:
            asks(r, ("BITPOS k 1", 5), ("BITCOUNT k", 7), ("GETBIT d 799999", 0),
                 ("BITFIELD k GET u16 400001", [4660]))
            assert digest == (r("GET", "k"), r("GET", "d"))


main()
