"""A branch with nothing in it yet, and a bank that sends it feeds."""

from tests.feed.conftest import bank

__all__ = ["bank"]
