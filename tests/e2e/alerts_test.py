# tests/e2e/alerts_test.py - Prometheus and Alertmanager see a drop and faults
import os
import re
import time
import unittest

from alertmanager import Alertmanager, AlertWebhook
from distributed_test import Distributed
from harness import ROOT, EndToEnd, wait_until
from many_nodes import POISON
from prometheus import RULES, Prometheus, promtool
from webhook_receiver import Receiver, write_secret

TOLD_MAX_S = 2.0  # from the crossing to Alertmanager
SEEN_MAX_S = 30.0  # by way of Prometheus


class Watched:
    """What the tests of both modes need: receivers of the built-in alerts, and Prometheus."""

    def start_receivers(self):
        self.built_in = self.run_program_until_end(Alertmanager(self.scratch))
        self.webhook = AlertWebhook()
        self.addCleanup(self.webhook.stop)

    def run_program_until_end(self, program):
        self.addCleanup(program.kill)
        return program.start()

    def alerting(self, **more):
        return {
            "alerts.enabled": "true", "alerts.alertmanager_url": self.built_in.url,
            "alerts.webhook_url": self.webhook.url, **more,
        }

    def start_prometheus(self, *nodes):
        """With the rules as they are but for how often they are looked at."""
        with open(RULES, encoding="utf-8") as file:
            text = re.sub(r"(?m)^(\s+interval:) \d+s$", r"\1 1s", file.read())
        rules = os.path.join(self.scratch, "rules.yml")
        with open(rules, "w", encoding="utf-8") as file:
            file.write(text)
        self.by_rule = self.run_program_until_end(Alertmanager(self.scratch))
        targets = [node.address[:2] for node in nodes]
        self.prometheus = self.run_program_until_end(
            Prometheus(self.scratch, targets, [rules], self.by_rule.port)
        )

    def wait_for(self, alertmanager, name, deadline_s=SEEN_MAX_S, **labels):
        return wait_until(
            lambda: alertmanager.holds(name, **labels), f"{name} {labels} fires", deadline_s
        )

    def wait_over(self, alertmanager, name, deadline_s=SEEN_MAX_S):
        wait_until(lambda: not alertmanager.holds(name), f"{name} is over", deadline_s)

    def shown(self, client):
        answer = self.expect(client.admin("GET", "/api/v1/admin/alerts"), 200)
        return sorted(each["name"] for each in answer.json()["alerts"])


