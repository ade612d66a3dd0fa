-- src/adapters/redis/settle.lua - what remembered orders were promised, or are promised from now on
--
-- Once an order is relayed its level never changes: so what is answered here stays true. What is
-- declared stands in the outbox too, behind its orders, so that the record hears of it as well.
--
-- KEYS[1]  fc:{sK}:epoch
-- ARGV     1 prefix, 2 epoch, 3 `declare`: from now on those not relayed yet are of level `r`; else
--          empty, 4... keys (16 bytes each)
-- Reply    the moment relayed; per key its level, or nil where it is not remembered
-- Errors   EPOCH, CORRUPT: nothing is written

local call, pack, sub, prefix = redis.call, struct.pack, string.sub, ARGV[1]
local shard = call('MGET', KEYS[1], prefix .. 'moment', prefix .. 'relayed', prefix .. 'ttl',
  prefix .. 'placed', prefix .. 'seen', prefix .. 'declared')
if shard[1] ~= ARGV[2] then return redis.error_reply('EPOCH is another') end
local moment, relayed = tonumber(shard[2] or ''), tonumber(shard[3] or '0')
local ttl, placed = tonumber(shard[4] or ''), tonumber(shard[5] or '')
local seen, youngest = tonumber(shard[6] or ''), tonumber(shard[7] or '0')
if not moment or not relayed or not ttl or not placed or not seen or not youngest then
  return redis.error_reply('CORRUPT moment, relayed, ttl, placed, seen, declared')
end
call('XLEN', prefix .. 'outbox')  -- whatever is written is read before: see place.lua

-- A key stands for the batch it was accepted in, whose level is one for all of it, or for a record
-- of its own. In both the moment stands before the level, at another place.
local slice = math.floor(moment / ttl)
local slices = {prefix .. 'keys:' .. slice, prefix .. 'keys:' .. slice - 1}
local known, levels, declared = {}, {}, {}
for i = 4, #ARGV do
  local kept = false
  for _, name in ipairs(slices) do
    local found = not kept and call('HGET', name, ARGV[i])
    if found and #found == 8 then
      if not known[found] then
        local about, heads = unpack(call('HMGET', name, found, 'h' .. found))
        if not about or not heads then return redis.error_reply('CORRUPT batch of a key') end
        known[found] = {slice = name, field = found, bytes = about, at = 17, heads = heads}
      end
      kept = known[found]
    elseif found then
      local head = string.rep('\0', 24) .. sub(found, 5, 20)
      kept = {slice = name, field = ARGV[i], bytes = found, at = #found, heads = head}
    end
  end
  if kept then
    local accepted = struct.unpack('<I8', kept.bytes, kept.at - 8)
    kept.level = kept.level or sub(kept.bytes, kept.at, kept.at)
    if kept.level == 'd' and ARGV[3] == 'declare' and accepted > relayed then
      kept.level = 'r'
      declared[#declared + 1] = kept
      youngest = math.max(youngest, accepted)
    end
  end
  levels[i - 3] = kept and kept.level
end

if #declared > 0 then
  local pieces = {}
  for i, kept in ipairs(declared) do
    call('HDEL', kept.slice, kept.field)  -- or HSET would be refused when memory is used up
    call('HSET', kept.slice, kept.field,
      sub(kept.bytes, 1, kept.at - 1) .. 'r' .. sub(kept.bytes, kept.at + 1))
    pieces[2 * i - 1], pieces[2 * i] = 'h', kept.heads
  end
  moment = moment + 1
  call('XADD', prefix .. 'outbox', string.format('%.0f-0', moment), 'b',
    pack('<I8I8I8', placed, seen, moment) .. 'r' .. pack('<I2I2', 0, 0), unpack(pieces))
  call('MSET', prefix .. 'moment', moment, prefix .. 'declared', youngest)
end
return {relayed, levels}
