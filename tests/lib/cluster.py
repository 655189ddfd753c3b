"""Clusters under test: nodes, the network between them, clients that follow the leader, workloads.

    with Cluster(3, shards=4) as cluster:
        leader = cluster.wait_for_leader()
        work = Workload(cluster, clients=8)
        cluster.kill9(leader)
        cluster.wait_for_leader(other_than=leader)
        work.finish()                       # AssertionError unless all that was seen is right

Nodes are numbered from 1 and die with this process. What they say to each other goes through
cluster.links (links.py).
"""

import os
import random
import secrets
import shutil
import signal
import tempfile
import threading
import time

import quoin
from linear import History, check
from links import Links
from quoin import Server, free_port, parse_info, wait_for
from resp import NULL_ARRAY, Client, ConnectionClosed, Error, ProtocolError

LEADER_SECONDS = 30
ASK_SECONDS = 1
BROKEN = (OSError, ConnectionClosed, ProtocolError)

# Refusals: what they answer did not happen and will not.
REFUSALS = (b"MOVED", b"CLUSTERDOWN", b"TRYAGAIN", b"LOADING", b"MISCONF", b"OOM", b"EXECABORT",
            b"READONLY", b"MASTERDOWN", b"BUSY")
UNKNOWN_OUTCOME = (b"INDETERMINATE",)


# --- Nodes --------------------------------------------------------------------------------------

