# tests/e2e/metrics_test.py - what Prometheus reads of a node, the rules on it and the dashboard
import itertools
import json
import math
import os
import re
import time
import unittest

from distributed_test import Distributed
from harness import ROOT, EndToEnd, wait_until
from load import Load, mixed_wishes, unique_wishes
from prometheus import DEPLOY, JOB, RULES, Prometheus, promtool, read_families, read_samples
from stores import free_port
from webhook_receiver import Receiver, write_secret

DASHBOARD = os.path.join(ROOT, "deploy", "grafana", "firstcome.json")
DOCS = os.path.join(ROOT, "docs", "metrics.md")
ITEMS_MAX = 1_000
# Names in rules and queries that are ours to keep.
OURS = re.compile(r"\b(?:firstcome|resilience4j|http_server|process)_\w+")
RECORDED = re.compile(r"(?m)^\s*- record: (\S+)$")

# CONTRACT section 8: family -> labels. {item}: one series an item.
CONTRACT = {
    "firstcome_orders_total": {"outcome"},
    "firstcome_order_decision_seconds": set(),
    "firstcome_order_durable_seconds": set(),
    "firstcome_stock_units": {"item", "state"},
    "firstcome_stock_ratio": {"item"},
    "firstcome_event_delay_seconds": {"stage"},
    "firstcome_outbox_pending": set(),
    "firstcome_outbox_oldest_age_seconds": set(),
    "firstcome_dlq_depth": set(),
    "firstcome_dlq_oldest_age_seconds": set(),
    "firstcome_dlq_events_total": {"action", "cause"},
    "firstcome_idempotency_total": {"result"},
    "firstcome_ratelimit_total": {"policy", "decision"},
    "firstcome_lane_queue_depth": {"lane"},
    "firstcome_lane_batch_size": set(),
    "firstcome_commit_seconds": set(),
    "firstcome_conservation_drift_units": set(),
    "firstcome_invariant_violations_total": set(),
    "http_server_requests_seconds": {"method", "uri", "status", "outcome"},
    "process_cpu_seconds_total": set(),
    "process_resident_memory_bytes": set(),
    "process_open_fds": set(),
    "firstcome_build_info": {"version", "mode"},
}
# Every other outcome is a fault, and counts in OrderErrorRateHigh.
ANSWERS = {
    "accepted", "replayed", "sold_out", "insufficient_stock", "user_limit_exceeded",
    "sale_not_open", "sale_closed", "item_not_found", "idempotency_key_reused",
    "idempotency_in_progress",
}
NOT_ZERO_AT_START = ("process_", "firstcome_build_info", "firstcome_http_connections")


def family_of(name):
    return re.sub(r"_(bucket|sum|count)$", "", name)


