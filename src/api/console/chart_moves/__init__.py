"""Moves of the living to the next version of their chart: the plan, asking for it, running it behind."""
