"""Visits that were ordered and made stand in the ledger: which in number, what came of it, with how many photos."""

from typing import Any

from casework.evidence.evening.of_day import ledger_of, sheets_of
from casework.evidence.ledger.sheets import CASES
from casework.storage.database import reading
from tests.feed.bank import DAY, Bank, arrears
from tests.feed.conftest import bank_after
from tests.work.test_promises import at, day
from tests.work.test_visits import B9, REPORT, SECOND, SEEN, fire, order, ordered, photo, visited

__all__ = ["bank_after", "ordered"]
_FIELDS = [column.zh for column in CASES]


def told(bank: Bank, number: int) -> dict[str, tuple[Any, ...]]:
    """By loan the columns of visits, as the day's ledger has them."""
    with reading(bank.started.engine, snapshot=True) as conn:
        found = ledger_of(conn, bank.started.branch, day(number), clock=at(day(number)))
        lines = list(sheets_of(conn, bank.started.branch, found, B9)[0].lines)
    columns = [_FIELDS.index(name) for name in ("下户第n次", "下户结果", "下户照片数")]
    return {line[2]: tuple(line[place] for place in columns) for line in lines}


def test_a_visit_is_counted_when_it_is_made_and_has_its_result_when_it_is_reported(ordered: Bank) -> None:
    order(ordered)
    assert told(ordered, 0)["L1"] == (None, None, None)
    visited(ordered)
    photo(ordered, "sha256:" + "c" * 64)
    assert told(ordered, 0)["L1"] == (1, None, 2)
    fire(ordered, "report", **REPORT)
    assert told(ordered, 0)["L1"] == (1, "未找到", 2)
    assert told(ordered, 0)["L2"] == (None, None, None)
    order(ordered, visit_on=day(1).isoformat())
    ordered.send(day(1), [arrears(number, on=DAY) for number in (1, 2)])
    visited(ordered, 2, 1, SECOND)
    fire(ordered, "report", number=2, on=1, **SEEN)
    assert told(ordered, 1)["L1"] == (2, "找到", 3)
