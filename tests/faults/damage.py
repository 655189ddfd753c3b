#!/usr/bin/env python3
"""Damaged, foreign, missing and locked data: cut where that is safe, refused where it is not.

A refusal exits with an error and names the file (and the offset, inside the log).
test-timeout: 300
"""

import os
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import Server, StartFailed, ask, main, program, same, test  # noqa: E402
from resp import ConnectionClosed, Error  # noqa: E402

BATCH_HEADER = 48  # of src/wal/FORMAT.md
COUNT = 400


def filled(directory=None, **directives):
    """A server that was killed holding keys k0 … k399, several batches after its last flush."""
    server = Server(directory=directory, appendfsync="always", **directives)
    with server.client() as client:
        for number in range(COUNT):
            ask(client, ("SET", f"k{number}", b"%d:" % number + b"x" * 500), "OK")
    server.kill()
    return server


def files(server, ending):
    return sorted(os.path.join(folder, name)
                  for folder, _, names in os.walk(server.data) for name in names
                  if name.endswith(ending))


def batches(path):
    """(offset, size, number) of the batches of a log segment, by src/wal/FORMAT.md."""
    with open(path, "rb") as file:
        data = file.read()
    segment = int(os.path.basename(path).split(".")[0], 16)
    found, at = [], 0
    while data[at:at + 4] == b"QWAL":
        _, _, of_segment, number, _, size = struct.unpack_from("<HHQQQQ", data, at + 4)
        if of_segment != segment or size < BATCH_HEADER:
            break
        found.append((at, size, number))
        at += size
    return found


def last_segment(server):
    """The newest log segment with several batches."""
    found = [path for path in files(server, ".wal") if len(batches(path)) > 3]
    assert found, "no log segment with batches"
    return found[-1]


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 0x40]))


def is_refused(server, *words):
    """The server must exit with an error whose text holds all words; returns the text."""
    try:
        server.start()
    except StartFailed as failure:
        assert failure.code is not None and 0 < failure.code < 128, \
            f"exit code {failure.code}\n{failure.output}"
        for word in words:
            assert word in failure.output, f"{word!r} is not in:\n{failure.output}"
        return failure.output
    server.kill()
    raise AssertionError(f"started, although {words}; its log:\n{server.log()}")


def keys_left(server):
    with server.client() as client:
        present = [client("GET", f"k{number}") is not None for number in range(COUNT)]
    count = sum(present)
    same(present, [True] * count + [False] * (COUNT - count))
    return count


@test
def a_torn_last_batch_is_cut_and_logged():
    for cut in (1, 20, 300):
        with filled() as server:
            path = last_segment(server)
            offset, size, _ = batches(path)[-1]
            with open(path, "r+b") as file:
                file.truncate(offset + size - cut)
            server.start()
            assert "torn tail" in server.log(), server.log()
            assert os.path.basename(path) in server.log(), server.log()
            assert COUNT - 1 <= keys_left(server) <= COUNT
            server.restart(hard=True)
            assert "torn tail" not in server.log(), "the tail was not really cut"
            with server.client() as client:
                ask(client, "SET k399 again", "OK")


