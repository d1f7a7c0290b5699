"""Compares the books with what the entries of the feed say of them: rows changed, moved, gone or put back show.

Each row by its MAC, which names it; all rows of a table by the digest that the institution's newest entry states; each
run, its payments and its snapshot by the digests of the run's own entry; the business date by the newest entry.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.intake.feed import run as runs
from casework.intake.feed import sealed_cells
from casework.intake.feed.borrowers import CONTACT_FIELDS, cell_of_contact
from casework.intake.feed.kept_loans import KEPT, KeptLoans, fault_of
from casework.intake.feed.left_rows import (
    APPLIED,
    LEFT,
    NONE,
    PAYMENTS_TAKEN,
    PREFIX,
    REFUSED,
    SWAPPED,
    TABLES,
    Left,
    Standing,
)
from casework.intake.feed.row_mac import (
    COVERED,
    MacSet,
    MakeMac,
    Stated,
    as_mac,
    as_written,
    row_mac,
)
from casework.intake.feed.tables import (
    borrowers,
    contacts,
    feed_runs,
    repayments,
    snapshots,
)
from casework.lifecycle.tables import institutions
from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.check.rows_left import told_by
from casework.log.format.entry import Entry
from casework.log.stored import as_stored
from casework.personal import DoesNotOpen, Vault

FEEDS: Final = PREFIX
"""The streams that `RowsReplay` follows."""
_AT_ONCE: Final = 2_000
_SHOWN: Final = 100
_KEY: Final[Mapping[str, tuple[str, ...]]] = {
    "loans": ("loan_id",), "borrowers": ("institution", "borrower_id"),
    "contacts": ("id", "institution", "borrower_id"), "repayments": ("institution", "payment_id"),
}  # fmt: skip
"""What a finding names a row by."""
_MUST_BE_ENTERED: Final = (runs.APPLIED, runs.AWAITING, runs.PAYMENTS)


class _Brought(msgspec.Struct):
    """What the entry of an applied run says of its rows; one of repayments alone has no snapshot."""

    run: int
    run_sha256: str
    repayments: Stated
    snapshot_sha256: str | None = None


@dataclass(slots=True)
class _Said:
    """What the sound streams say: by institution what its newest entry left, by run what its entry has of it."""

    standing: defaultdict[str, Standing] = field(default_factory=lambda: defaultdict(Standing))
    runs: dict[int, str] = field(default_factory=dict)
    brought: dict[int, _Brought] = field(default_factory=dict)
    institutions: dict[int, str] = field(default_factory=dict)  # whose run it is
    kept: dict[KeptLoans, str] = field(default_factory=dict)
    unsound: set[str] = field(default_factory=set)


class RowsReplay:
    """A follower of the streams of feeds."""

    def __init__(
        self, conn: Connection, mac_key: bytes, vault: Vault, report: Report, loans_dir: Path | None = None
    ) -> None:
        """`loans_dir`: where the loans of past days lie; none where nobody looks at them."""
        self._conn = conn
        self._mac_key = mac_key
        self._vault = vault
        self._report = report
        self._loans_dir = loans_dir
        self._said = _Said()

    def follow(self, entry: Entry) -> None:
        """What the entry states of rows."""
        data, said = entry.data, self._said
        told_by(entry, self._report)
        if entry.event == REFUSED:
            said.runs[data["run"]] = data["run_sha256"]
        institution = entry.stream.removeprefix(f"{PREFIX}:")
        if LEFT in data:
            said.standing[institution] = Standing(msgspec.convert(data[LEFT], Left))
        if SWAPPED in data:
            said.standing[institution].swap(data)
        if entry.event in (APPLIED, PAYMENTS_TAKEN):
            brought = msgspec.convert(data, _Brought)
            said.runs[brought.run], said.brought[brought.run] = brought.run_sha256, brought
            said.institutions[brought.run] = institution
        if KEPT in data:
            said.kept.setdefault(msgspec.convert(data[KEPT], KeptLoans), entry.stream)

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:  # noqa: ARG002  (rows are compared at the end)
        """The stream has ended."""
        if not sound:
            self._said.unsound.add(stream.removeprefix(f"{PREFIX}:"))

    def finish(self) -> None:
        """Compare the rows, but for sets of which an unsound stream would have to tell."""
        for table in TABLES:
            self._compare_table(table)
        self._compare_payments()
        self._compare_runs()
        self._compare_dates()
        self._compare_kept()

    # ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _compare_table(self, table: sa.Table) -> None:
        held = self._sets(table, "institution")
        for institution in sorted(held.keys() | self._said.standing.keys(), key=str):
            standing = self._said.standing.get(institution, Standing())
            are = standing.before(table.name, held.get(institution, MacSet()))
            self._differ(table, institution, are, getattr(standing.left, table.name))

    def _compare_payments(self) -> None:
        held = self._sets(repayments, "run_id")
        stated = {run: brought.repayments for run, brought in self._said.brought.items()}
        for run in sorted(held.keys() | stated.keys(), key=str):
            are = held[run].stated() if run in held else NONE
            self._differ(repayments, self._said.institutions.get(run), are, stated.get(run, NONE), run=run)

    def _differ(self, table: sa.Table, institution: Any, are: Stated, stated: Stated, **where: Any) -> None:
        if are != stated and institution not in self._said.unsound:
            detail = {"table": table.name, "rows": are.rows, "left": stated.rows, **where}
            self._report.find("rows_not_as_left", f"{PREFIX}:{institution}", **detail)

    def _sets(self, table: sa.Table, by: str) -> dict[Any, MacSet]:
        """The MACs of all rows by a column; rows whose MAC does not hold are reported, the first hundred by name."""
        covered, keys = COVERED[table.name], _KEY[table.name]
        names = tuple(dict.fromkeys((*covered, *keys, "mac")))
        mac_of, many, place = row_mac(self._mac_key, table.name), len(covered), names.index(by)
        held: defaultdict[Any, MacSet] = defaultdict(MacSet)
        wrong = 0
        wanted = as_stored(table, names, self._conn.dialect.name)
        for batch in self._conn.execute(wanted, execution_options={"yield_per": _AT_ONCE}).partitions():
            for row in batch:
                mac = row[-1]
                held[row[place]].add(as_mac(mac))
                if not _holds(mac_of, as_written(table.name, row[:many]), mac):
                    wrong += 1
                    if wrong <= _SHOWN:
                        self._wrong(table, row, {name: getattr(row, name) for name in keys})
            self._report.rows += len(batch)
        if wrong > _SHOWN:
            self._report.find("row_changed", table=table.name, rows=wrong)
        return held

    def _wrong(self, table: sa.Table, row: Any, key: dict[str, Any]) -> None:
        self._report.find("row_changed", table=table.name, **key)
        moved = [name for name, place in _places(table, row).items() if not self._opens(place, getattr(row, name))]
        if moved:
            self._report.find("sealed_value_moved", table=table.name, columns=moved, **key)

    def _opens(self, place: str, sealed: Any) -> bool:
        try:
            return sealed is None or bool(self._vault.open(place, bytes(sealed)))
        except (DoesNotOpen, TypeError, ValueError):
            return False

    # ── runs, their snapshots, and the business date ────────────────────────────────────────────────────────────────

    def _compare_runs(self) -> None:
        said, met = self._said, set()
        wanted = as_stored(feed_runs, runs.ROW, self._conn.dialect.name).order_by(feed_runs.c.id)
        for row in self._conn.execute(wanted, execution_options={"yield_per": _SHOWN}):
            stated = said.runs.get(row.id)
            met.add(row.id)
            if stated is None and row.status in _MUST_BE_ENTERED and not said.unsound:
                self._report.find("row_without_entries", table=feed_runs.name, run=row.id)
            elif stated is not None and stated != _digest(row):
                self._report.find("row_differs", f"{PREFIX}:{row.institution}", table=feed_runs.name, run=row.id)
        for run in sorted(said.runs.keys() - met):
            self._report.find("row_differs", table=feed_runs.name, run=run, missing=True)
        self._compare_snapshots()

    def _compare_snapshots(self) -> None:
        stated = {
            run: brought.snapshot_sha256 for run, brought in self._said.brought.items() if brought.snapshot_sha256
        }  # fmt: skip
        wanted = as_stored(snapshots, ("run_id", "rows"), self._conn.dialect.name).order_by(snapshots.c.run_id)
        held = {run: _sha256(packed) for run, packed in self._conn.execute(wanted, execution_options={"yield_per": 4})}
        for run in sorted(stated.keys() | held.keys(), key=str):
            if stated.get(run) != held.get(run) and not self._said.unsound:
                self._report.find("row_differs", table=snapshots.name, run=run, missing=run not in held)

    def _compare_dates(self) -> None:
        wanted = as_stored(institutions, ("institution", "business_date"), self._conn.dialect.name)
        held: dict[Any, Any] = {row[0]: row[1] for row in self._conn.execute(wanted)}
        stated = {
            institution: standing.left.business_date.isoformat()
            for institution, standing in self._said.standing.items()
            if standing.left.business_date is not None
        }  # fmt: skip
        for institution in sorted(held.keys() | stated.keys(), key=str):
            if held.get(institution) == stated.get(institution) or institution in self._said.unsound:
                continue
            code = "row_differs" if institution in stated else "row_without_entries"
            self._report.find(code, f"{PREFIX}:{institution}", table=institutions.name, columns=["business_date"])

    # ── the loans of past days ──────────────────────────────────────────────────────────────────────────────────────

    def _compare_kept(self) -> None:
        """A file that was changed is a finding; one that is not there accuses nobody: its day can be known no more."""
        if self._loans_dir is None:
            return
        for kept, stream in self._said.kept.items():
            fault = fault_of(self._loans_dir, kept)
            self._report.kept_files += fault is None
            if fault == "changed":
                self._report.find("kept_loans_changed", stream, None, file=kept.file)
            elif fault == "missing":
                self._report.doubt("kept_loans_missing", file=kept.file)


def _holds(mac_of: MakeMac, values: tuple[Any, ...], mac: Any) -> bool:
    try:
        return bool(mac_of(values) == mac)
    except (TypeError, ValueError, OverflowError):  # a value that is not of its column's kind
        return False


def _digest(row: Any) -> str | None:
    try:
        return runs.row_digest(row)
    except (TypeError, ValueError, OverflowError):
        return None


def _sha256(packed: Any) -> str | None:
    return hashlib.sha256(packed).hexdigest() if isinstance(packed, (bytes, memoryview)) else None


def _places(table: sa.Table, row: Any) -> dict[str, str]:
    """Where the sealed values of a row lie, by column; none where the row says what no key is."""
    try:
        if table is borrowers:
            customer = Customer(row.institution, row.borrower_id)
            return {f"{field}_sealed": sealed_cells.of_borrower(customer, field) for field in ("name", "id_number")}
        if table is contacts:
            return {f"{part}_sealed": cell_of_contact(row, part) for part in CONTACT_FIELDS}
    except (TypeError, AttributeError):
        return {}
    return {}
