"""One part of a verification that cannot go on must not end the others: it becomes a doubt, and they go on.

What a part trips over may be the very thing that somebody changed, or put there to hide another beside it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb
from typing import Any

import sqlalchemy as sa

from casework.errors import TryAgain
from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.check.verify import Keeper, PartKeeper
from casework.log.format.entry import Entry

_GONE = (TryAgain, sa.exc.OperationalError, sa.exc.InterfaceError)


@contextmanager
def part_of(report: Report, name: str) -> Iterator[None]:
    """Whatever stops what is done inside is a doubt `part_not_compared`; only a database that is gone ends all."""
    try:
        yield
    except _GONE:
        raise
    except Exception as error:  # noqa: BLE001  (a bug, or rows too damaged to be read: either way it cannot be known)
        _tell(report, name, error)


def _tell(report: Report, name: str, error: Exception) -> None:
    last = extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}:{last.lineno}"
    report.doubt("part_not_compared", part=name, error=type(error).__name__, where=where)


class Steady:
    """A keeper of streams whose own trouble ends with the stream in which it was met."""

    def __init__(self, report: Report, name: str, keeper: Keeper) -> None:
        self._report = report
        self._name = name
        self._keeper = keeper
        self._broken = False

    def follow(self, entry: Entry) -> None:
        """The next entry; none any more of a stream that could not be followed."""
        if self._broken:
            return
        try:  # `part_of` written out: it is asked for every entry
            self._keeper.follow(entry)
        except _GONE:
            raise
        except Exception as error:  # noqa: BLE001  (as there)
            self._broken = True
            _tell(self._report, self._name, error)

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:
        """The stream has ended."""
        try:
            self._keeper.close(stream, tail, sound=sound and not self._broken)
        except _GONE:
            raise
        except Exception as error:  # noqa: BLE001  (as there)
            _tell(self._report, self._name, error)
        self._broken = False

    def finish(self) -> None:
        """All streams have been walked."""
        with part_of(self._report, self._name):
            self._keeper.finish()


class SteadyPart(Steady):
    """The same of a keeper whose streams are walked in parts; nothing, of a part that could not be compared."""

    def __init__(self, report: Report, name: str, keeper: PartKeeper) -> None:
        super().__init__(report, name, keeper)
        self._parted = keeper

    def cut(self) -> Any:
        """What a part leaves."""
        try:
            return self._parted.cut()
        except _GONE:
            raise
        except Exception as error:  # noqa: BLE001  (as there)
            _tell(self._report, self._name, error)
            return None

    def absorb(self, left: Any) -> None:
        """What another part left."""
        if left is not None:
            self._parted.absorb(left)


class Several:
    """Several who follow the same streams."""

    def __init__(self, *followers: Any) -> None:
        self._followers = followers

    def follow(self, entry: Entry) -> None:
        """Each of them."""
        for follower in self._followers:
            follower.follow(entry)

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:
        """Each of them."""
        for follower in self._followers:
            follower.close(stream, tail, sound=sound)

    def finish(self) -> None:
        """Each of them."""
        for follower in self._followers:
            follower.finish()

    def cut(self) -> list[Any]:
        """What a part of the streams leaves, of each of them."""
        return [follower.cut() for follower in self._followers]

    def absorb(self, left: Sequence[Any]) -> None:
        """What another part left, to each of them."""
        for follower, one in zip(self._followers, left, strict=True):
            follower.absorb(one)
