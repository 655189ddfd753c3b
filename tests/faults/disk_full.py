#!/usr/bin/env python3
"""A disk that fills up: writes are refused, reads go on, nothing acknowledged is lost, and the
server goes back to work by itself when there is room again.

Runs on a small ext4 of its own (a tmpfs where loop devices are not to be had), in a mount
namespace that ends with this process. test-timeout: 300
"""

import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

INSIDE = "QUOIN_TEST_INSIDE_NAMESPACE"
if INSIDE not in os.environ:
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable]
              + sys.argv)

from quoin import Server, ask, main, same, test, wait_for  # noqa: E402
from resp import Error  # noqa: E402
from writers import Writers  # noqa: E402

MIB = 1 << 20
SIZE = 160 * MIB
DIRECTIVES = {"wal_segment_size": "4mb", "flush_bytes": "1mb", "disk_reserve": "24mb",
              "maxmemory": "32mb"}


class SmallDisk:
    """A mounted filesystem of SIZE bytes, and a ballast file that takes room away."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="quoin-disk-")
        self.root = os.path.join(self.folder.name, "mount")
        image = os.path.join(self.folder.name, "image")
        os.mkdir(self.root)
        with open(image, "wb") as file:
            file.truncate(SIZE)
        environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
        made = subprocess.run(
            f"mkfs.ext4 -q -m 0 {image} && mount -o loop {image} {self.root} || "
            f"mount -t tmpfs -o size={SIZE} tmpfs {self.root}",
            shell=True, env=environment, capture_output=True, text=True)
        assert made.returncode == 0, f"no small disk could be made: {made.stderr}"
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.root], check=False)
        self.folder.cleanup()

    def free(self):
        found = os.statvfs(self.root)
        return found.f_bavail * found.f_frsize

    def take(self, leave):
        """Another program fills the disk until only `leave` bytes are free."""
        with open(os.path.join(self.root, "ballast"), "ab") as file:
            while self.free() > leave:
                try:
                    file.write(b"\xaa" * min(MIB, max(4096, self.free() - leave)))
                    file.flush()
                    os.fsync(file.fileno())
                except OSError:
                    return

    def give_back(self):
        os.remove(os.path.join(self.root, "ballast"))


def write_until_refused(client, most):
    """How many values of 10 kB were acknowledged before the first error, and that error."""
    for number in range(most):
        reply = client("SET", f"k{number}", b"%d:" % number + os.urandom(10000))
        if isinstance(reply, Error):
            return number, reply
    raise AssertionError(f"{most} writes and no refusal")


def resumes(client):
    wait_for(lambda: client("SET", "after", "x") == b"OK", 30, "a write after room was made")


def check_values(client, count):
    for number in range(count):
        value = client("GET", f"k{number}")
        assert value is not None and value.startswith(b"%d:" % number), number
        assert len(value) > 10000, number


@test
def writes_are_refused_before_the_disk_is_full_and_resume_by_themselves():
    with SmallDisk() as disk:
        disk.take(leave=70 * MIB)
        with Server(directory=disk.root, **DIRECTIVES) as server, server.client() as client:
            count, refusal = write_until_refused(client, 20000)
            assert refusal.startswith(b"MISCONF "), refusal
            print(f"# refused after {count} values with {disk.free() // MIB} MiB free: {refusal}")
            assert disk.free() > 4 * MIB, "refused only when the disk was full"
            assert count > 500, f"refused after {count} values of 10 kB with 70 MiB free"
            for request in ("SET a 1", "INCR n", "APPEND k0 x", "EXPIRE k0 100", "MSET a 1 b 2",
                            "RENAME k0 z", "GETDEL k0"):
                reply = client(*request.split())
                assert isinstance(reply, Error) and reply.startswith(b"MISCONF "), (request, reply)
            ask(client, "MULTI", "OK")
            client("SET", "a", "1")
            assert client("EXEC").startswith((b"MISCONF ", b"EXECABORT ")), "a block got through"
            ask(client, "EXISTS a z", 0)
            check_values(client, count)
            disk.give_back()
            resumes(client)
            server.restart(hard=True)
            with server.client() as after:
                check_values(after, count)
                ask(after, "GET after", b"x")


@test
def a_disk_filled_to_the_last_byte_loses_nothing():
    with SmallDisk() as disk:
        with Server(directory=disk.root, **DIRECTIVES) as server:
            writers = Writers(server, range(4), seconds=8)
            time.sleep(1)
            disk.take(leave=0)
            time.sleep(3)
            with server.client() as client:
                ask(client, "PING", "PONG")
                assert server.process.poll() is None
                disk.give_back()
                resumes(client)
                report = writers.finish()
                others = [text for text in report.errors
                          if not text.startswith(("MISCONF", "EXECABORT"))]
                same(others, [])
                assert report.errors, "no write was refused on a full disk"
                same(report.check(client), [])
            print(f"# {report.total} steps, refused: {sum(report.errors.values())}")
            server.restart(hard=True)
            with server.client() as client:
                same(report.check(client), [])


@test
def a_server_killed_on_a_full_disk_starts_again_with_everything():
    with SmallDisk() as disk:
        with Server(directory=disk.root, **DIRECTIVES) as server:
            writers = Writers(server, range(2))
            time.sleep(1)
            disk.take(leave=0)
            time.sleep(1)
            server.kill()
            report = writers.finish()
            disk.give_back()
            server.start()
            with server.client() as client:
                same(report.check(client), [])
                resumes(client)


main()
