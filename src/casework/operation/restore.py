"""Restoring a backup: into an empty database only, and only one whose whole log verifies."""

import hmac
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec
import sqlalchemy as sa

from casework.address import parse_url
from casework.clock import now
from casework.errors import CallerError
from casework.evidence.verifying import verify
from casework.log.check.findings import Report
from casework.log.write.kept import measure, sync
from casework.operation.backed_loans import loans_path, unpack
from casework.operation.backup import (
    FORMAT,
    SQLITE_SUFFIXES,
    BackupManifest,
    beside,
    check_sound,
    contents_of,
    mac_of,
    manifest_path,
    run_tool,
)
from casework.operation.startup import fingerprints
from casework.personal import Vault
from casework.settings import Keys, Settings, load_keys
from casework.storage import migrate
from casework.storage.database import disposing, open_engine, reading
from casework.written_file import written_to

_NOT_IN_THE_DATABASE: Final = {"kept_loans_missing", "kept_loans_changed"}
"""Told of what was restored, and no reason to go without the database."""
_MANIFEST_AT_MOST: Final = 64 * 1024  # bytes
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Restored:
    """What came of a restore; `moved_away` is where the database that stood there before is now."""

    manifest: BackupManifest
    report: Report
    moved_away: Path | None = None


def restore(
    settings: Settings, file: Path, *, replace_old: bool = False, progress: Progress = lambda _: None
) -> Restored:
    """Put a backup into an empty database and verify its whole log before it counts as restored.

    SQLite: everything is checked in a file beside, which becomes the database only when it is sound;
    `replace_old` moves an existing one away first. PostgreSQL: into a database without tables.

    CallerErrors: manifest_missing, manifest_malformed, manifest_forged, backup_missing, backup_damaged,
    backup_of_other_kind, backup_of_newer_schema, key_missing, key_wrong, database_not_empty, pg_tool_missing,
    pg_tool_failed, contents_differ, guards_missing, restored_unsound. After the last three, on PostgreSQL,
    the unsound data are left in the database to be looked at.
    """
    keys = load_keys(settings.keys_dir)
    manifest = read_manifest(file, keys)
    url = parse_url(settings.database_url)
    if manifest.kind != url.get_backend_name():
        raise CallerError(
            "backup_of_other_kind",
            f"备份来自{manifest.kind}，数据库是{url.get_backend_name()}",
            f"the backup is of {manifest.kind}, the database is {url.get_backend_name()}",
        )
    check_file(file, manifest.bytes, manifest.sha256)
    if manifest.loans is not None:
        check_file(loans_path(file), manifest.loans.bytes, manifest.loans.sha256)
    job = _Job(settings, file, manifest, keys, progress)
    if manifest.kind == "sqlite":
        return job.into_sqlite(Path(str(url.database)), replace_old=replace_old)
    return job.into_postgresql()


def read_manifest(file: Path, keys: Keys) -> BackupManifest:
    """The manifest of a backup, made by this branch's service and fitting these keys."""
    place = manifest_path(file)
    try:
        with place.open("rb") as opened:
            raw = opened.read(_MANIFEST_AT_MOST)
        manifest = msgspec.json.decode(raw, type=BackupManifest)
    except OSError:
        raise CallerError(
            "manifest_missing", f"缺少备份清单 {place.name}", f"the backup's manifest {place.name} is missing"
        ) from None
    except msgspec.DecodeError:
        raise _malformed(place) from None
    if manifest.format != FORMAT:
        raise _malformed(place)
    ours = fingerprints(keys)
    wrong = sorted(name for name, text in ours.items() if manifest.key_fingerprints.get(name) != text)
    if wrong:
        raise CallerError("key_wrong", keys=wrong)
    if not hmac.compare_digest(manifest.mac, mac_of(keys, manifest)):
        raise CallerError("manifest_forged")
    if manifest.contents.revision not in migrate.known_revisions():
        raise CallerError("backup_of_newer_schema", revision=manifest.contents.revision)
    return manifest


def _malformed(place: Path) -> CallerError:
    return CallerError(
        "manifest_malformed",
        f"备份清单 {place.name} 格式不对",
        f"the backup's manifest {place.name} is malformed",
    )


