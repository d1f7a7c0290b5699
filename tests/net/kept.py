"""A log as the code of a day wrote it, kept: a small branch's database, its keys, a bundle, and what was handed out.

`python -m tests.net.kept` makes `kept/log.zip` anew, with the code that is checked out. That is done before a change of
which it is to be shown that logs of before it still verify, or are refused by name; not to make a red test green. The
keys in it have never been used for anything else.
"""

import shutil
import tempfile
import zipfile
from pathlib import Path

from tests.net import house as ways
from tests.net import options
from tests.net.house import DAYS_PAST_DUE, LATER, NEXT, TODAY, WRITE_OFF, House
from tests.net.outside import Branch

KEPT = Path(__file__).with_name("kept") / "log.zip"
_ON_THE_BOOKS = "4.books"
"""A loan that was never in arrears."""
_OF_CASE = "5"
"""The case whose dossier is handed out."""
_TIMES = (1980, 1, 1, 0, 0, 0)


def branch_in(folder: Path) -> Branch:
    """The branch whose database and keys lie in the folder."""
    return Branch(
        {"CASEWORK_DATABASE_URL": f"sqlite:///{folder / 'casework.db'}", "CASEWORK_KEYS_DIR": str(folder / "keys")},
        folder,
    )


def _recalled(house: House, loan: str) -> None:
    ways.placed(house, loan)
    house.fire(loan, "G1", "recall", reason="branch_decision", destruction_due_on=LATER)


def _withdrawn(house: House, loan: str) -> None:
    ways.sued(house, loan)
    house.fact(loan, "A1", "ruling", outcome="withdrawal_allowed")
    house.fire(loan, "A1", "withdraw", reason="agreement")


def _booked_in_error(house: House, loan: str) -> None:
    ways.written_off(house, loan)
    house.cleared(loan, "undo_write_off", booking="b:1")


def _found(house: House, loan: str) -> None:
    ways.visited(house, loan)
    photo = f"sha256:{'2' * 64}"
    house.fact(loan, "system", "visit", outcome="found", photo=photo, person_met="debtor", address_kind="home")
    house.fire(loan, "P1", "found")


def _refused(house: House, loan: str) -> None:
    number = house.cases[loan]
    for who, event, data in (("P1", "start_visit", ways.VISIT), ("P1", "reached", {}), ("T1", "write_off", WRITE_OFF)):
        answer = house.api.ask(who, "POST", f"/cases/{number}/events", {"event": event, "data": data})
        assert answer.status_code in (403, 409), answer.text
    house.api.post("T1", f"/cases/{number}/notes", {"text": "客户称月底还款"})


_JOURNEYS = {
    "recalled": _recalled, "withdrawn": _withdrawn, "booked-in-error": _booked_in_error, "found": _found,
}  # fmt: skip


def lived(branch: Branch) -> None:
    """A case in each state and some more, what was undone and refused, a borrower erased, a legal hold, a hand-over."""
    branch.do("db", "upgrade")
    ways.staffed(branch)
    branch.do("staff", "add", "R2", "员工R2", "--post", "business_rep", "--team", "T1", "--joined", "2024-01-01")
    branch.do("staff", "absent", "T1", "--from", "2024-06-12", "--until", "2024-06-14", "--deputy", "P1")
    loans = {**options.loans(), **{f"5.{name}": DAYS_PAST_DUE for name in _JOURNEYS}}
    cases = ways.opened(branch, loans, options.principals())
    held = options.loan_of("held")
    with branch.served() as api:
        house = House(branch, api, cases)
        ways.brought(house, options.states())
        for name, work in _JOURNEYS.items():
            work(house, f"5.{name}")
        stay = [ways.overdue_row(loan, days) for loan, days in loans.items() if loan != options.loan_of("settled")]
        books = [ways.loan_row(loan, options.principals().get(loan, "50000.00")) for loan in (*loans, _ON_THE_BOOKS)]
        branch.feed(NEXT.isoformat(), loans=books, overdue=stay)
        branch.feed(TODAY.isoformat(), overdue=stay)
        options.prepare(house)
        _refused(house, held)
    branch.do("privacy", "hold", f"B-{held}", "--reason", "complaint", "--as", "A1")
    branch.do("privacy", "erase", f"B-{_ON_THE_BOOKS}", "--basis", "unlawful", "--as", "B1", "--yes")
    branch.do("handover", "plan", "R1", "--to", "R2", "--as", "B1")
    branch.do("handover", "approve", "1", "--as", "V1")
    branch.do("handover", "apply", "1", "--as", "B1")


def handed_out(branch: Branch, folder: Path) -> None:
    """The log sealed and exported; a checkpoint, the key, a receipt and a dossier beside it."""
    branch.do("audit", "seal")
    branch.do("audit", "heads")
    (folder / "checkpoint").write_text(branch.do("audit", "checkpoint").out)
    (folder / "verifier").write_text(branch.do("keys", "show").out)
    (folder / "receipt").write_text(branch.do("audit", "receipt", f"case:{_OF_CASE}:1").out)
    branch.do("case", "dossier", _OF_CASE, "--out", folder / "dossier.json", "--as", "AUD1")
    branch.do("audit", "export", folder / "bundle", "--as", "AUD1")


def unpacked(folder: Path) -> Path:
    """What is kept, in this folder."""
    with zipfile.ZipFile(KEPT) as packed:
        packed.extractall(folder)
    for key in (folder / "keys").iterdir():
        key.chmod(0o600)
    (folder / "keys").chmod(0o700)
    return folder


def _packed(folder: Path, names: tuple[str, ...]) -> None:
    KEPT.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(KEPT, "w", zipfile.ZIP_LZMA) as packed:
        for name in names:
            place = folder / name
            for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
                if file.is_file():
                    packed.writestr(
                        zipfile.ZipInfo(str(file.relative_to(folder)), _TIMES), file.read_bytes(), zipfile.ZIP_LZMA
                    )


def main() -> None:
    """Make it anew."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        branch = branch_in(folder)
        lived(branch)
        handed_out(branch, folder)
        branch.do("db", "backup", folder / "copy.db")  # without what was deleted, and all in one file
        (folder / "casework.db").unlink()
        shutil.move(folder / "copy.db", folder / "casework.db")
        _packed(
            folder,
            ("casework.db", "casework.db.loans", "keys", "bundle", "checkpoint", "verifier", "receipt", "dossier.json"),
        )
        print(f"{KEPT}: {KEPT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
