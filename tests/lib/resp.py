"""A Redis-protocol client that shows what came over the wire; Python's standard library only.

Replies keep their kind: Simple, Error, bytes (bulk), int, list, None (a null, RESP2's null bulk
or RESP3's null), NULL_ARRAY, and of RESP3 Map (a list of pairs), Set, Push, Double, bool,
Verbatim, BigNumber. Simple, Error, Verbatim and Double compare like the text they carry;
`typed` tells kinds apart where that matters.
"""

import socket


class Simple(bytes):
    pass


class Error(bytes):
    """An error reply. Returned, not raised: most tests ask for it."""


class Verbatim(bytes):
    pass


class BigNumber(bytes):
    pass


class Double(bytes):
    """The text of a double as sent."""


class Map(list):
    """[(key, value), …] in the order sent."""

    def dict(self):
        return dict(self)


class Set(list):
    pass


class Push(list):
    pass


class NullArray:
    def __repr__(self):
        return "NULL_ARRAY"


NULL_ARRAY = NullArray()


class ConnectionClosed(Exception):
    """The server closed the connection, maybe in the middle of a reply."""


class ProtocolError(Exception):
    """Not RESP."""


def typed(reply):
    """A value that is equal only for replies equal in kind and content."""
    if isinstance(reply, list):
        return (type(reply).__name__, [typed(item) for item in reply])
    if isinstance(reply, tuple):
        return tuple(typed(item) for item in reply)
    return (type(reply).__name__, reply)


def to_bytes(word):
    if isinstance(word, bytes):
        return word
    return str(word).encode()


def encode(*words):
    """A request as an array of bulk strings."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        word = to_bytes(word)
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


class Client:
    """One connection. c("SET", key, value) sends and reads; send, read and raw do the halves."""

    def __init__(self, port=None, path=None, host="127.0.0.1", protocol=2, timeout=20,
                 receive_buffer=None):
        family = socket.AF_UNIX if path else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.buffer = bytearray()
        self.at = 0
        try:
            self.socket.connect(path if path else (host, port))
            if not path:
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if protocol != 2:
                self("HELLO", protocol)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def __call__(self, *words):
        self.send(*words)
        return self.read()

    def send(self, *words):
        self.socket.sendall(encode(*words))

    def send_raw(self, data):
        self.socket.sendall(data)

    def pipeline(self, *requests):
        """All requests in one write, then all replies."""
        self.send_raw(b"".join(encode(*request) for request in requests))
        return [self.read() for _ in requests]

    def raw(self, *words):
        """The bytes of the reply to a request."""
        self.send(*words)
        return self.read_raw()

    def read_raw(self):
        self._compact()
        self._value()
        return bytes(self.buffer[:self.at])

    def read_until_closed(self):
        """Everything up to the end of the connection."""
        try:
            while True:
                self._more()
        except ConnectionClosed:
            rest = bytes(self.buffer[self.at:])
            self.at = len(self.buffer)
            return rest

    def is_closed(self):
        """True when the server closed and nothing is left to be read; waits for either."""
        try:
            if self.at == len(self.buffer):
                self._more()
            return False
        except ConnectionClosed:
            return True

    def has_input(self, wait=0.05):
        """True when anything arrives within `wait` seconds: for what must NOT be sent."""
        if self.at < len(self.buffer):
            return True
        before = self.socket.gettimeout()
        self.socket.settimeout(wait)
        try:
            self._more()
            return True
        except (socket.timeout, BlockingIOError):
            return False
        finally:
            self.socket.settimeout(before)

    def read(self):
        """One reply, whole."""
        if self.at > 1 << 16:
            self._compact()
        return self._value()

    def _value(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            return self._bulk(rest)
        if kind == b"+":
            return Simple(rest)
        if kind == b":":
            return int(rest)
        if kind == b"-":
            return Error(rest)
        if kind == b"*":
            return NULL_ARRAY if rest == b"-1" else self._items(int(rest))
        return self._resp3(kind, rest)

    def _resp3(self, kind, rest):
        if kind == b"_":
            return None
        if kind == b"#":
            return {b"t": True, b"f": False}[rest]
        if kind == b",":
            return Double(rest)
        if kind == b"(":
            return BigNumber(rest)
        if kind == b"%":
            flat = self._items(2 * int(rest))
            return Map(zip(flat[::2], flat[1::2]))
        if kind == b"~":
            return Set(self._items(int(rest)))
        if kind == b">":
            return Push(self._items(int(rest)))
        if kind == b"=":
            return Verbatim(self._bulk(rest))
        raise ProtocolError(f"not a reply: {bytes(kind + rest[:60])!r}")

    def _items(self, count):
        return [self._value() for _ in range(count)]

    def _bulk(self, size):
        size = int(size)
        if size == -1:
            return None
        while len(self.buffer) - self.at < size + 2:
            self._more()
        value = bytes(self.buffer[self.at:self.at + size])
        if self.buffer[self.at + size:self.at + size + 2] != b"\r\n":
            raise ProtocolError("a bulk string does not end with CRLF")
        self.at += size + 2
        return value

    def _line(self):
        looked = self.at
        while True:
            end = self.buffer.find(b"\r\n", looked)
            if end >= 0:
                line = bytes(self.buffer[self.at:end])
                self.at = end + 2
                return line
            looked = max(self.at, len(self.buffer) - 1)
            self._more()

    def _more(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionClosed
        self.buffer += data

    def _compact(self):
        del self.buffer[:self.at]
        self.at = 0
