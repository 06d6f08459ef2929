-- Stores a result and ends its job. Answers 1, or 0 when the claim is lost.
local job, result, maps, image, image_jobs, queue, pending, pace = unpack(KEYS)
local id, channel, group, entry, consumer, deliveries = unpack(ARGV, 1, 6)
local answer, result_seconds, pace_seconds = unpack(ARGV, 7, 9)
local FIRST_MAP = 10
local PACE_WEIGHT = 0.02

-- The time that a job occupied the queue: from the commit before it, or from its own arrival if that is later.
local function note_pace(time)
  local known = redis.call('HMGET', pace, 'mean', 'count', 'last')
  local mean, count = tonumber(known[1] or 0), tonumber(known[2] or 0) + 1
  local arrival = tonumber(redis.call('HGET', job, 'submitted_at'))
  local seconds = math.max(0, tonumber(time) - math.max(arrival, tonumber(known[3] or 0)))
  mean = mean + (seconds - mean) * math.max(PACE_WEIGHT, 1 / count)
  redis.call('HSET', pace, 'mean', string.format('%.9f', mean), 'count', count, 'last', time)
end

local token = table.concat({consumer, entry, deliveries}, ' ')
if not holds(queue, group, entry, consumer, deliveries) then
  -- The same commit again, because its first answer was lost on the way, is no loss.
  return redis.call('HGET', job, 'committed_by') == token and 1 or 0
end
drop_entry(queue, group, entry)
redis.call('ZREM', pending, id)
if redis.call('EXISTS', job) == 0 then
  return 0
end

local time = now()
note_pace(time)
redis.call('SET', result, answer)
redis.call('DEL', maps)
for index = FIRST_MAP, #ARGV, 2 do
  redis.call('HSET', maps, ARGV[index], ARGV[index + 1])
end
redis.call('HSET', job, 'state', 'done', 'progress', '1', 'finished_at', time, 'committed_by', token)
expire(result_seconds, {job, result, maps, image, image_jobs})
expire(pace_seconds, {pace})
tell(channel, id, 'done', 1)
return 1
