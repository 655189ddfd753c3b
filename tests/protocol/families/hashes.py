"""Hashes. Random fields come in forms whose outcome is known."""

from families import in_order, pairs, refused_cursor, same, unordered, unordered_pairs
from families._draw import count, many, member, members


def field_pairs(d):
    return [word for name in many(d) for word in (name, d.value() if d.chance(0.3) else member(d))]


def scan(words, left, right):
    if refused_cursor(words, right):
        return True
    if isinstance(left, list) and isinstance(right, list):
        return left[0] == right[0] and in_order(pairs(left[1])) == in_order(pairs(right[1]))
    return same(left, right)


def encoding_of(client, key):
    return client("OBJECT", "ENCODING", key)


def read(client, key):
    return [in_order(pairs(client("HGETALL", key))), client("HLEN", key), encoding_of(client, key)]


def randfield(words, left, right):
    if len(words) == 4 and isinstance(left, list):
        return unordered_pairs(words, left, right)
    return unordered(words, left, right)


MAKERS = [
    lambda d: ["HSET", d.key()] + field_pairs(d),
    lambda d: ["HSET", d.key()] + field_pairs(d),
    lambda d: ["HSET", d.key(), member(d), d.integer()],
    lambda d: ["HMSET", d.key()] + field_pairs(d),
    lambda d: ["HSETNX", d.key(), member(d), d.value()],
    lambda d: ["HGET", d.key(), member(d)],
    lambda d: ["HMGET", d.key()] + members(d),
    lambda d: [d.one(["HGETALL", "HKEYS", "HVALS", "HLEN"]), d.key()],
    lambda d: [d.one(["HEXISTS", "HSTRLEN"]), d.key(), member(d)],
    lambda d: ["HDEL", d.key()] + members(d),
    lambda d: ["HDEL", d.key()] + [i for i in range(-3, 31)],
    lambda d: ["HINCRBY", d.key(), member(d), d.integer()],
    lambda d: ["HINCRBYFLOAT", d.key(), member(d), d.floating()],
    lambda d: ["HRANDFIELD", d.key(), d.one([100000, 0, "x", ""])] + d.some([["WITHVALUES"]], 1),
    lambda d: ["HSCAN", d.key(), 0, "COUNT", 100000] +
    d.some([["MATCH", "m*"], ["FOO"], ["COUNT", 0], ["COUNT", "x"]], 1),
    lambda d: ["HSCAN", d.key(), "x"] + d.some([["COUNT", count(d)]], 1)
    if d.chance(0.1) else ["OBJECT", "ENCODING", d.key()],
    lambda d: ["COPY", d.key(), d.key(), "REPLACE"],
]

READERS = {"hash": read}

ALIKE = {"hgetall": unordered_pairs, "hkeys": unordered, "hvals": unordered, "hscan": scan,
         "hrandfield": randfield}
