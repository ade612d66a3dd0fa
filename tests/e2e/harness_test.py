# tests/e2e/harness_test.py - the harness reads answers as HTTP says, and fails when it should
import socket
import threading
import unittest

import harness
from harness import Connection, ConnectionClosed, request_bytes, wait_until
from load import Load, Wish


class CannedServer:
    """Answers each connection with the given bytes, then closes."""

    def __init__(self, *answers):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.answers = answers
        self.received = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        for answer in self.answers:
            connection, _ = self.listener.accept()
            self.received.append(connection.recv(65536))
            connection.sendall(answer)
            connection.close()
        self.listener.close()


def answered(body, status=202, headers=""):
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n{body}".encode()


class Answers(unittest.TestCase):
    def read(self, raw, count=1):
        with Connection(CannedServer(raw).address) as connection:
            connection.send(b"x")
            return [connection.read() for _ in range(count)]

    def test_lengths_chunks_and_interim_answers(self):
        raw = b"HTTP/1.1 100 Continue\r\n\r\n" + answered("{}") + (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        ) + b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n" + answered("last", 404)
        answers = self.read(raw, 4)
        self.assertEqual([a.status for a in answers], [202, 200, 304, 404])
        self.assertEqual([a.body for a in answers], [b"{}", b"abc", b"", b"last"])

    def test_an_answer_cut_short_is_no_answer(self):
        with self.assertRaises(ConnectionClosed) as raised:
            self.read(answered("whole")[:-1])
        self.assertEqual(raised.exception.partial, b"whol")

    def test_the_same_header_twice_is_a_mistake(self):
        answer = self.read(answered("", headers="X: 1\r\nX: 2\r\n"))[0]
        with self.assertRaises(AssertionError):
            answer.header("x")

    def test_duplicate_members_are_a_mistake(self):
        with self.assertRaises(AssertionError):
            self.read(answered('{"a":1,"a":2}'))[0].json()

    def test_waiting_ends(self):
        with self.assertRaises(AssertionError):
            wait_until(lambda: False, "never", deadline_s=0.01)

    def test_requests_are_framed(self):
        raw = request_bytes("POST", "/x", {"a": 1}, {"K": "v"})
        self.assertEqual(
            raw, b"POST /x HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\n"
            b"Content-Length: 8\r\nK: v\r\n\r\n" + b'{"a": 1}'
        )


class Loads(unittest.TestCase):
    ACCEPTED = '{"orderId":"o","sequence":1}'

    def test_a_broken_line_is_ridden_out_with_the_same_key(self):
        server = CannedServer(b"", answered(self.ACCEPTED)[:-3], answered(self.ACCEPTED))
        answers = Load(server.address, [Wish("u", "i", 1, "k")], clients=1).start().join(10)
        self.assertEqual([a.status for a in answers], [0, 0, 202])
        self.assertEqual(len({raw for raw in server.received}), 1, "the very same request")
        self.assertTrue(all(b"Idempotency-Key: k" in raw for raw in server.received))

    def test_without_a_key_nothing_is_asked_twice(self):
        server = CannedServer(b"")
        answers = Load(server.address, [Wish("u", "i", 1)], clients=1).start().join(10)
        self.assertEqual([a.status for a in answers], [0])

    def test_exchanges_tell_how_a_line_ended(self):
        server = CannedServer(answered(self.ACCEPTED)[:-3])
        load = Load(
            server.address, [Wish("u", "i", 1, "k")], clients=1, ride_out=False, keep_exchanges=True
        )
        load.start().join(10)
        self.assertEqual([e.closed for e in load.exchanges], ["partial"])

    def test_hashes_are_of_the_bytes(self):
        self.assertEqual(harness.body_hash(b""), "cbf29ce484222325")
        self.assertNotEqual(harness.body_hash(b"a"), harness.body_hash(b"b"))


if __name__ == "__main__":
    unittest.main()
