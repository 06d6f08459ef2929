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

local function tell(channel, id, state, progress)
  redis.call('PUBLISH', channel, cjson.encode({id = id, state = state, progress = tonumber(progress)}))
end

local function expire(seconds, keys)
  for _, key in ipairs(keys) do
    redis.call('EXPIRE', key, seconds)
  end
end
