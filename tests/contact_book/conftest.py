"""A bank whose debtors have contact books."""

from tests.feed.conftest import bank, sound_bank

__all__ = ["bank", "sound_bank"]
