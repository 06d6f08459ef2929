-- Accepts an image set whose pixels are stored. Answers 'created', 'known' or 'no-image'.
local set = KEYS[1]
local user, tenant, message, result_seconds = unpack(ARGV)
local FIRST_IMAGE = 2  -- of each image two keys

for index = FIRST_IMAGE, #KEYS, 2 do
  if redis.call('EXISTS', KEYS[index]) == 0 then
    return 'no-image'
  end
end
local time = now()
-- This write is the first, since a full Redis refuses it; after the first, a script is never refused.
local posts = redis.call('HINCRBY', set, 'posts', 1)
redis.call('HSET', set, 'tenant', tenant, 'set', message, 'renewed_at', time)
redis.call('HSETNX', set, 'created_at', time)
for index = FIRST_IMAGE, #KEYS, 2 do
  redis.call('SADD', KEYS[index + 1], user)
  expire(result_seconds, {KEYS[index], KEYS[index + 1]})
end
expire(result_seconds, {set})
return posts == 1 and 'created' or 'known'
