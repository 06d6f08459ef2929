-- Removes those images of an image set that nobody else uses, unless it was posted anew. Answers 1, or 0.
local set = KEYS[1]
local user, posts = unpack(ARGV, 1, 2)
local FIRST_IMAGE, FIRST_WORD = 2, 3

if redis.call('HGET', set, 'posts') ~= posts then
  return 0
end
leave_images(user, FIRST_IMAGE, FIRST_WORD)
return 1
