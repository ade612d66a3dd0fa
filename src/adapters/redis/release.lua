#!lua flags=allow-oom
-- src/adapters/redis/release.lua - gives the units of one failed order back, once
--
-- KEYS[1]  fc:{sK}:epoch
-- ARGV     1 prefix, 2 epoch, 3 order (16 bytes), 4 item, 5 user, 6 quantity, 7 the epoch in which
--          PostgreSQL said that the units are not back yet
-- Reply    1 (0: they were given back before), and the item's fields
-- Errors   EPOCH, STALE (rebuilt since then), CORRUPT: nothing is written
--
-- A name stays in `released` until a rebuild: another node may have asked PostgreSQL before it was
-- told that the units are back, and must find it here however late it comes. Also when memory is
-- used up: a name is small, and units are owed.

local call, prefix, key = redis.call, ARGV[1], ARGV[1] .. 'item:' .. ARGV[4]
if call('GET', KEYS[1]) ~= ARGV[2] then return redis.error_reply('EPOCH is another') end
if ARGV[2] ~= ARGV[7] then return redis.error_reply('STALE decision') end

local function fields()
  return call('HMGET', key, 'initial', 'restocked', 'remaining', 'sold', 'orders', 'opens',
    'closes', 'limit', 'movement')
end
local item, quantity = fields(), tonumber(ARGV[6])
if call('SISMEMBER', prefix .. 'released', ARGV[3]) == 1 then return {0, item} end
local remaining, sold = tonumber(item[3] or ''), tonumber(item[4] or '')
if not remaining or not sold or not item[8] or sold < quantity then
  return redis.error_reply('CORRUPT item ' .. ARGV[4])
end
local held = 0
if item[8] ~= '' then
  held = tonumber(call('HGET', prefix .. 'bought:' .. ARGV[4], ARGV[5]) or '0') or 0
end

call('SADD', prefix .. 'released', ARGV[3])
call('HSET', key, 'remaining', remaining + quantity, 'sold', sold - quantity)
if held > quantity then
  call('HSET', prefix .. 'bought:' .. ARGV[4], ARGV[5], held - quantity)
elseif held > 0 then
  call('HDEL', prefix .. 'bought:' .. ARGV[4], ARGV[5])
end
return {1, fields()}
