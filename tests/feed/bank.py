"""A bank in miniature for tests: writes feed folders with right manifests, imports them, looks at what came of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from casework.clock import now
from casework.demo.files import FeedFile, Form, write_folder
from casework.evidence.verifying import verify
from casework.intake.feed import institutions
from casework.intake.feed import run as runs
from casework.intake.feed.headers import COLUMNS, NOT_MISSED, Kind
from casework.intake.feed.load import ImportRequest, import_feed
from casework.log.check.findings import Report
from casework.log.tables import entries
from casework.operation.startup import Started
from casework.people.staff import register
from casework.people.staff.actor import Actor, system
from casework.rules.statechart.policy import Policies, Policy
from casework.settings import load_keys
from casework.storage.database import metadata, reading, writing
from casework.work.cases.tables import cases

INSTITUTION = "demo"
DAY = date(2024, 6, 3)
LONG_AGO = datetime(2024, 1, 1, 1, tzinfo=UTC)
Cells = Mapping[str, str]
_AMOUNTS: Mapping[Kind, tuple[str, ...]] = {
    "loans": ("outstanding_principal",),
    "overdue": ("overdue_principal", "overdue_interest", "overdue_penalty"),
    "repayments": ("amount",),
    "contacts": (),
}


def loan(number: int, **cells: str) -> dict[str, str]:
    """A row of `loans`: loan L<number> of borrower B<number>; names and numbers are nobody's."""
    return {
        "loan_id": f"L{number}", "borrower_id": f"B{number}", "borrower_name": f"甄不存{number}",
        "id_number": f"00000019900101{number:04}", "product": "consumer", "channel_code": "C1",
        "owner_staff_no": "S1", "team": "T1", "region": "R1", "disbursed_on": "2023-01-05", "self_payment": "yes",
        "principal": "60000.00", "outstanding_principal": "50000.00", "risk_class": "normal", "npl_since": "",
    } | cells  # fmt: skip


def contact(number: int, **cells: str) -> dict[str, str]:
    """A row of `contacts`: the debtor B<number> himself, with a phone that cannot be assigned."""
    return {
        "borrower_id": f"B{number}", "person_name": f"甄不存{number}", "role": "debtor", "relation": "",
        "phone": f"1200000{number:04}", "address_kind": "home", "address": f"虚构路{number}号",
        "source": "application_form", "legal_basis": "contract",
    } | cells  # fmt: skip


def arrears(number: int, days_past_due: int = 5, on: date = DAY, **cells: str) -> dict[str, str]:
    """A row of `overdue` of loan L<number>, that many days past due on the day `on`."""
    return {
        "loan_id": f"L{number}", "oldest_due_date": (on - timedelta(days=days_past_due)).isoformat(),
        "overdue_principal": "1000.00", "overdue_interest": "20.00", "overdue_penalty": "1.00",
        "outstanding_principal": "50000.00",
    } | cells  # fmt: skip


def paid(payment_id: str, number: int, on: date, amount: str = "1021.00", reverses: str = "") -> dict[str, str]:
    """A row of `repayments`."""
    return {
        "payment_id": payment_id, "loan_id": f"L{number}", "paid_on": on.isoformat(), "amount": amount,
        "reverses": reverses,
    }  # fmt: skip


def _fen(text: str) -> int:
    try:
        return round(float(text) * 100)
    except ValueError:
        return 0


def feed_file(kind: Kind, rows: Sequence[Cells], form: Form = "csv") -> FeedFile:
    """The file of these rows, with the control sum that is right for what can be read."""
    more = tuple(name for name in NOT_MISSED if any(name in row for row in rows))
    names = [column.name for column in COLUMNS[kind] if column.name not in NOT_MISSED or column.name in more]
    total = sum(_fen(row[name]) for row in rows for name in _AMOUNTS[kind])
    return FeedFile(
        kind,
        [[row.get(name, "") if name in more else row[name] for name in names] for row in rows],
        None if kind == "contacts" else total,
        form,
        more,
    )


def write(
    folder: Path,
    as_of: date,
    *,
    form: Form = "csv",
    institution: str = INSTITUTION,
    **files: Sequence[Cells] | None,
) -> Path:
    """A feed folder; `files` by kind."""
    sheets = [feed_file(kind, rows, form) for kind, rows in files.items() if rows is not None]  # type: ignore[arg-type]
    write_folder(folder, as_of, sheets)
    manifest = folder / "manifest.json"
    stated = msgspec.json.decode(manifest.read_bytes()) | {"institution": institution}
    manifest.write_bytes(msgspec.json.encode(stated))
    return folder


def somebody(staff_no: str, *posts: str) -> Actor:
    """Somebody with these posts, at the shell."""
    return Actor(staff_no, "staff", "cli", frozenset(posts))


