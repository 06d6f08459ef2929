-- Ends a call that was taken, or puts it off as `again`. Answers 1, or 0 when another has taken it since.
local calls = KEYS[1]
local call, visible_until, again, seconds, calls_seconds = unpack(ARGV)

if tonumber(redis.call('ZSCORE', calls, call) or 0) ~= tonumber(visible_until) then
  return 0
end
redis.call('ZREM', calls, call)
if again ~= '' then
  redis.call('ZADD', calls, string.format('%.6f', tonumber(now()) + tonumber(seconds)), again)
  expire(calls_seconds, {calls})
end
return 1
