-- Takes calls that are due, each until its visibility ends. Answers {that time, call, call ...}.
local calls = KEYS[1]
local count, visible_seconds, calls_seconds = unpack(ARGV)

local time = tonumber(now())
local due = redis.call('ZRANGEBYSCORE', calls, '-inf', time, 'LIMIT', 0, count)
if #due == 0 then
  return due
end
local visible_until = string.format('%.6f', time + tonumber(visible_seconds))
for _, call in ipairs(due) do
  -- Taken out first: a full Redis refuses no removal, and nothing after it.
  redis.call('ZREM', calls, call)
  redis.call('ZADD', calls, visible_until, call)
end
expire(calls_seconds, {calls})
return {visible_until, unpack(due)}
