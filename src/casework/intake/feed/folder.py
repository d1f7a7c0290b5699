"""A feed folder, read whole: `read_folder` gives a `Delivery` or one `CallerError`, and nothing in between.

The order is the point: the manifest, then every file's digest, then each file's header, rows, row count and
control sum. Rows that cannot be used are set aside with line, column and reason; only a folder that is not
what its manifest says is refused. Nothing here knows the database: loans unknown to the books are put aside
later (`FeedSheet.put_aside`).
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from casework.errors import CallerError
from casework.intake.feed.bounds import USUAL, Bounds, too_many_rows
from casework.intake.feed.cell_texts import TEXTS
from casework.intake.feed.delivery import Delivery
from casework.intake.feed.feed_sheet import FeedSheet, SetAside
from casework.intake.feed.headers import APART, SET_ASIDE_COLUMNS, Kind
from casework.intake.feed.manifest import FileEntry, read_file, read_files, read_manifest
from casework.intake.feed.read_apart import overdue_apart
from casework.intake.feed.read_sheet import read_sheet
from casework.storage.forked import AHEAD_FROM


def read_folder(path: Path, bounds: Bounds = USUAL, *, processes: int = 1) -> Delivery:
    """Read a feed folder whole, within `bounds`; of more than one of `processes` a second reads the overdue file.

    `CallerError`, and then nothing is to be imported: folder_missing, manifest_missing, manifest_malformed,
    file_missing, file_unreadable, file_too_large, file_cut, file_digest_differs, csv_malformed,
    column_missing, column_repeated, row_count_differs, control_sum_differs, too_many_rows, too_many_columns,
    row_too_long, too_many_set_aside.
    """
    manifest = read_manifest(path)
    for entry in manifest.files:
        if entry.rows > bounds.rows:
            raise too_many_rows(entry.name, bounds.rows)
    contents = read_files(path, manifest)
    sheets: dict[Kind, FeedSheet[Any]] = {}
    refused: dict[Kind, CallerError] = {}
    with ExitStack() as reading:
        read: dict[Kind, Callable[[], FeedSheet[Any]]] = {
            entry.kind: partial(_read, manifest.as_of, entry, contents, bounds, partial(read_file, path, entry))
            for entry in manifest.files
        }
        many = [entry.kind for entry in manifest.files if entry.rows >= AHEAD_FROM]
        if processes > 1 and len(many) > 1 and "overdue" in many:
            of_overdue = read.pop("overdue")
            read["overdue"] = reading.enter_context(overdue_apart(of_overdue, manifest.as_of))
        for kind, read_it in read.items():  # what is read apart is asked for at last
            try:
                sheets[kind] = read_it()
            except CallerError as mistake:
                refused[kind] = mistake
    if refused:
        raise _together([refused[entry.kind] for entry in manifest.files if entry.kind in refused])
    return Delivery(
        as_of=manifest.as_of,
        institution=manifest.institution,
        digest=manifest.digest,
        files=tuple(manifest.files),
        overdue=sheets["overdue"],
        loans=sheets.get("loans"),
        contacts=sheets.get("contacts"),
        repayments=sheets.get("repayments"),
    )


def _read(
    as_of: date, entry: FileEntry, contents: dict[Kind, bytes], bounds: Bounds, again: Callable[[], bytes]
) -> FeedSheet[Any]:
    """Of what is read nothing is kept but its rows."""
    return read_sheet(as_of, entry, contents.pop(entry.kind), bounds, again)


def _together(refused: Sequence[CallerError]) -> CallerError:
    """The first, which says what is wrong with the other files too."""
    first, *others = refused
    if not others:
        return first
    also = [{"code": one.code, "zh": one.zh, "en": str(one), **one.facts} for one in others]
    return CallerError(
        first.code, "；".join(one.zh for one in refused), "; ".join(map(str, refused)), **first.facts, more=also
    )


def set_aside_csv(kind: Kind, header: Sequence[str], rows: Iterable[SetAside]) -> str:
    """The set-aside rows as a CSV to be mended and fed again: the file's columns, then line and reason.

    The four columns at the end are known to the importer and not read. Cells are as they came, formulas too: for
    whoever may open it in a spreadsheet there is `safe_form.in_safe_form`.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*header, *SET_ASIDE_COLUMNS])
    width = len(header)
    for row in rows:
        cells = [*row.cells[:width], *[""] * (width - len(row.cells))]
        columns = APART.join(one.column or kind for one in row.notes)
        codes = APART.join(one.code for one in row.notes)
        zh, en = "；".join(TEXTS[one.code][0] for one in row.notes), APART.join(TEXTS[one.code][1] for one in row.notes)
        writer.writerow([*cells, row.line, columns, codes, f"{zh} / {en}"])
    return out.getvalue()
