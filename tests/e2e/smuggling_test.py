# tests/e2e/smuggling_test.py - every spelling of a length crossed with every spelling of chunks
"""A probe hides a second order in its body and spells its framing in an odd way. Whoever reads the
framing another way than the one in front would execute that order, or give its answer to another
buyer. Each probe goes to the server directly, and through nginx and HAProxy.

Directly: what is legal by the model below (written from RFC 9112, not from our parser) is answered
as that; anything else gets one 4xx or 501 and the end of the connection.
Through a front: the server has seen no more requests than the front passed on, nobody gets another
buyer's answer, and every order made was answered 202 to the one who sent it.
"""

import asyncio
import json
import re

from bad_input_test import (
    BATCHES, BODIES, FRAMING, IDS, KEYS, METHODS, ORDER_TEXT, ORDERS, PATHS, QUANTITIES, QUERIES,
    SIZES, SMUGGLED, TYPES,
)
from harness import EndToEnd, wait_until
import proxies

ITEM = 7  # as in bad_input_test
AT_ONCE = 64
QUIET_S = 0.5  # a front that has not answered by then waits for more
OPEN_S = 5.0   # what the server itself may take

LENGTHS = [
    None, "Content-Length: {n}", "content-length:{n}", "CONTENT-LENGTH:   {n}  ",
    "Content-Length : {n}", "Content-Length\t: {n}", "Content-Length: +{n}", "Content-Length: -{n}",
    "Content-Length: 0{n}", "Content-Length: {n}, {n}", "Content-Length: {n},{m}",
    "Content-Length: {n} {m}", "Content-Length: 0x{n}", "Content-Length: {n}.0",
    "Content-Length: {n}x", "Content-Length: ", "Content-Length: \"{n}\"",
    "Content-Length: {n}\r\nContent-Length: {n}", "Content-Length: {n}\r\nContent-Length: {m}",
    "Content-Length: {n}\r\ncontent-length: 0", "Content_Length: {n}", "Content-Length\x00: {n}",
    " Content-Length: {n}", "X-A: 1\r\n Content-Length: {n}", "X-A: 1\rContent-Length: {n}",
    "X-A: 1\nContent-Length: {n}", "Content-Length:\r\n {n}", "Content-Length: {n};",
    "Content-Length: 1e1", "Content-Length: 18446744073709551616{n}", "Content-Length: \xb2",
    "Content-Length:\x0b{n}",
]
CHUNKS = [
    None, "Transfer-Encoding: chunked", "transfer-encoding:chunked", "Transfer-Encoding: CHUNKED",
    "Transfer-Encoding:\tchunked\t", "Transfer-Encoding : chunked", "Transfer-Encoding\t: chunked",
    " Transfer-Encoding: chunked", "Transfer-Encoding: xchunked", "Transfer-Encoding: chunkedx",
    "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, gzip", "Transfer-Encoding: identity",
    "Transfer-Encoding: chunked, identity", "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding: \"chunked\"", "Transfer-Encoding: ", "Transfer-Encoding: ,chunked",
    "Transfer-Encoding:\x0bchunked", "Transfer-Encoding: chunked\x00",
    "Transfer-Encoding: chun ked",
    "Transfer-Encoding:\r\n chunked", "X-A: 1\r\n Transfer-Encoding: chunked",
    "X-A: 1\rTransfer-Encoding: chunked", "X-A: 1\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Transfer_Encoding: chunked",
    "Transfer-Encoding\x00: chunked", "Transfer-Encoding: chunked\nX-A: 1", "TE: chunked",
]
CHUNKED_ORDER = f"{len(ORDER_TEXT):x}\r\n{ORDER_TEXT}\r\n0\r\n\r\n".encode()
BODIES_SENT = [
    # what is sent, and how long the first message would be by the shorter reading
    (CHUNKED_ORDER + SMUGGLED, len(CHUNKED_ORDER)),
    (b"0\r\n\r\n" + SMUGGLED, 5),
    (f"{len(SMUGGLED):x}\r\n".encode() + SMUGGLED + b"\r\n0\r\n\r\n", 4),
    (ORDER_TEXT.encode() + SMUGGLED, len(ORDER_TEXT)),
]