class Embedded(Watched, EndToEnd):
    def setUp(self):
        super().setUp()
        self.start_receivers()

    def sell(self, client, count, user="u"):
        for number in range(count):
            self.expect(client.order(f"{user}{number}", "shoe", 2), 202)

    def test_a_drop_as_prometheus_and_alertmanager_see_it(self):
        node = self.start_server(self.alerting())
        self.start_prometheus(node)
        client = node.client()
        client.set_stock("shoe", 200)
        wait_until(lambda: self.prometheus.value("firstcome_stock_ratio"), "the first scrape")
        self.sell(client, 80)
        for state, units in (("sold", 160), ("remaining", 40)):
            series = f'firstcome_stock_units{{item="shoe",state="{state}"}}'
            wait_until(lambda s=series, u=units: self.prometheus.value(s) == u, f"{state} {units}")
        rate = 'sum(rate(firstcome_orders_total{outcome="accepted"}[30s]))'
        self.assertGreater(wait_until(lambda: self.prometheus.value(rate), "a rate"), 0)
        self.assertEqual(self.built_in.names() + self.by_rule.names() + self.webhook.told(), [])
        for thread in ("fc-alerts", "fc-alertmanager", "fc-alert-hook"):
            self.assertGreater(node.rests(thread), 0, "the kernel knows its name")

        self.sell(client, 10)
        crossed = time.monotonic()
        (low,) = self.wait_for(self.built_in, "StockLow", TOLD_MAX_S, item="shoe")
        self.note(f"StockLow {time.monotonic() - crossed:.2f} s after the crossing")
        self.assertEqual(
            low["labels"], {"alertname": "StockLow", "severity": "info", "item": "shoe"}
        )
        self.assertIn("20 of 200 units of shoe", low["annotations"]["summary"])
        self.assertEqual(self.shown(client), ["StockLow"])
        self.wait_for(self.by_rule, "StockLow", item="shoe")

        self.sell(client, 10)
        self.expect(client.order("late", "shoe"), 409, "sold_out")
        for alertmanager in (self.built_in, self.by_rule):
            self.wait_for(alertmanager, "StockSoldOut", item="shoe")
        self.expect(client.change_stock("shoe", "add", 400), 200)
        for alertmanager in (self.built_in, self.by_rule):
            for name in ("StockLow", "StockSoldOut"):
                self.wait_over(alertmanager, name)
        wait_until(lambda: len(self.webhook.told()) == 4, "both ends are told")
        self.assertEqual(sorted(self.webhook.told()), sorted(
            (status, name, "shoe") for status in ("firing", "resolved")
            for name in ("StockLow", "StockSoldOut")
        ), "each once per crossing")
        self.assertEqual(self.shown(client), [])
        code, said = promtool("check", "metrics", text=client.get("/metrics").body)
        self.assertEqual(code, 0, said)
        self.assertNotIn("hush-hush", node.log())
        client.close()

    def test_a_poison_event_is_told_until_it_is_settled(self):
        secret_file = os.path.join(self.scratch, "webhook.secret")
        shop = Receiver(write_secret(secret_file)).start()
        self.addCleanup(shop.stop)
        shop.refuse = lambda message: 400 if message.data.get("userId") == "poison" else None
        node = self.start_server(self.alerting(**{
            "webhook.url": shop.url, "webhook.secret_file": secret_file,
            "webhook.allow_private": "true", "dead_letters.backoff": "10ms",
            "dead_letters.backoff_max": "20ms", "alerts.dead_letter_age": "1s",
        }))
        self.start_prometheus(node)
        client = node.client()
        client.set_stock("shoe", 100)
        self.expect(client.order("fine", "shoe"), 202)
        parked = 'sum(firstcome_dlq_events_total{action="parked"})'
        wait_until(lambda: self.prometheus.value(parked) == 0, "the counter is seen at zero")
        self.expect(client.order("poison", "shoe"), 202)
        for alertmanager in (self.built_in, self.by_rule):
            self.wait_for(alertmanager, "DlqGrowing")
        self.wait_for(self.built_in, "DlqStale")

        def settled():
            page = client.admin("GET", "/api/v1/admin/dlq?status=dead").json()
            for entry in page["entries"]:
                path = f"/api/v1/admin/dlq/{entry['id']}/discard"
                client.admin("POST", path, {"reason": "poison"})
            totals = client.admin("GET", "/api/v1/admin/stats").json()["dlq"]
            return totals["depth"] == 0

        wait_until(settled, "nothing is open")
        for name in ("DlqGrowing", "DlqStale"):
            self.wait_over(self.built_in, name)
        client.close()

    def test_a_receiver_that_hangs_slows_nothing_and_is_told_later(self):
        self.webhook.hangs.set()
        self.built_in.kill()
        node = self.start_server(self.alerting(**{"alerts.interval": "100ms"}))
        client = node.client()
        client.set_stock("shoe", 200)
        self.sell(client, 100)
        slowest = 0.0
        client.set_stock("hat", 1000)
        for number in range(300):
            began = time.monotonic()
            self.expect(client.order(f"u{number}", "hat"), 202)
            slowest = max(slowest, time.monotonic() - began)
        self.note(f"slowest of 300 orders: {slowest * 1000:.1f} ms")
        self.assertLess(slowest, 1.0, "the receivers' timeouts are seconds")
        failed = re.compile(
            r'(?m)^firstcome_alert_notifications_total\{receiver="alertmanager",result="failed"\} '
            r"[1-9]"
        )
        wait_until(lambda: failed.search(client.get("/metrics").body.decode()), "failures count")
        self.assertIn("alerts cannot be delivered", node.log())
        self.built_in.start()
        self.wait_for(self.built_in, "StockSoldOut", item="shoe")
        client.close()
        began = time.monotonic()
        node.stop()
        self.assertLess(time.monotonic() - began, 5, "a call that hangs does not hold up the end")


    def test_orders_that_nobody_answers_are_failures(self):
        node = self.start_server(
            self.alerting(**{"server.reply_timeout": "100ms"}),
            environment={"FIRSTCOME_FAILPOINTS": "before_decide=freeze"},
        )
        client = node.client()
        client.set_stock("shoe", 100)
        for number in range(25):
            self.expect(client.order(f"u{number}", "shoe"), 504, "outcome_unknown")
        (rate,) = self.wait_for(self.built_in, "OrderErrorRateHigh")
        self.assertRegex(rate["annotations"]["summary"], r"^100\.0 % of 2\d orders")
        client.close()

    def test_a_chat_is_told_in_a_sentence_and_an_item_may_have_a_limit_of_its_own(self):
        node = self.start_server(self.alerting(**{
            "alerts.webhook_format": "slack", "alerts.stock_low_items": "hat=50",
        }))
        client = node.client()
        for item in ("hat", "shoe"):
            client.set_stock(item, 10)
            self.expect(client.order("ann", item, 5), 202)
        wait_until(lambda: self.webhook.bodies, "the chat is told")
        self.expect(client.change_stock("hat", "add", 10), 200)
        wait_until(lambda: len(self.webhook.bodies) == 2, "it is told of the end")
        self.assertEqual([list(body) for body in self.webhook.bodies], [["text"]] * 2)
        begin, end = (body["text"] for body in self.webhook.bodies)
        self.assertEqual(begin, "[FIRING] StockLow: 5 of 10 units of hat are left: 50 % or less")
        self.assertTrue(end.startswith("[RESOLVED] StockLow: "), end)
        self.assertNotIn("shoe", begin + end, "half of it is left, and a tenth is its limit")
        client.close()


