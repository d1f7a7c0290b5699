"""What auditors ask again and again: each question a filter of the search, with a sample and a sheet of the whole."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.params import QueryParameter

from api.console.cases.timeline import word_of
from api.console.frame.forms import Tried, problem_of
from api.console.frame.page import language_of, render
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
_UNSAID: Final = frozenset({"business_date", "gathered", "material_version", "version"})
"""What the machine needs, and nobody asks."""
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
    body, posts = msgspec.json.decode(line.body), post_labels(branch.rulebook.chart)
    return (
        line,
        body,
        label_of(branch.rulebook, body["event"])[0 if lang == "zh" else 1],
        list(_said(body, lang, posts)),
    )


def _said(body: Mapping[str, Any], lang: str, posts: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    """The first things that an entry says, as it says them."""
    plain = [(name, value) for name, value in body["data"].items() if value not in (None, "", [], {})]
    for name, value in [one for one in plain if one[0] not in _UNSAID][:_SHOWN]:
        if name == "post" and value in posts:
            value = posts[value][lang]  # noqa: PLW2901  # as text
        elif isinstance(value, dict):
            value = " ".join(f"{key}={one}" for key, one in value.items() if not isinstance(one, dict | list))  # noqa: PLW2901  # as text
        elif isinstance(value, list):
            value = " ".join(str(one) for one in value if not isinstance(one, dict))  # noqa: PLW2901  # as text
        if value != "":
            yield word_of(f"field.{name}", name, lang), str(value)[:120]


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
