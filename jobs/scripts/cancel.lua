-- Ends a tenant's unfinished job. Answers 1, or 0 when there is none.
local job, queue, pending, unfinished, load, tenant_load, events, webhooks, calls, draft = unpack(KEYS)
local id, channel, group, tenant, result_seconds = unpack(ARGV)

local known = redis.call('HMGET', job, 'tenant', 'state', 'entry', 'progress')
if known[1] ~= tenant or (known[2] ~= 'queued' and known[2] ~= 'running') then
  return 0
end
drop_entry(queue, group, known[3])
unburden(id, job, queue, pending, unfinished, load, tenant_load)
redis.call('DEL', draft)
redis.call('HSET', job, 'state', 'cancelled', 'finished_at', now())
expire(result_seconds, {job, events})
tell_all(channel, events, webhooks, calls, id, 'cancelled', known[4], result_seconds)
return 1
