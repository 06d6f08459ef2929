-- Whom jobs and analyses call: kept until they end, and told by the scripts that change them.

local PROGRESS_SECONDS = 0.5
local WEBHOOK_EVENTS = {
  running = 'started', progress = 'progress', done = 'completed', failed = 'completed', cancelled = 'completed'}

-- Makes due what the webhooks of a job or an analysis ask for: `<id> <kind> <time> <tries> <webhook>` by the time to try it.
-- Of progress they are told a while later, once for all that came by then, and not at all when it is over.
local function call_webhooks(webhooks, calls, id, kind, seconds)
  local time, asked = now(), redis.call('HGETALL', webhooks)
  for index = 1, #asked, 2 do
    local webhook, progress = asked[index], table.concat({id, 'progress', 0, 0, asked[index]}, ' ')
    local is_wanted = string.find(asked[index + 1], WEBHOOK_EVENTS[kind], 1, true)
    if kind == 'progress' and is_wanted then
      redis.call('ZADD', calls, 'NX', string.format('%.6f', tonumber(time) + PROGRESS_SECONDS), progress)
    elseif is_wanted then
      redis.call('ZADD', calls, time, table.concat({id, kind, time, 0, webhook}, ' '))
    end
    if WEBHOOK_EVENTS[kind] == 'completed' then
      redis.call('ZREM', calls, progress)
    end
  end
  if #asked > 0 then
    expire(seconds, {calls})
  end
  if WEBHOOK_EVENTS[kind] == 'completed' then
    redis.call('DEL', webhooks)
  end
end

-- Tells those who watch, and makes due the calls of those who asked to be called: all that a change says of itself.
local function tell_all(channel, events, webhooks, calls, id, kind, progress, seconds)
  tell(channel, events, id, kind == 'progress' and 'running' or kind, progress)
  call_webhooks(webhooks, calls, id, kind, seconds)
end

-- Whether there is room for the webhook of a request, which may be none; answers why not. What is done calls at once,
-- and keeps nobody waiting.
local function lacks_room(webhooks, calls, is_done, webhook, most_webhooks, most_calls)
  if webhook == '' then
    return nil
  end
  if redis.call('ZCARD', calls) >= tonumber(most_calls) then
    return 'calls-full'
  end
  if not is_done and redis.call('HEXISTS', webhooks, webhook) == 0
    and redis.call('HLEN', webhooks) >= tonumber(most_webhooks) then
    return 'webhooks-full'
  end
end

-- Keeps the webhook of a request, which may be none, with all that it was ever to be called upon.
local function keep_webhook(webhooks, webhook, webhook_events, seconds)
  if webhook == '' then
    return
  end
  local events_asked = redis.call('HGET', webhooks, webhook) or ''
  for event in string.gmatch(webhook_events, '%S+') do
    if not string.find(events_asked, event, 1, true) then
      events_asked = events_asked .. event .. ' '
    end
  end
  redis.call('HSET', webhooks, webhook, events_asked)
  expire(seconds, {webhooks})
end
