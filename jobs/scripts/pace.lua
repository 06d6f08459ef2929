-- How fast the jobs of a model go, for the scripts that learn it and those that predict by it.
-- Its hash holds fading sums, since a worker that comes or goes changes the pace at once:
-- `took` (seconds that the queue was busy) for the `price` (predicted device seconds) that it got through,
-- and `seconds <method>` on the device for the `cost <method>` in forward passes; the method `*` is any.

local FADE, METHOD_FADE = 0.98, 0.9  -- with each job
local UNKNOWN_SECONDS = 0.02         -- on the device for one forward pass, until one was measured

local function fade_in(pace, field, fading, amount)
  local sum = tonumber(redis.call('HGET', pace, field) or 0) * fading + amount
  redis.call('HSET', pace, field, string.format('%.9f', sum))
end

-- The queue was busy with jobs that ended together since those before them, or since their arrival if later.
local function note_pace(pace, works, time)
  local last, arrival, price = tonumber(redis.call('HGET', pace, 'last') or 0), math.huge, 0
  local methods = {}
  for _, work in ipairs(works) do
    arrival, price = math.min(arrival, work.arrival), price + work.price
    for _, method in ipairs({work.method, '*'}) do
      local sums = methods[method] or {count = 0, seconds = 0, cost = 0}
      methods[method] = {
        count = sums.count + 1, seconds = sums.seconds + work.compute_seconds, cost = sums.cost + work.cost}
    end
  end
  for method, sums in pairs(methods) do
    fade_in(pace, 'seconds ' .. method, METHOD_FADE ^ sums.count, sums.seconds)
    fade_in(pace, 'cost ' .. method, METHOD_FADE ^ sums.count, sums.cost)
  end
  local fading = FADE ^ #works
  fade_in(pace, 'took', fading, math.max(0, time - math.max(arrival, last)))
  fade_in(pace, 'price', fading, price)
  redis.call('HSET', pace, 'last', string.format('%.6f', time))
end

local function ratio(pace, above, below)
  local sums = redis.call('HMGET', pace, above, below)
  if sums[1] and sums[2] and tonumber(sums[1]) > 0 and tonumber(sums[2]) > 0 then
    return tonumber(sums[1]) / tonumber(sums[2])
  end
end

-- Device seconds of a job, and whether that was measured rather than guessed.
local function price_of(pace, method, cost)
  local measured = ratio(pace, 'seconds ' .. method, 'cost ' .. method)
  return cost * (measured or ratio(pace, 'seconds *', 'cost *') or UNKNOWN_SECONDS), measured ~= nil
end

-- Seconds until all that waits is done, and until a flow has had what it waits for and `price` more. Flows
-- share the workers evenly: none gets ahead of another that still waits.
local function outlook(pace, load, flow, price)
  local flows = redis.call('HGETALL', load)
  local own, all, ahead = price, 0, price
  for index = 1, #flows, 2 do
    if flows[index] == flow then
      own = own + tonumber(flows[index + 1])
    end
  end
  for index = 1, #flows, 2 do
    local seconds = tonumber(flows[index + 1])
    all, ahead = all + seconds, ahead + math.min(seconds, own)
  end
  local slowness = ratio(pace, 'took', 'price') or 1
  return all * slowness, ahead * slowness
end
