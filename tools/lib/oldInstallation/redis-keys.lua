-- Keeps the keys of the first database that match a pattern, removes all others, and says how many of each beginning there were.
local patterns = cjson.decode(ARGV[1])
local owned = function(key)
  for _, pattern in ipairs(patterns) do
    local start = string.sub(pattern, 1, -2)
    if string.sub(key, 1, #start) == start then return true end
  end
  return false
end
local left, other = {}, 0
for _, key in ipairs(redis.call('keys', '*')) do
  if not owned(key) then
    local start = string.match(key, '^[^:/]*[:/]') or 'without a beginning'
    if not string.match(start, '^[%w%s_.:/-]+$') then start = 'with another beginning' end
    left[start] = (left[start] or 0) + 1
    redis.call('unlink', key)
  end
end
for database = 1, 15 do
  if pcall(redis.call, 'select', database) then
    other = other + redis.call('dbsize')
    redis.call('flushdb')
  end
end
redis.call('select', 0)
local list = {}
for start, count in pairs(left) do table.insert(list, { start = start, count = count }) end
return cjson.encode({ left = #list == 0 and cjson.decode('[]') or list, other = other })
