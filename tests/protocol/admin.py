#!/usr/bin/env python3
"""What an operator asks a server: INFO, CONFIG, COMMAND, DEBUG, SLOWLOG, TIME, SHUTDOWN."""

import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import (E, Server, StartFailed, ask, asks, main, parse_info, same, test,  # noqa: E402
                   wait_for)
from resp import Map, encode  # noqa: E402

NOT_INT = E("ERR value is not an integer or out of range")
SYNTAX = E("ERR syntax error")
UNKNOWN = "ERR Unknown option or number of arguments for CONFIG SET - '{}'"
FAILED = "ERR CONFIG SET failed (possibly related to argument '{}') - {}"


# --- INFO ---

@test
def info_has_the_fields_that_tools_read(r):
    found = parse_info(r("INFO"))
    for name in ("redis_version", "redis_mode", "os", "arch_bits", "process_id", "run_id",
                 "tcp_port", "uptime_in_seconds", "uptime_in_days", "config_file",
                 "connected_clients", "blocked_clients", "maxclients", "used_memory",
                 "used_memory_human", "used_memory_rss", "used_memory_peak", "maxmemory",
                 "maxmemory_policy", "mem_fragmentation_ratio", "loading", "aof_enabled",
                 "rdb_changes_since_last_save", "total_connections_received",
                 "total_commands_processed", "instantaneous_ops_per_sec", "total_net_input_bytes",
                 "total_net_output_bytes", "rejected_connections", "expired_keys", "evicted_keys",
                 "keyspace_hits", "keyspace_misses", "role", "connected_slaves",
                 "master_replid", "master_repl_offset", "used_cpu_sys", "used_cpu_user",
                 "cluster_enabled"):
        assert name in found, f"{name} is missing"
    same((found["redis_mode"], found["role"], found["loading"]), ("standalone", "master", "0"))
    major = int(found["redis_version"].split(".")[0])
    assert major >= 7, found["redis_version"]


@test
def info_shows_the_sections_asked_for(r):
    def sections(*names):
        return re.findall(r"^# (\w+)", r("INFO", *names).decode(), re.MULTILINE)

    same(sections("server"), ["Server"])
    same(sections("CPU"), ["CPU"])
    same(sections("server", "clients"), ["Server", "Clients"])
    same(sections("nosuch"), [])
    r("SET", "k", "v")
    assert "Commandstats" not in sections()
    assert {"Server", "Clients", "Memory", "Persistence", "Stats", "Replication", "CPU",
            "Cluster", "Keyspace"} <= set(sections())
    assert "Commandstats" in sections("all") and "Commandstats" in sections("everything")


@test
def info_counts_keys_and_hits(r):
    ask(r, "CONFIG RESETSTAT", "OK")
    asks(r, ("SET a 1", "OK"), ("GET a", b"1"), ("GET a", b"1"), ("GET n", None),
         ("SELECT 3", "OK"), ("SET b 1 EX 100", "OK"))
    found = parse_info(r("INFO", "everything"))
    same((found["keyspace_hits"], found["keyspace_misses"]), ("2", "1"))
    assert found["db0"].startswith("keys=1,expires=0"), found["db0"]
    assert found["db3"].startswith("keys=1,expires=1"), found["db3"]
    assert "db1" not in found


@test
def info_counts_commands_and_errors(r):
    ask(r, "CONFIG RESETSTAT", "OK")
    asks(r, ("SET a x", "OK"), ("SET a y", "OK"), ("INCR a", NOT_INT),
         ("GET", E("ERR wrong number of arguments for 'get' command")))
    found = parse_info(r("INFO", "everything"))
    assert found["cmdstat_set"].startswith("calls=2,usec="), found["cmdstat_set"]
    assert re.search(r"calls=1,.*failed_calls=1", found["cmdstat_incr"]), found["cmdstat_incr"]
    assert re.search(r"calls=0,.*rejected_calls=1", found["cmdstat_get"]), found["cmdstat_get"]
    same(found["errorstat_ERR"], "count=2")
    assert found["cmdstat_config|resetstat"].startswith("calls=1"), found


@test
def info_counts_connections(server, r):
    before = parse_info(r("INFO", "everything"))
    with server.client() as other:
        other("PING")
        after = parse_info(r("INFO", "everything"))
        same(int(after["connected_clients"]), int(before["connected_clients"]) + 1)
        same(int(after["total_connections_received"]),
             int(before["total_connections_received"]) + 1)
    assert int(after["total_commands_processed"]) > int(before["total_commands_processed"])


