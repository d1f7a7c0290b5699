"""What auditors ask again and again: each question a filter of the search, with a sample and a sheet of the whole."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.params import QueryParameter

from api.console.cases.timeline import details_of, value_of
from api.console.frame import shown, words
from api.console.frame.forms import Tried, problem_of
from api.console.frame.page import language_of, render
from api.console.nouns.shown import PLURAL
from api.reading.asking import check_parameters
from api.serving import serving_of
from casework.errors import CallerError
from casework.evidence.search.find import page_of_entries
from casework.evidence.searching import SearchAsked, wanted_of
from casework.log.format.entry_line import EntryLine
from casework.log.proving import cosigned_note, published_note
from casework.log.write.witnesses import known_witnesses
from casework.people.staff.posts import post_labels
from casework.storage.database import reading
from casework.work.cases.branch import Branch
from casework.work.cases.event_names import label_of

QUESTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "revealed": {"event": "personal.revealed"},
    "read": {"event": "personal.read"},
    "lists_out": {"event": "list.exported"},
    "cases_out": {"event": "cases.exported"},
    "log_out": {"event": "audit.exported"},
    "sheets_out": {"event": "handover.sheet_made"},
    "refused": {"event": "case.refused.*"},
    "out_of_reach": {"code": "out_of_reach"},
    "not_permitted": {"code": "post_not_permitted"},
    "posts": {"event": "staff.post_granted"},
    "deputies": {"event": "staff.absent"},
    "failed": {"event": "staff.log_in_failed"},
    "codes": {"event": "staff.reset_code_issued"},
    "keys": {"event": "staff.key_issued"},
    "requests": {"event": "request.step.*"},
    "handovers": {"event": "handover.applied"},
    "write_offs": {"event": "case.step.write_off"},
    "holds": {"event": "hold.*"},
    "breaches": {"event": "contact.breach_*"},
    "erased": {"event": "privacy.*"},
}
"""Twenty of them, by the word that each is called: `question.<code>` of the table of words."""
_SAMPLE: Final = 20
_SHOWN: Final = 6
_NESTED: Final = ("about", "filter", "four_eyes")
"""What is said within these is said as well."""
_TOLD: Final = frozenset({"on", "owner", "reasons", "evidence"})
"""Told already, as any entry of a case is."""
_SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "fields": ("people", "field"), "purpose": ("file",), "list": ("nav", "noun"), "reason": ("absence", "code"),
    "ground": ("code",), "hold": ("code",), "verdict": ("verdict",), "rules": ("code",),
}  # fmt: skip
"""Where the table of words has the words of a field's codes."""
_Day = Annotated[str, QueryParameter(max_length=10)]


@get("/console/log/questions", sync_to_thread=True, opt={"page": "audit.read"})
def questions(
    request: Request[Any, Any, Any], ask: Annotated[str, QueryParameter(max_length=32)] = "",
    begin: Annotated[str, QueryParameter(name="from", max_length=10)] = "", to: _Day = "",
) -> Response[Any]:  # fmt: skip
    """All of them; of the one that is asked the newest answers, of these days."""
    check_parameters(request, ("ask", "from", "to"))
    if ask and ask not in QUESTIONS:
        raise CallerError("not_found")
    serving, lang, tried, sample, more = serving_of(request), language_of(request), None, [], False
    days = {name: value for name, value in (("from", begin), ("to", to)) if value}
    if ask:
        asked = msgspec.convert({**QUESTIONS[ask], **days, "order": "newest"}, SearchAsked)
        try:
            with reading(serving.engine, snapshot=True) as conn:
                wanted = wanted_of(conn, serving.branch, asked)
                page = page_of_entries(conn, serving.branch.mac_key, wanted, after=None, limit=_SAMPLE)
            sample = [_answer(serving.branch, line, lang) for line in page.items]
            more = page.next is not None
        except CallerError as told:
            tried = Tried("question", days, problem_of(told))
    permissions = serving.branch.rulebook.permissions
    return render(
        request, "log/questions.html", status=int(tried.problem["status"]) if tried else 200, questions=QUESTIONS,
        ask=ask, days=days, sample=sample, more=more, tried=tried,
        may_export=permissions.may(request.scope["user"], "audit.export"),
    )  # fmt: skip


def _answer(branch: Branch, line: EntryLine, lang: str) -> tuple[EntryLine, Mapping[str, Any], str, list[Any]]:
    body = msgspec.json.decode(line.body)
    said = [*details_of(branch, body["event"], body["data"], lang), *_said(branch, body["data"], lang)]
    return line, body, label_of(branch.rulebook, body["event"])[lang == "en"], said[:_SHOWN]


def _said(branch: Branch, data: Mapping[str, Any], lang: str) -> Iterator[tuple[str, str, bool]]:
    """What else an entry says that has a name for people; its own page has all of it."""
    nested = [data.get(name, {}) for name in _NESTED]
    for name, value in {key: one for part in (*nested, data) for key, one in part.items()}.items():
        if words.has(f"field.{name}") and value not in (None, "", []) and name not in _TOLD:
            yield words.say(f"field.{name}", lang), *_value(branch, name, value, lang)


def _value(branch: Branch, name: str, value: Any, lang: str) -> tuple[str, bool]:
    if isinstance(value, list):
        parts = [_value(branch, name, one, lang) for one in value if not isinstance(one, dict | list)]
        return ("、" if lang == "zh" else ", ").join(text for text, _ in parts), any(own for _, own in parts)
    if known := _known(branch, name).get(str(value)):
        return shown.told(known, lang), False
    for section in _SECTIONS.get(name, ()):
        if words.has(f"{section}.{value}"):
            return words.say(f"{section}.{value}", lang), False
    if name.endswith(("_on", "_at")):
        return (shown.day(value, lang) if name.endswith("_on") else shown.instant(value, branch.time_zone)), False
    return (shown.yuan(value), False) if name.endswith("_fen") else value_of(None, value, lang, branch.time_zone)


def _known(branch: Branch, name: str) -> Mapping[str, Any]:
    """What the rulebook calls the codes of a field."""
    if name in ("post", "posts"):
        return post_labels(branch.rulebook.chart)
    if name == "list":
        return {plural: branch.rulebook.charts[word] for word, plural in PLURAL.items()}
    permissions = branch.rulebook.permissions
    return {"purpose": permissions.purposes, "fields": permissions.personal}.get(name, {})


@get("/console/log/checkpoint", sync_to_thread=True, opt={"page": "log.read"})
def checkpoint(request: Request[Any, Any, Any]) -> Response[Any]:
    """The newest signed checkpoint, the newest that a witness has cosigned, and which witnesses the branch knows."""
    serving = serving_of(request)
    witnesses = known_witnesses(serving.settings.keys_dir)
    notes: list[tuple[str, str, CallerError | None]] = []
    with reading(serving.engine, snapshot=True) as conn:
        for name, made in (("published", published_note), ("cosigned", cosigned_note)):
            try:
                notes.append((name, made(conn, witnesses).decode(), None))
            except CallerError as told:
                notes.append((name, "", told))
    return render(request, "log/checkpoint.html", notes=notes, witnesses=witnesses)


route_handlers = [questions, checkpoint]
