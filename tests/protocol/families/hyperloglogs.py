"""HyperLogLogs: PFADD PFCOUNT PFMERGE PFDEBUG, on good values and on spoilt ones.

Values are compared as the strings they are: registers, runs and cached counts to the byte."""

import families
from resp import Error

HEADER = b"HYLL\x01\0\0\0" + bytes(8)


def element(d):
    return d.one([d.value, lambda: d.random.randint(0, 50), lambda: d.random.randint(0, 10**6)])()


def pfadd(d):
    most = 400 if d.chance(0.1) else 6
    return ["PFADD", d.key()] + [element(d) for _ in range(d.random.randint(0, most))]


def sparse(d):
    """Runs that cover the registers exactly, split in odd ways."""
    left, runs = 16384, b""
    while left > 0:
        kind = d.random.randrange(3)
        count = min(left, d.random.randint(1, (64, 16384 if d.chance(0.05) else 300, 4)[kind]))
        left -= count
        if kind == 0:
            runs += bytes([count - 1])
        elif kind == 1:
            runs += bytes([0x40 | (count - 1) >> 8, (count - 1) & 255])
        else:
            runs += bytes([0x80 | d.random.choice([0, 0, 1, 1, 5, 31]) << 2 | count - 1])
    return HEADER + runs


def spoilt(d):
    """What is a valid header with a body that is none, or no HyperLogLog at all."""
    return d.one([HEADER, HEADER[:15], b"HYLL\x02\0\0\0" + bytes(8), b"HYLL" + bytes(12),
                  HEADER + b"\x7f\xff\x00", HEADER + b"\x7f\xfe", HEADER + b"\x80",
                  b"HYLL" + bytes(12300), b"HYLL" + bytes(12299)])


def given(d):
    value = sparse(d) if d.chance(0.6) else spoilt(d)
    if d.chance(0.2):
        value = b"HYLL" + bytes(12) + d.random.randbytes(12288)
    return ["SET", d.key(), value[:15] + bytes([d.one([0, 128])]) + value[16:]]


MAKERS = [
    pfadd, pfadd, pfadd, pfadd,
    lambda d: ["PFCOUNT", d.key()],
    lambda d: ["PFCOUNT"] + d.keys(),
    lambda d: ["PFMERGE"] + d.keys(),
    # TODENSE and GETREG change the value, of which WATCH does not hear in redis-server.
    lambda d: ["PFDEBUG", d.one(["ENCODING", "DECODE", "encoding", "FOO"]), d.key()],
    given,
    lambda d: ["PFSELFTEST"] if d.chance(0.002) else ["PFCOUNT", d.key()],
]


def unless_damaged(words, left, right):
    """In a damaged value redis-server keeps what it changed before it found out. And it takes a
    missing second byte of the last run for zero, and writes beyond the value's end."""
    if isinstance(right, Error) and right.startswith(b"INVALIDOBJ"):
        raise families.Undefined
    is_decoded = isinstance(left, bytes) and isinstance(right, bytes) and "DECODE" in words[1:2]
    return families.same(left, right) or (is_decoded and left.rsplit(b" ", 1)[0] == right)


ALIKE = {name: unless_damaged for name in ("pfadd", "pfcount", "pfmerge", "pfdebug")}

KNOWN = [
    ("SET k HYLL; BITFIELD k SET u8 #4 1 SET u8 #16 64; PFDEBUG DECODE k", b"Z:1", b"",
     "a run whose second byte is missing is none"),
]
