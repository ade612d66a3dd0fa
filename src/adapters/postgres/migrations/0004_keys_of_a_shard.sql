-- src/adapters/postgres/migrations/0004_keys_of_a_shard.sql - a key counts within its shard

-- As it does in Redis, where each shard knows only its own keys: one buyer's key for items of two
-- shards makes two orders, and both have been answered.
--
-- Built beside the old one, which goes last: until then orders are read as ever. What is written
-- meanwhile waits, as it does for a slow PostgreSQL: in Redis.
CREATE UNIQUE INDEX orders_key_of_a_shard ON orders (key, shard) WHERE key IS NOT NULL;
DROP INDEX orders_key;
ALTER INDEX orders_key_of_a_shard RENAME TO orders_key;
