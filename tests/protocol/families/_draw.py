"""What the families of collections share: members, scores, ranges."""

SMALL = [b"a", b"b", b"c", b"1", b"2", b"3", b"-1", b"007", b"", b"\xff\x00", b"hello world"]
SIZES = [63, 64, 65, 200, 700]
SCORES = ["0", "1", "2", "-1", "1.5", "3.25", "100", "-0.5", "1e10", "inf", "-inf", "+inf", "-0",
          "12345678901", "1e300"]
NO_SCORES = ["nan", "x", "", "1.5x", "1e5000", " 1", "NaN"]


def member(d):
    kind = d.random.random()
    if kind < 0.6:
        return d.one(SMALL)
    if kind < 0.9:
        return d.random.randint(-3, 30)
    if kind < 0.97:
        return b"m" * d.one(SIZES)
    return d.value()


def members(d, most=5):
    return [member(d) for _ in range(d.random.randint(1, most))]


def many(d):
    """Enough to leave the small forms, sometimes."""
    if d.chance(0.04):
        kind = d.one(["n", "m"])
        count = d.one([130, 140, 300, 600])
        return [i if kind == "n" else f"member:{i}" for i in range(count)]
    return members(d)


def score(d):
    return d.one(NO_SCORES) if d.chance(0.06) else d.one(SCORES)


def index(d):
    return d.one([0, 1, 2, 3, 5, 10, 100, -1, -2, -3, -10, -100]) if d.chance(0.93) else d.edge()


def count(d):
    return d.one([0, 1, 2, 3, 10, 1000, -1, -3]) if d.chance(0.9) else d.one(
        ["x", "", 9223372036854775807, -9223372036854775808, -9223372036854775807, "1.5"])
