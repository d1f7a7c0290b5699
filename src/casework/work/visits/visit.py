"""A visit as it is kept, and how its rules read what is told of it. Pure."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec

from casework.lifecycle.situation import SubjectSituation
from casework.lifecycle.subject import Child, Label

NO_RISK: Final = "no_risk"
"""What visitors say of an address where a risk is gone."""
SET_ASIDE: Final = "set_aside"
"""State of a visit whose report counts no more."""
RETURNED: Final = "returned"
"""State of one whose report its visitors put right."""
TO_BE_MADE: Final = frozenset({"planned", "under_way"})
"""States of a visit that somebody still makes."""
CANNOT_BE: Final = frozenset({("found", "nobody"), ("not_found", "debtor")})
"""What came of a visit, and who cannot have been met then."""


class Photo(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """One photo of it: the hash of the file as it came, what it shows, when it was taken."""

    photo: str
    shows: str
    taken_at: datetime


class Recheck(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """What came of looking at a photo again: which, the verdict, by whom, when."""

    photo: str
    verdict: str
    by: str
    on: date


class Corrected(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """What the report said before it was corrected: of which field, what, by whom it was put right, when."""

    name: str
    was: str
    by: str
    on: date


class Visit(Child):
    """Who goes when; what they found; what the reviewer said. `stated`: no photo, the second visitor's word instead."""

    loan_id: str
    address_kind: str
    visit_on: date
    ordered_at: Annotated[datetime | None, Label("安排时间", "Ordered at")] = None
    contact_id: int | None = None
    area: str | None = None
    stop: int | None = None
    risk_acknowledged: bool = False
    visitor: str = ""
    second_visitor: str | None = None
    assisting_channel: str | None = None
    assistant: str | None = None
    entrustment: str | None = None
    trained_on: date | None = None
    checked_in_at: Annotated[datetime | None, Label("签到时间", "Checked in at")] = None
    checked_out_at: Annotated[datetime | None, Label("签离时间", "Checked out at")] = None
    reported_at: Annotated[datetime | None, Label("报告提交时间", "Reported at")] = None
    outcome: str | None = None
    person_met: str | None = None
    house: str | None = None
    workplace: str | None = None
    attitude: str | None = None
    ability: str | None = None
    next_step: str | None = None
    address_risk: str | None = None
    risk_by: Annotated[str | None, Label("风险登记人", "Who saw the risk")] = None
    risk_at: Annotated[datetime | None, Label("风险登记时间", "Risk told at")] = None
    risk_on: Annotated[date | None, Label("风险登记日", "Risk seen on")] = None
    photo: Annotated[str | None, Label("证明照片", "Photo that proves it")] = None
    no_photo: str | None = None
    stated: Annotated[bool, Label("以说明代照片", "Stated instead of a photo")] = False
    photos: Annotated[tuple[Photo, ...], Label("照片", "Photos")] = ()
    drawn: Annotated[tuple[str, ...], Label("抽中待复核", "Drawn to be checked again")] = ()
    recheck_since: Annotated[date | None, Label("待复核起始日", "To be checked again since")] = None
    rechecks: Annotated[tuple[Recheck, ...], Label("复核结论", "Checked again")] = ()
    rechecked_on: Annotated[date | None, Label("最近复核日", "Last checked again on")] = None
    disproved: Annotated[bool, Label("复核不实，不作证明", "Disproved by a check")] = False
    corrected: Annotated[tuple[Corrected, ...], Label("更正前的报告", "Reported before it was corrected")] = ()
    accepted_by: Annotated[str | None, Label("审核通过人", "Accepted by")] = None
    times_returned: Annotated[int, Label("退回次数", "Times returned")] = 0
    returned_for: Annotated[str | None, Label("退回原因", "Returned for")] = None
    due_on: date | None = None

    def __post_init__(self) -> None:
        """Whoever orders it leads it, where nobody else is named."""
        self.visitor = self.visitor or self.opened_by

    @property
    def verdicts(self) -> dict[str, str]:
        """By photo, the verdict that stands."""
        return {one.photo: one.verdict for one in self.rechecks}

    @property
    def visitors(self) -> tuple[str, ...]:
        """The staff who visit."""
        return (self.visitor, *((self.second_visitor,) if self.second_visitor else ()))


def visit_of(now: SubjectSituation) -> Visit:
    """The visit that is decided about."""
    visit: Visit = now.subject
    return visit


def zone_of(now: SubjectSituation) -> ZoneInfo:
    """The branch's."""
    return ZoneInfo(now.policy.figure("branch.time_zone"))


def slack_of(now: SubjectSituation) -> timedelta:
    """By how much the clocks of phones and cameras may be wrong."""
    return timedelta(minutes=now.policy.figure("visit.clock_minutes"))


def minute_of(at: datetime) -> datetime:
    """To the minute, as people type times."""
    return at.replace(second=0, microsecond=0)


def text_of(now: SubjectSituation, at: datetime | None) -> str | None:
    """In branch time, for a text."""
    return None if at is None else at.astimezone(zone_of(now)).isoformat(timespec="seconds")


def told_at(now: SubjectSituation, name: str) -> datetime | None:
    """The instant that was given, if one was."""
    raw: Any = now.given.get(name)
    return None if raw is None else datetime.fromisoformat(raw).astimezone(UTC)


def told_on(now: SubjectSituation, name: str) -> date | None:
    """Its day of branch time."""
    at = told_at(now, name)
    return None if at is None else at.astimezone(zone_of(now)).date()
