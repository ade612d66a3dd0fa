# tests/e2e/identity_test.py - who a buyer is by their token, and what an admin token may do
import json
import os
import shutil
import statistics
import tempfile
import time
import unittest

from harness import FULL, EndToEnd, Server, wait_until
from issuer import Key, base64url, bearer, claims, token_of, unsigned, write_secret
from stores import Postgres, Redis

SECRET = b"a shared secret of more than 32 bytes"
GUESSES = 10_000 if FULL else 300


class Tokens(EndToEnd):
    """auth.mode = jwt, one server for all tests."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.class_scratch = tempfile.mkdtemp(prefix="firstcome-e2e-")
        cls.addClassCleanup(shutil.rmtree, cls.class_scratch, ignore_errors=True)
        cls.keys = {name: Key(cls.class_scratch, name, name.lower()) for name in Key.OPTIONS}
        cls.pem_only = Key(cls.class_scratch, "EdDSA", "pem-only")
        jwks = os.path.join(cls.class_scratch, "keys.json")
        with open(jwks, "w", encoding="utf-8") as file:
            json.dump({"keys": [key.jwk() for key in cls.keys.values()]}, file)
        pem = os.path.join(cls.class_scratch, "key.pem")
        with open(pem, "w", encoding="utf-8") as file:
            file.write(cls.pem_only.public_pem)
        secret = write_secret(os.path.join(cls.class_scratch, "secret"), SECRET.decode())
        cls.server = Server(os.path.join(cls.class_scratch, "data"), cls.class_scratch, {
            "auth.mode": "jwt", "auth.jwks_file": jwks, "auth.key_file": pem,
            "auth.secret_file": secret, "auth.issuer": "https://id.shop", "auth.audience": "shop",
        })
        cls.class_servers.append(cls.server)
        cls.addClassCleanup(cls.server.dispose)
        cls.server.start()
        cls.client = cls.server.client()
        cls.addClassCleanup(cls.client.close)

    def setUp(self):
        super().setUp()
        self.item = f"item-{self.id().rsplit('.', 1)[-1]}"[:64]
        self.client.set_stock(self.item, 100_000)

    def claims(self, user, **more):
        return claims(user, **{"iss": "https://id.shop", "aud": "shop", **more})

    def token(self, user, key=SECRET, **more):
        return token_of(key, self.claims(user, **more))

    def order(self, token, **body):
        wanted = {"itemId": self.item, "quantity": 1, **body}
        return self.client.post("/api/v1/orders", wanted, bearer(token) if token else {})

    def test_each_algorithm_names_the_buyer(self):
        for key in (SECRET, self.pem_only, *self.keys.values()):
            answer = self.expect(self.order(self.token("u1", key)), 202)
            self.assertEqual(answer.json()["userId"], "u1")
        self.assertEqual(self.expect(self.order(self.token("42")), 202).json()["userId"], 42)

    def test_a_request_without_a_token_that_holds_is_401(self):
        stranger = Key(self.scratch, "ES256", "es256")
        good = self.token("u1")
        rsa_pem = self.keys["RS256"].public_pem.encode()
        refused = {
            "expired": self.token("u1", life_s=-60),
            "not yet": self.token("u1", nbf=int(time.time()) + 600),
            "another issuer": self.token("u1", iss="https://id.evil"),
            "another audience": self.token("u1", aud=["blog"]),
            "no audience": token_of(SECRET, claims("u1", iss="https://id.shop")),
            "no user id": self.token("no user"),
            "a stranger's key under our name": self.token("u1", stranger),
            "none": unsigned({"alg": "none"}, self.claims("u1")) + ".",
            "the public key as a secret": token_of(rsa_pem, self.claims("u1")),
            "the same by name": token_of(rsa_pem, self.claims("u1"), kid="rs256"),
            "alg of another kind": token_of(self.keys["ES256"], self.claims("u1"), alg="RS256"),
            "critical": token_of(SECRET, self.claims("u1"), crit=["exp"]),
            "a path as kid": token_of(SECRET, self.claims("u1"), kid="../../secret", alg="ES256"),
            "cut": good[:-3],
            "no signature": good.rsplit(".", 1)[0] + ".",
            "no token": "x",
            "huge": "a" * 9000,
        }
        for why, token in refused.items():
            with self.subTest(why):
                answer = self.expect(self.order(token), 401, "unauthorized")
                challenge = answer.header("WWW-Authenticate")
                self.assertIn('error="invalid_token"', challenge)
                self.assertNotIn(token[:20] if len(token) > 20 else "\0", answer.body.decode())
        for headers in ({}, {"Authorization": "Basic dTE6cHc="}, {"Authorization": "Bearer"}):
            answer = self.client.post(
                "/api/v1/orders", {"userId": "u1", "itemId": self.item, "quantity": 1}, headers
            )
            self.expect(answer, 401, "unauthorized")
            self.assertNotIn("error=", answer.header("WWW-Authenticate"))
        self.assertEqual(self.client.count(self.item), 0, "a refused token made an order")

    def test_a_duplicate_member_is_refused(self):
        payload = base64url(json.dumps(self.claims("u1")).encode())
        header = base64url(b'{"alg":"none","alg":"HS256"}')
        good = token_of(SECRET, self.claims("u1"))
        self.expect(self.order(f"{header}.{payload}.{good.rsplit('.', 1)[1]}"), 401)

    def test_an_order_is_in_the_tokens_name_only(self):
        token = self.token("u1")
        self.expect(self.order(token), 202)
        self.expect(self.order(token, userId="u1"), 202)
        self.expect(self.order(token, userId="u2"), 403, "forbidden")
        self.expect(self.order(token, userId="not an id"), 400, "validation_failed")
        self.assertEqual(self.client.count(self.item), 2)

    def test_in_a_batch_each_order_stands_alone(self):
        orders = [{"itemId": self.item, "quantity": 1},
                  {"itemId": self.item, "quantity": 1, "userId": "u2"},
                  {"itemId": self.item, "quantity": 1, "userId": "u1"}]
        token = self.token("u1")
        answer = self.expect(
            self.client.post("/api/v1/orders:batch", {"orders": orders}, bearer(token)), 200
        )
        self.assertEqual([each["status"] for each in answer.json()["outcomes"]], [202, 403, 202])
        answer = self.client.post("/api/v1/orders:batch", {"orders": orders})
        self.expect(answer, 401, "unauthorized")

    def test_lists_are_ones_own(self):
        mine, yours = bearer(self.token("lister")), bearer(self.token("other"))
        self.expect(self.order(self.token("lister")), 202)
        for query in ("", "?userId=lister"):
            answer = self.expect(self.client.get("/api/v1/orders" + query, mine), 200)
            self.assertEqual([order["userId"] for order in answer.json()["items"]], ["lister"])
        self.expect(self.client.get("/api/v1/orders?userId=lister", yours), 403, "forbidden")
        self.expect(self.client.get("/api/v1/orders"), 401)
        self.assertEqual(
            self.expect(self.client.get("/api/v1/orders", yours), 200).json()["items"], []
        )

    def test_a_retry_with_a_renewed_token_is_still_the_same_order(self):
        body = {"itemId": self.item, "quantity": 1}
        answers = [
            self.client.post(
                "/api/v1/orders", body,
                {**bearer(self.token("u1", jti=number)), "Idempotency-Key": "k"}
            )
            for number in range(2)
        ]
        self.assertEqual(answers[0].body, answers[1].body)
        self.assertTrue(answers[1].replayed)
        other = self.client.post(
            "/api/v1/orders", body, {**bearer(self.token("u2")), "Idempotency-Key": "k"}
        )
        self.assertFalse(self.expect(other, 202).replayed, "a key is its user's alone")

    def test_others_orders_are_as_if_they_were_not(self):
        token = self.token("owner")
        orders = []
        while len(orders) < GUESSES:
            size = min(1000, GUESSES - len(orders))
            batch = {"orders": [{"itemId": self.item, "quantity": 1}] * size}
            answer = self.client.post("/api/v1/orders:batch", batch, bearer(token))
            orders += [each["order"]["orderId"] for each in answer.json()["outcomes"]]
        self.expect(self.client.get(f"/api/v1/orders/{orders[0]}", bearer(token)), 200)
        thief = bearer(self.token("thief"))
        shapes, times = set(), {"others": [], "unknown": []}
        for order in orders:
            unknown = order[:-12] + f"{self.random.getrandbits(48):012x}"
            guesses = [("others", order), ("unknown", unknown)]
            self.random.shuffle(guesses)  # the first of the two warms the caches for the other
            for kind, guess in guesses:
                began = time.perf_counter()
                answer = self.client.get(f"/api/v1/orders/{guess}", thief)
                times[kind].append(time.perf_counter() - began)
                self.expect(answer, 404, "order_not_found")
                body = answer.body.decode().replace(guess, "GUESS")
                body = body.replace(answer.json()["traceId"], "TRACE")
                names = tuple(name for name, _ in answer.headers)
                shapes.add((body, names, answer.header("WWW-Authenticate")))
        self.assertEqual(len(shapes), 1, "the answers tell which ids exist")
        medians = {kind: statistics.median(each) * 1e6 for kind, each in times.items()}
        self.note(f"{len(orders)} ids each: median {medians['others']:.0f} us for others' orders,"
                  f" {medians['unknown']:.0f} us for ids that never were")

    def test_what_is_no_secret_needs_no_token(self):
        self.expect(self.client.get(f"/api/v1/orders/stock/{self.item}"), 200)
        self.expect(self.client.get("/api/v1/orders/count"), 200)
        self.expect(self.client.get("/readyz"), 200)

    def test_a_buyers_token_opens_no_admin_route(self):
        answer = self.client.get("/api/v1/admin/stats", bearer(self.token("admin")))
        self.expect(answer, 401, "unauthorized")
        admin = bearer(self.server.admin_token())
        self.expect(self.client.get("/api/v1/orders", admin), 401, "unauthorized")


# Every admin route with the scope it needs; what openapi.json lists beyond it fails the test.
ADMIN_ROUTES = {
    ("POST", "/api/v1/admin/stock"): "stock",
    ("GET", "/api/v1/admin/stats"): "read",
    ("GET", "/api/v1/admin/audit"): "read",
    ("GET", "/api/v1/admin/audit/conservation"): "read",
    ("GET", "/api/v1/admin/alerts"): "read",
    ("GET", "/api/v1/admin/log-level"): "read",
    ("PUT", "/api/v1/admin/log-level"): "all",
    ("POST", "/api/v1/admin/log-level"): "all",
    ("GET", "/api/v1/admin/breakers"): "read",
    ("POST", "/api/v1/admin/breakers/{name}/open"): "breaker",
    ("POST", "/api/v1/admin/breakers/{name}/close"): "breaker",
    ("POST", "/api/v1/admin/breakers/{name}/reset"): "breaker",
    ("GET", "/api/v1/admin/dlq"): "read",
    ("GET", "/api/v1/admin/dlq/{id}"): "read",
    ("POST", "/api/v1/admin/dlq/{id}/retry"): "dlq",
    ("POST", "/api/v1/admin/dlq/{id}/discard"): "dlq",
    ("GET", "/api/v1/admin/dlq/redrive"): "read",
    ("POST", "/api/v1/admin/dlq/redrive"): "dlq",
    ("GET", "/api/v1/admin/dlq/redrive/{task}"): "read",
    ("DELETE", "/api/v1/admin/dlq/redrive/{task}"): "dlq",
}
WITH_BODY = {
    ("POST", "/api/v1/admin/stock"), ("POST", "/api/v1/admin/dlq/{id}/discard"),
    ("POST", "/api/v1/admin/dlq/redrive"), ("PUT", "/api/v1/admin/log-level"),
    ("POST", "/api/v1/admin/log-level"),
}
SCOPES = ("read", "stock", "dlq", "breaker", "all")


class Admins(EndToEnd):
    def setUp(self):
        super().setUp()
        lines = [f"{scope}-person {scope} token-for-{scope}-012345" for scope in SCOPES]
        lines.append("both read,dlq token-for-both-012345")
        self.tokens = write_secret(
            os.path.join(self.scratch, "tokens"), "# who may what\n" + "\n".join(lines) + "\n"
        )
        self.server = self.start_server({"admin.tokens_file": self.tokens})
        self.client = self.server.client()
        self.addCleanup(self.client.close)

    def routes(self):
        document = self.client.get("/openapi.json").json()
        return {
            (method.upper(), path)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if method in ("get", "post", "put", "delete", "patch")
            and ({"adminToken": []} in operation.get("security", [])
                 or path.startswith("/api/v1/admin"))
        }

    def test_every_route_with_every_scope(self):
        self.assertEqual(
            self.routes(), set(ADMIN_ROUTES), "an admin route without a row in this table"
        )
        for (method, path), needed in ADMIN_ROUTES.items():
            target = path.replace("{name}", "none").replace("{id}", "1").replace("{task}", "1")

            body = "{}" if (method, path) in WITH_BODY else None

            def ask(token, method=method, target=target, body=body):
                headers = bearer(token) if token else {}
                return self.client.request(method, target, body, headers)

            with self.subTest(route=f"{method} {path}"):
                self.expect(ask(None), 401, "unauthorized")
                self.expect(ask("token-for-nobody-0123"), 401, "unauthorized")
                for scope in SCOPES:
                    status = ask(f"token-for-{scope}-012345").status
                    if scope in (needed, "all"):
                        self.assertNotIn(status, (401, 403), scope)
                    else:
                        self.assertEqual(status, 403, scope)
                allowed = needed in ("read", "dlq")
                self.assertEqual(ask("token-for-both-012345").status != 403, allowed)
                self.assertNotIn(ask(self.server.admin_token()).status, (401, 403))

    def test_the_name_of_who_did_it_is_in_the_log_and_no_token_is(self):
        body = {"itemId": "x", "operation": "set", "quantity": 5}
        answer = self.client.post(
            "/api/v1/admin/stock", body, bearer("token-for-stock-012345")
        )
        self.expect(answer, 200)
        wait_until(lambda: "stock-person" in self.server.log(), "who did it is in the log")
        log = self.server.log()
        self.assertNotIn("token-for-", log)
        self.assertNotIn(self.server.admin_token(), log)

    def test_a_file_others_may_read_is_refused_at_start(self):
        os.chmod(self.tokens, 0o644)
        other = self.make_server(
            {"admin.tokens_file": self.tokens}, data=os.path.join(self.scratch, "other")
        ).launch()
        self.assertEqual(other.wait_exit(), 1)
        self.assertIn("chmod 600", other.log())


class AuditTrail:
    """What both modes must show; `self.clients` are of nodes with one audit log, breaker `name`."""

    def entries(self, client, query=""):
        answer = client.admin("GET", "/api/v1/admin/audit" + query)
        return self.expect(answer, 200).json()

    def check_trail(self, clients, breaker):
        first, last = clients[0], clients[-1]
        trace = "0af7651916cd43dd8448eb211c80319c"
        traced = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
        wait_until(lambda: first.change_stock("tv", "set", 10).status == 200, "stock is set")
        first.change_stock("tv", "add", 5, headers=traced, reason="more came")
        for client in clients if len(clients) > 1 else clients * 2:
            turned = client.admin(
                "POST", f"/api/v1/admin/breakers/{breaker}/open", headers=traced
            )
            self.expect(turned, 200)
            self.expect(client.admin("POST", f"/api/v1/admin/breakers/{breaker}/close"), 200)
        # A refused change is none.
        self.expect(first.change_stock("tv", "remove", 99), 409)
        wanted = 2 + 4
        page = wait_until(
            lambda: (lambda page: page if len(page["entries"]) >= wanted else None)(
                self.entries(last)
            ), "all are written"
        )
        self.assertEqual(len(page["entries"]), wanted)
        self.assertIsNone(page["nextCursor"])
        whats = [each["what"] for each in page["entries"]]
        self.assertEqual(sorted(whats), sorted(
            ["stock.set", "stock.add", *2 * ["breaker.open"], *2 * ["breaker.close"]]
        ))
        times = [each["at"] for each in page["entries"]]
        self.assertEqual(times, sorted(times, reverse=True), "newest first")
        added = next(each for each in page["entries"] if each["what"] == "stock.add")
        self.assertEqual(
            (added["who"], added["subject"], added["reason"], added["traceId"]),
            ("admin", "tv", "more came", trace)
        )
        self.assertEqual((added["before"]["total"], added["after"]["total"]), (10, 15))
        opened = next(each for each in page["entries"] if each["what"] == "breaker.open")
        self.assertEqual(opened["subject"], breaker)
        self.assertEqual(opened["after"], {"state": "FORCED_OPEN"})
        self.assertEqual(opened["traceId"], trace)
        paged, cursor = [], ""
        while cursor is not None:
            part = self.entries(first, "?limit=2" + (f"&cursor={cursor}" if cursor else ""))
            paged += part["entries"]
            cursor = part["nextCursor"]
        self.assertEqual(paged, page["entries"])
        for query in ("?limit=0", "?limit=101", "?cursor=x", "?cursor=1.2", "?cursor=1.2.3.4",
                      "?cursor=-1.2.3", "?from=1"):
            answer = last.admin("GET", "/api/v1/admin/audit" + query)
            self.expect(answer, 400, "validation_failed")
        return page["entries"]


class EmbeddedAudit(AuditTrail, EndToEnd):
    def test_every_change_is_there_also_after_a_crash(self):
        server = self.start_server({
            "webhook.url": "http://127.0.0.1:9/", "webhook.allow_private": "true", "lane.count": 3,
            "webhook.secret_file": write_secret(
                os.path.join(self.scratch, "hook"), "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
            ),
        })
        client = server.client()
        before = self.check_trail([client], "webhook")
        client.close()
        server.kill()
        server.restart()
        self.assertEqual(self.entries(client)["entries"], before)
        client.close()


class DistributedAudit(AuditTrail, EndToEnd):
    def test_every_change_is_there_whichever_node_is_asked(self):
        redis, postgres = Redis(self.scratch).start(), Postgres(self.scratch).start()
        self.addCleanup(redis.kill)
        self.addCleanup(postgres.kill)
        token = write_secret(os.path.join(self.scratch, "admin.token"), "one-admin-token-0123")
        clients = []
        for number in range(2):
            node = self.start_server({
                "mode": "distributed", "redis.url": f"redis://127.0.0.1:{redis.port}/0",
                "postgres.url": f"postgresql://firstcome@127.0.0.1:{postgres.port}/postgres",
                "admin.token_file": token,
            }, data=os.path.join(self.scratch, f"node-{number}"))
            node._token = "one-admin-token-0123"
            clients.append(node.client())
            self.addCleanup(clients[-1].close)
        self.check_trail(clients, "redis")


if __name__ == "__main__":
    unittest.main()
