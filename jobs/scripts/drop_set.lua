-- Forgets an image set whose images it has left, unless it was posted anew. Answers 1, or 0.
local set = KEYS[1]
local posts = ARGV[1]

if redis.call('HGET', set, 'posts') ~= posts then
  return 0
end
redis.call('DEL', set)
return 1
