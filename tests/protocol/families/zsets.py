"""Sorted sets. Scores compare as numbers: 7.0 prints 17 digits, 7.2 as few as it takes."""

from resp import Error

from families import in_order, refused_cursor, same, timeouts
from families._draw import count, index, many, member, members, score


def number(reply):
    try:
        return float(reply)
    except (TypeError, ValueError):
        return None


def alike(words, left, right):
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(alike(words, a, b) for a, b in zip(left, right))
    if type(left) is not type(right):
        return False
    if isinstance(left, Error) and str(words[0]).lower().startswith("bz"):
        return timeouts(words, left, right)
    if same(left, right):
        return True
    return isinstance(left, bytes) and number(left) is not None and number(left) == number(right)


def rank(_words, left, right):
    """7.0 takes no WITHSCORE."""
    old = isinstance(left, bytes) and left.startswith(b"ERR wrong number of arguments")
    return old or same(left, right)


def scan(words, left, right):
    if refused_cursor(words, right):
        return True
    if isinstance(left, list) and isinstance(right, list):
        return left[0] == right[0] and by_member(left[1]) == by_member(right[1])
    return same(left, right)


def by_member(flat):
    return in_order([[flat[at], number(flat[at + 1])] for at in range(0, len(flat), 2)])


def unordered(words, left, right):
    if len(words) == 4 and isinstance(left, list) and isinstance(right, list):
        return by_member(left) == by_member(right)
    if isinstance(left, list) and isinstance(right, list):
        return in_order(left) == in_order(right)
    return same(left, right)


def pairs(d):
    return [word for name in many(d) for word in (score(d), name)]


def bound(d):
    text = score(d)
    return d.one(["", "("]) + text


def lex(d):
    if d.chance(0.1):
        return d.one(["+", "-", "x", "", "+x", "a"])
    name = member(d)
    name = name if isinstance(name, bytes) else str(name).encode()
    return d.one([b"[", b"("]) + name


def lex_key(d):
    """Keys whose members have one score: what others give is not specified."""
    return d.one([b"lex:1", b"lex:2"])


def range_words(d, kinds=("rank", "rank", "score")):
    kind = d.one(kinds)
    words = [index(d), index(d)] if kind == "rank" else [bound(d), bound(d)] \
        if kind == "score" else [lex(d), lex(d)]
    words += [] if kind == "rank" else ["BYSCORE"] if kind == "score" else ["BYLEX"]
    return words + d.some([["REV"], ["LIMIT", count(d), count(d)]], 2)


def algebra_options(d, keys):
    return d.some([["WEIGHTS"] + [score(d) for _ in range(keys)],
                   ["AGGREGATE", d.one(["SUM", "MIN", "MAX", "x"])]], 2)


def algebra(d, name, store):
    keys = d.keys(3)
    stated = len(keys) if d.chance(0.95) else d.one([0, -1, "x", 9])
    words = [name] + ([d.key()] if store else []) + [stated] + keys
    if "DIFF" not in name or d.chance(0.05):
        words += algebra_options(d, len(keys))
    return words + ([] if store else d.some([["WITHSCORES"]], 1))


def read(client, key):
    flat = client("ZRANGE", key, 0, -1, "WITHSCORES")
    return [[[flat[at], number(flat[at + 1])] for at in range(0, len(flat), 2)],
            client("ZCARD", key)]  # not the encoding: SORT of redis-server changes it


