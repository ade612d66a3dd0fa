# tests/e2e/postgres_faults_test.py - PostgreSQL is away, dies, has no room, refuses for a while
import itertools
import os
import pwd
import time
import unittest

from faults import SmallDisk
from harness import FULL, wait_until
from load import mixed_wishes, unique_wishes
from many_nodes import SLOW_POLL_S, Distributed
from stores import Postgres

ROUNDS = 50 if FULL else 2
BUSY_PAUSE_S = 0.05
# So that what is measured is the store, not how long a breaker waits before it tries again.
EAGER = {"breaker.open_wait": "200ms", "breaker.open_wait_max": "1s"}


class PostgresFaults(Distributed):
    def start(self, name, units, settings=None, nodes=2):
        row = self.fault(name)
        self.start_nodes(nodes, settings)
        self.sells("drop", units, perUserLimit=2)
        return row

    def load(self, clients=64, **options):
        wishes = mixed_wishes(self.random, "drop", user_limit=2)
        return self.start_load(wishes, clients, busy_pause_s=BUSY_PAUSE_S, **options)

    def finish(self, load, **options):
        load.stop()
        answers = load.join(120)
        self.audit(answers, "drop", **options)
        self.assertEqual(self.dead_letters(), 0, "what passes by itself is nobody's dead letter")
        return answers


