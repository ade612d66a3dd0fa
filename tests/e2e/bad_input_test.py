# tests/e2e/bad_input_test.py - tables of raw requests, each with its answer
"""Every row is sent byte for byte on a connection of its own; no order may come of it.

`after` says what the connection must be afterwards: "open" (the next request on it is answered),
"closed" (the answer is the last thing that comes, even though a valid order follows in the same
write: no smuggling), or "any" where both are right.
"""

import dataclasses
import gzip
import json
import unittest

from harness import ConnectionClosed, Connection, EndToEnd, request_bytes

ITEM = 7
ORDERS = "/api/v1/orders"
ORDER = {"userId": 42, "itemId": ITEM, "quantity": 1}
ORDER_TEXT = json.dumps(ORDER)
SMUGGLED = request_bytes("POST", ORDERS, {"userId": "smuggled", "itemId": ITEM, "quantity": 1})


@dataclasses.dataclass
class Row:
    name: str
    raw: bytes
    status: object = 400
    code: object = None
    after: str = "open"


def order(body=ORDER_TEXT, headers=None):
    return request_bytes("POST", ORDERS, body, headers)


def body_row(name, body, status=400, code="validation_failed"):
    return Row(name, order(body), status, code)


def members(**changes):
    """The order with members changed; a value of `...` leaves the member out."""
    merged = {**ORDER, **changes}
    return json.dumps({name: value for name, value in merged.items() if value is not ...})


def member_text(name, text):
    """The order with one member's value spelled by hand."""
    parts = [
        f'"{member}":{text if member == name else json.dumps(ORDER[member])}' for member in ORDER
    ]
    return "{" + ",".join(parts) + "}"


def head(
    *lines, body=b"", first="POST /api/v1/orders HTTP/1.1", host="Host: shop.example", end="\r\n"
):
    """A request by hand: a first line, Host, JSON's content type, and the given lines."""
    every = [first] + ([host] if host else []) + ["Content-Type: application/json", *lines]
    text = end.join(every) + end + end
    return text.encode("latin-1") + (body.encode() if isinstance(body, str) else body)


SIZE = f"Content-Length: {len(ORDER_TEXT)}"
CHUNK = f"{len(ORDER_TEXT):x}\r\n{ORDER_TEXT}\r\n0\r\n\r\n"


def framing(name, raw, status=400):
    return Row(name, raw + SMUGGLED, status, None, "closed")


KEYS = [
    Row(
        name, order(headers=[("Idempotency-Key", value) for value in values]), 400,
        "idempotency_key_invalid"
    )
    for name, values in [
        ("empty key", [""]),
        ("blank key", ["   "]),
        ("empty quoted key", ['""']),
        ("key of 256 characters", ["k" * 256]),
        ("quoted key of 256 characters", ['"' + "k" * 256 + '"']),
        ("key of 5,000 characters", ["k" * 5000]),
        ("key with a space", ["a b"]),
        ("quoted key with a space", ['"a b"']),
        ("key with a byte above ASCII", ["caf\xe9"]),
        ("key in UTF-8", ["\xed\x82\xa4"]),
        ("quote opened only", ['"abc']),
        ("quote closed only", ['abc"']),
        ("key twice", ["a", "b"]),
        ("the same key twice", ["a", "a"]),
        ("key twice, one empty", ["a", ""]),
    ]
]
KEYS += [
    Row(
        "key with a tab inside", order(headers={"Idempotency-Key": "a\tb"}), 400,
        "idempotency_key_invalid"
    ),
]
KEYS += [
    Row(name, order(headers={"Idempotency-Key": f"a{byte}b"}), 400, None, "any")
    for name, byte in [
        ("key with NUL", "\0"), ("key with 0x01", "\x01"), ("key with ESC", "\x1b"),
        ("key with DEL", "\x7f")
    ]
]

