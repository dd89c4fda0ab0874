"""Matches versions against wake's requirements, which Cargo reads the same way: `^1.2`, `~1.2`, `>=1, <3`, `1.*`, `*`."""

import re

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?")
_PART = re.compile(r"(\^|~|=|>=|<=|>|<)?\s*(\d+|\*)(?:\.(\d+|\*))?(?:\.(\d+|\*))?(?:-([0-9A-Za-z.-]+))?(?:\+\S*)?")


def parse(version):
    """A version in comparable form, without its build metadata."""
    found = _VERSION.fullmatch(version)
    if not found:
        raise ValueError("%r is not a semantic version" % version)
    numbers = tuple(int(number) for number in found.group(1, 2, 3))
    return numbers, _pre_release(found.group(4))


def _pre_release(text):
    if text is None:
        return (1,)
    parts = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in text.split(".")]
    return (0, parts)


def _bounds(operator, numbers):
    """The lowest matching version and the lowest version above the matching ones; None for a missing bound."""
    known = [number for number in numbers if number is not None]
    low = tuple(known + [0] * (3 - len(known)))
    if not known:
        return (0, 0, 0), None
    if operator == "^":
        # Everything up to the first number that is not zero is fixed.
        fixed = next((at for at, number in enumerate(known) if number), len(known) - 1)
    elif operator == "~":
        fixed = min(len(known), 2) - 1
    else:
        fixed = len(known) - 1
    high = list(low[: fixed + 1]) + [0] * (2 - fixed)
    high[fixed] += 1
    return low, tuple(high)


def _fits_part(version, part):
    found = _PART.fullmatch(part.strip())
    if not found:
        raise ValueError("%r is not a requirement" % part)
    numbers = [None if number in (None, "*") else int(number) for number in found.group(2, 3, 4)]
    operator = found.group(1) or ("=" if "*" in part else "^")
    low, high = _bounds(operator, numbers)
    start = (low, _pre_release(found.group(5)))
    if operator == ">=":
        return version >= start
    if operator == "<":
        return version < start
    if operator == ">":
        return version > start and (None not in numbers or version[0] >= high)
    if operator == "<=":
        return version <= start or (None in numbers and version[0] < high)
    if operator == "=" and None not in numbers:
        return version == start
    return version >= start and (high is None or version[0] < high)


def matches(requirement, version):
    """Whether a version matches; a pre-release matches only if the requirement names one of the same release."""
    parts, found = requirement.split(","), parse(version)
    if found[1] != (1,):
        release = "%d.%d.%d-" % found[0]
        if not any(release in part for part in parts):
            return False
    return all(_fits_part(found, part) for part in parts)


def highest(requirement, versions):
    """The highest matching version, or None."""
    fit = [version for version in versions if matches(requirement, version)]
    return max(fit, key=parse, default=None)
