# tests/e2e/distributed_test.py - many nodes on a real Redis and PostgreSQL, and what befalls them
import collections
import json
import os
import re
import subprocess
import time
import unittest

import auditor
from harness import BINARY, DEADLINE_S, FULL, estimated, run_program, wait_until
from load import bench_command, mixed_wishes, unique_wishes
from many_nodes import QUIET_S, Distributed
from stores import Program, Redis, free_port, make_cluster


class Crowd(Distributed):
    @estimated(minutes=3)
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
        self.sells("drop", 100_000_000, perUserLimit=2)
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


class Backlog(Distributed):
    """What waits, what was refused and what stands still is shown, by every node."""

    def stats(self, node):
        client = node.client()
        answer = self.expect(client.admin("GET", "/api/v1/admin/stats"), 200).json()
        client.close()
        return answer

    def test_what_waits_for_postgres_is_shown_by_every_node(self):
        nodes = self.start_nodes(2, {"lane.count": "2"})
        self.sells("drop", 100)
        self.postgres.kill()
        client = nodes[0].client()
        for number in range(20):
            self.expect(client.order(f"u{number}", "drop"), 202)
        client.close()
        for node in nodes:
            wait_until(lambda node=node: self.stats(node)["outbox"]["pending"] == 20, "20 wait")
            outbox = self.stats(node)["outbox"]
            self.assertGreater(outbox["oldestAgeSeconds"], 0)
            self.assertEqual([line["stage"] for line in outbox["lines"]], ["orders", "orders"])
        code, printed = run_program(
            "stats", "--url", "http://%s:%d" % tuple(nodes[0].address[:2]),
            "--token-file", os.path.join(self.scratch, "admin.token"),
        )
        self.assertEqual(code, 0, printed)
        self.assertRegex(printed, r"outbox.pending +20\n")
        self.postgres.start()
        for node in nodes:
            wait_until(lambda node=node: self.stats(node)["outbox"]["pending"] == 0, "all stored")
            self.assertEqual(self.stats(node)["outbox"]["oldestAgeSeconds"], 0)

    def test_reads_that_wait_for_redis_are_not_held_against_postgres(self):
        """Else its breaker would open, and the relay, which asks the same one, stand still."""
        node = self.start_node()
        self.sells("drop", 100)
        client = node.client()
        order = self.expect(client.order("ann", "drop"), 202).json()["orderId"]
        unknown = order[:-1] + ("0" if order[-1] != "0" else "1")
        self.wait_quiet()
        self.redis.kill()
        for _ in range(30):
            self.expect(client.get("/api/v1/orders?userId=ann"), 503)
            self.expect(client.get(f"/api/v1/orders/{unknown}"), 503)
        self.expect(client.get(f"/api/v1/orders/{order}"), 200)
        self.assertEqual(self.breaker(client, "postgres"), "CLOSED")
        client.close()

    def test_a_key_used_for_items_of_two_shards_makes_two_orders(self):
        self.start_node({"lane.count": "4"})
        items = [f"item-{number}" for number in range(8)]
        for item in items:
            self.sells(item, 10)
        client = self.nodes[0].client()
        answers = [client.order("ann", item, key="one") for item in items]
        accepted = [answer.json()["orderId"] for answer in answers if answer.status == 202]
        self.assertGreater(len(accepted), 1, "items of several shards")
        self.wait_quiet()
        for order in accepted:
            found = self.expect(client.get(f"/api/v1/orders/{order}"), 200).json()
            self.assertEqual(found["status"], "confirmed")
        self.assertEqual(self.dead_letters(), 0)
        client.close()

    def test_a_damaged_entry_is_shown_with_the_cure(self):
        node = self.start_node()
        self.sells("drop", 100)
        client = node.client()
        self.expect(client.order("ann", "drop"), 202)
        self.wait_quiet()
        self.assertEqual(self.stats(node)["troubles"], [])
        entry = f"{int(self.redis.cli('GET', 'fc:{s0}:moment')) + 1}-0"
        self.redis.cli("XADD", "fc:{s0}:outbox", entry, "o", "nonsense")
        trouble, = wait_until(lambda: self.stats(node)["troubles"], "the trouble is shown")
        cure = f"XDEL fc:{{s0}}:outbox {entry}"
        self.assertIn(f"entry {entry} of fc:{{s0}}:outbox in Redis is damaged", trouble)
        self.assertIn(f"remove it ({cure})", trouble)
        wait_until(lambda: "in Redis is damaged" in node.log(), "the log says so")
        self.redis.cli(*cure.split())
        wait_until(lambda: self.stats(node)["troubles"] == [], "it is over")
        self.expect(client.order("bob", "drop"), 202)
        client.close()
        self.wait_quiet()
        self.assertEqual(self.postgres.value("SELECT count(*) FROM orders"), "2")


