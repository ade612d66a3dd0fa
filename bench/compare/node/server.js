// bench/compare/node/server.js - the Node contestant: Fastify in front, Redis decides
import cluster from 'node:cluster';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import Fastify from 'fastify';
import Redis from 'ioredis';

const workers = Number(process.env.WORKERS);
const KEY_LIFETIME_S = 86400;

const orderSchema = {
  type: 'object',
  required: ['userId', 'itemId', 'quantity'],
  additionalProperties: false,
  properties: {
    userId: { type: 'integer' },
    itemId: { type: 'string', pattern: '^[A-Za-z0-9._:-]{1,64}$' },
    quantity: { type: 'integer', minimum: 1, maximum: 1000 },
  },
};

// A UUIDv7: 48 bits of milliseconds, then chance.
function newOrderId() {
  const time = Date.now().toString(16).padStart(12, '0');
  const chance = randomBytes(10).toString('hex');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${chance.slice(0, 3)}-8${chance.slice(3, 6)}-`
    + chance.slice(6, 18);
}

async function serve() {
  const redis = new Redis({
    port: Number(process.env.REDIS_PORT),
    enableAutoPipelining: true,
    scripts: { place: { lua: readFileSync(process.env.PLACE_LUA, 'utf8'), numberOfKeys: 3 } },
  });
  const app = Fastify({ logger: false, keepAliveTimeout: 60_000 });

  app.post('/api/v1/orders', { schema: { body: orderSchema } }, async (request, reply) => {
    const { userId, itemId, quantity } = request.body;
    const id = newOrderId();
    const key = request.headers['idempotency-key'] ?? id;
    const [status, body, replayed] = await redis.place(
      `item:${itemId}`, `key:${userId}:${key}`, 'outbox',
      `${itemId}/${quantity}`, userId, itemId, quantity, id, KEY_LIFETIME_S,
      new Date().toISOString(),
    );
    if (replayed === 1) reply.header('Idempotent-Replayed', 'true');
    if (status === 202) reply.header('Location', `/api/v1/orders/${JSON.parse(body).orderId}`);
    reply.code(status).header('Content-Type', 'application/json').send(body);
    return reply;
  });

  app.post('/api/v1/admin/stock', async (request) => {
    const { itemId, quantity } = request.body;
    await redis.hset(`item:${itemId}`, 'initial', quantity, 'remaining', quantity);
    return {};
  });

  app.get('/api/v1/orders/stock/:item', async (request, reply) => {
    const { item } = request.params;
    const [initial, remaining, sold] = await redis.hmget(
      `item:${item}`, 'initial', 'remaining', 'sold',
    );
    if (initial === null) return reply.code(404).send({ status: 404, code: 'item_not_found' });
    return {
      itemId: item, initial: Number(initial), remaining: Number(remaining), sold: Number(sold ?? 0),
    };
  });

  await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT), backlog: 1024 });
}

if (cluster.isPrimary && workers > 1) {
  for (let worker = 0; worker < workers; ++worker) cluster.fork();
  process.on('SIGTERM', () => process.exit(0));
} else {
  await serve();
}
