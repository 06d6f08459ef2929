-- Removes all that is kept of a tenant's job, and those of its images that no other job uses. Answers 1, or 0.
local job, result, maps, queue, pending, unfinished, load, tenant_load, events = unpack(KEYS, 1, 9)
local webhooks, calls, dead, draft = unpack(KEYS, 10, 13)
local id, channel, group, tenant, result_seconds = unpack(ARGV, 1, 5)
local FIRST_IMAGE, FIRST_WORD = 14, 6

-- Of each image the keys are its own two and those of its other jobs; the words are their number and ids.
local function leave(key, word, n_mates)
  local image, image_jobs = KEYS[key], KEYS[key + 1]
  redis.call('SREM', image_jobs, id)
  for index = 1, n_mates do
    if redis.call('EXISTS', KEYS[key + 1 + index]) == 0 then
      redis.call('SREM', image_jobs, ARGV[word + index])
    end
  end
  if redis.call('SCARD', image_jobs) == 0 then
    redis.call('DEL', image, image_jobs)
  end
end

local known = redis.call('HMGET', job, 'tenant', 'entry', 'letter', 'state', 'progress')
if known[1] ~= tenant then
  return 0
end
drop_entry(queue, group, known[2])
unburden(id, job, queue, pending, unfinished, load, tenant_load)
if known[3] then
  redis.call('XDEL', dead, known[3])
end
redis.call('DEL', job, result, maps, events, draft)
local key, word = FIRST_IMAGE, FIRST_WORD
while key <= #KEYS do
  local n_mates = tonumber(ARGV[word])
  leave(key, word, n_mates)
  key, word = key + 2 + n_mates, word + 1 + n_mates
end
if known[4] == 'queued' or known[4] == 'running' then
  tell_all(channel, events, webhooks, calls, id, 'cancelled', known[5], result_seconds)
end
return 1
