"""The lists that are taken out as files, each declared once: columns and the rows that its page shows."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from litestar import Request
from litestar.params import QueryParameter

from api.auth import actor_of
from api.console.contact_files.lists import FILES as CONTACT_FILES
from api.console.day.lists import FILES as DAY_FILES
from api.console.evening.figures import FILES as FIGURES
from api.console.evening.lists import FILES as EVENING_FILES
from api.console.evening.unrepaired import FILES as UNREPAIRED
from api.console.frame import shown, words
from api.console.frame.files import ListFile, columns_named, handlers_of, named_list
from api.console.handover.lists import FILES as RECEIPTS
from api.console.roster.lists import FILES as ROSTER_FILES
from api.importing import as_they_are
from api.nouns import Described
from api.permitted import reach
from api.reading.asking import case_filter
from api.reading.entries import entry_filter
from api.reading.lifecycles import wanted_of
from api.serving import serving_of
from casework.clock import now
from casework.evidence.search.export import ENTRIES, entry_cells
from casework.evidence.search.find import collect
from casework.evidence.searching import SearchAsked, words_of
from casework.evidence.searching import wanted_of as entries_wanted
from casework.intake.feed.run import newest_runs
from casework.people.staff import listing
from casework.people.staff.listing import MOST, StaffWanted
from casework.people.staff.posts import post_labels
from casework.storage.database import reading
from casework.table import Lang
from casework.work.cases import export
from casework.work.cases.filter import BusinessDates, CaseFilter
from casework.work.cases.queries import walk_cases
from casework.work.cases.shown import ShownWanted, all_of
from casework.work.four_eyes.listing import MAX_PAGE, request_list
from casework.work.handover import queries as handovers

_Request = Request[Any, Any, Any]
_Text = Annotated[str | None, QueryParameter(max_length=32)]


def _cases(request: _Request, wanted: CaseFilter, lang: Lang, at_most: int) -> Iterator[Sequence[Any]]:
    branch = serving_of(request).branch
    with reading(serving_of(request).engine, snapshot=True) as conn:
        dates = BusinessDates(conn, branch)
        found = walk_cases(conn, dates, wanted, within=reach(request), sort="oldest_due_date", at_most=at_most)
        for lines in found:
            yield from (export.case_cells(line, branch.rulebook.chart, lang) for line in lines)


def _staff_wanted(post: _Text = None, team: _Text = None, region: _Text = None, status: _Text = None) -> StaffWanted:
    return StaffWanted(post or None, team or None, region or None, status or None)


def _staff(request: _Request, wanted: StaffWanted, lang: Lang, _: int) -> Iterator[Sequence[Any]]:
    branch, after = serving_of(request).branch, ""
    posts = post_labels(branch.rulebook.chart)
    with reading(serving_of(request).engine, snapshot=True) as conn:
        while page := listing.members(conn, branch.today(now()), wanted, after=after, limit=MOST):
            for one in page:
                held = ", ".join(posts[code][lang] if code in posts else code for code in one.posts)
                yield (
                    one.staff_no, one.name, held, one.team, one.region, words.say(f"staff.is_{one.status}", lang),
                    one.away_until, one.deputy, one.leaves_on,
                )  # fmt: skip
            after = page[-1].staff_no


def _box(box: Annotated[Literal["inbox", "mine", "open"], QueryParameter()] = "inbox") -> str:
    return box


def _requests(request: _Request, box: str, lang: Lang, _: int) -> Iterator[Sequence[Any]]:
    after: int | None = 0
    with reading(serving_of(request).engine, snapshot=True) as conn:
        while after is not None:
            page = request_list(
                conn, serving_of(request).branch, actor_of(request), box=box, after=after, limit=MAX_PAGE
            )
            for one in page.items:
                yield (
                    one.id, shown.told(one, lang, "what"), one.subject, shown.told(one, lang, "state"), one.asked_by,
                    one.asked_on, one.reviewed_by, one.decided_by, one.expires_on,
                )  # fmt: skip
            after = page.next


def _handovers(request: _Request, _asked: None, lang: Lang, _: int) -> Iterator[Sequence[Any]]:
    chart, before = serving_of(request).branch.rulebook.charts["handover"], None
    with reading(serving_of(request).engine, snapshot=True) as conn:
        while True:
            page = handovers.page(conn, limit=handovers.MAX_PAGE, before=before)
            for one in page.items:
                yield (
                    one.id, one.staff_no, shown.told(chart.openings[one.kind], lang),
                    shown.told(chart.state_named(one.status), lang), one.effective_on, one.cases, one.unplaced,
                    one.overdue_fen, one.planned_by,
                )  # fmt: skip
            if page.next is None:
                return
            before = page.next


def _feeds(request: _Request, _asked: None, lang: Lang, _: int) -> Iterator[Sequence[Any]]:
    zone, before = ZoneInfo(serving_of(request).branch.time_zone), None
    with reading(serving_of(request).engine, snapshot=True) as conn:
        while page := newest_runs(conn, before=before, limit=MAX_PAGE):
            for one in as_they_are(conn, page)[0]:
                key = f"feed_status.{one.status}"
                yield (
                    one.id, one.as_of, one.institution, words.say(key, lang) if words.has(key) else one.status,
                    one.started_at.astimezone(zone), one.actor_id,
                    *(one.figures.get(name) for name in ("overdue", "opened", "gone", "set_aside")),
                )  # fmt: skip
            before = page[-1].id


def _entries(request: _Request, asked: SearchAsked, lang: Lang, at_most: int) -> Iterator[Sequence[Any]]:
    branch = serving_of(request).branch
    kept = {name: value for name, value in msgspec.to_builtins(asked).items() if value != ""}
    with reading(serving_of(request).engine, snapshot=True) as conn:
        wanted = entries_wanted(conn, branch, msgspec.convert(kept, SearchAsked))
        lines, _ = collect(conn, branch.mac_key, wanted, at_most=at_most)
    return entry_cells(lines, words_of(branch), lang)


_STAFF: Final = columns_named(
    ("staff_no", "staff.number", 12), ("name", "people.name", 12), ("posts", "staff.post", 30),
    ("team", "staff.team", 10), ("region", "staff.region", 10), ("status", "staff.status", 10),
    ("away_until", "staff.away", 12), ("deputy", "staff.deputy", 10), ("leaves_on", "staff.leaves_on", 12),
)  # fmt: skip
_REQUESTS: Final = columns_named(
    ("id", "request.number", 8), ("what", "request.what", 24), ("subject", "request.subject", 16),
    ("state", "case.state", 14), ("asked_by", "request.asked_by", 10), ("asked_on", "request.asked_on", 12),
    ("reviewed_by", "request.reviewed_by", 10), ("decided_by", "request.decided_by", 10),
    ("expires_on", "request.expires_on", 12),
)  # fmt: skip
_HANDOVERS: Final = columns_named(
    ("id", "handover.number", 8), ("staff_no", "handover.who", 12), ("kind", "handover.kind", 14),
    ("state", "case.state", 14), ("on", "handover.on", 12), ("cases", "handover.cases", 8),
    ("unplaced", "handover.unplaced", 8), ("overdue_fen", "case.overdue", 16), ("by", "handover.planned_by", 10),
)  # fmt: skip
_FEEDS: Final = columns_named(
    ("id", "feed.number", 8), ("as_of", "feed.as_of", 12), ("institution", "feed.institution", 12),
    ("status", "feed.status", 12), ("started_at", "feed.started_at", 17), ("by", "feed.by", 10),
    ("overdue", "feed.n_overdue", 10), ("opened", "feed.n_opened", 10), ("gone", "feed.n_gone", 10),
    ("set_aside", "feed.n_set_aside", 10),
)  # fmt: skip
FILES: Final = (
    *DAY_FILES, *EVENING_FILES, *UNREPAIRED, *FIGURES, *ROSTER_FILES,
    ListFile("/console/cases", "case.export", lambda _: export.CASES, _cases,
             wanted=case_filter, said=msgspec.to_builtins),
    ListFile("/console/staff", "staff.read", named_list("nav.staff", _STAFF), _staff, wanted=_staff_wanted),
    ListFile("/console/requests", "request.read", named_list("nav.requests", _REQUESTS), _requests, wanted=_box,
             said=lambda box: {"box": box}),
    ListFile("/console/handovers", "handover.read", named_list("nav.handovers", _HANDOVERS), _handovers),
    ListFile("/console/feeds", "feed.read", named_list("nav.feeds", _FEEDS), _feeds),
    ListFile("/console/log", "audit.export", lambda _: ENTRIES, _entries, wanted=entry_filter,
             said=lambda asked: dict.fromkeys(msgspec.to_builtins(asked), True)),
)  # fmt: skip


OF_ONE: Final = (*RECEIPTS, *CONTACT_FILES)
"""Of one hand-over, and of a file that was sent."""


def _of_noun(one: Described) -> ListFile:
    """A noun's list, by its chart alone."""

    def rows(request: _Request, wanted: ShownWanted, lang: Lang, at_most: int) -> Iterator[Sequence[Any]]:
        serving = serving_of(request)
        asked = msgspec.structs.replace(wanted, state=wanted.state or None, loan_id=wanted.loan_id or None)
        with reading(serving.engine, snapshot=True) as conn:
            found, _ = all_of(conn, serving.branch, one.noun, reach(request), asked, sort="id", at_most=at_most)
        return map(export.noun_cells(one.noun, one.chart_of(serving), lang, serving.branch.time_zone), found)

    return ListFile(
        f"/console/{one.plural}", f"{one.word}.read",
        lambda request: export.noun_list(one.noun, one.chart_of(serving_of(request)), one.plural), rows,
        wanted=wanted_of,
        said=lambda wanted: {"noun": one.word, **msgspec.to_builtins(wanted)},
    )  # fmt: skip


def route_handlers(described: Sequence[Described]) -> list[Any]:
    """A workbook and a CSV beside each list."""
    return [handler for one in (*FILES, *OF_ONE, *map(_of_noun, described)) for handler in handlers_of(one)]
