#!/usr/bin/env python3
"""Fits `room + span * exp(-rate * minute)` by least squares on the logarithm."""
import csv
import json
import math
import sys

config = json.load(sys.stdin)
room = config["room"]
with open(config["data"], newline="") as table:
    rows = [(float(row["minute"]), float(row["celsius"])) for row in csv.DictReader(table)]

points = [(minute, math.log(celsius - room)) for minute, celsius in rows if celsius > room]
count = len(points)
mean_x = sum(x for x, _ in points) / count
mean_y = sum(y for _, y in points) / count
slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)

result = {
    "room": room,
    "span": round(math.exp(mean_y - slope * mean_x), 3),
    "rate": round(-slope, 5),
    "half_life": round(math.log(2) / -slope, 2),
    "points": count,
}
with open(config["out"], "w") as out:
    json.dump(result, out, sort_keys=True)
