"""Replays who was given access from the entries, and compares: a key, session, password or factor given by SQL shows.

A second follower of the streams `staff:<no>`. Each row also carries a MAC over what it allows, which nobody makes
without the key. What no entry can tell: that the row of a password, or of an access token, is an
earlier one that was put back.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import utc_text
from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.format.chain import keyed
from casework.log.format.entry import Entry
from casework.log.stored import as_stored
from casework.people.identity.holding import ACCESS
from casework.people.identity.tables import (
    passwords,
    reset_codes,
    second_factors,
    sessions,
)
from casework.people.staff.access_mac import ALLOWING, fingerprint, holds
from casework.people.staff.tables import tokens
from casework.people.staff.tokens import name_of


class _Key(NamedTuple):
    program: str | None
    commands: str | None
    expires_at: str


@dataclass(slots=True)
class _Given:
    """What somebody may come in with by their stream's entries. Sessions: until when, and whether with a factor."""

    keys: dict[str, _Key] = field(default_factory=dict)
    sessions: dict[int, tuple[str, bool]] = field(default_factory=dict)
    password: bool = False
    factor: bool = False
    code: str | None = None
    secret: str | None = None
    step: int = 0
    is_sound: bool = True


class AccessReplay:
    """Follows the streams of people for what they come in with."""

    def __init__(self, conn: Connection, mac_key: bytes, report: Report) -> None:
        self._conn = conn
        self._mac_key = mac_key
        self._report = report
        self._people: dict[str, _Given] = {}
        self._given = _Given()

    def follow(self, entry: Entry) -> None:
        """Fold one entry; one that cannot be folded convicts its stream, and no rows are compared with it."""
        if not self._given.is_sound:
            return
        try:
            _fold(self._given, entry)
        except Exception as error:  # noqa: BLE001  (it convicts this entry; the others must still be looked at)
            self._report.find("replay_impossible", entry.stream, entry.stream_seq, error=type(error).__name__)
            self._given.is_sound = False

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:  # noqa: ARG002  (heads are the log's to compare)
        """The stream has ended."""
        self._given.is_sound = self._given.is_sound and sound
        self._people[stream] = self._given
        self._given = _Given()

    def finish(self) -> None:
        """Compare every row that lets somebody in."""
        for row, given in self._rows(tokens, "revoked_at"):
            self._expect(_is_token(given, row), row.staff_no, tokens.name)
        for row, given in self._rows(sessions, "id", "ended_at"):
            until, shown = given.sessions.get(row.id, ("", False))
            is_given = _not_after(row.expires_at, until) and (shown or not row.second_factor)
            self._expect(is_given, row.staff_no, sessions.name)
        for row, given in self._rows(reset_codes):
            is_given = given.code == fingerprint(bytes(row.mac))
            self._expect(is_given, row.staff_no, reset_codes.name)
        for row, given in self._rows(passwords):
            self._expect(given.password, row.staff_no, passwords.name)
        in_force = set[str]()
        for row, given in self._rows(second_factors):
            if row.confirmed_at is not None:
                self._expect(self._is_factor(given, row), row.staff_no, second_factors.name)
                in_force.add(f"staff:{row.staff_no}")
        for stream, given in self._people.items():  # without it a password alone lets them in
            if given.is_sound and given.factor and stream not in in_force:
                self._report.find("row_differs", stream, table=second_factors.name)

    def _rows(self, table: sa.Table, *more: str) -> Iterator[tuple[Any, _Given]]:
        """The rows that still let somebody in whose stream can be trusted; those without a right MAC are reported."""
        select = as_stored(table, (*ALLOWING[table.name], "mac", *more), self._conn.dialect.name)
        for row in self._conn.execute(select):
            given = self._of(row.staff_no, table.name)
            if given is None or any(getattr(row, over) is not None for over in more if over != "id"):
                continue
            if holds(self._mac_key, table.name, row):
                yield row, given
            else:
                self._expect(False, row.staff_no, table.name)

    def _is_factor(self, given: _Given, row: Any) -> bool:
        secret = fingerprint(keyed(self._mac_key, "second_factor_secret", bytes(row.secret_sealed)))
        return given.factor and given.secret == secret and row.last_step >= given.step

    def _of(self, staff_no: Any, table: str) -> _Given | None:
        """What they were given; none when their stream is not to be trusted (that is reported already)."""
        given = self._people.get(f"staff:{staff_no}")
        if given is None:
            self._report.find("row_without_entries", f"staff:{staff_no}", table=table)
            return None
        return given if given.is_sound else None

    def _expect(self, is_given: bool, staff_no: str, table: str) -> None:
        if not is_given:
            self._report.find("row_differs", f"staff:{staff_no}", table=table)


def _is_token(given: _Given, row: Any) -> bool:
    if row.kind == ACCESS:
        until, _ = given.sessions.get(row.session_id, ("", False))
        return _not_after(row.expires_at, until)
    key = given.keys.get(name_of(bytes(row.token_hash)))
    return key is not None and (row.program, row.commands) == key[:2] and _not_after(row.expires_at, key.expires_at)


def _fold(given: _Given, entry: Entry) -> None:
    data = entry.data
    match entry.event:
        case "staff.key_issued":
            commands = None if data["commands"] is None else " ".join(data["commands"])
            until = datetime.fromisoformat(entry.recorded_at) + timedelta(days=data["days"])
            given.keys[data["token"]] = _Key(data.get("program"), commands, utc_text(until))
        case "staff.logged_in":
            given.sessions[data["session"]] = (data["expires_at"], data["second_factor"])
            given.step = data["step"] or given.step
        case "staff.reset_code_issued":
            given.code = data["code"]
        case "staff.password_set":
            given.password, given.code = True, None
            given.step = data["step"] or given.step
        case "staff.second_factor_enrolled":
            given.factor, given.secret, given.step = True, data["secret"], data["step"]
            if data["session"] is not None:
                given.sessions[data["session"]] = (given.sessions[data["session"]][0], True)
        case _:
            _take(given, entry.event, data)


def _take(given: _Given, event: str, data: Mapping[str, Any]) -> None:
    match event:
        case "staff.key_revoked":
            given.keys.pop(data["token"])
        case "staff.logged_out":
            given.sessions.pop(data["session"])
        case "staff.session_ended":
            for ended in data["sessions"] if "sessions" in data else [data["session"]]:
                given.sessions.pop(ended)
        case "staff.second_factor_removed":
            given.factor = False
        case "staff.tokens_revoked" | "staff.access_ended":
            for name in data["tokens"]:
                given.keys.pop(name, None)  # access tokens are among them
            for ended in data.get("sessions", ()):
                given.sessions.pop(ended)
            given.code = None if data.get("reset_codes") else given.code
            given.password = given.password and not data.get("passwords")
            given.factor = given.factor and not data.get("second_factors")


def _not_after(expires_at: Any, until: str) -> bool:
    return isinstance(expires_at, str) and expires_at <= until
