"""Every noun on the engine but cases: its list, its page, its forms; all of it from chart and struct."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter

from api.auth import actor_of
from api.changing import MAX_CASE_ID, through_the_writer
from api.console.cases.timeline import meanwhile, told
from api.console.frame import cookies
from api.console.frame.forms import DAY_MISSING, Tried, data_of, day_of, number_of, problem_in, typed_in
from api.console.frame.page import HEADERS, language_of, render, to
from api.console.nouns.shown import as_table, columns_of
from api.nouns import Described, Number
from api.outcomes import CASE_NAMED
from api.permitted import reach
from api.reading.asking import Cursor, check_parameters
from api.reading.lifecycles import wanted_of
from api.serving import serving_of
from casework.clock import now
from casework.customer import Customer
from casework.errors import CallerError
from casework.lifecycle.commands import Fire, Note, Open, Record
from casework.people.staff.listing import names_of
from casework.rules.statechart.draw import svg
from casework.storage.database import reading, writing
from casework.work.cases.branch import Branch
from casework.work.cases.commands import Command
from casework.work.cases.disclosure import record_read
from casework.work.cases.filter import BusinessDates
from casework.work.cases.history import MAX_PAGE
from casework.work.cases.options import fields_of
from casework.work.cases.shown import (
    ShownWanted,
    history_of_noun,
    openings_of,
    options_of,
    page_of,
    seen,
    unseen_of,
)
from casework.work.four_eyes.listing import show_pending

_ROWS: Final = 50
_OWN_PAGES: Final = {"visit": "stop", "repair": "work"}
"""Nouns of which one has a page that deserved a hand, below its own."""
_MOMENTS: Final = 40


class _Pages:
    """The pages of one noun."""

    def __init__(self, one: Described) -> None:
        self.one, self.noun, self.word = one, one.noun, one.word
        self.place = f"/console/{one.plural}"

    def listed(self, request: Request[Any, Any, Any], wanted: ShownWanted, cursor: str | None) -> Any:
        branch, lang = serving_of(request).branch, language_of(request)
        with reading(serving_of(request).engine) as conn:
            items, following = page_of(conn, branch, self.noun, reach(request), wanted, limit=_ROWS, cursor=cursor)
        heads, cells = as_table([columns_of(branch, self.noun, one, lang) for one in items])
        return render(
            request, "nouns/list.html", noun=self.noun, chart=branch.rulebook.charts[self.noun.chart],
            place=self.place, heads=heads, rows=list(zip(items, cells, strict=True)), following=following,
            wanted=wanted, first=cursor is None,
        )  # fmt: skip

    def shown(self, request: Request[Any, Any, Any], number: int, tried: Tried | None = None, done: str = "") -> Any:
        serving, actor, lang = serving_of(request), actor_of(request), language_of(request)
        branch = serving.branch
        with reading(serving.engine, snapshot=True) as conn:
            subject, whose = seen(conn, branch, self.noun, actor, number, branch.today(now()))
            options = options_of(branch, BusinessDates(conn, branch), self.noun, subject, whose, actor)
            show_pending(conn, branch, f"{self.noun.word}:{subject.id}", options.events)
            history = history_of_noun(
                conn, branch, self.noun, subject, whose, actor, limit=_MOMENTS, newest_first=True
            )  # fmt: skip
            names = names_of(conn, {item.actor for item in history.items})
        fields = {name for item in history.items for name in item.texts}
        if fields:
            holder = whose[0] if self.noun.child else subject
            with writing(serving.engine) as conn:
                record_read(conn, branch, actor, [Customer(holder.institution, holder.borrower_id)], fields)
        chart = branch.rulebook.charts[self.noun.chart]
        part = chart.events.get(done) or chart.facts.get(done)
        return render(
            request, "nouns/one.html", status=int(tried.problem["status"]) if tried else 200, noun=self.noun,
            chart=chart, place=self.place, own_page=_OWN_PAGES.get(self.word), one=subject,
            columns=columns_of(branch, self.noun, subject, lang),
            options=options, tried=tried, done=getattr(part, lang) if part else "",
            moments=[told(branch, item, lang, names) for item in history.items],
            meanwhile=meanwhile(branch, history.items, tried, lang, names),
            chart_at="#chart", seq=max((item.seq for item in history.items), default=0),
            may_note=branch.rulebook.permissions.may(actor, f"{self.word}.note"),
        )  # fmt: skip

    def opening(
        self, request: Request[Any, Any, Any], of: int | None, tried: Tried | None = None, loan_id: str | None = None,
        following: str = "",
    ) -> Any:  # fmt: skip
        serving, actor = serving_of(request), actor_of(request)
        branch = serving.branch
        offers = openings_of(branch, self.noun, actor, branch.today(now()))
        return render(
            request, "nouns/open.html", status=int(tried.problem["status"]) if tried else 200, noun=self.noun,
            chart=branch.rulebook.charts[self.noun.chart], place=self.place, offers=offers, of=of, tried=tried,
            known={"loan_id": loan_id or ""}, following=tried.typed.get("next", "") if tried else following,
        )  # fmt: skip

    async def fire(self, request: Request[Any, Any, Any], number: int) -> Any:
        typed = await typed_in(request)
        branch, event = serving_of(request).branch, typed.get("event", "")
        part = branch.rulebook.charts[self.noun.chart].events.get(event)
        command = Fire(
            actor=actor_of(request), noun=self.noun.chart, id=self._known(branch, number), event=event,
            data=self._data(branch, part, typed), version=number_of(typed, "version"),
        )  # fmt: skip
        return await self._done(request, command, number, Tried(f"event.{event}", typed), event)

    async def record(self, request: Request[Any, Any, Any], number: int) -> Any:
        typed = await typed_in(request)
        branch, kind = serving_of(request).branch, typed.get("kind", "")
        tried, on = Tried(f"fact.{kind}", typed), day_of(typed)
        if on is None:
            return await asyncio.to_thread(self.shown, request, number, Tried(tried.key, typed, DAY_MISSING))
        part = branch.rulebook.charts[self.noun.chart].facts.get(kind)
        command = Record(
            actor=actor_of(request), noun=self.noun.chart, id=self._known(branch, number), kind=kind, on=on,
            evidence=typed.get("evidence", "").strip(), data=self._data(branch, part, typed),
            version=number_of(typed, "version"),
        )  # fmt: skip
        return await self._done(request, command, number, tried, kind)

    async def note(self, request: Request[Any, Any, Any], number: int) -> Any:
        typed = await typed_in(request)
        branch = serving_of(request).branch
        command = Note(
            actor=actor_of(request), noun=self.noun.chart, id=self._known(branch, number), text=typed.get("text", "")
        )
        return await self._done(request, command, number, Tried("note", typed), "noted")

    def _known(self, branch: Branch, number: int) -> int:
        if not 1 <= number <= MAX_CASE_ID:
            raise unseen_of(branch, self.noun, number)
        return number

    async def _done(
        self, request: Request[Any, Any, Any], command: Command, number: int, tried: Tried, done: str
    ) -> Any:
        problem, _ = await self._written(request, command, tried.typed)
        if problem:
            return await asyncio.to_thread(self.shown, request, number, Tried(tried.key, tried.typed, problem))
        return to(f"{self.place}/{number}?done={done}")

    async def open(self, request: Request[Any, Any, Any]) -> Any:
        typed = await typed_in(request)
        branch, ground = serving_of(request).branch, typed.get("ground", "")
        part = branch.rulebook.charts[self.noun.chart].openings.get(ground)
        of = number_of(typed, "of")
        command = Open(
            actor=actor_of(request), noun=self.noun.chart, ground=ground, data=self._data(branch, part, typed),
            of=of if self.noun.child else None,
        )  # fmt: skip
        if self.noun.child and of is None:
            raise CallerError("unknown_case")
        problem, place = await self._written(request, command, typed)
        if problem:
            tried = Tried(f"ground.{ground}", typed, problem)
            return await asyncio.to_thread(self.opening, request, of, tried)
        return to(cookies.place_here(typed["next"]) if typed.get("next") else f"/console{place}")

    def _data(self, branch: Branch, part: Any, typed: dict[str, str]) -> dict[str, Any]:
        fields = [] if part is None else fields_of(part.fields, branch.rulebook.policies.all[-1])
        return data_of(fields, typed, branch.time_zone)

    async def _written(
        self, request: Request[Any, Any, Any], command: Command, typed: Mapping[str, str]
    ) -> tuple[dict[str, Any], str]:
        told_ = self.one.told(request, created=isinstance(command, Open))
        answer = await through_the_writer(request, [command], told_, typed.get("once") or None, None)
        problem = problem_in(answer)
        if problem.get("code") in (f"unknown_{self.word}", f"unknown_{CASE_NAMED.word}"):
            raise CallerError(problem["code"], problem["detail_zh"], problem["detail"])
        return problem, answer.headers.get("Location", "")


# ── as the framework wants its handlers ─────────────────────────────────────────────────────────────────────


def _list(pages: _Pages) -> Any:
    @get(pages.place, sync_to_thread=True, opt={"page": f"{pages.word}.read"},
         dependencies={"wanted": Provide(wanted_of, sync_to_thread=False)})  # fmt: skip
    def listed(
        request: Request[Any, Any, Any], wanted: NamedDependency[ShownWanted], cursor: Cursor = None
    ) -> Response[Any]:
        check_parameters(request, ("state", "all", "loan_id", "due_by", "cursor"))
        asked = msgspec.structs.replace(wanted, state=wanted.state or None, loan_id=wanted.loan_id or None)
        answer: Response[Any] = pages.listed(request, asked, cursor)
        return answer

    return listed


def _opening(pages: _Pages) -> Any:
    @get(f"{pages.place}/new", sync_to_thread=True, opt={"page": f"{pages.word}.read"})
    def opening(
        request: Request[Any, Any, Any],
        of: Annotated[int | None, QueryParameter(ge=1, le=2**53 - 1)] = None,
        loan_id: Annotated[str | None, QueryParameter(max_length=64)] = None,
        following: Annotated[str, QueryParameter(name="next", max_length=128)] = "",
    ) -> Response[Any]:
        answer: Response[Any] = pages.opening(request, of, loan_id=loan_id, following=following)
        return answer

    return opening


def _one(pages: _Pages) -> Any:
    @get(f"{pages.place}/{{number:int}}", sync_to_thread=True, opt={"page": f"{pages.word}.read"})
    def shown(
        request: Request[Any, Any, Any], number: Number, done: Annotated[str, QueryParameter(max_length=64)] = ""
    ) -> Response[Any]:
        answer: Response[Any] = pages.shown(request, number, done=done)
        return answer

    return shown


def _picture(pages: _Pages) -> Any:
    @get(f"{pages.place}/{{number:int}}/chart.svg", sync_to_thread=True, opt={"page": f"{pages.word}.read"})
    def picture(request: Request[Any, Any, Any], number: Number) -> Response[Any]:
        branch = serving_of(request).branch
        with reading(serving_of(request).engine, snapshot=True) as conn:
            actor = actor_of(request)
            subject, whose = seen(conn, branch, pages.noun, actor, number, branch.today(now()))
            history = history_of_noun(conn, branch, pages.noun, subject, whose, actor, limit=MAX_PAGE)
        been = {item.to_state for item in history.items if item.to_state is not None}
        chart = branch.rulebook.charts[pages.noun.chart].told_with(branch.rulebook.policies.at(branch.today(now())))
        drawn = svg(chart, language_of(request), at=subject.state, been=been)
        return Response(drawn, media_type="image/svg+xml", headers=dict(HEADERS))

    return picture


def _posts(pages: _Pages) -> list[Any]:
    number = f"{pages.place}/{{number:int}}"

    @post(pages.place, opt={"page": f"{pages.word}.open"})
    async def open_(request: Request[Any, Any, Any]) -> Response[Any]:
        answer: Response[Any] = await pages.open(request)
        return answer

    @post(f"{number}/events", opt={"page": f"{pages.word}.event"})
    async def fire(request: Request[Any, Any, Any], number: Number) -> Response[Any]:
        answer: Response[Any] = await pages.fire(request, number)
        return answer

    @post(f"{number}/facts", opt={"page": f"{pages.word}.fact"})
    async def record(request: Request[Any, Any, Any], number: Number) -> Response[Any]:
        answer: Response[Any] = await pages.record(request, number)
        return answer

    @post(f"{number}/notes", opt={"page": f"{pages.word}.note"})
    async def note(request: Request[Any, Any, Any], number: Number) -> Response[Any]:
        answer: Response[Any] = await pages.note(request, number)
        return answer

    return [open_, fire, record, note]


def route_handlers(nouns: Sequence[Described]) -> list[Any]:
    """Of every noun."""
    made: list[Any] = []
    for pages in map(_Pages, nouns):
        made += [*_posts(pages), _list(pages), _opening(pages), _one(pages), _picture(pages)]
    return made
