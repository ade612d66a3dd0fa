-- src/adapters/redis/place.lua - decides a whole batch of orders in one step
--
-- The rules and their order are those of domain::Sale and domain::Shard; a differential test holds
-- both to the same answers. A script is never rolled back: all reads and checks come first, and
-- from the first write on nothing can fail.
--
-- KEYS[1]  fc:{sK}:epoch; every other name begins with ARGV[1], so it lies on the same server
-- ARGV     1 prefix, 2 epoch, 3 now (ms; empty: the server's), 4 moment as the caller reckons it,
--          5 entries the outbox may hold, 6 level (one byte), 7 orders, 8... names of the items
-- orders   per order: place of its item in the list u16, where its user begins u16, length of the
--          event u16, the event as stored_order.hpp has it. Integers are little endian.
-- moment   microseconds by the shard's own clock: rises with each accepting batch and never steps,
--          whatever happens to wall clocks; it names the outbox's entries and ages the keys
-- Reply    per order: its sequence, or the text of the rule that refused it with its figures, or
--          {record} when its key was accepted before; the items sold from: their fields and their
--          place in the list; now; moment
-- Errors   EPOCH (another life), BACKLOG (too much waits to be stored), CORRUPT: nothing is written

local call, pack, unpack_bytes, sub = redis.call, struct.pack, struct.unpack, string.sub
local prefix, orders = ARGV[1], ARGV[7]

local shard = call('MGET', KEYS[1], prefix .. 'moment', prefix .. 'placed', prefix .. 'ttl')
if shard[1] ~= ARGV[2] then return redis.error_reply('EPOCH is another') end
local moment_before, placed = tonumber(shard[2] or ''), tonumber(shard[3] or '')
local ttl = tonumber(shard[4] or '')
if not moment_before or not placed or not ttl then
  return redis.error_reply('CORRUPT moment, placed, ttl')
end
local moment = math.max(tonumber(ARGV[4]), moment_before)
local now = tonumber(ARGV[3])
if not now then
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The items. What a sale knows as a number is one from here on; a missing window or limit is ''.
local REMAINING, SOLD, SEQUENCE, OPENS, CLOSES, LIMIT, PLACE = 3, 4, 5, 6, 7, 8, 10
local items = {}
for i = 8, #ARGV do
  local item = call('HMGET', prefix .. 'item:' .. ARGV[i], 'initial', 'restocked', 'remaining',
    'sold', 'orders', 'opens', 'closes', 'limit', 'movement')
  if item[1] or item[REMAINING] then
    for field = 1, LIMIT do
      local number = tonumber(item[field] or '')
      if not number and (field <= SEQUENCE or item[field] ~= '') then
        return redis.error_reply('CORRUPT item ' .. ARGV[i])
      end
      item[field] = number or ''
    end
    if item[1] + item[2] ~= item[REMAINING] + item[SOLD] or item[REMAINING] < 0 then
      return redis.error_reply('CORRUPT item ' .. ARGV[i])
    end
    item[PLACE] = i - 7
    items[i - 7] = item
  end
end

-- What is asked, and which keys and users to look up.
local NO_KEY = string.rep('\0', 16)
local item_of, quantity_of, key_of, from, user_at, to = {}, {}, {}, {}, {}, {}
local keys, users_of = {}, {}
local count, at, size = 0, 1, #orders
while at <= size do
  count = count + 1
  local place, user_offset, length, key, quantity = unpack_bytes('<I2I2I2c16I4', orders, at)
  item_of[count], quantity_of[count] = place, quantity
  from[count], user_at[count], to[count] = at + 6, at + 6 + user_offset, at + 5 + length
  at = at + 6 + length
  if key ~= NO_KEY then
    keys[#keys + 1] = key
    key_of[count] = key
  end
  local item = items[place]
  if item and item[LIMIT] ~= '' then
    local users = users_of[place] or {}
    users_of[place] = users
    users[#users + 1] = unpack_bytes('Bc0', orders, user_at[count])
  end
end

local remembered = {}
if #keys > 0 then
  local slice = math.floor(moment / ttl)
  for age = 1, 0, -1 do
    local found = call('HMGET', prefix .. 'keys:' .. slice - age, unpack(keys))
    for i, record in ipairs(found) do
      if record and moment - unpack_bytes('<I8', record, #record - 8) < ttl then
        remembered[keys[i]] = record
      end
    end
  end
end

local bought = {}
for place, users in pairs(users_of) do
  local units = {}
  for i, held in ipairs(call('HMGET', prefix .. 'bought:' .. ARGV[7 + place], unpack(users))) do
    local number = tonumber(held or '0')
    if not number then return redis.error_reply('CORRUPT bought ' .. ARGV[7 + place]) end
    units[users[i]] = number
  end
  bought[place] = units
end

-- Decide: here only tables change.
local accepting = math.max(moment, moment_before + 1)
local tail = pack('<I8I8', now, accepting) .. ARGV[6]
local answers, written, new_keys, touched = {}, {pack('<I8', placed) .. tail}, {}, {}
local buyers, accepted = {}, 0

local function decide(i)
  local place, quantity = item_of[i], quantity_of[i]
  local item = items[place]
  if not item then return 'item_not_found' end
  local opens, closes, limit, left = item[OPENS], item[CLOSES], item[LIMIT], item[REMAINING]
  if opens ~= '' and now < opens then return 'sale_not_open ' .. opens end
  if closes ~= '' and now >= closes then return 'sale_closed ' .. closes end
  local user, held
  if limit ~= '' then
    user = unpack_bytes('Bc0', orders, user_at[i])
    held = bought[place][user]
    if held + quantity > limit then return 'user_limit_exceeded ' .. limit .. ' ' .. held end
  end
  if left == 0 then return 'sold_out' end
  if left < quantity then return 'insufficient_stock ' .. left end

  local sequence = item[SEQUENCE] + 1
  item[REMAINING], item[SOLD], item[SEQUENCE] = left - quantity, item[SOLD] + quantity, sequence
  touched[place] = item
  if limit ~= '' then
    bought[place][user] = held + quantity
    buyers[place] = buyers[place] or {}
    buyers[place][user] = held + quantity
  end
  local line, n = pack('<I8', sequence), #written
  written[n + 1], written[n + 2] = sub(orders, from[i], to[i]), line
  accepted = accepted + 1
  local key = key_of[i]
  if key then
    -- From quantity to item: what the first answer needs and its asker does not say again.
    local record = sub(orders, from[i] + 16, user_at[i] - 1) .. line .. tail
    remembered[key] = record
    n = #new_keys
    new_keys[n + 1], new_keys[n + 2] = key, record
  end
  return sequence
end

for i = 1, count do
  local key = key_of[i]
  local record = key and remembered[key]
  answers[i] = record and {record} or decide(i)
end

-- Write.
if accepted > 0 then
  if call('XLEN', prefix .. 'outbox') >= tonumber(ARGV[5]) then
    return redis.error_reply('BACKLOG is full')
  end
  moment = accepting
  call('XADD', prefix .. 'outbox', string.format('%.0f-0', moment), 'o', table.concat(written))
end
-- Without an accept only now and then: whoever is new here reckons from it.
if accepted > 0 or moment - moment_before >= 1000000 then
  call('MSET', prefix .. 'moment', moment, prefix .. 'placed', placed + accepted, prefix .. 'seen',
    now)
end
if #new_keys > 0 then
  call('HSET', prefix .. 'keys:' .. math.floor(moment / ttl), unpack(new_keys))
end
local figures = {}
for place, item in pairs(touched) do
  figures[#figures + 1] = item
  call('HSET', prefix .. 'item:' .. ARGV[7 + place], 'remaining', item[REMAINING],
    'sold', item[SOLD], 'orders', item[SEQUENCE])
end
for place, units in pairs(buyers) do
  local fields = {}
  for user, held in pairs(units) do
    fields[#fields + 1] = user
    fields[#fields + 1] = held
  end
  call('HSET', prefix .. 'bought:' .. ARGV[7 + place], unpack(fields))
end
-- Whole slices go when no key in them can live. They have no EXPIRE: the server's clock may step.
for old = math.floor(moment_before / ttl) - 1, math.floor(moment / ttl) - 2 do
  call('UNLINK', prefix .. 'keys:' .. old)
end
return {answers, figures, now, moment}
