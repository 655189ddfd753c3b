"""Linearizability of what clients of one register-like key saw; Python's standard library only.

    history = History()
    op = history.invoke(client, "SET", key, value)    # before the request is sent
    op.returned(reply)                                # … or
    op.unknown()                                      # no answer: it may happen later, or never
    op.failed()                                       # refused: it did not and will not happen
    check(history)                                    # AssertionError with the smallest window

Operations, by what they do to the value of their key (absent, or bytes):

    GET k -> value or None          SET k v -> OK             SETNX k v -> 1, or 0: was there
    INCR k -> number, or an error: no integer                 APPEND k v -> length
    GETSET k v -> value before      DEL k -> 1, or 0: absent
    CAS k old new -> the reply of EXEC: a list when the block ran, which it may only while the
                     value is old; None (nil): nothing was changed, which is always allowed

An operation takes effect at one moment between its invocation and its return, an unknown one at
any moment after its invocation or never, and replies are what the value was then. Keys are
independent (linearizability is local), so each is checked alone.

The search is Wing and Gong's with Lowe's improvements ("Testing for linearizability", 2017): just
in time, an order is chosen only when an operation returns that has not yet taken effect, and a
configuration (place, value, effects ahead of their returns) is visited once. More rules keep down
what is tried. Unknown outcomes stay possible for ever and would double the work each:

  - one is only tried where the next operation sees it: the others might as well never happen;
  - a configuration that used more of them than another, equal one cannot do more.

A value that only one operation can have made is there once: it is not overwritten while a read of
it is still to come, nor by another than the operation that says it replaced it. And values that
are never shown by a reply are one value. So clients should write values of their own.

Time is some configurations per operation, mostly, and exponential in how many writes overlap that
replies do not put in order: twenty clients on one key are fine, and so are a hundred unknown
outcomes among thousands when the history is right; when it is wrong, less. Beyond
CONFIGURATIONS_MAX the check gives up, which is a failure, too, but says so.
"""

import bisect
import collections
import itertools
import re
import threading
import time

from resp import Error

CONFIGURATIONS_MAX = 1_500_000
NEARLY_INTEGER = re.compile(rb"-?[0-9]*\Z")
INTEGER = re.compile(rb"(0|-?[1-9][0-9]{0,18})\Z")
WINDOW_CONFIGURATIONS_MAX = 50_000
WINDOW_LINES_MAX = 60


class Marker:
    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return self.name


UNKNOWN = Marker("no answer")
REFUSED = Marker("impossible")   # a step that contradicts the reply
ANY = Marker("any value")        # before a window: whatever makes the replies possible


# --- Histories --------------------------------------------------------------------------------

class Op:
    """One operation of a client. returned, unknown or failed is called once."""

    def __init__(self, client, name, key, args, invoke):
        self.client = client
        self.name = name
        self.key = key
        self.args = args
        self.invoke = invoke
        self.end = None          # when it returned; None: it did not
        self.reply = UNKNOWN
        self.happened = True     # False: certainly not
        self.step = STEPS[name]

    def returned(self, reply, now=None):
        self.end = time.monotonic() if now is None else now
        self.reply = reply
        return self

    def unknown(self):
        return self

    def failed(self):
        self.happened = False
        return self

    def __repr__(self):
        words = " ".join(show(word) for word in (self.key, *self.args))
        end = "       …" if self.end is None else f"{self.end:8.4f}"
        return (f"{self.invoke:8.4f} {end}  client {self.client}: {self.name} {words}"
                f" -> {show(self.reply)}")


class History:
    """Operations of many threads."""

    def __init__(self):
        self.ops = []
        self.begin = time.monotonic()
        self.lock = threading.Lock()

    def invoke(self, client, name, key, *args, now=None):
        """Times in reports count from the history's begin, or are `now` as given."""
        op = Op(client, name, key, args, time.monotonic() if now is None else now)
        with self.lock:
            self.ops.append(op)
        return op

    def by_key(self):
        keys = {}
        for op in self.ops:
            if op.happened:
                keys.setdefault(op.key, []).append(op)
        return keys

    def counts(self):
        """(answered, unknown, failed)."""
        happened = [op for op in self.ops if op.happened]
        answered = sum(op.end is not None for op in happened)
        return answered, len(happened) - answered, len(self.ops) - len(happened)


