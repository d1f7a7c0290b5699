"""Replays who was given access from the entries, and compares: a key, session, password or factor given by SQL shows.

A second follower of the streams `staff:<no>`. What no entry can tell: the hash of a password itself, and the access
tokens of a session that is open (minutes each); `docs/security.md` says so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.audit.entry import Entry
from casework.audit.findings import Report
from casework.audit.heads import Tail
from casework.audit.stored import as_stored
from casework.clock import utc_text
from casework.identity.holding import ACCESS
from casework.identity.tables import passwords, second_factors, sessions
from casework.staff.tables import tokens
from casework.staff.tokens import name_of

_TOKENS = ("token_hash", "staff_no", "kind", "commands", "session_id", "expires_at", "revoked_at")
_SESSIONS = ("id", "staff_no", "second_factor", "expires_at", "ended_at")


class _Key(NamedTuple):
    commands: str | None
    expires_at: str


@dataclass(slots=True)
class _Given:
    """What somebody may come in with by the entries of his stream. Sessions: until when, and whether with a factor."""

    keys: dict[str, _Key] = field(default_factory=dict)
    sessions: dict[int, tuple[str, bool]] = field(default_factory=dict)
    password: bool = False
    factor: bool = False
    is_sound: bool = True


class AccessReplay:
    """Follows the streams of people for what they come in with."""

    def __init__(self, conn: Connection, report: Report) -> None:
        self._conn = conn
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
        for found in self._rows(tokens, _TOKENS):
            token_hash, staff_no, kind, commands, session_id, expires_at, revoked_at = found
            given = self._of(staff_no, tokens.name)
            if given is None or revoked_at is not None:
                continue
            if kind == ACCESS:
                self._expect(session_id in given.sessions, staff_no, tokens.name)
                continue
            key = given.keys.get(name_of(bytes(token_hash)) if isinstance(token_hash, bytes | memoryview) else "")
            narrow = key is not None and commands == key.commands and _not_after(expires_at, key.expires_at)
            self._expect(narrow, staff_no, tokens.name)
        for session_id, staff_no, second_factor, expires_at, ended_at in self._rows(sessions, _SESSIONS):
            given = self._of(staff_no, sessions.name)
            if given is None or ended_at is not None:
                continue
            until, shown = given.sessions.get(session_id, ("", False))
            self._expect(_not_after(expires_at, until) and (shown or not second_factor), staff_no, sessions.name)
        in_force = set[str]()
        for table, part in ((passwords, "password"), (second_factors, "factor")):
            columns = ("staff_no",) if table is passwords else ("staff_no", "confirmed_at")
            for staff_no, *confirmed_at in self._rows(table, columns):
                given = self._of(staff_no, table.name)
                if given is not None and confirmed_at != [None]:
                    self._expect(bool(getattr(given, part)), staff_no, table.name)
                    in_force |= {f"staff:{staff_no}"} if table is second_factors else set()
        for stream, given in self._people.items():  # without it a password alone lets him in
            if given.is_sound and given.factor and stream not in in_force:
                self._report.find("row_differs", stream, table=second_factors.name)

    def _rows(self, table: sa.Table, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
        select = as_stored(table, columns, self._conn.dialect.name)
        return (tuple(row) for row in self._conn.execute(select))

    def _of(self, staff_no: Any, table: str) -> _Given | None:
        """What he was given; none when his stream is not to be trusted (that is told already)."""
        given = self._people.get(f"staff:{staff_no}")
        if given is None:
            self._report.find("row_without_entries", f"staff:{staff_no}", table=table)
            return None
        return given if given.is_sound else None

    def _expect(self, is_given: bool, staff_no: str, table: str) -> None:
        if not is_given:
            self._report.find("row_differs", f"staff:{staff_no}", table=table)


def _fold(given: _Given, entry: Entry) -> None:
    data = entry.data
    match entry.event:
        case "staff.key_issued":
            commands = data["commands"]
            until = datetime.fromisoformat(entry.recorded_at) + timedelta(days=data["days"])
            given.keys[data["token"]] = _Key(None if commands is None else " ".join(commands), utc_text(until))
        case "staff.logged_in":
            given.sessions[data["session"]] = (data["expires_at"], data["second_factor"])
        case "staff.password_set":
            given.password = True
        case "staff.second_factor_enrolled":
            given.factor = True
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
            given.password = given.password and not data.get("passwords")
            given.factor = given.factor and not data.get("second_factors")


def _not_after(expires_at: Any, until: str) -> bool:
    return isinstance(expires_at, str) and expires_at <= until
