-- Notes a worker's heartbeat and the models that it serves.
local worker, workers, models = unpack(KEYS, 1, 3)
local id, card, heartbeat_seconds, seen_seconds = unpack(ARGV, 1, 4)
local FIRST_KEY, FIRST_NAME = 4, 5  -- a key for each model, and its name and card in the same order

local time = now()
redis.call('SET', worker, card, 'EX', heartbeat_seconds)
redis.call('ZADD', workers, time, id)
redis.call('ZREMRANGEBYSCORE', workers, '-inf', tonumber(time) - tonumber(seen_seconds))
for index = FIRST_KEY, #KEYS do
  local argument = FIRST_NAME + 2 * (index - FIRST_KEY)
  redis.call('SET', KEYS[index], ARGV[argument + 1], 'EX', seen_seconds)
  redis.call('ZADD', models, 'NX', time, ARGV[argument])
end
expire(seen_seconds, {workers, models})
return 1
