"""A bank whose debtors are called."""

from tests.feed.conftest import bank, bank_after, sound_bank

__all__ = ["bank", "bank_after", "sound_bank"]