# --- CONFIG ---

@test
def config_get_takes_patterns(r):
    same(r("CONFIG", "GET", "maxclients"), [b"maxclients", b"10000"])
    same(r("CONFIG", "GET", "MaxClients")[1], b"10000")
    same(r("CONFIG", "GET", "nosuch"), [])
    found = r("CONFIG", "GET", "max*", "timeout", "maxclients")
    names = found[0::2]
    assert len(names) == len(set(names)) and {b"maxclients", b"maxmemory", b"timeout"} <= set(names)
    assert len(r("CONFIG", "GET", "*")) > 60


@test
def config_get_knows_what_tools_ask_for(r):
    found = dict(zip(*[iter(r("CONFIG", "GET", "*"))] * 2))
    for name, value in {b"save": b"", b"databases": b"16", b"maxmemory-policy": b"noeviction",
                        b"timeout": b"0", b"proto-max-bulk-len": b"536870912",
                        b"tcp-keepalive": b"300"}.items():
        same((name, found.get(name)), (name, value))
    for name in (b"appendonly", b"appendfsync", b"maxmemory", b"port", b"bind", b"dir", b"loglevel",
                 b"slowlog-log-slower-than", b"list-max-listpack-size",
                 b"hash-max-listpack-entries", b"notify-keyspace-events",
                 b"client-output-buffer-limit", b"requirepass"):
        assert name in found, name


@test
def config_set_changes_and_shows(r):
    try:
        asks(r, ("CONFIG SET timeout 77", "OK"), ("CONFIG GET timeout", [b"timeout", b"77"]),
             ("CONFIG SET maxmemory 100mb TIMEOUT 78", "OK"),
             ("CONFIG GET maxmemory", [b"maxmemory", b"104857600"]),
             ("CONFIG GET timeout", [b"timeout", b"78"]),
             ("CONFIG SET maxmemory 1k", "OK"), ("CONFIG GET maxmemory", [b"maxmemory", b"1000"]))
    finally:
        ask(r, "CONFIG SET maxmemory 0 timeout 0", "OK")


@test
def config_set_refuses_bad_values_and_then_changes_nothing(r):
    asks(r, ("CONFIG SET nosuch 1", E(UNKNOWN.format("nosuch"))),
         ("CONFIG SET timeout 5 nosuch 1", E(UNKNOWN.format("nosuch"))),
         ("CONFIG SET timeout 5 maxmemory x",
          E(FAILED.format("maxmemory", "argument must be a memory value"))),
         ("CONFIG SET timeout -1",
          E(FAILED.format("timeout", "argument must be between 0 and 2147483647 inclusive"))),
         ("CONFIG SET timeout x",
          E(FAILED.format("timeout", "argument couldn't be parsed into an integer"))),
         ("CONFIG SET appendfsync x", E(FAILED.format(
             "appendfsync", "argument(s) must be one of the following: …"))),
         ("CONFIG SET protected-mode x",
          E(FAILED.format("protected-mode", "argument must be 'yes' or 'no'"))),
         ("CONFIG SET databases 3", E(FAILED.format("databases", "can't set immutable config"))),
         ("CONFIG SET timeout 1 timeout 2", E(FAILED.format("timeout", "duplicate parameter"))),
         ("CONFIG SET timeout", E("ERR wrong number of arguments for 'config|set' command")),
         ("CONFIG GET timeout", [b"timeout", b"0"]))


@test
def config_refuses_unknown_words(r):
    asks(r, ("CONFIG", E("ERR wrong number of arguments for 'config' command")),
         ("CONFIG NOSUCH", E("ERR unknown subcommand 'NOSUCH'. Try CONFIG HELP.")),
         ("CONFIG GET", E("ERR wrong number of arguments for 'config|get' command")),
         ("CONFIG REWRITE", E("ERR The server is running without a config file")))
    assert b"RESETSTAT" in r("CONFIG", "HELP")


