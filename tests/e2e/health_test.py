# tests/e2e/health_test.py - what probes and operators are told while parts of it fail for real
import http.server
import resource
import socket
import threading
import time
import unittest

from distributed_test import Distributed as OverStores
from harness import Client, Connection, EndToEnd, request_bytes, wait_until
from stores import free_port

QUICK = {"health.interval": "100ms"}


class Listener:
    """A TCP port that takes connections and says nothing."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def close(self):
        self.socket.close()


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Health(EndToEnd):
    def listener(self):
        made = Listener()
        self.addCleanup(made.close)
        return made

    def web_server(self, status=200):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        server.status = status
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def ask(self, client, path=""):
        return client.admin("GET", f"/actuator/health{path}").json()

    def wait_for(self, client, component, status):
        """The component's health once it has this status."""

        def seen():
            health = self.ask(client, f"/{component}")
            return health if health["status"] == status else None

        return wait_until(seen, f"{component} is {status}")

    def test_the_components_of_an_embedded_node(self):
        server = self.start_server()
        client = server.client()
        health = self.ask(client)
        self.assertEqual(health["status"], "UP")
        self.assertEqual(
            set(health["components"]),
            {"conservation", "diskSpace", "livenessState", "readinessState", "store"},
            "there is no Redis, no PostgreSQL and no webhook here",
        )
        self.assertEqual(health["groups"], ["liveness", "readiness"])
        disk = health["components"]["diskSpace"]["details"]
        self.assertGreater(disk["free"], disk["threshold"])
        for group in ("liveness", "readiness"):
            self.expect(client.get(f"/actuator/health/{group}"), 200)
        stranger = client.get("/actuator/health/diskSpace")
        self.assertEqual(stranger.json(), {"status": "UP"})
        wrong = client.get("/actuator/health", {"Authorization": "Bearer " + "0" * 64})
        self.assertNotIn("components", wrong.json())
        self.expect(client.request("POST", "/actuator/health", "{}"), 405)
        self.expect(client.request("HEAD", "/actuator/health"), 200)

    def test_little_room_is_down_and_the_node_stays_ready(self):
        server = self.start_server({"health.disk_free_min": "1073741824MiB"})
        client = server.client()
        told = self.wait_for(client, "diskSpace", "DOWN")
        self.assertIn("health.disk_free_min", told["details"]["reason"])
        self.assertEqual(self.expect(client.get("/actuator/health"), 503).json()["status"], "DOWN")
        self.expect(client.get("/readyz"), 200)
        self.expect(client.get("/livez"), 200)

    def test_a_store_that_takes_no_orders_is_down_until_it_does(self):
        server = self.start_server(QUICK)
        client = server.client()
        client.set_stock("drop", 100)
        unlimited = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0, unlimited[1]))
        self.expect(client.order("ann", "drop"), 503)
        told = self.wait_for(client, "store", "DOWN")
        self.assertIn("the disk is full", told["details"]["reason"])
        self.assertEqual(told["details"]["fault"], "storage_full")
        self.expect(client.get("/readyz"), 200)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, unlimited)
        self.expect(client.order("ann", "drop"), 202)
        self.wait_for(client, "store", "UP")

    def test_checks_of_the_operators_own(self):
        port, web = self.listener(), self.web_server()
        server = self.start_server({
            **QUICK,
            "health.checks": "; ".join([
                f"orders-db tcp 127.0.0.1:{port.port} timeout=2s",
                f"shop http http://127.0.0.1:{web.server_port}/up?key=hush expect=200",
                'calm metric firstcome_lane_queue_depth{lane="0"} < 4000',
                "busy metric firstcome_lane_queue_depth >= 4000",
                "odd metric firstcome_no_such_thing > 1",
            ]),
            "health.groups": "checkout store orders-db shop; nobody redis",
        })
        client = server.client()
        for name, status in (
            ("orders-db", "UP"), ("shop", "UP"), ("calm", "UP"), ("busy", "DOWN"),
            ("odd", "UNKNOWN"),
        ):
            self.wait_for(client, name, status)
        busy = self.ask(client, "/busy")["details"]["reason"]
        self.assertEqual(busy, "firstcome_lane_queue_depth is 0, not >= 4000")
        self.expect(client.get("/actuator/health/checkout"), 200)
        group = self.ask(client, "/checkout")
        self.assertEqual(set(group["components"]), {"store", "orders-db", "shop"})
        self.assertEqual(self.ask(client, "/nobody")["status"], "UNKNOWN")

        port.close()
        web.status = 500
        told = self.wait_for(client, "orders-db", "DOWN")
        self.assertIn("127.0.0.1", told["details"]["reason"])
        shop = self.wait_for(client, "shop", "DOWN")
        self.assertEqual(shop["details"]["reason"], "answered 500, not 200")
        self.expect(client.get("/actuator/health/checkout"), 503)
        everything = client.admin("GET", "/actuator/health").body + server.log().encode()
        self.assertNotIn(b"hush", everything, "an address may hold a secret")

    def test_a_check_that_hangs_holds_up_no_probe(self):
        silent = self.listener()  # takes the connection and never answers
        server = self.start_server({
            **QUICK, "health.checks": f"slow http http://127.0.0.1:{silent.port}/ timeout=5s",
        })
        client = server.client()
        wait_until(lambda: "slow" in self.ask(client)["components"], "it is known")
        began = time.monotonic()
        for _ in range(50):
            self.expect(client.get("/actuator/health"), 200)
        took = time.monotonic() - began
        self.assertLess(took, 5, "fifty probes within one check's time")
        self.note(f"a probe beside a hanging check: {took / 50 * 1000:.2f} ms")
        told = self.wait_for(client, "slow", "DOWN")
        self.assertIn("timed out", told["details"]["reason"])
        server.stop(4)  # and no stop: it would take longer than that

    def order_and_forget(self, server, user):
        """An order whose answer nobody waits for."""
        connection = Connection(server.address)
        self.addCleanup(connection.close)
        body = {"userId": user, "itemId": "drop", "quantity": 1}
        connection.send(request_bytes("POST", "/api/v1/orders", body))
        return time.monotonic()

    def test_a_frozen_lane_is_not_alive(self):
        server = self.start_server(
            {"server.io_threads": 2}, environment={"FIRSTCOME_FAILPOINTS": "before_decide=freeze"}
        )
        client = server.client()
        client.set_stock("drop", 100)
        self.expect(client.get("/livez"), 200)
        frozen_at = self.order_and_forget(server, "ann")
        wait_until(lambda: client.get("/livez").status == 503, "/livez notices")
        took = time.monotonic() - frozen_at
        self.assertLess(took, 6, "5 s of standing still, and one for who asks")
        self.note(f"/livez 503 after {took:.2f} s")
        self.assertEqual(client.get("/livez").json(), {"status": "DOWN"})
        told = client.admin("GET", "/livez").json()
        self.assertEqual(told, {"status": "DOWN", "stuck": ["fc-lane-0"]})
        self.expect(client.get("/actuator/health/liveness"), 503)
        self.expect(client.get("/readyz"), 200)
        wait_until(lambda: "fc-lane-0" in server.log(), "the log names it")

    def test_a_frozen_event_loop_is_told_on_the_port_for_probes(self):
        port = free_port()
        server = self.start_server(
            {"server.io_threads": 1, "health.listen": f"127.0.0.1:{port}"},
            environment={"FIRSTCOME_FAILPOINTS": "fc-io=freeze@5"},
        )
        probes = Client(server)
        probes.server = type("Probes", (), {
            "address": ("127.0.0.1", port), "admin_token": server.admin_token
        })
        wait_until(lambda: probes.get("/livez").status == 503, "/livez notices")
        told = probes.admin("GET", "/livez").json()
        self.assertEqual(told["stuck"], ["fc-io-0"])
        scrape = self.expect(probes.get("/metrics"), 200).body.decode()
        self.assertIn('uri="/livez"', scrape, "what this port answers counts too")
        self.expect(probes.get("/actuator/health"), 503)
        self.expect(probes.order("ann", "drop"), 404)

    def test_draining_is_out_of_service(self):
        server = self.start_server({"shutdown.settle": "3s"})
        client = server.client()
        self.expect(client.get("/actuator/health/readiness"), 200)
        server.terminate()
        wait_until(lambda: client.get("/readyz").status == 503, "it drains")
        told = self.expect(client.get("/actuator/health/readiness"), 503).json()
        self.assertEqual(told["status"], "OUT_OF_SERVICE")
        self.expect(client.get("/livez"), 200)
        self.assertEqual(server.wait_exit(), 0)


