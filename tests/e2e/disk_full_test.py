# tests/e2e/disk_full_test.py - no room on the disk: no lies, and later it goes on
import itertools
import os
import resource
import time
import unittest

import auditor
from faults import EIO, ENOSPC, DiskFault, SmallDisk
from harness import FULL, EndToEnd, estimated, wait_until
from load import Load, unique_wishes


class NoRoom(EndToEnd):
    def prepare(self, server):
        self.client = server.client()
        self.addCleanup(self.client.close)
        self.client.set_stock("drop", 10_000_000)
        self.client.set_stock("gone", 1)
        self.first = self.expect(self.client.order("early", "drop", key="early"), 202)
        self.last = self.expect(self.client.order("lucky", "gone", key="lucky"), 202)
        self.heard = [
            self.answer("early", "drop", self.first), self.answer("lucky", "gone", self.last)
        ]

    def answer(self, user, item, response):
        order = response.json()
        return auditor.Answer(
            user, user, item, 1, 202, order_id=order["orderId"], sequence=order["sequence"],
            body_hash="x"
        )

    def sell_until_full(self, server, start, load_options=None):
        load = Load(
            server.address, unique_wishes("drop", prefix=start), clients=16, ride_out=False,
            retry_busy=False,
            **(load_options or {}),
        ).start()
        self.addCleanup(load.abandon)
        wait_until(
            lambda: any(a.status == 503 for a in load.answers[-200:]), "the disk is full", 60
        )
        return load

    def check_while_full(self, *reasons):
        # Room may be left for a small commit after a large one failed: a few of these may pass.
        refusal = None
        for number in range(200):
            response = self.client.order(f"late-{number}", "drop", key="late")
            if response.status == 202:
                self.heard.append(self.answer(f"late-{number}", "drop", response))
                self.heard[-1].key = "late"
                continue
            refusal = self.expect(response, 503, "please_wait")
            break
        self.assertIsNotNone(refusal, "200 orders fit onto a full disk")
        problem = refusal.json()
        self.assertIn(problem["reason"], reasons or ("storage_full",))
        self.assertGreaterEqual(int(refusal.header("Retry-After")), 1)
        self.assertRegex(problem["detail"] + problem["title"], "[가-힣]|wait")
        # A refusal or a replay may share its batch with an order that found no room: then it waits.
        none = self.until_told(lambda: self.client.order("late", "gone", key="x"))
        self.assertEqual(self.expect(none, 409, "sold_out").json()["remaining"], 0)
        again = self.until_told(lambda: self.client.order("early", "drop", key="early"))
        self.expect(again, 202)
        self.assertEqual((again.body, again.replayed), (self.first.body, True))
        self.expect(self.client.get(self.first.header("Location")), 200)
        self.expect(self.client.get("/livez"), 200)
        self.expect(self.client.get("/api/v1/orders?userId=early"), 200)
        self.assertGreaterEqual(self.client.stock("drop")["sold"], 1)

    def until_told(self, ask):
        """The first answer that is not "please wait"."""

        def told():
            answer = ask()
            return None if answer.status == 503 else answer

        return wait_until(told, "an answer that needs no room")

    def check_selling_again(self, load):
        length = len(load.answers)
        wait_until(
            lambda: any(a.status == 202 for a in load.answers[length:]),
            "selling goes on when there is room", 15
        )

    def finish(self, server, load):
        answers = self.heard
        if load.running:
            load.stop()
            answers = answers + load.join()
        statuses = {}
        for answer in answers:
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
        stocks = [self.client.stock("drop"), self.client.stock("gone")]
        server.stop()
        auditor.assert_clean(answers, server.data, stocks=stocks)
        self.assertLessEqual(set(statuses), {202, 503}, statuses)
        self.note(f"answers: {statuses}")

    def small_disk(self, megabytes, fill):
        disk = SmallDisk(os.path.join(self.scratch, "small"), megabytes)
        if not disk.mount():
            self.skipTest("this machine does not let us mount")
        self.addCleanup(disk.unmount)
        disk.fill(fill)
        return disk

    @estimated(minutes=4)
    def test_a_disk_that_is_full(self):
        row = self.fault("disk full, embedded: selling stops, no false answer")
        megabytes = 96 if FULL else 8
        disk = self.small_disk(megabytes, megabytes - 3)
        server = self.start_server(data=os.path.join(disk.path, "data"))
        self.prepare(server)
        for round_number in range(100 if FULL else 3):
            if round_number:  # else its own orders fill it
                disk.fill_up()
            load = self.sell_until_full(server, f"r{round_number}-")
            self.check_while_full()
            disk.make_room()
            mended = time.monotonic()
            self.check_selling_again(load)
            row.survived(time.monotonic() - mended)
            load.stop()
            self.heard += load.join()
        self.finish(server, load)

    def test_a_crash_on_a_full_disk(self):
        disk = self.small_disk(8, 4)
        server = self.start_server(data=os.path.join(disk.path, "data"))
        self.prepare(server)
        load = self.sell_until_full(server, "c-")
        server.kill()
        load.abandon()
        self.heard += load.join()
        server.launch()
        wait_until(
            lambda: not server.running or os.path.exists(server.ready_file),
            "it starts, or says why not"
        )
        if not server.running:
            self.assertNotEqual(server.process.returncode, 0)
            self.assertRegex(server.log(), r"(?i)no room|no space|disk.*full")
            self.note("does not start without room, and says so")
        server.kill()
        disk.make_room()
        server.restart()
        again = self.expect(self.client.order("early", "drop", key="early"), 202)
        self.assertEqual(again.body, self.first.body)
        self.expect(self.client.order("after", "drop", key="after"), 202)
        stocks = [self.client.stock("drop")]
        server.stop()
        auditor.assert_clean(self.heard, server.data, stocks=stocks, complete=False)

    def test_a_limit_on_file_sizes(self):
        server = self.start_server()
        self.prepare(server)
        pid = server.process.pid
        soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (2 << 20, hard))
        load = self.sell_until_full(server, "l-")
        self.assertTrue(server.running, "SIGXFSZ ended the process")
        self.check_while_full("storage_full", "storage_unavailable")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
        self.check_selling_again(load)
        self.finish(server, load)


