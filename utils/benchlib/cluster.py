"""Three nodes: their writes beside one node's and beside etcd's, failovers, and idle shards."""

import contextlib
import statistics
import subprocess
import time

from quoin import die_with_parent

from .base import (LARGE_KEYS, QUICK, ROUNDS, bench_tool, is_wanted, keep, median, ratio_text,
                   sample, say, say_row, tool_numbers)
from .failovers import failover_row
from .nodes import EtcdNodes, QuoinNodes, etcd_version, install_etcd

VALUE = 64
SECONDS = 0.5 if QUICK else 1.0
CLIENTS = [1, 50, 500]
SHARED = 10  # clients that share a connection where that is said
FAILOVERS = 3 if QUICK else 10
SHARDS = [1, 16, 256]
IDLE_SECONDS = 3 if QUICK else 10
CALM_SECONDS = 3  # after all shards have a leader

THREE, ONE, ETCD = "Quoin, 3 nodes", "Quoin, 1 node", "etcd, 3 nodes"


class Puts:
    """One run of put_load."""

    def __init__(self, nodes, clients, shared=1):
        words = [bench_tool("put_load"), *nodes.words(), "--clients", str(clients), "--size",
                 str(VALUE), "--keys", str(LARGE_KEYS), "--ms", str(int(1000 * SECONDS)),
                 "--shared", str(shared)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60,
                              preexec_fn=die_with_parent)
        assert done.returncode == 0, done.stderr
        numbers = tool_numbers(done.stdout)
        assert numbers["errors"] <= numbers["puts"] / 100, done.stdout
        self.rate = numbers["puts"] / numbers["seconds"]
        self.p50, self.p99, self.worst = numbers["p50"], numbers["p99"], numbers["worst"]
        self.client_share = numbers["cpu"] / numbers["seconds"]


# --- Writes per second ----------------------------------------------------------------------------

def share_text(samples):
    return f"{100 * median(samples, 'client_share'):.0f} %"


def write_row(targets, clients, shared=1):
    what = "1 client" if clients == 1 else f"{clients} clients"
    if shared > 1:
        what += f", etcd's on {clients // shared} connections"
    if not is_wanted(what):
        return
    samples = {name: [] for name in targets}
    for _ in range(ROUNDS):
        for name, nodes in targets.items():
            with nodes.awake():
                samples[name].append(Puts(nodes, clients, shared if name == ETCD else 1))
    keep(f"cluster, {what}", samples)
    rates = {name: [one.rate for one in several] for name, several in samples.items()}
    cells = [f"{statistics.median(rates[name]):,.0f}" if name in rates else "–"
             for name in (THREE, ONE, ETCD)]
    cells.append(ratio_text(rates[ONE], rates[THREE]))
    cells.append(ratio_text(rates[ETCD], rates[THREE]) if ETCD in rates else "–")
    cells += [f"{median(samples[name], 'p50'):.2f} / {median(samples[name], 'p99'):.2f}"
              if name in samples else "–" for name in (THREE, ETCD)]
    cells.append(" / ".join(share_text(samples[name]) for name in samples))
    say_row(what, *cells)


def client_row(one, clients):
    """The same client beside redis-benchmark, against one node."""
    words = f"-t set -c {clients} -P 1 -d {VALUE} -r {LARGE_KEYS}".split()
    ours, theirs = [], []
    for _ in range(ROUNDS):
        with one.awake():
            ours.append(Puts(one, clients))
            count = max(500, int(ours[0].rate * SECONDS))
            theirs.append(sample(one.servers[0], words, count))
    keep(f"client, {clients} clients", {"put_load": ours, "redis-benchmark": theirs})
    rates = [[sample.rate for sample in several] for several in (theirs, ours)]
    say_row(str(clients), *[f"{statistics.median(several):,.0f}" for several in rates],
            ratio_text(*rates))


