"""Queues: lists and streams with producers and consumers, and the disk they need meanwhile."""

import os
import statistics
import subprocess
import time

from quoin import die_with_parent

from .base import (MIB, NAMES, OPTIONS, QUICK, awake, bench_tool, is_wanted, keep, pair, ratio_text,
                   say, say_row, tool_numbers)

SECONDS = OPTIONS.seconds or (3 if QUICK else 60)  # of load, for each row and server
SLICES = 3 if SECONDS < 30 else 5 if SECONDS < 600 else 15
PRODUCERS = CONSUMERS = 4
VALUE = 100
SIZE_EVERY = 0.25

KINDS = {"LPUSH, BRPOP": "list", "XADD, XREADGROUP, XACK": "stream"}


def folder_bytes(folder):
    """Bytes on the disk; files that vanish meanwhile count nothing."""
    size = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.lstat(os.path.join(path, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return size


def run_slice(one, kind, seconds, sizes):
    """Messages per second, and the share of one core that the clients took; adds to sizes."""
    words = [bench_tool("queue_load"), kind, "--port", str(one.port), "--ms",
             str(int(seconds * 1000)), "--producers", str(PRODUCERS), "--consumers",
             str(CONSUMERS), "--size", str(VALUE)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               preexec_fn=die_with_parent)
    while process.poll() is None:
        sizes.append(folder_bytes(one.data))
        time.sleep(SIZE_EVERY)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    numbers = tool_numbers(output)
    return numbers["messages"] / numbers["seconds"], numbers["cpu"] / numbers["seconds"]


def queue_row(servers, what, kind):
    rates, sizes, shares = ({name: [] for name in NAMES} for _ in range(3))
    for _ in range(SLICES):
        for name, one in servers.items():
            with awake(one):
                rate, share = run_slice(one, kind, SECONDS / SLICES, sizes[name])
            rates[name].append(rate)
            shares[name].append(share)
    keep(what, rates, disk_bytes=sizes, client_cpu=shares)
    cells = [f"{statistics.median(rates[name]):,.0f}" for name in NAMES]
    cells.append(ratio_text(rates["redis"], rates["quoin"]))
    cells += [" / ".join(f"{size / MIB:.1f}" for size in
                         (sizes[name][0], max(sizes[name]), sizes[name][-1])) for name in NAMES]
    say_row(what, *cells)


def queue():
    say("\n### Queues\n")
    say(f"{PRODUCERS} producers and {CONSUMERS} consumers, a connection each, messages of {VALUE} "
        "bytes, at most 1,000 of them waiting; streams read and acknowledge up to 10 at a time and "
        "are cut at about 10,000 entries. Every message arrived exactly once. "
        f"{SECONDS:g} s for each server and row, in {SLICES} turns, appendfsync everysec. Here "
        "Redis rewrites its AOF by itself, as it does by default. Disk: the data directory at "
        "first, at its largest, and at last.\n")
    say("| what | Redis messages/s | Quoin messages/s | ratio (range) | Redis disk MB "
        "| Quoin disk MB |")
    say("|---|--:|--:|--:|--:|--:|")
    for what, kind in KINDS.items():
        if is_wanted(what):
            with pair(auto_aof_rewrite_percentage=100) as servers:
                queue_row(servers, what, kind)
