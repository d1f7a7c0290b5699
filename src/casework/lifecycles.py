"""Where the nouns of the house are listed."""

from casework.work.cases.lifecycles import LIFECYCLES

__all__ = ["LIFECYCLES"]
