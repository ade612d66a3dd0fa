# tests/e2e/node_faults_test.py - a node is killed at each step, told to stop, or its clock jumps
import os
import time
import unittest

import auditor
from faults import WallClock
from harness import FULL, ConnectionClosed, wait_until
from load import mixed_wishes, unique_wishes
from many_nodes import POISON, SLOW_POLL_S, Distributed
from stores import Postgres, Redis

BUSY_PAUSE_S = 0.05
EACH = 25 if FULL else 1
DLQ = "/api/v1/admin/dlq"


class Failpoints(Distributed):
    """Killed at each named step; the next life of the node resolves what the last one left."""

    # Of every order, from the script to the trimmed stream.
    ORDERS = (
        "before_decide", "after_decide", "before_reply", "before_deliver", "before_store",
        "after_store", "after_deliver", "before_acknowledge", "after_acknowledge",
    )

    def kill_at(self, point, passage, cause=lambda: None):
        """Starts the node armed, does what brings it there, and starts it again."""
        self.node.stop()
        self.node.environment = {"FIRSTCOME_FAILPOINTS": f"{point}=kill@{passage}"}
        try:
            self.node.restart()
        except AssertionError:
            self.assertEqual(self.node.process.poll(), -9, "it did not start for another reason")
        self.node.environment = {}
        if self.node.running:
            cause()
        self.assertEqual(self.node.wait_exit(), -9, f"{point} was never passed")
        self.node.restart()

    def test_killed_at_every_step_of_an_order(self):
        self.node = self.start_node()
        self.sells("drop", 1_000_000, perUserLimit=2)
        load = self.start_load(
            mixed_wishes(self.random, "drop", user_limit=2), clients=16, busy_pause_s=BUSY_PAUSE_S
        )
        for point in self.ORDERS:
            row = self.fault(f"node: kill -9 at failpoint {point}, distributed")
            for number in range(EACH):
                self.kill_at(point, 1 + number % 25)
                row.survived(self.selling_again(load, time.monotonic()))
        load.stop()
        answers = load.join(60)
        self.audit(answers, "drop")
        self.assertEqual(self.dead_letters(), 0)
        self.note(f"{len(answers)} answers, {load.unheard} unheard")

    def test_killed_while_redis_is_rebuilt(self):
        self.node = self.start_node({"durability": "database", "postgres.commit_wait": "5s"})
        self.sells("drop", 1_000_000, perUserLimit=2)
        load = self.start_load(
            mixed_wishes(self.random, "drop", user_limit=2), clients=16, busy_pause_s=BUSY_PAUSE_S
        )
        for point in ("rebuild_advanced", "rebuild_items_written", "rebuild_before_open"):
            row = self.fault(f"node: kill -9 at failpoint {point}")
            for _ in range(EACH):
                self.selling_again(load, time.monotonic())
                self.kill_at(point, 1, lambda: self.redis.cli("FLUSHALL"))
                row.survived(self.selling_again(load, time.monotonic()))
        load.stop()
        self.audit(load.join(60), "drop", restocked_items=["drop"])

    def test_killed_while_stock_changes(self):
        self.node = self.start_node()
        self.sells("drop", 1_000)
        total = 1_000
        for point, operation in (("after_stock_commit", "add"), ("before_stock_lower", "remove")):
            row = self.fault(f"node: kill -9 at failpoint {point}")
            for number in range(EACH):
                key = {"Idempotency-Key": f"{point}-{number}"}
                self.kill_at(point, 1, lambda: self.change_and_fail(operation, key))
                began = time.monotonic()
                client = self.node.client()
                wait_until(
                    lambda: client.change_stock("drop", operation, 10, key).status == 200,
                    "the change is made"
                )
                client.close()
                row.survived(time.monotonic() - began)
                total += 10 if operation == "add" else -10
                stock, = self.stocks("drop")
                self.assertEqual(stock["initial"] + stock.get("restocked", 0), total)
        # Killed between the record and the sale: the leader's check may be first to see it.
        self.audit([], "drop", repairs=True)

    def change_and_fail(self, operation, key):
        client = self.node.client()
        with self.assertRaises(Exception):
            client.change_stock("drop", operation, 10, key)
        client.close()

    def test_killed_while_an_order_is_parked_and_given_up(self):
        self.node = self.start_node({
            "dead_letters.backoff": "10ms", "dead_letters.backoff_max": "20ms"
        })
        self.sells("drop", 100_000)
        self.postgres.select(POISON)
        count = 0
        # Being tried again is left to the full form: an entry stays claimed for a while.
        tried_again = ("before_redeliver", "after_redeliver") if FULL else ()
        points = ("before_park", "after_park", *tried_again)
        for point in points:
            row = self.fault(f"node: kill -9 at failpoint {point}")
            for _ in range(EACH * 4 // len(points)):  # as many as are given up below
                count += 1
                self.kill_at(point, 1, lambda: self.poison(count))
                # It may have met another entry before this order came.
                wait_until(lambda: self.poison(count), "the true outcome")
                row.survived()
        began = time.monotonic()
        wait_until(lambda: self.entries("dead") == count, "all are given up", 120, SLOW_POLL_S)
        row.survived(time.monotonic() - began, 0)
        row.remarks.append("time: until all were given up, an entry claimed by the dead node too")
        given = 0
        for point in ("before_compensate", "after_fail", "after_release", "before_compensated"):
            row = self.fault(f"node: kill -9 at failpoint {point}")
            for _ in range(EACH):
                self.kill_at(point, 1, self.discard_one)
                given += 1
                began = time.monotonic()
                wait_until(
                    lambda: self.stocks("drop")[0]["remaining"] == 100_000 - count + given,
                    "the unit is back", 30, SLOW_POLL_S
                )
                row.survived(time.monotonic() - began)
                # Else the next life would pass the failpoint for the sake of this one.
                wait_until(lambda: self.undone() == 0, "and noted to be", 30, SLOW_POLL_S)
        self.audit(self.heard, "drop", restocked_items=["drop"], repairs=False)

    def poison(self, number):
        """Whether somebody heard that it was accepted."""
        client = self.node.client()
        try:
            return self.ask(client, f"poison-{number}", "drop", key=f"p{number}").status == 202
        except (ConnectionClosed, OSError):
            self.heard.append(auditor.Answer(
                f"poison-{number}", f"p{number}", "drop", 1, auditor.UNKNOWN
            ))
            return False
        finally:
            client.close()

    def entries(self, status):
        client = self.node.client()
        page = client.admin("GET", f"{DLQ}?status={status}")
        client.close()
        return self.expect(page, 200).json()["total"]

    def undone(self):
        rows = self.postgres.select(
            "SELECT count(*) FROM failed_order_events"
            " WHERE status = 'discarded' AND NOT compensated"
        )
        return int(rows[0][0])

    def discard_one(self):
        client = self.node.client()
        page = self.expect(client.admin("GET", f"{DLQ}?status=dead"), 200).json()
        with self.assertRaises(Exception):
            path = f"{DLQ}/{page['entries'][0]['id']}/discard"
            client.admin("POST", path, {"reason": "cut short"})
        client.close()


class Shutdown(Distributed):
    def test_sigterm_under_load_loses_nothing(self):
        row = self.fault("SIGTERM under full load, two nodes in turn")
        rounds, late = 50 if FULL else 2, 0
        self.start_nodes(2)
        self.sells("drop", 1_000_000)
        load = self.start_load(unique_wishes("drop"), keep_exchanges=True,
                               busy_pause_s=BUSY_PAUSE_S)
        for number in range(rounds):
            self.let_it_sell(load, 200)
            node = self.nodes[number % 2]
            began = time.monotonic()
            node.terminate()
            if node.wait_exit() != 0:  # PostgreSQL took longer than the drain may; nothing is lost
                self.assertRegex(node.log().splitlines()[-1], r'"events_pending":[1-9]')
                late += 1
            row.survived(time.monotonic() - began)
            node.restart()
        load.stop()
        answers = load.join()
        self.audit(answers, "drop")
        self.assertFalse([e for e in load.exchanges if e.closed in ("reset", "partial")])
        row.remarks.append(f"time: until the process was gone; {late} times with a backlog left")

    def test_sigterm_with_postgres_down_says_what_is_left(self):
        row = self.fault("SIGTERM under load with PostgreSQL down")
        node = self.start_node({"shutdown.drain": "1s"})
        self.sells("drop", 1_000_000)
        load = self.start_load(
            unique_wishes("drop"), 16, keep_exchanges=True, busy_pause_s=BUSY_PAUSE_S
        )
        for _ in range(25 if FULL else 1):
            self.let_it_sell(load, 200)
            self.postgres.kill()
            self.let_it_sell(load, 100)
            began = time.monotonic()
            node.terminate()
            self.assertEqual(node.wait_exit(), 1)
            row.survived(time.monotonic() - began)
            self.assertRegex(node.log(), r"events_pending\W+[1-9]")
            self.postgres.start()
            node.restart()
        load.stop()
        answers = load.join()
        self.audit(answers, "drop")
        self.assertFalse([e for e in load.exchanges if e.closed in ("reset", "partial")])
        row.remarks.append("time: until the process was gone")

    def test_sigterm_with_redis_down(self):
        row = self.fault("SIGTERM under load with Redis down")
        node = self.start_node({"shutdown.drain": "1s"})
        self.sells("drop", 1_000_000)
        load = self.start_load(
            unique_wishes("drop"), 16, keep_exchanges=True, busy_pause_s=BUSY_PAUSE_S
        )
        for _ in range(25 if FULL else 1):
            self.let_it_sell(load, 200)
            self.redis.kill()
            began = time.monotonic()
            node.terminate()
            self.assertIn(node.wait_exit(), (0, 1))
            row.survived(time.monotonic() - began)
            self.redis.start()
            node.restart()
        load.stop()
        answers = load.join()
        self.audit(answers, "drop")
        self.assertFalse([e for e in load.exchanges if e.closed in ("reset", "partial")])
        row.remarks.append("time: until the process was gone")


class Clocks(Distributed):
    """Wall clocks step by an hour or a day, either way: of a node, of Redis, of all."""

    def setUp(self):
        super().setUp()
        self.redis.kill()
        self.postgres.kill()
        self.clocks = [
            WallClock(os.path.join(self.scratch, f"clock-{name}"))
            for name in ("redis", "postgres", "node-0", "node-1")
        ]
        os.chmod(self.scratch, 0o755)
        self.redis, self.postgres = Redis(self.scratch), Postgres(self.scratch)
        for store, clock in zip((self.redis, self.postgres), self.clocks):
            store.environment = clock.environment
            self.made(store)

    def test_wall_clocks_jump(self):
        for clock in self.clocks[2:]:
            self.start_node(environment=clock.environment)
        self.sells("drop", 100_000_000, perUserLimit=2)
        load = self.start_load(mixed_wishes(self.random, "drop", user_limit=2), clients=16)
        client = self.nodes[0].client()
        first = self.expect(self.ask(client, "early", "drop", 2, key="early"), 202)
        hour, day = 3600, 86_400
        for name, step in (("+1 h", hour), ("-1 h", -hour), ("+1 day", day), ("-1 day", -day)):
            row = self.fault(f"wall clock steps {name}: a node's, Redis's, PostgreSQL's, all")
            for number in range(20 if FULL else 4):
                self.let_it_sell(load, 50)
                victims = self.clocks if number % 4 == 3 else [self.clocks[number % 4]]
                for clock in victims:
                    clock.step_to(step)
                row.survived(self.selling_again(load, time.monotonic()))
                self.check_unaffected(client, first)
                for clock in self.clocks:
                    clock.step_to(0)
                self.check_unaffected(client, first)
        load.stop()
        answers = load.join(60)
        client.close()
        self.audit(answers + self.heard, "drop")
        self.assertEqual(self.dead_letters(), 0)

    def check_unaffected(self, client, first):
        """Nothing expires early, and a limit stays a limit."""
        again = self.expect(self.ask(client, "early", "drop", 2, key="early"), 202)
        self.assertEqual((again.body, again.replayed), (first.body, True))
        over = self.ask(client, "early", "drop", 1, key=f"over-{len(self.heard)}")
        self.expect(over, 409, "user_limit_exceeded")


if __name__ == "__main__":
    unittest.main()
