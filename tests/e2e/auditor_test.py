# tests/e2e/auditor_test.py - a clean sale passes, each planted violation is caught
import dataclasses
import os
import pathlib
import sqlite3
import tempfile
import unittest

import auditor
from auditor import Answer, StoredItem, StoredOrder, Store

MS = 1_760_000_000_000


def stored(
    position, user, quantity=1, item="7", sequence=None, previous=0, key=b"k", released=False
):
    high = ((MS + position) << 16) | 0x7000
    return StoredOrder(
        shard=0, high=high, low=(0b10 << 62) | position, user=user, item=item, quantity=quantity,
        sequence=position if sequence is None else sequence, accepted_at=MS + position,
        previous=previous, key=key + bytes([position]) if key else None, released=released,
    )


def heard(order, key, replayed=False, sent=None, answered=None):
    text = auditor.order_id_text(order.high, order.low)
    return Answer(
        user=order.user, key=key, item=order.item, quantity=order.quantity, status=202,
        order_id=text,
        sequence=order.sequence, replayed=replayed, body_hash="h" + text, sent=sent,
        answered=answered,
    )


def refused(user, key, code, status=409, item="7", quantity=1, sent=None, answered=None):
    return Answer(user, key, item, quantity, status, code=code, sent=sent, answered=answered)


class Sale(unittest.TestCase):
    """Four orders of item 7 (5 units, 2 a user), one of them a replay, and some refusals."""

    def setUp(self):
        first = stored(1, "1")
        self.orders = [
            first, stored(2, "2", 2), stored(3, "1", previous=first.high), stored(4, "3")
        ]
        self.items = {"7": StoredItem("7", 5, 0, None, None, 2)}
        one, two, three, four = self.orders
        self.answers = [
            heard(one, "a", sent=10, answered=20),
            heard(one, "a", replayed=True, sent=21, answered=22),
            refused("1", "a", "idempotency_key_reused", 422, quantity=2, sent=23, answered=24),
            heard(two, "b", sent=12, answered=30),
            heard(three, "c", sent=31, answered=40),
            refused("1", "d", "user_limit_exceeded", sent=41, answered=42),
            heard(four, "e", sent=33, answered=50),
            refused("4", "f", "sold_out", sent=51, answered=52),
            Answer("5", "g", "7", 1, auditor.UNKNOWN),
        ]
        self.stock = {
            "itemId": 7, "initial": 5, "restocked": 0, "remaining": 0, "sold": 5, "compensating": 0
        }

    def rules(self, **options):
        options.setdefault("stocks", [self.stock])
        violations = auditor.audit(self.answers, Store(self.orders, self.items), **options)
        return {violation.rule for violation in violations}

    def change(self, index, **members):
        self.orders[index] = dataclasses.replace(self.orders[index], **members)

    def tell(self, index, **members):
        self.answers[index] = dataclasses.replace(self.answers[index], **members)


class CleanSale(Sale):
    def test_a_clean_sale_has_no_violation(self):
        self.assertEqual(self.rules(), set())

    def test_an_unknown_request_may_be_stored(self):
        self.items["7"].initial = self.stock["initial"] = 6
        self.stock["sold"] = 6
        self.orders.append(stored(5, "5"))
        self.assertEqual(self.rules(), set())