def show(value):
    if isinstance(value, Error):
        return f"({value.decode(errors='replace')})"
    if isinstance(value, bytes):
        text = value.decode(errors="backslashreplace")
        return text if len(text) <= 60 else f"{text[:30]}…{text[-20:]} ({len(value)} bytes)"
    return "nil" if value is None else str(value)


# --- What operations do -----------------------------------------------------------------------

# Each: (value, args, reply) -> the value afterwards, or REFUSED when the reply cannot be. With
# reply UNKNOWN, what happens if it happens. The value may be ANY, and then the result may be, too.

def step_get(value, _args, reply):
    if reply is UNKNOWN or value is ANY:
        return value if reply is UNKNOWN else reply
    return value if value == reply else REFUSED


def step_set(_value, args, _reply):
    return args[0]


def step_setnx(value, args, reply):
    if reply is UNKNOWN:
        return args[0] if value is None or value is ANY else value
    if reply == 1:
        return args[0] if value is None or value is ANY else REFUSED
    return REFUSED if value is None else value


def step_incr(value, _args, reply):
    if value is ANY:
        return ANY if reply is UNKNOWN or isinstance(reply, Error) else b"%d" % reply
    number = integer(value)
    if isinstance(reply, Error):
        return value if number is None else REFUSED
    if number is None:
        return value if reply is UNKNOWN else REFUSED
    return b"%d" % (number + 1) if reply is UNKNOWN or reply == number + 1 else REFUSED


def step_append(value, args, reply):
    if value is ANY:
        return ANY
    value = (value or b"") + args[0]
    return value if reply is UNKNOWN or reply == len(value) else REFUSED


def step_getset(value, args, reply):
    return args[0] if reply is UNKNOWN or value is ANY or value == reply else REFUSED


def step_del(value, _args, reply):
    if reply is UNKNOWN or value is ANY:
        return None
    return None if reply == (value is not None) else REFUSED


def step_cas(value, args, reply):
    if reply is None:
        return value
    if value is ANY or value == args[0]:
        return args[1]
    return value if reply is UNKNOWN else REFUSED


def integer(value):
    """As INCR reads it; None when it is none."""
    if value is None:
        return 0
    return int(value) if INTEGER.match(value) else None


STEPS = {"GET": step_get, "SET": step_set, "SETNX": step_setnx, "INCR": step_incr,
         "APPEND": step_append, "GETSET": step_getset, "DEL": step_del, "CAS": step_cas}
READS = {"GET"}


def only_looked(op):
    """With this reply it changed nothing, whatever the value was."""
    return op.name == "GET" or (op.name in ("SETNX", "DEL") and op.reply == 0) \
        or (op.name == "CAS" and op.reply is None) or isinstance(op.reply, Error)


def makes(op):
    """The value that it (no APPEND) leaves when it has an effect; ANY: some number."""
    if op.name in ("GET", "DEL"):
        return None
    if op.name == "INCR":
        return ANY if op.reply is UNKNOWN else b"%d" % op.reply
    return op.args[-1]


def replaced(op):
    """The value that, by its reply, it has seen and replaced; ANY when the reply does not say."""
    if op.reply is UNKNOWN or only_looked(op):
        return ANY
    if op.name == "GETSET":
        return op.reply
    if op.name == "CAS":
        return op.args[0]
    return b"%d" % (op.reply - 1) if op.name == "INCR" and op.reply != 1 else ANY


