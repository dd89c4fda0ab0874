"""Sums over columns of a table."""


def total(rows, column):
    """The sum of a column of whole numbers."""
    return sum(int(row[column]) for row in rows)


def ranked(rows, column):
    """The rows, those with the greatest number in the column first; equal ones in their order."""
    return sorted(rows, key=lambda row: -int(row[column]))
