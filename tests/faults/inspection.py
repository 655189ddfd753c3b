#!/usr/bin/env python3
"""quoin-inspect over directories of stopped, killed and damaged servers: what it says is what the
next start does, and it changes nothing.

test-timeout: 300
"""

import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import ROOT, Server, StartFailed, ask, main, same, test, wait_for  # noqa: E402

INSPECT = os.path.join(ROOT, os.environ.get("QUOIN_INSPECT", "utils/quoin-inspect"))
BATCH_HEADER = 48  # of src/wal/FORMAT.md
COUNT = 300


def snapshot(directory):
    """Every file's content and time of change, and every directory."""
    found = {}
    for folder, _, names in os.walk(directory):
        found[folder] = os.stat(folder).st_mtime_ns
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            found[path] = (digest, os.stat(path).st_mtime_ns)
    return found


def run(*words):
    return subprocess.run([INSPECT, *words], capture_output=True, text=True, timeout=60)


def inspect(server):
    """The report, which must leave no trace and agree with its text form."""
    before = snapshot(server.data)
    done = run("--json", server.data)
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    same(done.returncode == 0, report["is_consistent"])
    text = run(server.data)
    same(text.returncode, done.returncode)
    same(text.stdout.splitlines()[-1], report["verdict"])
    word = "consistent: " if report["is_consistent"] else "inconsistent: "
    assert report["verdict"].startswith(word), report["verdict"]
    same(snapshot(server.data), before)
    return report


def fill(server, first=0, count=COUNT):
    with server.client() as client:
        for number in range(first, first + count):
            ask(client, ("SET", f"k{number}", b"%d:" % number + b"x" * 300), "OK")


def filled(**directives):
    server = Server(appendfsync="always", **directives)
    fill(server)
    return server


def must_start_as_told(server, report):
    """Starts; each shard's start must be the one that was foretold."""
    assert report["starts"], report["refusal"]
    server.start()
    info = server.info("raft")
    for shard in report["shards"]:
        number = shard["shard"]
        values = dict(field.split("=") for field in info[f"cold_start_shard{number}"].split(","))
        same(values["start"], shard["start"])
        same(int(values["gap"]), shard["replay"])
        current = [one for one in shard["generations"] if one["is_current"]]
        if current:
            same(int(values["applied"]), current[0]["applied"])


def must_be_refused_as_told(server, report):
    """Does not start, with the very words of the report."""
    assert not report["starts"], report["verdict"]
    assert "refused" in report["verdict"], report["verdict"]
    try:
        server.start()
    except StartFailed as failure:
        assert "Cannot start: " + report["refusal"] in failure.output, \
            f"{report['refusal']!r} is not in:\n{failure.output}"
        return
    server.kill()
    raise AssertionError(f"started, although {report['verdict']}")


def files(server, ending):
    return sorted(os.path.join(folder, name)
                  for folder, _, names in os.walk(server.data) for name in names
                  if name.endswith(ending))


def batches(path):
    """(offset, size) of the batches of a log segment, by src/wal/FORMAT.md."""
    with open(path, "rb") as file:
        data = file.read()
    segment = int(os.path.basename(path).split(".")[0], 16)
    found, at = [], 0
    while data[at:at + 4] == b"QWAL":
        _, _, of_segment, _, _, size = struct.unpack_from("<HHQQQQ", data, at + 4)
        if of_segment != segment or size < BATCH_HEADER:
            break
        found.append((at, size))
        at += size
    return found


def last_segment(server):
    return [path for path in files(server, ".wal") if len(batches(path)) > 3][-1]


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 0x40]))


@test
def an_empty_directory_is_consistent():
    with Server(start=False) as server:
        os.makedirs(server.data)
        report = inspect(server)
        assert report["is_empty"] and report["is_consistent"], report
        server.start()
        same(server.info("raft")["cold_start_shard0"].split(",")[0], "start=fresh")


@test
def a_running_server_is_not_looked_at():
    with filled() as server:
        done = run(server.data)
        same(done.returncode, 2)
        assert "LOCK" in done.stderr and "in use" in done.stderr, done.stderr
        same(done.stdout, "")


@test
def what_is_no_directory_or_no_call_is_told():
    same(run("/nowhere/at/all").returncode, 2)
    same(run().returncode, 2)
    same(run("--yaml", "/tmp").returncode, 2)


@test
def a_fresh_server_that_was_stopped_skips_the_replay():
    with Server() as server:
        same(server.stop(), 0)
        report = inspect(server)
        shard = report["shards"][0]
        same((shard["start"], shard["replay"]), ("skipped", 0))
        assert "replays nothing" in report["verdict"], report["verdict"]
        must_start_as_told(server, report)
        assert "had nothing to replay" in server.log(), server.log()


@test
def a_stopped_server_has_its_rows_counted_and_its_index_told():
    with filled(shards=3) as server:
        with server.client() as client:
            ask(client, ("RPUSH", "list", *[f"element{n}" for n in range(400)]), 400)
            ask(client, "SET dies soon PX 1000000", "OK")
        same(server.stop(), 0)
        report = inspect(server)
        assert report["is_consistent"], report["verdict"]
        current = [shard["generations"][0] for shard in report["shards"]]
        same(sum(one["rows"]["K"] for one in current), COUNT + 2)
        same(sum(one["rows"]["E"] for one in current), 400)
        same(sum(one["rows"]["T"] for one in current), 1)
        same([one["rows"]["?"] for one in current], [0, 0, 0])
        for shard, one in zip(report["shards"], current):
            assert shard["mark"]["index"] <= one["applied"], shard
            same(shard["start"], "skipped")
            assert f" {one['applied']}" in report["verdict"], report["verdict"]
        must_start_as_told(server, report)


