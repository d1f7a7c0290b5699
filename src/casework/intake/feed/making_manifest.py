"""The manifest of a folder whose files were mended, or came without one."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from casework.errors import CallerError
from casework.intake.feed.control_sum import AMOUNTS, ControlSum
from casework.intake.feed.headers import KINDS, Kind, understand
from casework.intake.feed.manifest import FILE_LIMIT, MANIFEST, FeedManifest, FileEntry, read_bounded, read_manifest
from casework.intake.feed.sheet import read_rows
from casework.written_file import written_to

_NAMED: Final = re.compile(rf"({'|'.join(KINDS)})(?![a-z]).*\.(?:csv|csv\.gz|xlsx)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Stated:
    """What a manifest is to say of the day; what the folder's own says is kept where this is silent."""

    as_of: date | None = None
    institution: str | None = None


def make_manifest(folder: Path, stated: Stated, put: Mapping[Kind, str] = MappingProxyType({})) -> FeedManifest:
    """Count, add up and digest the files of `folder`, and write its manifest: whole, or not at all.

    The files are those that the manifest there names; without one each kind's, by the word that its name begins with
    (`loans.csv`, `overdue-2026-03-01.xlsx`). Rows that an import would set aside count too.
    `put`: names in the place of those.

    `CallerError`: folder_missing, manifest_missing (nobody said `as_of` or `institution`), manifest_malformed,
    file_missing, and what the files themselves are refused for.
    """
    before = _before(folder)
    as_of = stated.as_of or (before.as_of if before else None)
    institution = stated.institution or (before.institution if before else None)
    if as_of is None or institution is None:
        raise CallerError(
            "manifest_missing",
            "目录中没有 manifest.json：须说明数据日期和机构",
            "there is no manifest.json in the folder: say the business date and the institution",
        )
    names = names_in(folder)
    names |= put
    made = FeedManifest(as_of, institution, [_entry(folder, kind, name) for kind, name in names.items()])
    content = msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"
    msgspec.json.decode(content, type=FeedManifest)  # what cannot be read again is not written
    written = folder / f".{MANIFEST}.new"
    with written_to(folder / MANIFEST):
        written.write_bytes(content)
        written.replace(folder / MANIFEST)
    return made


def names_in(folder: Path) -> dict[Kind, str]:
    """The files of a folder by kind: as its manifest has them, else by their names. CallerErrors as `make_manifest`."""
    before = _before(folder)
    return {entry.kind: entry.name for entry in before.files} if before else _found(folder)


def _before(folder: Path) -> FeedManifest | None:
    try:
        return read_manifest(folder)
    except CallerError as error:
        if error.code == "manifest_missing":
            return None
        raise


def _found(folder: Path) -> dict[Kind, str]:
    found: dict[Kind, list[str]] = {kind: [] for kind in KINDS}
    for name in sorted(path.name for path in folder.iterdir()):
        if (named := _NAMED.fullmatch(name)) is not None:
            found[next(kind for kind in KINDS if kind == named[1].lower())].append(name)
    for kind, names in found.items():
        if len(names) > 1:
            raise CallerError("manifest_malformed", reason=f"{' and '.join(names)} are both a file of {kind}")
    if not found["overdue"]:
        raise CallerError("file_missing", file="overdue.csv")
    return {kind: names[0] for kind, names in found.items() if names}


def _entry(folder: Path, kind: Kind, name: str) -> FileEntry:
    try:
        content = read_bounded(folder, name, FILE_LIMIT)
    except FileNotFoundError:
        raise CallerError("file_missing", file=name) from None
    lines = iter(read_rows(content, name))
    header = understand(kind, next(lines, (1, []))[1])
    control, rows = ControlSum(kind, header.positions), 0
    for _, cells in lines:
        rows += 1
        control.add_text(cells, readable=len(cells) == len(header.names))
    sum_fen = control.sum_fen if AMOUNTS[kind] else None
    return FileEntry(name, kind, rows, hashlib.sha256(content).hexdigest(), sum_fen)
