#!/usr/bin/env python3
"""Requests typed by hand (inline commands) and how their quotes are read."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import main, same, test  # noqa: E402


def inline(client, text):
    client.send_raw(text)
    return client.read()


@test
def words_are_split_at_blanks(r):
    same(inline(r, b"SET  key   value\r\n"), b"OK")
    same(r("GET", "key"), b"value")


@test
def a_bare_newline_ends_a_request(r):
    same(inline(r, b"PING\n"), b"PONG")
    same(inline(r, b"ECHO a\n"), b"a")


@test
def empty_lines_are_passed_over(r):
    r.send_raw(b"\r\n\n   \r\nPING\r\n")
    same(r.read(), b"PONG")
    assert not r.has_input()


@test
def tabs_and_other_blanks_separate_words(r):
    same(inline(r, b"\tECHO\t \va\r\n"), b"a")


@test
def double_quotes_keep_blanks_and_escapes(r):
    same(inline(r, b'ECHO "a b\\n\\r\\t\\b\\a\\"\\\\\\x41\\x0"\r\n'), b'a b\n\r\t\b\a"\\Ax0')


@test
def single_quotes_keep_everything_but_an_escaped_quote(r):
    same(inline(r, b"ECHO 'a\\n\"b\\'c'\r\n"), b"a\\n\"b'c")


@test
def empty_quotes_are_an_empty_word(r):
    same(inline(r, b'ECHO ""\r\n'), b"")
    same(inline(r, b"ECHO ''\r\n"), b"")


@test
def hex_escapes_give_any_byte(r):
    same(inline(r, b'ECHO "\\x00\\xff\\r\\n"\r\n'), b"\x00\xff\r\n")


@test
def unbalanced_quotes_end_the_connection(server):
    for text in (b'ECHO "abc\r\n', b"ECHO 'abc\r\n", b'ECHO "a"b\r\n', b"ECHO 'a'b\r\n",
                 b'ECHO "abc\\"\r\n'):
        with server.client() as client:
            client.send_raw(text)
            same(client.read_until_closed(),
                 b"-ERR Protocol error: unbalanced quotes in request\r\n")


@test
def a_quote_inside_a_word_opens_a_quoted_part(r):
    same(inline(r, b'ECHO ab"c d"\r\n'), b"abc d")


@test
def inline_requests_and_arrays_may_alternate(r):
    r.send_raw(b"PING\r\n*2\r\n$4\r\nECHO\r\n$1\r\na\r\nPING\r\n*1\r\n$4\r\nPING\r\n")
    same([r.read() for _ in range(4)], [b"PONG", b"a", b"PONG", b"PONG"])


@test
def an_inline_request_may_be_64_kilobytes_and_no_more(server):
    with server.client() as client:
        text = b"x" * 60000
        same(inline(client, b"ECHO " + text + b"\r\n"), text)
    with server.client() as client:
        client.send_raw(b"ECHO " + b"x" * (64 * 1024))
        same(client.read_until_closed(), b"-ERR Protocol error: too big inline request\r\n")


@test
def an_inline_request_arrives_in_single_bytes(r):
    for byte in b'SET k "a b"\r\n':
        r.send_raw(bytes([byte]))
    same(r.read(), b"OK")
    same(r("GET", "k"), b"a b")


main()
