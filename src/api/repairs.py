"""What an information repair found, entered in the contact book and told to the case; the table of sources."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body
from msgspec import Meta

from api.auth import still_valid
from api.changing import IfMatch, respond, seen_version
from api.example import Example
from api.nouns import Number
from api.outcomes import Named, answer_of
from api.problems import problem_responses, request_id_of
from api.reading.asking import answers, reader_of
from api.receipts import Recording
from api.serving import serving_of
from api.wire import DoneOfNoun
from casework.intake.contact_book.adding import Finding
from casework.intake.contact_book.repairing import find
from casework.lifecycle.commands import Outcome
from casework.storage.database import writing
from casework.storage.driver_errors import again_on_conflict
from casework.work.cases.repairing import REPAIRS

_Code = Annotated[str, Meta(min_length=1, max_length=32)]
_REPAIR = Named("/repairs", "id", "信息修复", "information repair", REPAIRS.word)


class FindingBody(msgspec.Struct, forbid_unknown_fields=True):
    """A number, an address or both, whose it is, and where it comes from; codes as of the contact book."""

    role: _Code
    source: _Code
    legal_basis: _Code
    phone: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    address: Annotated[str, Meta(min_length=1, max_length=500)] | None = None
    address_kind: _Code | None = None
    name: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    relation: _Code | None = None


class SourceLine(msgspec.Struct):
    """A lawful source, and the grounds on which what it gives may be used."""

    code: str
    zh: str
    en: str
    bases: list[str]


class BasisLine(msgspec.Struct):
    """A ground of the law, and where it stands."""

    code: str
    zh: str
    en: str
    law: str


class UnlawfulLine(msgspec.Struct):
    """A source that is refused: why, and the law that says so."""

    code: str
    zh: str
    en: str
    law_zh: str
    law_en: str


class SourcesBody(msgspec.Struct):
    """The table in force; what it does not name is refused as unknown."""

    table: str
    sources: list[SourceLine]
    bases: list[BasisLine]
    unlawful: list[UnlawfulLine]


_DONE: Mapping[str, Any] = {
    "id": 204, "version": 3, "from_state": "under_way", "state": "found", "entry_id": "case:1207:9",
}  # fmt: skip
_FOUND = [
    Example(id="number", summary="a new number that the guarantor gave", value={
        "role": "debtor", "source": "liable_person", "legal_basis": "contract", "phone": "120 0000 0000"}),
]  # fmt: skip
_ENDED = ResponseSpec(
    DoneOfNoun, generate_examples=False, description="Found; the ETag is the new version.",
    examples=[Example(summary="done", value=_DONE)],
)  # fmt: skip
_TABLE: Mapping[str, Any] = {
    "table": "sources@1",
    "sources": [{"code": "court", "zh": "法院调查令或者诉讼材料", "en": "order or papers of a court",
                 "bases": ["statutory_duty", "contract"]}],
    "bases": [{"code": "contract", "zh": "履行合同所必需", "en": "needed to perform the contract",
               "law": "个人信息保护法 13(1)2"}],
    "unlawful": [{"code": "courier", "zh": "快递、外卖平台的收件信息：寄递企业不得向外提供用户信息",
                  "en": "addressees of couriers: they must not pass on what they know",
                  "law_zh": "个人信息保护法第10条", "law_en": "PIPL art. 10"}],
}  # fmt: skip


@post(
    "/repairs/{number:int}/findings", status_code=200, sync_to_thread=True, tags=["repairs"],
    summary="Say what an information repair found",
    responses={200: _ENDED, **problem_responses(
        "malformed_json", "malformed_header", "invalid_request", "post_not_permitted", "key_not_permitted",
        "out_of_reach", f"unknown_{REPAIRS.word}", "stale_version", "version_required", "refused", "unlawful_source",
        "unknown_source", "unknown_legal_basis", "basis_not_of_source", "unknown_party", "found_already",
        "found_refused", "borrower_erased", "body_too_large", "unsupported_media_type", "database_busy",
        "database_full")},
)  # fmt: skip
def find_way(
    request: Request[Any, Any, Any], number: Number, data: Annotated[FindingBody, Body(examples=_FOUND)],
    if_match: IfMatch = None,
) -> Response[Any]:  # fmt: skip
    """It enters the debtor's contact book (unverified) and ends the repair, both or neither.

    A lost case with a new number goes back to phone collection. What is in the book already, or was refused, is no
    finding.
    """
    version, found = seen_version(if_match, required=True), Finding(**msgspec.structs.asdict(data))
    outcome = way_found(request, number, found, version)
    return respond(answer_of(outcome, request_id_of(request), named=_REPAIR))


def way_found(request: Request[Any, Any, Any], number: int, found: Finding, version: int | None = None) -> Outcome:
    """Enter what a repair found and end it, told to whoever asks with its receipt."""
    serving = serving_of(request)

    def once() -> Outcome:
        with writing(serving.engine) as conn:
            recording, actor = Recording(request, conn), still_valid(conn, request)
            told = find(conn, serving.branch, actor, number, found, version=version)
        recording.tell()
        return told

    return again_on_conflict(once)


@get("/sources", sync_to_thread=False, tags=["contacts"], summary="Where numbers and addresses may come from",
     responses=answers(SourcesBody, _TABLE))  # fmt: skip
def sources_table(request: Request[Any, Any, Any]) -> SourcesBody:
    """Lawful sources with their grounds, and those that are refused by name."""
    serving, _ = reader_of(request)
    sources = serving.branch.rulebook.sources
    return SourcesBody(
        sources.title,
        [SourceLine(one.code, one.zh, one.en, list(one.bases)) for one in sources.lawful.values()],
        [BasisLine(one.code, one.zh, one.en, one.law) for one in sources.bases.values()],
        [UnlawfulLine(one.code, one.zh, one.en, one.law_zh, one.law_en) for one in sources.unlawful.values()],
    )  # fmt: skip


route_handlers = (find_way,)
reading = (sources_table,)
