"""However large a feed becomes once it is read, an import holds little of it: more is refused by name."""

import gzip
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from casework.errors import CallerError
from casework.intake.feed.bounds import COLUMN_LIMIT, ROW_LIMIT_CHARACTERS, Bounds
from casework.intake.feed.delivery import Delivery
from casework.intake.feed.feed_sheet import NOTICES_KEPT
from casework.intake.feed.folder import read_folder
from casework.intake.feed.reconcile import unknown_loans
from casework.intake.feed.warned import warnings_of
from casework.settings import Settings
from tests.conftest import LONGER
from tests.feed.bank import DAY, Bank
from tests.feed.shell import environment

HEADER = "loan_id,oldest_due_date,overdue_principal,overdue_interest,overdue_penalty,outstanding_principal"
SMALL = Bounds(rows=50, aside=10, aside_bytes=20_000)


def good(number: int) -> str:
    return f"L{number},2024-05-01,1.00,0,0,1"


def deliver(folder: Path, content: bytes, rows: int, sum_fen: int = 0) -> Path:
    """A feed of nothing but this overdue file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "overdue").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    entry = {"name": "overdue", "kind": "overdue", "rows": rows, "sha256": digest, "control_sum_fen": sum_fen}
    manifest = {"as_of": DAY.isoformat(), "institution": "demo", "files": [entry]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def csv_of(*lines: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *lines, ""]).encode()


def workbook(sheet: str, shared: str = "") -> bytes:
    """A workbook of this sheet's XML."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("[Content_Types].xml", f'<Types xmlns="{package}/content-types"/>')
        parts.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        parts.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets>'
            "</workbook>",
        )
        parts.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/worksheet" '
            f'Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="{office}/sharedStrings" '
            'Target="sharedStrings.xml"/></Relationships>',
        )
        parts.writestr("xl/sharedStrings.xml", f'<sst xmlns="{main}"><si><t>{shared}</t></si></sst>')
        parts.writestr(
            "xl/worksheets/sheet1.xml", f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>'
        )
    return made.getvalue()


def inline(*cells: str) -> str:
    return "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in cells) + "</row>"


WIDE = HEADER + "".join(f",备注{number}" for number in range(300))
FAULTS: list[tuple[str, bytes, int, str]] = [
    ("the manifest states more rows", csv_of(good(1)), 51, "too_many_rows"),
    ("blank rows", csv_of(good(1), *[""] * 50), 1, "too_many_rows"),
    ("blank rows of a workbook", workbook(inline(*HEADER.split(",")) + inline("") * 51), 1, "too_many_rows"),
    ("many tiny rows set aside", csv_of(*["x"] * 11), 11, "too_many_set_aside"),
    ("rows that could be totals", csv_of(*["合计,,1.00,0,0,1"] * 11), 11, "too_many_set_aside"),
    ("huge cells set aside", csv_of(*["x" * 5_000] * 3), 3, "too_many_set_aside"),
    ("thousands of cells set aside", csv_of("x," * 400), 1, "too_many_set_aside"),
    ("a wide header kept with every row set aside", csv_of("x", header=WIDE), 1, "too_many_set_aside"),
    ("a header of thousands of columns", csv_of(header=HEADER + ",x" * COLUMN_LIMIT), 0, "too_many_columns"),
    ("one row that is the whole file", csv_of("x," * ROW_LIMIT_CHARACTERS), 1, "row_too_long"),
    ("one row of many lines", csv_of('"' + "x\n" * ROW_LIMIT_CHARACTERS), 1, "row_too_long"),
    ("one cell of a workbook", workbook(inline("x" * ROW_LIMIT_CHARACTERS)), 1, "row_too_long"),
]


