-- src/adapters/redis/settle.lua - what remembered orders were promised, or are promised from now on
--
-- Once an order is relayed its level never changes: so what is answered here stays true.
--
-- KEYS[1]  fc:{sK}:epoch
-- ARGV     1 prefix, 2 epoch, 3 `declare`: from now on those not relayed yet are of level `r`; else
--          empty, 4... keys (16 bytes each)
-- Reply    the moment relayed; per key its level, or nil where it is not remembered
-- Errors   EPOCH, CORRUPT

local call, prefix = redis.call, ARGV[1]
local shard = call('MGET', KEYS[1], prefix .. 'moment', prefix .. 'relayed', prefix .. 'ttl')
if shard[1] ~= ARGV[2] then return redis.error_reply('EPOCH is another') end
local moment, relayed = tonumber(shard[2] or ''), tonumber(shard[3] or '0')
local ttl = tonumber(shard[4] or '')
if not moment or not relayed or not ttl then
  return redis.error_reply('CORRUPT moment, relayed, ttl')
end

local slices = {prefix .. 'keys:' .. math.floor(moment / ttl),
  prefix .. 'keys:' .. math.floor(moment / ttl) - 1}
local levels = {}
for i = 4, #ARGV do
  local level = false
  for _, slice in ipairs(slices) do
    local record = not level and call('HGET', slice, ARGV[i])
    if record then
      level = string.sub(record, -1)
      if ARGV[3] == 'declare' and level == 'd'
        and struct.unpack('<I8', record, #record - 8) > relayed then
        level = 'r'
        call('HSET', slice, ARGV[i], string.sub(record, 1, -2) .. level)
      end
    end
  end
  levels[i - 3] = level
end
return {relayed, levels}