BODIES = [
    body_row("empty body", ""),
    Row("no body, no length", head(), (400, 411), None, "any"),
    body_row("only white space", " \r\n\t "),
    body_row("text", "hello"),
    body_row("an open brace", "{"),
    body_row("a closing brace missing", ORDER_TEXT[:-1]),
    body_row("null", "null"),
    body_row("a number", "1"),
    body_row("a string", '"order"'),
    body_row("a list", f"[{ORDER_TEXT}]"),
    body_row("an empty object", "{}"),
    body_row("two objects", ORDER_TEXT + ORDER_TEXT),
    body_row("something after the object", ORDER_TEXT + "x"),
    body_row("a NUL after the object", ORDER_TEXT + "\0"),
    body_row("a comma after the last member", ORDER_TEXT[:-1] + ",}"),
    body_row("a comment", ORDER_TEXT[:-1] + "/* */}"),
    body_row("single quotes", ORDER_TEXT.replace('"', "'")),
    body_row("names without quotes", "{userId:42,itemId:7,quantity:1}"),
    body_row("a byte order mark", b"\xef\xbb\xbf" + ORDER_TEXT.encode()),
    body_row("UTF-16", ORDER_TEXT.encode("utf-16")),
    body_row("invalid UTF-8 in a value", b'{"userId":"\xff","itemId":7,"quantity":1}'),
    body_row("overlong UTF-8", b'{"userId":"\xc0\x80","itemId":7,"quantity":1}'),
    body_row("a surrogate in UTF-8", b'{"userId":"\xed\xa0\x80","itemId":7,"quantity":1}'),
    body_row("invalid UTF-8 in a name", b'{"userId":42,"itemId":7,"quantity":1,"\xff":1}'),
    body_row("a raw line break in a string", '{"userId":"a\nb","itemId":7,"quantity":1}'),
    body_row("an unknown escape", '{"userId":"\\q","itemId":7,"quantity":1}'),
    body_row("half a surrogate pair", '{"userId":"\\ud800","itemId":7,"quantity":1}'),
    body_row("NaN", member_text("quantity", "NaN")),
    body_row("Infinity", member_text("quantity", "Infinity")),
    body_row("depth 17", member_text("quantity", "[" * 16 + "1" + "]" * 16)),
    body_row("depth 10,000", "[" * 10_000 + "]" * 10_000),
    body_row("depth 10,000, never closed", '{"a":' * 10_000),
    body_row("quantity twice", '{"userId":42,"itemId":7,"quantity":1,"quantity":1}'),
    body_row("userId twice, escaped", '{"userId":42,"itemId":7,"quantity":1,"user\\u0049d":43}'),
    body_row("an unknown member", members(price=1)),
    body_row("a member in other letters", '{"userid":42,"itemId":7,"quantity":1}'),
    body_row("an unknown member with an empty name", members(**{"": 1})),
    body_row("1,000 unknown members", members(**{f"m{i}": i for i in range(1000)})),
    body_row("no userId", members(userId=...)),
    body_row("no itemId", members(itemId=...)),
    body_row("no quantity", members(quantity=...), (202, 400), None),  # docs decide: 1 or a mistake
]
QUANTITIES = [
    body_row(f"quantity {text}", member_text("quantity", text))
    for text in (
        "0", "-1", "-0", "1001", "2147483648", "4294967297", "9223372036854775808",
        "18446744073709551617", "1" + "0" * 400, "1.0", "1.5", "1e0", "1E2", "0.1", "1e999", '"1"',
        '""', "null", "true", "[]", "[1]", "{}", "01", "+1", "0x1", "1_0",
    )
]
IDS = [
    body_row(f"{member} {name}", member_text(member, text))
    for member in ("userId", "itemId")
    for name, text in [
        ("empty", '""'), ("of 65 characters", '"' + "a" * 65 + '"'), ("with a space", '"a b"'),
        ("with \\u0000", '"a\\u0000b"'), ("in Korean", '"한글"'), ("with a slash", '"a/b"'),
        ("with a line break", '"a\\nb"'), ("with markup", '"<b>"'), ("with a quote", '"a\\"b"'),
        ("null", "null"),
        ("true", "true"), ("a list", "[1]"), ("an object", "{}"), ("1.5", "1.5"), ("1.0", "1.0"),
        ("1e3", "1e3"),
        ("above int64", "9223372036854775808"), ("below int64", "-9223372036854775809"),
        ("1e999", "1e999"),
        ("01", "01"),
    ]
]

SIZES = [
    Row(
        "64 KiB and one byte", order(ORDER_TEXT + " " * (65_537 - len(ORDER_TEXT))), 413, None,
        "any"
    ),
    Row("10 GB announced", head("Content-Length: 10000000000"), 413, None, "closed"),
    Row(
        "chunks beyond 64 KiB",
        head(
            "Transfer-Encoding: chunked", body=b"8000\r\n" + b" " * 0x8000 + b"\r\n" + b"8001\r\n"
            + b" " * 0x8001
        ),
        413, None, "closed"
    ),
    Row("target of 9,000 characters", request_bytes("GET", "/" + "a" * 9000), 414, None, "closed"),
    Row(
        "query of 9,000 characters", request_bytes("GET", ORDERS + "?userId=" + "a" * 9000), 414,
        None, "closed"
    ),
    Row("request line without an end", b"GET /" + b"a" * 40_000, (414, 431), None, "closed"),
    Row(
        "header value of 17,000", request_bytes("GET", "/livez", headers={"X-Long": "a" * 17_000}),
        431, None, "closed"
    ),
    Row(
        "header name of 17,000", request_bytes("GET", "/livez", headers={"X" * 17_000: "1"}), 431,
        None, "closed"
    ),
    Row(
        "101 headers",
        request_bytes("GET", "/livez", headers=[(f"X-{i}", "1") for i in range(101)]), 431, None,
        "closed"
    ),
    Row(
        "headers without an end", b"GET /livez HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 8000, 431,
        None, "closed"
    ),
]

