-- Gives a claim back, so that anyone may take it at once. Answers 1, or 0 when the claim is lost.
local job, queue, events, bell = unpack(KEYS)
local id, channel, group, entry, consumer, deliveries, nobody, idle_ms, queue_seconds = unpack(ARGV)

if not holds(queue, group, entry, consumer, deliveries) then
  return 0
end
redis.call('XCLAIM', queue, group, nobody, 0, entry, 'IDLE', idle_ms, 'JUSTID')
ring(bell, queue_seconds)
if redis.call('HGET', job, 'state') == 'running' then
  redis.call('HSET', job, 'state', 'queued', 'progress', '0')
  redis.call('HDEL', job, 'started_at')
  tell(channel, events, id, 'queued', 0)
end
return 1
