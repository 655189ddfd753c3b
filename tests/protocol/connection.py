#!/usr/bin/env python3
"""A connection's own commands: PING, ECHO, HELLO, AUTH, CLIENT, RESET, QUIT; RESP2 and RESP3."""

import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import E, Server, ask, asks, main, same, test, wait_for  # noqa: E402
from resp import ConnectionClosed, Map, encode  # noqa: E402

NOT_INT = E("ERR value is not an integer or out of range")
SYNTAX = E("ERR syntax error")


@test
def ping_and_echo_answer(r):
    asks(r, ("PING", "PONG"), ("PING hello", b"hello"), ("ECHO hello", b"hello"),
         ("PING a b", E("ERR wrong number of arguments for 'ping' command")),
         ("ECHO", E("ERR wrong number of arguments for 'echo' command")))


@test
def an_unknown_command_is_named_with_its_arguments(r):
    asks(r, ("NOSUCH", E("ERR unknown command 'NOSUCH', with args beginning with: ")),
         ("nosuch a b", E("ERR unknown command 'nosuch', with args beginning with: 'a' 'b' ")),
         (("no\r\nsuch", "a"), E("ERR unknown command 'no  such', with args beginning with: 'a' ")))
    long = "x" * 200
    ask(r, (long,), E(f"ERR unknown command '{long[:128]}', with args beginning with: "))
    ask(r, ("nosuch", long), E(f"ERR unknown command 'nosuch', with args beginning with: "
                               f"'{long[:128]}' "))
    ask(r, ["nosuch"] + ["a" * 60] * 5,
        E("ERR unknown command 'nosuch', with args beginning with: '" + "a" * 60 + "' '" + "a" * 60
          + "' '" + "a" * 2 + "' "))


@test
def hello_tells_about_the_server(r):
    found = r("HELLO")
    same(found[0::2], [b"server", b"version", b"proto", b"id", b"mode", b"role", b"modules"])
    same((found[1], found[5], found[9], found[11], found[13]),
         (b"redis", 2, b"standalone", b"master", []))
    assert re.fullmatch(rb"\d+\.\d+\.\d+", found[3]), found[3]
    same(r("CLIENT", "ID"), found[7])


@test
def hello_3_switches_to_maps_and_hello_2_back(r):
    found = r("HELLO", 3)
    assert isinstance(found, Map) and found.dict()[b"proto"] == 3, found
    same(r.raw("GET", "nosuch"), b"_\r\n")
    assert isinstance(r("CONFIG", "GET", "maxmemory"), Map)
    found = r("HELLO", 2)
    assert isinstance(found, list) and not isinstance(found, Map), found
    same(r.raw("GET", "nosuch"), b"$-1\r\n")


@test
def hello_refuses_what_it_does_not_know(r):
    asks(r, ("HELLO 4", E("NOPROTO unsupported protocol version")),
         ("HELLO 1", E("NOPROTO unsupported protocol version")),
         ("HELLO x", E("ERR Protocol version is not an integer or out of range")),
         ("HELLO 3 FOO", E("ERR Syntax error in HELLO option 'FOO'")),
         ("HELLO 3 SETNAME", E("ERR Syntax error in HELLO option 'SETNAME'")),
         ("HELLO 3 AUTH a", E("ERR Syntax error in HELLO option 'AUTH'")))
    same(r.raw("GET", "nosuch"), b"$-1\r\n")


@test
def hello_may_name_the_connection(r):
    found = r("HELLO", 3, "SETNAME", "me")
    assert isinstance(found, Map)
    ask(r, "CLIENT GETNAME", b"me")


@test
def resp3_shapes_are_right(r3):
    same(r3.raw("SET", "k", "v"), b"+OK\r\n")
    same(r3.raw("GET", "k"), b"$1\r\nv\r\n")
    same(r3.raw("GET", "n"), b"_\r\n")
    same(r3.raw("MGET", "k", "n"), b"*2\r\n$1\r\nv\r\n_\r\n")
    same(r3.raw("SET", "k", "v", "NX"), b"_\r\n")
    same(r3.raw("STRLEN", "k"), b":1\r\n")
    same(r3.raw("CLIENT", "GETNAME"), b"_\r\n")
    same(r3.raw("RANDOMKEY"), b"$1\r\nk\r\n")
    same(r3.raw("INCRBYFLOAT", "f", "1.5"), b"$3\r\n1.5\r\n")
    same(r3.raw("CONFIG", "GET", "nosuch"), b"%0\r\n")
    assert r3.raw("INFO", "server").startswith(b"=")
    assert r3.raw("CLIENT", "LIST").startswith(b"=")


