-- Counts that a job took its worker down. Answers the count, or 0 when the claim is lost.
local job, queue, events = unpack(KEYS)
local id, channel, group, entry, consumer, deliveries, token = unpack(ARGV)

if not holds(queue, group, entry, consumer, deliveries) or redis.call('EXISTS', job) == 0 then
  return 0
end
if redis.call('HGET', job, 'crash_token') == token then
  return tonumber(redis.call('HGET', job, 'crashes'))
end
redis.call('HSET', job, 'state', 'queued', 'progress', '0', 'crash_token', token)
redis.call('HDEL', job, 'started_at')
tell(channel, events, id, 'queued', 0)
return redis.call('HINCRBY', job, 'crashes', 1)
