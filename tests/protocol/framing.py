#!/usr/bin/env python3
"""Arrays of bulk strings, pipelines, and what is not a request at all."""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import Server, ask, main, same, test  # noqa: E402
from resp import encode  # noqa: E402


def closes_with(server, data, text):
    """The server answers with exactly this protocol error and closes."""
    with server.client() as client:
        client.send_raw(data)
        same(client.read_until_closed(), b"-ERR Protocol error: " + text + b"\r\n")


@test
def replies_come_in_the_order_of_requests(r):
    requests = [("SET", f"k{i}", i) if i % 2 else ("ECHO", i) for i in range(1000)]
    expected = [b"OK" if i % 2 else b"%d" % i for i in range(1000)]
    same(r.pipeline(*requests), expected)


@test
def an_error_in_a_pipeline_stands_at_its_place(r):
    found = r.pipeline(("SET", "a", 1), ("NOSUCH",), ("GET", "a"), ("GET",), ("GET", "a"))
    same([found[0], found[2], found[4]], [b"OK", b"1", b"1"])
    assert found[1].startswith(b"ERR unknown command") and found[3].startswith(b"ERR wrong number")


@test
def a_request_arrives_in_single_bytes(r):
    for byte in encode("SET", "key", "v\r\nw"):
        r.send_raw(bytes([byte]))
    same(r.read(), b"OK")
    same(r("GET", "key"), b"v\r\nw")


@test
def a_pipeline_cut_at_random_places_gives_the_same_replies(r):
    data = b"".join(encode("SET", f"k{i}", "x" * (i * 7 % 300)) for i in range(300))
    draw = random.Random(7)
    while data:
        size = draw.choice([1, 2, 3, 5, 50, 700])
        r.send_raw(data[:size])
        data = data[size:]
    same([r.read() for _ in range(300)], [b"OK"] * 300)
    same(r("STRLEN", "k299"), 299 * 7 % 300)


@test
def values_are_any_bytes(r):
    value = bytes(range(256)) * 17 + b"\r\n$5\r\n"
    ask(r, ("SET", value, value), "OK")
    ask(r, ("GET", value), value)


@test
def empty_keys_and_values_are_legal(r):
    ask(r, ("SET", "", ""), "OK")
    ask(r, ("GET", ""), b"")
    ask(r, ("EXISTS", ""), 1)


@test
def command_names_have_no_case(r):
    ask(r, ("sEt", "k", "v"), "OK")
    ask(r, ("get", "k"), b"v")
    ask(r, ("GeT", "K"), None)


@test
def empty_arrays_are_passed_over(r):
    r.send_raw(b"*0\r\n*-1\r\n*-10\r\n" + encode("PING"))
    same(r.read(), b"PONG")
    assert not r.has_input()


@test
def a_value_of_16_megabytes_goes_both_ways(r):
    value = os.urandom(1 << 20) * 16
    ask(r, ("SET", "big", value), "OK")
    same(r("GET", "big") == value, True)
    ask(r, ("STRLEN", "big"), len(value))


@test
def a_wrong_array_header_ends_the_connection(server):
    for header in (b"*x\r\n", b"*1x\r\n", b"*\r\n", b"*1048577000000\r\n", b"*2147483648\r\n",
                   b"* 1\r\n", b"*+1\r\n"):
        closes_with(server, header, b"invalid multibulk length")


@test
def a_wrong_bulk_header_ends_the_connection(server):
    for header in (b"$x\r\n", b"$-1\r\n", b"$-2\r\n", b"$\r\n", b"$536870913\r\n", b"$1 \r\n",
                   b"$99999999999999999999\r\n", b"$+1\r\n"):
        closes_with(server, b"*1\r\n" + header, b"invalid bulk length")


@test
def anything_but_a_dollar_in_an_array_ends_the_connection(server):
    closes_with(server, b"*1\r\n:1\r\n", b"expected '$', got ':'")
    closes_with(server, b"*1\r\n*1\r\n", b"expected '$', got '*'")
    closes_with(server, b"*1\r\nPING\r\n", b"expected '$', got 'P'")
    closes_with(server, b"*2\r\n$4\r\nECHO\r\nx\r\n", b"expected '$', got 'x'")


@test
def endless_header_lines_end_the_connection(server):
    closes_with(server, b"*" + b"1" * (64 * 1024 + 1), b"too big mbulk count string")
    closes_with(server, b"*1\r\n$" + b"1" * (64 * 1024 + 1), b"too big bulk count string")


@test
def requests_before_the_garbage_are_answered(server):
    with server.client() as client:
        client.send_raw(encode("SET", "before", "1") + encode("GET", "before") + b"*x\r\n")
        same(client.read_until_closed(),
             b"+OK\r\n$1\r\n1\r\n-ERR Protocol error: invalid multibulk length\r\n")


@test
def nothing_after_the_garbage_is_executed(server, r):
    with server.client() as client:
        client.send_raw(b"*1\r\n:1\r\n" + encode("SET", "after", "1"))
        client.read_until_closed()
    ask(r, "EXISTS after", 0)


@test
def half_a_request_at_the_end_of_a_connection_is_not_executed(server, r):
    with server.client() as client:
        client.send_raw(encode("SET", "half", "1")[:-1])
    ask(r, "PING", "PONG")
    ask(r, "EXISTS half", 0)


@test
def random_bytes_never_hurt(server, r):
    draw = random.Random(11)
    pieces = [b"*", b"$", b"\r\n", b"1", b"-1", b"3", b"SET", b"GET", b"k", b"\x00", b"\xff", b'"',
              b"'", b" ", b"PING", b"*1\r\n$4\r\nPING\r\n", b"*3\r\n$3\r\nSET\r\n"]
    for _ in range(300):
        with server.client() as client:
            try:
                client.send_raw(b"".join(draw.choice(pieces) for _ in range(draw.randrange(1, 60))))
                client.socket.shutdown(1)
                client.read_until_closed()
            except OSError:
                pass
    ask(r, "PING", "PONG")


@test
def the_longest_legal_bulk_is_set_by_proto_max_bulk_len(_):
    with Server(proto_max_bulk_len="1mb") as server:
        with server.client() as client:
            ask(client, ("SET", "k", "x" * (1 << 20)), "OK")
            ask(client, ("STRLEN", "k"), 1 << 20)
        closes_with(server, b"*1\r\n$%d\r\n" % ((1 << 20) + 1), b"invalid bulk length")


@test
def a_huge_header_alone_takes_no_memory(server):
    before = server.rss_bytes()
    clients = [server.client() for _ in range(20)]
    for client in clients[:10]:
        client.send_raw(b"*1048576\r\n")
    for client in clients[10:]:
        client.send_raw(b"*2\r\n$4\r\nECHO\r\n$536870912\r\n" + b"x" * 1000)
    with server.client() as other:
        ask(other, "PING", "PONG")
    grown = server.rss_bytes() - before
    for client in clients:
        client.close()
    assert grown < 100 << 20, f"grew by {grown >> 20} MiB"


@test
def a_command_may_have_many_thousand_arguments(r):
    words = ["DEL"] + [f"k{i}" for i in range(100000)]
    ask(r, ("SET", "k77777", "1"), "OK")
    ask(r, words, 1)


main()
