-- Gives a reservation up. The name is free again when no equal request goes on under it.
local binding = KEYS[1]
local fingerprint = ARGV[1]

local known = redis.call('HMGET', binding, 'fingerprint', 'jobs')
if known[1] ~= fingerprint or known[2] then
  return 0
end
if redis.call('HINCRBY', binding, 'attempts', -1) < 1 then
  redis.call('DEL', binding)
end
return 1
