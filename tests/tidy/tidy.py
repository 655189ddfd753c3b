#!/usr/bin/env python3
"""The house style, as far as a tool can check it: one test per check in checks.py.

exceptions.txt lists the places where a rule is broken on purpose, with the reason. An exception
that nothing needs any more is a failure too.
"""

import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from checks import CHECKS, Tree, long_files  # noqa: E402 (the path comes first)


def read_exceptions(text):
    """(check, path, word in the complaint) -> line number."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#")[0].strip()
        if line:
            check, path, word = line.split()[:3]
            found[(check, path, word)] = number
    return found


def split_by_exceptions(check, complaints, exceptions, used):
    left = []
    for path, line, text in complaints:
        key = next((key for key in exceptions
                    if key[0] == check and key[1] == path and key[2] in text), None)
        if key:
            used.add(key)
        else:
            left.append(f"{path}:{line}: {text}")
    return left


def main():
    tree = Tree(os.path.dirname(os.path.dirname(HERE)))
    with open(os.path.join(HERE, "exceptions.txt")) as file:
        exceptions = read_exceptions(file.read())
    used, failed = set(), 0
    print(f"1..{len(CHECKS) + 1}")
    for number, check in enumerate(CHECKS, 1):
        name = check.__name__
        left = split_by_exceptions(name, check(tree), exceptions, used)
        failed += report(number, name, left)
    stale = [f"tests/tidy/exceptions.txt:{line}: nothing needs it: {' '.join(key)}"
             for key, line in exceptions.items() if key not in used]
    failed += report(len(CHECKS) + 1, "exceptions_are_needed", stale)
    for path, _, text in long_files(tree):
        print(f"# soon to be split: {path}: {text}")
    return 1 if failed else 0


def report(number, name, complaints):
    print(f"{'not ok' if complaints else 'ok'} {number} - tidy_{name}")
    for complaint in complaints:
        print(f"# {complaint}")
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