class Values:
    """Which values exist once and until when they are needed, and which nobody tells apart."""

    def __init__(self, ops, first):
        self.makers = collections.Counter([first])
        self.tails = collections.defaultdict(list)
        self.incr_unknown = False
        for op in ops:
            if op.name == "APPEND":
                self.tails[op.args[0]].append(op.reply)
            elif not only_looked(op):
                self.makers[makes(op)] += 1
                self.incr_unknown = self.incr_unknown or makes(op) is ANY
        self.tail_sizes = sorted(set(map(len, self.tails)))
        self.needs = {}
        shown = set()
        for op in ops:
            value = op.reply if op.name == "GET" else replaced(op)
            shown.add(op.args[0] if op.name == "CAS" else value)
            if isinstance(value, bytes) and first is not ANY and self.maker_count(value) == 1:
                until, by = self.needs.get(value, NOT_NEEDED)
                self.needs[value] = (max(until, op.invoke), by) if op.name == "GET" else (until, op)
        self.shown = sorted(value for value in shown if isinstance(value, bytes))
        self.plain_forms = {None: None, ANY: ANY, REFUSED: REFUSED}

    def plain(self, value):
        """The value, or what stands for all of its size that no reply shows: those that are no
        numbers nor can become one, or one of the shown, by APPEND."""
        found = self.plain_forms.get(value, UNKNOWN)
        if found is UNKNOWN:
            stand_in = b"\xff" * len(value)
            keeps = NEARLY_INTEGER.match(value) or self.leads(value) or self.leads(stand_in)
            found = self.plain_forms[value] = value if keeps else stand_in
        return found

    def leads(self, value):
        """To a shown value, by APPEND of something or nothing."""
        at = bisect.bisect_left(self.shown, value)
        return at < len(self.shown) and self.shown[at].startswith(value)

    def maker_count(self, value):
        count = self.makers[value]
        if self.incr_unknown and INTEGER.match(value):
            count += 2  # nobody knows
        for size in self.tail_sizes:
            count += sum(reply is UNKNOWN or reply == len(value)
                         for reply in self.tails.get(value[len(value) - size:], ()))
        return count

    def may_replace(self, value, op, now):
        """Whether `op` may replace it when everything invoked by `now` that could has read it."""
        until, by = self.needs.get(value, NOT_NEEDED)
        return until <= now and by in (None, op)


NOT_NEEDED = (float("-inf"), None)


# --- The search -------------------------------------------------------------------------------

class Verdict:
    """ok; or not; or gave_up, with the furthest operation (by return) that was reached."""

    def __init__(self, ok, visited, gave_up=False, reached=None):
        self.ok = ok
        self.visited = visited
        self.gave_up = gave_up
        self.reached = reached


