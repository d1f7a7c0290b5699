"""A bank whose day ends with a ledger."""

from tests.feed.conftest import bank, bank_after

__all__ = ["bank", "bank_after"]
