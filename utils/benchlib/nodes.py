"""Several nodes of Quoin or of etcd on this machine, to be measured and to be killed."""

import base64
import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

from quoin import Server, StartFailed, die_with_parent, free_port, parse_info, wait_for
from resp import Client

from .base import ROOT

NODES = 3
READY_SECONDS = 60
SETTLE_SECONDS = 0.5
TICKS = os.sysconf("SC_CLK_TCK")
TIMEOUT_SECONDS = 0.25  # of a write while nodes are killed: a request may be lost with one
WRITTEN = "bench:written"  # the key of failovers.Writer
READY = "bench:ready"


def base64_of(text):
    """As etcd's JSON gateway wants bytes."""
    return base64.b64encode(text.encode()).decode()


class Nodes:
    """Processes .processes() that together are one service."""

    def pause(self):
        for process in self.processes():
            os.kill(process.pid, signal.SIGSTOP)

    @contextlib.contextmanager
    def awake(self):
        """Running and with a leader; stopped in the meaning of SIGSTOP afterwards."""
        for process in self.processes():
            os.kill(process.pid, signal.SIGCONT)
        self.wait_until_ready()
        time.sleep(SETTLE_SECONDS)
        try:
            yield self
        finally:
            self.pause()

    def wait_until_ready(self):
        wait_for(self.is_ready, READY_SECONDS, "a leader")

    def cpu_seconds(self):
        """Of all processes so far."""
        ticks = 0
        for process in self.processes():
            with open(f"/proc/{process.pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS


class QuoinNodes(Nodes):
    """A cluster, or with count=1 a node alone without links."""

    def __init__(self, count=NODES, shards=1, **directives):
        self.shards = shards
        directives = dict(directives, shards=shards, bind="127.0.0.1", appendfsync="always")
        self.servers = []
        for attempt in range(3):
            try:
                self._start(count, directives)
                return
            except StartFailed:
                self.close()
                if attempt == 2:
                    raise

    def _start(self, count, directives):
        ports = [free_port() for _ in range(2 * count)]
        clients, peers = ports[:count], ports[count:]
        listed = ",".join(f"{number + 1}=127.0.0.1:{clients[number]}@{peers[number]}"
                          for number in range(count))
        self.servers = []
        for number in range(count):
            if count > 1:
                directives.update(node=number + 1, cluster=listed, cluster_secret="bench",
                                  cluster_port=peers[number])
            self.servers.append(Server(target="quoin", port=clients[number], start=False,
                                       **directives))
            self.servers[-1].start(wait=False)
        self.wait_until_ready()

    def close(self):
        for one in self.servers:
            one.delete()

    def processes(self):
        return [one.process for one in self.servers if one.process.poll() is None]

    def ports(self):
        return [one.port for one in self.servers]

    def words(self):
        """For put_load: all ports, since it follows MOVED, first that of a leader."""
        ports = sorted(self.ports(), key=self.leader().port.__ne__)
        return ["resp", "--shards", str(self.shards), "--ports", ",".join(map(str, ports))]

    def raft(self, one):
        """Lines shardN of INFO raft: [{"role": …, "applied": …}, …]; empty when it says nothing."""
        try:
            with Client(one.port, timeout=2) as client:
                found = parse_info(client("INFO", "raft"))
        except Exception:
            self._raise_if_ended(one)
            return []
        return [dict(pair.split("=") for pair in found[f"shard{shard}"].split(","))
                for shard in range(self.shards) if f"shard{shard}" in found]

    def _raise_if_ended(self, one):
        if one.process.poll() is not None:
            raise StartFailed(one.process.returncode, one.log())

    def leader(self):
        """Of the first shard, by its own word; None: nobody."""
        for one in self.servers:
            lines = self.raft(one)
            if lines and lines[0]["role"] == "leader":
                return one
        return None

    def leaders(self):
        """How many shards are led by anybody."""
        return sum(line["role"] == "leader" for one in self.servers for line in self.raft(one))

    def is_ready(self):
        """All shards are led, and the first one's leader can write."""
        if self.leaders() != self.shards:
            return False
        with contextlib.suppress(Exception):
            with Client(self.leader().port, timeout=2) as client:
                reply = client("SET", READY, "yes")
                return reply == b"OK" or (self.shards > 1 and reply.startswith(b"MOVED"))
        return False

    def has_caught_up(self, one):
        """`one` follows, and has applied all that the leader has committed."""
        leader = self.leader()
        lines = self.raft(one)
        return bool(leader and lines and leader is not one
                    and int(lines[0]["applied"]) >= int(self.raft(leader)[0]["commit"]) - 5)

    def kill_leader(self):
        """The one that was killed."""
        victim = self.leader()
        victim.kill()
        return victim

    def revive(self, victim):
        victim.start(wait=False)
        wait_for(lambda: self.has_caught_up(victim), READY_SECONDS, "the node's return")

    def write(self, connections, port, number):
        """One attempt: None when it is done, or the port to try next."""
        if port not in connections:
            connections[port] = Client(port, timeout=TIMEOUT_SECONDS)
        reply = connections[port]("SET", WRITTEN, number)
        if reply == b"OK":
            return None
        if reply.startswith(b"MOVED"):
            return int(reply.rsplit(b":", 1)[1])
        time.sleep(0.001)
        return self.other_port(port)

    def other_port(self, port):
        ports = self.ports()
        return ports[(ports.index(port) + 1) % len(ports)]

    def last_written(self):
        with self.leader().client() as client:
            return int(client("GET", WRITTEN))


def install_etcd():
    """True when it is there now."""
    if shutil.which("etcd") is None:
        subprocess.run([os.path.join(ROOT, "deps/install"), "bench"], stdout=subprocess.DEVNULL)
    return shutil.which("etcd") is not None


def etcd_version():
    return subprocess.run(["etcd", "--version"], capture_output=True, text=True,
                          check=True).stdout.split()[2]


class EtcdNodes(Nodes):
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="quoin-test-")
        ports = [free_port() for _ in range(2 * NODES)]
        self.clients, self.peers = ports[:NODES], ports[NODES:]
        self.running = [self._launch(number) for number in range(NODES)]
        self.wait_until_ready()

    def _launch(self, number):
        client = f"http://127.0.0.1:{self.clients[number]}"
        peer = f"http://127.0.0.1:{self.peers[number]}"
        listed = ",".join(f"n{at}=http://127.0.0.1:{port}" for at, port in enumerate(self.peers))
        words = ["etcd", "--name", f"n{number}", "--data-dir", f"{self.directory}/n{number}",
                 "--listen-client-urls", client, "--advertise-client-urls", client,
                 "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                 "--initial-cluster", listed, "--logger", "zap", "--log-level", "fatal"]
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)

    def close(self):
        for process in self.running:
            process.kill()
            process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def processes(self):
        return [process for process in self.running if process.poll() is None]

    def ports(self):
        return self.clients

    def words(self):
        """For put_load: the leader alone, to which the others would forward."""
        return ["grpc", "--ports", str(self.clients[self.leader()])]

    def status(self, number):
        """What a node says of itself, {} when it says nothing."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.clients[number], timeout=2)
            with contextlib.closing(connection):
                return self.ask(connection, "/v3/maintenance/status", {})
        except Exception:
            return {}

    @staticmethod
    def ask(connection, path, request):
        connection.request("POST", path, json.dumps(request))
        response = connection.getresponse()
        body = response.read()
        return json.loads(body) if response.status == 200 else {}

    def leader(self):
        """Index of the node that takes itself for it; None: nobody."""
        for number in range(NODES):
            found = self.status(number)
            if found and found.get("leader", "0") == found["header"]["member_id"]:
                return number
        return None

    def is_ready(self):
        said = {self.status(number).get("leader", "0") for number in range(NODES)}
        if len(said) != 1 or said == {"0"}:
            return False
        with contextlib.suppress(Exception):
            return self.write({}, self.clients[0], 0, READY) is None
        return False

    def kill_leader(self):
        victim = self.leader()
        self.running[victim].kill()
        self.running[victim].wait()
        return victim

    def revive(self, victim):
        self.running[victim] = self._launch(victim)
        self.wait_until_ready()

    def write(self, connections, port, number, key=WRITTEN):
        """One attempt: None when it is done, or the port to try next."""
        if port not in connections:
            connections[port] = http.client.HTTPConnection("127.0.0.1", port,
                                                           timeout=TIMEOUT_SECONDS)
        request = {"key": base64_of(key), "value": base64_of(str(number))}
        if self.ask(connections[port], "/v3/kv/put", request):
            return None
        time.sleep(0.001)
        return self.other_port(port)

    def other_port(self, port):
        return self.clients[(self.clients.index(port) + 1) % NODES]

    def last_written(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.clients[self.leader()], timeout=5)
        with contextlib.closing(connection):
            found = self.ask(connection, "/v3/kv/range", {"key": base64_of(WRITTEN)})
        return int(base64.b64decode(found["kvs"][0]["value"]))
