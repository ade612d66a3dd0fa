# tests/e2e/sigterm_test.py - SIGTERM under full load: nobody in flight is let down, nothing is lost
"""What "in flight" means here, to the byte:

- a request whose last byte was handed to the kernel before SIGTERM was sent must get its answer;
- a later one on a connection that was already open gets its answer, or the connection ends without
  one byte of an answer (the server closed before it read), and then no order is stored for it;
- no answer is ever cut in the middle, and no connection is reset before SIGTERM.
"""

import os
import signal
import socket
import time
import unittest

import auditor
from harness import (
    FULL, Connection, ConnectionClosed, EndToEnd, estimated, request_bytes, wait_until
)
from load import Load, unique_wishes


class Sigterm(EndToEnd):
    def drain_once(self, server, number):
        client = server.client()
        client.set_stock("drop", 10_000_000)
        load = Load(
            server.address, unique_wishes("drop", prefix=f"t{number}-"), clients=64, ride_out=False,
            keep_exchanges=True,
            retry_busy=False,
        ).start()
        self.addCleanup(load.abandon)
        target = self.random.randrange(200, 3000)
        wait_until(lambda: load.definite >= target, "orders are placed")
        client.close()
        before = time.monotonic_ns()
        server.terminate()
        code = server.wait_exit(12)
        took = (time.monotonic_ns() - before) / 1e9
        load.abandon()
        answers = load.join()
        self.assertEqual(code, 0)
        return answers, load.exchanges, before, took

    def check_exchanges(self, exchanges, before, store):
        stored_users = {order.user for order in store.orders}
        late = {"answered": 0, "eof": 0, "reset": 0}
        for exchange in exchanges:
            self.assertNotEqual(exchange.closed, "partial", f"an answer was cut: {exchange}")
            if exchange.sent and exchange.sent < before:
                self.assertIsNotNone(
                    exchange.answer, f"sent before SIGTERM, never answered: {exchange}"
                )
                continue
            late["answered" if exchange.answer else exchange.closed or "eof"] += 1
            if exchange.answer is None:
                self.assertNotIn(
                    exchange.wish.user, stored_users, f"stored and not told: {exchange}"
                )
        return late

    @estimated(minutes=3)
    def test_sigterm_under_full_load(self):
        row = self.fault("SIGTERM under full load, embedded")
        row.remarks.append("time: until the process was gone")
        data = os.path.join(self.scratch, "data")
        server = self.make_server(data=data)
        answers, slowest = [], 0.0
        for number in range(100 if FULL else 3):
            server.start() if number == 0 else server.restart()
            heard, exchanges, before, took = self.drain_once(server, number)
            answers += heard
            store = auditor.read_store(data)
            late = self.check_exchanges(exchanges, before, store)
            slowest = max(slowest, took)
            row.survived(took)
            self.note(
                f"round {number}: {len(heard)} answers, after SIGTERM {late}, exit in {took:.2f} s"
            )
            violations = auditor.audit(answers, store)
            self.assertEqual(violations, [])
            self.assertFalse([a for a in answers if a.status not in (202, 503, auditor.UNKNOWN)])
        self.assertLess(slowest, 10)

    def test_readiness_goes_first_and_connections_settle(self):
        server = self.start_server({"shutdown.settle": "1s"})
        client = server.client()
        client.set_stock("settle", 1000)
        client.close()
        with Connection(server.address) as kept:
            kept.send(request_bytes("GET", "/readyz"))
            self.assertEqual(kept.read().status, 200)
            server.terminate()
            probe = server.client()
            unready = wait_until(lambda: self.unready(probe), "readyz says no")
            self.assertTrue(unready.closes)
            # While it settles, orders are still taken on old connections and on new ones.
            kept.send(
                request_bytes(
                    "POST", "/api/v1/orders", {"userId": 1, "itemId": "settle", "quantity": 1}
                )
            )
            answer = kept.read()
            self.expect(answer, (202, 503))
            self.assertTrue(answer.closes, "told to go elsewhere")
            self.expect(server.client().get("/livez"), 200)
        self.assertEqual(server.wait_exit(8), 0)
        with self.assertRaises(OSError):
            socket.create_connection(server.address, timeout=1).close()

    def unready(self, probe):
        response = probe.get("/readyz")
        return response if response.status == 503 else None

    def test_half_a_request_does_not_hold_it_up(self):
        server = self.start_server()
        with Connection(server.address) as half, Connection(server.address) as idle:
            half.send(
                request_bytes(
                    "POST", "/api/v1/orders", {"userId": 1, "itemId": "x", "quantity": 1}
                )[:-5]
            )
            idle.send(request_bytes("GET", "/livez"))
            idle.read()
            before = time.monotonic()
            server.terminate()
            self.assertEqual(server.wait_exit(15), 0)
            self.note(f"exit after {time.monotonic() - before:.2f} s")
            self.assertTrue(idle.is_closed(1))
            try:
                self.assertIn(half.read().status, (400, 408, 503))
            except ConnectionClosed:
                pass

    def test_a_second_signal_ends_it_at_once(self):
        server = self.start_server({"shutdown.settle": "60s"})
        server.terminate()
        wait_until(lambda: server.client().get("/readyz").status == 503, "it drains")
        server.terminate()
        code = server.wait_exit(5)
        self.assertIn(code, (0, 1), "a second signal stops at once, cleanly")

    def test_sigint_is_a_stop_too(self):
        server = self.start_server()
        server.process.send_signal(signal.SIGINT)
        self.assertEqual(server.wait_exit(10), 0)

    def test_a_signal_at_start_is_heard(self):
        for _ in range(5):
            server = self.make_server().launch()
            delay = time.monotonic() + self.random.random() * 0.05
            wait_until(lambda: time.monotonic() >= delay, "a moment")
            server.terminate()
            self.assertIn(server.wait_exit(10), (0, 1, -signal.SIGTERM))

    def test_pipes_that_close_do_not_kill_it(self):
        server = self.start_server()
        client = server.client()
        client.set_stock("pipe", 1000)
        raw = request_bytes(
            "POST", "/api/v1/orders", {"userId": 1, "itemId": "pipe", "quantity": 1}
        )
        for _ in range(50):
            connection = Connection(server.address)
            connection.send(raw * 20)
            connection.reset()
        self.expect(client.get("/livez"), 200)
        client.close()
        server.stop()


if __name__ == "__main__":
    unittest.main()