class DistributedHealth(OverStores):
    """Only the health of it; its other tests are the suite's own."""

    wait_for = Health.wait_for
    ask = Health.ask

    def test_stores_that_die_are_down_and_the_node_stays_ready(self):
        node = self.start_node({**QUICK, "health.outbox_age_max": "1s"})
        client = node.client()
        self.addCleanup(client.close)
        client.set_stock("drop", 100)
        names = set(self.ask(client)["components"])
        self.assertEqual(names, {
            "redis", "db", "outbox", "dlq", "circuitBreakers", "conservation", "diskSpace",
            "livenessState", "readinessState",
        })
        self.wait_for(client, "redis", "UP")
        self.wait_for(client, "db", "UP")

        self.redis.kill()
        told = self.wait_for(client, "redis", "DOWN")
        self.assertTrue(told["details"]["reason"], "it says why")
        self.note(f"Redis gone: {told['details']['reason']}")
        self.expect(client.get("/actuator/health"), 503)
        self.expect(client.get("/readyz"), 200)
        self.expect(client.get("/livez"), 200)
        self.assertEqual(self.ask(client, "/db")["status"], "UP", "each speaks for itself")
        wait_until(
            lambda: self.ask(client, "/circuitBreakers")["details"]["redis"] == "OPEN",
            "the breaker is shown open"
        )
        self.redis.start()
        self.wait_for(client, "redis", "UP")
        wait_until(lambda: client.order("ann", "drop", key="a").status == 202, "it sells again")
        self.wait_for(client, "outbox", "UP")

        self.postgres.kill()
        self.expect(client.order("bob", "drop", key="b"), (202, 503))
        told = self.wait_for(client, "db", "DOWN")
        self.note(f"PostgreSQL gone: {told['details']['reason']}")
        told = self.wait_for(client, "outbox", "DOWN")
        self.assertGreaterEqual(told["details"]["pending"], 1)
        self.expect(client.get("/readyz"), 200)
        self.postgres.start()
        self.wait_for(client, "db", "UP")
        self.wait_for(client, "outbox", "UP")
        for text in (node.log(), client.admin("GET", "/actuator/health").body.decode()):
            self.assertNotIn(self.admin_token(), text)


def load_tests(loader, _tests, _pattern):
    """Without the tests that OverStores brings along."""
    names = [name for name in loader.getTestCaseNames(Health)]
    suite = unittest.TestSuite(Health(name) for name in names)
    suite.addTest(
        DistributedHealth("test_stores_that_die_are_down_and_the_node_stays_ready")
    )
    return suite
