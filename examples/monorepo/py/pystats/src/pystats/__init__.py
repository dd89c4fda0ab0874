"""Sums over columns of a table."""


def total(rows, column):
    """The sum of a column of integers."""
    return sum(int(row[column]) for row in rows)


def ranked(rows, column):
    """The rows, sorted by the column in descending order; equal rows keep their order."""
    return sorted(rows, key=lambda row: -int(row[column]))
