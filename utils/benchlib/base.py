"""What the parts of utils/bench share: options, servers, samples, tables, and what is kept."""

import argparse
import contextlib
import csv
import functools
import json
import math
import os
import random
import signal
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PARTS = ["throughput", "fsync", "new", "mixed", "types", "memory", "elements", "restart", "beyond",
         "cold", "queue", "cluster"]


def read_options():
    parser = argparse.ArgumentParser(description="Quoin compared with redis-server.")
    parser.add_argument("--quick", action="store_true", help="a short run")
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; may be repeated")
    parser.add_argument("--rounds", type=int, help="samples for a median")
    parser.add_argument("--row", default="", help="only rows with this text in their name")
    parser.add_argument("--seconds", type=float, help="of load for each row and server of queue")
    parser.add_argument("--json", metavar="FILE", help="keep all samples there")
    return parser.parse_args()


OPTIONS = read_options()
del sys.argv[1:]  # the test library reads them, too
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))

from quoin import Server, die_with_parent  # noqa: E402
from resp import Error, encode  # noqa: E402

QUICK = OPTIONS.quick
ROUNDS = OPTIONS.rounds or (3 if QUICK else 5)
SAMPLE_SECONDS = 0.4 if QUICK else 1.0
MIB = 1 << 20
MILLION = 200_000 if QUICK else 1_000_000  # keys where the tables say "a million"
LARGE_KEYS = 20_000 if QUICK else 100_000  # of 1 KB
NAMES = ["redis", "quoin"]


# --- Servers ------------------------------------------------------------------------------------

def server(target, fsync="everysec", **directives):
    directives = dict(directives, bind="127.0.0.1", appendfsync=fsync)
    if target == "quoin":
        directives.pop("auto_aof_rewrite_percentage", None)
    else:
        directives.setdefault("auto_aof_rewrite_percentage", 0)
        directives.update(appendonly="yes")
    return Server(target=target, **directives)


@contextlib.contextmanager
def pair(fsync="everysec", **directives):
    """{"redis": …, "quoin": …}, both stopped in the meaning of SIGSTOP."""
    with contextlib.ExitStack() as stack:
        servers = {}
        for name in NAMES:
            servers[name] = stack.enter_context(server(name, fsync, **directives))
            pause(servers[name])
        yield servers


def pause(one):
    os.kill(one.pid, signal.SIGSTOP)


@contextlib.contextmanager
def awake(one):
    os.kill(one.pid, signal.SIGCONT)
    try:
        yield one
    finally:
        pause(one)


def read_reply_bytes(client, size):
    """Reads `size` bytes of replies without looking at them."""
    while size > 0:
        size -= len(client.socket.recv(min(size, 1 << 20)))


def send_all(one, requests, batch=100):
    """Sends (word, …) in batches and fails at the first error."""
    with one.client(timeout=120) as client:
        for at in range(0, len(requests), batch):
            for reply in client.pipeline(*requests[at:at + batch]):
                assert not isinstance(reply, Error), reply


def load(one, count, value_size, first=0, batch=2000):
    """Sets keys key:000000000000 … as redis-benchmark names them, to values that differ."""
    pool = random.Random(1).randbytes(1 << 20)
    with one.client(timeout=120) as client:
        for begin in range(first, first + count, batch):
            end = min(begin + batch, first + count)
            client.send_raw(b"".join(
                encode(b"SET", b"key:%012d" % number, value_at(pool, number, value_size))
                for number in range(begin, end)))
            read_reply_bytes(client, len(b"+OK\r\n") * (end - begin))


def value_at(pool, number, size):
    """Not to be compressed, and another for each number."""
    at = number * 7919 % (len(pool) - size)
    return (b"%x" % number + pool[at:at + size])[:size]


# --- redis-benchmark ----------------------------------------------------------------------------

class Sample:
    def __init__(self, row):
        self.rate = float(row["rps"])
        self.p50 = float(row["p50_latency_ms"])
        self.p99 = float(row["p99_latency_ms"])


def benchmark_words(one, words, count):
    return ["redis-benchmark", "-h", "127.0.0.1", "-p", str(one.port), "--csv",
            "-n", str(count)] + words


def sample(one, words, count):
    output = subprocess.run(benchmark_words(one, words, count), check=True, capture_output=True,
                            text=True, timeout=300, preexec_fn=die_with_parent).stdout
    return Sample(list(csv.DictReader(output.splitlines()))[-1])


