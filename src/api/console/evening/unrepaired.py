"""Who could not be repaired (无法修复名单): lost still, though information was repaired since; a list of a day."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from sqlalchemy.engine import Connection

from api.console.evening.asked import OfTeam, of_team
from api.console.frame.files import ListFile, columns_named, named_list
from api.console.frame.forms import Tried, problem_of
from api.console.frame.page import language_of, render
from api.reading.asking import check_parameters
from api.serving import serving_of
from casework.clock import now
from casework.errors import CallerError
from casework.evidence.evening.of_day import ledger_of, people_called
from casework.evidence.ledger.line import LedgerLine
from casework.evidence.ledger.lines import unrepaired
from casework.people.staff.places import all_teams
from casework.storage.database import reading
from casework.table import Lang

PLACE: Final = "/console/evening/unrepaired"
_Request = Request[Any, Any, Any]
_COLUMNS: Final = columns_named(
    ("loan_id", "case.loan", 18), ("lost_on", "repair.lost_on", 12), ("repaired_on", "repair.repaired_on", 12),
    ("repair", "repair.came_to", 14), ("dpd", "case.dpd", 8), ("overdue_fen", "case.overdue", 14),
    ("owner", "repair.owner", 16), ("handler", "repair.handler", 16),
)  # fmt: skip


@get(PLACE, sync_to_thread=True, opt={"page": "ledger.export"},
     dependencies={"wanted": Provide(of_team, sync_to_thread=False)})  # fmt: skip
def listed(request: _Request, wanted: NamedDependency[OfTeam]) -> Response[Any]:
    """A line for each of their cases, of a day and perhaps of a team."""
    check_parameters(request, OfTeam._fields)
    serving, tried = serving_of(request), None
    day = wanted.on or serving.branch.today(now())
    found: list[tuple[LedgerLine, str, str, str]] = []
    with reading(serving.engine, snapshot=True) as conn:
        try:
            found = _told(conn, request, wanted)
        except CallerError as told:
            tried = Tried("look", {}, problem_of(told))
        teams = all_teams(conn)
    return render(
        request, "evening/unrepaired.html", status=int(tried.problem["status"]) if tried else 200, day=day, place=PLACE,
        team=wanted.team, teams=teams, items=found, tried=tried,
    )  # fmt: skip


def _told(conn: Connection, request: _Request, wanted: OfTeam) -> list[tuple[LedgerLine, str, str, str]]:
    """Each with what its repair came to, its owner and its handler, in words."""
    branch, lang = serving_of(request).branch, language_of(request)
    day = wanted.on or branch.today(now())
    found = list(unrepaired(ledger_of(conn, branch, day, wanted.team).whole()))
    spoken: Lang = "en" if lang == "en" else "zh"
    names = people_called(conn, branch, {who for one in found for who in (one.owner, one.handler) if who}, spoken)
    outcomes = branch.rulebook.chart.facts["information_repair"].fields["outcome"].one_of

    def of(one: LedgerLine) -> tuple[LedgerLine, str, str, str]:
        came, (owner, handler) = one.repair or "", (names.who(who) if who else "" for who in (one.owner, one.handler))
        return one, outcomes[came][spoken] if came in outcomes else came, owner, handler

    return [of(one) for one in found]


def _rows(request: _Request, wanted: OfTeam, _lang: Lang, _: int) -> Iterator[Sequence[Any]]:
    with reading(serving_of(request).engine, snapshot=True) as conn:
        found = _told(conn, request, wanted)
    for one, repair, owner, handler in found:
        yield one.loan_id, one.lost_on, one.repaired_on, repair, one.dpd, one.overdue_fen, owner, handler


FILES: Final = (
    ListFile(PLACE, "ledger.export", named_list("repair.unrepaired", _COLUMNS), _rows, wanted=of_team,
             said=lambda wanted: {name: str(value) for name, value in wanted._asdict().items() if value is not None}),
)  # fmt: skip
route_handlers = [listed]
