#!/usr/bin/env python3
"""A disk that fails under the write-ahead log: the process stops with file and offset as its last
word, answers nothing that is not durable, and has everything acknowledged after the next start.

test-timeout: 120
"""

import errno
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import ROOT, Server, main, same, test  # noqa: E402
from resp import ConnectionClosed  # noqa: E402

PRELOAD = os.path.join(ROOT, os.environ.get("QUOIN_PRELOAD", "build/preload"), "broken_disk.so")


class BrokenDisk:
    """Servers started inside have the library in front; break_down makes their calls fail."""

    def __init__(self, server):
        self.rule = os.path.join(server.directory, "broken")

    def __enter__(self):
        os.environ["LD_PRELOAD"] = PRELOAD
        os.environ["BROKEN_DISK"] = self.rule
        return self

    def __exit__(self, *_):
        del os.environ["LD_PRELOAD"], os.environ["BROKEN_DISK"]
        if os.path.exists(self.rule):
            os.remove(self.rule)

    def break_down(self, call, part, error):
        with open(self.rule + ".new", "w") as file:
            file.write(f"{call} {part} {error}\n")
        os.rename(self.rule + ".new", self.rule)


def write_until_the_end(server, disk, call, error):
    """Keys acknowledged before and after the disk broke; the server has ended."""
    acknowledged = []
    with server.client() as client:
        for number in range(200):
            same(client("SET", f"k{number}", number), b"OK")
            acknowledged.append(number)
        disk.break_down(call, "/wal/", error)
        try:
            for number in range(200, 400):
                if client("SET", f"k{number}", number) == b"OK":
                    acknowledged.append(number)
        except (OSError, ConnectionClosed):
            pass
    return acknowledged


def stops_and_keeps_everything(call, error):
    server = Server(start=False, appendfsync="always")
    try:
        with BrokenDisk(server) as disk:
            server.start()
            acknowledged = write_until_the_end(server, disk, call, error)
            same(acknowledged, list(range(200)))
            assert server.wait_until_ended() != 0, "it must not end as if all were well"
            last = server.log().strip().splitlines()[-1]
            assert "write-ahead log" in last and "/wal/" in last, last
            assert re.search(r"(offset|at) \d+", last), last
            assert os.strerror(error).lower() in last.lower(), last
        server.start()
        with server.client() as client:
            for number in acknowledged:
                same(client("GET", f"k{number}"), b"%d" % number)
    finally:
        server.delete()


@test
def a_failed_sync_of_the_log_stops_the_process(_):
    stops_and_keeps_everything("sync", errno.EIO)


@test
def a_failed_write_of_the_log_stops_the_process(_):
    stops_and_keeps_everything("write", errno.EIO)


main()
