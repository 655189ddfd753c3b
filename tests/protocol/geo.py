#!/usr/bin/env python3
"""Places in sorted sets: hashes, distances and searches; every option and error."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import E, asks, main, same, test  # noqa: E402
from resp import NULL_ARRAY, Double  # noqa: E402

SYNTAX = E("ERR syntax error")
NOT_FLOAT = E("ERR value is not a valid float")
WRONG_TYPE = E("WRONGTYPE Operation against a key holding the wrong kind of value")
UNIT = E("ERR unsupported unit provided. please use M, KM, FT, MI")
NO_MEMBER = E("ERR could not decode requested zset member")
PALERMO = [b"13.36138933897018433", b"38.11555639549629859"]
CATANIA = [b"15.08726745843887329", b"37.50266842333162032"]
HASHES = {b"Palermo": 3479099956230698, b"Catania": 3479447370796909}


def sicily(r):
    asks(r, ("GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", 2))


@test
def geoadd_adds_members_of_a_sorted_set(r):
    sicily(r)
    asks(r, ("TYPE g", "zset"), ("ZSCORE g Palermo", b"3479099956230698"),
         ("ZSCORE g Catania", b"3479447370796909"), ("GEOADD g 13.361389 38.115556 Palermo", 0),
         ("GEOADD g CH 14 38 Palermo 1 1 x", 2), ("GEOADD g NX 1 1 Palermo 2 2 y", 1),
         ("GEOADD g XX CH 1 1 z 3 3 y", 1), ("ZCARD g", 4))


@test
def geoadd_refuses(r):
    asks(r, ("GEOADD g 181 0 x", E("ERR invalid longitude,latitude pair 181.000000,0.000000")),
         ("GEOADD g 0 86 x", E("ERR invalid longitude,latitude pair 0.000000,86.000000")),
         ("GEOADD g 1 1 x -180.5 1 y",
          E("ERR invalid longitude,latitude pair -180.500000,1.000000")), ("EXISTS g", 0),
         ("GEOADD g x 1 y", NOT_FLOAT), ("GEOADD g 1 1 x 2", SYNTAX), ("GEOADD g NX 1 1", SYNTAX),
         ("GEOADD g NX XX 1 1 x", SYNTAX), ("SET s x", "OK"), ("GEOADD s 1 1 x", WRONG_TYPE))


@test
def edges_of_the_map(r):
    asks(r, ("GEOADD g 180 85.05112878 a -180 -85.05112878 b 0 0 c", 3),
         ("ZSCORE g b", b"0"), ("ZSCORE g c", b"3377699720527872"), ("GEODIST g c c", b"0.0000"),
         ("GEOSEARCH g FROMLONLAT 0 0 BYRADIUS 1 m", [b"c"]))


@test(only="quoin")
def longitude_180_is_found(r):
    """redis-server does not look into the column behind the last."""
    asks(r, ("GEOADD g 180 85.05112878 a -180 -85.05112878 b 0 0 c", 3))
    same(sorted(r("GEOSEARCH", "g", "FROMLONLAT", 0, 0, "BYRADIUS", 30000, "km")),
         [b"a", b"b", b"c"])


@test
def positions_and_hashes(r):
    sicily(r)
    asks(r, ("GEOPOS g Palermo x Catania", [PALERMO, NULL_ARRAY, CATANIA]),
         ("GEOPOS nosuch a", [NULL_ARRAY]), ("GEOPOS g", []),
         ("GEOHASH g Palermo x Catania", [b"sqc8b49rny0", None, b"sqdtr74hyu0"]),
         ("GEOHASH nosuch a", [None]), ("SET s x", "OK"), ("GEOPOS s a", WRONG_TYPE),
         ("GEOHASH s a", WRONG_TYPE))


@test
def distances_in_every_unit(r):
    sicily(r)
    asks(r, ("GEODIST g Palermo Catania", b"166274.1516"), ("GEODIST g Palermo Catania m",
                                                          b"166274.1516"),
         ("GEODIST g Palermo Catania km", b"166.2742"),
         ("GEODIST g Palermo Catania MI", b"103.3182"),
         ("GEODIST g Palermo Catania ft", b"545518.8700"), ("GEODIST g Palermo x", None),
         ("GEODIST nosuch a b", None), ("GEODIST g Palermo Catania parsec", UNIT),
         ("GEODIST g Palermo Catania km x", SYNTAX), ("SET s x", "OK"),
         ("GEODIST s a b", WRONG_TYPE))


@test
def search_by_radius_and_by_box(r):
    sicily(r)
    asks(r, ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC", [b"Catania", b"Palermo"]),
         ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km DESC", [b"Palermo", b"Catania"]),
         ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 100 km", [b"Catania"]),
         ("GEOSEARCH g FROMMEMBER Palermo BYBOX 400 400 km ASC", [b"Palermo", b"Catania"]),
         ("GEOSEARCH g FROMMEMBER Palermo BYBOX 100 400 km", [b"Palermo"]),
         ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km COUNT 1", [b"Catania"]),
         ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km COUNT 1 DESC", [b"Palermo"]),
         ("GEOSEARCH nosuch FROMMEMBER x BYRADIUS 1 km", []),
         ("GEORADIUS g 15 37 200 km ASC", [b"Catania", b"Palermo"]),
         ("GEORADIUS_RO g 15 37 100 km", [b"Catania"]),
         ("GEORADIUSBYMEMBER g Palermo 200 km DESC", [b"Catania", b"Palermo"]),
         ("GEORADIUSBYMEMBER_RO g Palermo 1 m", [b"Palermo"]))
    any_one = r("GEOSEARCH", "g", "FROMLONLAT", 15, 37, "BYRADIUS", 200, "km", "COUNT", 1, "ANY")
    assert len(any_one) == 1 and any_one[0] in HASHES, any_one


@test
def search_tells_distance_hash_and_place(r):
    sicily(r)
    asks(r, ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHCOORD WITHHASH WITHDIST",
             [[b"Catania", b"56.4413", HASHES[b"Catania"], CATANIA],
              [b"Palermo", b"190.4424", HASHES[b"Palermo"], PALERMO]]),
         ("GEORADIUS g 15 37 100 km WITHDIST", [[b"Catania", b"56.4413"]]),
         ("GEORADIUSBYMEMBER g Catania 1 m WITHHASH", [[b"Catania", HASHES[b"Catania"]]]))


@test
def resp3_has_coordinates_as_doubles(r3):
    sicily(r3)
    place = [Double(text) for text in PALERMO]
    asks(r3, ("GEOPOS g Palermo x", [place, None]), ("GEODIST g Palermo Catania", b"166274.1516"),
         ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 1 m WITHCOORD WITHDIST",
          [[b"Palermo", b"0.0000", place]]))


@test
def results_are_stored(r):
    sicily(r)
    asks(r, ("GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km", 2),
         ("ZRANGE d 0 -1 WITHSCORES", [b"Palermo", b"3479099956230698", b"Catania",
                                       b"3479447370796909"]),
         ("GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 100 km STOREDIST", 1),
         ("ZCOUNT d 56.44 56.45", 1), ("GEORADIUS g 15 37 200 km STORE d", 2), ("ZCARD d", 2),
         ("GEORADIUSBYMEMBER g Palermo 1 m STOREDIST d", 1), ("ZSCORE d Palermo", b"0"),
         ("GEORADIUS g 80 80 1 km STORE d", 0), ("EXISTS d", 0), ("SET d x", "OK"),
         ("GEOSEARCHSTORE d nosuch FROMLONLAT 1 1 BYRADIUS 1 km", 0), ("EXISTS d", 0))


@test
def searches_refuse(r):
    sicily(r)
    asks(r, ("GEOSEARCH g FROMMEMBER x BYRADIUS 1 km", NO_MEMBER),
         ("GEORADIUSBYMEMBER g x 1 km", NO_MEMBER),
         ("GEOSEARCH g BYRADIUS 1 km ASC ASC",
          E("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH")),
         ("geosearch g FROMMEMBER Palermo ASC ASC ASC",
          E("ERR exactly one of BYRADIUS and BYBOX can be specified for geosearch")),
         ("GEOSEARCH g FROMMEMBER Palermo FROMLONLAT 1 1 BYRADIUS 1 km", SYNTAX),
         ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS x km", E("ERR need numeric radius")),
         ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS -1 km", E("ERR radius cannot be negative")),
         ("GEOSEARCH g FROMMEMBER Palermo BYBOX x 1 km", E("ERR need numeric width")),
         ("GEOSEARCH g FROMMEMBER Palermo BYBOX 1 x km", E("ERR need numeric height")),
         ("GEOSEARCH g FROMMEMBER Palermo BYBOX -1 1 km",
          E("ERR height or width cannot be negative")),
         ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 1 x", UNIT),
         ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 1 km COUNT 0", E("ERR COUNT must be > 0")),
         ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 1 km ANY",
          E("ERR the ANY argument requires COUNT argument")),
         ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 1 km STOREDIST", SYNTAX),
         ("GEOSEARCHSTORE d g FROMMEMBER Palermo BYRADIUS 1 km WITHDIST",
          E("ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options")),
         ("GEORADIUS g 15 37 1 km STORE d WITHCOORD",
          E("ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and "
            "WITHCOORD options")),
         ("GEORADIUS_RO g 15 37 1 km STORE d", SYNTAX),
         ("GEORADIUS g 200 37 1 km", E("ERR invalid…")),
         ("SET s x", "OK"), ("GEOSEARCH s FROMMEMBER a BYRADIUS 1 km", WRONG_TYPE),
         ("GEORADIUS s 15 37 1 km", WRONG_TYPE), ("EXISTS d", 0))


main()
