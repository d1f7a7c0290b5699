"""What SQLAlchemy compiled of statements, kept once for all engines of a process.

A branch has an engine that writes and one that reads, and every engine would compile every statement for itself. What
is compiled depends on the kind of database and its version, not on the engine.
"""

from typing import Any, Final

from sqlalchemy.util import LRUCache


class _OfEveryEngine(LRUCache[Any, Any]):
    """SQLAlchemy's keys begin with an engine's own dialect: here with what it is, so that alike ones find the same."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_alike(key), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_alike(key), value)


def _alike(key: tuple[Any, ...]) -> tuple[Any, ...]:
    dialect, *statement = key
    return (type(dialect), dialect.server_version_info, *statement)


SHARED: Final = {"compiled_cache": _OfEveryEngine(2_000)}
"""Execution options of an engine that shares; so many statements, those asked for last, some 20 kB each."""