class Away(PostgresFaults):
    def test_down_for_a_while(self):
        """At level `redis` selling goes on, and PostgreSQL gets everything later."""
        more_than_minutes_sell = 100_000_000
        row = self.start("PostgreSQL: down, selling goes on", more_than_minutes_sell)
        load = self.load(16)
        drains = []
        for number in range(ROUNDS):
            self.let_it_sell(load, 300)
            self.postgres.kill()
            struck, before = time.monotonic(), load.accepted
            outage_s = (60 if number == 0 else 1) if FULL else 0
            wait_until(
                lambda: time.monotonic() - struck >= outage_s and load.accepted > before + 300,
                "selling goes on without PostgreSQL", 120, SLOW_POLL_S
            )
            self.assertGreater(self.pending(), 0)
            self.check_reads(load)
            self.postgres.start()
            waiting = load.accepted - before
            took = time.monotonic() - struck
            row.survived(self.drain_time())
            if outage_s > 30:
                drains.append(
                    f"then {waiting} orders taken at {waiting / took:,.0f}/s drained at"
                    f" {waiting / row.recoveries[-1]:,.0f}/s beside new ones"
                )
        self.finish(load)
        row.remarks += ["60 s once, else 1 s", *drains] if FULL else []

    def check_reads(self, load):
        accepted = next(a for a in reversed(load.answers) if a.status == 202 and not a.replayed)
        client = self.nodes[0].client()
        seen = self.expect(client.get(f"/api/v1/orders/{accepted.order_id}"), 200)
        self.assertEqual(seen.json()["status"], "processing")
        self.assertEqual(client.get("/readyz").status, 200)
        client.close()

    def test_killed_during_commit(self):
        """Half of the times the commit is in the log and nobody hears, else it is nowhere."""
        row = self.start(
            "PostgreSQL: kill -9 during COMMIT", 1_000_000,
            {"durability": "database", "postgres.commit_wait": "5s"}
        )
        load = self.load()
        hung = 0
        for number in range(ROUNDS):
            self.let_it_sell(load, self.random.randrange(50, 400))
            if number % 2 == 0:
                hung += self.hang_commits()
            self.postgres.kill()
            self.answer_commits_again()
            self.postgres.start()
            row.survived(self.selling_again(load, time.monotonic()))
        self.assertGreater(hung, 0)
        self.finish(load)
        row.remarks.append(f"{hung} times durable and unanswered")

    def hang_commits(self):
        """From now on a commit is written, and waits for a standby that does not exist."""
        self.postgres.select("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        self.postgres.select("SELECT pg_reload_conf()")
        wait_until(
            lambda: self.postgres.value(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            ) != "0", "a commit waits", 30, SLOW_POLL_S
        )
        return 1

    def answer_commits_again(self):
        path = os.path.join(self.postgres.directory, "postgresql.auto.conf")
        with open(path, "w", encoding="ascii"):
            pass

    def test_stands_still(self):
        """Half open: connections stay, nothing answers."""
        rounds = 10 if FULL else 1
        row = self.fault("PostgreSQL: half-open sockets, selling goes on")
        line = self.proxy(self.postgres.port)
        self.start_node({**EAGER, "postgres.statement_timeout": "500ms"}, postgres_port=line.port)
        self.sells("drop", 1_000_000, perUserLimit=2)
        load = self.load(16)
        for _ in range(rounds):
            self.let_it_sell(load, 200)
            line.freeze()
            self.let_it_sell(load, 1000)
            wait_until(lambda: self.pending() > 0, "nothing is stored", 10, SLOW_POLL_S)
            line.thaw()
            line.cut()
            row.survived(self.drain_time())
        self.finish(load)

    def test_slow_answers_to_a_stock_change_hold_orders_up_only_so_long(self):
        """Each of its calls is in time, and all together are not."""
        row = self.fault("PostgreSQL: each answer 0.9 s late, a stock change and orders behind it")
        line = self.proxy(self.postgres.port)
        node = self.start_node(postgres_port=line.port)
        self.sells("drop", 100)
        line.delay_s = 0.9
        client = node.client()
        began = time.monotonic()
        self.assertEqual(client.change_stock("drop", "set", 200).status, 503)
        row.survived(time.monotonic() - began)
        self.assertLess(row.recoveries[-1], 4.5, "the lane stood for too long")
        self.expect(self.ask(client, "ann", "drop", key="k"), 202)
        line.delay_s = 0.0
        wait_until(
            lambda: client.change_stock("drop", "set", 200).status == 200, "it is made", 30, 0.1
        )
        client.close()
        self.audit(self.heard, "drop", repairs=True)

    def test_line_cut_at_every_byte(self):
        """The relay's statement: stored or not, it is resolved by its ids, and counts once."""
        line = self.proxy(self.postgres.port)
        self.start_node(
            {"breaker.minimum_calls": "10000", "breaker.window_size": "10000"},
            postgres_port=line.port
        )
        self.sells("drop", 1_000_000)
        client = self.nodes[0].client()
        for part in ("answer", "request"):
            row = self.fault(f"PostgreSQL: line cut at every byte of the relay's {part}")
            size = self.cut_once(client, line, part, None)
            for offset in range(1, size + 1, 1 if FULL and part == "answer" else
                                7 if FULL else size // 6):
                began = time.monotonic()
                self.cut_once(client, line, part, offset)
                row.survived(time.monotonic() - began)
            row.remarks.append(f"{size} bytes" + (", each 7th" if part == "request" else ""))
        client.close()
        self.audit(self.heard, "drop")
        self.assertEqual(self.dead_letters(), 0)

    def cut_once(self, client, line, part, offset):
        user = f"cut-{part}-{offset or 0:05}"  # all of one length, and so are the statements
        strike = line.arm(part, user.encode(), offset)
        self.expect(self.ask(client, user, "drop", key=user), 202)
        hit = strike.struck if offset else strike.matched
        wait_until(hit.is_set, f"the {part} breaks at {offset}", 30)
        wait_until(lambda: self.pending() == 0, "it is stored in the end", 30, 0.005)
        line.disarm()
        return strike.seen


class NoRoom(PostgresFaults):
    def small_disk(self, name, megabytes):
        disk = SmallDisk(os.path.join(self.scratch, name), megabytes)
        if not disk.mount():
            self.skipTest("this machine does not let us mount")
        self.addCleanup(disk.unmount)
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(disk.path, owner.pw_uid, owner.pw_gid)
        return disk

    def stall(self, disk):
        """Takes all the room there is, until rows are refused for want of it."""
        refused = self.postgres.read_log().count("No space left on device")
        disk.fill_up()
        wait_until(
            lambda: self.postgres.read_log().count("No space left on device") > refused,
            "there is no room", 60, SLOW_POLL_S
        )

    def test_no_room_for_the_rows(self):
        row = self.start("PostgreSQL: disk full (rows)", 1_000_000, EAGER, nodes=1)
        disk = self.small_disk("rows", 256 if FULL else 32)
        self.postgres.select(f"CREATE TABLESPACE small LOCATION '{disk.path}'")
        self.postgres.select("ALTER TABLE orders SET TABLESPACE small")
        load = self.load(16)
        for _ in range(ROUNDS):
            self.let_it_sell(load, 200)
            self.stall(disk)
            self.let_it_sell(load, 500)
            self.assertGreater(self.pending(), 0)
            disk.make_room()
            row.survived(self.drain_time())
        self.finish(load)

    def test_no_room_for_the_log(self):
        """PostgreSQL then stops itself; it is started again once there is room."""
        disk = self.small_disk("wal", 64)
        self.postgres.kill()
        self.postgres = self.made(Postgres(
            self.scratch, options=("-c", "max_wal_size=16MB", "-c", "min_wal_size=4MB"),
            initdb=("--waldir", os.path.join(disk.path, "wal"), "--wal-segsize", "1")
        ))
        row = self.start("PostgreSQL: disk full (its log)", 1_000_000, EAGER, nodes=1)
        load = self.load(16)
        for _ in range(10 if FULL else 1):
            self.let_it_sell(load, 200)
            self.stall(disk)
            self.let_it_sell(load, 500)
            disk.make_room()
            self.postgres.kill()
            self.postgres.start()
            row.survived(self.drain_time())
        self.finish(load)


class Conflicts(PostgresFaults):
    """40001 and 40P01 by chance, counted by a sequence, which no rollback takes back."""

    def some_fail(self, percent):
        row = self.start(f"PostgreSQL: 40001 and 40P01 on {percent} %", 1_000_000,
                         EAGER, nodes=1)
        self.postgres.select(
            "CREATE SEQUENCE tries; CREATE SEQUENCE made_up;"
            "CREATE FUNCTION now_and_then() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " PERFORM nextval('tries');"
            f" IF random() < {percent / 100} THEN PERFORM nextval('made_up');"
            "  IF random() < 0.5 THEN RAISE EXCEPTION 'made up' USING ERRCODE = '40001'; END IF;"
            "  RAISE EXCEPTION 'made up' USING ERRCODE = '40P01';"
            " END IF; RETURN NULL; END $$;"
            "CREATE TRIGGER now_and_then BEFORE INSERT ON orders FOR EACH STATEMENT"
            " EXECUTE FUNCTION now_and_then()"
        )
        load = self.start_load(unique_wishes("drop"), clients=2)
        wait_until(lambda: self.count_of("made_up") >= ROUNDS, "enough have failed", 300, 0.1)
        load.stop()
        answers = load.join(60)
        stopped = time.monotonic()
        self.wait_quiet()
        row.survived(time.monotonic() - stopped, self.count_of("made_up"))
        self.audit(answers, "drop")
        self.assertEqual(self.dead_letters(), 0, "what passes by itself is nobody's dead letter")
        row.remarks.append(f"of {self.count_of('tries')} transactions")

    def count_of(self, sequence):
        return int(self.postgres.value(
            f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}"
        ))

    def test_one_in_ten(self):
        self.some_fail(10)

    def test_every_other(self):
        self.some_fail(50)


class Slow(PostgresFaults):
    """At level `database`: an answer waits for the commit, or says truly that it did not."""

    def start_slow(self, policy):
        self.line = self.proxy(self.postgres.port)
        node = self.start_node({
            "durability": "database", "postgres.commit_wait": "300ms", "postgres.slow": policy,
            "breaker.minimum_calls": "10000", "breaker.window_size": "10000",
        }, postgres_port=self.line.port)
        self.sells("drop", 100_000, perUserLimit=2)
        self.client = node.client()
        self.addCleanup(self.client.close)

    def wait_in_time(self, number):
        """Until PostgreSQL is as quick as it should be, on a machine that may be busy."""
        tries = itertools.count()

        def in_time():
            user = f"quick-{number}-{next(tries)}"
            answer = self.ask(self.client, user, "drop", key=user)
            return answer.status == 202 and answer.json()["durability"] == "database"
        wait_until(in_time, "an order is committed before its answer")

    def test_wait(self):
        row = self.fault("PostgreSQL: slow at level database, policy wait")
        self.start_slow("wait")
        for number in range(ROUNDS):
            self.wait_in_time(number)
            self.line.delay_s = 0.8
            user = f"slow-{number}"
            unknown = self.expect(
                self.ask(self.client, user, "drop", key=user), 504, "outcome_unknown"
            )
            self.assertEqual(unknown.header("Firstcome-Should-Retry"), "true")
            self.line.delay_s = 0.0
            mended = time.monotonic()
            told = wait_until(lambda user=user: self.told(user), "the true outcome")
            row.survived(time.monotonic() - mended)
            self.assertTrue(told.replayed)
            self.assertEqual(told.json()["durability"], "database")
            self.assertEqual(
                self.postgres.value(f"SELECT count(*) FROM orders WHERE user_id = '{user}'"), "1"
            )
        self.audit(self.heard, "drop")

    def told(self, user):
        answer = self.ask(self.client, user, "drop", key=user)
        return answer if answer.status == 202 else None

    def test_declare(self):
        row = self.fault("PostgreSQL: slow at level database, policy declare")
        self.start_slow("declare")
        told = {}
        for number in range(ROUNDS):
            self.wait_in_time(number)
            self.line.delay_s = 0.8
            user = f"slow-{number}"
            first = self.expect(self.ask(self.client, user, "drop", key=user), 202)
            self.assertEqual(first.json()["durability"], "redis")
            again = self.expect(self.ask(self.client, user, "drop", key=user), 202)
            self.assertEqual((again.body, again.replayed), (first.body, True))
            self.line.delay_s = 0.0
            row.survived(self.drain_time())
            later = self.expect(self.ask(self.client, user, "drop", key=user), 202)
            self.assertEqual((later.body, later.replayed), (first.body, True))
            told[user] = first.body
        self.redis.cli("FLUSHALL")
        for user, body in told.items():
            again = wait_until(lambda user=user: self.told(user), "Redis has its memory back")
            self.assertEqual((again.body, again.replayed), (body, True))
        self.audit(self.heard, "drop")


if __name__ == "__main__":
    unittest.main()