def check_file(file: Path, bytes_: int, sha256: str) -> None:
    """CallerError `backup_damaged` unless the file is byte for byte the one the manifest speaks of."""
    try:
        size, digest = measure(file)
    except OSError:
        raise CallerError("backup_missing", file=file.name) from None
    if (size, digest) != (bytes_, sha256):
        raise CallerError(
            "backup_damaged", "备份文件与清单不符", "the backup file is not the one its manifest speaks of",
            file=file.name, bytes_expected=bytes_, bytes_found=size,
        )  # fmt: skip


@dataclass(frozen=True)
class _Job:
    settings: Settings
    file: Path
    manifest: BackupManifest
    keys: Keys
    progress: Progress

    def into_sqlite(self, target: Path, *, replace_old: bool) -> Restored:
        if target.exists() and not replace_old:
            raise _not_empty("use --replace to move the present one away")
        with written_to(target, "backup_unwritable"), beside(target) as temporary:
            shutil.copyfile(self.file, temporary)
            inside = replace(self.settings, database_url=f"sqlite:///{temporary}", database_owner_url=None)
            report = self._proved(inside)
            sync(temporary)
            old = _move_away(target) if target.exists() else None
            temporary.rename(target)
            sync(target.absolute().parent)
        return Restored(self.manifest, report, old)

    def into_postgresql(self) -> Restored:
        owner_url = self.settings.database_owner_url or self.settings.database_url
        engine = open_engine(owner_url, read_only=True)
        with disposing(engine), reading(engine) as conn:
            if sa.inspect(conn).get_table_names():
                raise _not_empty("restore into a database without tables")
        options = ("--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error")
        run_tool("pg_restore", parse_url(owner_url), *options, str(self.file))
        return Restored(self.manifest, self._proved(self.settings))

    def _proved(self, settings: Settings) -> Report:
        """What was restored is what the manifest says, its guards stand, its keys fit, its log verifies."""
        owner = open_engine(settings.database_owner_url or settings.database_url, read_only=True)
        with disposing(owner), reading(owner, snapshot=True) as conn:
            found = contents_of(conn)
        if found != self.manifest.contents:
            said, holds = msgspec.to_builtins(self.manifest.contents), msgspec.to_builtins(found)
            differing = [key for key in said if said[key] != holds[key]]
            raise CallerError(
                "contents_differ",
                f"恢复的内容与清单不符：{'、'.join(differing)}",
                f"what was restored is not what the manifest says: {', '.join(differing)}",
                differing=differing,
            )
        if self.manifest.loans is not None:
            with written_to(settings.loans_dir, "backup_unwritable"):
                unpack(loans_path(self.file), settings.loans_dir)
        migrate.upgrade(settings)  # grants the app role; brings an older backup to the present schema
        engine = open_engine(settings.database_url, read_only=True)
        with disposing(engine), reading(engine, snapshot=True) as conn:
            check_sound(conn, self.keys)
            vault = Vault(self.keys.personal, self.keys.blind)
            report = verify(conn, self.keys.mac, vault, loans_dir=settings.loans_dir, progress=self.progress)
        codes = sorted({finding.code for finding in (*report.findings, *report.doubts)} - _NOT_IN_THE_DATABASE)
        if codes:
            raise CallerError(
                "restored_unsound",
                f"备份中的审计日志未通过核对：{'、'.join(codes)}",
                f"the log in the backup does not verify: {', '.join(codes)}",
                findings=codes,
            )
        return report


def _not_empty(hint: str) -> CallerError:
    return CallerError("database_not_empty", "目标数据库不为空", f"the database is not empty; {hint}")


def _move_away(target: Path) -> Path:
    """The old database under another name, with what SQLite keeps beside it."""
    away = target.with_name(f"{target.name}.before-{now():%Y%m%dT%H%M%S.%fZ}")
    for suffix in ("", *SQLITE_SUFFIXES):
        part = Path(f"{target}{suffix}")
        if part.exists():
            part.rename(f"{away}{suffix}")
    return away
