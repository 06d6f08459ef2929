-- Accepts a job once. Answers {verdict, state, seconds to wait}.
local job, result, maps, queue, pending, pace = unpack(KEYS, 1, 6)
local id, tenant, message, model, image_name, reference_name = unpack(ARGV, 1, 6)
local capacity, tenant_capacity, result_seconds, queue_seconds, channel = unpack(ARGV, 7, 11)
local FIRST_IMAGE, FIRST_PIXELS = 7, 12  -- of each image two keys; whether its pixels are here, and the pixels

local UNKNOWN_PACE = 0.1

local function lives(state, entry)
  if state == 'done' then
    return redis.call('EXISTS', result) == 1
  end
  -- A job that is not finished but has no entry would wait for ever: it is accepted anew.
  return (state == 'queued' or state == 'running') and #redis.call('XRANGE', queue, entry, entry) == 1
end

local function wait_seconds()
  local mean = tonumber(redis.call('HGET', pace, 'mean') or UNKNOWN_PACE)
  return math.ceil(math.min(600, math.max(1, mean * redis.call('XLEN', queue))))
end

local function has_pixels(index)
  return ARGV[FIRST_PIXELS + index - FIRST_IMAGE] == '1'
end

local function has_all_images()
  for index = FIRST_IMAGE, #KEYS, 2 do
    if not has_pixels(index) and redis.call('EXISTS', KEYS[index]) == 0 then
      return false
    end
  end
  return true
end

local function keep_images()
  for index = FIRST_IMAGE, #KEYS, 2 do
    local image, image_jobs, pixels = KEYS[index], KEYS[index + 1], ARGV[FIRST_PIXELS + index - FIRST_IMAGE + 1]
    if has_pixels(index) then
      redis.call('SET', image, pixels, 'NX', 'EX', result_seconds)
    end
    redis.call('SADD', image_jobs, id)
    expire(result_seconds, {image, image_jobs})
  end
end

local known = redis.call('HMGET', job, 'state', 'entry', 'letter')
if lives(known[1], known[2]) then
  keep_images()
  expire(result_seconds, {job, result, maps})
  return {'known', known[1], 0}
end
if not has_all_images() then
  return {'no-image', '', 0}
end

local time = now()
local oldest = tonumber(time) - tonumber(result_seconds)
if redis.call('ZCOUNT', pending, oldest, '+inf') >= tonumber(tenant_capacity) then
  return {'tenant-full', '', wait_seconds()}
end
if redis.call('XLEN', queue) >= tonumber(capacity) then
  return {'queue-full', '', wait_seconds()}
end

-- This write is the first, since a full Redis refuses it; after the first, a script is never refused.
local entry = redis.call('XADD', queue, '*', 'id', id)
redis.call('DEL', job, result, maps)
redis.call('HSET', job, 'job', message, 'tenant', tenant, 'model', model, 'image', image_name, 'entry', entry,
  'state', 'queued', 'progress', '0', 'submitted_at', time, 'crashes', '0', 'interruptions', '0')
if known[3] then
  redis.call('HSET', job, 'letter', known[3])
end
if reference_name ~= '' then
  redis.call('HSET', job, 'reference', reference_name)
end
keep_images()
redis.call('ZADD', pending, time, id)
redis.call('ZREMRANGEBYSCORE', pending, '-inf', '(' .. oldest)
expire(result_seconds, {job, pending})
expire(queue_seconds, {queue})
tell(channel, id, 'queued', 0)
return {'created', 'queued', 0}
