-- Notes how far a running job is. Answers 1, or 0 when the claim is lost.
local job, queue = unpack(KEYS)
local id, channel, group, entry, consumer, deliveries, progress = unpack(ARGV)

if not holds(queue, group, entry, consumer, deliveries) or redis.call('HGET', job, 'state') ~= 'running' then
  return 0
end
redis.call('HSET', job, 'progress', progress)
tell(channel, id, 'running', progress)
return 1