class Runbook(unittest.TestCase):
    def test_each_alert_has_its_line(self):
        with open(RULES, encoding="utf-8") as rules:
            names = re.findall(r"(?m)^\s+- alert: (\w+)$", rules.read())
        with open(os.path.join(ROOT, "docs", "operating.md"), encoding="utf-8") as page:
            headings = re.findall(r"(?m)^### (\w+)$", page.read())
        self.assertEqual(len(names), 9)
        self.assertEqual(set(names) - set(headings), set())


class Many(Watched, Distributed):
    def setUp(self):
        super().setUp()
        self.start_receivers()

    def test_two_nodes_tell_of_one_item_once_and_of_a_lost_redis_each(self):
        nodes = self.start_nodes(2, self.alerting(**{
            "alerts.error_window": "5s", "breaker.open_wait_max": "2s",
        }))
        self.start_prometheus(*nodes)
        self.sells("shoe", 20)
        clients = [node.client() for node in nodes]
        for number in range(19):
            self.expect(clients[number % 2].order(f"u{number}", "shoe"), 202)
        self.wait_for(self.built_in, "StockLow", TOLD_MAX_S + 0.25, item="shoe")
        for client in clients:
            wait_until(lambda c=client: self.shown(c) == ["StockLow"], "both see it")
        self.assertEqual(len(self.built_in.holds("StockLow")), 1, "one for both nodes")
        wait_until(self.webhook.told, "the webhook is told")
        self.assertEqual(self.webhook.told(), [("firing", "StockLow", "shoe")])
        up = 'count(firstcome_orders_total{outcome="accepted"} > 0)'
        wait_until(lambda: self.prometheus.value(up) == 2, "both nodes are scraped")

        self.redis.kill()

        def refused():
            for client in clients:
                for number in range(10):
                    self.expect(client.order(f"w{number}", "shoe"), (503, 504))
            return all(
                len(self.built_in.holds(name)) == 2 and self.by_rule.holds(name)
                for name in ("OrderErrorRateHigh", "BreakerOpen")
            )

        wait_until(refused, "the lost Redis is told by both nodes and by the rules", SEEN_MAX_S)
        (one, other) = self.built_in.holds("BreakerOpen", name="redis")
        self.assertNotEqual(one["labels"]["instance"], other["labels"]["instance"])
        self.redis.start()
        for name in ("OrderErrorRateHigh", "BreakerOpen"):
            self.wait_over(self.built_in, name)
        for client in clients:
            client.close()


    def test_a_webhook_hears_of_a_dead_postgresql(self):
        self.start_nodes(2, self.alerting(**{"alerts.outbox_age": "1s"}))
        self.sells("shoe", 100)
        client = self.nodes[0].client()
        self.expect(client.order("ann", "shoe"), 202)
        wait_until(lambda: self.pending() == 0, "it is stored, so somebody leads")

        def told(status):
            return (status, "OutboxStalled", None) in self.webhook.told()

        self.postgres.kill()
        self.expect(client.order("bob", "shoe"), 202)
        wait_until(lambda: told("firing"), "the webhook is told while nobody leads")
        self.postgres.start()
        wait_until(lambda: told("resolved"), "and when it is over", SEEN_MAX_S)
        client.close()

    def test_what_one_node_alone_finds_it_tells(self):
        """Only who parks an event sees that the dead letters grow, whoever leads the first lane."""
        finders_webhook = AlertWebhook()
        self.addCleanup(finders_webhook.stop)
        lanes = {"lane.count": "2", "dead_letters.backoff": "1m"}
        self.start_node({**self.alerting(), **lanes})
        finder = self.start_node(
            {**self.alerting(), **lanes, "alerts.webhook_url": finders_webhook.url}
        )
        for item in "abcdefgh":
            self.sells(item, 100)
        item = self.postgres.value("SELECT item_id FROM items WHERE shard = 1 LIMIT 1")
        self.postgres.select(POISON)
        client = finder.client()
        parked = re.compile(r'(?m)^firstcome_dlq_events_total\{action="parked",.*\} [1-9]')

        def finder_parks():
            """The first node leads both lanes; the second takes one over when that is lost."""
            self.postgres.select(
                "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)"
                " WHERE locktype = 'advisory'"
                " AND application_name LIKE 'firstcome-shard-1-leader%'"
            )
            self.expect(client.order("poison", item), 202)
            wait_until(lambda: self.pending() == 0, "some node has parked it")
            return parked.search(client.get("/metrics").body.decode())

        wait_until(finder_parks, "the second node parks", SEEN_MAX_S)
        wait_until(lambda: finders_webhook.told(), "the one that parked tells")
        self.assertEqual(finders_webhook.told()[0], ("firing", "DlqGrowing", None))
        client.close()


if __name__ == "__main__":
    unittest.main()
