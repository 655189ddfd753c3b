"""Places in sorted sets: the same hashes, distances and members as redis-server finds, except at
longitude 180, where it misses some."""

from families import in_order, same

PLACES = ["rome", "paris", "oslo", "lima", "suva", "nome", "quito", "perth"]
POINTS = [("12.4964", "41.9028"), ("2.3522", "48.8566"), ("10.7522", "59.9139"),
          ("-77.0428", "-12.0464"), ("178.4419", "-18.1248"), ("-165.4064", "64.5011"),
          ("-78.4678", "-0.1807"), ("115.8605", "-31.9505"), ("0", "0"), ("179.5", "84"),
          ("-179.5", "-84"), ("179.9999", "0.0001"), ("-179.9999", "0.0001")]
BAD = [("181", "0"), ("0", "86"), ("x", "0"), ("0", ""), ("nan", "0")]


def key(d):
    return d.one([b"geo:1", b"geo:2"]) if d.chance(0.9) else d.key()


def point(d):
    if d.chance(0.03):
        return list(d.one(BAD))
    lon, lat = d.one(POINTS)
    if d.chance(0.5):
        return [lon, lat]
    return [f"{d.random.uniform(-180, 180):.5f}", f"{d.random.uniform(-85, 85):.5f}"]


def place(d):
    return d.one(PLACES)


def unit(d):
    return d.one(["m", "km", "ft", "mi", "KM"]) if d.chance(0.97) else d.one(["x", ""])


def length(d):
    return d.one(["0", "1", "100", "1000", "5000", "20000", "0.5", "3000000"]) \
        if d.chance(0.96) else d.one(["-1", "x", ""])


def flags(d):
    return d.some([["WITHDIST"], ["WITHHASH"], ["WITHCOORD"], ["ASC"], ["DESC"],
                   ["COUNT", d.one([1, 2, 5, 100, 0, -1, "x"])], ["FOO"]], 3)


def shape(d):
    start = ["FROMMEMBER", place(d)] if d.chance(0.5) else ["FROMLONLAT"] + point(d)
    size = ["BYRADIUS", length(d), unit(d)] if d.chance(0.5) \
        else ["BYBOX", length(d), length(d), unit(d)]
    return (start if d.chance(0.97) else []) + (size if d.chance(0.97) else [])


def found(words, left, right):
    """In no order unless one was asked for; of equal distances any may come first."""
    if isinstance(left, list) and isinstance(right, list):
        return in_order(left) == in_order(right)
    return same(left, right)


MAKERS = [
    lambda d: ["GEOADD", key(d)] + d.some([["NX"], ["XX"], ["CH"]], 2) +
    [word for _ in range(d.random.randint(1, 4)) for word in point(d) + [place(d)]],
    lambda d: ["GEOADD", key(d)] + point(d) + [place(d)],
    lambda d: ["GEODIST", key(d), place(d), place(d)] + ([unit(d)] if d.chance(0.5) else []),
    lambda d: ["GEOHASH", key(d)] + [place(d) for _ in range(d.random.randint(0, 3))],
    lambda d: ["GEOPOS", key(d)] + [place(d) for _ in range(d.random.randint(0, 3))],
    lambda d: ["GEOSEARCH", key(d)] + shape(d) + flags(d),
    lambda d: ["GEOSEARCH", key(d)] + shape(d),
    lambda d: ["GEOSEARCH", key(d)] + shape(d) + ["WITHDIST", "WITHCOORD"],
    lambda d: ["GEOSEARCHSTORE", key(d), key(d)] + shape(d) + d.some([["STOREDIST"], ["ASC"]], 1),
    lambda d: ["GEORADIUS", key(d)] + point(d) + [length(d), unit(d)] + flags(d),
    lambda d: ["GEORADIUS_RO", key(d)] + point(d) + [length(d), unit(d)] + flags(d),
    lambda d: ["GEORADIUSBYMEMBER", key(d), place(d), length(d), unit(d)] + flags(d) +
    d.some([["STORE", key(d)], ["STOREDIST", key(d)]], 1),
    lambda d: ["GEORADIUSBYMEMBER_RO", key(d), place(d), length(d), unit(d)] + flags(d),
    lambda d: ["ZRANGE", key(d), 0, -1],
    lambda d: ["ZREM", key(d), place(d)],
]

ALIKE = {name: found for name in ("geosearch", "georadius", "georadius_ro", "georadiusbymember",
                                  "georadiusbymember_ro")}
