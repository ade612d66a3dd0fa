# tests/e2e/redis_cuts_test.py - the line to Redis breaks at each byte of a request or an answer
import time
import unittest

from harness import FULL, wait_until
from load import mixed_wishes
from many_nodes import POISON, SLOW_POLL_S, Distributed
from redis_scripts import name_of

# Far more failures than a breaker bears: here it is the ledger that is asked, not the breaker.
PATIENT = {"breaker.minimum_calls": "10000", "breaker.window_size": "10000"}


class Cuts(Distributed):
    def start(self, settings=None, **members):
        self.line = self.proxy(self.redis.port)
        node = self.start_node({**PATIENT, **(settings or {})}, redis_port=self.line.port)
        self.sells("drop", 1_000_000, perUserLimit=2, **members)
        self.client = node.client()
        self.addCleanup(self.client.close)

    def offsets(self, size, step):
        """Of a text of so many bytes: all of them, or some, the first and the last among them."""
        return list(range(size + 1)) if FULL else sorted({*range(0, size, step), size})

    def at_every_byte(self, row, part, script, trigger, step):
        """Runs `trigger` once to learn how long the text is, then once for each offset."""
        learnt = self.line.arm(part, name_of(script))
        trigger(-1)
        wait_until(lambda: learnt.seen > 0, f"{script} runs")
        size = learnt.seen
        for offset in self.offsets(size, step):
            strike = self.line.arm(part, name_of(script), max(offset, 1) if part == "request"
                                   else offset)
            began = time.monotonic()
            trigger(offset)
            wait_until(strike.struck.is_set, f"{script}'s {part} breaks at {offset} of {size}", 40)
            row.survived(time.monotonic() - began)
        self.line.disarm()
        row.remarks.append(f"{script}: {size} bytes")

    def buy(self, number):
        """One order, asked again under its key until there is a definite answer."""
        user = f"{self.prefix}-{number}"

        def told():
            answer = self.ask(self.client, user, "drop", key=user)
            return answer.status not in (503, 504) and answer
        answer = wait_until(told, "the true outcome")
        self.expect(answer, 202)

    def test_deciding(self):
        self.start()
        for part in ("answer", "request"):
            row = self.fault(f"Redis: line cut at every byte of place.lua's {part}")
            self.prefix = f"place-{part}"
            self.at_every_byte(row, part, "place", self.buy, 25)
        self.audit(self.heard, "drop")

    def test_acknowledging(self):
        row = self.fault("Redis: line cut at every byte of acknowledge.lua's answer")
        self.start()
        self.prefix = "acknowledge"
        self.at_every_byte(row, "answer", "acknowledge", self.buy, 5)
        self.audit(self.heard, "drop")

    def test_settling(self):
        """Every answer is a declared one: PostgreSQL is slower than anybody waits."""
        row = self.fault("Redis: line cut at every byte of settle.lua's answer")
        slow = self.proxy(self.postgres.port)
        self.start({
            "durability": "database", "postgres.commit_wait": "10ms", "postgres.slow": "declare",
            "postgres.url": f"postgresql://firstcome@127.0.0.1:{slow.port}/postgres",
        })
        slow.delay_s = 0.1
        self.prefix = "settle"
        self.at_every_byte(row, "answer", "settle", self.buy, 5)
        slow.delay_s = 0.0
        self.audit(self.heard, "drop")

    def test_changing_stock(self):
        row = self.fault("Redis: line cut at every byte of stock.lua's answer")
        self.start()
        self.added = 0

        def add(number):
            def told():
                answer = self.client.change_stock(
                    "drop", "add", 1, {"Idempotency-Key": f"add-{number}"}
                )
                return answer.status not in (503, 504) and answer
            self.expect(wait_until(told, "the true outcome"), 200)
            self.added += 1
        self.at_every_byte(row, "answer", "stock", add, 25)
        # Between the record's commit and the sale the leader's check may come first, and repair.
        stock, = self.audit([], "drop", repairs=True)
        self.assertEqual(stock["initial"] + stock.get("restocked", 0), 1_000_000 + self.added)

    def test_looking_and_rebuilding(self):
        """Both go on by themselves: looking every second, rebuilding once the memory is gone."""
        self.start({"durability": "database", "postgres.commit_wait": "5s"})
        load = self.start_load(mixed_wishes(self.random, "drop", user_limit=2), clients=4)
        for script, step in (("look", 120), ("rebuild", 5)):
            row = self.fault(f"Redis: line cut at bytes of {script}.lua's answer")

            def trigger(_, script=script):
                if script == "rebuild":
                    self.redis.cli("FLUSHALL")
            learnt = self.line.arm("answer", name_of(script))
            trigger(0)
            wait_until(lambda: learnt.seen > 0, f"{script} runs")
            size = learnt.seen
            # One a second: a part of them, spread over the whole.
            for offset in sorted({*range(0, size, max(1, size // 20) if FULL else step), size}):
                self.selling_again(load, time.monotonic())
                strike = self.line.arm("answer", name_of(script), offset)
                trigger(offset)
                wait_until(strike.struck.is_set, f"{script} breaks at {offset}", 40, SLOW_POLL_S)
                row.survived(self.selling_again(load, time.monotonic()))
            row.remarks.append(f"{script}: {size} bytes")
        load.stop()
        self.audit(load.join(90), "drop", restocked_items=["drop"])

    def test_giving_back(self):
        """Dead letters discarded: each unit comes back once, whatever of the answer is heard."""
        row = self.fault("Redis: line cut at every byte of release.lua's answer")
        self.start({"dead_letters.backoff": "10ms", "dead_letters.backoff_max": "20ms"})
        self.postgres.select(POISON)
        count = 130 if FULL else 12
        for number in range(count):
            self.expect(self.ask(self.client, f"poison-{number}", "drop", key=f"p{number}"), 202)
        wait_until(
            lambda: self.client.admin("GET", "/api/v1/admin/dlq?status=dead").json()["total"]
            == count, "all are given up", 60, SLOW_POLL_S
        )
        entries = [row[0] for row in self.postgres.select(
            "SELECT id FROM failed_order_events ORDER BY id"
        )]
        given = []

        def discard(_):
            entry = entries.pop()
            path = f"/api/v1/admin/dlq/{entry}/discard"
            self.expect(self.client.admin("POST", path, {"reason": "a test"}), 202)
            given.append(entry)
        learnt = self.line.arm("answer", name_of("release"))
        discard(0)
        wait_until(lambda: learnt.seen > 0, "a unit comes back")
        size = learnt.seen
        for offset in self.offsets(size, 20)[:count - 1]:
            strike = self.line.arm("answer", name_of("release"), offset)
            began = time.monotonic()
            discard(offset)
            wait_until(strike.struck.is_set, f"release breaks at {offset} of {size}", 40)
            row.survived(time.monotonic() - began)
        row.remarks.append(f"release: {size} bytes")
        wait_until(
            lambda: self.stocks("drop")[0]["remaining"] == 1_000_000 - count + len(given),
            "every unit that was given up is back", 60, SLOW_POLL_S
        )
        # What the leader would have to repair was given back twice, or not at all.
        stock, = self.audit(self.heard, "drop", restocked_items=["drop"], repairs=False)
        self.assertEqual(stock["sold"] + stock["compensating"], count - len(given))


if __name__ == "__main__":
    unittest.main()
