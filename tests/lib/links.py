"""The network between the nodes of a test's cluster: TCP proxies whose links can be cut and slowed.

    links = Links({1: port, 2: port, 3: port})   # where the nodes listen for each other
    links.ports[2]                               # what the others are told about node 2
    links.cut_one_way(1, 2)                      # what 1 says to 2 does not arrive
    links.heal()

Who dials is read from the first frame of a connection (net/PEER.md: HELLO), so one port per node
serves all its links, and every node is given the same list of members. Bytes on a cut way are not
lost but late, as TCP makes it of lost packets; so is the news that an end was closed. One thread
moves everything.
"""

import collections
import errno
import selectors
import socket
import struct
import threading
import time

HELLO_SIZE = 48          # of a frame and its greeting up to from_node …
HELLO_NODE_AT = 40       # … which stands here
QUEUE_MAX = 1 << 20      # bytes under way on one connection and way; more wait at the sender
READ_SIZE = 1 << 16
CLOSED = None            # in a queue: the sender closed


class Way:
    """One direction between two nodes, as it is now."""

    def __init__(self):
        self.is_cut = False
        self.delay_s = 0.0
        self.bytes_per_s = None


class Half:
    """What one end of a connection sends, on its way to the other."""

    def __init__(self, sender):
        self.sender = sender
        self.queue = collections.deque()  # (due, bytes or CLOSED)
        self.size = 0
        self.last_due = 0.0
        self.ended = False                # nothing more is read

    def push(self, data, way, now):
        due = now + way.delay_s
        if data is not CLOSED and way.bytes_per_s:
            due = max(due, self.last_due) + len(data) / way.bytes_per_s
        self.last_due = max(due, self.last_due)  # in order, when the delay was taken back, too
        self.queue.append((self.last_due, data))
        self.size += len(data or b"")


class Connection:
    """A dialler's socket and ours to the node it wants; `dialler` is None until it said HELLO."""

    def __init__(self, near, node):
        self.node = node
        self.dialler = None
        self.near = near
        self.far = None
        self.there = Half(near)
        self.back = Half(None)
        self.greeting = b""

    def sockets(self):
        return [end for end in (self.near, self.far) if end is not None]


