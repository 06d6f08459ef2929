-- Accepts a job once. Answers {verdict, state, seconds to wait}.
local job, result, maps, queue, pending, unfinished, load, tenant_load, events = unpack(KEYS, 1, 9)
local webhooks, calls, pace, _, _, queue_of_other_lane = unpack(KEYS, 10, 15)
local id, tenant, message, model, image_name, reference_name, mask_name = unpack(ARGV, 1, 7)
local method, flow, lane, cost, deadline_seconds = unpack(ARGV, 8, 12)
local most_jobs, most_tenant_jobs, most_wait_seconds, most_tenant_seconds = unpack(ARGV, 13, 16)
local result_seconds, queue_seconds, channel, group = unpack(ARGV, 17, 20)
local webhook, webhook_events, most_webhooks, most_calls = unpack(ARGV, 21, 24)
local FIRST_IMAGE, FIRST_PIXELS = 16, 25  -- of each image two keys; whether its pixels are here, and the pixels

local MOST_RETRY_SECONDS = 600

local function lives(state, entry, known_lane)
  if state == 'done' then
    return redis.call('EXISTS', result) == 1
  end
  -- A job that is not finished but has no entry would wait for ever: it is accepted anew.
  local its_queue = known_lane == lane and queue or queue_of_other_lane
  return (state == 'queued' or state == 'running') and #redis.call('XRANGE', its_queue, entry, entry) == 1
end

local function refused(verdict, seconds)
  return {verdict, '', math.ceil(math.min(MOST_RETRY_SECONDS, math.max(1, seconds)))}
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
    local image, image_users, pixels = KEYS[index], KEYS[index + 1], ARGV[FIRST_PIXELS + index - FIRST_IMAGE + 1]
    if has_pixels(index) then
      redis.call('SET', image, pixels, 'NX', 'EX', result_seconds)
    end
    redis.call('SADD', image_users, id)
    expire(result_seconds, {image, image_users})
  end
end

-- Of equal requests the most patient one counts.
local function keep_most_patient(start_by, known_start_by)
  if known_start_by and not start_by then
    redis.call('HDEL', job, 'start_by')
  elseif known_start_by and tonumber(start_by) > tonumber(known_start_by) then
    redis.call('HSET', job, 'start_by', start_by)
  end
end

local time = now()
local price, is_measured = price_of(pace, method, tonumber(cost))
local start_by = deadline_seconds ~= ''
  and string.format('%.6f', tonumber(time) + tonumber(deadline_seconds) - (is_measured and price or 0))

local known = redis.call('HMGET', job, 'state', 'entry', 'lane', 'letter', 'start_by')
local is_known = lives(known[1], known[2], known[3])
local full = lacks_room(webhooks, calls, is_known and known[1] == 'done', webhook, most_webhooks, most_calls)
if full then
  return {full, '', 0}
end
if is_known then
  keep_images()
  keep_webhook(webhooks, webhook, webhook_events, result_seconds)
  if known[1] == 'done' then
    call_webhooks(webhooks, calls, id, 'done', result_seconds)
  end
  keep_most_patient(start_by, known[5])
  expire(result_seconds, {job, result, maps, events})
  return {'known', known[1], 0}
end
if not has_all_images() then
  return {'no-image', '', 0}
end

local oldest = tonumber(time) - tonumber(result_seconds)
local drained, done = outlook(pace, load, flow, price)
local tenant_seconds = tonumber(redis.call('HGET', tenant_load, lane) or 0)
if redis.call('ZCOUNT', pending, oldest, '+inf') >= tonumber(most_tenant_jobs)
  or (tenant_seconds > 0 and tenant_seconds + price > tonumber(most_tenant_seconds)) then
  return refused('tenant-full', done - price)
end
if redis.call('ZCOUNT', unfinished, oldest, '+inf') >= tonumber(most_jobs) or done - price > tonumber(most_wait_seconds) then
  return refused('queue-full', drained)
end
if start_by and done - (is_measured and 0 or price) > tonumber(deadline_seconds) then
  return refused('too-late', done - price)
end

local fields = {'job', message, 'tenant', tenant, 'model', model, 'image', image_name, 'lane', lane, 'cost', cost}
local reference, mask = reference_name ~= '' and reference_name, mask_name ~= '' and mask_name
for field, value in pairs({letter = known[4], start_by = start_by, reference = reference, mask = mask}) do
  if value then
    fields[#fields + 1] = field
    fields[#fields + 1] = value
  end
end
enqueue({unpack(KEYS, 1, 14)}, id, flow, price, fields, group, channel, result_seconds, queue_seconds)
keep_images()
keep_webhook(webhooks, webhook, webhook_events, result_seconds)
return {'created', 'queued', 0}