def probes():
    made = []
    for at_length, length in enumerate(LENGTHS):
        for at_chunks, chunks in enumerate(CHUNKS):
            for at_body, (body, shorter) in enumerate(BODIES_SENT):
                longer = (at_length + at_chunks + at_body) % 2 == 0
                n, m = (len(body), shorter) if longer else (shorter, len(body))
                lines = ["POST /api/v1/orders HTTP/1.1", "Host: shop.example",
                         "Content-Type: application/json"]
                fields = [line.format(n=n, m=m) if line else None for line in (length, chunks)]
                if at_body % 2:
                    fields.reverse()
                lines += [field for field in fields if field is not None]
                made.append("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
    return made


# --------------------------------------------------------------------------- the model of a reader


def first_message(raw):
    """Where the first message of `raw` ends by RFC 9112, or None: doubtful, so it must be refused.
    `...` stands for a message that is not complete."""
    at = raw.index(b"\r\n\r\n")
    lines = raw[:at].split(b"\r\n")[1:]
    lengths, encodings = [], []
    for line in lines:
        match = re.fullmatch(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*", line, re.DOTALL)
        if not match or re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", match[2]):
            return None
        if match[1].lower() == b"content-length":
            lengths.append(match[2])
        if match[1].lower() == b"transfer-encoding":
            encodings.append(match[2])
    if (lengths and encodings) or len(lengths) > 1 or len(encodings) > 1:
        return None
    body = raw[at + 4:]
    if encodings:
        return None if encodings[0].lower() != b"chunked" else _chunked_end(body, at + 4)
    if not lengths:
        return at + 4
    if not re.fullmatch(rb"[0-9]+", lengths[0]):
        return None
    size = int(lengths[0])
    if size > 64 * 1024:
        return None
    return at + 4 + size if size <= len(body) else ...


def _chunked_end(body, begin):
    at = 0
    while True:
        line = re.match(rb"([0-9A-Fa-f]{1,8})\r\n", body[at:])
        if not line:
            return None
        at += line.end()
        size = int(line[1], 16)
        if size == 0:
            return begin + at + 2 if body[at:at + 2] == b"\r\n" else None
        if body[at + size:at + size + 2] != b"\r\n":
            return None
        at += size + 2


def messages(raw):
    """How many whole messages there are by the model, and whether a doubtful one follows."""
    count = 0
    while raw:
        if not raw.startswith(b"POST ") or b"\r\n\r\n" not in raw:
            return count, True
        end = first_message(raw)
        if end is ...:
            return count, False
        if end is None:
            return count, True
        count, raw = count + 1, raw[end:]
    return count, False


# ----------------------------------------------------------------------------------------- talking


def statuses(received):
    """The final answers in what came; each must be whole and follow the one before at once."""
    found = []
    while received:
        head, blank, rest = received.partition(b"\r\n\r\n")
        match = re.match(rb"HTTP/1\.[01] (\d{3})", head)
        if not match or not blank:
            raise AssertionError(f"not an answer: {received[:300]!r}")
        status = int(match[1])
        if status < 200:
            received = rest
            continue
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if length is None:  # until the connection ends: a front's own page
            return found + [status]
        found.append(status)
        if len(rest) < int(length[1]):
            raise AssertionError(f"an answer is cut: {received[:300]!r}")
        received = rest[int(length[1]):]
    return found


async def send(address, raw, quiet_s, expected=None, says_end=False):
    """What comes back, and whether the peer closed, once it is quiet or `expected` came."""
    reader, writer = await asyncio.open_connection(*address)
    received, closed = b"", False
    try:
        writer.write(raw)
        await writer.drain()
        if says_end:
            writer.write_eof()
        while True:
            data = await asyncio.wait_for(reader.read(65536), quiet_s)
            if not data:
                closed = True
                break
            received += data
            if expected is not None and len(re.findall(rb"HTTP/1\.1 [2-5]", received)) >= expected:
                quiet_s = 0.02
    except asyncio.TimeoutError:
        pass
    except ConnectionError:
        closed = True
    finally:
        writer.close()
    return received, closed


async def in_turns(jobs, at_once=AT_ONCE):
    gate = asyncio.Semaphore(at_once)

    async def one(job):
        async with gate:
            return await job()
    return await asyncio.gather(*[one(job) for job in jobs])


class Smuggling(EndToEnd):
    shared_settings = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.set_stock(ITEM, 1_000_000)

    def chosen(self):
        every = probes()
        self.assertGreaterEqual(len(every), 3000)
        self.random.shuffle(every)
        return every

    def requests_seen(self):
        """How many the server has answered, our own questions apart."""
        text = self.client.get("/metrics").body.decode()
        count = 0
        for labels, value in re.findall(
            r"^http_server_requests_seconds_count\{(.*)\} (\S+)$", text, re.MULTILINE
        ):
            if 'uri="/metrics"' not in labels and 'uri="/api/v1/orders/count"' not in labels:
                count += int(float(value))
        return count

    # Directly.

    def test_directly(self):
        chosen, before = self.chosen(), self.client.count()

        async def every():
            jobs = []
            for raw in chosen:
                count, doubtful = messages(raw)
                jobs.append(lambda raw=raw, count=count + doubtful: send(
                    self.server.address, raw, OPEN_S, expected=count
                ) if count else send(self.server.address, raw, QUIET_S))
            return await in_turns(jobs)
        accepted = 0
        for raw, (received, closed) in zip(chosen, asyncio.run(every())):
            count, doubtful = messages(raw)
            with self.subTest(raw=raw):
                got = statuses(received)
                self.assertEqual(len(got), count + doubtful, got)
                accepted += got.count(202)
                if doubtful:
                    self.assertIn(got[-1], (400, 413, 501))
                    self.assertTrue(closed, "the framing is in doubt and the connection goes on")
        self.assertEqual(self.client.count() - before, accepted)
        self.note(f"{len(chosen)} probes, {accepted} orders legally made")

    # Through a front.

    def victim(self, address, number):
        """Another buyer on a connection of its own, who must get the answer to its own question."""
        path = f"/api/v1/orders/stock/victim-{number}"
        raw = f"GET {path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n".encode()

        async def ask():
            received, _ = await send(address, raw, OPEN_S, expected=1)
            problem = json.loads(received.partition(b"\r\n\r\n")[2])
            return problem.get("instance") == path and problem.get("code") == "item_not_found"
        return ask

    def through(self, front, chosen, may_speak_otherwise=False):
        front.start()
        self.addCleanup(front.kill)
        orders, seen, passed = self.client.count(), self.requests_seen(), front.passed()
        jobs = []
        for number, raw in enumerate(chosen):
            jobs.append(lambda raw=raw: send(front.address, raw, QUIET_S))
            jobs.append(self.victim(front.address, number))
        answers = asyncio.run(in_turns(jobs))
        wait_until(lambda: front.passed() - passed >= self.requests_seen() - seen,
                   f"{front.name} has passed on as many requests as the server has seen", 5)
        accepted = 0
        for raw, (received, _) in zip(chosen, answers[0::2]):
            # A front may answer HTTP/0.9 and HTTP/2 in their own ways; these make no order.
            if may_speak_otherwise and not received.startswith(b"HTTP/1"):
                continue
            with self.subTest(front=front.name, raw=raw):
                accepted += statuses(received).count(202)
        wrong = [number for number, right in enumerate(answers[1::2]) if not right]
        self.assertEqual(wrong, [], f"{front.name}: victims that got somebody else's answer")
        self.assertEqual(self.client.count() - orders, accepted, f"{front.name}: an order unasked")
        self.note(f"{front.name}: {len(chosen)} probes, {accepted} orders legally made,"
                  f" {front.passed() - passed} passed on, {self.requests_seen() - seen} seen")
        return answers[0::2]

    def test_through_nginx(self):
        self.through(proxies.nginx(self.scratch, self.server.address[1]), self.chosen())

    def test_through_nginx_that_does_not_wait_for_the_body(self):
        self.through(proxies.nginx(self.scratch, self.server.address[1], "off"), self.chosen())

    def test_through_haproxy(self):
        self.through(proxies.haproxy(self.scratch, self.server.address[1]), self.chosen())

    # The table of bad_input_test once more, behind the fronts.

    def table(self):
        rows = [*KEYS, *BODIES, *QUANTITIES, *IDS, *SIZES, *TYPES, *PATHS, *METHODS, *QUERIES,
                *FRAMING, *BATCHES]
        self.assertGreaterEqual(len(rows), 120)
        return rows

    def table_through(self, front):
        rows, ours = self.table(), 0
        answers = self.through(front, [row.raw for row in rows], may_speak_otherwise=True)
        for row, (received, closed) in zip(rows, answers):
            # What has no request id is the front's own word.
            if not re.match(rb"(?is)HTTP/1\.1 .*?\r\nx-request-id:.*?\r\n\r\n", received):
                continue
            ours += 1
            with self.subTest(front=front.name, row=row.name):
                self.check_behind(row, statuses(received)[0], closed)
        self.assertGreater(ours, len(rows) // 3, "the front passes on what is well framed")
        self.note(f"{front.name}: {ours} of {len(rows)} rows answered by the server itself")

    def check_behind(self, row, status, closed):
        """As directly; but a front may have mended the framing, or heard an expectation that is
        its own to hear: then it is an order like any."""
        wanted = row.status if isinstance(row.status, tuple) else (row.status,)
        mended = row in FRAMING or b"\r\nExpect:" in row.raw
        self.assertIn(status, (*wanted, 202) if mended else wanted)
        if row.after == "open":
            self.assertFalse(closed, "a mistake in a body ends no connection")

    def test_the_table_through_nginx(self):
        self.table_through(proxies.nginx(self.scratch, self.server.address[1]))

    def test_the_table_through_haproxy(self):
        self.table_through(proxies.haproxy(self.scratch, self.server.address[1]))

    # What is unusual and right.

    def test_pipelines_and_expectations_through_the_fronts(self):
        port = self.server.address[1]
        for front in (proxies.nginx(self.scratch, port), proxies.haproxy(self.scratch, port)):
            front.start()
            self.addCleanup(front.kill)
            head, _, body = SMUGGLED.partition(b"\r\n\r\n")
            expecting = head + b"\r\nExpect: 100-continue\r\n\r\n" + body
            for name, raw, wanted in (
                ("pipelined", SMUGGLED * 5, [202] * 5),
                ("expects 100", expecting, [202]),
                ("expects 100, pipelined", expecting + SMUGGLED + expecting, [202] * 3),
            ):
                with self.subTest(front=front.name, sent=name):
                    before = self.client.count()
                    received, _ = asyncio.run(send(front.address, raw, OPEN_S, len(wanted)))
                    self.assertEqual(statuses(received), wanted)
                    self.assertEqual(self.client.count() - before, len(wanted))

    def test_half_closed_clients_through_the_fronts(self):
        """A front may take the half for the whole and go; what it has passed on happens once."""
        port = self.server.address[1]
        for front in (proxies.nginx(self.scratch, port), proxies.haproxy(self.scratch, port)):
            front.start()
            self.addCleanup(front.kill)
            with self.subTest(front=front.name):
                before = self.client.count()
                received, _ = asyncio.run(send(front.address, SMUGGLED, OPEN_S, 1, says_end=True))
                answered = statuses(received).count(202)
                after, _ = asyncio.run(send(front.address, SMUGGLED, OPEN_S, 1))
                self.assertEqual(statuses(after), [202], "the next one gets its own answer")
                self.assertIn(self.client.count() - before, range(answered + 1, 3))
                self.note(f"{front.name}: {answered} of 1 answered")