def writes(targets):
    etcd = f"etcd {etcd_version()}" if ETCD in targets else "etcd (not installed, left out)"
    say("\n### Writes to three nodes\n")
    say("Three nodes on this machine, appendfsync always, beside one node and beside three of "
        f"{etcd}, which syncs every write, too; default settings otherwise. Values of {VALUE} "
        f"bytes, {LARGE_KEYS:,} random keys, each client with one request in flight, to the "
        "leader. The same client program for all (utils/benchlib/put_load.c), which speaks RESP or "
        "etcd's gRPC over HTTP/2, a connection for each client unless said; its own share of one "
        "core stands in the last column, in the order of the first three.\n")
    say("| | Quoin, 3 nodes /s | Quoin, 1 node /s | etcd, 3 nodes /s | 3 nodes / 1 (range) "
        "| Quoin / etcd (range) | Quoin, 3 nodes p50 / p99 ms | etcd p50 / p99 ms | client's CPU |")
    say("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for nodes in targets.values():
        with nodes.awake():
            Puts(nodes, 50)  # the first writes to new files cost more
    for clients in CLIENTS:
        write_row(targets, clients)
    if ETCD in targets:
        write_row(targets, CLIENTS[-1], SHARED)
    say("\nThe client program is not what limits: against the one node beside redis-benchmark.\n")
    say("| clients | redis-benchmark /s | put_load /s | ratio (range) |")
    say("|---|--:|--:|--:|")
    for clients in CLIENTS:
        client_row(targets[ONE], clients)


# --- Failovers ------------------------------------------------------------------------------------

def failovers(targets):
    say("\n### Time without service after kill -9 of the leader\n")
    say("A client writes all the time, one request after the other, follows MOVED and tries the "
        "next node when one does not answer within 250 ms; the longest time between two answers "
        "around the kill. The node is started again and catches up before the next one. At the "
        "end the last acknowledged write, or a later one, is there. etcd is written to through its "
        "JSON gateway here.\n")
    say("| | kills | median ms | least ms | worst ms | worst when the node returns ms |")
    say("|---|--:|--:|--:|--:|--:|")
    for name in (THREE, ETCD):
        if name in targets and is_wanted(f"failover, {name}"):
            with targets[name].awake():
                failover_row(name, targets[name], FAILOVERS)


# --- Shards ---------------------------------------------------------------------------------------

def shard_row(count):
    start = time.monotonic()
    with contextlib.closing(QuoinNodes(shards=count)) as nodes:
        started = time.monotonic() - start
        time.sleep(CALM_SECONDS)
        before = nodes.cpu_seconds()
        time.sleep(IDLE_SECONDS)
        idle = (nodes.cpu_seconds() - before) / IDLE_SECONDS
        samples = [Puts(nodes, 50) for _ in range(ROUNDS)]
    keep(f"shards, {count}", {"quoin": samples}, idle_cpu=idle, started_s=started)
    say_row(str(count), f"{started:.1f}", f"{1000 * idle:,.0f}",
            f"{median(samples, 'rate'):,.0f}",
            f"{median(samples, 'p50'):.2f} / {median(samples, 'p99'):.2f}")


def shards():
    say("\n### What shards cost\n")
    say(f"Three nodes on this machine; milliseconds of CPU per second, of all three together, "
        f"while nobody asks anything ({IDLE_SECONDS} s); then SETs of 50 clients, {VALUE} bytes, "
        "appendfsync always, to all three nodes as MOVED told.\n")
    say("| shards | start to the last election s | idle CPU ms/s | SET /s | p50 / p99 ms |")
    say("|---|--:|--:|--:|--:|")
    for count in SHARDS:
        if is_wanted(f"{count} shards"):
            shard_row(count)


def cluster():
    with contextlib.ExitStack() as stack:
        kinds = {THREE: QuoinNodes, ONE: lambda: QuoinNodes(1)}
        if install_etcd():
            kinds[ETCD] = EtcdNodes
        targets = {}
        for name, make in kinds.items():
            targets[name] = stack.enter_context(contextlib.closing(make()))
            targets[name].pause()
        writes(targets)
        failovers(targets)
    shards()
