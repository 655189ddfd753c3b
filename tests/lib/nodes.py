"""Several nodes of one cluster on this machine, each a quoin.Server with ports of its own.

    with Nodes(3) as nodes:                    # formed, and somebody leads every shard
        nodes.on_leader("SET", "a", "1")       # asks whoever leads shard 0, again after a change
        nodes[2].kill()
"""

import threading
import time

from quoin import Server, free_port, parse_info, wait_for
from resp import Client, ConnectionClosed, Error

SECRET = "tests-of-this-file"
AWAY = (b"MOVED", b"CLUSTERDOWN", b"TRYAGAIN")


class Nodes:
    """`formed` of `count` nodes list each other; the rest get ports, for add()."""

    def __init__(self, formed=3, count=None, start=True, **directives):
        self.count = count or formed
        self.directives = {"cluster-enabled": "yes", "cluster-secret": SECRET, **directives}
        self.ports = free_ports(2 * self.count)
        self.servers = {}
        self.formed = list(range(1, formed + 1))
        try:
            for number in self.formed:
                self.make(number, self.formed if formed > 1 else [])
            if start:
                self.start(*self.formed)
                self.wait_for_leaders()
        except BaseException:
            self.delete()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for server in self.servers.values():
            if kind is not None and server.process:
                print("\n".join(f"# node: {line}" for line in server.log().splitlines()[-20:]))
        self.delete()

    def __getitem__(self, number):
        return self.servers[number]

    def delete(self):
        for server in self.servers.values():
            server.delete()

    # --- Making them ---

    def port(self, number):
        return self.ports[2 * number - 2]

    def peer_port(self, number):
        return self.ports[2 * number - 1]

    def address(self, number):
        return f"127.0.0.1:{self.port(number)}"

    def listed(self, numbers):
        return ",".join(f"{number}={self.address(number)}@{self.peer_port(number)}"
                        for number in numbers)

    def make(self, number, listed, **directives):
        """A node that is not started yet, in an empty directory."""
        if number in self.servers:
            self.servers[number].delete()
        given = {**self.directives, "node": number, "cluster-port": self.peer_port(number)}
        if listed:
            given["cluster"] = self.listed(listed)
        given.update({key.replace("_", "-"): value for key, value in directives.items()})
        words = {key.replace("-", "_"): value for key, value in given.items()}
        self.servers[number] = Server(port=self.port(number), start=False, **words)
        return self.servers[number]

    def start(self, *numbers):
        """Together, since they wait for each other."""
        for number in numbers:
            self.servers[number].start(wait=False)
        for number in numbers:
            self.servers[number]._wait_until_it_answers(self.port(number))

    def add(self, number, others):
        """Starts an empty node that waits, and takes it in as a voter."""
        self.make(number, [*others, number]).start(wait=False)
        reply = self.ask_leader("RAFT", "ADD", number,
                                f"{self.address(number)}@{self.peer_port(number)}")
        assert reply == b"OK", reply
        self.wait_for_role(number, b"voter")
        self.servers[number]._wait_until_it_answers(self.port(number))

    # --- Asking them ---

    def running(self):
        return [number for number, server in self.servers.items()
                if server.process and server.process.poll() is None]

    def raft(self, number):
        return self.servers[number].info("raft")

    def leader(self, shard=0):
        """The number of the node that says it leads a shard, and still does by its lease."""
        def look():
            for number in self.running():
                try:
                    line = shard_line(self.raft(number), shard)
                except (OSError, ConnectionClosed, KeyError):
                    continue
                if line["role"] == "leader" and line["lease"] == "1":
                    return number
            return None
        return wait_for(look, what=f"a leader of shard {shard}")

    def wait_for_leaders(self):
        """Until every running node knows who leads each shard."""
        shards = int(self.directives.get("shards", 1))
        for shard in range(shards):
            leader = self.leader(shard)
            for number in self.running():
                wait_for(lambda: shard_line(self.raft(number), shard)["leader"] == str(leader),
                         what=f"node {number} to follow node {leader}")

    def ask_leader(self, *words):
        with Client(self.port(self.leader())) as client:
            return client(*words)

    def on_leader(self, *words, seconds=15):
        """Asks whoever leads shard 0 until the answer is none of a change of leaders."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                reply = self.ask_leader(*words)
                if not (isinstance(reply, Error) and reply.startswith(AWAY)):
                    return reply
            except (OSError, ConnectionClosed):
                pass
            assert time.monotonic() < deadline, f"no leader answered {words}"

    def members(self, number=None):
        """number -> {field: value}, as that node or the leader of shard 0 tells."""
        with Client(self.port(number or self.leader()), protocol=3) as client:
            return {found["node"]: found for found in
                    ({key.decode(): value for key, value in member}
                     for member in client("RAFT", "MEMBERS"))}

    def wait_for_role(self, number, role, seconds=20):
        """role None: it is no member, nor on its way in or out."""
        def has_it():
            member = self.members().get(number)
            return (member["role"] if member else None) == role
        wait_for(has_it, seconds=seconds, what=f"node {number} as {role}")

    def wait_until_alike(self):
        """Until all running nodes have applied the same index of each shard."""
        def applied(number):
            return [shard_line(self.raft(number), shard)["applied"]
                    for shard in range(int(self.directives.get("shards", 1)))]
        numbers = self.running()
        wait_for(lambda: all(applied(number) == applied(numbers[0]) for number in numbers),
                 what="equal applied indexes")


class Writer:
    """Increments a counter on whoever leads shard 0, after other requests in the same pipeline, and
    remembers how often that was acknowledged.

    An increment is sent once, so in the end the counter lies between acknowledged and sent.
    """

    def __init__(self, nodes, *requests, counter="counter"):
        self.nodes = nodes
        self.requests = requests
        self.counter = counter
        self.acknowledged = 0
        self.sent = 0
        self.errors = []
        self.stops = False
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stops = True
        self.thread.join(60)

    def run(self):
        while not self.stops:
            try:
                with Client(self.nodes.port(self.nodes.leader())) as client:
                    self.write(client)
            except (OSError, ConnectionClosed, AssertionError):
                continue

    def write(self, client):
        while not self.stops:
            self.sent += 1
            replies = client.pipeline(*self.requests, ("INCR", self.counter))
            if isinstance(replies[-1], Error):
                self.errors.append(replies[-1])
                return
            self.acknowledged += 1

    def check(self):
        found = int(self.nodes.on_leader("GET", self.counter))
        assert self.acknowledged <= found <= self.sent, (self.acknowledged, found, self.sent)
        assert self.acknowledged > 0, self.errors


def free_ports(count):
    ports = set()
    while len(ports) < count:
        ports.add(free_port())
    return list(ports)


def fields(text):
    """"a=1,b=2" -> {a: 1, b: 2}"""
    return dict(part.split("=", 1) for part in text.split(","))


def shard_line(info, shard=0):
    return fields(info[f"shard{shard}"])


def info_of(client, section):
    return parse_info(client("INFO", section))
