"""HyperLogLogs: counts, registers, encodings. Counting writes nothing here, so the cached count in
the head of the string differs; registers do not."""

from families import same


def key(d):
    return d.one([b"hll:1", b"hll:2", b"hll:3"])


def elements(d):
    if d.chance(0.25):
        start = d.random.randint(0, 5000)
        return [f"element:{i}" for i in range(start, start + d.one([50, 300, 1500]))]
    return [d.value() for _ in range(d.random.randint(0, 4))]


def keys(d, most=3):
    return [key(d) for _ in range(d.random.randint(1, most))]


def value(_words, left, right):
    """The registers of strings that are HyperLogLogs, behind the head with the cached count."""
    if isinstance(left, bytes) and isinstance(right, bytes) and left.startswith(b"HYLL"):
        return left[:8] == right[:8] and left[16:] == right[16:]
    return same(left, right)


def read(client, name):
    whole = client("GET", name)
    return whole[:8] + whole[16:] if whole.startswith(b"HYLL") else whole


MAKERS = [
    lambda d: ["PFADD", key(d)] + elements(d),
    lambda d: ["PFADD", key(d)] + elements(d),
    lambda d: ["PFCOUNT"] + keys(d),
    lambda d: ["PFMERGE", key(d)] + keys(d, 2),
    lambda d: ["PFDEBUG", d.one(["GETREG", "DECODE", "ENCODING", "TODENSE", "encoding", "x"]),
               key(d)],
    lambda d: ["PFDEBUG", "TODENSE", key(d)] if d.chance(0.2) else ["PFDEBUG", "DECODE", key(d)],
    lambda d: ["DEL", key(d)] if d.chance(0.3) else ["STRLEN", key(d)],
    lambda d: ["SET", key(d), d.one([b"HYLL", b"HYLL\x01" + bytes(10) + b"\x80", b"x",
                                     b"HYLL" * 9])]
    if d.chance(0.2) else ["GET", key(d)],
]

READERS = {"string": read}

ALIKE = {"get": value}
