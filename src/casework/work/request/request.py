"""A request in memory: the fold of the stream `request:<id>`; its row is this struct column by column. Pure.

What an entry of a request says (its event): `request.asked`, `request.reviewed`, `request.approved`,
`request.returned`, `request.withdrawn`, `request.expired`; `request.refused.<event>` changes nothing.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from casework.rules.statechart.chart import Chart

PREFIX = "request"
ASKED, REFUSED = "request.asked", "request.refused."
EVENT, POST, MOVE = "event", "post", "chart_move"
"""Kinds of request: an event of a case, a post for somebody."""
NEVER = datetime.min.replace(tzinfo=UTC)
ERASED = b"erased"
"""What `data_sealed` is after an erasure; nothing sealed begins so."""


class Request(msgspec.Struct):
    """One request. Field order is column order."""

    id: int
    kind: str
    subject: str
    what: str
    topic: str
    state: str
    open: bool
    version: int
    asked_by: str
    asked_for: str | None
    asked_on: date
    reviewed_by: str | None
    reviewed_for: str | None
    decided_by: str | None
    decided_for: str | None
    expires_on: date
    pinned_version: int
    carried_out: str | None
    data_sealed: bytes
    data_digest: str
    sealed_for: str | None
    last_entry_at: datetime
    audit_seq: int
    audit_head: bytes

    @property
    def stream(self) -> str:
        """The audit stream of this request."""
        return f"{PREFIX}:{self.id}"

    @property
    def erased(self) -> bool:
        """Whether what was asked for is gone by an erasure."""
        return self.data_sealed == ERASED

    @property
    def involved(self) -> frozenset[str]:
        """Everybody who has had a part in it, principals of deputies too."""
        people = (self.asked_by, self.asked_for, self.reviewed_by, self.reviewed_for)
        return frozenset(one for one in people if one is not None)


COLUMNS = Request.__struct_fields__
# What an entry after the first can change.
CHANGING = (
    "state", "open", "version", "reviewed_by", "reviewed_for", "decided_by", "decided_for", "carried_out",
    "last_entry_at", "audit_seq", "audit_head",
)  # fmt: skip


def to_row(request: Request) -> tuple[Any, ...]:
    """The row of `requests`, in the order of `COLUMNS`."""
    return msgspec.structs.astuple(request)


def to_change(request: Request) -> tuple[Any, ...]:
    """The id and the `CHANGING` columns, in that order."""
    return (request.id, *(getattr(request, name) for name in CHANGING))


def from_row(row: Any) -> Request:
    """A request from a row whose columns stand in the order of `COLUMNS`."""
    values = dict(zip(COLUMNS, row, strict=True))
    values["data_sealed"], values["audit_head"] = bytes(values["data_sealed"]), bytes(values["audit_head"])
    return Request(**values)


def asked(request_id: int, actor_id: str, chart: Chart, data: Mapping[str, Any], at: datetime) -> Request:
    """The request that a `request.asked` entry begins; its data are kept beside the log."""
    asked_on = date.fromisoformat(data["day"])
    return Request(
        id=request_id, kind=data["kind"], subject=data["subject"], what=data["what"], topic=data["topic"],
        state=chart.initial, open=True, version=1, asked_by=actor_id, asked_for=data.get("acting_for"),
        asked_on=asked_on, reviewed_by=None, reviewed_for=None, decided_by=None, decided_for=None,
        expires_on=asked_on + timedelta(days=data["expires_after_days"]), pinned_version=data["pinned_version"],
        carried_out=None, data_sealed=b"", data_digest=data["data_digest"], sealed_for=None,
        last_entry_at=at, audit_seq=0, audit_head=b"",
    )  # fmt: skip


def apply(request: Request, event: str, to: str, actor_id: str, data: Mapping[str, Any], chart: Chart) -> None:
    """Change `request` as the entry says; a refusal changes nothing."""
    if event.startswith(REFUSED):
        return
    if event != entry_of(to):
        raise ValueError(f"no entry of a request is called {event}")
    request.state = to
    request.open = not chart.states[to].final
    request.version += 1
    if request.open:
        request.reviewed_by, request.reviewed_for = actor_id, data.get("acting_for")
    else:
        request.decided_by, request.decided_for = actor_id, data.get("acting_for")
    request.carried_out = data.get("carried_out", request.carried_out)


def entry_of(state: str) -> str:
    """What the entry that leads into `state` is called."""
    return f"{PREFIX}.{state}"