class FailingWrites(EndToEnd):
    """The Nth write fails, for many N: what was accepted is there, what was not is not."""

    @estimated(minutes=3)
    def test_the_nth_write_fails(self):
        row = self.fault("the Nth write fails (EIO, ENOSPC, short), embedded")
        data = os.path.join(self.scratch, "data")
        fault = DiskFault(self.scratch, data)
        server = self.start_server(environment=fault.environment)
        client = server.client()
        self.addCleanup(client.close)
        client.set_stock("nth", 1_000_000)
        answers, kinds, ended = [], {}, 0
        rounds = 1000 if FULL else 60
        for number in itertools.count(1):
            if row.count == rounds or number > 3 * rounds:
                break
            struck = fault.strikes()
            error = (EIO, ENOSPC, "short")[number % 3]
            fault.arm("write", error, 1 + number // 3 % 20)
            wishes = unique_wishes("nth", prefix=f"n{number}-")
            load = Load(
                server.address, (next(wishes) for _ in range(12)), clients=3, ride_out=False,
                retry_busy=False
            ).start()
            heard = load.join()
            answers += heard
            fault.disarm()
            if any(answer.status == auditor.UNKNOWN for answer in heard):
                self.check_it_stopped(server)
                ended += 1
            row.survived(count=int(fault.strikes() > struck))
        for answer in answers:
            kind = answer.code or answer.status
            kinds[kind] = kinds.get(kind, 0) + 1
        self.note(f"{fault.strikes()} faults in {number - 1} rounds; answers: {kinds}")
        self.assertEqual(row.count, rounds, "the shim hit too seldom to prove anything")
        row.remarks.append(f"{ended} times it stopped, not knowing whether the commit was written")
        self.assertLessEqual(set(kinds), {202, "please_wait", auditor.UNKNOWN})
        self.assertGreater(kinds[202], rounds)
        stocks = [client.stock("nth")]
        server.stop()
        auditor.assert_clean(answers, data, stocks=stocks)
        server.environment = {}
        server.restart()
        self.assertEqual(client.stock("nth")["sold"], stocks[0]["sold"])
        server.stop()

    def check_it_stopped(self, server):
        """The write that failed came after the log was: only a new start can know what it holds."""
        self.assertEqual(server.wait_exit(), 70)
        self.assertRegex(server.log(), "What it holds is unknown")
        server.restart()


if __name__ == "__main__":
    unittest.main()
