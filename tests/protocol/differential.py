#!/usr/bin/env python3
"""Random commands to redis-server and to Quoin: the replies must be equal.

    differential.py [--commands N] [--seed S] [--case K] [--family NAME ...]

Commands come in cases of a few hundred, each from empty servers over three connections: right and
wrong arities and options, numbers at their edges, binary and empty strings, expiries with margins
of many minutes, MULTI blocks and watches, several databases, now and then everything out of memory
and back (DEBUG RELOAD). A difference is shrunk to the shortest sequence that still shows it, and a
line is printed that replays its case.

Commands on strings and keys are made here; those of other families by the files in families/, of
which each case draws a few, so that they meet often on the same keys.

Where Quoin follows a release after Debian's 7.0 the difference is listed in KNOWN, each with a
golden case that proves it exists; a difference that no longer exists fails too.

test-timeout: 600
"""

import argparse
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import families  # noqa: E402
from quoin import OPTIONS_REST, Server, shorten  # noqa: E402
from resp import ConnectionClosed, Error, encode, to_bytes, typed  # noqa: E402

CASE_COMMANDS = 400
CONNECTIONS = 3
BATCH = 40
# The servers are asked one after the other; on a busy machine that takes a while.
CLOCK_SLACK = {"ttl": 60, "pttl": 60000, "expiretime": 60, "pexpiretime": 60000}
UNSPECIFIC = b"ERR unknown subcommand or wrong number of arguments"
# 7.2 has listpacks where 7.0 has tables and quicklists; the families compare what must be equal.
ENCODINGS = ({b"int", b"embstr", b"raw"}, {b"listpack", b"hashtable", b"quicklist", b"skiplist"})
MAX, MIN = 9223372036854775807, -9223372036854775808
# Without their count the outcome would depend on chance; 7.0 has another arity for ZRANK; what
# waits might do so for ever.
UNSPOILED = {"SPOP", "SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER", "ZRANK", "ZREVRANK", "BZPOPMIN",
             "BZPOPMAX", "BZMPOP", "BLPOP", "BRPOP", "BLMPOP", "BLMOVE", "BRPOPLPUSH"}

# What differs on purpose: (requests, last reply of redis-server 7.0, of Quoin, why).
KNOWN = [
    ("SET k 1; OBJECT REFCOUNT k", 2147483647, 1, "small integers are not shared objects here"),
    ("SET k a; APPEND k b; OBJECT ENCODING k", b"raw", b"embstr",
     "a value is the fold of its rows, so its encoding depends on what it is, not on its past"),
    ("SCAN -1 FOO", b"ERR syntax error", b"ERR invalid cursor",
     "cursors are digits; strtoul would take signs and blanks"),
    ("CLIENT UNBLOCK 1 2 3",
     b"ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP.",
     b"ERR syntax error", "says more precisely what is wrong"),
]

KEYS = [b"a", b"b", b"c", b"d", b"e", b"n", b"key:1", b"key:2", b"{t}1", b"{t}2", b"",
        b"\xff\x00\r\n"]
NUMBERS = [0, 1, -1, 2, 7, 10, -5, 100, 12345, MAX, MIN, MAX - 1, MIN + 1]
NO_NUMBERS = [MAX + 1, MIN - 1, "x", "1.5", "", "007", "+1", " 1", "1 ", "-0", "0x10", "1e2"]
FLOATS = ["0", "1", "-1", "1.5", "0.1", "-0.25", "3.0e2", "1e-5", "5e15", "123456.789", "-1e10",
          "0x1p3", "1e17"]
NO_FLOATS = ["", "x", "nan", "inf", "-inf", "+inf", " 1", "1 ", "1.5x", "1e5000", "--1"]
TEXTS = [b"", b"v", b"hello", b"hello world", b"\x00", b"\xff\xfe", b"a\r\nb", b"*2\r\n", b"HELLO"]
PATTERNS = ["*", "?", "k*", "[a-c]", "key:?", "*[12]", "", "\\*", "[^a]", "{t}*"]


