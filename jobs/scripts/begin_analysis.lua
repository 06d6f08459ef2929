-- Marks an analysis that was taken as running. Answers it, or nothing when it has ended or was erased.
local analysis, waiting, webhooks, calls = unpack(KEYS)
local id, result_seconds = unpack(ARGV)

local known = redis.call('HMGET', analysis, 'analysis', 'state', 'started_at')
if known[2] ~= 'queued' and known[2] ~= 'running' then
  redis.call('ZREM', waiting, id)
  return nil
end
redis.call('HSET', analysis, 'state', 'running', 'started_at', known[3] or now())
expire(result_seconds, {analysis, webhooks})
if known[2] == 'queued' then  -- else another has begun with it, and told of that
  call_webhooks(webhooks, calls, id, 'running', result_seconds)
end
return known[1]