class Checks:
    """What holds in both modes. `start(**settings)` gives a node."""

    def prepare(self):
        self.secret_file = os.path.join(self.scratch, "webhook.secret")
        self.receiver = Receiver(write_secret(self.secret_file)).start()
        self.addCleanup(self.receiver.stop)
        self.receiver.refuse = lambda message: (
            422 if str(message.data.get("userId", "")).startswith("poison") else None
        )

    def with_webhook(self):
        return {
            "webhook.url": self.receiver.url, "webhook.secret_file": self.secret_file,
            "webhook.allow_private": "true", "dead_letters.backoff": "10ms",
            "dead_letters.backoff_max": "20ms",
        }

    def scrape(self, client):
        answer = self.expect(client.get("/metrics"), 200)
        self.assertTrue(answer.header("Content-Type").startswith("text/plain; version=0.0.4"))
        return answer.body.decode()

    def test_every_family_is_there_from_the_start(self):
        client = self.start().client()
        client.set_stock("shoe", 10)
        text = self.scrape(client)
        families = read_families(text)
        samples = read_samples(text)
        for family, labels in CONTRACT.items():
            with self.subTest(family=family):
                kind, told = families[family]
                self.assertTrue(told, "a family says what it is")
                self.assertEqual(family.endswith("_total"), kind == "counter", kind)
                series = [s for s in samples if family_of(s.name) == family or s.name == family]
                self.assertTrue(series, "it has series")
                for sample in series:
                    self.assertEqual(set(sample.labels) - {"le"}, labels, sample)
                if "item" in labels or family.startswith(NOT_ZERO_AT_START):
                    continue
                if family == "http_server_requests_seconds":
                    series = [s for s in series if s.labels["uri"] == "/api/v1/orders"]
                for sample in series:
                    self.assertEqual(sample.value, 0, sample)
        outcomes = {s.labels["outcome"] for s in samples if s.name == "firstcome_orders_total"}
        for path in (RULES, DASHBOARD):
            with open(path, encoding="utf-8") as file:
                faults = re.search(r'outcome=~\\?"(unavailable\|[a-z_|]+)', file.read())[1]
            self.assertLessEqual(outcomes - ANSWERS, set(faults.split("|")), path)
        states = {s.labels["state"] for s in samples if s.name == "firstcome_stock_units"}
        self.assertLessEqual({"initial", "remaining", "sold", "compensating"}, states)
        client.close()

    def test_series_stay_bounded_and_items_beyond_the_bound_are_counted(self):
        client = self.start().client()
        for number in range(ITEMS_MAX + 100):
            client.set_stock(f"item-{number:04d}", 100 + number)
        text = self.scrape(client)
        samples = read_samples(text)
        shown = [s for s in samples if s.name == "firstcome_stock_ratio"]
        self.assertEqual(len(shown), ITEMS_MAX)
        unlisted = [s.value for s in samples if s.name == "firstcome_stock_items_unlisted"]
        self.assertEqual(unlisted, [100])
        self.assertLess(len(samples), 6 * ITEMS_MAX + 1_500, "six series an item, and the rest")
        labels = {label for sample in samples for label in sample.labels}
        private = {"user", "user_id", "order", "order_id", "key", "ip", "path", "trace_id"}
        self.assertEqual(labels & private, set())
        times = []
        for _ in range(20):
            began = time.monotonic()
            self.scrape(client)
            times.append(time.monotonic() - began)
        self.note(
            f"{len(samples)} samples, {len(text) // 1024} KiB, a scrape"
            f" {sorted(times)[10] * 1e3:.1f} ms, the slowest of 20 {max(times) * 1e3:.1f} ms"
        )
        client.close()

    def test_a_loaded_node_is_clean_and_fills_every_panel(self):
        # A receiver of alerts that nobody is: it counts as one.
        nobody = f"http://127.0.0.1:{free_port()}"
        alerts = {"alerts.enabled": "true", "alerts.alertmanager_url": nobody}
        server = self.start(**self.with_webhook(), **alerts)
        client = server.client()
        client.set_stock("shoe", 1_000_000)
        client.set_stock("drop", 50, perUserLimit=2)
        prometheus = Prometheus(self.scratch, [server.address])
        self.addCleanup(prometheus.kill)
        prometheus.start()
        # Counters are seen to rise only from a first value on.
        wait_until(lambda: prometheus.value("up") == 1, "the node is scraped")
        loads = [
            Load(server.address, wishes, clients=4).start() for wishes in (
                itertools.islice(mixed_wishes(self.random, "drop", user_limit=2), 300),
                unique_wishes("shoe"),
                itertools.islice(unique_wishes("shoe", prefix="poison"), 3),
            )
        ]
        for load in loads:
            self.addCleanup(load.abandon)
        wait_until(lambda: prometheus.value("count_over_time(up[1m])") >= 8, "it is scraped often")
        wait_until(lambda: prometheus.value("firstcome_dlq_depth"), "there are dead letters")
        self.check_panels(prometheus)
        text = self.scrape(client)
        code, said = promtool("check", "metrics", text=text.encode())
        self.assertEqual((code, said), (0, ""), "promtool check metrics")
        self.check_names(text)
        loads[1].stop()
        for load in loads:
            load.join()
        client.close()

    def check_panels(self, prometheus):
        with open(DASHBOARD, encoding="utf-8") as file:
            dashboard = json.load(file)
        values = {"$job": JOB, "$instance": ".*", "$item": ".*", "$__rate_interval": "5s"}
        checked = 0
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                expression = target["expr"]
                for name, value in values.items():
                    expression = expression.replace(name, value)
                with self.subTest(panel=panel["title"], expression=expression):
                    self.assertNotIn("$", expression, "a variable this test does not know")
                    result = prometheus.query(expression)
                    self.assertTrue(
                        [v for _, v in result if not math.isnan(v)], f"nothing to show: {result}"
                    )
                checked += 1
        self.assertGreater(checked, 50)
        self.note(f"{checked} queries of the dashboard show something")

    def check_names(self, text):
        """Rules, dashboard and docs speak of what there is, and the docs of all of it."""
        families = set(read_families(text))
        with open(RULES, encoding="utf-8") as file:
            rules = file.read()
        with open(DASHBOARD, encoding="utf-8") as file:
            queries = file.read()
        recorded = set(RECORDED.findall(rules))
        for where, source in (("rules", rules), ("dashboard", queries)):
            for name in recorded:
                source = source.replace(name, "")
            expressions = re.sub(r"docs/\S+", "", source)
            unknown = {family_of(n) for n in OURS.findall(expressions)} - families
            self.assertEqual(unknown, set(), f"named in the {where}")
        with open(DOCS, encoding="utf-8") as file:
            documented = set(re.findall(r"(?m)^\| `(\w+)", file.read()))
        self.assertEqual(families - documented, set(), "not in docs/metrics.md")


