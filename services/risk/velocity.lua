-- Adds a payment to what is counted of one subject, and returns the counts as of its initiation, itself included.
--
-- KEYS  payments: sorted set of 'CURRENCY AMOUNT PAYMENT_ID' by initiation, in ms since 1970
--       sums: hash of currency to the sum of what `payments` holds
-- ARGV  currency, amount in minor units, payment id, initiation, most payments to remember
--
-- Adding a payment again changes nothing: a sum moves only when its payment enters or leaves the set. Sums are read as
-- text, because a Lua number is exact only to 2^53.
local payments, sums = KEYS[1], KEYS[2]
local currency, amount, at, most = ARGV[1], ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5])
local minute, hour, day = 60000, 3600000, 86400000

local function forget(members)
  for _, member in ipairs(members) do
    local its_currency, its_amount = string.match(member, '^(%S+) (%d+) ')
    redis.call('HINCRBY', sums, its_currency, '-' .. its_amount)
    redis.call('ZREM', payments, member)
  end
end

if redis.call('ZADD', payments, 'NX', at, currency .. ' ' .. amount .. ' ' .. ARGV[3]) == 1 then
  redis.call('HINCRBY', sums, currency, amount)
end
forget(redis.call('ZRANGEBYSCORE', payments, '-inf', at - day))
local surplus = redis.call('ZCARD', payments) - most
if surplus > 0 then
  forget(redis.call('ZRANGE', payments, 0, surplus - 1))
end
redis.call('PEXPIRE', payments, day)
redis.call('PEXPIRE', sums, day)

local sum = tonumber(redis.call('HGET', sums, currency) or '0')
for _, later in ipairs(redis.call('ZRANGEBYSCORE', payments, '(' .. ARGV[4], '+inf')) do
  local its_currency, its_amount = string.match(later, '^(%S+) (%d+) ')
  if its_currency == currency then
    sum = sum - tonumber(its_amount)
  end
end

local function count(window)
  return redis.call('ZCOUNT', payments, '(' .. string.format('%.0f', at - window), at)
end
return { count(minute), count(hour), count(day), string.format('%.0f', sum) }
