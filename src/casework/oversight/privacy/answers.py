"""Stored answers of idempotent requests that speak of a borrower: found by what they name, left as tombstones.

A tombstone has no answer and no hash of the request (which is one of its text): a repeat learns that the answer was
erased (410), and never runs again while the key is kept.
"""

import re
from collections.abc import Collection
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.intake.feed.customers import institutions_of
from casework.work.cases.answer_mac import answer_mac
from casework.work.cases.tables import ANSWER_ERASED, idempotency

_AT_ONCE: Final = 500
_GONE: Final = 410
_CASE = re.compile(rb'case:(\d{1,16})(?!\d)|/cases/(\d{1,16})(?!\d)|"case_id":(\d{1,16})(?!\d)')
_REQUEST = re.compile(rb'request:(\d{1,16})(?!\d)|/requests/(\d{1,16})(?!\d)|"request_id":(\d{1,16})(?!\d)')
_TEXT = re.compile(rb'"([^"\\]{1,64})"')


def speaks_of(
    answer: bytes, cases: Collection[int], requests: Collection[int], loans: Collection[bytes],
    customer: frozenset[bytes],
) -> bool:  # fmt: skip
    """Whether an answer names one of these cases or requests, or one of these loans or the customer as texts of JSON.

    Pure. `customer` are the texts that name them only together: a number that two institutions have, with the
    institution.
    """
    texts = {found[1] for found in _TEXT.finditer(answer)}
    return (
        any(int(next(filter(None, found.groups()))) in cases for found in _CASE.finditer(answer))
        or any(int(next(filter(None, found.groups()))) in requests for found in _REQUEST.finditer(answer))
        or not texts.isdisjoint(loans)
        or customer <= texts
    )


def erase_answers(
    conn: Connection, cases: Collection[int], requests: Collection[int], loan_ids: Collection[str], customer: Customer,
    mac_key: bytes,
) -> int:  # fmt: skip
    """Every stored answer is looked at, some hundreds at a time (they are kept for a day); how many are gone."""
    loans = {one.encode() for one in loan_ids}
    named_by = customer if len(institutions_of(conn, customer.borrower_id)) > 1 else (customer.borrower_id,)
    names = frozenset(text.encode() for text in named_by)
    found = []
    statement = sa.select(idempotency.c.actor_id, idempotency.c.key, idempotency.c.answer, idempotency.c.created_at)
    for batch in conn.execute(statement, execution_options={"yield_per": _AT_ONCE}).partitions():
        found += [
            (row.actor_id, row.key, row.created_at)
            for row in batch
            if speaks_of(bytes(row.answer), cases, requests, loans, names)
        ]
    tombstones = [
        {"whose": actor_id, "under": key, "mac": answer_mac(mac_key, actor_id, key, b"", _GONE, ANSWER_ERASED, at)}
        for actor_id, key, at in found
    ]
    if tombstones:
        conn.execute(_ERASE, tombstones)
    return len(found)


_ERASE = (
    idempotency.update()
    .where(idempotency.c.actor_id == sa.bindparam("whose"), idempotency.c.key == sa.bindparam("under"))
    .values(request_hash=b"", status=_GONE, answer=ANSWER_ERASED, mac=sa.bindparam("mac"))
)