@test
def config_rewrite_keeps_what_was_set(_):
    with Server(start=False) as server:
        path = os.path.join(server.directory, "test.conf")
        with open(path, "w") as file:
            file.write("# a comment of mine\ntimeout 5\n\nmaxclients 100\n")
        server.words = []
        original = server.command
        server.command = lambda port: [original(port)[0], path] + original(port)[1:]
        server.start()
        with server.client() as client:
            asks(client, ("CONFIG GET maxclients", [b"maxclients", b"100"]),
                 ("CONFIG SET timeout 9 maxmemory 64mb", "OK"), ("CONFIG REWRITE", "OK"))
        with open(path) as file:
            text = file.read()
        assert "# a comment of mine\ntimeout 9\n" in text, text
        server.restart()
        with server.client() as client:
            asks(client, ("CONFIG GET timeout", [b"timeout", b"9"]),
                 ("CONFIG GET maxmemory", [b"maxmemory", b"67108864"]),
                 ("CONFIG GET maxclients", [b"maxclients", b"100"]))


@test
def a_wrong_directive_stops_the_start(_):
    for name, value in {"maxclients": "x", "nosuch-directive": "1", "appendfsync": "sometimes",
                        "port": "70000", "maxmemory": "lots"}.items():
        try:
            with Server(start=False) as server:
                server.words = ["--" + name, value]
                server.start()
            raise AssertionError(f"started with --{name} {value}")
        except StartFailed as failure:
            assert failure.code not in (0, None) and failure.code > 0, failure.code
            assert name in failure.output, failure.output


# --- COMMAND ---

@test
def command_info_describes_a_command(r):
    found = r("COMMAND", "INFO", "get", "nosuch", "SET")
    same(found[1], r("COMMAND", "INFO", "nosuch")[0])
    name, arity, flags, first, last, step, categories = found[0][:7]
    same((name, arity, first, last, step), (b"get", 2, 1, 1, 1))
    same(set(flags), {b"readonly", b"fast"})
    same(set(categories), {b"@read", b"@string", b"@fast"})
    same(set(found[2][2]), {b"write", b"denyoom"})


@test
def command_lists_and_counts(r):
    count = r("COMMAND", "COUNT")
    names = r("COMMAND", "LIST")
    same((len([name for name in names if b"|" not in name]), len(r("COMMAND"))), (count, count))
    assert {b"get", b"set", b"multi", b"client", b"command", b"config|get"} <= set(names)
    strings = set(r("COMMAND", "LIST", "FILTERBY", "PATTERN", "*get*"))
    assert {b"get", b"mget", b"getdel"} <= strings and b"set" not in strings
    assert b"get" in r("COMMAND", "LIST", "FILTERBY", "ACLCAT", "read")
    same(r("COMMAND", "LIST", "FILTERBY", "MODULE", "nosuch"), [])


@test
def command_finds_keys(r):
    asks(r, ("COMMAND GETKEYS MSET a 1 b 2", [b"a", b"b"]), ("COMMAND GETKEYS GET k", [b"k"]),
         ("COMMAND GETKEYS SET k v EX 10", [b"k"]),
         ("COMMAND GETKEYS DEL a b c", [b"a", b"b", b"c"]),
         ("COMMAND GETKEYS RENAME a b", [b"a", b"b"]),
         ("COMMAND GETKEYS PING x", E("ERR The command has no key arguments")),
         ("COMMAND GETKEYS NOSUCH x", E("ERR Invalid command specified")),
         ("COMMAND GETKEYS GET a b", E("ERR Invalid number of arguments specified for command")))
    same(r("COMMAND", "GETKEYSANDFLAGS", "GET", "k"), [[b"k", [b"RO", b"access"]]])


@test
def command_docs_tells_in_words(r):
    found = r("COMMAND", "DOCS", "get", "set")
    same(found[0::2], [b"get", b"set"])
    get = dict(zip(found[1][0::2], found[1][1::2]))
    same((get[b"since"], get[b"group"], get[b"complexity"]), (b"1.0.0", b"string", b"O(1)"))
    assert get[b"summary"] and get[b"arguments"]
    same(r("COMMAND", "DOCS", "nosuch"), [])


@test
def command_in_resp3_uses_sets_and_maps(r3):
    found = r3("COMMAND", "INFO", "get")[0]
    same(type(found[2]).__name__, "Set")
    assert isinstance(r3("COMMAND", "DOCS", "get"), Map)


# --- Others ---

@test
def time_is_the_time(r):
    seconds, micros = r("TIME")
    assert abs(int(seconds) - time.time()) < 2 and 0 <= int(micros) < 1000000


@test
def debug_sleep_holds_the_server(r):
    begin = time.monotonic()
    ask(r, "DEBUG SLEEP 0.1", "OK")
    assert 0.1 <= time.monotonic() - begin < 3


