"""Folds the entries of a person anew, and whether their posts were granted as they may be; no database. Pure."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple

from casework.log.check.findings import Report
from casework.log.format.entry import Entry
from casework.people.staff import person
from casework.people.staff.actor import SYSTEM_POST
from casework.people.staff.person import Person

PREFIX: Final = "staff"


class Ended(NamedTuple):
    """A person whose stream has ended; `named_at`: the entry of their name; `whole`: it was folded to its end."""

    person: Person | None
    named_at: int | None
    whole: bool


class StaffJudge:
    """Follows one stream of a person after the other.

    `granted` hears every grant that names a request: whoever judges requests holds it against that.
    """

    def __init__(self, report: Report, granted: Callable[[Entry], None] = lambda _: None) -> None:
        self._granted = granted
        self._report = report
        self._begin()

    def _begin(self) -> None:
        self._person: Person | None = None
        self._named_at: int | None = None
        self._broken = False

    def follow(self, entry: Entry) -> None:
        """Fold one entry; after the first that cannot be, the rest of the stream is left alone."""
        if self._broken:
            return
        try:
            at = datetime.fromisoformat(entry.recorded_at)
            if entry.event in person.FOLDED and f"{PREFIX}:{entry.data['staff_no']}" != entry.stream:
                raise ValueError("somebody else's entry")
            self._person = person.apply(self._person, entry.event, entry.data, by=entry.actor.id, recorded_at=at)
            self._check_grants(entry)
        except Exception as error:  # noqa: BLE001  (it convicts this entry; the others must still be looked at)
            self._report.find("replay_impossible", entry.stream, entry.stream_seq, error=type(error).__name__)
            self._broken = True
        if "name" in entry.personal:
            self._named_at = entry.stream_seq

    def _check_grants(self, entry: Entry) -> None:
        """Without four eyes posts are granted by the service at the shell alone."""
        if entry.event == person.POST_GRANTED:
            direct = [entry.data["post"]] if entry.data["request"] is None else []
            if not direct:
                self._granted(entry)
        else:
            direct = entry.data["posts"] if entry.event == person.ADDED else []
        if direct and entry.actor.kind != SYSTEM_POST:
            self._report.find("grant_without_request", entry.stream, entry.stream_seq, posts=direct)

    def end(self) -> Ended:
        """The stream has ended."""
        ended = Ended(self._person, self._named_at, not self._broken)
        self._begin()
        return ended
