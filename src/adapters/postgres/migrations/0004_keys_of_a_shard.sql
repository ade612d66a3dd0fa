-- src/adapters/postgres/migrations/0004_keys_of_a_shard.sql - a key counts within its shard

-- As it does in Redis, where each shard knows only its own keys: one buyer's key for items of two
-- shards makes two orders, and both have been answered.
DROP INDEX orders_key;
CREATE UNIQUE INDEX orders_key ON orders (key, shard) WHERE key IS NOT NULL;
