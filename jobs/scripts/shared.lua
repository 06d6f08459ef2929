-- What several scripts share; the text of each script stands behind it.

local function now()
  local time = redis.call('TIME')
  return string.format('%d.%06d', tonumber(time[1]), tonumber(time[2]))
end

-- A claim is held while its entry is pending for its consumer, delivered as often as when it was claimed.
-- The second condition tells two claims of one consumer apart.
local function holds(queue, group, entry, consumer, deliveries)
  local pending = redis.pcall('XPENDING', queue, group, entry, entry, 1, consumer)
  return not pending.err and #pending == 1 and pending[1][4] == tonumber(deliveries)
end

local function drop_entry(queue, group, entry)
  redis.call('XACK', queue, group, entry)
  redis.call('XDEL', queue, entry)
end

local function expire(seconds, keys)
  for _, key in ipairs(keys) do
    redis.call('EXPIRE', key, seconds)
  end
end

-- Notes a change in the log of its job, which submit.lua has made, and tells those who watch:
-- `<id of the event> <change>`, where a change that is in no log has the id `-`.
local function log_and_publish(channel, events, change, published)
  local event = redis.call('XADD', events, 'NOMKSTREAM', 'MAXLEN', '~', 100, '*', 'change', change)
  redis.call('PUBLISH', channel, (event or '-') .. ' ' .. (published or change))
end

local function change_of(id, state, progress)
  return cjson.encode({id = id, state = state, progress = tonumber(progress)})
end

local function tell(channel, events, id, state, progress)
  log_and_publish(channel, events, change_of(id, state, progress))
end

-- Wakes one worker that waits for jobs of a lane, or the next one that is about to wait.
local function ring(bell, seconds)
  redis.call('LPUSH', bell, '1')
  redis.call('LTRIM', bell, 0, 0)
  expire(seconds, {bell})
end

-- One of the users of images leaves them, with those of its mates that are gone; what nobody uses is removed.
-- Of each image the keys are its own two and those of its other users; the words are their number and names.
local function leave_images(user, first_key, first_word)
  local key, word = first_key, first_word
  while key <= #KEYS do
    local image, users, n_mates = KEYS[key], KEYS[key + 1], tonumber(ARGV[word])
    redis.call('SREM', users, user)
    for index = 1, n_mates do
      if redis.call('EXISTS', KEYS[key + 1 + index]) == 0 then
        redis.call('SREM', users, ARGV[word + index])
      end
    end
    if redis.call('SCARD', users) == 0 then
      redis.call('DEL', image, users)
    end
    key, word = key + 2 + n_mates, word + 1 + n_mates
  end
end

local function add_to(hash, field, seconds)
  local left = tonumber(redis.call('HINCRBYFLOAT', hash, field, string.format('%.9f', seconds)))
  if left < 1e-6 then
    redis.call('HDEL', hash, field)
  end
end

local function lane_of(flow)
  return string.match(flow, '^%S+')
end

-- Takes off what an unfinished job weighed, once. Sums that drifted begin anew when nothing is left to weigh.
local function unburden(id, job, queue, pending, unfinished, load, tenant_load)
  local known = redis.call('HMGET', job, 'price', 'flow')
  redis.call('ZREM', pending, id)
  redis.call('ZREM', unfinished, id)
  if known[1] then
    redis.call('HDEL', job, 'price')
    add_to(load, known[2], -tonumber(known[1]))
    add_to(tenant_load, lane_of(known[2]), -tonumber(known[1]))
  end
  if known[2] and redis.call('XLEN', queue) == 0 then
    redis.call('HDEL', load, known[2])
  end
  if redis.call('ZCARD', unfinished) == 0 then
    redis.call('DEL', load)
  end
  if redis.call('ZCARD', pending) == 0 then
    redis.call('DEL', tenant_load)
  end
end
