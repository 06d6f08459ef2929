-- Counts that a job was running when its worker let go of it. Answers the count, or -1 when the claim is lost.
local job, queue, events = unpack(KEYS)
local id, channel, group, entry, consumer, deliveries = unpack(ARGV)

if not holds(queue, group, entry, consumer, deliveries) or redis.call('EXISTS', job) == 0 then
  return -1
end
redis.call('HSET', job, 'state', 'queued', 'progress', '0')
redis.call('HDEL', job, 'started_at')
tell(channel, events, id, 'queued', 0)
return redis.call('HINCRBY', job, 'interruptions', 1)
