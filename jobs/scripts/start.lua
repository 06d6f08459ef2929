-- Marks claimed jobs as running. Answers 1 for each, or 0 when there is nothing left to run.
local channel, group, result_seconds = unpack(ARGV, 1, 3)
local KEYS_EACH, FIRST_WORD, WORDS_EACH = 4, 4, 4

local function start(job, queue, image, image_jobs, id, entry, consumer, deliveries)
  if not holds(queue, group, entry, consumer, deliveries) then
    return 0
  end
  if redis.call('EXISTS', job) == 0 then
    drop_entry(queue, group, entry)
    return 0
  end
  redis.call('HSET', job, 'state', 'running', 'progress', '0', 'started_at', now())
  expire(result_seconds, {job, image, image_jobs})
  tell(channel, id, 'running', 0)
  return 1
end

local answers = {}
for index = 1, #KEYS / KEYS_EACH do
  local key, word = (index - 1) * KEYS_EACH, (index - 1) * WORDS_EACH + FIRST_WORD
  local job, queue, image, image_jobs = unpack(KEYS, key + 1, key + KEYS_EACH)
  answers[index] = start(job, queue, image, image_jobs, unpack(ARGV, word, word + WORDS_EACH - 1))
end
return answers
