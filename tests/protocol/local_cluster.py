#!/usr/bin/env python3
"""utils/local-cluster: real nodes, and stand-ins (tests/lib/fake_node.py) to see what they get.

test-timeout: 180
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import ROOT, free_port, main, program, same, test  # noqa: E402
from resp import Client  # noqa: E402

TOOL = os.path.join(ROOT, "utils/local-cluster")
FAKE = os.path.join(ROOT, "tests/lib/fake_node.py")


class Bench:
    """A directory and ports of its own for the tool; whatever it started is stopped at the end."""

    def __init__(self, count=1, server=None, **env):
        self.root = tempfile.mkdtemp(prefix="quoin-test-")
        self.directory = os.path.join(self.root, "cluster")
        self.port = consecutive_ports(count)
        self.env = dict(os.environ, QUOIN_SERVER=server or program("quoin"), **env)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.run("stop")
        shutil.rmtree(self.root)

    def run(self, *words, port=None, directory=None, **env):
        """(exit code, standard output, standard error)."""
        at = words.index("--") if "--" in words else len(words)
        place = ("--port", port or self.port, "--dir", directory or self.directory)
        command = [TOOL, *words[:at], *place, *words[at:]]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=100,
                              env=dict(self.env, **env))
        return done.returncode, done.stdout, done.stderr

    def good(self, *words, **how):
        code, out, complaint = self.run(*words, **how)
        assert code == 0 and not complaint, f"{words}: {code} {out} {complaint}"
        return out

    def refused(self, text, *words, **how):
        """It fails and its one complaint has this text."""
        code, _, complaint = self.run(*words, **how)
        assert code == 1 and text in complaint, f"{words}: {code}, {complaint!r} without {text!r}"

    def states(self):
        """[(state, role), …] of the table."""
        return [tuple(line.split()[3:5]) for line in self.good("status").splitlines()[1:]]

    def pid(self, number=1):
        with open(os.path.join(self.directory, f"node-{number}", "pid")) as file:
            return int(file.read())


def consecutive_ports(count):
    """The first of `count` ports that are free, with those of their links."""
    while True:
        first = free_port()
        if all(is_free(first + at + offset) for at in range(count) for offset in (0, 10000)):
            return first


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


@test
def one_node_is_started_answers_and_is_stopped(_):
    with Bench() as bench:
        bench.good("start", 1)
        same(bench.states()[0][0], "running")
        with Client(bench.port) as client:
            same(client("SET", "k", "v"), b"OK")
        assert "1 node stopped" in bench.good("stop")
        same(bench.states(), [("dead", "-")])


@test
def data_is_there_after_stop_and_start(_):
    with Bench() as bench:
        bench.good("start", 1)
        with Client(bench.port) as client:
            client("SET", "k", "v")
        bench.good("stop")
        bench.good("start", 1)
        with Client(bench.port) as client:
            same(client("GET", "k"), b"v")


@test
def kill_restart_pause_and_resume_are_seen_in_the_status(_):
    with Bench() as bench:
        bench.good("start", 1)
        bench.good("kill", 1)
        same(bench.states(), [("dead", "-")])
        bench.good("restart", 1)
        same(bench.states()[0][0], "running")
        bench.good("pause", 1)
        same(bench.states(), [("paused", "-")])
        bench.good("resume", 1)
        same(bench.states()[0][0], "running")
        before = bench.pid()
        bench.good("restart", 1)
        assert bench.pid() != before, "a restart of a running node is a new process"


@test
def a_paused_node_is_stopped_all_the_same(_):
    with Bench() as bench:
        bench.good("start", 1)
        bench.good("pause", 1)
        bench.good("stop")
        same(bench.states(), [("dead", "-")])


@test
def directives_reach_the_node_and_are_remembered(_):
    with Bench() as bench:
        bench.good("start", 1, "--", "--slowlog-max-len", 77)
        for _ in range(2):
            with Client(bench.port) as client:
                same(client("CONFIG", "GET", "slowlog-max-len"), [b"slowlog-max-len", b"77"])
            bench.good("kill", 1)
            bench.good("start", 1)


@test
def a_wrong_directive_fails_with_the_words_of_the_server(_):
    with Bench() as bench:
        bench.refused("no-such-directive", "start", 1, "--", "--no-such-directive", 1)
        same(bench.states(), [("dead", "-")])


@test
def a_port_in_use_is_named(_):
    with Bench() as bench:
        for port in (bench.port, bench.port + 10000):
            with socket.socket() as other:
                other.bind(("127.0.0.1", port))
                other.listen()
                bench.refused(f"in use: port {port};", "start", 1)
        assert not os.path.exists(bench.directory), "a refused start leaves nothing behind"


@test
def another_clusters_directory_is_refused(_):
    with Bench() as bench:
        bench.good("start", 1)
        bench.refused("holds another cluster: 1 node", "start", 3)
        bench.refused("holds another cluster", "start", 1, port=bench.port + 50)
        bench.refused("whose first port is", "kill", 1, port=bench.port + 50)


@test
def a_directory_of_something_else_is_refused(_):
    with Bench() as bench:
        other = os.path.join(bench.root, "other")
        os.mkdir(other)
        with open(os.path.join(other, "letter"), "w"):
            pass
        bench.refused("is not the directory of a local cluster", "start", 1, directory=other)
        bench.refused("is not the directory of a local cluster", "stop", directory=other)


@test
def nothing_started_and_unknown_nodes_are_told(_):
    with Bench() as bench:
        bench.refused("there is no local cluster", "status")
        bench.good("start", 1)
        bench.refused("there is no node 2; the nodes are 1", "kill", 2)
        bench.refused("there is no node 0", "pause", 0)
        bench.good("kill", 1)
        bench.refused("node 1 does not run", "kill", 1)
        bench.refused("a cluster has 1 to 32 nodes", "start", 33)
        bench.refused("the first port is from 1 to", "start", 1, port=55536)


@test
def a_server_that_is_not_built_is_told(_):
    with Bench() as bench:
        bench.refused("the server is not built", "start", 1, QUOIN_SERVER="/nowhere/server")


@test
def the_pid_of_another_program_is_not_touched(_):
    with Bench() as bench:
        bench.good("start", 1)
        bench.good("stop")
        other = subprocess.Popen(["sleep", "100"])
        try:
            with open(os.path.join(bench.directory, "node-1", "pid"), "w") as file:
                file.write(f"{other.pid}\n")
            same(bench.states(), [("dead", "-")])
            bench.refused("node 1 does not run", "kill", 1)
            assert "0 nodes stopped" in bench.good("stop")
            same(other.poll(), None)
        finally:
            other.kill()
            other.wait()


@test
def the_secret_is_random_kept_and_hidden(_):
    with Bench(3, FAKE) as bench:
        bench.good("start", 3)
        path = os.path.join(bench.directory, "secret")
        with open(path) as file:
            secret = file.read().strip()
        assert len(secret) >= 32, "random bytes enough"
        same(os.stat(path).st_mode & 0o077, 0)
        with open(f"/proc/{bench.pid(2)}/cmdline") as file:
            assert secret not in file.read(), "it can be read off the command line"
        bench.good("stop")
        bench.good("start", 3)
        with open(path) as file:
            same(file.read().strip(), secret)


@test
def three_nodes_are_told_of_each_other(_):
    with Bench(3, FAKE) as bench:
        bench.good("start", 3)
        same(bench.states(), [("running", "leader"), ("running", "follower"),
                              ("running", "follower")])
        with open(f"/proc/{bench.pid(3)}/cmdline") as file:
            words = file.read().split("\0")
        same(words[words.index("--node") + 1], "3")
        same(words[words.index("--cluster") + 1],
             ",".join(f"{i}=127.0.0.1:{bench.port + i - 1}" for i in (1, 2, 3)))


@test
def three_real_nodes_form_a_cluster_and_survive_the_loss_of_one(_):
    with Bench(3) as bench:
        bench.good("start", 3)
        roles = [role for _, role in bench.states()]
        same(sorted(roles), ["follower", "follower", "leader"])
        leader = roles.index("leader") + 1
        with Client(bench.port + leader - 1) as client:
            same(client("SET", "k", "v"), b"OK")
        bench.good("kill", leader)
        bench.good("start", 3)
        same([state for state, _ in bench.states()], ["running"] * 3)
        same(sum(role == "leader" for _, role in bench.states()), 1)


@test
def a_start_brings_back_only_what_is_dead(_):
    with Bench(3, FAKE) as bench:
        bench.good("start", 3)
        pids = [bench.pid(number) for number in (1, 2, 3)]
        bench.good("kill", 2)
        bench.good("pause", 3)
        bench.good("start", 3)
        same([bench.pid(1), bench.pid(3)], [pids[0], pids[2]])
        same([state for state, _ in bench.states()], ["running", "running", "paused"])


@test
def a_start_whose_node_ends_fails_and_leaves_nothing_running(_):
    with Bench(3, FAKE) as bench:
        bench.refused("ended with 3", "start", 3, FAKE_EXIT="1")
        bench.refused("no reason to live", "start", 3, FAKE_EXIT="1")
        same([state for state, _ in bench.states()], ["dead"] * 3)


@test
def a_start_waits_until_a_leader_is_known(_):
    """Without one it is still waiting after a second, in which every node answers PING."""
    with Bench(3, FAKE, FAKE_LEADER="0") as bench:
        command = [TOOL, "start", "3", "--port", str(bench.port), "--dir", bench.directory]
        process = subprocess.Popen(command, env=bench.env, stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=1.5)
            raise AssertionError(f"it came back with {process.returncode}")
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        same(process.wait(timeout=60), 130)
        same([state for state, _ in bench.states()], ["dead"] * 3)


main()
