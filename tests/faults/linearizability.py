#!/usr/bin/env python3
"""The linearizability checker itself (tests/lib/linear.py): what it must accept and refuse.

Histories by hand, small ones of every kind against the definition tried in all orders, and long
ones from an atomic register with delays, as they are and with one reply changed.
test-timeout: 300
"""

import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from linear import ANY, History, Search, brute_force, check, search, violations  # noqa: E402
from quoin import main, same, test  # noqa: E402
from resp import Error  # noqa: E402

OK = b"OK"
NO_INTEGER = Error(b"ERR value is not an integer or out of range")
SMALL_HISTORIES = 6000
REGISTER_HISTORIES = 150


def build(*rows):
    """Rows (begin, end or None, "NAME args", reply) of key k; a client each."""
    history = History()
    for client, (begin, end, request, *reply) in enumerate(rows):
        name, *args = request.split()
        args = [None if word == "nil" else word.encode() for word in args]
        op = history.invoke(client, name, b"k", *args, now=begin)
        if end is not None:
            op.returned(reply[0], now=end)
    return history


def good(*rows):
    same(violations(build(*rows)), [])
    assert brute_force(build(*rows).ops), "the definition refuses it"


def bad(*rows):
    assert violations(build(*rows)), "accepted"
    assert not brute_force(build(*rows).ops), "the definition accepts it"


# --- By hand ----------------------------------------------------------------------------------

@test
def reads_of_the_last_write_are_accepted():
    good((0, 1, "GET", None), (2, 3, "SET a", OK), (4, 5, "GET", b"a"), (6, 7, "GET", b"a"))


@test
def a_stale_read_is_refused():
    bad((0, 1, "SET a", OK), (2, 3, "SET b", OK), (4, 5, "GET", b"a"))


@test
def a_read_beside_a_write_may_see_either_value():
    for value in (b"a", b"b"):
        good((0, 1, "SET a", OK), (2, 9, "SET b", OK), (3, 4, "GET", value))


@test
def a_read_may_not_go_back_behind_another_read():
    bad((0, 1, "SET a", OK), (2, 9, "SET b", OK), (3, 4, "GET", b"b"), (5, 6, "GET", b"a"))


@test
def a_lost_write_is_refused():
    bad((0, 1, "SET a", OK), (2, 3, "GET", None))


@test
def a_lost_increment_is_refused():
    bad((0, 1, "INCR", 1), (2, 3, "INCR", 1))
    bad((0, 5, "INCR", 1), (0, 5, "INCR", 2), (6, 7, "GET", b"1"))


@test
def a_value_seen_before_its_commit_and_gone_is_refused():
    """The write's outcome is unknown, so either read alone would be right."""
    bad((0, 1, "SET a", OK), (2, None, "SET b"), (3, 4, "GET", b"b"), (5, 6, "GET", b"a"))


@test
def an_unknown_write_that_appears_later_is_accepted():
    good((0, 1, "SET a", OK), (2, None, "SET b"), (3, 4, "GET", b"a"), (90, 91, "GET", b"b"))


@test
def an_unknown_write_that_never_appears_is_accepted():
    good((0, 1, "SET a", OK), (2, None, "SET b"), (3, 4, "GET", b"a"), (90, 91, "GET", b"a"))


@test
def an_unknown_write_does_not_appear_twice():
    bad((0, None, "SET a"), (1, 2, "GET", b"a"), (3, 4, "SET b", OK), (5, 6, "GET", b"b"),
        (7, 8, "GET", b"a"))


@test
def an_unknown_write_does_not_appear_before_it_was_asked_for():
    bad((0, 1, "GET", b"a"), (2, None, "SET a"))


@test
def a_retry_with_two_effects_is_refused():
    bad((0, 5, "INCR", 1), (6, 7, "GET", b"2"))
    bad((0, 5, "APPEND x", 1), (6, 7, "GET", b"xx"))


@test
def a_retry_with_one_effect_is_accepted_whichever_attempt_it_was():
    good((0, None, "INCR"), (5, 6, "INCR", 1), (7, 8, "GET", b"1"))
    good((0, None, "INCR"), (5, 6, "INCR", 2), (7, 8, "GET", b"2"))
    good((0, None, "INCR"), (5, 6, "INCR", 1), (7, 8, "GET", b"2"))


