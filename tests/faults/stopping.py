#!/usr/bin/env python3
"""Stopping: under load, and with a directory that has gone.

test-timeout: 120
"""

import os
import shutil
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import Server, main, same, test  # noqa: E402
from resp import ConnectionClosed  # noqa: E402


class Writer(threading.Thread):
    """Writes its own keys one after the other and remembers what was acknowledged."""

    def __init__(self, server, number):
        super().__init__()
        self.client = server.client()
        self.number = number
        self.acknowledged = 0
        self.start()

    def run(self):
        try:
            while self.client("SET", f"w{self.number}:{self.acknowledged}", "v") == b"OK":
                self.acknowledged += 1
        except (OSError, ConnectionClosed):
            pass


@test
def a_server_under_load_stops_and_keeps_what_it_acknowledged(_):
    with Server(appendfsync="always") as server:
        writers = [Writer(server, number) for number in range(8)]
        time.sleep(0.5)
        same(server.stop(), 0)
        for writer in writers:
            writer.join()
        server.start()
        assert "skipped" in server.info("raft")["cold_start"], "a stop leaves nothing to replay"
        with server.client() as client:
            for writer in writers:
                keys = [f"w{writer.number}:{number}" for number in range(writer.acknowledged)]
                same(client("EXISTS", *keys), len(keys))


@test
def a_server_whose_directory_has_gone_stops_all_the_same(_):
    with Server() as server:
        with server.client() as client:
            client("SET", "k", "v")
        shutil.rmtree(server.data)
        begin = time.monotonic()
        server.stop()
        assert time.monotonic() - begin < 10


main()
