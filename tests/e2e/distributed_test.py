# tests/e2e/distributed_test.py - many nodes on a real Redis and PostgreSQL, and what befalls them
import collections
import os
import subprocess
import time
import unittest

import auditor
from harness import BINARY, FULL, wait_until
from load import bench_command, mixed_wishes, unique_wishes
from many_nodes import QUIET_S, Distributed
from stores import make_cluster

class Crowd(Distributed):
    def test_three_nodes_sell_each_unit_once(self):
        row = self.fault("a million requests for 10,000 units, three nodes")
        self.start_nodes(3)
        units, requests = (10_000, 1_000_000) if FULL else (3_000, 60_000)
        self.sells("drop", units, perUserLimit=2)
        per_node = requests // 3
        records, benches = [], []
        for number, node in enumerate(self.nodes):
            record = os.path.join(self.scratch, f"record-{number}.txt")
            command = bench_command(
                BINARY, node, record, "--requests", str(per_node), "--connections", "22", "--mix",
                "new=70,repeat=15,wrong=5,limit=0,unknown=5",
                "--item", "drop", "--no-audit",
            )
            records.append(record)
            benches.append(subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            ))
        answers = []
        for bench, record in zip(benches, records):
            report = bench.communicate(timeout=300)[0].decode(errors="replace")
            self.assertEqual(bench.returncode, 0, report[-3000:])
            answers += auditor.read_record(record)
        # Each process has a clock of its own start, so times are not comparable across records.
        for answer in answers:
            answer.sent = answer.answered = None
        stock, = self.audit(answers, "drop")
        self.assertEqual((stock["remaining"], stock["sold"]), (0, units))
        outcomes = collections.Counter(answer.code or answer.status for answer in answers)
        row.survived(count=len(answers))
        self.note(f"{len(answers)} answers: {dict(outcomes)}")

    def test_a_key_used_at_two_nodes_at_once_makes_one_order(self):
        self.start_nodes(2)
        self.sells("drop", 10_000)

        def twice():
            for wish in unique_wishes("drop"):
                yield wish
                yield wish

        wishes = twice()
        load = self.start_load(wishes, clients=32)
        self.let_it_sell(load, 4000)
        load.stop()
        answers = load.join()
        self.audit(answers, "drop")
        self.assertGreater(sum(answer.replayed for answer in answers), 500)

    def test_what_one_node_accepted_the_other_shows_at_once(self):
        first, second = self.start_nodes(2)
        self.sells("drop", 100)
        clients = first.client(), second.client()
        for number in range(20):
            told = clients[0].order(f"user-{number}", "drop", key=f"k{number}")
            self.expect(told, 202)
            order = told.json()
            self.assertEqual(order["durability"], "redis")
            self.assertEqual(order["status"], "processing")
            seen = clients[1].get(told.header("Location"))
            self.expect(seen, 200)
            self.assertEqual(seen.json()["orderId"], order["orderId"])
            self.assertIn(seen.json()["status"], ("processing", "confirmed"))
            listed = clients[1].get(f"/api/v1/orders?userId=user-{number}")
            self.expect(listed, 200)
            self.assertEqual(
                [each["orderId"] for each in listed.json()["items"]], [order["orderId"]]
            )
            again = clients[1].order(f"user-{number}", "drop", key=f"k{number}")
            self.assertEqual((again.status, again.body), (202, told.body))
            self.assertTrue(again.replayed)


class NodeKilled(Distributed):
    def test_the_others_go_on_and_nothing_is_lost(self):
        row = self.fault("node: kill -9 at random moments, three nodes")
        rounds = 60 if FULL else 4
        self.start_nodes(3)
        self.sells("drop", 1_000_000, perUserLimit=2)
        load = self.start_load(mixed_wishes(self.random, "drop", user_limit=2))
        for number in range(rounds):
            self.let_it_sell(load, self.random.randrange(300, 2000))
            victim = self.nodes[number % 3]
            victim.kill()
            row.survived(self.selling_again(load, time.monotonic()))
            self.let_it_sell(load, 300)
            victim.restart()
        load.stop()
        answers = load.join()
        self.audit(answers, "drop")
        unheard = sum(answer.status == auditor.UNKNOWN for answer in answers)
        self.note(f"{rounds} kills, {len(answers)} answers, {unheard} unheard")

    def test_a_killed_leader_is_followed(self):
        first = self.start_node()
        self.sells("drop", 5_000)
        second = self.start_node()
        load = self.start_load(unique_wishes("drop"), clients=16)
        self.let_it_sell(load, 500)
        first.kill()  # it leads: it was alone when it started
        self.let_it_sell(load, 500)
        load.stop()
        answers = load.join()
        self.audit(answers, "drop")
        self.assertTrue(second.running)


class Topologies(Distributed):
    """Redis as a Cluster."""

    def test_a_cluster_of_three_sells_by_shards(self):
        nodes = make_cluster(self.scratch, self.made)
        seeds = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
        self.start_nodes(2, {"redis.url": f"redis+cluster://{seeds}", "lane.count": "6"})
        items = [f"drop-{number}" for number in range(8)]
        for item in items:
            self.sells(item, 200, perUserLimit=2)
        loads = [
            self.start_load(mixed_wishes(self.random, item, prefix=f"{item}-", user_limit=2),
                            clients=8)
            for item in items
        ]
        for load in loads:
            self.let_it_sell(load, 500)
        answers = []
        for load in loads:
            load.stop()
            answers += load.join()
        holding = sum(int(node.cli("DBSIZE")) > 0 for node in nodes)
        self.assertEqual(holding, 3, "all of the cluster has a part")
        self.wait_stored(answers)
        stocks = self.stocks(*items)
        store = auditor.read_postgres(self.postgres.select)
        auditor.assert_store_clean(answers, store, stocks=stocks)
        self.assertEqual([stock["remaining"] for stock in stocks], [0] * len(items))

    def wait_stored(self, answers):
        accepted = {answer.order_id for answer in answers if answer.status == 202}
        wait_until(
            lambda: int(self.postgres.value("SELECT count(*) FROM orders")) >= len(accepted),
            "PostgreSQL has all that was accepted", QUIET_S
        )


class Start(Distributed):
    """What is wrong with the stores is said at the start, with what to change."""

    def refuses(self, pattern, **more):
        node = self.start_node(start=False, **more)
        node.launch()
        self.assertEqual(node.wait_exit(), 1, node.log())
        self.assertRegex(node.log(), pattern)

    def test_a_password_that_is_missing_or_wrong(self):
        self.redis.cli("CONFIG", "SET", "requirepass", "right")
        self.refuses("(?i)password")
        self.refuses("(?i)password", settings={
            "redis.url": f"redis://:wrong@127.0.0.1:{self.redis.port}/0"
        })
        self.assertNotIn("wrong@", self.nodes[-1].log())

    def test_a_redis_that_throws_keys_away(self):
        self.redis.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        self.refuses("maxmemory-policy.*noeviction")

    def test_a_database_without_rights(self):
        self.postgres.select("CREATE ROLE reader LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        self.refuses("(?i)grant|right|permission", settings={
            "postgres.url": f"postgresql://reader@127.0.0.1:{self.postgres.port}/postgres"
        })

    def test_another_number_of_lanes(self):
        node = self.start_node({"lane.count": "2"})
        node.stop()
        self.refuses("lane.count", settings={"lane.count": "3"})


if __name__ == "__main__":
    unittest.main()
