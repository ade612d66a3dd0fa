# tests/e2e/damage_test.py - damaged and foreign files: said at start, never hidden
import os
import pathlib
import shutil
import sqlite3
import stat
import tempfile
import unittest

import auditor
from faults import SmallDisk
from harness import BINARY, FULL, Connection, EndToEnd, Server, estimated, request_bytes, wait_until

ORDERS = 600


def contents(folder):
    """Every byte that means something: SQLite leaves an empty log beside a file it only read."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in pathlib.Path(
            folder
        ).rglob("*") if path.is_file() and not path.name.endswith("-shm")
        and not (path.name.endswith("-wal") and path.stat().st_size == 0)
    }


class Damage(EndToEnd):
    """Every test works on a copy of one of two directories: one ended in order, one was killed."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.base = tempfile.mkdtemp(prefix="firstcome-e2e-")
        cls.addClassCleanup(shutil.rmtree, cls.base, ignore_errors=True)
        cls.ended = os.path.join(cls.base, "ended")
        cls.killed = os.path.join(cls.base, "killed")
        server = Server(cls.ended, cls.base)
        cls.class_servers.append(server)
        cls.addClassCleanup(server.dispose)
        server.start()
        cls.sell(server, ORDERS, 0)
        server.stop()
        shutil.copytree(cls.ended, cls.killed)
        server = Server(cls.killed, cls.base)
        cls.class_servers.append(server)
        cls.addClassCleanup(server.dispose)
        server.start()
        cls.sell(server, ORDERS, ORDERS)
        server.kill()

    @classmethod
    def sell(cls, server, count, start):
        client = server.client()
        if start == 0:
            client.set_stock("drop", 100_000)
        with Connection(server.address) as connection:
            for number in range(start, start + count):
                connection.send(request_bytes(
                    "POST", "/api/v1/orders",
                    {"userId": f"buyer-{number:05d}", "itemId": "drop", "quantity": 1 + number % 3},
                    {"Idempotency-Key": f"key-{number}"},
                ))
                assert connection.read().status == 202
        client.close()

    def copy_of(self, source):
        return shutil.copytree(source, tempfile.mkdtemp(dir=self.scratch), dirs_exist_ok=True)

    def refused(self, data, *expected, settings=None, **more):
        """The start fails, says what and what to do, and leaves every byte as it was."""
        before = contents(data) if os.path.isdir(data) else None
        server = self.make_server(settings, data, **more).launch()
        wait_until(lambda: not server.running or os.path.exists(server.ready_file), "it ends")
        self.assertFalse(server.running, "it started as if nothing were wrong")
        code = server.wait_exit()
        log = server.log()
        self.assertGreater(code, 0, f"ended with {code}:\n{log}")
        for pattern in expected:
            self.assertRegex(log, f"(?i){pattern}")
        self.assertFalse(os.path.exists(server.ready_file), "it was ready for a moment")
        if before is not None:
            self.assertEqual(contents(data), before, "a refused start changed the directory")
        return log

    def lane(self, data):
        return pathlib.Path(data, "lane-00.db")

    def flip(self, path, position, bit=0x01):
        raw = bytearray(path.read_bytes())
        raw[position] ^= bit
        path.write_bytes(raw)

    def test_a_clean_copy_starts(self):
        for source, orders in ((self.ended, ORDERS), (self.killed, 2 * ORDERS)):
            server = self.start_server(data=self.copy_of(source))
            client = server.client()
            self.assertEqual(client.count("drop"), orders)
            client.close()
            server.stop()

    def test_a_flipped_bit_in_an_orders_row(self):
        raw = self.lane(self.ended).read_bytes()
        for user in ("buyer-00000", "buyer-00300", "buyer-00599"):
            position = raw.find(user.encode())
            self.assertGreater(position, 0, "the orders are not in the main file")
            # The user, the quantity and times behind it, and the random half and header before it.
            for distance in (0, 5, len(user) + 2, len(user) + 6, -3, -6):
                with self.subTest(user=user, distance=distance):
                    data = self.copy_of(self.ended)
                    self.flip(self.lane(data), position + distance)
                    self.refused(data, "damaged|corrupt", "lane-00.db", "backup|audit")

    @estimated(minutes=1)
    def test_flipped_bits_anywhere_are_found_or_harmless(self):
        row = self.fault("a flipped bit anywhere in a lane's file: reported, or in no use")
        size = self.lane(self.ended).stat().st_size
        truth = auditor.read_store(self.ended)
        found = 0
        rounds = 100 if FULL else 25
        for _ in range(rounds):
            data = self.copy_of(self.ended)
            position = self.random.randrange(size)
            self.flip(self.lane(data), position, 1 << self.random.randrange(8))
            server = self.make_server(data=data).launch()
            wait_until(
                lambda: not server.running or os.path.exists(server.ready_file), "ready or refused"
            )
            if server.running:
                # Only a bit that nothing is read from may go unnoticed.
                server.address = wait_until(server._ready_address, "ready")
                client = server.client()
                self.assertEqual(client.count("drop"), len(truth.orders), f"byte {position}")
                self.assertEqual(client.stock("drop")["initial"], 100_000, f"byte {position}")
                client.close()
                server.kill()
                store = auditor.read_store(data, check_pages=False)
                for order in store.orders:
                    order.previous = order.previous or 0  # an empty blob is read as 0
                self.assertEqual(store.orders, truth.orders, f"byte {position}")
            else:
                found += 1
                self.assertGreater(server.process.returncode, 0, f"byte {position}")
                self.assertRegex(server.log(), r"lane-00\.db", f"byte {position}")
            row.survived()
        row.remarks.append(f"{found} of {rounds} reported, the others were in free space")
        self.note(row.remarks[0])

    def test_a_truncated_file(self):
        size = self.lane(self.ended).stat().st_size
        for left in (0, 1, 50, 100, 4095, 4096, size // 2, size - 4096, size - 1):
            with self.subTest(left=left):
                data = self.copy_of(self.ended)
                with open(self.lane(data), "r+b") as file:
                    file.truncate(left)
                self.refused(data, r"lane-00\.db")

    def test_a_foreign_file(self):
        for name, raw in (
            ("garbage", bytes(self.random.randrange(256) for _ in range(8192))),
            ("text", b"hello\n" * 1000),
            ("zeros", b"\0" * 8192),
        ):
            with self.subTest(name):
                data = self.copy_of(self.ended)
                self.lane(data).write_bytes(raw)
                self.refused(data, r"lane-00\.db", "damaged|not a (firstcome )?database")

    def test_somebody_elses_database(self):
        data = self.copy_of(self.ended)
        self.lane(data).unlink()
        with sqlite3.connect(self.lane(data)) as database:
            database.execute("CREATE TABLE orders(id INTEGER PRIMARY KEY, total INTEGER)")
        database.close()
        self.refused(data, r"lane-00\.db", "not a firstcome database")

    def test_rows_changed_by_hand(self):
        changes = {
            "a row deleted": "DELETE FROM orders WHERE sequence = 300",
            "the last row deleted": None,
            "a quantity changed": "UPDATE orders SET quantity = quantity + 1 WHERE sequence = 300",
            "a user changed": "UPDATE orders SET user = 'thief' WHERE sequence = 300",
            "a key removed": "UPDATE orders SET key = NULL WHERE sequence = 300",
            "stock below what was sold": "UPDATE items SET initial = 5",
            "the item renumbered": "UPDATE items SET item_no = 2",
            "a release of nothing": "INSERT INTO releases VALUES (12345, 0, 'x')",
            "the items gone": "DELETE FROM items",
            "the secret gone": "DELETE FROM meta WHERE name = 'hash_secret'",
        }
        for name, statement in changes.items():
            if statement is None:  # an append-only file cannot know what never came
                continue
            with self.subTest(name):
                data = self.copy_of(self.ended)
                database = sqlite3.connect(self.lane(data))
                with database:
                    database.execute(statement)
                database.close()
                self.refused(data, r"lane-00\.db", "damaged|corrupt")

    def test_a_lane_is_missing(self):
        data = os.path.join(self.scratch, "lanes")
        server = self.start_server({"lane.count": "3"}, data)
        server.stop()
        for lane in (1, 2):
            with self.subTest(lane):
                copy = self.copy_of(data)
                os.unlink(os.path.join(copy, f"lane-0{lane}.db"))
                self.refused(copy, rf"lane-0{lane}\.db", "missing", settings={"lane.count": "3"})
        copy = self.copy_of(data)
        os.unlink(os.path.join(copy, "lane-00.db"))
        self.refused(copy, r"lane-00\.db", settings={"lane.count": "3"})
        copy = self.copy_of(data)
        shutil.copy(os.path.join(copy, "lane-01.db"), os.path.join(copy, "lane-02.db"))
        self.refused(copy, r"lane-02\.db", settings={"lane.count": "3"})

    def test_another_lane_count(self):
        data = self.copy_of(self.ended)
        log = self.refused(data, r"lane\.count", settings={"lane.count": "2"})
        self.assertRegex(log, r"lane\.count = 1")

    def test_a_second_process(self):
        data = self.copy_of(self.ended)
        first = self.start_server(data=data)
        second = self.make_server(data=data).launch()
        self.assertGreater(second.wait_exit(), 0)
        self.assertRegex(second.log(), "(?i)another firstcome is running|in use")
        client = first.client()
        self.expect(client.order("1", "drop"), 202)
        client.close()
        first.kill()
        self.start_server(data=data).stop()  # a dead owner's lock is no lock

    # What follows damages the log of a process that was killed.

    def wal(self, data):
        path = pathlib.Path(data, "lane-00.db-wal")
        self.assertGreater(path.stat().st_size, 100_000, "the log is empty: nothing to damage")
        return path

    def live_end(self, data):
        """Where the valid part of the log ends; older frames may follow, it is written over."""
        raw = self.wal(data).read_bytes()
        page = int.from_bytes(raw[8:12], "big")
        end = 32
        while end + 24 + page <= len(raw) and raw[end + 8:end + 16] == raw[16:24]:
            end += 24 + page
        return end, 24 + page

    def starts_with_a_prefix(self, data):
        """It starts, and what it has is the line's beginning, whole. None: it refused."""
        server = self.make_server(data=data).launch()
        wait_until(
            lambda: not server.running or os.path.exists(server.ready_file), "ready or refused"
        )
        if not server.running:
            self.assertGreater(server.process.returncode, 0)
            self.assertRegex(server.log(), r"lane-00\.db")
            return None
        server.address = wait_until(server._ready_address, "ready")
        client = server.client()
        count = client.count("drop")
        self.assertEqual(client.stock("drop")["remaining"] + client.stock("drop")["sold"], 100_000)
        client.close()
        server.stop()
        store = auditor.read_store(data)
        self.assertEqual(auditor.audit([], store, complete=False), [])
        self.assertEqual(len(store.orders), count)
        return count

    @estimated(minutes=1)
    def test_a_torn_tail_of_the_log(self):
        row = self.fault("torn tail of a lane's log: cut, nothing accepted is lost")
        end, frame = self.live_end(self.copy_of(self.killed))
        whole = 2 * ORDERS
        # Bytes of a commit that never got through: nothing that was accepted may be missing.
        extras = (1, 23, 24, 100, frame - 1, frame, 3 * frame)
        if FULL:
            extras += tuple(self.random.randrange(1, 3 * frame) for _ in range(93))
        for extra in extras:
            with self.subTest(extra=extra):
                data = self.copy_of(self.killed)
                path = self.wal(data)
                raw = bytearray(path.read_bytes())
                raw[end:end + extra] = bytes(self.random.randrange(256) for _ in range(extra))
                path.write_bytes(raw)
                self.assertEqual(self.starts_with_a_prefix(data), whole)
                row.survived()
        # A cut inside takes orders away with their commit, never half of one.
        counts = []
        for cut in (end - 1, end - frame + 10, end - frame, end // 2, 32 + frame + 5, 40, 32, 5):
            with self.subTest(cut=cut):
                data = self.copy_of(self.killed)
                with open(self.wal(data), "r+b") as file:
                    file.truncate(cut)
                count = self.starts_with_a_prefix(data)
                counts.append("refused" if count is None else count)
                if count is not None:
                    self.assertTrue(ORDERS <= count <= whole, count)
        self.note(f"cuts left {counts} of {whole}")

    @estimated(minutes=1)
    def test_a_flipped_bit_in_the_log_is_reported(self):
        row = self.fault("a flipped bit in the middle of a lane's log: reported")
        end, frame = self.live_end(self.copy_of(self.killed))
        positions = [32 + frame * 3 + 1000, end // 2]
        if FULL:  # the last commit is a tail, torn or not
            positions += [self.random.randrange(32, end // 2) for _ in range(98)]
        for position in positions:
            with self.subTest(position=position):
                data = self.copy_of(self.killed)
                self.flip(self.wal(data), position)
                self.refused(data, r"lane-00\.db", "damaged|corrupt")
                row.survived()

    def test_a_missing_log_is_reported(self):
        data = self.copy_of(self.killed)
        os.unlink(self.wal(data))
        self.refused(data, r"lane-00\.db", "wal|log")


class Places(EndToEnd):
    """Directories that cannot be used: the message names the path and the cure."""

    def refused(self, data, *expected, **more):
        server = self.make_server(data=data, **more).launch()
        self.assertGreater(server.wait_exit(), 0)
        for pattern in (*expected, os.path.basename(data)):
            self.assertRegex(server.log(), f"(?i){pattern}")

    def test_a_file_in_its_place(self):
        data = os.path.join(self.scratch, "a-file")
        pathlib.Path(data).write_text("x", encoding="ascii")
        self.refused(data, "not a directory|exists|cannot")

    def test_no_parent(self):
        self.refused(
            os.path.join(self.scratch, "no", "such", "place"), "no such file|cannot make",
            "--data|parent"
        )

    def test_not_ours(self):
        if os.getuid() != 0:
            self.skipTest("needs root to become somebody else")
        os.chmod(self.scratch, 0o777)
        binary = shutil.copy(BINARY, os.path.join(self.scratch, "program"))
        os.chmod(binary, 0o755)
        for mode in (0o000, 0o500):
            data = os.path.join(self.scratch, f"root-{mode:o}")
            os.mkdir(data, mode)
            self.refused(
                data, "permission denied", binary=binary,
                popen={"user": "nobody", "group": "nogroup"}
            )
        mine = os.path.join(self.scratch, "mine")
        server = self.start_server(
            data=mine, binary=binary, popen={"user": "nobody", "group": "nogroup"}
        )
        self.assertEqual(stat.S_IMODE(os.stat(mine).st_mode), 0o700)
        server.stop()
        os.chmod(os.path.join(mine, "lane-00.db"), 0o000)
        self.refused(
            mine, r"lane-00\.db", binary=binary, popen={"user": "nobody", "group": "nogroup"}
        )

    def test_a_read_only_disk(self):
        disk = SmallDisk(os.path.join(self.scratch, "small"), 16)
        if not disk.mount():
            self.skipTest("this machine does not let us mount")
        self.addCleanup(disk.unmount)
        data = os.path.join(disk.path, "data-ro")
        self.start_server(data=data).stop()
        disk.read_only()
        self.refused(data, "read-only")

    def test_a_missing_token_is_made_anew(self):
        data = os.path.join(self.scratch, "data")
        server = self.start_server(data=data)
        old = server.admin_token()
        server.stop()
        os.unlink(os.path.join(data, "admin.token"))
        server = self.start_server(data=data)
        self.assertNotEqual(server.admin_token(), old)
        self.expect(server.client().admin("GET", "/api/v1/admin/stats"), 200)
        server.stop()

    def test_an_empty_token_opens_nothing(self):
        data = os.path.join(self.scratch, "data")
        self.start_server(data=data).stop()
        path = os.path.join(data, "admin.token")
        for text in ("", "\n", "  \n"):
            pathlib.Path(path).write_text(text, encoding="ascii")
            server = self.make_server(data=data).launch()
            wait_until(
                lambda: not server.running or os.path.exists(server.ready_file), "ready or refused"
            )
            if server.running:
                server.address = wait_until(server._ready_address, "ready")
                client = server.client()
                for credential in ("Bearer ", "Bearer", "", "Bearer x"):
                    response = client.get("/api/v1/admin/stats", {"Authorization": credential})
                    self.expect(response, 401, "unauthorized")
                client.close()
                server.kill()
            else:
                self.assertRegex(server.log(), "token")


if __name__ == "__main__":
    unittest.main()