TYPES = [
    Row(f"content type {value}", order(headers={"Content-Type": value}), 415, None)
    for value in (
        "text/plain", "application/xml", "application/jsonp", "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=a", "json", ""
    )
]
TYPES += [
    Row(
        "a compressed body",
        order(gzip.compress(ORDER_TEXT.encode()), {"Content-Encoding": "gzip"}), (400, 415)
    ),
    Row(
        "a form",
        order(
            "userId=42&itemId=7&quantity=1", {"Content-Type": "application/x-www-form-urlencoded"}
        ),
        415
    ),
]

PATHS = [
    Row(f"path {path}", request_bytes("POST", path, ORDER), 404, None)
    for path in (
        "/", "/api/v1/order", "/api/v1/orders/", "//api/v1/orders", "/api/v1//orders",
        "/api/v2/orders", "/API/V1/ORDERS", "/api/v1/orders/x/y",
        "/api/v1/orders;a=1"
    )
]
PATHS += [
    Row(f"path {path}", request_bytes("GET", path), 404, None)
    for path in (
        "/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/api/v1/../../livez", "/.git/config",
        "/api/v1/orders/1", "/api/v1/orders/zzzzzzzz-zzzz-7zzz-8zzz-zzzzzzzzzzzz",
        "/api/v1/orders/00000000-0000-4000-8000-000000000000",
        "/api/v1/orders/018f0000-0000-7000-8000-000000000000", "/api/v1/orders/stock/nothing-here",
        "/problems"
    )
]
PATHS += [
    Row(
        f"path {path}", request_bytes("GET", "/api/v1/orders" + path), (400, 404), None, "any"
    )
    for path in (
        "/stock/a%20b", "/stock/%00", "/stock/%ff", "/stock/" + "a" * 65, "/stock/%zz", "/stock/",
        "%2e%2e", "/stock/..", "/stock/a%2Fb",
    )
]

METHODS = [
    Row(
        f"{method} {path}",
        request_bytes(method, path, {} if method in ("PUT", "PATCH", "POST") else None), 405,
        "method_not_allowed"
    )
    for method, path in [
        ("PUT", ORDERS), ("DELETE", ORDERS), ("PATCH", ORDERS), ("POST", "/livez"),
        ("POST", "/metrics"), ("POST", ORDERS + "/count"),
        ("DELETE", ORDERS + "/018f0000-0000-7000-8000-000000000000"),
        ("GET", "/api/v1/orders:batch"),
    ]
]
METHODS += [
    Row("an unknown method", request_bytes("BREW", ORDERS), (405, 501), None, "any"),
    Row(
        "a method in small letters", request_bytes("post", ORDERS, ORDER), (400, 405, 501), None,
        "any"
    ),
    Row(
        "CONNECT", head(first="CONNECT shop.example:80 HTTP/1.1"), (400, 404, 405, 501), None, "any"
    ),
    Row("TRACE", request_bytes("TRACE", "/livez"), (405, 501), None, "any"),
    Row("a wrong expectation", head(SIZE, "Expect: tea", body=ORDER_TEXT), (400, 417), None, "any"),
]

QUERIES = [
    Row(
        f"list with {query or 'no query'}",
        request_bytes("GET", ORDERS + ("?" + query if query else "")), 400, "validation_failed"
    )
    for query in (
        "", "limit=5", "userId=", "userId=a%20b", "userId=42&limit=0", "userId=42&limit=101",
        "userId=42&limit=-1", "userId=42&limit=1.5", "userId=42&limit=x", "userId=42&limit=",
        "userId=42&limit=99999999999999999999", "userId=42&status=lost", "userId=42&cursor=x",
        "userId=42&cursor=%00", "userId=42&cursor=" + "a" * 200, "userId=42&itemId=a%2Fb",
        "userId=42&unknown=1", "userId=42&userId=43", "userId=%zz", "userId=%"
    )
]
QUERIES += [
    Row(
        f"count with {query}", request_bytes("GET", f"{ORDERS}/count?{query}"), 400,
        "validation_failed"
    )
    for query in ("itemId=", "itemId=a%20b", "itemId=7&itemId=8", "unknown=1")
]

