-- Accepts a job once. Answers {verdict, state, seconds to wait}.
local job, result, maps, image, image_jobs, queue, pending, pace = unpack(KEYS)
local id, tenant, message, model, image_name, has_pixels, pixels = unpack(ARGV, 1, 7)
local capacity, tenant_capacity, result_seconds, queue_seconds, channel = unpack(ARGV, 8, 12)

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

local function keep_image()
  if has_pixels == '1' then
    redis.call('SET', image, pixels, 'NX', 'EX', result_seconds)
  end
  redis.call('SADD', image_jobs, id)
  expire(result_seconds, {image, image_jobs})
end

local known = redis.call('HMGET', job, 'state', 'entry', 'letter')
if lives(known[1], known[2]) then
  keep_image()
  expire(result_seconds, {job, result, maps})
  return {'known', known[1], 0}
end
if has_pixels ~= '1' and redis.call('EXISTS', image) == 0 then
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
keep_image()
redis.call('ZADD', pending, time, id)
redis.call('ZREMRANGEBYSCORE', pending, '-inf', '(' .. oldest)
expire(result_seconds, {job, pending})
expire(queue_seconds, {queue})
tell(channel, id, 'queued', 0)
return {'created', 'queued', 0}
