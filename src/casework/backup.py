"""Backups that are known to be whole: a copy of the database and, beside it, a manifest of what it holds.

Keys are never in a backup: whoever finds one reads no personal data in it and can forge no entry. They are to be
kept apart, and a backup without its keys cannot be restored.
"""

import hashlib
import hmac
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo
from sqlalchemy.engine import URL, Connection, Engine

from casework import migrate
from casework.append_only import missing_guards
from casework.audit.findings import Report
from casework.audit.tables import entries
from casework.cases.replay import verify
from casework.cases.tables import cases
from casework.clock import now
from casework.database import open_engine, parse_url, reading, translate
from casework.errors import CallerError, TryAgain
from casework.personal import Vault
from casework.settings import Keys, Settings, load_keys
from casework.startup import check_keys, check_schema, fingerprints

FORMAT: Final = "casework/backup/v1"
_LABEL: Final = b"casework/backup/v1\n"
_CHUNK: Final = 1 << 20
_MANIFEST_AT_MOST: Final = 64 * 1024  # bytes
_PREFIX: Final = ".casework-backup-"
Progress = Callable[[int], None]


class Contents(msgspec.Struct, forbid_unknown_fields=True):
    """What a database holds, as far as a copy of it must hold the same."""

    revision: str
    entries: int
    cases: int
    last_entry: str | None  # by id: the head of the log until checkpoints exist
    log_sha256: str  # over the leaf hashes of all entries in order of id


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """What stands beside a backup. `mac` is made with a key derived from the log's, so that nobody else can write it."""

    format: str
    kind: str  # sqlite | postgresql
    made_at: datetime
    file: str
    bytes: int
    sha256: str
    contents: Contents
    key_fingerprints: dict[str, str]  # the keys themselves are kept apart
    mac: str = ""


def manifest_path(file: Path) -> Path:
    """Where the manifest of a backup lies."""
    return file.with_name(f"{file.name}.manifest.json")


# ── making one ──────────────────────────────────────────────────────────────────────────────────────────────


def backup(settings: Settings, file: Path) -> Manifest:
    """Copy the database into `file` (0600) while it is in use; the manifest is written last.

    CallerErrors: backup_exists, backup_unwritable, pg_tool_missing, pg_tool_failed, and what keeps a branch from
    starting (schema_not_current, key_wrong, guards_missing).
    """
    keys = load_keys(settings.keys_dir)
    if file.exists() or manifest_path(file).exists():
        raise CallerError("backup_exists", "备份文件已存在", "the backup file exists already", file=file.name)
    url = parse_url(settings.database_url)
    kind = url.get_backend_name()
    with _writable(), _beside(file) as temporary:
        if kind == "sqlite":
            _copy_sqlite(Path(str(url.database)), temporary)
            copy = open_engine(f"sqlite:///{temporary}", read_only=True)
        else:
            copy = open_engine(settings.database_url, read_only=True)
        with _disposing(copy), reading(copy, snapshot=True) as conn:
            _check_ready(conn, keys)
            if kind != "sqlite":
                _dump_postgresql(conn, parse_url(settings.database_owner_url or settings.database_url), temporary)
            contents = contents_of(conn)
        size, digest = _measure(temporary)
        prints = fingerprints(keys)
        manifest = Manifest(FORMAT, kind, now(), file.name, size, digest, contents, prints)
        manifest.mac = _mac(keys, manifest)
        _sync(temporary)
        temporary.rename(file)
        _write_manifest(file, manifest)
    return manifest


def contents_of(conn: Connection) -> Contents:
    """Counts and the digest of the log, in one pass with bounded memory; `conn` must be one snapshot."""
    digest = hashlib.sha256()
    number, last = 0, None
    statement = sa.select(entries.c.stream, entries.c.stream_seq, entries.c.leaf_hash).order_by(entries.c.id)
    for batch in conn.execute(statement, execution_options={"yield_per": 5_000}).partitions():
        number += len(batch)
        last = f"{batch[-1][0]}:{batch[-1][1]}"
        digest.update(b"".join([bytes(row[2]) for row in batch]))
    counted = conn.execute(sa.select(sa.func.count()).select_from(cases)).scalar_one()
    return Contents(str(migrate.revision(conn)), number, int(counted), last, digest.hexdigest())


def _check_ready(conn: Connection, keys: Keys) -> None:
    check_schema(conn)
    check_keys(conn, keys)
    missing = missing_guards(conn)
    if missing:
        raise CallerError(
            "guards_missing", "审计表的防改触发器缺失", "the log's append-only guards are missing or altered", guards=missing
        )


def _copy_sqlite(source: Path, target: Path) -> None:
    """By SQLite's online backup: one moment of the database, while others read and write it."""
    if not source.exists():
        raise TryAgain("database_gone", "the database is not reachable")
    try:
        with closing(sqlite3.connect(f"file:{source}?mode=rw", uri=True, timeout=5)) as live:
            live.execute("PRAGMA query_only=ON")
            with closing(sqlite3.connect(target)) as copy:
                live.backup(copy)  # in one step: in several, a busy writer would make it start again and again
                copy.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
    except sqlite3.Error as exc:
        raise translate(exc) or exc from exc


