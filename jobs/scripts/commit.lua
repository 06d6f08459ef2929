-- Stores results and ends their jobs. Answers 1 for each, or 0 when its claim is lost.
local channel, group, result_seconds, pace_seconds = unpack(ARGV, 1, 4)
local FIRST_WORD, WORDS_EACH, PACE, FIRST_IMAGE = 5, 9, 13, 14

-- The keys of one job end with those of its images, its words with `n_words` that are its maps:
-- name, values, name, values ... Answers whether it is committed, and what it adds to the pace.
local function commit(keys, first_map, id, entry, consumer, deliveries, method, compute_seconds, answer, n_words)
  local draft, job, result, maps, queue, pending, unfinished, load, tenant_load, events, webhooks, calls =
    unpack(keys, 1, PACE - 1)
  local token = table.concat({consumer, entry, deliveries}, ' ')
  local known = redis.call('HMGET', job, 'committed_by', 'submitted_at', 'cost')
  if not holds(queue, group, entry, consumer, deliveries) then
    -- The same commit again, because its first answer was lost on the way, is no loss.
    return known[1] == token and 1 or 0
  end
  drop_entry(queue, group, entry)
  unburden(id, job, queue, pending, unfinished, load, tenant_load)
  if not known[2] then
    return 0
  end

  local time = now()
  redis.call('DEL', draft)
  redis.call('SET', result, answer, 'EX', result_seconds)
  for index = first_map, first_map + n_words - 1, 2 do
    redis.call('HSET', maps, ARGV[index], ARGV[index + 1])
  end
  redis.call('HSET', job, 'state', 'done', 'progress', '1', 'finished_at', time, 'committed_by', token)
  expire(result_seconds, {job, maps, events, unpack(keys, FIRST_IMAGE)})
  tell_all(channel, events, webhooks, calls, id, 'done', 1, result_seconds)
  return 1, {
    method = method, arrival = tonumber(known[2]), cost = tonumber(known[3] or 1),
    compute_seconds = tonumber(compute_seconds)}
end

local answers, paces = {}, {}
local key, word = 1, FIRST_WORD
while key <= #KEYS do
  local n_keys, n_words = tonumber(ARGV[word]), tonumber(ARGV[word + WORDS_EACH - 1])
  local keys = {unpack(KEYS, key, key + n_keys - 1)}
  local words = {unpack(ARGV, word + 1, word + WORDS_EACH - 2)}
  words[#words + 1] = n_words
  local done, work = commit(keys, word + WORDS_EACH, unpack(words))
  answers[#answers + 1] = done
  if work then
    local pace = keys[PACE]
    paces[pace] = paces[pace] or {}
    table.insert(paces[pace], work)
  end
  key, word = key + n_keys, word + WORDS_EACH + n_words
end
for pace, works in pairs(paces) do
  note_pace(pace, works, tonumber(now()))
  expire(pace_seconds, {pace})
end
return answers
