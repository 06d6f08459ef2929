-- Accepts an analysis once. Answers its state, or 'full' when its tenant has as many unfinished ones as it may.
local analysis, parts, jobs, waiting, tenants = unpack(KEYS)
local id, tenant, message, most, result_seconds = unpack(ARGV)

local state, time = redis.call('HGET', analysis, 'state'), now()
if state == 'done' then
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
expire(result_seconds, {analysis, parts, jobs, waiting, tenants})
return redis.call('HGET', analysis, 'state')
