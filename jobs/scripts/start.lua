-- Marks claimed jobs as running. Answers 1 for each, or 0 when there is nothing left to run.
local channel, group, result_seconds = unpack(ARGV, 1, 3)
local FIRST_WORD, WORDS_EACH, FIRST_IMAGE = 4, 5, 3

-- The keys of one job are its own, that of its queue, and those of its images.
local function start(keys, id, entry, consumer, deliveries)
  local job, queue = unpack(keys, 1, 2)
  if not holds(queue, group, entry, consumer, deliveries) then
    return 0
  end
  if redis.call('EXISTS', job) == 0 then
    drop_entry(queue, group, entry)
    return 0
  end
  redis.call('HSET', job, 'state', 'running', 'progress', '0', 'started_at', now())
  expire(result_seconds, {job, unpack(keys, FIRST_IMAGE)})
  tell(channel, id, 'running', 0)
  return 1
end

local answers = {}
local key = 1
for word = FIRST_WORD, #ARGV, WORDS_EACH do
  local n_keys = tonumber(ARGV[word])
  local keys = {unpack(KEYS, key, key + n_keys - 1)}
  answers[#answers + 1] = start(keys, unpack(ARGV, word + 1, word + WORDS_EACH - 1))
  key = key + n_keys
end
return answers
