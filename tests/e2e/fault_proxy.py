# tests/e2e/fault_proxy.py - a TCP way to a server that is slow, stands still, or breaks at a byte
"""Faults of a line, made where they happen: between two real programs.

    delay_s          what the server says comes so much later, in order
    swallow_answers  what the server says is thrown away: it was executed, and nobody hears
    rewrite          (bytes, bytes of the same length): what the server says reads so
    refuse           new connections are ended at once
    freeze()         half open: nothing is carried either way, yet every connection stays, and new
                     ones are taken; until thaw()
    cut()            ends every connection there is
    arm(...)         one connection breaks at one byte of one request, or of its answer
"""

import collections
import selectors
import socket
import threading
import time

PIECE = 1 << 18
TICK_S = 0.05


class Strike:
    """One break: the first request in which `pattern` stands, or the answer to it.

    offset  bytes of it that still get through; None: nothing breaks, its bytes are only counted
    then    called when it breaks, before anybody can notice: to kill a server, say
    """

    def __init__(self, part, pattern, offset, then):
        assert part in ("request", "answer")
        self.part = part
        self.pattern = pattern
        self.offset = offset
        self.then = then
        self.seen = 0
        self.matched = threading.Event()
        self.struck = threading.Event()
        self.pair = None


class _Pair:
    def __init__(self, near, far):
        self.near = near
        self.far = far
        self.late = collections.deque()  # (when due, what the server said)
        self.tail = b""  # of the requests, since a pattern may lie across two pieces


class FaultProxy:
    def __init__(self, port):
        self.target = ("127.0.0.1", port)
        self.delay_s = 0.0
        self.swallow_answers = False
        self.rewrite = None
        self.refuse = False
        self._frozen = False
        self._strike = None
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self._pairs = {}  # either end -> its pair
        self._selector = selectors.EpollSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._stopped = False
        self._lock = threading.RLock()
        self._thread = threading.Thread(target=self._run, name="fault-proxy", daemon=True)
        self._thread.start()

    def arm(self, part, pattern, offset=None, then=None):
        """Replaces what was armed before."""
        with self._lock:
            self._strike = Strike(part, pattern, offset, then)
            return self._strike

    def disarm(self):
        with self._lock:
            self._strike = None

    def freeze(self):
        with self._lock:
            self._frozen = True
            for end in self._pairs:
                self._selector.unregister(end)

    def thaw(self):
        with self._lock:
            self._frozen = False
            for end in self._pairs:
                self._selector.register(end, selectors.EVENT_READ)

    def cut(self):
        with self._lock:
            for pair in set(self._pairs.values()):
                self._end(pair)

    def close(self):
        self._stopped = True
        self._thread.join(10)
        self.cut()
        self._listener.close()

    def _run(self):
        while not self._stopped:
            for key, _ in self._selector.select(self._rest()):
                with self._lock:
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.fileobj in self._pairs and not self._frozen:
                        self._carry(key.fileobj)
            self._deliver_late()

    def _rest(self):
        with self._lock:
            due = [pair.late[0][0] for pair in self._pairs.values() if pair.late]
        return min(TICK_S, max(0.0, min(due) - time.monotonic())) if due else TICK_S

    def _deliver_late(self):
        with self._lock:
            if self._frozen:
                return
            now = time.monotonic()
            for pair in set(self._pairs.values()):
                while pair.late and pair.late[0][0] <= now:
                    self._send(pair, pair.near, pair.late.popleft()[1])

    def _accept(self):
        near, _ = self._listener.accept()
        if self.refuse:
            near.close()
            return
        try:
            far = socket.create_connection(self.target, timeout=2)
        except OSError:
            near.close()
            return
        pair = _Pair(near, far)
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.settimeout(5)
            self._pairs[end] = pair
            if not self._frozen:
                self._selector.register(end, selectors.EVENT_READ)

    def _carry(self, end):
        pair = self._pairs[end]
        try:
            piece = end.recv(PIECE)
        except OSError:
            piece = b""
        if not piece:
            self._end(pair)
        elif end is pair.near:
            self._ask(pair, piece)
        else:
            self._answer(pair, piece)

    def _ask(self, pair, piece):
        strike = self._strike
        if strike and strike.pair is None and strike.pattern in pair.tail + piece:
            strike.pair = pair
            strike.matched.set()
        pair.tail = piece[-64:]
        if strike and strike.pair is pair and strike.part == "request":
            if self._breaks(strike, pair, pair.far, piece):
                return
        self._send(pair, pair.far, piece)

    def _answer(self, pair, piece):
        strike = self._strike
        if strike and strike.pair is pair and strike.part == "answer":
            if self._breaks(strike, pair, pair.near, piece):
                return
        if self.swallow_answers:
            return
        if self.rewrite:
            piece = piece.replace(*self.rewrite)
        if self.delay_s or pair.late:
            pair.late.append((time.monotonic() + self.delay_s, piece))
            return
        self._send(pair, pair.near, piece)

    def _breaks(self, strike, pair, to, piece):
        before, strike.seen = strike.seen, strike.seen + len(piece)
        if strike.offset is None or strike.seen < strike.offset:
            return False
        self._strike = None
        if strike.then:
            strike.then()
        if strike.offset > before:
            self._send(pair, to, piece[:strike.offset - before])
        self._end(pair)
        strike.struck.set()
        return True

    def _send(self, pair, to, piece):
        try:
            to.sendall(piece)
        except OSError:
            self._end(pair)

    def _end(self, pair):
        for end in (pair.near, pair.far):
            if self._pairs.pop(end, None) is None:
                continue
            if not self._frozen:
                self._selector.unregister(end)
            end.close()
        pair.late.clear()
