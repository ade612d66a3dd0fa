# tests/e2e/many_nodes.py - what every suite of the distributed mode stands on
import os
import time
from collections import Counter

import auditor
from fault_proxy import FaultProxy
from harness import EndToEnd, body_hash, wait_until
from load import Load
from stores import Postgres, Redis

QUIET_S = 60.0  # for everything accepted to be in PostgreSQL once the load has ended
AGAIN_S = 60.0  # for selling to go on after a fault
SLOW_POLL_S = 0.02  # where each look starts a program
# Rows that PostgreSQL refuses for good, by the name of their buyer.
POISON = "ALTER TABLE orders ADD CONSTRAINT no_poison CHECK (user_id NOT LIKE 'poison%')"


class Distributed(EndToEnd):
    """Nodes over stores of the test's own. All share one admin token and one lane count."""

    def setUp(self):
        super().setUp()
        self.redis = self.made(Redis(self.scratch))
        self.postgres = self.made(Postgres(self.scratch))
        self.nodes = []
        self.heard = []  # by ask()

    def made(self, program):
        self.addCleanup(program.kill)
        return program.start()

    def proxy(self, port):
        proxy = FaultProxy(port)
        self.addCleanup(proxy.close)
        return proxy

    def start_node(self, settings=None, redis_port=None, postgres_port=None, start=True, **more):
        number = len(self.nodes)
        node = self.make_server({
            "mode": "distributed",
            "redis.url": f"redis://127.0.0.1:{redis_port or self.redis.port}/0",
            "postgres.url":
                f"postgresql://firstcome@127.0.0.1:{postgres_port or self.postgres.port}/postgres",
            "admin.token_file": os.path.join(self.scratch, "admin.token"),
            **(settings or {}),
        }, data=os.path.join(self.scratch, f"node-{number}"), **more)
        node.admin_token = self.admin_token
        self.nodes.append(node)
        return node.start() if start else node

    def admin_token(self):
        with open(os.path.join(self.scratch, "admin.token"), encoding="ascii") as file:
            return file.read().strip()

    def start_nodes(self, count, settings=None):
        for _ in range(count):
            self.start_node(settings)
        return self.nodes

    def addresses(self):
        return [node.address for node in self.nodes]

    # Selling.

    def sells(self, item, units, **members):
        client = self.nodes[0].client()
        wait_until(
            lambda: client.change_stock(item, "set", units, **members).status == 200,
            f"the stock of {item} can be set"
        )
        client.close()

    def start_load(self, wishes, clients=64, **options):
        load = Load(self.addresses(), wishes, clients=clients, **options).start()
        self.addCleanup(load.abandon)
        return load

    def let_it_sell(self, load, orders, deadline_s=60):
        target = load.definite + orders
        wait_until(lambda: load.definite >= target or not load.running, "orders are placed",
                   deadline_s)

    def selling_again(self, load, since, orders=20):
        """Seconds from `since` (of a monotonic clock) until some more are accepted."""
        target, heard = load.accepted + orders, len(load.answers)
        try:
            wait_until(
                lambda: load.accepted >= target or not load.running, "selling goes on", AGAIN_S
            )
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.standstill(load.answers[heard:])}") from None
        return time.monotonic() - since

    def standstill(self, answers):
        """What buyers and operators are told while nothing is sold."""
        told = Counter((answer.status, answer.code) for answer in answers)
        lines = [f"told meanwhile: {told}, last: {answers[-3:]}"]
        for node in self.nodes:
            client = node.client()
            for path in ("/actuator/health", "/api/v1/admin/stats"):
                lines.append(f"{path}: {client.admin('GET', path).body}")
            client.close()
        return "\n".join(lines)

    def sell_out(self, load, item):
        """Lets the load go on until somebody hears that nothing is left."""
        position = 0

        def heard():
            nonlocal position
            news = load.answers[position:]
            position += len(news)
            return any(a.code == "sold_out" and a.item == item for a in news)
        wait_until(heard, f"{item} sells out", 120, SLOW_POLL_S)

    def ask(self, client, user, item, quantity=1, key=None):
        """One order by one client, kept for the auditor."""
        answer = client.order(user, item, quantity, key=key)
        body = answer.json()
        self.heard.append(auditor.Answer(
            user=user, key=key or "", item=item, quantity=quantity, status=answer.status,
            code=body.get("code", ""), order_id=body.get("orderId", ""),
            sequence=body.get("sequence", 0), replayed=answer.replayed,
            body_hash=body_hash(answer.body),
        ))
        return answer

    # What became of it.

    def shards(self):
        return int(self.nodes[0].settings.get("lane.count", "1"))

    def pending(self):
        """Batches in Redis that PostgreSQL does not have yet."""
        return sum(
            int(self.redis.cli("XLEN", f"fc:{{s{shard}}}:outbox") or 0)
            for shard in range(self.shards())
        )

    def drain_time(self):
        """Seconds until PostgreSQL has all that waits now, though all go on selling. One lane."""
        since = time.monotonic()
        last = self.redis.cli("XREVRANGE", "fc:{s0}:outbox", "+", "-", "COUNT", "1").split("-0")[0]
        wait_until(
            lambda: int(self.redis.cli("GET", "fc:{s0}:relayed") or 0) >= int(last or 0),
            "the backlog drains", 90, SLOW_POLL_S
        )
        return time.monotonic() - since

    def wait_quiet(self):
        wait_until(
            lambda: self.pending() == 0, "PostgreSQL has all that was accepted", QUIET_S,
            SLOW_POLL_S
        )

    def stored(self):
        return int(self.postgres.value("SELECT count(*) FROM orders"))

    def dead_letters(self):
        return int(self.postgres.value("SELECT count(*) FROM failed_order_events"))

    def breaker(self, client, name):
        answer = self.expect(client.admin("GET", "/api/v1/admin/breakers"), 200)
        return next(each["state"] for each in answer.json()["breakers"] if each["name"] == name)

    def stocks(self, *items):
        """What each node says of each item, once all nodes say the same."""
        def agreed():
            told = []
            for item in items:
                of_nodes = []
                for node in self.nodes:
                    if not node.running:
                        continue
                    client = node.client()
                    stock = client.stock(item)
                    client.close()
                    stock.pop("asOf", None)
                    of_nodes.append(stock)
                if any(stock != of_nodes[0] for stock in of_nodes):
                    return None
                told.append(of_nodes[0])
            return told
        return wait_until(agreed, f"all nodes say the same of {items}")

    def audit(self, answers, *items, repairs=None, **options):
        """PostgreSQL = Redis = what clients were told.

        repairs  whether the leader's check may have found an item off on the way, and repaired it;
                 None: only where Redis lost something
        """
        self.wait_quiet()
        if not (options.get("restocked_items") if repairs is None else repairs):
            for node in self.nodes:
                self.assertNotRegex(node.log(), "an item (is|was) off|Redis refused.*CORRUPT")
        stocks = self.stocks(*items)
        store = auditor.read_postgres(self.postgres.select)
        auditor.assert_store_clean(answers, store, stocks=stocks, **options)
        for stock in stocks:
            self.assertEqual(stock["remaining"] + stock["sold"] + stock.get("compensating", 0),
                             stock["initial"] + stock.get("restocked", 0))
        return stocks