def _dump_postgresql(conn: Connection, url: URL, target: Path) -> None:
    """By pg_dump, of the very snapshot that `conn` counts in."""
    snapshot = conn.execute(sa.text("SELECT pg_export_snapshot()")).scalar_one()
    _run("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={target}")


def _run(tool: str, url: URL, *arguments: str) -> None:
    """A tool of PostgreSQL from the PATH; the password goes by environment, not where `ps` shows it."""
    found = shutil.which(tool)
    if found is None:
        raise CallerError(
            "pg_tool_missing", f"找不到 {tool},请安装与服务器同版本的 PostgreSQL 客户端工具",
            f"{tool} is not on the PATH; install PostgreSQL's client tools of the server's version", tool=tool,
        )  # fmt: skip
    named = {key: value for key, value in url.query.items() if isinstance(value, str)}
    given = {"host": url.host, "port": url.port, "user": url.username, "dbname": url.database}
    conninfo = make_conninfo(**{**named, **{key: value for key, value in given.items() if value is not None}})
    environment = dict(os.environ) | ({"PGPASSWORD": str(url.password)} if url.password else {})
    done = subprocess.run(  # noqa: S603  # a tool of the PATH with arguments of our own
        [found, f"--dbname={conninfo}", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[0][:300]
        raise CallerError("pg_tool_failed", f"{tool} 失败:{reason}", f"{tool} failed: {reason}", tool=tool)


# ── putting one back ────────────────────────────────────────────────────────────────────────────────────────


def restore(
    settings: Settings, file: Path, *, replace_old: bool = False, progress: Progress = lambda _: None
) -> tuple[Manifest, Report, Path | None]:
    """Put a backup into an empty database and verify the whole log before it counts as restored.

    SQLite: everything is checked in a file beside, which becomes the database only when it is sound; `replace_old`
    moves an existing one away first (its new place is returned). PostgreSQL: into a database without tables.

    CallerErrors: manifest_missing, manifest_malformed, manifest_forged, backup_damaged, backup_of_other_kind,
    backup_of_newer_schema, key_missing, key_wrong, database_not_empty, restored_unsound, contents_differ, guards_missing,
    pg_tool_missing, pg_tool_failed. PostgreSQL: after the last four the unsound data are left to be looked at.
    """
    keys = load_keys(settings.keys_dir)
    manifest = read_manifest(file, keys)
    url = parse_url(settings.database_url)
    if manifest.kind != url.get_backend_name():
        raise CallerError(
            "backup_of_other_kind", f"备份来自{manifest.kind},数据库是{url.get_backend_name()}",
            f"the backup is of {manifest.kind}, the database is {url.get_backend_name()}",
        )  # fmt: skip
    check_file(file, manifest)
    if manifest.kind == "sqlite":
        report, old = _restore_sqlite(settings, Path(str(url.database)), file, manifest, keys, replace_old, progress)
        return manifest, report, old
    return manifest, _restore_postgresql(settings, file, manifest, keys, progress), None


def read_manifest(file: Path, keys: Keys) -> Manifest:
    """The manifest of a backup, made by this branch's service and fitting these keys."""
    place = manifest_path(file)
    try:
        with place.open("rb") as opened:
            raw = opened.read(_MANIFEST_AT_MOST)
        manifest = msgspec.json.decode(raw, type=Manifest)
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
        raise CallerError(
            "key_wrong", "密钥与备份不符", "these are not the keys that the backup's database was written with", keys=wrong
        )
    if not hmac.compare_digest(manifest.mac, _mac(keys, manifest)):
        raise CallerError("manifest_forged", "备份清单被改动", "the backup's manifest was changed after it was written")
    if manifest.contents.revision not in migrate.known_revisions():
        raise CallerError(
            "backup_of_newer_schema", "备份的数据库结构版本未知", "the backup has a schema that this version does not know",
            revision=manifest.contents.revision,
        )  # fmt: skip
    return manifest


def _malformed(place: Path) -> CallerError:
    return CallerError(
        "manifest_malformed", f"备份清单 {place.name} 格式不对", f"the backup's manifest {place.name} is malformed"
    )


def check_file(file: Path, manifest: Manifest) -> None:
    """CallerError `backup_damaged` unless the file is byte for byte the one the manifest speaks of."""
    try:
        size, digest = _measure(file)
    except OSError:
        raise CallerError("backup_missing", "备份文件不存在", "the backup file is missing", file=file.name) from None
    if (size, digest) != (manifest.bytes, manifest.sha256):
        raise CallerError(
            "backup_damaged", "备份文件与清单不符", "the backup file is not the one its manifest speaks of",
            bytes_expected=manifest.bytes, bytes_found=size,
        )  # fmt: skip


def _restore_sqlite(
    settings: Settings, target: Path, file: Path, manifest: Manifest, keys: Keys, replace_old: bool, progress: Progress
) -> tuple[Report, Path | None]:
    if target.exists() and not replace_old:
        raise _not_empty("use --replace to move the present one away")
    with _writable(), _beside(target) as temporary:
        shutil.copyfile(file, temporary)
        inside = replace(settings, database_url=f"sqlite:///{temporary}", database_owner_url=None)
        report = _proved(inside, manifest, keys, progress)
        _sync(temporary)
        old = _move_away(target) if target.exists() else None
        temporary.rename(target)
        _sync(target.parent)
    return report, old


def _restore_postgresql(
    settings: Settings, file: Path, manifest: Manifest, keys: Keys, progress: Progress
) -> Report:
    owner_url = settings.database_owner_url or settings.database_url
    engine = open_engine(owner_url, read_only=True)
    with _disposing(engine), reading(engine) as conn:
        if sa.inspect(conn).get_table_names():
            raise _not_empty("restore into a database without tables")
    _run("pg_restore", parse_url(owner_url), "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error",
         str(file))  # fmt: skip
    return _proved(settings, manifest, keys, progress)


def _not_empty(hint: str) -> CallerError:
    return CallerError("database_not_empty", "目标数据库不为空", f"the database is not empty; {hint}")


def _proved(settings: Settings, manifest: Manifest, keys: Keys, progress: Progress) -> Report:
    """What was restored is what the manifest says, its guards stand, its keys fit, its log verifies."""
    owner = open_engine(settings.database_owner_url or settings.database_url, read_only=True)
    with _disposing(owner), reading(owner, snapshot=True) as conn:
        found = contents_of(conn)
        if found != manifest.contents:
            said, is_ = msgspec.to_builtins(manifest.contents), msgspec.to_builtins(found)
            differing = [key for key in said if said[key] != is_[key]]
            raise CallerError(
                "contents_differ", f"恢复的内容与清单不符:{'、'.join(differing)}",
                f"what was restored is not what the manifest says: {', '.join(differing)}", differing=differing,
            )  # fmt: skip
    migrate.upgrade(settings)  # grants the app role; brings an older backup to the present schema
    engine = open_engine(settings.database_url, read_only=True)
    with _disposing(engine), reading(engine, snapshot=True) as conn:
        _check_ready(conn, keys)
        report = verify(conn, keys.mac, Vault(keys.personal, keys.blind), progress=progress)
    if report.verdict != "sound":
        codes = sorted({finding.code for finding in (*report.findings, *report.doubts)})
        raise CallerError(
            "restored_unsound", f"备份中的审计日志未通过核对:{'、'.join(codes)}",
            f"the log in the backup does not verify: {', '.join(codes)}", findings=codes,
        )  # fmt: skip
    return report


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _beside(file: Path) -> Iterator[Path]:
    """A private file in the same folder, to be renamed when it is whole; gone in any case."""
    handle, name = tempfile.mkstemp(prefix=_PREFIX, dir=file.absolute().parent)  # 0600
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
    finally:
        for left in (temporary, *(Path(f"{temporary}{suffix}") for suffix in _SQLITE_SUFFIXES)):
            left.unlink(missing_ok=True)


_SQLITE_SUFFIXES: Final = ("-wal", "-shm", "-journal")


def _move_away(target: Path) -> Path:
    """The old database under another name, with what SQLite keeps beside it."""
    away = target.with_name(f"{target.name}.before-{now():%Y%m%dT%H%M%SZ}")
    if away.exists():
        raise CallerError("backup_exists", "旧数据库的新名字已被占用", "there is a database moved away this second", file=away.name)
    for suffix in ("", *_SQLITE_SUFFIXES):
        part = Path(f"{target}{suffix}")
        if part.exists():
            part.rename(f"{away}{suffix}")
    return away


@contextmanager
def _writable() -> Iterator[None]:
    """An error of the file system is the caller's folder or disk, and says so."""
    try:
        yield
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise CallerError("backup_unwritable", f"无法写入:{reason}", f"cannot write there: {reason}") from exc


@contextmanager
def _disposing(engine: Engine) -> Iterator[None]:
    try:
        yield
    finally:
        engine.dispose()


def _measure(file: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_manifest(file: Path, manifest: Manifest) -> None:
    with _beside(file) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        _sync(temporary)
        temporary.rename(manifest_path(file))
    _sync(file.absolute().parent)


def _mac(keys: Keys, manifest: Manifest) -> str:
    """HMAC-SHA256 of the manifest without `mac`, with a key of its own purpose derived from the log's."""
    bare: dict[str, Any] = msgspec.to_builtins(manifest)
    del bare["mac"]
    own = hmac.digest(keys.mac, _LABEL, "sha256")
    return hmac.digest(own, msgspec.json.encode(bare, order="deterministic"), "sha256").hex()