@test
def a_torn_last_batch_full_of_garbage_is_cut():
    with filled() as server:
        path = last_segment(server)
        offset, size, _ = batches(path)[-1]
        with open(path, "r+b") as file:
            file.seek(offset + size // 2)
            file.write(os.urandom(size))
        server.start()
        assert COUNT - 1 <= keys_left(server) <= COUNT


@test
def garbage_behind_the_last_batch_is_no_batch():
    with filled() as server:
        path = last_segment(server)
        offset, size, _ = batches(path)[-1]
        with open(path, "r+b") as file:
            file.seek(offset + size)
            file.write(b"QWAL" + os.urandom(4000))
        server.start()
        same(keys_left(server), COUNT)


@test
def damage_before_the_tail_is_refused_with_file_and_offset():
    for where in ("header", "payload", "first"):
        with filled() as server:
            path = last_segment(server)
            found = batches(path)
            offset, size, _ = found[0] if where == "first" else found[len(found) // 2]
            flip(path, offset + (8 if where == "header" else size - 20))
            text = is_refused(server, os.path.basename(path))
            assert str(offset) in text, f"offset {offset} is not in:\n{text}"


@test
def a_missing_log_segment_is_refused():
    with filled(wal_segment_size="1mb", flush_bytes="1gb") as server:
        server.start()
        with server.client() as client:
            for number in range(400):
                ask(client, ("SET", f"big{number}", b"x" * 10000), "OK")
        server.kill()
        segments = files(server, ".wal")
        assert len(segments) >= 3, segments
        os.remove(segments[len(segments) // 2])
        is_refused(server)


@test
def a_missing_log_is_refused():
    with filled() as server:
        for path in files(server, ".wal"):
            os.remove(path)
        is_refused(server)
        is_refused(server)


@test
def a_missing_current_is_refused():
    with filled() as server:
        current = [path for path in files(server, "CURRENT") if "gen-" not in path]
        assert current, "no CURRENT beside the generations"
        os.remove(current[0])
        is_refused(server, "CURRENT")


@test
def a_missing_generation_is_refused():
    with filled() as server:
        generation = [os.path.join(folder, name) for folder, names, _ in os.walk(server.data)
                      for name in names if name.startswith("gen-")]
        shutil.rmtree(generation[0])
        is_refused(server, os.path.basename(generation[0]))


@test
def the_store_of_another_server_is_refused():
    with filled() as server, filled() as other:
        current = [path for path in files(server, "CURRENT") if "gen-" not in path][0]
        folder = os.path.dirname(current)
        foreign = os.path.join(other.data, os.path.relpath(folder, server.data))
        shutil.rmtree(folder)
        shutil.copytree(foreign, folder)
        is_refused(server)


@test
def the_log_of_another_server_is_refused():
    with filled() as server, filled() as other:
        for path in files(server, ".wal"):
            os.remove(path)
        for path in files(other, ".wal"):
            target = os.path.join(server.data, os.path.relpath(path, other.data))
            shutil.copy(path, target)
        is_refused(server)


@test
def a_directory_of_a_newer_version_is_refused():
    with filled() as server:
        path = files(server, "quoin.id")[0]
        with open(path) as file:
            text = file.read()
        assert text.startswith("quoin-id 2\n"), text
        with open(path, "w") as file:
            file.write(text.replace("quoin-id 2\n", "quoin-id 3\n", 1))
        is_refused(server, "quoin.id")


@test
def a_damaged_identity_is_refused():
    with filled() as server:
        path = files(server, "quoin.id")[0]
        flip(path, 30)
        is_refused(server, "quoin.id")
        os.remove(path)
        is_refused(server, "quoin.id")


@test
def rotten_rows_are_refused_or_never_served():
    with filled(flush_bytes="64kb", flush_age_ms=50) as server:
        tables = files(server, ".ldb")
        if not tables:
            server.start()
            with server.client() as client:
                for number in range(3000):
                    ask(client, ("SET", f"more{number}", os.urandom(3000)), "OK")
            server.stop()
            tables = files(server, ".ldb")
        assert tables, "nothing was flushed to a table"
        size = os.path.getsize(tables[0])
        for offset in range(100, size, max(1, size // 50)):
            flip(tables[0], offset)
        try:
            server.start()
        except StartFailed as failure:
            assert failure.code and failure.code > 0, failure.code
            return
        try:
            with server.client() as client:
                for number in range(COUNT):
                    value = client("GET", f"k{number}")
                    assert value is not None, f"k{number} is silently gone"
                    assert isinstance(value, Error) or value == b"%d:" % number + b"x" * 500, \
                        f"k{number} reads {value[:40]!r}"
        except (OSError, ConnectionClosed):
            pass  # it stopped when it met the damage


@test
def a_locked_directory_is_refused_and_the_holder_goes_on():
    with filled() as server:
        server.start()
        second = Server(start=False, directory=server.directory)
        second.log_path = server.directory + "/second.log"
        text = is_refused(second, "LOCK")
        assert str(server.pid) in text, text
        with server.client() as client:
            ask(client, "SET still here", "OK")


@test
def a_directory_that_cannot_be_used_is_refused():
    with Server(start=False) as server:
        path = os.path.join(server.directory, "file")
        with open(path, "w") as file:
            file.write("not a directory")
        done = subprocess.run([program("quoin"), "--port", "0", "--dir", path], timeout=30,
                              capture_output=True, text=True)
        assert done.returncode not in (0,) and done.returncode > 0, done.returncode
        assert path in done.stdout + done.stderr, done.stdout + done.stderr


main()
