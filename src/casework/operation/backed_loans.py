"""The loans of past days beside a backup of the database: one archive of the files that its entries speak of."""

import hashlib
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from casework.customer import INSTITUTION
from casework.errors import CallerError
from casework.intake.feed.kept_loans import KeptLoans, fault_of
from casework.log.write.kept import write_whole

_NAME: Final = re.compile(rf"{INSTITUTION}/\d{{4}}-\d\d-\d\d~[0-9a-f]{{16}}\.zip", re.ASCII)


class BackedLoans(msgspec.Struct, forbid_unknown_fields=True):
    """What a backup's manifest says of the archive; `lacking`: files that were missing or changed when it was made."""

    file: str
    bytes: int
    sha256: str
    files: int
    lacking: int


def loans_path(file: Path) -> Path:
    """Where the archive of a backup lies."""
    return file.with_name(f"{file.name}.loans.zip")


def pack(loans_dir: Path, kept: Iterable[KeptLoans], target: Path) -> tuple[int, int]:
    """Put the files that are as they were kept into an archive; how many those are, and how many are not."""
    files = lacking = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:  # they are compressed already
        for one in kept:
            if fault_of(loans_dir, one) is None:
                archive.write(loans_dir / one.file, one.file)
                files += 1
            else:
                lacking += 1
    return files, lacking


def unpack(archive: Path, loans_dir: Path) -> None:
    """Put the archive's files where they belong, unless they lie there already.

    CallerError `backup_damaged` for a name that no kept file has.
    """
    with zipfile.ZipFile(archive) as packed:
        for name in packed.namelist():
            if _NAME.fullmatch(name) is None:
                raise CallerError("backup_damaged")
            data, place = packed.read(name), loans_dir / name
            if not place.exists() or hashlib.sha256(place.read_bytes()).digest() != hashlib.sha256(data).digest():
                write_whole(place, data)
