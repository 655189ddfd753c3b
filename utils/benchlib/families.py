"""The default set of redis-benchmark beyond GET and SET, and XADD."""

from .base import QUICK, awake, compare, is_wanted, pair, rate_heading, rate_row, send_all

SECONDS = 0.2 if QUICK else 0.4
RANGE = 20_000 if QUICK else 100_000  # members that exist at most
CHUNK = 500

# Name, words of redis-benchmark, what is there before each sample.
WRITES = [
    ("LPUSH", "-t lpush", None),
    ("RPUSH", "-t rpush", None),
    ("LPOP", "-t lpop", "list"),
    ("RPOP", "-t rpop", "list"),
    ("SADD", "-t sadd -r {range}", None),
    ("HSET", "-t hset -r {range}", None),
    ("SPOP", "-t spop", "set"),
    ("ZADD", "-t zadd -r {range}", None),
    ("ZPOPMIN", "-t zpopmin", "zset"),
    ("MSET of 10 keys", "-t mset -r {range}", None),
    ("XADD", "xadd mystream * field xxx", None),
]
READS = [(f"LRANGE_{count}", f"lrange rangelist 0 {count - 1}", None)
         for count in [100, 300, 500, 600]]


def fill(one, kind, count):
    """What redis-benchmark pops from, with an element for each request, so that none is empty."""
    numbers = range(count)
    chunks = [numbers[at:at + CHUNK] for at in range(0, count, CHUNK)]
    key, requests = {
        "list": ("mylist", (["RPUSH", "mylist"] + ["xxx"] * len(chunk) for chunk in chunks)),
        "set": ("myset", (["SADD", "myset"] + [b"element:%012d" % number for number in chunk]
                          for chunk in chunks)),
        "zset": ("myzset", (["ZADD", "myzset"] + [word for number in chunk
                                                  for word in (number, b"element:%012d" % number)]
                            for chunk in chunks)),
    }[kind]
    send_all(one, [["DEL", key]] + list(requests), batch=20)


def measure(servers, title, text, filled):
    for pipeline in [1, 16]:
        what = f"{title}, pipeline of 16" if pipeline > 1 else title
        if not is_wanted(what):
            continue
        words = ["-c", "50", "-P", str(pipeline)] + text.format(range=RANGE).split()
        prepare = filled and (lambda one, count: fill(one, filled, count))
        samples, count = compare(servers, words, SECONDS, prepare)
        rate_row(what, words, count, samples)


def types():
    with pair() as servers:
        rate_heading("Types: writes (appendfsync everysec)",
                     "Values of 3 bytes. What is popped from is filled before each sample, so that "
                     f"no reply is empty; members are drawn from {RANGE:,}.")
        for title, text, filled in WRITES:
            measure(servers, title, text, filled)
        rate_heading("Types: reads", "The first elements of a list of 600, 3 bytes each.")
        for one in servers.values():
            fill_range(one)
        for title, text, filled in READS:
            measure(servers, title, text, filled)


def fill_range(one):
    with awake(one):
        send_all(one, [["RPUSH", "rangelist"] + ["xxx"] * 600])
