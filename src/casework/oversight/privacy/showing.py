"""What is held of a borrower and where, counted; and what each basis for erasing it would say today."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.intake.feed.customers import of_customer
from casework.intake.feed.tables import contacts
from casework.log.tables import opening_keys, openings
from casework.oversight.privacy.deciding import reasons_against
from casework.oversight.privacy.gather import ErasureGathered, gather
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.contacts.tables import contact_log
from casework.work.four_eyes.tables import requests
from casework.work.photos.tables import photos
from casework.work.requests import ERASED

PLACES: Final[Mapping[str, tuple[str, str]]] = {
    "keys": ("密钥", "keys of their own"),
    "openings": ("备注、地址等原文", "texts: notes, addresses, remarks"),
    "requests": ("申请内容", "data of requests"),
    "borrower_fields": ("姓名、证件号", "name and ID number"),
    "contacts": ("联系方式", "contacts"),
    "contact_log": ("催收记录中的号码", "numbers in the contact log"),
    "photos": ("下户照片", "photos of visits"),
    "loan_fingerprints": ("借据行指纹", "fingerprints of loan rows"),
    "set_aside": ("搁置的数据行", "rows set aside by imports"),
    "answers": ("已存的应答", "stored answers"),
}
"""What erasure reaches, as people call it."""


class Why(msgspec.Struct):
    """One reason why not; `opens_on` if time alone will do."""

    code: str
    zh: str
    en: str
    saw: dict[str, Any]
    opens_on: date | None


class OfBasis(msgspec.Struct):
    """What one basis would say today."""

    code: str
    zh: str
    en: str
    source: str
    allowed: bool
    reasons: list[Why]


class Before(msgspec.Struct):
    """An erasure of their data; `erased_on` is the branch's day."""

    entry_id: str
    erased_at: datetime
    erased_on: date


class Holding(msgspec.Struct):
    """What is held; `held` counts by the keys of `PLACES`. Rows set aside are counted only before an erasure."""

    borrower_id: str
    institution: str
    held: dict[str, int]
    cases: int
    holds: list[str]
    last_record_on: date | None
    last_ended_on: date | None
    erased: list[Before]
    bases: list[OfBasis]

    def allowed(self, basis: str) -> bool:
        """Whether `basis` would let them be erased."""
        return any(one.allowed for one in self.bases if one.code == basis)


def holding_of(
    conn: Connection, branch: Branch, customer: Customer, at: datetime, *, set_aside: int | None = None
) -> Holding:  # fmt: skip
    """Reads counts only. `set_aside`: what was found there, if it was looked through.

    CallerError `unknown_borrower`.
    """
    found = gather(conn, branch, customer, at)
    policy, now = branch.rulebook.policies.at(found.situation.today), found.situation
    bases = []
    for basis in branch.rulebook.privacy.bases.values():
        reasons = reasons_against(basis, now, policy)
        why = [Why(one.code, one.zh, one.en, dict(one.saw), one.opens_on) for one in reasons]
        bases.append(OfBasis(basis.code, basis.zh, basis.en, basis.source, not reasons, why))
    before = [
        Before(f"{row.stream}:{row.stream_seq}", row.erased_at, branch.today(row.erased_at)) for row in found.erased
    ]
    return Holding(
        customer.borrower_id, customer.institution,
        _held(conn, found) | ({} if set_aside is None else {"set_aside": set_aside}), len(found.cases),
        list(now.holds), now.last_record_on, now.last_ended_on, before, bases,
    )  # fmt: skip


def _held(conn: Connection, found: ErasureGathered) -> dict[str, int]:
    texts: Sequence[Any] = rows.select_by_keys(conn, _STREAMS, "stream", [stream for stream, _ in found.places])
    asked = rows.select_by_keys(conn, _ASKED, "id", [one.id for one in found.requests])
    of_them = sa.select(sa.func.count()).select_from(contacts).where(of_customer(contacts, found.customer))
    of_number = of_customer(contact_log, found.customer), contact_log.c.number.is_not(None)
    tried = sa.select(sa.func.count()).select_from(contact_log).where(*of_number)
    theirs = sa.select(sa.func.count()).select_from(opening_keys).where(opening_keys.c.subject == found.stream)
    of_visits = sa.select(sa.func.count()).select_from(photos).where(of_customer(photos, found.customer))
    fields = (found.row.name_sealed, found.row.id_number_sealed) if found.row is not None else ()
    return {
        "keys": int(conn.execute(theirs).scalar_one()),
        "openings": len(texts),
        "requests": sum(bytes(row.data_sealed) != ERASED for row in asked),
        "borrower_fields": sum(one is not None for one in fields),
        "contacts": int(conn.execute(of_them).scalar_one()),
        "contact_log": int(conn.execute(tried).scalar_one()),
        "photos": int(conn.execute(of_visits).scalar_one()),
    }


_STREAMS = sa.select(openings.c.stream, openings.c.field)
_ASKED = sa.select(requests.c.id, requests.c.data_sealed)
