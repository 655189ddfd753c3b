"""Sets. Random members come in forms whose outcome is known."""

from families import in_order, refused_cursor, same, unordered
from families._draw import count, many, member, members


def scan(words, left, right):
    if refused_cursor(words, right):
        return True
    if isinstance(left, list) and isinstance(right, list):
        return left[0] == right[0] and in_order(left[1]) == in_order(right[1])
    return same(left, right)


def read(client, key):
    # 7.2 has listpacks where 7.0 has tables.
    is_intset = client("OBJECT", "ENCODING", key) == b"intset"
    return [in_order(client("SMEMBERS", key)), client("SCARD", key), is_intset]


MAKERS = [
    lambda d: ["SADD", d.key()] + many(d),
    lambda d: ["SADD", d.key()] + many(d),
    lambda d: ["SADD", d.key()] + [d.random.randint(0, 40) for _ in range(5)],
    lambda d: ["SREM", d.key()] + members(d),
    lambda d: ["SREM", d.key()] + [i for i in range(-3, 31)],
    lambda d: [d.one(["SMEMBERS", "SCARD"]), d.key()],
    lambda d: ["SISMEMBER", d.key(), member(d)],
    lambda d: ["SMISMEMBER", d.key()] + members(d),
    lambda d: ["SMOVE", d.key(), d.key(), member(d)],
    lambda d: [d.one(["SINTER", "SUNION", "SDIFF"])] + d.keys(),
    lambda d: [d.one(["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"]), d.key()] + d.keys(),
    lambda d: ["SINTERCARD", d.one([1, 2, 0, "x", 9])] + d.keys(2) +
    d.some([["LIMIT", d.one([0, 1, 2, -1, "x"])], ["FOO"]], 1),
    lambda d: ["SPOP", d.key(), d.one([100000, 0, -1, "x"])],
    lambda d: ["SRANDMEMBER", d.key(), d.one([100000, 0, "x", ""])],
    lambda d: ["SSCAN", d.key(), 0, "COUNT", 100000] +
    d.some([["MATCH", "m*"], ["FOO"], ["COUNT", 0], ["COUNT", "x"]], 1),
    lambda d: ["SSCAN", d.key(), "x"] + d.some([["COUNT", count(d)]], 1)
    if d.chance(0.1) else ["TYPE", d.key()],
    lambda d: ["COPY", d.key(), d.key(), "REPLACE"],
]

READERS = {"set": read}

ALIKE = {name: unordered for name in ("smembers", "sinter", "sunion", "sdiff", "spop",
                                      "srandmember")}
ALIKE["sscan"] = scan
