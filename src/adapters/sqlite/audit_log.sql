-- src/adapters/sqlite/audit_log.sql - what admins changed beside stock, in a file of its own
-- Times are milliseconds since 1970 (UTC). before, after: JSON, or empty. Never updated.
CREATE TABLE audit_log (
    id       INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    who      TEXT NOT NULL,
    what     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    reason   TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    before   TEXT NOT NULL,
    after    TEXT NOT NULL
);
CREATE INDEX audit_log_at ON audit_log (at, id);
