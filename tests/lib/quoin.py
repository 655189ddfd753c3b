"""Servers under test and a small test runner; Python's standard library only.

    from quoin import Server, test, main

    @test
    def ping_answers_pong(r):              # r: a client of the shared server, all data flushed
        assert r("PING") == b"PONG"

    @test
    def a_restart_keeps_data(_):           # a server of its own
        with Server(appendfsync="always") as server: ...

    main()

A parameter named r is a RESP2 client, r3 one that said HELLO 3, server the shared Server; others
get None. `--target redis` runs the same tests against Debian's redis-server, which is how they
were verified; `--only WORD` those whose name contains it; QUOIN_SERVER names the program.
"""

import argparse
import atexit
import ctypes
import inspect
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True  # before the import below, which would write it

from resp import Client, ConnectionClosed, Error, Simple, typed  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PR_SET_PDEATHSIG = 1
START_SECONDS = 30
STOP_SECONDS = 30

# What only Quoin knows; left out for redis-server.
QUOIN_ONLY = {"shards", "wal-segment-size", "flush-bytes", "flush-age-ms", "entry-max",
              "disk-reserve", "reader-threads", "block-cache-size", "clock-skew-max"}

SERVERS = []     # running ones, to be killed at the end whatever happens
LAST_WORDS = []  # of servers that died while a test ran


class StartFailed(Exception):
    """The server ended instead of answering: .code and .output say how and why."""

    def __init__(self, code, output):
        super().__init__(f"exit code {code}\n{output}")
        self.code = code
        self.output = output


class Server:
    """A server process in a directory of its own. Directives are keywords (_ for -) or words.

    Deleted with its directory on leaving `with`, unless the directory was given. It dies with
    this process, even when that is killed.
    """

    def __init__(self, *words, directory=None, target=None, start=True, **directives):
        self.target = target or OPTIONS.target
        self.owns_directory = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="quoin-test-")
        self.words = list(words)
        self.directives = {key.replace("_", "-"): value for key, value in directives.items()}
        self.process = None
        self.port = self.directives.pop("port", None)
        self.log_path = os.path.join(self.directory, "server.log")
        if start:
            try:
                self.start()
            except BaseException:
                self.delete()
                raise

    @property
    def is_redis(self):
        return self.target == "redis"

    @property
    def data(self):
        return os.path.join(self.directory, "data")

    @property
    def pid(self):
        return self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None and self.has_died():
            LAST_WORDS.append(self.last_words())
        self.delete()

    def has_died(self):
        """Ended without being told to."""
        return self in SERVERS and self.process.poll() is not None

    def last_words(self):
        words = "\n".join(self.log().splitlines()[-25:])
        return f"the server ended with {self.process.returncode}; its last lines:\n{words}\n"

    # --- Life ---

    def start(self, wait=True):
        """Starts and waits until it answers. StartFailed when the process ends instead."""
        for attempt in range(5):
            fixed = self.port is not None
            port = self.port if fixed else free_port()
            self._launch(port)
            try:
                if wait:
                    self._wait_until_it_answers(port)
                self.port = port
                return self
            except StartFailed as failure:
                if fixed or attempt == 4 or "ddress already in use" not in failure.output:
                    raise
        return self

    def _launch(self, port):
        os.makedirs(self.data, exist_ok=True)
        self.log_begin = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(port), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd=self.directory,
                                            preexec_fn=die_with_parent)
        SERVERS.append(self)

    def command(self, port):
        words = [program(self.target), "--port", str(port), "--dir", self.data]
        words += ["--enable-debug-command", "yes"]
        directives = dict(self.directives)
        if self.is_redis:
            words += ["--save", "", "--daemonize", "no"]
            directives = {key: value for key, value in directives.items() if key not in QUOIN_ONLY}
        for key, value in directives.items():
            words += ["--" + key] + (list(map(str, value)) if isinstance(value, (list, tuple))
                                     else [str(value)])
        return words + self.words

    def _wait_until_it_answers(self, port):
        deadline = time.monotonic() + START_SECONDS
        while True:
            self._raise_if_ended()
            try:
                with Client(port, timeout=5) as client:
                    if self._is_ours(client("INFO", "server")):
                        return
            except (OSError, ConnectionClosed):
                pass
            if time.monotonic() > deadline:
                self.kill()
                raise StartFailed(None, f"no answer in {START_SECONDS} s\n" + self.log())
            time.sleep(0.005)

    def _is_ours(self, reply):
        """False while it loads, and when another test's server answers at our port."""
        if isinstance(reply, Error):
            return reply.startswith(b"NOAUTH")
        return parse_info(reply).get("process_id") == str(self.process.pid)

    def _raise_if_ended(self):
        if self.process.poll() is not None:
            self._forget()
            raise StartFailed(self.process.returncode, self.log())

    def wait_until_ended(self, seconds=STOP_SECONDS):
        """The exit code; kills and fails when it does not end."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server did not end in {seconds} s\n{self.log()}")
        self._forget()
        return code

    def stop(self):
        """SIGTERM, and the exit code."""
        self.process.terminate()
        return self.wait_until_ended()

    def kill(self):
        """kill -9, now."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._forget()

    def restart(self, hard=False):
        if hard:
            self.kill()
        else:
            code = self.stop()
            assert code == 0, f"exit code {code}\n{self.log()}"
        return self.start()

    def _forget(self):
        if self in SERVERS:
            SERVERS.remove(self)

    def delete(self):
        self.kill()
        if self.owns_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    # --- Looking at it ---

    def client(self, **how):
        return Client(self.port, **how)

    def log(self):
        """What this start wrote so far."""
        with open(self.log_path, errors="replace") as file:
            file.seek(self.log_begin)
            return file.read()

    def info(self, section="everything"):
        """field -> text."""
        with self.client() as client:
            return parse_info(client("INFO", section))

    def rss_bytes(self):
        with open(f"/proc/{self.pid}/status") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def written_bytes(self):
        """Bytes this process caused to be written to storage, so far."""
        with open(f"/proc/{self.pid}/io") as file:
            for line in file:
                if line.startswith("write_bytes:"):
                    return int(line.split()[1])
        raise AssertionError("no write_bytes")


