"""A page: a template in its frame, with who looks at it, where they may go, and the headers that keep strangers out."""

import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from html import unescape
from pathlib import Path
from typing import Any, Final

import jinja2
from jinja2.runtime import Context
from litestar import Litestar, Request, Response
from litestar.plugins.jinja import JinjaTemplateEngine
from markupsafe import Markup, escape

from api.console.frame import assets, cookies, shown, words
from api.row_files import ROW_FILES
from api.serving import serving_of
from casework.clock import now
from casework.errors import TryAgain
from casework.lifecycle.kept import Kept
from casework.lifecycles import LIFECYCLES
from casework.people.staff.actor import Actor
from casework.people.staff.listing import names_of
from casework.people.staff.posts import BESIDE_THE_CHART
from casework.rules.statechart.chart import Chart
from casework.storage.database import reading
from casework.table import Lang

HTML: Final = "text/html"
_DAY: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_PATTERNS: Final = {"day": _DAY, "instant": _DAY + "[ T][0-9]{2}:[0-9]{2}"}
_TYPED: Final = Markup(
    'type="text" inputmode="numeric" autocomplete="off" size="16" maxlength="16" pattern="{}" title="{}"'
    ' placeholder="{}"'
)
_NAMELESS: Final = re.compile(shown.NAMELESS.format("([^\x03]*)"))
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    # Not `no-referrer`: then browsers say of a form's own page that it comes from nowhere.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_PLACES: Final[tuple[tuple[str, str | Kept, str | None], ...]] = (
    ("/console", "home", None), ("/console/day", "day", "task.read"), ("/console/cases", "cases", "case.read"),
    ("/console/find", "find", "borrower.read"), ("/console/requests", "requests", "request.read"),
    ("/console/distribution", "distribution", "case.distribute"), ("/console/handovers", "handovers", "handover.read"),
    *((f"/console/{one.table.name}", one, f"{one.word}.read") for one in LIFECYCLES[1:]),
    ("/console/visits/today", "visits_today", "visit.photo"),
    ("/console/visits/review", "visits_review", "visit.draw"),
    ("/console/task-lists", "task_lists", "task.lists"),
    ("/console/evening", "evening", "day.read"), ("/console/log", "log", "audit.read"),
    ("/console/staff", "staff", "staff.read"), ("/console/roster", "roster", "roster.read"),
    ("/console/rules", "rules", "rulebook.read"), ("/console/feeds", "feeds", "feed.read"),
    ("/console/contact-files", "contact_files", "contact.import"),
    *((one.page, one.word, one.command) for one in ROW_FILES),
)  # fmt: skip
"""Where the frame leads: place, word (or the noun, which its chart names), and the command that a reader must have."""
_FILES: Final = frozenset({"feeds", "contact_files", *(one.word for one in ROW_FILES)})
"""Places of one menu: what brings data in."""
_BELONGS: Final[Mapping[str, tuple[str, ...]]] = {
    "/console/work-lists": ("/console/task-lists", "/console/cases"),
    "/console/debtors": ("/console/day", "/console/cases"), "/console/contacts": ("/console/day", "/console/cases"),
    "/console/borrowers": ("/console/find", "/console/cases"),
}  # fmt: skip
"""Pages that the frame does not lead to, and to which of its places they belong: the first that the reader has."""
_OWN: Final = ("/console/files", "/console/sessions", "/console/keys", "/console/second-factor", "/console/password")
"""What everybody has for themselves, in the menu of their name."""


