-- Renews the leases that this consumer still holds on one queue. Answers the entries that it lost.
local queue = KEYS[1]
local group, consumer = unpack(ARGV, 1, 2)

local lost = {}
for index = 3, #ARGV, 2 do
  local entry, deliveries = ARGV[index], ARGV[index + 1]
  if holds(queue, group, entry, consumer, deliveries) then
    redis.call('XCLAIM', queue, group, consumer, 0, entry, 'JUSTID')
  else
    lost[#lost + 1] = entry
  end
end
return lost