class Links:
    def __init__(self, nodes):
        self.nodes = dict(nodes)
        self.ways = collections.defaultdict(Way)
        self.connections = set()
        self.selector = selectors.DefaultSelector()
        self.lock = threading.RLock()   # of ways and connections
        self.wake_in, self.wake_out = socket.socketpair()
        self.selector.register(self.wake_in, selectors.EVENT_READ, None)
        self.ports, self.listeners = {}, []
        for node in nodes:
            listener = socket.create_server(("127.0.0.1", 0))
            listener.setblocking(False)
            self.ports[node] = listener.getsockname()[1]
            self.listeners.append(listener)
            self.selector.register(listener, selectors.EVENT_READ, node)
        self.stopping = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    # --- What tests do ---

    def cut_one_way(self, sender, receiver):
        self.change(sender, receiver, is_cut=True)

    def cut(self, one, other):
        self.cut_one_way(one, other)
        self.cut_one_way(other, one)

    def isolate(self, node):
        for other in self.nodes:
            if other != node:
                self.cut(node, other)

    def slow(self, sender, receiver, delay_s, bytes_per_s=None):
        self.change(sender, receiver, delay_s=delay_s, bytes_per_s=bytes_per_s)

    def heal(self):
        """Everything arrives again, at once; what was held back first."""
        with self.lock:
            self.ways.clear()
        self.wake()

    def change(self, sender, receiver, **facts):
        with self.lock:
            vars(self.ways[sender, receiver]).update(facts)
        self.wake()

    def close(self):
        self.stopping = True
        self.wake()
        self.thread.join()
        for connection in list(self.connections):
            self.drop(connection)
        for thing in (*self.listeners, self.wake_in, self.wake_out, self.selector):
            thing.close()

    # --- The thread ---

    def wake(self):
        self.wake_out.send(b"!")

    def run(self):
        while not self.stopping:
            events = self.selector.select(self.time_to_next())
            with self.lock:
                for key, _ in events:
                    self.handle(key)
                for connection in list(self.connections):
                    self.move(connection)

    def time_to_next(self):
        """Until something is due; None: not before something happens."""
        with self.lock:
            dues = [half.queue[0][0] for connection in self.connections
                    for half, way in self.halves(connection) if half.queue and not way.is_cut]
        return max(0.0, min(dues) - time.monotonic()) if dues else None

    def handle(self, key):
        if key.fileobj is self.wake_in:
            self.wake_in.recv(READ_SIZE)
        elif isinstance(key.data, int):
            self.accept(key.fileobj, key.data)
        elif key.data in self.connections:
            self.receive(key.data, key.fileobj)

    def accept(self, listener, node):
        try:
            near, _ = listener.accept()
        except OSError:
            return  # it went away again
        near.setblocking(False)
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(near, node)
        self.connections.add(connection)
        self.selector.register(near, selectors.EVENT_READ, connection)

    def halves(self, connection):
        if connection.dialler is None:
            return []
        there, back = (connection.dialler, connection.node), (connection.node, connection.dialler)
        return [(connection.there, self.ways[there]), (connection.back, self.ways[back])]

    def receive(self, connection, end):
        data = read_from(end)
        if data is None:
            return
        if connection.dialler is None:
            self.greet(connection, data)
            return
        index = 0 if end is connection.near else 1
        half, way = self.halves(connection)[index]
        half.push(data or CLOSED, way, time.monotonic())
        half.ended = not data
        if half.ended or half.size >= QUEUE_MAX:
            self.selector.unregister(end)

    def greet(self, connection, data):
        connection.greeting += data
        if not data:
            self.drop(connection)
        elif len(connection.greeting) >= HELLO_SIZE:
            dialler, = struct.unpack_from("<Q", connection.greeting, HELLO_NODE_AT)
            if dialler not in self.nodes or dialler == connection.node:
                self.drop(connection)
                return
            connection.dialler = dialler
            way = self.ways[dialler, connection.node]
            connection.there.push(connection.greeting, way, time.monotonic())

    def move(self, connection):
        """Hands over what is due."""
        now = time.monotonic()
        for half, way in self.halves(connection):
            while half.queue and half.queue[0][0] <= now and not way.is_cut:
                if not self.deliver(connection, half):
                    break
            if connection not in self.connections:
                return

    def deliver(self, connection, half):
        """The first of the queue; False when the receiver takes no more now, or never will."""
        due, data = half.queue[0]
        if data is CLOSED or (half is connection.there and not self.reach(connection)):
            self.drop(connection)
            return False
        receiver = connection.far if half is connection.there else connection.near
        try:
            sent = receiver.send(data)
        except BlockingIOError:
            half.queue[0] = (time.monotonic() + 0.001, data)  # asked again then
            return False
        except OSError:
            sent = len(data)  # the receiver is gone; the sender learns it by the way back
        half.queue[0] = (due, data[sent:])
        if sent == len(data):
            half.queue.popleft()
        half.size -= sent
        self.read_on(connection, half)
        return True

    def reach(self, connection):
        """Dials the node itself, when the first byte for it arrives."""
        if connection.far is None:
            try:
                far = socket.create_connection(("127.0.0.1", self.nodes[connection.node]), 1)
            except OSError:
                return False
            far.setblocking(False)
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.far = connection.back.sender = far
            self.selector.register(far, selectors.EVENT_READ, connection)
        return True

    def read_on(self, connection, half):
        if half.ended or half.size >= QUEUE_MAX or half.sender in self.selector.get_map():
            return
        self.selector.register(half.sender, selectors.EVENT_READ, connection)

    def drop(self, connection):
        for end in connection.sockets():
            if end in self.selector.get_map():
                self.selector.unregister(end)
            end.close()
        self.connections.discard(connection)


def read_from(end):
    """Bytes; b"" when it was closed, however; None: nothing there after all."""
    try:
        return end.recv(READ_SIZE)
    except OSError as error:
        return None if error.errno in (errno.EAGAIN, errno.EINTR) else b""
