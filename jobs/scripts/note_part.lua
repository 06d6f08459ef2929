-- Keeps what came of a part of an analysis, whose job has ended. Answers 1, or 0 when the analysis does not run.
local analysis, parts, jobs = unpack(KEYS)
local part, content, job_id, count, result_seconds = unpack(ARGV)

if redis.call('HGET', analysis, 'state') ~= 'running' then
  return 0
end
redis.call('HSET', parts, part, content)
redis.call('SREM', jobs, job_id)
if count ~= '' then
  redis.call('HSET', analysis, 'parts', count)
end
expire(result_seconds, {parts})
return 1
