# tests/e2e/auditor.py - judges a sale from outside: the answers that were heard, and what is stored
"""The independent auditor of docs' reliability promises (I1..I7, I9, I12).

It shares no code with the program. It knows two things only: a list of `Answer` (what clients
heard, or that they heard nothing), and what is stored: the SQLite files, or PostgreSQL's tables.
`audit()` returns a list of `Violation`; an empty list is a pass.

Unknown is not failed: a request without an answer may be stored or not. What must never be: a 202
that is not stored, an order stored that nobody asked for, two orders under one key, a unit sold
twice, a gap in an item's line.
"""

import collections
import contextlib
import dataclasses
import glob
import os
import re
import shutil
import sqlite3
import tempfile

UNKNOWN = 0  # the status of a request that got no answer
# A request answered so may have been written all the same; every other refusal promises it was not.
UNDECIDED = {UNKNOWN, 500, 504}
BUSINESS_NO = {"sold_out", "insufficient_stock", "user_limit_exceeded"}
VIOLATIONS_MAX = 50  # per rule; more say nothing new


@dataclasses.dataclass
class Answer:
    """One request and what came back. Times are monotonic nanoseconds of one clock, or None."""

    user: str
    key: str  # "" without one
    item: str
    quantity: int
    status: int
    code: str = ""  # of a problem
    order_id: str = ""  # of a 202
    sequence: int = 0  # of a 202
    replayed: bool = False
    body_hash: str = ""
    sent: int | None = None
    answered: int | None = None


@dataclasses.dataclass
class StoredOrder:
    shard: int
    high: int
    low: int
    user: str
    item: str
    quantity: int
    sequence: int
    accepted_at: int
    previous: int | None  # None: this store keeps no chain
    key: bytes | None
    released: bool


@dataclasses.dataclass
class StoredItem:
    item: str
    initial: int
    restocked: int
    opens_at: int | None
    closes_at: int | None
    per_user_limit: int | None


@dataclasses.dataclass
class Store:
    orders: list
    items: dict


@dataclasses.dataclass(frozen=True)
class Violation:
    rule: str
    text: str

    def __str__(self):
        return f"{self.rule}: {self.text}"


# ------------------------------------------------------------------------------------ the records

ROUNDING_NS = 2_000  # a time in a record is cut to microseconds, twice


def read_record(path):
    """Answers as `firstcome bench --record` writes them: eleven columns, one space between.

    user key item quantity status outcome sequence replayed body sent_us latency_us; "-" is nothing.
    The status of a request without an answer is "unknown". A last line without its end is left
    out: its writer was killed.
    """
    answers = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith("\n"):
                break
            if line.startswith("#") or line == "\n":
                continue
            fields = ["" if field == "-" else field for field in line[:-1].split(" ")]
            if len(fields) != 11:
                raise ValueError(f"{path}:{number}: {len(fields)} columns: {line!r}")
            answers.append(_answer_of(fields))
    return answers


def _answer_of(fields):
    user, key, item, quantity, status, outcome, sequence, replayed, body, *times = fields
    sent_us, latency_us = times
    status = UNKNOWN if status == "unknown" else int(status)
    accepted = status == 202
    sent = int(sent_us) * 1000 if sent_us else None
    answered = sent + int(latency_us) * 1000 + ROUNDING_NS if sent_us and latency_us else None
    return Answer(
        user=user, key=key, item=item, quantity=int(quantity), status=status,
        code="" if accepted else outcome, order_id=outcome if accepted else "", sequence=int(
            sequence or 0
        ),
        replayed=replayed == "1", body_hash=body, sent=sent, answered=answered,
    )


# -------------------------------------------------------------------------------------- the store


