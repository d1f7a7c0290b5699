"""A hand-over: the plan of what happens to somebody's cases when they leave or move, and what became of it. Pure.

It is nobody's child and no customer's: its stream is `handover:<id>`. Its chart is `statecharts/handover.toml`; who
gets which cases, and how that is carried out, is `casework.work.handover`'s.
"""

from datetime import date, datetime

from casework.lifecycle.noun import Noun, Words
from casework.lifecycle.situation import SubjectSituation
from casework.lifecycle.subject import Rows, Subject
from casework.rules.statechart.registry import Params, Registry, Verdict

REGISTRY = Registry()
guard, effect = REGISTRY.guard, REGISTRY.effect
DEPARTURE, TRANSFER = "departure", "transfer"
"""What it is opened for."""


class Handover(Subject):
    """One plan; amounts in fen. `named`: receivers chosen by hand, none if the rules chose; `team`, `region`: where to.

    `planned_by`: who planned first, where the service only planned anew; `request`: the last for its approval.
    """

    staff_no: str
    effective_on: date
    plan_digest: str  # of what was asked for, preview and moves: what is approved
    planned_by: str
    planned_at: datetime
    cases: int
    unplaced: int
    overdue_fen: int
    named: tuple[str, ...] = ()
    team: str | None = None
    region: str | None = None
    request: int | None = None
    applied_at: datetime | None = None
    replaced_by: int | None = None
    due_on: date | None = None

    @property
    def stream(self) -> str:
        """Of its entries."""
        return f"{HANDOVER.word}:{self.id}"


def _plan(now: SubjectSituation) -> Handover:
    plan: Handover = now.subject
    return plan


@guard(facts=("unplaced",))
def handover_unplaced(now: SubjectSituation, _: Params) -> Verdict:
    """Every case of it has a receiver."""
    unplaced = _plan(now).unplaced
    return Verdict(unplaced == 0, {"unplaced": unplaced})


@guard(facts=())
def handover_of_oneself(now: SubjectSituation, _: Params) -> Verdict:
    """Neither who goes nor a deputy of theirs carries it out."""
    staff_no = _plan(now).staff_no
    return Verdict(staff_no not in now.gathered["people"], {"staff_no": staff_no})


@guard(facts=("opens_on",))
def handover_not_yet(now: SubjectSituation, _: Params) -> Verdict:
    """Its day has come."""
    day = _plan(now).effective_on
    return Verdict(now.today >= day, {}, {"opens_on": day.isoformat()}, day)


@effect()
def asked_as_given(now: SubjectSituation, _: Params) -> None:
    _plan(now).request = now.given["request"]


@effect()
def applied_at_once(now: SubjectSituation, _: Params) -> None:
    _plan(now).applied_at = datetime.fromisoformat(now.gathered["at"])


@effect()
def replaced_as_given(now: SubjectSituation, _: Params) -> None:
    _plan(now).replaced_by = now.given["by"]


HANDOVER = Noun(
    chart="handover", word="handover", subject=Handover, rows=Rows(Handover), registry=REGISTRY,
    named=Words("handover", opened="handover.planned", step="handover."),
    called={"handover.planned": ("拟定", "Planned")},
)  # fmt: skip