MAKERS = [
    lambda d: ["ZADD", d.key()] + d.some([["NX"], ["XX"], ["GT"], ["LT"], ["CH"], ["INCR"]]) +
    pairs(d),
    lambda d: ["ZADD", d.key()] + pairs(d),
    lambda d: ["ZADD", d.key()] + pairs(d),
    lambda d: ["ZADD", d.key(), "INCR", score(d), member(d)],
    lambda d: ["ZADD", lex_key(d)] + [word for name in many(d) for word in ("0", name)],
    lambda d: ["ZRANGE", lex_key(d)] + range_words(d, ["lex"]) + d.some([["WITHSCORES"]], 1),
    lambda d: ["ZRANGESTORE", lex_key(d), lex_key(d)] + range_words(d, ["lex"]),
    lambda d: ["ZINCRBY", d.key(), score(d), member(d)],
    lambda d: ["ZREM", d.key()] + members(d),
    lambda d: ["ZCARD", d.key()],
    lambda d: [d.one(["ZSCORE", "ZRANK", "ZREVRANK"]), d.key(), member(d)],
    lambda d: ["ZMSCORE", d.key()] + members(d),
    lambda d: ["ZCOUNT", d.key(), bound(d), bound(d)],
    lambda d: ["ZLEXCOUNT", lex_key(d), lex(d), lex(d)],
    lambda d: ["ZRANGE", d.key()] + range_words(d) + d.some([["WITHSCORES"], ["FOO"]], 1),
    lambda d: ["ZRANGE", d.key()] + range_words(d) + d.some([["WITHSCORES"]], 1),
    lambda d: ["ZRANGESTORE", d.key(), d.key()] + range_words(d),
    lambda d: ["ZREVRANGE", d.key(), index(d), index(d)] + d.some([["WITHSCORES"], ["LIMIT", 0, 1]],
                                                                 1),
    lambda d: [d.one(["ZRANGEBYSCORE", "ZREVRANGEBYSCORE"]), d.key(), bound(d), bound(d)] +
    d.some([["WITHSCORES"], ["LIMIT", count(d), count(d)]], 2),
    lambda d: [d.one(["ZRANGEBYLEX", "ZREVRANGEBYLEX"]), lex_key(d), lex(d), lex(d)] +
    d.some([["LIMIT", count(d), count(d)]], 1),
    lambda d: ["ZREMRANGEBYRANK", d.key(), index(d), index(d)],
    lambda d: ["ZREMRANGEBYSCORE", d.key(), bound(d), bound(d)],
    lambda d: ["ZREMRANGEBYLEX", lex_key(d), lex(d), lex(d)],
    lambda d: [d.one(["ZPOPMIN", "ZPOPMAX"]), d.key()] + ([count(d)] if d.chance(0.4) else []),
    lambda d: ["ZMPOP", d.one([1, 2, 2, 0])] + d.keys(2) + [d.one(["MIN", "MAX", "x"])] +
    d.some([["COUNT", count(d)]], 1),
    lambda d: [d.one(["BZPOPMIN", "BZPOPMAX"])] + d.keys(2) + [d.one(["0.01", "-1", "x"])],
    lambda d: ["BZMPOP", "0.01", 1, d.key(), d.one(["MIN", "MAX"])],
    lambda d: algebra(d, d.one(["ZUNION", "ZINTER", "ZDIFF"]), False),
    lambda d: algebra(d, d.one(["ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE"]), True),
    lambda d: ["ZINTERCARD", 2, d.key(), d.key()] + d.some([["LIMIT", count(d)]], 1),
    lambda d: ["ZRANDMEMBER", d.key(), d.one([100000, 0, "x", ""])] + d.some([["WITHSCORES"]], 1),
    lambda d: ["ZSCAN", d.key(), 0, "COUNT", 100000] + d.some([["MATCH", "m*"], ["FOO"]], 1),
    lambda d: ["SADD", d.key()] + members(d),
    lambda d: ["OBJECT", "ENCODING", d.key()],
]

READERS = {"zset": read}

ALIKE = {name: alike for name in
         ("zadd", "zincrby", "zscore", "zmscore", "zrange", "zrevrange", "zrangebyscore",
          "zrevrangebyscore", "zpopmin", "zpopmax", "zmpop", "bzpopmin", "bzpopmax", "bzmpop",
          "zunion", "zinter", "zdiff")}
ALIKE["zrank"] = ALIKE["zrevrank"] = rank
ALIKE["zscan"] = scan
ALIKE["zrandmember"] = unordered
