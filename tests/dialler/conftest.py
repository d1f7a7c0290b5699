"""A bank whose debtors are called."""

from tests.feed.conftest import bank, sound_bank

__all__ = ["bank", "sound_bank"]
