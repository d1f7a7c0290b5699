"""The loans as each feed brought them, kept beside the database without names and ID numbers: for figures of past days.

A file for each day and content, written before the run commits; its digest stands in the run's entry. It is a zip
archive with a member a column, each one array of JSON in order of the file's rows: a column is read without the others,
and anybody's tools read it (decision 0037). A file that a rolled-back run has left is no entry's, and harms nobody.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import GenericAlias
from typing import Any, Final, Literal, NamedTuple, get_type_hints

import msgspec

from casework.errors import CallerError
from casework.intake.feed.row import LoanRow
from casework.log.write.kept import measure, write_whole

KEPT: Final = "kept_loans"
"""In the data of the entry of a run that brought a loans file."""
FORMAT: Final = "casework/loans/v1"
COLUMNS: Final = tuple(name for name in LoanRow._fields if name not in ("borrower_name", "id_number"))
_MEMBER: Final = "{}.json"
_ABOUT: Final = _MEMBER.format("about")
_LEVEL: Final = 1  # of deflate: a fifth larger than by 6, in a fifth of the time
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the first that a zip archive can say: the same rows make the same bytes
_DECODERS: Final[Mapping[str, msgspec.json.Decoder[list[Any]]]] = {
    name: msgspec.json.Decoder(GenericAlias(list, (kind,))) for name, kind in get_type_hints(LoanRow).items()
}

Fault = Literal["missing", "changed"]


class KeptLoans(msgspec.Struct, frozen=True):
    """What an entry says of the file: where it lies below the folder, how many rows, bytes, its SHA-256 in hex.

    `source_sha256` is that of the feed's own file.
    """

    file: str
    rows: int
    bytes: int
    sha256: str
    source_sha256: str


class LoansThen(NamedTuple):
    """The loans of an institution as a feed brought them: the day, the run, and the columns that were asked for."""

    as_of: date
    run: int
    columns: Mapping[str, Sequence[Any]]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Row by row, in order of the columns."""
        return zip(*self.columns.values(), strict=True)


@contextmanager
def keeping(
    folder: Path, institution: str, as_of: date, sheet: Sequence[LoanRow], source_sha256: str
) -> Iterator[KeptLoans]:  # fmt: skip
    """Write the rows below `folder`, unless they lie there: on the disk inside, gone again after an error there.

    CallerError `kept_loans_unwritable`.
    """
    data = _packed(institution, as_of, sheet)
    digest = hashlib.sha256(data).hexdigest()
    kept = KeptLoans(f"{institution}/{as_of}~{digest[:16]}.zip", len(sheet), len(data), digest, source_sha256)
    written = fault_of(folder, kept) is not None
    if written:
        with _writable():
            write_whole(folder / kept.file, data)
    try:
        yield kept
    except BaseException:
        if written:
            (folder / kept.file).unlink(missing_ok=True)
        raise


def fault_of(folder: Path, kept: KeptLoans) -> Fault | None:
    """What is wrong with the file; none if it is byte for byte the one that was kept."""
    path = folder / kept.file
    try:
        same = path.stat().st_size == kept.bytes and measure(path) == (kept.bytes, kept.sha256)
    except OSError:
        return "missing"
    return None if same else "changed"


def read(folder: Path, kept: KeptLoans, columns: Sequence[str] = COLUMNS) -> dict[str, list[Any]]:
    """Columns of the file, each value of its type; CallerErrors `kept_loans_missing`, `kept_loans_changed`."""
    try:
        with (folder / kept.file).open("rb") as file:
            data = file.read(kept.bytes + 1)
    except OSError:
        raise _unusable("missing", kept) from None
    if hashlib.sha256(data).hexdigest() != kept.sha256:
        raise _unusable("changed", kept)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: _DECODERS[name].decode(archive.read(_MEMBER.format(name))) for name in columns}


def _packed(institution: str, as_of: date, sheet: Sequence[LoanRow]) -> bytes:
    about = {"format": FORMAT, "institution": institution, "as_of": as_of, "rows": len(sheet), "columns": COLUMNS}
    whole = dict(zip(LoanRow._fields, zip(*sheet, strict=True), strict=True)) if sheet else dict.fromkeys(COLUMNS, ())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for member, content in ((_ABOUT, about), *((_MEMBER.format(name), whole[name]) for name in COLUMNS)):
            entry = zipfile.ZipInfo(member, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, msgspec.json.encode(content), compresslevel=_LEVEL)
    return packed.getvalue()


@contextmanager
def _writable() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise CallerError("kept_loans_unwritable", reason=reason) from exc


def _unusable(fault: Fault, kept: KeptLoans) -> CallerError:
    return CallerError(f"kept_loans_{fault}", file=kept.file)
