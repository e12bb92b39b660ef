-- Counts a request under each of its limits if every one has room for it, and under none otherwise. Two edges that ask at
-- once are answered one after the other, so no limit is ever overrun.
--
-- KEYS  for each limit two: how many requests passed in the window before, and in the present one
-- ARGV  as how many the request counts; then for each limit four: the most requests, the window in ms, the ms that have
--       passed of the present one, and 1 if it only watches (it is counted whatever the others say, and never refuses)
--
-- Returns 1 if the request may pass, then for each limit both counts as they are now. `Standing.room` in domain.py is the
-- same sum.
local hits = tonumber(ARGV[1])
local limits, passes = {}, true

for number = 1, #KEYS / 2 do
  local at = 4 * number - 2
  local limit = {
    key = KEYS[2 * number],
    window = tonumber(ARGV[at + 1]),
    shadow = ARGV[at + 3] == '1',
    previous = tonumber(redis.call('GET', KEYS[2 * number - 1]) or 0),
    current = tonumber(redis.call('GET', KEYS[2 * number]) or 0),
  }
  local still = math.floor(limit.previous * (limit.window - tonumber(ARGV[at + 2])) / limit.window)
  if not limit.shadow and tonumber(ARGV[at]) - still - limit.current < hits then
    passes = false
  end
  limits[number] = limit
end

local answer = { passes and 1 or 0 }
for _, limit in ipairs(limits) do
  if passes or limit.shadow then
    limit.current = redis.call('INCRBY', limit.key, hits)
    redis.call('PEXPIRE', limit.key, 2 * limit.window)
  end
  table.insert(answer, limit.previous)
  table.insert(answer, limit.current)
end
return answer
