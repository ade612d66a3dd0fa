-- src/adapters/redis/stock.lua - puts an item's totals, window and limit into the sale
--
-- What is given is absolute, and a movement older than the one known changes nothing: so it may be
-- repeated, and two that cross end with the later one.
--
-- KEYS[1]  fc:{sK}:epoch
-- ARGV     1 prefix, 2 epoch, 3 `lower` (the totals only, before they are true: takes units out) or
--          `put` (all of it), 4 item, 5 initial, 6 restocked, 7 opens (ms), 8 closes (ms), 9 limit
--          (7 to 9: empty for none), 10 movement, 11 `new`: no order of the item is stored, so
--          it may be unknown here
-- Reply    done, older or counting, and the item's fields. counting: the limit is new and what
--          users hold was never counted; the shard is closed until it is rebuilt.
-- Errors   EPOCH, BELOW <sold> (lower only), CORRUPT: nothing is written

local call, prefix, name = redis.call, ARGV[1], ARGV[4]
if call('GET', KEYS[1]) ~= ARGV[2] then return redis.error_reply('EPOCH is another') end

local key, movement = prefix .. 'item:' .. name, tonumber(ARGV[10])
local function fields()
  return call('HMGET', key, 'initial', 'restocked', 'remaining', 'sold', 'orders', 'opens',
    'closes', 'limit', 'movement')
end
local item = fields()
if not item[1] then
  if ARGV[11] ~= 'new' then return redis.error_reply('CORRUPT item ' .. name) end
  item = {0, 0, 0, 0, 0, '', '', '', 0}
end
local sold, orders = tonumber(item[4] or ''), tonumber(item[5] or '')
local known = tonumber(item[9] or '')
if not (sold and orders and known and item[8]) then
  return redis.error_reply('CORRUPT item ' .. name)
end
if known > movement then return {'older', item} end
local remaining = tonumber(ARGV[5]) + tonumber(ARGV[6]) - sold
if remaining < 0 then
  return redis.error_reply((ARGV[3] == 'lower' and 'BELOW ' or 'CORRUPT sold ') .. item[4])
end

local counting = ARGV[3] == 'put' and item[8] == '' and ARGV[9] ~= '' and orders > 0
call('HSET', key, 'initial', ARGV[5], 'restocked', ARGV[6], 'remaining', remaining, 'sold', sold,
  'orders', orders, 'movement', movement)
call('SADD', prefix .. 'items', name)
if ARGV[3] == 'put' then
  call('HSET', key, 'opens', ARGV[7], 'closes', ARGV[8], 'limit', ARGV[9])
  if ARGV[9] == '' then call('UNLINK', prefix .. 'bought:' .. name) end
  if counting then call('DEL', KEYS[1]) end
end
return {counting and 'counting' or 'done', fields()}