@test
def debug_object_and_reload_work(r):
    asks(r, ("MSET a 1 b 2", "OK"), ("SET c v EX 100", "OK"),
         ("DEBUG OBJECT nosuch", E("ERR no such key")))
    assert b"encoding:int" in r("DEBUG", "OBJECT", "a")
    asks(r, ("DEBUG RELOAD", "OK"), ("MGET a b c", [b"1", b"2", b"v"]), ("TTL c", 100))
    assert isinstance(r("DEBUG", "NOSUCH"), bytes) and r("DEBUG", "NOSUCH").startswith(b"ERR ")


@test
def debug_needs_a_permission(_):
    with Server(start=False) as server:
        server.words = ["--enable-debug-command", "no"]
        server.start()
        with server.client() as client:
            ask(client, "DEBUG SLEEP 0", E("ERR DEBUG command not allowed…"))


@test
def slowlog_keeps_slow_commands(r):
    try:
        asks(r, ("CONFIG SET slowlog-log-slower-than 20000", "OK"), ("SLOWLOG RESET", "OK"),
             ("SLOWLOG LEN", 0), ("DEBUG SLEEP 0.05", "OK"), ("PING", "PONG"), ("SLOWLOG LEN", 1))
        entry = r("SLOWLOG", "GET")[0]
        same(len(entry), 6)
        assert entry[2] >= 50000 and entry[3] == [b"DEBUG", b"SLEEP", b"0.05"], entry
        assert abs(entry[1] - time.time()) < 5
        asks(r, ("SLOWLOG RESET", "OK"), ("SLOWLOG GET 10", []), ("SLOWLOG GET -1", []))
        ask(r, "CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 5", "OK")
        for number in range(20):
            r("ECHO", number)
        assert r("SLOWLOG", "LEN") <= 5
        ids = [entry[0] for entry in r("SLOWLOG", "GET", "-1")]
        same(ids, sorted(ids, reverse=True))
    finally:
        r("CONFIG", "SET", "slowlog-log-slower-than", "10000", "slowlog-max-len", "128")


@test
def role_answers_for_a_server_alone(r):
    role = r("ROLE")
    same((role[0], role[2]), (b"master", []))


@test
def acl_tells_who_one_is(r):
    ask(r, "ACL WHOAMI", b"default")
    assert b"read" in r("ACL", "CAT") and b"get" in r("ACL", "CAT", "string")


@test
def shutdown_ends_the_process_cleanly(_):
    for words in (["SHUTDOWN"], ["SHUTDOWN", "NOSAVE"], ["SHUTDOWN", "NOW"],
                  ["SHUTDOWN", "SAVE", "FORCE"]):
        with Server(appendonly="yes") as server:
            with server.client() as client:
                ask(client, "SET k v", "OK")
                client.send(*words)
                same(client.read_until_closed(), b"")
            same(server.wait_until_ended(), 0)
            server.start()
            with server.client() as client:
                ask(client, "GET k", b"v")


@test
def shutdown_refuses_unknown_words(r):
    asks(r, ("SHUTDOWN FOO", SYNTAX), ("SHUTDOWN SAVE NOSAVE", SYNTAX),
         ("SHUTDOWN ABORT", E("ERR No shutdown in progress.")), ("PING", "PONG"))


@test
def sigterm_ends_the_process_cleanly_and_keeps_what_was_answered(_):
    with Server(appendonly="yes") as server:
        with server.client() as client:
            client.pipeline(*[("SET", f"k{i}", i) for i in range(1000)])
            same(server.stop(), 0)
        server.start()
        with server.client() as client:
            asks(client, ("DBSIZE", 1000), ("GET k999", b"999"))


@test
def what_stands_before_a_shutdown_in_a_pipeline_is_done(_):
    with Server(appendonly="yes") as server, server.client() as client:
        client.send_raw(encode("SET", "a", "1") + encode("PING") + encode("SHUTDOWN"))
        assert b"+OK\r\n+PONG\r\n".startswith(client.read_until_closed())
        same(server.wait_until_ended(), 0)
        server.start()
        with server.client() as after:
            ask(after, "GET a", b"1")


@test
def the_port_is_free_again_after_a_stop(_):
    with Server() as server:
        for _ in range(3):
            server.restart()
        wait_for(lambda: server.client()("PING") == b"PONG", 5)


main()
