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
  prefix .. 'placed', prefix .. 'seen')
if shard[1] ~= ARGV[2] then return redis.error_reply('EPOCH is another') end
local moment, relayed = tonumber(shard[2] or ''), tonumber(shard[3] or '0')
local ttl, placed = tonumber(shard[4] or ''), tonumber(shard[5] or '')
local seen = tonumber(shard[6] or '')
if not moment or not relayed or not ttl or not placed or not seen then
  return redis.error_reply('CORRUPT moment, relayed, ttl, placed, seen')
end
call('XLEN', prefix .. 'outbox')  -- whatever is written is read before: see place.lua

-- A key stands for the batch it was accepted in, whose level is one for all of it, or for a record
-- of its own. In both the moment stands before the level, at another place. Where ids are: in the
-- batch's heads, or in the record.
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
      kept = {slice = name, field = ARGV[i], bytes = found, at = #found}
    end
  end
  if kept then kept.level = kept.level or sub(kept.bytes, kept.at, kept.at) end
  if kept and kept.level == 'd' and ARGV[3] == 'declare'
    and struct.unpack('<I8', kept.bytes, kept.at - 8) > relayed then
    kept.level = 'r'
    declared[#declared + 1] = kept
  end
  levels[i - 3] = kept and kept.level
end

local HEAD = 40
local ids = {}
for _, kept in ipairs(declared) do
  local bytes = sub(kept.bytes, 1, kept.at - 1) .. 'r' .. sub(kept.bytes, kept.at + 1)
  call('HDEL', kept.slice, kept.field)  -- or HSET would be refused when memory is used up
  call('HSET', kept.slice, kept.field, bytes)
  if not kept.heads then ids[#ids + 1] = sub(bytes, 5, 20) end
  for head = 0, #(kept.heads or '') - 1, HEAD do
    ids[#ids + 1] = sub(kept.heads, head + 25, head + HEAD)
  end
end
if #ids > 0 then
  moment = moment + 1
  call('XADD', prefix .. 'outbox', string.format('%.0f-0', moment), 'b',
    pack('<I8I8I8', placed, seen, moment) .. 'r' .. pack('<I2I2', 0, 0) .. table.concat(ids))
  call('SET', prefix .. 'moment', moment)
end
return {relayed, levels}
