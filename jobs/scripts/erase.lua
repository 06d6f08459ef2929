-- Removes all that is kept of a tenant's job, and the image unless another job uses it. Answers 1, or 0.
local job, result, maps, image, image_jobs, queue, pending, dead, draft = unpack(KEYS, 1, 9)
local id, channel, group, tenant = unpack(ARGV, 1, 4)
local FIRST_MATE, FIRST_NAME = 10, 5  -- keys of the other jobs of the image, and their ids in the same order

local known = redis.call('HMGET', job, 'tenant', 'entry', 'letter', 'state', 'progress')
if known[1] ~= tenant then
  return 0
end
drop_entry(queue, group, known[2])
redis.call('ZREM', pending, id)
if known[3] then
  redis.call('XDEL', dead, known[3])
end
redis.call('DEL', job, result, maps, draft)
redis.call('SREM', image_jobs, id)
for index = FIRST_MATE, #KEYS do
  if redis.call('EXISTS', KEYS[index]) == 0 then
    redis.call('SREM', image_jobs, ARGV[FIRST_NAME + index - FIRST_MATE])
  end
end
if redis.call('SCARD', image_jobs) == 0 then
  redis.call('DEL', image, image_jobs)
end
if known[4] == 'queued' or known[4] == 'running' then
  tell(channel, id, 'cancelled', known[5])
end
return 1