def parse_info(text):
    lines = [line.split(":", 1) for line in text.decode().splitlines() if ":" in line]
    return {name: value for name, value in lines}


def program(target):
    if target == "redis":
        return "redis-server"
    return os.path.join(ROOT, os.environ.get("QUOIN_SERVER", "src/quoin-server"))


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port():
    """Below the ephemeral range, so that no outgoing connection takes it meanwhile."""
    while True:
        port = random.randrange(12000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def kill_servers():
    for server in list(SERVERS):
        server.delete()


def leave_on_signal(signum, _frame):
    sys.exit(128 + signum)


atexit.register(kill_servers)
for _signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(_signum, leave_on_signal)


# --- Waiting and comparing --------------------------------------------------------------------

def wait_for(condition, seconds=10, what="the condition"):
    """Polls until condition() is true and returns its value; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come in {seconds} s"
        time.sleep(0.005)


def same(found, expected):
    """Equal, or an assertion that shows both."""
    assert found == expected, f"found {shorten(found)}, expected {shorten(expected)}"


class E(str):
    """An expected error reply: its whole text, or its beginning when it ends in '…'."""


def ask(client, request, expected):
    """Sends a request (a str is split at blanks) and compares the reply, kind and content.

    Expected: str a simple string, E an error, bytes a bulk string, int, None, NULL_ARRAY, list,
    and the RESP3 kinds of resp.py.
    """
    words = request.split() if isinstance(request, str) else request
    found = client(*words)
    if isinstance(expected, E):
        try:
            is_error(found, expected)
            return found
        except AssertionError as error:
            raise AssertionError(f"{shorten(request)}: {error}") from None
    assert typed(found) == typed(wire(expected)), \
        f"{shorten(request)}: found {shorten(found)}, expected {shorten(expected)}"
    return found


def asks(client, *pairs):
    """ask for each (request, expected)."""
    for request, expected in pairs:
        ask(client, request, expected)


def wire(expected):
    if isinstance(expected, E):
        return Error(expected.encode())
    if isinstance(expected, str):
        return Simple(expected.encode())
    if isinstance(expected, list):
        return type(expected)(map(wire, expected))
    if isinstance(expected, tuple):
        return tuple(map(wire, expected))
    return expected


def is_error(reply, text):
    """An error reply with exactly this text, or beginning with it when it ends in '…'."""
    assert isinstance(reply, Error), f"found {shorten(reply)}, expected the error {text!r}"
    if text.endswith("…"):
        good = reply.startswith(text[:-1].encode())
    else:
        good = reply == text.encode()
    assert good, f"found the error {reply!r}, expected {text!r}"


def shorten(value):
    text = repr(value)
    return text if len(text) < 600 else f"{text[:400]} … {text[-150:]} ({len(text)} characters)"


# --- The test runner --------------------------------------------------------------------------

TESTS = []


def test(function=None, only=None):
    """Registers a test. only="quoin" or only="redis" restricts it to one target."""
    if function is None:
        return lambda wrapped: test(wrapped, only)
    TESTS.append((function, only))
    return function


def read_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", choices=["quoin", "redis"], default="quoin")
    parser.add_argument("--only", default="", help="tests whose name contains this")
    options, OPTIONS_REST[:] = parser.parse_known_args()
    return options


OPTIONS_REST = []
OPTIONS = read_options()


def main(**directives):
    """Runs the registered tests in order and exits; directives are the shared server's."""
    chosen = [function for function, only in TESTS
              if only in (None, OPTIONS.target) and OPTIONS.only in function.__name__]
    print(f"1..{len(chosen)}")
    shared = Shared(directives)
    failed = 0
    for number, function in enumerate(chosen, 1):
        start = time.monotonic()
        failure = shared.run(function)
        name = f"{area()}_{function.__name__}"
        seconds = time.monotonic() - start
        print(f"{'not ok' if failure else 'ok'} {number} - {name}"
              + (f"  [{seconds:.1f} s]" if seconds > 1 else ""))
        if failure:
            failed += 1
            print("\n".join("# " + line for line in failure.splitlines()))
        sys.stdout.flush()
    shared.stop()
    sys.exit(1 if failed else 0)


def area():
    return os.path.splitext(os.path.basename(sys.argv[0]))[0]


class Shared:
    """The server that most tests of a file share; started anew when a test has broken it."""

    def __init__(self, directives):
        self.directives = directives
        self.server = None

    def run(self, function):
        """None, or what went wrong."""
        clients = []
        try:
            function(*[self.argument(name, clients)
                       for name in inspect.signature(function).parameters])
            self.check_alive()
            return None
        except Exception:
            return traceback.format_exc() + self.last_words()
        finally:
            for client in clients:
                client.close()

    def argument(self, name, clients):
        if name not in ("r", "r3", "server"):
            return None
        if self.server is None:
            self.server = Server(**self.directives)
        if name == "server":
            return self.server
        client = self.server.client(protocol=3 if name == "r3" else 2)
        clients.append(client)
        reply = client("FLUSHALL")
        assert reply == b"OK", reply
        return client

    def check_alive(self):
        if self.server and self.server.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.server.process.returncode}")

    def last_words(self):
        """What servers that died wrote last; a new one is started for the next test."""
        words = "".join(LAST_WORDS)
        LAST_WORDS.clear()
        if self.server and self.server.has_died():
            words += self.server.last_words()
            self.stop()
        return words

    def stop(self):
        if self.server:
            self.server.delete()
        self.server = None
