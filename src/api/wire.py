"""What the changing routes take and answer, as msgspec structs: validated on the way in, the OpenAPI's source."""

from datetime import date
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from api.example import Example
from casework.work.cases.options import ReasonOffer

Code = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$(?!\n)", max_length=64)]
Id = Annotated[int, Meta(ge=1, le=2**53 - 1)]
Version = Annotated[int, Meta(ge=1, le=2**53 - 1)]
Data = Annotated[dict[str, Any], Meta(max_length=64)]

MAX_CASES = 1_000


class EventBody(msgspec.Struct, forbid_unknown_fields=True):
    """An event of the chart and the data it takes (`GET /cases/{id}/options` lists both)."""

    event: Code
    data: Data = {}


class FactBody(msgspec.Struct, forbid_unknown_fields=True):
    """A typed fact: its kind, the business date it happened on, and the reference of its evidence."""

    kind: Code
    on: date
    evidence: Annotated[str, Meta(min_length=1, max_length=128)]
    data: Data = {}


class NoteBody(msgspec.Struct, forbid_unknown_fields=True):
    """A note; its text is kept sealed, the log holds its commitment."""

    text: Annotated[str, Meta(min_length=1, max_length=2_000)]


class OpeningBody(msgspec.Struct, forbid_unknown_fields=True):
    """A case opened by hand, on a ground of the chart (misuse, finding)."""

    loan_id: Annotated[str, Meta(min_length=1, max_length=128, description="As the feed has it, or in full width.")]
    ground: Code
    data: Data = {}


class OpeningOf(msgspec.Struct, forbid_unknown_fields=True):
    """Something opened on a ground of its chart (`openings` lists them with the data that each takes)."""

    ground: Code
    data: Data = {}


class OpeningOfChild(msgspec.Struct, forbid_unknown_fields=True):
    """Something of a case, opened on a ground of its chart; `of` is the number of the case."""

    of: Id
    ground: Code
    data: Data = {}


class CaseRef(msgspec.Struct, forbid_unknown_fields=True):
    """A case of a bulk request, or whatever it is about; with `version`, only if it is still at that version."""

    id: Id
    version: Version | None = None


class DoneBody(msgspec.Struct, kw_only=True):
    """It happened. `version` is the case's new one (also in the ETag); `entry_id` the audit entry that says so."""

    case_id: int
    version: int
    from_state: str | None
    state: str
    entry_id: str


class FaultBody(msgspec.Struct, kw_only=True):
    """What is wrong with one field of the data."""

    field: str
    code: str
    zh: str
    en: str
    rules: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()


class ResultBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of one case of a bulk request; `status` is what it would have been answered with alone."""

    case_id: int
    outcome: str
    status: int
    version: int | None = None
    from_state: str | None = None
    state: str | None = None
    entry_id: str | None = None
    reasons: tuple[ReasonOffer, ...] = ()
    faults: tuple[FaultBody, ...] = ()


class BulkAnswer(msgspec.Struct, kw_only=True):
    """Totals and a result per case. `by_outcome` and `by_reason` count cases; a case may have several reasons."""

    dry_run: bool
    atomic: bool
    cases: int
    by_outcome: dict[str, int]
    by_reason: dict[str, int]
    results: list[ResultBody]


def _of_noun(
    struct: type[msgspec.Struct], name: str, doc: str, called: dict[str, tuple[str, Any]], optional: str = ""
) -> Any:
    """The same of any noun: fields of other names and kinds, everything else as cases have it."""
    told = [
        (*called.get(one.name, (one.name, one.type)), one.default) for one in msgspec.structs.fields(struct)
    ]  # fmt: skip
    return msgspec.defstruct(
        name,
        [
            (key, kind | None, None) if key == optional
            else (key, kind) if default is msgspec.NODEFAULT
            else (key, kind, default)
            for key, kind, default in told
        ],
        kw_only=True, omit_defaults=struct.__struct_config__.omit_defaults, namespace={"__doc__": doc},
    )  # fmt: skip


DoneOfNoun: Any = _of_noun(
    DoneBody, "DoneOfNoun",
    "It happened to what `id` numbers. `version` is its new one (also in the ETag); `entry_id` says so in the log.",
    {"case_id": ("id", int)},
)  # fmt: skip
ResultOfNoun: Any = _of_noun(
    ResultBody, "ResultOfNoun",
    "What became of one of a bulk request; `status` is what it would have been answered with alone.",
    {"case_id": ("id", int)},
)  # fmt: skip
ResultOfOpening: Any = _of_noun(
    ResultBody, "ResultOfOpening",
    "What became of an opening; `id` numbers what was opened. `status` is what it would have been answered with alone.",
    {"case_id": ("id", int)}, optional="id",
)  # fmt: skip
BulkAnswerOfNoun: Any = _of_noun(
    BulkAnswer, "BulkAnswerOfNoun",
    "Totals and a result for each. `by_outcome` and `by_reason` count them; one may have several reasons.",
    {"cases": ("items", int), "results": ("results", list[ResultOfNoun])},
)  # fmt: skip
BulkAnswerOfOpenings: Any = _of_noun(
    BulkAnswer, "BulkAnswerOfOpenings",
    "Totals and a result for each, in the order given. `by_outcome` and `by_reason` count them.",
    {"cases": ("items", int), "results": ("results", list[ResultOfOpening])},
)  # fmt: skip


class RunStarted(msgspec.Struct, kw_only=True):
    """An import has begun; follow it at `location`."""

    run: int
    status: str
    location: str


DONE_EXAMPLE = Example(
    summary="done",
    value={
        "case_id": 17,
        "version": 4,
        "from_state": "home_visit",
        "state": "phone_collection",
        "entry_id": "case:17:6",
    },
)
EVENT_EXAMPLES = [
    Example(id="reached", summary="debtor reached", value={"event": "reached"}),
    Example(
        id="start_visit", summary="start a home visit",
        value={"event": "start_visit",
               "data": {"address_kind": "home", "address": "江岸区示例路1号", "visit_on": "2026-01-12"}},
    ),
]  # fmt: skip
FACT_EXAMPLES = [
    Example(
        id="information_repair", summary="a new number of the debtor",
        value={"kind": "information_repair", "on": "2026-01-10", "evidence": "rec:2026-0001",
               "data": {"outcome": "new_number", "source": "debtor", "legal_basis": "consent"}},
    ),
]  # fmt: skip
NOTE_EXAMPLES = [Example(id="note", summary="a note", value={"text": "客户表示月底还款"})]
OPENING_EXAMPLES = [
    Example(
        id="misuse", summary="misuse of the loan",
        value={"loan_id": "L2026000017", "ground": "misuse",
               "data": {"finding": "insp:2026-014", "recall_demand": "doc:2026-0331"}},
    ),
]  # fmt: skip