class Search:
    """One key. `ops` did happen or may have; those of `optional` may have done so before."""

    def __init__(self, ops, value=None, optional=frozenset(), values_of=None):
        known = [op for op in ops if op.end is not None and op not in optional]
        # An unknown read changes nothing, whether or not it happens.
        loose = [op for op in ops if op in optional or (op.end is None and op.name not in READS)]
        self.returns = sorted(known, key=lambda op: (op.end, op.invoke))
        self.loose = sorted(loose, key=lambda op: op.invoke)
        self.pure = {op for op in known if only_looked(op)}
        self.values_of = values_of or Values(ops, value)
        self.value = self.values_of.plain(value)
        self.kinds = [(op.name, self.kind_of_args(op),
                       repr(op.reply)) for op in self.loose]
        self.bits, self.open_at = self.lay_out()
        starts = [op.invoke for op in self.loose]
        self.loose_at = [bisect.bisect_right(starts, op.end) for op in self.returns]
        self.seen = {}
        self.visited = 0

    def kind_of_args(self, op):
        # What is appended counts with what is there already, so it is never plain.
        return op.args if op.name == "APPEND" else tuple(map(self.values_of.plain, op.args))

    def lay_out(self):
        """A bit for each operation, free again once it returned, so that masks stay small; and at
        each return, which are open: invoked, not returned, the one that returns first."""
        invokes = sorted(self.returns, key=lambda op: op.invoke)
        bits, open_at, now_open, free, at = {}, [], [], [], 0
        for op in self.returns:
            while at < len(invokes) and invokes[at].invoke <= op.end:
                bits[invokes[at]] = free.pop() if free else 1 << len(now_open)
                bisect.insort(now_open, invokes[at], key=lambda op: (op.end, op.invoke))
                at += 1
            open_at.append([(other, bits[other]) for other in now_open])
            now_open.remove(op)
            free.append(bits[op])
        return bits, open_at

    def run(self, budget=CONFIGURATIONS_MAX):
        """Depth first; the next configuration to visit is at the end of the stack."""
        stack = [(0, self.value, 0, 0, REFUSED)]
        deepest = 0
        while stack:
            place, value, mask, used, before = self.settle(*stack.pop())
            if place == len(self.returns):
                return Verdict(True, self.visited)
            deepest = max(deepest, place)
            if self.is_new(place, value, mask, used, before):
                stack.extend(self.branches(place, value, mask, used, before))
            if self.visited > budget:
                return Verdict(False, self.visited, True, self.returns[deepest])
        return Verdict(False, self.visited)

    def settle(self, place, value, mask, used, before):
        """Passes returns of what took effect, and lets happen what changes nothing as things are:
        doing that as early as possible costs nothing."""
        while place < len(self.returns):
            for op, bit in self.open_at[place]:
                if op in self.pure and not mask & bit and value is not ANY \
                        and op.step(value, op.args, op.reply) is not REFUSED:
                    mask |= bit
                    before = REFUSED  # what it saw is the effect of the unknown one
            bit = self.bits[self.returns[place]]
            if not mask & bit:
                break
            mask ^= bit
            place += 1
        return place, value, mask, used, before

    def is_new(self, place, value, mask, used, before):
        """False when an equal configuration that used no other unknown outcomes was visited."""
        visits = self.seen.setdefault((place, value, mask, before), [])
        if any(other & used == other for other in visits):
            return False
        visits.append(used)
        self.visited += 1
        return True

    def branches(self, place, value, mask, used, before):
        """The configurations one effect further, the most promising last. `before` is the value
        in front of an unknown effect that nothing has seen yet, else REFUSED."""
        returning = self.returns[place]
        now, may_replace = returning.end, self.values_of.may_replace
        plain = self.values_of.plain
        found = []
        for op, bit in self.open_at[place]:
            if not mask & bit:
                after = plain(op.step(value, op.args, op.reply))
                if after is REFUSED or self.is_blind(op, after, before) \
                        or not may_replace(value, op, now):
                    continue
                found.append((place, after, mask | bit, used, REFUSED))
        for number in self.usable(place, used):
            op = self.loose[number]
            after = plain(op.step(value, op.args, op.reply))
            if after is not REFUSED and after != value and may_replace(value, op, now) \
                    and not self.is_blind(op, after, before):
                found.append((place, after, mask, used | 1 << number, value))
        if len(found) > 1 and returning.step(value, returning.args, returning.reply) is REFUSED:
            found.sort(key=lambda branch: returning.step(branch[1], returning.args,
                                                         returning.reply) is REFUSED)
        found.reverse()
        return found

    def is_blind(self, op, after, before):
        """The same would have come of it without the unknown effect in front of it."""
        return before is not REFUSED \
            and self.values_of.plain(op.step(before, op.args, op.reply)) == after

    def usable(self, place, used):
        """Unknown ones not used yet; of those that do the same, the first."""
        kinds = set()
        for number in range(self.loose_at[place]):
            if not used >> number & 1 and self.kinds[number] not in kinds:
                kinds.add(self.kinds[number])
                yield number


def search(ops, value=None):
    """The Verdict on the operations of one key, whose value was `value` at first."""
    return Search(ops, value).run()


# --- Reports ----------------------------------------------------------------------------------

