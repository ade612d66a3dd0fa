-- bench/compare/orders.lua - the nginx contestant: parses an order and lets Redis decide it
local cjson = require 'cjson.safe'
local redis = require 'nginx.redis'

local orders = {}

local function answer(status, body)
  ngx.status = status
  ngx.header['Content-Type'] = 'application/json'
  ngx.header['Content-Length'] = #body
  ngx.print(body)
end

local function connection()
  local client = redis:new()
  client:set_timeout(5000)
  local ok, reason = client:connect('127.0.0.1', tonumber(os.getenv('REDIS_PORT')))
  if not ok then
    ngx.log(ngx.ERR, reason)
    return nil
  end
  return client
end

local function body_object()
  ngx.req.read_body()
  return cjson.decode(ngx.req.get_body_data() or '')
end

local function valid(order)
  return order and order.userId and type(order.itemId) == 'string'
    and type(order.quantity) == 'number' and order.quantity >= 1 and order.quantity <= 1000
    and order.quantity % 1 == 0
end

function orders.place()
  local order = body_object()
  if not valid(order) then return answer(400, '{"status":400,"code":"validation_failed"}') end
  local client = connection()
  if not client then return answer(503, '{"status":503,"code":"please_wait"}') end
  local user = type(order.userId) == 'number' and string.format('%.0f', order.userId)
    or tostring(order.userId)
  local id = ngx.var.request_id
  id = id:sub(1, 8) .. '-' .. id:sub(9, 12) .. '-7' .. id:sub(14, 16) .. '-8' .. id:sub(18, 20)
    .. '-' .. id:sub(21, 32)
  local reply, reason = client:evalsha(
    os.getenv('PLACE_SHA'), 3, 'item:' .. order.itemId,
    'key:' .. user .. ':' .. (ngx.var.http_idempotency_key or id), 'outbox',
    order.itemId .. '/' .. order.quantity, user, order.itemId, order.quantity, id, 86400,
    ngx.utctime())
  if not reply then
    ngx.log(ngx.ERR, reason)
    return answer(503, '{"status":503,"code":"please_wait"}')
  end
  client:set_keepalive(60000, 512)
  if reply[3] == 1 then ngx.header['Idempotent-Replayed'] = 'true' end
  if reply[1] == 202 then
    ngx.header['Location'] = '/api/v1/orders/' .. reply[2]:match('"orderId":"([^"]+)"')
  end
  answer(reply[1], reply[2])
end

function orders.set_stock()
  local change = body_object()
  local client = connection()
  client:hset('item:' .. change.itemId, 'initial', string.format('%d', change.quantity))
  client:hset('item:' .. change.itemId, 'remaining', string.format('%d', change.quantity))
  client:set_keepalive(60000, 512)
  answer(200, '{}')
end

function orders.stock(item)
  local client = connection()
  local initial = client:hget('item:' .. item, 'initial')
  local remaining = client:hget('item:' .. item, 'remaining')
  local sold = client:hget('item:' .. item, 'sold')
  client:set_keepalive(60000, 512)
  if initial == ngx.null then return answer(404, '{"status":404,"code":"item_not_found"}') end
  answer(200, '{"itemId":"' .. item .. '","initial":' .. initial .. ',"remaining":' .. remaining
    .. ',"sold":' .. (sold == ngx.null and 0 or sold) .. '}')
end

return orders
