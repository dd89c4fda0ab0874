#!/usr/bin/env python3
"""Fills the page's template with numbers and the plot."""
import html
import json
import os
import string
import sys

config = json.load(sys.stdin)
with open(config["fit"]) as file:
    fit = json.load(file)
with open(config["plot"], encoding="utf-8") as file:
    plot = file.read()
with open(config["template"], encoding="utf-8") as file:
    template = string.Template(file.read())

byline = f"by {config['author']}" if config["author"] else ""
page = template.substitute(
    title=html.escape(config["title"]),
    byline=html.escape(byline),
    plot=plot,
    half_life=f"{fit['half_life']:.1f}",
    start=f"{fit['room'] + fit['span']:.0f}",
    room=f"{fit['room']:.0f}",
    points=fit["points"],
)
os.makedirs(os.path.dirname(config["out"]), exist_ok=True)
with open(config["out"], "w", encoding="utf-8") as out:
    out.write(page)
