# tests/e2e/redis_faults_test.py - Redis forgets, dies, slows down or falls silent while all sell
import os
import subprocess
import time
import unittest

import auditor
from harness import BINARY, FULL, estimated, wait_until
from load import bench_command, mixed_wishes
from many_nodes import Distributed
from redis_scripts import name_of
from stores import Redis, Sentinel, free_port

ROUNDS = 50 if FULL else 2
BUSY_PAUSE_S = 0.05  # so that those who are told to wait do not take the machine
SLOW_LOOK_S = 0.01


class Memory(Distributed):
    """What Redis held is gone, or some of it. What was accepted is not."""

    # At this level an answer survives any loss of Redis.
    SAFE = {"durability": "database", "postgres.commit_wait": "5s"}

    def sell_through(self, name, strike, settings, restocked):
        """`strike` breaks something and mends it; then everybody sells on."""
        row = self.fault(name)
        self.start_nodes(2, settings)
        self.sells("drop", 700 * ROUNDS, perUserLimit=2)
        load = self.start_load(
            mixed_wishes(self.random, "drop", user_limit=2), busy_pause_s=BUSY_PAUSE_S
        )
        for _ in range(ROUNDS):
            self.let_it_sell(load, self.random.randrange(100, 600))
            strike(load)
            row.survived(self.selling_again(load, time.monotonic()))
        self.sell_out(load, "drop")
        load.stop()
        answers = load.join(90)
        # Units of orders that Redis lost before PostgreSQL had them are sold again: nobody was
        # told "accepted" for those, but somebody may have heard "sold out" meanwhile.
        self.audit(answers, "drop", restocked_items=["drop"] if restocked else [])
        self.note(f"{ROUNDS} rounds, {len(answers)} answers, {load.unheard} unheard")

    def test_flushall(self):
        def strike(_):
            self.redis.cli("FLUSHALL")
        self.sell_through("Redis: FLUSHALL under load", strike, self.SAFE, True)

    def test_restarted_empty(self):
        def strike(_):
            self.redis.kill()
            self.redis.lose_data()
            self.redis.start()
        self.sell_through("Redis: kill -9, restarted empty", strike, self.SAFE, True)

    def test_killed_and_started_again(self):
        """While syncs are quick its file has every answer it gave, so that the weaker level loses
        nothing either."""
        def strike(_):
            self.redis.kill()
            self.redis.start()
        self.sell_through("Redis: kill -9 and restart (AOF everysec)", strike, {}, False)

    def test_killed_between_script_and_reply(self):
        row = self.fault("Redis: kill -9 between script and reply")
        proxy = self.proxy(self.redis.port)
        self.start_node(redis_port=proxy.port)
        self.sells("drop", 700 * ROUNDS, perUserLimit=2)
        load = self.start_load(
            mixed_wishes(self.random, "drop", user_limit=2), busy_pause_s=BUSY_PAUSE_S
        )
        for _ in range(ROUNDS):
            self.let_it_sell(load, self.random.randrange(100, 600))
            strike = proxy.arm("answer", name_of("place"), 0, self.redis.process.kill)
            wait_until(strike.struck.is_set, "a batch is decided")
            self.redis.kill()
            self.redis.start()
            row.survived(self.selling_again(load, time.monotonic()))
        self.sell_out(load, "drop")
        load.stop()
        answers = load.join(90)
        self.assertGreaterEqual(load.unheard, ROUNDS)
        self.audit(answers, "drop")
        self.note(f"{ROUNDS} rounds, {len(answers)} answers, {load.unheard} unheard")


