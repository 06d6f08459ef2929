-- Keeps a repair, unless the equal one is there. Answers 'created', 'known', or 'full' where there are too many.
local repairs, cuts = unpack(KEYS)
local id, record, content, most = unpack(ARGV)

if redis.call('HEXISTS', repairs, id) == 1 then
  return 'known'
end
if redis.call('HLEN', repairs) >= tonumber(most) then
  return 'full'
end
-- The larger write is the first, since a full Redis refuses it; after the first, a script is never refused.
redis.call('HSET', cuts, id, content)
redis.call('HSET', repairs, id, now() .. ' ' .. record)
return 'created'
