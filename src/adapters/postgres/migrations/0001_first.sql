-- src/adapters/postgres/migrations/0001_first.sql - the tables of the distributed mode
-- Units are whole units; times are UTC. Ids compare by bytes, whatever the database's language,
-- which also is several times faster. Never changed after a release: a change is a new file.

-- hash_secret, shards: the same for all nodes, made by the first one. Never changes.
CREATE TABLE settings (
    name  text PRIMARY KEY,
    value bytea NOT NULL
);

-- Which life of which Redis each shard is in. A relay commits only in the epoch it read from.
CREATE TABLE epochs (
    shard      smallint PRIMARY KEY CHECK (shard BETWEEN 0 AND 63),
    number     bigint NOT NULL CHECK (number >= 0),
    run_id     text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    relayed    text NOT NULL DEFAULT ''   -- position of the last event committed; for people
) WITH (fillfactor = 50);

-- sold: units of stored live orders. compensating: units of failed ones not known to be back yet.
-- orders: their highest sequence. movement: the last row of stock_movements; 0: nobody set the item
-- here, its orders made the row, and it has as many units as they took.
CREATE TABLE items (
    item_id        text COLLATE "C" PRIMARY KEY,
    shard          smallint NOT NULL CHECK (shard BETWEEN 0 AND 63),
    initial        bigint NOT NULL CHECK (initial >= 0),
    restocked      bigint NOT NULL,
    opens_at       timestamptz,
    closes_at      timestamptz,
    per_user_limit bigint CHECK (per_user_limit > 0),
    sold           bigint NOT NULL DEFAULT 0 CHECK (sold >= 0),
    compensating   bigint NOT NULL DEFAULT 0 CHECK (compensating >= 0),
    orders         bigint NOT NULL DEFAULT 0 CHECK (orders >= 0),
    movement       bigint NOT NULL DEFAULT 0,
    as_of          timestamptz NOT NULL,
    CHECK (sold + compensating <= initial + restocked),   -- the last word against selling twice
    CHECK (opens_at < closes_at)
) WITH (fillfactor = 50);                  -- updated with every batch: room for HOT updates
CREATE INDEX items_shard ON items (shard);

-- Every change a sale manager made, never updated: the audit, and the answer to a repeated key.
CREATE TABLE stock_movements (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at                   timestamptz NOT NULL DEFAULT now(),
    item_id              text COLLATE "C" NOT NULL,
    operation            text NOT NULL CHECK (operation IN ('set', 'add', 'remove')),
    quantity             bigint NOT NULL CHECK (quantity >= 0),
    reason               text NOT NULL,
    who                  text NOT NULL,
    trace_id             text NOT NULL,
    key                  bytea,
    payload              text NOT NULL,    -- what was asked, to tell a reused key
    before_total         bigint NOT NULL,
    after_initial        bigint NOT NULL,
    after_restocked      bigint NOT NULL,
    after_remaining      bigint NOT NULL,
    after_sold           bigint NOT NULL,
    after_compensating   bigint NOT NULL,
    after_orders         bigint NOT NULL,
    after_opens_at       timestamptz,
    after_closes_at      timestamptz,
    after_per_user_limit bigint
);
CREATE UNIQUE INDEX stock_movements_key ON stock_movements (key) WHERE key IS NOT NULL;
CREATE INDEX stock_movements_item ON stock_movements (item_id, id);

-- One row an order. order_id is a UUIDv7, so rows come nearly sorted. key: keyed hash of user and
-- idempotency key, 16 bytes. trace: trace id, span id, flag, 25 bytes. Never deleted.
CREATE TABLE orders (
    order_id      uuid PRIMARY KEY,
    sequence      bigint NOT NULL CHECK (sequence > 0),
    accepted_at   timestamptz NOT NULL,
    quantity      integer NOT NULL CHECK (quantity > 0),
    shard         smallint NOT NULL CHECK (shard BETWEEN 0 AND 63),
    given_back    boolean NOT NULL DEFAULT false,  -- a failed order's units are in the sale again
    user_id       text COLLATE "C" NOT NULL CHECK (length(user_id) BETWEEN 1 AND 64),
    item_id       text COLLATE "C" NOT NULL CHECK (length(item_id) BETWEEN 1 AND 64),
    status        text NOT NULL DEFAULT 'confirmed' CHECK (status IN ('confirmed', 'failed')),
    durability    text NOT NULL CHECK (durability IN ('redis', 'database')),
    key           bytea CHECK (length(key) = 16),
    trace         bytea CHECK (length(trace) = 25),
    failed_reason text,
    CHECK ((status = 'failed') = (failed_reason IS NOT NULL)),
    CHECK (status = 'failed' OR NOT given_back)
);
CREATE INDEX orders_user ON orders (user_id, order_id DESC);
CREATE UNIQUE INDEX orders_key ON orders (key) WHERE key IS NOT NULL;
CREATE INDEX orders_not_given_back ON orders (shard, order_id)
    WHERE status = 'failed' AND NOT given_back;

