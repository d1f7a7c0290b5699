"""Rows that entries speak of are compared in batches, and counted: one more in its table is one that none speaks of."""

from abc import ABC, abstractmethod


class Counted(ABC):
    """What one part of a log met is handed on as a number, so that whoever walks the last part looks for the rest."""

    _met = 0

    @abstractmethod
    def _flush(self) -> None:
        """Compare what waits, and count into `_met` the rows that are there."""

    def cut(self) -> int:
        """Compare the rest of a part; how many rows there were."""
        self._flush()
        met, self._met = self._met, 0
        return met

    def absorb(self, met: int) -> None:
        """So many rows there were in another part."""
        self._met += met
