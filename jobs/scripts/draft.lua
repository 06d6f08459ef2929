-- Keeps what a running job has found so far, and tells of it. Answers 1, or 0 when the claim is lost.
local job, queue, events, draft = unpack(KEYS)
local id, channel, group, entry, consumer, deliveries, progress, change, draft_seconds = unpack(ARGV, 1, 9)
local FIRST_FIELD = 10

if not holds(queue, group, entry, consumer, deliveries) then
  return 0
end
if redis.call('HGET', job, 'state') == 'running' then
  -- This write is the first, since a full Redis refuses it; after the first, a script is never refused.
  redis.call('HSET', job, 'progress', progress)
  redis.call('DEL', draft)
  redis.call('HSET', draft, unpack(ARGV, FIRST_FIELD))
  expire(draft_seconds, {draft})
  log_and_publish(channel, events, change_of(id, 'running', progress), change)
end
return 1
