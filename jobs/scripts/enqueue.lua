-- Puts a job into its queue, for the scripts that accept one and those that take one up again.
-- `fields` are what its hash shall say of it beside where it stands, names and values in turn. The images of the
-- job must be stored, or be stored by the same script.

local function enqueue(places, id, flow, price, fields, group, channel, result_seconds, queue_seconds)
  local job, result, maps, queue, pending, unfinished, load, tenant_load, events, _, _, _, flows, bell =
    unpack(places)
  local time = now()
  local oldest = tonumber(time) - tonumber(result_seconds)
  -- This write is the first, since a full Redis refuses it; after the first, a script is never refused.
  local is_new = redis.call('EXISTS', queue) == 0
  local entry = redis.call('XADD', queue, '*', 'id', id)
  if is_new then
    redis.call('XGROUP', 'CREATE', queue, group, '0')
  end
  unburden(id, job, queue, pending, unfinished, load, tenant_load)
  redis.call('DEL', job, result, maps, events)
  redis.call('HSET', job, 'entry', entry, 'state', 'queued', 'progress', '0', 'submitted_at', time,
    'crashes', '0', 'interruptions', '0', 'flow', flow, 'price', string.format('%.9f', price), unpack(fields))
  add_to(load, flow, price)
  add_to(tenant_load, lane_of(flow), price)
  for _, ids in ipairs({pending, unfinished}) do
    redis.call('ZADD', ids, time, id)
    redis.call('ZREMRANGEBYSCORE', ids, '-inf', '(' .. oldest)
  end
  local change = change_of(id, 'queued', 0)
  local event = redis.call('XADD', events, '*', 'change', change)
  redis.call('ZADD', flows, time, flow)
  ring(bell, queue_seconds)
  expire(result_seconds, {job, pending, unfinished, load, tenant_load, events})
  expire(queue_seconds, {queue, flows})
  redis.call('PUBLISH', channel, event .. ' ' .. change)
end
