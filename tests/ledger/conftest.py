"""A bank whose day ends with a ledger."""

from tests.feed.conftest import bank

__all__ = ["bank"]
