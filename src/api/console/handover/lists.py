"""The moves of a hand-over as a file: case by case, with the receipt of each."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from litestar import Request
from litestar.params import FromPath

from api.console.frame import shown
from api.console.frame.files import ListFile, columns_named, named_list
from api.serving import serving_of
from casework.people.staff.listing import names_of
from casework.storage.database import reading
from casework.table import Lang
from casework.work.handover import queries

_COLUMNS: Final = columns_named(
    ("case_id", "noun.case", 10), ("state", "case.state", 14), ("overdue_fen", "case.overdue", 16),
    ("receiver", "handover.receiver", 18), ("rule", "handover.by_rule", 20), ("entry_id", "handover.receipt", 20),
)  # fmt: skip


def _number(number: FromPath[int]) -> int:
    return number


def _receipts(request: Request[Any, Any, Any], number: int, lang: Lang, _: int) -> Iterator[Sequence[Any]]:
    rulebook = serving_of(request).branch.rulebook
    with reading(serving_of(request).engine, snapshot=True) as conn:
        queries.find(conn, number)
        found = list(queries.every_receipt(conn, number))
        names = names_of(conn, {one.receiver for one in found if one.receiver})
    for one in found:
        yield (
            one.case_id, shown.told(rulebook.chart.state_named(one.state), lang), one.overdue_fen,
            f"{names.get(one.receiver, '')} {one.receiver}".strip() if one.receiver else None,
            rulebook.owners.labels(one.rule)[lang == "en"] if one.rule else None, one.entry_id,
        )  # fmt: skip


FILES: Final = (
    ListFile("/console/handovers/{number:int}/receipts", "handover.read", named_list("handover.receipts", _COLUMNS),
             _receipts, wanted=_number, said=lambda number: {"handover": number}),
)  # fmt: skip
