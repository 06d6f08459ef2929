-- Binds a name to the jobs of its request. Answers 1, or 0 when it is another request's by now.
local binding = KEYS[1]
local fingerprint, jobs, result_seconds = unpack(ARGV)

local known = redis.call('HMGET', binding, 'fingerprint', 'jobs')
if known[1] and known[1] ~= fingerprint then
  return 0
end
if not known[2] then
  redis.call('HSET', binding, 'fingerprint', fingerprint, 'jobs', jobs)
  redis.call('HDEL', binding, 'attempts')
  expire(result_seconds, {binding})
end
return 1
