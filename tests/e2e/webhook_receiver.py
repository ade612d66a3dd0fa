# tests/e2e/webhook_receiver.py - a receiver of events as a shop would write one, and what it heard
"""Checks each signature by its own means (hmac), keeps every message, answers as it is told."""

import base64
import dataclasses
import hashlib
import hmac
import http.server
import json
import os
import socket
import threading


def private(path, flags):
    """For open(): readable by its owner only."""
    return os.open(path, flags, 0o600)


def write_secret(path):
    """A secret file as the operator makes it; returns the key."""
    key = os.urandom(32)
    with open(path, "w", encoding="ascii", opener=private) as file:
        file.write("whsec_" + base64.b64encode(key).decode() + "\n")
    return key


@dataclasses.dataclass
class Message:
    id: str
    body: bytes
    type: str
    data: dict
    timestamp: int  # of the attempt
    status: int  # that it was answered with
    traceparent: str = ""  # as sent; empty: not at all


class Receiver:
    """May go down and come back on the same port. `refuse(message)` gives a status or None."""

    def __init__(self, key):
        self.key = key
        self.port = 0
        self.messages = []  # in order of arrival, refused ones too
        self.faults = []  # what no sender may do
        self.refuse = lambda message: None
        self._server = None
        self._thread = None
        self._lock = threading.Lock()
        self._connections = set()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/events"

    def start(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self):
                super().setup()
                with receiver._lock:
                    receiver._connections.add(self.connection)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver._take(self.headers, body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_):
                pass  # a sender that was killed

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name="receiver", daemon=True
        )
        self._thread.start()
        return self

    def stop(self):
        """Nobody listens any more, and open connections are cut."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._server = None
        with self._lock:
            connections, self._connections = self._connections, set()
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _take(self, headers, body):
        id_, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
        signed = b".".join([id_.encode(), timestamp.encode(), body])
        mac = base64.b64encode(hmac.new(self.key, signed, hashlib.sha256).digest()).decode()
        with self._lock:
            if headers["webhook-signature"] != f"v1,{mac}":
                self.faults.append(f"{id_}: the signature is not ours")
            try:
                event = json.loads(body)
                message = Message(id_, body, event["type"], event["data"], int(timestamp), 200,
                                  headers.get("traceparent", ""))
                if event["id"] != id_:
                    self.faults.append(f"{id_}: the body says {event['id']}")
            except (ValueError, KeyError) as error:
                self.faults.append(f"{id_}: {error!r} in {body!r}")
                return 400
            message.status = self.refuse(message) or 200
            self.messages.append(message)
            return message.status

    def taken(self, type_=None):
        """Messages answered with 200, each id once, in order of their first arrival."""
        with self._lock:
            first = {}
            for message in self.messages:
                if message.status == 200 and type_ in (None, message.type):
                    first.setdefault(message.id, message)
            return list(first.values())

    def count(self):
        with self._lock:
            return len(self.messages)
