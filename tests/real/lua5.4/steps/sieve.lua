-- The number of primes below powers of ten, by the sieve of Eratosthenes.
local function primes_below(limit)
  local composite, count = {}, 0
  for n = 2, limit - 1 do
    if not composite[n] then
      count = count + 1
      for multiple = n * n, limit - 1, n do composite[multiple] = true end
    end
  end
  return count
end

print(_VERSION)
for power = 1, 5 do
  print(string.format("%d primes below 10^%d", primes_below(10 ^ power // 1 | 0), power))
end
