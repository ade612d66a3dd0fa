# tests/e2e/backup_test.py - a backup of a server that sells, and a start from it
import json
import os

import auditor
from harness import FULL, EndToEnd, run_program, wait_until
from load import Load, mixed_wishes, unique_wishes
from webhook_receiver import Receiver, write_secret


class Backup(EndToEnd):
    def backup(self, data, to, *more):
        return run_program("backup", "--data", data, "--to", to, *more, deadline_s=60)

    def check_one_of_a_busy_server(self, number, settings=None):
        server = self.start_server(settings, data=os.path.join(self.scratch, f"data-{number}"))
        client = server.client()
        for item in ("drop", "hat", "shoe"):
            client.set_stock(item, 1_000_000)
        load = Load(server.address, mixed_wishes(self.random, "drop", prefix=f"b{number}-")).start()
        self.addCleanup(load.abandon)
        more = Load(
            server.address, unique_wishes("hat", prefix=f"h{number}-"), clients=8
        ).start()
        self.addCleanup(more.abandon)
        wait_until(lambda: load.definite > 500 and more.definite > 100, "it sells")
        before = [a for a in list(load.answers) + list(more.answers) if a.status == 202]
        to = os.path.join(self.scratch, f"copy-{number}")
        code, said = self.backup(server.data, to, "--json")
        self.assertEqual(code, 0, said)
        self.assertGreaterEqual(json.loads(said)["orders"], len({a.order_id for a in before}))
        self.expect(client.get("/livez"), 200)
        for each in (load, more):
            each.stop()
        answers = load.join() + more.join()
        server.stop()
        auditor.assert_clean(answers, server.data)

        store = auditor.read_store(to)
        copied = {auditor.order_id_text(order.high, order.low) for order in store.orders}
        missing = [a for a in before if a.order_id not in copied]
        self.assertEqual(missing, [], "answered before the backup began, and not in it")
        restored = self.start_server(settings, data=to)
        again = restored.client()
        for answer in before[:: max(1, len(before) // 20)]:
            self.expect(again.get(f"/api/v1/orders/{answer.order_id}"), 200)
        first = before[0]
        if first.key:
            repeat = self.expect(
                again.order(first.user, first.item, first.quantity, key=first.key), 202
            )
            self.assertTrue(repeat.replayed, "keys are remembered")
        self.expect(again.order("new", "shoe"), 202)
        restored.stop()
        self.assertEqual(run_program("audit", "--data", to)[0], 0)
        self.note(f"{len(before)} orders before, {len(copied)} in the copy, {len(answers)} at last")

    def test_of_a_server_that_sells(self):
        for number in range(10 if FULL else 1):
            self.check_one_of_a_busy_server(number)

    def test_of_two_lanes(self):
        self.check_one_of_a_busy_server("two", {"lane.count": 2})

    def test_says_what_it_did_and_writes_over_nothing(self):
        server = self.start_server()
        client = server.client()
        client.set_stock("drop", 10)
        self.expect(client.order("ann", "drop"), 202)
        to = os.path.join(self.scratch, "copy")
        code, said = self.backup(server.data, to)
        self.assertEqual(code, 0, said)
        self.assertIn("1 orders of 1 items in 2 files", said)
        self.assertEqual(sorted(os.listdir(to)), ["audit.sqlite", "lane-00.db"])
        self.assertEqual(os.stat(to).st_mode & 0o777, 0o700)
        with open(os.path.join(to, "lane-00.db"), "rb") as file:
            bytes_before = file.read()
        code, said = self.backup(server.data, to)
        self.assertEqual(code, 1)
        self.assertIn("never written over", said)
        with open(os.path.join(to, "lane-00.db"), "rb") as file:
            self.assertEqual(file.read(), bytes_before)
        code, said = self.backup(os.path.join(self.scratch, "nowhere"), to + "-2")
        self.assertEqual(code, 1)
        self.assertIn("is no data directory", said)

    def test_a_start_from_it_tells_the_webhook_every_order(self):
        secret = os.path.join(self.scratch, "secret")
        receiver = Receiver(write_secret(secret))
        receiver.start()
        self.addCleanup(receiver.stop)
        settings = {
            "webhook.url": receiver.url, "webhook.allow_private": "true",
            "webhook.secret_file": secret,
        }
        server = self.start_server(settings)
        client = server.client()
        client.set_stock("drop", 100)
        told = [self.expect(client.order(f"u{n}", "drop"), 202).json() for n in range(20)]
        to = os.path.join(self.scratch, "copy")
        code, said = self.backup(server.data, to)
        self.assertEqual(code, 0, said)
        self.assertIn("event_outbox.sqlite", os.listdir(to))
        server.kill()
        restored = self.start_server(settings, data=to)
        told.append(self.expect(restored.client().order("late", "drop"), 202).json())
        wanted = {order["orderId"] for order in told}
        wait_until(
            lambda: wanted <= {m.data.get("orderId") for m in receiver.messages},
            "the webhook hears of every order"
        )
        self.assertEqual(receiver.faults, [])
