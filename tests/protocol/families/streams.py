"""Streams with ids of their own: the clock's differ. Consumers come into being earlier in 7.2, so
they are compared by what is pending for them."""

from resp import Error

from families import same
from families._draw import count, member

IDS = ["1-1", "1-2", "2-0", "2-5", "3", "3-1", "4-0", "5-5", "7-0", "10-1", "0-1", "20-0",
       "100-100"]
BAD_IDS = ["x", "", "1-", "-1", "1-x", "1-2-3", "18446744073709551616-0", "$", ">", "0-0", "0",
           "18446744073709551615-18446744073709551615"]
GROUPS = ["g", "h", "no such group"]
CONSUMERS = ["alice", "bob", ""]


def key(d):
    return d.one([b"s", b"t", b"s", b"t", b"u"]) if d.chance(0.95) else d.key()


def entry_id(d):
    return d.one(BAD_IDS) if d.chance(0.05) else d.one(IDS)


def new_id(d):
    if d.chance(0.1):
        return d.one(BAD_IDS + IDS + ["5-*", "1-*"])
    return f"{d.random.randint(1, 60)}-{d.random.randint(0, 3)}"


def bound(d):
    return d.one(["-", "+", "-", "+", "(1-1", "(3", "(x", "0"]) if d.chance(0.5) else entry_id(d)


def pairs(d):
    if d.chance(0.7):
        return ["name", member(d), "age", d.random.randint(0, 99)]
    return [word for _ in range(d.random.randint(1, 4)) for word in (member(d), member(d))]


def trim(d):
    return d.one([["MAXLEN", d.one([0, 1, 3, 10, -1, "x"])], ["MAXLEN", "=", d.one([2, 5])],
                  ["MAXLEN", "~", d.one([1, 5, 100])], ["MINID", entry_id(d)],
                  ["MINID", "~", entry_id(d)], ["MAXLEN", "~", 1, "LIMIT", d.one([0, 10, -1, "x"])],
                  ["MAXLEN", 1, "LIMIT", 1], ["LIMIT", 1], ["MAXLEN"]])


def read(client, name):
    info = client("XINFO", "STREAM", name)
    info = dict(zip(info[::2], info[1::2]))
    groups = []
    for group in client("XINFO", "GROUPS", name):
        group = dict(zip(group[::2], group[1::2]))
        group.pop(b"consumers")
        pending = client("XPENDING", name, group[b"name"])
        listed = client("XPENDING", name, group[b"name"], "-", "+", 1000)
        groups.append([sorted(group.items()), pending,
                       [[item[0], item[1], item[3]] for item in listed]])
    return [client("XRANGE", name, "-", "+"), client("XREVRANGE", name, "+", "-"),
            [info[part] for part in (b"length", b"last-generated-id", b"max-deleted-entry-id",
                                     b"entries-added", b"recorded-first-entry-id", b"groups",
                                     b"first-entry", b"last-entry")], groups]


def pending(_words, left, right):
    """Idle times differ by the moment of asking."""
    if isinstance(left, list) and isinstance(right, list) and left and isinstance(left[0], list):
        left = [[item[0], item[1], item[3]] for item in left]
        right = [[item[0], item[1], item[3]] for item in right]
    return same(left, right)


def info(words, left, right):
    """How a stream lies in memory, and consumers, are the server's own business; idempotent
    production is newer."""
    kind = str(words[1]).lower() if len(words) > 1 else ""
    if isinstance(left, list) and isinstance(right, list):
        if kind == "stream":
            skipped = (b"radix-tree-keys", b"radix-tree-nodes", b"idmp-duration", b"idmp-maxsize",
                       b"pids-tracked", b"iids-tracked", b"iids-added", b"iids-duplicates")
            left, right = ([(name, value) for name, value in zip(reply[::2], reply[1::2])
                            if name not in skipped] for reply in (left, right))
        if kind in ("consumers", "groups"):
            return True
    return same(left, right)




