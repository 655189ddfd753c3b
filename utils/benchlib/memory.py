"""Memory: of many small strings, and per element of each type."""

import contextlib
import time

from .base import (MIB, MILLION, NAMES, QUICK, is_wanted, keep, load, say, say_row, send_all,
                   server)


def settled_rss(one, least_seconds):
    """Resident bytes once they stand still: within half a percent for three seconds."""
    time.sleep(least_seconds)
    seen = [one.rss_bytes()]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(1)
        seen.append(one.rss_bytes())
        last = seen[-4:]
        if len(last) == 4 and max(last) - min(last) <= max(last) // 200:
            break
    return seen[-1]


# Longer than flush-age-ms, after which nothing waits to be flushed, and the ten seconds after which
# the allocator gives back what that used.
IDLE_SECONDS = 24


def memory():
    say("\n### Memory\n")
    say(f"{MILLION:,} keys `key:%012d` of 16 bytes, appendfsync everysec; resident bytes of the "
        f"idle server, at least {IDLE_SECONDS} s after the last write, less those of the empty "
        "one, by the number of keys.\n")
    say("| | Redis | Quoin | ratio |")
    say("|---|--:|--:|--:|")
    empty, full, per_key = {}, {}, {}
    for name in NAMES:
        with server(name) as one:
            empty[name] = settled_rss(one, 1)
            load(one, MILLION, 16)
            full[name] = settled_rss(one, IDLE_SECONDS)
            per_key[name] = (full[name] - empty[name]) / MILLION
    keep("memory", {name: [empty[name], full[name]] for name in NAMES})
    say(f"| bytes per key | {per_key['redis']:.1f} | {per_key['quoin']:.1f} "
        f"| **{per_key['quoin'] / per_key['redis']:.2f}** |")
    for what, sizes in [("resident, empty, MB", empty), ("resident, full, MB", full)]:
        say(f"| {what} | {sizes['redis'] / MIB:.1f} | {sizes['quoin'] / MIB:.1f} "
            f"| {sizes['quoin'] / sizes['redis']:.2f} |")


ELEMENTS = 20_000 if QUICK else 200_000
SMALL = 50  # elements of a small value
COMMAND = 500  # elements in one command

# Words that add the elements `numbers` to `key`.
ADD = {
    "hash": lambda key, numbers: [b"HSET", key] + [word for number in numbers for word in
                                                   (b"field:%d" % number, b"value:%d" % number)],
    "list": lambda key, numbers: [b"RPUSH", key] + [b"element:%d" % number for number in numbers],
    "set": lambda key, numbers: [b"SADD", key] + [b"member:%d" % number for number in numbers],
    "set of integers": lambda key, numbers: [b"SADD", key, *numbers],
    "sorted set": lambda key, numbers: [b"ZADD", key] + [word for number in numbers for word in
                                                         (b"%d" % number, b"member:%d" % number)],
}


def element_requests(kind, is_large):
    size = ELEMENTS if is_large else SMALL
    for value in range(ELEMENTS // size):
        key = b"key:%012d" % value
        for first in range(value * size, (value + 1) * size, COMMAND):
            numbers = range(first, min(first + COMMAND, (value + 1) * size))
            if kind == "stream":
                yield from ([b"XADD", key, b"*", b"field", b"value:%d" % number]
                            for number in numbers)
            else:
                yield ADD[kind](key, numbers)


def sizes_of(one):
    info = one.info()
    return {"used": int(info["used_memory"]), "hot": int(info.get("hot_memory", 0)),
            "rss": one.rss_bytes()}


def load_elements(stack, kind, is_large):
    """{name: (server, sizes when it was empty)}, the servers now full."""
    loaded = {}
    for name in NAMES:
        one = stack.enter_context(server(name))
        empty = sizes_of(one)
        send_all(one, list(element_requests(kind, is_large)))
        loaded[name] = (one, empty)
    return loaded


def element_row(what, loaded):
    sizes = {name: [empty, sizes_of(one)] for name, (one, empty) in loaded.items()}
    keep(what, sizes)
    grown = {name: {key: (full[key] - empty[key]) / ELEMENTS for key in full}
             for name, (empty, full) in sizes.items()}
    redis, quoin = grown["redis"], grown["quoin"]
    say_row(what, f"{redis['used']:.1f}", f"{quoin['used']:.1f}", f"{quoin['hot']:.1f}",
            f"**{quoin['used'] / redis['used']:.2f}**", f"{quoin['hot'] / redis['used']:.2f}",
            f"{redis['rss']:.1f}", f"{quoin['rss']:.1f}")


def elements():
    say("\n### Bytes per element\n")
    say(f"{ELEMENTS:,} elements, in values of {SMALL} or all in one, appendfsync everysec: what "
        f"was added to an empty server, {IDLE_SECONDS} s after the last write, by the number of "
        "elements. `used` is used_memory, all that is allocated (with Quoin's log buffers, filters "
        "and store); `hot` is hot_memory, the objects alone; resident bytes are noisy at this "
        "size.\n")
    say("| what | Redis used | Quoin used | Quoin hot | used / used | hot / used "
        "| Redis resident | Quoin resident |")
    say("|---|--:|--:|--:|--:|--:|--:|--:|")
    with contextlib.ExitStack() as stack:
        rows = [(f"{kind}, {'one value' if is_large else f'values of {SMALL}'}", kind, is_large)
                for kind in [*ADD, "stream"] for is_large in [False, True]]
        loaded = [(what, load_elements(stack, kind, is_large)) for what, kind, is_large in rows
                  if is_wanted(what)]
        time.sleep(IDLE_SECONDS)
        for what, servers in loaded:
            element_row(what, servers)
