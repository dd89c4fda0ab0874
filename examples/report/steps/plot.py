#!/usr/bin/env python3
"""Draws measurements and fitted curve as SVG: `plot.py DATA.csv DIR-OF-THEME-AND-FIT OUT.svg`."""
import csv
import json
import math
import sys

data, inputs, target = sys.argv[1:]
with open(f"{inputs}/theme.json") as file:
    theme = json.load(file)
with open(f"{inputs}/fit.json") as file:
    fit = json.load(file)
with open(data, newline="") as table:
    rows = [(float(row["minute"]), float(row["celsius"])) for row in csv.DictReader(table)]

MARGIN = 44
width, height = theme["width"], theme["height"]
last = rows[-1][0]


def place(minute, celsius):
    """The position of a measurement in the picture."""
    x = MARGIN + minute / last * (width - 2 * MARGIN)
    y = height - MARGIN - celsius / 100 * (height - 2 * MARGIN)
    return f"{x:.1f}", f"{y:.1f}"


def curve():
    """The fitted curve, two points per minute."""
    for step in range(int(last) * 2 + 1):
        minute = step / 2
        celsius = fit["room"] + fit["span"] * math.exp(-fit["rate"] * minute)
        yield ",".join(place(minute, celsius))


lines = [
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
    f' font-size="12" fill="{theme["ink"]}">',
]
for celsius in range(0, 101, 20):
    (left, y), (right, _) = place(0, celsius), place(last, celsius)
    lines.append(f'<line x1="{left}" y1="{y}" x2="{right}" y2="{y}" stroke="#ddd"/>')
    lines.append(f'<text x="{MARGIN - 8}" y="{y}" text-anchor="end" dy="4">{celsius} °C</text>')
for minute in range(0, int(last) + 1, 10):
    x, y = place(minute, 0)
    lines.append(f'<text x="{x}" y="{y}" text-anchor="middle" dy="18">{minute}</text>')
lines.append(f'<text x="{width - MARGIN}" y="{height - 8}" text-anchor="end">minutes</text>')
lines.append(f'<polyline points="{" ".join(curve())}" fill="none" stroke="{theme["ink"]}"/>')
for minute, celsius in rows:
    x, y = place(minute, celsius)
    lines.append(f'<circle cx="{x}" cy="{y}" r="3.5" fill="{theme["accent"]}"/>')
lines.append("</svg>")

with open(target, "w", encoding="utf-8") as out:
    out.write("\n".join(lines) + "\n")