FRAMING = [
    framing("length and chunks", head(SIZE, "Transfer-Encoding: chunked", body=CHUNK)),
    framing("chunks and length", head("Transfer-Encoding: chunked", SIZE, body=CHUNK)),
    framing(
        "length 0 and chunks", head("Content-Length: 0", "Transfer-Encoding: chunked", body=CHUNK)
    ),
    framing("two lengths", head(SIZE, "Content-Length: 0", body=ORDER_TEXT)),
    framing("two equal lengths", head(SIZE, SIZE, body=ORDER_TEXT)),
    framing("a list of lengths", head(f"{SIZE}, {len(ORDER_TEXT)}", body=ORDER_TEXT)),
]
FRAMING += [
    framing(f"length {value!r}", head(f"Content-Length: {value}", body=ORDER_TEXT))
    for value in (
        f"+{len(ORDER_TEXT)}", "-1", f"0x{len(ORDER_TEXT):x}", "4 4", "", "44a", "4.4e1", "4\x0b4",
        "\xb2"
    )
]
FRAMING += [
    framing(
        "length beyond 64 bits", head("Content-Length: 99999999999999999999999", body=ORDER_TEXT),
        (400, 413)
    ),
    framing(
        "length 2^64 + 44", head(f"Content-Length: {2**64 + len(ORDER_TEXT)}", body=ORDER_TEXT),
        (400, 413)
    ),
]
FRAMING += [
    framing(
        f"transfer encoding {value!r}", head(f"Transfer-Encoding: {value}", body=CHUNK), (400, 501)
    )
    for value in (
        "xchunked", "identity", "chunked, identity", "gzip, chunked", "chunked, chunked", "",
        "\x0bchunked", "chunked;q=1", '"chunked"', "chunked\x00", "cow"
    )
]
FRAMING += [
    framing(
        "two transfer encodings", head(*["Transfer-Encoding: chunked"] * 2, body=CHUNK), (400, 501)
    ),
    framing(
        "an encoding beside a length", head("Transfer-Encoding: identity", SIZE, body=ORDER_TEXT),
        (400, 501)
    ),
    framing(
        "chunks in HTTP/1.0",
        head("Transfer-Encoding: chunked", first="POST /api/v1/orders HTTP/1.0", body=CHUNK)
    ),
    framing("space before the colon", head(SIZE.replace(":", " :"), body=ORDER_TEXT)),
    framing("tab before the colon", head(SIZE.replace(":", "\t:"), body=ORDER_TEXT)),
    framing("space before the colon of a harmless header", head(SIZE, "X-A : 1", body=ORDER_TEXT)),
    framing("a folded header", head(SIZE, "X-A: 1\r\n 2", body=ORDER_TEXT)),
    framing("a header folded by a tab", head(SIZE, "X-A: 1\r\n\t2", body=ORDER_TEXT)),
    framing("a folded encoding", head("Transfer-Encoding:\r\n chunked", body=CHUNK)),
    framing(
        "a fold before the first header", head(SIZE, host=" Host: shop.example", body=ORDER_TEXT)
    ),
    framing("bare LF everywhere", head(SIZE, end="\n", body=ORDER_TEXT)),
    framing("bare LF after one header", head(f"X-A: 1\n{SIZE}", body=ORDER_TEXT)),
    framing(
        "bare LF after the request line",
        head(
            SIZE, host="", body=ORDER_TEXT, first="POST /api/v1/orders HTTP/1.1\nHost: shop.example"
        )
    ),
    framing("bare LF as the empty line", head(SIZE)[:-2] + b"\n" + ORDER_TEXT.encode()),
    framing("bare CR in a value", head(SIZE, "X-A: 1\r2", body=ORDER_TEXT)),
    framing(
        "bare CR in front of a header", head(SIZE, "X-A: 1\rContent-Length: 0", body=ORDER_TEXT)
    ),
    framing("CR CR LF", head(SIZE, "X-A: 1\r", body=ORDER_TEXT)),
    framing("CR only", head(SIZE, end="\r", body=ORDER_TEXT)),
    framing("NUL in a value", head(SIZE, "X-A: 1\x002", body=ORDER_TEXT)),
    framing("NUL in a name", head(SIZE, "X\x00A: 1", body=ORDER_TEXT)),
    framing("0x01 in a value", head(SIZE, "X-A: \x01", body=ORDER_TEXT)),
    framing("DEL in a value", head(SIZE, "X-A: \x7f", body=ORDER_TEXT)),
    framing("a header without a colon", head(SIZE, "X-A", body=ORDER_TEXT)),
    framing("a header without a name", head(SIZE, ": 1", body=ORDER_TEXT)),
    framing("a name with a space", head(SIZE, "X A: 1", body=ORDER_TEXT)),
    framing("a name with a bracket", head(SIZE, "X(A): 1", body=ORDER_TEXT)),
    framing("a name above ASCII", head(SIZE, "X\xe9: 1", body=ORDER_TEXT)),
    framing("no Host", head(SIZE, host=None, body=ORDER_TEXT)),
    framing("two Hosts", head(SIZE, "Host: other.example", body=ORDER_TEXT)),
    framing("the same Host twice", head(SIZE, "Host: shop.example", body=ORDER_TEXT)),
    framing("a Host with a space", head(SIZE, host="Host: a b", body=ORDER_TEXT)),
    framing("a Host with a slash", head(SIZE, host="Host: a/b", body=ORDER_TEXT)),
    framing(
        "two credentials",
        head(SIZE, *["Authorization: Bearer x"] * 2, body=ORDER_TEXT)
    ),
    framing("a Host list", head(SIZE, host="Host: a, b", body=ORDER_TEXT)),
]
FRAMING += [
    framing(f"chunk {name}", head("Transfer-Encoding: chunked", body=body))
    for name, body in [
        ("size zz", "zz\r\n" + CHUNK), ("size -1", "-1\r\n" + CHUNK), ("size +5", "+5\r\n" + CHUNK),
        ("size 0x2c", "0x" + CHUNK), ("size with a space in front", " " + CHUNK),
        ("size empty", "\r\n" + CHUNK),
        ("size beyond 64 bits", "10000000000000000" + CHUNK),
        ("size ended by LF", CHUNK.replace("\r\n", "\n", 1)),
        ("longer than its size", CHUNK.replace(ORDER_TEXT, ORDER_TEXT + "xx")),
        ("shorter than its size", CHUNK.replace(ORDER_TEXT, ORDER_TEXT[:-2])),
        ("extension with a quote that nothing ends", CHUNK.replace("\r\n", ';a="b\r\n', 1)),
        ("extension with a bare LF", CHUNK.replace("\r\n", ";a=\n\r\n", 1)),
        ("trailer with a space before the colon", CHUNK[:-2] + "X : 1\r\n\r\n"),
    ]
]
FRAMING += [
    framing(f"first line {first!r}", head(SIZE, first=first, body=ORDER_TEXT), (400, 404, 501, 505))
    for first in (
        " POST /api/v1/orders HTTP/1.1", "POST  /api/v1/orders HTTP/1.1",
        "POST /api/v1/orders  HTTP/1.1", "POST\t/api/v1/orders\tHTTP/1.1", "POST /api/v1/orders",
        "POST", "POST /api/v1/orders HTTP/1.1 x", "POST /api/v1/orders x HTTP/1.1",
        "POST /api/v1/orders HTTP/2.0", "POST /api/v1/orders HTTP/0.9",
        "POST /api/v1/orders HTTP/11", "POST /api/v1/orders http/1.1",
        "POST /api/v1/orders HTTP/1.1x", "POST /api/v1/orders HTTP/1.",
        "POST /api/v1/orders HTTPS/1.1", "POST api/v1/orders HTTP/1.1",
        "POST /api/v1/orders\x01 HTTP/1.1", "POST /api/v1/orders\x00 HTTP/1.1",
        "POST /api/v1/orders\x7f HTTP/1.1", "P(ST /api/v1/orders HTTP/1.1",
        "P\x00ST /api/v1/orders HTTP/1.1"
    )
]
FRAMING += [
    framing(
        "a TLS greeting", bytes.fromhex("16030100c8010000c40303") + bytes(range(180, 255))
        + b"\r\n\r\n"
    ),
    framing("HTTP/2 without asking", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 405, 501, 505)),
    framing("noise", bytes(range(256)) + b"\r\n\r\n"),
]

