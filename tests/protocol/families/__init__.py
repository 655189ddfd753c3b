"""Families of commands for differential.py: each other file of this folder is one, named after it.

    MAKERS   functions of a Draw (differential.py: its random numbers, keys and values) that return
             the words of one command; take keys from d.key(), so that families meet on them
    READERS  {type: function(client, key)}: the whole value of a key of this type, in an order that
             does not depend on the server; all databases are read with it at the end of a case
    ALIKE    {command, lower case: function(words, left, right)}: whether the replies of
             redis-server and Quoin are the same; without one they must be equal to the byte.
             The commands are asked one by one and inside MULTI. It may raise Undefined where what
             redis-server does is none of its promises: then the case ends there
    KNOWN    what differs on purpose: (requests, last reply of redis-server 7.0, of Quoin, why)

All are optional. A reply that depends on chance (SPOP) makes what follows differ: such a command
must be made in a form whose outcome is known, as a count of at least the size.
"""

import importlib
import os
import sys
from collections import namedtuple

from resp import Error, typed

sys.dont_write_bytecode = True

Family = namedtuple("Family", "name makers readers alike known")


class Undefined(Exception):
    """From here on the servers need not agree."""


def load():
    """All families, by name."""
    found = []
    for file in sorted(os.listdir(os.path.dirname(os.path.abspath(__file__)))):
        name, suffix = os.path.splitext(file)
        if suffix == ".py" and not name.startswith("_"):
            module = importlib.import_module(f"families.{name}")
            parts = [getattr(module, part, default) for part, default in
                     (("MAKERS", []), ("READERS", {}), ("ALIKE", {}), ("KNOWN", []))]
            found.append(Family(name, *parts))
    return found


def unordered(_words, left, right):
    """For ALIKE: arrays of the same elements in any order."""
    if not (isinstance(left, list) and isinstance(right, list)):
        return same(left, right)
    return in_order(left) == in_order(right)


def unordered_pairs(_words, left, right):
    """For ALIKE: flat arrays of name, value, name, value … in any order (HGETALL)."""
    if not (isinstance(left, list) and isinstance(right, list)):
        return same(left, right)
    return in_order(pairs(left)) == in_order(pairs(right))


def refused_cursor(words, right):
    """Cursors are digits here; strtoul takes signs and blanks."""
    cursor = str(words[2]) if len(words) > 2 else ""
    is_plain = cursor == "0" or (cursor.isdigit() and not cursor.startswith("0"))
    return right == b"ERR invalid cursor" and not is_plain


def timeouts(words, left, right):
    """For ALIKE: texts about bad timeouts differ between releases."""
    if isinstance(left, Error) and isinstance(right, Error) and left.startswith(b"ERR timeout"):
        return right.startswith(b"ERR timeout")
    return same(left, right)


def pairs(flat):
    return [flat[at:at + 2] for at in range(0, len(flat), 2)]


def in_order(elements):
    return sorted(elements, key=repr)


def same(left, right):
    return typed(left) == typed(right)