class Window:
    """The smallest prefix that contradicts itself, and of it the last operations that do so
    whatever happened before. Both are found by halves, each try with a small budget: a window
    may then be wider than it had to be, but what it shows is a contradiction."""

    def __init__(self, ops, first):
        self.first = first
        self.values_of = Values(ops, first)
        returns = sorted((op for op in ops if op.end is not None), key=lambda op: op.end)
        ends = [op.end for op in returns]
        last = smallest(len(ends) - 1, lambda at: self.contradicts(ops, first, -1, ends[at]))
        self.stuck = returns[last]
        # Counted from the back, and in front of the first end is everything.
        back = smallest(last, lambda at: self.contradicts(ops, ANY, ends[last - at], ends[last]))
        self.begin = None if back == last else ends[last - back]
        self.ops = [op for op in ops if op.invoke <= self.stuck.end and (
            self.begin is None or op.end is None or op.end > self.begin)]

    def contradicts(self, ops, value, begin, end):
        """Without what returned by `begin` or was asked for after `end`, and with what was under
        way at either done or not."""
        within = [op for op in ops if op.invoke <= end and (op.end is None or op.end > begin)]
        # What a prefix lacks may not be used to judge it: its values are its own.
        values_of = self.values_of if value is ANY else None
        under_way = frozenset(op for op in within if op.end is not None
                              and (op.invoke <= begin or op.end > end))
        verdict = Search(within, value, under_way, values_of).run(WINDOW_CONFIGURATIONS_MAX)
        return not verdict.ok and not verdict.gave_up

    def text(self, begin_time):
        lines = [f"key {show(self.stuck.key)} is not linearizable: no order of effects gives the "
                 f"replies up to", f"  {shifted(self.stuck, begin_time)}"]
        since = "the beginning" if self.begin is None else f"{self.begin - begin_time:.4f}"
        shown = sorted(self.ops, key=lambda op: op.invoke)
        lines.append(f"what counts, since {since} ({len(shown)} operations):")
        if len(shown) > WINDOW_LINES_MAX:
            lines.append(f"  … {len(shown) - WINDOW_LINES_MAX} earlier ones left out")
        return "\n".join(lines + [f"  {shifted(op, begin_time)}{'  <--' * (op is self.stuck)}"
                                  for op in shown[-WINDOW_LINES_MAX:]])


def shifted(op, begin_time):
    """Its line with times since begin_time."""
    copy = Op(op.client, op.name, op.key, op.args, op.invoke - begin_time)
    return copy if op.end is None else copy.returned(op.reply, op.end - begin_time)


def smallest(known, holds):
    """The smallest number for which it holds, when from there on it does, as for `known`."""
    low, high = -1, known
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high


def violations(history, initial=None):
    """A text for each key whose history has no linearization; initial: key -> value."""
    texts = []
    begin = min((op.invoke for op in history.ops), default=0)
    for key, ops in sorted(history.by_key().items(), key=lambda item: show(item[0])):
        first = (initial or {}).get(key)
        verdict = search(ops, first)
        if verdict.gave_up:
            texts.append(f"key {show(key)}: undecided after {verdict.visited} configurations at "
                         f"{shifted(verdict.reached, begin)}")
        elif not verdict.ok:
            texts.append(Window(ops, first).text(begin))
    return texts


def check(history, initial=None):
    """AssertionError when a key's history is not linearizable, or could not be decided."""
    texts = violations(history, initial)
    assert not texts, "\n\n".join(texts)


def brute_force(ops, value=None):
    """The definition itself, for at most eight operations: what the search is tested against."""
    known = [op for op in ops if op.end is not None]
    loose = [op for op in ops if op.end is None]
    for count in range(len(loose) + 1):
        for chosen in itertools.combinations(loose, count):
            if any(is_order(order, value) for order in itertools.permutations(known + [*chosen])):
                return True
    return False


def is_order(order, value):
    """In this order effects lie inside their operations and replies are right."""
    latest = float("-inf")
    for op in order:
        latest = max(latest, op.invoke)
        if op.end is not None and op.end < latest:
            return False
        value = op.step(value, op.args, op.reply)
        if value is REFUSED:
            return False
    return True
