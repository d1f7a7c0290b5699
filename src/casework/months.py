"""Whole months between two days. Pure."""

from datetime import date


def months_between(start: date, end: date) -> int:
    """Whole months from one day to another, negative backwards."""
    return (end.year - start.year) * 12 + end.month - start.month - (end.day < start.day)
