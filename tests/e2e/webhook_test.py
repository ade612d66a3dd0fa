# tests/e2e/webhook_test.py - every order is told, signed, at least once, in order per item
import collections
import itertools
import os
import unittest

import auditor
from harness import FULL, EndToEnd, estimated, run_program, wait_until
from load import Load, mixed_wishes, unique_wishes
from webhook_receiver import Receiver, write_secret

TOLD_MAX_S = 60.0


class Webhook(EndToEnd):
    def setUp(self):
        super().setUp()
        self.secret_file = os.path.join(self.scratch, "webhook.secret")
        self.receiver = Receiver(write_secret(self.secret_file)).start()
        self.addCleanup(self.receiver.stop)

    def settings(self, **more):
        return {
            "webhook.url": self.receiver.url, "webhook.secret_file": self.secret_file,
            "webhook.allow_private": "true", "breaker.open_wait": "50ms",
            "breaker.open_wait_max": "200ms", **more,
        }

    def place(self, client, user, item, quantity=1):
        return self.expect(client.order(user, item, quantity), 202).json()["orderId"]

    def wait_told(self, orders, deadline_s=TOLD_MAX_S):
        wanted = set(orders)

        def all_told():
            told = {m.data["orderId"] for m in self.receiver.taken("order.confirmed")}
            return wanted <= told

        wait_until(all_told, f"the events of {len(wanted)} orders come", deadline_s)

    def check_messages(self):
        """What holds of everything a receiver ever hears."""
        self.assertEqual(self.receiver.faults, [])
        bodies, orders = {}, collections.defaultdict(list)
        for message in self.receiver.messages:
            self.assertEqual(bodies.setdefault(message.id, message.body), message.body)
        for message in self.receiver.taken():
            if message.type.startswith("order."):
                orders[message.data["orderId"]].append(message.type)
            if message.type == "order.accepted":
                self.assertEqual(message.id, message.data["orderId"])
        for order, types in orders.items():
            self.assertEqual(types, ["order.accepted", "order.confirmed"], order)

    def lines(self):
        """Item -> places in line, as the receiver first heard of them."""
        lines = collections.defaultdict(list)
        for message in self.receiver.taken("order.accepted"):
            lines[message.data["itemId"]].append(message.data["sequence"])
        return lines

    @estimated(minutes=3)
    def test_each_order_is_told_in_order_over_kills_and_outages(self):
        row = self.fault("webhook, embedded: kill -9, receiver down every other time")
        rounds = 40 if FULL else 4
        server = self.start_server(self.settings(**{"lane.count": "2"}))
        client = server.client()
        client.set_stock("drop", 200, perUserLimit=2)
        client.set_stock("loop", 1_000_000)
        client.close()
        # The first sells out, the second goes on through all rounds.
        loads = [
            Load(server.address, itertools.islice(wishes, count), clients=4).start()
            for wishes, count in (
                (mixed_wishes(self.random, "drop", user_limit=2), 600),
                (unique_wishes("loop"), 300 * rounds),
            )
        ]
        for load in loads:
            self.addCleanup(load.abandon)
        for number in range(rounds):
            target = self.receiver.count() + self.random.randrange(20, 200)
            wait_until(lambda: self.receiver.count() >= target, "events come", TOLD_MAX_S)
            if number % 2:
                self.receiver.stop()
            server.kill()
            server.restart()
            if number % 2:
                self.receiver.start()
            row.survived(server.ready_s)
        answers = [answer for load in loads for answer in load.join()]
        accepted = {answer.order_id for answer in answers if answer.status == 202}
        self.wait_told(accepted)
        client = server.client()
        counts = {item: client.count(item) for item in ("drop", "loop")}
        client.close()
        server.stop()
        auditor.assert_clean(answers, server.data)

        self.check_messages()
        lines = self.lines()
        for item, count in counts.items():
            self.assertEqual(lines[item], list(range(1, count + 1)), f"the line of {item}")
        low, sold_out = self.receiver.taken("stock.low"), self.receiver.taken("stock.sold_out")
        self.assertEqual([m.data for m in low], [{"itemId": "drop", "remaining": 20, "total": 200}])
        self.assertEqual(
            [m.data for m in sold_out], [{"itemId": "drop", "remaining": 0, "total": 200}]
        )
        repeated = self.receiver.count() - len(self.receiver.taken())
        self.note(
            f"{rounds} kills, {len(accepted)} orders, {self.receiver.count()} messages,"
            f" {repeated} of them repeated"
        )

    def test_a_receiver_that_is_down_holds_up_no_order_and_gets_all_later(self):
        self.receiver.stop()
        server = self.start_server(self.settings())
        client = server.client()
        client.set_stock("shoe", 100)
        orders = [self.place(client, f"u{n}", "shoe") for n in range(50)]
        self.assertEqual(client.get("/readyz").status, 200)
        self.receiver.start()
        self.wait_told(orders)
        self.check_messages()
        self.assertEqual(self.lines()["shoe"], list(range(1, 51)))
        client.close()
        server.stop()

    def test_a_refused_event_is_parked_and_holds_up_no_other(self):
        self.receiver.refuse = lambda m: 400 if m.data.get("userId") == "poison" else None
        server = self.start_server(
            self.settings(**{"dead_letters.backoff": "10ms", "dead_letters.backoff_max": "20ms"})
        )
        client = server.client()
        client.set_stock("shoe", 100)
        orders = [self.place(client, user, "shoe") for user in ("ann", "poison", "bob")]
        self.wait_told([orders[0], orders[2]])

        def entries(status):
            page = client.admin("GET", f"/api/v1/admin/dlq?status={status}")
            return self.expect(page, 200).json()["entries"]

        dead = wait_until(
            lambda: len(entries("dead")) == 2 and entries("dead"), "both events are given up"
        )
        for entry in dead:
            self.assertEqual(entry["consumer"], "webhook")
            self.assertEqual(entry["cause"], "invalid")
            self.assertEqual(entry["attempts"], 5)
            self.assertIn("HTTP 400", entry["lastError"])
        tries = collections.Counter(m.id for m in self.receiver.messages if m.status == 400)
        self.assertEqual(sorted(tries.values()), [5, 5])

        self.receiver.refuse = lambda message: None
        for entry in dead:
            self.expect(client.admin("POST", f"/api/v1/admin/dlq/{entry['id']}/retry"), 202)
        self.wait_told(orders)
        wait_until(lambda: len(entries("resolved")) == 2, "both are settled")
        self.assertEqual(len({m.id for m in self.receiver.messages}), 6, "under the ids they had")
        client.close()
        server.stop()

    def test_what_happened_before_comes_only_when_asked_for(self):
        for from_beginning, expected in (("false", [3]), ("true", [1, 2, 3])):
            with self.subTest(from_beginning=from_beginning):
                data = os.path.join(self.scratch, f"from-{from_beginning}")
                server = self.start_server(data=data)
                client = server.client()
                client.set_stock(f"shoe-{from_beginning}", 100)
                for user in ("ann", "bob"):
                    self.place(client, user, f"shoe-{from_beginning}")
                server.stop()
                server.restart(**self.settings(**{"webhook.from_beginning": from_beginning}))
                self.wait_told([self.place(client, "cleo", f"shoe-{from_beginning}")])
                self.assertEqual(self.lines()[f"shoe-{from_beginning}"], expected)
                client.close()
                server.stop()

    def shown_to_all(self):
        path = os.path.join(self.scratch, "shown.secret")
        write_secret(path)
        os.chmod(path, 0o644)
        return path

    def test_a_start_that_could_not_sign_or_reach_is_refused(self):
        for changes, said in (
            ({"webhook.secret_file": ""}, "webhook.secret_file"),
            ({"webhook.secret_file": "missing"}, "missing"),
            ({"webhook.secret_file": self.shown_to_all()}, "run chmod 600"),
            ({"webhook.allow_private": "false"}, "webhook.allow_private"),
            ({"webhook.url": "http://ann:hush@127.0.0.1/"}, "user or password"),
        ):
            with self.subTest(changes=changes):
                data = os.path.join(self.scratch, "refused")
                arguments = ["serve", "--data", data, "--listen", "127.0.0.1:0"]
                for name, value in {**self.settings(), **changes}.items():
                    arguments += ["--set", f"{name}={value}"]
                code, output = run_program(*arguments, cwd=self.scratch)
                self.assertGreater(code, 0, output)
                self.assertIn(said, output)
                self.assertNotIn("hush", output)


if __name__ == "__main__":
    unittest.main()
