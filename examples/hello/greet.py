#!/usr/bin/env python3
"""Writes a greeting, and a program that prints it.

The config of the exec arrives as one line of JSON on standard input.
"""
import json
import os
import shlex
import sys

config = json.load(sys.stdin)
text = f"{config['greeting']}, {config['name']}!"

with open("greeting.txt", "w", encoding="utf-8") as out:
    out.write(text + "\n")

os.makedirs("bin")
with open("bin/hello", "w", encoding="utf-8") as out:
    out.write(f"#!/bin/sh\necho {shlex.quote(text)}\n")
os.chmod("bin/hello", 0o755)
