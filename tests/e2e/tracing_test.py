# tests/e2e/tracing_test.py - one order is one tree, whoever collects it; a collector costs no order
import os
import re
import subprocess
import threading
import unittest

from harness import BINARY, EndToEnd, wait_until
from issuer import Authority
from load import bench_command
from stores import Postgres, Redis, free_port
from trace_collector import Collector
from trace_decoder import install
from webhook_receiver import Receiver, write_secret

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
SAMPLED = {"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "vendor=opaque"}
FORMATS = ("otlp", "zipkin")


def setUpModule():
    install()


class Tracing(EndToEnd):
    def collector(self, format_="otlp", start=True, certificate=None):
        collector = Collector(format_, certificate)
        if not start:
            collector.port = free_port()
        self.addCleanup(collector.stop)
        return collector.start() if start else collector

    def receiver(self):
        self.secret_file = os.path.join(self.scratch, "webhook.secret")
        receiver = Receiver(write_secret(self.secret_file)).start()
        self.addCleanup(receiver.stop)
        return receiver

    def traced(self, collector, **more):
        return {
            "tracing.exporter": collector.format, "tracing.endpoint": collector.url, **more
        }

    def telling(self, receiver):
        return {
            "webhook.url": receiver.url, "webhook.secret_file": self.secret_file,
            "webhook.allow_private": "true",
        }

    def start_selling(self, settings, units=1_000_000, **more):
        server = self.start_server(settings, **more)
        client = server.client()
        self.addCleanup(client.close)
        wait_until(
            lambda: client.change_stock("shoe", "set", units).status == 200, "there is stock"
        )
        return server, client

    def spans_of(self, collector, trace=TRACE):
        return [span for span in collector.spans() if span["trace"] == trace]

    def wait_spans(self, collector, name, count=1, trace=TRACE):
        """All spans of the trace, once there are so many, and one of this name among them."""
        looked_at = 0

        def there():
            nonlocal looked_at
            posts = len(collector.taken())
            if posts == looked_at:  # reading them takes a while
                return None
            looked_at = posts
            found = self.spans_of(collector, trace)
            named = any(span["name"] == name for span in found)
            return found if named and len(found) >= count else None
        return wait_until(there, f"{count} spans of {trace}, {name} among them")

    def figures(self, client):
        text = self.expect(client.get("/metrics"), 200).body.decode()
        found = re.findall(r'^firstcome_trace_spans_total\{result="(\w+)"\} (\S+)$', text, re.M)
        return {result: int(float(value)) for result, value in found}

    def check_tree(self, spans, root):
        """One root, whose parent is the caller's span; every other parent is there; no id twice."""
        by_id = {span["id"]: span for span in spans}
        self.assertEqual(len(by_id), len(spans), "an id came twice")
        roots = [span for span in spans if span["parent"] not in by_id]
        self.assertEqual([(s["name"], s["parent"]) for s in roots], [root])
        for span in spans:
            self.assertLessEqual(span["start"], span["end"])
        return by_id

    def path_up(self, by_id, span_id):
        names = []
        while span_id in by_id:
            names.append(by_id[span_id]["name"])
            span_id = by_id[span_id]["parent"]
        return names


class OneTree(Tracing):
    def follow_one_order(self, server, client, collector, receiver, expected):
        answer = self.expect(client.order("ann", "shoe", headers=SAMPLED), 202)
        order = answer.json()["orderId"]

        def told():
            about = [m for m in receiver.taken("order.confirmed") if m.data["orderId"] == order]
            return about and about[0]
        message = wait_until(told, "the webhook is told")
        spans = self.wait_spans(collector, "POST", expected["count"])
        by_id = self.check_tree(spans, ("POST /api/v1/orders", CALLER))
        version, trace, parent, flags = message.traceparent.split("-")
        self.assertEqual((version, trace, flags), ("00", TRACE, "01"))
        self.assertEqual(self.path_up(by_id, parent), expected["path"])
        self.assertEqual(len(spans), expected["count"], [span["name"] for span in spans])

        named = {span["name"]: span for span in spans}
        root = named["POST /api/v1/orders"]
        self.assertEqual(root["kind"], "SERVER")
        self.assertEqual(root["state"], "vendor=opaque")
        self.assertEqual(root["scope"], "firstcome")
        self.assertFalse(any(span["failed"] for span in spans))
        facts = {name: str(value) for name, value in root["attributes"].items()}
        for name, value in {
            "http.request.method": "POST", "http.route": "/api/v1/orders",
            "http.response.status_code": "202", "url.path": "/api/v1/orders",
            "server.address": "shop.example", "url.scheme": "http",
            "firstcome.request.id": answer.header("X-Request-Id"),
        }.items():
            self.assertEqual(facts.get(name), value, name)
        self.assertEqual(by_id[parent]["kind"], "CLIENT")
        self.assertEqual(str(by_id[parent]["attributes"]["http.response.status_code"]), "200")
        self.assertEqual(named["relay webhook"]["kind"], "CONSUMER")
        self.assertEqual(named["outbox webhook"]["kind"], "PRODUCER")
        store = named[expected["store"]]
        self.assertEqual(store["kind"], "CLIENT")
        self.assertEqual(store["attributes"]["db.system.name"], expected["database"])
        for name, value in (("service.name", "firstcome"), ("service.version", ".+"),
                            ("service.instance.id", "[0-9a-f-]{36}")):
            self.assertRegex(root["resource"][name], f"^{value}$")
        self.assertEqual(collector.faults(), [])
        self.note(" <- ".join(expected["path"]))

    def test_embedded_from_the_clients_traceparent_to_the_webhooks(self):
        for format_ in FORMATS:
            with self.subTest(format=format_):
                collector, receiver = self.collector(format_), self.receiver()
                server, client = self.start_selling(
                    {**self.traced(collector), **self.telling(receiver)},
                    data=os.path.join(self.scratch, format_),
                )
                self.follow_one_order(server, client, collector, receiver, {
                    "path": ["POST", "relay webhook", "outbox webhook", "COMMIT orders",
                             "order lane", "POST /api/v1/orders"],
                    # accepted and confirmed: outbox, relay, POST each.
                    "count": 3 + 2 * 3, "store": "COMMIT orders", "database": "sqlite",
                })
                server.stop()

    def test_distributed_from_the_clients_traceparent_to_the_webhooks(self):
        redis, postgres = Redis(self.scratch), Postgres(self.scratch)
        for program in (redis, postgres):
            self.addCleanup(program.kill)
            program.start()
        for format_ in FORMATS:
            with self.subTest(format=format_):
                collector, receiver = self.collector(format_), self.receiver()
                server, client = self.start_selling({
                    "mode": "distributed", "redis.url": redis.url, "postgres.url": postgres.url,
                    **self.traced(collector), **self.telling(receiver),
                }, data=os.path.join(self.scratch, format_))
                self.follow_one_order(server, client, collector, receiver, {
                    "path": ["POST", "relay webhook", "outbox webhook", "relay orders",
                             "outbox orders", "EVALSHA orders", "order lane",
                             "POST /api/v1/orders"],
                    "count": 3 + 2 + 2 * 3, "store": "EVALSHA orders", "database": "redis",
                })
                if format_ == FORMATS[-1]:
                    self.check_failed_order_is_kept(redis, client, collector)
                else:
                    server.stop()

    def check_failed_order_is_kept(self, redis, client, collector):
        """The caller said: do not sample. A 5xx is kept all the same."""
        redis.kill()
        trace = TRACE[::-1]
        answer = self.expect(
            client.order("bob", "shoe", headers={"traceparent": f"00-{trace}-{CALLER}-00"}),
            (503, 504),
        )
        self.assertEqual(answer.json()["traceId"], trace)
        spans = self.wait_spans(collector, "POST /api/v1/orders", trace=trace)
        by_id = self.check_tree(spans, ("POST /api/v1/orders", CALLER))
        root = next(span for span in by_id.values() if span["parent"] == CALLER)
        self.assertTrue(root["failed"])
        self.assertEqual(root["attributes"]["error.type"], str(answer.status))


class Failing(Tracing):
    def test_a_delivery_that_fails_hangs_in_the_tree_of_its_order(self):
        collector, receiver = self.collector(), self.receiver()
        receiver.refuse = lambda message: 503
        server, client = self.start_selling({**self.traced(collector), **self.telling(receiver)})
        self.expect(client.order("ann", "shoe", headers=SAMPLED), 202)
        root = ("POST /api/v1/orders", CALLER)
        spans = self.wait_spans(collector, "relay webhook", 3 + 3)
        self.check_tree(spans, root)
        self.assertTrue(all(s["failed"] for s in spans if s["name"] == "relay webhook"))

        unsampled = TRACE[::-1]
        self.expect(client.order(
            "bob", "shoe", headers={"traceparent": f"00-{unsampled}-{CALLER}-00"}
        ), 202)
        receiver.refuse = lambda message: 503 if message.data.get("userId") == "bob" else None
        self.wait_spans(collector, "relay webhook", 2, unsampled)
        receiver.refuse = lambda message: None
        wait_until(lambda: len(receiver.taken("order.confirmed")) == 2, "both are told")
        server.stop()
        self.check_tree(self.spans_of(collector), root)
        kept = self.spans_of(collector, unsampled)
        self.assertEqual({s["name"] for s in kept}, {"outbox webhook", "relay webhook"})
        self.assertTrue(all(s["failed"] for s in kept if s["name"] == "relay webhook"))
        self.assertEqual({s["parent"] for s in kept if s["name"] == "outbox webhook"}, {CALLER})


class Sampling(Tracing):
    def test_the_caller_decides_and_else_the_share(self):
        collector = self.collector()
        server, client = self.start_selling(
            self.traced(collector, **{"tracing.sample_percent": "0"})
        )
        b3 = {"X-B3-TraceId": "1" * 32, "X-B3-SpanId": "2" * 16}
        asked = {  # trace: headers
            "1" * 32: {**b3, "X-B3-Sampled": "1"},
            "3" * 32: {"b3": f"{'3' * 32}-{'4' * 16}-1"},
            "5" * 32: {"b3": f"{'5' * 32}-{'4' * 16}-0"},
            "6" * 32: {"b3": f"{'6' * 32}-{'4' * 16}"},
            "7" * 32: {"traceparent": f"00-{'7' * 32}-{CALLER}-00", "b3": "1"},
            TRACE: {**SAMPLED, "b3": "0"},
        }
        for headers in [*asked.values(), {}]:
            self.expect(client.order("ann", "shoe", headers=headers), 202)
        server.stop()
        kept = {span["trace"] for span in collector.spans()}
        self.assertEqual(kept, {"1" * 32, "3" * 32, TRACE})
        parents = {s["trace"]: s["parent"] for s in collector.spans() if s["kind"] == "SERVER"}
        self.assertEqual(parents, {"1" * 32: "2" * 16, "3" * 32: "4" * 16, TRACE: CALLER})

    def test_a_problem_names_the_trace_it_belongs_to(self):
        collector = self.collector()
        server, client = self.start_selling(self.traced(collector), units=1)
        for headers, trace in (
            (SAMPLED, TRACE), ({"b3": f"{'3' * 32}-{'4' * 16}-1"}, "3" * 32)
        ):
            answer = self.expect(client.order("ann", "shoe", 2, headers=headers), 409)
            self.assertEqual(answer.json()["traceId"], trace)
        made = self.expect(client.order("ann", "shoe", 2), 409).json()["traceId"]
        server.stop()
        spans = self.spans_of(collector, made)
        by_id = self.check_tree(spans, ("POST /api/v1/orders", ""))
        self.assertFalse(any(span["failed"] for span in by_id.values()), "a no is no error")

    def test_opentelemetrys_variables_are_followed_and_ours_win(self):
        collector = self.collector()
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.base,
            "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=a%20b",
            "OTEL_SERVICE_NAME": "shop",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test,service.instance.id=n1",
            "OTEL_TRACES_SAMPLER": "always_off",
        }
        for name, ours, kept in (("theirs", {}, False), ("ours", {
            "tracing.sampler": "always_on"}, True)):
            with self.subTest(name):
                server, client = self.start_selling(
                    ours, environment=environment, data=os.path.join(self.scratch, name)
                )
                self.expect(client.order("ann", "shoe", headers=SAMPLED), 202)
                server.stop()
                self.assertEqual(bool(self.spans_of(collector)), kept)
        resource = self.spans_of(collector)[0]["resource"]
        self.assertEqual(resource["service.name"], "shop")
        self.assertEqual(resource["service.instance.id"], "n1")
        self.assertEqual(resource["deployment.environment.name"], "test")
        self.assertEqual(collector.taken()[0].headers["x-tenant"], "a b")


    def test_a_collector_may_have_an_authority_of_its_own(self):
        authority = Authority(self.scratch)
        collector = self.collector(certificate=authority.issue("collector"))
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.base}
        trusting = {**environment, "OTEL_EXPORTER_OTLP_CERTIFICATE": authority.path}
        server, client = self.start_selling(
            {}, environment={**environment, "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"},
            data=os.path.join(self.scratch, "distrusts"),
        )
        wait_until(lambda: "does not take all spans" in server.log(), "it is not trusted")
        self.assertIn("OTEL_EXPORTER_OTLP_COMPRESSION is not followed", server.log())
        server.stop()
        self.assertEqual(collector.count(), 0)
        server, client = self.start_selling({}, environment=trusting)
        self.expect(client.order("ann", "shoe", headers=SAMPLED), 202)
        self.wait_spans(collector, "COMMIT orders")
        server.stop()


