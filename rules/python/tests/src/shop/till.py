import sys

import greeting

from shop.sums import cost

print(greeting.WORD, cost(int(sys.argv[1])))
