-- Takes what is due, each until its visibility ends. Answers {that time, name, name ...}.
local waiting = KEYS[1]
local count, visible_seconds, waiting_seconds = unpack(ARGV)

local time = tonumber(now())
local due = redis.call('ZRANGEBYSCORE', waiting, '-inf', time, 'LIMIT', 0, count)
if #due == 0 then
  return due
end
local visible_until = string.format('%.6f', time + tonumber(visible_seconds))
for _, name in ipairs(due) do
  -- Taken out first: a full Redis refuses no removal, and nothing after it.
  redis.call('ZREM', waiting, name)
  redis.call('ZADD', waiting, visible_until, name)
end
expire(waiting_seconds, {waiting})
return {visible_until, unpack(due)}