@dataclass
class Bank:
    """Sends feeds to a branch and looks at what they did."""

    started: Started
    folder: Path
    sent: int = 0
    institution: str = INSTITUTION
    actor: Actor = field(default_factory=lambda: system("cli"))

    def send(
        self, as_of: date, overdue: Sequence[Cells], *, loans: Sequence[Cells] | None = None,
        contacts: Sequence[Cells] | None = None, repayments: Sequence[Cells] | None = None, actor: Actor | None = None,
        confirm: bool = False, correction: bool = False, form: Form = "csv",
    ) -> runs.Run:  # fmt: skip
        """Write a folder and import it; CallerError if it is refused."""
        self.sent += 1
        files = {"overdue": overdue, "loans": loans, "contacts": contacts, "repayments": repayments}
        folder = write(self.folder / str(self.sent), as_of, form=form, institution=self.institution, **files)
        return self.take(folder, actor=actor, confirm=confirm, correction=correction)

    def take(
        self, folder: Path, *, actor: Actor | None = None, confirm: bool = False, correction: bool = False
    ) -> runs.Run:
        """Import a folder."""
        request = ImportRequest(actor or self.actor, confirm_vanished=confirm, correction=correction)
        return import_feed(self.started.engine, self.started.branch, folder, request)

    def know(self, *institutions_: str) -> None:
        """As `casework institution add` of each: the branch takes their feeds too."""
        with writing(self.started.engine) as conn:
            trail = self.started.branch.trail(now())
            for institution in institutions_:
                institutions.add(conn, trail, system("cli"), institution)
            trail.write(conn)

    def staff(self, staff_no: str, *posts: str, region: str | None = None) -> Actor:
        """Somebody registered with these posts."""
        with writing(self.started.engine) as conn:
            trail = self.started.branch.trail(LONG_AGO)  # on every day of these tests they work here
            register.add(
                conn,
                trail,
                system("cli"),
                self.started.branch.rulebook.permissions,
                staff_no=staff_no,
                name="某员工",
                posts=posts,
                region=region,
            )
            trail.write(conn)
        return somebody(staff_no, *posts)

    def hold_to(self, *policies: Policy) -> None:
        """The branch has these policies, and no others."""
        branch = self.started.branch
        rulebook = replace(branch.rulebook, policies=Policies([*policies]))
        self.started = replace(self.started, branch=replace(branch, rulebook=rulebook))

    def set_figures(self, figures: Mapping[str, Any]) -> None:
        """Every policy of the branch has these figures in place of its own."""
        policies = self.started.branch.rulebook.policies.all
        self.hold_to(*(replace(one, figures={**one.figures, **figures}) for one in policies))

    def case(self, number: int | str) -> Any:
        """The latest case of loan L<number> (or of the loan of that name)."""
        return self.cases(number)[-1]

    def cases(self, number: int | str) -> list[Any]:
        """Every case of loan L<number> (or of the loan of that name), in order."""
        loan_id = number if isinstance(number, str) else f"L{number}"
        with reading(self.started.engine) as conn:
            found = conn.execute(sa.select(cases).where(cases.c.loan_id == loan_id).order_by(cases.c.id))
            return list(found)

    def story(self, case_id: int) -> list[str]:
        """The events of a case, in order."""
        return [body["event"] for body in self.bodies(f"case:{case_id}")]

    def bodies(self, stream: str) -> list[dict[str, Any]]:
        """The entries of a stream, decoded."""
        with reading(self.started.engine) as conn:
            wanted = sa.select(entries.c.body).where(entries.c.stream == stream).order_by(entries.c.stream_seq)
            return [msgspec.json.decode(bytes(body)) for body in conn.execute(wanted).scalars()]

    def dump(self, *without: str) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table, but those named."""
        with reading(self.started.engine, snapshot=True) as conn:
            return {
                table.name: sorted((tuple(row) for row in conn.execute(sa.select(table))), key=repr)
                for table in metadata.sorted_tables
                if table.name not in without
            }

    def runs(self, *, every: bool = True) -> list[runs.Run]:
        """The runs on record."""
        with reading(self.started.engine) as conn:
            return runs.runs(conn, every=every)

    def verified(self) -> Report:
        """The whole log verified, every case replayed and compared with its row."""
        keys = load_keys(self.started.settings.keys_dir)
        with reading(self.started.engine, snapshot=True) as conn:
            return verify(conn, keys.mac, self.started.branch.vault, loans_dir=self.started.settings.loans_dir)

    def assert_sound(self) -> None:
        """Nothing in the log or the rows is other than it should be."""
        report = self.verified()
        assert report.verdict == "sound", report.as_json()
