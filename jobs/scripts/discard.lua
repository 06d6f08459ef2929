-- Drops an entry that stands for no job. Answers 1, or 0 when the claim is lost.
local job, queue, pending, unfinished, load, tenant_load = unpack(KEYS)
local id, group, entry, consumer, deliveries = unpack(ARGV)

if not holds(queue, group, entry, consumer, deliveries) then
  return 0
end
drop_entry(queue, group, entry)
if redis.call('EXISTS', job) == 0 then
  unburden(id, job, queue, pending, unfinished, load, tenant_load)
end
return 1
