"""Bitmaps: SETBIT GETBIT BITCOUNT BITPOS BITOP BITFIELD."""

from resp import Error, typed

UNITS = [[], [], ["BYTE"], ["BIT"], ["bit"], ["FOO"], ["BIT", "BIT"]]
TYPES = ["u1", "u2", "u7", "u8", "u13", "u31", "u32", "u63", "i1", "i2", "i5", "i8", "i16", "i33",
         "i63", "i64"]
NO_TYPES = ["u64", "i65", "u0", "I8", "8", "", "u", "i-1", "u08"]


def offset(d):
    if d.chance(0.05):
        return d.one([-1, "x", "", 4294967296, 1 << 63, "#", "1.5"])
    return d.one([0, 1, 7, 8, 9, 63, 64, 1000, 20000, 32767, 100000]) + d.random.randint(0, 20)


def span(d):
    words = [d.edge() for _ in range(d.one([0, 0, 1, 2, 2, 2]))]
    return words + (d.one(UNITS) if len(words) == 2 else [])


def setbit(d):
    return ["SETBIT", d.key(), offset(d), d.one([0, 1, 1, 1, 2, -1, "x"])]


def bitpos(d):
    return ["BITPOS", d.key(), d.one([0, 1, 0, 1, 0, 1, 2, "x"])] + span(d)


def bitop(d):
    name = d.one(["AND", "OR", "XOR", "NOT", "and", "FOO"])
    return ["BITOP", name, d.key()] + d.keys(1 if name == "NOT" and d.chance(0.9) else 4)


def field(d):
    kind = d.one(TYPES) if d.chance(0.97) else d.one(NO_TYPES)
    at = offset(d)
    return [kind, f"#{at % 300}" if d.chance(0.2) and isinstance(at, int) else at]


def amount(d, least):
    if d.chance(0.03):
        return d.one(["x", "", 1 << 63])
    return d.one([0, 1, -1, 100, -100, 255, 2**31, -2**31, 2**63 - 1, least,
                  d.random.randint(least, 2**63 - 1)])


def bitfield(d):
    words = ["BITFIELD", d.key()]
    for _ in range(d.random.randint(0, 6)):
        kind = d.one(["GET", "SET", "INCRBY", "INCRBY", "OVERFLOW"])
        words.append(kind if d.chance(0.9) else kind.lower())
        if kind == "OVERFLOW":
            words.append(d.one(["WRAP", "SAT", "FAIL", "sat", "FOO"] if d.chance(0.1) else
                               ["WRAP", "SAT", "FAIL"]))
        else:
            words += field(d)
            if kind != "GET":
                words.append(amount(d, -2**63 if kind == "INCRBY" else -2**62))
    return words


def bitfield_ro(d):
    words = ["BITFIELD_RO", d.key()]
    for _ in range(d.random.randint(0, 4)):
        words += ["GET"] + field(d)
    return words + (["SET", "u8", 0, 1] if d.chance(0.1) else [])


MAKERS = [
    setbit, setbit, bitpos, bitop, bitfield, bitfield, bitfield_ro,
    lambda d: ["GETBIT", d.key(), offset(d)],
    lambda d: ["BITCOUNT", d.key()] + span(d),
]


def errors_first(_words, left, right):
    """Since 7.2 bad arguments are an error for a key of another type, or that is not there, too."""
    missing = left in (0, -1) or (isinstance(left, Error) and left.startswith(b"WRONGTYPE"))
    return typed(left) == typed(right) or (missing and isinstance(right, Error))


ALIKE = {"bitcount": errors_first, "bitpos": errors_first}

KNOWN = [
    ("BITCOUNT k 1 x", 0, b"ERR value is not an integer or out of range",
     "as since 7.2 the arguments are looked at before the key"),
    ("BITPOS k 1 x", -1, b"ERR value is not an integer or out of range",
     "as since 7.2 the arguments are looked at before the key"),
    ("BITFIELD k OVERFLOW SAT SET i63 0 -9223372036854775808; BITFIELD k GET i63 0",
     [2**62 - 1], [-2**62], "what is far below is not taken for too large"),
]