BATCH = "/api/v1/orders:batch"


def batch_row(name, body, status=400, code="validation_failed", after="open"):
    return Row("batch: " + name, request_bytes("POST", BATCH, body), status, code, after)


BATCHES = [
    batch_row("no orders", {}),
    batch_row("orders is an object", {"orders": {}}),
    batch_row("orders is null", {"orders": None}),
    batch_row("a bare list", [ORDER]),
    batch_row("1,001 orders", {"orders": [ORDER] * 1001}),
    batch_row("an unknown member", {"orders": [], "extra": 1}),
    batch_row("above 1 MiB", json.dumps({"orders": []}) + " " * (1 << 20), 413, None, "any"),
]

ADMIN = "/api/v1/admin/stock"
STOCK = {"itemId": ITEM, "operation": "add", "quantity": 1}
STOCK_BODIES = [
    (name, {key: value for key, value in {**STOCK, **changes}.items() if value is not ...})
    for name, changes in [
        ("no item", {"itemId": ...}), ("no operation", {"operation": ...}),
        ("no quantity", {"quantity": ...}),
        ("an unknown operation", {"operation": "sell"}),
        ("an operation in capitals", {"operation": "ADD"}),
        ("quantity -1", {"quantity": -1}), ("quantity 1.5", {"quantity": 1.5}),
        ("quantity as text", {"quantity": "1"}),
        ("quantity above the most", {"quantity": 10**18}), ("an unknown member", {"price": 1}),
        ("limit 0", {"perUserLimit": 0}), ("limit -1", {"perUserLimit": -1}),
        ("limit as text", {"perUserLimit": "1"}),
        ("opensAt in words", {"opensAt": "tomorrow"}),
        ("opensAt without a zone", {"opensAt": "2030-01-01T00:00:00"}),
        ("opensAt on 30 February", {"opensAt": "2030-02-30T00:00:00Z"}),
        ("closesAt true", {"closesAt": True}),
        ("an item with a space", {"itemId": "a b"}), ("reason as a number", {"reason": 1}),
    ]
]


