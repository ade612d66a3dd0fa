-- src/adapters/sqlite/dead_letters.sql - events that could not be delivered, in a file of their own
-- Times are milliseconds since 1970 (UTC); units are whole units; ids are the 16 bytes of the UUID.

-- event_id to total: the event, to deliver it again. claim_until: somebody tries it until then.
-- key: 16 bytes. trace: trace id, span id, 1 when sampled; null: none.
CREATE TABLE failed_order_events (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    consumer      TEXT NOT NULL,
    event_id      BLOB NOT NULL,
    event_type    TEXT NOT NULL,
    occurred_at   INTEGER NOT NULL,
    order_id      BLOB NOT NULL,
    user_id       TEXT NOT NULL,
    item_id       TEXT NOT NULL,
    quantity      INTEGER NOT NULL,
    sequence      INTEGER NOT NULL,
    accepted_at   INTEGER NOT NULL,
    order_status  TEXT NOT NULL,
    durability    TEXT NOT NULL,
    key           BLOB,
    trace         BLOB,
    remaining     INTEGER NOT NULL,
    total         INTEGER NOT NULL,
    cause         TEXT NOT NULL,
    last_error    TEXT NOT NULL,
    attempts      INTEGER NOT NULL,
    first_failure INTEGER NOT NULL,
    last_failure  INTEGER NOT NULL,
    next_attempt  INTEGER,
    claim_until   INTEGER,
    status        TEXT NOT NULL CHECK (status IN ('retrying', 'dead', 'resolved', 'discarded')),
    compensated   INTEGER NOT NULL DEFAULT 0,
    settled_at    INTEGER,
    UNIQUE (consumer, event_id),
    CHECK ((status = 'retrying') = (next_attempt IS NOT NULL))
);
CREATE INDEX failed_order_events_due ON failed_order_events (consumer, next_attempt)
    WHERE status = 'retrying';
CREATE INDEX failed_order_events_open ON failed_order_events (status)
    WHERE status IN ('retrying', 'dead');
CREATE INDEX failed_order_events_undone ON failed_order_events (id)
    WHERE status = 'discarded' AND compensated = 0;

-- Dead entries made due again, slowly. last_entry: moved up to here.
CREATE TABLE redrive_tasks (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    of_status   TEXT,
    of_cause    TEXT,
    of_item     TEXT,
    of_consumer TEXT,
    per_second  INTEGER NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('running', 'done', 'cancelled')),
    moved       INTEGER NOT NULL DEFAULT 0,
    total       INTEGER NOT NULL,
    last_entry  INTEGER NOT NULL DEFAULT 0,
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER
);
CREATE UNIQUE INDEX redrive_tasks_running ON redrive_tasks (status) WHERE status = 'running';

-- Who did what by hand, never updated.
CREATE TABLE audit_log (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    who     TEXT NOT NULL,
    what    TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason  TEXT NOT NULL
);
