# tests/e2e/crowd_test.py - a million requests, ten thousand units: each is sold once
import collections
import os
import subprocess
import unittest

import auditor
from harness import BINARY, FULL, EndToEnd, estimated
from load import bench_command

STOCK = 10_000
REQUESTS = 1_000_000 if FULL else 100_000


class Crowd(EndToEnd):
    @estimated(minutes=2)
    def test_every_unit_is_sold_once(self):
        row = self.fault("a million requests for 10,000 units, embedded")
        server = self.start_server()
        record = os.path.join(self.scratch, "record.txt")
        command = bench_command(
            BINARY, server, record, "--requests", str(REQUESTS), "--connections", "64", "--mix",
            "--item", "drop",
            "--stock", str(STOCK),
        )
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=300, check=False
        )
        report = done.stdout.decode(errors="replace")
        self.assertEqual(done.returncode, 0, report[-3000:])
        client = server.client()
        stock = client.stock("drop")
        self.assertEqual((stock["initial"], stock["remaining"], stock["sold"]), (STOCK, 0, STOCK))
        self.assertEqual(client.count("drop"), STOCK)
        client.close()
        server.stop()
        answers = auditor.read_record(record)
        self.assertGreaterEqual(len(answers), REQUESTS)
        auditor.assert_clean(answers, server.data, stocks=[stock])
        firsts = [answer for answer in answers if answer.status == 202 and not answer.replayed]
        self.assertEqual(sorted(answer.sequence for answer in firsts), list(range(1, STOCK + 1)))
        outcomes = collections.Counter(answer.code or answer.status for answer in answers)
        for kind in (
            "sold_out", "idempotency_key_reused", "user_limit_exceeded", "item_not_found", 202
        ):
            self.assertGreater(outcomes[kind], 0, f"the mix had no {kind}: {outcomes}")
        self.assertGreater(sum(answer.replayed for answer in answers), 0)
        row.survived(count=len(answers))
        self.note(f"{len(answers)} answers: {dict(outcomes)}")


if __name__ == "__main__":
    unittest.main()