class Audit(Distributed):
    """`firstcome audit` says that all is well, or names what is not."""

    def audited(self, *words, **more):
        """(exit code, what it printed)"""
        settings = {**self.nodes[0].settings, **more.get("settings", {})}
        set_flags = [word for key, value in settings.items() if key in (
            "mode", "redis.url", "postgres.url", "redis.connect_timeout"
        ) for word in ("--set", f"{key}={value}")]
        return run_program("audit", *words, *set_flags)

    def finds(self, pattern):
        code, printed = self.audited()
        self.assertEqual(code, 1, printed)
        self.assertRegex(printed, pattern)

    def test_a_clean_sale_holds_also_while_it_goes_on(self):
        self.start_nodes(2, {"lane.count": "2"})
        for item in ("drop", "shoe"):
            self.sells(item, 20_000, perUserLimit=2)
        loads = [
            self.start_load(mixed_wishes(self.random, item, prefix=item, user_limit=2), clients=8)
            for item in ("drop", "shoe")
        ]
        for load in loads:
            self.let_it_sell(load, 500)
        for _ in range(3):
            code, printed = self.audited()
            self.assertEqual(code, 0, printed)
        for load in loads:
            load.stop()
            load.join()
        self.wait_quiet()
        code, printed = self.audited("--json")
        report = json.loads(printed)
        self.assertEqual((code, report["ok"], report["findings"]), (0, True, []))
        sold = {item["itemId"]: item["sold"] for item in report["items"]}
        self.assertEqual(
            sold, {stock["itemId"]: stock["sold"] for stock in self.stocks("drop", "shoe")}
        )
        self.assertRegex(self.audited()[1], r"\d+ orders: every invariant holds")

    def test_what_waits_in_the_outbox_counts(self):
        node = self.start_node({"shutdown.drain": "1s"})
        self.sells("drop", 100)
        self.postgres.kill()
        client = node.client()
        for number in range(20):
            self.expect(client.order(f"u{number}", "drop"), 202)
        client.close()
        node.terminate()
        node.wait_exit()
        self.postgres.start()
        self.assertEqual(self.pending() > 0, True)
        code, printed = self.audited()
        self.assertEqual(code, 0, printed)
        first = self.redis.cli("XRANGE", "fc:{s0}:outbox", "-", "+", "COUNT", 1).split()[0]
        self.redis.cli("XDEL", "fc:{s0}:outbox", first)
        self.finds(r"item drop: .*(PostgreSQL = Redis|I10)")

    def test_what_somebody_changed_by_hand_is_found_and_named(self):
        node = self.start_node()
        for item in ("gap", "double", "gone", "counter", "limited", "total"):
            self.sells(item, 100, **({"perUserLimit": 2} if item == "limited" else {}))
        client = node.client()
        for item in ("gap", "double", "gone", "counter", "limited", "total"):
            for number in range(4):
                self.expect(client.order(f"u{number}", item, key=f"{item}-{number}"), 202)
        client.close()
        self.wait_quiet()
        node.stop()  # else its conservation check would mend what it can
        code, printed = self.audited()
        self.assertEqual(code, 0, printed)
        where = "WHERE item_id = '%s' AND sequence = %d"
        self.postgres.select("UPDATE orders SET sequence = 9 " + where % ("gap", 4))
        self.postgres.select("UPDATE orders SET quantity = 2 " + where % ("double", 2))
        self.postgres.select("DELETE FROM orders " + where % ("gone", 3))
        self.postgres.select("UPDATE orders SET quantity = 3 " + where % ("limited", 1))
        self.postgres.select("UPDATE items SET initial = 90 WHERE item_id = 'total'")
        self.redis.cli("HINCRBY", "fc:{s0}:item:counter", "remaining", 5)
        self.redis.cli("HINCRBY", "fc:{s0}:item:counter", "sold", -5)
        code, printed = self.audited()
        self.assertEqual(code, 1, printed)
        for finding in (
            r"item gap: sequence 9 follows 3 \(order [0-9a-f-]+\) \(I7\)",
            r"item double: its row counts 4 units sold, its orders 5 \(I2\)",
            r"item gone: its row counts 4 units sold, its orders 3 \(I2\)",
            r"item gone: sequence 4 follows 2 \(order [0-9a-f-]+\) \(I7\)",
            r"item limited: user u0 holds 3 units, and the limit was never above 2 \(I6\)",
            r"item total differs from its last stock movement \(I2\)",
            r"item total: a total of 100 in Redis, of 90 in PostgreSQL",
            r"item counter: -1 units taken in Redis, 4 in PostgreSQL and the outbox",
        ):
            self.assertRegex(printed, "BROKEN  " + finding)
        self.assertNotIn("every invariant holds", printed)

    def test_what_was_given_up_behind_its_back_is_found(self):
        node = self.start_node({
            "dead_letters.backoff": "10ms", "dead_letters.backoff_max": "50ms",
            "dead_letters.attempts_max": "3",
        })
        self.sells("drop", 100)
        self.postgres.select(
            "ALTER TABLE orders ADD CONSTRAINT no_poison CHECK (user_id NOT LIKE 'poison%')"
        )
        client = node.client()
        for user in ("ann", "poison", "bob"):
            self.expect(client.order(user, "drop"), 202)
        wait_until(lambda: self.dead_letters() == 1, "one is a dead letter")
        self.wait_quiet()
        node.stop()
        self.assertEqual(self.audited()[0], 0, "what is parked has its place and its units")
        self.postgres.select(
            "UPDATE failed_order_events SET status = 'discarded', next_attempt = NULL,"
            " compensated = true"
        )
        self.finds(r"dead letter 1 was given up without an audit row \(I10\)")
        self.postgres.select("ALTER TABLE orders DROP CONSTRAINT no_poison, DROP CONSTRAINT"
                             " orders_pkey")
        self.finds(r"the index orders_pkey is missing")

    def test_a_store_that_is_away_is_told(self):
        node = self.start_node()
        self.sells("drop", 10)
        node.stop()
        nobody = {"redis.url": f"redis://127.0.0.1:{free_port()}/0"}
        code, printed = self.audited(settings=nobody)
        self.assertEqual(code, 2, printed)
        self.assertRegex(printed, "firstcome audit: redis.url: .*is it running, and is redis.url")
        code, printed = self.audited(settings={
            "postgres.url": f"postgresql://firstcome@127.0.0.1:{free_port()}/postgres"
        })
        self.assertEqual(code, 2, printed)
        self.assertRegex(printed, "firstcome audit: PostgreSQL: .*correct host and port in")
        self.postgres.select("CREATE DATABASE empty")
        code, printed = self.audited(settings={
            "postgres.url": f"postgresql://firstcome@127.0.0.1:{self.postgres.port}/empty"
        })
        self.assertEqual(code, 2, printed)
        self.assertIn("no tables of Firstcome", printed)
        self.redis.cli("FLUSHALL")
        code, printed = self.audited()
        self.assertEqual(code, 2, printed)
        self.assertRegex(printed, "emptied while no node ran; start a node")


