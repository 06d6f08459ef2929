-- Lengthens the life of an image set and its images. Answers 1, or 0 when it is gone.
local set = KEYS[1]
local tenant, result_seconds = unpack(ARGV)

if redis.call('HGET', set, 'tenant') ~= tenant then
  return 0
end
redis.call('HSET', set, 'renewed_at', now())
for _, key in ipairs(KEYS) do
  redis.call('EXPIRE', key, result_seconds)
end
return 1
