-- src/adapters/redis/waiting.lua - how much of a shard waits to be stored
--
-- KEYS[1]  fc:{sK}:epoch
-- ARGV     1 prefix, 2 epoch
-- Reply    orders placed since Redis was empty; the first 16 bytes of the oldest entry, or nil
-- Errors   EPOCH

local call, prefix = redis.call, ARGV[1]
if call('GET', KEYS[1]) ~= ARGV[2] then return redis.error_reply('EPOCH is another') end
local oldest = call('XRANGE', prefix .. 'outbox', '-', '+', 'COUNT', 1)[1]
return {tonumber(call('GET', prefix .. 'placed') or '0') or 0,
  oldest and string.sub(oldest[2][2], 1, 16) or false}