class LongRebuild(Distributed):
    def test_a_rebuild_that_takes_longer_than_a_silent_lead_lasts(self):
        """Else two nodes would take the lead from each other, and neither would ever be done."""
        row = self.fault("Redis: FLUSHALL, rebuilding takes longer than a silent lead lasts")
        slow = self.proxy(self.redis.port)
        self.start_nodes(2, {"redis.url": f"redis://127.0.0.1:{slow.port}/0"})
        self.sells("drop", 60_000, perUserLimit=2)
        record = os.path.join(self.scratch, "record.txt")
        subprocess.run(
            bench_command(
                BINARY, self.nodes[0], record, "--requests", "20000", "--connections", "64",
                "--item", "drop", "--mix", "new=100", "--no-audit"
            ), check=True, stdout=subprocess.DEVNULL, timeout=120
        )
        self.wait_quiet()
        for _ in range(5 if FULL else 1):
            slow.delay_s = 0.09
            self.redis.cli("FLUSHALL")
            began = time.monotonic()
            client = self.nodes[0].client()
            wait_until(
                lambda: self.ask(client, "late", "drop", key="late").status == 202,
                "all sell again", 60, 0.05
            )
            client.close()
            row.survived(time.monotonic() - began)
            self.assertGreater(row.recoveries[-1], 4, "too quick to prove anything")
            slow.delay_s = 0.0
        row.remarks.append("20,000 orders, each of Redis's answers 90 ms late")
        answers = auditor.read_record(record)
        for answer in answers:
            answer.sent = answer.answered = None  # the clock of another process
        self.audit(answers + self.heard, "drop", restocked_items=["drop"])


class Failover(Distributed):
    """A replica that has not heard the last second takes over."""

    def sentinel_for(self, master, number):
        sentinel = self.made(Sentinel(self.scratch, master.port, number, self.sentinel_port))
        wait_until(lambda: "num-slaves,1" in sentinel.says(), "the Sentinel knows the replica",
                   30, 0.05)
        return sentinel

    def replica_of(self, master):
        line = self.proxy(master.port)
        replica = self.made(
            Redis(self.scratch, options=("--replicaof", f"127.0.0.1 {line.port}"))
        )
        wait_until(
            lambda: "master_link_status:up" in replica.cli("INFO", "replication"), "it replicates",
            30, 0.05
        )
        return replica, line

    @estimated(minutes=8)
    def test_a_replica_without_the_last_second(self):
        name = "Redis: failover (Sentinel) to a replica that misses the last second"
        row = self.fault(name, full=50)
        rounds = int(os.environ.get("FC_FAILOVERS", "50" if FULL else "2"))
        self.sentinel_port = free_port()
        replica, line = self.replica_of(self.redis)
        sentinel = self.sentinel_for(self.redis, 0)
        self.start_nodes(2, {
            "redis.url": f"redis+sentinel://127.0.0.1:{self.sentinel_port}/shop/0",
            **Memory.SAFE,
        })
        self.sells("drop", 100_000_000, perUserLimit=2)  # more than ten minutes can sell
        load = self.start_load(
            mixed_wishes(self.random, "drop", user_limit=2), clients=32, busy_pause_s=BUSY_PAUSE_S
        )
        for number in range(rounds):
            self.let_it_sell(load, 200)
            line.freeze()
            silent = time.monotonic()
            wait_until(lambda: time.monotonic() - silent > 1, "it misses a second", poll_s=0.05)
            self.let_it_sell(load, 100)
            self.redis.kill()
            struck = time.monotonic()
            row.survived(self.selling_again(load, struck))
            line.close()
            self.redis = replica
            if number + 1 < rounds:
                replica, line = self.replica_of(self.redis)
                sentinel.kill()
                sentinel = self.sentinel_for(self.redis, number + 1)
        load.stop()
        answers = load.join(90)
        self.audit(answers, "drop", restocked_items=["drop"])
        row.remarks.append("with the 0.7 s after which the Sentinel acts")
        self.note(f"{rounds} failovers, {len(answers)} answers")


class LeftBehind(Distributed):
    """A Redis that does not count any more, though it is there and answers."""

    def test_a_node_that_is_still_connected_to_it_stops_selling(self):
        row = self.fault("Redis: replaced node by node, the old one lives on")
        behind = self.start_node()
        self.sells("drop", 10, perUserLimit=1)
        client = behind.client()
        order = self.expect(self.ask(client, "ann", "drop", key="k"), 202).json()["orderId"]
        self.wait_quiet()
        self.redis = self.made(Redis(self.scratch))
        leader = self.start_node(start=False)
        leader.launch()
        wait_until(self.end_lead, "the next epoch has begun", 60, 0.5)
        began = time.monotonic()
        # An order that would be refused anyway: what is accepted until then would be lost.
        wait_until(
            lambda: client.order("ann", "drop", key="again").code == "please_wait",
            "the node that was left behind stops", 10, SLOW_LOOK_S
        )
        row.survived(time.monotonic() - began)
        leader.wait_ready()
        self.assertEqual(client.order("bob", "drop", key="late").code, "please_wait")
        client.close()
        behind.stop()
        client = leader.client()
        self.expect(client.get(f"/api/v1/orders/{order}"), 200)
        self.assertTrue(self.ask(client, "ann", "drop", key="k").replayed)
        self.expect(self.ask(client, "bob", "drop", key="late"), 202)
        client.close()
        self.audit(self.heard, "drop")

    def end_lead(self):
        """Whether the next epoch has begun; whoever led may be the first to ask for it again."""
        if self.postgres.value("SELECT max(number) FROM epochs") != "1":
            return True
        self.postgres.select(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE '% leads' AND pid IN"
            " (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)"
        )
        return False