def read_store(data, check_pages=True):
    """All lanes of a data directory, read from copies: the evidence itself is left as it was.

    check_pages=False leaves out SQLite's integrity_check, which also objects to bits nobody reads.
    """
    with tempfile.TemporaryDirectory(prefix="firstcome-audit-") as copies:
        orders, items = [], {}
        paths = sorted(glob.glob(os.path.join(data, "lane-*.db")))
        if not paths:
            raise ValueError(f"no lane-NN.db in {data}")
        for path in paths:
            for suffix in ("", "-wal"):  # the -shm is rebuilt from the -wal
                with contextlib.suppress(FileNotFoundError):
                    shutil.copy(path + suffix, copies)
            shard = int(re.fullmatch(r"lane-(\d+)\.db", os.path.basename(path))[1])
            copy = os.path.join(copies, os.path.basename(path))
            _read_lane(copy, shard, orders, items, check_pages)
        return Store(orders, items)


def _read_lane(path, shard, orders, items, check_pages):
    with contextlib.closing(sqlite3.connect(path)) as database:
        check = database.execute("PRAGMA integrity_check").fetchone()[0] if check_pages else "ok"
        if check != "ok":
            raise ValueError(f"{path}: SQLite's integrity_check says: {check}")
        names = {}
        rows = database.execute(
            "SELECT item_no, item_id, initial, restocked, opens_at, closes_at, per_user_limit"
            " FROM items"
        )
        for number, item, initial, restocked, opens, closes, limit in rows:
            names[number] = item
            if item in items:
                raise ValueError(f"{path}: item {item} lives in two lanes")
            items[item] = StoredItem(item, initial, restocked, opens, closes, limit)
        released = {row[0] for row in database.execute("SELECT order_id FROM releases")}
        rows = database.execute(
            "SELECT id, random, user, item, quantity, sequence, accepted_at, previous, key"
            " FROM orders ORDER BY id"
        )
        for high, low, user, item, quantity, sequence, accepted_at, previous, key in rows:
            orders.append(StoredOrder(
                shard, high & (2**64 - 1), low & (2**64 - 1), _text(user),
                names.get(item, f"?{item}"), quantity,
                sequence, accepted_at, previous, key, high in released,
            ))


def read_postgres(select):
    """The tables of the distributed mode; `select(sql)` gives rows as lists of texts, "" for NULL.

    Dead letters of the consumer `orders` count as stored: their units are spoken for.
    """
    items = {}
    for item, *numbers in select(
        "SELECT item_id, initial, restocked, floor(extract(epoch FROM opens_at) * 1000)::bigint,"
        " floor(extract(epoch FROM closes_at) * 1000)::bigint, per_user_limit FROM items"
    ):
        initial, restocked, *maybe = [int(number) if number else None for number in numbers]
        items[item] = StoredItem(item, initial, restocked, *maybe)
    orders = []
    for order_id, shard, user, item, quantity, sequence, accepted_at, key, gone in select(
        "SELECT order_id, shard, user_id, item_id, quantity, sequence,"
        " floor(extract(epoch FROM accepted_at) * 1000)::bigint, encode(key, 'hex'),"
        " status = 'failed' FROM orders UNION ALL "
        "SELECT order_id, shard, user_id, item_id, quantity, sequence,"
        " floor(extract(epoch FROM accepted_at) * 1000)::bigint, encode(key, 'hex'),"
        " status = 'discarded' FROM failed_order_events"
        " WHERE consumer = 'orders' AND status <> 'resolved' ORDER BY 4, 6"
    ):
        number = int(order_id.replace("-", ""), 16)
        orders.append(StoredOrder(
            int(shard), number >> 64, number & (2**64 - 1), user, item, int(quantity),
            int(sequence), int(accepted_at), None, bytes.fromhex(key) if key else None, gone == "t",
        ))
    return Store(orders, items)


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def order_id_text(high, low):
    digits = f"{high:016x}{low:016x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


# -------------------------------------------------------------------------------------- the rules


class _Findings:
    def __init__(self):
        self.violations = []
        self.per_rule = collections.Counter()

    def add(self, rule, text):
        self.per_rule[rule] += 1
        if self.per_rule[rule] <= VIOLATIONS_MAX:
            self.violations.append(Violation(rule, text))