@test
def a_killed_server_replays_as_many_entries_as_foretold():
    with filled(shards=2) as server:
        server.kill()
        report = inspect(server)
        assert report["is_consistent"], report["verdict"]
        gaps = [shard["replay"] for shard in report["shards"]]
        same(sum(shard["records"]["entry"] for shard in report["shards"]), sum(gaps))
        assert sum(gaps) >= COUNT, gaps
        assert f"replays {sum(gaps)}" in report["verdict"], report["verdict"]
        must_start_as_told(server, report)
        wait_for(lambda: all(
            float(server.info("raft")[f"cold_start_shard{shard}"].split("replay_ms=")[1]) > 0
            for shard in (0, 1)))
        for shard, gap in enumerate(gaps):
            assert f"Cold start of shard {shard}: replayed {gap} entries" in server.log(), \
                server.log()


@test
def a_server_killed_behind_a_flush_replays_only_what_is_above_it():
    with filled(flush_age_ms=20) as server:
        wait_for(lambda: "flushed=0," not in server.info("raft")["shard0"])
        fill(server, COUNT, 50)
        server.kill()
        report = inspect(server)
        shard = report["shards"][0]
        assert shard["generations"][0]["applied"] > 0, shard
        must_start_as_told(server, report)


@test
def a_torn_tail_is_told_and_cut_by_the_start_not_by_us():
    with filled() as server:
        server.kill()
        path = last_segment(server)
        offset, size = batches(path)[-1]
        with open(path, "r+b") as file:
            file.truncate(offset + size - 20)
        report = inspect(server)
        assert report["is_consistent"] and report["log"]["torn_bytes"] > 0, report["log"]
        must_start_as_told(server, report)
        assert "torn tail" in server.log(), server.log()


@test
def damage_before_the_tail_is_told_with_file_and_offset():
    with filled() as server:
        server.kill()
        path = last_segment(server)
        found = batches(path)
        offset, size = found[len(found) // 2]
        flip(path, offset + size - 20)
        report = inspect(server)
        assert os.path.basename(path) in report["verdict"], report["verdict"]
        assert str(offset) in report["log"]["error"], report["log"]["error"]
        same(report["log"]["segments"][-1]["end"], offset)
        must_be_refused_as_told(server, report)


@test
def a_missing_current_is_told():
    with filled() as server:
        server.kill()
        os.remove([path for path in files(server, "CURRENT") if "gen-" not in path][0])
        report = inspect(server)
        assert "CURRENT" in report["shards"][0]["rows_error"], report["shards"][0]
        must_be_refused_as_told(server, report)


@test
def a_log_that_is_gone_is_told():
    for how in ("files", "folder"):
        with filled() as server:
            server.stop()
            shutil.rmtree(os.path.join(server.data, "wal"))
            if how == "files":
                os.makedirs(os.path.join(server.data, "wal"))
            report = inspect(server)
            assert "promises lost" in report["verdict"], report["verdict"]
            must_be_refused_as_told(server, report)


@test
def a_missing_or_damaged_identity_is_told():
    with filled() as server:
        server.kill()
        path = os.path.join(server.data, "quoin.id")
        flip(path, 30)
        report = inspect(server)
        assert "quoin.id" in report["identity"]["error"], report["identity"]
        must_be_refused_as_told(server, report)
        os.remove(path)
        must_be_refused_as_told(server, inspect(server))


@test
def a_generation_that_an_install_left_is_told():
    with filled() as server:
        same(server.stop(), 0)
        generation = os.path.join(server.data, "shard-0000", "gen-00000001")
        shutil.copytree(generation, generation[:-1] + "2")
        report = inspect(server)
        same([(one["name"], one["is_current"]) for one in report["shards"][0]["generations"]],
             [("gen-00000001", True), ("gen-00000002", False)])
        assert report["is_consistent"], report["verdict"]
        must_start_as_told(server, report)
        assert not os.path.exists(generation[:-1] + "2")


@test
def rotten_rows_are_found_although_a_start_may_not_meet_them():
    with filled(flush_bytes="64kb", flush_age_ms=50) as server:
        with server.client() as client:
            for number in range(2000):
                ask(client, ("SET", f"more{number}", os.urandom(3000)), "OK")
        same(server.stop(), 0)
        tables = files(server, ".ldb")
        assert tables, "nothing was flushed to a table"
        assert inspect(server)["is_consistent"]
        flip(max(tables, key=os.path.getsize), 5000)
        report = inspect(server)
        assert not report["is_consistent"], report["verdict"]
        assert "gen-00000001" in report["verdict"], report["verdict"]
        assert not re.search("quoin-inspect-", report["verdict"]), report["verdict"]


@test
def no_scratch_folder_is_left():
    with filled() as server:
        server.kill()
        scratch = os.path.join(server.directory, "scratch")
        os.makedirs(scratch)
        os.environ["TMPDIR"] = scratch
        try:
            assert inspect(server)["is_consistent"]
        finally:
            del os.environ["TMPDIR"]
        same(os.listdir(scratch), [])


main()
