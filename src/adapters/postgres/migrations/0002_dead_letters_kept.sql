-- src/adapters/postgres/migrations/0002_dead_letters_kept.sql - what is settled is found by its age

-- The pace of a redrive is reckoned from started_at and moved; nothing ever used this.
ALTER TABLE redrive_tasks DROP COLUMN due_at;

-- For those whose time is up (dead_letters.keep).
CREATE INDEX failed_order_events_settled ON failed_order_events (settled_at)
    WHERE status IN ('resolved', 'discarded');