def audit(answers, store, stocks=(), complete=True, restocked_items=(), limits_changed=()):
    """All violations.

    answers          everything clients heard, in any order
    store            read_store()'s, taken after the last answer
    stocks           bodies of the stock route, taken when nothing moved
    complete         whether `answers` holds every request ever sent to this data directory
    restocked_items  items to which units came back: "sold out" may be followed by a sale
    limits_changed   items whose per-user limit was lowered: who had more keeps it
    """
    findings = _Findings()
    live = [order for order in store.orders if not order.released]
    _check_rows(findings, store)
    _check_stock(findings, store, live)
    _check_stock_route(findings, store, live, stocks)
    _check_lines(findings, store)
    _check_chains(findings, store)
    _check_limits(findings, store, live, set(limits_changed))
    _check_windows(findings, store)
    _check_accepted(findings, answers, store)
    _check_keys(findings, answers, store, set(restocked_items))
    if complete:
        _check_phantoms(findings, answers, store)
    _check_first_come(findings, answers, set(restocked_items))
    return findings.violations


def _check_rows(findings, store):
    """Every row is a whole order: a UUIDv7, a known item, a quantity."""
    for order in store.orders:
        text = order_id_text(order.high, order.low)
        if (order.high >> 12) & 0xF != 7 or (order.low >> 62) != 0b10:
            findings.add("form", f"{text} is no UUIDv7")
        if order.quantity < 1:
            findings.add("form", f"{text} has quantity {order.quantity}")
        if order.item not in store.items:
            findings.add("form", f"{text} is of an item that does not exist: {order.item}")
        if not order.user:
            findings.add("form", f"{text} has no user")
        if (order.low >> 56) & 0x3F != order.shard:
            findings.add(
                "form", f"{text} lies in lane {order.shard}, its id says {(order.low >> 56) & 0x3F}"
            )


def _units_by_item(orders):
    units = collections.Counter()
    for order in orders:
        units[order.item] += order.quantity
    return units


def _check_stock(findings, store, live):
    """I1: no more units out than ever came in."""
    units = _units_by_item(live)
    for item in store.items.values():
        total = item.initial + item.restocked
        if units[item.item] > total:
            findings.add("I1", f"{item.item}: {units[item.item]} units sold of {total}")
        if total < 0:
            findings.add("I1", f"{item.item}: a total of {total}")


def _check_stock_route(findings, store, live, stocks):
    """I2: what the service says adds up, and is what is stored."""
    units = _units_by_item(live)
    for stock in stocks:
        item = str(stock["itemId"])
        restocked = stock.get("restocked", 0)
        compensating = stock.get("compensating", 0)
        total = stock["initial"] + restocked
        if total != stock["remaining"] + stock["sold"] + compensating:
            findings.add("I2", f"{item}: does not add up: {stock}")
        if stock["remaining"] < 0:
            findings.add("I1", f"{item}: remaining {stock['remaining']}")
        stored = store.items.get(item)
        if stored is None:
            findings.add("I2", f"{item}: the service knows it, the store does not")
            continue
        if stock["sold"] + compensating != units[item]:
            findings.add("I2", f"{item}: says {stock['sold']} sold, stored are {units[item]}")
        if total != stored.initial + stored.restocked:
            findings.add(
                "I2", f"{item}: says {total} in all, stored are {stored.initial + stored.restocked}"
            )


def _check_lines(findings, store):
    """I7: each item's sequence is 1..n without gaps, in the order of the ids."""
    expected = collections.Counter()
    for order in store.orders:  # SQLite: by id within a lane; PostgreSQL: by item and sequence
        expected[order.item] += 1
        if order.sequence != expected[order.item]:
            findings.add(
                "I7", f"{order.item}: sequence {order.sequence} where {expected[order.item]} is due"
                f" ({order_id_text(order.high, order.low)})"
            )
            expected[order.item] = order.sequence


