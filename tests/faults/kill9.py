#!/usr/bin/env python3
"""kill -9 at random points under pipelined load: nothing acknowledged is lost.

Fifty rounds over servers of 1, 4 and 64 shards in turn, appendfsync always. In each, four writers
work until the server is killed; it is started anew (now and then killed once more on its way up)
and every key must stand between the acknowledged and the last sent step, MULTI blocks whole. What
earlier rounds left must not change. test-timeout: 600
"""

import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import Server, main, same, shorten, test  # noqa: E402
from writers import Writers, everything  # noqa: E402

ROUNDS = 500 if os.environ.get("QUOIN_SOAK") else 50
SHARDS = [1, 4, 64]
WRITERS = 4


class Victim:
    """One server through many lives, and what it must still hold."""

    def __init__(self, shards, draw):
        self.server = Server(shards=shards, appendfsync="always", appendonly="yes")
        self.shards = shards
        self.draw = draw
        self.kept = {}
        self.rounds = 0
        self.steps = 0
        self.slowest = 0

    def live_and_die(self):
        first = self.rounds * WRITERS
        writers = Writers(self.server, range(first, first + WRITERS),
                          pipeline=self.draw.choice([1, 5, 50, 500]))
        time.sleep(self.draw.uniform(0.02, 0.5))
        self.server.kill()
        report = writers.finish()
        same(report.errors, {})
        self.steps += report.total
        self.rounds += 1
        self.rise()
        with self.server.client() as client:
            complaints = report.check(client)
            assert not complaints, self.describe(complaints)
            self.compare_with_before(client)

    def rise(self):
        while self.draw.random() < 0.2:
            self.server.start(wait=False)
            time.sleep(self.draw.uniform(0, 0.06))
            self.server.kill()
        begin = time.monotonic()
        self.server.start()
        self.slowest = max(self.slowest, time.monotonic() - begin)

    def compare_with_before(self, client):
        found = everything(client)
        changed = [key for key, value in self.kept.items() if found.get(key) != value]
        assert not changed, self.describe([f"{key!r} changed since an earlier round, from "
                                           f"{shorten(self.kept[key])} to {shorten(found.get(key))}"
                                           for key in changed])
        self.kept = found

    def describe(self, complaints):
        return (f"{len(complaints)} keys wrong after round {self.rounds} with {self.shards} "
                f"shards: " + "; ".join(complaints[:5]))


def run_rounds(shards):
    draw = random.Random(f"kill9 {shards} {time.time()}")
    victim = Victim(shards, draw)
    try:
        for _ in range(ROUNDS // len(SHARDS) + 1):
            victim.live_and_die()
    finally:
        victim.server.delete()
    print(f"# {victim.rounds} rounds, {victim.steps} acknowledged steps, {len(victim.kept)} keys, "
          f"slowest start {victim.slowest:.2f} s")
    assert victim.steps > victim.rounds * 20, "the writers got almost nothing done"


@test
def nothing_acknowledged_is_lost_with_one_shard():
    run_rounds(1)


@test
def nothing_acknowledged_is_lost_with_four_shards():
    run_rounds(4)


@test
def nothing_acknowledged_is_lost_with_sixty_four_shards():
    run_rounds(64)


main()
