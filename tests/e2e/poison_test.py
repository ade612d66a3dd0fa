# tests/e2e/poison_test.py - rows PostgreSQL refuses: parked, retried, given up; the good ones go on
import collections
import unittest

from harness import FULL, estimated, wait_until
from load import Wish
from many_nodes import POISON, SLOW_POLL_S, Distributed

RATE = 1_000  # orders a second
SETTINGS = {"dead_letters.backoff": "10ms", "dead_letters.backoff_max": "50ms"}


class Poison(Distributed):
    @estimated(minutes=4)
    def test_bad_rows_among_good_ones(self):
        row = self.fault("poison rows, 1 in 50, among good ones")
        self.remember_when_stored()
        bad, every = (1_000 if FULL else 10), 50
        total = bad * every
        self.start_nodes(2, SETTINGS)
        client = self.nodes[0].client()
        self.sells("drop", 2 * total, perUserLimit=2)
        clean = self.delays(total, "good")
        self.postgres.select(POISON)
        poisoned = self.delays(total, "mixed", every)
        self.wait_given_up(client, bad)
        self.postgres.select("ALTER TABLE orders DROP CONSTRAINT no_poison")
        row.survived(count=bad)
        row.remarks.append(
            f"from 202 to stored, {RATE:,} offered/s: good ones {poisoned}; without poison {clean}"
        )
        self.note(row.remarks[0])
        self.check_discard(client)
        self.check_redrive(client, bad)
        client.close()

    def test_a_bad_row_costs_its_batch_one_store_more(self):
        """Counted in PostgreSQL's transactions, of backlogs, so that all batches are full."""
        bad, batch, batches = 20, 500, 2
        self.start_node({**SETTINGS, "postgres.batch_size": str(batch)})
        self.sells("drop", 4 * batch)
        clean = self.stores_of_backlog("good", batches * batch)
        self.postgres.select(POISON)
        mixed = self.stores_of_backlog("mixed", batches * batch, batches * batch // bad)
        self.note(f"stores of {batches * batch} orders: {clean}; with {bad} bad among them {mixed}")
        # The first pull may have found the backlog while it grew.
        self.assertLessEqual(clean, batches + 1)
        self.assertLessEqual(mixed, batches + 1 + bad)
        self.assertEqual(self.stored(), 2 * batches * batch - bad)

    def stores_of_backlog(self, prefix, count, poison_every=0):
        """Orders so many while PostgreSQL is away; how many transactions stored the good ones."""
        self.postgres.kill()
        client = self.nodes[0].client()
        for number in range(count):
            is_bad = poison_every and number % poison_every == 7
            name = f"{'poison-' if is_bad else ''}{prefix}-{number}"
            self.expect(self.ask(client, name, "drop"), 202)
        client.close()
        self.postgres.start()
        self.wait_quiet()
        return int(self.postgres.value(
            f"SELECT count(DISTINCT xmin::text) FROM orders WHERE user_id LIKE '{prefix}-%'"
        ))

    def remember_when_stored(self):
        """PostgreSQL keeps the time of each commit from now on."""
        self.postgres.select("ALTER SYSTEM SET track_commit_timestamp = on")
        self.postgres.kill()
        self.postgres.start()

    def delays(self, count, prefix, poison_every=0):
        """How long the good ones of so many took from 202 to PostgreSQL, offered at RATE."""
        def wishes():
            for number in range(count):
                is_bad = poison_every and number % poison_every == 7
                name = f"{'poison-' if is_bad else ''}{prefix}-{number}"
                yield Wish(name, "drop", 1, name)
        before = self.stored()
        load = self.start_load(wishes(), rate=RATE)
        bad = count // poison_every if poison_every else 0
        wait_until(lambda: not load.running, "all have ordered", 300, SLOW_POLL_S)
        self.heard += load.join()
        wait_until(
            lambda: self.stored() == before + count - bad, "the good ones are stored", 600, 0.1
        )
        (median, most, worst), = self.postgres.select(
            "SELECT round(1000 * percentile_cont(0.5) WITHIN GROUP (ORDER BY took)),"
            " round(1000 * percentile_cont(0.99) WITHIN GROUP (ORDER BY took)),"
            " round(1000 * max(took)) FROM (SELECT extract(epoch FROM"
            f" pg_xact_commit_timestamp(xmin) - accepted_at)::float8 AS took FROM orders"
            f" WHERE user_id LIKE '{prefix}-%') AS each"
        )
        return f"{median} ms (median), {most} ms (p99), {worst} ms (worst)"

    def wait_given_up(self, client, bad):
        wait_until(
            lambda: self.listed(client)["total"] == bad, "the bad ones are dead letters", 300, 0.1
        )
        attempts = self.postgres.select(
            "SELECT attempts, status, count(*) FROM failed_order_events GROUP BY 1, 2"
        )
        self.assertEqual(attempts, [["5", "dead", str(bad)]])
        stock, = self.stocks("drop")
        self.assertEqual(stock["compensating"], bad)
        self.audit(self.heard, "drop")
        dlq = wait_until(
            lambda: (found := client.admin("GET", "/api/v1/admin/stats").json()["dlq"])["dead"]
            == bad and found, "the figures say so"
        )
        self.assertEqual((dlq["depth"], dlq["byCause"]["invalid"]), (bad, bad))
        self.assertGreater(dlq["oldestAgeSeconds"], 0)
        poisoned = next(a for a in self.heard if a.user.startswith("poison") and a.status == 202)
        self.expect(client.get(f"/api/v1/orders/{poisoned.order_id}"), 200)

    def listed(self, client):
        return self.expect(client.admin("GET", "/api/v1/admin/dlq?status=dead"), 200).json()

    def check_discard(self, client):
        """Gives the unit back, once, however often it is asked."""
        row = self.fault("dead letter discarded again and again: one unit comes back")
        remaining = self.stocks("drop")[0]["remaining"]
        entry = self.listed(client)["entries"][0]
        statuses = collections.Counter()
        for number in range(100):
            node = self.nodes[number % 2].client()
            answer = node.admin(
                "POST", f"/api/v1/admin/dlq/{entry['id']}/discard", {"reason": "a test"}
            )
            node.close()
            statuses[answer.status] += 1
        self.assertEqual(statuses, {202: 1, 409: 99})
        wait_until(
            lambda: self.stocks("drop")[0]["remaining"] == remaining + 1, "the unit is back"
        )
        row.survived(count=100)

    def check_redrive(self, client, bad):
        """What can be stored now is delivered."""
        self.expect(client.admin(
            "POST", "/api/v1/admin/dlq/redrive", {"filter": {}, "maxPerSecond": 1000}
        ), 202)
        accepted = {a.order_id for a in self.heard if a.status == 202}
        wait_until(lambda: self.stored() == len(accepted) - 1, "they are stored", 120, SLOW_POLL_S)
        wait_until(lambda: self.stocks("drop")[0]["compensating"] == 0, "nothing waits any more")
        self.audit(self.heard, "drop", restocked_items=["drop"], repairs=False)

    def test_a_discard_that_a_kill_cut_short_gives_the_units_back_once(self):
        node = self.start_node(SETTINGS)
        self.sells("drop", 100)
        self.postgres.select(POISON)
        left = 100
        for point in ("before_compensate", "before_compensated"):
            with self.subTest(point=point):
                client = node.client()
                order = self.expect(client.order(f"poison-{point}", "drop", 5), 202).json()
                entry, = wait_until(
                    lambda client=client: client.admin(
                        "GET", "/api/v1/admin/dlq?status=dead"
                    ).json()["entries"], "it is a dead letter"
                )
                client.close()
                discard = f"/api/v1/admin/dlq/{entry['id']}/discard"
                node.environment = {"FIRSTCOME_FAILPOINTS": f"{point}=kill@1"}
                node.kill()
                node.restart()
                client = node.client()
                with self.assertRaises(Exception):
                    client.admin("POST", discard, {"reason": "cut short"})
                self.assertEqual(node.wait_exit(), -9)
                node.environment = {}
                node.restart()
                wait_until(
                    lambda: self.stocks("drop")[0]["remaining"] == left, "the units are back"
                )
                client = node.client()
                self.assertEqual(client.admin("POST", discard, {"reason": "again"}).status, 409)
                gone = self.expect(client.get(f"/api/v1/orders/{order['orderId']}"), 200).json()
                self.assertEqual(gone["status"], "failed")
                client.close()
                node.stop()
                node.restart()
                self.assertEqual(self.stocks("drop")[0]["remaining"], left, "and only once")


if __name__ == "__main__":
    unittest.main()
