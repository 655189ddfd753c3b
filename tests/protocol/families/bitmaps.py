"""Bits of strings, on both sides of the chunks that long ones are kept in."""

from resp import Error

from families import same

OFFSETS = [0, 1, 7, 8, 9, 63, 64, 100, 8191, 32767, 32768, 40000, 4294967295, 4294967296, -1, "x",
           ""]
TYPES = ["i1", "u1", "i8", "u8", "i16", "u16", "i5", "u63", "i64", "i33", "u64", "i0", "x", "i65"]


def offset(d):
    return d.one(OFFSETS[:12]) if d.chance(0.93) else d.one(OFFSETS)


def field(d):
    return [d.one(TYPES[:10]) if d.chance(0.95) else d.one(TYPES),
            d.one(["", "", "#"]) + str(d.one([0, 1, 3, 8, 13, 100, 300, "x", -1])
                                       if d.chance(0.1) else d.random.randint(0, 200))]


def number(d):
    """Not the farthest: saturating from there overflows in redis-server itself."""
    if d.chance(0.05):
        return d.one(["x", "", "1.5"])
    return d.one([0, 1, -1, 127, 128, 255, -128, -129, 65535, 1 << 33, -(1 << 40)])


def steps(d):
    words = []
    for _ in range(d.random.randint(1, 4)):
        kind = d.random.random()
        if kind < 0.2:
            words += ["OVERFLOW", d.one(["WRAP", "SAT", "FAIL", "wrap", "x"])]
        elif kind < 0.5:
            words += ["GET"] + field(d)
        else:
            words += [d.one(["SET", "INCRBY"])] + field(d) + [number(d)]
    return words


def range_words(d):
    ends = [[], [d.edge(), d.edge()], [d.edge(), d.edge(), d.one(["BIT", "BYTE", "bit", "x"])],
            [d.one([0, 1, 5, 20, -1, -9, 100]), d.one([0, 3, 9, 30, -1, -2]), "BIT"], [d.edge()]]
    return d.one(ends)


MAKERS = [
    lambda d: ["SETBIT", d.key(), offset(d), d.one([0, 1, 1, 1, 2, "x"])],
    lambda d: ["SETBIT", d.key(), d.random.randint(0, 300), 1],
    lambda d: ["GETBIT", d.key(), offset(d)],
    lambda d: ["BITCOUNT", d.key()] + range_words(d),
    lambda d: ["BITPOS", d.key(), d.one([0, 1, 1, 2, "x"])] + range_words(d),
    lambda d: ["BITOP", d.one(["AND", "OR", "XOR", "NOT", "and", "x"]), d.key()] + d.keys(3),
    lambda d: ["BITOP", "NOT", d.key(), d.key()],
    lambda d: ["BITFIELD", d.key()] + steps(d),
    lambda d: ["BITFIELD", d.key()] + steps(d),
    lambda d: ["BITFIELD_RO", d.key()] + (["GET"] + field(d) if d.chance(0.8) else steps(d)),
    lambda d: ["SET", d.key(), d.one([b"\xff", b"\x00", b"\xf0\x0f"]) * d.one([1, 3, 5000])],
]


def checked_first(_words, left, right):
    """Since 7.2 arguments are looked at before the key, and refused without one, too."""
    if isinstance(left, Error) and isinstance(right, Error):
        return True
    return (isinstance(left, int) and isinstance(right, Error)) or same(left, right)


ALIKE = {"bitcount": checked_first, "bitpos": checked_first}
