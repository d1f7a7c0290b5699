"""The rows of requests: read, locked; what was asked for, sealed; and who counts as another person."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer, stream_of
from casework.errors import CallerError
from casework.lifecycle.gather import select_of
from casework.log.write.data_keys import key_of, keys_for, keys_of
from casework.people.staff.actor import Actor
from casework.people.staff.tables import absences
from casework.personal import DoesNotOpen, ValueSealer, Vault, cell
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.unseen import unseen
from casework.work.four_eyes.recording import Moment
from casework.work.four_eyes.tables import REQUESTS, requests
from casework.work.requests import REQUEST, Request

ROWS = select_of(REQUESTS)
from_row = REQUEST.rows.read
MAX_DATA_BYTES = 16 * 1024
BOUND = (
    "kind", "subject", "what", "topic", "opened_by", "asked_for", "opened_on", "expires_on", "pinned_version",
)  # fmt: skip
"""What a request's digest holds beside its data; none of it ever changes."""


def read(conn: Connection, numbers: Iterable[int], *, lock: bool = False) -> list[Request]:
    """Those that there are, by id."""
    return [from_row(row) for row in rows.select_by_keys(conn, ROWS, "id", sorted(numbers), lock=lock)]


def read_one(conn: Connection, request_id: int, *, lock: bool = False) -> Request:
    """CallerError `unknown_request`."""
    found = read(conn, [request_id], lock=lock) if 1 <= request_id < 2**53 else []
    if not found:
        raise unseen("unknown_request")
    return found[0]


def open_on(conn: Connection, subject: str, what: str) -> Request | None:
    """The open request for this, locked."""
    wanted = ROWS.where(requests.c.subject == subject, requests.c.what == what, requests.c.live == sa.true())
    row = conn.execute(wanted.with_for_update()).one_or_none()
    return None if row is None else from_row(row)


def text_of(data: Mapping[str, Any]) -> str:
    """What was asked for as one text; CallerError `request_too_large`."""
    try:
        text = msgspec.json.encode(data, order="deterministic").decode()
    except (TypeError, ValueError):  # a lone surrogate, or nothing that JSON could say
        text = ""
    if not text or len(text.encode()) > MAX_DATA_BYTES:
        raise CallerError(
            "request_too_large", f"申请数据须为不超过{MAX_DATA_BYTES}字节的 JSON",
            f"the data of a request are JSON of at most {MAX_DATA_BYTES} bytes", at_most=MAX_DATA_BYTES,
        )  # fmt: skip
    return text


def seal(conn: Connection, moment: Moment, request: Request, text: str, customer: Customer | None) -> None:
    """Seal what was asked for, with the key of the borrower whose case it is about, if it is about one."""
    vault = moment.branch.vault
    if customer is not None:
        request.sealed_for = subject = stream_of(vault, customer)
        sealer = keys_for(conn, vault, [subject], moment.trail.recorded_at)[subject]
    else:
        sealer = vault
    request.data_sealed = sealer.seal(_data_cell(request.id), text)


def digest_of(vault: Vault, request: Request, text: str) -> str:
    """The keyed digest of a request's data, bound to who asked for what, of whom and when."""
    bound = (request.id, *(getattr(request, name) for name in BOUND))
    return vault.fingerprint("\n".join(("request", *map(str, bound), text)).encode()).hex()


def opened_text(sealer: ValueSealer, request_id: int, data_sealed: bytes) -> str:
    """The data as they were sealed; DoesNotOpen if they were altered, or are another request's."""
    return sealer.open(_data_cell(request_id), data_sealed)


def _data_cell(request_id: int) -> str:
    return cell(requests.name, "data", str(request_id))


def opened(conn: Connection, branch: Branch, request: Request) -> dict[str, Any]:
    """What was asked for, nothing once it is erased; CallerError `request_altered` if it is not what was asked for."""
    if request.erased:
        return {}
    return _opened(branch.vault, request, key_of(conn, branch.vault, request.sealed_for))


def opened_all(conn: Connection, branch: Branch, asked: Sequence[Request]) -> dict[int, dict[str, Any]]:
    """The same of many by id, with their keys in one statement."""
    there = [request for request in asked if not request.erased]
    keys = keys_of(conn, branch.vault, {request.sealed_for for request in there if request.sealed_for is not None})
    found: dict[int, dict[str, Any]] = {request.id: {} for request in asked}
    for request in there:
        sealer = branch.vault if request.sealed_for is None else keys.get(request.sealed_for)
        if sealer is None:
            raise ValueError("the key of a sealed value is gone")
        found[request.id] = _opened(branch.vault, request, sealer)
    return found


def _opened(vault: Vault, request: Request, sealer: ValueSealer) -> dict[str, Any]:
    try:
        text = opened_text(sealer, request.id, request.data_sealed)
    except DoesNotOpen:
        raise altered(request.id) from None
    if digest_of(vault, request, text) != request.data_digest:
        raise altered(request.id)
    data: dict[str, Any] = msgspec.json.decode(text)
    return data


def altered(request_id: int) -> CallerError:
    """Somebody has changed its row: nothing comes of it, and `audit verify` says where."""
    return CallerError(
        "request_altered", f"申请{request_id}的记录与提出时不符，可能被改动，不得办理，请核验审计日志",
        f"request {request_id} is not as it was asked for; its row may have been changed: verify the log",
        request=request_id,
    )  # fmt: skip


class Ties:
    """Whose deputy or stand-in the actor was, and who was theirs, with the days: for four eyes they are one person."""

    def __init__(self, conn: Connection, branch: Branch, actor: Actor, since: date, today: date) -> None:
        self._conn, self._branch = conn, branch
        self._actor = actor
        self._today = today
        self._by_roster: dict[date, frozenset[str]] = {}
        self._rows = conn.execute(_TIES, {"me": actor.id, "since": since, "today": today}).all()

    def since(self, day: date) -> frozenset[str]:
        """The actor and everybody they were tied to on any day from `day`, on which a request was opened, until today.

        By the roster only while it could be decided: nobody looks at a year of rosters for one that is long closed.
        """
        by_leave = (frozenset((row.staff_no, row.deputy)) for row in self._rows if row.until_on >= day)
        return self._actor.people.union(*by_leave, *map(self._tied_on, self._days(day)))

    def _days(self, day: date) -> Iterator[date]:
        open_days = int(self._branch.rulebook.policies.at(day).figure("approval.expires_after_days"))
        last = min(self._today, day + timedelta(days=open_days))
        return (day + timedelta(days=number) for number in range((last - day).days + 1))

    def _tied_on(self, on: date) -> frozenset[str]:
        if on not in self._by_roster:
            is_staff = self._actor.kind != "system"
            self._by_roster[on] = self._branch.tied(self._conn, self._actor, on) if is_staff else frozenset()
        return self._by_roster[on]


def people_of(conn: Connection, branch: Branch, actor: Actor, since: date, today: date) -> frozenset[str]:
    """The actor, and everybody who was one person with them on any day from `since`, when it was asked for."""
    return Ties(conn, branch, actor, since, today).since(since)


_TIES = sa.select(absences.c.staff_no, absences.c.deputy, absences.c.until_on).where(
    absences.c.deputy.is_not(None),
    sa.or_(absences.c.staff_no == sa.bindparam("me"), absences.c.deputy == sa.bindparam("me")),
    absences.c.from_on <= sa.bindparam("today", type_=sa.Date),
    absences.c.until_on >= sa.bindparam("since", type_=sa.Date),
)
