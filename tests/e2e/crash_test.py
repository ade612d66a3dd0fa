# tests/e2e/crash_test.py - kill -9 under load: what was accepted is there
import os
import statistics
import subprocess
import unittest

import auditor
from harness import BINARY, DEADLINE_S, FULL, EndToEnd, estimated, wait_until
from load import Load, bench_command, mixed_wishes

READY_USUAL_S = 1.0  # of a few ten thousand orders, the median: one slow start may be the machine's
READY_MAX_S = 10.0
TRUTH_MAX_S = 3.0


class Crash(EndToEnd):
    @estimated(minutes=4)
    def test_killed_again_and_again(self):
        row = self.fault("node: kill -9 at random moments, embedded, clients of the test")
        rounds = 100 if FULL else 5
        server = self.start_server({"lane.count": "2"})
        client = server.client()
        # Enough for about half of the rounds, so that selling out and being killed meet too.
        client.set_stock("drop", 700 * rounds, perUserLimit=2)
        client.close()
        load = Load(
            server.address, mixed_wishes(self.random, "drop", user_limit=2), clients=64
        ).start()
        self.addCleanup(load.abandon)
        ready = []
        for _ in range(rounds):
            target = load.definite + self.random.randrange(300, 2500)
            wait_until(lambda: load.definite >= target, "orders are placed", 60)
            server.kill()
            wait_until(lambda: self.line_is_dead(load), "the clients have heard all they will hear")
            answers = list(load.answers)
            auditor.assert_clean(answers, server.data)
            server.restart()
            ready.append(server.ready_s)
            self.check_truth_comes_soon(load, answers)
            row.survived(server.ready_s)
        load.stop()
        answers = load.join()
        stocks = [client.stock("drop")]
        client.close()
        server.stop()
        auditor.assert_clean(answers, server.data, stocks=stocks)
        unheard = sum(answer.status == auditor.UNKNOWN for answer in answers)
        self.assertGreater(unheard, 0, "no request was in flight: nothing was tested")
        accepted = sum(answer.status == 202 and not answer.replayed for answer in answers)
        self.note(
            f"{rounds} kills, {len(answers)} answers, {accepted} accepted, {unheard} unheard;"
            f" ready again after {statistics.median(ready):.2f} s, at most {max(ready):.2f} s"
        )
        self.assertLess(statistics.median(ready), READY_USUAL_S)
        self.assertLess(max(ready), READY_MAX_S)

    def line_is_dead(self, load):
        return all(client.state != "waiting" for client in load.clients)

    def check_truth_comes_soon(self, load, answers):
        asked = {(a.user, a.key) for a in answers if a.status == auditor.UNKNOWN}
        told = {(a.user, a.key) for a in answers if a.status not in auditor.UNDECIDED}
        waiting = asked - told

        def all_told():
            waiting.difference_update(
                (
                    a.user, a.key
                ) for a in load.answers[len(answers):] if a.status not in auditor.UNDECIDED
            )
            return not waiting

        wait_until(all_told, f"{len(waiting)} buyers hear the truth after the crash", TRUTH_MAX_S)

    @estimated(minutes=4)
    def test_killed_under_bench(self):
        row = self.fault("node: kill -9 at random moments, embedded, under bench")
        rounds = 100 if FULL else 3
        server = self.start_server()
        client = server.client()
        record = os.path.join(self.scratch, "record.txt")
        requests = 12_000 * rounds
        client.set_stock("drop", requests // 2)
        client.close()
        with open(os.path.join(self.scratch, "bench.log"), "wb") as log:
            bench = subprocess.Popen(
                bench_command(
                    BINARY, server, record, "--requests", str(requests), "--connections", "64",
                    "--item", "drop",
                    "--ride-out", "--mix", "new=80,repeat=15,wrong=5", "--no-audit"
                ), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.addCleanup(bench.wait)
        self.addCleanup(bench.kill)
        slowest, kills = 0.0, 0
        for _ in range(rounds):
            count = self.orders(server) + self.random.randrange(1000, 5000)
            wait_until(
                lambda: bench.poll() is not None or self.orders(server) >= count,
                "orders are placed", 60
            )
            if bench.poll() is not None:
                break
            server.kill()
            kills += 1
            server.restart()
            slowest = max(slowest, server.ready_s)
            row.survived(server.ready_s)
        code = bench.wait(DEADLINE_S * rounds)
        with open(
            os.path.join(self.scratch, "bench.log"), encoding="utf-8", errors="replace"
        ) as log:
            report = log.read()
        self.assertEqual(code, 0, report[-3000:])
        client = server.client()
        stocks = [client.stock("drop")]
        client.close()
        server.stop()
        answers = auditor.read_record(record)
        auditor.assert_clean(answers, server.data, stocks=stocks)
        unheard = sum(answer.status == auditor.UNKNOWN for answer in answers)
        self.assertGreater(kills, 0)
        self.note(
            f"{kills} kills, {len(answers)} answers, {unheard} unheard;"
            f" ready again after at most {slowest:.2f} s"
        )

    def orders(self, server):
        client = server.client()
        try:
            return client.count("drop")
        finally:
            client.close()


class Failpoints(EndToEnd):
    """Killed at each named step of one order's path, at the first passage and at later ones."""

    NAMES = ("before_decide", "before_write", "before_commit", "after_commit", "before_reply")

    @estimated(minutes=2)
    def test_killed_at_every_step(self):
        passages = range(1, 26) if FULL else (1, 7)
        for name in self.NAMES:
            row = self.fault(f"node: kill -9 at failpoint {name}, embedded")
            for passage in passages:
                with self.subTest(name=name, passage=passage):
                    row.survived(self.kill_at(name, passage))

    def kill_at(self, name, passage):
        data = os.path.join(self.scratch, f"{name}-{passage}")
        server = self.start_server(data=data)
        client = server.client()
        # Several orders a commit: of fewer units, the 25th commit might never come.
        client.set_stock("drop", 1000, perUserLimit=2)
        client.close()
        server.stop()
        server.environment = {"FIRSTCOME_FAILPOINTS": f"{name}=kill@{passage}"}
        server.restart()
        server.environment = {}
        load = Load(
            server.address, mixed_wishes(self.random, "drop", user_limit=2), clients=8
        ).start()
        self.addCleanup(load.abandon)
        self.assertEqual(server.wait_exit(), -9, "the failpoint was never passed")
        server.restart()
        ready_s = server.ready_s
        length = len(load.answers)
        wait_until(lambda: len(load.answers) > length + 200, "selling goes on")
        load.stop()
        answers = load.join()
        client = server.client()
        stocks = [client.stock("drop")]
        client.close()
        server.stop()
        auditor.assert_clean(answers, data, stocks=stocks)
        return ready_s


if __name__ == "__main__":
    unittest.main()
