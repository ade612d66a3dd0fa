# tests/e2e/dead_letters_test.py - what a shop refused: kept over kills, given up once, redriven
import json
import os
import threading
import time
import unittest

from harness import ConnectionClosed, EndToEnd, run_program, wait_until
from webhook_receiver import Receiver, write_secret

DLQ = "/api/v1/admin/dlq"
PACE = 2  # entries a second


class DeadLetters(EndToEnd):
    def setUp(self):
        super().setUp()
        secret_file = os.path.join(self.scratch, "webhook.secret")
        self.receiver = Receiver(write_secret(secret_file)).start()
        self.addCleanup(self.receiver.stop)
        # Only what tells of an acceptance is refused: one entry an order.
        self.receiver.refuse = lambda m: 422 if m.type == "order.accepted" else None
        self.server = self.start_server({
            "webhook.url": self.receiver.url, "webhook.secret_file": secret_file,
            "webhook.allow_private": "true", "dead_letters.backoff": "10ms",
            "dead_letters.backoff_max": "20ms",
        })
        self.client = self.server.client()
        self.addCleanup(lambda: self.client.close())

    def place(self, count, quantity=1):
        self.client.set_stock("shoe", 100)
        for number in range(count):
            self.expect(self.client.order(f"u{number}", "shoe", quantity), 202)
        return wait_until(
            lambda: len(self.entries("dead")) == count and self.entries("dead"),
            f"{count} entries are dead"
        )

    def entries(self, status):
        page = self.client.admin("GET", f"{DLQ}?status={status}&limit=100")
        return self.expect(page, 200).json()["entries"]

    def restart(self):
        """After a kill, where it did not die by itself."""
        self.client.close()
        self.server.kill()
        self.server.restart()
        self.client = self.server.client()

    def dlq(self, *words):
        """Runs `firstcome dlq`: (exit code, what it printed)."""
        return run_program(
            "dlq", *words, "--data", self.server.data,
            "--url", "http://%s:%d" % tuple(self.server.address[:2])
        )

    def test_a_hundred_discards_give_up_the_notice_once_and_never_the_order(self):
        (entry,) = self.place(1, quantity=7)
        self.assertEqual(self.client.stock("shoe")["remaining"], 93)
        answers = []

        def give_up(times):
            client = self.server.client()
            for _ in range(times):
                body = {"reason": "not to be had"}
                answers.append(client.admin("POST", f"{DLQ}/{entry['id']}/discard", body))
            client.close()

        threads = [threading.Thread(target=give_up, args=(25,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(a.status for a in answers), [202] + [409] * 99)
        codes = {a.code for a in answers if a.status == 409}
        self.assertEqual(codes, {"dead_letter_busy"})
        self.assertEqual(self.client.stock("shoe")["remaining"], 93, "the buyer keeps what is his")
        order = self.expect(self.client.get(f"/api/v1/orders/{entry['orderId']}"), 200).json()
        self.assertEqual(order["status"], "confirmed")
        self.server.stop()
        code, printed = run_program("audit", "--data", self.server.data)
        self.assertEqual(code, 0, printed)

    def test_a_discard_that_a_kill_cut_short_is_one_after_the_next_start(self):
        for point in ("before_compensate", "before_compensated"):
            with self.subTest(point=point):
                (entry,) = self.place(1, quantity=5)
                before = self.client.stock("shoe")["remaining"]
                self.server.environment = {"FIRSTCOME_FAILPOINTS": f"{point}=kill@1"}
                self.restart()
                with self.assertRaises(Exception):
                    path = f"{DLQ}/{entry['id']}/discard"
                    self.client.admin("POST", path, {"reason": "cut short"})
                self.assertEqual(self.server.wait_exit(), -9)
                self.server.environment = {}
                self.restart()
                again = self.client.admin("POST", f"{DLQ}/{entry['id']}/discard", {"reason": "x"})
                self.expect(again, 409)
                self.assertIn(entry["id"], [each["id"] for each in self.entries("discarded")])
                self.restart()
                self.assertEqual(self.client.stock("shoe")["remaining"], before)

    def test_what_a_killed_process_was_trying_is_tried_again_soon(self):
        (entry,) = self.place(1)
        self.client.close()
        self.server.stop()
        self.server.environment = {"FIRSTCOME_FAILPOINTS": "before_redeliver=kill@1"}
        self.server.restart(**{"webhook.timeout": "1s", "webhook.connect_timeout": "1s"})
        self.client = self.server.client()
        try:
            self.expect(self.client.admin("POST", f"{DLQ}/{entry['id']}/retry"), 202)
        except (ConnectionClosed, OSError):
            pass  # killed before it had answered
        self.assertEqual(self.server.wait_exit(), -9)
        self.server.environment = {}
        self.receiver.refuse = lambda m: None
        self.restart()
        # The try could have taken two seconds; a minute is nobody's patience.
        wait_until(
            lambda: not self.entries("dead") and not self.entries("retrying"),
            "the dead process's claim ends", 30
        )

    def test_a_redrive_keeps_its_pace_and_the_command_line_tells(self):
        dead = self.place(6)
        self.restart()
        self.assertEqual(self.entries("dead"), dead, "a kill changes nothing")
        self.receiver.refuse = lambda message: None
        code, printed = self.dlq("list", "--status", "dead", "--limit", "2")
        self.assertEqual(code, 0, printed)
        self.assertIn("total                6\n", printed)
        self.assertIn("order.accepted", printed)

        began = time.monotonic()
        code, printed = self.dlq("redrive", "--per-second", str(PACE), "--json")
        self.assertEqual(code, 0, printed)
        task = json.loads(printed)
        self.assertEqual((task["status"], task["total"]), ("running", 6))
        self.assertEqual(self.dlq("redrive")[0], 5, "one at a time")
        wait_until(lambda: len(self.entries("resolved")) == 6, "all are delivered after all")
        self.assertGreater(time.monotonic() - began, 6 / PACE - 1.5, "not all at once")
        told = {m.id for m in self.receiver.taken("order.accepted")}
        self.assertEqual(told, {entry["eventId"] for entry in dead}, "under the ids they had")
        wait_until(lambda: "done" in self.dlq("tasks")[1], "the task is done")
        self.assertEqual(self.dlq("cancel", str(task["task"]))[0], 5)
        self.assertEqual(self.dlq("show", "999")[0], 5)


if __name__ == "__main__":
    unittest.main()
