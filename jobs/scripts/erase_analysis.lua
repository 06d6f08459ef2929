-- Removes all that is kept of a tenant's analysis. Answers {'erased', its unfinished jobs ...}, or {'none'}.
local analysis, parts, jobs, waiting, tenants = unpack(KEYS)
local id, tenant, channel = unpack(ARGV)

if redis.call('HGET', analysis, 'tenant') ~= tenant then
  return {'none'}
end
local unfinished = redis.call('SMEMBERS', jobs)
redis.call('ZREM', waiting, id)
redis.call('ZREM', tenants, id)
redis.call('DEL', analysis, parts, jobs)
redis.call('PUBLISH', channel, '- ' .. change_of(id, 'cancelled', 0))
return {'erased', unpack(unfinished)}
