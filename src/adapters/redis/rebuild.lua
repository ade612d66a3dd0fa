#!lua flags=allow-oom
-- src/adapters/redis/rebuild.lua - the writes of a rebuild, each of them only for the newest one
--
-- An epoch's number is taken once, so it is the rebuild's name: a step of an older one is refused.
-- While a shard is rebuilt it has no epoch, and decides nothing. Also when memory is used up: only
-- an open shard's outbox drains, which makes room.
--
-- KEYS[1]  fc:{sK}:epoch
-- ARGV     1 prefix, 2 number of the epoch to come, 3 step, then
--   begin  lifetime of keys (us): closes the shard. Reply: the time (us), moment, seen (ms),
--          placed, the outbox's last entry (1 if it ever had one, and its name), 1 if the keys are
--          kept (another lifetime lays them down elsewhere: then they are forgotten)
--   item   item and its nine fields; what users hold of it is forgotten
--   bought item, then user and units by turns, as often as needed
--   keys   lifetime of keys (us), moment now, then key, its moment, record by turns; what is still
--          known stays, since its age is known better
--   open   moment, seen, placed, lifetime of keys (us), moment up to which all is stored: opens the
--          shard. A server that lost its tail may have known less of what is stored.
-- Errors   STALE: a newer rebuild has begun, or Redis forgot this one; nothing is written

local call, prefix, step = redis.call, ARGV[1], ARGV[3]
local number, newest = tonumber(ARGV[2]), tonumber(call('GET', prefix .. 'rebuilder') or '0')

if step == 'begin' then
  if newest and newest > number then return redis.error_reply('STALE rebuild') end
  local time, last = call('TIME'), {0, '0-0'}
  if call('EXISTS', prefix .. 'outbox') == 1 then
    local about = call('XINFO', 'STREAM', prefix .. 'outbox')
    for i = 1, #about, 2 do
      if about[i] == 'last-generated-id' then last = {1, about[i + 1]} end
    end
  end
  call('SET', prefix .. 'rebuilder', number)
  call('DEL', KEYS[1])
  local shard = call('MGET', prefix .. 'moment', prefix .. 'seen', prefix .. 'placed',
    prefix .. 'ttl')
  local moment, ttl = tonumber(shard[1] or ''), tonumber(shard[4] or '')
  local kept = ttl == tonumber(ARGV[4])
  if moment and ttl and not kept then
    local slice = math.floor(moment / ttl)
    call('UNLINK', prefix .. 'keys:' .. slice, prefix .. 'keys:' .. slice - 1)
  end
  return {time[1] * 1000000 + time[2], shard[1], shard[2], shard[3], last[1], last[2],
    kept and 1 or 0}
end

if newest ~= number then return redis.error_reply('STALE rebuild') end
if step == 'item' then
  local names = {'initial', 'restocked', 'remaining', 'sold', 'orders', 'opens', 'closes', 'limit',
    'movement'}
  local words = {}
  for i, name in ipairs(names) do
    words[2 * i - 1], words[2 * i] = name, ARGV[4 + i]
  end
  call('DEL', prefix .. 'item:' .. ARGV[4])
  call('HSET', prefix .. 'item:' .. ARGV[4], unpack(words))
  call('SADD', prefix .. 'items', ARGV[4])
  call('UNLINK', prefix .. 'bought:' .. ARGV[4])
elseif step == 'bought' then
  call('HSET', prefix .. 'bought:' .. ARGV[4], unpack(ARGV, 5))
elseif step == 'keys' then
  local ttl = tonumber(ARGV[4])
  local moment = tonumber(ARGV[5])
  local slice = math.floor(moment / ttl)
  for i = 6, #ARGV, 3 do
    local known = false
    for age = 0, 1 do
      local found = call('HGET', prefix .. 'keys:' .. slice - age, ARGV[i])
      known = known
        or found and moment - struct.unpack('<I8', found, math.max(#found - 8, 1)) < ttl
    end
    if not known then
      local its_slice = math.floor(tonumber(ARGV[i + 1]) / ttl)
      call('HSET', prefix .. 'keys:' .. its_slice, ARGV[i], ARGV[i + 2])
    end
  end
elseif step == 'open' then
  call('UNLINK', prefix .. 'released')
  local relayed = tonumber(call('GET', prefix .. 'relayed') or '0') or 0
  if tonumber(ARGV[8]) > relayed then call('SET', prefix .. 'relayed', ARGV[8]) end
  call('MSET', prefix .. 'moment', ARGV[4], prefix .. 'seen', ARGV[5], prefix .. 'placed', ARGV[6],
    prefix .. 'ttl', ARGV[7], KEYS[1], ARGV[2])
end
return 1
