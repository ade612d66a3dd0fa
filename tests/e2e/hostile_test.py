# tests/e2e/hostile_test.py - clients that are slow, many, rude: the others are served all the same
import os
import resource
import selectors
import socket
import time
import unittest

from harness import (
    FULL, Connection, ConnectionClosed, EndToEnd, estimated, request_bytes, wait_until
)

ITEM = "drop"
ORDERS = "/api/v1/orders"
OTHERS = 200  # orders of well-behaved clients meanwhile
WHOLE = request_bytes("POST", ORDERS, {"userId": "slow", "itemId": ITEM, "quantity": 1})
FILES_MAX = 256
SLOW = 4000 if FULL else 300  # connections


def room_for_sockets(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count + 100:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count + 100, hard), hard))


def opened(address, count):
    room_for_sockets(count)
    sockets = []
    for _ in range(count):
        each = socket.create_connection(address, timeout=10)
        sockets.append(each)
    return sockets


class Crowd:
    """Sockets looked after by one selector: fed a byte a turn, or only listened to."""

    def __init__(self, sockets):
        self.selector = selectors.DefaultSelector()
        self.sockets = sockets
        self.ended = {}  # socket -> what came before the end
        self.received = {each: b"" for each in sockets}
        for each in sockets:
            each.setblocking(False)
            self.selector.register(each, selectors.EVENT_READ)

    def listen(self, patience_s):
        for key, _ in self.selector.select(patience_s):
            each = key.fileobj
            try:
                data = each.recv(65536)
            except BlockingIOError:
                continue
            except ConnectionError:
                data = b""
            self.received[each] += data
            if not data:
                self.selector.unregister(each)
                self.ended[each] = self.received[each]

    def feed(self, data):
        for each in self.sockets:
            if each not in self.ended:
                try:
                    each.send(data)
                except (BlockingIOError, ConnectionError):
                    pass

    def close(self):
        self.selector.close()
        for each in self.sockets:
            each.close()


