#!/usr/bin/env python3
"""Strings as numbers: the INCR family and what it takes for a number."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import E, ask, asks, main, test  # noqa: E402

NOT_INT = E("ERR value is not an integer or out of range")
NOT_FLOAT = E("ERR value is not a valid float")
OVERFLOW = E("ERR increment or decrement would overflow")
MAX, MIN = 9223372036854775807, -9223372036854775808


@test
def counters_start_at_zero(r):
    asks(r, ("INCR a", 1), ("DECR b", -1), ("INCRBY c 5", 5), ("DECRBY d 5", -5), ("GET c", b"5"))


@test
def counters_go_up_and_down(r):
    asks(r, ("SET k 10", "OK"), ("INCR k", 11), ("DECR k", 10), ("INCRBY k -20", -10),
         ("DECRBY k -15", 5), ("INCRBY k 0", 5), ("GET k", b"5"))


@test
def counters_keep_the_expiry(r):
    asks(r, ("SET k 1 EX 100", "OK"), ("INCR k", 2), ("TTL k", 100), ("INCRBYFLOAT k 1", b"3"),
         ("TTL k", 100))


@test
def counters_stop_at_64_bits(r):
    asks(r, (f"SET k {MAX - 1}", "OK"), ("INCR k", MAX), ("INCR k", OVERFLOW),
         ("INCRBY k 1", OVERFLOW), (f"INCRBY k {MAX}", OVERFLOW), (f"GET k", b"%d" % MAX),
         (f"SET k {MIN + 1}", "OK"), ("DECR k", MIN), ("DECR k", OVERFLOW),
         ("DECRBY k 1", OVERFLOW), (f"INCRBY k {MIN}", OVERFLOW), ("GET k", b"%d" % MIN),
         ("SET k -1", "OK"), (f"INCRBY k {MIN}", OVERFLOW), (f"DECRBY k {MAX}", MIN),
         ("SET k 0", "OK"), (f"DECRBY k {MIN}", E("ERR decrement would overflow")),
         (f"INCRBY k {MIN}", MIN))


@test
def what_is_no_integer_is_refused_as_a_value(r):
    for value in ("", " 1", "1 ", "+1", "01", "1.0", "x", "0x10", str(MAX + 1), str(MIN - 1), "-0",
                  "-", "--1", "1\0", "1e3", "9" * 30):
        asks(r, (("SET", "k", value), "OK"), ("INCR k", NOT_INT), ("DECRBY k 5", NOT_INT),
             ("GET k", value.encode()))


@test
def what_is_no_integer_is_refused_as_an_argument(r):
    for value in ("", " 1", "1 ", "+1", "01", "1.0", "x", str(MAX + 1), str(MIN - 1), "-0"):
        asks(r, (("INCRBY", "k", value), NOT_INT), (("DECRBY", "k", value), NOT_INT))
    ask(r, "EXISTS k", 0)


@test
def floats_are_added_in_long_precision(r):
    asks(r, ("INCRBYFLOAT k 10.5", b"10.5"), ("INCRBYFLOAT k 0.1", b"10.6"),
         ("INCRBYFLOAT k -5", b"5.6"), ("SET k 5.0e3", "OK"), ("INCRBYFLOAT k 2.0e2", b"5200"),
         ("SET k 3.0", "OK"), ("INCRBYFLOAT k 1.000000000000000005", b"4.00000000000000001"),
         ("SET k 1", "OK"), ("INCRBYFLOAT k 0.000000000000000001", b"1"), ("GET k", b"1"),
         ("INCRBYFLOAT n 0", b"0"), ("EXISTS n", 1), ("INCRBYFLOAT h 0x10", b"16"),
         ("SET k 0.1", "OK"), ("INCRBYFLOAT k 0.2", b"0.3"), ("SET k 1e300", "OK"))


@test
def a_float_that_is_whole_reads_as_an_integer(r):
    asks(r, ("SET k 10.50", "OK"), ("INCRBYFLOAT k 0.5", b"11"), ("INCR k", 12),
         ("INCRBYFLOAT k -12", b"0"), ("INCRBYFLOAT k -0.5", b"-0.5"), ("INCR k", NOT_INT))


@test
def what_is_no_float_is_refused(r):
    for value in ("", " 1", "1 ", "x", "1.5x", "nan", "1,5", "--1", "1e", "\0"):
        asks(r, (("INCRBYFLOAT", "k", value), NOT_FLOAT), (("SET", "v", value), "OK"),
             ("INCRBYFLOAT v 1", NOT_FLOAT), ("GET v", value.encode()))
    ask(r, "EXISTS k", 0)


@test
def a_sum_that_is_not_finite_is_refused(r):
    endless = E("ERR increment would produce NaN or Infinity")
    asks(r, ("SET k 1", "OK"), ("INCRBYFLOAT k inf", endless), ("INCRBYFLOAT k -inf", endless),
         ("INCRBYFLOAT n +inf", endless), ("EXISTS n", 0), ("GET k", b"1"), ("SET k inf", "OK"),
         ("INCRBYFLOAT k 1", endless), ("INCRBYFLOAT k -inf", endless), ("GET k", b"inf"))


main()
