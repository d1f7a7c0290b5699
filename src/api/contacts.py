"""Contacts over HTTP: what staff type of contacts that were made, some at a time."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, post
from litestar.openapi.spec import Example
from litestar.params import Body
from msgspec import Meta

from api.auth import still_valid
from api.problems import status_of
from api.reading.asking import answers
from api.receipts import Recording
from api.serving import serving_of
from casework.clock import now
from casework.intake.dialler.recording import REPEATED, Recorded
from casework.intake.dialler.row import COLUMNS_OF_ROW
from casework.intake.dialler.typed import MOST, Told, record_typed, texts_of_kind
from casework.storage.database import writing
from casework.storage.driver_errors import is_conflict

ContactRow: Any = msgspec.defstruct(
    "ContactRow",
    [(name, (int | str if name == "seconds" else str) | None, None) for name in COLUMNS_OF_ROW],
    forbid_unknown_fields=True,
    namespace={
        "__doc__": "A row of a contact file (docs/day.md): its columns, its codes and texts, its checks. Without a "
        "`staff_no` the contact is the caller's own."
    },
)


class ContactsBody(msgspec.Struct, forbid_unknown_fields=True):
    """One contact, or up to 50. `atomic`: if one may not be recorded, none is."""

    contacts: Annotated[list[ContactRow], Meta(min_length=1, max_length=MOST)]
    atomic: bool = False


class ContactResult(msgspec.Struct, kw_only=True):
    """What became of a row: done, repeated (it was there already), not_done, or what is wrong and in which column.

    `status` is what it would have been answered with alone. `late`: typed later than the policy's hours (补录).
    """

    contact_ref: str | None
    outcome: str
    status: int
    column: str | None = None
    zh: str | None = None
    en: str | None = None
    late: bool | None = None
    entry_id: str | None = None


class ContactsAnswer(msgspec.Struct):
    """Totals and a result for each, in the order given."""

    atomic: bool
    contacts: int
    by_outcome: dict[str, int]
    by_reason: dict[str, int]
    results: list[ContactResult]


_SHOWN = {
    "atomic": False, "contacts": 2, "by_outcome": {"done": 1, "unknown_result": 1},
    "by_reason": {"unknown_result": 1},
    "results": [
        {"contact_ref": "R1-0331-07", "outcome": "done", "status": 200, "column": None, "zh": None, "en": None,
         "late": False, "entry_id": "borrower:wuhan~B000731:12"},
        {"contact_ref": "R1-0331-08", "outcome": "unknown_result", "status": 422, "column": "result",
         "zh": "未知的联系结果", "en": "not in the table of results", "late": None, "entry_id": None},
    ],
}  # fmt: skip
_ASKED = [
    Example(id="visit", summary="A visit on which the debtor was met", value={"contacts": [
        {"contact_ref": "R1-0331-07", "loan_id": "L2024000917", "party": "debtor", "channel": "visit",
         "address": "江岸区示例路1号", "started_at": "2026-03-09T10:00:00+08:00", "result": "found"},
    ]}),
]  # fmt: skip


@post(
    "/contacts", status_code=200, sync_to_thread=True, tags=["contacts"], summary="Record contacts that were made",
    responses=answers(
        ContactsAnswer, _SHOWN, "malformed_json", "post_not_permitted", "key_not_permitted", "invalid_request",
        "body_too_large", "unsupported_media_type", "database_busy", "database_full",
    ),
)  # fmt: skip
def record_contacts(
    request: Request[Any, Any, Any], data: Annotated[ContactsBody, Body(examples=_ASKED)]
) -> ContactsAnswer:  # fmt: skip
    """Each row has its own result, as if it came alone; they are one transaction.

    A reference that is known with the same content changes nothing; with other content it is refused. Who was reached
    is no longer lost. A contact with a permit is recorded by its outcome instead.
    """
    typed = [{name: str(cell) for name, cell in msgspec.structs.asdict(row).items() if cell is not None}
             for row in data.contacts]  # fmt: skip
    try:
        told = _recorded(request, typed, atomic=data.atomic)
    except Exception as error:
        if not is_conflict(error):
            raise
        told = _recorded(request, typed, atomic=data.atomic)  # sent twice at once: now the other's are there
    results = [_result(one) for one in told]
    faults = Counter(result.outcome for one, result in zip(told, results, strict=True) if one.is_fault)
    by_outcome = dict(sorted(Counter(result.outcome for result in results).items()))
    return ContactsAnswer(data.atomic, len(results), by_outcome, dict(sorted(faults.items())), results)


def _recorded(request: Request[Any, Any, Any], typed: Sequence[Mapping[str, str]], *, atomic: bool) -> list[Told]:
    serving = serving_of(request)
    with writing(serving.engine) as conn:
        recording = Recording(request, conn)
        actor = still_valid(conn, request)
        told = record_typed(conn, serving.branch, typed, actor, now(), atomic=atomic)
    recording.tell()
    return told


def _result(told: Told) -> ContactResult:
    became = told.became
    if isinstance(became, Recorded):
        return ContactResult(
            contact_ref=told.contact_ref, outcome="done", status=200, late=became.contact.late,
            entry_id=became.entry_id,
        )  # fmt: skip
    if became is REPEATED:
        return ContactResult(contact_ref=told.contact_ref, outcome=became.kind, status=200)
    zh, en = texts_of_kind(became.kind)
    return ContactResult(
        contact_ref=told.contact_ref, outcome=became.kind, status=status_of(became.kind),
        column=became.column or None, zh=zh, en=en,
    )  # fmt: skip


route_handlers = [record_contacts]
