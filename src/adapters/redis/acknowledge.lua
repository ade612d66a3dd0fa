#!lua flags=allow-oom
-- src/adapters/redis/acknowledge.lua - all entries up to a moment are stored, and leave the outbox
--
-- KEYS[1]  fc:{sK}:epoch
-- ARGV     1 prefix, 2 epoch, 3 moment
-- Reply    orders placed since Redis was empty; the first 16 bytes of the oldest entry left, or nil
-- Errors   EPOCH: nothing is written
--
-- Also when memory is used up: this is what makes room.

local call, prefix = redis.call, ARGV[1]
if call('GET', KEYS[1]) ~= ARGV[2] then return redis.error_reply('EPOCH is another') end
local relayed = tonumber(call('GET', prefix .. 'relayed') or '0') or 0
if tonumber(ARGV[3]) > relayed then call('SET', prefix .. 'relayed', ARGV[3]) end
call('XTRIM', prefix .. 'outbox', 'MINID', ARGV[3] .. '-1')
local oldest = call('XRANGE', prefix .. 'outbox', '-', '+', 'COUNT', 1)[1]
return {tonumber(call('GET', prefix .. 'placed') or '0') or 0,
  oldest and string.sub(oldest[2][2], 1, 16) or false}
