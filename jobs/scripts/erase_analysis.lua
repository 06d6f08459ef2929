-- Removes all that is kept of a tenant's analysis. Answers {'erased', its unfinished jobs ...}, or {'none'}.
local analysis, parts, jobs, waiting, tenants, webhooks, calls = unpack(KEYS)
local id, tenant, channel, result_seconds = unpack(ARGV)

local known = redis.call('HMGET', analysis, 'tenant', 'state')
if known[1] ~= tenant then
  return {'none'}
end
local unfinished = redis.call('SMEMBERS', jobs)
redis.call('ZREM', waiting, id)
redis.call('ZREM', tenants, id)
redis.call('DEL', analysis, parts, jobs)
redis.call('PUBLISH', channel, '- ' .. change_of(id, 'cancelled', 0))
if known[2] == 'queued' or known[2] == 'running' then
  call_webhooks(webhooks, calls, id, 'cancelled', result_seconds)
end
return {'erased', unpack(unfinished)}