class Cluster:
    """`count` nodes that know each other from their first start on; directives as of Server."""

    def __init__(self, count=3, start=True, **directives):
        self.directory = tempfile.mkdtemp(prefix="quoin-test-")
        self.secret = secrets.token_hex(32)
        self.ports = distinct_ports(2 * count)
        numbers = range(1, count + 1)
        self.peer_ports = {number: self.ports[count + number - 1] for number in numbers}
        self.links = Links(self.peer_ports)
        self.paused = set()
        members = ",".join(f"{number}=127.0.0.1:{self.ports[number - 1]}@{self.links.ports[number]}"
                           for number in numbers)
        self.nodes = {}
        for number in numbers:
            directory = os.path.join(self.directory, f"node-{number}")
            os.mkdir(directory)
            self.nodes[number] = Server(
                directory=directory, start=False, port=self.ports[number - 1], node=number,
                cluster=members, cluster_port=self.peer_ports[number],
                cluster_secret=self.secret, **directives)
        if start:
            try:
                self.start()
            except BaseException:
                self.delete()
                raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            for number in self.nodes:
                quoin.LAST_WORDS.append(self.last_words(number))
        self.delete()

    def start(self, order=None):
        """All that do not run, and waits until each answers and a leader is known."""
        for number in order or self.nodes:
            if not self.runs(number):
                self.nodes[number].start(wait=False)
        self.wait_for_leader()
        for number in self.nodes:
            self.wait_until_answers(number)

    def delete(self):
        for server in self.nodes.values():
            server.kill()
        self.links.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def runs(self, number):
        process = self.nodes[number].process
        return process is not None and process.poll() is None

    def last_words(self, number):
        server = self.nodes[number]
        if not os.path.exists(server.log_path):
            return f"node {number} was never started\n"
        lines = server.log().splitlines()[-12:]
        state = "paused" if number in self.paused else "runs" if self.runs(number) else "dead"
        return f"node {number} ({state}) logged last:\n" + "".join(f"  {line}\n" for line in lines)

    # --- Faults ---

    def kill9(self, number):
        self.paused.discard(number)
        self.nodes[number].kill()

    def pause(self, number):
        """SIGSTOP, and returns when the process has stopped."""
        os.kill(self.nodes[number].pid, signal.SIGSTOP)
        wait_for(lambda: self.process_state(number) == "T", what="the stop")
        self.paused.add(number)

    def resume(self, number):
        self.paused.discard(number)
        os.kill(self.nodes[number].pid, signal.SIGCONT)

    def restart(self, number, hard=True):
        """Returns when it answers; it need not know a leader by then."""
        if self.runs(number):
            if hard:
                self.kill9(number)
            else:
                self.nodes[number].stop()
        self.nodes[number].start(wait=False)
        self.wait_until_answers(number)

    def mend(self):
        """Everything runs and hears the others."""
        self.links.heal()
        for number in list(self.paused):
            self.resume(number)
        self.start()

    def process_state(self, number):
        with open(f"/proc/{self.nodes[number].pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0]

    # --- Looking ---

    def client(self, number, **how):
        return Client(self.nodes[number].port, **how)

    def info(self, number, section="everything"):
        """field -> text; None when it does not answer."""
        if not self.runs(number) or number in self.paused:
            return None
        try:
            with self.client(number, timeout=ASK_SECONDS) as client:
                reply = client("INFO", section)
                return None if isinstance(reply, Error) else parse_info(reply)
        except BROKEN:
            return None

    def shard(self, number, shard=0):
        """What a node says about a shard: role, term, applied … ; None when it says nothing."""
        info = self.info(number, "raft")
        if info is None or f"shard{shard}" not in info:
            return None
        return dict(part.split("=", 1) for part in info[f"shard{shard}"].split(","))

    def leader(self, shard=0):
        """Of those that say they lead, the one with the highest term: another may not have heard
        yet that its time is over. None when nobody does."""
        said = [(int(facts["term"]), number) for number in self.nodes
                for facts in [self.shard(number, shard)] if facts and facts["role"] == "leader"]
        return max(said)[1] if said else None

    def term(self, shard=0):
        return max(int(facts["term"]) for number in self.nodes
                   for facts in [self.shard(number, shard)] if facts)

    def wait_for_leader(self, timeout=LEADER_SECONDS, shard=0, other_than=None):
        def found():
            for number in self.nodes:
                self.raise_if_died(number)
            number = self.leader(shard)
            return number if number != other_than else None
        return wait_for(found, timeout, f"a leader of shard {shard}")

    def wait_until_answers(self, number, timeout=LEADER_SECONDS):
        def answers():
            self.raise_if_died(number)
            return self.info(number, "server")
        wait_for(answers, timeout, f"an answer of node {number}")

    def wait_until_caught_up(self, number, timeout=60, shard=0):
        """The node applied what was committed at the call."""
        goal = int(self.shard(self.wait_for_leader(shard=shard), shard)["commit"])

        def caught_up():
            facts = self.shard(number, shard)
            return facts and int(facts["applied"]) >= goal
        wait_for(caught_up, timeout, f"node {number} at index {goal}")

    def wait_until_equal(self, timeout=60, shard=0):
        """Every node applied the same, and as much as there is."""
        def equal():
            facts = [self.shard(number, shard) for number in self.nodes]
            return all(facts) and len({(fact["applied"], fact["term"]) for fact in facts}) == 1 \
                and all(fact["applied"] == fact["last"] for fact in facts)
        wait_for(equal, timeout, "equal nodes")

    def raise_if_died(self, number):
        server = self.nodes[number]
        if server.has_died():
            raise AssertionError(f"node {number}: {server.last_words()}")

    def followers(self, leader):
        return [number for number in self.nodes if number != leader]


def distinct_ports(count):
    ports = []
    while len(ports) < count:
        port = free_port()
        if port not in ports:
            ports.append(port)
    return ports


# --- Clients --------------------------------------------------------------------------------------

class Failed(Exception):
    """It did not happen and will not: refused, or never sent, for as long as there was patience."""


class Unknown(Exception):
    """It may have happened, or still do so."""


class Follower:
    """A client of the whole cluster. It goes where MOVED says and asks again after a refusal or
    when nobody could be reached; a request whose answer did not come is never repeated."""

    def __init__(self, cluster, timeout=5, patience=20):
        self.ports = [server.port for server in cluster.nodes.values()]
        self.port = random.choice(self.ports)
        self.timeout = timeout      # for one answer
        self.patience = patience    # for all attempts
        self.client = None
        self.stopping = False

    def close(self):
        if self.client:
            self.client.close()
        self.client = None

    def go_elsewhere(self, port=None):
        self.close()
        self.port = port or self.ports[(self.ports.index(self.port) + 1) % len(self.ports)]

    def __call__(self, *words):
        return self.attempt(lambda: self.once(*words))

    def attempt(self, action):
        """action() until it is not Failed, or patience is at its end."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                return action()
            except Failed:
                if self.stopping or time.monotonic() > deadline:
                    raise
                time.sleep(0.003)  # the pace of asking; nothing tells when a leader is there

    def once(self, *words):
        """The reply, which may be an error of the command itself."""
        if self.client is None:
            try:
                self.client = Client(self.port, timeout=self.timeout)
            except OSError:
                self.go_elsewhere()
                raise Failed("cannot connect") from None
        try:
            reply = self.client(*words)
        except BROKEN as error:
            self.go_elsewhere()
            raise Unknown(f"{type(error).__name__} {error}") from None
        if isinstance(reply, Error):
            self.raise_if_not_done(reply)
        return reply

    def raise_if_not_done(self, reply):
        if reply.startswith(UNKNOWN_OUTCOME):
            self.go_elsewhere()
            raise Unknown(reply.decode())
        if reply.startswith(REFUSALS):
            self.go_elsewhere(moved_port(reply))
            raise Failed(reply.decode())


def moved_port(reply):
    return int(reply.rsplit(b":", 1)[1]) if reply.startswith(b"MOVED") else None


# --- Workloads --------------------------------------------------------------------------------

TEXT_OPS = ["GET"] * 5 + ["SET"] * 3 + ["SETNX", "APPEND", "APPEND", "GETSET", "DEL", "CAS", "CAS"]
NUMBER_OPS = ["GET"] * 4 + ["INCR"] * 6 + ["DEL"]


class Worker(threading.Thread):
    """One client of a workload, one operation after the other, all recorded."""

    def __init__(self, work, number, seed):
        super().__init__(daemon=True)
        self.work = work
        self.number = number
        self.draw = random.Random(f"{seed} {number}")
        self.follower = Follower(work.cluster, work.timeout, work.patience)
        self.count = 0
        self.kept = []      # keys of its own whose write was acknowledged
        self.error = None

    def run(self):
        try:
            while not self.follower.stopping:
                self.work_once()
                time.sleep(self.draw.uniform(0, 2 * self.work.pause))  # the rate of the load
        except Exception as error:  # told by finish: a thread cannot fail a test
            self.error = error
        finally:
            self.follower.close()

    def work_once(self):
        self.count += 1
        value = b"%d.%d" % (self.number, self.count)
        value += b"v" * self.draw.choice([0, 0, 20, 200])
        if self.draw.random() < 0.1:
            key = f"own:{self.number}:{self.count}"
            if self.record("SET", key, value) is not None:
                self.kept.append(key)
            return
        key = self.draw.choice(self.work.keys)
        name = self.draw.choice(NUMBER_OPS if key.startswith("n") else TEXT_OPS)
        if name == "CAS":
            self.compare_and_set(key, value)
        else:
            self.record(name, key, *([value] if name in ("SET", "SETNX", "APPEND", "GETSET")
                                     else []))

    def record(self, name, key, *args):
        """The reply, or None without one (and for nil)."""
        op = self.work.history.invoke(self.number, name, key, *args)
        try:
            reply = self.follower(name, key, *args)
            op.returned(reply)
            return reply
        except Failed:
            op.failed()
        except Unknown:
            op.unknown()
        return None

    def compare_and_set(self, key, value):
        """WATCH, GET, MULTI, SET, EXEC on one connection. Before EXEC nothing can happen."""
        history, ask = self.work.history, self.follower.once
        read = history.invoke(self.number, "GET", key)
        try:
            ask("WATCH", key)
            before = ask("GET", key)
        except (Failed, Unknown):
            read.failed()
            return
        read.returned(before)
        op = None
        try:
            ask("MULTI")
            ask("SET", key, value)
            op = history.invoke(self.number, "CAS", key, before, value)
            reply = ask("EXEC")
            op.returned(None if reply is NULL_ARRAY else reply)
        except (Failed, Unknown) as error:
            if op and isinstance(error, Failed):
                op.failed()


class Workload:
    """Clients at work from now until finish()."""

    def __init__(self, cluster, clients=6, keys=6, pause=0.004, timeout=3, patience=20, seed=None):
        self.cluster = cluster
        self.keys = [f"{'n' if number % 3 == 0 else 't'}{number}" for number in range(keys)]
        self.pause = pause
        self.timeout = timeout
        self.patience = patience
        self.history = History()
        self.seed = time.time_ns() if seed is None else seed
        self.workers = [Worker(self, number, self.seed) for number in range(clients)]
        for worker in self.workers:
            worker.start()

    def writes_answered(self, since):
        """Times at which writes asked for after `since` were acknowledged."""
        with self.history.lock:
            ops = list(self.history.ops)
        return [op.end for op in reversed(ops)
                if op.invoke > since and op.end is not None and op.name in ("SET", "INCR")]

    def wait_for_service(self, since, timeout=LEADER_SECONDS):
        """Seconds from `since` until a write asked for later was acknowledged."""
        wait_for(lambda: self.writes_answered(since), timeout, "service")
        return min(self.writes_answered(since)) - since

    def stop(self):
        for worker in self.workers:
            worker.follower.stopping = True
        for worker in self.workers:
            worker.join()
        errors = [worker.error for worker in self.workers if worker.error]
        assert not errors, f"a client found {errors[0]!r} (seed {self.seed})"

    def finish(self):
        """Stops, reads every key once more and judges it all; (answered, unknown, failed)."""
        self.stop()
        reader = Follower(self.cluster, timeout=10, patience=60)
        for key in self.keys:
            op = self.history.invoke("at the end", "GET", key)
            op.returned(reader("GET", key))
        self.check_kept(reader)
        reader.close()
        check(self.history)
        return self.history.counts()

    def check_kept(self, reader):
        lost = [key for worker in self.workers for key in worker.kept
                if reader("EXISTS", key) != 1]
        assert not lost, f"{len(lost)} acknowledged writes are lost: {lost[:5]} (seed {self.seed})"
