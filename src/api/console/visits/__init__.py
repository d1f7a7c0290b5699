"""Visits: the route of the day and one stop of it, for a phone; photos; the board on which reports are reviewed."""
