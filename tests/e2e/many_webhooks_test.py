# tests/e2e/many_webhooks_test.py - two nodes, one receiver: each event at least once, in order
import collections
import itertools
import os
import time
import unittest

from harness import FULL, wait_until
from load import mixed_wishes, unique_wishes
from many_nodes import SLOW_POLL_S, Distributed
from webhook_receiver import Receiver, write_secret

TOLD_MAX_S = 180.0


class ManyWebhooks(Distributed):
    def setUp(self):
        super().setUp()
        self.secret_file = os.path.join(self.scratch, "webhook.secret")
        self.receiver = Receiver(write_secret(self.secret_file)).start()
        self.addCleanup(self.receiver.stop)

    def settings(self):
        return {
            "webhook.url": self.receiver.url, "webhook.secret_file": self.secret_file,
            "webhook.allow_private": "true", "breaker.open_wait": "50ms",
            "breaker.open_wait_max": "200ms", "lane.count": "2",
        }

    def test_a_node_killed_meanwhile_tells_nothing_twice_in_another_order(self):
        row = self.fault("webhook, two nodes: kill -9 of one in turn, receiver down every other")
        rounds = 25 if FULL else 4
        self.start_nodes(2, self.settings())
        self.sells("drop", 200, perUserLimit=2)
        self.sells("loop", 1_000_000)
        # The first sells out, the events of the second go on through all rounds.
        loads = [
            self.start_load(itertools.islice(wishes, count), clients=4)
            for wishes, count in (
                (mixed_wishes(self.random, "drop", user_limit=2), 600),
                (unique_wishes("loop"), 300 * rounds),
            )
        ]
        for number in range(rounds):
            heard = self.receiver.count() + self.random.randrange(20, 100)
            wait_until(lambda: self.receiver.count() >= heard, "events come", TOLD_MAX_S)
            if number % 2:
                self.receiver.stop()
            node = self.nodes[number % 2]
            node.kill()
            node.restart()
            if number % 2:
                self.receiver.start()
            again, since = self.receiver.count(), time.monotonic()
            wait_until(lambda: self.receiver.count() > again, "events come again", TOLD_MAX_S)
            row.survived(time.monotonic() - since)
        answers = [answer for load in loads for answer in load.join(120)]
        accepted = {answer.order_id for answer in answers if answer.status == 202}
        stocks = self.audit(answers, "drop", "loop")
        self.wait_told(accepted)
        self.check_messages()
        lines = self.lines()
        for stock in stocks:
            self.assertEqual(
                lines[stock["itemId"]], list(range(1, stock["orders"] + 1)),
                f"the line of {stock['itemId']}"
            )
        # Told once each; what is left is as after the batch that crossed the line.
        for kind, left in (("stock.low", 20), ("stock.sold_out", 0)):
            told = [message.data for message in self.receiver.taken(kind)]
            self.assertEqual([(each["itemId"], each["total"]) for each in told], [("drop", 200)])
            self.assertLessEqual(told[0]["remaining"], left, kind)
        self.assertEqual(self.dead_letters(), 0)
        repeated = self.receiver.count() - len(self.receiver.taken())
        self.note(f"{len(accepted)} orders, {self.receiver.count()} messages, {repeated} repeated")

    def wait_told(self, orders):
        def all_told():
            told = {m.data["orderId"] for m in self.receiver.taken("order.confirmed")}
            return orders <= told
        wait_until(all_told, f"the events of {len(orders)} orders come", TOLD_MAX_S, SLOW_POLL_S)

    def check_messages(self):
        """Signed, one id one body, and of an order first "accepted", then "confirmed"."""
        self.assertEqual(self.receiver.faults, [])
        bodies, orders = {}, collections.defaultdict(list)
        for message in self.receiver.messages:
            self.assertEqual(bodies.setdefault(message.id, message.body), message.body)
        for message in self.receiver.taken():
            if message.type.startswith("order."):
                orders[message.data["orderId"]].append(message.type)
        for order, types in orders.items():
            self.assertEqual(types, ["order.accepted", "order.confirmed"], order)

    def lines(self):
        """Item -> places in line, as the receiver first heard of them."""
        lines = collections.defaultdict(list)
        for message in self.receiver.taken("order.accepted"):
            lines[message.data["itemId"]].append(message.data["sequence"])
        return lines


if __name__ == "__main__":
    unittest.main()
