"""Feed files as a core-banking system would leave them: the formats that really come, and a manifest."""

import csv
import gzip
import hashlib
import io
from collections.abc import Collection, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec
import xlsxwriter

from casework.intake.feed.headers import COLUMNS, NOT_MISSED, Kind

Form = Literal["csv", "csv_bom", "csv_gb18030", "csv_gz", "xlsx"]
INSTITUTION: Final = "demo"
_SUFFIX: Final = {"csv": "csv", "csv_bom": "csv", "csv_gb18030": "csv", "csv_gz": "csv.gz", "xlsx": "xlsx"}


class FeedFile(NamedTuple):
    """One file to be: rows of text cells in the order of its `header`."""

    kind: Kind
    rows: Sequence[Sequence[str]]
    control_sum_fen: int | None
    form: Form = "csv"
    more: tuple[str, ...] = ()  # columns beyond the usual ones, behind them


def write_folder(folder: Path, as_of: date, files: Sequence[FeedFile]) -> Path:
    """Write the files and their manifest; the same content gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for file in files:
        content = _content(file)
        name = f"{file.kind}-{as_of.isoformat()}.{_SUFFIX[file.form]}"
        (folder / name).write_bytes(content)
        entry = {
            "name": name,
            "kind": file.kind,
            "rows": len(file.rows),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        if file.control_sum_fen is not None:
            entry["control_sum_fen"] = file.control_sum_fen
        entries.append(entry)
    manifest = {"as_of": as_of.isoformat(), "institution": INSTITUTION, "files": entries}
    (folder / "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    return folder


def header(kind: Kind, *, chinese: bool = False, more: Collection[str] = ()) -> list[str]:
    """The header of a file of `kind`, in English or as a Chinese system would write it."""
    columns = [column for column in COLUMNS[kind] if column.name not in NOT_MISSED or column.name in more]
    return [column.aliases[0] if chinese else column.name for column in columns]


def _content(file: FeedFile) -> bytes:
    if file.form == "xlsx":
        return _xlsx(file)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header(file.kind, chinese=file.form == "csv_gb18030", more=file.more))
    writer.writerows(file.rows)
    text = out.getvalue()
    match file.form:
        case "csv_gb18030":
            return text.encode("gb18030")
        case "csv_bom":
            return text.encode("utf-8-sig")
        case "csv_gz":
            return gzip.compress(text.encode(), compresslevel=6, mtime=0)
        case _:
            return text.encode()


def _xlsx(file: FeedFile) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False}) as book:
        book.set_properties({"created": datetime(2024, 1, 1)})  # noqa: DTZ001 - the file format knows no zone
        sheet = book.add_worksheet(file.kind)
        for number, cells in enumerate([header(file.kind, chinese=True, more=file.more), *file.rows]):
            sheet.write_row(number, 0, cells)
    return out.getvalue()
