// bench/compare/node/drain.js - moves accepted orders from the outbox in Redis into PostgreSQL
import Redis from 'ioredis';
import pg from 'pg';

const BATCH = 500;
const redis = new Redis({ port: Number(process.env.REDIS_PORT) });
const database = new pg.Client({ connectionString: process.env.POSTGRES_URL });

await database.connect();
await database.query(`
  CREATE TABLE IF NOT EXISTS orders (
    order_id uuid PRIMARY KEY, user_id bigint NOT NULL, item_id text NOT NULL,
    quantity int NOT NULL, sequence bigint NOT NULL, key text NOT NULL UNIQUE);
  CREATE INDEX IF NOT EXISTS orders_user ON orders (user_id)`);
await redis.xgroup('CREATE', 'outbox', 'drain', '0', 'MKSTREAM').catch((error) => {
  if (!error.message.startsWith('BUSYGROUP')) throw error;
});

process.on('SIGTERM', () => process.exit(0));
for (;;) {
  const read = await redis.xreadgroup(
    'GROUP', 'drain', 'one', 'COUNT', BATCH, 'BLOCK', 1000, 'STREAMS', 'outbox', '>',
  );
  if (read === null) continue;
  const entries = read[0][1];
  const column = (at) => entries.map(([, fields]) => fields[at]);
  await database.query(
    `INSERT INTO orders SELECT * FROM unnest(
       $1::uuid[], $2::bigint[], $3::text[], $4::int[], $5::bigint[], $6::text[])
     ON CONFLICT DO NOTHING`,
    [column(1), column(3), column(5), column(7), column(9), column(11)],
  );
  const ids = entries.map(([id]) => id);
  await redis.multi().xack('outbox', 'drain', ...ids).xdel('outbox', ...ids).exec();
}
