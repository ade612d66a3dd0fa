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
-- What costs here is making strings, so there are few of them for an order: its key, and nothing
-- more where all of the batch are accepted. What a key stands for is kept once for the whole batch.

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

-- The items. What a sale knows as a number is one from here on; a missing window or limit is ''.
local REMAINING, SOLD, SEQUENCE, OPENS, CLOSES, LIMIT, PLACE = 3, 4, 5, 6, 7, 8, 10
local items, limited = {}, false
for i = NAMES + 1, #ARGV do
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
    item[PLACE] = i - NAMES
    items[i - NAMES] = item
    limited = limited or item[LIMIT] ~= ''
  end
end

-- What is asked, and which keys and users to look up.
local HEAD, NO_KEY = 40, string.rep('\0', 16)
local count = #heads / HEAD
local item_of, quantity_of, key_of, user_of = {}, {}, {}, {}
local keys, users_of = {}, {}
local keyed, rest_at = 0, 1
for i = 1, count do
  local place, size, key, quantity = unpack_bytes('<I2I2c16I4', heads, (i - 1) * HEAD + 1)
  item_of[i], quantity_of[i] = place, quantity
  if key ~= NO_KEY then
    keyed = keyed + 1
    keys[keyed], key_of[i] = key, key
  end
  if limited then
    if items[place] and items[place][LIMIT] ~= '' then
      local users = users_of[place] or {}
      users_of[place] = users
      user_of[i] = unpack_bytes('Bc0', rests, rest_at)
      users[#users + 1] = user_of[i]
    end
    rest_at = rest_at + size
  end
end

-- A batch that keys stand for, opened: its bytes, tail, orders, where sequences and heads begin.
local function opened(bytes)
  local tail, of, _, at = unpack_bytes('<c17I2I2', bytes)
  return {bytes = bytes, tail = tail, of = of, sequences = at, heads = at + 8 * of, asked = 0}
end

-- Which of its heads has the key. For the first few by looking for its bytes: what only looks like
-- a key does not begin where a head's key begins. Who repeats a whole batch takes the index.
local function nth_with(batch, key)
  batch.asked = batch.asked + 1
  if batch.asked <= 4 then
    local found = string.find(batch.bytes, key, batch.heads, true)
    while found and (found - batch.heads) % HEAD ~= 4 do
      found = string.find(batch.bytes, key, found + 1, true)
    end
    local nth = found and (found - batch.heads - 4) / HEAD
    return nth and nth < batch.of and nth
  end
  if not batch.index then
    batch.index = {}
    for nth = 0, batch.of - 1 do
      local at = batch.heads + HEAD * nth + 4
      batch.index[sub(batch.bytes, at, at + 15)] = nth
    end
  end
  return batch.index[key]
end

local function record_of(batch, key)
  local nth, bytes = nth_with(batch, key), batch.bytes
  if not nth then return nil end
  local head = batch.heads + HEAD * nth
  local place, name_at = unpack_bytes('<I2', bytes, head), batch.heads + HEAD * batch.of
  for _ = 2, place do name_at = name_at + 1 + string.byte(bytes, name_at) end
  local sequence_at = batch.sequences + 8 * nth
  return sub(bytes, head + 20, head + HEAD - 1)
    .. sub(bytes, name_at, name_at + string.byte(bytes, name_at))
    .. sub(bytes, sequence_at, sequence_at + 7) .. batch.tail
end

-- Per key the record, or the place in this very batch of the order that took it.
local remembered = {}
local slice = math.floor(accepting / ttl)
if keyed > 0 then
  for age = 1, 0, -1 do
    local name = prefix .. 'keys:' .. slice - age
    local batches = {}
    for i, found in pairs(call('HMGET', name, unpack(keys))) do
      if found and moment - unpack_bytes('<I8', found, math.max(#found - 8, 1)) < ttl then
        local key = keys[i]
        if #found == 8 then
          local bytes = not batches[found] and call('HGET', name, found)
          if bytes then batches[found] = opened(bytes) end
          found = batches[found] and record_of(batches[found], key)
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

-- Decide: here only tables change.
local tail = pack('<I8I8', now, accepting) .. ARGV[6]
local answers, touched, buyers = {}, {}, {}
local accepted, sequences = {}, {}

local function decide(i)
  local place, quantity = item_of[i], quantity_of[i]
  local item = items[place]
  if not item then return 'item_not_found' end
  local opens, closes, limit, left = item[OPENS], item[CLOSES], item[LIMIT], item[REMAINING]
  if opens ~= '' and now < opens then return 'sale_not_open ' .. opens end
  if closes ~= '' and now >= closes then return 'sale_closed ' .. closes end
  local user, held = user_of[i], nil
  if limit ~= '' then
    held = bought[place][user]
    if held + quantity > limit then return 'user_limit_exceeded ' .. limit .. ' ' .. held end
  end
  if left == 0 then return 'sold_out' end
  if left < quantity then return 'insufficient_stock ' .. left end

  local sequence, n = item[SEQUENCE] + 1, #accepted + 1
  item[REMAINING], item[SOLD], item[SEQUENCE] = left - quantity, item[SOLD] + quantity, sequence
  touched[place] = item
  if limit ~= '' then
    bought[place][user] = held + quantity
    buyers[place] = buyers[place] or {}
    buyers[place][user] = held + quantity
  end
  accepted[n], sequences[n] = i, sequence
  local key = key_of[i]
  if key then remembered[key] = i end
  return sequence
end

local function counted(name)
  return string.char(#name) .. name
end

for i = 1, count do
  local key = key_of[i]
  local record = key and remembered[key]
  if type(record) == 'number' then
    local at = (record - 1) * HEAD
    record = sub(heads, at + 21, at + HEAD) .. counted(ARGV[NAMES + item_of[record]])
      .. pack('<I8', answers[record]) .. tail
  end
  answers[i] = record and {record} or decide(i)
end

-- Heads and rests of the accepted alone: neighbours in one piece.
local function take_accepted()
  if #accepted == count then return heads, rests end
  local head_pieces, rest_pieces = {}, {}
  local n, at, first, first_at = 1, 1, nil, nil
  for i = 1, count + 1 do
    local taken = accepted[n] == i
    if taken and not first then first, first_at = i, at end
    if first and not taken then
      head_pieces[#head_pieces + 1] = sub(heads, (first - 1) * HEAD + 1, (i - 1) * HEAD)
      rest_pieces[#rest_pieces + 1] = sub(rests, first_at, at - 1)
      first = nil
    end
    if taken then n = n + 1 end
    if i <= count then at = at + unpack_bytes('<I2', heads, (i - 1) * HEAD + 3) end
  end
  return table.concat(head_pieces), table.concat(rest_pieces)
end

-- Write.
if #accepted > 0 then
  if call('XLEN', prefix .. 'outbox') >= tonumber(ARGV[5]) then
    return redis.error_reply('BACKLOG is full')
  end
  moment = accepting
end
-- Whole slices go when no key in them can live. They have no EXPIRE: the server's clock may step.
for old = math.floor(moment_before / ttl) - 1, math.floor(moment / ttl) - 2 do
  call('UNLINK', prefix .. 'keys:' .. old)
end
if #accepted > 0 then
  local its_heads, its_rests = take_accepted()
  local names = {}
  for place = 1, #ARGV - NAMES do
    names[place] = touched[place] and counted(ARGV[NAMES + place]) or '\0'
  end
  local batch = tail .. pack('<I2I2' .. string.rep('I8', #accepted), #accepted, #names,
    unpack(sequences)) .. its_heads .. table.concat(names)
  call('XADD', prefix .. 'outbox', string.format('%.0f-0', moment), 'o',
    pack('<I8', placed) .. batch .. its_rests)
  local stamp, fields = pack('<I8', moment), {}
  for _, i in ipairs(accepted) do
    local key = key_of[i]
    if key then
      local field = #fields
      fields[field + 1], fields[field + 2] = key, stamp
    end
  end
  if #fields > 0 then
    local field = #fields
    fields[field + 1], fields[field + 2] = stamp, batch
    call('HSET', prefix .. 'keys:' .. slice, unpack(fields))
  end
end
-- Without an accept only now and then: whoever is new here reckons from it.
if #accepted > 0 or moment - moment_before >= 1000000 then
  call('MSET', prefix .. 'moment', moment, prefix .. 'placed', placed + #accepted, prefix .. 'seen',
    now)
end
local figures = {}
for place, item in pairs(touched) do
  figures[#figures + 1] = item
  call('HSET', prefix .. 'item:' .. ARGV[NAMES + place], 'remaining', item[REMAINING],
    'sold', item[SOLD], 'orders', item[SEQUENCE])
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