class BadCollector(Tracing):
    def orders(self, client, count=20):
        for number in range(count):
            self.expect(client.order(f"u{number}", "shoe"), 202)

    def test_one_that_comes_late_gets_what_waited(self):
        collector = self.collector(start=False)
        server, client = self.start_selling(self.traced(collector))
        self.expect(client.order("ann", "shoe", headers=SAMPLED), 202)
        wait_until(lambda: "does not take all spans" in server.log(), "it is missed")
        self.assertEqual(self.expect(client.get("/readyz"), 200).status, 200)
        collector.start()
        self.wait_spans(collector, "COMMIT orders")
        wait_until(lambda: self.figures(client)["exported"] > 0, "they are counted")
        self.assertEqual(self.figures(client)["dropped"], 0)
        server.stop()

    def test_one_that_is_not_there_at_all_keeps_no_order_and_no_stop(self):
        collector = self.collector(start=False)
        server, client = self.start_selling(self.traced(collector))
        self.orders(client)
        server.stop()

    def test_asked_to_wait_it_waits_and_sends_the_same_again(self):
        for status in (429, 503):
            with self.subTest(status=status):
                collector = self.collector()
                collector.answer = lambda post: (
                    (200, {}) if len(collector.posts) > 1 else (status, {"Retry-After": "2"})
                )
                server, client = self.start_selling(
                    self.traced(collector), data=os.path.join(self.scratch, str(status))
                )
                wait_until(lambda: collector.taken(), "it is tried again")
                first, second = collector.posts[:2]
                self.assertEqual(first.body, second.body)
                self.assertGreaterEqual(second.at - first.at, 2)
                wait_until(lambda: self.figures(client)["exported"] > 0, "they are counted")
                self.assertEqual(self.figures(client)["failed"], 0)
                server.stop()

    def test_a_no_is_final_and_counted(self):
        collector = self.collector()
        collector.answer = lambda post: (400, {})
        server, client = self.start_selling(self.traced(collector))
        self.orders(client)
        wait_until(lambda: self.figures(client)["failed"] >= 60, "all are counted as failed")
        bodies = [post.body for post in collector.posts]
        self.assertEqual(len(bodies), len(set(bodies)), "none is sent twice")
        self.assertEqual(self.figures(client)["exported"], 0)
        server.stop()

    def test_one_that_never_answers_costs_spans_and_no_order(self):
        collector = self.collector()
        collector.hold = threading.Event()
        server, client = self.start_selling(self.traced(collector))
        record = os.path.join(self.scratch, "bench.txt")
        done = subprocess.run(
            bench_command(BINARY, server, record, "--duration", "2s"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            check=False, timeout=60,
        )
        self.assertEqual(done.returncode, 0, done.stdout.decode(errors="replace"))
        figures = self.figures(client)
        self.assertGreater(figures["dropped"], 0)
        self.assertEqual(figures["exported"], 0)
        text = self.expect(client.get("/metrics"), 200).body.decode()
        failed = re.search(r'firstcome_orders_total\{outcome="unavailable"\} (\d+)', text)
        self.assertEqual(failed[1], "0")
        self.note(f"{figures['dropped']} spans dropped, {client.count()} orders taken")
        server.stop()


if __name__ == "__main__":
    unittest.main()
