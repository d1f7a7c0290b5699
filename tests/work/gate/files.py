"""Contact files, holds and feeds of a folder, read straight from CSV for the pure judge: no database, no import."""

import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from casework.customer import Customer
from casework.work.contacts.contact import PARTIES, Contact
from casework.work.contacts.results import Results
from casework.work.gate.standing import Arrears, OnRecord, Span, Standing

ZONE = ZoneInfo("Asia/Shanghai")
OF_THE_LOAN = {"dispute", "legal"}


@dataclass(frozen=True)
class Files:
    """What the pure judge needs of one folder of contact files over a folder of feeds."""

    contacts: list[Contact]
    standings: dict[Customer, Standing]
    expected: dict[str, Any]
    debtor_of: dict[str, str]


def rows(folder: Path, name: str) -> Iterator[dict[str, str]]:
    """The rows of the files of that name, packed or not."""
    for path in sorted([*folder.glob(name), *folder.glob(f"{name}.gz")]):
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig")
        yield from csv.DictReader(text.splitlines())


def instant(text: str) -> datetime:
    """A time with its offset, or a date that means its 00:00 in branch time."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=ZONE)


def read(folder: Path, feeds: Path, results: Results) -> Files:
    """Everything of the folder; rows that are spoilt, and repeats, are left out."""
    debtor_of: dict[str, str] = {}
    record: dict[str, list[OnRecord]] = defaultdict(list)
    arrears: dict[str, dict[date, int]] = defaultdict(dict)
    days = sorted(date.fromisoformat(one.name) for one in feeds.iterdir())
    for day in days:
        of_day = feeds / day.isoformat()
        debtor_of |= {row["loan_id"]: row["borrower_id"] for row in rows(of_day, "loans-*.csv")}
        for row in rows(of_day, "contacts-*.csv"):
            number = row["phone"].encode() or None
            record[row["borrower_id"]].append(OnRecord(row["role"], number, datetime.combine(day, time(), ZONE)))
        for row in rows(of_day, "overdue-*.csv"):
            dpd = (day - date.fromisoformat(row["oldest_due_date"])).days
            of_debtor = arrears[debtor_of[row["loan_id"]]]
            of_debtor[day] = max(of_debtor.get(day, 0), dpd)
    holds: dict[str, list[Span]] = defaultdict(list)
    for row in rows(folder, "holds.csv"):
        loan = row["loan_id"]
        until = instant(row["until"]) if row["until"] else None
        bound = loan if row["hold"] in OF_THE_LOAN else None
        holds[debtor_of[loan]].append(Span(row["hold"], instant(row["from"]), until, bound))
    contacts: dict[str, Contact] = {}
    for one in _contacts(folder, debtor_of, results):
        contacts.setdefault(one.contact_ref, one)
    standings = {
        Customer("one", debtor): Standing(
            on_record=tuple(record[debtor]), holds=tuple(holds[debtor]), arrears=Arrears(days, arrears[debtor])
        )
        for debtor in {one.borrower_id for one in contacts.values()} | holds.keys()
    }
    return Files(list(contacts.values()), standings, json.loads((folder / "expected.json").read_bytes()), debtor_of)


def _contacts(folder: Path, debtor_of: dict[str, str], results: Results) -> Iterator[Contact]:
    files = sorted(folder.glob("calls-*.csv"))
    known = ((date.fromisoformat(path.stem[6:]), row) for path in files for row in rows(folder, path.name))
    for known_on, row in known:
        result = results.of(row["result"])
        debtor = debtor_of.get(row["loan_id"])
        if result is None or debtor is None or row["party"] not in PARTIES or row["channel"] not in result.on:
            continue
        try:
            started_at = datetime.fromisoformat(row["started_at"])
            ended_at = datetime.fromisoformat(row["ended_at"]) if row["ended_at"] else None
        except ValueError:
            continue
        spoilt = started_at.tzinfo is None or (ended_at is not None and ended_at < started_at)
        other = row["borrower_id"] not in {"", debtor}
        if spoilt or other or not (row["phone"] or row["address"]):
            continue
        yield Contact(
            institution="one",
            source="file",
            contact_ref=row["contact_ref"],
            loan_id=row["loan_id"],
            borrower_id=debtor,
            party=row["party"],
            channel=row["channel"],
            started_at=started_at,
            result=result.code,
            outcome=result.outcome_with(row["party"]),
            recorded_at=datetime.combine(known_on, time(23), ZONE),
            number=row["phone"].encode() or None,
            has_address=bool(row["address"]),
            ended_at=ended_at,
        )
