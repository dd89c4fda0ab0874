"""Greets whoever is named, in words that come from a wheel."""

import sys

import greeting

print(greeting.greet(*sys.argv[1:2]))
