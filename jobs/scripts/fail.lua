-- Ends a job with a failure, and keeps a dead letter when asked. Answers 1, or 0 when the claim is lost.
local job, queue, pending, unfinished, load, tenant_load, events, webhooks, calls, dead, draft = unpack(KEYS)
local id, channel, group, entry, consumer, deliveries = unpack(ARGV, 1, 6)
local failure, result_seconds, has_letter, dead_seconds, dead_count = unpack(ARGV, 7, 11)
local FIRST_FIELD = 12

if not holds(queue, group, entry, consumer, deliveries) then
  return 0
end
drop_entry(queue, group, entry)
unburden(id, job, queue, pending, unfinished, load, tenant_load)
redis.call('DEL', draft)
local known = redis.call('HMGET', job, 'state', 'progress', 'letter', 'crashes', 'interruptions')
local letter = known[3]
if has_letter == '1' then
  if letter then
    redis.call('XDEL', dead, letter)
  end
  local fields = {unpack(ARGV, FIRST_FIELD)}
  for field, value in pairs({crashes = known[4] or '0', interruptions = known[5] or '0'}) do
    fields[#fields + 1] = field
    fields[#fields + 1] = value
  end
  letter = redis.call('XADD', dead, 'MAXLEN', '~', dead_count, '*', unpack(fields))
  expire(dead_seconds, {dead})
end
if not known[1] then
  return 0
end
redis.call('HSET', job, 'state', 'failed', 'failure', failure, 'finished_at', now())
if letter then
  redis.call('HSET', job, 'letter', letter)
end
expire(result_seconds, {job, events})
tell_all(channel, events, webhooks, calls, id, 'failed', known[2] or 0, result_seconds)
return 1