def _check_chains(findings, store):
    """Each user's orders form one chain: `previous` is the same user's order before, in a lane."""
    newest = {}
    for order in store.orders:
        if order.previous is None:
            continue
        before = newest.get((order.shard, order.user), 0)
        if order.previous != before:
            findings.add(
                "chain",
                f"{order_id_text(order.high, order.low)}: previous is {order.previous},"
                f" the order before is {before}"
            )
        newest[order.shard, order.user] = order.high


def _check_limits(findings, store, live, limits_changed):
    """I6: no user has more live units of an item than its limit."""
    held = collections.Counter()
    for order in live:
        held[order.item, order.user] += order.quantity
    for (item, user), units in held.items():
        stored = store.items.get(item)
        if stored is None or stored.per_user_limit is None or item in limits_changed:
            continue
        if units > stored.per_user_limit:
            findings.add(
                "I6", f"{user} has {units} of {item}, the limit is {stored.per_user_limit}"
            )


def _check_windows(findings, store):
    """I9: nothing accepted outside the window, where the window never changed."""
    for order in store.orders:
        item = store.items.get(order.item)
        if item is None:
            continue
        if item.opens_at is not None and order.accepted_at < item.opens_at:
            findings.add(
                "I9", f"{order_id_text(order.high, order.low)} came before {order.item} opened"
            )
        if item.closes_at is not None and order.accepted_at >= item.closes_at:
            findings.add(
                "I9", f"{order_id_text(order.high, order.low)} came after {order.item} closed"
            )


def _check_accepted(findings, answers, store):
    """I3: every 202 is stored, with the same user, item, quantity and sequence."""
    stored = {order_id_text(order.high, order.low): order for order in store.orders}
    for answer in answers:
        if answer.status != 202:
            continue
        order = stored.get(answer.order_id)
        if order is None:
            findings.add("I3", f"accepted and lost: {answer}")
            continue
        told = (answer.user, answer.item, answer.quantity, answer.sequence)
        kept = (order.user, order.item, order.quantity, order.sequence)
        if told != kept:
            findings.add("I3", f"{answer.order_id}: told {told}, stored {kept}")
        if (order.key is None) != (answer.key == ""):
            findings.add("I3", f"{answer.order_id}: key heard {answer.key!r}, stored {order.key!r}")


def _check_keys(findings, answers, store, restocked_items):
    """I4 and I5: one order per user and key, and every repeat hears the same bytes."""
    # Within a shard: each knows only its own keys.
    blobs = collections.Counter(
        (order.shard, order.key) for order in store.orders if order.key is not None
    )
    for (_, blob), count in blobs.items():
        if count > 1:
            findings.add("I4", f"{count} orders stored under the key hash {blob.hex()}")
    by_key = collections.defaultdict(list)
    for answer in answers:
        if answer.key:
            by_key[answer.user, answer.key].append(answer)
    owner = {}
    for answer in answers:
        if answer.status == 202:
            whose = (answer.user, answer.key) if answer.key else id(answer)
            first = owner.setdefault(answer.order_id, whose)
            if first != whose:
                findings.add("I4", f"one order told to two requests: {answer}")
    for name, told in by_key.items():
        _check_one_key(findings, name, told, restocked_items)


