-- Marks a claimed job as running. Answers 1, or 0 when there is nothing left to run.
local job, queue, image, image_jobs = unpack(KEYS)
local id, channel, group, entry, consumer, deliveries, result_seconds = unpack(ARGV)

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