def engine() -> JinjaTemplateEngine:
    """Templates beside their pages; what a page forgets to give is an error, and every value is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parents[1]), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    environment.filters |= {
        "yuan": shown.yuan, "day": _day, "instant": _instant, "word": _word, "dated": _dated,
        "sentence": shown.sentence,
    }  # fmt: skip
    environment.globals |= {
        "t": _say, "told": _told, "post": _post, "known": words.has, "typed_as": _typed_as, "named": shown.named,
        "many": _many,
    }  # fmt: skip
    return JinjaTemplateEngine.from_environment(environment)


def compile_all(app: Litestar) -> None:
    """Compile what the first reader would else wait a third of a second for."""
    made = app.template_engine
    if isinstance(made, JinjaTemplateEngine):
        for name in made.engine.list_templates(extensions=["html"]):
            made.get_template(name)


def render(request: Request[Any, Any, Any], template: str, /, *, status: int = 200, **given: Any) -> Response[str]:
    """The page; call it in a worker thread, for it looks up who looks."""
    text = request.app.template_engine.get_template(template).render(**_frame(request), **given)  # type: ignore[union-attr]  # `api.app` gives the application its engine
    return Response(_with_names(request, text), status_code=status, media_type=HTML, headers=dict(HEADERS))


def to(place: str) -> Response[str]:
    """Go and look there, after something was done."""
    return Response("", status_code=303, media_type=HTML, headers={"location": place})


def language_of(request: Request[Any, Any, Any]) -> Lang:
    """Chinese, unless they have chosen English."""
    return "en" if cookies.all_of(request.scope).get(cookies.LANGUAGE) == "en" else "zh"


def _frame(request: Request[Any, Any, Any]) -> dict[str, Any]:
    serving, actor = serving_of(request), request.scope["user"]
    path: str = request.scope["path"]
    query = request.scope["query_string"].decode("latin-1")
    here = path if request.method == "GET" else cookies.came_from(request.scope)
    return {
        "lang": language_of(request), "zone": serving.branch.time_zone, "me": _me(request, actor),
        "places": _places(request, actor, path), "own": path if path in _OWN else "",
        "form_token": cookies.form_token(request),
        "once": secrets.token_urlsafe(12), "here": f"{here}?{query}" if query and here == path else here,
        "assets": assets.PLACES, "today": serving.branch.today(now()), "posts": _posts(request),
        "state_of": serving.branch.rulebook.chart.state_named,
        "may_audit": actor is not None and serving.branch.rulebook.permissions.may(actor, "audit.read"),
    }  # fmt: skip


def _me(request: Request[Any, Any, Any], actor: Actor | None) -> dict[str, Any] | None:
    if actor is None:
        return None
    names: dict[str, str] = {}
    with suppress(TryAgain), reading(serving_of(request).engine) as conn:  # a page that says so must be shown too
        names = names_of(conn, [actor.id])
    return {"staff_no": actor.id, "name": names.get(actor.id, ""), "posts": sorted(actor.posts)}


def _places(request: Request[Any, Any, Any], actor: Actor | None, path: str) -> list[dict[str, Any]]:
    if actor is None:
        return []
    rulebook = serving_of(request).branch.rulebook
    open_ = [one for one in _PLACES if one[2] is None or rulebook.permissions.may(actor, one[2])]
    held = [place for place, _, _ in open_]
    here = max((one for one in held if one != "/console" and _is_within(path, one)), key=len, default="")
    belongs = next((places for place, places in _BELONGS.items() if _is_within(path, place)), ())
    here = here or next((one for one in belongs if one in held), "")
    if not here and path not in _OWN:
        here = "/console"
    return [
        {"place": place, "here": place == here, "word": f"nav.{word}",
         "words": None if isinstance(word, str) else rulebook.charts[word.chart],
         "menu": "records" if not isinstance(word, str) else "files" if word in _FILES else ""}
        for place, word, _ in open_
    ]  # fmt: skip


def _is_within(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/")


def _posts(request: Request[Any, Any, Any]) -> Mapping[str, Mapping[str, str]]:
    found = {**BESIDE_THE_CHART}
    for chart in serving_of(request).branch.rulebook.charts.values():
        found |= chart.posts
    return found


def _with_names(request: Request[Any, Any, Any], text: str) -> str:
    """The page with the names of those who stand on it by number alone: one query, however many they are."""
    numbers = {unescape(one) for one in _NAMELESS.findall(text)}
    names: dict[str, str] = {}
    if numbers:
        with suppress(TryAgain), reading(serving_of(request).engine) as conn:
            names = names_of(conn, numbers)
    return _NAMELESS.sub(lambda one: f"{escape(names[who])} " if (who := unescape(one[1])) in names else "", text)


# ── what templates say ──────────────────────────────────────────────────────────────────────────────────────────────


@jinja2.pass_context
def _say(context: Context, key: str, /, **parts: Any) -> str:
    return words.say(key, context["lang"], **parts)


@jinja2.pass_context
def _typed_as(context: Context, kind: str) -> Markup:
    """The attributes of a field for a day or a time: read in one form, whatever language the browser speaks."""
    title, hint = (words.say(f"frame.{kind}_{part}", context["lang"]) for part in ("like", "form"))
    return _TYPED.format(_PATTERNS[kind], title, hint)


@jinja2.pass_context
def _told(context: Context, thing: Any, part: str = "") -> str:
    return shown.told(thing, context["lang"], part)


@jinja2.pass_context
def _many(context: Context, chart: Chart) -> str:
    """What a list of a noun is called: more than one of them, where the table has a word for that."""
    key = f"many.{chart.name}"
    return words.say(key, context["lang"]) if words.has(key) else shown.told(chart, context["lang"])


@jinja2.pass_context
def _post(context: Context, code: str) -> str:
    """A post in words."""
    return str(context["posts"][code][context["lang"]])


@jinja2.pass_context
def _word(context: Context, code: Any, group: str) -> str:
    """A code that data bring, in words where the table has some."""
    key = f"{group}.{code}"
    return words.say(key, context["lang"]) if words.has(key) else str(code)


@jinja2.pass_context
def _day(context: Context, value: Any) -> str:
    return shown.day(value, context["lang"])


@jinja2.pass_context
def _dated(context: Context, text: Any) -> str:
    return shown.dated(str(text), context["lang"])


@jinja2.pass_context
def _instant(context: Context, value: Any) -> str:
    return shown.instant(value, context["zone"])