class Hostile(EndToEnd):
    def serve(self, **settings):
        server = self.start_server({name.replace("__", "."): str(value)
                                    for name, value in settings.items()})
        client = server.client()
        self.addCleanup(client.close)
        client.set_stock(ITEM, 1_000_000)
        return server, client

    def others_are_served(self, server, client):
        for number in range(OTHERS):
            self.expect(client.order(f"good-{number}", ITEM), 202)
        fresh = server.client()
        self.addCleanup(fresh.close)
        self.expect(fresh.order("fresh", ITEM), 202)

    @staticmethod
    def cpu_s(server):
        with open(f"/proc/{server.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait_calm(self, server, share, what):
        """What a crowd left to be done ends some time; a busy loop never does."""
        since, used = time.monotonic(), self.cpu_s(server)

        def is_calm():
            nonlocal since, used
            now, all_used = time.monotonic(), self.cpu_s(server)
            if now - since < 0.5:
                return False
            taken, since, used = (all_used - used) / (now - since), now, all_used
            return taken < share

        wait_until(is_calm, f"{what}: under {share} of a core")

    @staticmethod
    def files(server):
        return len(os.listdir(f"/proc/{server.process.pid}/fd"))

    @staticmethod
    def resident_kib(server):
        with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
            line = next(line for line in file if line.startswith("VmRSS"))
        return int(line.split()[1])

    def drip(self, name, sent_at_once, one_more, **timeouts):
        """Clients that send a byte now and then: cut by the time limit, and nothing comes of it."""
        row = self.fault(f"{name}: the others are served")
        server, client = self.serve(**timeouts)
        for number in range(3 if FULL else 1):
            self.drip_once(server, client, sent_at_once, one_more)
            self.assertEqual(client.count(ITEM), 2 * (number + 1) * (OTHERS + 1))
            row.survived()
        row.remarks.append(f"{SLOW:,} connections each time")

    def drip_once(self, server, client, sent_at_once, one_more):
        crowd = Crowd(opened(server.address, SLOW))
        self.addCleanup(crowd.close)
        crowd.feed(sent_at_once)
        self.others_are_served(server, client)

        def all_cut():
            crowd.listen(0.05)
            crowd.feed(one_more)
            return len(crowd.ended) == len(crowd.sockets)
        wait_until(all_cut, "every slow client is cut", 30)
        answers = {received.split(b"\r\n")[0] for received in crowd.ended.values()}
        self.assertLessEqual(answers, {b"HTTP/1.1 408 Request Timeout", b""})
        self.others_are_served(server, client)
        crowd.close()
        self.note(f"{len(crowd.sockets)} connections, {sorted(answers)}")

    @estimated(minutes=1)
    def test_slow_headers(self):
        head = b"POST /api/v1/orders HTTP/1.1\r\nX-"
        self.drip("slow headers", head, b"a", server__header_timeout="1s")

    @estimated(minutes=1)
    def test_slow_bodies(self):
        head = WHOLE.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        self.drip("slow bodies", head.replace(b"Content-Length: ", b"Content-Length: 6"), b" ",
                  server__body_timeout="1s")

    @estimated(minutes=1)
    def test_silent_clients(self):
        self.drip("silent clients", b"", b"",
                  server__header_timeout="1s", server__idle_timeout="1s")

    @estimated(minutes=1)
    def test_readers_that_do_not_read(self):
        row = self.fault("slow readers: the others are served")
        server, client = self.serve()
        count, kib = (400 if FULL else 50), []
        for _ in range(3 if FULL else 1):
            kib.append(self.readers_once(server, client, count))
            row.survived()
        row.remarks.append(f"{count} connections each time, {max(kib):.0f} KiB each at most")

    def readers_once(self, server, client, count):
        before = self.resident_kib(server)
        sockets = opened(server.address, count)
        request = request_bytes("GET", "/openapi.json")
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            each.setblocking(False)
            try:
                for _ in range(500):
                    each.send(request)
            except BlockingIOError:
                pass
        self.others_are_served(server, client)
        grown = self.resident_kib(server) - before
        self.assertLess(grown / count, 512, "KiB a connection that is not read")
        wait_until(lambda: self.files(server) < 40, "they are cut", 30)
        for each in sockets:
            each.close()
        self.note(f"{count} connections, {grown / count:.0f} KiB each")
        return grown / count

    def test_a_large_answer_leaves_no_memory_behind(self):
        server, _ = self.serve()
        # 1,000 problems: more than a buffer may have that is kept for the next answer.
        request = request_bytes("POST", "/api/v1/orders:batch", {"orders": [0] * 1000})
        connections = []
        for number in range(101):
            connection = Connection(server.address)
            self.addCleanup(connection.close)
            connection.send(request)
            answer = connection.read()
            self.assertEqual(answer.status, 200)
            self.assertGreater(len(answer.body), 256 * 1024)
            connections.append(connection)
            if number == 0:
                before = self.resident_kib(server)
        grown = (self.resident_kib(server) - before) / 100
        self.note(f"{grown:.0f} KiB each")
        self.assertLess(grown, 16, "KiB a connection that has had a large answer")

    def test_idle_connections(self):
        count = 10_000 if FULL else 1_000
        server, client = self.serve(server__connections_max=count + 2)
        sockets = opened(server.address, count)
        wait_until(lambda: self.files(server) >= count, "all are taken")
        self.others_are_served(server, client)
        self.wait_calm(server, 0.3, "it idles")
        # Those who say nothing give way to newcomers, and who is served stays.
        wait_until(lambda: self.first_status(server) == 200, "a newcomer is served")
        self.expect(client.order("still-here", ITEM), 202)
        self.assertGreater(self.displaced(client), 0)
        for each in sockets:
            each.close()
        wait_until(lambda: self.files(server) < 60, "their descriptors are free")
        self.others_are_served(server, client)
        self.note(f"{count} connections")

    def test_busy_connections_do_not_give_way(self):
        server, client = self.serve(server__connections_max=4)
        busy = opened(server.address, 3)
        for each in busy:
            each.sendall(WHOLE[:-1])
        wait_until(lambda: self.first_status(server) == 503, "a newcomer is told to wait")
        self.assertEqual(self.displaced(client), 0)
        for each in busy:
            each.sendall(WHOLE[-1:])
            self.assertTrue(each.recv(65536).startswith(b"HTTP/1.1 202"))
            each.close()

    @staticmethod
    def displaced(client):
        text = client.get("/metrics").body.decode()
        name = "firstcome_http_connections_displaced_total "
        return int(next(line for line in text.splitlines() if line.startswith(name)).split()[1])

    @staticmethod
    def first_status(server):
        """Of a new connection."""
        try:
            with Connection(server.address) as connection:
                connection.send(request_bytes("GET", "/livez"))
                return connection.read().status
        except ConnectionClosed:
            return None

    def test_a_flood_of_connections_that_are_reset(self):
        server, client = self.serve()
        before = self.files(server)
        count = 20_000 if FULL else 2_000
        for number in range(count):
            connection = Connection(server.address)
            connection.send(WHOLE[:number % (len(WHOLE) - 1)])
            connection.reset()
        self.others_are_served(server, client)
        self.assertEqual(client.count(ITEM), OTHERS + 1, "a half request made an order")
        wait_until(lambda: self.files(server) <= before + 3, "their descriptors are free")
        self.note(f"{count} connections")

    @estimated(minutes=1)
    def test_out_of_descriptors(self):
        row = self.fault("fd exhaustion: who is connected is served, no busy loop")
        def few_files():
            resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_MAX, FILES_MAX))
        rounds = 20 if FULL else 2
        server = self.start_server(preexec=few_files)
        client = server.client()
        self.addCleanup(client.close)
        client.set_stock(ITEM, 1_000_000)
        for _ in range(rounds):
            sockets = opened(server.address, 1_000)
            wait_until(lambda: self.files(server) >= FILES_MAX - 8, "no descriptor is left")
            for number in range(OTHERS):
                self.expect(client.order(f"good-{number}", ITEM), 202)
            self.wait_calm(server, 0.5, "it is not busy while out of descriptors")
            left = time.monotonic()
            for each in sockets:
                each.close()
            fresh = server.client()
            self.expect(fresh.order("fresh", ITEM), 202)
            fresh.close()
            row.survived(time.monotonic() - left)
            wait_until(lambda: self.files(server) < 60, "their descriptors are free")
        row.remarks.append(f"{FILES_MAX} descriptors and 1,000 clients; time: to a newcomer's 202")
        self.assertEqual(client.count(ITEM), rounds * (OTHERS + 1))
        self.note(f"{rounds} x 1,000 clients and {FILES_MAX} descriptors")

    def test_a_flood_of_scrapes_takes_nothing_from_the_others(self):
        server, client = self.serve()
        for number in range(200):
            client.set_stock(f"item-{number}", 10)
        flood = request_bytes("HEAD", "/metrics") * 2_000
        with Connection(server.address) as one, Connection(server.address) as other:
            for each in (one, other):
                each.send(flood)
            started = time.monotonic()
            self.others_are_served(server, client)
            self.note(f"{OTHERS + 1} orders in {time.monotonic() - started:.1f} s meanwhile")
            for each in (one, other):
                for _ in range(2_000):
                    self.assertEqual(each.read(head_only=True).status, 200)

    def test_large_bodies_are_bounded_together(self):
        server, client = self.serve(server__buffers_max_bytes="4MiB")
        before = self.resident_kib(server)
        body = request_bytes("POST", ORDERS + ":batch", b" " * 1_000_000)
        crowd = Crowd(opened(server.address, 30))
        self.addCleanup(crowd.close)
        for each in crowd.sockets:
            each.setblocking(True)
            try:
                each.sendall(body[:-1])
            except ConnectionError:
                pass  # it was told already
            each.setblocking(False)

        def is_bounded():
            crowd.listen(0.05)
            return len(crowd.ended) >= 20
        wait_until(is_bounded, "most are told to wait", 10)
        for received in crowd.ended.values():
            self.assertTrue(received.startswith(b"HTTP/1.1 503") or not received, received[:80])
        self.assertLess(self.resident_kib(server) - before, 20 * 1024)
        self.others_are_served(server, client)

    def test_a_client_that_has_said_all(self):
        """Half-closed: it gets its answers, and then the end."""
        server, _ = self.serve()
        with Connection(server.address) as connection:
            connection.send(WHOLE * 3)
            connection.socket.shutdown(socket.SHUT_WR)
            self.assertEqual([connection.read().status for _ in range(3)], [202] * 3)
            self.assertTrue(connection.is_closed(5))

    def test_half_a_request_and_the_end(self):
        server, client = self.serve()
        for size in (1, len(WHOLE) // 2, len(WHOLE) - 1):
            with Connection(server.address) as connection:
                connection.send(WHOLE[:size])
                connection.socket.shutdown(socket.SHUT_WR)
                self.assertIn(self.status_or_end(connection), (400, None))
        self.assertEqual(client.count(ITEM), 0)

    @staticmethod
    def status_or_end(connection):
        try:
            return connection.read().status
        except ConnectionClosed:
            return None


if __name__ == "__main__":
    unittest.main()