def _check_one_key(findings, name, told, restocked_items):
    accepted = [answer for answer in told if answer.status == 202]
    undecided = [answer for answer in told if answer.status in UNDECIDED]
    reused = [answer for answer in told if answer.code == "idempotency_key_reused"]
    for answer in reused:
        if answer.status != 422:
            findings.add("I5", f"{name}: reused, but {answer.status}")
    if reused and not accepted and not undecided:
        findings.add("I5", f"{name}: called reused, but no request with it was accepted")
    if not accepted:
        return
    orders = {answer.order_id for answer in accepted}
    if len(orders) > 1:
        findings.add("I4", f"{name} has {len(orders)} orders: {sorted(orders)[:3]}")
    payloads = {(answer.item, answer.quantity) for answer in accepted}
    if len(payloads) > 1:
        findings.add("I5", f"{name}: different payloads accepted: {sorted(payloads)}")
    hashes = {answer.body_hash for answer in accepted}
    if len(hashes) > 1 and len(orders) == 1:
        findings.add("I5", f"{name}: the same answer in different bytes: {sorted(hashes)}")
    firsts = [answer for answer in accepted if not answer.replayed]
    if len(firsts) > 1:
        findings.add("I5", f"{name}: accepted as new {len(firsts)} times")
    if not firsts and not undecided:
        findings.add("I5", f"{name}: only replays, and nobody heard the first answer")
    payload = (accepted[0].item, accepted[0].quantity)
    for answer in told:
        same = (answer.item, answer.quantity) == payload
        if same and answer.code == "idempotency_key_reused":
            findings.add("I5", f"{name}: the same payload was called another one")
        if same and answer.code in BUSINESS_NO and answer.item not in restocked_items:
            # Units only go down here, so a no before the yes cannot be either.
            findings.add("I5", f"{name}: accepted, and for the same payload {answer.code}")


def _check_phantoms(findings, answers, store):
    """I12 and I4: every stored order is one that was asked for and not refused for good."""
    explained = {answer.order_id for answer in answers if answer.status == 202}
    wishes = collections.Counter()
    seen = set()
    for answer in answers:
        if answer.status not in UNDECIDED:
            continue
        wish = (answer.user, answer.item, answer.quantity)
        if answer.key:
            if (answer.user, answer.key, answer.item, answer.quantity) in seen:
                continue
            seen.add((answer.user, answer.key, answer.item, answer.quantity))
        wishes[wish] += 1
    for order in store.orders:
        if order_id_text(order.high, order.low) in explained:
            continue
        wish = (order.user, order.item, order.quantity)
        if wishes[wish] == 0:
            findings.add("I12", f"stored, but nobody's: {order}")
        wishes[wish] -= 1


def _check_first_come(findings, answers, restocked_items):
    """I7 as buyers saw it, where times are known: answered before asked means earlier in line."""
    by_item = collections.defaultdict(list)
    for answer in answers:
        if answer.sent is None or answer.answered is None or answer.replayed:
            continue
        by_item[answer.item].append(answer)
    for item, told in by_item.items():
        accepted = sorted((a for a in told if a.status == 202), key=lambda a: a.sent)
        done = sorted((a for a in told if a.status == 202), key=lambda a: a.answered)
        _check_no_overtaking(findings, item, accepted, done)
        if item in restocked_items:
            continue
        nos = [a.answered for a in told if a.code == "sold_out"]
        if not nos:
            continue
        sold_out_at = min(nos)
        for answer in accepted:
            if answer.sent > sold_out_at:
                findings.add("I7", f"{item}: accepted after somebody had heard sold out: {answer}")
    return


def _check_no_overtaking(findings, item, by_sent, by_answered):
    """Whoever asks after another was answered stands behind that one."""
    highest, position = 0, 0
    for answer in by_sent:
        while position < len(by_answered) and by_answered[position].answered < answer.sent:
            highest = max(highest, by_answered[position].sequence)
            position += 1
        if answer.sequence <= highest:
            findings.add("I7", f"{item}: overtook sequence {highest}: {answer}")


def assert_clean(answers, data, **options):
    """Audits a data directory; raises with every violation."""
    assert_store_clean(answers, read_store(data), **options)


def assert_store_clean(answers, store, **options):
    """Audits what `read_store` or `read_postgres` gave; raises with every violation."""
    violations = audit(answers, store, **options)
    if violations:
        raise AssertionError(
            f"{len(violations)} violations:\n" + "\n".join(str(v) for v in violations[:20])
        )