class BadInput(EndToEnd):
    shared_settings = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.set_stock(ITEM, 1_000_000)

    def check(self, rows):
        for row in rows:
            with self.subTest(row.name):
                before = self.client.count()
                self.check_row(row)
                if row.status != (202, 400):
                    self.assertEqual(self.client.count(), before, "an order came of it")
        self.note(f"{len(rows)} requests")

    def check_row(self, row):
        with Connection(self.server.address, timeout_s=5) as connection:
            try:
                connection.send(row.raw)
            except ConnectionClosed:
                pass  # it may be refused before all of it was read
            response = connection.read(head_only=row.raw.startswith(b"HEAD"))
            self.expect(response, row.status, row.code)
            if response.status != 202:
                problem = self.check_problem(response)
                if row.code == "validation_failed":
                    self.check_errors(problem)
            if response.status == 405:
                self.assertRegex(response.header("Allow") or "", r"^[A-Z]+(, [A-Z]+)*$")
            self.assertIsNone(response.header("Server"), "the program names itself")
            if row.after == "closed":
                self.assertTrue(
                    response.closes, f"no Connection: close, yet framing was in doubt: {response}"
                )
                self.assertTrue(
                    connection.is_closed(5), f"not closed; then came {connection.buffer[:200]!r}"
                )
            elif row.after == "open" or not response.closes:
                self.assertFalse(response.closes, f"closed without need: {response}")
                connection.send(request_bytes("GET", "/livez"))
                self.assertEqual(connection.read().status, 200, "the connection did not go on")

    def check_errors(self, problem):
        self.assertIsInstance(problem.get("errors"), list, problem)
        self.assertTrue(problem["errors"], problem)
        for error in problem["errors"]:
            self.assertRegex(error["pointer"], r"^$|^/|^#|^\?")
            self.assertRegex(error["code"], r"^[a-z][a-z0-9_]*$")

    def test_bad_keys(self):
        self.check(KEYS)

    def test_bad_bodies(self):
        self.check(BODIES)

    def test_bad_quantities(self):
        self.check(QUANTITIES)

    def test_bad_ids(self):
        self.check(IDS)

    def test_too_much(self):
        self.check(SIZES)

    def test_wrong_content_types(self):
        self.check(TYPES)

    def test_wrong_paths(self):
        self.check(PATHS)

    def test_wrong_methods(self):
        self.check(METHODS)

    def test_bad_queries(self):
        self.check(QUERIES)

    def test_doubtful_framing(self):
        self.check(FRAMING)

    def test_bad_batches(self):
        self.check(BATCHES)

    def test_bad_stock_changes_move_nothing(self):
        before = self.client.stock(ITEM)
        for name, body in STOCK_BODIES:
            with self.subTest(name):
                response = self.client.admin("POST", ADMIN, body)
                self.expect(response, 400, "validation_failed")
        self.expect(
            self.client.change_stock(
                ITEM, "add", 0, opensAt="2031-01-01T00:00:00Z", closesAt="2030-01-01T00:00:00Z"
            ),
            (400, 409, 422),
        )
        after = self.client.stock(ITEM)
        for stock in (before, after):
            stock.pop("asOf", None)
        self.assertEqual(after, before)

    def test_an_error_tells_where_it_is(self):
        for text, pointer in [
            (members(quantity=0), "/quantity"), (members(userId="a b"), "/userId"),
            (members(itemId=None), "/itemId"),
            (members(price=1), "/price"), (members(**{"a/b~c": 1}), "/a~1b~0c"),
            (members(userId=...), "/userId"),
        ]:
            with self.subTest(text):
                problem = self.client.post(ORDERS, text).json()
                self.assertIn(
                    pointer, [error["pointer"].lstrip("#") for error in problem["errors"]]
                )

    def test_nothing_sent_comes_back_unescaped(self):
        response = self.client.post(ORDERS, members(**{'"<script>\u2028': 1}))
        self.expect(response, 400, "validation_failed")
        self.assertNotIn(b"<script>\"", response.body)
        response = self.client.get("/<script>alert(1)</script>")
        self.expect(response, (400, 404))
        self.check_problem(response)


