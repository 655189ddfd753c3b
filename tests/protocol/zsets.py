#!/usr/bin/env python3
"""Sorted sets: every command, option and error; small and large sets answer alike."""

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from quoin import E, Server, ask, asks, main, same, test  # noqa: E402
from resp import NULL_ARRAY, Double  # noqa: E402

SYNTAX = E("ERR syntax error")
NOT_FLOAT = E("ERR value is not a valid float")
NOT_INT = E("ERR value is not an integer or out of range")
MIN_MAX = E("ERR min or max is not a float")
LEX = E("ERR min or max not valid string range item")
WRONG_TYPE = E("WRONGTYPE Operation against a key holding the wrong kind of value")
POSITIVE = E("ERR value is out of range, must be positive")
LIMIT = E("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
NO_SCORES = E("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
GT_LT_NX = E("ERR GT, LT, and/or NX options at the same time are not compatible")
NO_NUMBER = E("ERR resulting score is not a number (NaN)")


def flat(text):
    return [word.encode() for word in text.split()]


def both_forms(run=None, only=None):
    """The same requests to sets that are packs and to sets that are tables."""
    if run is None:
        return lambda wrapped: both_forms(wrapped, only)

    def wrapped(r):
        try:
            for entries in (128, 0):
                asks(r,
             ("FLUSHALL", "OK"), (f"CONFIG SET zset-max-listpack-entries {entries}", "OK"))
                run(r)
        finally:
            r("CONFIG", "SET", "zset-max-listpack-entries", 128)
    wrapped.__name__ = run.__name__
    return test(wrapped, only)


# --- members and scores ---


@both_forms
def zadd_counts_what_is_new(r):
    asks(r, ("ZADD z 1 a 2 b", 2), ("ZADD z 3 a 4 c", 1), ("ZCARD z", 3), ("ZSCORE z a", b"3"),
         ("ZSCORE z nosuch", None), ("ZSCORE nosuch a", None), ("ZCARD nosuch", 0),
         ("ZADD z 1 d 2 d", 1), ("ZSCORE z d", b"2"), ("TYPE z", "zset"))


@both_forms
def zadd_ch_counts_what_changed(r):
    asks(r, ("ZADD z CH 1 a 2 b", 2), ("ZADD z CH 1 a 3 b 4 c", 2), ("ZADD z ch 4 c", 0))


@both_forms
def zadd_nx_adds_only_and_xx_changes_only(r):
    asks(r, ("ZADD z 1 a", 1), ("ZADD z NX CH 5 a 2 b", 1), ("ZSCORE z a", b"1"),
         ("ZADD z XX CH 6 a 3 c", 1), ("ZSCORE z c", None), ("ZSCORE z a", b"6"),
         ("ZADD nosuch XX 1 a", 0), ("EXISTS nosuch", 0))


@both_forms
def zadd_gt_and_lt_move_one_way_and_add(r):
    asks(r, ("ZADD z 5 a", 1), ("ZADD z GT CH 4 a 1 b", 1), ("ZADD z GT CH 6 a", 1),
         ("ZADD z LT CH 7 a 9 c", 1), ("ZADD z LT CH 2 a", 1), ("ZSCORE z a", b"2"),
         ("ZADD z XX GT CH 3 a 1 d", 1), ("ZSCORE z d", None))


@both_forms
def zadd_incr_replies_the_score_or_nil(r):
    asks(r, ("ZADD z INCR 2.5 a", b"2.5"), ("ZADD z INCR 2 a", b"4.5"),
         ("ZADD z NX INCR 1 a", None),
         ("ZADD z XX INCR 1 b", None), ("ZADD z GT INCR -1 a", None),
         ("ZADD z LT INCR -1 a", b"3.5"), ("ZADD z CH INCR 1 a", b"4.5"))


@both_forms
def zadd_refuses(r):
    asks(r, ("ZADD z 1", E("ERR wrong number of arguments for 'zadd' command")),
         ("ZADD z 1 a 2", SYNTAX), ("ZADD z NX XX", SYNTAX), ("ZADD z FOO 1 a", SYNTAX),
         ("ZADD z NX XX 1 a", E("ERR XX and NX options at the same time are not compatible")),
         ("ZADD z NX GT 1 a", GT_LT_NX), ("ZADD z NX LT 1 a", GT_LT_NX),
         ("ZADD z GT LT 1 a", GT_LT_NX),
         ("ZADD z INCR 1 a 2 b", E("ERR INCR option supports a single increment-element pair")),
         ("ZADD z x a", NOT_FLOAT), ("ZADD z 1 a nan b", NOT_FLOAT),
         ("ZADD z 1e5000 a", NOT_FLOAT),
         (("ZADD", "z", "", "a"), NOT_FLOAT), (("ZADD", "z", " 1", "a"), NOT_FLOAT),
         ("EXISTS z", 0), ("SET s x", "OK"), ("ZADD s 1 a", WRONG_TYPE), ("ZADD s x a", NOT_FLOAT),
         ("ZCARD s", WRONG_TYPE), ("ZSCORE s a", WRONG_TYPE), ("ZMSCORE s a", WRONG_TYPE))


@both_forms
def infinities_do_not_meet(r):
    asks(r, ("ZADD z inf a -inf b +Infinity c", 3), ("ZSCORE z a", b"inf"),
         ("ZSCORE z b", b"-inf"),
         ("ZINCRBY z -inf a", NO_NUMBER), ("ZADD z INCR inf b", NO_NUMBER), ("ZSCORE z a", b"inf"),
         ("ZINCRBY z 1 a", b"inf"), ("ZRANGE z 0 -1", flat("b a c")))


@both_forms
def zincrby_adds(r):
    asks(r, ("ZINCRBY z 1.5 a", b"1.5"), ("ZINCRBY z -3 a", b"-1.5"), ("ZINCRBY z x a", NOT_FLOAT),
         ("ZINCRBY z nan a", NOT_FLOAT), ("SET s x", "OK"), ("ZINCRBY s 1 a", WRONG_TYPE))


@both_forms
def zrem_removes_and_the_last_takes_the_key(r):
    asks(r, ("ZADD z 1 a 2 b 3 c", 3), ("ZREM z a nosuch a", 1), ("ZREM z b c", 2),
         ("EXISTS z", 0),
         ("ZREM z a", 0), ("SET s x", "OK"), ("ZREM s a", WRONG_TYPE))


@both_forms
def zmscore_replies_each(r):
    asks(r, ("ZADD z 1 a 2 b", 2), ("ZMSCORE z a x b", [b"1", None, b"2"]),
         ("ZMSCORE nosuch a b", [None, None]))


@both_forms
def members_are_bytes(r):
    names = [b"", b"\0", b"\xff\r\n", b"007", b"7", b"-0", b"x" * 1024, b"x" * 1025, b"x" * 5000]
    for at, name in enumerate(names):
        ask(r, ("ZADD", "z", 0, name), 1)
        ask(r, ("ZADD", "z", 0, name), 0)
        ask(r, ("ZADD", "numbered", at, name), 1)
    ask(r, "ZRANGE z 0 -1", sorted(names))
    ask(r, "ZRANGE numbered 0 -1", names)
    for at, name in enumerate(names):
        asks(r, (("ZRANK", "numbered", name), at), (("ZSCORE", "numbered", name), b"%d" % at))


@both_forms
def scores_are_written_as_numbers(r):
    for text, reply in [("1", b"1"), ("1.0", b"1"), ("-3", b"-3"), ("0.5", b"0.5"),
                        ("1e3", b"1000"), ("0x10", b"16"), ("1e20", b"1e+20"),
                        ("12345678901", b"12345678901"),
             ("9007199254740993", b"9007199254740992")]:
        r("DEL", "z")
        asks(r, (f"ZADD z {text} a", 1), ("ZSCORE z a", reply))


@test(only="quoin")
def scores_take_as_few_digits_as_they_need(r):
    """7.0 writes 17 digits, 7.2 as few as read back to the same number."""
    asks(r, ("ZADD z 0.1 a 3.3 b 1e-7 c", 3), ("ZMSCORE z a b c", [b"0.1", b"3.3", b"1e-7"]))


@test
def encodings_follow_the_limits(r):
    asks(r, ("ZADD z 1 a", 1), ("OBJECT ENCODING z", b"listpack"),
         (("ZADD", "z", 1, "x" * 64), 1), ("OBJECT ENCODING z", b"listpack"),
         (("ZADD", "z", 1, "x" * 65), 1), ("OBJECT ENCODING z", b"skiplist"))
    for number in range(128):
        r("ZADD", "n", number, number)
    asks(r, ("OBJECT ENCODING n", b"listpack"), ("ZADD n 1 x", 1),
         ("OBJECT ENCODING n", b"skiplist"),
         ("ZREM n x 1 2 3", 4), ("OBJECT ENCODING n", b"skiplist"))


# --- ranks and ranges ---


@both_forms
def ranks_count_from_either_end(r):
    asks(r, ("ZADD z 1 a 2 b 2 c 3 d", 4), ("ZRANK z a", 0), ("ZRANK z c", 2), ("ZREVRANK z d", 0),
         ("ZREVRANK z b", 2), ("ZRANK z x", None), ("ZREVRANK nosuch x", None), ("SET s x", "OK"),
         ("ZRANK s a", WRONG_TYPE))


@test(only="quoin")
def ranks_with_scores(r):
    """Since 7.2."""
    asks(r, ("ZADD z 1 a 2.5 b", 2), ("ZRANK z b WITHSCORE", [1, b"2.5"]),
         ("ZREVRANK z b withscore", [0, b"2.5"]), ("ZRANK z x WITHSCORE", NULL_ARRAY),
         ("ZRANK z a FOO", SYNTAX), ("ZRANK z a WITHSCORE x", E("ERR wrong number of arguments "
                                                                "for 'zrank' command")))


@both_forms
def zrange_by_rank(r):
    asks(r, ("ZADD z 1 a 2 b 3 c 4 d", 4), ("ZRANGE z 0 -1", flat("a b c d")),
         ("ZRANGE z 1 2", flat("b c")), ("ZRANGE z -2 -1", flat("c d")),
         ("ZRANGE z -100 0", flat("a")),
         ("ZRANGE z 3 100", flat("d")), ("ZRANGE z 4 5", []), ("ZRANGE z 2 1", []),
         ("ZRANGE nosuch 0 -1", []), ("ZRANGE z 0 1 REV", flat("d c")),
         ("ZRANGE z 0 1 WITHSCORES", flat("a 1 b 2")), ("ZREVRANGE z 1 2", flat("c b")),
         ("ZREVRANGE z 0 0 WITHSCORES", flat("d 4")))


@both_forms
def zrange_by_score(r):
    asks(r, ("ZADD z 1 a 2 b 3 c 4 d", 4), ("ZRANGE z 2 3 BYSCORE", flat("b c")),
         ("ZRANGE z (2 3 BYSCORE", flat("c")), ("ZRANGE z (2 (3 BYSCORE", []),
         ("ZRANGE z -inf +inf BYSCORE LIMIT 1 2", flat("b c")),
         ("ZRANGE z +inf -inf BYSCORE REV LIMIT 1 2", flat("c b")),
         ("ZRANGE z 3 2 BYSCORE REV WITHSCORES", flat("c 3 b 2")), ("ZRANGE z 3 2 BYSCORE", []),
         ("ZRANGEBYSCORE z (1 3 WITHSCORES LIMIT 0 1", flat("b 2")),
         ("ZRANGEBYSCORE z 1 9 LIMIT 3 -1", flat("d")), ("ZRANGEBYSCORE z 1 9 LIMIT -1 2", []),
         ("ZRANGEBYSCORE z 1 9 LIMIT 0 0", []), ("ZRANGEBYSCORE z 1 9 LIMIT 9 1", []),
         ("ZREVRANGEBYSCORE z 3 1", flat("c b a")),
         ("ZREVRANGEBYSCORE z 3 (1 LIMIT 1 5", flat("b")),
         ("ZCOUNT z 2 3", 2), ("ZCOUNT z (2 +inf", 2), ("ZCOUNT z 5 1", 0),
         ("ZCOUNT nosuch 0 1", 0))


@both_forms
def zrange_by_name(r):
    asks(r, ("ZADD z 0 a 0 b 0 c 0 d 0 ab", 5), ("ZRANGE z - + BYLEX", flat("a ab b c d")),
         ("ZRANGE z [ab (d BYLEX", flat("ab b c")), ("ZRANGE z (a [b BYLEX", flat("ab b")),
         ("ZRANGE z + - BYLEX REV LIMIT 1 2", flat("c b")), ("ZRANGE z + - BYLEX", []),
         ("ZRANGEBYLEX z - [b", flat("a ab b")), ("ZRANGEBYLEX z - + LIMIT 1 1", flat("ab")),
         ("ZREVRANGEBYLEX z [b -", flat("b ab a")), ("ZREVRANGEBYLEX z + [c LIMIT 0 1", flat("d")),
         ("ZLEXCOUNT z - +", 5), ("ZLEXCOUNT z (a (b", 1), ("ZLEXCOUNT z [x [a", 0),
         ("ZLEXCOUNT nosuch - +", 0))


@both_forms
def ranges_refuse(r):
    asks(r, ("ZADD z 1 a", 1), ("ZRANGE z x 1", NOT_INT), ("ZRANGE z 0 1 FOO", SYNTAX),
         ("ZRANGE z x 1 BYSCORE", MIN_MAX), ("ZRANGE z 0 nan BYSCORE", MIN_MAX),
         ("ZRANGE z 0 ((1 BYSCORE", MIN_MAX), ("ZRANGE z a b BYLEX", LEX),
         ("ZRANGE z [a +b BYLEX", LEX),
         ("ZRANGE z 0 1 BYSCORE BYLEX", SYNTAX), ("ZRANGE z 0 1 LIMIT 0 1", LIMIT),
         ("ZRANGE z - + BYLEX WITHSCORES", NO_SCORES), ("ZRANGE z 0 1 BYSCORE LIMIT 0", SYNTAX),
         ("ZRANGE z 0 1 BYSCORE LIMIT x 1", NOT_INT), ("ZREVRANGE z 0 1 LIMIT 0 1", LIMIT),
         ("ZREVRANGE z 0 1 REV", SYNTAX), ("ZRANGEBYSCORE z 0 1 BYLEX", SYNTAX),
         ("ZRANGEBYLEX z - + WITHSCORES", NO_SCORES), ("ZCOUNT z x 1", MIN_MAX),
         ("ZLEXCOUNT z x +", LEX), ("ZREMRANGEBYRANK z x 1", NOT_INT),
         ("ZREMRANGEBYSCORE z x 1", MIN_MAX), ("ZREMRANGEBYLEX z x +", LEX),
         ("ZRANGESTORE d z 0 1 WITHSCORES", SYNTAX), ("SET s x", "OK"),
         ("ZRANGE s 0 1", WRONG_TYPE),
         ("ZRANGE s x 1", NOT_INT), ("ZCOUNT s 0 1", WRONG_TYPE),
         ("ZRANGESTORE d s 0 1", WRONG_TYPE))


@both_forms
def zrangestore_replaces_the_target(r):
    asks(r, ("ZADD z 1 a 2 b 3 c", 3), ("SET d x EX 100", "OK"), ("ZRANGESTORE d z 1 -1", 2),
         ("ZRANGE d 0 -1 WITHSCORES", flat("b 2 c 3")), ("TTL d", -1),
         ("ZRANGESTORE z z (1 2 BYSCORE", 1), ("ZRANGE z 0 -1", flat("b")),
         ("ZRANGESTORE d nosuch 0 -1", 0), ("EXISTS d", 0))


@both_forms
def zremrange_removes(r):
    asks(r, ("ZADD z 1 a 2 b 3 c 4 d 5 e", 5), ("ZREMRANGEBYRANK z 0 0", 1),
         ("ZREMRANGEBYRANK z 9 10", 0), ("ZREMRANGEBYSCORE z (2 3", 1),
         ("ZRANGE z 0 -1", flat("b d e")),
         ("ZREMRANGEBYRANK z -1 -1", 1), ("ZREMRANGEBYSCORE z -inf +inf", 2), ("EXISTS z", 0),
         ("ZADD z 0 a 0 b 0 c", 3), ("ZREMRANGEBYLEX z [a (c", 2), ("ZREMRANGEBYLEX z - +", 1),
         ("EXISTS z", 0), ("ZREMRANGEBYLEX z - +", 0))


# --- popping ---


@both_forms
def pops_take_from_an_end(r):
    asks(r, ("ZADD z 1 a 2 b 3 c 4 d 5 e", 5), ("ZPOPMIN z", flat("a 1")),
         ("ZPOPMAX z", flat("e 5")),
         ("ZPOPMAX z 2", flat("d 4 c 3")), ("ZPOPMIN z 0", []), ("ZPOPMIN z 9", flat("b 2")),
         ("EXISTS z", 0), ("ZPOPMIN z", []), ("ZPOPMIN z -1", POSITIVE), ("ZPOPMIN z x", POSITIVE),
         ("ZPOPMIN z 1 2", SYNTAX), ("SET s x", "OK"), ("ZPOPMIN s", WRONG_TYPE),
         ("ZPOPMAX s -1", POSITIVE))


@both_forms
def zmpop_takes_from_the_first_that_has_some(r):
    asks(r, ("ZADD z 1 a 2 b 3 c", 3), ("ZMPOP 2 nosuch z MIN", [b"z", [flat("a 1")]]),
         ("ZMPOP 1 z MAX COUNT 9", [b"z", [flat("c 3"), flat("b 2")]]),
         ("ZMPOP 2 nosuch z MIN", NULL_ARRAY), ("SET s x", "OK"),
         ("ZMPOP 2 nosuch s MIN", WRONG_TYPE),
         ("ZMPOP 0 z MIN", E("ERR numkeys should be greater than 0")),
         ("ZMPOP x z MIN", E("ERR numkeys should be greater than 0")), ("ZMPOP 1 z FOO", SYNTAX),
         ("ZMPOP 2 z MIN", SYNTAX),
         ("ZMPOP 1 z MIN COUNT 0", E("ERR count should be greater than 0")),
         ("ZMPOP 1 z MIN COUNT", SYNTAX), ("ZMPOP 1 z MIN COUNT 1 COUNT 1", SYNTAX))


@test
def waiting_pops_do_not_wait_for_what_is_there(r):
    asks(r, ("ZADD z 1 a 2 b 3 c 4 d", 4), ("BZPOPMIN nosuch z 0", [b"z", b"a", b"1"]),
         ("BZPOPMAX z 0", [b"z", b"d", b"4"]), ("BZMPOP 0 1 z MAX COUNT 2",
                                                [b"z", [flat("c 3"), flat("b 2")]]),
         ("BZPOPMIN z 0.01", NULL_ARRAY), ("BZMPOP 0.01 1 z MIN", NULL_ARRAY),
         ("BZPOPMIN z x", E("ERR timeout is not a float or out of range")),
         ("BZPOPMIN z -1", E("ERR timeout is negative")),
         ("BZMPOP 0 0 z MIN", E("ERR numkeys should be greater than 0")), ("SET s x", "OK"),
         ("BZPOPMIN s 0", WRONG_TYPE), ("BZPOPMIN z s 0", WRONG_TYPE))


@test
def waiting_pops_are_served_by_zadd(r, server):
    for request, reply in [("BZPOPMIN y z 0", [b"z", b"a", b"1"]),
         ("BZPOPMAX z 0", [b"z", b"b", b"2"]),
                           ("BZMPOP 0 1 z MIN", [b"z", [flat("a 1")]])]:
        found = []

        def wait(request=request, found=found):
            with server.client() as other:
                found.append(other(*request.split()))
        thread = threading.Thread(target=wait)
        thread.start()
        while b"blocked_clients:1" not in r("INFO", "clients"):
            pass
        ask(r, "ZADD z 1 a 2 b", 2)
        thread.join()
        same(found, [reply])
        r("DEL", "z")


@test
def waiting_pops_do_not_wait_in_a_transaction(r):
    asks(r, ("MULTI", "OK"), ("BZPOPMIN z 0", "QUEUED"), ("BZMPOP 0 1 z MIN", "QUEUED"),
         ("EXEC", [NULL_ARRAY, NULL_ARRAY]))


# --- algebra ---


@both_forms
def union_intersection_and_difference(r):
    asks(r, ("ZADD a 1 x 2 y 3 z", 3), ("ZADD b 10 y 20 z 30 w", 3), ("SADD s y w v", 3),
         ("ZUNION 2 a b WITHSCORES", flat("x 1 y 12 z 23 w 30")),
         ("ZINTER 2 a b WITHSCORES", flat("y 12 z 23")), ("ZDIFF 2 a b WITHSCORES", flat("x 1")),
         ("ZUNION 2 a b", flat("x y z w")), ("ZINTER 3 a b s WITHSCORES", flat("y 13")),
         ("ZUNION 2 s nosuch WITHSCORES", flat("v 1 w 1 y 1")), ("ZDIFF 2 a s", flat("x z")),
         ("ZDIFF 2 s a WITHSCORES", flat("v 1 w 1")), ("ZINTER 2 a nosuch", []),
         ("ZDIFF 2 nosuch a", []),
         ("ZUNION 2 a b WEIGHTS 2 0.5 WITHSCORES", flat("x 2 y 9 w 15 z 16")),
         ("ZUNION 2 a b AGGREGATE MIN WITHSCORES", flat("x 1 y 2 z 3 w 30")),
         ("ZINTER 2 a b AGGREGATE max WEIGHTS 1 -1 WITHSCORES", flat("y 2 z 3")),
         ("ZINTER 2 a a WITHSCORES", flat("x 2 y 4 z 6")))


@both_forms
def algebra_knows_no_nan(r):
    asks(r, ("ZADD a inf x 0 y", 2), ("ZADD b -inf x inf y", 2),
         ("ZUNION 2 a b WITHSCORES", flat("x 0 y inf")),
         ("ZUNION 1 a WEIGHTS 0 WITHSCORES", flat("x 0 y 0")),
         ("ZINTERSTORE d 2 a b WEIGHTS 1 0", 2), ("ZSCORE d x", b"0"),
         ("ZINTERSTORE d 2 a b WEIGHTS 1 0 AGGREGATE MIN", 2), ("ZSCORE d x", b"inf"))


@both_forms
def sums_begin_with_the_smallest_source(r):
    """1e16 + 1 + 1 is 1e16, 1 + 1 + 1e16 is not."""
    asks(r, ("ZADD a 1e16 x 0 y 0 z", 3), ("ZADD b 1 x 1 w", 2), ("ZADD c 1 x", 1),
         ("ZUNIONSTORE d 3 a b c", 4), ("ZADD e 10000000000000002 x", 1),
         ("ZINTERSTORE f 2 d e WEIGHTS 1 -1", 1), ("ZSCORE f x", b"0"),
         ("ZINTERSTORE d 3 a b c", 1), ("ZINTERSTORE f 2 d e WEIGHTS 1 -1", 1),
         ("ZSCORE f x", b"0"))


@both_forms
def results_are_stored(r):
    asks(r, ("ZADD a 1 x 2 y", 2), ("ZADD b 3 y", 1), ("ZUNIONSTORE d 2 a b", 2),
         ("ZRANGE d 0 -1 WITHSCORES", flat("x 1 y 5")), ("ZINTERSTORE d 2 a b", 1),
         ("ZDIFFSTORE d 2 a b", 1), ("ZRANGE d 0 -1 WITHSCORES", flat("x 1")),
         ("ZDIFFSTORE d 2 b a", 0), ("EXISTS d", 0), ("SET d x", "OK"), ("ZUNIONSTORE d 1 a", 2),
         ("TYPE d", "zset"), ("ZUNIONSTORE a 2 a b", 2), ("ZSCORE a y", b"5"))


@test
def algebra_refuses(r):
    asks(r, ("ZADD a 1 x", 1), ("SET s x", "OK"), ("ZUNION 2 a s", WRONG_TYPE),
         ("ZUNION 0 a", E("ERR at least 1 input key is needed for 'zunion' command")),
         ("ZINTERSTORE d 0 a", E("ERR at least 1 input key is needed for 'zinterstore' command")),
         ("ZUNION x a", NOT_INT), ("ZUNION 3 a", SYNTAX), ("ZUNION 1 a FOO", SYNTAX),
         ("ZUNION 1 a WEIGHTS", SYNTAX),
         ("ZUNION 1 a WEIGHTS x", E("ERR weight value is not a float")),
         ("ZUNION 1 a WEIGHTS nan", E("ERR weight value is not a float")),
         ("ZUNION 1 a AGGREGATE AVG", SYNTAX), ("ZUNIONSTORE d 1 a WITHSCORES", SYNTAX),
         ("ZDIFF 1 a WEIGHTS 1", SYNTAX), ("ZINTERCARD 1 a WITHSCORES", SYNTAX),
         ("ZINTERCARD 1 a LIMIT -1", E("ERR LIMIT can't be negative")),
         ("ZINTERCARD 1 a LIMIT x", E("ERR LIMIT can't be negative")), ("EXISTS d", 0))


@both_forms
def zintercard_counts_up_to_a_limit(r):
    asks(r, ("ZADD a 1 x 2 y 3 z", 3), ("SADD s x y z w", 4), ("ZINTERCARD 2 a s", 3),
         ("ZINTERCARD 2 a s LIMIT 2", 2), ("ZINTERCARD 2 a s LIMIT 0", 3),
         ("ZINTERCARD 2 a nosuch", 0))


# --- chance and scans ---


@both_forms
def zrandmember_draws(r):
    asks(r, ("ZADD z 1 a 2 b 3 c", 3), ("ZRANDMEMBER nosuch", None), ("ZRANDMEMBER nosuch 2", []),
         ("ZRANDMEMBER z 0", []), ("ZRANDMEMBER z x", NOT_INT), ("ZRANDMEMBER z 1 FOO", SYNTAX),
         ("ZRANDMEMBER z 1 WITHSCORES x", SYNTAX),
         ("ZRANDMEMBER z 9223372036854775807 WITHSCORES", E("ERR value is out of range")))
    same(sorted(r("ZRANDMEMBER", "z", 9)), flat("a b c"))
    same(len(r("ZRANDMEMBER", "z", -20)), 20)
    same(len(set(r("ZRANDMEMBER", "z", 2))), 2)
    found = r("ZRANDMEMBER", "z", -50, "WITHSCORES")
    assert all(dict(a=b"1", b=b"2", c=b"3")[found[at].decode()] == found[at + 1]
               for at in range(0, 100, 2)), found


@both_forms(only="quoin")
def zrandmember_is_uniform(r):
    """Redis's is not: buckets of its table have the same chance, not members."""
    r("ZADD", "z", *[word for number in range(200) for word in (number, number)])
    for count in (1, 5, 150):
        drawn = {}
        for reply in r.pipeline(*[("ZRANDMEMBER", "z", count)] * (20000 // count)):
            same(len(set(reply)), count)
            for name in reply:
                drawn[name] = drawn.get(name, 0) + 1
        # About 100 each, standard deviation at most 10.
        assert len(drawn) == 200 and min(drawn.values()) > 45 and max(drawn.values()) < 160, drawn


@both_forms
def zscan_gives_all(r):
    r("ZADD", "z", *[word for number in range(1000) for word in (number, f"m{number}")])
    cursor, found = b"0", []
    while True:
        cursor, part = r("ZSCAN", "z", cursor, "COUNT", 50)
        found += part
        if cursor == b"0":
            break
    scores = dict(zip(found[::2], found[1::2]))
    same(scores, {f"m{number}".encode(): str(number).encode() for number in range(1000)})
    same(sorted(r("ZSCAN", "z", 0, "MATCH", "m99?", "COUNT", 5000)[1][::2]),
         [f"m99{digit}".encode() for digit in range(10)])
    asks(r, ("ZSCAN nosuch 0", [b"0", []]), ("ZSCAN z x", E("ERR invalid cursor")),
         ("ZSCAN z 0 COUNT 0", SYNTAX), ("ZSCAN z 0 FOO", SYNTAX), ("SET s x", "OK"),
         ("ZSCAN s 0", WRONG_TYPE))


# --- RESP3, memory, disk ---


@test
def resp3_has_doubles_and_pairs(r3):
    one, two, inf = Double(b"1"), Double(b"2.5"), Double(b"inf")
    asks(r3, ("ZADD z 1 a 2.5 b inf c", 3), ("ZSCORE z b", two), ("ZMSCORE z a x", [one, None]),
         ("ZRANGE z 0 1 WITHSCORES", [[b"a", one], [b"b", two]]), ("ZRANGE z 0 0", [b"a"]),
         ("ZINCRBY z 1.5 a", two), ("ZINCRBY z -1.5 a", one),
         ("ZUNION 1 z WITHSCORES", [[b"a", one], [b"b", two], [b"c", inf]]),
         ("ZPOPMIN z", [b"a", one]), ("ZPOPMAX z 1", [[b"c", inf]]),
         ("ZRANDMEMBER z -2 WITHSCORES", [[b"b", two], [b"b", two]]),
         ("ZSCAN z 0", [b"0", [b"b", b"2.5"]]), ("ZMPOP 1 z MIN", [b"z", [[b"b", two]]]),
         ("ZADD z NX INCR 1 a", one), ("BZPOPMIN z 0", [b"z", b"a", one]), ("ZSCORE z a", None),
         ("ZMPOP 1 z MIN", None))


@test
def what_changes_nothing_does_not_touch_a_watched_key(r, server):
    asks(r, ("ZADD z 1 a", 1), ("WATCH z", "OK"))
    with server.client() as other:
        asks(other, ("ZADD z 1 a", 0), ("ZADD z NX 5 a", 0), ("ZADD z XX 5 b", 0),
             ("ZADD z GT 0 a", 0),
             ("ZREM z b", 0), ("ZREMRANGEBYSCORE z 7 8", 0), ("ZPOPMIN z 0", []))
        asks(r, ("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", ["PONG"]), ("WATCH z", "OK"))
        ask(other, "ZINCRBY z 1 a", b"2")
    asks(r, ("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", NULL_ARRAY))


@test
def a_reload_gives_the_same(r):
    """In both forms, inline and by rows, from -0 to members that need a digest."""
    words = [word for number in range(300) for word in (f"{number / 8 - 7}", f"m{number}")]
    r("ZADD", "large", *words)
    r("ZADD", "small", "-0", "a", "inf", "b", "-inf", "c", "1e300", "d", "0.5", "")
    r("ZADD", "long", 1, "x" * 2000, 1, "x" * 1999 + "y")
    r("ZADD", "shrunk", *words)
    r("ZREMRANGEBYRANK", "shrunk", 5, -1)
    keys = ["large", "small", "long", "shrunk"]
    before = [r("ZRANGE", key, 0, -1, "WITHSCORES") for key in keys]
    ask(r, "DEBUG RELOAD", "OK")
    same([r("ZRANGE", key, 0, -1, "WITHSCORES") for key in keys], before)
    same([r("ZCARD", key) for key in keys], [300, 5, 2, 5])
    asks(r, ("ZRANK large m200", 200), ("ZADD large 1000 m0", 0), ("ZRANK large m0", 299),
         ("ZREM shrunk m0", 1), ("DEBUG RELOAD", "OK"), ("ZRANK large m0", 299),
         ("ZCARD shrunk", 4))


@test(only="quoin")
def a_restart_gives_the_same():
    with Server() as server:
        with server.client() as client:
            client("ZADD", "z", *[word for number in range(5000) for word in (number % 7, number)])
            client("ZREM", "z", *range(0, 5000, 3))
            before = client("ZRANGE", "z", 0, -1, "WITHSCORES")
        server.kill()
        server.start()
        with server.client() as client:
            same(client("ZRANGE", "z", 0, -1, "WITHSCORES"), before)
            left = [number for number in range(5000) if number % 7 == 3 and number % 3 != 0]
            same(client("ZCOUNT", "z", 3, 3), len(left))


main(enable_debug_command="yes")
