-- Reserves a name for one request and those that equal it. Answers {'free'}, {'other'}, or {'bound', ids of jobs}.
local binding = KEYS[1]
local fingerprint, reserved_seconds = unpack(ARGV)

local known = redis.call('HMGET', binding, 'fingerprint', 'jobs')
if known[1] and known[1] ~= fingerprint then
  return {'other'}
end
if known[2] then
  return {'bound', known[2]}
end
redis.call('HSET', binding, 'fingerprint', fingerprint)
redis.call('HINCRBY', binding, 'attempts', 1)
expire(reserved_seconds, {binding})
return {'free'}
