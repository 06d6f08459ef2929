-- Holds on to an analysis for some seconds. Answers until when, or nothing when it was taken by another or erased.
local analysis, parts, jobs, waiting, tenants, webhooks = unpack(KEYS)
local id, held_until, seconds, result_seconds = unpack(ARGV)

if tonumber(redis.call('ZSCORE', waiting, id) or 0) ~= tonumber(held_until) then
  return nil
end
local time = now()
local until_then = string.format('%.6f', tonumber(time) + tonumber(seconds))
redis.call('ZADD', waiting, until_then, id)
redis.call('ZADD', tenants, time, id)
expire(result_seconds, {analysis, parts, jobs, waiting, tenants, webhooks})
return until_then
