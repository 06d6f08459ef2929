-- Stores results and ends their jobs. Answers 1 for each, or 0 when its claim is lost.
local channel, group, result_seconds, pace_seconds = unpack(ARGV, 1, 4)
local FIRST_WORD, WORDS_EACH, FIRST_IMAGE = 5, 7, 8
local PACE_WEIGHT = 0.02

-- The time that a job occupied the queue: from the commit before it, or from its own arrival if that is later.
local function note_pace(pace, arrival, time)
  local known = redis.call('HMGET', pace, 'mean', 'count', 'last')
  local mean, count = tonumber(known[1] or 0), tonumber(known[2] or 0) + 1
  local seconds = math.max(0, tonumber(time) - math.max(tonumber(arrival), tonumber(known[3] or 0)))
  mean = mean + (seconds - mean) * math.max(PACE_WEIGHT, 1 / count)
  redis.call('HSET', pace, 'mean', string.format('%.9f', mean), 'count', count, 'last', time)
  expire(pace_seconds, {pace})
end

-- The keys of one job end with those of its images, its words with `n_words` that are its maps:
-- name, values, name, values ...
local function commit(keys, first_map, id, entry, consumer, deliveries, answer, n_words)
  local draft, job, result, maps, queue, pending, pace = unpack(keys, 1, FIRST_IMAGE - 1)
  local token = table.concat({consumer, entry, deliveries}, ' ')
  local known = redis.call('HMGET', job, 'committed_by', 'submitted_at')
  if not holds(queue, group, entry, consumer, deliveries) then
    -- The same commit again, because its first answer was lost on the way, is no loss.
    return known[1] == token and 1 or 0
  end
  drop_entry(queue, group, entry)
  redis.call('ZREM', pending, id)
  if not known[2] then
    return 0
  end

  local time = now()
  note_pace(pace, known[2], time)
  redis.call('DEL', draft)
  redis.call('SET', result, answer, 'EX', result_seconds)
  for index = first_map, first_map + n_words - 1, 2 do
    redis.call('HSET', maps, ARGV[index], ARGV[index + 1])
  end
  redis.call('HSET', job, 'state', 'done', 'progress', '1', 'finished_at', time, 'committed_by', token)
  expire(result_seconds, {job, maps, unpack(keys, FIRST_IMAGE)})
  tell(channel, id, 'done', 1)
  return 1
end

local answers = {}
local key, word = 1, FIRST_WORD
while key <= #KEYS do
  local n_keys, n_words = tonumber(ARGV[word]), tonumber(ARGV[word + WORDS_EACH - 1])
  local keys = {unpack(KEYS, key, key + n_keys - 1)}
  local id, entry, consumer, deliveries, answer = unpack(ARGV, word + 1, word + WORDS_EACH - 2)
  answers[#answers + 1] = commit(keys, word + WORDS_EACH, id, entry, consumer, deliveries, answer, n_words)
  key, word = key + n_keys, word + WORDS_EACH + n_words
end
return answers
