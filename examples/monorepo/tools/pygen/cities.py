#!/usr/bin/env python3
"""cities.py TABLE.csv OUT.c: the cities as a C table, each a point on the unit sphere."""
import csv
import math
import os
import sys

table, target = sys.argv[1:]
os.makedirs(os.path.dirname(target), exist_ok=True)
with open(table, newline="", encoding="utf-8") as rows, open(target, "w", encoding="utf-8") as out:
    out.write('#include "geo.h"\n\nconst struct city geo_cities[] = {\n')
    for row in csv.DictReader(rows):
        north, east = math.radians(float(row["north"])), math.radians(float(row["east"]))
        point = (math.cos(north) * math.cos(east), math.cos(north) * math.sin(east), math.sin(north))
        numbers = ", ".join(f"{value:.9f}" for value in point)
        out.write(f'    {{"{row["name"]}", {int(row["thousands"]) * 1000}L, {numbers}}},\n')
    out.write("};\n\nconst size_t geo_count = sizeof geo_cities / sizeof *geo_cities;\n")
