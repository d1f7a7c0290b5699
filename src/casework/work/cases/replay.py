"""Replays every case from its entries alone and compares the fold with its row (docs/evidence.md, 13).

Each entry of a case is judged by `casework.work.cases.judge`. Runs as a keeper of `log.check.verify`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy.engine import Connection

from casework.lifecycle.kept import Kept
from casework.lifecycle.replay import Folded, NounRows, RootRows
from casework.lifecycle.told import Told
from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.format.entry import Entry
from casework.work.cases.judge import CaseJudge
from casework.work.cases.lifecycles import CASES
from casework.work.cases.publish import cited_in
from casework.work.cases.replay_owners import OwnerRows, owners_judge

PREFIX: Final = "case"


class CaseReplay:
    """The keeper of streams of cases: has them judged, and compares what came of it with the rows.

    `cited` hears every entry that names a request under four eyes: the keeper of requests holds them against it.
    `nouns`: those whose rows are kept; the children among them live in a case's stream.
    """

    def __init__(
        self, conn: Connection, report: Report, cited: Callable[[Entry], None] = lambda _: None, *,
        nouns: Sequence[Kept] = (), told: Told | None = None,
    ) -> None:  # fmt: skip
        self._judge = CaseJudge(cited_in(conn, report), owners_judge(conn, report), report, cited, told)
        self._owners = OwnerRows(conn, report)
        self._children = {noun.word: NounRows(conn, report, noun, _parent_stream) for noun in nouns if noun.child}
        self._rows = RootRows(conn, report, CASES, self._compare_owners)

    def follow(self, entry: Entry) -> None:
        """Judge one entry."""
        self._judge.follow(entry)

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:
        """The stream has ended: keep the case until enough are there to be compared in one statement."""
        case, owners, children = self._judge.end(sound=sound)
        if case is not None:
            for (word, number), child in children.items():
                self._children[word].expect(stream, tail.seq, number, child)
        self._rows.expect(Folded(stream, tail, case, owners))

    def cut(self) -> tuple[int, int, Mapping[str, int]]:
        """What a part of the streams leaves: how many rows there were of cases, of owners and of children by word."""
        self._judge.forget()
        cases = self._rows.cut()
        return cases, self._owners.cut(), {word: rows.cut() for word, rows in self._children.items()}

    def absorb(self, left: tuple[int, int, Mapping[str, int]]) -> None:
        """What another part left."""
        cases, owners, children = left
        self._rows.absorb(cases)
        self._owners.absorb(owners)
        for word, met in children.items():
            self._children[word].absorb(met)

    def finish(self) -> None:
        """Compare the rest; then look for cases without a stream, if there must be any."""
        self._rows.finish()
        self._owners.finish()
        for children in self._children.values():
            children.finish()

    def _compare_owners(self, ended: Sequence[Folded], _rows: Mapping[int, Any]) -> None:
        """The history of who answered for them."""
        known = {one.number: one.more if one.subject is not None else None for one in ended}
        self._owners.compare({number: owners for number, owners in known.items() if number is not None})


def _parent_stream(child: Mapping[str, Any]) -> str:
    return f"{PREFIX}:{child['parent_id']}"