-- Events a consumer refused. The event's own columns have no checks: what broke a rule elsewhere
-- must find a place here. event: all of it, to deliver it again; payload: for people.
CREATE TABLE failed_order_events (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer      text NOT NULL,
    event_id      uuid NOT NULL,
    event_type    text NOT NULL,
    occurred_at   timestamptz NOT NULL,
    order_id      uuid NOT NULL,
    shard         smallint NOT NULL,
    user_id       text COLLATE "C" NOT NULL,
    item_id       text COLLATE "C" NOT NULL,
    quantity      integer NOT NULL,
    sequence      bigint NOT NULL,
    accepted_at   timestamptz NOT NULL,
    order_status  text NOT NULL,
    durability    text NOT NULL,
    key           bytea,
    trace         bytea,
    remaining     bigint NOT NULL,
    total         bigint NOT NULL,
    payload       jsonb NOT NULL DEFAULT '{}',
    cause         text NOT NULL,
    last_error    text NOT NULL,
    attempts      integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    first_failure timestamptz NOT NULL,
    last_failure  timestamptz NOT NULL,
    next_attempt  timestamptz,
    claim_until   timestamptz,             -- one node tries it until then
    status        text NOT NULL CHECK (status IN ('retrying', 'dead', 'resolved', 'discarded')),
    compensated   boolean NOT NULL DEFAULT false,  -- discarded, and its units are known to be back
    settled_at    timestamptz,             -- resolved or discarded
    reason        text,                    -- why it was discarded
    who           text,                    -- and by whom
    UNIQUE (consumer, event_id),
    CHECK ((status = 'retrying') = (next_attempt IS NOT NULL)),
    CHECK (status = 'discarded' OR NOT compensated)
);
CREATE INDEX failed_order_events_due ON failed_order_events (consumer, next_attempt)
    WHERE status = 'retrying';
CREATE INDEX failed_order_events_open ON failed_order_events (item_id)
    WHERE status IN ('retrying', 'dead');
CREATE INDEX failed_order_events_held ON failed_order_events (item_id)
    WHERE consumer = 'orders'
      AND (status IN ('retrying', 'dead') OR (status = 'discarded' AND NOT compensated));
CREATE INDEX failed_order_events_undone ON failed_order_events (id)
    WHERE status = 'discarded' AND NOT compensated;
CREATE INDEX failed_order_events_item ON failed_order_events (item_id, sequence)
    WHERE consumer = 'orders';
CREATE INDEX failed_order_events_user ON failed_order_events (user_id, order_id DESC);

-- Dead entries made due again, slowly. last_entry: moved up to here; due_at: when the next may be.
CREATE TABLE redrive_tasks (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    status     text NOT NULL CHECK (status IN ('running', 'done', 'cancelled')),
    of_status  text,
    of_cause   text,
    of_item    text,
    of_consumer text,
    per_second integer NOT NULL CHECK (per_second > 0),
    moved      bigint NOT NULL DEFAULT 0,
    total      bigint NOT NULL,
    last_entry bigint NOT NULL DEFAULT 0,
    due_at     timestamptz,
    started_at timestamptz NOT NULL,
    ended_at   timestamptz
);
CREATE UNIQUE INDEX redrive_tasks_running ON redrive_tasks ((true)) WHERE status = 'running';

-- What happened, for those outside: a webhook, or Debezium's outbox router (its column names).
-- aggregateid is the item, so that events of one item stay in order. Rows go when delivered.
CREATE TABLE outbox (
    position      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            uuid NOT NULL UNIQUE,
    aggregatetype text NOT NULL,           -- order, stock
    aggregateid   text COLLATE "C" NOT NULL,           -- the item
    type          text NOT NULL,           -- order.accepted, order.confirmed, ...
    payload       jsonb NOT NULL,          -- orderId, userId, itemId, quantity, sequence, status,
                                           -- acceptedAt, durability; stock.*: remaining, total
    occurred_at   timestamptz NOT NULL,
    trace         bytea
);

-- Who did what by hand or by repair, never updated. Stock changes are in stock_movements.
CREATE TABLE audit_log (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT now(),
    who      text NOT NULL,
    what     text NOT NULL,                -- discard, release, repair, ...
    subject  text NOT NULL,                -- the order, item or entry
    reason   text NOT NULL DEFAULT '',
    trace_id text NOT NULL DEFAULT '',
    before   jsonb,
    after    jsonb
);
CREATE INDEX audit_log_at ON audit_log (at);
