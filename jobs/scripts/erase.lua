-- Removes all that is kept of a tenant's job, and those of its images that nobody else uses. Answers 1, or 0.
local job, result, maps, queue, pending, unfinished, load, tenant_load, events = unpack(KEYS, 1, 9)
local webhooks, calls, dead, draft = unpack(KEYS, 10, 13)
local id, channel, group, tenant, result_seconds = unpack(ARGV, 1, 5)
local FIRST_IMAGE, FIRST_WORD = 14, 6

local known = redis.call('HMGET', job, 'tenant', 'entry', 'letter', 'state', 'progress')
if known[1] ~= tenant then
  return 0
end
drop_entry(queue, group, known[2])
unburden(id, job, queue, pending, unfinished, load, tenant_load)
if known[3] then
  redis.call('XDEL', dead, known[3])
end
redis.call('DEL', job, result, maps, events, draft)
leave_images(id, FIRST_IMAGE, FIRST_WORD)
if known[4] == 'queued' or known[4] == 'running' then
  tell_all(channel, events, webhooks, calls, id, 'cancelled', known[5], result_seconds)
end
return 1
