#!/usr/bin/env python3
"""Many connections, long pipelines, slow readers: all served, in bounded memory.

test-timeout: 240
"""

import os
import resource
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import OPTIONS, Server, ask, asks, main, same, test, wait_for  # noqa: E402
from resp import ConnectionClosed, encode  # noqa: E402

MIB = 1 << 20
SLACK = 10 if os.environ.get("QUOIN_SANITIZED") else 1  # what AddressSanitizer's memory needs
IS_REDIS = OPTIONS.target == "redis"


def send_in_background(client, data):
    def send():
        try:
            client.socket.settimeout(120)
            client.socket.sendall(data)
        except OSError:
            pass

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


@test
def ten_thousand_connections_are_served(_):
    count = 9990
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    assert hard > count + 50, f"at most {hard} files may be open here"
    with Server(tcp_backlog=1024) as server:
        before = server.rss_bytes()
        clients = []
        for number in range(count):
            clients.append(server.client())
            if number % 100 == 0:
                ask(clients[-1], "PING", "PONG")
        for number, client in enumerate(clients):
            client.send("SET", f"k{number}", number)
        for client in clients:
            same(client.read(), b"OK")
        for number in (0, 5000, count - 1):
            ask(clients[number], f"GET k{number}", b"%d" % number)
        each = (server.rss_bytes() - before) // count
        print(f"# {each} bytes of resident memory per connection")
        assert each < SLACK * (64 << 10 if IS_REDIS else 8 << 10), f"{each} bytes per connection"
        for client in clients:
            client.close()
        with server.client() as client:
            wait_for(lambda: client("CLIENT", "LIST").count(b"\n") == 1, 20, "the end of 9990")


@test
def a_pipeline_of_a_million_commands_is_answered_in_order(server, r):
    count = 1000000
    before = server.rss_bytes()
    most = 0
    data = b"".join(encode("SET", f"k{i % 100}", i) if i % 2 else encode("ECHO", i)
                    for i in range(count))
    sender = send_in_background(r, data)
    for i in range(count):
        reply = r.read()
        if reply != (b"OK" if i % 2 else b"%d" % i):
            raise AssertionError(f"reply {i} is {reply!r}")
        if i % 50000 == 0:
            most = max(most, server.rss_bytes() - before)
    sender.join()
    ask(r, "GET k99", b"%d" % (count - 1))
    assert most < SLACK * 200 * MIB, f"grew by {most // MIB} MiB"


@test(only="quoin")  # redis-server keeps all replies in memory
def a_client_that_does_not_read_costs_little_and_loses_nothing(server, r):
    value = os.urandom(MIB // 8)
    count = 3000  # 375 MiB of replies
    ask(r, ("SET", "k", value), "OK")
    before = server.rss_bytes()
    with server.client(receive_buffer=65536, timeout=60) as slow:
        sender = send_in_background(slow, encode("GET", "k") * count)
        for _ in range(20):
            time.sleep(0.05)
            ask(r, "PING", "PONG")
            grown = server.rss_bytes() - before
            assert grown < SLACK * 40 * MIB, f"grew by {grown // MIB} MiB"
        for number in range(count):
            assert slow.read() == value, f"reply {number} is wrong"
        sender.join()
    assert server.rss_bytes() - before < SLACK * 60 * MIB


@test(only="quoin")
def many_slow_readers_together_stay_bounded(server, r):
    ask(r, ("SET", "k", b"v" * MIB), "OK")
    before = server.rss_bytes()
    slow = [server.client(receive_buffer=4096) for _ in range(20)]
    for client in slow:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        client.send_raw(encode("GET", "k") * 100)
    time.sleep(0.5)
    ask(r, "STRLEN k", MIB)
    grown = server.rss_bytes() - before
    for client in slow:
        client.close()
    assert grown < SLACK * 150 * MIB, f"grew by {grown // MIB} MiB for 2000 MiB of replies"


@test
def a_reply_beyond_the_hard_output_limit_closes_the_connection(_):
    with Server() as server, server.client() as r:
        asks(r, (("CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0"), "OK"),
             (("SET", "k", b"v" * (32 * MIB)), "OK"))
        with server.client(receive_buffer=4096) as slow:
            slow.send("GET", "k")
            time.sleep(0.2)
            try:
                rest = slow.read_until_closed()
            except OSError:
                rest = b""
            assert len(rest) < 32 * MIB
        asks(r, ("STRLEN k", 32 * MIB), ("PING", "PONG"))


@test
def a_request_beyond_the_query_limit_closes_the_connection(_):
    with Server(client_query_buffer_limit="1mb") as server, server.client() as r:
        with server.client() as big:
            try:
                big.send("ECHO", b"x" * (8 * MIB))
                assert big.is_closed()
            except (OSError, ConnectionClosed):
                pass
        asks(r, ("PING", "PONG"), (("ECHO", b"x" * 100000), b"x" * 100000))


@test
def memory_of_closed_connections_comes_back(server, r):
    def burst():
        clients = [server.client() for _ in range(50)]
        for client in clients:
            client.send_raw(b"*2\r\n$4\r\nECHO\r\n$2000000\r\n" + b"x" * MIB)
        ask(r, "PING", "PONG")
        for client in clients:
            client.close()
        wait_for(lambda: r("CLIENT", "LIST").count(b"\n") == 1, 10, "the end of 50 connections")

    burst()
    before = server.rss_bytes()
    for _ in range(6):
        burst()
    grown = server.rss_bytes() - before
    assert grown < SLACK * 80 * MIB, f"grew by {grown // MIB} MiB"


@test
def one_long_pipeline_does_not_starve_others(server, r):
    with server.client(timeout=60) as busy:
        sender = send_in_background(busy, encode("SET", "k", "v") * 300000)
        waits = []
        for _ in range(50):
            begin = time.monotonic()
            ask(r, "PING", "PONG")
            waits.append(time.monotonic() - begin)
        for _ in range(300000):
            busy.read()
        sender.join()
    assert sorted(waits)[25] < 0.25, f"waited {sorted(waits)[25]} s in the middle"


@test(only="quoin")
def keys_longer_than_64_kilobytes_are_refused_without_harm(r):
    limit = 65536
    ask(r, ("SET", b"k" * limit, "v"), "OK")
    reply = r("SET", b"k" * (limit + 1), "v")
    assert reply.startswith(b"ERR ") and b"key" in reply, reply
    ask(r, ("GET", b"k" * limit), b"v")


@test
def a_long_transaction_costs_little_more_than_its_bytes(server, r):
    before = server.rss_bytes()
    with server.client() as endless:
        ask(endless, "MULTI", "OK")
        for _ in range(20):
            for reply in endless.pipeline(*[("SET", "k", "x" * 1000)] * 1000):
                same(reply, b"QUEUED")
        grown = server.rss_bytes() - before
        assert grown < SLACK * 100 * MIB, f"grew by {grown // MIB} MiB for 20 MB of commands"
        ask(endless, "DISCARD", "OK")
    ask(r, "EXISTS k", 0)


main()
