-- src/adapters/redis/place.lua - decides a whole batch of orders in one step
--
-- The rules and their order are those of domain::Sale and domain::Shard; a differential test holds
-- both to the same answers. A script is never rolled back: all reads and checks come first, and
-- from the first write on nothing can fail.
--
-- KEYS[1]  fc:{sK}:epoch; every other name begins with ARGV[1], so it lies on the same server
-- ARGV     1 prefix, 2 epoch, 3 now (ms; empty: the server's), 4 moment as the caller reckons it,
--          5 entries the outbox may hold, 6 level (one byte), 7 heads, 8 rests, 9... names of the
--          items. Heads and rests, and what is made of them, are as stored_order.hpp has them.
-- moment   microseconds by the shard's own clock: rises with each accepting batch and never steps,
--          whatever happens to wall clocks; it names the outbox's entries and ages the keys
-- Reply    per order: its sequence, or the text of the rule that refused it with its figures, or
--          {record} when its key was accepted before; the items sold from: their fields and their
--          place in the list; now; moment
-- Errors   EPOCH (another life), BACKLOG (too much waits to be stored), CORRUPT: nothing is written
--
-- What costs here is making strings, the long ones by their length, and then each step of Lua's: so
-- heads and rests go on as they came where all of the batch are accepted, and what a key stands for
-- is kept once for the whole batch.

local call, pack, unpack_bytes, sub = redis.call, struct.pack, struct.unpack, string.sub
local prefix, heads, rests, NAMES = ARGV[1], ARGV[7], ARGV[8], 8

-- `seen` is only written. Whatever is written is read before: in a Cluster that moves the shard, a
-- name that has gone ahead is found missing here and not between two writes.
local shard = call('MGET', KEYS[1], prefix .. 'moment', prefix .. 'placed', prefix .. 'ttl',
  prefix .. 'seen')
if shard[1] ~= ARGV[2] then return redis.error_reply('EPOCH is another') end
local moment_before, placed = tonumber(shard[2] or ''), tonumber(shard[3] or '')
local ttl = tonumber(shard[4] or '')
if not moment_before or not placed or not ttl then
  return redis.error_reply('CORRUPT moment, placed, ttl')
end
local moment = math.max(tonumber(ARGV[4]), moment_before)
local accepting = math.max(moment, moment_before + 1)
local now = tonumber(ARGV[3])
if not now then
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The items. What a sale knows as a number is one from here on.
local REMAINING, SOLD, ORDERS, OPENS, CLOSES, LIMIT, PLACE = 3, 4, 5, 6, 7, 8, 10
local items, limited = {}, false
for place = 1, #ARGV - NAMES do
  local name = ARGV[NAMES + place]
  local fields = call('HMGET', prefix .. 'item:' .. name, 'initial', 'restocked', 'remaining',
    'sold', 'orders', 'opens', 'closes', 'limit', 'movement')
  if fields[1] or fields[REMAINING] then
    for i = 1, LIMIT do
      local number = tonumber(fields[i] or '')
      if not number and (i <= ORDERS or fields[i] ~= '') then
        return redis.error_reply('CORRUPT item ' .. name)
      end
      fields[i] = number or ''
    end
    local total, remaining = fields[1] + fields[2], fields[REMAINING]
    if total ~= remaining + fields[SOLD] or remaining < 0 then
      return redis.error_reply('CORRUPT item ' .. name)
    end
    local opens, closes, limit = fields[OPENS], fields[CLOSES], fields[LIMIT]
    items[place] = {fields = fields, total = total, remaining = remaining, orders = fields[ORDERS],
      opens = opens ~= '' and opens or -math.huge, closes = closes ~= '' and closes or math.huge,
      limit = limit ~= '' and limit or nil}
    limited = limited or limit ~= ''
  end
end

-- What is asked, read by one call: six values a head. The last two are its id, passed over as two
-- numbers.
local HEAD, NO_KEY = 40, string.rep('\0', 16)
local count = #heads / HEAD
local asked = {unpack_bytes(string.rep('<I2I2c16I4dd', count), heads)}

-- Which keys and users to look up.
local keys, keyed, rest_at = {}, 0, 1
local user_of, users_of = {}, {}
for i = 1, count do
  local key = asked[6 * i - 3]
  if key ~= NO_KEY then
    keyed = keyed + 1
    keys[keyed] = key
  end
  if limited then
    local place = asked[6 * i - 5]
    if items[place] and items[place].limit then
      local users = users_of[place] or {}
      users_of[place] = users
      user_of[i] = unpack_bytes('Bc0', rests, rest_at)
      users[#users + 1] = user_of[i]
    end
    rest_at = rest_at + asked[6 * i - 4]
  end
end

local function counted(name)
  return string.char(#name) .. name
end

-- A batch that keys stand for, opened. Nothing: it is not there.
local function opened(slice, stamp)
  local about, its_heads = unpack(call('HMGET', slice, stamp, 'h' .. stamp))
  if not about or not its_heads then return nil end
  return {about = about, heads = its_heads, tail = sub(about, 1, 17), items = 22, asked = 0}
end

-- Where the key's head begins, the place of its item, and how many of that item's orders are before
-- it. For the first few by looking for its bytes: what only looks like a key does not begin where a
-- head's key begins. Who repeats a whole batch takes the index.
local function found_in(batch, key)
  batch.asked = batch.asked + 1
  if batch.asked > 4 then
    if not batch.index then
      local orders_of = {}
      batch.index = {}
      for head = 1, #batch.heads, HEAD do
        local place, _, its_key = unpack_bytes('<I2I2c16', batch.heads, head)
        batch.index[its_key] = {head, place, orders_of[place] or 0}
        orders_of[place] = (orders_of[place] or 0) + 1
      end
    end
    return unpack(batch.index[key] or {})
  end
  local found = string.find(batch.heads, key, 1, true)
  while found and found % HEAD ~= 5 do
    found = string.find(batch.heads, key, found + 1, true)
  end
  if not found then return nil end
  local place, before = unpack_bytes('<I2', batch.heads, found - 4), 0
  for head = 1, found - 5, HEAD do
    if unpack_bytes('<I2', batch.heads, head) == place then before = before + 1 end
  end
  return found - 4, place, before
end

-- An item's orders follow each other: the first one's sequence stands behind its name.
local function record_of(batch, key)
  local head, place, before = found_in(batch, key)
  if not head then return nil end
  local at, name, first = batch.items, nil, nil
  for _ = 1, place do
    name, at = unpack_bytes('Bc0', batch.about, at)
    if name ~= '' then first, at = unpack_bytes('<I8', batch.about, at) end
  end
  return sub(batch.heads, head + 20, head + HEAD - 1) .. counted(name)
    .. pack('<I8', first + before) .. batch.tail
end

-- Per key the record, or the place in this very batch of the order that took it.
local remembered = {}
local slice = math.floor(accepting / ttl)
if keyed > 0 then
  for age = 1, 0, -1 do
    local name = prefix .. 'keys:' .. slice - age
    local batches, all_found = {}, call('HMGET', name, unpack(keys))
    for i = 1, keyed do
      local found = all_found[i]
      if found and moment - unpack_bytes('<I8', found, math.max(#found - 8, 1)) < ttl then
        local key = keys[i]
        if #found == 8 then
          local batch = batches[found] or opened(name, found)
          batches[found] = batch
          found = batch and record_of(batch, key)
          if not found then return redis.error_reply('CORRUPT batch of a key') end
        end
        remembered[key] = found
      end
    end
  end
end

local bought = {}
for place, users in pairs(users_of) do
  local units = {}
  for i, held in ipairs(call('HMGET', prefix .. 'bought:' .. ARGV[NAMES + place], unpack(users))) do
    local number = tonumber(held or '0')
    if not number then return redis.error_reply('CORRUPT bought ' .. ARGV[NAMES + place]) end
    units[users[i]] = number
  end
  bought[place] = units
end

-- Decide: here only tables change. An item that is sold from has the sequence of its first order.
local tail = pack('<I8I8', now, accepting) .. ARGV[6]
local answers, accepted, taken, buyers = {}, {}, 0, {}

local function repeated(record)
  if type(record) ~= 'number' then return {record} end
  local at, place = (record - 1) * HEAD, asked[6 * record - 5]
  return {sub(heads, at + 21, at + HEAD) .. counted(ARGV[NAMES + place])
    .. pack('<I8', answers[record]) .. tail}
end

for i = 1, count do
  local at = 6 * i
  local key, quantity, item = asked[at - 3], asked[at - 2], items[asked[at - 5]]
  local limit = item and item.limit
  local held = limit and bought[asked[at - 5]][user_of[i]]
  if remembered[key] then
    answers[i] = repeated(remembered[key])
  elseif not item then
    answers[i] = 'item_not_found'
  elseif now < item.opens then
    answers[i] = 'sale_not_open ' .. item.opens
  elseif now >= item.closes then
    answers[i] = 'sale_closed ' .. item.closes
  elseif limit and held + quantity > limit then
    answers[i] = 'user_limit_exceeded ' .. limit .. ' ' .. held
  elseif item.remaining == 0 then
    answers[i] = 'sold_out'
  elseif item.remaining < quantity then
    answers[i] = 'insufficient_stock ' .. item.remaining
  else
    local sequence = item.orders + 1
    item.remaining, item.orders = item.remaining - quantity, sequence
    if not item.first then item.first = sequence end
    if limit then
      local place, user = asked[at - 5], user_of[i]
      bought[place][user] = held + quantity
      buyers[place] = buyers[place] or {}
      buyers[place][user] = held + quantity
    end
    taken = taken + 1
    accepted[taken], answers[i] = i, sequence
    if key ~= NO_KEY then remembered[key] = i end
  end
end

-- Heads and rests of the accepted alone: neighbours in one piece.
local function take_accepted()
  if taken == count then return heads, rests end
  local head_pieces, rest_pieces = {}, {}
  local n, at, first, first_at = 1, 1, nil, nil
  for i = 1, count + 1 do
    local is_next = accepted[n] == i
    if is_next and not first then first, first_at = i, at end
    if first and not is_next then
      head_pieces[#head_pieces + 1] = sub(heads, (first - 1) * HEAD + 1, (i - 1) * HEAD)
      rest_pieces[#rest_pieces + 1] = sub(rests, first_at, at - 1)
      first = nil
    end
    if is_next then n = n + 1 end
    if i <= count then at = at + asked[6 * i - 4] end
  end
  return table.concat(head_pieces), table.concat(rest_pieces)
end

-- Write.
if taken > 0 then
  if call('XLEN', prefix .. 'outbox') >= tonumber(ARGV[5]) then
    return redis.error_reply('BACKLOG is full')
  end
  moment = accepting
end
-- Whole slices go when no key in them can live. They have no EXPIRE: the server's clock may step.
for old = math.floor(moment_before / ttl) - 1, math.floor(moment / ttl) - 2 do
  call('UNLINK', prefix .. 'keys:' .. old)
end
if taken > 0 then
  local its_heads, its_rests = take_accepted()
  local names = {}
  for place = 1, #ARGV - NAMES do
    local first = items[place] and items[place].first
    names[place] = first and counted(ARGV[NAMES + place]) .. pack('<I8', first) or '\0'
  end
  local about, sold = tail .. pack('<I2I2', taken, #names), table.concat(names)
  call('XADD', prefix .. 'outbox', string.format('%.0f-0', moment), 'b',
    pack('<I8', placed) .. about, 'h', its_heads, 'i', sold, 'r', its_rests)
  local stamp, fields, last = pack('<I8', moment), {}, 0
  for n = 1, taken do
    local key = asked[6 * accepted[n] - 3]
    if key ~= NO_KEY then
      fields[last + 1], fields[last + 2] = key, stamp
      last = last + 2
    end
  end
  if last > 0 then
    fields[last + 1], fields[last + 2] = stamp, about .. sold
    fields[last + 3], fields[last + 4] = 'h' .. stamp, its_heads
    call('HSET', prefix .. 'keys:' .. slice, unpack(fields))
  end
end
-- Without an accept only now and then: whoever is new here reckons from it.
if taken > 0 or moment - moment_before >= 1000000 then
  call('MSET', prefix .. 'moment', moment, prefix .. 'placed', placed + taken,
    prefix .. 'seen', now)
end
local figures = {}
for place = 1, #ARGV - NAMES do
  local item = items[place]
  if item and item.first then
    local fields = item.fields
    fields[REMAINING], fields[SOLD] = item.remaining, item.total - item.remaining
    fields[ORDERS], fields[PLACE] = item.orders, place
    figures[#figures + 1] = fields
    call('HSET', prefix .. 'item:' .. ARGV[NAMES + place], 'remaining', fields[REMAINING],
      'sold', fields[SOLD], 'orders', fields[ORDERS])
  end
end
for place, units in pairs(buyers) do
  local fields = {}
  for user, held in pairs(units) do
    fields[#fields + 1] = user
    fields[#fields + 1] = held
  end
  call('HSET', prefix .. 'bought:' .. ARGV[NAMES + place], unpack(fields))
end
return {answers, figures, now, moment}
