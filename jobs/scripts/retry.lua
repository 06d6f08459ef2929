-- Queues the failed job of a dead letter again, under its own id. Answers {verdict, state of the job}.
local job, pace, dead = KEYS[1], KEYS[12], KEYS[15]
local id, letter, method, flow, result_seconds, queue_seconds, channel, group = unpack(ARGV)
local FIRST_IMAGE = 16  -- of each image two keys

if #redis.call('XRANGE', dead, letter, letter) == 0 then
  return {'no-letter', ''}
end
local known = redis.call('HMGET', job, 'state', 'letter', 'flow', 'cost')
if not known[1] then
  return {'gone', ''}
end
if known[1] ~= 'failed' or known[3] ~= flow then
  return {'not-failed', known[1]}
end
for index = FIRST_IMAGE, #KEYS, 2 do
  if redis.call('EXISTS', KEYS[index]) == 0 then
    return {'gone', ''}
  end
end

local fields = {}
for _, field in ipairs({'job', 'tenant', 'model', 'image', 'reference', 'mask', 'lane', 'cost'}) do
  local value = redis.call('HGET', job, field)
  if value then
    fields[#fields + 1] = field
    fields[#fields + 1] = value
  end
end
local price = price_of(pace, method, tonumber(known[4] or 1))
enqueue({unpack(KEYS, 1, 14)}, id, flow, price, fields, group, channel, result_seconds, queue_seconds)
redis.call('XDEL', dead, letter, known[2] or letter)
expire(result_seconds, {unpack(KEYS, FIRST_IMAGE)})
return {'retried', 'queued'}
