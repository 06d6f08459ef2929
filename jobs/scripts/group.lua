-- Makes the group of a queue, so that every entry is read from the first on, and forgets idle consumers. A flow
-- that had no work for long is forgotten itself; its next job makes it anew.
local queue, flows = unpack(KEYS)
local group, flow, queue_seconds, forget_seconds = unpack(ARGV)

local last = tonumber(redis.call('ZSCORE', flows, flow) or 0)
if last < tonumber(now()) - tonumber(forget_seconds) and redis.call('XLEN', queue) == 0 then
  redis.call('DEL', queue)
  redis.call('ZREM', flows, flow)
  return 0
end

local made = redis.pcall('XGROUP', 'CREATE', queue, group, '0', 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then
  return made
end
expire(queue_seconds, {queue})

-- Each reply is a flat list of names and values; deleting a consumer would drop what it still holds.
for _, fields in ipairs(redis.call('XINFO', 'CONSUMERS', queue, group)) do
  local consumer = {}
  for index = 1, #fields, 2 do
    consumer[fields[index]] = fields[index + 1]
  end
  if consumer.pending == 0 and consumer.idle > 1000 * tonumber(forget_seconds) then
    redis.call('XGROUP', 'DELCONSUMER', queue, group, consumer.name)
  end
end
return 1