@test
def only_one_setnx_wins():
    good((0, 5, "SETNX a", 1), (0, 5, "SETNX b", 0), (6, 7, "GET", b"a"))
    bad((0, 5, "SETNX a", 1), (0, 5, "SETNX b", 1))
    bad((0, 5, "SETNX a", 1), (0, 5, "SETNX b", 0), (6, 7, "GET", b"b"))


@test
def a_setnx_that_changed_nothing_has_seen_a_value():
    bad((0, 1, "SETNX a", 0))
    bad((0, 1, "SET a", OK), (2, 3, "DEL", 1), (4, 5, "SETNX b", 0), (6, 7, "GET", None))
    good((0, None, "SET a"), (4, 5, "SETNX b", 0), (6, 7, "GET", b"a"))


@test
def a_late_execution_behind_an_answer_without_effect_is_refused():
    """SETNX was answered 0, then its repeat executed once the key was gone."""
    bad((0, 1, "SET a", OK), (2, 3, "SETNX b", 0), (4, 5, "DEL", 1), (6, 7, "GET", b"b"))


@test
def a_block_that_ran_saw_the_watched_value():
    good((0, 1, "SET a", OK), (2, 3, "CAS a b", [OK]), (4, 5, "GET", b"b"))
    good((0, 1, "CAS nil b", [OK]), (4, 5, "GET", b"b"))
    bad((0, 1, "SET a", OK), (2, 3, "SET c", OK), (4, 5, "CAS a b", [OK]))
    bad((0, 1, "SET a", OK), (2, 9, "CAS a b", [OK]), (2, 9, "CAS a c", [OK]))


@test
def a_nil_exec_changes_nothing():
    good((0, 1, "SET a", OK), (2, 3, "CAS a b", None), (4, 5, "GET", b"a"))
    bad((0, 1, "SET a", OK), (2, 3, "CAS a b", None), (4, 5, "GET", b"b"))


@test
def an_unknown_exec_runs_late_only_while_the_value_is_the_watched_one():
    good((0, 1, "SET a", OK), (2, None, "CAS a b"), (4, 5, "GET", b"a"), (6, 7, "GET", b"b"))
    bad((0, 1, "SET a", OK), (2, None, "CAS a b"), (4, 5, "SET c", OK), (6, 7, "GET", b"c"),
        (8, 9, "GET", b"b"))


@test
def getset_and_del_answer_what_was_there():
    good((0, 1, "GETSET a", None), (2, 3, "GETSET b", b"a"), (4, 5, "DEL", 1), (6, 7, "DEL", 0))
    bad((0, 1, "GETSET a", None), (2, 3, "GETSET b", None))
    bad((0, 1, "SET a", OK), (2, 3, "DEL", 0))
    bad((0, 1, "DEL", 1))


@test
def an_append_lost_in_the_middle_is_refused():
    good((0, 1, "APPEND x", 1), (2, None, "APPEND y"), (4, 5, "APPEND z", 3), (6, 7, "GET", b"xyz"))
    bad((0, 1, "APPEND x", 1), (2, 3, "APPEND y", 2), (4, 5, "APPEND z", 3), (6, 7, "GET", b"xz"))
    bad((0, 1, "APPEND x", 1), (2, None, "APPEND y"), (4, 5, "APPEND z", 2), (6, 7, "GET", b"xyz"))


@test
def an_error_that_depends_on_the_value_is_held_to_it():
    good((0, 1, "SET a", OK), (2, 3, "INCR", NO_INTEGER), (4, 5, "GET", b"a"))
    bad((0, 1, "SET 5", OK), (2, 3, "INCR", NO_INTEGER))
    bad((0, 1, "SET a", OK), (2, 3, "INCR", 1))


@test
def what_failed_has_no_effect():
    history = build((0, 1, "SET a", OK), (4, 5, "GET", b"b"))
    history.invoke(9, "SET", b"k", b"b", now=2).failed()
    assert violations(history), "a refused write was seen and accepted"
    history = build((0, 1, "SET a", OK), (4, 5, "GET", b"a"))
    history.invoke(9, "SET", b"k", b"b", now=2).failed()
    check(history)
    same(history.counts(), (2, 0, 1))


