#!/usr/bin/env python3
"""tests/run itself: what it must count as passed, as failed, and what it may not leave behind."""

import os
import subprocess
import sys
import tempfile
import time

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run")


class Bench:
    def __init__(self, folder):
        self.folder = folder
        self.count = 0

    def script(self, body, interpreter="/bin/sh"):
        self.count += 1
        path = os.path.join(self.folder, f"program{self.count}")
        with open(path, "w") as file:
            file.write(f"#!{interpreter}\n{body}\n")
        os.chmod(path, 0o755)
        return path

    def tally(self, *bodies, flags=()):
        """(last line, exit code, all lines) of tests/run over shell scripts with these bodies."""
        programs = [self.script(body) for body in bodies]
        done = subprocess.run([RUN, *flags, *programs], capture_output=True, text=True)
        lines = done.stdout.splitlines()
        return lines[-1], done.returncode, lines


def passed_programs_are_added_up(bench):
    assert bench.tally("echo ok 1 - a; echo ok 2 - b; echo 1..2", "echo ok 1 - c")[:2] == \
        ("3 passed, 0 failed", 0)


def a_not_ok_line_fails_and_its_output_is_shown(bench):
    last, code, lines = bench.tally("echo 'not ok 1 - a'; echo '# because'; exit 1")
    assert (last, code) == ("0 passed, 1 failed", 1), (last, code)
    assert any("because" in line for line in lines), lines


def the_output_of_a_passed_program_is_not_shown(bench):
    _, _, lines = bench.tally("echo chatter; echo ok 1 - a")
    assert not any("chatter" in line for line in lines), lines


def an_exit_code_without_a_not_ok_line_fails(bench):
    assert bench.tally("echo ok 1 - a; exit 3")[:2] == ("1 passed, 1 failed", 1)


def a_signal_fails_even_beside_a_not_ok_line(bench):
    last, code, lines = bench.tally("echo 'not ok 1 - a'; kill -SEGV $$")
    assert (last, code) == ("0 passed, 2 failed", 1), last
    assert any("SIGSEGV" in line for line in lines), lines


def a_program_without_tests_fails(bench):
    assert bench.tally("true")[:2] == ("0 passed, 1 failed", 1)


def fewer_tests_than_announced_fail(bench):
    assert bench.tally("echo 1..2; echo ok 1 - a")[:2] == ("1 passed, 1 failed", 1)


def two_plans_of_one_program_are_added_up(bench):
    body = "echo 1..1; echo ok 1 - a; echo 1..2; echo ok 1 - b; echo ok 2 - c"
    assert bench.tally(body)[:2] == ("3 passed, 0 failed", 0)


def a_skipped_test_counts_as_failed(bench):
    assert bench.tally("echo 'ok 1 - a # SKIP no disk'")[:2] == ("0 passed, 1 failed", 1)


def a_missing_program_fails(bench):
    done = subprocess.run([RUN, bench.folder + "/none"], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0 passed, 1 failed", done.stdout
    assert done.returncode == 1


def nothing_to_run_is_a_failure(_bench):
    done = subprocess.run([RUN], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0 passed, 1 failed", done.stdout
    assert done.returncode == 1


def arguments_may_stand_in_the_program(bench):
    program = bench.script('echo "ok 1 - $2"; [ "$1" = --seeds ] || exit 1')
    done = subprocess.run([RUN, f"{program} --seeds 1:200"], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "1 passed, 0 failed", done.stdout


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pid):
    deadline = time.monotonic() + 5
    while is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.01)


def read_pid(path):
    deadline = time.monotonic() + 5
    while True:
        if os.path.exists(path):
            with open(path) as file:
                text = file.read().strip()
            if text:
                return int(text)
        assert time.monotonic() < deadline, "the program did not start"
        time.sleep(0.01)


def a_late_program_is_killed_with_its_children(bench):
    note = bench.folder + "/late.pid"
    start = time.monotonic()
    last, code, lines = bench.tally(f"sleep 300 & echo $! >{note}; echo ok 1 - a; wait",
                                    flags=["--timeout", "1"])
    assert time.monotonic() - start < 10
    assert (last, code) == ("1 passed, 1 failed", 1), last
    assert any("not finished after 1 s" in line for line in lines), lines
    wait_until_gone(read_pid(note))


def a_file_may_ask_for_its_own_time(bench):
    body = "# test-timeout: 1\nsleep 300"
    assert bench.tally(body, flags=["--timeout", "600"])[:2] == ("0 passed, 1 failed", 1)


def what_a_finished_program_left_behind_is_killed(bench):
    note = bench.folder + "/left.pid"
    bench.tally(f"sleep 300 >/dev/null 2>&1 & echo $! >{note}; echo ok 1 - a")
    wait_until_gone(read_pid(note))


def a_stopped_runner_leaves_nothing_running(bench):
    note = bench.folder + "/stop.pid"
    program = bench.script(f"sleep 300 & echo $! >{note}; wait")
    runner = subprocess.Popen([RUN, program], stdout=subprocess.DEVNULL)
    pid = read_pid(note)
    runner.terminate()
    assert runner.wait(timeout=10) != 0
    wait_until_gone(pid)


TESTS = [
    passed_programs_are_added_up,
    a_not_ok_line_fails_and_its_output_is_shown,
    the_output_of_a_passed_program_is_not_shown,
    an_exit_code_without_a_not_ok_line_fails,
    a_signal_fails_even_beside_a_not_ok_line,
    a_program_without_tests_fails,
    fewer_tests_than_announced_fail,
    two_plans_of_one_program_are_added_up,
    a_skipped_test_counts_as_failed,
    a_missing_program_fails,
    nothing_to_run_is_a_failure,
    arguments_may_stand_in_the_program,
    a_late_program_is_killed_with_its_children,
    a_file_may_ask_for_its_own_time,
    what_a_finished_program_left_behind_is_killed,
    a_stopped_runner_leaves_nothing_running,
]


def main():
    print(f"1..{len(TESTS)}")
    failed = 0
    for number, test in enumerate(TESTS, 1):
        name = "run_" + test.__name__
        with tempfile.TemporaryDirectory() as folder:
            try:
                test(Bench(folder))
                print(f"ok {number} - {name}")
            except AssertionError as error:
                failed += 1
                print(f"not ok {number} - {name}\n# {error!r}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
