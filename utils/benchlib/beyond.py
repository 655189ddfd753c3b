"""Data of eight times the memory: writing it, and reading it at random."""

import os
import statistics
import time

from .base import MIB, QUICK, ROUNDS, keep, load, median, sample, say, say_row, server

BEYOND_MEMORY = 16 if QUICK else 64
BEYOND_VALUE = 1000


def beyond_run(maxmemory):
    """[rate in each eighth of the data], resident bytes."""
    count = BEYOND_MEMORY * 8 * MIB // BEYOND_VALUE // 8
    rates = []
    with server("quoin", maxmemory=maxmemory) as one:
        for eighth in range(8):
            start = time.monotonic()
            load(one, count, BEYOND_VALUE, first=eighth * count, batch=500)
            rates.append(count / (time.monotonic() - start))
        return rates, one.rss_bytes()


def beyond():
    data = BEYOND_MEMORY * 8
    say("\n### Data of eight times the memory (Quoin only)\n")
    say(f"{data} MB in new keys of {BEYOND_VALUE} bytes that do not compress, one connection, "
        "500 SETs at a time, appendfsync everysec; SETs per second over all, in the first and in "
        "the last eighth.\n")
    say("| maxmemory | all | first eighth | last eighth | last / first | resident MB |")
    say("|---|--:|--:|--:|--:|--:|")
    totals = {}
    for maxmemory in [f"{BEYOND_MEMORY}mb", "0"]:
        runs = [beyond_run(maxmemory) for _ in range(1 if QUICK else 3)]
        keep(f"beyond, maxmemory {maxmemory}", {"quoin": [rates for rates, _ in runs]})
        first = statistics.median(rates[0] for rates, _ in runs)
        last = statistics.median(rates[-1] for rates, _ in runs)
        whole = statistics.median(statistics.harmonic_mean(rates) for rates, _ in runs)
        totals[maxmemory] = whole
        say(f"| {maxmemory if maxmemory != '0' else '60 % of the machine'} | {whole:,.0f} "
            f"| {first:,.0f} | {last:,.0f} | {last / first:.2f} "
            f"| {statistics.median(rss for _, rss in runs) / MIB:.0f} |")
    small, large = totals.values()
    say(f"\nRate with little memory / with enough: **{small / large:.2f}**")


COLD_SECONDS = 1 if QUICK else 3
COLD_CLIENTS = 50


def cold_sample(one, words):
    """One Sample; .hits is the share of GETs whose value was in memory."""
    probe = sample(one, words, 1000)
    before = one.info("everything")
    count = max(1000, int(probe.rate * COLD_SECONDS) // 1000 * 1000)
    found = sample(one, words, count)
    after = one.info("everything")
    grown = {field: int(after[field]) - int(before[field])
             for field in ["keyspace_hits", "cold_loads"]}
    found.hits = 1 - grown["cold_loads"] / max(1, grown["keyspace_hits"])
    return found


def drop_from_page_cache(folder):
    """What is written back already, of files that nobody has mapped."""
    os.sync()
    for path, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(path, name), "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def cold_row(one, what, words, rounds=ROUNDS):
    samples = [cold_sample(one, words) for _ in range(rounds)]
    keep(f"cold, {what}", {"quoin": samples}, words=words)
    say_row(what, f"{median(samples, 'rate'):,.0f}",
            f"{min(s.rate for s in samples):,.0f}–{max(s.rate for s in samples):,.0f}",
            f"{100 * median(samples, 'hits'):.1f} %",
            f"{median(samples, 'p50'):.2f} / {median(samples, 'p99'):.2f}",
            f"{one.rss_bytes() / MIB:.0f}")


def cold():
    data = BEYOND_MEMORY * 8
    count = data * MIB // BEYOND_VALUE
    say("\n### Random reads of data of eight times the memory (Quoin only)\n")
    say(f"{data} MB in {count:,} keys of {BEYOND_VALUE} bytes that do not compress, maxmemory "
        f"{BEYOND_MEMORY}mb; {COLD_CLIENTS} clients GET at random, each request alone. A hit found "
        "its value in memory. The system's page cache holds the files, but for the last row, after "
        "a restart with the files dropped from it. Resident bytes include mapped files.\n")
    say("| when | GET /s | range | hits | p50 / p99 ms | resident MB |")
    say("|---|--:|--:|--:|--:|--:|")
    words = f"-t get -c {COLD_CLIENTS} -P 1 -r {count}".split()
    with server("quoin", maxmemory=f"{BEYOND_MEMORY}mb") as one:
        load(one, count, BEYOND_VALUE, batch=500)
        cold_row(one, "as loaded", words)
        assert one.stop() == 0
        drop_from_page_cache(one.data)
        one.start()
        cold_row(one, "after a restart, files on the disk", words, rounds=1)
