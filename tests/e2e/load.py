# tests/e2e/load.py - many clients on one thread, every answer kept
"""Small loads, independent of `firstcome bench`: send a request, read its answer, send the next.

What a client does when the line breaks is the test's question, so both ways exist: `ride_out` asks
again with the same key until there is a definite answer (a buyer's app), without it the request
stays unknown.
"""

import dataclasses
import errno
import json
import os
import selectors
import socket
import threading
import time

from auditor import UNDECIDED, UNKNOWN, Answer
from harness import body_hash

CONNECT_PAUSE_S = 0.005  # between two tries to reach a server that is down


@dataclasses.dataclass
class Wish:
    """One request of a buyer; a key of "" is none."""

    user: str
    item: str
    quantity: int
    key: str = ""

    def encode(self):
        body = json.dumps({"userId": self.user, "itemId": self.item, "quantity": self.quantity})
        key = f"Idempotency-Key: {self.key}\r\n" if self.key else ""
        return (
            "POST /api/v1/orders HTTP/1.1\r\nHost: shop.example\r\n"
            f"Content-Type: application/json\r\n{key}Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


@dataclasses.dataclass
class Exchange:
    """One request as it went over one connection: what the sigterm suite asks about."""

    wish: Wish
    sent: int  # when its last byte was handed to the kernel; 0: not all of it was
    answer: Answer | None = None
    closed: str = ""  # "", "eof", "reset", "partial" (ended inside the answer)
    said_close: bool = False


class _Client:
    def __init__(self, number):
        self.connects = number  # also which of several servers is next
        self.socket = None
        self.state = "idle"  # idle, connecting, waiting, pausing
        self.wish = None
        self.out = b""
        self.buffer = bytearray()
        self.exchange = None
        self.resume_at = 0.0


class Load:
    """Runs `wishes` (an iterator) over `clients` connections, in a thread of its own.

    address    of the server, or a list of several: clients are spread over them, and one that is
               cut off goes on to the next

    answers    every answer, and an Answer of status UNKNOWN per request that got none
    exchanges  per request and connection, when `keep_exchanges`
    rate       wishes begun a second, as far as the clients can; 0: as fast as they can
    """

    def __init__(
        self, address, wishes, clients=64, ride_out=True, keep_exchanges=False, retry_busy=True,
        busy_pause_s=CONNECT_PAUSE_S, rate=0
    ):
        self.addresses = address if isinstance(address, list) else [address]
        self.wishes = iter(wishes)
        self.clients = [_Client(number) for number in range(clients)]
        self.ride_out = ride_out
        self.retry_busy = retry_busy
        self.busy_pause_s = busy_pause_s  # before a no of the service's own making is asked again
        self.interval_s = 1 / rate if rate else 0.0
        self.keep_exchanges = keep_exchanges
        self.answers = []
        self.exchanges = []
        self.definite = 0  # answers that settle a wish
        self.accepted = 0  # answers 202, repeated ones too
        self.unheard = 0  # requests of which nobody knows yet what became of them
        self.refused_connections = 0
        self.error = None
        self._stop = threading.Event()
        self._exhausted = False
        self._selector = selectors.EpollSelector()
        self._thread = threading.Thread(target=self._guarded_run, name="load", daemon=True)

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        """No new wishes; those under way are finished (without ride_out: or given up)."""
        self._stop.set()

    def abandon(self):
        """As stop(), and nobody waits for a server that is gone."""
        self.ride_out = False
        self._stop.set()

    def join(self, deadline_s=60.0):
        self._thread.join(deadline_s)
        if self._thread.is_alive():
            self.abandon()
            self._thread.join(5)
            waiting = sum(client.wish is not None for client in self.clients)
            raise AssertionError(
                f"the load did not end within {deadline_s:g} s, {waiting} requests wait"
            )
        if self.error:
            raise self.error
        return self.answers

    @property
    def running(self):
        return self._thread.is_alive()

    def _guarded_run(self):
        try:
            self._run()
        except Exception as error:  # told in join(), where a test can fail with it
            self.error = error
        finally:
            for client in self.clients:
                self._drop(client)
            self._selector.close()

    def _run(self):
        self._due_at = time.monotonic()
        while True:
            now = time.monotonic()
            busy = False
            for client in self.clients:
                if client.state == "pausing" and now >= client.resume_at:
                    client.state = "idle"
                if client.state == "idle":
                    self._begin(client)
                busy = busy or client.wish is not None
            if not busy and (self._exhausted or self._stop.is_set()):
                return
            for key, events in self._selector.select(CONNECT_PAUSE_S):
                self._advance(key.data, events)

    def _begin(self, client):
        """Takes the next wish, or goes on with the one that is still without a definite answer."""
        while client.state == "idle":
            if client.wish is None:
                if self._stop.is_set() or self._exhausted or not self._is_due():
                    return
                client.wish = next(self.wishes, None)
                if client.wish is None:
                    self._exhausted = True
                    return
            if client.socket is None:
                self._connect(client)
            else:
                self._send(client)

    def _is_due(self):
        if self.interval_s and time.monotonic() < self._due_at:
            return False
        self._due_at += self.interval_s
        return True

    def _connect(self, client):
        client.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        client.socket.setblocking(False)
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.buffer.clear()
        client.connects += 1
        code = client.socket.connect_ex(self.addresses[client.connects % len(self.addresses)])
        if code not in (0, errno.EINPROGRESS):
            self._unreachable(client)
            return
        client.state = "connecting"
        self._selector.register(client.socket, selectors.EVENT_WRITE, client)

    def _unreachable(self, client):
        self.refused_connections += 1
        self._drop(client)
        if self.ride_out:
            client.state, client.resume_at = "pausing", time.monotonic() + CONNECT_PAUSE_S
        else:
            client.wish = None  # never sent, so nobody has to account for it
            self._stop.set()

    def _drop(self, client):
        if client.socket is not None:
            try:
                self._selector.unregister(client.socket)
            except (KeyError, ValueError):
                pass
            client.socket.close()
        client.socket, client.state = None, "idle"

    def _send(self, client):
        client.out = client.wish.encode()
        client.exchange = Exchange(client.wish, 0)
        # Before the first byte goes out: what is asked later cannot have been sent earlier.
        client.asked_at = time.monotonic_ns()
        if self.keep_exchanges:
            self.exchanges.append(client.exchange)
        client.state = "waiting"
        self._write(client)

    def _write(self, client):
        try:
            sent = client.socket.send(client.out)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._broken(client, "reset")
            return
        client.out = client.out[sent:]
        if not client.out:
            client.exchange.sent = time.monotonic_ns()
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.out else 0)
        self._selector.modify(client.socket, events, client)

    def _advance(self, client, events):
        if client.state == "connecting":
            if client.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._unreachable(client)
            else:
                client.state = "idle"
            return
        if events & selectors.EVENT_WRITE and client.out:
            self._write(client)
            if client.state != "waiting":
                return
        if events & selectors.EVENT_READ:
            self._read(client)

    def _read(self, client):
        try:
            data = client.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            self._broken(client, "reset")
            return
        if not data:
            self._broken(client, "partial" if client.buffer else "eof")
            return
        client.buffer += data
        while client.state == "waiting" and self._take_answer(client):
            pass

    def _broken(self, client, how):
        if client.state == "waiting":
            client.exchange.closed = "partial" if client.buffer else how
            self._record(client, UNKNOWN, "", b"", None)
            if not (self.ride_out and client.wish.key):
                client.wish = None
        self._drop(client)

    def _take_answer(self, client):
        end = client.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        lines = client.buffer[:end].decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        size = end + 4 + int(headers["content-length"])
        if len(client.buffer) < size:
            return False
        body = bytes(client.buffer[end + 4:size])
        del client.buffer[:size]
        status = int(lines[0].split(" ")[1])
        client.exchange.said_close = "close" in headers.get("connection", "").lower()
        self._record(
            client, status, headers.get("idempotent-replayed", ""), body, time.monotonic_ns()
        )
        # Only a no of the service's own making (wait, unknown) is asked again; without a key never.
        undecided = status in UNDECIDED or (status == 503 and self.retry_busy)
        if undecided and self.ride_out and client.wish.key:
            if client.exchange.said_close:
                self._drop(client)
            client.state, client.resume_at = "pausing", time.monotonic() + self.busy_pause_s
            return False
        self.definite += 1
        client.wish, client.state = None, "idle"
        if client.exchange.said_close:
            self._drop(client)
        else:
            self._begin(client)
        return True

    def _record(self, client, status, replayed, body, answered):
        wish = client.wish
        answer = Answer(
            user=wish.user, key=wish.key, item=wish.item, quantity=wish.quantity, status=status,
            replayed=replayed.lower() == "true", sent=client.asked_at, answered=answered,
        )
        if body:
            members = json.loads(body)
            answer.body_hash = body_hash(body)
            if status == 202:
                answer.order_id, answer.sequence = members["orderId"], members["sequence"]
            else:
                answer.code = members.get("code", "")
        client.exchange.answer = answer if answered else None
        self.accepted += status == 202
        self.unheard += status in UNDECIDED
        self.answers.append(answer)


