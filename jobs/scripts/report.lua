-- Notes how far a running job is. Answers 1, or 0 when the claim is lost.
local job, queue, events, webhooks, calls = unpack(KEYS)
local id, channel, group, entry, consumer, deliveries, progress, result_seconds = unpack(ARGV)

if not holds(queue, group, entry, consumer, deliveries) then
  return 0
end
if redis.call('HGET', job, 'state') == 'running' then
  redis.call('HSET', job, 'progress', progress)
  tell_all(channel, events, webhooks, calls, id, 'progress', progress, result_seconds)
end
return 1