@test
def keys_are_checked_each_for_itself():
    history = build((0, 1, "SET a", OK), (4, 5, "GET", b"a"))
    history.invoke(7, "SET", b"other", b"x", now=2).returned(OK, now=3)
    history.invoke(8, "GET", b"other", now=4).returned(None, now=5)
    texts = violations(history)
    same(len(texts), 1)
    assert texts[0].startswith("key other is not linearizable"), texts[0]


@test
def a_first_value_can_be_given():
    history = build((0, 1, "GET", b"a"))
    check(history, {b"k": b"a"})
    assert violations(history, {b"k": b"b"})


@test
def the_report_shows_the_window_and_not_the_rest():
    rows = [(10 * i, 10 * i + 1, f"SET v{i}", OK) for i in range(200)]
    rows += [(2000, 2001, "GET", b"v198"), (2010, 2011, "SET later", OK), (2020, 2021, "GET", None)]
    text = violations(build(*rows))[0]
    assert "client 200: GET k -> v198" in text, text
    assert "client 199: SET k v199" in text and "v197" not in text and "later" not in text, text
    assert len(text.splitlines()) < 10, text


# --- Against the definition -------------------------------------------------------------------

def draw_small(draw):
    """Up to six operations, with replies that are drawn, too: half right, half wrong."""
    history = History()
    for client in range(draw.randint(2, 6)):
        begin = draw.randint(0, 9)
        name = draw.choice(["GET", "GET", "SET", "SETNX", "INCR", "APPEND", "GETSET", "DEL", "CAS"])
        value = draw.choice([b"1", b"2", b"a"])
        args, replies = {
            "GET": ([], [None, b"1", b"2", b"a", b"1a"]),
            "SET": ([value], [OK]),
            "SETNX": ([value], [0, 1]),
            "INCR": ([], [1, 2, 3, NO_INTEGER]),
            "APPEND": ([value], [1, 2, 3]),
            "GETSET": ([value], [None, b"1", b"2", b"a"]),
            "DEL": ([], [0, 1]),
            "CAS": ([draw.choice([None, b"1", b"a"]), value], [[OK], None]),
        }[name]
        op = history.invoke(client, name, b"k", *args, now=begin)
        if draw.random() < 0.75:
            op.returned(draw.choice(replies), now=begin + draw.randint(0, 6))
    return history.ops


@test
def small_histories_are_judged_as_by_trying_all_orders():
    draw = random.Random(1)
    accepted = 0
    for number in range(SMALL_HISTORIES):
        ops = draw_small(draw)
        expected = brute_force(ops)
        accepted += expected
        same((number, search(ops).ok), (number, expected))
    assert SMALL_HISTORIES / 10 < accepted < SMALL_HISTORIES * 9 / 10, f"{accepted}: one-sided"