class Draw:
    """One case's commands, from its seed alone."""

    def __init__(self, seed, only=()):
        """only: names of the families that may be drawn, as on the command line; empty: all."""
        self.random = random.Random(seed)
        self.makers = self.makers_of_families(only)

    def makers_of_families(self, only):
        if only:
            chosen = [family for family in FAMILIES if family.name in only]
        else:
            chosen = self.random.sample(FAMILIES, min(len(FAMILIES), self.random.randint(0, 3)))
        return [maker for family in chosen for maker in family.makers]

    def one(self, choices):
        return self.random.choice(choices)

    def chance(self, of):
        return self.random.random() < of

    def key(self):
        return self.one(KEYS)

    def keys(self, most=4):
        return [self.key() for _ in range(self.random.randint(1, most))]

    def value(self):
        kind = self.random.random()
        if kind < 0.35:
            return self.integer()
        if kind < 0.5:
            return self.one(FLOATS)
        if kind < 0.9:
            return self.one(TEXTS)
        size = self.one([22, 44, 45, 300, 1024, 2049, 9000, 30000])
        return self.one([b"x", b"yz", b"\x00"]) * size

    def integer(self):
        if self.chance(0.1):
            return self.one(NO_NUMBERS)
        return self.one(NUMBERS) if self.chance(0.5) else self.random.randint(-20, 20)

    def floating(self):
        return self.one(NO_FLOATS) if self.chance(0.15) else self.one(FLOATS)

    def offset(self):
        return self.one([0, 1, 2, 5, 50, 3000, 20000, -1, 536870912, "x", MAX])

    def edge(self):
        return self.one([0, 1, 3, 10, 5000, -1, -2, -3, -10, -5000, MAX, MIN, "x", ""])

    def database(self):
        return self.one([0, 0, 1, 2, 15, 16, -1, "x"]) if self.chance(0.3) else self.one([0, 1])

    def seconds(self, unit):
        """A relative time: far away, already over, or none at all."""
        if self.chance(0.15):
            return self.one([0, -1, MAX, MIN, MAX // 1000, "x", "", "1.5", MAX + 1])
        return self.random.randint(1000, 100000) * unit

    def moment(self, unit):
        """An absolute time."""
        if self.chance(0.15):
            return self.one([0, 1, -1, MAX, MIN, MAX // 1000, MAX // 1000 + 1, "x"])
        return (int(time.time()) + self.random.randint(5000, 500000)) * unit

    def expiry_option(self):
        name = self.one(["EX", "PX", "EXAT", "PXAT", "ex", "Px"])
        unit = 1 if name.upper() in ("EX", "EXAT") else 1000
        # A value set for a moment that has passed is counted by redis-server until it is touched.
        value = self.seconds(unit) if name.upper() in ("EX", "PX") else self.moment(unit)
        value = 0 if value == 1 else value
        return [name, value] if self.chance(0.95) else [name]

    def some(self, options, most=3):
        """A few of the given option lists, one after the other; often none."""
        chosen = []
        for _ in range(self.one([0, 0, 1, 1, 2, most])):
            option = self.one(options)
            chosen += option() if callable(option) else option
        return chosen

    def command(self):
        of_family = self.makers and self.chance(0.6)
        maker = self.one(self.makers if of_family else MAKERS)
        words = maker(self)
        return self.spoil(words) if self.chance(0.04) else words

    def spoil(self, words):
        words = list(words)
        if str(words[0]).upper() in UNSPOILED:
            return words
        how = self.random.randrange(4)
        if how == 0 and len(words) > 1:
            words.pop(self.random.randrange(1, len(words)))
        elif how == 1:
            words.insert(self.random.randint(1, len(words)), self.one(TEXTS + NO_NUMBERS + NUMBERS))
        elif how == 2:
            words += self.one([["NX"], ["FOO"], ["EX"], [""], ["GET", "GET"], ["x"] * 5])
        else:
            words[0] = str(words[0]).swapcase()
        return words

    def case(self, count):
        """[(connection, words), …]"""
        steps = []
        while len(steps) < count:
            connection = self.random.randrange(CONNECTIONS) if self.chance(0.15) else 0
            if self.chance(0.01):
                steps.append((connection, ["DEBUG", "RELOAD"]))
            elif self.chance(0.03):
                steps += self.block(connection)
            else:
                steps.append((connection, self.command()))
        return steps[:count]

    def block(self, connection):
        steps = []
        if self.chance(0.4):
            steps.append((connection, ["WATCH"] + self.keys()))
            if self.chance(0.5):
                steps.append((self.random.randrange(CONNECTIONS), self.command()))
        steps.append((connection, ["MULTI"]))
        for _ in range(self.random.randint(0, 6)):
            steps.append((connection, self.command()))
            if self.chance(0.1):
                steps.append(((connection + 1) % CONNECTIONS, self.command()))
        steps.append((connection, ["EXEC"] if self.chance(0.85) else ["DISCARD"]))
        return steps


def set_command(d):
    options = [["NX"], ["XX"], ["GET"], ["KEEPTTL"], ["nx"], ["get"], d.expiry_option]
    return ["SET", d.key(), d.value()] + d.some(options)


def expire_command(d):
    name = d.one(["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"])
    unit = 1000 if name.startswith("P") else 1
    when = d.moment(unit) if name.endswith("AT") else d.seconds(unit)
    return [name, d.key(), when] + d.some([["NX"], ["XX"], ["GT"], ["LT"], ["gt"]], 2)


def pairs(d, name):
    return [name] + [word for key in d.keys() for word in (key, d.value())]


def scan_command(d):
    # With a large COUNT everything comes at once, so that cursors need not agree.
    words = ["SCAN", 0, "COUNT", 100000]
    return words + d.some([["MATCH", d.one(PATTERNS)], ["TYPE", "string"], ["TYPE", "hash"]], 2)


MAKERS = [
    set_command, set_command, set_command,
    lambda d: ["GET", d.key()],
    lambda d: ["GET", d.key()],
    lambda d: ["GETDEL", d.key()],
    lambda d: ["GETEX", d.key()] + d.some([["PERSIST"], d.expiry_option], 2),
    lambda d: ["GETSET", d.key(), d.value()],
    lambda d: ["SETNX", d.key(), d.value()],
    lambda d: ["SETEX", d.key(), d.seconds(1), d.value()],
    lambda d: ["PSETEX", d.key(), d.seconds(1000), d.value()],
    lambda d: pairs(d, "MSET"),
    lambda d: pairs(d, "MSETNX"),
    lambda d: ["MGET"] + d.keys(),
    lambda d: [d.one(["INCR", "DECR"]), d.key()],
    lambda d: [d.one(["INCRBY", "DECRBY"]), d.key(), d.integer()],
    lambda d: ["INCRBYFLOAT", d.key(), d.floating()],
    lambda d: ["APPEND", d.key(), d.value()],
    lambda d: ["STRLEN", d.key()],
    lambda d: [d.one(["GETRANGE", "SUBSTR"]), d.key(), d.edge(), d.edge()],
    lambda d: ["SETRANGE", d.key(), d.offset(), d.one(TEXTS)],
    lambda d: ["LCS", d.key(), d.key()] + d.some([["LEN"], ["IDX"], ["WITHMATCHLEN"],
                                                 ["MINMATCHLEN", d.integer()]]),
    lambda d: [d.one(["DEL", "UNLINK", "EXISTS", "TOUCH"])] + d.keys(),
    lambda d: ["TYPE", d.key()],
    expire_command, expire_command,
    lambda d: [d.one(["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "PERSIST"]), d.key()],
    lambda d: [d.one(["RENAME", "RENAMENX"]), d.key(), d.key()],
    lambda d: ["COPY", d.key(), d.key()] + d.some([["REPLACE"], ["DB", d.database()]], 2),
    lambda d: ["MOVE", d.key(), d.database()],
    lambda d: ["OBJECT", d.one(["ENCODING", "FREQ", "NOSUCH"]), d.key()],
    lambda d: ["KEYS", d.one(PATTERNS)],
    scan_command,
    lambda d: ["DBSIZE"],
    lambda d: ["SELECT", d.database()],
    lambda d: ["SWAPDB", d.database(), d.database()] if d.chance(0.3) else ["DBSIZE"],
    lambda d: [d.one(["FLUSHDB", "FLUSHALL"])] + d.some([["SYNC"], ["ASYNC"], ["FOO"]], 1)
    if d.chance(0.2) else ["DBSIZE"],
    lambda d: d.one([["PING"], ["PING", d.value()], ["ECHO", d.value()], ["RESET"], ["UNWATCH"],
                     ["EXEC"], ["DISCARD"], ["MULTI"], ["WATCH"], ["NOSUCH", d.value()],
                     ["CLIENT", "GETNAME"], ["CLIENT", "SETNAME", d.one(["me", "a b", ""])],
                     ["CONFIG", "GET", "maxclients"], ["CONFIG", "NOSUCH"], ["OBJECT"],
                     ["HELLO", d.one([1, 4, "x"])], ["COMMAND", "GETKEYS", "MSET", "a", 1, "b", 2],
                     ["WAIT", 0, 0], ["AUTH", "x"], ["CLIENT", "UNBLOCK", 999], ["SCAN", "x"]]),
]


FAMILIES = families.load()


def run_steps(server, steps):
    """Replies of all steps from an empty server."""
    clients = [server.client() for _ in range(CONNECTIONS)]
    try:
        clients[0]("FLUSHALL")
        replies = []
        begin = 0
        while begin < len(steps):
            # Consecutive requests of one connection travel together; another's wait for them.
            end = begin
            while end < len(steps) and end - begin < BATCH and steps[end][0] == steps[begin][0]:
                end += 1
            client = clients[steps[begin][0]]
            client.send_raw(b"".join(encode(*words) for _, words in steps[begin:end]))
            replies += [client.read() for _ in range(begin, end)]
            begin = end
        return replies + state_of(clients[0])
    finally:
        for client in clients:
            client.close()


def state_of(client):
    """What the databases hold, as replies beyond those of the steps."""
    client("DISCARD")
    found = []
    for number in range(16):
        client("SELECT", number)
        keys = sorted(client("KEYS", "*"))
        types = client.pipeline(*[("TYPE", key) for key in keys])
        values = [value_of(client, kind.decode(), key) for kind, key in zip(types, keys)]
        ttls = client.pipeline(*[("TTL", key) for key in keys])
        found.append([number, keys, types, values, [int(ttl > 0) for ttl in ttls]])
    return found


def value_of(client, kind, key):
    for family in FAMILIES:
        if kind in family.readers:
            return family.readers[kind](client, key)
    return client("GET", key)


def alike(words, left, right):
    name = to_bytes(words[0]).decode("latin-1").lower()
    if name in CLOCK_SLACK and isinstance(left, int) and isinstance(right, int):
        return (left < 0) == (right < 0) and abs(left - right) <= CLOCK_SLACK[name]
    if name == "debug":
        return True  # what counts is that everything is there afterwards
    if name == "keys":
        return families.unordered(words, left, right)
    if name == "scan" and isinstance(left, list) and isinstance(right, list):
        return left[0] == right[0] and sorted(left[1]) == sorted(right[1])
    if name == "object":
        return same_encoding(left, right)
    if isinstance(left, Error) and isinstance(right, Error) and left.startswith(UNSPECIFIC):
        return True
    if name == "scan" and right == b"ERR invalid cursor" and not is_plain(to_bytes(words[1])):
        return True
    if name == "hello" and isinstance(left, list):
        return isinstance(right, list) and len(left) == len(right)
    for family in FAMILIES:
        if name in family.alike:
            return family.alike[name](words, left, right)
    return typed(left) == typed(right)


def same_encoding(left, right):
    return typed(left) == typed(right) or any(left in alike and right in alike
                                              for alike in ENCODINGS
                                              if isinstance(left, bytes))


def is_plain(cursor):
    return cursor.isdigit() and (cursor == b"0" or not cursor.startswith(b"0"))


def in_blocks(steps, replies):
    """For each EXEC the requests that were queued for it, for every other step None."""
    queued, held = {}, []
    for (connection, words), reply in zip(steps, replies):
        held.append(None)
        if reply == b"QUEUED":
            queued.setdefault(connection, []).append(words)
        elif str(words[0]).upper() in ("EXEC", "DISCARD", "RESET") and len(words) == 1:
            queue = queued.pop(connection, [])
            held[-1] = queue if str(words[0]).upper() == "EXEC" else None
    return held


def block_alike(queue, left, right):
    """Replies of EXEC: null, an error, or one reply per queued request."""
    if not (isinstance(left, list) and isinstance(right, list)
            and len(left) == len(right) == len(queue)):
        return typed(left) == typed(right)
    return all(alike(words, a, b) for words, a, b in zip(queue, left, right))


def first_difference(steps, left, right):
    """Index of the first reply that differs, or None; from len(steps) on: the state at the end."""
    try:
        return first_unlike(steps, left, right)
    except families.Undefined:
        return None


def first_unlike(steps, left, right):
    for index, held in enumerate(in_blocks(steps, left)):
        words = steps[index][1]
        same = block_alike(held, left[index], right[index]) if held is not None \
            else alike(words, left[index], right[index])
        if not same:
            return index
    for index in range(len(steps), len(left)):
        if typed(left[index]) != typed(right[index]):
            return index
    return None


class Pair:
    def __init__(self, redis, quoin):
        self.redis = redis
        self.quoin = quoin

    def difference(self, steps):
        """(index, reply of redis, reply of quoin) or None."""
        left = run_steps(self.redis, steps)
        try:
            right = run_steps(self.quoin, steps)
        except (ConnectionClosed, ConnectionError):
            return len(steps) - 1, left[len(steps) - 1], self.last_words()
        index = first_difference(steps, left, right)
        return None if index is None else (index, left[index], right[index])

    def last_words(self):
        """Quoin ended: the end of its log; it is started anew."""
        code = self.quoin.wait_until_ended(5)
        text = "\n".join(self.quoin.log().splitlines()[-2:])
        self.quoin.start()
        return f"the server ended with {code}: {text}"

    def shrink(self, steps, seconds=60):
        """A shortest sequence found by leaving out ever smaller parts."""
        deadline = time.monotonic() + seconds
        size = len(steps) // 2
        while size >= 1:
            begin = 0
            while begin < len(steps) and time.monotonic() < deadline:
                shorter = steps[:begin] + steps[begin + size:]
                if self.difference(shorter):
                    steps = shorter
                else:
                    begin += size
            size = size // 2
        return steps


def show(steps, index, left, right, replay):
    lines = ["the shortest sequence that differs:"]
    for position, (connection, words) in enumerate(steps):
        mark = "  <-- differs" if position == index else ""
        lines.append(f"  [{connection}] {' '.join(shorten_word(word) for word in words)}{mark}")
    if index >= len(steps):
        lines.append("  (the replies agree, what the databases hold afterwards does not)")
    lines += [f"redis-server: {shorten(left)}", f"quoin:        {shorten(right)}",
              f"replay: {replay}"]
    return "\n".join("# " + line for line in lines)


def shorten_word(word):
    text = word.decode("latin-1") if isinstance(word, bytes) else str(word)
    shown = text if text and text.isprintable() and " " not in text else repr(text)
    return shown if len(shown) < 80 else f"{shown[:30]}…({len(text)} bytes)"


def run_cases(pair, options):
    """None, or the description of the first difference."""
    cases = range((options.commands + CASE_COMMANDS - 1) // CASE_COMMANDS)
    for case in [options.case] if options.case is not None else cases:
        steps = Draw(f"{options.seed}:{case}", options.family).case(CASE_COMMANDS)
        found = pair.difference(steps)
        if found:
            shortest = pair.shrink(steps[:found[0] + 1])
            # What differs once may depend on a moment that has passed.
            again = pair.difference(shortest)
            steps, found = (shortest, again) if again else (steps, found)
            return show(steps, *found, replay_line(options, case))
    return None


def replay_line(options, case):
    words = "".join(f" --family {name}" for name in options.family)
    return f"{sys.argv[0]} --seed {options.seed} --case {case}{words}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--commands", type=int, default=200000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, help="this case only")
    parser.add_argument("--family", action="append", default=[],
                        choices=[family.name for family in FAMILIES],
                        help="of the families only these, in every case")
    parser.add_argument("--with-itself", action="store_true",
                        help="redis-server against a second redis-server: must find nothing")
    options = parser.parse_args(OPTIONS_REST)
    known = KNOWN + [row for family in FAMILIES for row in family.known]
    print(f"1..{1 + len(known)}")
    failures = 0
    with Server(target="redis") as redis, \
            Server(target="redis" if options.with_itself else "quoin", appendfsync="no") as quoin:
        difference = run_cases(Pair(redis, quoin), options)
        name = f"differential_{options.commands}_commands_of_seed_{options.seed}_are_answered_alike"
        print(f"{'not ok' if difference else 'ok'} 1 - {name}")
        if difference:
            print(difference)
            failures += 1
        for number, (requests, of_redis, of_quoin, why) in enumerate(known, 2):
            good = known_difference_exists(redis, quoin, requests, of_redis, of_quoin)
            failures += not good
            print(f"{'ok' if good else 'not ok'} {number} - differential_known: {requests}: {why}")
    sys.exit(1 if failures else 0)


def known_difference_exists(redis, quoin, requests, of_redis, of_quoin):
    found = []
    for server in (redis, quoin):
        with server.client() as client:
            client("FLUSHALL")
            found.append([client(*request.split()) for request in requests.split(";")][-1])
    if found != [of_redis, of_quoin]:
        print(f"# found {found}")
    return found == [of_redis, of_quoin]


if __name__ == "__main__":
    main()
