"""A bank whose loans are promised on and held."""

from tests.feed.conftest import bank, bank_after, sound_bank

__all__ = ["bank", "bank_after", "sound_bank"]