def sample_awake(one, words, count, prepare=None):
    with awake(one):
        if prepare:
            prepare(one, count)
        return sample(one, words, count)


def sample_size(servers, words, seconds=SAMPLE_SECONDS, prepare=None):
    """Requests that take about so long on the slower server; one significant digit."""
    probe = 500
    rate = min(sample_awake(one, words, probe, prepare).rate for one in servers.values())
    rate = min(sample_awake(one, words, max(probe, int(rate * seconds / 5)), prepare).rate
               for one in servers.values())
    count = max(probe, int(rate * seconds))
    digit = 10 ** (len(str(count)) - 1)
    return count // digit * digit


def compare(servers, words, seconds=SAMPLE_SECONDS, prepare=None):
    """{name: [Sample, …]}, taken in turn, and the requests of each.

    prepare(one, count) is called before each, with the number of requests that follow.
    """
    count = sample_size(servers, words, seconds, prepare)
    samples = {name: [] for name in NAMES}
    for _ in range(ROUNDS):
        for name in NAMES:
            samples[name].append(sample_awake(servers[name], words, count, prepare))
    return samples, count

# --- Clients of our own ---------------------------------------------------------------------------

@functools.cache
def bench_tool(name):
    """Its path; built if need be."""
    path = os.path.join("build/bench", name)
    subprocess.run(["make", "-s", path], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return os.path.join(ROOT, path)


def tool_numbers(output):
    """{"name": number, …} of "name number name number …"; what is no number is left out."""
    words = output.split()
    return {name: float(text) for name, text in zip(words[::2], words[1::2])
            if text.replace(".", "", 1).isdigit()}


# --- Tables -------------------------------------------------------------------------------------

def median(samples, field):
    return statistics.median(getattr(one, field) for one in samples)


def quotient(a, b):
    """Infinite when a server answered nothing for a whole sample: that is to be seen."""
    return a / b if b else math.inf


def ratio_text(theirs, ours):
    """Ratio of the medians, and the least and the greatest of the rounds'."""
    ratios = [quotient(b, a) for a, b in zip(theirs, ours)]
    middle = quotient(statistics.median(ours), statistics.median(theirs))
    return f"**{middle:.2f}** ({min(ratios):.2f}–{max(ratios):.2f})"


def say(line=""):
    print(line, flush=True)


def say_row(*cells):
    say("| " + " | ".join(cells) + " |")


RECORD = {"parts": []}


def begin_record(part):
    RECORD["parts"].append({"part": part, "load_average": os.getloadavg(), "rows": []})


def keep(what, samples, **more):
    """One row's samples for --json: {name: [number or Sample, …]}."""
    samples = {name: [vars(one) if hasattr(one, "__dict__") else one for one in several]
               for name, several in samples.items()}
    RECORD["parts"][-1]["rows"].append(dict(more, what=what, samples=samples))
    write_record()


def write_record():
    """After every row, so that a run that is broken off leaves what it has."""
    if OPTIONS.json:
        with open(OPTIONS.json + ".new", "w") as file:
            json.dump(RECORD, file, indent=1)
        os.replace(OPTIONS.json + ".new", OPTIONS.json)


def rate_heading(title, note=""):
    say(f"\n### {title}\n")
    if note:
        say(note + "\n")
    say("| what | redis-benchmark | Redis /s | Quoin /s | ratio (range) "
        "| Redis p50 / p99 ms | Quoin p50 / p99 ms |")
    say("|---|---|--:|--:|--:|--:|--:|")


def rate_row(what, words, count, samples):
    keep(what, samples, words=words, count=count)
    rates = {name: [one.rate for one in samples[name]] for name in NAMES}
    cells = [what, f"`{' '.join(words)} -n {count}`"]
    cells += [f"{statistics.median(rates[name]):,.0f}" for name in NAMES]
    cells.append(ratio_text(rates["redis"], rates["quoin"]))
    cells += [f"{median(samples[name], 'p50'):.2f} / {median(samples[name], 'p99'):.2f}"
              for name in NAMES]
    say_row(*cells)


def is_wanted(what, in_quick=True):
    return OPTIONS.row in what and (in_quick or not QUICK)


def row(servers, what, text, in_quick=False):
    if not is_wanted(what, in_quick):
        return
    words = text.split()
    samples, count = compare(servers, words)
    rate_row(what, words, count, samples)


def load_pair(servers, count, value_size):
    for one in servers.values():
        with awake(one):
            load(one, count, value_size)
