"""A bank whose loans are promised on and held."""

from tests.feed.conftest import bank, sound_bank

__all__ = ["bank", "sound_bank"]