MAKERS = [
    lambda d: ["XADD", key(d)] + d.some([["NOMKSTREAM"], trim(d)], 2) + [new_id(d)] + pairs(d),
    lambda d: ["XADD", key(d), new_id(d)] + pairs(d),
    lambda d: ["XADD", key(d), new_id(d)] + pairs(d),
    lambda d: ["XADD", key(d), new_id(d)] + pairs(d),
    lambda d: ["XLEN", key(d)],
    lambda d: [d.one(["XRANGE", "XREVRANGE"]), key(d), bound(d), bound(d)] +
    d.some([["COUNT", count(d)], ["FOO"]], 1),
    lambda d: ["XRANGE", key(d), "-", "+"],
    lambda d: ["XDEL", key(d)] + [entry_id(d) for _ in range(d.random.randint(1, 3))],
    lambda d: ["XDEL", key(d), f"{d.random.randint(1, 60)}-{d.random.randint(0, 3)}"],
    lambda d: ["XTRIM", key(d)] + trim(d),
    lambda d: ["XREAD"] + d.some([["COUNT", count(d)]], 1) + ["STREAMS", key(d), entry_id(d)],
    lambda d: ["XREAD", "STREAMS", key(d), key(d), entry_id(d)] + ([entry_id(d)] if d.chance(0.9)
                                                                  else []),
    lambda d: ["XREAD", "BLOCK", d.one([10, 10, -1, "x"]), "STREAMS", key(d), d.one(["$", "0"])],
    lambda d: ["XGROUP", "CREATE", key(d), d.one(GROUPS[:2]), d.one(["0", "$", "2-0", "x"])] +
    d.some([["MKSTREAM"], ["ENTRIESREAD", d.one([0, 3, -1, -2, "x"])], ["FOO"]], 2),
    lambda d: ["XGROUP", "CREATE", key(d), d.one(GROUPS[:2]), "0", "MKSTREAM"],
    lambda d: ["XGROUP", "SETID", key(d), d.one(GROUPS), d.one(["0", "$", "2-0"])] +
    d.some([["ENTRIESREAD", d.one([0, 3, -1])]], 1),
    lambda d: ["XGROUP", d.one(["CREATECONSUMER", "DELCONSUMER"]), key(d), d.one(GROUPS),
               d.one(CONSUMERS)],
    lambda d: ["XGROUP", "DESTROY", key(d), d.one(GROUPS)] if d.chance(0.3) else ["XLEN", key(d)],
    lambda d: ["XREADGROUP", "GROUP", d.one(GROUPS[:2]), d.one(CONSUMERS)] +
    d.some([["COUNT", count(d)], ["NOACK"]], 1) + ["STREAMS", key(d), d.one([">", ">", "0", "3-1",
                                                                            "x", "$"])],
    lambda d: ["XREADGROUP", "GROUP", d.one(GROUPS[:2]), d.one(CONSUMERS), "COUNT", 2, "STREAMS",
               key(d), ">"],
    lambda d: ["XACK", key(d), d.one(GROUPS)] +
    [f"{d.random.randint(1, 60)}-{d.random.randint(0, 3)}" for _ in range(3)],
    lambda d: ["XACK", key(d), d.one(GROUPS), entry_id(d)],
    lambda d: ["XPENDING", key(d), d.one(GROUPS)],
    lambda d: ["XPENDING", key(d), d.one(GROUPS)] + d.some([["IDLE", d.one([0, "x"])]], 1) +
    [bound(d), bound(d), count(d)] + d.some([[d.one(CONSUMERS)]], 1),
    lambda d: ["XCLAIM", key(d), d.one(GROUPS), d.one(CONSUMERS), d.one([0, 0, 100000, "x"])] +
    [f"{d.random.randint(1, 60)}-{d.random.randint(0, 3)}" for _ in range(4)] +
    d.some([["JUSTID"], ["FORCE"], ["RETRYCOUNT", d.one([5, "x"])], ["IDLE", 1000], ["FOO"],
            ["LASTID", "3-1"]], 2),
    lambda d: ["XAUTOCLAIM", key(d), d.one(GROUPS), d.one(CONSUMERS), d.one([0, 0, 100000, "x"]),
               bound(d)] + d.some([["COUNT", d.one([1, 2, 100, 0, "x"])], ["JUSTID"]], 2),
    lambda d: ["XINFO", "STREAM", key(d)],
    lambda d: ["XSETID", key(d), entry_id(d)] +
    d.some([["ENTRIESADDED", d.one([0, 5, 100, -1])], ["MAXDELETEDID", entry_id(d)]], 2)
    if d.chance(0.2) else ["XLEN", key(d)],
    lambda d: ["COPY", key(d), key(d), "REPLACE"],
]

def reads(_words, left, right):
    """The text about unbalanced lists names the command in another way since 7.2."""
    both = isinstance(left, Error) and isinstance(right, Error)
    return (both and left.startswith(b"ERR Unbalanced") and right.startswith(b"ERR Unbalanced")) \
        or same(left, right)


def group(words, left, right):
    """In 7.2 a consumer that asked is there, whether it got something or not."""
    if len(words) > 1 and str(words[1]).lower() == "createconsumer" and isinstance(left, int):
        return isinstance(right, int)
    return same(left, right)


READERS = {"stream": read}

ALIKE = {"xpending": pending, "xinfo": info, "xread": reads, "xreadgroup": reads,
         "xgroup": group}
