"""Lists, and the forms that wait, in and outside of MULTI, with an element there or not at all."""

from families import timeouts
from families._draw import count, index, many, member


def side(d):
    return d.one(["LEFT", "RIGHT", "left", "right"]) if d.chance(0.95) else d.one(["x", ""])


def timeout(d):
    """Outside of MULTI a list that is not there would be waited for."""
    return d.one(["0.01", "0.02"]) if d.chance(0.9) else d.one(["-1", "x", ""])


def read(client, key):
    return [client("LRANGE", key, 0, -1), client("LLEN", key)]


MAKERS = [
    lambda d: [d.one(["LPUSH", "RPUSH"]), d.key()] + many(d),
    lambda d: [d.one(["LPUSH", "RPUSH"]), d.key()] + many(d),
    lambda d: [d.one(["LPUSHX", "RPUSHX"]), d.key()] + many(d),
    lambda d: [d.one(["LPUSH", "RPUSH"]), d.key(), d.value()],
    lambda d: [d.one(["LPOP", "RPOP"]), d.key()] + ([count(d)] if d.chance(0.3) else []),
    lambda d: ["LLEN", d.key()],
    lambda d: ["LRANGE", d.key(), index(d), index(d)],
    lambda d: ["LINDEX", d.key(), index(d)],
    lambda d: ["LSET", d.key(), index(d), member(d)],
    lambda d: ["LINSERT", d.key(), d.one(["BEFORE", "AFTER", "x"]), member(d), member(d)],
    lambda d: ["LINSERT", d.key(), d.one(["BEFORE", "AFTER"]), member(d), d.value()],
    lambda d: ["LREM", d.key(), count(d), member(d)],
    lambda d: ["LTRIM", d.key(), index(d), index(d)],
    lambda d: ["LPOS", d.key(), member(d)] + d.some([["RANK", count(d)], ["COUNT", count(d)],
                                                    ["MAXLEN", count(d)], ["FOO"]], 3),
    lambda d: ["LMOVE", d.key(), d.key(), side(d), side(d)],
    lambda d: ["RPOPLPUSH", d.key(), d.key()],
    lambda d: ["LMPOP", d.one([1, 2, 2, 0, "x"])] + d.keys(2) + [side(d)] +
    d.some([["COUNT", count(d)], ["FOO"]], 1),
    lambda d: [d.one(["BLPOP", "BRPOP"])] + d.keys(3) + [timeout(d)],
    lambda d: ["BLMOVE", d.key(), d.key(), side(d), side(d), timeout(d)],
    lambda d: ["BRPOPLPUSH", d.key(), d.key(), timeout(d)],
    lambda d: ["BLMPOP", timeout(d), 1, d.key(), side(d)],
    lambda d: ["COPY", d.key(), d.key(), "REPLACE"],
]

READERS = {"list": read}

ALIKE = {name: timeouts for name in ("blpop", "brpop", "blmove", "brpoplpush", "blmpop")}
