"""Writes a table of the largest cities; the config is JSON on standard input."""
import csv
import json
import sys

import pystats

config = json.load(sys.stdin)
with open(config["table"], newline="", encoding="utf-8") as table:
    rows = list(csv.DictReader(table))

with open(config["out"], "w", encoding="utf-8") as out:
    out.write("| city | people |\n| --- | ---: |\n")
    for row in pystats.ranked(rows, "thousands")[: config["top"]]:
        out.write(f"| {row['name']} | {int(row['thousands']):,},000 |\n")
    out.write(f"\n{len(rows)} cities, {pystats.total(rows, 'thousands'):,},000 people.\n")
