"""Greets the person named, with text from a wheel."""

import sys

import greeting

print(greeting.greet(*sys.argv[1:2]))
