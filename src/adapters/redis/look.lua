-- src/adapters/redis/look.lua - items and the outbox as they are at one moment
--
-- KEYS[1]  fc:{sK}:epoch
-- ARGV     1 prefix, 2 epoch, 3 entries of the outbox to read at most
-- Reply    entries waiting; the entries, or none when there are more than asked for; the items'
--          names; their fields, in that order; the shard's moment; names in `released`
-- Errors   EPOCH, CORRUPT

local call, prefix = redis.call, ARGV[1]
local shard = call('MGET', KEYS[1], prefix .. 'moment', prefix .. 'placed')
if shard[1] ~= ARGV[2] then return redis.error_reply('EPOCH is another') end
if not shard[2] or not shard[3] then return redis.error_reply('CORRUPT moment, placed') end

local waiting, entries = call('XLEN', prefix .. 'outbox'), {}
if waiting <= tonumber(ARGV[3]) then entries = call('XRANGE', prefix .. 'outbox', '-', '+') end
local names, fields = call('SMEMBERS', prefix .. 'items'), {}
for i, name in ipairs(names) do
  fields[i] = call('HMGET', prefix .. 'item:' .. name, 'initial', 'restocked', 'remaining',
    'sold', 'orders', 'opens', 'closes', 'limit', 'movement')
end
return {waiting, entries, names, fields, tonumber(shard[2]),
  call('SCARD', prefix .. 'released')}