class Embedded(Checks, EndToEnd):
    def setUp(self):
        super().setUp()
        self.prepare()

    def start(self, **settings):
        return self.start_server(settings)


class DistributedMode(Checks, Distributed):
    def setUp(self):
        super().setUp()
        self.prepare()

    def start(self, **settings):
        return self.start_node(settings)

    def test_what_the_stores_differ_by_shows_until_it_is_repaired(self):
        client = self.start().client()
        client.set_stock("shoe", 10)
        for number in range(6):
            self.expect(client.order(f"u{number}", "shoe"), 202)
        self.wait_quiet()

        def drift():
            samples = read_samples(self.scrape(client))
            return [s.value for s in samples if s.name == "firstcome_conservation_drift_units"]

        self.assertEqual(drift(), [0])
        # Redis would sell four units again; by themselves its figures add up.
        self.redis.cli("HINCRBY", "fc:{s0}:item:shoe", "remaining", 4)
        self.redis.cli("HINCRBY", "fc:{s0}:item:shoe", "sold", -4)
        wait_until(lambda: drift() == [4], "the difference is seen")
        audit = client.admin("GET", "/api/v1/admin/audit/conservation").json()
        self.assertEqual((audit["ok"], audit["items"][0]["drift"]), (False, 4))
        self.assertRegex(audit["items"][0]["difference"], "expected taken 6 .*, found taken 2 ")
        wait_until(lambda: drift() == [0], "the difference is repaired")
        self.assertEqual(client.stock("shoe")["remaining"], 4)
        audit = client.admin("GET", "/api/v1/admin/audit/conservation").json()
        self.assertEqual(audit, {"ok": True, "items": [{"itemId": "shoe", "drift": 0}]})
        repair = client.admin("GET", "/api/v1/admin/audit").json()["entries"][0]
        self.assertEqual((repair["who"], repair["what"]), ("conservation", "stock.repair"))
        client.close()


class Rules(unittest.TestCase):
    def test_they_and_their_tests_are_sound(self):
        for arguments in (
            ("check", "rules", "firstcome.rules.yml"),
            ("check", "config", "prometheus.yml"),
            ("test", "rules", "firstcome.rules.test.yml"),
        ):
            code, said = promtool(*arguments, cwd=DEPLOY)
            self.assertEqual(code, 0, f"promtool {' '.join(arguments)}:\n{said}")

    def test_each_alert_of_the_contract_tells_what_to_do(self):
        with open(RULES, encoding="utf-8") as file:
            rules = re.split(r"(?m)^\s*- alert: ", file.read())[1:]
        alerts = {rule.split()[0]: rule for rule in rules}
        self.assertEqual(set(alerts), {
            "StockLow", "StockSoldOut", "OrderErrorRateHigh", "OrderLatencyHigh", "DlqGrowing",
            "DlqStale", "OutboxStalled", "BreakerOpen", "InvariantViolated",
        })
        for name, rule in alerts.items():
            with self.subTest(alert=name):
                self.assertRegex(rule, r"severity: (info|warning|critical)\n")
                self.assertIn("summary: ", rule)
                self.assertIn("description: ", rule)
                self.assertIn(f"runbook_url: docs/operating.md#{name.lower()}\n", rule)


if __name__ == "__main__":
    unittest.main()
