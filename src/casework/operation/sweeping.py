"""The sweep of a day's close: promises judged, holds that end, and then the cases (day.md §1: in this order)."""

from collections.abc import Callable

from sqlalchemy.engine import Engine

from casework.clock import Clock, now
from casework.intake.feed.promised import judge
from casework.lifecycle.sweep import fire_due
from casework.storage.database import writing
from casework.work.cases import sweep as of_cases
from casework.work.cases.branch import Branch
from casework.work.cases.gather import business_dates
from casework.work.cases.lifecycles import PROMISES


def sweep(
    engine: Engine, branch: Branch, *, clock: Clock = now, progress: Callable[[int], None] = lambda _: None
) -> dict[str, int]:
    """Fire what is due; how many of each event of cases, and as `<noun>.<event>` of what else has a chart."""
    fired: dict[str, int] = {}
    with writing(engine) as conn:
        days = business_dates(conn)
        for institution in sorted(days):
            _add(fired, PROMISES.word, judge(conn, branch, institution, via="sweep", clock=clock))
    for noun in branch.nouns[1:]:
        with writing(engine) as conn:
            _add(fired, noun.word, fire_due(conn, branch, noun, days, clock=clock))
    return of_cases.sweep(engine, branch, clock=clock, progress=progress) | fired


def _add(fired: dict[str, int], word: str, more: dict[str, int]) -> None:
    for event, number in more.items():
        fired[f"{word}.{event}"] = fired.get(f"{word}.{event}", 0) + number
