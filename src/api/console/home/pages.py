"""The first page: my cases by age, requests that wait for me, the last feed, whether every case has somebody."""

from datetime import timedelta
from typing import Any, Final, NamedTuple, Self

from litestar import Request, Response, get

from api.auth import actor_of
from api.console.frame.page import render
from api.health import BranchHealth, branch_health_of
from api.importing import as_they_are
from api.row_files import ROW_FILES
from api.serving import serving_of
from casework.clock import now
from casework.intake.feed.run import Run, newest_runs
from casework.operation.alarms import alarms
from casework.people.staff.permissions import Reach
from casework.storage.database import reading
from casework.storage.jobs import Job, of_actor
from casework.work.cases.filter import BusinessDates, CaseFilter
from casework.work.cases.holds import HOLDS, to_confirm
from casework.work.cases.queries import page_of_cases
from casework.work.four_eyes.listing import request_list

_ROWS: Final = 20
_WORK: Final = 6
_PLACES: Final = {
    "contact_file": "/console/contact-files?run={run}", "distribution": "/console/distribution",
    **{one.word: f"{one.page}?run={{run}}" for one in ROW_FILES},
    "verification": "/console/log/verification", "handover": "/console/handovers/{whose}",
    "chart_move": "/console/rules/charts/{whose}/moves", "feed": "/console/feeds/{whose}",
    "file": "/console/files",
}  # fmt: skip
"""Where each kind of work is found again."""
_WAITING: Final = 10


class _Work(NamedTuple):
    """What somebody began, and where it is found again."""

    kind: str
    place: str
    job: Job

    @classmethod
    def of(cls, job: Job) -> Self:
        """Of a run."""
        kind, _, whose = job.name.partition(":")
        return cls(kind, _PLACES[kind].format(run=job.id, whose=whose), job)


@get("/console", sync_to_thread=True, opt={"page": "me.read"})
def home(request: Request[Any, Any, Any]) -> Response[Any]:
    """What waits for whoever looks, each part only for those who may."""
    serving, actor = serving_of(request), actor_of(request)
    branch, permissions = serving.branch, serving.branch.rulebook.permissions
    mine, runs, holds = None, list[Run](), []
    health: BranchHealth | None = None
    with reading(serving.engine, snapshot=True) as conn:
        dates = BusinessDates(conn, branch)
        if permissions.may(actor, "case.read"):
            theirs = Reach(people=actor.people)
            mine = page_of_cases(conn, dates, CaseFilter(live=True), within=theirs, sort="oldest_due_date", limit=_ROWS)
        waiting = request_list(conn, branch, actor, limit=_WAITING)
        asked = request_list(conn, branch, actor, box="mine", limit=200)
        if actor.posts & branch.rulebook.charts[HOLDS.chart].events["confirm"].posts:
            holds = to_confirm(conn, _WAITING)
        if permissions.may(actor, "feed.read"):
            runs, _ = as_they_are(conn, newest_runs(conn, limit=3))
        work = [_Work.of(one) for one in of_actor(conn, actor.id, _WORK) if one.name.partition(":")[0] in _PLACES]
        warned = alarms(conn, branch, now())
    if permissions.may(actor, "branch.health"):
        health = branch_health_of(serving)
    return render(
        request, "home/home.html", mine=mine, may_call=permissions.may(actor, "contact.permit"),
        has_list=permissions.may(actor, "task.read"), waiting=waiting,
        asked=[one for one in asked.items if one.open],
        runs=runs, health=health, alarms=warned, work=work, holds=holds,
        sees_breaches=permissions.may(actor, "breach.read"), audits=permissions.may(actor, "audit.read"),
        yesterday=branch.today(now()) - timedelta(days=1),
        business_date=max(dates.known.values(), default=dates.otherwise),
    )  # fmt: skip


@get("/console/alive", sync_to_thread=False, opt={"page": "me.read"}, status_code=204)
def alive() -> None:
    """Asked by the script while somebody types: the log-in goes on (`frame.cookies`)."""


route_handlers = [home, alive]
