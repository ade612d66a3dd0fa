# tests/e2e/logs_test.py - every line one JSON object, whatever strangers send and whoever reads it
import json
import os
import re
import threading
import time
import unittest

from harness import Connection, EndToEnd, request_bytes, wait_until

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"
QUEUE_LINES = 8192  # that may wait
ACCESS = {"log.access": "on", "log.format": "json"}


def read_lines(text):
    """Every line as an object; anything else fails."""
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", line), f"line {number}: {line!r}"

        def once(pairs):
            names = [name for name, _ in pairs]
            assert len(names) == len(set(names)), f"line {number} says a name twice: {line}"
            return dict(pairs)

        lines.append(json.loads(line, object_pairs_hook=once))
        missing = {"ts", "level", "msg", "thread"} - lines[-1].keys()
        assert not missing, f"line {number} lacks {missing}: {line}"
    return lines


class Logs(EndToEnd):
    def requests_in(self, server):
        return [line for line in read_lines(server.log()) if line["msg"] == "request"]

    def test_hostile_input_makes_no_line_of_its_own(self):
        server = self.start_server({**ACCESS, "alerts.enabled": "true"})
        client = server.client()
        evil = 'x"}\n{"level":"error","msg":"forged"}\r\n\x1b[2J\u2028\u2029\x9b31m\x00'
        self.expect(
            client.change_stock("shoe", "set", 5, reason=evil[:-1], headers={
                "X-Request-Id": "mine-1", "traceparent": TRACEPARENT,
            }), (200, 400)
        )
        self.expect(client.change_stock("shoe", "set", 5, reason=evil.replace("\x00", "")), 200)
        self.expect(client.order(evil, evil), 400)
        self.expect(client.order("u", "shoe", headers={"X-Request-Id": 'a"b c'}), 202)
        self.expect(client.order("u", "shoe", headers={"traceparent": "00-" + '"' * 32}), 202)
        self.expect(client.get("/%0d%0a%22forged%22%1b%5b2J/%E2%80%A8"), (400, 404))
        self.expect(client.get('/api/v1/orders/stock/"forged"'), (400, 404))
        self.expect(client.request("FORGED", "/api/v1/orders"), (404, 405))
        self.expect(client.get("/api/v1/admin/stats", {"Authorization": "Bearer forged\x85"}), 401)
        for head in (b"GET /\r\nforged\n\n", b"\x16\x03\x01 forged\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: forged\x00\r\n\r\n"):
            with Connection(server.address) as connection:
                connection.send(head)
                self.expect(connection.read(), 400)
        token = server.admin_token()
        client.close()
        server.stop()
        lines = read_lines(server.log())
        self.assertGreater(len(lines), 12)
        self.assertEqual([line for line in lines if line["msg"] == "forged"], [])
        self.assertNotIn(token, server.log())
        mine = [line for line in lines if line.get("request_id") == "mine-1"]
        self.assertIn("request", {line["msg"] for line in mine})
        self.assertEqual({line["trace_id"] for line in mine}, {TRACE})

    def test_the_lines_of_a_request_carry_its_ids(self):
        server = self.start_server(ACCESS)
        client = server.client()
        headers = {"X-Request-Id": "drop-42", "traceparent": TRACEPARENT}
        self.expect(client.change_stock("shoe", "set", 5, headers=headers), 200)
        answer = client.order("u", "shoe", headers={"X-Request-Id": "order-42"})
        refused = client.order("u", "nothing", headers={"traceparent": TRACEPARENT})
        client.close()
        server.stop()
        lines = read_lines(server.log())
        told = {line["msg"]: line for line in lines if line.get("request_id") == "drop-42"}
        self.assertEqual(set(told), {"stock changed", "request"})
        self.assertEqual({line["trace_id"] for line in told.values()}, {TRACE})
        (order,) = [line for line in lines if line.get("request_id") == "order-42"]
        self.assertEqual(answer.header("X-Request-Id"), "order-42")
        self.assertEqual(
            (order["method"], order["route"], order["status"]), ("POST", "/api/v1/orders", 202)
        )
        self.assertEqual(order["bytes"], len(answer.raw_head) + 4 + len(answer.body))
        self.assertGreater(order["ms"], 0)
        (no,) = [line for line in lines if line.get("status") == 404]
        self.assertEqual(no["trace_id"], refused.json()["traceId"])

    def test_the_level_changes_while_it_serves(self):
        server = self.start_server(ACCESS)
        client = server.client()

        def level(value, method="PUT"):
            return client.admin(method, "/api/v1/admin/log-level", {"level": value})

        def logged():
            """Whether a request has its line; the log is behind by a moment."""
            client.get("/readyz", {"X-Request-Id": f"probe-{time.monotonic_ns()}"})
            client.get("/livez", {"X-Request-Id": "last"})
            return [line for line in self.requests_in(server) if line["route"] == "/readyz"]

        wait_until(logged, "access lines")
        self.expect(level("error"), 200)
        quiet = len(logged())
        for _ in range(20):
            logged()
        self.assertEqual(len(logged()), quiet, "info is less than error")
        self.assertEqual(
            client.admin("GET", "/api/v1/admin/log-level").json()["level"], "error"
        )
        self.expect(level("debug", "POST"), 200)
        wait_until(lambda: len(logged()) > quiet, "access lines again")
        self.expect(level("loud"), 400, "validation_failed")
        self.expect(client.request(
            "PUT", "/api/v1/admin/log-level", {"level": "off"}, {"Authorization": "Bearer no"}
        ), 401)
        changes = [
            (line["before"], line["after"]) for line in read_lines(server.log())
            if line["msg"] == "log level changed"
        ]
        self.assertEqual(changes, [("info", "error"), ("error", "debug")])
        client.close()

    def test_a_reader_that_stopped_slows_no_order_and_hears_what_it_missed(self):
        reading, writing = os.pipe()
        server = self.make_server(ACCESS, preexec=lambda: os.dup2(writing, 2))
        server.start()
        os.close(writing)
        client = server.client()
        client.set_stock("shoe", 1_000_000)
        flood = request_bytes("GET", "/livez") * 100
        with Connection(server.address) as connection:
            for _ in range(QUEUE_LINES * 3 // 2 // 100):
                connection.send(flood)
                for _ in range(100):
                    self.expect(connection.read(), 200)
        began = time.monotonic()
        for number in range(200):
            self.expect(client.order(f"u{number}", "shoe"), 202)
        self.note(f"200 orders in {time.monotonic() - began:.2f} s while nobody read")

        def dropped():
            text = client.get("/metrics").body.decode()
            return int(re.search(r"(?m)^firstcome_log_lines_dropped_total (\d+)", text)[1])

        self.assertGreater(dropped(), 0)
        client.close()
        text = []

        def read():
            with open(reading, encoding="utf-8") as pipe:
                text.extend(pipe)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        server.stop()
        reader.join(30)
        lines = read_lines("".join(text))
        reports = [line["lines"] for line in lines if "dropped" in line["msg"]]
        self.assertTrue(reports and reports[0] > 0, "what is missing is said")
        self.assertIn("stopped", {line["msg"] for line in lines})

    def test_a_reader_that_never_comes_back_keeps_nobody_from_stopping(self):
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        server = self.make_server(ACCESS, preexec=lambda: os.dup2(writing, 2))
        server.start()
        os.close(writing)
        with Connection(server.address) as connection:
            for _ in range(20):
                connection.send(request_bytes("GET", "/livez") * 100)
                for _ in range(100):
                    self.expect(connection.read(), 200)
        began = time.monotonic()
        server.stop()
        self.note(f"ended after {time.monotonic() - began:.2f} s")


if __name__ == "__main__":
    unittest.main()