class KeysRequired(EndToEnd):
    shared_settings = {"idempotency.required": "true"}

    def test_an_order_without_a_key_is_refused(self):
        self.client.set_stock(ITEM, 10)
        response = self.expect(self.client.order(1, ITEM), 400, "idempotency_key_missing")
        self.assertIsNotNone(response.header("Link"), "where the docs are")
        self.assertEqual(self.client.count(), 0)
        self.expect(self.client.order(1, ITEM, key="k"), 202)


class GoodInput(EndToEnd):
    """What must pass, however odd it looks: who refuses everything would pass the tables above."""

    shared_settings = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.set_stock(ITEM, 1_000_000)

    ACCEPTED = [
        ("plain", order()),
        ("an empty line before it", b"\r\n" + order()),
        ("chunks", head("Transfer-Encoding: chunked", body=CHUNK)),
        ("chunks in capitals", head("Transfer-Encoding: Chunked", body=CHUNK)),
        (
            "chunk size in capitals",
            head("Transfer-Encoding: chunked", body=CHUNK.replace("2c", "2C", 1))
        ),
        ("chunk size with zeros", head("Transfer-Encoding: chunked", body="000" + CHUNK)),
        (
            "chunk extensions",
            head("Transfer-Encoding: chunked", body=CHUNK.replace("\r\n", ';a=1;b="2"\r\n', 1))
        ),
        ("many chunks", head("Transfer-Encoding: chunked",
                             body="".join(f"1\r\n{c}\r\n" for c in ORDER_TEXT) + "0\r\n\r\n")),
        ("a trailer", head("Transfer-Encoding: chunked", body=CHUNK[:-2] + "X-Sum: 1\r\n\r\n")),
        (
            "absolute form",
            head(SIZE, first="POST http://shop.example/api/v1/orders HTTP/1.1", body=ORDER_TEXT)
        ),
        ("names in small letters", head(SIZE.lower(), host="host: shop.example", body=ORDER_TEXT)),
        (
            "no space after the colon",
            head(SIZE.replace(" ", ""), host="Host:shop.example", body=ORDER_TEXT)
        ),
        ("white space around a value", head(SIZE + " \t ", "X-A: \t 1 \t", body=ORDER_TEXT)),
        ("a length with zeros", head(f"Content-Length: 000{len(ORDER_TEXT)}", body=ORDER_TEXT)),
        ("an empty header value", head(SIZE, "X-A:", body=ORDER_TEXT)),
        ("a value above ASCII", head(SIZE, "X-A: caf\xe9", body=ORDER_TEXT)),
        ("a Host with a port", head(SIZE, host="Host: shop.example:8080", body=ORDER_TEXT)),
        ("an IPv6 Host", head(SIZE, host="Host: [::1]:8080", body=ORDER_TEXT)),
        ("80 more headers", head(SIZE, *[f"X-{i}: 1" for i in range(80)], body=ORDER_TEXT)),
        ("HTTP/1.0", head(SIZE, first="POST /api/v1/orders HTTP/1.0", body=ORDER_TEXT)),
        ("charset", order(headers={"Content-Type": "application/json; charset=utf-8"})),
        (
            "charset in capitals",
            order(headers={"Content-Type": 'Application/JSON;Charset="UTF-8"'})
        ),
        ("white space in the body", order(" \r\n\t" + ORDER_TEXT.replace(",", " ,\n") + "\n")),
        ("exactly 64 KiB", order(ORDER_TEXT + " " * (65_536 - len(ORDER_TEXT)))),
        ("escaped names", order('{"\\u0075serId":42,"itemId":7,"quantity":1}')),
        ("a user of 64 characters", order(members(userId="aZ09._:-" * 8))),
        ("the largest int64", order(members(userId=2**63 - 1))),
        ("the smallest int64", order(members(userId=-(2**63)))),
        ("a user with zeros in front", order(members(userId="007"))),
        ("an item given as text", order(members(itemId="7"))),
        ("quantity 1,000", order(members(quantity=1000))),
        ("a key of one character", order(headers={"Idempotency-Key": "!"})),
        ("a key of 255", order(headers={"Idempotency-Key": "k" * 255})),
        ("a key of every visible character", order(
            headers={"Idempotency-Key": "".join(map(chr, range(33, 127))).replace('"', "")})),
        (
            "a trace",
            order(
                headers={"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
            )
        ),
        ("a broken trace", order(headers={"traceparent": "zz-\"-x"})),
        (
            "a forwarded address nobody vouches for",
            order(headers={"X-Forwarded-For": "garbage,,;'\""})
        ),
        (
            "upgrade offered",
            order(headers={"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c"})
        ),
    ]

    def test_it_is_accepted(self):
        for name, raw in self.ACCEPTED:
            with self.subTest(name):
                before = self.client.count()
                with Connection(self.server.address, timeout_s=5) as connection:
                    connection.send(raw)
                    self.expect(connection.read(), 202)
                self.assertEqual(self.client.count(), before + 1)
        self.note(f"{len(self.ACCEPTED)} requests")

    def test_one_byte_at_a_time(self):
        raw = order(headers={"Idempotency-Key": "slowly"})
        with Connection(self.server.address) as connection:
            for position in range(len(raw)):
                connection.send(raw[position:position + 1])
            self.expect(connection.read(), 202)

    def test_expect_100_continue(self):
        raw = head(SIZE, "Expect: 100-continue")
        with Connection(self.server.address) as connection:
            connection.send(raw)
            self.assertEqual(connection.read_interim().status, 100)
            connection.send(ORDER_TEXT.encode())
            self.expect(connection.read_interim(), 202)

    def test_a_body_nobody_wants_is_not_asked_for(self):
        raw = head("Content-Length: 10000000000", "Expect: 100-continue")
        with Connection(self.server.address) as connection:
            connection.send(raw)
            self.expect(connection.read_interim(), (413, 417))

    def test_pipelined_requests_are_answered_in_order(self):
        users = list(range(1000, 1200))
        before = self.client.count()
        with Connection(self.server.address) as connection:
            connection.send(b"".join(order(members(userId=user)) for user in users))
            answers = [connection.read() for _ in users]
        self.assertEqual({answer.status for answer in answers}, {202})
        self.assertEqual([answer.json()["userId"] for answer in answers], users)
        sequences = [answer.json()["sequence"] for answer in answers]
        self.assertEqual(
            sequences, sorted(sequences), "one connection's orders are decided in its order"
        )
        self.assertEqual(self.client.count(), before + len(users))

    def test_mixed_pipeline_is_answered_in_order(self):
        with Connection(self.server.address) as connection:
            connection.send(
                order(members(quantity=0)) + request_bytes("GET", "/livez") + order()
                + request_bytes("GET", "/nowhere") + request_bytes("HEAD", "/livez") + order()
            )
            statuses = [connection.read(head_only=position == 4).status for position in range(6)]
        self.assertEqual(statuses, [400, 200, 202, 404, 200, 202])

    def test_close_is_honoured(self):
        with Connection(self.server.address) as connection:
            connection.send(order(headers={"Connection": "close"}) + SMUGGLED)
            response = self.expect(connection.read(), 202)
            self.assertTrue(response.closes)
            self.assertTrue(connection.is_closed(5), "an answer after Connection: close")

    def test_head_has_no_body(self):
        with Connection(self.server.address) as connection:
            connection.send(request_bytes("HEAD", "/livez") + request_bytes("GET", "/livez"))
            self.expect(connection.read(head_only=True), 200)
            self.expect(connection.read(), 200)


class CutConnections(EndToEnd):
    """The line may be cut at any byte; a retry with the same key gets the truth, once."""

    shared_settings = {}

    def test_cut_after_every_byte_of_the_request(self):
        item = "cut"
        self.client.set_stock(item, 10_000)
        whole = request_bytes(
            "POST", ORDERS, {"userId": "u", "itemId": item, "quantity": 1},
            {"Idempotency-Key": "key-00000"}
        )
        for size in range(len(whole)):
            raw = whole.replace(b"key-00000", b"key-%05d" % size)[:size]
            connection = Connection(self.server.address)
            connection.send(raw)
            connection.reset() if size % 2 else connection.close()
        self.assertEqual(self.client.count(item), 0, "half a request made an order")
        for size in range(0, len(whole), 10):
            answer = self.expect(self.client.order("u", item, key=f"key-{size:05d}"), 202)
            self.assertFalse(answer.replayed)
        self.note(f"{len(whole)} cuts")

    def test_cut_before_the_answer_is_read(self):
        item, rounds = "unheard", 200
        self.client.set_stock(item, 10_000)
        for number in range(rounds):
            raw = request_bytes(
                "POST", ORDERS, {"userId": number, "itemId": item, "quantity": 1},
                {"Idempotency-Key": f"k{number}"}
            )
            connection = Connection(self.server.address)
            connection.send(raw)
            if number % 3 == 0:
                connection.socket.recv(number + 1)  # part of the answer
            connection.reset()
        orders = set()
        for number in range(rounds):
            answer = self.expect(self.client.order(number, item, key=f"k{number}"), 202)
            orders.add(answer.json()["orderId"])
        self.assertEqual(len(orders), rounds)
        self.assertEqual(self.client.count(item), rounds)
        stock = self.client.stock(item)
        self.assertEqual(stock["remaining"], 10_000 - rounds)


if __name__ == "__main__":
    unittest.main()
