-- Notes how far an analysis is: its parts that are done, and shares of some that are not, `part, share ...`.
-- Answers 1 when that is further than before, or 0.
local analysis, parts, webhooks, calls = unpack(KEYS)
local id, channel, count, result_seconds = unpack(ARGV, 1, 4)
local FIRST_PART = 5

local known = redis.call('HMGET', analysis, 'state', 'parts', 'progress')
local total = tonumber(known[2] or count)
if known[1] ~= 'running' or not total then
  return 0
end
local done = redis.call('HLEN', parts)
for index = FIRST_PART, #ARGV, 2 do
  if redis.call('HEXISTS', parts, ARGV[index]) == 0 then
    done = done + tonumber(ARGV[index + 1])
  end
end
local progress = string.format('%.6f', math.min(1, done / total))
if tonumber(progress) <= tonumber(known[3] or 0) then
  return 0
end
redis.call('HSET', analysis, 'progress', progress)
redis.call('PUBLISH', channel, '- ' .. change_of(id, 'running', progress))
call_webhooks(webhooks, calls, id, 'progress', result_seconds)
return 1