class PlantedInTheStore(Sale):
    def test_a_unit_sold_twice_is_caught(self):
        self.items["7"].initial = 4
        self.assertIn("I1", self.rules(stocks=[]))

    def test_a_released_unit_may_be_sold_again(self):
        self.items["7"].initial = self.stock["initial"] = self.stock["sold"] = 4
        self.change(3, released=True)
        self.assertEqual(self.rules(), set())

    def test_a_lost_order_is_caught(self):
        del self.orders[3]
        self.assertIn("I3", self.rules(stocks=[]))

    def test_each_altered_member_is_caught(self):
        for member, value in (("user", "9"), ("item", "8"), ("quantity", 2), ("sequence", 9)):
            with self.subTest(member):
                self.setUp()
                self.items["8"] = StoredItem("8", 5, 0, None, None, None)
                self.change(3, **{member: value})
                self.assertIn("I3", self.rules(stocks=[]))

    def test_a_gap_in_the_line_is_caught(self):
        self.change(3, sequence=5)
        self.tell(6, sequence=5)
        self.assertEqual(self.rules(), {"I7"})

    def test_a_place_given_twice_is_caught(self):
        self.change(3, sequence=3)
        self.tell(6, sequence=3)
        self.assertIn("I7", self.rules())

    def test_two_orders_in_the_wrong_order_are_caught(self):
        self.change(1, sequence=3)
        self.change(2, sequence=2)
        self.tell(3, sequence=3)
        self.tell(4, sequence=2)
        self.assertIn("I7", self.rules())

    def test_two_orders_under_one_key_are_caught(self):
        self.change(3, key=self.orders[1].key)
        self.assertEqual(self.rules(), {"I4"})

    def test_a_user_above_the_limit_is_caught(self):
        self.items["7"].per_user_limit = 1
        self.assertEqual(self.rules(), {"I6"})

    def test_an_order_nobody_asked_for_is_caught(self):
        self.items["7"].initial = 6
        self.orders.append(stored(5, "77"))
        self.assertEqual(self.rules(stocks=[]), {"I12"})

    def test_a_refused_order_that_is_stored_is_caught(self):
        self.items["7"].initial = 6
        self.orders.append(stored(5, "4"))
        self.assertEqual(self.rules(stocks=[]), {"I12"})

    def test_one_unknown_request_explains_one_order_only(self):
        self.items["7"] = StoredItem("7", 9, 0, None, None, None)
        self.orders += [stored(5, "5"), stored(6, "5", previous=stored(5, "5").high)]
        self.assertEqual(self.rules(stocks=[]), {"I12"})

    def test_a_broken_chain_is_caught(self):
        self.change(2, previous=0)
        self.assertEqual(self.rules(), {"chain"})

    def test_an_order_outside_the_window_is_caught(self):
        for window in ({"opens_at": MS + 2}, {"closes_at": MS + 3}):
            with self.subTest(window):
                self.setUp()
                self.items["7"] = dataclasses.replace(self.items["7"], **window)
                self.assertEqual(self.rules(), {"I9"})

    def test_an_id_that_is_no_uuid_v7_is_caught(self):
        self.change(3, high=self.orders[3].high ^ 0x7000 | 0x4000)
        self.assertIn("form", self.rules())

    def test_an_order_of_no_item_is_caught(self):
        self.items.clear()
        self.assertIn("form", self.rules(stocks=[]))


