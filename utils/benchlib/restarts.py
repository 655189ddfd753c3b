"""How long it takes from the start of a server to the first GET."""

import contextlib
import statistics
import time

from quoin import StartFailed, free_port
from resp import Client

from .base import MILLION, NAMES, ROUNDS, keep, load, ratio_text, say, server


def seconds_to_first_get(one):
    """From before the process is made until a value is read; polled every 0.2 ms."""
    start = time.monotonic()
    one.start(wait=False)
    one.port = one.chosen_port
    while time.monotonic() < start + 120:
        try:
            with Client(one.port, timeout=30) as client:
                while True:
                    reply = client("GET", "key:000000000007")
                    if isinstance(reply, bytes) and not reply.startswith((b"LOADING", b"CLUSTER")):
                        return time.monotonic() - start
                    assert reply is not None, "a key is gone"
                    time.sleep(0.0002)
        except OSError:
            if one.process.poll() is not None:
                raise StartFailed(one.process.returncode, one.log()) from None
            time.sleep(0.0002)
    raise AssertionError("no GET in 120 s")


def restart_once(one, hard):
    if hard:
        load(one, MILLION // 50, 16)  # so that something has to be replayed
        one.kill()
    else:
        with contextlib.suppress(Exception), one.client() as client:
            client("SHUTDOWN")
        assert one.wait_until_ended(60) == 0
    one.chosen_port = one.port = free_port()
    return seconds_to_first_get(one)


def restart():
    say("\n### From start to the first GET\n")
    say(f"{MILLION:,} keys of 16 bytes, appendfsync everysec, Redis' AOF rewritten before (its "
        f"quickest form). kill -9 follows {MILLION // 50:,} further writes at once.\n")
    say("| after | Redis s | Quoin s | Redis / Quoin (range) |")
    say("|---|--:|--:|--:|")
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(server(name)) for name in NAMES}
        for one in servers.values():
            load(one, MILLION, 16)
        with servers["redis"].client() as client:
            client("BGREWRITEAOF")
            while b"aof_rewrite_in_progress:1" in client("INFO", "persistence"):
                time.sleep(0.05)
        for what, hard in [("SHUTDOWN", False), ("kill -9", True)]:
            times = {name: [] for name in NAMES}
            for _ in range(ROUNDS):
                for name, one in servers.items():
                    times[name].append(restart_once(one, hard))
            keep(f"restart after {what}", times)
            say(f"| {what} | {statistics.median(times['redis']):.3f} "
                f"| {statistics.median(times['quoin']):.3f} "
                f"| {ratio_text(times['quoin'], times['redis'])} |")
