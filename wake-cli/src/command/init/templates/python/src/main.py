"""Says it."""
from greeting import greeting

print(greeting())