@test
def resp2_shapes_are_right(r):
    same(r.raw("SET", "k", "v"), b"+OK\r\n")
    same(r.raw("GET", "n"), b"$-1\r\n")
    same(r.raw("MGET", "k", "n"), b"*2\r\n$1\r\nv\r\n$-1\r\n")
    same(r.raw("SET", "k", "v", "NX"), b"$-1\r\n")
    same(r.raw("CONFIG", "GET", "nosuch"), b"*0\r\n")
    same(r.raw("SCAN", "0"), b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n")
    assert r.raw("INFO", "server").startswith(b"$")


@test
def quit_answers_and_closes(server):
    with server.client() as client:
        client.send_raw(encode("SET", "a", "1") + encode("QUIT") + encode("SET", "b", "1"))
        same(client.read_until_closed(), b"+OK\r\n+OK\r\n")
    with server.client() as client:
        ask(client, "EXISTS a b", 1)


@test
def reset_returns_to_the_beginning(server):
    with server.client(protocol=3) as client:
        asks(client, ("SELECT 5", "OK"), ("CLIENT SETNAME me", "OK"), ("MULTI", "OK"),
             ("RESET", "RESET"))
        same(client.raw("CLIENT", "GETNAME"), b"$-1\r\n")
        ask(client, "MULTI", "OK")
        ask(client, "DISCARD", "OK")
        assert b" db=0 " in client("CLIENT", "INFO")


@test
def client_id_counts_up(server, r):
    first = r("CLIENT", "ID")
    with server.client() as other:
        assert other("CLIENT", "ID") > first > 0


@test
def client_names_are_kept_and_checked(r):
    bad = E("ERR Client names cannot contain spaces, newlines or special characters.")
    asks(r, ("CLIENT GETNAME", None), ("CLIENT SETNAME worker-1", "OK"),
         ("CLIENT GETNAME", b"worker-1"), (("CLIENT", "SETNAME", "a b"), bad),
         (("CLIENT", "SETNAME", "a\nb"), bad), ("CLIENT GETNAME", b"worker-1"),
         (("CLIENT", "SETNAME", ""), "OK"), ("CLIENT GETNAME", None))


@test(only="quoin")
def client_setinfo_names_the_library(r):
    bad = E("ERR lib-name cannot contain spaces, newlines or special characters.")
    asks(r, ("CLIENT SETINFO LIB-NAME redis-py", "OK"), ("CLIENT SETINFO lib-ver 5.0", "OK"),
         (("CLIENT", "SETINFO", "lib-name", "a b"), bad),
         ("CLIENT SETINFO foo bar", E("ERR Unrecognized option 'foo'")))
    line = r("CLIENT", "INFO")
    assert b" lib-name=redis-py lib-ver=5.0" in line, line


def fields(line):
    return dict(word.split("=", 1) for word in line.decode().split())


@test
def client_info_describes_the_connection(server, r):
    asks(r, ("CLIENT SETNAME me", "OK"), ("SELECT 2", "OK"))
    found = fields(r("CLIENT", "INFO"))
    same((found["id"], found["name"], found["db"], found["cmd"], found["user"], found["resp"]),
         (str(r("CLIENT", "ID")), "me", "2", "client|info", "default", "2"))
    assert found["addr"].endswith(":%d" % r.socket.getsockname()[1]), found
    assert found["laddr"].endswith(f":{server.port}"), found
    for name in ("fd", "age", "idle", "flags", "sub", "psub", "multi", "qbuf", "qbuf-free", "omem",
                 "tot-mem", "events", "redir"):
        assert name in found, name
    same(found["multi"], "-1")


@test
def client_list_has_a_line_for_each(server, r):
    with server.client() as one, server.client() as two:
        ids = sorted([r("CLIENT", "ID"), one("CLIENT", "ID"), two("CLIENT", "ID")])
        lines = r("CLIENT", "LIST").decode().splitlines()
        assert set(map(str, ids)) <= {fields(line.encode())["id"] for line in lines}
        chosen = r("CLIENT", "LIST", "ID", ids[1], ids[2]).decode().splitlines()
        same([fields(line.encode())["id"] for line in chosen], [str(ids[1]), str(ids[2])])
        same(len(r("CLIENT", "LIST", "TYPE", "normal").splitlines()), len(lines))
        same(r("CLIENT", "LIST", "TYPE", "pubsub"), b"")
    asks(r, ("CLIENT LIST TYPE foo", E("ERR Unknown client type 'foo'")),
         ("CLIENT LIST ID x", E("ERR Invalid client ID")), ("CLIENT LIST FOO", SYNTAX))


@test
def client_kill_closes_the_one_it_names(server, r):
    with server.client() as one, server.client() as two, server.client() as three:
        ask(r, ("CLIENT", "KILL", "ID", one("CLIENT", "ID")), 1)
        assert one.is_closed()
        address = "127.0.0.1:%d" % two.socket.getsockname()[1]
        ask(r, ("CLIENT", "KILL", address), "OK")
        assert two.is_closed()
        address = "127.0.0.1:%d" % three.socket.getsockname()[1]
        ask(r, ("CLIENT", "KILL", "ADDR", address, "TYPE", "normal"), 1)
        assert three.is_closed()
    asks(r, ("PING", "PONG"), ("CLIENT KILL ID 99999999", 0),
         ("CLIENT KILL 1.2.3.4:5", E("ERR No such client")))


@test
def client_kill_spares_oneself_unless_told(server, r):
    with server.client() as one:
        one("PING")
        assert r("CLIENT", "KILL", "TYPE", "normal") >= 1
        assert one.is_closed()
    ask(r, "PING", "PONG")
    with server.client() as one:
        same(one("CLIENT", "KILL", "ID", one("CLIENT", "ID"), "SKIPME", "no"), 1)
        assert one.is_closed()
    with server.client() as one:
        same(one("CLIENT", "KILL", "ID", one("CLIENT", "ID")), 0)
        ask(one, "PING", "PONG")


@test
def client_kill_refuses_what_it_does_not_know(r):
    asks(r, ("CLIENT KILL TYPE foo", E("ERR Unknown client type 'foo'")),
         ("CLIENT KILL ID x", E("ERR client-id should be greater than 0")),
         ("CLIENT KILL ID 0", E("ERR client-id should be greater than 0")),
         ("CLIENT KILL a b", SYNTAX), ("CLIENT KILL ID 1 SKIPME foo", SYNTAX),
         ("CLIENT KILL", E("ERR wrong number of arguments for 'client|kill' command")))


@test
def client_reply_can_be_turned_off(r):
    r.send_raw(encode("CLIENT", "REPLY", "OFF") + encode("SET", "a", "1") + encode("NOSUCH")
               + encode("CLIENT", "REPLY", "ON"))
    same(r.read(), b"OK")
    r.send_raw(encode("CLIENT", "REPLY", "SKIP") + encode("SET", "b", "1") + encode("GET", "a"))
    same(r.read(), b"1")
    asks(r, ("GET b", b"1"), ("CLIENT REPLY FOO", SYNTAX))


@test
def client_pause_holds_writes_or_all(server, r):
    with server.client() as other:
        ask(r, "CLIENT PAUSE 10000 WRITE", "OK")
        ask(other, "GET a", None)
        other.send("SET", "a", "1")
        assert not other.has_input(0.1)
        ask(r, "CLIENT UNPAUSE", "OK")
        same(other.read(), b"OK")
        begin = time.monotonic()
        ask(r, "CLIENT PAUSE 150", "OK")
        ask(other, "GET a", b"1")
        assert time.monotonic() - begin > 0.1
    asks(r, ("CLIENT PAUSE x", E("ERR timeout is not an integer or out of range")),
         ("CLIENT PAUSE 1 FOO", E("ERR CLIENT PAUSE mode must be WRITE or ALL")))


@test
def client_refuses_unknown_words(r):
    asks(r, ("CLIENT", E("ERR wrong number of arguments for 'client' command")),
         ("CLIENT NOSUCH", E("ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.")),
         ("CLIENT GETNAME x", E("ERR wrong number of arguments for 'client|getname' command")),
         ("CLIENT UNBLOCK 99999", 0), ("CLIENT UNBLOCK x", NOT_INT),
         ("CLIENT NO-EVICT on", "OK"), ("CLIENT NO-EVICT x", SYNTAX), ("CLIENT GETREDIR", -1))
    assert b"ID" in r("CLIENT", "HELP")


@test
def a_password_guards_everything(_):
    denied = E("NOAUTH Authentication required.")
    with Server(requirepass="secret") as server, server.client() as client:
        asks(client, ("GET k", denied), ("SET k v", denied), ("CLIENT ID", denied),
             ("MULTI", denied), ("NOSUCH", E("ERR unknown command 'NOSUCH'…")),
             ("GET", E("ERR wrong number of arguments for 'get' command")),
             ("HELLO 3", E("NOAUTH HELLO must be called with the client already authenticated…")),
             ("AUTH wrong", E("WRONGPASS invalid username-password pair or user is disabled.")),
             ("AUTH nobody secret",
              E("WRONGPASS invalid username-password pair or user is disabled.")),
             ("GET k", denied), ("AUTH secret", "OK"), ("GET k", None), ("RESET", "RESET"),
             ("GET k", denied), ("AUTH default secret", "OK"), ("SET k v", "OK"))
        with server.client() as other:
            assert isinstance(other("HELLO", 3, "AUTH", "default", "secret", "SETNAME", "x"), Map)
            asks(other, ("GET k", b"v"), ("CLIENT GETNAME", b"x"))


@test
def before_a_password_requests_are_small(_):
    with Server(requirepass="secret") as server:
        with server.client() as client:
            client.send_raw(b"*11\r\n")
            same(client.read_until_closed(),
                 b"-ERR Protocol error: unauthenticated multibulk length\r\n")
        with server.client() as client:
            client.send_raw(b"*1\r\n$16385\r\n")
            same(client.read_until_closed(),
                 b"-ERR Protocol error: unauthenticated bulk length\r\n")


@test
def a_password_may_be_set_and_taken_away_while_running(_):
    with Server() as server, server.client() as client:
        asks(client, ("AUTH x", E("ERR AUTH <password> called without any password configured for "
                                  "the default user. Are you sure your configuration is correct?")),
             ("CONFIG SET requirepass secret", "OK"), ("GET k", None))
        with server.client() as other:
            asks(other, ("GET k", E("NOAUTH Authentication required.")), ("AUTH secret", "OK"),
                 (("CONFIG", "SET", "requirepass", ""), "OK"))
        with server.client() as other:
            ask(other, "GET k", None)


@test
def quit_and_hello_and_reset_need_no_password(_):
    with Server(requirepass="secret") as server:
        with server.client() as client:
            asks(client, ("RESET", "RESET"), ("QUIT", "OK"))


@test
def a_unix_socket_serves_too(_):
    with Server() as server:
        path = os.path.join(server.directory, "socket")
        server.directives["unixsocket"] = path
        server.directives["unixsocketperm"] = "700"
        server.restart()
        from resp import Client
        with Client(path=path) as client:
            asks(client, ("SET k v", "OK"), ("GET k", b"v"))
        same(os.stat(path).st_mode & 0o777, 0o700)


@test
def more_than_maxclients_are_refused_with_a_word(_):
    with Server(maxclients=10) as server:
        clients = [server.client() for _ in range(10)]
        for client in clients:
            ask(client, "PING", "PONG")
        with server.client() as extra:
            same(extra.read_until_closed(), b"-ERR max number of clients reached\r\n")
        clients.pop().close()

        def fits():
            try:
                with server.client() as client:
                    return client("PING") == b"PONG"
            except (ConnectionClosed, OSError):
                return False

        wait_for(fits, 5, "a free place")
        for client in clients:
            client.close()


@test
def idle_connections_are_closed_after_timeout(_):
    with Server(timeout=1) as server:
        with server.client() as idle:
            ask(idle, "PING", "PONG")
            begin = time.monotonic()
            assert idle.is_closed()
            assert 0.5 < time.monotonic() - begin < 8


@test
def connections_come_and_go_in_parallel(server):
    failures = []

    def come_and_go():
        try:
            for number in range(100):
                with server.client() as client:
                    same(client("ECHO", number), b"%d" % number)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=come_and_go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


main()
