"""The writers of tests/tools/load.c: starting them and holding a server to what it acknowledged."""

import ctypes
import os
import signal
import subprocess

from quoin import ROOT, Server, shorten
from resp import Client

BLOCK_KEYS = 4
APPEND_SIZE = 100
PROGRAM = os.path.join(ROOT, os.environ.get("QUOIN_TOOLS", "build/tools"), "load")


class Writers:
    """Several load processes on one server, each with a number of its own."""

    def __init__(self, server, numbers, seconds=0, pipeline=50, keys=20):
        self.processes = [
            subprocess.Popen([PROGRAM, "--port", str(server.port), "--writer", str(number),
                              "--seed", str(number + 1), "--pipeline", str(pipeline), "--keys",
                              str(keys), "--seconds", str(seconds)],
                             stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
            for number in numbers]

    def finish(self):
        """Waits for their end and returns the Report of all."""
        report = Report()
        for process in self.processes:
            text, _ = process.communicate(timeout=120)
            assert process.returncode == 0, f"load ended with {process.returncode}"
            report.add(text)
        return report


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Report:
    def __init__(self):
        self.keys = []    # (kind, key, acknowledged, sent)
        self.errors = {}  # text -> count
        self.total = 0

    def add(self, text):
        for line in text.splitlines():
            kind, rest = line.split(" ", 1)
            if kind == "total":
                self.total += int(rest)
            elif kind == "errors":
                count, what = rest.split(" ", 1)
                self.errors[what] = self.errors.get(what, 0) + int(count)
            else:
                key, acknowledged, sent = rest.split()
                self.keys.append((kind, key, int(acknowledged), int(sent)))

    def names(self):
        """Every key of the server that the report speaks of."""
        endings = {"block": [str(i) for i in range(BLOCK_KEYS)]}
        return [key + ending for kind, key, _, _ in self.keys for ending in endings.get(kind, [""])]

    def check(self, client):
        """Complaints about keys that do not stand between acknowledged and sent."""
        names = self.names()
        values = dict(zip(names, client.pipeline(*[("GET", name) for name in names])))
        complaints = []
        for kind, key, acknowledged, sent in self.keys:
            wrong = CHECKS[kind](key, values, acknowledged, sent)
            if wrong:
                complaints.append(f"{key}: {wrong}; acknowledged {acknowledged}, sent {sent}")
        return complaints


def step_of(value):
    return int(value.split(b":", 1)[0]) if value else 0


def within(step, acknowledged, sent):
    return None if acknowledged <= step <= sent else f"stands at step {step}"


def check_set(key, values, acknowledged, sent):
    return within(step_of(values[key]), acknowledged, sent)


def check_del(key, values, acknowledged, sent):
    value = values[key]
    if value is not None:
        step = step_of(value)
        return within(step, acknowledged, sent) or (None if step % 2 else "an even step is a DEL")
    # Absent: before the first step, or after any even one in the range.
    last_even = sent - sent % 2
    return None if last_even >= acknowledged else "is absent"


def check_incr(key, values, acknowledged, sent):
    return within(int(values[key] or 0), acknowledged, sent)


def check_append(key, values, acknowledged, sent):
    value = values[key] or b""
    if len(value) % APPEND_SIZE:
        return f"holds {len(value)} bytes, half an APPEND"
    # A refused step leaves its letter out, so letters are compared inside a run only.
    for at in range(0, len(value), APPEND_SIZE):
        run = value[at:at + APPEND_SIZE]
        if run != run[:1] * APPEND_SIZE:
            return f"mixed run at {at}: {shorten(run)}"
    return within(len(value) // APPEND_SIZE, acknowledged, sent)


def check_block(key, values, acknowledged, sent):
    found = [values[f"{key}{i}"] for i in range(BLOCK_KEYS)]
    if len(set(found)) != 1:
        return f"half a block: steps {[step_of(value) for value in found]}"
    return within(step_of(found[0]), acknowledged, sent)


CHECKS = {"set": check_set, "del": check_del, "incr": check_incr, "append": check_append,
          "block": check_block}


def everything(client, database=0):
    """key -> (value, has an expiry) of a whole database."""
    client("SELECT", database)
    keys = client("KEYS", "*")
    values = client.pipeline(*[("GET", key) for key in keys])
    clocks = client.pipeline(*[("PTTL", key) for key in keys])
    return {key: (value, clock > 0) for key, value, clock in zip(keys, values, clocks)}


__all__ = ["Writers", "Report", "everything", "Server", "Client"]
