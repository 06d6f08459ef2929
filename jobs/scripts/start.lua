-- Marks claimed jobs as running. Answers 1 for each, or 0 when there is nothing left to run or too little time.
local channel, group, result_seconds, too_late = unpack(ARGV, 1, 4)
local FIRST_WORD, WORDS_EACH, FIRST_IMAGE = 5, 5, 10

-- The keys of one job end with those of its images.
local function start(keys, id, entry, consumer, deliveries)
  local job, queue, pending, unfinished, load, tenant_load, events, webhooks, calls = unpack(keys, 1, FIRST_IMAGE - 1)
  if not holds(queue, group, entry, consumer, deliveries) then
    return 0
  end
  local known = redis.call('HMGET', job, 'state', 'start_by')
  local time = now()
  local is_late = known[2] and tonumber(time) > tonumber(known[2])
  if not known[1] or is_late then
    drop_entry(queue, group, entry)
    unburden(id, job, queue, pending, unfinished, load, tenant_load)
    if is_late then
      redis.call('HSET', job, 'state', 'failed', 'failure', too_late, 'finished_at', time)
      expire(result_seconds, {job, events})
      tell_all(channel, events, webhooks, calls, id, 'failed', 0, result_seconds)
    end
    return 0
  end
  redis.call('HSET', job, 'state', 'running', 'progress', '0', 'started_at', time)
  redis.call('HDEL', job, 'start_by')
  expire(result_seconds, {job, events, webhooks, unpack(keys, FIRST_IMAGE)})
  tell_all(channel, events, webhooks, calls, id, 'running', 0, result_seconds)
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