def mixed_wishes(random, item, prefix="", user_limit=0, unknown_item="nothing-here"):
    """New orders for ever, among them repeats, used keys with other payloads, greedy buyers."""
    recent, number = [], 0
    while True:
        draw = random.random()
        if recent and draw < 0.15:
            yield random.choice(recent)
        elif recent and draw < 0.20:
            used = random.choice(recent)
            yield Wish(used.user, used.item, used.quantity + 1, used.key)
        elif recent and user_limit and draw < 0.25:
            number += 1
            yield Wish(random.choice(recent).user, item, user_limit, f"{prefix}over-{number}")
        elif draw < 0.28:
            number += 1
            yield Wish(f"{prefix}lost-{number}", unknown_item, 1, f"{prefix}lost-{number}")
        else:
            number += 1
            wish = Wish(f"{prefix}buyer-{number}", item, 1, f"{prefix}key-{number}")
            recent.append(wish)
            if len(recent) > 2000:
                del recent[:1000]
            yield wish


def unique_wishes(item, prefix="", quantity=1, keys=True):
    """New orders only, each of its own user."""
    number = 0
    while True:
        number += 1
        yield Wish(f"{prefix}{number}", item, quantity, f"{prefix}k{number}" if keys else "")


def bench_command(binary, server, record, *options):
    """`firstcome bench` against a server, its answers recorded."""
    host, port = server.address
    return [
        binary, "bench", "--server", f"{host}:{port}", "--record", record, "--quiet",
        "--token-file", os.path.join(server.data, "admin.token"), *options,
    ]
