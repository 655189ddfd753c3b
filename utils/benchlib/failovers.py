"""Time without service after kill -9 of a leader, seen by a client that writes all the time."""

import statistics
import threading
import time

from quoin import wait_for

from .base import keep, say_row

CALM_SECONDS = 1.0  # of good service before the next kill


class Writer(threading.Thread):
    """Writes 1, 2, 3 … to one key, one after the other, and notes when each was answered."""

    def __init__(self, nodes):
        super().__init__(daemon=True)
        self.nodes = nodes
        self.done_at = []
        self.is_to_stop = False
        self.failure = None

    @property
    def last(self):
        return len(self.done_at)

    def run(self):
        connections, port = {}, self.nodes.ports()[0]
        while not self.is_to_stop:
            try:
                following = self.nodes.write(connections, port, self.last + 1)
            except Exception as error:  # of any kind: the node is gone, or just coming
                self.failure = error
                if port in connections:
                    connections.pop(port).close()
                time.sleep(0.001)
                following = self.nodes.other_port(port)
            if following is None:
                self.done_at.append(time.monotonic())
            else:
                port = following

    def stop(self):
        self.is_to_stop = True
        self.join()


def longest_gap(times):
    return max(later - earlier for earlier, later in zip(times, times[1:]))


def fail_over(nodes, writer):
    """The longest pause between answers around the kill, and the one while the node returns."""
    before = writer.last
    wait_for(lambda: writer.last > before, 60, f"a write ({writer.failure!r})")
    time.sleep(CALM_SECONDS)
    first = max(0, writer.last - 1)
    victim = nodes.kill_leader()
    killed_at = time.monotonic()
    wait_for(lambda: writer.done_at[-1] > killed_at + 0.5, 60, f"a write ({writer.failure!r})")
    after = writer.last
    gap = longest_gap(writer.done_at[first:after])
    nodes.revive(victim)
    back = writer.last
    wait_for(lambda: writer.last > back, 60, f"a write ({writer.failure!r})")
    return gap, longest_gap(writer.done_at[after - 1:])


def failover_row(what, nodes, count):
    writer = Writer(nodes)
    writer.start()
    gaps, returns = zip(*[fail_over(nodes, writer) for _ in range(count)])
    writer.stop()
    written = nodes.last_written()
    assert written >= writer.last, f"{writer.last} was acknowledged, {written} is there"
    keep(f"failover, {what}", {what: gaps}, returns=returns)
    say_row(what, str(count), f"{1000 * statistics.median(gaps):,.0f}",
            f"{1000 * min(gaps):,.0f}", f"{1000 * max(gaps):,.0f}", f"{1000 * max(returns):,.0f}")
