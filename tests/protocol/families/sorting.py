"""SORT with its patterns over lists, sets and sorted sets; RESTORE of what is no payload."""

from families import Undefined, in_order, same
from families._draw import member, members, score

WEIGHTS = [b"w:%d" % i for i in range(6)] + [b"w:a", b"w:b"]
HASHES = [b"o:%d" % i for i in range(6)]


def options(d):
    """Not BY with ALPHA: of equal weights any may come first."""
    chosen = d.some([["ASC"], ["DESC"], ["ALPHA"], ["ALPHA"],
                     ["LIMIT", d.one([0, 1, -1, 5]), d.one([0, 2, 10, -1])],
                     ["BY", d.one(["w:*", "o:*->weight", "nosort", "*", "x*y"])],
                     ["GET", d.one(["#", "w:*", "o:*->name", "nostar"])], ["GET", "#"], ["FOO"]], 4)
    return [word for word in chosen if word != "ALPHA"] if "BY" in chosen else chosen


def sorted_alike(words, left, right):
    """Sets have no order where none is asked for. redis-server 7.0 takes the overflow of an earlier
    command (ZADD k 1e5000 m) for one of the weights, which are all small here."""
    if left == b"ERR One or more scores can't be converted into double" != right:
        raise Undefined
    if isinstance(left, list) and isinstance(right, list) and "nosort" in words:
        return in_order(left) == in_order(right)
    return same(left, right)


MAKERS = [
    lambda d: ["RPUSH", d.key()] + [d.random.randint(0, 5) for _ in range(d.random.randint(1, 8))],
    lambda d: ["SADD", d.key()] + [d.random.randint(0, 5) for _ in range(4)],
    lambda d: ["ZADD", d.key()] + [word for _ in range(4)
                                   for word in (score(d), d.random.randint(0, 5))],
    lambda d: ["RPUSH", d.key()] + members(d),
    lambda d: ["SET", d.one(WEIGHTS), d.one([1, 2, 3, 10, -5, "1.5", "x", "b"])],
    lambda d: ["HSET", d.one(HASHES), d.one(["weight", "name"]), d.one([1, 2, 3, "x"])],
    lambda d: ["SORT", d.key()] + options(d),
    lambda d: ["SORT", d.key()] + options(d),
    lambda d: ["SORT_RO", d.key()] + options(d),
    lambda d: ["SORT", d.key()] + options(d) + ["STORE", d.key()],
    lambda d: ["SORT", d.key(), "BY", "w:*", "GET", "#", "GET", "w:*"],
    lambda d: ["RESTORE", d.key(), d.one([0, 1000000, -1, "x"]), member(d)] +
    d.some([["REPLACE"], ["ABSTTL"], ["IDLETIME", d.one([1, -1])], ["FREQ", d.one([1, 256])],
            ["FOO"]], 2),
    lambda d: ["LRANGE", d.key(), 0, -1],
]

ALIKE = {"sort": sorted_alike, "sort_ro": sorted_alike}
