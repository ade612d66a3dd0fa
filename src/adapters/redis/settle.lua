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
local levels, batches = {}, {}

-- A key stands for the batch it was accepted in, whose level is one for all of it, or for a record
-- of its own: where that is kept, when it was accepted, and at which byte its level stands.
local function kept_of(slice, key)
  local found = call('HGET', slice, key)
  if not found then return nil end
  if #found == 8 then
    batches[found] = batches[found] or call('HGET', slice, found)
    return found, struct.unpack('<I8', found), batches[found], 17
  end
  return key, struct.unpack('<I8', found, #found - 8), found, #found
end

for i = 4, #ARGV do
  local level = false
  for _, slice in ipairs(slices) do
    local field, accepted, kept, at
    if not level then field, accepted, kept, at = kept_of(slice, ARGV[i]) end
    if kept then
      level = string.sub(kept, at, at)
      if ARGV[3] == 'declare' and level == 'd' and accepted > relayed then
        level = 'r'
        kept = string.sub(kept, 1, at - 1) .. level .. string.sub(kept, at + 1)
        if batches[field] then batches[field] = kept end
        call('HDEL', slice, field)  -- or HSET would be refused when memory is used up
        call('HSET', slice, field, kept)
      end
    end
  end
  levels[i - 3] = level
end
return {relayed, levels}