class Line(Distributed):
    """The line to Redis is slow, silent, or loses what comes back."""

    def start(self, name):
        self.row = self.fault(name)
        self.line = self.proxy(self.redis.port)
        node = self.start_node(redis_port=self.line.port)
        self.sells("drop", 300 * ROUNDS, perUserLimit=2)
        self.client = node.client()
        self.addCleanup(self.client.close)
        return self.start_load(
            mixed_wishes(self.random, "drop", user_limit=2), busy_pause_s=BUSY_PAUSE_S
        )

    def finish(self, load):
        self.sell_out(load, "drop")
        load.stop()
        answers = load.join(120)
        self.audit(answers + self.heard, "drop")
        self.note(f"{ROUNDS} rounds, {len(answers)} answers, {load.unheard} unheard")

    def test_fifty_milliseconds_more(self):
        load = self.start("Redis: answers 50 ms late")
        for _ in range(ROUNDS):
            self.line.delay_s = 0.05
            self.let_it_sell(load, 130)
            self.line.delay_s = 0.0
            self.row.survived(self.selling_again(load, time.monotonic()))
        self.finish(load)
        self.assertEqual(load.unheard, 0, "50 ms is no reason to give up")

    def test_five_seconds_more(self):
        def strike():
            self.line.delay_s = 5.0

        def mend():
            self.line.delay_s = 0.0
            self.line.cut()
        self.breaker_opens("Redis: answers 5 s late", strike, mend)

    def test_half_open(self):
        self.breaker_opens(
            "Redis: half-open socket", lambda: self.line.freeze(), lambda: self.line.thaw()
        )

    def test_answers_lost_after_execution(self):
        def strike():
            self.line.swallow_answers = True

        def mend():
            self.line.swallow_answers = False
            self.line.cut()
        self.breaker_opens("Redis: answers lost after execution", strike, mend)

    def breaker_opens(self, name, strike, mend):
        load = self.start(name)
        opened, quick = [], []
        for number in range(ROUNDS):
            self.let_it_sell(load, 150)
            strike()
            struck = time.monotonic()
            wait_until(
                lambda: self.breaker(self.client, "redis") == "OPEN", "the breaker opens", 40,
                SLOW_LOOK_S
            )
            opened.append(time.monotonic() - struck)
            quick += self.ask_while_open(number)
            mend()
            self.row.survived(self.selling_again(load, time.monotonic()))
        self.finish(load)
        opened.sort()
        quick.sort()
        self.row.remarks.append(
            f"breaker open after {opened[len(opened) // 2]:.2f} s (median), {opened[-1]:.2f} s"
            f" (worst); while open 503 in {quick[len(quick) // 2] * 1000:.2f} ms (median),"
            f" {quick[len(quick) * 99 // 100] * 1000:.1f} ms (p99)"
        )

    def ask_while_open(self, number):
        """Seconds each 503 took."""
        times = []
        for _ in range(30):
            began = time.monotonic()
            answer = self.ask(self.client, f"waits-{number}", "drop")
            took = time.monotonic() - began
            if answer.status == 503 and answer.json()["reason"] == "breaker_open":
                times.append(took)
                self.assertGreaterEqual(int(answer.header("Retry-After")), 1)
                self.assertIn("대기", answer.json()["message"])
        self.assertGreater(len(times), 0, "nobody was told to wait")
        wait_until(lambda: self.client.stock("drop").get("stale"), "what is shown is last known")
        return times


if __name__ == "__main__":
    unittest.main()
