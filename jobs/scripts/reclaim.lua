-- Takes over entries of one flow whose lease has lapsed. Answers {entry, job id, deliveries} for each.
local queue = KEYS[1]
local group, consumer, lease_ms, count, queue_seconds = unpack(ARGV)

local dropped = redis.pcall('XPENDING', queue, group, 'IDLE', lease_ms, '-', '+', count)
if dropped.err then
  if not string.find(dropped.err, 'NOGROUP', 1, true) then
    return dropped
  end
  redis.call('XGROUP', 'CREATE', queue, group, '0', 'MKSTREAM')
  dropped = {}
end
-- Idle workers ask often, and each write would cost a write to the disk.
if redis.call('TTL', queue) < queue_seconds / 2 then
  expire(queue_seconds, {queue})
end

local claims = {}
for _, pending in ipairs(dropped) do
  local entry = pending[1]
  local found = redis.call('XRANGE', queue, entry, entry)
  if #found == 0 then
    redis.call('XACK', queue, group, entry)
  else
    redis.call('XCLAIM', queue, group, consumer, lease_ms, entry)
    local fields = found[1][2]
    claims[#claims + 1] = {entry, fields[1] == 'id' and fields[2] or '', pending[4] + 1}
  end
end
return claims