class Start(Distributed):
    """What is wrong with the stores is said at the start, with what to change."""

    def refuses(self, pattern, **more):
        node = self.start_node(start=False, **more)
        node.launch()
        self.assertEqual(node.wait_exit(), 1, node.log())
        self.assertRegex(node.log(), pattern)

    def database(self, user="firstcome", name="postgres"):
        return {"postgres.url": f"postgresql://{user}@127.0.0.1:{self.postgres.port}/{name}"}

    def test_a_password_of_redis_that_is_missing_or_wrong(self):
        self.redis.cli("CONFIG", "SET", "requirepass", "right")
        self.refuses("NOAUTH.*; write the password into redis.url")
        self.refuses("WRONGPASS.*; correct the user and password of redis.url", settings={
            "redis.url": f"redis://:wrong@127.0.0.1:{self.redis.port}/0"
        })
        self.assertNotIn("wrong@", self.nodes[-1].log())

    def test_files_of_the_configuration_that_cannot_be_read(self):
        for key in ("redis.password_file", "redis.sentinel_password_file"):
            self.refuses(f"{key}: /nowhere cannot be read", settings={key: "/nowhere"})
            password = os.path.join(self.scratch, key)
            with open(password, "w", encoding="ascii") as file:
                file.write("right\n")
            os.chmod(password, 0o644)
            self.refuses(f"{key}: {password} is open to other users; run chmod 600", settings={
                key: password
            })
            os.chmod(password, 0o600)
            os.truncate(password, 0)
            self.refuses(f"{key}: {password} is empty", settings={key: password})
        for key in ("redis.tls_ca_file", "redis.tls_certificate"):
            self.refuses("cannot read /nowhere", settings={
                key: "/nowhere", "redis.url": f"rediss://127.0.0.1:{self.redis.port}/0"
            })

    def test_a_redis_that_throws_keys_away(self):
        self.redis.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        self.refuses("set maxmemory-policy to noeviction, it is allkeys-lru")

    def test_a_redis_that_still_reads_its_data_is_waited_for(self):
        slow = self.made(Redis(self.scratch, options=("--key-load-delay", "50")))
        slow.cli("EVAL", "for i = 1, 20000 do redis.call('SET', 'key' .. i, 'x') end", "0")
        slow.kill()
        Program.start(slow)  # it listens, and no more
        node = self.start_node(redis_port=slow.port)
        self.assertRegex(node.log(), "waiting for Redis.*it is still reading its data")

    def test_a_shard_that_is_rebuilt_for_long_is_waited_for_until_a_signal(self):
        """As a long rebuild looks from outside: the leader opened the shard on another Redis."""
        self.start_node()
        other = self.made(Redis(self.scratch))
        node = self.start_node(redis_port=other.port, start=False).launch()
        longer_than_for_a_store = r'waiting for a shard.*"rebuilding":true,"seconds":2[1-9]'
        wait_until(
            lambda: re.search(longer_than_for_a_store, node.log()), "it goes on waiting", 60, 0.1
        )
        node.stop()
        self.assertRegex(node.log(), "stopping.*\n.*the start was not over")

    def test_a_redis_that_is_too_old(self):
        # The real server, but for the version it tells.
        version = re.search(r"redis_version:(\d)", self.redis.cli("INFO", "server"))[0]
        impostor = self.proxy(self.redis.port)
        impostor.rewrite = (version.encode(), b"redis_version:6")
        self.refuses(r"is version 6\.\S+; install Redis 7 or newer", redis_port=impostor.port)

    def test_a_user_of_redis_without_rights(self):
        self.redis.cli("ACL", "SETUSER", "mute", "on", ">p", "~*", "+@all", "-eval", "-evalsha")
        self.refuses("NOPERM.*; give the user these rights: ACL SETUSER", settings={
            "redis.url": f"redis://mute:p@127.0.0.1:{self.redis.port}/0"
        })

    def test_a_password_of_the_database_that_is_missing_or_wrong(self):
        rules = os.path.join(self.postgres.directory, "pg_hba.conf")
        with open(rules, encoding="ascii") as file:
            before = file.read()
        with open(rules, "w", encoding="ascii") as file:
            file.write("host all bob 127.0.0.1/32 scram-sha-256\n" + before)
        self.postgres.select("CREATE ROLE bob LOGIN PASSWORD 'right'")
        self.postgres.select("SELECT pg_reload_conf()")
        for user in ("bob", "bob:wr0ng"):
            self.refuses("correct user and password in postgres.url",
                         settings=self.database(user))
            self.assertNotIn("wr0ng", self.nodes[-1].log())

    def test_a_database_without_rights_or_tables(self):
        self.postgres.select("CREATE ROLE reader LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        self.refuses("GRANT CREATE, USAGE ON SCHEMA public TO the user of postgres.url",
                     settings=self.database("reader"))
        self.refuses("create the database \\(CREATE DATABASE ...\\) or correct its name",
                     settings=self.database(name="nowhere"))

    def test_a_database_that_is_too_old(self):
        # The real question, answered by an impostor that is found before pg_catalog.
        self.postgres.select(
            "CREATE SCHEMA old; CREATE FUNCTION old.current_setting(what text) RETURNS text"
            " LANGUAGE sql AS $$ SELECT CASE what WHEN 'server_version_num' THEN '130011'"
            " ELSE '13.11' END $$; ALTER DATABASE postgres SET search_path = old, pg_catalog,"
            " public"
        )
        self.refuses("PostgreSQL 13.11 is too old: Firstcome needs 14 or newer; upgrade the server")

    def test_another_number_of_lanes(self):
        node = self.start_node({"lane.count": "2"})
        node.stop()
        self.refuses("lane.count", settings={"lane.count": "3"})


if __name__ == "__main__":
    unittest.main()
