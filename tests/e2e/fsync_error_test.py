# tests/e2e/fsync_error_test.py - a failed sync stops the process; a new start knows all
import os
import unittest

import auditor
from faults import EIO, DiskFault
from harness import FULL, ConnectionClosed, EndToEnd, body_hash, estimated, wait_until
from load import Load, mixed_wishes


class SyncFails(EndToEnd):
    @estimated(minutes=1)
    def test_the_process_stops_and_the_next_one_knows(self):
        row = self.fault("fsync fails (EIO), embedded: the process stops, the next one knows")
        data = os.path.join(self.scratch, "data")
        fault = DiskFault(self.scratch, data)
        server = self.start_server(environment=fault.environment)
        client = server.client()
        self.addCleanup(client.close)
        client.set_stock("drop", 10_000_000)
        answers, codes = [], []
        rounds = 10 if FULL else 3
        for number in range(rounds):
            source = mixed_wishes(self.random, "drop", prefix=f"r{number}-")
            load = Load(
                server.address, source, clients=32, ride_out=False, retry_busy=False
            ).start()
            self.addCleanup(load.abandon)
            target = self.random.randrange(50, 1500)
            wait_until(lambda: load.definite >= target, "orders are placed")
            fault.arm("sync", EIO)
            codes.append(server.wait_exit(10))
            load.abandon()
            answers += load.join()
            self.assertGreater(fault.strikes(), 0)
            self.assertNotEqual(codes[-1], 0, "a failed sync must not look like an orderly end")
            self.assertRegex(server.log(), r"refused to sync")
            fault.disarm()
            auditor.assert_clean(answers, data)
            server.restart()
            row.survived(server.ready_s)
            # Who heard nothing asks again with the same key, and gets the truth.
            unheard = {
                (a.user, a.key): a for a in answers if a.status == auditor.UNKNOWN
                and a.item == "drop"
            }
            for wish in list(unheard.values())[:20]:
                again = client.order(wish.user, wish.item, wish.quantity, key=wish.key)
                self.expect(again, (202, 422))
                if again.status == 202:
                    order = again.json()
                    answers.append(auditor.Answer(
                        wish.user, wish.key, wish.item, wish.quantity, 202,
                        order_id=order["orderId"],
                        sequence=order["sequence"], replayed=again.replayed,
                        body_hash=body_hash(again.body),
                    ))
        stocks = [client.stock("drop")]
        server.stop()
        auditor.assert_clean(answers, data, stocks=stocks)
        self.note(f"exit codes {codes}, {sum(a.status == 202 for a in answers)} accepted")

    def test_a_disk_that_never_syncs_sells_nothing(self):
        data = os.path.join(self.scratch, "data")
        fault = DiskFault(self.scratch, data)
        server = self.start_server(environment=fault.environment)
        client = server.client()
        client.set_stock("drop", 10)
        server.stop()
        client.close()
        fault.arm("sync", EIO)
        try:
            server.restart()
        except AssertionError:
            self.assertFalse(server.running, "neither ready nor gone")
        if server.running:  # a start that needs no sync is fine; an order is not
            try:
                self.assertNotEqual(client.order("1", "drop", key="k").status, 202)
            except (ConnectionClosed, OSError):
                pass
        self.assertNotEqual(server.wait_exit(10), 0)
        fault.disarm()
        server.restart()
        self.assertIn(client.stock("drop")["sold"], (0, 1))
        server.stop()


if __name__ == "__main__":
    unittest.main()
