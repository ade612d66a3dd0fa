-- bench/compare/place.lua - one order in one EVALSHA: idempotency, stock, sequence, event
--
-- KEYS  1 the item (hash: remaining, sold, sequence)  2 the idempotency key  3 the outbox (stream)
-- ARGV  1 fingerprint of the payload  2 user  3 item  4 quantity  5 order id
--       6 lifetime of the key, s
--       7 time of acceptance
-- Returns {status, body, replayed}
local seen = redis.call('GET', KEYS[2])
if seen then
  local border = string.find(seen, '\n', 1, true)
  if string.sub(seen, 1, border - 1) ~= ARGV[1] then
    return {422, '{"status":422,"code":"idempotency_key_reused"}', 0}
  end
  return {202, string.sub(seen, border + 1), 1}
end
local left = tonumber(redis.call('HGET', KEYS[1], 'remaining'))
if not left then return {404, '{"status":404,"code":"item_not_found"}', 0} end
local quantity = tonumber(ARGV[4])
if left == 0 then return {409, '{"status":409,"code":"sold_out","remaining":0}', 0} end
if left < quantity then
  return {409, '{"status":409,"code":"insufficient_stock","remaining":' .. left .. '}', 0}
end
redis.call('HINCRBY', KEYS[1], 'remaining', -quantity)
redis.call('HINCRBY', KEYS[1], 'sold', quantity)
local sequence = redis.call('HINCRBY', KEYS[1], 'sequence', 1)
local body = '{"orderId":"' .. ARGV[5] .. '","userId":' .. ARGV[2] .. ',"itemId":"' .. ARGV[3]
  .. '","quantity":' .. ARGV[4] .. ',"status":"processing","sequence":' .. sequence
  .. ',"acceptedAt":"' .. ARGV[7] .. '","durability":"redis"}'
redis.call('SET', KEYS[2], ARGV[1] .. '\n' .. body, 'EX', ARGV[6])
redis.call('XADD', KEYS[3], '*', 'order', ARGV[5], 'user', ARGV[2], 'item', ARGV[3],
  'quantity', ARGV[4], 'sequence', sequence, 'key', KEYS[2])
return {202, body, 0}
