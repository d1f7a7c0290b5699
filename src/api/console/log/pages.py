"""The log for auditors: entries found by filter, and one entry with its proof."""

from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, QueryParameter

from api.console.frame.forms import Tried, problem_of
from api.console.frame.page import language_of, render
from api.reading.asking import check_parameters
from api.reading.entries import entry_filter
from api.serving import serving_of
from casework.errors import CallerError
from casework.evidence.search.cursor import MAX_LENGTH
from casework.evidence.search.find import EntryPage, page_of_entries
from casework.evidence.searching import PARTS, SearchAsked, wanted_of
from casework.log.proving import inclusion_of
from casework.log.queries import find_entry
from casework.log.write.witnesses import known_witnesses
from casework.storage.database import reading
from casework.work.cases.event_names import label_of

_ROWS: Final = 50
_FILTERS: Final = ("subject", "event", "actor", "rule", "code", "from", "to")


@get("/console/log", sync_to_thread=True, opt={"page": "audit.read"},
     dependencies={"asked": Provide(entry_filter, sync_to_thread=False)})  # fmt: skip
def search(
    request: Request[Any, Any, Any], asked: NamedDependency[SearchAsked],
    after: Annotated[str | None, QueryParameter(max_length=MAX_LENGTH)] = None,
) -> Response[Any]:  # fmt: skip
    """Entries that match every part of the filter; the filter stands in the address."""
    check_parameters(request, (*PARTS, "after"))
    serving, lang = serving_of(request), language_of(request)
    given = {name: value for name, value in request.query_params.items() if value and name in _FILTERS}
    asked = msgspec.structs.replace(
        msgspec.convert({key: value for key, value in msgspec.to_builtins(asked).items() if value != ""}, SearchAsked),
        order="newest" if request.query_params.get("order", "newest") == "newest" else "oldest",
    )  # fmt: skip
    tried, page = None, EntryPage([], None)
    try:
        with reading(serving.engine, snapshot=True) as conn:
            wanted = wanted_of(conn, serving.branch, asked)
            page = page_of_entries(conn, serving.branch.mac_key, wanted, after=after, limit=_ROWS)
    except CallerError as told:
        tried = Tried("search", dict(given), problem_of(told))
    rows = []
    for line in page.items:
        body = msgspec.json.decode(line.body)
        zh, en = label_of(serving.branch.rulebook, body["event"])
        rows.append((line, body, zh if lang == "zh" else en))
    return render(
        request, "log/search.html", status=int(tried.problem["status"]) if tried else 200, rows=rows, tried=tried,
        following=page.next, filters=_FILTERS, given=given, order=asked.order, first=after is None,
        asked=[(name, value) for name, value in request.query_params.multi_items() if name != "after" and value],
    )  # fmt: skip


@get("/console/log/entries/{entry_id:str}", sync_to_thread=True, opt={"page": "audit.read"})
def entry(request: Request[Any, Any, Any], entry_id: FromPath[str]) -> Response[Any]:
    """The exact body of an entry, its leaf hash, and the proof that it is in the log, as far as that is sealed."""
    serving, lang = serving_of(request), language_of(request)
    with reading(serving.engine, snapshot=True) as conn:
        line = find_entry(conn, serving.branch.mac_key, entry_id)
        try:
            proof, missing = inclusion_of(conn, entry_id, known_witnesses(serving.settings.keys_dir)).encode(), None
        except CallerError as told:
            proof, missing = b"", told
    body = msgspec.json.decode(line.body)
    zh, en = label_of(serving.branch.rulebook, body["event"])
    pretty = msgspec.json.format(bytes(line.body), indent=2).decode()
    return render(
        request, "log/entry.html", line=line, body=body, pretty=pretty, proof=proof.decode(), missing=missing,
        label=zh if lang == "zh" else en,
    )  # fmt: skip


route_handlers = [search, entry]
