"""A bank whose debtors have contact books."""

from tests.feed.conftest import bank, bank_after, sound_bank

__all__ = ["bank", "bank_after", "sound_bank"]
