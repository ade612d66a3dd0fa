-- src/adapters/sqlite/schema.sql - one lane's file: append-only, no index that grows
-- Times are milliseconds since 1970 (UTC); units are whole units.

-- hash_secret, lane, lane_count: what ids and keys in this file were made with. Never changes.
CREATE TABLE IF NOT EXISTS meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS items (
    item_no        INTEGER PRIMARY KEY,
    item_id        TEXT NOT NULL UNIQUE,
    initial        INTEGER NOT NULL,
    restocked      INTEGER NOT NULL,
    opens_at       INTEGER,
    closes_at      INTEGER,
    per_user_limit INTEGER,
    as_of          INTEGER NOT NULL
);

-- id is the high half of the UUIDv7, so rows are appended; random is its low half.
-- previous is the same user's order before this one (0: none): a chain instead of an index.
-- key is the keyed hash of user and idempotency key. checksum covers all but the trace.
-- trace: trace id, span id, 1 when sampled, 25 bytes; only of an order somebody follows, and only
-- while there is a webhook. It came later: a file made before gets the column when it is opened.
CREATE TABLE IF NOT EXISTS orders (
    id          INTEGER PRIMARY KEY,
    random      INTEGER NOT NULL,
    user        TEXT NOT NULL,
    item        INTEGER NOT NULL,
    quantity    INTEGER NOT NULL,
    sequence    INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    previous    INTEGER NOT NULL,
    key         BLOB,
    checksum    INTEGER NOT NULL,
    trace       BLOB
);

-- An order whose units were given back. One row an order: a second release finds it here.
CREATE TABLE IF NOT EXISTS releases (
    order_id    INTEGER PRIMARY KEY,
    released_at INTEGER NOT NULL,
    reason      TEXT NOT NULL
);

-- Every change a sale manager made: the audit log, and the answer to a repeated Idempotency-Key.
CREATE TABLE IF NOT EXISTS stock_movements (
    id                    INTEGER PRIMARY KEY,
    at                    INTEGER NOT NULL,
    item_id               TEXT NOT NULL,
    operation             TEXT NOT NULL,
    quantity              INTEGER NOT NULL,
    reason                TEXT NOT NULL,
    who                   TEXT NOT NULL,
    trace_id              TEXT NOT NULL,
    key                   BLOB,
    payload               TEXT NOT NULL,
    before_total          INTEGER NOT NULL,
    before_opens_at       INTEGER,
    before_closes_at      INTEGER,
    before_per_user_limit INTEGER,
    after_initial         INTEGER NOT NULL,
    after_restocked       INTEGER NOT NULL,
    after_remaining       INTEGER NOT NULL,
    after_sold            INTEGER NOT NULL,
    after_compensating    INTEGER NOT NULL,
    after_orders          INTEGER NOT NULL,
    after_opens_at        INTEGER,
    after_closes_at       INTEGER,
    after_per_user_limit  INTEGER
);
CREATE INDEX IF NOT EXISTS stock_movements_key ON stock_movements (key) WHERE key IS NOT NULL;
