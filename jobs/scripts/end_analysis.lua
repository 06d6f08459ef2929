-- Ends an analysis that is held. Answers 1, or 0 when it was taken by another or erased.
local analysis, parts, jobs, waiting, tenants, webhooks, calls = unpack(KEYS)
local id, held_until, state, failure, channel, result_seconds = unpack(ARGV)

if tonumber(redis.call('ZSCORE', waiting, id) or 0) ~= tonumber(held_until) then
  return 0
end
redis.call('ZREM', waiting, id)
redis.call('ZREM', tenants, id)
if state == 'done' then
  redis.call('DEL', jobs)
end
redis.call('HSET', analysis, 'state', state, 'finished_at', now())
if failure ~= '' then
  redis.call('HSET', analysis, 'failure', failure)
end
expire(result_seconds, {analysis, parts, jobs})
redis.call('PUBLISH', channel, '- ' .. change_of(id, state, 1))
call_webhooks(webhooks, calls, id, state, result_seconds)
return 1