@pytest.mark.parametrize(("content", "rows", "code"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_more_than_an_import_holds_is_refused_by_name(
    tmp_path: Path, content: bytes, rows: int, code: str, pack: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(CallerError) as told:
        read_folder(deliver(tmp_path, pack(content), rows), SMALL)
    assert told.value.code == code
    limits = [value for name, value in told.value.facts.items() if name.startswith("at_most")]
    assert limits
    assert all(str(limit) in str(told.value) for limit in limits[:1])


ALLOWED: list[tuple[str, bytes, int, int]] = [
    ("as many rows as there may be", csv_of(*map(good, range(50))), 50, 0),
    ("blank ones among them", csv_of(*map(good, range(40)), *[""] * 10), 40, 0),
    ("as many set aside as may be", csv_of(*map(good, range(40)), *["x"] * 10), 50, 10),
    (
        "a workbook's rows",
        workbook(inline(*HEADER.split(",")) + inline("L1", "2024-05-01", "1", "0", "0", "1") * 1),
        1,
        0,
    ),
    ("columns that nobody reads", csv_of(good(1) + "," * 94, header=HEADER + ",x" * 94), 1, 0),
]


@pytest.mark.parametrize(("content", "rows", "aside"), [a[1:] for a in ALLOWED], ids=[a[0] for a in ALLOWED])
def test_what_is_within_the_bounds_goes_in(tmp_path: Path, content: bytes, rows: int, aside: int) -> None:
    """The twin: a bound refuses what is beyond it and nothing else."""
    sheet = read_folder(deliver(tmp_path, content, rows, 100 * (rows - aside)), SMALL).overdue
    assert (len(sheet.rows), len(sheet.set_aside)) == (rows - aside, aside)


@pytest.mark.parametrize(("unknown", "refused"), [(10, False), (11, True)])
def test_rows_that_only_the_books_set_aside_have_the_same_bound(tmp_path: Path, unknown: int, refused: bool) -> None:
    sheet = read_folder(deliver(tmp_path, csv_of(*map(good, range(20))), 20, 2_000), SMALL).overdue
    faults = unknown_loans(sheet.rows, {f"L{number}" for number in range(20 - unknown)})
    if not refused:
        assert len(sheet.put_aside(faults).set_aside) == unknown
        return
    with pytest.raises(CallerError) as told:
        sheet.put_aside(faults)
    assert told.value.code == "too_many_set_aside"


def test_what_is_odd_is_counted_to_the_end_and_only_the_first_is_kept(bank: Bank, tmp_path: Path) -> None:
    odd = NOTICES_KEPT + 500
    header = HEADER + ",days_past_due"
    content = csv_of(*(f"{good(number)},7" for number in range(odd)), header=header)
    delivery: Delivery = read_folder(deliver(tmp_path, content, odd, 100 * odd))
    assert len(delivery.overdue.notices) == NOTICES_KEPT
    policy = bank.started.branch.rulebook.policies.at(DAY)
    assert warnings_of(delivery, None, {}, policy).counts["days_past_due_differs"] == odd


# ── what the whole command takes ────────────────────────────────────────────────────────────────────────────────────

MEASURED = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([done.returncode, done.stderr.split(":")[0], peak // 1024]))
"""
UNPACKED = 48 << 20  # bytes that an attack becomes: without bounds most of them take gibibytes
PEAK_MIB = 500
_ONE_DATABASE = pytest.mark.only("sqlite") if LONGER == 1 else pytest.mark.every_postgres
"""What reads a file knows of no database; on PostgreSQL too in the long run."""
ATTACKS: dict[str, tuple[Callable[[], bytes], str]] = {
    "tiny rows": (lambda: gzip.compress(csv_of() + b"x\n" * (UNPACKED // 2), 1), "too_many_set_aside"),
    "blank rows": (lambda: gzip.compress(csv_of() + b"\n" * UNPACKED, 1), "too_many_rows"),
    "one row": (lambda: gzip.compress(csv_of() + b"ab," * (UNPACKED // 3), 1), "row_too_long"),
    "one cell": (lambda: gzip.compress(csv_of() + b'"' + b"x" * UNPACKED, 1), "row_too_long"),
    "cells of a workbook": (lambda: workbook('<c r="A1"/>' * (UNPACKED // 3)), "file_too_large"),
    "rows of a workbook": (lambda: workbook("<row/>" * (UNPACKED // 6)), "column_missing"),
}


def measured(settings: Settings, folder: Path) -> tuple[int, str, int]:
    """Exit code, the refusal's code, and the most memory that the command or its import's process took (MiB)."""
    shell = [sys.executable, "-c", "from casework.cli import main; main()", "feed", "import", str(folder)]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *shell], env=environment(settings), capture_output=True, text=True, check=True
    )
    code, refusal, peak_mib = json.loads(done.stdout)
    return code, refusal, peak_mib


@_ONE_DATABASE
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_small_file_that_unpacks_to_much_is_refused_by_the_shell_in_little_memory(
    bank: Bank, tmp_path: Path, attack: str
) -> None:
    make, refusal = ATTACKS[attack]
    content = make()
    assert len(content) < 1_200_000
    code, told, peak_mib = measured(bank.started.settings, deliver(tmp_path / "feed", content, 1_000_000))
    assert (code, told) == (1, refusal)
    assert peak_mib < PEAK_MIB
