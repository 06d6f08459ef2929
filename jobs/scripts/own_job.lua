-- Notes a job that was put into the queue for an analysis. Answers 1, or 0 when that does not run.
local analysis, jobs = unpack(KEYS)
local job_id, result_seconds = unpack(ARGV)

if redis.call('HGET', analysis, 'state') ~= 'running' then
  return 0
end
redis.call('SADD', jobs, job_id)
expire(result_seconds, {jobs})
return 1
