#!/usr/bin/python3
"""redis-py, redis-cli and redis-benchmark, unchanged, against our server.

Runs under Debian's own Python, for which python3-redis is installed.
"""

import os
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import redis  # noqa: E402

from quoin import main, same, test  # noqa: E402


def connect(server, **how):
    return redis.Redis(port=server.port, socket_timeout=20, **how)


@test
def redis_py_reads_and_writes(server, r):
    with connect(server, decode_responses=True) as db:
        assert db.ping() and db.set("k", "v", ex=100, nx=True) and not db.set("k", "w", nx=True)
        same((db.get("k"), db.ttl("k"), db.get("n")), ("v", 100, None))
        same(db.mget("k", "n"), ["v", None])
        same((db.incr("i"), db.incrby("i", 5), db.incrbyfloat("f", 0.5)), (1, 6, 0.5))
        same((db.append("k", "x"), db.getrange("k", 0, 0), db.delete("k", "n")), (2, "v", 1))


@test
def redis_py_pipelines_without_a_transaction(server, r):
    with connect(server) as db, db.pipeline(transaction=False) as pipe:
        for number in range(5000):
            pipe.set(f"k{number}", number)
        same(pipe.execute(), [True] * 5000)
        same(db.dbsize(), 5000)


@test
def redis_py_runs_transactions(server, r):
    with connect(server) as db, db.pipeline() as pipe:
        pipe.set("a", 1).incr("a").get("a")
        same(pipe.execute(), [True, 2, b"2"])
        pipe.set("b", "x").incr("b").set("c", 1)
        try:
            pipe.execute()
            raise AssertionError("an error in a transaction was not raised")
        except redis.ResponseError as error:
            assert "not an integer" in str(error), error
        same(db.get("c"), b"1")


@test
def redis_py_repeats_a_watched_transaction_until_it_succeeds(server, r):
    def add():
        with connect(server) as db, db.pipeline() as pipe:
            for _ in range(50):
                while True:
                    try:
                        pipe.watch("n")
                        value = int(pipe.get("n") or 0)
                        pipe.multi()
                        pipe.set("n", value + 1)
                        pipe.execute()
                        break
                    except redis.WatchError:
                        continue

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(r("GET", "n"), b"200")


@test
def redis_py_notices_a_change_of_a_watched_key(server, r):
    with connect(server) as db, db.pipeline() as pipe:
        pipe.watch("k")
        db.set("k", "other")
        pipe.multi()
        pipe.set("k", "mine")
        try:
            pipe.execute()
            raise AssertionError("WatchError was not raised")
        except redis.WatchError:
            pass
        same(db.get("k"), b"other")


@test
def redis_py_scans(server, r):
    with connect(server) as db:
        db.mset({f"k{number}": number for number in range(1000)})
        same(set(db.scan_iter(count=37)), {b"k%d" % number for number in range(1000)})
        same(set(db.scan_iter("k1?")), {b"k1%d" % number for number in range(10)})


@test
def redis_py_reads_info_and_configuration(server, r):
    with connect(server) as db:
        found = db.info()
        assert found["connected_clients"] >= 1 and found["redis_version"]
        same(db.config_get("maxclients"), {"maxclients": "10000"})
        assert db.client_list()[0]["id"] and db.time() and db.dbsize() == 0
        db.client_setname("me")
        same(db.client_getname(), "me")
        same(db.command_count(), len(db.command()))


@test
def redis_py_uses_databases_and_a_pool(server, r):
    pool = redis.ConnectionPool(port=server.port, db=3, max_connections=4)
    for _ in range(20):
        redis.Redis(connection_pool=pool).incr("n")
    same(connect(server, db=3).get("n"), b"20")
    same(connect(server).get("n"), None)
    pool.disconnect()


@test
def redis_py_locks(server, r):
    db = connect(server)
    same((db.set("lock", "me", nx=True, px=30000), db.set("lock", "you", nx=True, px=30000)),
         (True, None))
    same(db.delete("lock"), 1)


def run_tool(*words, **how):
    return subprocess.run(words, capture_output=True, text=True, timeout=60, **how)


@test
def redis_cli_talks_and_pipes(server, r):
    port = str(server.port)
    same(run_tool("redis-cli", "-p", port, "SET", "k", "v").stdout, "OK\n")
    same(run_tool("redis-cli", "-p", port, "--no-raw", "GET", "k").stdout, '"v"\n')
    same(run_tool("redis-cli", "-3", "-p", port, "GET", "k").stdout, "v\n")
    mass = "".join(f"SET m{number} {number}\r\n" for number in range(10000))
    done = run_tool("redis-cli", "-p", port, "--pipe", input=mass)
    assert "errors: 0, replies: 10000" in done.stdout, done.stdout
    same(len(run_tool("redis-cli", "-p", port, "--scan", "--pattern", "m*").stdout.split()), 10000)


@test
def redis_benchmark_runs(server, r):
    done = run_tool("redis-benchmark", "-p", str(server.port), "-t", "ping,set,get,incr,mset", "-n",
                    "5000", "-c", "20", "-P", "8", "--csv")
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) >= 6, done.stdout + done.stderr
    same(r("GET", "counter:__rand_int__"), b"5000")


main()
