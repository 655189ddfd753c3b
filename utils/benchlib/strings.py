"""Strings: GET and SET, by way of promising, new keys, and reads beside durable writes."""

import contextlib
import subprocess
import time

from quoin import die_with_parent

from .base import (LARGE_KEYS, MILLION, NAMES, QUICK, ROUNDS, awake, benchmark_words, load_pair,
                   pair, rate_heading, rate_row, row, sample)


def throughput():
    rate_heading("GET, and SET with appendfsync everysec",
                 f"{MILLION:,} keys, those of 1 KB {LARGE_KEYS:,}; random keys unless said.")
    small, large = f"-d 16 -r {MILLION}", f"-d 1024 -r {LARGE_KEYS}"
    with pair() as servers:
        load_pair(servers, MILLION, 16)
        for name in ["get", "set"]:
            what = name.upper()
            row(servers, f"{what}", f"-t {name} -c 50 -P 1 {small}", in_quick=True)
            row(servers, f"{what}, pipeline of 16", f"-t {name} -c 50 -P 16 {small}", in_quick=True)
            row(servers, f"{what}, 500 clients", f"-t {name} -c 500 -P 1 {small}")
            row(servers, f"{what}, 500 clients, pipeline of 16", f"-t {name} -c 500 -P 16 {small}")
            row(servers, f"{what}, one hot key", f"-t {name} -c 50 -P 1 -d 16")
            row(servers, f"{what}, one hot key, pipeline of 16", f"-t {name} -c 50 -P 16 -d 16")
    with pair() as servers:
        load_pair(servers, LARGE_KEYS, 1024)
        for name in ["get", "set"]:
            what = name.upper()
            row(servers, f"{what}, 1 KB", f"-t {name} -c 50 -P 1 {large}", in_quick=True)
            row(servers, f"{what}, 1 KB, pipeline of 16", f"-t {name} -c 50 -P 16 {large}")


def fsync():
    for mode in ["always", "no"]:
        rate_heading(f"SET with appendfsync {mode}", f"{LARGE_KEYS:,} random keys of 16 bytes.")
        words = f"-t set -d 16 -r {LARGE_KEYS}"
        with pair(mode) as servers:
            load_pair(servers, LARGE_KEYS, 16)
            if mode == "always":
                row(servers, f"SET {mode}, 1 client", f"{words} -c 1 -P 1")
            row(servers, f"SET {mode}", f"{words} -c 50 -P 1", in_quick=True)
            row(servers, f"SET {mode}, pipeline of 16", f"{words} -c 50 -P 16")
            row(servers, f"SET {mode}, 500 clients", f"{words} -c 500 -P 1")
            row(servers, f"SET {mode}, 1 KB", f"-t set -d 1024 -r {LARGE_KEYS} -c 50 -P 1")


def new():
    rate_heading("SET of keys never seen before", "Drawn from 2·10⁹ keys, 16 bytes.")
    words = "-t set -d 16 -r 2000000000"
    for mode in ["everysec", "always"]:
        with pair(mode) as servers:
            row(servers, f"new keys, {mode}", f"{words} -c 50 -P 1", in_quick=True)
            row(servers, f"new keys, {mode}, pipeline of 16", f"{words} -c 50 -P 16")


@contextlib.contextmanager
def writer(one, words):
    """redis-benchmark in the background until the end of the block."""
    process = subprocess.Popen(benchmark_words(one, words, 1_000_000_000),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               preexec_fn=die_with_parent)
    try:
        time.sleep(0.1)
        yield
        assert process.poll() is None, "the writer ended before the reader"
    finally:
        process.kill()
        process.wait()


def mixed():
    rate_heading("GET beside durable writes (appendfsync always)",
                 f"Another redis-benchmark writes all the while: `-t set -c 50 -P 1 -d 16 "
                 f"-r {LARGE_KEYS}`.")
    writes = f"-t set -c 50 -P 1 -d 16 -r {LARGE_KEYS}".split()
    with pair("always") as servers:
        load_pair(servers, LARGE_KEYS, 16)
        for clients in [1, 50]:
            words = f"-t get -c {clients} -P 1 -d 16 -r {LARGE_KEYS}".split()
            count = 2000 if QUICK or clients == 1 else 10000
            samples = {name: [] for name in NAMES}
            for _ in range(ROUNDS):
                for name, one in servers.items():
                    with awake(one), writer(one, writes):
                        samples[name].append(sample(one, words, count))
            rate_row(f"GET beside SET always, {clients} readers", words, count, samples)
