-- Drops an entry that stands for no job. Answers 1, or 0 when the claim is lost.
local queue = KEYS[1]
local group, entry, consumer, deliveries = unpack(ARGV)

if not holds(queue, group, entry, consumer, deliveries) then
  return 0
end
drop_entry(queue, group, entry)
return 1
