#!/usr/bin/env python3
"""A stand-in for quoin-server that speaks just enough for testing the tools around a cluster.

    fake_node.py CONF --port P --dir D [--node I --cluster MEMBERS] …

Node 1 of several leads as long as FAKE_LEADER is not another number; the others answer -MOVED,
and everybody -CLUSTERDOWN while FAKE_LEADER is 0. FAKE_EXIT=1 ends it at once with a last word.
The leader keeps strings: GET SET SETNX INCR APPEND GETSET DEL and MULTI … EXEC with WATCH.
"""

import os
import socketserver
import sys
import threading



class Store:
    """Strings behind one lock: every command is atomic."""

    def __init__(self):
        self.lock = threading.RLock()
        self.values = {}
        self.versions = {}

    def put(self, key, value):
        self.versions[key] = self.versions.get(key, 0) + 1
        if value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = value

    def run(self, name, *words):
        with self.lock:
            return getattr(self, "do_" + name.decode().lower())(*words)

    def do_get(self, key):
        return bulk(self.values.get(key))

    def do_set(self, key, value):
        self.put(key, value)
        return b"+OK\r\n"

    def do_setnx(self, key, value):
        if key in self.values:
            return b":0\r\n"
        self.put(key, value)
        return b":1\r\n"

    def do_incr(self, key):
        value = int(self.values.get(key, b"0")) + 1
        self.put(key, b"%d" % value)
        return b":%d\r\n" % value

    def do_append(self, key, value):
        self.put(key, self.values.get(key, b"") + value)
        return b":%d\r\n" % len(self.values[key])

    def do_getset(self, key, value):
        before = self.values.get(key)
        self.put(key, value)
        return bulk(before)

    def do_del(self, key):
        found = key in self.values
        if found:
            self.put(key, None)
        return b":%d\r\n" % found

    def do_exists(self, key):
        return b":%d\r\n" % (key in self.values)


def bulk(value):
    return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)


STORE = Store()


class Node:
    def __init__(self, words):
        flags = dict(zip(words[1::2], words[2::2]))
        self.conf = words[0]
        self.port = int(flags["--port"])
        self.number = int(flags.get("--node", 1))
        self.members = dict(part.split("=") for part in
                            flags.get("--cluster", f"1=127.0.0.1:{self.port}").split(","))
        self.leader = int(os.environ.get("FAKE_LEADER", "1"))

    def refusal(self):
        """The error for a command on a key, or None on the leader."""
        if self.leader == 0:
            return b"-CLUSTERDOWN no leader\r\n"
        if self.leader != self.number:
            return f"-MOVED 1 {self.members[str(self.leader)].split('@')[0]}\r\n".encode()
        return None

    def info(self):
        role = "leader" if self.leader == self.number else "follower"
        return bulk(f"# Server\r\nprocess_id:{os.getpid()}\r\nrole:master\r\n# Raft\r\n"
                    f"shard0:role={role},term=1\r\n".encode())


class Connection(socketserver.StreamRequestHandler):
    """One client: its queue of a MULTI and the versions of what it watches."""

    def handle(self):
        self.queue, self.watched = None, {}
        while True:
            words = self.read_request()
            if words is None:
                return
            self.wfile.write(self.answer(words))

    def read_request(self):
        head = self.rfile.readline()
        if not head:
            return None
        words = []
        for _ in range(int(head[1:])):
            size = int(self.rfile.readline()[1:])
            words.append(self.rfile.read(size + 2)[:-2])
        return words

    def answer(self, words):
        name = words[0].upper()
        if name == b"PING":
            return b"+PONG\r\n"
        if name == b"INFO":
            return NODE.info()
        refusal = NODE.refusal()
        if refusal:
            return refusal
        if name == b"WATCH":
            self.watched = {key: STORE.versions.get(key) for key in words[1:]}
            return b"+OK\r\n"
        if name == b"MULTI":
            self.queue = []
            return b"+OK\r\n"
        if name == b"EXEC":
            return self.execute()
        if self.queue is not None:
            self.queue.append(words)
            return b"+QUEUED\r\n"
        return STORE.run(*words)

    def execute(self):
        queue, watched, self.queue, self.watched = self.queue, self.watched, None, {}
        with STORE.lock:
            if any(STORE.versions.get(key) != version for key, version in watched.items()):
                return b"*-1\r\n"
            replies = [STORE.run(*words) for words in queue]
        return b"*%d\r\n" % len(replies) + b"".join(replies)


class Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def main():
    if os.environ.get("FAKE_EXIT"):
        print("no reason to live", flush=True)
        sys.exit(3)
    Listener(("127.0.0.1", NODE.port), Connection).serve_forever()


NODE = Node(sys.argv[1:])

if __name__ == "__main__":
    main()