@test
def any_value_at_first_accepts_what_some_value_explains():
    """The windows of reports rest on it: a contradiction with any value is one with each."""
    draw = random.Random(2)
    explained = 0
    for _ in range(SMALL_HISTORIES // 4):
        ops = draw_small(draw)
        if any(search(ops, value).ok for value in (None, b"1", b"2", b"a", b"11")):
            explained += 1
            assert Search(ops, ANY).run().ok, ops
    assert explained > SMALL_HISTORIES / 40


# --- Against an atomic register ---------------------------------------------------------------

class Register:
    """A real register in simulated time. Clients work one operation after the other; each takes
    effect at a drawn moment, and an unknown one late or never, its client going on."""

    def __init__(self, draw, clients, count, unknown):
        self.draw = draw
        self.value = None
        self.history = History()
        self.effects = []
        for client in range(clients):
            now = draw.random()
            for number in range(count // clients):
                now = self.plan(client, now, number, unknown)
        for _, _, op, end in sorted(self.effects, key=lambda effect: effect[:2]):
            reply = self.run(op)
            if end is not None:
                op.returned(reply, now=end)

    def plan(self, client, now, number, unknown):
        draw = self.draw
        value = b"%d.%d" % (client, number)
        name = draw.choice(["GET"] * 4 + ["SET"] * 3 + ["SETNX", "INCR", "INCR", "APPEND", "APPEND",
                                                       "GETSET", "DEL", "CAS"])
        args = {"GET": [], "INCR": [], "DEL": [], "CAS": [None, value]}.get(name, [value])
        if name == "SET" and draw.random() < 0.4:
            args = [b"%d" % draw.randrange(1000)]
        op = self.history.invoke(client, name, b"k", *args, now=now)
        end = now + draw.expovariate(1)
        if draw.random() < unknown:
            if draw.random() < 0.6:
                self.effects.append((now + draw.expovariate(0.05), len(self.effects), op, None))
        else:
            self.effects.append((draw.uniform(now, end), len(self.effects), op, end))
        return end + draw.expovariate(2)

    def run(self, op):
        """Written apart from the checker's own steps."""
        before, args = self.value, op.args
        if op.name == "GET":
            return before
        if op.name == "DEL":
            self.value = None
            return 0 if before is None else 1
        if op.name == "SETNX":
            self.value = args[0] if before is None else before
            return int(before is None)
        if op.name == "INCR":
            if not (before or b"0").isdigit():
                return NO_INTEGER
            self.value = b"%d" % (int(before or 0) + 1)
            return int(self.value)
        if op.name == "APPEND":
            self.value = (before or b"") + args[0]
            return len(self.value)
        if op.name == "CAS":
            if before != args[0]:
                return None
            self.value = args[1]
            return [OK]
        self.value = args[0]
        return OK if op.name == "SET" else before


def registers(seed, count=REGISTER_HISTORIES):
    draw = random.Random(seed)
    for _ in range(count):
        yield draw, Register(draw, draw.randint(2, 10), draw.randint(20, 300),
                             draw.choice([0, 0, 0.02, 0.05])).history


@test
def histories_of_an_atomic_register_are_accepted():
    for _, history in registers(3):
        check(history)


def spoil(draw, history):
    """Changes one reply that says something; None when the history has none."""
    telling = [op for op in history.ops if op.end is not None and op.name not in ("SET", "CAS")]
    if not telling:
        return None
    op = draw.choice(telling)
    others = [other.args[-1] for other in history.ops if other.args and other is not op]
    if op.name in ("GET", "GETSET"):
        op.reply = draw.choice([value for value in [None, *others] if value != op.reply])
    elif op.name in ("SETNX", "DEL"):
        op.reply = 1 - op.reply
    else:
        op.reply = draw.randrange(1, 9) if isinstance(op.reply, Error) else op.reply + 1
    return op


@test
def histories_with_one_reply_changed_are_mostly_refused():
    refused = tried = 0
    for draw, history in registers(4):
        if spoil(draw, history):
            tried += 1
            refused += bool(violations(history))
    print(f"# {refused} of {tried} refused")
    assert refused > tried * 0.8, f"only {refused} of {tried} refused"


@test
def histories_without_an_acknowledged_write_are_mostly_refused():
    """As if the write had been lost: everything but its effect is there."""
    refused = tried = 0
    for draw, history in registers(5):
        seen = {op.reply for op in history.ops if op.name in ("GET", "GETSET")}
        lost = [op for op in history.ops if op.args and op.end is not None and op.args[-1] in seen
                and op.name in ("SET", "SETNX")]
        if lost:
            tried += 1
            draw.choice(lost).failed()
            refused += bool(violations(history))
    print(f"# {refused} of {tried} refused")
    assert tried > REGISTER_HISTORIES / 2 and refused > tried * 0.8, f"only {refused} of {tried}"


@test
def thousands_of_operations_of_tens_of_clients_take_seconds():
    for clients, count, unknown in [(10, 5000, 0), (20, 3000, 0), (5, 3000, 0.01)]:
        history = Register(random.Random(6), clients, count, unknown).history
        begin = time.monotonic()
        check(history)
        seconds = time.monotonic() - begin
        print(f"# {clients} clients, {history.counts()}: {seconds:.2f} s")
        assert seconds < 20, f"{seconds:.1f} s"
        spoil(random.Random(7), history)
        begin = time.monotonic()
        text = violations(history)[0]
        print(f"#    spoilt: {time.monotonic() - begin:.2f} s, {len(text.splitlines())} lines")


main()