class PlantedInTheAnswers(Sale):
    def test_stock_that_does_not_add_up_is_caught(self):
        self.stock["remaining"] = 1
        self.assertIn("I2", self.rules())

    def test_stock_that_is_not_what_is_stored_is_caught(self):
        self.stock.update(sold=4, remaining=1)
        self.assertEqual(self.rules(), {"I2"})

    def test_negative_stock_is_caught(self):
        self.stock.update(sold=6, remaining=-1)
        self.assertIn("I1", self.rules())

    def test_a_replay_in_other_bytes_is_caught(self):
        self.tell(1, body_hash="other")
        self.assertEqual(self.rules(), {"I5"})

    def test_a_repeat_that_made_a_second_order_is_caught(self):
        other = auditor.order_id_text(self.orders[3].high, self.orders[3].low)
        self.tell(1, order_id=other)
        self.assertIn("I4", self.rules())

    def test_a_repeat_called_new_is_caught(self):
        self.tell(1, replayed=False)
        self.assertIn("I5", self.rules())

    def test_another_payload_accepted_under_the_key_is_caught(self):
        self.tell(1, quantity=2)
        self.assertIn("I5", self.rules())

    def test_the_same_payload_called_another_is_caught(self):
        self.tell(2, quantity=1)
        self.assertEqual(self.rules(), {"I5"})

    def test_reused_without_an_accepted_one_is_caught(self):
        self.answers.append(refused("8", "z", "idempotency_key_reused", 422))
        self.assertEqual(self.rules(), {"I5"})

    def test_a_no_after_the_yes_is_caught(self):
        self.answers.append(refused("1", "a", "sold_out"))
        self.assertEqual(self.rules(), {"I5"})

    def test_only_replays_without_a_first_is_caught(self):
        self.tell(0, replayed=True)
        self.assertEqual(self.rules(), {"I5"})

    def test_one_order_told_to_two_buyers_is_caught(self):
        self.answers.append(dataclasses.replace(self.answers[0], key="zz"))
        self.assertIn("I4", self.rules())

    def test_overtaking_is_caught(self):
        self.tell(6, sent=1, answered=2)  # the fourth in line was answered before the first asked
        self.assertEqual(self.rules(), {"I7"})

    def test_a_sale_after_sold_out_is_caught(self):
        self.tell(7, sent=1, answered=5)
        self.assertEqual(self.rules(), {"I7"})
        self.assertEqual(self.rules(restocked_items=["7"]), set())


class Records(unittest.TestCase):
    def test_a_line_is_read_and_a_torn_one_left_out(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("# firstcome bench record 1\n")
            file.write("1 k 7 2 202 id 5 1 abcd 10 20\n")
            file.write("1 - 7 2 409 sold_out - 0 abcd 10 20\n")
            file.write("1 k 7 2 unknown - - 0 - 10 -\n")
            file.write("1 k 7 2 202 i")
            file.flush()
            first, second, third = auditor.read_record(file.name)
        times = (10_000, 30_000 + auditor.ROUNDING_NS)
        self.assertEqual(first, Answer("1", "k", "7", 2, 202, "", "id", 5, True, "abcd", *times))
        self.assertEqual(
            second, Answer("1", "", "7", 2, 409, "sold_out", "", 0, False, "abcd", *times)
        )
        self.assertEqual(third, Answer("1", "k", "7", 2, auditor.UNKNOWN, sent=10_000))


class StoreReading(unittest.TestCase):
    def contents(self, folder):
        return {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir()}

    def test_a_killed_writers_wal_is_read_and_left_alone(self):
        with tempfile.TemporaryDirectory() as data:
            path = os.path.join(data, "lane-00.db")
            database = sqlite3.connect(path)
            self.addCleanup(database.close)
            database.executescript("""
                PRAGMA journal_mode = WAL;
                CREATE TABLE items(item_no INTEGER PRIMARY KEY, item_id TEXT UNIQUE, initial,
                                   restocked, opens_at, closes_at, per_user_limit);
                CREATE TABLE releases(order_id INTEGER PRIMARY KEY);
                CREATE TABLE orders(id INTEGER PRIMARY KEY, random INTEGER, user TEXT, item INTEGER,
                                    quantity INTEGER, sequence INTEGER, accepted_at INTEGER,
                                    previous INTEGER, key BLOB, checksum INTEGER);
                INSERT INTO items VALUES (1, '7', 10, 0, NULL, NULL, NULL);
            """)
            order = stored(1, "1")
            low = order.low - 2**64
            database.execute(
                "INSERT INTO orders VALUES (?, ?, '1', 1, 1, 1, ?, 0, ?, 0)",
                (order.high, low, MS + 1, b"k\x01")
            )
            database.commit()
            before = self.contents(data)
            self.assertIn("lane-00.db-wal", before)
            read = auditor.read_store(data)
            self.assertEqual(read.orders, [order])
            self.assertEqual(read.items["7"].initial, 10)
            after = self.contents(data)
            self.assertEqual(before, after)


if __name__ == "__main__":
    unittest.main()
