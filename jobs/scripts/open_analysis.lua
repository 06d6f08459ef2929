-- Accepts an analysis once. Answers its state, or why not: 'full' when its tenant has as many unfinished ones as it may,
-- 'calls-full' or 'webhooks-full' when there is no room for its webhook.
local analysis, parts, jobs, waiting, tenants, webhooks, calls = unpack(KEYS)
local id, tenant, message, most, result_seconds = unpack(ARGV, 1, 5)
local webhook, webhook_events, most_webhooks, most_calls = unpack(ARGV, 6, 9)

local state, time = redis.call('HGET', analysis, 'state'), now()
local full = lacks_room(webhooks, calls, state == 'done', webhook, most_webhooks, most_calls)
if full then
  return full
end
if state == 'done' then
  keep_webhook(webhooks, webhook, webhook_events, result_seconds)
  call_webhooks(webhooks, calls, id, state, result_seconds)
  expire(result_seconds, {analysis, parts})
  return state
end
local is_known = state == 'queued' or state == 'running'
redis.call('ZREMRANGEBYSCORE', tenants, '-inf', '(' .. (tonumber(time) - tonumber(result_seconds)))
if not is_known and redis.call('ZCARD', tenants) >= tonumber(most) then
  return 'full'
end
-- This write is the first, since a full Redis refuses it; after the first, a script is never refused.
redis.call('ZADD', waiting, 'NX', time, id)
redis.call('ZADD', tenants, time, id)
if not is_known then
  redis.call('HSET', analysis, 'tenant', tenant, 'analysis', message, 'state', 'queued', 'submitted_at', time)
  redis.call('HDEL', analysis, 'failure', 'progress', 'started_at', 'finished_at')
end
keep_webhook(webhooks, webhook, webhook_events, result_seconds)
expire(result_seconds, {analysis, parts, jobs, waiting, tenants})
return redis.call('HGET', analysis, 'state')
