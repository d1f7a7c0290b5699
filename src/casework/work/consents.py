"""A consent: a debtor agreed to be contacted outside the hours (X1), from when until when. Pure.

It is the debtor's and lives in their stream. Its chart is `statecharts/consent.toml`.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from casework.lifecycle.noun import Noun
from casework.lifecycle.situation import SubjectSituation
from casework.lifecycle.subject import Label, Rows, Subject
from casework.rules.statechart.registry import Params, Registry, Verdict

REGISTRY = Registry()
guard, effect = REGISTRY.guard, REGISTRY.effect


class Consent(Subject):
    """A debtor's consent to be contacted between two hours of the branch's day, until it ends or is withdrawn."""

    institution: str
    borrower_id: str
    loan_id: str
    from_hour: Annotated[int, Label("自几时起", "From hour")]
    until_hour: Annotated[int, Label("至几时止", "Until hour")]
    begins_at: datetime
    ends_at: datetime
    evidence: Annotated[str, Label("凭据", "Evidence")]
    last_on: Annotated[date | None, Label("最后有效日", "Last day in force")] = None
    due_on: date | None = None

    def __post_init__(self) -> None:
        """Days as branch time counts them: times are given with its offset."""
        if self.last_on is None:
            self.last_on = (self.ends_at - timedelta(microseconds=1)).date()
            self.begins_at, self.ends_at = self.begins_at.astimezone(UTC), self.ends_at.astimezone(UTC)


def _consent(now: SubjectSituation) -> Consent:
    consent: Consent = now.subject
    return consent


@guard(facts=("begins_at",))
def ends_after_it_begins(now: SubjectSituation, _: Params) -> Verdict:
    """The end that is given."""
    begins, ends = _consent(now).begins_at, _consent(now).ends_at
    return Verdict(ends > begins, {"ends_at": ends.isoformat()}, {"begins_at": begins.isoformat()})


@guard(facts=("from_hour", "until_hour"))
def hours_of_a_day(now: SubjectSituation, _: Params) -> Verdict:
    """Two different hours; one that is not before the other runs past midnight."""
    first, last = _consent(now).from_hour, _consent(now).until_hour
    met = 0 <= first <= 24 and 0 <= last <= 24 and first % 24 != last % 24
    return Verdict(met, {"from_hour": first, "until_hour": last}, {"hours": "0-24"})


@guard(facts=("last_on",))
def over(now: SubjectSituation, _: Params) -> Verdict:
    """Its last day has passed."""
    last = _consent(now).last_on
    opens_on = last + timedelta(days=1) if last else None
    return Verdict(last is not None and last < now.today, {"last_on": str(last) if last else None}, {}, opens_on)


@effect()
def end_as_withdrawn(now: SubjectSituation, _: Params) -> None:
    """It ends when the debtor withdrew it; what was permitted before stays permitted."""
    consent, withdrawn_at = _consent(now), datetime.fromisoformat(now.given["withdrawn_at"])
    consent.last_on = min(consent.last_on or withdrawn_at.date(), withdrawn_at.date())
    consent.ends_at = min(consent.ends_at, withdrawn_at.astimezone(UTC))


CONSENT = Noun(chart="consent", word="consent", subject=Consent, rows=Rows(Consent), registry=REGISTRY)
