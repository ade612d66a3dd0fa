# tests/e2e/orders_test.py - what the README promises a buyer, a sale manager and an operator
import datetime
import json
import re
import threading
import unittest
import uuid

import auditor
from harness import Connection, EndToEnd, request_bytes

ORDERS = "/api/v1/orders"
ORDER_MEMBERS = {
    "orderId", "userId", "itemId", "quantity", "status", "sequence", "acceptedAt", "durability"
}
TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$"


def at(seconds_from_now):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(
        seconds=seconds_from_now
    )
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_of(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


class FirstOrder(EndToEnd):
    shared_settings = {}

    def test_the_first_order(self):
        self.client.set_stock("first", 3)
        response = self.expect(self.client.order(42, "first", 2, key="my-first"), 202)
        order = response.json()
        self.assertEqual(set(order), ORDER_MEMBERS)
        self.assertEqual(response.header("Content-Type").split(";")[0], "application/json")
        self.assertEqual(uuid.UUID(order["orderId"]).version, 7)
        self.assertEqual(order["orderId"], str(uuid.UUID(order["orderId"])), "canonical form")
        self.assertEqual(response.header("Location"), f"{ORDERS}/{order['orderId']}")
        self.assertEqual((order["userId"], order["itemId"], order["quantity"]), (42, "first", 2))
        self.assertIn(order["status"], ("processing", "confirmed"))
        self.assertEqual(order["sequence"], 1)
        self.assertEqual(order["durability"], "disk")
        self.assertRegex(order["acceptedAt"], TIME)
        age = datetime.datetime.now(datetime.timezone.utc) - moment_of(order["acceptedAt"])
        self.assertLess(abs(age.total_seconds()), 60)
        self.assertNotEqual(response.header("X-Request-Id", ""), "")
        self.assertIsNone(response.header("Idempotent-Replayed"))

    def test_what_was_accepted_is_found(self):
        self.client.set_stock("found", 3)
        order = self.expect(self.client.order("kim", "found"), 202).json()
        response = self.expect(self.client.get(f"{ORDERS}/{order['orderId']}"), 200)
        found = response.json()
        for member in ORDER_MEMBERS - {"status", "durability"}:
            self.assertEqual(found[member], order[member], member)
        self.assertNotEqual(
            (order["status"], found["status"]), ("confirmed", "processing"), "went backwards"
        )
        tag = response.header("ETag")
        self.assertRegex(tag, r'^(W/)?"[^"]+"$')
        for condition in (tag, f'"other", {tag}', "*", "W/" + tag.removeprefix("W/")):
            again = self.client.get(f"{ORDERS}/{order['orderId']}", {"If-None-Match": condition})
            self.expect(again, 304)
            self.assertEqual(again.header("ETag"), tag)
        self.expect(
            self.client.get(f"{ORDERS}/{order['orderId']}", {"If-None-Match": '"other"'}), 200
        )

    def test_an_id_in_capitals_is_the_same_order(self):
        self.client.set_stock("capital", 3)
        order = self.expect(self.client.order("kim", "capital"), 202).json()
        self.expect(self.client.get(f"{ORDERS}/{order['orderId'].upper()}"), (200, 404))

    def test_unknown_things_are_not_found(self):
        self.expect(
            self.client.get(f"{ORDERS}/{uuid.UUID(int=(7 << 76) | (2 << 62) | 5)}"), 404,
            "order_not_found"
        )
        self.expect(self.client.get(f"{ORDERS}/stock/never-set"), 404, "item_not_found")
        self.expect(self.client.order(1, "never-set"), 404, "item_not_found")

    def test_the_stock_goes_down_to_sold_out(self):
        self.client.set_stock("few", 5)
        for position in range(1, 3):
            order = self.expect(self.client.order(position, "few", 2), 202).json()
            self.assertEqual(order["sequence"], position)
        few = self.expect(self.client.order(3, "few", 2), 409, "insufficient_stock").json()
        self.assertEqual(few["remaining"], 1)
        self.assertEqual(self.expect(self.client.order(4, "few", 1), 202).json()["sequence"], 3)
        none = self.expect(self.client.order(5, "few", 1), 409, "sold_out").json()
        self.assertEqual(none["remaining"], 0)
        stock = self.client.stock("few")
        self.assertEqual((stock["initial"], stock["remaining"], stock["sold"]), (5, 0, 5))
        self.assertEqual(self.client.count("few"), 3)

    def test_counts_are_of_orders(self):
        before = self.client.count()
        self.client.set_stock("count-a", 100)
        self.client.set_stock("count-b", 100)
        for _ in range(3):
            self.expect(self.client.order(1, "count-a", 7), 202)
        self.expect(self.client.order(1, "count-b"), 202)
        self.assertEqual(self.client.count("count-a"), 3)
        self.assertEqual(self.client.count("count-b"), 1)
        self.assertEqual(self.client.count(), before + 4)
        self.assertEqual(self.client.count("count-none"), 0)

    def test_canonical_integers_are_numbers(self):
        self.client.set_stock("ids", 100)
        for given, shown in [
            (42, 42), ("42", 42), (-7, -7), ("-7", -7), (0, 0), ("0", 0), ("042", "042"),
            ("-0", "-0"), ("+1", None),
            (2**63 - 1, 2**63 - 1), (str(2**63 - 1), 2**63 - 1), (str(2**63), str(2**63)),
            (-(2**63), -(2**63)),
            ("kim", "kim"), ("1.5", "1.5"), ("1e3", "1e3"), ("-", "-"), ("a:b_c-d.e", "a:b_c-d.e"),
        ]:
            with self.subTest(given):
                response = self.client.order(given, "ids")
                if shown is None:
                    self.expect(response, 400, "validation_failed")
                    continue
                order = self.expect(response, 202).json()
                self.assertEqual((type(order["userId"]), order["userId"]), (type(shown), shown))
                listed = self.client.get(f"{ORDERS}?userId={given}").json()["items"]
                self.assertIn(order["orderId"], [entry["orderId"] for entry in listed])
                self.assertEqual(
                    {json.dumps(entry["userId"]) for entry in listed}, {json.dumps(shown)}
                )

    def test_request_ids_are_echoed_when_harmless(self):
        response = self.client.get("/livez", {"X-Request-Id": "shop-17.a:b"})
        self.assertEqual(response.header("X-Request-Id"), "shop-17.a:b")
        response = self.client.get("/livez", {"X-Request-Id": "a b<script>"})
        self.assertRegex(response.header("X-Request-Id"), r"^[A-Za-z0-9._:-]{1,64}$")

    def test_a_problem_belongs_to_the_callers_trace(self):
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        response = self.client.order(
            1, "never-set", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
        )
        self.assertEqual(response.json()["traceId"], trace)


class Lists(EndToEnd):
    shared_settings = {}

    def order_many(self, user, items, count):
        ids = []
        for number in range(count):
            item = items[number % len(items)]
            self.expect(self.client.order(f"{user}-other", item), 202)
            ids.append(
                self.expect(self.client.order(user, item, 1 + number % 3), 202).json()["orderId"]
            )
        return ids[::-1]

    def pages(self, query, limit):
        cursor, pages = None, []
        while True:
            target = f"{ORDERS}?{query}&limit={limit}" + (f"&cursor={cursor}" if cursor else "")
            page = self.expect(self.client.get(target), 200).json()
            self.assertEqual(set(page), {"items", "nextCursor"})
            self.assertLessEqual(len(page["items"]), limit)
            pages.append([order["orderId"] for order in page["items"]])
            cursor = page["nextCursor"]
            if cursor is None:
                return pages
            self.assertRegex(cursor, r"^[A-Za-z0-9._~-]+$", "fits into a query as it is")
            self.assertTrue(page["items"], "an empty page that says there is more")
            self.assertLess(len(pages), 1000, "the pages never end")

    def test_pages_are_newest_first_and_whole(self):
        for user in ("lee", "1001", "-5"):
            for item in ("list-a", "list-b"):
                self.client.set_stock(item, 100_000)
            ids = self.order_many(user, ["list-a", "list-b"], 45)
            for limit in (1, 7, 20, 44, 45, 46, 100):
                with self.subTest(user=user, limit=limit):
                    pages = self.pages(f"userId={user}", limit)
                    self.assertEqual(sum(pages, []), ids)
                    self.assertTrue(all(len(page) == limit for page in pages[:-2]))
            self.assertEqual(len(self.client.get(f"{ORDERS}?userId={user}").json()["items"]), 20)
            self.assertEqual(sum(self.pages(f"userId={user}&itemId=list-a", 10), []), ids[0::2])
            status = self.client.get(f"{ORDERS}?userId={user}").json()["items"][0]["status"]
            self.assertEqual(sum(self.pages(f"userId={user}&status={status}", 10), []), ids)
            self.assertEqual(sum(self.pages(f"userId={user}&status=failed", 10), []), [])

    def test_new_orders_do_not_shift_a_page(self):
        self.client.set_stock("shift", 100_000)
        ids = self.order_many("park", ["shift"], 12)
        first = self.client.get(f"{ORDERS}?userId=park&limit=5").json()
        self.order_many("park", ["shift"], 5)
        second = self.client.get(
            f"{ORDERS}?userId=park&limit=5&cursor={first['nextCursor']}"
        ).json()
        self.assertEqual([order["orderId"] for order in first["items"] + second["items"]], ids[:10])

    def test_nobody_has_nothing(self):
        self.assertEqual(
            self.client.get(f"{ORDERS}?userId=nobody").json(), {"items": [], "nextCursor": None}
        )

    def test_listed_orders_are_whole(self):
        self.client.set_stock("whole", 10)
        order = self.expect(self.client.order("whole-user", "whole", 3), 202).json()
        listed = self.client.get(f"{ORDERS}?userId=whole-user").json()["items"]
        found = self.client.get(f"{ORDERS}/{order['orderId']}").json()
        self.assertEqual(listed, [found])

    def test_items_of_several_lanes_are_one_list(self):
        server = self.start_server({"lane.count": "4"})
        self.client = server.client()
        self.addCleanup(self.client.close)
        items = [f"lane-item-{number}" for number in range(12)]
        for item in items:
            self.client.set_stock(item, 1000)
        ids = self.order_many("choi", items, 60)
        for limit in (1, 7, 60, 100):
            with self.subTest(limit):
                # Between items the order of one millisecond is not promised; that of ids is.
                pages = self.pages("userId=choi", limit)
                self.assertEqual(sum(pages, []), sorted(ids, reverse=True))


class Idempotency(EndToEnd):
    shared_settings = {}

    def same(self, first, again):
        self.assertEqual(again.status, first.status)
        self.assertEqual(again.body, first.body, "byte for byte")
        self.assertEqual(again.header("Location"), first.header("Location"))
        self.assertEqual(again.header("Content-Type"), first.header("Content-Type"))
        self.assertTrue(again.replayed)
        self.assertNotEqual(again.header("X-Request-Id"), first.header("X-Request-Id"))

    def test_a_repeat_gets_the_first_answer(self):
        self.client.set_stock("again", 10)
        first = self.expect(self.client.order(1, "again", 2, key="k"), 202)
        self.assertFalse(first.replayed)
        for _ in range(3):
            self.same(first, self.client.order(1, "again", 2, key="k"))
        self.assertEqual(self.client.stock("again")["remaining"], 8)
        self.assertEqual(self.client.count("again"), 1)

    def test_spelling_does_not_matter(self):
        self.client.set_stock("spelling", 10)
        first = self.expect(self.client.order(1, "spelling", 2, key="abc-1"), 202)
        self.same(first, self.client.order(1, "spelling", 2, key='"abc-1"'))
        for body in (
            '{"quantity":2,"itemId":"spelling","userId":1}',
            ' {\n"userId" : "1", "itemId":"spelling" ,"quantity":2 }\n'
        ):
            self.same(first, self.client.post(ORDERS, body, {"Idempotency-Key": "abc-1"}))
        self.assertEqual(self.client.count("spelling"), 1)

    def test_keys_are_compared_exactly(self):
        self.client.set_stock("exact", 100)
        for key in ("A", "a", "a-", "a" * 254, "a" * 255, "'a'", "\\a"):
            self.assertFalse(self.expect(self.client.order(1, "exact", key=key), 202).replayed, key)

    def test_another_payload_is_refused_and_says_what_differs(self):
        self.client.set_stock("other", 10)
        self.client.set_stock("other-2", 10)
        first = self.expect(self.client.order(1, "other", 2, key="k-other"), 202)
        for item, quantity, differs in [
            ("other", 3, ["quantity"]), ("other-2", 2, ["itemId"]),
            ("other-2", 3, ["itemId", "quantity"]),
            ("never-set", 2, ["itemId"]),
        ]:
            with self.subTest(differs):
                response = self.client.order(1, item, quantity, key="k-other")
                self.expect(response, 422, "idempotency_key_reused")
                self.assertEqual(sorted(response.json()["differs"]), differs)
        self.assertEqual(self.client.count("other"), 1)
        self.assertEqual(self.client.count("other-2"), 0)
        self.same(first, self.client.order(1, "other", 2, key="k-other"))

    def test_a_key_is_the_users_own(self):
        self.client.set_stock("own", 10)
        first = self.expect(self.client.order(1, "own", key="shared"), 202)
        second = self.expect(self.client.order(2, "own", key="shared"), 202)
        self.assertNotEqual(first.json()["orderId"], second.json()["orderId"])
        self.assertFalse(second.replayed)

    def test_a_refusal_is_not_remembered(self):
        self.client.set_stock("later", 0)
        self.expect(self.client.order(1, "later", key="later"), 409, "sold_out")
        self.client.change_stock("later", "add", 1)
        self.assertFalse(self.expect(self.client.order(1, "later", key="later"), 202).replayed)
        self.assertTrue(self.expect(self.client.order(1, "later", key="later"), 202).replayed)
        self.expect(self.client.order(1, "later", key="later-2"), 409, "sold_out")

    def test_a_refused_key_is_free_for_another_payload(self):
        self.client.set_stock("free", 1)
        self.expect(self.client.order(1, "free", 2, key="free"), 409, "insufficient_stock")
        self.expect(self.client.order(1, "free", 1, key="free"), 202)

    def test_a_replay_comes_before_sold_out_window_and_limit(self):
        self.client.set_stock("before", 1, perUserLimit=1)
        first = self.expect(self.client.order(1, "before", key="b"), 202)
        self.expect(self.client.order(2, "before", key="b"), 409, "sold_out")
        self.same(first, self.client.order(1, "before", key="b"))
        self.expect(
            self.client.change_stock("before", "add", 0, closesAt=at(-5), opensAt=at(-10)), 200
        )
        self.expect(self.client.order(1, "before", key="c"), 410, "sale_closed")
        self.same(first, self.client.order(1, "before", key="b"))

    def test_without_a_key_each_request_is_an_order(self):
        self.client.set_stock("keyless", 10)
        ids = {
            self.expect(self.client.order(1, "keyless"), 202).json()["orderId"] for _ in range(3)
        }
        self.assertEqual(len(ids), 3)

    def test_twice_at_the_same_moment_is_one_order(self):
        rounds, sockets = 100, 4
        self.client.set_stock("twice", rounds * sockets)
        connections = [Connection(self.server.address) for _ in range(sockets)]
        try:
            for number in range(rounds):
                raw = request_bytes(
                    "POST", ORDERS, {"userId": 1, "itemId": "twice", "quantity": 1},
                    {"Idempotency-Key": f"twice-{number}"},
                )
                for connection in connections:
                    connection.send(raw[:-1])
                gate = threading.Barrier(sockets)

                def finish(connection):
                    gate.wait()
                    connection.send(raw[-1:])

                threads = [threading.Thread(target=finish, args=(c,)) for c in connections]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                answers = [connection.read() for connection in connections]
                accepted = [answer for answer in answers if answer.status == 202]
                for answer in answers:
                    if answer.status != 202:
                        self.expect(answer, 409, "idempotency_in_progress")
                        self.assertEqual(answer.header("Retry-After"), "1")
                self.assertTrue(accepted)
                self.assertEqual(len({answer.body for answer in accepted}), 1)
                self.assertEqual(sum(not answer.replayed for answer in accepted), 1)
        finally:
            for connection in connections:
                connection.close()
        self.assertEqual(self.client.count("twice"), rounds)
        self.assertEqual(self.client.stock("twice")["sold"], rounds)

    def test_the_same_key_twice_in_one_write(self):
        self.client.set_stock("burst", 100)
        raw = request_bytes(
            "POST", ORDERS, {"userId": 1, "itemId": "burst", "quantity": 1},
            {"Idempotency-Key": "burst"}
        )
        with Connection(self.server.address) as connection:
            connection.send(raw * 50)
            answers = [connection.read() for _ in range(50)]
        accepted = [answer for answer in answers if answer.status == 202]
        self.assertEqual(len({answer.body for answer in accepted}), 1)
        self.assertEqual(self.client.count("burst"), 1)

    def test_a_restart_forgets_nothing(self):
        server = self.start_server()
        client = server.client()
        self.addCleanup(client.close)
        client.set_stock("kept", 100, perUserLimit=5)
        firsts = [
            self.expect(client.order(n, "kept", 1 + n % 2, key=f"kept-{n}"), 202) for n in range(20)
        ]
        self.expect(client.order(1, "kept", 3, key="limit"), 202)
        stock = client.stock("kept")
        server.stop()
        server.restart()
        for number, first in enumerate(firsts):
            self.same(first, client.order(number, "kept", 1 + number % 2, key=f"kept-{number}"))
        self.expect(client.order(3, "kept", 5, key="kept-3"), 422, "idempotency_key_reused")
        self.expect(client.order(1, "kept", 1, key="limit-2"), 409, "user_limit_exceeded")
        again = client.stock("kept")
        for member in ("initial", "remaining", "sold"):
            self.assertEqual(again[member], stock[member])
        order = self.expect(client.order(100, "kept"), 202).json()
        self.assertEqual(order["sequence"], 22, "the line goes on where it was")
        location = firsts[0].header("Location")
        self.assertEqual(client.get(location).json()["orderId"], firsts[0].json()["orderId"])
        self.assertEqual(len(client.get(f"{ORDERS}?userId=1").json()["items"]), 2)
        server.stop()


class Batch(EndToEnd):
    shared_settings = {}
    TARGET = ORDERS + ":batch"

    def send(self, orders):
        response = self.expect(self.client.post(self.TARGET, {"orders": orders}), 200)
        body = response.json()
        outcomes = next(value for value in body.values() if isinstance(value, list))
        self.assertEqual(len(outcomes), len(orders))
        return outcomes

    def accepted(self, outcome):
        return outcome["status"] == 202

    def test_each_stands_alone_and_in_order(self):
        self.client.set_stock("b", 5, perUserLimit=3)
        outcomes = self.send([
            {"userId": 1, "itemId": "b", "quantity": 2, "idempotencyKey": "k1"},
            {"userId": 2, "itemId": "b", "quantity": 4, "idempotencyKey": "k2"},
            {"userId": 3, "itemId": "none", "quantity": 1, "idempotencyKey": "k3"},
            {"userId": 4, "itemId": "b", "quantity": 0, "idempotencyKey": "k4"},
            {"userId": 1, "itemId": "b", "quantity": 2, "idempotencyKey": "k1"},
            {"userId": 1, "itemId": "b", "quantity": 1, "idempotencyKey": "k1"},
            {"userId": 5, "itemId": "b", "quantity": 3, "idempotencyKey": "k5"},
            {"userId": 6, "itemId": "b", "quantity": 1, "idempotencyKey": "k6"},
        ])
        self.assertEqual(
            [o["status"] for o in outcomes], [202, 409, 404, 400, 202, 422, 202, 409], outcomes
        )
        self.assertEqual(outcomes[0]["order"], outcomes[4]["order"])
        self.assertEqual([o["order"]["sequence"] for o in outcomes if self.accepted(o)], [1, 1, 2])
        codes = [o["problem"]["code"] for o in outcomes if not self.accepted(o)]
        self.assertEqual(
            codes,
            [
                "user_limit_exceeded", "item_not_found", "validation_failed",
                "idempotency_key_reused", "sold_out"
            ]
        )
        self.assertEqual(self.client.count("b"), 2)

    def test_a_thousand(self):
        self.client.set_stock("thousand", 600)
        outcomes = self.send([
            {
                "userId": n, "itemId": "thousand", "quantity": 1, "idempotencyKey": f"t{n}"
            } for n in range(1000)
        ])
        self.assertEqual([self.accepted(o) for o in outcomes], [True] * 600 + [False] * 400)
        self.assertEqual([o["order"]["sequence"] for o in outcomes[:600]], list(range(1, 601)))
        self.assertEqual(self.client.stock("thousand")["remaining"], 0)

    def test_a_batch_order_is_replayed_by_a_single_one(self):
        self.client.set_stock("mixed", 10)
        outcome = self.send(
            [{"userId": 1, "itemId": "mixed", "quantity": 1, "idempotencyKey": "m"}]
        )[0]
        single = self.expect(self.client.order(1, "mixed", key="m"), 202)
        self.assertTrue(single.replayed)
        self.assertEqual(single.json(), outcome["order"])

    def test_no_orders_is_no_harm(self):
        self.expect(self.client.post(self.TARGET, {"orders": []}), (200, 400))


class SaleManager(EndToEnd):
    shared_settings = {}

    def figures(self, item):
        stock = self.client.stock(item)
        self.assertEqual(
            stock["initial"] + stock.get("restocked", 0),
            stock["remaining"] + stock["sold"] + stock.get("compensating", 0), stock,
        )
        return stock["remaining"], stock["sold"]

    def test_set_add_remove(self):
        self.client.set_stock("m", 10)
        self.expect(self.client.order(1, "m", 4), 202)
        self.assertEqual(self.figures("m"), (6, 4))
        self.expect(self.client.change_stock("m", "add", 5), 200)
        self.assertEqual(self.figures("m"), (11, 4))
        self.expect(self.client.change_stock("m", "remove", 10, reason="broken in transit"), 200)
        self.assertEqual(self.figures("m"), (1, 4))
        answer = self.expect(self.client.change_stock("m", "set", 20), 200).json()
        self.assertEqual(self.figures("m"), (16, 4))
        self.assertEqual((answer["itemId"], answer["remaining"], answer["sold"]), ("m", 16, 4))

    def test_nothing_goes_below_what_is_committed(self):
        self.client.set_stock("c", 10)
        self.expect(self.client.order(1, "c", 4), 202)
        for operation, quantity in (("remove", 7), ("set", 3)):
            response = self.expect(
                self.client.change_stock("c", operation, quantity), 409, "below_committed"
            )
            self.assertEqual(response.json()["committed"], 4)
        self.assertEqual(self.figures("c"), (6, 4))
        self.expect(self.client.change_stock("c", "remove", 6), 200)
        self.assertEqual(self.figures("c"), (0, 4))
        self.expect(self.client.order(2, "c"), 409, "sold_out")

    def test_only_a_set_makes_an_item(self):
        for operation in ("add", "remove"):
            self.expect(self.client.change_stock("not-yet", operation, 1), 404, "item_not_found")
        self.expect(self.client.get(f"{ORDERS}/stock/not-yet"), 404)

    def test_a_total_has_a_most(self):
        self.client.set_stock("most", 10**12)
        self.expect(self.client.change_stock("most", "add", 1), (400, 409, 422))
        self.assertEqual(self.figures("most"), (10**12, 0))

    def test_the_window(self):
        self.client.set_stock("w", 10, opensAt=at(3600), closesAt=at(7200))
        response = self.expect(self.client.order(1, "w"), 409, "sale_not_open")
        self.assertRegex(response.json()["opensAt"], TIME)
        wait = int(response.header("Retry-After"))
        self.assertTrue(3500 < wait <= 3601, wait)
        self.expect(self.client.change_stock("w", "add", 0, opensAt=at(-3600)), 200)
        self.expect(self.client.order(1, "w"), 202)
        self.expect(self.client.change_stock("w", "add", 0, closesAt=at(-60)), 200)
        response = self.expect(self.client.order(1, "w"), 410, "sale_closed")
        self.assertRegex(response.json()["closedAt"], TIME)
        self.expect(self.client.change_stock("w", "add", 0, closesAt=None, opensAt=None), 200)
        self.expect(self.client.order(1, "w"), 202)

    def test_the_limit_per_user(self):
        self.client.set_stock("l", 100, perUserLimit=3)
        self.expect(self.client.order(1, "l", 2), 202)
        response = self.expect(self.client.order(1, "l", 2), 409, "user_limit_exceeded").json()
        self.assertEqual((response["limit"], response["used"]), (3, 2))
        self.expect(self.client.order(1, "l", 1), 202)
        self.expect(self.client.order(1, "l", 1), 409, "user_limit_exceeded")
        self.expect(self.client.order(2, "l", 3), 202)
        self.expect(self.client.order(3, "l", 4), 409, "user_limit_exceeded")
        self.expect(self.client.change_stock("l", "add", 0, perUserLimit=None), 200)
        self.expect(self.client.order(1, "l", 50), 202)

    def test_the_limit_holds_in_a_rush_of_one_user(self):
        self.client.set_stock("rush", 1000, perUserLimit=7)
        connections = [Connection(self.server.address) for _ in range(20)]
        raw = request_bytes("POST", ORDERS, {"userId": "one", "itemId": "rush", "quantity": 1}) * 50
        threads = [
            threading.Thread(target=connection.send, args=(raw,)) for connection in connections
        ]
        for thread in threads:
            thread.start()
        answers = [connection.read() for connection in connections for _ in range(50)]
        for thread in threads:
            thread.join()
        for connection in connections:
            connection.close()
        self.assertEqual(sum(answer.status == 202 for answer in answers), 7)
        self.assertEqual(
            {answer.code for answer in answers if answer.status != 202}, {"user_limit_exceeded"}
        )
        self.assertEqual(self.figures("rush"), (993, 7))

    def test_a_repeated_change_happens_once(self):
        self.client.set_stock("once", 10)
        first = self.expect(
            self.client.change_stock("once", "add", 5, headers={"Idempotency-Key": "c1"}), 200
        )
        again = self.expect(
            self.client.change_stock("once", "add", 5, headers={"Idempotency-Key": "c1"}), 200
        )
        self.assertEqual(again.body, first.body)
        self.assertTrue(again.replayed)
        self.assertEqual(self.figures("once"), (15, 0))
        other = self.client.change_stock("once", "add", 6, headers={"Idempotency-Key": "c1"})
        self.expect(other, 422, "idempotency_key_reused")
        self.assertEqual(self.figures("once"), (15, 0))

    def test_admin_needs_the_token(self):
        routes = [
            ("POST", "/api/v1/admin/stock", {"itemId": "x", "operation": "set", "quantity": 1}),
            ("GET", "/api/v1/admin/stats", None), ("GET", "/api/v1/admin/audit/conservation", None),
        ]
        token = self.server.admin_token()
        self.assertGreaterEqual(len(token), 32)
        for method, path, body in routes:
            for credential in (
                None, "", "Bearer", "Bearer ", "Bearer x", f"Bearer {token[:-1]}",
                f"Bearer {token}x", f"Basic {token}",
                f"Bearer {token.swapcase()}", token, f"Bearer {token} {token}",
            ):
                with self.subTest(
                    path=path, credential=credential and credential.replace(token, "<token>")
                ):
                    headers = {} if credential is None else {"Authorization": credential}
                    response = self.expect(
                        self.client.request(method, path, body, headers), 401, "unauthorized"
                    )
                    self.assertRegex(response.header("WWW-Authenticate") or "", r"^Bearer")
            self.expect(self.client.admin(method, path, body), 200)
        response = self.client.get("/api/v1/admin/stats", {"Authorization": f"bearer {token}"})
        self.expect(response, 200)
        self.assertNotIn(token, self.server.log(), "the token stands in the log")

    def test_conservation_and_stats(self):
        self.client.set_stock("adds-up", 10)
        self.expect(self.client.order(1, "adds-up", 3), 202)
        audit = self.expect(
            self.client.admin("GET", "/api/v1/admin/audit/conservation"), 200
        ).json()
        self.assertIs(audit["ok"], True)
        self.assertIn({"itemId": "adds-up", "drift": 0}, [
            {"itemId": entry["itemId"], "drift": entry["drift"]} for entry in audit["items"]
        ])
        stats = self.expect(self.client.admin("GET", "/api/v1/admin/stats"), 200).json()
        one = self.expect(
            self.client.admin("GET", "/api/v1/admin/stats?itemId=adds-up"), 200
        ).json()
        for answer in (stats, one):
            entry = next(entry for entry in answer["items"] if entry["itemId"] == "adds-up")
            self.assertEqual((entry["initial"], entry["remaining"], entry["sold"]), (10, 7, 3))
        self.assertEqual(len(one["items"]), 1)


METRIC_LINE = re.compile(
    r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([-+0-9.eE]+|NaN|[+-]?Inf)$"
)
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')


def parse_metrics(text):
    """{(name, labels): value}, types; refuses what Prometheus would refuse."""
    samples, types, helps = {}, {}, set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert name not in types, f"two TYPE lines of {name}"
            types[name] = kind
        elif line.startswith("# HELP "):
            name = line[7:].split(" ", 1)[0]
            assert name not in helps, f"two HELP lines of {name}"
            helps.add(name)
        elif line and not line.startswith("#"):
            match = METRIC_LINE.match(line)
            assert match, f"not a sample: {line!r}"
            labels, rest = [], match[2] or ""
            while rest:
                label = LABEL.match(rest)
                assert label, f"not a label: {rest!r}"
                labels.append((label[1], label[2]))
                rest = rest[label.end():]
            name = (match[1], tuple(sorted(labels)))
            assert name not in samples, f"twice: {line!r}"
            samples[name] = float(match[3])
            base = re.sub(r"_(bucket|sum|count)$", "", match[1])
            assert match[1] in types or base in types, f"no TYPE line for {line!r}"
    return samples, types


class Operator(EndToEnd):
    shared_settings = {}

    def metrics(self):
        response = self.expect(self.client.get("/metrics"), 200)
        self.assertRegex(
            response.header("Content-Type"),
            r"^text/plain; version=0\.0\.4|^application/openmetrics-text"
        )
        return parse_metrics(response.body.decode())

    def test_metrics_tell_what_happened(self):
        self.client.set_stock("metered", 3)
        before, _ = self.metrics()
        self.expect(self.client.order(1, "metered", 2, key="m"), 202)
        self.expect(self.client.order(1, "metered", 2, key="m"), 202)
        self.expect(self.client.order(2, "metered", 2), 409, "insufficient_stock")
        self.expect(self.client.order(2, "never-set"), 404)
        after, types = self.metrics()

        def grown(name, **labels):
            series = (name, tuple(sorted(labels.items())))
            self.assertIn(series, before, "zero-valued series exist from the start")
            return after[series] - before[series]

        self.assertEqual(grown("firstcome_orders_total", outcome="accepted"), 1)
        self.assertEqual(grown("firstcome_orders_total", outcome="insufficient_stock"), 1)
        self.assertEqual(grown("firstcome_orders_total", outcome="item_not_found"), 1)
        self.assertEqual(grown("firstcome_orders_total", outcome="sold_out"), 0)
        for state, units in (("initial", 3), ("remaining", 1), ("sold", 2), ("compensating", 0)):
            self.assertEqual(
                after["firstcome_stock_units", (("item", "metered"), ("state", state))], units
            )
        self.assertEqual(after["firstcome_conservation_drift_units", ()], 0)
        for name, kind in types.items():
            self.assertEqual(kind == "counter", name.endswith("_total"), f"{name} is a {kind}")
        for name in (
            "firstcome_order_decision_seconds", "firstcome_order_durable_seconds",
            "firstcome_stock_ratio",
            "firstcome_idempotency_total", "firstcome_lane_queue_depth",
            "firstcome_lane_batch_size",
            "firstcome_commit_seconds", "firstcome_invariant_violations_total",
            "http_server_requests_seconds",
            "firstcome_build_info", "process_resident_memory_bytes",
        ):
            self.assertIn(name, types)
        labels = {label for _, pairs in after for label in pairs}
        self.assertFalse(
            [label for label in labels if "/api/v1/orders/0" in label[1]], "route templates only"
        )

    def test_histograms_are_cumulative(self):
        samples, types = self.metrics()
        for name, kind in types.items():
            if kind != "histogram":
                continue
            rows = {}
            for (series, labels), value in samples.items():
                if series == name + "_bucket":
                    rest = tuple(pair for pair in labels if pair[0] != "le")
                    rows.setdefault(rest, []).append((float(dict(labels)["le"]), value))
            for rest, buckets in rows.items():
                values = [value for _, value in sorted(buckets)]
                self.assertEqual(values, sorted(values), name)
                self.assertEqual(sorted(buckets)[-1][0], float("inf"))
                self.assertEqual(values[-1], samples[name + "_count", rest])

    def test_openapi_is_whole(self):
        response = self.expect(self.client.get("/openapi.json"), 200)
        document = response.json()
        self.assertRegex(document["openapi"], r"^3\.[01]\.\d+$")
        self.assertTrue(document["info"]["title"] and document["info"]["version"])
        for path in (
            "/api/v1/orders", "/api/v1/orders:batch", "/api/v1/orders/{orderId}",
            "/api/v1/orders/count",
            "/api/v1/orders/stock/{itemId}", "/api/v1/admin/stock", "/api/v1/admin/stats",
            "/api/v1/admin/audit/conservation", "/livez", "/readyz", "/metrics",
        ):
            self.assertIn(path, document["paths"])
        ids = []
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if method not in ("get", "put", "post", "delete", "patch", "head", "options"):
                    continue
                ids.append(operation.get("operationId"))
                self.assertTrue(operation["responses"], f"{method} {path}")
                for status, answer in operation["responses"].items():
                    self.assertRegex(status, r"^([1-5]\d\d|default)$")
                    self.assertTrue(
                        "$ref" in answer or answer["description"], f"{method} {path} {status}"
                    )
                named = {
                    self.resolve(document, parameter)["name"]
                    for parameter in operation.get("parameters", []) + methods.get("parameters", [])
                    if self.resolve(document, parameter)["in"] == "path"
                }
                self.assertEqual(named, set(re.findall(r"\{(\w+)\}", path)), f"{method} {path}")
        given = [name for name in ids if name is not None]
        self.assertEqual(len(given), len(set(given)), "operation ids are unique")
        for reference in self.references(document):
            self.resolve(document, {"$ref": reference})

    def references(self, node):
        if isinstance(node, dict):
            for name, value in node.items():
                if name == "$ref" and isinstance(value, str):
                    yield value
                else:
                    yield from self.references(value)
        elif isinstance(node, list):
            for value in node:
                yield from self.references(value)

    def resolve(self, document, node):
        if "$ref" not in node:
            return node
        self.assertTrue(node["$ref"].startswith("#/"), node)
        for part in node["$ref"][2:].split("/"):
            document = document[part.replace("~1", "/").replace("~0", "~")]
        return document

    def test_probes(self):
        for path in ("/livez", "/readyz", "/startupz"):
            self.expect(self.client.get(path), 200)
            self.expect(self.client.request("HEAD", path), 200)

    def test_health_tells_strangers_little(self):
        self.assertIn("/actuator/health", self.client.get("/openapi.json").json()["paths"])
        health = self.expect(self.client.get("/actuator/health"), 200).json()
        self.assertEqual(health["status"], "UP")
        self.assertNotIn("components", health, "details are for the operator")
        full = self.expect(self.client.admin("GET", "/actuator/health"), 200).json()
        for component in ("store", "diskSpace", "conservation"):
            self.assertEqual(full["components"][component]["status"], "UP", component)
        self.expect(self.client.admin("GET", "/actuator/health/store"), 200)
        self.expect(self.client.admin("GET", "/actuator/health/nonsense"), 404)

    def test_logs_are_json_lines(self):
        server = self.start_server({"log.format": "json"})
        client = server.client()
        self.addCleanup(client.close)
        client.request("POST", ORDERS, '{"userId":"x\\n{\\"msg\\":\\"forged\\"}"}')
        server.stop()
        messages = []
        for line in server.log().splitlines():
            entry = json.loads(line)
            messages.append(entry["msg"])
            self.assertIn("level", entry)
        self.assertIn("listening", messages)
        self.assertNotIn("forged", messages)
        listening = next(
            json.loads(line) for line in server.log().splitlines() if '"listening"' in line
        )
        self.assertEqual(listening["address"], "%s:%d" % server.address)

    def test_the_token_is_for_the_owner_only(self):
        import os
        import stat
        path = os.path.join(self.server.data, "admin.token")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        for name in os.listdir(self.server.data):
            mode = stat.S_IMODE(os.stat(os.path.join(self.server.data, name)).st_mode)
            self.assertEqual(mode & 0o002, 0, f"{name} is writable by everybody")


class AuditedSale(EndToEnd):
    def test_a_small_sale_passes_the_audit(self):
        from load import Load, mixed_wishes

        server = self.start_server({"lane.count": "2"})
        client = server.client()
        self.addCleanup(client.close)
        client.set_stock("small", 500, perUserLimit=2)
        source = mixed_wishes(self.random, "small", user_limit=2)
        answers = Load(
            server.address, (next(source) for _ in range(3000)), clients=32
        ).start().join()
        stock = client.stock("small")
        self.assertEqual(stock["remaining"], 0)
        server.stop()
        auditor.assert_clean(answers, server.data, stocks=[stock])


if __name__ == "__main__":
    unittest.main()
