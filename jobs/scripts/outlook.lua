-- Predicts how long the queue of a model needs for all that waits. Answers seconds.
local pace, load = unpack(KEYS)

local drained = outlook(pace, load, '', 0)
return string.format('%.6f', drained)
